package ingest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"reprise/vod"
	"reprise/vod/cmaf"
)

// verdictOf sums findings up.
func verdictOf(findings []vod.Finding) vod.Verdict {
	verdict := vod.VerdictReady
	for _, f := range findings {
		if f.Fatal {
			return vod.VerdictRefused
		}
		verdict = vod.VerdictRemarks
	}
	return verdict
}

func refused(findings []vod.Finding) bool { return verdictOf(findings) == vod.VerdictRefused }

// limits are the parts of the configuration that a judgement depends on.
type limits struct {
	duration time.Duration
}

// Largest picture, in pixels a side, that is decoded: 8K and room for panoramas.
const largestSide = 8192

// judge says what is wrong with a source before anything but its first
// pictures was decoded. It is a pure function of the probe (table "Verdicts" of the HLS rules).
func judge(p *Probe, sounds []sound, l limits) []vod.Finding {
	if p.Size == 0 {
		return []vod.Finding{finding("empty-file")}
	}
	var found []vod.Finding
	add := func(f ...vod.Finding) { found = append(found, f...) }
	add(judgeContainer(p)...)
	if p.Format == "" {
		if len(found) == 0 {
			add(judgeUnreadable(p))
		}
		return found
	}
	if strings.HasSuffix(p.Format, "_pipe") || p.Format == "gif" || p.Format == "apng" || p.Magic == "image" {
		return []vod.Finding{finding("not-film-image")}
	}
	if refused(found) {
		return found
	}
	if len(p.Video) == 0 && len(p.Audio) == 0 {
		return []vod.Finding{judgeUnreadable(p)}
	}
	missing := judgeLength(p)
	add(missing...)
	add(judgePicture(p, refused(missing), l)...)
	add(judgeSound(p, sounds)...)
	for _, t := range p.Text {
		if t.Bitmap {
			add(finding("captions-ignored"))
			break
		}
	}
	return found
}

// judgeContainer says what the boxes of an MP4 file tell, readable or not.
func judgeContainer(p *Probe) (found []vod.Finding) {
	if p.Movie == nil {
		return nil
	}
	encrypted := false
	for _, t := range p.Movie.Tracks {
		encrypted = encrypted || t.Encrypted
		if p.Format == "" && t.Kind == cmaf.Audio {
			if name := unsupportedCodec(t.FourCC, t.Codec); name != "" {
				found = append(found, finding("sound-codec-unsupported", name))
			}
		}
		if p.Format == "" && t.Kind == cmaf.Video {
			if name := unsupportedCodec(t.FourCC, t.Codec); name != "" {
				found = append(found, finding("picture-codec-unsupported", name))
			}
		}
	}
	if encrypted {
		return []vod.Finding{finding("encrypted")}
	}
	return found
}

// judgeUnreadable says why nothing could be opened, by the best evidence there is.
func judgeUnreadable(p *Probe) vod.Finding {
	switch {
	case p.Magic == "image":
		return finding("not-film-image")
	case p.Magic == "document":
		return finding("not-film-document")
	case p.Magic == "text":
		return finding("not-film-text")
	case p.Movie != nil && p.Format == "":
		return finding("index-damaged")
	case p.Magic == "mp4" && p.fragments:
		return finding("fragments-without-index")
	case errors.Is(p.MovieErr, cmaf.ErrNoMovie):
		return finding("index-missing")
	case p.Magic == "mp4":
		return finding("index-damaged")
	}
	return finding("not-media")
}

// unsupportedCodec names a codec that ffmpeg cannot decode, by its four
// characters and its RFC 6381 string; "" for those it can.
func unsupportedCodec(tag, codec string) string {
	switch strings.ToLower(tag) {
	case "ac-4":
		return "Dolby AC-4"
	case "iamf":
		return "IAMF"
	case "apac":
		return "Apple APAC"
	case "mha1", "mhm1", "mha2", "mhm2":
		return "MPEG-H 3D Audio"
	case "vvc1", "vvi1", "vvcn":
		return "VVC (H.266)"
	case "evc1", "evs1":
		return "EVC"
	case "lvc1":
		return "LCEVC"
	}
	if codec == "mp4a.40.42" {
		return "xHE-AAC (USAC)"
	}
	return ""
}

