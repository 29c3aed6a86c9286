package stream

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"reprise/event"
	"reprise/stream/timeline"
	"reprise/vod"
)

// wantedSlate is a slate that is not in the library.
type wantedSlate struct {
	spec SlateSpec
	at   time.Time // first use
}

// wants collects, during one turn, which slates there are and which are to be made.
type wants struct {
	p      *Playout
	now    time.Time
	wanted map[vod.MediaID]wantedSlate
	made   map[vod.MediaID]bool // looked up in this turn
}

func newWants(p *Playout, now time.Time) *wants {
	return &wants{p: p, now: now, wanted: map[vod.MediaID]wantedSlate{}, made: map[vod.MediaID]bool{}}
}

// known notes the slates that journals name: they are in the library.
func (w *wants) known(r *reading) {
	for _, log := range r.journals {
		for k := range log.journal.Entries {
			if e := &log.journal.Entries[k]; e.Talk == "" {
				w.p.slates[vod.MediaID(e.Source.ID)] = true
			}
		}
	}
}

// list returns the slates to make: what lets a feed begin first, then by use.
func (w *wants) list() []wantedSlate {
	list := make([]wantedSlate, 0, len(w.wanted))
	for _, s := range w.wanted {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b wantedSlate) int {
		generic := func(s wantedSlate) int {
			if s.spec.Headline == tongueOf(event.Language(s.spec.Language)).wait {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(generic(a), generic(b)), a.at.Compare(b.at), cmp.Compare(a.spec.ID, b.spec.ID))
	})
	return list
}

// there reports whether a slate is in the library. Far ahead of its use it is
// not looked up: a programme may have a thousand.
func (w *wants) there(ctx context.Context, spec SlateSpec, at time.Time) bool {
	if w.p.slates[spec.ID] {
		return true
	}
	if at.Sub(w.now) > w.p.cfg.SlateAhead {
		return false
	}
	made, looked := w.made[spec.ID]
	if !looked {
		_, err := w.p.deps.Library.Media(ctx, spec.ID)
		if err != nil && !errors.Is(err, vod.ErrNotFound) {
			w.p.log.Error("slate cannot be looked up, another is shown", "media_id", spec.ID, "error", err)
		}
		made = err == nil
		w.made[spec.ID] = made
		if made {
			w.p.slates[spec.ID] = true
		}
	}
	if !made {
		if was, ok := w.wanted[spec.ID]; !ok || at.Before(was.at) {
			w.wanted[spec.ID] = wantedSlate{spec, at}
		}
	}
	return made
}

// generic returns the slate of an event and language that fits everywhere; ok
// is false while it is not made.
func (w *wants) generic(ctx context.Context, e *eventState, l event.Language) (vod.MediaID, bool) {
	spec := w.p.spec(e, l, SlateSpec{Title: e.event.Title.In(l), Headline: tongueOf(l).wait})
	return spec.ID, w.there(ctx, spec, w.now)
}

// between returns the slate for the air between two talks of a feed: the one
// that names the next talk of the programme and its hour, or the generic one
// while that is not made.
func (w *wants) between(ctx context.Context, e *eventState, a *event.Auditorium, l event.Language, generic vod.MediaID,
	lines []*event.Talk, plan timeline.Plan, after, before string) vod.MediaID {
	words := tongueOf(l)
	spec := SlateSpec{Title: e.event.Title.In(l), Headline: words.thanks}
	if room := a.Title.In(l); room != "" {
		spec.Title += " · " + room
	}
	since, from := plan.Opens, 0
	for i, t := range lines {
		if string(t.ID) == after {
			since, from = later(since, t.Starts), i+1
		}
	}
	ends := plan.Closes
	if t := w.next(lines[from:], plan, before); t != nil {
		spec.Headline = words.next
		spec.Talk = t.Title.In(l)
		starts := t.Starts.In(e.zone)
		spec.When = hourIn(l, starts, !sameDay(starts, since.In(e.zone)))
		ends = t.Starts
	} else if after == "" {
		return generic // a day without a talk: nobody to thank yet
	}
	spec = w.p.spec(e, l, spec)
	if w.now.Sub(ends) > timeline.LateLimit && !w.p.slates[spec.ID] {
		return generic // laid out after the fact: nobody will see it
	}
	if w.there(ctx, spec, since) {
		return spec.ID
	}
	return generic
}

