package webvtt

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// clock is how a TTML document counts time (TTML2, 7.2: ttp: parameters).
type clock struct {
	rate, sub int64 // frames a second, and parts a frame
	num, den  int64 // frameRateMultiplier: 1000/1001
	tick      int64 // ticks a second
	smpte     bool  // time codes count frames; else seconds are seconds
	drop      bool  // drop-frame time code: two numbers a minute are left out, but for each tenth
	program   time.Duration
}

// Bounds of what a document may say, so that sums stay far from overflow.
const (
	maxRate  = 240
	maxScale = 10_000
	maxTick  = 1_000_000_000
	maxHours = 999
)

// newClock reads the parameters of a tt element; what is out of bounds or not
// said has the value that TTML gives it.
func newClock(get func(name string) string) clock {
	number := func(name string, top, otherwise int64) int64 {
		n, err := strconv.ParseInt(get(name), 10, 64)
		if err != nil || n < 1 || n > top {
			return otherwise
		}
		return n
	}
	c := clock{rate: number("frameRate", maxRate, 30), sub: number("subFrameRate", 1000, 1), num: 1, den: 1}
	fields := strings.FieldsFunc(get("frameRateMultiplier"), func(r rune) bool { return r == ' ' || r == ':' })
	if len(fields) == 2 {
		num, err1 := strconv.ParseInt(fields[0], 10, 64)
		den, err2 := strconv.ParseInt(fields[1], 10, 64)
		if err1 == nil && err2 == nil && 0 < num && num <= maxScale && 0 < den && den <= maxScale && num < 4*den && den < 4*num {
			c.num, c.den = num, den
		}
	}
	otherwise := int64(1)
	if get("frameRate") != "" {
		otherwise = c.rate * c.sub
	}
	c.tick = number("tickRate", maxTick, otherwise)
	c.smpte = get("timeBase") == "smpte"
	c.drop = c.smpte && get("dropMode") == "dropNTSC" && c.rate == 30
	return c
}

// frames returns how long n frames take; n is under maxHours of frames.
func (c clock) frames(n int64) time.Duration {
	return time.Duration(n*c.den*1e6/(c.rate*c.num)) * time.Microsecond
}

// time reads a TTML time expression: clock time, with a fraction, frames or a
// comma as SubRip writes it, or an offset in h, m, s, ms, f or t. It may be
// negative: iTT moves its cues by a div that begins before the film.
func (c clock) time(s string) (time.Duration, bool) {
	s, negative := strings.CutPrefix(strings.TrimSpace(s), "-")
	t, ok := c.positive(s)
	if negative {
		t = -t
	}
	return t, ok
}

func (c clock) positive(s string) (time.Duration, bool) {
	if len(s) > 40 {
		return 0, false
	}
	if strings.Contains(s, ":") {
		return c.clockTime(s)
	}
	digits := strings.TrimRight(s, "hmsft")
	whole, fraction, dot := strings.Cut(digits, ".")
	if !isNumber(whole) || dot && !isNumber(fraction) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, false
	}
	part, _ := strconv.ParseFloat("0."+cmp.Or(fraction, "0"), 64) // its digits were checked
	unit := time.Duration(0)
	switch s[len(digits):] {
	case "h":
		unit = time.Hour
	case "m":
		unit = time.Minute
	case "s":
		unit = time.Second
	case "ms":
		unit = time.Millisecond
	case "f":
		if n > maxHours*3600*c.rate {
			return 0, false
		}
		return c.frames(n) + time.Duration(part*float64(c.frames(1))), true
	case "t":
		if n/c.tick > maxHours*3600 {
			return 0, false
		}
		return time.Duration(n/c.tick)*time.Second + time.Duration(n%c.tick*1e9/c.tick), true
	default:
		return 0, false
	}
	if n > int64(maxHours*time.Hour/unit) {
		return 0, false
	}
	return time.Duration(n)*unit + time.Duration(part*float64(unit)), true
}

// clockTime reads hh:mm:ss, hh:mm:ss.fraction and hh:mm:ss:ff[.sub].
func (c clock) clockTime(s string) (time.Duration, bool) {
	s = strings.NewReplacer(";", ":", ",", ".").Replace(s)
	s, fraction, _ := strings.Cut(s, ".")
	fields := strings.Split(s, ":")
	if len(fields) < 3 || len(fields) > 4 || fraction != "" && !isNumber(fraction) {
		return 0, false
	}
	var n [4]int64
	for i, f := range fields {
		if !isNumber(f) || len(f) > 3 {
			return 0, false
		}
		n[i], _ = strconv.ParseInt(f, 10, 64) // three digits at most
	}
	if n[1] > 59 || n[2] > 59 || n[3] >= c.rate {
		return 0, false
	}
	seconds := (n[0]*60+n[1])*60 + n[2]
	part, _ := strconv.ParseFloat("0."+cmp.Or(fraction, "0"), 64)
	rest := time.Duration(0)
	if len(fields) == 4 {
		sub, _ := strconv.ParseInt(cmp.Or(fraction, "0"), 10, 64)
		rest = c.frames(1) * time.Duration(min(sub, c.sub)) / time.Duration(c.sub)
	} else {
		rest = time.Duration(part * float64(time.Second)).Round(time.Microsecond)
	}
	if !c.smpte {
		return time.Duration(seconds)*time.Second + c.frames(n[3]) + rest, true
	}
	count := seconds*c.rate + n[3]
	if c.drop {
		minutes := n[0]*60 + n[1]
		count -= 2 * (minutes - minutes/10)
	}
	return c.frames(max(count, 0)) + rest, true
}