// codecName names what a track holds for people, when ffmpeg has no name for it.
func codecName(t *Track) string {
	if name := unsupportedCodec(t.Tag, ""); name != "" {
		return name
	}
	if tag := cleanText(t.Tag); tag != "" && !strings.HasPrefix(tag, "[") {
		return "« " + tag + " »"
	}
	return "?"
}

// Missing ends up to both of these are a remark, longer ones a refusal.
const (
	missingTime  = 2 * time.Second
	missingShare = 0.05
)

// judgeLength compares what the header promises with what is there.
func judgeLength(p *Probe) []vod.Finding {
	promised, there := p.promised()
	lost := promised - there
	damaged, pastEnd := false, false
	if p.Movie != nil {
		for _, fault := range p.Movie.Faults {
			pastEnd = pastEnd || errors.Is(fault.Err, cmaf.ErrMediaPastEnd) || errors.Is(fault.Err, cmaf.ErrTruncated) || errors.Is(fault.Err, cmaf.ErrSampleRange)
			damaged = damaged || errors.Is(fault.Err, cmaf.ErrTables)
		}
	}
	switch {
	case lost > 100*time.Millisecond && (lost > missingTime || float64(lost) > missingShare*float64(promised)):
		return []vod.Finding{at(finding("truncated", span(promised), span(there)), []vod.Span{spanOf(there, promised)})}
	case lost > 100*time.Millisecond:
		return []vod.Finding{at(finding("end-missing", span(promised), span(there)), []vod.Span{spanOf(there, promised)})}
	case damaged && len(p.Video) > 0 && p.Video[0].Shown == 0:
		return []vod.Finding{finding("index-damaged")}
	case pastEnd && p.Movie.Fragmented:
		return []vod.Finding{finding("stopped-recording")}
	case pastEnd:
		return []vod.Finding{finding("size-field-wrong")}
	}
	return nil
}

// promised returns the length that the header announces and how much of it is
// in the file, of the track that lost most. Fragmented files announce nothing reliable.
func (p *Probe) promised() (promised, there time.Duration) {
	if p.Movie != nil && p.Movie.Fragmented {
		return 0, 0
	}
	worse := func(says, has time.Duration) {
		if says > 0 && says-has > promised-there {
			promised, there = says, has
		}
	}
	counted := strings.HasPrefix(p.Format, "mov") || strings.HasPrefix(p.Format, "avi")
	if len(p.Video) > 0 && counted {
		if v := &p.Video[0]; v.Frames > 0 && v.Declared > 0 {
			worse(v.Declared, time.Duration(float64(v.Declared)*min(1, float64(v.All)/float64(v.Frames))))
		}
	}
	if strings.HasPrefix(p.Format, "mov") {
		for i := range p.Audio {
			worse(p.Audio[i].Declared, p.Audio[i].SumAll)
		}
		return promised, there
	}
	if promised == 0 && p.Declared > 0 {
		says := p.Declared
		if says > p.Start && p.Start > 0 { // Matroska's lengths count from 0, where the film need not begin
			says -= p.Start
		}
		worse(says, p.end()-p.Offset)
	}
	return promised, there
}

// end returns when the last picture or sound ends, from film time 0.
func (p *Probe) end() time.Duration {
	var end time.Duration
	for i := range p.Video {
		end = max(end, p.Video[i].End)
	}
	for i := range p.Audio {
		end = max(end, p.Audio[i].End)
	}
	return end
}

