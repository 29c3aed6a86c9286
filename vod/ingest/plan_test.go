package ingest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/stream/timeline"
	"reprise/vod/cmaf"
)

func TestGridForRates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate     float64
		constant bool
		fps      int
	}{
		{0, true, 25}, {1, true, 25}, {5, true, 25}, {6, true, 30}, {10, true, 30}, {12.5, true, 25}, {15, true, 30}, {14.985, true, 30},
		{23.976, true, 25}, {24, true, 25}, {25, true, 25}, {29.97, true, 30}, {30, true, 30}, {48, true, 50}, {50, true, 50},
		{59.94, true, 60}, {60, true, 60}, {100, true, 50}, {120, true, 60}, {240, true, 60},
		{29.4, false, 30}, {24.2, false, 25}, {7, false, 25}, {58, false, 60}, {90, false, 60},
	} {
		if got := gridFor(c.rate, c.constant).fps; got != c.fps {
			t.Errorf("%v (constant %v) becomes %d, want %d", c.rate, c.constant, got, c.fps)
		}
	}
	for _, fps := range []int{25, 30, 50, 60} {
		g := gridOf(fps)
		if g.nominal%1024 != 0 || g.nominal%g.frame != 0 || g.unit%1024 != 0 || g.unit%g.frame != 0 || timeline.Ticks(2*g.group)*g.frame != g.nominal {
			t.Errorf("grid of %d does not close: %+v", fps, g)
		}
	}
}

func TestR139_LengthsAreOnTheGrid(t *testing.T) {
	t.Parallel()
	for _, fps := range []int{25, 30, 50, 60} {
		g := gridOf(fps)
		for d := time.Duration(0); d < 20*time.Second; d += 37 * time.Millisecond {
			length := g.lengthOf(d)
			if length%g.unit != 0 || length <= 0 || length.Duration() < d-time.Millisecond || length.Duration() > d+2*g.unit.Duration()+time.Millisecond {
				t.Fatalf("%v becomes %v at %d", d, length.Duration(), fps)
			}
			count, last := cmaf.Grid(int64(length), int64(g.nominal))
			if timeline.Ticks(count-1)*g.nominal+timeline.Ticks(last) != length || last > int64(g.nominal)+cmaf.MinLast {
				t.Fatalf("%v is cut into %d, the last %d", d, count, last)
			}
			if timeline.Ticks(last).Duration() >= 4500*time.Millisecond {
				t.Fatalf("R061 the last segment of %v lasts %v", d, timeline.Ticks(last).Duration())
			}
		}
	}
}

func TestRungs(t *testing.T) {
	t.Parallel()
	names := func(width, height int) (list []string) {
		for _, r := range rungsFor(width, height) {
			list = append(list, r.name)
		}
		return list
	}
	for _, c := range []struct {
		width, height int
		want          string
	}{
		{1920, 1080, "v1080 v720 v540 v360 v234"}, {1280, 720, "v720 v540 v360 v234"}, {1080, 1920, "v1080 v720 v540 v360 v234"},
		{1920, 800, "v1080 v720 v540 v360 v234"}, {960, 940, "v1080 v720 v540 v360 v234"}, {720, 576, "v540 v360 v234"}, {640, 480, "v540 v360 v234"}, {320, 180, "v234"}, {1, 1, "v234"},
		{7680, 4320, "v1080 v720 v540 v360 v234"},
	} {
		if got := names(c.width, c.height); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%dx%d is made into %v, want %s", c.width, c.height, got, c.want)
		}
	}
}

// TestR038_LowestRungFitsACellularLine: cap of picture and sound, over a buffer's time.
func TestR038_LowestRungFitsACellularLine(t *testing.T) {
	t.Parallel()
	lowest := ladder[len(ladder)-1]
	if lowest.rate+lowest.buffer/4+64 > 192 {
		t.Errorf("v234 may peak at %d kbit/s with sound", lowest.rate+lowest.buffer/4+64)
	}
}

func TestWatcherReadsTheLog(t *testing.T) {
	t.Parallel()
	w := &watcher{limit: 2, stop: func() {}}
	for _, line := range []string{
		"[info]     title           : [error] is my title",
		"[h264 @ 0x5] [error] error while decoding MB 1 0, bytestream 2316",
		"[mov,mp4 @ 0x5] [Eval @ 0x6] [fatal] broken",
		"[h264 @ 0x5] [warning] nothing much",
		"[verbose]   Input stream #0:0 (video): 75 packets read (229152 bytes); 70 frames decoded; ",
		"[verbose]   Input stream #0:1 (audio): 130 packets read (24005 bytes); 129 frames decoded (132096 samples); ",
	} {
		w.line(line)
	}
	if w.errors != 2 || w.read[0] != (readings{75, 70, 0}) || w.read[1] != (readings{130, 129, 132096}) {
		t.Errorf("read %d errors and %v", w.errors, w.read)
	}
}

func TestSlateTextIsWrapped(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Anticonstitutionnellement ", 40)
	for _, text := range []string{"", "Court", "L’art de la reprise\u00a0: rejouer un spectacle", long, strings.Repeat("x", 500), "日本語のタイトルはとても長いのでここで切られるはずです日本語のタイトルはとても長いのでここで切られる"} {
		size, rows := fit(text, []setting{{104, 2}, {88, 3}, {54, 5}})
		if len(rows) > 5 || size < 54 {
			t.Errorf("%.20q is set in %d rows of %d", text, len(rows), size)
		}
		for _, row := range rows {
			if textWidth(row, size) > slateWidth {
				t.Errorf("%q is too wide", row)
			}
		}
	}
	for _, l := range layOut(SlateSpec{Title: long, Headline: long, Talk: long + "\n" + long, When: long}) {
		if l.y < 60 || l.y+l.size > 1060 {
			t.Errorf("%.20q stands at %d", l.text, l.y)
		}
	}
}
