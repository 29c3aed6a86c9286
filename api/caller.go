package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"reprise/api/token"
	"reprise/event"
	"reprise/vod"
)

// caller is who asks for an operation on films: an organizer, or a speaker
// with a hand-in link. Other links have nothing to do here.
type caller struct {
	claims *token.Claims
	event  event.ID
	handIn *event.HandIn // nil: an organizer
}

// access says whom an operation is for.
type access int

const (
	forStaff   access = iota // organizers
	forSpeaker               // the holder of a hand-in link
	forBoth
)

type callerKey struct{}

// admit is the middleware that lets only its callers in, before a byte of the body is read.
func (s *Server) admit(who access) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c, err := s.caller(ctx.Context(), ctx.Header("Authorization"), who)
		if err != nil {
			s.problem(err, humaecho.Unwrap(ctx))
			return
		}
		next(huma.WithValue(ctx, callerKey{}, c))
	}
}

// callerOf returns whom admit let in.
func callerOf(ctx context.Context) *caller {
	c, ok := ctx.Value(callerKey{}).(*caller)
	if !ok {
		panic("api: operation without admit") // would be open to everybody
	}
	return c
}

// caller finds out who sent a request. The row of a hand-in is read each
// time: a link that was revoked is dead at once.
func (s *Server) caller(ctx context.Context, authorization string, who access) (*caller, error) {
	claims, err := s.link(Bearer{authorization}, s.deps.Now())
	if err != nil {
		return nil, err
	}
	if s.in == nil {
		return nil, errNotReady
	}
	c := &caller{claims: claims, event: event.ID(claims.Event)}
	if id := claims.HandIn(); id != "" {
		h, err := s.in.HandIns.HandIn(ctx, event.HandInID(id))
		switch {
		case errors.Is(err, event.ErrNotFound):
			return nil, errRevoked
		case err != nil:
			return nil, err
		case h.Event != c.event:
			return nil, token.ErrInvalid
		case !h.Revoked.IsZero():
			return nil, errRevoked
		}
		c.handIn = &h
	}
	switch {
	case claims.Staff && who != forSpeaker, c.handIn != nil && who != forStaff:
		return c, nil
	case who == forSpeaker:
		return nil, errSpeakerOnly
	}
	return nil, errStaffOnly
}

// owner is what an upload's row says of who began it.
func (c *caller) owner() string {
	if c.handIn != nil {
		return token.HandInScope(string(c.handIn.ID))
	}
	return c.claims.Subject
}

// name is how people know the caller.
func (c *caller) name() string {
	if c.handIn != nil {
		return c.handIn.Name
	}
	return c.claims.Subject
}

// audit writes down who did what: ids only.
func (s *Server) audit(ctx context.Context, did string, about ...slog.Attr) {
	c := callerOf(ctx)
	attrs := append([]slog.Attr{slog.String("did", did), slog.String("event_id", string(c.event)), slog.String("by", c.owner())}, about...)
	s.log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
}

// asset returns an asset that the caller may see, and the caller's sight; vod.ErrNotFound otherwise.
//
// The library knows no events. An organizer sees what a talk of the event
// names, what was handed in for the event, and what belongs to nobody yet: imports
// by the operator that no other event's talk names. A speaker sees the films of
// their talk.
func (s *Server) asset(ctx context.Context, c *caller, id vod.AssetID) (vod.Asset, *sight, error) {
	a, err := s.in.Library.Asset(ctx, id)
	if err != nil {
		return vod.Asset{}, nil, err
	}
	v, err := s.sightOf(ctx, c)
	if err != nil {
		return vod.Asset{}, nil, err
	}
	if !v.sees(&a) {
		return vod.Asset{}, nil, fmt.Errorf("%w: asset %s of another event", vod.ErrNotFound, id)
	}
	return a, v, nil
}

// sight is what decides which assets a caller sees.
type sight struct {
	caller  *caller
	event   event.Event
	named   map[vod.AssetID]bool // by talks of the event; for a speaker: by their talk
	foreign map[vod.AssetID]bool // by talks of other events
	sent    map[vod.AssetID]bool // made of the caller's uploads
	uploads []vod.Upload         // of the event; for a speaker: their own
}

// sightOf reads what decides what a caller sees.
func (s *Server) sightOf(ctx context.Context, c *caller) (*sight, error) {
	events, err := s.in.Events.Events(ctx)
	if err != nil {
		return nil, err
	}
	uploads, err := s.in.Uploads.Uploads(ctx, string(c.event))
	if err != nil {
		return nil, err
	}
	return newSight(c, events, uploads)
}

// newSight decides from all events and uploads; those of other events are no matter.
func newSight(c *caller, events []event.Event, uploads []vod.Upload) (*sight, error) {
	v := &sight{caller: c, named: map[vod.AssetID]bool{}, foreign: map[vod.AssetID]bool{}, sent: map[vod.AssetID]bool{}}
	found := false
	for i := range events {
		e := &events[i]
		into := v.foreign
		if e.ID == c.event {
			v.event, into, found = *e, v.named, true
		}
		for j := range e.Talks {
			t := &e.Talks[j]
			for l, asset := range t.Films {
				if e.ID != c.event || c.handIn == nil || t.ID == c.handIn.Talk && c.handIn.Covers(l) {
					into[vod.AssetID(asset)] = true
				}
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("%w: event %s", event.ErrNotFound, c.event)
	}
	for _, u := range uploads {
		if u.Event != string(c.event) || c.handIn != nil && u.HandIn != string(c.handIn.ID) {
			continue
		}
		v.uploads = append(v.uploads, u)
		if u.Asset != "" && u.State == vod.UploadTaken {
			v.sent[u.Asset] = true
		}
	}
	return v, nil
}

func (v *sight) sees(a *vod.Asset) bool {
	switch {
	case v.named[a.ID], v.sent[a.ID]:
		return true
	case v.caller.handIn != nil:
		return false
	case a.Source.Event != "":
		return a.Source.Event == string(v.event.ID)
	}
	return !v.foreign[a.ID]
}
