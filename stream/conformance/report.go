package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// examples is how many faults of a group are kept word for word.
const examples = 3

// Group is all faults of one rule.
type Group struct {
	Rule     string
	Level    Level
	Count    int
	Examples []Fault // the first few
}

// Report is what Run has seen.
type Report struct {
	Feeds      int
	Talks      int           // start-over and replay presentations looked at, of any feed
	Renditions int           // media playlists of the live feeds
	Nodes      int           // that were compared byte for byte (R115)
	Seconds    int64         // seconds of air, summed over the feeds
	Playlists  int64         // playlists asked for
	Changes    int64         // of those, how many were new
	Bytes      int64         // of the new ones
	Took       time.Duration // zero without Options.Now
	Groups     []Group       // by rule
}

// FeedDays returns the air time in days of 24 hours.
func (r *Report) FeedDays() float64 { return float64(r.Seconds) / 86400 }

// Faults returns the number of faults that are not a mere Should.
func (r *Report) Faults() int {
	n := 0
	for _, g := range r.Groups {
		if g.Level != Should {
			n += g.Count
		}
	}
	return n
}

// OK tells whether nothing but Shoulds was found.
func (r *Report) OK() bool { return r.Faults() == 0 }

// String is the report as short text for an operator.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s of air (%.2f feed-days), %s\n",
		count(r.Feeds, "feed"), count(r.Renditions, "rendition"),
		(time.Duration(r.Seconds) * time.Second).String(), r.FeedDays(), count(r.Talks, "talk view"))
	fmt.Fprintf(&b, "%d playlists asked for, %d of them new (%.1f MB)", r.Playlists, r.Changes, float64(r.Bytes)/1e6)
	if r.Nodes > 1 {
		fmt.Fprintf(&b, ", %d nodes compared byte for byte", r.Nodes)
	}
	if r.Took > 0 {
		fmt.Fprintf(&b, "; took %.1f s", r.Took.Seconds())
		if days := r.FeedDays(); days > 0.01 {
			fmt.Fprintf(&b, " (%.1f s a feed-day)", r.Took.Seconds()/days)
		}
	}
	b.WriteString("\n")
	serious, mild := r.Faults(), 0
	for _, g := range r.Groups {
		if g.Level == Should {
			mild += g.Count
		}
		fmt.Fprintf(&b, "%s %s  %s\n", g.Rule, g.Level, count(g.Count, "time"))
		for _, e := range g.Examples {
			fmt.Fprintf(&b, "    %s: %s\n", e.Where, e.Text)
		}
	}
	switch {
	case serious == 0 && mild == 0:
		b.WriteString("no fault\n")
	case serious == 0:
		fmt.Fprintf(&b, "no fault; %s of what should be better\n", count(mild, "case"))
	default:
		fmt.Fprintf(&b, "%s\n", count(serious, "fault"))
	}
	return b.String()
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// groups gathers faults without keeping them all.
type groups struct {
	byRule map[string]*Group
}

func (g *groups) add(where string, list []Fault) {
	for _, f := range list {
		key := f.Rule + string(f.Level)
		if g.byRule == nil {
			g.byRule = map[string]*Group{}
		}
		group := g.byRule[key]
		if group == nil {
			group = &Group{Rule: f.Rule, Level: f.Level}
			g.byRule[key] = group
		}
		group.Count++
		if len(group.Examples) < examples {
			f.Where = join(where, f.Where)
			group.Examples = append(group.Examples, f)
		}
	}
}

// merge adds what another has gathered.
func (r *Report) merge(o *Report, g *groups) {
	r.Talks += o.Talks
	r.Renditions += o.Renditions
	r.Seconds += o.Seconds
	r.Playlists += o.Playlists
	r.Changes += o.Changes
	r.Bytes += o.Bytes
	for _, group := range g.byRule {
		i := slices.IndexFunc(r.Groups, func(have Group) bool { return have.Rule == group.Rule && have.Level == group.Level })
		if i < 0 {
			r.Groups = append(r.Groups, *group)
			continue
		}
		have := &r.Groups[i]
		have.Count += group.Count
		have.Examples = append(have.Examples, group.Examples[:min(len(group.Examples), examples-len(have.Examples))]...)
	}
	slices.SortFunc(r.Groups, func(a, b Group) int { return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Level, b.Level)) })
}
