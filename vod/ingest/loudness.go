package ingest

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"reprise/vod"
)

// Loudness of everything that goes on air (rule R160; AES TD1008, EBU R 128 s2).
const (
	targetLoudness = -16.0 // LUFS, integrated
	peakLimit      = -3.0  // dBTP where the limiter holds peaks: what it cuts short, AAC swings over again
	peakFree       = -2.5  // dBTP up to which peaks need no limiter; -1.5 is promised
	mostGain       = 30.0  // dB; more would only make noise loud
	silenceBelow   = -60.0 // LUFS: nothing was said
	quietBelow     = -30.0
	oneSidedBy     = 25.0 // dB between the channels
)

// level is what was measured of a sound track.
type level struct {
	Loudness float64 `json:"loudness"` // LUFS, integrated; -inf is printed as -200
	Peak     float64 `json:"peak"`     // dBTP
	Left     float64 `json:"left"`     // dB RMS
	Right    float64 `json:"right"`

	heard *heard // of the samples as they came; nil when only the outcome of a treatment was measured
}

// treatment is what is done to a sound track, decided from its level.
type treatment struct {
	Gain  float64 `json:"gain"`  // dB
	Limit bool    `json:"limit"` // peaks would pass the limit
	Side  string  `json:"side"`  // "left" or "right": the only channel with sound; empty: both
	After float64 `json:"after"` // LUFS, integrated, of what comes out
}

// nothing is the level of silence, in dB.
const nothing = -200.0

// doubled is what the same sound from two sides is louder, in dB.
const doubled = 3.01

// treatSounds measures the sound tracks and decides what is done to each. The
// sound alone is decoded, once, and once more when a limiter has to act, since
// that takes loudness away.
func (g *Ingester) treatSounds(ctx context.Context, in *input, sounds []sound, progress func(float64)) ([]treatment, []level, error) {
	if len(sounds) == 0 {
		return nil, nil, nil
	}
	part := func(from, share float64) func(float64) {
		return func(done float64) { progress(from + share*done) }
	}
	levels, err := g.measure(ctx, in, sounds, nil, part(0, 0.6))
	if err != nil {
		return nil, nil, err
	}
	treatments := make([]treatment, len(sounds))
	again := false
	for i, l := range levels {
		treatments[i] = treat(l, sounds[i].track.Channels)
		again = again || treatments[i].Limit
	}
	// A limiter takes a little loudness, one side played on both gives some: measure what comes out and correct.
	for turn := range 2 {
		if !again {
			break
		}
		after, err := g.measure(ctx, in, sounds, treatments, part(0.6+0.2*float64(turn), 0.2))
		if err != nil {
			return nil, nil, err
		}
		again = false
		for i, l := range after {
			short := targetLoudness - l.Loudness
			treatments[i].After = l.Loudness
			if !treatments[i].Limit || l.Loudness <= silenceBelow || math.Abs(short) < 0.4 {
				continue
			}
			gain := min(treatments[i].Gain+short, mostGain)
			treatments[i].After += gain - treatments[i].Gain
			treatments[i].Gain = gain
			again = again || math.Abs(short) > 1.5
		}
	}
	progress(1)
	return treatments, levels, nil
}

// treat decides from a first measurement. Near-silence is left as it is: it would become noise.
func treat(l level, channels int) treatment {
	t := treatment{After: l.Loudness}
	if channels == 2 && l.Loudness > silenceBelow {
		switch {
		case l.Left-l.Right > oneSidedBy:
			t.Side = "left"
		case l.Right-l.Left > oneSidedBy:
			t.Side = "right"
		case l.opposed():
			t.Side = "left" // both together would be silence on a telephone
		}
	}
	if l.Loudness <= silenceBelow {
		return t
	}
	t.Gain = targetLoudness - l.Loudness
	if t.Side != "" && !l.opposed() {
		t.Gain -= doubled
		t.After += doubled
	}
	t.Gain = min(t.Gain, mostGain)
	t.After += t.Gain
	t.Limit = l.Peak+t.Gain > peakFree
	return t
}

func (l *level) opposed() bool { return l.heard != nil && l.heard.Opposed }

// judgeLevels says what is wrong with how loud the sound is.
func judgeLevels(sounds []sound, levels []level, treatments []treatment) (found []vod.Finding) {
	for i, l := range levels {
		name := of(sounds[i], sounds)
		if l.Loudness <= silenceBelow {
			found = append(found, finding("silent", name))
			continue
		}
		if treatments[i].Side != "" && !l.opposed() {
			found = append(found, finding("one-sided", name))
		}
		found = append(found, judgeHeard(name, l, sounds[i].track.Channels, treatments[i])...)
		wanted := targetLoudness - l.Loudness
		switch {
		case wanted > mostGain+1:
			found = append(found, finding("very-quiet", name, oneDecimal(l.Loudness), int(mostGain)))
		case l.Loudness < quietBelow:
			found = append(found, finding("quiet", name, oneDecimal(l.Loudness)))
		}
	}
	if len(levels) > 0 && levels[0].Loudness > silenceBelow {
		found = append(found, judgeEdges(levels[0].heard)...)
	}
	return found
}

func oneDecimal(f float64) both {
	text := strconv.FormatFloat(f, 'f', 1, 64)
	return both{fr: strings.Replace(strings.Replace(text, ".", ",", 1), "-", "−", 1), en: strings.Replace(text, "-", "−", 1)}
}

