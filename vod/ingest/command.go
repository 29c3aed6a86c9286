package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"reprise/storage"
	"reprise/vod"
)

var (
	// ErrNoCommand is returned by GenerateCaptions when no command is configured.
	ErrNoCommand = errors.New("ingest: no command for captions is configured")
	// ErrNoSound is in the chain when an asset has no sound in the language, or none that is ready.
	ErrNoSound = errors.New("ingest: no sound in this language")
)

// Shares of the percent of GenerateCaptions: until the sound lies there, and until the command is done.
const (
	percentSound   = 3
	percentCommand = 98
)

// GenerateCaptions asks Config.CaptionCommand for the captions of an asset's
// sound in language and makes them its captions; the viewers get them with the
// next Remake. What somebody gave meanwhile stays. progress may be nil; it gets 0 to 100.
//
// The command runs as ffmpeg does: in its own process group, which is killed
// when ctx ends or time (Config.CaptionTimeout) runs out, with the same memory
// and environment. A line "progress: 0.42" on its standard output says how far it is.
//
// Errors: ErrNoCommand, ErrNoSound, ErrLanguage, vod.ErrNotFound; ErrCaptions
// when the output holds none, ErrCaptionsSize, ErrTimeout; else the command's status and last words.
func (g *Ingester) GenerateCaptions(ctx context.Context, id vod.AssetID, language string, progress func(percent float64)) (err error) {
	if len(g.cfg.CaptionCommand) == 0 {
		return ErrNoCommand
	}
	if progress == nil {
		progress = func(float64) {}
	}
	a, language, err := g.captioned(ctx, id, language)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(g.cfg.Scratch, "captions-*")
	if err != nil {
		return fmt.Errorf("captions of %s: %w", id, err)
	}
	lock, err := lockDir(dir) // Sweep leaves it alone, however long the command takes
	if err != nil {
		return fmt.Errorf("captions of %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir), lock.Close()) }()
	progress(0)
	audio := filepath.Join(dir, "sound.wav")
	if err := g.writeSound(ctx, a, language, audio); err != nil {
		return fmt.Errorf("captions of %s: %w", id, err)
	}
	progress(percentSound)
	output := filepath.Join(dir, "captions.vtt")
	if err := g.command(ctx, dir, audio, language, output, progress); err != nil {
		return fmt.Errorf("captions of %s: %w", id, err)
	}
	progress(percentCommand)
	if err := g.takeOutput(ctx, a, language, output); err != nil {
		return fmt.Errorf("captions of %s: %w", id, err)
	}
	progress(100)
	return nil
}

// writeSound makes a WAV file, 16 kHz mono, of the sound that viewers hear: its
// first sample is at the film's first frame.
func (g *Ingester) writeSound(ctx context.Context, a vod.Asset, language, path string) (err error) {
	m, err := g.ownMedia(ctx, a)
	if errors.Is(err, vod.ErrNotFound) {
		return ErrNoSound
	}
	if err != nil {
		return err
	}
	sound := soundOf(&m, language)
	if sound == nil {
		return ErrNoSound
	}
	in, err := g.open(ctx, storage.Key(sound.Object), filepath.Dir(path))
	if errors.Is(err, storage.ErrNotFound) {
		return ErrNoSound
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	args := append([]string{"-nostdin", "-v", "error"}, reading(g.cfg.Threads)...)
	// The first frame of AAC lies before the film (design: priming).
	args = append(args, "-i", film, "-map", "0:a:0", "-af", "atrim=start_sample=1024,asetpts=N/SR/TB", "-ac", "1", "-ar", "16000", "-c:a", "pcm_s16le", "-f", "wav", "-y", path)
	return g.run(ctx, child{path: g.cfg.FFmpeg, args: args, files: []*os.File{in.file}, timeout: g.cfg.EncodeTimeout})
}

// soundOf returns the better sound rendition of a language, or the only one if nobody said its language.
func soundOf(m *vod.Media, language string) *vod.Rendition {
	var untold *vod.Rendition
	others := 0
	for i := range m.Renditions {
		switch r := &m.Renditions[i]; {
		case r.Kind != vod.Audio:
		case r.Language == language:
			return r
		case r.Language == undetermined && untold == nil:
			untold = r
		case r.Language != undetermined:
			others++
		}
	}
	if others > 0 {
		return nil
	}
	return untold
}

// command runs Config.CaptionCommand in dir.
func (g *Ingester) command(ctx context.Context, dir, audio, language, output string, progress func(float64)) error {
	fill := strings.NewReplacer("{audio}", audio, "{language}", language, "{output}", output)
	var argv []string
	for _, word := range g.cfg.CaptionCommand {
		argv = append(argv, fill.Replace(word))
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("caption command: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("caption command: %w", err)
	}
	last := float64(percentSound)
	said := newEachLine(func(line string) {
		text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(line)), "progress:")
		part, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if !ok || err != nil || !(part >= 0 && part <= 1) {
			return
		}
		if percent := percentSound + part*(percentCommand-percentSound); percent > last {
			last = percent
			progress(percent)
		}
	})
	return g.run(ctx, child{path: path, args: argv[1:], dir: dir, stdout: said, timeout: g.cfg.CaptionTimeout})
}

// takeOutput makes what the command wrote the asset's captions.
func (g *Ingester) takeOutput(ctx context.Context, a vod.Asset, language, output string) (err error) {
	// O_NONBLOCK, and no more than is allowed: whatever lies there, it does not hold us up.
	file, _, err := openRegular(output)
	if err != nil {
		return fmt.Errorf("%w: the command wrote no file: %w", ErrCaptions, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	draft, _, err := g.draft(ctx, "", io.Reader(file))
	if err != nil {
		return err
	}
	if refused(draft.Findings) {
		return fmt.Errorf("%w: output of the command: %s", ErrCaptions, draft.Findings[0].Code)
	}
	before := entryOf(&a, language)
	c := vod.Captions{Language: language, Format: draft.Format, Encoding: draft.Encoding, Origin: originCommand}
	_, _, err = g.keepCues(ctx, a, c, draft.Cues, func(now *vod.Asset) error {
		if now.Source.ID != a.Source.ID || entryOf(now, language) != before {
			return errOvertaken
		}
		return nil
	})
	if errors.Is(err, errOvertaken) {
		g.log.Info("captions of the command dropped: others were given meanwhile", "asset_id", a.ID, "language", language)
		return nil
	}
	return err
}

var errOvertaken = errors.New("ingest: others were given meanwhile")

// entryOf returns what Extras say of the captions in language; the zero value: nothing.
func entryOf(a *vod.Asset, language string) vod.Captions {
	for _, c := range a.Extras.Captions {
		if c.Language == language {
			return c
		}
	}
	return vod.Captions{}
}
