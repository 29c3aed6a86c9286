package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"reprise/storage"
	"reprise/vod"
)

// The picture of a talk that has none.
const (
	stillFPS                = slateFPS
	stillWidth, stillHeight = 1920, 1080
)

// still makes the rungs of a sound recording: a picture that stands still, the
// one that was uploaded as its poster, else a card with its title. One group of
// pictures is encoded in each rung and then repeated, so an hour costs no more than a minute.
func (g *Ingester) still(ctx context.Context, a vod.Asset, r *run) error {
	grid := gridOf(stillFPS)
	var rungs []rung
	for _, name := range r.Recipe.Rungs {
		rungs = append(rungs, rungNamed(name))
	}
	if err := g.stillGroup(ctx, a, r, rungs, grid.group); err != nil {
		return err
	}
	args := []string{"-nostdin", "-v", "error", "-y"}
	for _, rung := range rungs {
		args = append(args, "-stream_loop", "-1", "-i", stillFile(r.dir, rung.name))
	}
	for i, rung := range rungs {
		args = append(args, "-map", fmt.Sprintf("%d:v", i), "-c", "copy", "-frames:v", strconv.FormatInt(int64(r.Recipe.Length/grid.frame), 10),
			"-video_track_timescale", "48000", "-f", "mp4", outputFile(r.dir, rung.name))
	}
	if err := g.run(ctx, child{path: g.cfg.FFmpeg, args: args, timeout: g.cfg.EncodeTimeout}); err != nil {
		return fmt.Errorf("repeat still picture: %w", err)
	}
	return nil
}

func stillFile(dir, rung string) string { return filepath.Join(dir, "still-"+rung+".mp4") }

// stillGroup encodes one group of pictures in each rung, and the poster.
func (g *Ingester) stillGroup(ctx context.Context, a vod.Asset, r *run, rungs []rung, frames int) error {
	draw, err := g.drawSlate(ctx, SlateSpec{Talk: a.Title, Language: r.Recipe.Sounds[0].Language}, r.dir)
	if err != nil {
		return err
	}
	sources := []string{canvas(draw), canvas("")} // the second when there is no font
	picture, err := g.lendPicture(ctx, a.Extras.Poster, r.dir)
	if err != nil {
		return err
	}
	if picture != nil {
		defer picture.Close()
		fit := fmt.Sprintf("[0:v]scale=%d:%d:force_original_aspect_ratio=decrease:flags=lanczos,pad=%d:%d:(ow-iw)/2:(oh-ih)/2:color=%s,setsar=1,format=rgb24",
			stillWidth, stillHeight, stillWidth, stillHeight, slateBackground)
		sources = append([]string{fit}, sources...)
	}
	for i, source := range sources {
		args := []string{"-nostdin", "-v", "error", "-y"}
		var files []*os.File
		if picture != nil && i == 0 {
			args, files = append(append(args, readingPicture()...), "-i", film), []*os.File{picture}
		}
		args = append(args, "-filter_complex", standing(source, rungs, frames))
		for _, rung := range rungs {
			args = append(args, standingOutput(rung, frames, stillFile(r.dir, rung.name))...)
		}
		args = append(args, "-map", "[poster]", "-frames:v", "1", "-q:v", "3", "-update", "1", posterFile(r.dir))
		err = g.run(ctx, child{path: g.cfg.FFmpeg, args: args, files: files, dir: r.dir, timeout: g.cfg.ProbeTimeout})
		if err == nil || retryable(ctx, err) {
			break
		}
		g.log.Error("still picture cannot be drawn, a plainer one is tried", "asset_id", a.ID, "error", err)
	}
	if err != nil {
		return fmt.Errorf("draw still picture: %w", err)
	}
	return nil
}

// lendPicture copies an uploaded picture into dir and opens it; nil when there is none.
func (g *Ingester) lendPicture(ctx context.Context, key, dir string) (*os.File, error) {
	if key == "" {
		return nil, nil
	}
	object, err := g.store.Open(ctx, storage.Key(key))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open picture: %w", err)
	}
	file, err := unnamed(dir)
	if err == nil {
		_, err = io.Copy(file, io.LimitReader(&contextReader{ctx, object}, LargestPicture))
	}
	if err = errors.Join(err, object.Close()); err != nil {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
		return nil, fmt.Errorf("read picture: %w", err)
	}
	return file, nil
}

// unnamed makes a file that lives under its descriptor alone.
func unnamed(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "unnamed-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
