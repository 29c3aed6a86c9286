package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/stream"
)

const (
	// afterEvent is how long a playback token outlives the event, and the least it lives.
	afterEvent = 24 * time.Hour
	// renewPart is the part of its life after which a token should be renewed.
	renewNumerator, renewDenominator = 3, 4
)

// PlaybackRequest says what to watch: exactly one of Auditorium and Talk.
type PlaybackRequest struct {
	Auditorium event.AuditoriumID `json:"auditorium,omitempty" pattern:"^[a-z0-9-]{1,64}$" doc:"exactly one of auditorium and talk"`
	Talk       event.TalkID       `json:"talk,omitempty" pattern:"^[a-z0-9-]{1,64}$"`
	Language   event.Language     `json:"language" minLength:"1" maxLength:"35" doc:"of the feed; one that the event does not have gives the event's first" example:"fr"`
	View       stream.View        `json:"view,omitempty" enum:"live,startover,replay" doc:"with a talk: this view and no other; absent: the one that fits now"`
}

// Playback is the leave to play one presentation.
type Playback struct {
	URL        string           `json:"url" doc:"multivariant playlist, relative to the server's root; holds a secret" example:"/p/eyJ…/live/main/fr/multivariant.m3u8"`
	View       stream.View      `json:"view" enum:"live,startover,replay"`
	State      stream.TalkState `json:"state" enum:"scheduled,waiting,on-air,ended,replay"`
	Language   event.Language   `json:"language" doc:"of the feed"`
	Starts     *time.Time       `json:"starts_at,omitempty" doc:"of the talk on this feed, or of the auditorium's doors"`
	Ends       *time.Time       `json:"ends_at,omitempty"`
	Expires    time.Time        `json:"expires_at" doc:"of the token in url"`
	RenewAfter time.Time        `json:"token_renew_after" doc:"when to ask again, to be safe"`
	Sounds     []event.Language `json:"languages" doc:"of the sound"`
	Captions   []event.Language `json:"captions" doc:"languages of captions"`
	Poster     string           `json:"poster,omitempty" doc:"relative to the server's root"`
}

type playbackInput struct {
	Bearer
	Body PlaybackRequest
}

type playbackOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Playback
}

// notYet is stream.ErrNotListed with the instant at which to come back.
type notYet struct {
	opens time.Time
	err   error
}

func (e *notYet) Error() string { return e.err.Error() }
func (e *notYet) Unwrap() error { return e.err }

// playback answers POST /api/v1/playback.
func (s *Server) playback(_ context.Context, in *playbackInput) (*playbackOutput, error) {
	now := s.deps.Now()
	claims, err := s.link(in.Bearer, now)
	if err != nil {
		return nil, err
	}
	if (in.Body.Auditorium == "") == (in.Body.Talk == "") || (in.Body.View != "" && in.Body.Talk == "") {
		return nil, errUnprocessable
	}
	p, err := s.deps.Playout.Programme(event.ID(claims.Event), now)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.Languages, in.Body.Language) && len(p.Languages) > 0 {
		in.Body.Language = p.Languages[0]
	}
	var choice choice
	if in.Body.Talk != "" {
		choice, err = chooseTalk(&p, claims, &in.Body)
	} else {
		choice, err = chooseAuditorium(&p, claims, &in.Body)
	}
	if err != nil {
		return nil, err
	}
	// Only what can be played is handed out; else the problem says why, and when to come back.
	if _, err := s.deps.Playout.Multivariant(choice.address, now); err != nil {
		if errors.Is(err, stream.ErrNotListed) {
			return nil, &notYet{opens: choice.opens, err: err}
		}
		return nil, err
	}
	return s.grant(&choice, claims, &p, now)
}

// choice is what playback decided for one request.
type choice struct {
	address stream.Address
	scope   string
	answer  Playback
	poster  string    // below /p/{token}/
	opens   time.Time // when it can be played, if not yet
}

// path is the address below /p/{token}.
func (c *choice) path() string {
	place := string(c.address.Talk)
	if c.address.View == stream.Live {
		place = string(c.address.Auditorium)
	}
	return fmt.Sprintf("/%s/%s/%s/%s%s", c.address.View, place, c.address.Language, multivariant, extension)
}

