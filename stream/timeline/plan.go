package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Planned is a talk to put on air: a source of Count segments, at its hour.
type Planned struct {
	Talk    string
	Starts  time.Time
	Source  Source
	Nominal Ticks // duration of every segment but the last
	Last    Ticks // duration of the last segment
	Count   int   // segments
}

// Plan is what a feed should show from doors open to doors close.
type Plan struct {
	Opens  time.Time
	Closes time.Time
	Talks  []Planned
	// Slate names the filler between two talks, "" for the doors.
	Slate func(after, before string) Source
}

const (
	// Preroll is how long before the doors a feed's first segment airs, so that
	// FewestSegments are listed when they open.
	Preroll = 12 * time.Second
	// Farewell is the least slate between the last talk and the end of the feed.
	Farewell = 30 * time.Second
	// LateLimit is how long after its hour a talk that is not in the journal yet,
	// since its film was not ready, still goes on air by itself.
	LateLimit = 30 * time.Minute
	// LongestFeed is how long doors may stay open. A journal is laid out to its
	// end, so an end in the year 9999 by mistake would fill the memory.
	LongestFeed = 400 * 24 * time.Hour
	// longestSlate is the most segments in one slate entry: four hours. A media
	// timeline must stay well under the 26.5 h of a WebVTT timestamp (R175).
	longestSlate = 3750
)

// Replan keeps what is frozen at now and lays out the rest of the plan after
// it: each talk whole, at its hour or as soon after as the air is free, slate
// in all holes, the end at Plan.Closes. A talk that has begun to be listed goes
// on to its end with the source it has. When nothing changes the journal is
// returned as it is.
//
// An empty journal is laid out from the doors, wherever now is: what the hour
// says is on air, is on air.
func (j Journal) Replan(now time.Time, p Plan) (Journal, error) {
	if err := p.validate(); err != nil {
		return j, err
	}
	l := layout{plan: p, aired: map[string]bool{}}
	l.keep(j, j.Frozen(now))
	if j.Closed && j.Len() > 0 && len(l.entries) == len(j.Entries) && l.frozen == j.Entries[len(j.Entries)-1].Count {
		return j, nil // the end itself is frozen
	}
	if len(l.entries) == 0 {
		l.cursor = p.Opens.Add(-Preroll).UTC()
	}
	talks := slices.Clone(p.Talks)
	slices.SortStableFunc(talks, func(a, b Planned) int {
		return cmp.Or(a.Starts.Compare(b.Starts), cmp.Compare(a.Talk, b.Talk))
	})
	for _, t := range talks {
		if l.aired[t.Talk] || (len(j.Entries) > 0 && now.Sub(t.Starts) > LateLimit && !j.holds(t.Talk)) {
			continue
		}
		l.fill(t.Starts, t.Talk)
		l.append(Entry{AirStart: later(l.cursor, t.Starts), Source: t.Source, Talk: t.Talk, Count: t.Count, Nominal: t.Nominal, Last: t.Last})
		l.after, l.talkEnd = t.Talk, l.cursor
	}
	l.close()

	next := Journal{Entries: l.entries, Closed: true}
	if next.equal(j) {
		return j, nil
	}
	return next, next.Validate()
}

func (p Plan) validate() error {
	if p.Slate == nil || !p.Opens.Before(p.Closes) {
		return fmt.Errorf("%w: a plan needs a slate, and doors that open before they close", ErrInvalid)
	}
	if p.Closes.Sub(p.Opens) > LongestFeed {
		return fmt.Errorf("%w: doors open for more than %v", ErrInvalid, LongestFeed)
	}
	seen := map[string]bool{}
	for _, t := range p.Talks {
		if t.Talk == "" || seen[t.Talk] || t.Source.ID == "" || t.Count <= 0 {
			return fmt.Errorf("%w: talk %q is planned twice, or has no media", ErrInvalid, t.Talk)
		}
		seen[t.Talk] = true
	}
	return nil
}

func (j Journal) holds(talk string) bool {
	return slices.ContainsFunc(j.Entries, func(e Entry) bool { return e.Talk == talk })
}

