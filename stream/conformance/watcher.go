package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"reprise/stream/hls"
	"reprise/stream/timeline"
)

// Expectation is what a Watcher knows of a presentation beside its playlists.
// The zero value is nothing: then only the rules of HLS are checked.
type Expectation struct {
	Journal timeline.Journal     // of the feed
	Talk    string               // the talk of a start-over or replay playlist; empty: the live feed
	Starts  map[string]time.Time // the hour at which each talk was promised
	Replay  bool                 // complete and over: nothing is checked against the clock
}

// Watcher follows one presentation, a multivariant playlist and all that it
// names, through time. For each instant: Media for every rendition, then
// Settle, then Multivariant. It keeps the bodies it was given; they must not
// change afterwards. Not safe for concurrent use.
type Watcher struct {
	faults  faults
	tracks  []*track
	byURI   map[string]*track
	fresh   []int64 // per track: first new segment since Settle; -1: none
	expect  Expectation
	air     *airing // nil: nothing is expected
	now     time.Time
	changed time.Time // of the last change
	seen    int64     // number after the last segment that has been compared with the clock

	multivariant []byte
	parsed       *hls.Multivariant
	uris         []string
}

// NewWatcher returns a Watcher that has seen nothing.
func NewWatcher(e Expectation) *Watcher {
	w := &Watcher{byURI: map[string]*track{}, expect: e}
	switch {
	case len(e.Journal.Entries) == 0:
	case e.Talk == "":
		w.air = feedAiring(e.Journal)
	default:
		w.air = talkAiring(e.Journal, e.Talk)
	}
	return w
}

// Faults returns what was found since the last call.
func (w *Watcher) Faults() []Fault {
	list := w.faults.list
	w.faults.list = nil
	return list
}

// Media takes a media playlist as it is at this instant. It tells whether it has changed.
func (w *Watcher) Media(uri string, body []byte) bool {
	t := w.byURI[uri]
	if t == nil {
		t = &track{name: uri}
		w.byURI[uri] = t
		w.tracks = append(w.tracks, t)
		w.fresh = append(w.fresh, -1)
	}
	if same(t.body, body) {
		return false
	}
	w.faults.where = uri
	from, changed := t.update(&w.faults, body)
	if !changed {
		return false
	}
	for i := range w.tracks {
		if w.tracks[i] == t && (w.fresh[i] < 0 || from < w.fresh[i]) {
			w.fresh[i] = from
		}
	}
	return true
}

// Delta takes a delta update of a media playlist that Media has got at this instant (R190).
func (w *Watcher) Delta(uri string, body []byte) {
	if t := w.byURI[uri]; t != nil && t.header != nil {
		w.faults.where = uri + " (delta)"
		t.delta(&w.faults, body)
	}
}

// Ended tells whether all that was given has its EXT-X-ENDLIST.
func (w *Watcher) Ended() bool {
	for _, t := range w.tracks {
		if t.header == nil || !t.check.media.EndList {
			return false
		}
	}
	return len(w.tracks) > 0
}

// Edge returns the air end of the last listed segment, zero when none is known (R230).
func (w *Watcher) Edge() time.Time {
	if len(w.tracks) == 0 || w.tracks[0].last() == nil {
		return time.Time{}
	}
	last := w.tracks[0].last()
	return last.at.Add(last.length)
}

// Settle compares the renditions with one another and with the clock, after
// Media has got all those that changed by now.
func (w *Watcher) Settle(now time.Time) {
	defer func() { w.now = now }()
	if !slices.ContainsFunc(w.fresh, func(n int64) bool { return n >= 0 }) {
		w.checkPace(now)
		return
	}
	w.changed = now
	for i := 1; i < len(w.tracks); i++ {
		w.faults.where = w.tracks[i].name
		w.compare(i)
	}
	if w.fresh[0] >= 0 {
		w.faults.where = w.tracks[0].name
		w.checkAir(now, w.fresh[0])
	}
	for i := range w.fresh {
		w.fresh[i] = -1
	}
}

