package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"reprise/storage"
	"reprise/vod"
	"reprise/vod/webvtt"
)

var (
	// ErrCaptions is in the chain when a file of captions holds none that can be read; the findings say why.
	ErrCaptions = errors.New("ingest: no captions can be read")
	// ErrCaptionsSize is in the chain when a file of captions, or a text edited by hand, is over 16 MiB.
	ErrCaptionsSize = errors.New("ingest: captions are too large")
	// ErrLanguage is in the chain for what is not a BCP 47 language.
	ErrLanguage = errors.New("ingest: not a language")
	// ErrNoCaptions is in the chain when an asset has no captions in the language.
	ErrNoCaptions = errors.New("ingest: no captions in this language")
)

// Where captions come from, as vod.Captions.Origin says.
const (
	originBeside  = "beside"
	originFilm    = "film"
	originUpload  = "upload"
	originEdited  = "edited"
	originCommand = "command"
)

// largestShift bounds the shift of captions.
const largestShift = 24 * time.Hour

// SetCaptions makes the file the asset's captions in language; earlier ones
// stay in the history. The findings are ReadCaptions' and what is wrong with the
// cues in this film (after its end, over one another, too fast to read). The
// viewers get them with the next Remake. ErrCaptions, ErrCaptionsSize, ErrLanguage, vod.ErrNotFound.
func (g *Ingester) SetCaptions(ctx context.Context, id vod.AssetID, language, name, by string, r io.Reader) (vod.Asset, []vod.Finding, error) {
	a, language, err := g.captioned(ctx, id, language)
	if err != nil {
		return vod.Asset{}, nil, err
	}
	draft, data, err := g.draft(ctx, name, r)
	if err != nil {
		return vod.Asset{}, nil, fmt.Errorf("captions of %s: %w", id, err)
	}
	if refused(draft.Findings) {
		return vod.Asset{}, draft.Findings, fmt.Errorf("captions of %s: %w", id, ErrCaptions)
	}
	c := vod.Captions{
		Language: language, Name: cleanName(name), Format: draft.Format, Encoding: draft.Encoding, Origin: originUpload, By: by,
	}
	if c.Original, err = g.putCaptionFile(ctx, "original", data); err != nil {
		return vod.Asset{}, nil, err
	}
	if draft.Language != "" && draft.Language != language {
		draft.Findings = append(draft.Findings, finding("captions-other-language", languageName(draft.Language)))
	}
	a, findings, err := g.keepCues(ctx, a, c, draft.Cues, nil)
	return a, append(draft.Findings, findings...), err
}

// SetCues makes cues, edited by hand, the asset's captions in language. Text
// and settings are cleaned; times are as shown in the film: a shift is zero
// again. Errors as SetCaptions; ErrCaptions: no cue is left.
func (g *Ingester) SetCues(ctx context.Context, id vod.AssetID, language, by string, cues []webvtt.Cue) (vod.Asset, []vod.Finding, error) {
	a, language, err := g.captioned(ctx, id, language)
	if err != nil {
		return vod.Asset{}, nil, err
	}
	size := 0
	for _, c := range cues {
		size += len(c.Text) + len(c.ID) + len(c.Settings)
	}
	if size > largestCaptions {
		return vod.Asset{}, nil, fmt.Errorf("captions of %s: %w", id, ErrCaptionsSize)
	}
	kept, faults := webvtt.Clean(cues)
	var findings []vod.Finding
	if len(faults) > 0 {
		var spans []vod.Span
		for _, f := range faults {
			spans = append(spans, spanOf(f.Start, f.End))
		}
		findings = append(findings, at(finding("captions-cues-left-out", len(faults)), spans))
	}
	if len(kept) == 0 {
		return vod.Asset{}, append(findings, finding("captions-empty")), fmt.Errorf("captions of %s: %w", id, ErrCaptions)
	}
	c := vod.Captions{Language: language, Origin: originEdited, By: by}
	if before, ok := given(a, language); ok {
		c.Name, c.Format, c.Encoding = before.Name, before.Format, before.Encoding
		if c.Original = before.Original; c.Original == "" {
			c.Original = before.Object
		}
	}
	a, judged, err := g.keepCues(ctx, a, c, kept, nil)
	return a, append(findings, judged...), err
}

