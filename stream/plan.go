package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"reprise/event"
	"reprise/stream/timeline"
	"reprise/vod"
)

// reading is what one turn read from the stores, all at one version.
type reading struct {
	version  int64
	events   []event.Event
	assets   map[vod.AssetID]vod.Asset
	journals map[Feed]journalLog
}

type journalLog struct {
	journal  timeline.Journal
	revision int64
}

// attempts is how often a turn starts again when the store changes under it.
const attempts = 3

// turn reads, plans, writes and shows. The caller holds planning.
//
// What is planned must not be older than the journal it is written on, or two
// nodes would take turns in undoing each other's edits: so all is read at one
// version, and written on condition that the journal is still the one read.
func (p *Playout) turn(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		r, err := p.read(ctx)
		if err != nil {
			return err
		}
		if len(p.snapshot.Load().events) == 0 {
			p.show(r) // after a start: what is on air does not wait for a plan
		}
		err = p.plan(ctx, r)
		if errors.Is(err, ErrConflict) && attempt < attempts {
			continue
		}
		p.show(r)
		if err != nil {
			return err
		}
		p.version, p.planned = r.version, p.deps.Now()
		return nil
	}
}

func (p *Playout) show(r *reading) {
	p.snapshot.Store(buildSnapshot(p.snapshot.Load(), r, p.clockOf))
}

// read reads everything, again if the store changed meanwhile.
func (p *Playout) read(ctx context.Context) (*reading, error) {
	version, err := p.deps.Events.Version(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store's version: %w", err)
	}
	for attempt := 1; ; attempt++ {
		r := &reading{version: version, assets: map[vod.AssetID]vod.Asset{}, journals: map[Feed]journalLog{}}
		if r.events, err = p.deps.Events.Events(ctx); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if err := p.readJournals(ctx, r); err != nil {
			return nil, err
		}
		assets, err := p.deps.Library.Assets(ctx)
		if err != nil {
			return nil, fmt.Errorf("read assets: %w", err)
		}
		for _, a := range assets {
			r.assets[a.ID] = a
		}
		if version, err = p.deps.Events.Version(ctx); err != nil {
			return nil, fmt.Errorf("read the store's version: %w", err)
		}
		if version == r.version || attempt == attempts {
			return r, nil
		}
	}
}

// readJournals reads the journals of all feeds. One that has ended for good is not read again.
func (p *Playout) readJournals(ctx context.Context, r *reading) error {
	shown := p.snapshot.Load()
	for i := range r.events {
		e := &r.events[i]
		for _, a := range e.Auditoriums {
			for _, l := range e.Languages {
				key := Feed{e.ID, a.ID, l}
				if f := shown.feeds[key]; f != nil && f.over(p.deps.Now()) {
					r.journals[key] = journalLog{f.journal, f.revision}
					continue
				}
				j, revision, err := p.deps.Journals.Journal(ctx, key)
				if err != nil {
					return fmt.Errorf("read journal of %v: %w", key, err)
				}
				r.journals[key] = journalLog{j, revision}
			}
		}
	}
	return nil
}

// over reports whether the feed has ended, so that its journal cannot change.
func (f *feed) over(now time.Time) bool {
	n := len(f.journal.Entries)
	return f.journal.Closed && n > 0 && f.journal.Entries[n-1].AirEnd().Before(now)
}

// plan lays out all feeds, writes the journals that changed, and names the
// slates to make. A feed that cannot be planned keeps its journal; the error
// says so after all others are done.
func (p *Playout) plan(ctx context.Context, r *reading) error {
	started := p.deps.Now()
	wants := newWants(p, started)
	wants.known(r)
	var faults []error
	for i := range r.events {
		e := newEventState(r.events[i], r.assets)
		for j := range e.event.Auditoriums {
			a := &e.event.Auditoriums[j]
			for _, l := range e.event.Languages {
				key := Feed{e.event.ID, a.ID, l}
				log, err := p.planFeed(ctx, e, a, key, r.journals[key], wants)
				if err != nil {
					faults = append(faults, fmt.Errorf("plan %v: %w", key, err))
					continue
				}
				r.journals[key] = log
			}
		}
	}
	p.want(wants.list())
	return errors.Join(faults...)
}

// planFeed lays out one feed and writes its journal if it changed.
func (p *Playout) planFeed(ctx context.Context, e *eventState, a *event.Auditorium, key Feed, log journalLog, wants *wants) (journalLog, error) {
	now := p.clockOf(key).peek(p.deps.Now())
	plan := timeline.Plan{}
	plan.Opens, plan.Closes = doors(e, a)
	if !plan.Opens.Before(plan.Closes) || (&feed{journal: log.journal}).over(now) {
		return log, nil
	}
	plan.Talks = p.plannedTalks(e, a, key.Language, log.journal)
	generic, ok := wants.generic(ctx, e, key.Language)
	if !ok {
		if generic, ok = lastSlate(log.journal); !ok {
			return log, nil // without a slate no feed can begin
		}
	}
	lines := programmeOf(e, a)
	plan.Slate = func(after, before string) timeline.Source {
		return timeline.Source{Kind: timeline.Slate, ID: string(wants.between(ctx, e, a, key.Language, generic, lines, plan, after, before))}
	}
	next, err := log.journal.Replan(now, plan)
	if err != nil {
		// Another turn would find the same: the feed goes on as it is.
		p.log.Error("feed cannot be planned, its journal stays as it is", "event_id", key.Event, "auditorium_id", key.Auditorium,
			"language", key.Language, "error", err)
		return log, nil
	}
	from := common(log.journal, next)
	if from == len(log.journal.Entries) && from == len(next.Entries) && log.journal.Closed == next.Closed {
		return log, nil
	}
	if late := p.deps.Now().Sub(now); late > timeline.Guard/2 && len(log.journal.Entries) > 0 {
		// Computed too long ago: what was free then may be frozen when it is written.
		return log, fmt.Errorf("%w: planning took %v", ErrConflict, late)
	}
	if err := p.deps.Journals.AppendJournal(ctx, key, log.revision, from, next.Entries[from:], next.Closed, now); err != nil {
		return log, err
	}
	p.log.Info("journal written", "event_id", key.Event, "auditorium_id", key.Auditorium, "language", key.Language,
		"revision", log.revision+1, "from_entry", from, "entries", len(next.Entries))
	return journalLog{next, log.revision + 1}, nil
}

