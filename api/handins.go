package api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/vod"
)

const (
	// linkGrace is how long a hand-in link outlives the lock: the page still says how the film looks.
	linkGrace = 30 * 24 * time.Hour
	// mostHandIns bounds those of one event.
	mostHandIns = 5000
	// longestWait bounds how far ahead a deadline may be.
	longestWait = 3 * 365 * 24 * time.Hour
)

// HandIn is a speaker's invitation to hand in the film of a talk.
type HandIn struct {
	ID        event.HandInID   `json:"id"`
	Talk      event.TalkID     `json:"talk"`
	Languages []event.Language `json:"languages" doc:"that the film is for; empty: all of the event"`
	Name      string           `json:"name" doc:"of the speaker"`
	Email     string           `json:"email" doc:"empty: no mail is sent"`
	Language  event.Language   `json:"language" doc:"of the words they read"`
	Deadline  time.Time        `json:"deadline" doc:"until then a first film is taken"`
	Lock      time.Time        `json:"lock" doc:"until then it may be replaced"`
	Organizer string           `json:"organizer" doc:"mail address that hears of it; empty: none"`
	Message   string           `json:"message" doc:"shown on the page"`
	Accepted  *time.Time       `json:"accepted,omitempty" doc:"when the terms were accepted"`
	Revoked   *time.Time       `json:"revoked,omitempty" doc:"the link is dead from here"`
	Invited   *time.Time       `json:"invited,omitempty" doc:"last mail with the link"`
	Created   time.Time        `json:"created"`
	Open      bool             `json:"open" doc:"a film may be handed in, or replaced, now"`
	Asset     vod.AssetID      `json:"asset,omitempty" doc:"the film that there is"`
	Uploads   []Upload         `json:"uploads" doc:"what came by it, oldest first"`
	Link      string           `json:"link,omitempty" doc:"personal: a secret. Absent once it is revoked" example:"https://video.example.org/fr/hand-in#k=eyJ…"`
}

// HandInList is the answer of handIns.
type HandInList struct {
	HandIns []HandIn `json:"hand_ins" doc:"oldest first"`
	Mail    bool     `json:"mail" doc:"invitations can be sent from here"`
}

type handInsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         HandInList
}

// handIns answers GET /handins.
func (s *Server) handIns(ctx context.Context, _ *struct{}) (*handInsOutput, error) {
	c := callerOf(ctx)
	v, err := s.sightOf(ctx, c)
	if err != nil {
		return nil, err
	}
	all, err := s.in.HandIns.HandIns(ctx, c.event)
	if err != nil {
		return nil, err
	}
	out := &handInsOutput{CacheControl: privateNoStore, Body: HandInList{HandIns: []HandIn{}, Mail: s.in.Invite != nil}}
	for i := range all {
		h, err := s.wireHandIn(&all[i], v)
		if err != nil {
			return nil, err
		}
		out.Body.HandIns = append(out.Body.HandIns, h)
	}
	return out, nil
}

// wireHandIn gives a hand-in its public form, for organizers: with its link.
func (s *Server) wireHandIn(h *event.HandIn, v *sight) (HandIn, error) {
	own := v.as(h)
	film, has := own.film()
	out := HandIn{
		ID: h.ID, Talk: h.Talk, Languages: list(h.Languages), Name: h.Name, Email: h.Email, Language: h.Language, Deadline: h.Deadline.UTC(), Lock: h.Until(true).UTC(),
		Organizer: h.Organizer, Message: h.Message, Accepted: instant(h.Accepted), Revoked: instant(h.Revoked), Invited: instant(h.Invited), Created: h.Created.UTC(),
		Open: h.Open(s.deps.Now(), has), Asset: cmp.Or(film, own.shown()), Uploads: []Upload{},
	}
	for i := range own.uploads {
		out.Uploads = append(out.Uploads, wireUpload(&own.uploads[i]))
	}
	if !h.Revoked.IsZero() {
		return out, nil
	}
	var err error
	out.Link, err = s.handInLink(h)
	return out, err
}

