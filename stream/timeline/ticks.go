package timeline

import (
	"math/bits"
	"time"
)

// Ticks is a length of media time in units of 1/48000 s.
//
// One unit serves sound and picture: an AAC frame is 1024 ticks, and a video
// frame is a whole number of ticks at every rate that ingest makes (25: 1920,
// 30: 1600, 50: 960, 60: 800). No float and no rounding enters until a
// playlist is printed.
type Ticks int64

// TicksPerSecond is the unit of Ticks.
const TicksPerSecond Ticks = 48000

// TargetDuration is the target duration of every channel, for ever (R100).
const TargetDuration = 4 * time.Second

// Lead is how long before its air end a segment is listed: HOLD-BACK = 4 target durations (R231).
const Lead = 4 * TargetDuration

// Guard is added to Lead to find what is frozen, so that every node has seen an edit before it matters.
const Guard = 2 * time.Second

// Duration returns t as a time.Duration, rounded half away from zero to the nanosecond.
// It is exact over the whole range a broadcast can have (292 years), without overflow.
func (t Ticks) Duration() time.Duration {
	if t < 0 {
		return -(-t).Duration()
	}
	hi, lo := bits.Mul64(uint64(t), uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(TicksPerSecond)/2, 0)
	quo, _ := bits.Div64(hi+carry, lo, uint64(TicksPerSecond))
	return time.Duration(quo)
}

// TicksOf returns d in ticks, rounded half away from zero.
func TicksOf(d time.Duration) Ticks {
	if d < 0 {
		return -TicksOf(-d)
	}
	hi, lo := bits.Mul64(uint64(d), uint64(TicksPerSecond))
	lo, carry := bits.Add64(lo, uint64(time.Second)/2, 0)
	quo, _ := bits.Div64(hi+carry, lo, uint64(time.Second))
	return Ticks(quo)
}
