package stream

import (
	"cmp"
	"slices"
	"time"

	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
)

// Range is a stretch of a stored object that viewers will ask for.
type Range struct {
	Key    storage.Key
	Offset int64
	Length int64     // bytes; negative: to the end of the object
	Needed time.Time // when it is first listed
}

// stretchSegments is how many segments, about a minute, one Range covers: few
// enough that all renditions of the next minute come before the minute after.
const stretchSegments = 16

// Ahead returns what viewers may ask for until every talk that is on air at
// now, or begins within lead, is over, in all renditions and languages, the
// most urgent first: what is to come by its hour, then what was on air and is
// still in a live window, the latest first. Films that cannot be read are logged and left out.
func (p *Playout) Ahead(now time.Time, lead time.Duration) []Range {
	s := p.snapshot.Load()
	a := ahead{seen: map[place]int{}}
	for _, e := range s.events {
		near := false
		for i := range e.event.Auditoriums {
			for _, l := range e.event.Languages {
				f := s.feeds[Feed{e.event.ID, e.event.Auditoriums[i].ID, l}]
				near = p.aheadOfFeed(&a, f, f.clock.peek(now), lead) || near
			}
		}
		if near {
			p.aheadOfPages(&a, e, now)
		}
	}
	slices.SortFunc(a.found, func(x, y needed) int {
		if past := !x.until.After(now); past != !y.until.After(now) {
			if past {
				return 1
			}
			return -1
		} else if past {
			x, y = y, x
		}
		return cmp.Or(x.Needed.Compare(y.Needed), cmp.Compare(x.Key, y.Key), cmp.Compare(x.Offset, y.Offset))
	})
	ranges := make([]Range, len(a.found))
	for i := range a.found {
		ranges[i] = a.found[i].Range
	}
	return ranges
}

// ahead collects ranges, each once.
type ahead struct {
	found []needed
	seen  map[place]int // index of found
}

// needed is a range from the first time that it is listed until it has been on air for the last time.
type needed struct {
	Range
	until time.Time
}

type place struct {
	key    storage.Key
	offset int64
}

// add adds a range; what is needed twice has its first hour and its last.
func (a *ahead) add(key string, offset, length int64, from, until time.Time) {
	at := place{storage.Key(key), offset}
	if key == "" || length == 0 {
		return
	}
	i, ok := a.seen[at]
	if !ok {
		a.seen[at] = len(a.found)
		a.found = append(a.found, needed{Range{at.key, offset, length, from}, until})
		return
	}
	n := &a.found[i]
	if n.Length >= 0 {
		n.Length = max(n.Length, length)
	}
	if from.Before(n.Needed) {
		n.Needed = from
	}
	n.until = later(n.until, until)
}

// aheadOfFeed adds what a feed's journal plays from the beginning of its window
// until the talks that begin within lead are over; false when that is nothing.
func (p *Playout) aheadOfFeed(a *ahead, f *feed, now time.Time, lead time.Duration) (near bool) {
	entries := f.journal.Entries
	for k := range entries {
		e := &entries[k]
		if e.AirStart.Add(-timeline.Lead - lead).After(now) {
			break
		}
		if !e.AirEnd().Add(p.cfg.Depth).After(now) {
			continue
		}
		near = true
		m, err := p.shelf.get(vod.MediaID(e.Source.ID))
		if err != nil {
			p.log.Error("media cannot be read, it is not read ahead; next try soon", "media_id", e.Source.ID, "error", err)
			continue
		}
		for i := range m.Renditions {
			a.entry(m, &m.Renditions[i], e)
		}
		// Pictures of the whole film are there when all of it is listed.
		over := e.AirEnd().Add(-timeline.Lead)
		for _, key := range append([]string{m.Waveform}, m.Sprites...) {
			a.add(key, 0, -1, over, over.Add(p.cfg.Depth))
		}
	}
	return near
}

// entry adds what a journal entry plays of one rendition.
func (a *ahead) entry(m *vod.Media, r *vod.Rendition, e *timeline.Entry) {
	listed := func(i int) time.Time { return e.AirTime(i + 1).Add(-timeline.Lead) }
	if m.Loop {
		a.add(r.Object, 0, -1, listed(e.From), e.AirEnd())
		return
	}
	a.add(r.Object, 0, r.InitSize, listed(e.From), e.AirEnd())
	end := min(e.From+e.Count, len(r.Segments))
	for i := e.From; i < end; i += stretchSegments {
		next := min(i+stretchSegments, end)
		first, last := r.Segments[i], r.Segments[next-1]
		a.add(r.Object, first.Offset, last.Offset+last.Size-first.Offset, listed(i), e.AirTime(next))
	}
}

// aheadOfPages adds the posters of an event's programme: a page shows them all at once.
func (p *Playout) aheadOfPages(a *ahead, e *eventState, now time.Time) {
	add := func(id vod.MediaID) {
		if m, err := p.shelf.summary(id); err == nil { // the programme says what cannot be read
			a.add(m.poster, 0, -1, now, now.Add(p.cfg.Depth))
		}
	}
	for id := range e.films {
		add(id)
	}
	for id, airings := range e.airings {
		if first := airings[0]; first.feed.journal.Entries[first.entry].Talk != "" {
			add(id)
		}
	}
}
