package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

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
		cues, _ := webvtt.Parse(plainText(data))
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

// plainText makes UTF-8 of what caption editors write: UTF-16 with its mark, or Windows-1252.
func plainText(data []byte) []byte {
	if len(data) >= 2 && (data[0] == 0xff && data[1] == 0xfe || data[0] == 0xfe && data[1] == 0xff) {
		little := data[0] == 0xff
		units := make([]uint16, 0, len(data)/2)
		for i := 2; i+1 < len(data); i += 2 {
			a, b := uint16(data[i]), uint16(data[i+1])
			if little {
				a, b = b, a
			}
			units = append(units, a<<8|b)
		}
		return []byte(string(utf16.Decode(units)))
	}
	if utf8.Valid(data) {
		return data
	}
	out := make([]rune, 0, len(data))
	for _, b := range data {
		if r, ok := windows1252[b]; ok {
			out = append(out, r)
			continue
		}
		out = append(out, rune(b))
	}
	return []byte(string(out))
}

// windows1252 is where that code differs from Latin-1.
var windows1252 = map[byte]rune{
	0x80: '€', 0x82: '‚', 0x83: 'ƒ', 0x84: '„', 0x85: '…', 0x86: '†', 0x87: '‡', 0x88: 'ˆ', 0x89: '‰', 0x8a: 'Š', 0x8b: '‹', 0x8c: 'Œ', 0x8e: 'Ž',
	0x91: '‘', 0x92: '’', 0x93: '“', 0x94: '”', 0x95: '•', 0x96: '–', 0x97: '—', 0x98: '˜', 0x99: '™', 0x9a: 'š', 0x9b: '›', 0x9c: 'œ', 0x9e: 'ž', 0x9f: 'Ÿ',
}