func (j Journal) equal(o Journal) bool {
	return j.Closed == o.Closed && slices.EqualFunc(j.Entries, o.Entries, func(a, b Entry) bool {
		same := a.AirStart.Equal(b.AirStart)
		a.AirStart, b.AirStart = time.Time{}, time.Time{}
		return same && a == b
	})
}

// layout is a journal being laid out.
type layout struct {
	plan    Plan
	entries []Entry
	frozen  int             // segments of the last entry that may not change
	cursor  time.Time       // where the air is free
	after   string          // the last talk laid out
	talkEnd time.Time       // air end of the last talk laid out
	aired   map[string]bool // talks that are on air or were
}

// keep takes over the entries before media sequence number frozen. Of the entry
// that it cuts a talk stays whole, a slate keeps its frozen segments.
func (l *layout) keep(j Journal, frozen int64) {
	for _, e := range j.Entries {
		n := int(min(int64(e.Count), frozen-e.BaseMSN))
		if n <= 0 {
			break
		}
		if n < e.Count && e.Talk == "" {
			e.Count, e.Last = n, e.Nominal
		}
		l.entries = append(l.entries, e)
		l.frozen, l.cursor = n, e.AirEnd()
		if e.Talk != "" {
			l.aired[e.Talk], l.after, l.frozen, l.talkEnd = true, e.Talk, e.Count, e.AirEnd()
		}
	}
}

func (l *layout) append(e Entry) {
	e.AirStart = e.AirStart.UTC()
	e.BaseMSN = Journal{Entries: l.entries}.Len()
	e.BaseDSN = int64(len(l.entries))
	l.entries = append(l.entries, e)
	l.cursor, l.frozen = e.AirEnd(), 0
}

// fill lays slate from the cursor to until, in the running slate entry when
// its picture is still the right one.
func (l *layout) fill(until time.Time, before string) {
	source := l.plan.Slate(l.after, before)
	for until.After(l.cursor) {
		e, kept := Entry{AirStart: l.cursor, Source: source, Nominal: SlateNominal}, 0
		n := len(l.entries)
		running := n > 0 && l.entries[n-1].Talk == "" && l.entries[n-1].Source == source &&
			l.entries[n-1].Last == SlateNominal && l.entries[n-1].Count < longestSlate
		if running {
			e, kept = l.entries[n-1], l.frozen
		}
		e.Count, e.Last = cut(ticksBetween(e.AirStart, until), kept)
		if e.Count == 0 {
			return
		}
		if e.Count > longestSlate+1 {
			e.Count, e.Last = longestSlate, SlateNominal
		}
		if running {
			l.entries = l.entries[:n-1]
		}
		l.append(e)
		if e.Count != longestSlate {
			return
		}
	}
}

// close lays the slate to the end of the feed: at the doors, and never sooner
// than Farewell after the last talk. When that is past already one segment is
// added, so that the end list comes with a last segment (R109).
func (l *layout) close() {
	until := l.plan.Closes
	if !l.talkEnd.IsZero() {
		until = later(until, l.talkEnd.Add(Farewell))
	}
	if ticksBetween(l.cursor, until) < SlateFrame {
		until = l.cursor.Add(SlateNominal.Duration())
	}
	l.fill(until, "")
}

// cut divides a slate of total ticks into segments, of which the first kept must stay as they are.
func cut(total Ticks, kept int) (count int, last Ticks) {
	count, rest := int(total/SlateNominal), total%SlateNominal
	switch {
	case rest < SlateFrame:
		return count, SlateNominal
	case rest < ShortestSegment && count > kept:
		return count, SlateNominal + rest
	default:
		return count + 1, rest
	}
}

// ticksBetween returns the whole ticks from a to b, 0 if b is not after a: never so many that a+ticks is after b.
func ticksBetween(a, b time.Time) Ticks {
	d := b.Sub(a)
	if d <= 0 {
		return 0
	}
	t := TicksOf(d)
	for t > 0 && t.Duration() > d {
		t--
	}
	return t
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
