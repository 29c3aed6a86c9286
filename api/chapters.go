package api

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"reprise/stream/timeline"
	"reprise/vod"
)

const (
	mostChapters    = 500
	longestTitle    = 200       // characters
	shortestChapter = 20.0      // seconds: of a suggestion; a slide that is shown for less is passed over
	longestFilm     = 24 * 3600 // seconds: beyond any film, so that no number overflows
	maxChaptersBody = 512 << 10 // bytes
)

// ChapterMark is a named point of a film.
type ChapterMark struct {
	Start float64 `json:"start" minimum:"0" maximum:"86400" doc:"seconds from the beginning" example:"312.5"`
	Title string  `json:"title" minLength:"1" maxLength:"200" example:"Results"`
}

// Chapters are those of a film.
type Chapters struct {
	Chapters  []ChapterMark `json:"chapters" doc:"as viewers get them with the next revision"`
	Origin    string        `json:"origin" enum:"film,hand,none" doc:"found in the file, or written by an organizer"`
	Suggested []ChapterMark `json:"suggested" doc:"where the slides change; the titles are numbers"`
}

type chaptersOutput struct {
	CacheControl string `header:"Cache-Control"`
	ETag         string `header:"ETag" doc:"for If-Match"`
	Body         Chapters
}

// chapters answers GET /assets/{asset}/chapters.
func (s *Server) chapters(ctx context.Context, in *assetInput) (*chaptersOutput, error) {
	a, _, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return s.answerChapters(ctx, &a)
}

func (s *Server) answerChapters(ctx context.Context, a *vod.Asset) (*chaptersOutput, error) {
	out := &chaptersOutput{CacheControl: privateNoStore, ETag: chaptersTag(a), Body: Chapters{Chapters: wireChapters(chaptersOf(a)), Origin: "film"}}
	switch {
	case a.Extras.Chapters != nil:
		out.Body.Origin = "hand"
	case len(out.Body.Chapters) == 0:
		out.Body.Origin = "none"
	}
	r, err := s.in.Library.Report(ctx, a.Source.ID)
	if err != nil && !errors.Is(err, vod.ErrNotFound) {
		return nil, err
	}
	out.Body.Suggested = suggested(r.Picture)
	return out, nil
}

// chaptersOf returns the chapters that the next revision has.
func chaptersOf(a *vod.Asset) []vod.Chapter {
	if a.Extras.Chapters != nil {
		return a.Extras.Chapters
	}
	return a.Source.Chapters
}

func chaptersTag(a *vod.Asset) string {
	return tagOf([]any{a.Extras.Chapters != nil, chaptersOf(a)})
}

func wireChapters(chapters []vod.Chapter) []ChapterMark {
	out := []ChapterMark{}
	for _, c := range chapters {
		out = append(out, ChapterMark{seconds(c.Start.Duration()), c.Title})
	}
	return out
}

// seconds returns d in seconds, to the millisecond.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// suggested proposes a chapter for each slide that is shown long enough.
func suggested(p *vod.Picture) []ChapterMark {
	out := []ChapterMark{}
	if p == nil {
		return out
	}
	for _, slide := range p.Slides {
		if slide.To-slide.From < shortestChapter || len(out) == mostChapters {
			continue
		}
		start := slide.From
		if len(out) == 0 {
			start = 0 // players show no chapter before the first
		}
		out = append(out, ChapterMark{start, strconv.Itoa(len(out) + 1)})
	}
	return out
}

type putChaptersInput struct {
	AssetPath
	Guard
	Body struct {
		Chapters []ChapterMark `json:"chapters" maxItems:"500" doc:"in any order; an empty list: none"`
	}
}

// putChapters answers PUT /assets/{asset}/chapters.
func (s *Server) putChapters(ctx context.Context, in *putChaptersInput) (*chaptersOutput, error) {
	a, _, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	length, err := s.lengthOf(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	chapters, err := readChapters(in.Body.Chapters, length)
	if err != nil {
		return nil, err
	}
	return s.changeChapters(ctx, in.ID, &in.Guard, chapters)
}

type dropChaptersInput struct {
	AssetPath
	Guard
}

// dropChapters answers DELETE /assets/{asset}/chapters: those of the file count again.
func (s *Server) dropChapters(ctx context.Context, in *dropChaptersInput) (*chaptersOutput, error) {
	if _, _, err := s.asset(ctx, callerOf(ctx), in.ID); err != nil {
		return nil, err
	}
	return s.changeChapters(ctx, in.ID, &in.Guard, nil)
}

func (s *Server) changeChapters(ctx context.Context, id vod.AssetID, guard *Guard, chapters []vod.Chapter) (*chaptersOutput, error) {
	a, err := s.in.Library.UpdateAsset(ctx, id, func(a *vod.Asset) error {
		if err := guard.check(chaptersTag(a), a.Extras.Chapters == nil); err != nil {
			return err
		}
		a.Extras.Chapters = chapters
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.remake(ctx, &a); err != nil {
		return nil, err
	}
	s.audit(ctx, "change chapters", slog.String("asset_id", string(id)))
	return s.answerChapters(ctx, &a)
}

// readChapters checks what somebody wrote and puts it in order. The result is never nil.
func readChapters(marks []ChapterMark, length time.Duration) ([]vod.Chapter, error) {
	var faults []wrongField
	out := []vod.Chapter{}
	for i, m := range marks {
		at := "body.chapters[" + strconv.Itoa(i) + "]"
		title := strings.TrimSpace(m.Title)
		if title == "" || utf8.RuneCountInString(title) > longestTitle || !utf8.ValidString(title) || strings.ContainsFunc(title, isControl) {
			faults = append(faults, wrongField{at + ".title", [2]string{"une ligne de texte de 200 signes au plus est attendue", "a line of text of at most 200 characters is needed"}})
		}
		if math.IsNaN(m.Start) || m.Start < 0 || m.Start > longestFilm || length > 0 && m.Start >= length.Seconds() {
			faults = append(faults, wrongField{at + ".start", [2]string{"hors de la vidéo", "not in the film"}})
			continue
		}
		out = append(out, vod.Chapter{Start: timeline.TicksOf(time.Duration(m.Start * float64(time.Second))), Title: title})
	}
	slices.SortStableFunc(out, func(a, b vod.Chapter) int { return int(max(-1, min(1, a.Start-b.Start))) })
	for i := 1; i < len(out); i++ {
		if out[i].Start == out[i-1].Start {
			at := strconv.FormatFloat(seconds(out[i].Start.Duration()), 'f', -1, 64)
			faults = append(faults, wrongField{"body.chapters", [2]string{"deux chapitres commencent au même instant\u00a0: " + at, "two chapters begin at the same instant: " + at}})
		}
	}
	if faults != nil {
		return nil, &invalid{faults}
	}
	return out, nil
}