// judgePicture says what is wrong with the picture and what is done about it.
func judgePicture(p *Probe, lost bool, l limits) (found []vod.Finding) {
	add := func(code string, args ...any) { found = append(found, finding(code, args...)) }
	if len(p.Video) == 0 {
		add("no-picture")
		if p.end() > l.duration {
			add("too-long", span(p.end()), span(l.duration))
		}
		if p.end() < time.Second && !lost {
			add("very-short", span(p.end()))
		}
		return found
	}
	v := &p.Video[0]
	width, height := v.Shape()
	switch {
	case v.Codec == "":
		add("picture-codec-unsupported", codecName(&v.Track))
	case v.DolbyProfile == 5:
		add("dolby-vision-only")
	case v.Width > largestSide || v.Height > largestSide:
		add("too-large", v.Width, v.Height)
	case v.Count == 0 && !lost:
		add("zero-length")
	case (v.Shown == 0 || v.Width == 0 || v.Height == 0 || v.PixelFormat == "") && !lost:
		add("undecodable")
	case p.end() > l.duration:
		add("too-long", span(p.end()), span(l.duration))
	}
	if refused(found) || lost {
		return found
	}
	if len(p.Video) > 1 {
		add("several-pictures", len(p.Video))
	}
	found = append(found, judgeRate(v)...)
	for _, test := range []struct {
		is   bool
		code string
		args []any
	}{
		{v.Rotation != 0, "rotated", []any{v.Rotation}},
		{v.HDR, "hdr-converted", nil},
		{v.Depth > 8 && !v.HDR, "ten-bit", []any{v.Depth}},
		{v.Interlaced, "interlaced", nil},
		{v.Aspect[0] != v.Aspect[1], "anamorphic", nil},
		{height > width, "portrait", nil},
		{min(width, height) < 480, "low-resolution", []any{width, height}},
		{p.end() < time.Second, "very-short", []any{span(p.end())}},
	} {
		if test.is {
			add(test.code, test.args...)
		}
	}
	return found
}

// judgeRate speaks of the frame rate: variable, or far from what is made of it.
func judgeRate(v *VideoTrack) []vod.Finding {
	made := gridFor(v.Rate.Float(), v.Constant).fps
	if !v.Constant {
		return []vod.Finding{finding("variable-frame-rate", made)}
	}
	// The family rates (23.976 to 60) are ordinary; only what is visibly changed is worth a word.
	if rate := v.Rate.Float(); v.Count > 1 && (rate < 23.9 || rate > 60.5 || math.Abs(rate-float64(made)) > 1.1) {
		return []vod.Finding{finding("frame-rate-converted", decimal(rate), made)}
	}
	return nil
}

// judgeSound says what is wrong with the sound tracks and what is done about it.
func judgeSound(p *Probe, sounds []sound) (found []vod.Finding) {
	add := func(code string, args ...any) { found = append(found, finding(code, args...)) }
	covered := map[string]bool{}
	for _, s := range sounds {
		covered[s.language] = true
	}
	for i := range p.Audio {
		// A track that cannot be decoded is a loss unless another one has its language (Apple adds APAC beside AAC).
		if a := &p.Audio[i]; a.Codec == "" || a.SampleRate == 0 && a.Channels == 0 {
			if len(sounds) == 0 || a.Language != "" && !covered[a.Language] {
				add("sound-codec-unsupported", codecName(&a.Track))
			} else {
				add("sound-track-ignored", codecName(&a.Track))
			}
		}
	}
	if refused(found) {
		return found
	}
	if len(sounds) == 0 {
		switch {
		case len(p.Video) == 0:
			add("sound-undecodable")
		case len(found) == 0:
			add("no-sound")
		}
		return found
	}
	found = append(found, judgeLanguages(p, sounds)...)
	for _, s := range sounds {
		if len(p.Video) > 0 {
			found = append(found, judgeTogether(&p.Video[0], s, of(s, sounds))...)
		}
		found = append(found, judgeTrack(s, of(s, sounds))...)
	}
	shortest, longest := time.Duration(math.MaxInt64), time.Duration(0)
	for _, s := range sounds {
		shortest, longest = min(shortest, s.track.End), max(longest, s.track.End)
	}
	if len(sounds) > 1 && longest-shortest > time.Second {
		add("lengths-differ", span(longest-shortest))
	}
	return found
}