// lastSlate returns the slate that a journal names last: a feed that is on air
// does not wait for a new one.
func lastSlate(j timeline.Journal) (vod.MediaID, bool) {
	for _, e := range slices.Backward(j.Entries) {
		if e.Talk == "" {
			return vod.MediaID(e.Source.ID), true
		}
	}
	return "", false
}

// common returns how many entries at the beginning two journals share.
func common(a, b timeline.Journal) int {
	n := min(len(a.Entries), len(b.Entries))
	for k := range n {
		x, y := a.Entries[k], b.Entries[k]
		same := x.AirStart.Equal(y.AirStart)
		x.AirStart, y.AirStart = time.Time{}, time.Time{}
		if !same || x != y {
			return k
		}
	}
	return n
}

// doors returns when a feed begins and ends: as the organizer said, else half
// an hour before the first talk and half an hour after the last.
func doors(e *eventState, a *event.Auditorium) (opens, closes time.Time) {
	opens, closes = a.Opens, a.Closes
	const around = 30 * time.Minute
	var first, last time.Time
	for _, t := range programmeOf(e, a) {
		if first.IsZero() || t.Starts.Before(first) {
			first = t.Starts
		}
		last = later(last, t.Starts.Add(t.Slot))
	}
	if opens.IsZero() && !first.IsZero() {
		opens = first.Add(-around)
	}
	if closes.IsZero() && !last.IsZero() {
		closes = last.Add(around)
	}
	return opens, closes
}

// programmeOf returns the talks of an auditorium, by hour.
func programmeOf(e *eventState, a *event.Auditorium) []*event.Talk {
	var talks []*event.Talk
	for i := range e.event.Talks {
		if t := &e.event.Talks[i]; t.Auditorium == a.ID {
			talks = append(talks, t)
		}
	}
	slices.SortStableFunc(talks, func(a, b *event.Talk) int {
		return cmp.Or(a.Starts.Compare(b.Starts), cmp.Compare(a.ID, b.ID))
	})
	return talks
}

// longestSegment is the duration from which EXTINF rounds above the target duration (R061).
const longestSegment = 9 * timeline.TicksPerSecond / 2

// plannedTalks returns the talks of an auditorium whose film in that language can
// go on air: whole, or with its first rendition alone.
func (p *Playout) plannedTalks(e *eventState, a *event.Auditorium, l event.Language, j timeline.Journal) []timeline.Planned {
	laid := map[string]timeline.Entry{}
	for _, entry := range j.Entries {
		if entry.Talk != "" && entry.From == 0 {
			laid[entry.Talk] = entry
		}
	}
	var planned []timeline.Planned
	for _, t := range programmeOf(e, a) {
		asset, ok := filmOf(e, t, l)
		if !ok || asset.Playable() == "" {
			continue
		}
		k := timeline.Planned{Talk: string(t.ID), Starts: t.Starts, Source: timeline.Source{Kind: timeline.Recording, ID: string(asset.Playable())}}
		if entry, ok := laid[k.Talk]; ok && entry.Source == k.Source {
			// A talk is laid out whole, so the entry says how long the film is; a
			// thousand films need not be read again at each start.
			k.Nominal, k.Last, k.Count = entry.Nominal, entry.Last, entry.Count
		} else {
			m, err := p.shelf.summary(asset.Playable())
			if err != nil {
				p.log.Error("film cannot be read, its talk is left out until it can", "asset_id", asset.ID, "talk_id", t.ID, "error", err)
				continue
			}
			k.Nominal, k.Last, k.Count = m.nominal, m.last, m.count
		}
		if k.Count <= 0 || k.Nominal <= 0 || k.Last <= 0 || max(k.Nominal, k.Last) >= longestSegment {
			p.log.Error("film does not fit the target duration, its talk is left out", "asset_id", asset.ID, "talk_id", t.ID, "media_id", asset.Playable())
			continue
		}
		planned = append(planned, k)
	}
	return planned
}

// filmOf returns the asset that a feed of that language shows for a talk: the
// film in the language, else the one in the talk's own, else any. An asset that
// failed counts as missing unless an earlier revision is there. ok is false
// when there is none at all; nothing of it is Playable while it is not ready.
func filmOf(e *eventState, t *event.Talk, l event.Language) (vod.Asset, bool) {
	order := append([]event.Language{l, t.Spoken}, slices.Sorted(maps.Keys(t.Films))...)
	for _, l := range order {
		a, ok := e.assets[vod.AssetID(t.Films[l])]
		if ok && (a.Playable() != "" || a.State != vod.Failed) {
			return a, true
		}
	}
	return vod.Asset{}, false
}
