package timeline_test

import (
	"errors"
	"testing"
	"time"

	"reprise/stream/timeline"
)

func talk(id string, starts time.Time, d timeline.Ticks) timeline.Planned {
	n := int((d + 184319) / 184320)
	return timeline.Planned{
		Talk: id, Starts: starts, Source: timeline.Source{Kind: timeline.Recording, ID: "m-" + id},
		Nominal: 184320, Count: n, Last: d - timeline.Ticks(n-1)*184320,
	}
}

func lay(t *testing.T, p timeline.Plan) timeline.Journal {
	t.Helper()
	j, err := timeline.Journal{}.Replan(p.Opens, p)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestR076_SixSegmentsWhenTheDoorsOpen(t *testing.T) {
	t.Parallel()
	for _, nominal := range []timeline.Ticks{184320, 204800} {
		p := talk("a", doors, nominal*20)
		p.Nominal, p.Last, p.Count = nominal, nominal, 20
		j := lay(t, timeline.Plan{Opens: doors, Closes: doors.Add(time.Hour), Slate: slates, Talks: []timeline.Planned{p}})
		w, ok := j.Window(doors, time.Minute)
		if !ok || w.Len() < 6 {
			t.Errorf("nominal %d: at the doors %d segments are listed", nominal, w.Len())
		}
		if _, ok := j.Window(doors.Add(-30*time.Second), time.Minute); ok {
			t.Error("the feed shows something half a minute before the doors")
		}
	}
}

func TestR236_EndListComesALeadBeforeTheEnd(t *testing.T) {
	t.Parallel()
	closes := doors.Add(10 * time.Minute)
	j := lay(t, timeline.Plan{Opens: doors, Closes: closes, Slate: slates})
	end := j.Entries[len(j.Entries)-1].AirEnd()
	if d := closes.Sub(end); d < 0 || d > 40*time.Millisecond {
		t.Fatalf("the feed ends at %v, the doors close at %v", end, closes)
	}
	before, _ := j.Window(end.Add(-timeline.Lead-time.Millisecond), time.Minute)
	at, _ := j.Window(end.Add(-timeline.Lead), time.Minute)
	if before.EndList || !at.EndList {
		t.Errorf("end list: %v a millisecond before, %v at the instant", before.EndList, at.EndList)
	}
	if _, ok := j.NextChange(end); ok {
		t.Error("an ended feed changes")
	}
	if again, err := j.Replan(end, timeline.Plan{Opens: doors, Closes: closes.Add(time.Hour), Slate: slates}); err != nil || again.Len() != j.Len() {
		t.Errorf("R109: a feed that ended goes on: %d segments, then %d (%v)", j.Len(), again.Len(), err)
	}
}

func TestLateTalkStartsAtTheEarliestFreeInstant(t *testing.T) {
	t.Parallel()
	plan := timeline.Plan{Opens: doors, Closes: doors.Add(time.Hour), Slate: slates}
	j := lay(t, plan)
	now := doors.Add(5*time.Minute + 1500*time.Millisecond)
	plan.Talks = []timeline.Planned{talk("a", doors.Add(5*time.Minute), 184320*10)}
	next, err := j.Replan(now, plan)
	if err != nil {
		t.Fatal(err)
	}
	var on timeline.Entry
	for _, e := range next.Entries {
		if e.Talk == "a" {
			on = e
		}
	}
	if wait := on.AirStart.Sub(now); wait <= 0 || wait > timeline.Lead+timeline.Guard+4*time.Second {
		t.Errorf("the talk that was ready late airs %v after it was ready", wait)
	}
	if on.Count != 10 {
		t.Errorf("%d of its 10 segments air", on.Count)
	}
	plan.Talks[0].Starts = doors.Add(-2 * timeline.LateLimit)
	tooLate, err := j.Replan(now, plan)
	if err != nil || len(tooLate.Entries) != len(j.Entries) {
		t.Errorf("a talk an hour late went on air by itself (%v)", err)
	}
}

func TestOverrunPushesAndPlaysWhole(t *testing.T) {
	t.Parallel()
	j := lay(t, timeline.Plan{Opens: doors, Closes: doors.Add(5 * time.Minute), Slate: slates, Talks: []timeline.Planned{
		talk("b", doors.Add(2*time.Minute), 184320*60), talk("a", doors.Add(time.Minute), 184320*60),
	}})
	var a, b timeline.Entry
	for _, e := range j.Entries {
		switch e.Talk {
		case "a":
			a = e
		case "b":
			b = e
		}
	}
	if !b.AirStart.Equal(a.AirEnd()) || b.Count != 60 {
		t.Errorf("b airs at %v with %d segments, a ends at %v", b.AirStart, b.Count, a.AirEnd())
	}
	last := j.Entries[len(j.Entries)-1]
	if d := last.AirEnd().Sub(b.AirEnd()); d < timeline.Farewell-40*time.Millisecond {
		t.Errorf("after the last talk the feed stays %v", d)
	}
}

// TestDST: both change-over nights of Montréal. Instants are instants: the air neither repeats nor loses an hour.
func TestDST(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/Montreal")
	if err != nil {
		t.Fatal(err)
	}
	for name, day := range map[string]time.Time{
		"spring": time.Date(2026, 3, 8, 0, 0, 0, 0, zone),
		"autumn": time.Date(2026, 11, 1, 0, 0, 0, 0, zone),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			starts := time.Date(day.Year(), day.Month(), day.Day(), 9, 0, 0, 0, zone)
			j := lay(t, timeline.Plan{Opens: day, Closes: day.Add(12 * time.Hour), Slate: slates, Talks: []timeline.Planned{talk("a", starts, 184320*10)}})
			for now, last := day, int64(0); now.Before(day.Add(11 * time.Hour)); now = now.Add(time.Minute) {
				msn, ok := j.LastListed(now)
				if !ok || msn < last || (last > 0 && msn-last > 17) {
					t.Fatalf("%v: segment %d after %d (%v)", now, msn, last, ok)
				}
				last = msn
			}
			for _, e := range j.Entries {
				if e.Talk == "a" && e.AirStart.In(zone).Hour() != 9 {
					t.Errorf("the talk of nine o'clock airs at %v", e.AirStart.In(zone))
				}
			}
		})
	}
}

