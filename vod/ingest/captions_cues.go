package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"reprise/storage"
	"reprise/vod"
	"reprise/vod/webvtt"
)

// Cues returns the captions of an asset in language as the film shows them,
// shifted, and where they come from: given or edited, else beside the film,
// else inside it. ErrNoCaptions.
func (g *Ingester) Cues(ctx context.Context, id vod.AssetID, language string) ([]webvtt.Cue, vod.Captions, error) {
	a, language, err := g.captioned(ctx, id, language)
	if err != nil {
		return nil, vod.Captions{}, err
	}
	return g.cues(ctx, a, language)
}

func (g *Ingester) cues(ctx context.Context, a vod.Asset, language string) ([]webvtt.Cue, vod.Captions, error) {
	none := fmt.Errorf("captions of %s in %s: %w", a.ID, language, ErrNoCaptions)
	if c, ok := given(a, language); ok {
		f, err := g.readCaptionFile(ctx, c)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			return nil, vod.Captions{}, none
		case err != nil:
			return nil, vod.Captions{}, err
		}
		if c.Format == "" {
			c.Format, c.Encoding = string(f.Format), f.Encoding
		}
		return f.Cues, c, nil
	}
	if takenAway(a, language) {
		return nil, vod.Captions{}, none
	}
	cues, err := g.filmCues(ctx, a, language)
	if err != nil {
		return nil, vod.Captions{}, err
	}
	if len(cues) == 0 {
		return nil, vod.Captions{}, none
	}
	return cues, vod.Captions{Language: language, Origin: originFilm}, nil
}

// CaptionLanguages lists the captions of an asset, by language, without reading them.
func (g *Ingester) CaptionLanguages(ctx context.Context, id vod.AssetID) ([]vod.Captions, error) {
	a, err := g.library.Asset(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("captions of %s: %w", id, err)
	}
	var languages []string
	for _, c := range append(slices.Clone(a.Extras.Captions), a.Source.Captions...) {
		languages = append(languages, baseLanguage(normalLanguage(c.Language)))
	}
	list := []vod.Captions{}
	slices.Sort(languages)
	for _, language := range slices.Compact(languages) {
		if c, ok := given(a, language); ok && language != "" {
			list = append(list, c)
		}
	}
	m, err := g.ownMedia(ctx, a)
	if err != nil && !errors.Is(err, vod.ErrNotFound) {
		return nil, err
	}
	for _, r := range m.Renditions {
		// What is not in languages the film brought itself.
		if r.Kind == vod.Subtitles && !slices.Contains(languages, r.Language) {
			list = append(list, vod.Captions{Language: r.Language, Origin: originFilm})
		}
	}
	slices.SortFunc(list, func(a, b vod.Captions) int { return strings.Compare(a.Language, b.Language) })
	return list, nil
}

// filmCues returns the captions that the film itself holds; nil when it holds
// none in this language. Once a media is made of the film they are read from
// there; before, from the film, unless the store would have to fetch it whole.
func (g *Ingester) filmCues(ctx context.Context, a vod.Asset, language string) ([]webvtt.Cue, error) {
	m, err := g.ownMedia(ctx, a)
	if err == nil {
		r := m.Rendition(captionsName(language))
		if r == nil {
			return nil, nil
		}
		return g.renditionCues(ctx, r)
	}
	if !errors.Is(err, vod.ErrNotFound) {
		return nil, err
	}
	if _, ok := g.store.(storage.Filer); !ok {
		return nil, nil
	}
	return g.extractCues(ctx, a, language)
}

// renditionCues puts the cues of a captions rendition together again.
func (g *Ingester) renditionCues(ctx context.Context, r *vod.Rendition) (cues []webvtt.Cue, err error) {
	object, err := g.store.Open(ctx, storage.Key(r.Object))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read captions: %w", err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	data, err := io.ReadAll(io.LimitReader(&contextReader{ctx, object}, largestStored))
	if err != nil {
		return nil, fmt.Errorf("read captions: %w", err)
	}
	seen := map[webvtt.Cue]bool{}
	for _, s := range r.Segments {
		if s.Offset < 0 || s.Size < 0 || s.Offset+s.Size > int64(len(data)) {
			break
		}
		for _, c := range webvtt.Read(data[s.Offset : s.Offset+s.Size]).Cues {
			if !seen[c] {
				seen[c] = true
				cues = append(cues, c)
			}
		}
	}
	return cues, nil
}

// extractCues reads the text track of a film that no media is made of yet.
func (g *Ingester) extractCues(ctx context.Context, a vod.Asset, language string) (cues []webvtt.Cue, err error) {
	dir, err := os.MkdirTemp(g.cfg.Scratch, "captions-*")
	if err != nil {
		return nil, fmt.Errorf("scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	in, err := g.open(ctx, storage.Key(a.Source.Object), dir)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	p, err := g.probe(ctx, in)
	if err != nil {
		return nil, err
	}
	for i := range p.Text {
		t := &p.Text[i]
		if t.Bitmap || baseLanguage(normalLanguage(t.Language)) != language {
			continue
		}
		data, err := g.extractText(ctx, in, t.Index)
		if err != nil {
			return nil, err
		}
		if cues := webvtt.Read(data).Cues; len(cues) > 0 {
			return cues, nil
		}
	}
	return nil, nil
}