// checkPace demands a new segment within 1.5 target durations (R105).
func (w *Watcher) checkPace(now time.Time) {
	if len(w.tracks) == 0 || w.changed.IsZero() || w.expect.Replay || w.Ended() || w.tracks[0].header == nil {
		return
	}
	target := w.tracks[0].header.TargetDuration
	if now.Sub(w.changed) > target*3/2 {
		w.faults.where = w.tracks[0].name
		w.faults.must("R105", "nothing new since %s", clock(w.changed))
		w.changed = now
	}
}

// compare compares track i with the first.
func (w *Watcher) compare(i int) {
	first, t := w.tracks[0], w.tracks[i]
	if first.header == nil || t.header == nil {
		return
	}
	f := &w.faults
	if first.first != t.first || first.next() != t.next() {
		f.own("R139", "lists %d segments from %d, the first rendition %d from %d", len(t.records), t.first, len(first.records), first.first)
	}
	if (first.length - t.length).Abs() > aacFrame {
		f.must("R135", "holds %v, the first rendition %v", t.length, first.length)
	}
	a, b := *first.header, *t.header
	a.EndList, b.EndList = first.check.media.EndList, t.check.media.EndList
	if !alike(&a, &b) {
		checkAlike(f, &a, &b)
	}
	if len(first.ranges) != 0 || len(t.ranges) != 0 {
		checkSameRanges(f, first.all, t.all)
	}
	from := w.fresh[i]
	if from < 0 || (w.fresh[0] >= 0 && w.fresh[0] < from) {
		from = w.fresh[0]
	}
	for msn := max(from, first.first, t.first); from >= 0 && msn < min(first.next(), t.next()); msn++ {
		x, y := first.at(msn), t.at(msn)
		if x.interval != y.interval {
			f.where = fmt.Sprintf("%s, segment %d", t.name, msn)
			sameInterval(f, x.interval, y.interval)
			f.where = t.name
		}
	}
}

// alike is the quick form of checkAlike.
func alike(a, b *hls.Media) bool {
	return a.TargetDuration == b.TargetDuration && a.Type == b.Type && a.EndList == b.EndList &&
		a.DiscontinuitySequence == b.DiscontinuitySequence &&
		(a.ServerControl == nil) == (b.ServerControl == nil) &&
		(a.ServerControl == nil || *a.ServerControl == *b.ServerControl)
}

// checkAir compares the first rendition, from segment from on, with the journal and the clock.
func (w *Watcher) checkAir(now time.Time, from int64) {
	t := w.tracks[0]
	if w.air == nil || t.header == nil {
		return
	}
	f := &w.faults
	if c := t.header.ServerControl; !w.expect.Replay && (c == nil || c.HoldBack != timeline.Lead) {
		f.own("R231", "HOLD-BACK is not %v", timeline.Lead)
	}
	w.checkType(t.header.Type)
	for msn := from; msn < t.next(); msn++ {
		f.where = fmt.Sprintf("%s, segment %d", t.name, msn)
		r := t.at(msn)
		want, ok := w.air.segment(msn)
		if !ok {
			f.own("R232", "the journal has no such segment")
			continue
		}
		w.checkSegmentAir(r, want)
		if w.expect.Replay {
			continue
		}
		listed := want.to.Add(-timeline.Lead)
		if listed.After(now) {
			f.own("R230", "is listed at %s, %v too early", clock(now), listed.Sub(now))
		} else if msn >= w.seen && !w.now.IsZero() && !listed.After(w.now) {
			f.own("R230", "is listed at %s, due at %s", clock(now), clock(listed))
		}
	}
	w.seen = max(w.seen, t.next())
	f.where = t.name
	last, ok := w.air.segment(t.next() - 1)
	if ended := t.check.media.EndList; ok && last.final && !ended {
		f.must("R109", "the final segment is listed without EXT-X-ENDLIST")
	} else if ended && (!ok || !last.final) {
		f.own("R236", "EXT-X-ENDLIST before the final segment")
	}
}

// checkType demands the playlist type of the view (R078, R079).
func (w *Watcher) checkType(got hls.PlaylistType) {
	switch {
	case w.expect.Talk == "" && got != "":
		w.faults.must("R078", "a sliding playlist of type %s", got)
	case w.expect.Replay && got != hls.VOD:
		w.faults.must("R079", "a replay of type %q", got)
	case w.expect.Talk != "" && !w.expect.Replay && got != hls.Event:
		w.faults.must("R079", "a start-over playlist of type %q", got)
	}
}

