package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// SlateSpec says what a slate shows. Texts may have a second line (\n): the
// same in the other language, shown smaller beneath.
type SlateSpec struct {
	ID        vod.MediaID
	Languages []string // one silent audio rendition each
	Language  string   // of the texts
	Title     string   // the event and the auditorium
	Headline  string   // "À suivre"
	Talk      string   // title of the next talk, or empty
	When      string   // "14 h 00", or empty
}

// A slate's template: one segment that is long enough for the longest (4.48 s), at 25 frames a second.
const (
	slateFrames = 112
	slateFPS    = 25
	slateTicks  = slateFrames * 1920
)

// MakeSlate draws the picture, encodes it in all rungs and silence in all
// languages, writes the objects and returns the media, which the caller puts
// into the library. Two nodes that make the same slate do not disturb each other.
func (g *Ingester) MakeSlate(ctx context.Context, spec SlateSpec) (vod.Media, error) {
	if spec.ID == "" || len(spec.Languages) == 0 {
		return vod.Media{}, errors.New("make slate: id and languages are required")
	}
	defer g.hold(spec.ID)()
	dir, err := os.MkdirTemp(g.cfg.Scratch, "slate-")
	if err != nil {
		return vod.Media{}, fmt.Errorf("make slate: %w", err)
	}
	defer os.RemoveAll(dir)
	lock, err := lockDir(dir)
	if err != nil {
		return vod.Media{}, err
	}
	defer lock.Close()
	if err := g.encodeSlate(ctx, spec, dir); err != nil {
		return vod.Media{}, fmt.Errorf("make slate: %w", err)
	}
	// All nodes name the segments alike; there is nothing to guess about a picture without a film.
	key := sha256.Sum256([]byte("slate segment names\x00" + string(spec.ID)))
	media := vod.Media{
		ID: spec.ID, Revision: 1, Loop: true, NameKey: key[:], Nominal: timeline.SlateNominal, Last: timeline.SlateNominal,
	}
	folder := storage.RandomName() + "/" // another node's objects lie beside ours, not in their place
	if media.Renditions, err = g.packSlate(ctx, spec, dir, folder); err != nil {
		return vod.Media{}, fmt.Errorf("make slate: %w", err)
	}
	if media.Poster, err = g.putFile(ctx, spec.ID, folder+"poster.jpg", filepath.Join(dir, "poster.jpg")); err != nil {
		return vod.Media{}, fmt.Errorf("make slate: %w", err)
	}
	return media, nil
}

// packSlate packages what encodeSlate made.
func (g *Ingester) packSlate(ctx context.Context, spec SlateSpec, dir, folder string) ([]vod.Rendition, error) {
	plan := cmaf.Plan{Nominal: slateTicks, Length: slateTicks, Priming: -1}
	var all []vod.Rendition
	pack := func(name, language, file string) error {
		r, err := g.packFile(ctx, spec.ID, folder, name, language, outputFile(dir, file), plan)
		all = append(all, r)
		return err
	}
	for _, r := range ladder {
		if err := pack(r.name, "", r.name); err != nil {
			return nil, err
		}
	}
	for _, file := range []string{"high", "low"} {
		name := audioName
		if file == "low" {
			name = lowAudioName
		}
		for _, language := range spec.Languages {
			if err := pack(name(language), language, file); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// encodeSlate makes all files in one run: the picture is drawn once, scaled
// once a rung, and repeated.
func (g *Ingester) encodeSlate(ctx context.Context, spec SlateSpec, dir string) error {
	draw, err := g.drawSlate(ctx, spec, dir)
	if err != nil {
		return err
	}
	for _, filter := range []string{draw, ""} {
		err := g.run(ctx, child{
			path: g.cfg.FFmpeg, args: g.slateArgs(filter, dir), dir: dir, timeout: g.cfg.ProbeTimeout,
		})
		if err == nil || retryable(ctx, err) || filter == "" {
			return err
		}
		// No font, or one without drawtext: a slate without words is better than a feed that cannot begin.
		g.log.Error("slate text cannot be drawn, slate is made without", "error", err)
	}
	return nil
}

// slateArgs is the command line; draw is the chain of drawing filters.
func (g *Ingester) slateArgs(draw, dir string) []string {
	args := []string{"-nostdin", "-hide_banner", "-v", "error", "-y",
		"-filter_complex", standing(canvas(draw), ladder, slateFrames),
		"-filter_complex", fmt.Sprintf("anullsrc=r=48000:cl=stereo,atrim=end_sample=%d,asplit=2[h][l]", slateTicks)}
	for _, r := range ladder {
		args = append(args, standingOutput(r, slateFrames, outputFile(dir, r.name))...)
	}
	args = append(args, "-map", "[poster]", "-frames:v", "1", "-q:v", "3", "-update", "1", filepath.Join(dir, "poster.jpg"))
	args = append(args, soundOutput("[h]", "high", "128k", dir)...)
	return append(args, soundOutput("[l]", "low", "64k", dir)...)
}

// canvas is the chain that draws one picture on the slates' background.
func canvas(draw string) string {
	return fmt.Sprintf("color=c=%s:s=1920x1080:r=%d:d=0.04,format=rgb24%s", slateBackground, slateFPS, draw)
}

// standing is the filter graph that makes of one picture (the chain source) a
// poster and, in each rung, a film of so many frames in which nothing moves.
func standing(source string, rungs []rung, frames int) string {
	var graph strings.Builder
	fmt.Fprintf(&graph, "%s,split=%d", source, len(rungs)+1)
	for i := range len(rungs) + 1 {
		fmt.Fprintf(&graph, "[s%d]", i)
	}
	for i, r := range rungs {
		fmt.Fprintf(&graph, ";[s%d]scale=%d:%d:flags=lanczos:out_color_matrix=bt709:out_range=tv,format=yuv420p,setsar=1,loop=loop=%d:size=1,"+
			"fps=%d,setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709[%s]", i, r.width, r.height, frames-1, slateFPS, r.name)
	}
	fmt.Fprintf(&graph, ";[s%d]scale=1280:720:flags=lanczos[poster]", len(rungs))
	return graph.String()
}

// standingOutput encodes a rung of a picture that stands still: it costs
// nothing but its key frames, and people look at it for minutes.
func standingOutput(r rung, frames int, path string) []string {
	r.crf -= 4
	args := append([]string{"-map", "[" + r.name + "]", "-frames:v", strconv.Itoa(frames)}, x264(r, gridOf(slateFPS), "veryfast", 0)...)
	return append(args, "-video_track_timescale", "48000", "-f", "mp4", path)
}
