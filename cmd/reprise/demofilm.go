package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"reprise/event"
)

// demoFilm is one film of a demo talk, made or to be made.
type demoFilm struct {
	talk      demoTalk
	languages []event.Language // sound tracks, in order
	path      string
	captions  map[event.Language]string
}

// film names the files of a film with these sound tracks in dir.
func (t demoTalk) film(dir string, languages []event.Language) demoFilm {
	name := string(t.id)
	for _, l := range languages {
		name += "-" + string(l)
	}
	f := demoFilm{talk: t, languages: languages, path: filepath.Join(dir, name+".mp4"), captions: map[event.Language]string{}}
	for _, l := range []event.Language{"fr", "en"} {
		f.captions[l] = filepath.Join(dir, name+"."+string(l)+".vtt")
	}
	return f
}

// make records the film unless it is there: speech by espeak-ng, slides by
// ffmpeg. The film appears last and whole, so a kill leaves nothing that would be taken for it.
func (f demoFilm) make(ctx context.Context, ffmpeg string, progress func(fraction float64)) error {
	if _, err := os.Stat(f.path); err == nil {
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(f.path), ".mp4")
	work, err := os.MkdirTemp(filepath.Dir(f.path), "making-"+name+"-")
	if err != nil {
		return fmt.Errorf("make film: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	voice, err := recite(ctx, f.talk.slides, f.languages)
	if err != nil {
		return err
	}
	if _, err := writeCaptions(filepath.Dir(f.path), name, voice); err != nil {
		return err
	}
	args := []string{"-nostdin", "-hide_banner", "-v", "error", "-y", "-progress", "pipe:1"}
	graph, err := f.slides(ctx, work, voice)
	if err != nil {
		return err
	}
	output := []string{"-filter_complex", graph, "-map", "[v]"}
	for i, l := range f.languages {
		wav := filepath.Join(work, string(l)+".wav")
		if err := writeWAV(wav, voice.pcm[l]); err != nil {
			return fmt.Errorf("make film: %w", err)
		}
		args = append(args, "-i", wav)
		code := map[event.Language]string{"fr": "fra", "en": "eng"}[l]
		output = append(output, "-map", strconv.Itoa(i)+":a", fmt.Sprintf("-metadata:s:a:%d", i), "language="+code)
	}
	made := filepath.Join(work, "film.mp4")
	args = append(args, output...)
	args = append(args, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-pix_fmt", "yuv420p", "-g", "50",
		"-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2", "-t", seconds(voice.length), "-movflags", "+faststart",
		"-metadata", "title="+f.talk.title.In(f.languages[0]), made)
	if err := runFilm(ctx, ffmpeg, args, voice.length, progress); err != nil {
		return err
	}
	if err := os.Rename(made, f.path); err != nil {
		return fmt.Errorf("make film: %w", err)
	}
	return nil
}

// runFilm runs ffmpeg and reads its progress.
func runFilm(ctx context.Context, ffmpeg string, args []string, length time.Duration, progress func(float64)) error {
	cmd := exec.CommandContext(ctx, ffmpeg, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Stdout = &progressReader{length: length, report: progress}
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("ffmpeg is missing: apt install ffmpeg")
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("make film: ffmpeg: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// progressReader takes "out_time_us=…" lines from ffmpeg -progress.
type progressReader struct {
	length time.Duration
	report func(float64)
	rest   []byte
}

func (r *progressReader) Write(p []byte) (int, error) {
	r.rest = append(r.rest, p...)
	for {
		line, rest, found := bytes.Cut(r.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		r.rest = rest
		if value, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "out_time_us="); ok && r.report != nil {
			if us, err := strconv.ParseInt(value, 10, 64); err == nil && us >= 0 {
				r.report(min(1, float64(us)/float64(r.length.Microseconds())))
			}
		}
	}
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// slides returns the filter graph of the picture: 1280x720 at 25 frames a second.
// All words come from files, so that no character has to be escaped.
func (f demoFilm) slides(ctx context.Context, work string, voice voiceTrack) (string, error) {
	sans, ok := findFont(ctx, "DejaVu Sans")
	if !ok {
		return "", errors.New("the font of the demo's slides is missing: apt install fonts-dejavu-core")
	}
	bold, mono := sans, sans
	for name, path := range map[string]*string{"DejaVu Sans-Bold": &bold, "DejaVu Sans Mono": &mono} {
		if found, ok := findFont(ctx, name); ok {
			*path = found
		}
	}
	g := slideGraph{dir: work}
	length := seconds(voice.length)
	first := f.languages[0]
	g.add("color=0x16202e:s=1280x720:r=25:d=%s,drawbox=x=0:y=0:w=14:h=720:color=%s:t=fill,drawbox=x=80:y=604:w=1120:h=2:color=0x2d3b4f:t=fill", length, f.talk.accent)
	g.text(sans, 26, "0x9fb0c6", "80", "48", "", "Rencontres Reprise · Reprise Meeting")
	for i, slide := range f.talk.slides {
		from, to := voice.slides[i], voice.length
		if i+1 < len(voice.slides) {
			to = voice.slides[i+1]
		}
		during := fmt.Sprintf(":enable='between(t,%s,%s)':alpha='min(1,(t-%s)/0.4)'", seconds(from), seconds(to-20*time.Millisecond), seconds(from))
		g.text(bold, 66, "white", "80", "150", during, slide.heading.In(first))
		y := 280
		if len(f.languages) > 1 {
			g.text(sans, 42, f.talk.accent, "80", "236", during, slide.heading[f.languages[1]])
			y = 340
		}
		for _, point := range slide.points {
			words := point.In(first)
			if len(f.languages) > 1 {
				words += "  ·  " + point[f.languages[1]]
			}
			g.text(sans, 36, "0xdbe4ef", "80", strconv.Itoa(y), during, "–  "+words)
			y += 76
		}
		g.text(sans, 24, "0x9fb0c6", "1200-tw", "48", during, fmt.Sprintf("%d / %d", i+1, len(f.talk.slides)))
	}
	g.text(bold, 26, "white", "80", "630", "", f.talk.title.In(first))
	g.text(sans, 22, "0x9fb0c6", "80", "666", "", strings.Join(f.talk.speakers, ", "))
	g.add(`drawtext=fontfile=%s:fontsize=44:fontcolor=%s:x=1200-tw:y=632:text='%%{pts\:hms}'[s]`, mono, f.talk.accent)
	return strings.Join(g.filters, ",") +
		fmt.Sprintf(";color=%s:s=1280x8:r=25:d=%s[bar];[s][bar]overlay=x='-1280+1280*t/%s':y=712:shortest=1,format=yuv420p[v]", f.talk.accent, length, length), g.err
}

// slideGraph is a chain of filters being written.
type slideGraph struct {
	dir     string
	filters []string
	err     error
}

func (g *slideGraph) add(format string, args ...any) {
	g.filters = append(g.filters, fmt.Sprintf(format, args...))
}

// text adds words at a place; extra are further options of drawtext.
func (g *slideGraph) text(font string, size int, colour, x, y, extra, words string) {
	path := filepath.Join(g.dir, fmt.Sprintf("words-%d.txt", len(g.filters)))
	if err := os.WriteFile(path, []byte(words), 0o600); err != nil && g.err == nil {
		g.err = fmt.Errorf("make film: %w", err)
	}
	g.add("drawtext=fontfile=%s:textfile=%s:expansion=none:fontsize=%d:fontcolor=%s:x=%s:y=%s%s", font, path, size, colour, x, y, extra)
}
