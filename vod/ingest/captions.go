package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/cmaf"
	"reprise/vod/webvtt"
)

const (
	// largestCaptions bounds a caption file: ten hours of speech are about one MiB.
	largestCaptions = 16 << 20
	// largestStored bounds what we make of one: WebVTT is longer than what it came as,
	// and segments repeat the cues that they share.
	largestStored = 4 * largestCaptions
)

// captionsName is the rendition of a language's captions.
func captionsName(language string) string { return "s-" + language }

// captionGrid is what the captions of a media are cut by.
type captionGrid struct {
	media         vod.MediaID
	nominal, last int64 // ticks
	count         int
}

// captioning is the work of making the captions renditions of one media.
type captioning struct {
	g          *Ingester
	grid       captionGrid
	taken      map[string]bool // languages that are settled: made, or taken away
	renditions []vod.Rendition
	findings   []vod.Finding
}

// caption makes the captions renditions: of what people gave for the film, of
// the files that came beside it, and of the tracks inside it, each for the
// languages that those before it do not have.
func (g *Ingester) caption(ctx context.Context, in *input, r *run, a vod.Asset, p *Probe) ([]vod.Rendition, []vod.Finding, error) {
	nominal := int64(gridOf(r.Recipe.FPS).nominal)
	count, last := cmaf.Grid(int64(r.Recipe.Length), nominal)
	c := &captioning{g: g, grid: captionGrid{r.Media, nominal, last, count}, taken: map[string]bool{}}
	if err := c.files(ctx, append(slices.Clone(a.Extras.Captions), a.Source.Captions...)); err != nil {
		return nil, nil, err
	}
	for i := range p.Text {
		t := &p.Text[i]
		language := captionLanguage(p, t, r.Recipe)
		if t.Bitmap || c.taken[baseLanguage(normalLanguage(language))] {
			continue
		}
		data, err := g.extractText(ctx, in, t.Index)
		if err != nil {
			return nil, nil, err
		}
		if len(data) == 0 {
			continue // a chapter track, or one without a cue
		}
		if err := c.add(ctx, language, webvtt.Read(data).Cues); err != nil {
			return nil, nil, err
		}
	}
	return c.renditions, c.findings, nil
}

// recaption makes the captions renditions of media id from those of old, which
// is of the same source: languages that Extras speak of are made anew with
// their shift or left out, the others are old's, objects and all.
func (g *Ingester) recaption(ctx context.Context, a vod.Asset, old *vod.Media, id vod.MediaID) ([]vod.Rendition, []vod.Finding, error) {
	c := &captioning{g: g, grid: captionGrid{id, int64(old.Nominal), int64(old.Last), old.Count}, taken: map[string]bool{}}
	if err := c.files(ctx, a.Extras.Captions); err != nil {
		return nil, nil, err
	}
	for _, r := range old.Renditions {
		if r.Kind == vod.Subtitles && !c.taken[r.Language] {
			c.renditions = append(c.renditions, r)
		}
	}
	return c.renditions, c.findings, nil
}

// files adds stored files of captions; one without an object takes its language away.
func (c *captioning) files(ctx context.Context, files []vod.Captions) error {
	for _, f := range files {
		language := baseLanguage(normalLanguage(f.Language))
		switch {
		case c.taken[language]:
			continue
		case f.Object == "":
			c.taken[language] = true
			continue
		}
		file, err := c.g.readCaptionFile(ctx, f)
		if errors.Is(err, storage.ErrNotFound) {
			c.findings = append(c.findings, finding("captions-faulty", f.Language))
			continue
		}
		if err != nil {
			return err
		}
		if file.Guessed && f.Original == "" {
			c.findings = append(c.findings, finding("captions-encoding", encodingName(file.Encoding)))
		}
		if err := c.add(ctx, f.Language, file.Cues); err != nil {
			return err
		}
	}
	return nil
}

