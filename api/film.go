package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"reprise/event"
	"reprise/stream"
	"reprise/vod"
)

// filmAttempts is how often a change of the programme is tried while others change it.
const filmAttempts = 5

type filmInput struct {
	Talk event.TalkID `path:"talk" pattern:"^[a-z0-9-]{1,64}$"`
	Body struct {
		Languages []event.Language `json:"languages,omitempty" maxItems:"50" doc:"feeds that show the film; absent: all"`
		Asset     vod.AssetID      `json:"asset" maxLength:"64" doc:"empty: take the film off" example:"0192c2a4-7b1e-7cc0-8a57-3d5f2f0f9a10"`
	}
}

type filmOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Consequence
}

// putFilm answers PUT /talks/{talk}/film. To say the same again changes nothing.
func (s *Server) putFilm(ctx context.Context, in *filmInput) (*filmOutput, error) {
	c := callerOf(ctx)
	if in.Body.Asset != "" {
		if _, _, err := s.asset(ctx, c, in.Body.Asset); err != nil {
			return nil, err
		}
	}
	e, err := s.assignFilm(ctx, c.event, in.Talk, in.Body.Languages, in.Body.Asset)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "put film", slog.String("talk_id", string(in.Talk)), slog.String("asset_id", string(in.Body.Asset)))
	if in.Body.Asset != "" {
		s.hurry(ctx, in.Body.Asset)
	}
	out := &filmOutput{CacheControl: privateNoStore}
	out.Body, err = s.consequence(ctx, &e, in.Talk)
	return out, err
}

// assignFilm changes the programme, and tries again while others change it.
func (s *Server) assignFilm(ctx context.Context, ev event.ID, talk event.TalkID, languages []event.Language, asset vod.AssetID) (event.Event, error) {
	for attempt := 1; ; attempt++ {
		e, err := s.in.Events.Event(ctx, ev)
		if err != nil {
			return event.Event{}, err
		}
		if err := languagesOf(&e, languages); err != nil {
			return event.Event{}, err
		}
		changed, err := e.SetFilm(talk, languages, string(asset))
		if err != nil || !changed {
			return e, err
		}
		e, err = s.in.Events.PutEvent(ctx, e)
		if errors.Is(err, event.ErrConflict) && attempt < filmAttempts {
			continue
		}
		return e, err
	}
}

// hurry moves the work on an asset to its place among the others: what airs
// first is done first. There may be none to do.
func (s *Server) hurry(ctx context.Context, id vod.AssetID) {
	for _, kind := range []string{JobProcess, JobRemake} {
		err := s.in.Jobs.Prioritize(ctx, kind, string(id), JobOptions{Due: s.due(ctx, id)})
		if err != nil && !errors.Is(err, ErrNoJob) {
			s.log.LogAttrs(ctx, slog.LevelWarn, "job keeps its place", slog.String("asset_id", string(id)), slog.String("error", err.Error()))
		}
	}
}

// consequence says what a talk's film does to the programme.
func (s *Server) consequence(ctx context.Context, e *event.Event, talk event.TalkID) (Consequence, error) {
	t := talkOf(e, talk)
	films := lengths{}
	for i := range e.Talks {
		if e.Talks[i].Auditorium != t.Auditorium {
			continue
		}
		for _, id := range e.Talks[i].Films {
			if _, known := films[id]; known || id == "" {
				continue
			}
			length, err := s.lengthOf(ctx, vod.AssetID(id))
			if err != nil {
				return Consequence{}, err
			}
			films[id] = length
		}
	}
	out := consequenceOf(e, talk, films)
	if p, err := s.deps.Playout.Programme(e.ID, s.deps.Now()); err == nil {
		for i := range p.Talks {
			if p.Talks[i].ID == talk {
				state := p.Talks[i].State
				out.Begun = state == stream.OnAir || state == stream.Ended || state == stream.ReplayOn
			}
		}
	}
	return out, nil
}

type getFilmInput struct {
	Talk event.TalkID `path:"talk" pattern:"^[a-z0-9-]{1,64}$"`
}

// getFilm answers GET /talks/{talk}/film.
func (s *Server) getFilm(ctx context.Context, in *getFilmInput) (*filmOutput, error) {
	e, err := s.in.Events.Event(ctx, callerOf(ctx).event)
	if err != nil {
		return nil, err
	}
	if talkOf(&e, in.Talk) == nil {
		return nil, fmt.Errorf("%w: talk %s", event.ErrNotFound, in.Talk)
	}
	out := &filmOutput{CacheControl: privateNoStore}
	out.Body, err = s.consequence(ctx, &e, in.Talk)
	return out, err
}
