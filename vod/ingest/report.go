package ingest

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"reprise/vod"
)

// at gives a finding its time codes; of many, the longest.
func at(f vod.Finding, spans []vod.Span) vod.Finding {
	const most = 50
	f.Spans = longestFirst(spans, most)
	return f
}

// report says what is known of the source by now. complete: what decoding the
// whole film showed is among it.
func (w *work) report(complete bool) vod.Report {
	r := vod.Report{
		Source: w.asset.Source.ID, Asset: w.asset.ID, Made: w.g.now().UTC(), Complete: complete,
		Verdict: verdictOf(w.findings), Findings: append([]vod.Finding{}, w.findings...),
		Sounds: []vod.Sound{}, Captions: []string{},
	}
	p := w.probe
	if p == nil {
		return r
	}
	r.Duration, r.Format, r.Chapters = thousandths(p.end().Seconds()), formatName(p.Format, w.asset.Source.Name), len(p.Chapters)
	s := readSeen(w.run.dir)
	if w.run.Recipe != nil {
		r.Errors = w.run.Recipe.Errors
	}
	sounds := chooseSounds(p, w.asset.Source)
	for i := range sounds {
		var l *level
		if i < len(w.levels) {
			l = &w.levels[i]
		}
		r.Sounds = append(r.Sounds, reportSound(p, sounds[i], l))
	}
	if len(p.Video) > 0 {
		r.Picture = reportPicture(&p.Video[0], s)
		if s != nil && len(w.levels) > 0 {
			r.Picture.Frozen = longestFirst(append(append(r.Picture.Frozen, deadAir(s, w.levels[0].heard)...), s.Frozen...), mostPlaces)
		}
	}
	r.Captions = captionLanguages(w.asset, p)
	return r
}

func reportPicture(v *VideoTrack, s *seen) *vod.Picture {
	width, height := v.Shape()
	picture := &vod.Picture{
		Codec: codecWords(v.Codec), Width: width, Height: height, Rate: thousandths(v.Rate.Float()), Constant: v.Constant,
		Interlaced: v.Interlaced, Rotation: v.Rotation, Aspect: fmt.Sprintf("%d:%d", v.Aspect[0], v.Aspect[1]), Depth: v.Depth, HDR: v.HDR,
		Black: []vod.Span{}, Frozen: []vod.Span{}, Slides: []vod.Span{},
	}
	if length := (v.End - v.First).Seconds(); length > 0 {
		picture.BitRate = int64(float64(v.Bytes*8) / length)
	}
	if s != nil {
		picture.Black, picture.Slides = append(picture.Black, s.Black...), append(picture.Slides, s.Slides...)
		picture.Sharpness = s.Sharpness
	}
	return picture
}

func reportSound(p *Probe, s sound, l *level) vod.Sound {
	sound := vod.Sound{
		Language: s.language, Codec: codecWords(s.track.Codec), Channels: s.track.Channels, Rate: s.track.SampleRate,
		Clipped: []vod.Span{}, Silent: []vod.Span{}, Offsets: []vod.Offset{},
	}
	if len(p.Video) > 0 {
		sound.Offsets = offsets(&p.Video[0], s.track)
	}
	if l == nil || l.heard == nil {
		return sound
	}
	tenth := func(f float64) float64 { return math.Round(max(f, nothingHeard)*10)/10 + 0 }
	sound.Loudness, sound.Peak, sound.Noise, sound.Balance = tenth(l.Loudness), tenth(l.Peak), tenth(l.heard.Noise), tenth(l.heard.Balance)
	sound.Clipped, sound.Silent = append(sound.Clipped, l.heard.Clipped...), append(sound.Silent, l.heard.Silent...)
	return sound
}

// captionLanguages lists the languages of the captions that a film comes with, in it, beside it or given later.
func captionLanguages(a vod.Asset, p *Probe) []string {
	languages := []string{}
	add := func(language string) {
		if language = baseLanguage(normalLanguage(language)); language != "" && !slices.Contains(languages, language) {
			languages = append(languages, language)
		}
	}
	for _, c := range a.Source.Captions {
		add(c.Language)
	}
	for i := range p.Text {
		if !p.Text[i].Bitmap {
			add(p.Text[i].Language)
		}
	}
	for _, c := range a.Extras.Captions {
		if c.Object == "" {
			languages = slices.DeleteFunc(languages, func(l string) bool { return l == baseLanguage(normalLanguage(c.Language)) })
			continue
		}
		add(c.Language)
	}
	return languages
}

// formatName names a container as people know it, by ffmpeg's name and the file's.
func formatName(format, file string) string {
	extension := strings.ToLower(filepath.Ext(file))
	switch first, _, _ := strings.Cut(format, ","); {
	case first == "mov" && (extension == ".mov" || extension == ".qt"):
		return "QuickTime"
	case first == "mov":
		return "MP4"
	case first == "matroska" && extension == ".webm":
		return "WebM"
	case formatNames[first] != "":
		return formatNames[first]
	default:
		return strings.ToUpper(first)
	}
}

var formatNames = map[string]string{
	"matroska": "Matroska", "mpegts": "MPEG-TS", "mpeg": "MPEG", "asf": "Windows Media", "flv": "Flash", "live_flv": "Flash",
	"ogg": "Ogg", "h264": "H.264", "hevc": "H.265",
}

// codecWords names a codec as people know it, by ffmpeg's name.
func codecWords(codec string) string {
	if strings.HasPrefix(codec, "pcm_") {
		return "PCM"
	}
	if name := codecNames[codec]; name != "" {
		return name
	}
	return strings.ToUpper(codec)
}

var codecNames = map[string]string{
	"h264": "H.264", "hevc": "H.265", "mpeg4": "MPEG-4", "mpeg2video": "MPEG-2", "mpeg1video": "MPEG-1", "prores": "ProRes", "dnxhd": "DNxHD",
	"dvvideo": "DV", "rawvideo": "RAW", "mjpeg": "Motion JPEG", "flv1": "Flash", "wmv3": "Windows Media", "theora": "Theora",
	"opus": "Opus", "vorbis": "Vorbis", "ac3": "AC-3", "eac3": "E-AC-3", "wmav2": "Windows Media",
}
