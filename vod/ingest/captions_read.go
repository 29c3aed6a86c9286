package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"reprise/vod"
	"reprise/vod/webvtt"
)

// CaptionsDraft is what a file of captions holds, before it is anybody's.
type CaptionsDraft struct {
	Cues     []webvtt.Cue  // in the order of their start
	Format   string        // webvtt srt ttml ass
	Encoding string        // utf-8 utf-16le utf-16be windows-1252 iso-8859-15 macintosh
	Language string        // BCP 47, when the file or its name says so
	Findings []vod.Finding // what was guessed, repaired or left out; a fatal one: nothing can be read
}

// ReadCaptions reads a file of captions and keeps nothing. Its name is asked
// for the language alone: what the bytes are decides. An error is one of r, of
// ctx, or ErrCaptionsSize: a file that holds no captions is a draft with a fatal finding.
func (g *Ingester) ReadCaptions(ctx context.Context, name string, r io.Reader) (CaptionsDraft, error) {
	draft, _, err := g.draft(ctx, name, r)
	return draft, err
}

// draft is ReadCaptions; data is the file as it came.
func (g *Ingester) draft(ctx context.Context, name string, r io.Reader) (draft CaptionsDraft, data []byte, err error) {
	data, err = io.ReadAll(io.LimitReader(&contextReader{ctx, r}, largestCaptions+1))
	if err != nil {
		return CaptionsDraft{}, nil, fmt.Errorf("read captions: %w", err)
	}
	if len(data) > largestCaptions {
		return CaptionsDraft{}, nil, ErrCaptionsSize
	}
	f := webvtt.Read(data)
	if f.Format == webvtt.ASS {
		if err := g.readASS(ctx, data, &f); err != nil {
			return CaptionsDraft{}, nil, err
		}
	}
	draft = CaptionsDraft{
		Cues: f.Cues, Format: string(f.Format), Encoding: f.Encoding, Language: baseLanguage(normalLanguage(f.Language)),
		Findings: describe(f),
	}
	if draft.Language == "" {
		draft.Language = languageInName(name)
	}
	return draft, data, nil
}

// describe puts the problems of a file into words, one for each kind.
func describe(f webvtt.File) (findings []vod.Finding) {
	count := map[webvtt.Reason]int{}
	first := map[webvtt.Reason]int{} // line
	for _, p := range f.Problems {
		reason := p.Reason
		switch reason {
		case webvtt.Backwards, webvtt.NoText:
			reason = webvtt.Time
		case webvtt.Setting:
			reason = webvtt.Style
		}
		if count[reason]++; count[reason] == 1 {
			first[reason] = p.Line
		}
	}
	add := func(reason webvtt.Reason, code string, args ...any) {
		if count[reason] > 0 {
			findings = append(findings, finding(code, args...))
		}
	}
	switch {
	case count[webvtt.NotCaptions] > 0:
		return []vod.Finding{finding("captions-unknown")}
	case len(f.Cues) == 0:
		findings = append(findings, finding("captions-empty"))
	}
	add(webvtt.Encoding, "captions-encoding", encodingName(f.Encoding))
	add(webvtt.Pictures, "captions-pictures", count[webvtt.Pictures])
	add(webvtt.Time, "captions-left-out", count[webvtt.Time], first[webvtt.Time])
	add(webvtt.Stray, "captions-stray", first[webvtt.Stray])
	add(webvtt.Style, "captions-styles")
	add(webvtt.Markup, "captions-cut", first[webvtt.Markup])
	add(webvtt.TooMany, "captions-too-many")
	return findings
}

// encodingName is an encoding as editors call it.
func encodingName(name string) string {
	switch name {
	case "macintosh":
		return "Mac Roman"
	case "windows-1252":
		return "Windows-1252"
	}
	return strings.ToUpper(name)
}

// readASS asks ffmpeg for the captions of an SSA or ASS file.
func (g *Ingester) readASS(ctx context.Context, data []byte, f *webvtt.File) (err error) {
	text, _, _ := webvtt.Decode(data)
	file, err := g.nameless(text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := capped{limit: largestCaptions}
	err = g.run(ctx, child{
		path: g.cfg.FFmpeg,
		args: []string{
			"-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-format_whitelist", "ass", "-threads", strconv.Itoa(g.cfg.Threads),
			"-f", "ass", "-i", film, "-map", "0:s:0", "-f", "webvtt", "pipe:1",
		},
		files: []*os.File{file}, stdout: &out, timeout: g.cfg.ProbeTimeout,
	})
	var failed *childError
	if err != nil && (!errors.As(err, &failed) || failed.signalled) {
		return fmt.Errorf("read captions: %w", err)
	}
	read := webvtt.Read(out.data)
	f.Cues, f.Problems = read.Cues, nil
	if f.Guessed {
		f.Problems = []webvtt.Problem{{Line: 1, Reason: webvtt.Encoding}}
	}
	return nil
}

// nameless returns a file in scratch that holds text and that nobody can open.
func (g *Ingester) nameless(text string) (*os.File, error) {
	file, err := os.CreateTemp(g.cfg.Scratch, "captions-*")
	if err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	_, err = io.Copy(file, bytes.NewReader([]byte(text)))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err = errors.Join(err, os.Remove(file.Name())); err != nil {
		return nil, errors.Join(fmt.Errorf("scratch file: %w", err), file.Close())
	}
	return file, nil
}