// as returns what the speaker of a hand-in sees, of what an organizer sees.
func (v *sight) as(h *event.HandIn) *sight {
	own, err := newSight(&caller{claims: v.caller.claims, event: v.caller.event, handIn: h}, []event.Event{v.event}, v.uploads)
	if err != nil {
		panic(err) // the event is the one of v
	}
	own.foreign = v.foreign
	return own
}

// shown returns a film that the talk shows, "" when there is none.
func (v *sight) shown() vod.AssetID {
	var names []vod.AssetID
	for id := range v.named {
		names = append(names, id)
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}

// handInLink returns the address of a hand-in's page.
func (s *Server) handInLink(h *event.HandIn) (string, error) {
	return HandInLink(s.deps.Keyring, s.cfg.BaseURL, h)
}

// HandInLink returns the address of a hand-in's page, a secret: it works until
// 30 days after the lock. base has no slash at the end.
func HandInLink(keys interface {
	Mint(c token.Claims) (string, error)
}, base string, h *event.HandIn) (string, error) {
	tok, err := keys.Mint(token.Claims{
		Event: string(h.Event), Subject: token.HandInScope(string(h.ID)), Scopes: []string{token.HandInScope(string(h.ID))}, Kind: token.Link,
		Expires: latest(h.Deadline, h.Until(true)).Add(linkGrace).UTC().Truncate(time.Second),
	})
	if err != nil {
		return "", err
	}
	return base + "/" + url.PathEscape(string(h.Language)) + "/hand-in#k=" + tok, nil
}

// HandInRequest describes a hand-in to make.
type HandInRequest struct {
	Talk      event.TalkID     `json:"talk" pattern:"^[a-z0-9-]{1,64}$" example:"opening"`
	Languages []event.Language `json:"languages,omitempty" maxItems:"50" doc:"that the film is for; absent: all of the event" example:"[\"fr\"]"`
	Name      string           `json:"name" minLength:"1" maxLength:"200" doc:"of the speaker" example:"Ada Lovelace"`
	Email     string           `json:"email,omitempty" maxLength:"254" doc:"absent: no mail is sent" example:"ada@example.org"`
	Language  event.Language   `json:"language,omitempty" maxLength:"35" doc:"of the words they read; absent: the event's first" example:"fr"`
	Deadline  time.Time        `json:"deadline" doc:"until then a first film is taken" example:"2026-11-20T22:59:00Z"`
	Lock      *time.Time       `json:"lock,omitempty" doc:"until then it may be replaced; absent: the deadline"`
	Organizer string           `json:"organizer,omitempty" maxLength:"254" doc:"mail address that hears of it"`
	Message   string           `json:"message,omitempty" maxLength:"4000" doc:"shown on the page"`
	Invite    bool             `json:"invite,omitempty" doc:"send the link at once"`
}

type createHandInInput struct{ Body HandInRequest }

type handInOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         HandIn
}

// createHandIn answers POST /handins.
func (s *Server) createHandIn(ctx context.Context, in *createHandInInput) (*handInOutput, error) {
	c := callerOf(ctx)
	v, err := s.sightOf(ctx, c)
	if err != nil {
		return nil, err
	}
	now := s.deps.Now()
	b := &in.Body
	h := event.HandIn{
		ID: event.HandInID(storage.RandomName()), Event: c.event, Talk: b.Talk, Languages: b.Languages, Name: strings.TrimSpace(b.Name), Email: strings.TrimSpace(b.Email),
		Language: b.Language, Deadline: b.Deadline.UTC(), Organizer: strings.TrimSpace(b.Organizer), Message: strings.TrimSpace(b.Message), Created: now.UTC(),
	}
	if b.Lock != nil {
		h.Lock = b.Lock.UTC()
	}
	if h.Language == "" && len(v.event.Languages) > 0 {
		h.Language = v.event.Languages[0]
	}
	if err := checkHandIn(&h, &v.event, now); err != nil {
		return nil, err
	}
	if !h.Until(true).After(now) {
		return nil, wrong("body.deadline", "le délai est déjà passé", "the deadline is over already")
	}
	all, err := s.in.HandIns.HandIns(ctx, c.event)
	if err != nil {
		return nil, err
	}
	if len(all) >= mostHandIns {
		return nil, wrong("body", "l’événement a trop de dépôts", "the event has too many hand-ins")
	}
	// An organizer who heard no answer asks again: the same invitation is not made twice.
	for i := range all {
		if same(&all[i], &h) {
			return s.answerHandIn(ctx, &all[i], v, b.Invite && all[i].Invited.IsZero())
		}
	}
	if err := s.in.HandIns.CreateHandIn(ctx, h); err != nil {
		return nil, err
	}
	s.audit(ctx, "create hand-in", slog.String("hand_in_id", string(h.ID)), slog.String("talk_id", string(h.Talk)))
	return s.answerHandIn(ctx, &h, v, b.Invite)
}

