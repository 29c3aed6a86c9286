package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"reprise/event"
	"reprise/vod"
)

// HandInPage is everything that a speaker's page needs, in one answer.
type HandInPage struct {
	Event     HandInEvent      `json:"event"`
	Talk      HandInTalk       `json:"talk"`
	Name      string           `json:"name" doc:"of the speaker"`
	Language  event.Language   `json:"language" doc:"of the words they read"`
	Languages []event.Language `json:"languages" doc:"that the film is for"`
	Message   string           `json:"message,omitempty" doc:"from the organizer"`
	Contact   string           `json:"contact,omitempty" doc:"mail address of the organizer"`
	Now       time.Time        `json:"now"`
	Deadline  time.Time        `json:"deadline" doc:"until then a first film is taken"`
	Lock      time.Time        `json:"lock" doc:"until then it may be replaced"`
	Open      bool             `json:"open" doc:"a film may be handed in, or replaced, now"`
	Terms     Terms            `json:"terms"`
	Accepted  *time.Time       `json:"accepted,omitempty" doc:"when these very terms were accepted"`
	MaxSize   int64            `json:"max_size" doc:"of the file, in bytes; 0: not said"`
	Upload    *Upload          `json:"upload,omitempty" doc:"the last one"`
	Asset     *HandInAsset     `json:"asset,omitempty" doc:"the film that there is"`
	Report    *PreflightReport `json:"report,omitempty" doc:"on that film; absent: not looked at yet"`
	Preview   *Preview         `json:"preview,omitempty" doc:"how it looks; absent: nothing can be seen yet"`
}

// HandInEvent is the event, for a speaker.
type HandInEvent struct {
	ID    event.ID   `json:"id"`
	Title event.Text `json:"title" doc:"by language"`
	Zone  string     `json:"zone" doc:"IANA time zone of the event" example:"Europe/Paris"`
}

// HandInTalk is the talk, for its speaker.
type HandInTalk struct {
	ID         event.TalkID       `json:"id"`
	Title      event.Text         `json:"title" doc:"by language"`
	Speakers   []string           `json:"speakers"`
	Auditorium event.AuditoriumID `json:"auditorium"`
	Starts     time.Time          `json:"starts"`
	Slot       float64            `json:"slot" doc:"seconds planned; 0: as long as the film"`
}

// Terms is what a speaker agrees to.
type Terms struct {
	Version string `json:"version" doc:"of these words; POST /handin/accept takes it"`
	FR      string `json:"fr"`
	EN      string `json:"en"`
}

// HandInAsset is a film, for the speaker who handed it in.
type HandInAsset struct {
	ID       vod.AssetID    `json:"id"`
	State    vod.State      `json:"state" enum:"uploading,uploaded,probing,processing,ready,failed"`
	Percent  float64        `json:"percent"`
	Progress Progress       `json:"progress"`
	Verdict  vod.Verdict    `json:"verdict,omitempty" enum:"ready,remarks,refused"`
	Findings []AssetFinding `json:"findings"`
	Name     string         `json:"name" doc:"of the file"`
	Size     int64          `json:"size" doc:"bytes"`
	Revision int            `json:"revision"`
	Updated  time.Time      `json:"updated"`
}

type handInPageOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         HandInPage
}

// handIn answers GET /handin.
func (s *Server) handIn(ctx context.Context, _ *struct{}) (*handInPageOutput, error) {
	v, err := s.sightOf(ctx, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	page, err := s.handInPage(ctx, v)
	if err != nil {
		return nil, err
	}
	return &handInPageOutput{CacheControl: privateNoStore, Body: *page}, nil
}

func (s *Server) handInPage(ctx context.Context, v *sight) (*HandInPage, error) {
	h := v.caller.handIn
	t := talkOf(&v.event, h.Talk)
	if t == nil {
		return nil, fmt.Errorf("%w: talk %s", event.ErrNotFound, h.Talk)
	}
	film, has := v.film()
	now := s.deps.Now()
	page := &HandInPage{
		Event: HandInEvent{v.event.ID, dict(v.event.Title), v.event.Zone},
		Talk:  HandInTalk{t.ID, dict(t.Title), list(t.Speakers), t.Auditorium, t.Starts.UTC(), t.Slot.Seconds()},
		Name:  h.Name, Language: h.Language, Languages: h.Languages, Message: h.Message, Contact: h.Organizer, Now: now.UTC(),
		Deadline: h.Deadline.UTC(), Lock: h.Until(true).UTC(), Open: h.Open(now, has), Terms: Terms{s.terms.version, s.terms.fr, s.terms.en}, MaxSize: s.cfg.UploadSize,
	}
	if len(page.Languages) == 0 {
		page.Languages = list(v.event.Languages)
	}
	if h.Terms == s.terms.version {
		page.Accepted = instant(h.Accepted)
	}
	if n := len(v.uploads); n > 0 {
		last := wireUpload(&v.uploads[n-1])
		page.Upload = &last
	}
	id := cmp.Or(film, v.shown())
	if id == "" {
		return page, nil
	}
	return page, s.addFilm(ctx, page, id, v)
}

// addFilm adds what is known of a speaker's film to the page.
func (s *Server) addFilm(ctx context.Context, page *HandInPage, id vod.AssetID, v *sight) error {
	a, err := s.in.Library.Asset(ctx, id)
	if errors.Is(err, vod.ErrNotFound) {
		return nil // the programme names what is no longer there
	}
	if err != nil {
		return err
	}
	w := wireAsset(&a, v, nil)
	page.Asset = &HandInAsset{w.ID, w.State, w.Percent, w.Progress, w.Verdict, w.Findings, w.Source.Name, w.Source.Size, w.Revision, w.Updated}
	if page.Report, err = s.placedReport(ctx, &a, v, ""); err != nil && !errors.Is(err, errNotMade) {
		return err
	}
	if page.Preview, err = s.showPreview(ctx, &a, v); err != nil && !errors.Is(err, errNotMade) {
		return err
	}
	return nil
}

type acceptInput struct {
	Body struct {
		Terms string `json:"terms" minLength:"1" maxLength:"64" doc:"version of the terms that were read" example:"5f2b0c9d1a7e4468"`
	}
}

// accept answers POST /handin/accept. The first acceptance of a version stays.
func (s *Server) accept(ctx context.Context, in *acceptInput) (*handInPageOutput, error) {
	if in.Body.Terms != s.terms.version {
		return nil, errTermsChanged
	}
	c := callerOf(ctx)
	h, err := s.updateHandIn(ctx, c.handIn.ID, func(h *event.HandIn) error {
		switch {
		case !h.Revoked.IsZero():
			return errRevoked
		case h.Terms == in.Body.Terms && !h.Accepted.IsZero():
			return nil
		}
		h.Terms, h.Accepted = in.Body.Terms, s.deps.Now().UTC()
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "accept terms", slog.String("hand_in_id", string(h.ID)), slog.String("terms", h.Terms))
	c.handIn = &h
	return s.handIn(ctx, nil)
}