// ShiftCaptions says that the captions in language, as they came or were
// edited, are shown later by shift (earlier when negative; a day at most). It
// is the whole shift, not one more. ErrNoCaptions.
func (g *Ingester) ShiftCaptions(ctx context.Context, id vod.AssetID, language, by string, shift time.Duration) (vod.Asset, []vod.Finding, error) {
	a, language, err := g.captioned(ctx, id, language)
	if err != nil {
		return vod.Asset{}, nil, err
	}
	seconds := min(largestShift, max(-largestShift, shift)).Round(time.Millisecond).Seconds()
	c, ok := given(a, language)
	if !ok {
		cues, found, err := g.cues(ctx, a, language)
		if err != nil {
			return vod.Asset{}, nil, err
		}
		c = found
		if c.Object, err = g.putCaptionFile(ctx, "captions.vtt", webvtt.Write(cues)); err != nil {
			return vod.Asset{}, nil, err
		}
	}
	c.Shift, c.By, c.At = seconds, by, g.now().UTC()
	file, err := g.readCaptionFile(ctx, c)
	if errors.Is(err, storage.ErrNotFound) {
		err = ErrNoCaptions
	}
	if err != nil {
		return vod.Asset{}, nil, fmt.Errorf("captions of %s: %w", id, err)
	}
	a, err = g.setExtra(ctx, a.ID, c, nil)
	return a, g.judge(ctx, a, language, file.Cues), err
}

// RemoveCaptions takes the captions in language away, also those that came
// beside or inside the film. ErrNoCaptions when there are none.
func (g *Ingester) RemoveCaptions(ctx context.Context, id vod.AssetID, language, by string) (vod.Asset, error) {
	a, language, err := g.captioned(ctx, id, language)
	if err != nil {
		return vod.Asset{}, err
	}
	if _, ok := given(a, language); !ok {
		if _, _, err := g.cues(ctx, a, language); err != nil {
			return vod.Asset{}, err
		}
	}
	// An entry without an object stays: without it the captions inside the film
	// would come back, and Remake would take those of the last media for the film's own.
	return g.setExtra(ctx, id, vod.Captions{Language: language, By: by, At: g.now().UTC()}, nil)
}

// captioned returns the asset, and the language as captions are kept by.
func (g *Ingester) captioned(ctx context.Context, id vod.AssetID, language string) (vod.Asset, string, error) {
	a, err := g.library.Asset(ctx, id)
	if err != nil {
		return vod.Asset{}, "", fmt.Errorf("captions of %s: %w", id, err)
	}
	if language = baseLanguage(normalLanguage(language)); language == "" {
		return vod.Asset{}, "", fmt.Errorf("captions of %s: %w", id, ErrLanguage)
	}
	return a, language, nil
}

// given returns the file of captions in language: of Extras, else of those
// beside the film. ok is false when there is none, or it was taken away.
func given(a vod.Asset, language string) (c vod.Captions, ok bool) {
	for i, c := range append(slices.Clone(a.Extras.Captions), a.Source.Captions...) {
		if baseLanguage(normalLanguage(c.Language)) != language {
			continue
		}
		c.Language = language
		if c.Origin == "" && i >= len(a.Extras.Captions) {
			c.Origin = originBeside
		}
		return c, c.Object != ""
	}
	return vod.Captions{}, false
}

// takenAway tells whether somebody removed the captions in language.
func takenAway(a vod.Asset, language string) bool {
	return slices.ContainsFunc(a.Extras.Captions, func(c vod.Captions) bool { return c.Language == language && c.Object == "" })
}

