package ingest

import (
	"context"
	"math"
	"strings"
	"time"

	"reprise/vod/cmaf"
)

// planCopies takes out of a recipe what the source has already as it must be:
// the top rung, and sounds. Everything must fit, or nothing is copied; in doubt it is re-encoded.
func planCopies(ctx context.Context, p *Probe, r *recipe, levels map[int]level) {
	if p.Movie == nil || p.Movie.Hybrid || p.Offset.Abs() > time.Millisecond || len(r.Rungs) < 2 { // thumbnails are made of a rung that we encoded
		return
	}
	for _, fault := range p.Movie.Faults {
		if fault.Track < 0 {
			return
		}
	}
	plan := r.plan()
	if !r.Still && pictureFits(p, &p.Video[0], rungNamed(r.Rungs[0]), gridOf(r.FPS)) &&
		p.Movie.Fits(ctx, []cmaf.Job{{Track: p.Video[0].Index, Plan: plan}}) == nil {
		r.CopyRung, r.Rungs = r.Rungs[0], r.Rungs[1:]
	}
	for i := range r.Sounds {
		s := &r.Sounds[i]
		l, measured := levels[s.Stream]
		s.Copy = measured && soundFits(p, s, l) && p.Movie.Fits(ctx, []cmaf.Job{{Track: s.Stream, Plan: plan}}) == nil
	}
}

// movieTrack returns the movie's track of an ffmpeg stream, nil when the two do not agree about it.
func movieTrack(p *Probe, index int, kind cmaf.Kind) *cmaf.Track {
	if index < 0 || index >= len(p.Movie.Tracks) || p.Movie.Tracks[index].Kind != kind {
		return nil
	}
	return p.Movie.Tracks[index]
}

// pictureFits tells whether the picture can be the rung without a change.
func pictureFits(p *Probe, v *VideoTrack, top rung, g grid) bool {
	t := movieTrack(p, v.Index, cmaf.Video)
	if t == nil {
		return false
	}
	frame := float64(t.MinFrame) / float64(max(1, t.TimeScale)) * 48000
	colour := func(name string) bool { return name == "" || name == "bt709" }
	switch {
	case v.Codec != "h264" || t.FourCC != "avc1" || v.PixelFormat != "yuv420p":
	case v.Field != "progressive" || v.Interlaced || t.MaybeInterlaced:
	case v.Width != top.width || v.Height != top.height || v.Aspect[0] != v.Aspect[1]:
	case v.Rotation != 0 || t.Rotation != 0 || t.Mirrored || t.DolbyVision || v.HDR || v.FullRange:
	case !colour(v.Transfer) || !colour(v.Primaries) || !colour(v.Matrix):
	case !t.ConstantRate() || frame != float64(g.frame):
	case !profileFits(t.Codec):
	case v.peak() > top.rate || v.First > time.Millisecond:
	default:
		return true
	}
	return false
}

// profileFits tells whether an avc1.PPCCLL is Baseline, Main or High up to level 4.2.
func profileFits(codec string) bool {
	digits, ok := strings.CutPrefix(codec, "avc1.")
	if !ok || len(digits) != 6 {
		return false
	}
	switch strings.ToLower(digits[:2]) {
	case "42", "4d", "64":
		return strings.ToLower(digits[4:]) <= "2a"
	}
	return false
}

// soundFits tells whether a sound can be the 128k rendition without a change.
func soundFits(p *Probe, s *soundPlan, l level) bool {
	t := movieTrack(p, s.Stream, cmaf.Audio)
	if t == nil || t.Codec != "mp4a.40.2" || t.SBR || t.SampleRate != 48000 || t.Channels != 2 || s.Treatment.Side != "" {
		return false
	}
	seconds := t.Duration().Seconds()
	kilobits := float64(t.Bytes) * 8 / 1000 / max(seconds, 0.1)
	return math.Abs(l.Loudness-targetLoudness) <= 1 && l.Peak <= -1.5 && kilobits <= 160
}
