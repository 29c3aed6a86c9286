package timeline_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reprise/stream/timeline"
)

var doors = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func slates(after, before string) timeline.Source {
	return timeline.Source{Kind: timeline.Slate, ID: "slate-" + after + "-" + before}
}

// film draws a recording: 25 or 30 fps, from half a second to twenty minutes.
func film(t *rapid.T, talk string, starts time.Time) timeline.Planned {
	p := timeline.Planned{Talk: talk, Starts: starts, Nominal: 184320}
	grain := timeline.Ticks(15360)
	if rapid.Bool().Draw(t, "30 fps") {
		p.Nominal, grain = 204800, 25600
	}
	p.Count = rapid.IntRange(1, 300).Draw(t, "segments")
	p.Last = grain * timeline.Ticks(rapid.IntRange(2, int(p.Nominal/grain)).Draw(t, "last"))
	p.Source = timeline.Source{Kind: timeline.Recording, ID: fmt.Sprintf("%s-r%d", talk, rapid.IntRange(1, 9).Draw(t, "revision"))}
	return p
}

func drawPlan(t *rapid.T) timeline.Plan {
	p := timeline.Plan{Opens: doors, Closes: doors.Add(3 * time.Hour), Slate: slates}
	for i := range rapid.IntRange(0, 6).Draw(t, "talks") {
		at := doors.Add(time.Duration(rapid.IntRange(0, 3*3600*1000).Draw(t, "starts ms")) * time.Millisecond)
		p.Talks = append(p.Talks, film(t, fmt.Sprintf("t%d", i), at))
	}
	return p
}

// edit changes a plan as an organizer would in the middle of things: an hour, a film, a talk more or less, the doors.
func edit(t *rapid.T, p timeline.Plan, now time.Time) timeline.Plan {
	near := func() time.Time {
		return now.Add(time.Duration(rapid.IntRange(-40_000, 120_000).Draw(t, "near ms")) * time.Millisecond)
	}
	p.Talks = append([]timeline.Planned(nil), p.Talks...)
	switch rapid.IntRange(0, 4).Draw(t, "edit") {
	case 0:
		p.Talks = append(p.Talks, film(t, fmt.Sprintf("new%d", len(p.Talks)), near()))
	case 1:
		if len(p.Talks) > 0 {
			p.Talks = p.Talks[1:]
		}
	case 2:
		for i := range p.Talks {
			p.Talks[i].Starts = near()
		}
	case 3:
		for i := range p.Talks {
			p.Talks[i] = film(t, p.Talks[i].Talk, p.Talks[i].Starts)
		}
	case 4:
		p.Closes = p.Closes.Add(time.Duration(rapid.IntRange(-3600, 3600).Draw(t, "closes")) * time.Second)
	}
	seen := map[string]bool{}
	kept := p.Talks[:0]
	for _, k := range p.Talks {
		if !seen[k.Talk] {
			kept, seen[k.Talk] = append(kept, k), true
		}
	}
	p.Talks = kept
	return p
}

// listed is what a player may rely on for ever once it has seen a media sequence number (R104).
type listed struct {
	source timeline.Source
	index  int
	air    time.Time
	ticks  timeline.Ticks
	dsn    int64
}

// viewer remembers all that was listed and complains when the past moves.
type viewer struct {
	seen          map[int64]listed
	msn, dsn, end int64
	ended         bool
}

func (v *viewer) look(t *rapid.T, j timeline.Journal, now time.Time) {
	w, ok := j.Window(now, 15*time.Minute)
	if !ok {
		if v.end > 0 {
			t.Fatalf("%v: the feed vanished", now)
		}
		return
	}
	if w.MediaSequence < v.msn || w.DiscontinuitySequence < v.dsn {
		t.Fatalf("R102 R103 %v: numbers went back: %d/%d after %d/%d", now, w.MediaSequence, w.DiscontinuitySequence, v.msn, v.dsn)
	}
	if v.ended && (!w.EndList || w.MediaSequence+int64(w.Len()) != v.end) {
		t.Fatalf("R109 %v: something came after the end list", now)
	}
	msn, total := w.MediaSequence, timeline.Ticks(0)
	for n, s := range w.Spans {
		e := j.Entries[s.Entry]
		for i := s.From; i < s.To; i++ {
			is := listed{e.Source, i, e.AirTime(i), e.SegmentTicks(i), e.BaseDSN}
			if was, ok := v.seen[msn]; ok && was != is {
				t.Fatalf("R104 %v: segment %d was %v, is %v", now, msn, was, is)
			}
			if n > 0 && i == s.From && s.From != e.From {
				t.Fatalf("%v: a discontinuity in the middle of entry %d", now, s.Entry)
			}
			v.seen[msn] = is
			total += is.ticks
			if e.AirTime(i + 1).After(now.Add(timeline.Lead)) {
				t.Fatalf("R230 %v: segment %d is listed %v early", now, msn, e.AirTime(i+1).Sub(now.Add(timeline.Lead)))
			}
			msn++
		}
	}
	if total.Duration() < 3*timeline.TargetDuration && !w.EndList {
		t.Fatalf("R106 %v: the window holds %v", now, total.Duration())
	}
	if !w.EndList {
		next, ok := j.NextChange(now)
		if !ok || !next.After(now) || next.Sub(now) > 6*time.Second {
			t.Fatalf("R105 %v: next change %v %v", now, next, ok)
		}
		if !w.Edge.After(now.Add(timeline.Lead - 4500*time.Millisecond)) {
			t.Fatalf("R230 %v: the edge %v is too near", now, w.Edge)
		}
	}
	v.msn, v.dsn, v.end, v.ended = w.MediaSequence, w.DiscontinuitySequence, msn, w.EndList
}