// keepCues stores cues and makes them the asset's captions c, unless veto,
// which sees the asset as it is then, has an error.
func (g *Ingester) keepCues(ctx context.Context, a vod.Asset, c vod.Captions, cues []webvtt.Cue, veto func(*vod.Asset) error) (vod.Asset, []vod.Finding, error) {
	var err error
	if c.Object, err = g.putCaptionFile(ctx, "captions.vtt", webvtt.Write(cues)); err != nil {
		return vod.Asset{}, nil, err
	}
	c.At = g.now().UTC()
	if a, err = g.setExtra(ctx, a.ID, c, veto); err != nil {
		return vod.Asset{}, nil, err
	}
	return a, g.judge(ctx, a, c.Language, cues), nil
}

// setExtra writes one language's captions into the asset's extras.
func (g *Ingester) setExtra(ctx context.Context, id vod.AssetID, c vod.Captions, veto func(*vod.Asset) error) (vod.Asset, error) {
	a, err := g.library.UpdateAsset(ctx, id, func(a *vod.Asset) error {
		if veto != nil {
			if err := veto(a); err != nil {
				return err
			}
		}
		list := slices.DeleteFunc(slices.Clone(a.Extras.Captions), func(old vod.Captions) bool { return old.Language == c.Language })
		list = append(list, c)
		slices.SortFunc(list, func(a, b vod.Captions) int { return strings.Compare(a.Language, b.Language) })
		a.Extras.Captions, a.Updated = list, g.now().UTC()
		return nil
	})
	if err != nil {
		return vod.Asset{}, fmt.Errorf("captions of %s: %w", id, err)
	}
	return a, nil
}

// putCaptionFile stores a file of captions and returns its key. Until an asset names it, it is Sweep's.
func (g *Ingester) putCaptionFile(ctx context.Context, name string, data []byte) (string, error) {
	info, err := g.store.Put(ctx, storage.Key(sourcePrefix+storage.RandomName()+"/"+name), bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("store captions: %w", err)
	}
	return string(info.Key), nil
}

// judge says what is wrong with cues in this film.
func (g *Ingester) judge(ctx context.Context, a vod.Asset, language string, cues []webvtt.Cue) []vod.Finding {
	length := g.filmLength(ctx, a)
	if length <= 0 || len(cues) == 0 || cues[0].Start < length {
		return judgeCues(language, cues, length)
	}
	// Tapes often begin at 10 h, and their captions with them.
	hours := cues[0].Start.Truncate(time.Hour)
	if last := slices.MaxFunc(cues, func(a, b webvtt.Cue) int { return int(a.End - b.End) }); hours > 0 && last.End-hours <= length+time.Second {
		return []vod.Finding{finding("captions-hours-late", int(hours.Hours()))}
	}
	return judgeCues(language, cues, length)
}

// filmLength returns the length of the asset's latest film; 0: not known yet.
func (g *Ingester) filmLength(ctx context.Context, a vod.Asset) time.Duration {
	if m, err := g.ownMedia(ctx, a); err == nil {
		return m.Duration().Duration()
	}
	if r, err := g.library.Report(ctx, a.Source.ID); err == nil {
		return asDuration(r.Duration)
	}
	return 0
}

// ownMedia returns a media made of the asset's latest film. vod.ErrNotFound when there is none yet.
func (g *Ingester) ownMedia(ctx context.Context, a vod.Asset) (vod.Media, error) {
	for _, id := range []vod.MediaID{a.Media, a.First} {
		if id == "" {
			continue
		}
		m, err := g.library.Media(ctx, id)
		if err != nil {
			return vod.Media{}, fmt.Errorf("media of %s: %w", a.ID, err)
		}
		if m.Source == a.Source.ID || m.Source == "" && len(a.History) == 0 {
			return m, nil
		}
	}
	return vod.Media{}, fmt.Errorf("media of %s: %w", a.ID, vod.ErrNotFound)
}
