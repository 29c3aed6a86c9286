package ingest

import (
	"math"
	"time"

	"reprise/vod"
)

// Thresholds of what is said about what was seen and heard together.
const (
	deadFrom      = 5 * time.Second  // a still picture and silence in the middle; shorter ones are pauses of speech
	stillFilmFrom = 30 * time.Second // a film that never moves
	wholeFilm     = 0.98             // share
)

// judgeSeen says what is wrong with the picture, and with the silences in the
// middle of the sounds. levels are those of sounds, in order.
func judgeSeen(v *VideoTrack, s *seen, sounds []sound, levels []level) (found []vod.Finding) {
	var first *heard
	if len(levels) > 0 && levels[0].Loudness > silenceBelow {
		first = levels[0].heard
	}
	dead := inside(deadAir(s, first), s.Length, deadFrom)
	found = judgeBlack(s)
	if len(dead) > 0 {
		found = append(found, at(finding("frozen-picture", moments(dead)), dead))
	}
	if len(s.Frozen) > 0 {
		found = append(found, at(finding("frozen-camera", moments(s.Frozen)), s.Frozen))
	}
	for i, l := range levels {
		if l.heard == nil || l.Loudness <= silenceBelow {
			continue
		}
		var silent []vod.Span
		for _, span := range inside(l.heard.Silent, l.heard.Length.Seconds(), silentInside) {
			if i > 0 || shared([]vod.Span{span}, dead) < (span.To-span.From)/2 { // said already
				silent = append(silent, span)
			}
		}
		if len(silent) > 0 {
			found = append(found, at(finding("silent-middle", moments(silent), of(sounds[i], sounds)), silent))
		}
	}
	return append(found, judgeText(v, s)...)
}

func judgeBlack(s *seen) []vod.Finding {
	all := []vod.Span{{From: 0, To: s.Length}}
	switch {
	case len(s.Black) > 0 && shared(s.Black, all) >= wholeFilm*s.Length:
		return []vod.Finding{at(finding("all-black"), s.Black)}
	case len(s.Black) > 0:
		return []vod.Finding{at(finding("black-picture", moments(s.Black)), s.Black)}
	case len(s.Still) == 1 && shared(s.Still, all) >= wholeFilm*s.Length && s.Length >= stillFilmFrom.Seconds():
		return []vod.Finding{finding("still-film")}
	}
	return nil
}

// judgeText says whether text can be read.
func judgeText(v *VideoTrack, s *seen) (found []vod.Finding) {
	width, height := v.Shape()
	if s.Sharpness > 0 && s.Sharpness < sharpEdge/blurredEdge && min(width, height) >= 480 {
		share := func(side int) int { return int(math.Round(float64(side)*s.Sharpness/10) * 10) }
		found = append(found, finding("blurred-picture", width, height, share(width), share(height)))
	}
	if len(s.Small) > 0 {
		found = append(found, at(finding("small-text", moments(s.Small), int(s.Letters)), s.Small))
	}
	return found
}

// deadAir returns the stretches of at least stillFrom in which the picture
// stands still, without being black, and nothing is heard: a slide that stands
// still while somebody speaks is a slide. Of a film without a sound, none.
func deadAir(s *seen, h *heard) (spans []vod.Span) {
	if h == nil {
		return nil
	}
	for _, still := range s.Still {
		for _, silent := range h.Silent {
			both := vod.Span{From: max(still.From, silent.From), To: min(still.To, silent.To)}
			if length := both.To - both.From; length >= stillFrom.Seconds() && shared([]vod.Span{both}, s.Black) < length/2 {
				spans = append(spans, both)
			}
		}
	}
	return spans
}

// inside keeps the stretches of at least least that touch neither end of the film.
func inside(spans []vod.Span, length float64, least time.Duration) (kept []vod.Span) {
	for _, s := range spans {
		if s.From > nearEdge && s.To < length-nearEdge && s.To-s.From >= least.Seconds() {
			kept = append(kept, s)
		}
	}
	return kept
}

// shared returns how many seconds two lists of stretches have in common.
func shared(a, b []vod.Span) (sum float64) {
	for _, x := range a {
		for _, y := range b {
			sum += max(0, min(x.To, y.To)-max(x.From, y.From))
		}
	}
	return sum
}
