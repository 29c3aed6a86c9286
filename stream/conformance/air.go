package conformance

import (
	"time"

	"reprise/stream/timeline"
)

// onAir is what a journal says of one segment: its interval, and the entry it is of.
type onAir struct {
	from, to time.Time
	dsn      int64
	entry    int
	first    bool // the first segment of its entry
	talk     string
	final    bool // nothing comes after it
}

// airing tells what a journal says of segments, by their number in a playlist.
// It walks forward: asking in order costs next to nothing.
type airing struct {
	entries []timeline.Entry
	base    []int64 // number of each entry's first segment
	count   int64
	closed  bool
	at      int // entry of the last answer
}

// feedAiring is the airing of a live playlist.
func feedAiring(j timeline.Journal) *airing {
	a := &airing{entries: j.Entries, closed: j.Closed}
	for _, e := range j.Entries {
		a.base = append(a.base, e.BaseMSN)
		a.count = e.BaseMSN + int64(e.Count)
	}
	return a
}

// talkAiring is the airing of a start-over or replay playlist: a talk's entries, numbered from 0.
func talkAiring(j timeline.Journal, talk string) *airing {
	a := &airing{closed: true}
	for _, e := range j.Entries {
		if e.Talk != talk {
			continue
		}
		e.BaseDSN = int64(len(a.entries))
		a.entries = append(a.entries, e)
		a.base = append(a.base, a.count)
		a.count += int64(e.Count)
	}
	return a
}

// segment returns what the journal says of segment n of the playlist; ok is false when it has none.
func (a *airing) segment(n int64) (onAir, bool) {
	if n < 0 || n >= a.count {
		return onAir{}, false
	}
	for a.at > 0 && n < a.base[a.at] {
		a.at--
	}
	for a.at+1 < len(a.base) && n >= a.base[a.at+1] {
		a.at++
	}
	e := &a.entries[a.at]
	i := n - a.base[a.at]
	if i < 0 || i >= int64(e.Count) {
		return onAir{}, false
	}
	start := e.Nominal * timeline.Ticks(i)
	length := e.Nominal
	if i == int64(e.Count)-1 {
		length = e.Last
	}
	return onAir{
		from:  e.AirStart.Add(start.Duration()),
		to:    e.AirStart.Add((start + length).Duration()),
		dsn:   e.BaseDSN,
		entry: a.at,
		first: i == 0,
		talk:  e.Talk,
		final: a.closed && n == a.count-1,
	}, true
}

// listedAt returns when segment n is listed: the lead before it has been on air (R230).
func (a *airing) listedAt(n int64) (time.Time, bool) {
	s, ok := a.segment(n)
	return s.to.Add(-timeline.Lead), ok
}
