package ingest

import (
	"math"
	"time"

	"reprise/stream/timeline"
	"reprise/vod/cmaf"
)

// grid is the raster on which a recording is cut. At each of the rates AAC
// frames (1024 ticks) and video frames end together at each segment's end.
type grid struct {
	fps     int
	frame   timeline.Ticks // one video frame
	nominal timeline.Ticks // one segment
	unit    timeline.Ticks // lengths of recordings are multiples of it
	group   int            // frames from one IDR to the next: half a segment
}

// longestSegment is 4.48 s: EXTINF must round to no more than 4 (R061).
const longestSegment timeline.Ticks = 215040

func gridOf(fps int) grid {
	g := grid{fps: fps, frame: timeline.TicksPerSecond / timeline.Ticks(fps), nominal: 184320, unit: 15360}
	if fps%30 == 0 {
		g.nominal, g.unit = 204800, 25600
	}
	g.group = int(g.nominal / g.frame / 2)
	return g
}

// gridFor chooses the raster for a source's frame rate: 24 and 23.976 become
// 25, 29.97 becomes 30, 59.94 becomes 60; low rates go to that of 25 and 30
// which is a whole multiple, or 25; high ones to a whole part, or 60.
func gridFor(rate float64, constant bool) grid {
	if rate <= 0 {
		return gridOf(25)
	}
	if !constant {
		// A varying rate has no family: screens and phones mean 30 or 60.
		switch {
		case rate <= 25.5:
			return gridOf(25)
		case rate <= 40:
			return gridOf(30)
		}
		return gridOf(60)
	}
	switch {
	case rate < 23.5:
		if !divides(rate, 25) && divides(rate, 30) {
			return gridOf(30)
		}
		return gridOf(25)
	case rate <= 25.5:
		return gridOf(25)
	case rate <= 40:
		return gridOf(30)
	case rate <= 51:
		return gridOf(50)
	case divides(100, rate) || divides(50, rate/2):
		return gridOf(50)
	}
	return gridOf(60)
}

// divides tells whether b is a whole multiple of a, within the error of 1000/1001 rates.
func divides(a, b float64) bool {
	n := math.Round(b / a)
	return n >= 1 && math.Abs(b/a-n) < 0.004*n
}

// lengthOf returns the length of the recording: until the last picture and
// sound have ended, rounded up to the raster. A rest that is too short for a
// segment, and would make the one before too long for the target duration
// (R061; at 30 and 60 frames a second), is made a unit longer.
func (g grid) lengthOf(d time.Duration) timeline.Ticks {
	ticks := timeline.TicksOf(d - 500*time.Microsecond) // headers round to a millisecond at worst
	length := max(1, (ticks+g.unit-1)/g.unit) * g.unit
	if rest := length % g.nominal; length > g.nominal && rest > 0 && rest < cmaf.MinLast && g.nominal+rest > longestSegment {
		length += g.unit
	}
	return length
}

// rung is one size of the ladder (table 4.3 of the HLS rules).
type rung struct {
	name          string
	width, height int
	level         string // H.264, up to 30 frames a second
	fastLevel     string // at 50 and 60
	rate, buffer  int    // kbit/s: cap and its buffer
	crf           int
}

// ladder holds all rungs from high to low. v234 is capped so that with 64k of
// sound its peak stays under 192 kbit/s (R038).
var ladder = []rung{
	{"v1080", 1920, 1080, "4.0", "4.2", 4500, 9000, 21},
	{"v720", 1280, 720, "3.1", "3.2", 2400, 4800, 22},
	{"v540", 960, 540, "3.1", "3.2", 1200, 2400, 22},
	{"v360", 640, 360, "3.0", "3.1", 600, 1200, 23},
	{"v234", 416, 234, "2.1", "3.0", 100, 80, 25},
}

func (r rung) levelAt(fps int) string {
	if fps > 30 {
		return r.fastLevel
	}
	return r.level
}

// rungsFor returns the rungs to make of a picture of that shape: those not
// higher than 1.15 times the picture as it is fitted into 16:9, and the lowest always.
func rungsFor(width, height int) []rung {
	fitted := max(float64(height), float64(width)*9/16)
	var rungs []rung
	for i, r := range ladder {
		if float64(r.height) <= 1.15*fitted || i == len(ladder)-1 {
			rungs = append(rungs, r)
		}
	}
	return rungs
}