// next returns the talk to announce: the first one of the programme that is
// still to come, ready or not, up to before.
func (w *wants) next(lines []*event.Talk, plan timeline.Plan, before string) *event.Talk {
	for _, t := range lines {
		switch {
		case string(t.ID) == before:
			return t
		case slices.ContainsFunc(plan.Talks, func(k timeline.Planned) bool { return k.Talk == string(t.ID) }):
			// It has been on air already, or is too late.
		case w.now.Sub(t.Starts) <= timeline.LateLimit:
			return t
		}
	}
	return nil
}

func sameDay(a, b time.Time) bool {
	return a.YearDay() == b.YearDay() && a.Year() == b.Year()
}

// spec completes a spec. The id follows from all that the slate shows and the
// secret, so that all nodes agree and a restart finds it in the library.
func (p *Playout) spec(e *eventState, l event.Language, s SlateSpec) SlateSpec {
	s.Language = string(l)
	for _, l := range e.event.Languages {
		s.Languages = append(s.Languages, string(l))
	}
	s.ID = ""
	text, err := json.Marshal(struct {
		Event event.ID
		Spec  SlateSpec
	}{e.event.ID, s})
	if err != nil {
		panic(err) // strings always marshal
	}
	s.ID = vod.MediaID(p.keyed("slate", text))
	return s
}

// keyed returns 26 characters [a-z2-7] of a keyed hash: not to be guessed, the same on all nodes.
func (p *Playout) keyed(use string, text []byte) string {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(p.hash(use, text))[:26]
}

func (p *Playout) hash(use string, text []byte) []byte {
	h := hmac.New(sha256.New, p.deps.Secret)
	h.Write([]byte(use))
	h.Write([]byte{0})
	h.Write(text)
	return h.Sum(nil)
}

// want hands the list of slates to make to whoever makes them.
func (p *Playout) want(list []wantedSlate) {
	p.wanted.Store(&list)
	if len(list) > 0 {
		select {
		case p.wake <- struct{}{}:
		default: // somebody is awake already and will read the new list
		}
	}
}

const (
	slateTimeout = 5 * time.Minute  // for making one slate
	slateRetry   = 20 * time.Second // between two tries
)

// slateLoop makes slates, one at a time, until ctx ends.
func (p *Playout) slateLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		if err := p.MakeSlates(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("slate cannot be made, another is shown; next try within a minute", "error", err)
		}
	}
}

// MakeSlates makes the slates that the last turn found missing, the most urgent
// first, and returns when none is left; the next turn puts them on air. It is
// what Run does in the background. One that fails is left for the next turn.
func (p *Playout) MakeSlates(ctx context.Context) error {
	p.making.Lock()
	defer p.making.Unlock()
	done := map[vod.MediaID]bool{}
	now := p.deps.Now()
	for id, at := range p.failed {
		if now.Sub(at).Abs() < slateRetry {
			done[id] = true
		} else {
			delete(p.failed, id)
		}
	}
	var faults []error
	for ctx.Err() == nil {
		i := -1
		list := p.wanted.Load()
		if list != nil {
			i = slices.IndexFunc(*list, func(s wantedSlate) bool { return !done[s.spec.ID] })
		}
		if i < 0 {
			return errors.Join(faults...)
		}
		spec := (*list)[i].spec
		done[spec.ID] = true
		if err := p.makeSlate(ctx, spec); err != nil {
			p.failed[spec.ID] = p.deps.Now()
			faults = append(faults, err)
		}
	}
	return ctx.Err()
}

// makeSlate makes one slate unless another node has.
func (p *Playout) makeSlate(ctx context.Context, spec SlateSpec) error {
	if _, err := p.deps.Library.Media(ctx, spec.ID); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, slateTimeout)
	defer cancel()
	started := p.deps.Now()
	m, err := p.deps.Slates.MakeSlate(ctx, spec)
	if err != nil {
		return fmt.Errorf("make slate %q (%s): %w", spec.Headline, spec.ID, err)
	}
	// Two nodes may make the same slate at once: the names of its segments must
	// not depend on who was first.
	m.ID, m.NameKey = spec.ID, p.hash("names", []byte(spec.ID))
	if err := p.deps.Library.PutMedia(ctx, m); err != nil {
		return fmt.Errorf("store slate %s: %w", spec.ID, err)
	}
	p.log.Info("slate made", "media_id", spec.ID, "language", spec.Language, "headline", spec.Headline, "took", p.deps.Now().Sub(started))
	return nil
}
