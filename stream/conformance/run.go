package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"reprise/stream/timeline"
)

// ErrNoFeeds is returned by Run when there is nothing to look at.
var ErrNoFeeds = errors.New("conformance: no feeds")

// Options are the options of Run. The zero value is a full check on all processors.
type Options struct {
	Nodes    []Subject                       // further nodes, whose playlists must be the same bytes (R115)
	Parallel int                             // feeds looked at at once; 0: one a processor
	Step     time.Duration                   // simulated time between looks; 0: a second
	Now      func() time.Time                // to measure how long it takes; nil: not measured
	Progress func(feed string, at time.Time) // called at each full minute of air, by several goroutines; nil: none
}

// Run plays the programme of a subject in simulated time, from doors open to
// doors close of each feed: every second, and at the very instant of each
// change, it takes every playlist of the feed and of the talk on air from its
// start, and checks them; each replay when it appears and when doors close. The
// error is of ctx, or says that there is nothing to check: faults are in the report.
func Run(ctx context.Context, subject Subject, o Options) (Report, error) {
	feeds := subject.Feeds()
	if len(feeds) == 0 {
		return Report{}, ErrNoFeeds
	}
	if o.Step <= 0 {
		o.Step = time.Second
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	var started time.Time
	if o.Now != nil {
		started = o.Now()
	}
	report := Report{Feeds: len(feeds), Nodes: 1 + len(o.Nodes)}
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan struct{}, o.Parallel)
	)
	for _, feed := range feeds {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r := newRunner(subject, o, feed)
			r.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			report.merge(&r.report, &r.groups)
		})
	}
	wg.Wait()
	if o.Now != nil {
		report.Took = o.Now().Sub(started)
	}
	return report, ctx.Err()
}

// runner plays one feed.
type runner struct {
	subject Subject
	options Options
	feed    Feed
	journal timeline.Journal
	air     *airing
	live    *view
	talks   []*talkRun
	report  Report
	groups  groups
}

// talkRun is the state of one talk in a feed.
type talkRun struct {
	id        string
	appears   time.Time // its first segment is listed: the start-over may be there
	begins    time.Time // it is on air: the start-over must be there
	complete  time.Time // its last segment is listed, and it has begun: the replay is there
	startOver *view     // nil before and after
	replay    *view
	hidden    bool // the 404 before it appears has been seen
}

// view is one presentation and its watcher.
type view struct {
	address Address
	watcher *Watcher
	uris    []string
	bodies  map[string][]byte   // last body, by URI
	others  []map[string][]byte // last body of further nodes
	turn    int                 // whose delta update is looked at next
	next    time.Time           // when it changes
	due     time.Time           // it must be there from then on
}

func newRunner(subject Subject, o Options, feed Feed) *runner {
	return &runner{subject: subject, options: o, feed: feed}
}

func (r *runner) newView(a Address, due time.Time) *view {
	e := Expectation{Journal: r.journal, Talk: a.Talk, Replay: a.View == Replay, Starts: map[string]time.Time{}}
	for _, t := range r.feed.Talks {
		if !t.Starts.IsZero() {
			e.Starts[t.ID] = t.Starts
		}
	}
	v := &view{address: a, watcher: NewWatcher(e), bodies: map[string][]byte{}, due: due}
	for range r.options.Nodes {
		v.others = append(v.others, map[string][]byte{})
	}
	return v
}

func (r *runner) fault(rule string, level Level, where, format string, args ...any) {
	r.groups.add(where, []Fault{{Rule: rule, Level: level, Text: fmt.Sprintf(format, args...)}})
}

func (r *runner) run(ctx context.Context) {
	journal, err := r.subject.Journal(r.feed.Name)
	if err != nil || len(journal.Entries) == 0 {
		r.fault("R235", Own, r.feed.Name, "no journal: %v", err)
		return
	}
	r.journal, r.air = journal, feedAiring(journal)
	r.live = r.newView(Address{View: Live, Feed: r.feed.Name}, r.feed.Opens)
	// A live feed is shown when it has six segments to list (R076).
	if at, ok := r.air.listedAt(min(fewestSegments, r.air.count) - 1); ok && at.After(r.feed.Opens) {
		r.live.due = at
	}
	r.plan()
	// The first look is a lead before doors: then nothing may be listed that airs later.
	at := r.feed.Opens.Add(-timeline.Lead)
	until := r.feed.Closes
	for tick := at; !at.After(until) && ctx.Err() == nil; {
		r.look(at)
		if at.Equal(tick) {
			tick = tick.Add(r.options.Step)
			if r.options.Progress != nil && at.Second() == 0 {
				r.options.Progress(r.feed.Name, at)
			}
		}
		looked := at
		at = tick
		// A feed that fails says no more when it changes: never go back to what it said last.
		if r.live.next.After(looked) && r.live.next.Before(at) {
			at = r.live.next
		}
	}
	if ctx.Err() == nil {
		r.finish(until)
	}
	if d := until.Sub(r.feed.Opens); d > 0 {
		r.report.Seconds = int64(d / time.Second)
	}
	r.report.Renditions = len(r.live.uris)
}

