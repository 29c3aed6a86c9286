package ingest

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"reprise/vod"
)

// What counts as what in a track of sound.
const (
	soundWindow  = 50 * time.Millisecond
	silenceFrom  = 3 * time.Second        // shorter pauses are breath
	silenceBlip  = 150 * time.Millisecond // a click does not end a silence
	fullScale    = 32700                  // samples from here on are at the limit …
	clippedRun   = 4                      // … and so many in a row are clipped
	clippedApart = time.Second            // nearer ones are one place
	nothingHeard = -90.0                  // dBFS: digital silence
	mostPlaces   = 200                    // time codes kept of a track
)

// heard is what was measured of a track's samples, as they came.
type heard struct {
	Noise   float64    // dBFS between the words; nothing: none was found
	Speech  float64    // dBFS of the loud parts
	Balance float64    // dB, left minus right
	Opposed bool       // the two sides cancel each other
	Clips   int        // times that samples hit the limit
	Clipped []vod.Span // places
	Silent  []vod.Span // from silenceFrom on
	Length  time.Duration
}

// soundMeter listens to samples: 16 bit, little endian, one or two channels
// interleaved, without gaps from film time 0. It is an io.Writer.
type soundMeter struct {
	rate, channels int

	rest        []byte // of a frame
	frames      int64
	window      int // frames a window
	inWindow    int
	power       float64 // of the window
	left, right float64 // power in all
	cross       float64
	levels      []float32 // dBFS of each window
	runs        [2]int
	clips       [2]int
	clipped     []vod.Span
}

func newSoundMeter(rate, channels int) *soundMeter {
	rate = max(1, rate)
	return &soundMeter{rate: rate, channels: min(2, max(1, channels)), window: max(1, int(time.Duration(rate)*soundWindow/time.Second))}
}

// tapChain is the filter chain from a decoded track to its soundMeter: gaps
// filled, nothing else changed. (HE-AAC may come out of the decoder at twice the rate that the container says.)
func tapChain(a *AudioTrack) string {
	layout := "stereo"
	if a.Channels == 1 {
		layout = "mono"
	}
	return fmt.Sprintf("aresample=%d:async=1:min_hard_comp=0.03:first_pts=0,aformat=sample_fmts=s16:channel_layouts=%s", a.SampleRate, layout)
}

// Write takes samples in pieces of any size.
func (m *soundMeter) Write(p []byte) (int, error) {
	n, size := len(p), 2*m.channels
	if len(m.rest) > 0 {
		take := min(size-len(m.rest), len(p))
		m.rest, p = append(m.rest, p[:take]...), p[take:]
		if len(m.rest) < size {
			return n, nil
		}
		m.add(m.rest)
		m.rest = m.rest[:0]
	}
	whole := len(p) / size * size
	m.add(p[:whole])
	m.rest = append(m.rest, p[whole:]...)
	return n, nil
}

// add takes whole frames.
func (m *soundMeter) add(p []byte) {
	size := 2 * m.channels
	for ; len(p) >= size; p = p[size:] {
		l := int16(binary.LittleEndian.Uint16(p))
		r := l
		if m.channels == 2 {
			r = int16(binary.LittleEndian.Uint16(p[2:]))
		}
		a, b := float64(l), float64(r)
		m.left += a * a
		m.right += b * b
		m.cross += a * b
		m.power += max(a*a, b*b) // what is on one side only is heard all the same
		m.clip(0, l)
		if m.channels == 2 {
			m.clip(1, r)
		}
		m.frames++
		if m.inWindow++; m.inWindow == m.window {
			m.levels = append(m.levels, float32(decibels(m.power/float64(m.window))))
			m.power, m.inWindow = 0, 0
		}
	}
}

// clip counts the runs of samples at the limit.
func (m *soundMeter) clip(channel int, v int16) {
	if v < fullScale && v > -fullScale {
		m.runs[channel] = 0
		return
	}
	if m.runs[channel]++; m.runs[channel] != clippedRun {
		return
	}
	m.clips[channel]++
	now := thousandths(float64(m.frames) / float64(m.rate))
	if last := len(m.clipped) - 1; last >= 0 && now-m.clipped[last].To < clippedApart.Seconds() {
		m.clipped[last].To = now
	} else if len(m.clipped) < 20*mostPlaces {
		m.clipped = append(m.clipped, vod.Span{From: now, To: now})
	}
}

// decibels of a power of 16 bit samples.
func decibels(power float64) float64 {
	if power <= 0 {
		return nothing
	}
	return max(nothing, 10*math.Log10(power/(32768*32768)))
}

// sides returns the level of each side in dBFS.
func (m *soundMeter) sides() (left, right float64) {
	n := float64(max(1, m.frames))
	return decibels(m.left / n), decibels(m.right / n)
}

// Shares of a film's windows that tell its levels.
const (
	speechAt   = 0.9
	noiseAt    = 0.1
	opposedBy  = -0.9 // correlation of the sides
	audibleGap = 12.0 // dB under the voice at least where nothing is heard
)

