package ingest

import (
	"fmt"
	"time"

	"reprise/stream/timeline"
	"reprise/vod"
)

// Chapters that are suggested.
const (
	chapterLeast = time.Minute // between two of them
	mostChapters = 12
)

// SuggestChapters suggests chapters of a film of slides, for people to name:
// each begins with a slide, and they are about equally long, at least a minute
// each and at most twelve. language is that of their titles ("Partie 2", "Part
// 2"). A film without slides, or a short one, has none.
func SuggestChapters(r vod.Report, language string) []vod.Chapter {
	if r.Picture == nil || len(r.Picture.Slides) < 2 {
		return nil
	}
	step := max(chapterLeast.Seconds(), r.Duration/mostChapters)
	word := "Part"
	if baseLanguage(language) == "fr" {
		word = "Partie"
	}
	var chapters []vod.Chapter
	last := 0.0
	for i, slide := range r.Picture.Slides {
		if i > 0 && (slide.From-last < step || r.Duration-slide.From < step/2) {
			continue
		}
		last = slide.From
		chapters = append(chapters, vod.Chapter{Start: timeline.TicksOf(asDuration(slide.From)), Title: fmt.Sprintf("%s\u00a0%d", word, len(chapters)+1)})
	}
	if len(chapters) < 2 {
		return nil
	}
	return chapters
}