// plan finds when each talk of the feed appears and is complete.
func (r *runner) plan() {
	for _, t := range r.feed.Talks {
		air := talkAiring(r.journal, t.ID)
		if air.count == 0 {
			r.fault("R235", Own, r.feed.Name, "talk %s is not in the journal", t.ID)
			continue
		}
		appears, _ := air.listedAt(0)
		complete, _ := air.listedAt(air.count - 1)
		begins := air.entries[0].AirStart
		if complete.Before(begins) {
			complete = begins
		}
		r.talks = append(r.talks, &talkRun{id: t.ID, appears: appears, begins: begins, complete: complete})
	}
}

// look takes all playlists at one instant.
func (r *runner) look(now time.Time) {
	changed := r.take(r.live, now)
	for _, t := range r.talks {
		if now.Before(t.appears) {
			if !t.hidden && !now.Before(t.appears.Add(-r.options.Step)) {
				t.hidden = true
				r.demandNone(Address{View: StartOver, Feed: r.feed.Name, Talk: t.id}, now)
				r.demandNone(Address{View: Replay, Feed: r.feed.Name, Talk: t.id}, now)
			}
			continue
		}
		if t.replay == nil && changed {
			r.lookTalk(t, now)
		}
	}
}

// demandNone demands that a presentation is not there yet (R239).
func (r *runner) demandNone(a Address, now time.Time) {
	if p, err := r.subject.Multivariant(a, now); err == nil {
		r.fault("R239", Own, a.String()+" "+clock(now), "is there before its hour (%d bytes)", len(p.Body))
	}
}

// lookTalk takes the start-over playlists of a talk on air, and its replay as soon as it is complete.
func (r *runner) lookTalk(t *talkRun, now time.Time) {
	if t.startOver == nil {
		t.startOver = r.newView(Address{View: StartOver, Feed: r.feed.Name, Talk: t.id}, t.begins)
		r.report.Talks++
		if now.Before(t.complete) {
			r.demandNone(Address{View: Replay, Feed: r.feed.Name, Talk: t.id}, now)
		}
	}
	r.take(t.startOver, now)
	if now.Before(t.complete) {
		return
	}
	if !t.startOver.watcher.Ended() {
		r.fault("R236", Own, t.startOver.address.String()+" "+clock(now), "the talk's last segment is listed without EXT-X-ENDLIST")
	}
	t.replay = r.newView(Address{View: Replay, Feed: r.feed.Name, Talk: t.id}, t.complete)
	r.report.Talks++
	r.take(t.replay, now)
	r.sameFiles(t.startOver, t.replay)
	t.startOver = nil
}

// finish looks at each replay once more: not a byte may differ (R110).
func (r *runner) finish(now time.Time) {
	for _, t := range r.talks {
		if t.replay != nil {
			r.take(t.replay, now)
		}
	}
	again, err := r.subject.Journal(r.feed.Name)
	frozen := r.air.count
	if err != nil || !sameJournal(r.journal, again, frozen) {
		r.fault("R234", Own, r.feed.Name, "the journal of the past has changed")
	}
	if _, ok := r.air.segment(r.air.count - 1); ok && r.journal.Closed && !r.live.watcher.Ended() {
		if at, _ := r.air.listedAt(r.air.count - 1); !now.Before(at) {
			r.fault("R109", Must, r.live.address.String(), "doors are closed without EXT-X-ENDLIST")
		}
	}
}

// sameJournal compares the entries below a sequence number.
func sameJournal(a, b timeline.Journal, below int64) bool {
	for i, e := range a.Entries {
		if e.BaseMSN >= below {
			break
		}
		if i >= len(b.Entries) || !e.AirStart.Equal(b.Entries[i].AirStart) {
			return false
		}
		o := b.Entries[i]
		e.AirStart, o.AirStart = time.Time{}, time.Time{}
		if e != o {
			return false
		}
	}
	return true
}