// heard sums up.
func (m *soundMeter) heard() heard {
	left, right := m.sides()
	h := heard{
		Noise: nothing, Speech: nothing, Balance: left - right, Clips: max(m.clips[0], m.clips[1]), Clipped: longestFirst(m.clipped, mostPlaces),
		Opposed: m.channels == 2 && m.cross < opposedBy*math.Sqrt(m.left*m.right) && m.left > 0 && m.right > 0,
		Length:  time.Duration(float64(m.frames) / float64(m.rate) * float64(time.Second)),
	}
	var audible []float32
	for _, l := range m.levels {
		if l > nothingHeard {
			audible = append(audible, l)
		}
	}
	if len(audible) == 0 {
		h.Silent = m.below(math.Inf(1))
		return h
	}
	slices.Sort(audible)
	h.Speech = float64(audible[int(speechAt*float64(len(audible)-1))])
	h.Noise = float64(audible[int(noiseAt*float64(len(audible)-1))])
	if pauses, all := m.digital(); float64(pauses) >= noiseAt/2*float64(all) {
		h.Noise = nothingHeard
	}
	threshold := min(max(h.Speech-30, h.Noise+4), h.Speech-audibleGap)
	if h.Speech <= silenceBelow {
		threshold = math.Inf(1)
	}
	h.Silent = m.below(threshold)
	return h
}

// digital counts the windows of pauses in which there is nothing at all, and all windows, both without long silences.
func (m *soundMeter) digital() (pauses, all int) {
	run := 0
	for _, l := range m.levels {
		if l <= nothingHeard {
			run++
			continue
		}
		if time.Duration(run)*soundWindow < silenceFrom {
			pauses += run
			all += run
		}
		run = 0
		all++
	}
	return pauses, all
}

// below returns the stretches of at least silenceFrom in which no window is as loud as the threshold, clicks aside.
func (m *soundMeter) below(threshold float64) []vod.Span {
	step := soundWindow.Seconds()
	var spans []vod.Span
	for i := 0; i < len(m.levels); {
		if float64(m.levels[i]) >= threshold {
			i++
			continue
		}
		from := i
		for i < len(m.levels) && float64(m.levels[i]) < threshold {
			i++
		}
		if last := len(spans) - 1; last >= 0 && float64(from)*step-spans[last].To <= silenceBlip.Seconds()+step/2 {
			spans[last].To = float64(i) * step
		} else {
			spans = append(spans, vod.Span{From: float64(from) * step, To: float64(i) * step})
		}
	}
	spans = slices.DeleteFunc(spans, func(s vod.Span) bool { return s.To-s.From < silenceFrom.Seconds() })
	for i := range spans {
		spans[i] = vod.Span{From: thousandths(spans[i].From), To: thousandths(spans[i].To)}
	}
	return longestFirst(spans, mostPlaces)
}

// Thresholds of what is said about a track.
const (
	clipsWorthAWord = 10   // times …
	clipsAMinute    = 3.0  // … and so often
	noisyFrom       = 5.0  // dB between voice and noise: with less it is no voice between silences, but music or a machine
	noisyTo         = 12.0 // dB
	unbalancedFrom  = 6.0  // dB
	silentInside    = 10 * time.Second
	nearEdge        = 0.3 // s
)

// judgeHeard says what is wrong with the samples of a track. Silences in the
// middle are judged with the picture (judgeSeen): on a still slide they are worse than under a film clip.
func judgeHeard(name both, l level, channels int, t treatment) (found []vod.Finding) {
	h := l.heard
	if h == nil || l.Loudness <= silenceBelow {
		return nil
	}
	add := func(spans []vod.Span, code string, args ...any) {
		found = append(found, at(finding(code, args...), spans))
	}
	if h.Clips >= clipsWorthAWord && float64(h.Clips) >= clipsAMinute*h.Length.Minutes() {
		add(h.Clipped, "clipping", moments(h.Clipped), name, h.Clips)
	}
	if gap := h.Speech - h.Noise; gap >= noisyFrom && gap <= noisyTo && h.Length >= silenceFrom {
		add(nil, "noisy", name, oneDecimal(gap))
	}
	if channels == 2 && h.Opposed && t.Side != "" {
		add(nil, "out-of-phase", name)
	}
	if off := math.Abs(h.Balance); channels == 2 && off >= unbalancedFrom && t.Side == "" {
		side := both{"gauche", "left"}
		if h.Balance < 0 {
			side = both{"droit", "right"}
		}
		add(nil, "unbalanced", name, oneDecimal(off), side)
	}
	return found
}

// judgeEdges speaks of the silences at both ends of a film, by its first sound.
func judgeEdges(h *heard) (found []vod.Finding) {
	if h == nil || len(h.Silent) == 0 {
		return nil
	}
	if first := h.Silent[0]; first.From <= nearEdge && first.To < h.Length.Seconds()-nearEdge {
		found = append(found, at(finding("silent-start", span(asDuration(first.To))), []vod.Span{first}))
	}
	if last := h.Silent[len(h.Silent)-1]; last.From > nearEdge && last.To >= h.Length.Seconds()-nearEdge {
		found = append(found, at(finding("silent-end", span(asDuration(last.To-last.From))), []vod.Span{last}))
	}
	return found
}

// moments names places of a film in a sentence: "from 0:12 to 0:18, from 1:05 to 1:07, and 3 more".
func moments(spans []vod.Span) both {
	const named = 3
	var fr, en string
	for i, s := range spans {
		if i == named {
			fr += fmt.Sprintf(" et %d autres fois", len(spans)-named)
			en += fmt.Sprintf(" and %d more times", len(spans)-named)
			break
		}
		if i > 0 {
			fr, en = fr+", ", en+", "
		}
		if s.To-s.From < 1 {
			fr, en = fr+"à\u00a0"+timecode(s.From), en+"at\u00a0"+timecode(s.From)
			continue
		}
		fr += "de\u00a0" + timecode(s.From) + " à\u00a0" + timecode(s.To)
		en += "from\u00a0" + timecode(s.From) + " to\u00a0" + timecode(s.To)
	}
	return both{fr, en}
}

// timecode prints an instant of a film as players show it: 1:02:03, 12:34.
func timecode(seconds float64) string {
	s := int(seconds)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
