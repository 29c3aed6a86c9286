package timeline

import (
	"sort"
	"time"
)

// Span is a run of consecutive segments of one entry: From..To-1, indices into the entry's source.
type Span struct{ Entry, From, To int }

// Window is what a media playlist lists at one instant.
type Window struct {
	// MediaSequence and DiscontinuitySequence are the values of the playlist's
	// header (R102, R103).
	MediaSequence         int64
	DiscontinuitySequence int64
	// FirstDiscontinuity says that the first listed segment carries its
	// EXT-X-DISCONTINUITY: a tag stays as long as its segment is listed, and
	// DiscontinuitySequence does not count it yet.
	FirstDiscontinuity bool
	// Spans are the listed segments in air order; every span but the first begins with a discontinuity.
	Spans []Span
	// EndList says that the last segment of all is listed (R109, R236).
	EndList bool
	// Edge is the air end of the last listed segment (R230).
	Edge time.Time
}

// Len returns the number of segments in the window.
func (w Window) Len() int {
	n := 0
	for _, s := range w.Spans {
		n += s.To - s.From
	}
	return n
}

// ShortestDepth is the least depth of a window: six segments (R076), and more than three target durations after any removal (R106).
const ShortestDepth = 8 * TargetDuration

// LastListed returns the media sequence number of the last segment listed at
// now: the last whose air end is at most now + Lead. ok is false while the
// feed is not open: with fewer than FewestSegments listed nothing is shown.
func (j Journal) LastListed(now time.Time) (msn int64, ok bool) {
	n := j.endedBy(now.Add(Lead))
	return n - 1, n >= FewestSegments || (n > 0 && n == j.Len())
}

// Window returns the live window at now: the last segments listed whose air
// start is within depth of the edge. depth is raised to ShortestDepth.
func (j Journal) Window(now time.Time, depth time.Duration) (Window, bool) {
	last, ok := j.LastListed(now)
	if !ok {
		return Window{}, false
	}
	return j.WindowAt(last, depth), true
}

// WindowAt returns the live window whose last segment is last, which the journal must hold.
// All that a live playlist says follows from the journal and this one number.
func (j Journal) WindowAt(last int64, depth time.Duration) Window {
	depth = max(depth, ShortestDepth)
	k, _ := j.find(last)
	e := j.Entries[k]
	to := e.From + int(last-e.BaseMSN) + 1
	w := Window{Edge: e.AirTime(to), EndList: j.Closed && last == j.Len()-1}

	since := w.Edge.Add(-depth)
	first := sort.Search(k, func(i int) bool { return j.Entries[i].AirEnd().After(since) })
	for i := first; i <= k; i++ {
		e := j.Entries[i]
		s := Span{Entry: i, From: e.From, To: e.From + e.Count}
		if i == k {
			s.To = to
		}
		if i == first {
			s.From += sort.Search(s.To-s.From, func(n int) bool { return !e.AirTime(e.From + n).Before(since) })
		}
		if s.From < s.To {
			w.Spans = append(w.Spans, s)
		}
	}
	s := w.Spans[0]
	e = j.Entries[s.Entry]
	w.MediaSequence = e.BaseMSN + int64(s.From-e.From)
	w.DiscontinuitySequence = e.BaseDSN
	if s.Entry > 0 && s.From == e.From {
		w.FirstDiscontinuity = true
		w.DiscontinuitySequence--
	}
	return w
}

// TalkWindow returns the start-over window of a talk at now: all its listed
// segments, numbered from 0, with EndList when its last one is listed. ok is
// false while none is. At any instant after the end it is the replay.
func (j Journal) TalkWindow(talk string, now time.Time) (w Window, ok bool) {
	listed := j.endedBy(now.Add(Lead))
	complete := true
	for k, e := range j.Entries {
		if e.Talk != talk || talk == "" {
			continue
		}
		n := int(min(int64(e.Count), listed-e.BaseMSN))
		complete = n == e.Count
		if n <= 0 {
			break
		}
		w.Spans = append(w.Spans, Span{Entry: k, From: e.From, To: e.From + n})
		w.Edge = e.AirTime(e.From + n)
	}
	w.EndList = complete && len(w.Spans) > 0
	return w, len(w.Spans) > 0
}

// ListedAt returns the instant from which segment msn is listed: Lead before
// its air end. ok is false when the journal does not hold it.
func (j Journal) ListedAt(msn int64) (time.Time, bool) {
	k, ok := j.find(msn)
	if !ok {
		return time.Time{}, false
	}
	e := j.Entries[k]
	return e.AirTime(e.From + int(msn-e.BaseMSN) + 1).Add(-Lead), true
}

// NextChange returns the next instant after now at which the live playlist
// changes; ok is false when it never will as the journal stands.
func (j Journal) NextChange(now time.Time) (time.Time, bool) {
	next := j.endedBy(now.Add(Lead))
	if next < FewestSegments-1 {
		next = min(FewestSegments, j.Len()) - 1
	}
	return j.ListedAt(next)
}

// Frozen returns the first media sequence number that an edit made at now may
// still change: everything listed within Guard of now is fixed (R234), and so is
// the segment on air at that edge. Were that one free, an edit could put a
// shorter one in its place, which would be listed before other nodes know of it.
func (j Journal) Frozen(now time.Time) int64 {
	edge := now.Add(Lead + Guard)
	n := j.endedBy(edge)
	if k, ok := j.find(n); ok {
		if e := j.Entries[k]; e.AirTime(e.From + int(n-e.BaseMSN)).Before(edge) {
			n++
		}
	}
	return n
}
