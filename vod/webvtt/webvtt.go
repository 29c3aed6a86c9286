package webvtt

import (
	"fmt"
	"time"
)

// Cue is one caption. Times count from the first frame of the recording.
type Cue struct {
	ID         string
	Start, End time.Duration
	Settings   string // WebVTT cue settings: "line:90% align:start"
	// Text is WebVTT cue text: lines, the tags b, i, u, c, v, lang, ruby and rt,
	// all closed, and entities for & < and >.
	Text string
}

// header ties cue times to the media timeline: cue time 0 is the first frame of
// the recording, whose media time is 10 s; MPEGTS is in 90 kHz (R171).
const header = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n"

// Empty returns a WebVTT segment without cues (R137, R172). It serves every
// segment of a rendition that has none.
func Empty() []byte { return []byte(header) }

// maxVisible bounds the cues of one segment. Nobody reads 200 captions in four
// seconds, and a file of long cues must not fill the disk.
const maxVisible = 200

// Segments returns the WebVTT segments of a recording of count segments, each
// nominal ticks (1/48000 s) long but for the last one. Every segment holds all
// cues visible in it, at most 200, with their full times (R172). The cues must
// be in the order of their start, as Parse returns them.
func Segments(cues []Cue, nominal, last int64, count int) [][]byte {
	segments := make([][]byte, 0, max(count, 0))
	var active []Cue
	next := 0
	for i := range count {
		start := int64(i) * nominal
		end := start + nominal
		if i == count-1 {
			end = start + last
		}
		for next < len(cues) && beforeTick(cues[next].Start, end) {
			active = append(active, cues[next])
			next++
		}
		kept := active[:0]
		out := []byte(header)
		for _, c := range active {
			if !afterTick(c.End, start) {
				continue
			}
			if len(kept) < maxVisible {
				out = appendCue(out, c)
			}
			kept = append(kept, c)
		}
		active = kept
		segments = append(segments, out)
	}
	return segments
}

// beforeTick and afterTick compare a time with ticks, without rounding: a tick
// is 62500/3 ns.
func beforeTick(d time.Duration, ticks int64) bool { return int64(d)*3 < ticks*62500 }
func afterTick(d time.Duration, ticks int64) bool  { return int64(d)*3 > ticks*62500 }

func appendCue(out []byte, c Cue) []byte {
	out = append(out, '\n')
	if c.ID != "" {
		out = append(out, c.ID...)
		out = append(out, '\n')
	}
	out = appendTime(out, c.Start)
	out = append(out, " --> "...)
	out = appendTime(out, c.End)
	if c.Settings != "" {
		out = append(out, ' ')
		out = append(out, c.Settings...)
	}
	out = append(out, '\n')
	out = append(out, c.Text...)
	return append(out, '\n')
}

// appendTime writes hh:mm:ss.mmm; hours may have more than two digits.
func appendTime(out []byte, d time.Duration) []byte {
	ms := d.Milliseconds()
	return fmt.Appendf(out, "%02d:%02d:%02d.%03d", ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
}