// add makes the rendition of a language, unless it has one.
func (c *captioning) add(ctx context.Context, said string, cues []webvtt.Cue) error {
	language := baseLanguage(normalLanguage(said))
	switch {
	case language == "":
		c.findings = append(c.findings, finding("captions-language-missing"))
		return nil
	case c.taken[language]:
		return nil
	case len(cues) == 0:
		c.findings = append(c.findings, finding("captions-faulty", said))
		return nil
	}
	c.taken[language] = true
	length := timeline.Ticks(int64(c.grid.count-1)*c.grid.nominal + c.grid.last).Duration()
	c.findings = append(c.findings, judgeCues(language, cues, length)...)
	rendition, err := c.g.putCaptions(ctx, c.grid, language, cues)
	if err == nil {
		c.renditions = append(c.renditions, rendition)
	}
	return err
}

// readCaptionFile reads a stored file of captions, shifted as it shall be shown. storage.ErrNotFound when the object is gone.
func (g *Ingester) readCaptionFile(ctx context.Context, c vod.Captions) (webvtt.File, error) {
	data, err := g.readObject(ctx, storage.Key(c.Object))
	if err != nil {
		return webvtt.File{}, fmt.Errorf("read captions: %w", err)
	}
	f := webvtt.Read(data)
	if c.Shift != 0 {
		f.Cues = webvtt.Shift(f.Cues, asDuration(c.Shift))
	}
	return f, nil
}

// captionLanguage returns the language of a text track: its own, else that of the only sound.
func captionLanguage(p *Probe, t *TextTrack, r *recipe) string {
	if t.Language != "" || len(p.Text) > 1 || len(r.Sounds) != 1 {
		return t.Language
	}
	return r.Sounds[0].Language
}

func (g *Ingester) readObject(ctx context.Context, key storage.Key) (data []byte, err error) {
	object, err := g.store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	return io.ReadAll(io.LimitReader(&contextReader{ctx, object}, largestStored))
}

// extractText asks ffmpeg for a text track as WebVTT, counted from film time 0. A track that it cannot read is empty.
func (g *Ingester) extractText(ctx context.Context, in *input, index int) ([]byte, error) {
	out := capped{limit: largestCaptions}
	args := append([]string{"-nostdin", "-v", "error"}, reading(g.cfg.Threads)...)
	args = append(args, "-i", film, "-map", "0:"+strconv.Itoa(index), "-f", "webvtt", "pipe:1")
	err := g.run(ctx, child{
		path: g.cfg.FFmpeg, args: args, files: []*os.File{in.file}, stdout: &out, timeout: g.cfg.EncodeTimeout,
	})
	var failed *childError
	if errors.As(err, &failed) && !failed.signalled {
		return nil, nil
	}
	return out.data, err
}

// putCaptions stores the segments of a captions rendition back to back; it has no init segment.
func (g *Ingester) putCaptions(ctx context.Context, grid captionGrid, language string, cues []webvtt.Cue) (vod.Rendition, error) {
	rendition := vod.Rendition{Name: captionsName(language), Kind: vod.Subtitles, Language: language, Codec: "wvtt"}
	info, err := g.putObject(ctx, mediaKey(grid.media, rendition.Name+".vtt"), func(w io.Writer) error {
		offset := int64(0)
		for _, segment := range webvtt.Segments(cues, grid.nominal, grid.last, grid.count) {
			if _, err := w.Write(segment); err != nil {
				return fmt.Errorf("write captions: %w", err)
			}
			rendition.Segments = append(rendition.Segments, vod.Segment{Offset: offset, Size: int64(len(segment))})
			offset += int64(len(segment))
		}
		return nil
	})
	rendition.Object = string(info.Key)
	if err == nil && len(rendition.Segments) != grid.count {
		err = fmt.Errorf("captions %s: %d segments instead of %d", language, len(rendition.Segments), grid.count)
	}
	return rendition, err
}
