package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"reprise/storage"
	"reprise/vod"
	"reprise/vod/cmaf"
	"reprise/vod/webvtt"
)

// largestCaptions bounds a caption file: ten hours of speech are about one MiB.
const largestCaptions = 16 << 20

// captionsName is the rendition of a language's captions.
func captionsName(language string) string { return "s-" + language }

// caption makes the captions renditions: of the files that came beside the
// source, and of the tracks inside it for languages that have no file.
func (g *Ingester) caption(ctx context.Context, in *input, r *run, a vod.Asset, p *Probe) ([]vod.Rendition, []vod.Finding, error) {
	var renditions []vod.Rendition
	var findings []vod.Finding
	taken := map[string]bool{}
	add := func(language, what string, data []byte) error {
		if language = baseLanguage(normalLanguage(language)); language == "" {
			findings = append(findings, finding("captions-language-missing"))
			return nil
		}
		if taken[language] {
			return nil
		}
		cues, _ := webvtt.Parse(data)
		if len(cues) == 0 {
			findings = append(findings, finding("captions-faulty", what))
			return nil
		}
		taken[language] = true
		rendition, err := g.putCaptions(ctx, r, language, cues)
		renditions = append(renditions, rendition)
		return err
	}
	for _, c := range a.Source.Captions {
		data, err := g.readObject(ctx, storage.Key(c.Object))
		if err != nil {
			return nil, nil, fmt.Errorf("read captions: %w", err)
		}
		if err := add(c.Language, c.Language, data); err != nil {
			return nil, nil, err
		}
	}
	for i := range p.Text {
		t := &p.Text[i]
		language := captionLanguage(p, t, r.Recipe)
		if t.Bitmap || language != "" && taken[language] {
			continue
		}
		data, err := g.extractText(ctx, in, t.Index)
		if err != nil {
			return nil, nil, err
		}
		if len(data) == 0 {
			continue // a chapter track, or one without a cue
		}
		if err := add(language, language, data); err != nil {
			return nil, nil, err
		}
	}
	return renditions, findings, nil
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
	return io.ReadAll(io.LimitReader(&contextReader{ctx, object}, largestCaptions))
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
func (g *Ingester) putCaptions(ctx context.Context, r *run, language string, cues []webvtt.Cue) (vod.Rendition, error) {
	nominal := gridOf(r.Recipe.FPS).nominal
	count, last := cmaf.Grid(int64(r.Recipe.Length), int64(nominal))
	rendition := vod.Rendition{Name: captionsName(language), Kind: vod.Subtitles, Language: language, Codec: "wvtt"}
	info, err := g.putObject(ctx, mediaKey(r.Media, rendition.Name+".vtt"), func(w io.Writer) error {
		offset := int64(0)
		for _, segment := range webvtt.Segments(cues, int64(nominal), last, count) {
			if _, err := w.Write(segment); err != nil {
				return fmt.Errorf("write captions: %w", err)
			}
			rendition.Segments = append(rendition.Segments, vod.Segment{Offset: offset, Size: int64(len(segment))})
			offset += int64(len(segment))
		}
		return nil
	})
	rendition.Object = string(info.Key)
	if err == nil && len(rendition.Segments) != count {
		err = fmt.Errorf("captions %s: %d segments instead of %d", language, len(rendition.Segments), count)
	}
	return rendition, err
}