// same tells whether two hand-ins say the same and are both alive.
func same(a, b *event.HandIn) bool {
	return a.Revoked.IsZero() && a.Talk == b.Talk && slices.Equal(a.Languages, b.Languages) && a.Name == b.Name && a.Email == b.Email && a.Language == b.Language &&
		a.Deadline.Equal(b.Deadline) && a.Lock.Equal(b.Lock) && a.Organizer == b.Organizer && a.Message == b.Message
}

// answerHandIn answers with a hand-in, after the letter with its link was written down if there is to be one.
func (s *Server) answerHandIn(ctx context.Context, h *event.HandIn, v *sight, invite bool) (*handInOutput, error) {
	if invite {
		invited, err := s.invite(ctx, h, v)
		if err != nil {
			return nil, err
		}
		h = invited
	}
	out, err := s.wireHandIn(h, v)
	if err != nil {
		return nil, err
	}
	return &handInOutput{CacheControl: privateNoStore, Body: out}, nil
}

// checkHandIn says what is wrong with a hand-in.
func checkHandIn(h *event.HandIn, e *event.Event, now time.Time) error {
	var faults []wrongField
	fault := func(is bool, field, french, english string) {
		if is {
			faults = append(faults, wrongField{"body." + field, [2]string{french, english}})
		}
	}
	fault(talkOf(e, h.Talk) == nil, "talk", "cette intervention n’existe pas", "no such talk")
	fault(languagesOf(e, h.Languages) != nil, "languages", "ce n’est pas une langue de l’événement", "not a language of the event")
	fault(h.Language != "fr" && h.Language != "en", "language", "les courriers et les pages existent en fr et en en", "letters and pages exist in fr and en")
	fault(h.Name == "" || strings.ContainsFunc(h.Name, isControl), "name", "une ligne de texte est attendue", "a line of text is needed")
	fault(h.Email != "" && !mailAddress(h.Email), "email", "ce n’est pas une adresse de courrier", "not a mail address")
	fault(h.Organizer != "" && !mailAddress(h.Organizer), "organizer", "ce n’est pas une adresse de courrier", "not a mail address")
	fault(strings.ContainsFunc(h.Message, func(r rune) bool { return r != '\n' && r != '\r' && r != '\t' && isControl(r) }), "message", "contient des caractères de commande", "holds control characters")
	fault(h.Deadline.IsZero() || h.Deadline.After(now.Add(longestWait)), "deadline", "n’est pas dans les trois ans", "not within three years")
	fault(!h.Lock.IsZero() && (h.Lock.Before(h.Deadline) || h.Lock.After(now.Add(longestWait))), "lock", "ne peut précéder la date limite, ni être dans plus de trois ans", "must not come before the deadline, or in more than three years")
	if faults != nil {
		return &invalid{faults}
	}
	return nil
}

// mailAddress tells whether s is a bare address of one person.
func mailAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s && !strings.ContainsFunc(s, isControl)
}

// HandInPath names one hand-in. Exported, as huma fills only exported fields.
type HandInPath struct {
	ID event.HandInID `path:"handin" minLength:"1" maxLength:"64"`
}