// sameFiles demands that the replay of a talk is the files that were live
// (R238). It may offer fewer renditions: a live feed fills what a film lacks.
func (r *runner) sameFiles(live, replay *view) {
	for _, o := range replay.watcher.tracks {
		t := live.watcher.byURI[o.name]
		if t == nil {
			continue // its own sound, in a language that the feed does not have
		}
		if len(o.records) != len(t.records) {
			r.fault("R238", Own, replay.address.String(), "%s: not the segments that were live", o.name)
			continue
		}
		for j := range t.records {
			if a, b := &t.records[j], &o.records[j]; a.uri != b.uri || a.inMap != b.inMap || a.length != b.length {
				r.fault("R238", Own, replay.address.String(), "%s: segment %d is %s, live %s", o.name, j, b.uri, a.uri)
				break
			}
		}
	}
}

// take takes the playlists of one presentation and tells whether any has changed.
func (r *runner) take(v *view, now time.Time) bool {
	list, err := r.subject.Multivariant(v.address, now)
	r.report.Playlists++
	if err != nil {
		if v.uris != nil || !now.Before(v.due) {
			r.fault("R235", Own, v.address.String()+" "+clock(now), "no multivariant playlist: %v", err)
		}
		return false
	}
	if v.uris == nil {
		v.uris = v.watcher.Multivariant(now, list.Body)
	}
	changed := false
	for _, uri := range v.uris {
		if r.takeMedia(v, uri, now) {
			changed = true
		}
	}
	v.watcher.Settle(now)
	uris := v.watcher.Multivariant(now, list.Body)
	if len(uris) != len(v.uris) || !slices.Equal(uris, v.uris) {
		v.uris = slices.Clone(uris)
	}
	if changed {
		r.takeDelta(v, now)
		r.compareMultivariant(v, list.Body, now)
	}
	if list := v.watcher.Faults(); len(list) > 0 {
		r.groups.add(v.address.String()+" "+clock(now), list)
	}
	return changed
}

func (r *runner) takeMedia(v *view, uri string, now time.Time) bool {
	p, err := r.subject.Media(v.address, uri, now)
	r.report.Playlists++
	if err != nil {
		r.fault("R137", Must, v.address.String()+" "+clock(now), "no playlist %s: %v", uri, err)
		return false
	}
	if uri == v.uris[0] {
		v.next = p.Next
	}
	fresh := !same(v.bodies[uri], p.Body)
	changed := fresh && v.watcher.Media(uri, p.Body)
	if changed {
		r.report.Changes++
		r.report.Bytes += int64(len(p.Body))
	}
	v.bodies[uri] = p.Body
	for i, node := range r.options.Nodes {
		o, err := node.Media(v.address, uri, now)
		if err != nil {
			r.fault("R115", Own, v.address.String()+" "+clock(now), "node %d has no %s: %v", i+2, uri, err)
			continue
		}
		if !fresh && same(v.others[i][uri], o.Body) {
			continue
		}
		v.others[i][uri] = o.Body
		if !bytes.Equal(o.Body, p.Body) {
			r.fault("R115", Own, v.address.String()+" "+clock(now), "node %d has other bytes of %s: %s", i+2, uri, difference(p.Body, o.Body))
		}
	}
	return changed
}

// compareMultivariant compares the multivariant playlists of all nodes (R115).
func (r *runner) compareMultivariant(v *view, body []byte, now time.Time) {
	for i, node := range r.options.Nodes {
		o, err := node.Multivariant(v.address, now)
		if err != nil || !bytes.Equal(o.Body, body) {
			r.fault("R115", Own, v.address.String()+" "+clock(now), "node %d has another multivariant playlist (%v): %s", i+2, err, difference(body, o.Body))
		}
	}
}

// takeDelta takes the delta update of one rendition, another one at each change (R190).
func (r *runner) takeDelta(v *view, now time.Time) {
	skipper, ok := r.subject.(Skipper)
	if !ok || len(v.uris) == 0 || v.address.View == Replay {
		return
	}
	uri := v.uris[v.turn%len(v.uris)]
	v.turn++
	p, err := skipper.Delta(v.address, uri, now)
	r.report.Playlists++
	if err != nil {
		r.fault("R190", Must, v.address.String()+" "+clock(now), "no delta update of %s: %v", uri, err)
		return
	}
	if !bytes.Equal(p.Body, v.bodies[uri]) {
		v.watcher.Delta(uri, p.Body)
	}
}

// difference shows the first line that differs.
func difference(a, b []byte) string {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range x {
		if i >= len(y) {
			return fmt.Sprintf("line %d is missing", i+1)
		}
		if x[i] != y[i] {
			return fmt.Sprintf("line %d is %q, not %q", i+1, y[i], x[i])
		}
	}
	return fmt.Sprintf("%d lines more", len(y)-len(x))
}