// TestR101_R116_AnyScheduleAnyEdit replays random programmes, edited at random
// instants, to a viewer: what was listed never changes, numbers never go back,
// nothing is listed early, the playlist keeps moving, the end is the end.
func TestR101_R116_AnyScheduleAnyEdit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		v := viewer{seen: map[int64]listed{}}
		now := doors.Add(-time.Minute)
		j, err := timeline.Journal{}.Replan(now, plan)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			until := now.Add(time.Duration(rapid.IntRange(1, 2_000_000).Draw(t, "wait ms")) * time.Millisecond)
			for ; now.Before(until); now = now.Add(7 * time.Second) {
				v.look(t, j, now)
			}
			v.look(t, j, now)
			plan = edit(t, plan, now)
			next, err := j.Replan(now, plan)
			if err != nil {
				t.Fatal(err)
			}
			again, err := next.Replan(now.Add(time.Second), plan)
			if err != nil || fmt.Sprint(again) != fmt.Sprint(next) {
				t.Fatalf("%v: a second turn a second later lays out something else: %v\n%v\n%v", now, err, next, again)
			}
			if f := j.Frozen(now); f > 0 {
				frozenAlike(t, j, next, f)
			}
			j = next
			v.look(t, j, now)
		}
	})
}

// frozenAlike checks R234: segments before frozen are the same in both journals.
func frozenAlike(t *rapid.T, a, b timeline.Journal, frozen int64) {
	for _, e := range a.Entries {
		for i := e.From; i < e.From+e.Count; i++ {
			msn := e.BaseMSN + int64(i-e.From)
			if msn >= frozen {
				return
			}
			at, ok := b.ListedAt(msn)
			if !ok || !at.Equal(e.AirTime(i+1).Add(-timeline.Lead)) {
				t.Fatalf("R234: segment %d of %d frozen moved from %v to %v", msn, frozen, e.AirTime(i+1).Add(-timeline.Lead), at)
			}
		}
	}
}

// TestR233_TalksStartOnTheirInstant: with free air before it, a talk's first frame has its hour, to the nanosecond.
func TestR233_TalksStartOnTheirInstant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		j, err := timeline.Journal{}.Replan(doors, plan)
		if err != nil {
			t.Fatal(err)
		}
		starts := map[string]time.Time{}
		for _, p := range plan.Talks {
			starts[p.Talk] = p.Starts
		}
		free := time.Time{}
		for _, e := range j.Entries {
			if e.Talk == "" {
				continue
			}
			if want := starts[e.Talk]; !e.AirStart.Equal(want) && !(want.Before(free) && e.AirStart.Equal(free)) {
				t.Fatalf("talk %s starts at %v, its hour is %v, the air was free at %v", e.Talk, e.AirStart, want, free)
			}
			free = e.AirEnd()
		}
		if len(starts) != 0 && free.IsZero() {
			t.Fatal("no talk on air")
		}
	})
}

// TestTalkWindow compares the start-over view with the live one, second by second.
func TestTalkWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := film(t, "t", doors.Add(time.Minute))
		j, err := timeline.Journal{}.Replan(doors, timeline.Plan{Opens: doors, Closes: doors.Add(time.Hour), Talks: []timeline.Planned{p}, Slate: slates})
		if err != nil {
			t.Fatal(err)
		}
		e := j.Entries[1]
		now := e.AirStart.Add(time.Duration(rapid.IntRange(-30_000, 1_800_000).Draw(t, "ms")) * time.Millisecond)
		w, ok := j.TalkWindow("t", now)
		last, _ := j.LastListed(now)
		if want := min(last-e.BaseMSN+1, int64(e.Count)); ok != (want > 0) || (ok && int64(w.Len()) != want) {
			t.Fatalf("%d segments of the talk are shown, %d are listed", w.Len(), want)
		}
		if w.EndList != (w.Len() == e.Count) || w.MediaSequence != 0 || w.DiscontinuitySequence != 0 {
			t.Fatalf("R110: %+v", w)
		}
	})
}

// TestTicks: durations survive the way to nanoseconds and back, and sums do not drift.
func TestTicks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := timeline.Ticks(rapid.Int64Range(-1<<48, 1<<48).Draw(t, "ticks"))
		if back := timeline.TicksOf(n.Duration()); back != n {
			t.Fatalf("%d became %d", n, back)
		}
	})
}