// judgeLanguages says which tracks nobody will hear, and which nobody can choose.
func judgeLanguages(p *Probe, sounds []sound) (found []vod.Finding) {
	used := map[int]bool{}
	for _, s := range sounds {
		used[s.track.Index] = true
		// A single track without a language is the talk's own sound: the programme names it.
		if s.language == undetermined && len(p.Audio) > 1 {
			found = append(found, finding("language-missing"))
		}
	}
	untold := 0
	for i := range p.Audio {
		a := &p.Audio[i]
		switch {
		case used[a.Index] || a.Codec == "":
		case a.Language == "":
			untold++
		default:
			found = append(found, finding("sound-track-ignored", a.Language))
		}
	}
	if untold > 0 {
		found = append(found, finding("languages-unknown", untold+len(sounds)))
	}
	return found
}

// judgeTogether speaks of where one sound track begins and ends beside the picture.
func judgeTogether(v *VideoTrack, s sound, name both) (found []vod.Finding) {
	a := s.track
	for _, test := range []struct {
		apart    time.Duration
		least    time.Duration
		code     string
		args     []any
		from, to time.Duration
	}{
		{a.First - v.First, 150 * time.Millisecond, "sound-late", []any{name, span(a.First - v.First)}, v.First, a.First},
		{v.First - a.First, 150 * time.Millisecond, "picture-late", []any{span(v.First - a.First)}, a.First, v.First},
		{v.End - a.End, time.Second, "sound-shorter", []any{name, span(v.End - a.End)}, a.End, v.End},
		{a.End - v.End, time.Second, "sound-longer", []any{name, span(a.End - v.End)}, v.End, a.End},
	} {
		if test.apart > test.least {
			found = append(found, at(finding(test.code, test.args...), []vod.Span{spanOf(test.from, test.to)}))
		}
	}
	return found
}

// judgeTrack speaks of one sound track by itself.
func judgeTrack(s sound, name both) (found []vod.Finding) {
	a := s.track
	for _, test := range []struct {
		is   bool
		code string
		args []any
	}{
		{a.Channels == 1, "mono", []any{name}},
		{a.Channels > 2, "surround", []any{name, a.Channels}},
		{a.SampleRate > 0 && a.SampleRate < 32000 && a.Codec != "opus", "dull-sound", []any{name, a.SampleRate}},
		{a.Codec == "aac" && strings.HasPrefix(a.Profile, "HE-AAC"), "low-rate-sound", []any{name, a.Profile}},
	} {
		if test.is {
			found = append(found, finding(test.code, test.args...))
		}
	}
	return append(found, judgeClock(a, name)...)
}

// of names a sound track in a sentence, when there is more than one to name.
func of(s sound, all []sound) both {
	if len(all) < 2 {
		return both{}
	}
	return both{fr: "\u00a0(" + s.language + ")", en: " (" + s.language + ")"}
}

// span prints a length for people: 0,3 s would need a comma, so tenths only below 10 s.
func span(d time.Duration) both {
	if d < 0 {
		d = 0
	}
	switch {
	case d < 10*time.Second:
		return both{fr: strings.Replace(decimal(d.Seconds()).fr, ".", ",", 1) + "\u00a0s", en: decimal(d.Seconds()).en + "\u00a0s"}
	case d < time.Minute:
		return same(fmt.Sprintf("%d\u00a0s", int(d.Seconds())))
	case d < time.Hour:
		return same(fmt.Sprintf("%d\u00a0min\u00a0%02d\u00a0s", int(d.Minutes()), int(d.Seconds())%60))
	}
	return same(fmt.Sprintf("%d\u00a0h\u00a0%02d\u00a0min", int(d.Hours()), int(d.Minutes())%60))
}

func same(s string) both { return both{fr: s, en: s} }

// decimal prints a number with at most two decimals, with a comma in French.
func decimal(f float64) both {
	text := strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
	return both{fr: strings.Replace(text, ".", ",", 1), en: text}
}
