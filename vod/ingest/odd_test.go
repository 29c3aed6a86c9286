package ingest

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/vod"
)

// oddRow is one kind of file: how it is made, and what must become of it (HLS rules, 4.1).
type oddRow struct {
	name    string
	make    maker
	pattern pattern // what is in it; zero: the plain one
	options AddOptions
	says    []string // codes of all findings, in any order; one that is fatal: the film is refused
	length  float64  // seconds of the film; 0: the pattern's; below 0: nobody knows
	flashes []float64
	bare    bool // the pattern is not in it: no flash and no beep
	check   func(t *testing.T, w *world, a vod.Asset, m vod.Media)
}

// says lists codes of findings.
func says(codes ...string) []string { return codes }

// testOdd runs a table: each row whole through Process.
func testOdd(t *testing.T, rows []oddRow) {
	t.Parallel()
	offsets := make([]float64, len(rows))
	t.Run("rows", func(t *testing.T) {
		for i, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				offsets[i] = row.run(t)
			})
		}
	})
	if i := slices.Index(offsets, slices.Max(offsets)); offsets[i] > 0 {
		t.Logf("largest distance of picture and sound: %.1f ms (%s)", 1000*offsets[i], rows[i].name)
	}
}

func (r *oddRow) run(t *testing.T) (offset float64) {
	w := setupIn(t, t.TempDir(), Config{Threads: 1, MaxDuration: time.Hour})
	a := w.ingest(r.make(t, t.TempDir()), r.options)
	r.judge(t, a)
	if refused(a.Findings) {
		r.refusal(t, w, a)
		return 0
	}
	m := w.media(a)
	all := w.checkRules(m)
	decoded := w.decodeAll(all)
	r.lengths(t, w, a, m, all, decoded)
	if !r.bare {
		offset = w.together(all, decoded, r.instants(), r.frame(m), slices.Contains(r.says, "no-picture"))
	}
	if r.check != nil {
		r.check(t, w, a, m)
	}
	return offset
}

func (r *oddRow) film() pattern {
	if r.pattern.rate == "" {
		return plainPattern
	}
	return r.pattern
}

func (r *oddRow) instants() []float64 {
	if r.flashes != nil {
		return r.flashes
	}
	return r.film().flashes()
}

// frame is the longer of a frame of the source and one of what is made of it: no instant can be told better.
func (r *oddRow) frame(m vod.Media) float64 {
	return max(1/r.film().float(), m.Renditions[0].Frame.Duration().Seconds())
}

// judge compares the findings with what the row says. The films of the table are small, which is no news.
func (r *oddRow) judge(t *testing.T, a vod.Asset) {
	t.Helper()
	got := codes(a.Findings)
	if !slices.Contains(r.says, "low-resolution") {
		got = slices.DeleteFunc(got, func(code string) bool { return code == "low-resolution" })
	}
	want := slices.Sorted(slices.Values(r.says))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("findings are %v, want %v", got, want)
	}
	if want := verdictOf(a.Findings); a.Verdict != want {
		t.Errorf("verdict is %s, findings %v", a.Verdict, got)
	}
	for _, f := range a.Findings {
		if strings.Contains(f.FR+f.EN, "%!") || f.FR == "" || f.EN == "" {
			t.Errorf("%s is badly worded: %q / %q", f.Code, f.FR, f.EN)
		}
	}
}

// refusal checks that nothing is left of a refused film.
func (r *oddRow) refusal(t *testing.T, w *world, a vod.Asset) {
	t.Helper()
	if a.State != vod.Failed || a.Media != "" || a.First != "" {
		t.Errorf("state %s, media %q, first media %q", a.State, a.Media, a.First)
	}
	for _, object := range w.objects() {
		if strings.HasPrefix(object, mediaPrefix) {
			t.Errorf("object %s is left of a refused film", object)
		}
	}
	if entries, err := os.ReadDir(w.cfg.Scratch); err != nil || len(entries) > 0 {
		t.Errorf("scratch is not empty: %v %v", entries, err)
	}
}

// lengths checks that the film was understood to be as long as it is, to a
// frame, and that each rendition is as long as that, rounded up to the raster.
func (r *oddRow) lengths(t *testing.T, w *world, a vod.Asset, m vod.Media, all []*shown, decoded map[string][]byte) {
	t.Helper()
	want := r.length
	if want == 0 {
		want = r.film().length
	}
	report, err := w.library.Report(t.Context(), a.Source.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := report.Duration - want; want > 0 && math.Abs(d) > r.frame(m)+0.03 {
		t.Errorf("the film lasts %.3f s, want %.3f", report.Duration, want)
	}
	grid := gridOf(25)
	for _, fps := range []int{30, 50, 60} {
		if m.Renditions[0].Frame == gridOf(fps).frame {
			grid = gridOf(fps)
		}
	}
	if got, want := m.Duration(), grid.lengthOf(time.Duration(report.Duration*float64(time.Second))); got != want {
		t.Errorf("R135: %d ticks, want %d", got, want)
	}
	for _, s := range all {
		have, want := len(decoded[s.Name])/lumaBytes, int(m.Duration()/max(1, s.Frame))
		if s.Kind == vod.Audio {
			have, want = len(decoded[s.Name])/2, int(m.Duration())+1024 // and the encoder's priming
		}
		if have < want || have > want+1024 && s.Kind == vod.Audio || have > want && s.Kind == vod.Video {
			t.Errorf("R135 %s decodes to %d, want %d", s.Name, have, want)
		}
	}
}