// HandInChange says what to change; what is absent stays.
type HandInChange struct {
	Languages *[]event.Language `json:"languages,omitempty" maxItems:"50"`
	Name      *string           `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Email     *string           `json:"email,omitempty" maxLength:"254"`
	Language  *event.Language   `json:"language,omitempty" maxLength:"35"`
	Deadline  *time.Time        `json:"deadline,omitempty"`
	Lock      *time.Time        `json:"lock,omitempty"`
	Organizer *string           `json:"organizer,omitempty" maxLength:"254"`
	Message   *string           `json:"message,omitempty" maxLength:"4000"`
}

type changeHandInInput struct {
	HandInPath
	Body HandInChange
}

// changeHandIn answers PATCH /handins/{handin}. The link that the speaker has
// goes on working; when the lock moves to later, so does the end of a new link.
func (s *Server) changeHandIn(ctx context.Context, in *changeHandInInput) (*handInOutput, error) {
	v, err := s.sightOf(ctx, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	b := &in.Body
	h, err := s.updateHandIn(ctx, in.ID, func(h *event.HandIn) error {
		if !h.Revoked.IsZero() {
			return errRevoked
		}
		put(&h.Languages, b.Languages)
		put(&h.Name, trimmed(b.Name))
		put(&h.Email, trimmed(b.Email))
		put(&h.Language, b.Language)
		put(&h.Deadline, b.Deadline)
		put(&h.Lock, b.Lock)
		put(&h.Organizer, trimmed(b.Organizer))
		put(&h.Message, trimmed(b.Message))
		return checkHandIn(h, &v.event, s.deps.Now())
	})
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "change hand-in", slog.String("hand_in_id", string(h.ID)))
	return s.answerHandIn(ctx, &h, v, false)
}

// put sets field to value, if there is one.
func put[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

func trimmed(text *string) *string {
	if text == nil {
		return nil
	}
	t := strings.TrimSpace(*text)
	return &t
}

// updateHandIn changes a hand-in of the caller's event.
func (s *Server) updateHandIn(ctx context.Context, id event.HandInID, change func(*event.HandIn) error) (event.HandIn, error) {
	return s.in.HandIns.UpdateHandIn(ctx, id, func(h *event.HandIn) error {
		if h.Event != callerOf(ctx).event {
			return fmt.Errorf("%w: hand-in of another event", event.ErrNotFound)
		}
		return change(h)
	})
}

type handInPathInput struct{ HandInPath }

// revokeHandIn answers DELETE /handins/{handin}: the link is dead at once;
// films that came by it stay. Twice is no error.
func (s *Server) revokeHandIn(ctx context.Context, in *handInPathInput) (*struct{}, error) {
	_, err := s.updateHandIn(ctx, in.ID, func(h *event.HandIn) error {
		if h.Revoked.IsZero() {
			h.Revoked = s.deps.Now().UTC()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "revoke hand-in", slog.String("hand_in_id", string(in.ID)))
	return nil, nil
}

// inviteHandIn answers POST /handins/{handin}/invite.
func (s *Server) inviteHandIn(ctx context.Context, in *handInPathInput) (*handInOutput, error) {
	c := callerOf(ctx)
	h, err := s.in.HandIns.HandIn(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if h.Event != c.event {
		return nil, fmt.Errorf("%w: hand-in of another event", event.ErrNotFound)
	}
	v, err := s.sightOf(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.answerHandIn(ctx, &h, v, true)
}

// invite writes the letter with the link down, and notes that it was.
func (s *Server) invite(ctx context.Context, h *event.HandIn, v *sight) (*event.HandIn, error) {
	e := &v.event
	switch {
	case !h.Revoked.IsZero():
		return nil, errRevoked
	case s.in.Invite == nil:
		return nil, errNoMail
	case h.Email == "":
		return nil, wrong("body.email", "l’adresse de l’intervenant n’est pas connue", "the speaker’s mail address is not known")
	}
	talk := talkOf(e, h.Talk)
	if talk == nil {
		return nil, fmt.Errorf("%w: talk %s", event.ErrNotFound, h.Talk)
	}
	link, err := s.handInLink(h)
	if err != nil {
		return nil, err
	}
	handedIn := slices.ContainsFunc(v.uploads, func(u vod.Upload) bool {
		return u.HandIn == string(h.ID) && u.State == vod.UploadTaken
	})
	if err := s.in.Invite(ctx, Invitation{HandIn: *h, Event: *e, Talk: *talk, Link: link, HandedIn: handedIn}); err != nil {
		return nil, err
	}
	invited, err := s.updateHandIn(ctx, h.ID, func(h *event.HandIn) error {
		h.Invited = s.deps.Now().UTC()
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "invite", slog.String("hand_in_id", string(h.ID)))
	return &invited, nil
}
