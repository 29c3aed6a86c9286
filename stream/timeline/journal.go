package timeline

import (
	"errors"
	"fmt"
	"sort"
	"time"
)

// SourceKind tells what a journal entry plays.
type SourceKind string

const (
	Recording SourceKind = "recording" // a revision of an asset
	Slate     SourceKind = "slate"     // generated filler
)

// Source names what an entry plays: a vod.MediaID, opaque here.
type Source struct {
	Kind SourceKind `json:"kind"`
	ID   string     `json:"id"`
}

// Entry is one stretch of air of a feed: Count segments of one source, on a regular grid.
//
// Segment i (From <= i < From+Count, an index into the source) lasts Nominal
// ticks, except the last of the entry, which lasts Last (> 0; a slate's last
// segment is cut so that the next talk starts on its instant).
type Entry struct {
	AirStart time.Time `json:"air_start"`      // instant of the first frame, UTC
	Source   Source    `json:"source"`         //
	Talk     string    `json:"talk,omitempty"` // event.TalkID; empty for a slate
	From     int       `json:"from"`           // first segment of the source
	Count    int       `json:"count"`          // segments in the entry, > 0
	Nominal  Ticks     `json:"nominal"`        // duration of every segment but the last
	Last     Ticks     `json:"last"`           // duration of the last segment
	BaseMSN  int64     `json:"base_msn"`       // media sequence number of segment From
	BaseDSN  int64     `json:"base_dsn"`       // discontinuity sequence number of the entry = its ordinal
}

// Journal is the only state of a broadcast: entries in air order, numbered without a hole.
// Closed says that the feed ends with the last entry (EXT-X-ENDLIST, R109, R236).
type Journal struct {
	Entries []Entry `json:"entries"`
	Closed  bool    `json:"closed"`
}

const (
	// SlateNominal is the duration of a slate's segments: 96 frames at 25 fps, 3.84 s.
	SlateNominal Ticks = 184320
	// SlateFrame is one frame of a slate. A hole shorter than that is left: it
	// shows as a step of the programme date time, never as missing media.
	SlateFrame Ticks = 1920
	// ShortestSegment is the length under which a last segment is merged into
	// the one before: 3.84 s + 0.64 s still rounds to the target duration (R061).
	ShortestSegment Ticks = 30720
	// FewestSegments must be listed before a live playlist is shown at all (R076).
	FewestSegments = 6
)

// ErrInvalid is wrapped by what Validate and Replan find wrong.
var ErrInvalid = errors.New("timeline: invalid")

// SegmentTicks returns the duration of segment i, an index into the source.
func (e Entry) SegmentTicks(i int) Ticks {
	if i == e.From+e.Count-1 {
		return e.Last
	}
	return e.Nominal
}

// Offset returns the time from the entry's air start to the start of segment i; i = From+Count gives its whole length.
func (e Entry) Offset(i int) Ticks {
	n := Ticks(i - e.From)
	if n == Ticks(e.Count) {
		return (n-1)*e.Nominal + e.Last
	}
	return n * e.Nominal
}

// AirTime returns the instant of the first frame of segment i. It is computed
// from the entry's start each time, so that an hour does not drift.
func (e Entry) AirTime(i int) time.Time {
	return e.AirStart.Add(e.Offset(i).Duration())
}

// AirEnd returns the instant at which the entry's last segment ends.
func (e Entry) AirEnd() time.Time { return e.AirTime(e.From + e.Count) }

// endedBy returns how many of the entry's segments end at or before t.
func (e Entry) endedBy(t time.Time) int {
	elapsed := t.Sub(e.AirStart)
	if elapsed <= 0 {
		return 0
	}
	if !e.AirEnd().After(t) {
		return e.Count
	}
	n := min(int(TicksOf(elapsed)/e.Nominal), e.Count-1)
	// TicksOf rounds: the estimate can be off by one either way.
	for n > 0 && e.AirTime(e.From+n).After(t) {
		n--
	}
	for n < e.Count-1 && !e.AirTime(e.From+n+1).After(t) {
		n++
	}
	return n
}

// Validate reports the first break of the journal's invariants: numbers
// without a hole (R102, R103, R116), positive durations that fit the target
// duration (R061, R063), entries that follow one another without overlap and
// with less than a frame between them.
func (j Journal) Validate() error {
	var msn int64
	for k, e := range j.Entries {
		switch {
		case e.Count <= 0 || e.From < 0:
			return fmt.Errorf("%w: entry %d has %d segments from %d", ErrInvalid, k, e.Count, e.From)
		case e.Nominal <= 0 || e.Last <= 0 || e.Nominal >= longest || e.Last >= longest:
			return fmt.Errorf("%w: entry %d has segments of %d and %d ticks", ErrInvalid, k, e.Nominal, e.Last)
		case e.BaseMSN != msn || e.BaseDSN != int64(k):
			return fmt.Errorf("%w: entry %d is numbered %d/%d, not %d/%d", ErrInvalid, k, e.BaseMSN, e.BaseDSN, msn, k)
		case e.Source.ID == "":
			return fmt.Errorf("%w: entry %d has no source", ErrInvalid, k)
		}
		if k > 0 {
			hole := e.AirStart.Sub(j.Entries[k-1].AirEnd())
			if hole < 0 || hole > SlateFrame.Duration() {
				return fmt.Errorf("%w: entry %d starts %v after the end of the one before", ErrInvalid, k, hole)
			}
		}
		msn += int64(e.Count)
	}
	return nil
}

// longest is the duration from which EXTINF would round above the target duration: 4.5 s (R061).
const longest = 9 * TicksPerSecond / 2

// Len returns how many segments the journal has: the media sequence number after the last.
func (j Journal) Len() int64 {
	if len(j.Entries) == 0 {
		return 0
	}
	e := j.Entries[len(j.Entries)-1]
	return e.BaseMSN + int64(e.Count)
}

// find returns the entry that holds media sequence number msn.
func (j Journal) find(msn int64) (int, bool) {
	if msn < 0 || msn >= j.Len() {
		return 0, false
	}
	k := sort.Search(len(j.Entries), func(k int) bool { return j.Entries[k].BaseMSN > msn })
	return k - 1, true
}

// endedBy returns how many segments of the journal end at or before t.
func (j Journal) endedBy(t time.Time) int64 {
	k := sort.Search(len(j.Entries), func(k int) bool { return !j.Entries[k].AirStart.Before(t) })
	if k == 0 {
		return 0
	}
	e := j.Entries[k-1]
	return e.BaseMSN + int64(e.endedBy(t))
}