// checkSegmentAir compares one segment with the journal (R070, R072, R103, R232, R233).
func (w *Watcher) checkSegmentAir(r *record, want onAir) {
	f := &w.faults
	if d := r.at.Sub(want.from); d.Abs() > tolerance && !(w.expect.Replay && r.at.IsZero()) {
		f.own("R232", "is dated %s, it airs at %s", clock(r.at), clock(want.from))
	}
	if (r.length - want.to.Sub(want.from)).Abs() > tolerance {
		f.own("R232", "lasts %v, on air %v", r.length, want.to.Sub(want.from))
	}
	if r.dsn != want.dsn {
		f.must("R103", "its discontinuity sequence number is %d, in the journal %d", r.dsn, want.dsn)
	}
	e := &w.air.entries[want.entry]
	if starts, ok := w.expect.Starts[want.talk]; ok && want.first && e.From == 0 && !want.from.Equal(starts) {
		f.own("R233", "talk %s begins at %s, promised for %s", want.talk, clock(want.from), clock(starts))
	}
	if want.first && want.talk != "" && !w.expect.Replay && !slices.ContainsFunc(w.tracks[0].all, func(d hls.DateRange) bool {
		return !d.StartDate.After(want.from.Add(tolerance)) && rangeEnd(&d).After(want.from)
	}) {
		f.should("R072", "no date range marks talk %s", want.talk)
	}
}

// Multivariant takes the multivariant playlist as it is at this instant and
// returns the URIs of the media playlists that it names. Between two instants only EXT-X-START may differ.
func (w *Watcher) Multivariant(now time.Time, body []byte) []string {
	f := &w.faults
	f.where = "multivariant"
	from, to := startLine(body)
	if w.parsed == nil || !equalButStart(w.multivariant, body) {
		m, err := hls.ParseMultivariant(body)
		if err != nil {
			f.syntax(err)
			return w.uris
		}
		checkMultivariant(f, body, m)
		uris := URIs(m)
		if w.uris != nil && !slices.Equal(w.uris, uris) {
			f.own("R235", "the renditions change")
		}
		w.parsed, w.uris = m, uris
	}
	w.multivariant = body
	var start *hls.Start
	if from >= 0 {
		w.parsed.Start = nil
		m, err := hls.ParseMultivariant(append([]byte("#EXTM3U\n"), body[from:to]...))
		if err != nil {
			f.syntax(err)
			return w.uris
		}
		start = m.Start
	}
	w.checkStart(now, start)
	return w.uris
}

// equalButStart compares two multivariant playlists but for their EXT-X-START line.
func equalButStart(a, b []byte) bool {
	fromA, toA := startLine(a)
	fromB, toB := startLine(b)
	if fromA < 0 || fromB < 0 {
		return fromA == fromB && bytes.Equal(a, b)
	}
	return bytes.Equal(a[:fromA], b[:fromB]) && bytes.Equal(a[toA:], b[toB:])
}

// checkStart checks EXT-X-START: for a live feed it leads a player to the frame
// whose hour has come, between three and four target durations from the end (R014, R231).
func (w *Watcher) checkStart(now time.Time, start *hls.Start) {
	if len(w.tracks) == 0 || w.tracks[0].header == nil || w.tracks[0].last() == nil {
		return
	}
	f, t := &w.faults, w.tracks[0]
	ended := t.check.media.EndList
	target := t.header.TargetDuration
	if start != nil && t.header.Start != nil {
		f.should("R013", "EXT-X-START is in the media playlists too")
	}
	if start != nil {
		checkStart(f, start, t.length, target, ended)
	}
	if w.air == nil || t.header.Type != "" || ended {
		return
	}
	// With segments longer than the target (4.267 s at 30 fps) the clock is at
	// times less than three target durations from the end: then R014 goes first.
	ahead := min(max(w.Edge().Sub(now), 3*target), timeline.Lead)
	switch {
	case start == nil:
		f.own("R231", "no EXT-X-START")
	case (start.TimeOffset + ahead).Abs() > 2*tolerance:
		f.own("R231", "EXT-X-START of %v, the clock is %v before the end", start.TimeOffset, ahead)
	}
}