// chooseAuditorium opens a feed.
func chooseAuditorium(p *stream.Programme, c *token.Claims, q *PlaybackRequest) (choice, error) {
	if !c.MayAuditorium(string(q.Auditorium)) {
		return choice{}, errScope
	}
	i := slices.IndexFunc(p.Auditoriums, func(a stream.RoomProgramme) bool { return a.ID == q.Auditorium })
	if i < 0 {
		return choice{}, fmt.Errorf("%w: auditorium %s", stream.ErrNotFound, q.Auditorium)
	}
	a := &p.Auditoriums[i]
	state := stream.Scheduled
	switch {
	case a.Ended:
		state = stream.Ended
	case a.Open:
		state = stream.Waiting
		for j := range p.Talks {
			if t := &p.Talks[j]; t.Auditorium == a.ID && t.Airings[q.Language].State == stream.OnAir {
				state = stream.OnAir
			}
		}
	}
	return choice{
		address: stream.Address{View: stream.Live, Event: p.Event, Auditorium: a.ID, Language: q.Language},
		scope:   token.AuditoriumScope(string(a.ID)),
		opens:   a.Opens,
		// A feed always offers a sound and captions in each of the event's languages.
		answer: Playback{State: state, Starts: instant(a.Opens), Ends: instant(a.Closes), Sounds: list(p.Languages), Captions: list(p.Languages)},
	}, nil
}

// chooseTalk opens a talk: its replay once it is over; until then the
// auditorium, for whom that is open, so that the page goes over from slate to
// talk by itself; else the talk from its beginning.
func chooseTalk(p *stream.Programme, c *token.Claims, q *PlaybackRequest) (choice, error) {
	i := slices.IndexFunc(p.Talks, func(t stream.TalkProgramme) bool { return t.ID == q.Talk })
	auditorium := ""
	if i >= 0 {
		auditorium = string(p.Talks[i].Auditorium)
	}
	if !c.MayTalk(auditorium, string(q.Talk)) {
		return choice{}, errScope
	}
	if i < 0 {
		return choice{}, fmt.Errorf("%w: talk %s", stream.ErrNotFound, q.Talk)
	}
	t := &p.Talks[i]
	airing := t.Airings[q.Language]
	view := q.View
	if view == "" {
		switch {
		case airing.State == stream.Ended || airing.State == stream.ReplayOn:
			view = stream.Replay
		case c.MayAuditorium(auditorium):
			view = stream.Live
		default:
			view = stream.StartOver
		}
	}
	out := choice{
		address: stream.Address{View: view, Event: p.Event, Talk: t.ID, Language: q.Language},
		scope:   token.TalkScope(string(t.ID)),
		poster:  t.Poster,
		opens:   airing.Starts,
		answer:  Playback{State: airing.State, Starts: instant(airing.Starts), Ends: instant(airing.Ends), Sounds: list(t.Sounds), Captions: list(t.Captions)},
	}
	if out.answer.State == "" {
		out.answer.State = t.State
	}
	if view == stream.Live {
		if !c.MayAuditorium(auditorium) {
			return choice{}, errScope
		}
		out.address = stream.Address{View: view, Event: p.Event, Auditorium: t.Auditorium, Language: q.Language}
		out.scope = token.AuditoriumScope(auditorium)
		if r := slices.IndexFunc(p.Auditoriums, func(a stream.RoomProgramme) bool { return a.ID == t.Auditorium }); r >= 0 {
			out.opens = p.Auditoriums[r].Opens
		}
	}
	return out, nil
}

// grant mints the playback token of a choice.
func (s *Server) grant(c *choice, link *token.Claims, p *stream.Programme, now time.Time) (*playbackOutput, error) {
	expires := s.expiry(c.address.View, link, p, now)
	tok, err := s.deps.Keyring.Mint(token.Claims{
		Event: link.Event, Subject: link.Subject, Scopes: []string{c.scope}, Lease: storage.RandomName()[:13],
		Staff: link.Staff, Kind: token.Playback, Expires: expires,
	})
	if err != nil {
		return nil, err
	}
	out := c.answer
	out.URL, out.View, out.Language = prefix+tok+c.path(), c.address.View, c.address.Language
	out.Expires = expires.UTC().Truncate(time.Second)
	out.RenewAfter = now.Add(expires.Sub(now) * renewNumerator / renewDenominator).UTC().Truncate(time.Second)
	if c.poster != "" {
		out.Poster = prefix + tok + "/" + c.poster
	}
	return &playbackOutput{CacheControl: "private, no-store", Body: out}, nil
}

// expiry returns when a playback token ends: a set life, or a day after the
// event's end (a day from now if that is later: replays); never after the link,
// and for a replay never after the replays.
func (s *Server) expiry(view stream.View, link *token.Claims, p *stream.Programme, now time.Time) time.Time {
	end := now.Add(s.cfg.PlaybackLife)
	if s.cfg.PlaybackLife == 0 {
		end = now
		for i := range p.Auditoriums {
			end = latest(end, p.Auditoriums[i].Closes)
		}
		for i := range p.Talks {
			for _, a := range p.Talks[i].Airings {
				end = latest(end, a.Ends)
			}
		}
		end = end.Add(afterEvent)
	}
	if view == stream.Replay && p.ReplayUntil.After(now) && p.ReplayUntil.Before(end) {
		// One second more: the last request of the last minute is told "gone", not "expired".
		end = p.ReplayUntil.Add(time.Second)
	}
	if link.Expires.Before(end) {
		end = link.Expires
	}
	return end
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