// TestAYearOfAir: slate for a year, cut into entries of four hours (R175), and no drift at its end.
func TestAYearOfAir(t *testing.T) {
	t.Parallel()
	closes := doors.AddDate(1, 0, 0)
	j := lay(t, timeline.Plan{Opens: doors, Closes: closes, Slate: slates})
	if d := closes.Sub(j.Entries[len(j.Entries)-1].AirEnd()); d < 0 || d > time.Millisecond {
		t.Errorf("after a year the feed ends %v from its hour", d)
	}
	for k, e := range j.Entries {
		if e.Offset(e.From+e.Count).Duration() > 4*time.Hour+5*time.Second {
			t.Fatalf("entry %d lasts %v", k, e.Offset(e.From+e.Count).Duration())
		}
	}
	mid := doors.AddDate(0, 6, 0)
	if w, ok := j.Window(mid, 15*time.Minute); !ok || w.Len() < 230 {
		t.Errorf("in the middle the window has %d segments", w.Len())
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := lay(t, timeline.Plan{Opens: doors, Closes: doors.Add(time.Hour), Slate: slates, Talks: []timeline.Planned{talk("a", doors.Add(time.Minute), 1843200)}})
	for name, harm := range map[string]func(*timeline.Entry){
		"R102 a number is skipped":  func(e *timeline.Entry) { e.BaseMSN++ },
		"R103 a number is repeated": func(e *timeline.Entry) { e.BaseDSN-- },
		"R061 too long a segment":   func(e *timeline.Entry) { e.Last = 216000 },
		"R063 an empty segment":     func(e *timeline.Entry) { e.Last = 0 },
		"no segments":               func(e *timeline.Entry) { e.Count = 0 },
		"no source":                 func(e *timeline.Entry) { e.Source.ID = "" },
		"overlap":                   func(e *timeline.Entry) { e.AirStart = e.AirStart.Add(-time.Second) },
		"hole":                      func(e *timeline.Entry) { e.AirStart = e.AirStart.Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := timeline.Journal{Entries: append([]timeline.Entry(nil), good.Entries...)}
			harm(&bad.Entries[1])
			if err := bad.Validate(); !errors.Is(err, timeline.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
	for name, p := range map[string]timeline.Plan{
		"no slate":    {Opens: doors, Closes: doors.Add(1)},
		"year 9999":   {Opens: doors, Closes: doors.AddDate(7973, 0, 0), Slate: slates},
		"doors shut":  {Opens: doors, Closes: doors, Slate: slates},
		"talk twice":  {Opens: doors, Closes: doors.Add(1), Slate: slates, Talks: []timeline.Planned{talk("a", doors, 1), talk("a", doors, 1)}},
		"talk no id":  {Opens: doors, Closes: doors.Add(1), Slate: slates, Talks: []timeline.Planned{talk("", doors, 1)}},
		"empty media": {Opens: doors, Closes: doors.Add(1), Slate: slates, Talks: []timeline.Planned{{Talk: "a"}}},
	} {
		if _, err := (timeline.Journal{}).Replan(doors, p); !errors.Is(err, timeline.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