// measure decodes the sound tracks and measures them as they would be
// played: as two channels, after what treatments do. With no treatments (nil)
// it also listens to the samples as they are in the source.
func (g *Ingester) measure(ctx context.Context, in *input, sounds []sound, treatments []treatment, progress func(float64)) ([]level, error) {
	args := append([]string{"-nostdin", "-hide_banner", "-loglevel", "level+info", "-nostats", "-progress", "pipe:1"}, reading(g.cfg.Threads)...)
	args = append(args, "-vn", "-sn", "-dn", "-itsoffset", "0.000001", "-i", film) // an offset: see Probe.opening
	levels := make([]level, len(sounds))
	var meters []*soundMeter
	var sinks []io.Writer
	var outputs []string
	var length time.Duration
	for i, s := range sounds {
		levels[i] = level{Loudness: nothing, Peak: nothing, Left: nothing, Right: nothing}
		length = max(length, s.track.End)
		outputs = append(outputs, "-map", fmt.Sprintf("[m%d]", i), "-f", "null", "-")
		if treatments != nil {
			args = append(args, "-filter_complex", fmt.Sprintf("[0:%d]%s,ebur128@m%d=framelog=verbose:peak=true,astats@s%d=measure_perchannel=RMS_level:measure_overall=none[m%d]",
				s.track.Index, soundChain(s.track, treatments[i]), i, i, i))
			continue
		}
		args = append(args, "-filter_complex", fmt.Sprintf("[0:%d]asplit=2[c%d][t%d];[c%d]%s,ebur128@m%d=framelog=verbose:peak=true[m%d];[t%d]%s[p%d]",
			s.track.Index, i, i, i, soundChain(s.track, treatment{}), i, i, i, tapChain(s.track), i))
		outputs = append(outputs, "-map", fmt.Sprintf("[p%d]", i), "-f", "s16le", sinkName(1, i))
		meters = append(meters, newSoundMeter(s.track.SampleRate, s.track.Channels))
		sinks = append(sinks, meters[i])
	}
	reader := levelReader{levels: levels}
	err := g.listen(ctx, child{
		path: g.cfg.FFmpeg, args: append(args, outputs...), files: []*os.File{in.file},
		timeout: g.cfg.EncodeTimeout + 2*length, line: reader.line, stdout: progressLines(length, progress),
	}, sinks...)
	if err != nil {
		return nil, fmt.Errorf("measure sound: %w", err)
	}
	for i := range levels {
		if treatments == nil {
			h := meters[i].heard()
			levels[i].heard = &h
			levels[i].Left, levels[i].Right = meters[i].sides()
		}
		// Integrated loudness needs 0.4 s of sound; of less, power must do.
		if loudest := max(levels[i].Left, levels[i].Right); levels[i].Loudness <= silenceBelow && loudest > silenceBelow {
			levels[i].Loudness = loudest + doubled
		}
	}
	return levels, nil
}

// levelReader picks the summaries of ebur128 and astats out of ffmpeg's log.
type levelReader struct {
	levels  []level
	current int
	channel int
}

func (r *levelReader) line(text string) {
	if i, ok := instance(text, "[ebur128@m"); ok && i < len(r.levels) {
		r.current = i
	}
	if i, ok := instance(text, "[astats@s"); ok && i < len(r.levels) {
		r.current = i
		if _, n, ok := strings.Cut(text, "Channel: "); ok {
			r.channel = int(number(strings.TrimSpace(n)))
		}
	}
	if r.current >= len(r.levels) {
		return
	}
	l := &r.levels[r.current]
	label, value, ok := strings.Cut(strings.TrimSpace(afterTags(text)), ":")
	if !ok {
		return
	}
	fields := strings.Fields(value)
	if len(fields) == 0 {
		return
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return // silence: stays nothing
	}
	switch label {
	case "I":
		l.Loudness = max(n, nothing)
	case "Peak":
		l.Peak = n
	case "RMS level dB":
		if r.channel == 1 {
			l.Left = n
		} else {
			l.Right = n
		}
	}
}

// instance reads the number of a filter's instance from a log line's tag.
func instance(text, tag string) (int, bool) {
	_, rest, ok := strings.Cut(text, tag)
	if !ok {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0
}

// afterTags drops the "[filter @ 0x…] [info] " in front of a log line.
func afterTags(text string) string {
	for strings.HasPrefix(text, "[") {
		_, rest, ok := strings.Cut(text, "] ")
		if !ok {
			return text
		}
		text = rest
	}
	return text
}

// soundChain is the filter chain from a decoded track to what is encoded: from
// film time 0 at 48 kHz, gaps filled, in two channels, at the wanted loudness.
// Gaps are filled where they are from 30 ms on, before voice and lips part; less
// is what containers round. Stretching (async over 1) is no way: where an edit
// list overlaps two packets, ffmpeg 5.1 answers it with a second of silence.
// A mono sound is doubled before it is measured, and not at the 3 dB less that
// a mixer would give it. The limiter works at 192 kHz, where true peaks are samples.
func soundChain(a *AudioTrack, t treatment) string {
	chain := "aresample=48000:async=1:min_hard_comp=0.03:first_pts=0"
	switch {
	case a.Channels == 1:
		chain += ",pan=stereo|c0=c0|c1=c0"
	case a.Channels == 2 && t.Side == "left":
		chain += ",pan=stereo|c0=c0|c1=c0"
	case a.Channels == 2 && t.Side == "right":
		chain += ",pan=stereo|c0=c1|c1=c1"
	default:
		chain += ",aformat=channel_layouts=stereo"
	}
	if t.Gain != 0 {
		chain += fmt.Sprintf(",volume=%.2fdB:precision=double", t.Gain)
	}
	if t.Limit {
		chain += fmt.Sprintf(",aresample=192000,alimiter=limit=%.4f:level=false:latency=true:attack=5:release=60,aresample=48000",
			math.Pow(10, peakLimit/20))
	}
	return chain
}
