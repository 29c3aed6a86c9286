package ingest

import (
	"math"
	"strings"
	"time"

	"reprise/vod"
)

// soundClock compares the two clocks of a track of sound: the times written
// on its packets, and the samples inside them, put end to end. They part where
// samples are missing, and little by little when a recorder's clocks run at different speeds.
type soundClock struct {
	packet time.Duration // length of one packet; 0: as many as its bytes say, or as it says itself
	perSec float64       // bytes a second of uncompressed sound

	begun  bool
	first  time.Duration // time of the first packet
	own    time.Duration // of the samples so far
	off    time.Duration // how much later the times are than the samples, at the last packet
	jumped time.Duration // part of off that came in jumps
	marks  []clockMark
	gaps   []vod.Span
}

// clockMark is how far the clocks were apart at an instant.
type clockMark struct{ at, off time.Duration }

const (
	gapFrom     = 80 * time.Millisecond // between two packets
	driftFrom   = 80 * time.Millisecond // in all: lips and voice part at about 45 ms, but a recorder's first packets are rough
	markEvery   = time.Second
	driftIsReal = 0.05 // share of the length: beyond it, what a packet holds was misunderstood
)

// samplesAPacket of codecs whose packets are all alike.
var samplesAPacket = map[string]int{"aac": 1024, "mp2": 1152, "mp3": 1152, "ac3": 1536}

// newSoundClock returns nil for codecs whose packets do not tell how long they are.
func newSoundClock(a *AudioTrack) *soundClock {
	samples, regular := samplesAPacket[a.Codec]
	switch {
	case a.SampleRate <= 0:
		return nil
	case a.Codec == "aac" && strings.HasPrefix(a.Profile, "HE-AAC"):
		samples = 2048
	case a.Codec == "mp3" && a.SampleRate < 32000:
		samples = 576
	case a.Codec == "opus":
		return &soundClock{}
	case strings.HasPrefix(a.Codec, "pcm_"):
		for bytes, name := range []string{1: "8", 2: "16", 3: "24", 4: "32", 8: "64"} {
			if name != "" && strings.Contains(a.Codec, name) {
				return &soundClock{perSec: float64(bytes * a.SampleRate * max(1, a.Channels))}
			}
		}
		return nil
	case !regular:
		return nil
	}
	return &soundClock{packet: time.Duration(samples) * time.Second / time.Duration(a.SampleRate)}
}

// add counts a packet: its time, the length that it says it has, its bytes.
func (c *soundClock) add(at, says time.Duration, bytes int64) {
	if !c.begun {
		c.begun, c.first = true, at
	}
	off := at - c.first - c.own
	if jump := off - c.off; jump > gapFrom || jump < -gapFrom {
		c.jumped += jump
		if jump > 0 && len(c.gaps) < 20*mostPlaces {
			c.gaps = append(c.gaps, spanOf(at-jump, at))
		}
	}
	c.off = off
	if last := len(c.marks) - 1; last < 0 || at-c.marks[last].at >= markEvery {
		c.marks = append(c.marks, clockMark{at, off})
	}
	switch {
	case c.packet > 0:
		c.own += c.packet
	case c.perSec > 0:
		c.own += time.Duration(float64(bytes) / c.perSec * float64(time.Second))
	default:
		c.own += says
	}
}

// known tells whether the clocks could be compared.
func (c *soundClock) known() bool {
	return c != nil && c.begun && math.Abs(float64(c.off-c.jumped)) <= driftIsReal*float64(c.own)+float64(gapFrom)
}

// drift returns by how much the clocks parted little by little; 0 when that is not known.
func (c *soundClock) drift() time.Duration {
	if !c.known() {
		return 0
	}
	return c.off - c.jumped
}

// offsets says how far the sound is behind the picture: at the start, as it
// begins later, and in the middle and at the end, as its times are also later than
// its samples. All of it is made good when the film is converted.
func offsets(v *VideoTrack, a *AudioTrack) []vod.Offset {
	late := a.First - v.First
	list := []vod.Offset{{At: thousandths(max(0, a.First.Seconds())), Offset: thousandths(late.Seconds())}}
	c := a.clock
	if !c.known() || len(c.marks) < 3 { // too short to have a middle
		return list
	}
	middle := c.marks[0]
	for _, m := range c.marks {
		if (m.at - a.End/2).Abs() < (middle.at - a.End/2).Abs() {
			middle = m
		}
	}
	for _, m := range []clockMark{middle, {a.End, c.off}} {
		list = append(list, vod.Offset{At: thousandths(m.at.Seconds()), Offset: thousandths((late + m.off).Seconds())})
	}
	return list
}

// judgeClock speaks of samples that are missing and of clocks that part.
func judgeClock(a *AudioTrack, name both) (found []vod.Finding) {
	if !a.clock.known() {
		return nil
	}
	if gaps := a.clock.gaps; len(gaps) > 0 {
		gaps = longestFirst(gaps, mostPlaces)
		found = append(found, at(finding("sound-gaps", moments(gaps), name), gaps))
	}
	if drift := a.clock.drift(); drift.Abs() >= driftFrom {
		found = append(found, finding("sound-drifts", name, span(drift.Abs())))
	}
	return found
}
