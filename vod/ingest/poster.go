package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"reprise/vod"
)

// Thumbnails: sheets of 10 by 10 tiles of 160x90, one each 10 s.
const (
	tileSeconds = 10
	tilesASheet = 100
)

// picture makes the poster and the thumbnail sheets from the renditions just
// made: they decode fast, and look like what will be shown. A picture that
// cannot be made is left out, the recording plays without it.
func (g *Ingester) picture(ctx context.Context, r *run, progress func(float64)) (poster string, sprites []string, err error) {
	lowest := outputFile(r.dir, r.Recipe.Rungs[len(r.Recipe.Rungs)-1])
	top := outputFile(r.dir, r.Recipe.Rungs[0])
	for _, name := range r.Recipe.Rungs {
		if name == "v720" {
			top = outputFile(r.dir, name) // large enough for a poster
		}
	}
	at, err := g.brightMoment(ctx, lowest)
	if err != nil {
		return "", nil, err
	}
	progress(0.3)
	file := filepath.Join(r.dir, "poster.jpg")
	if err := g.makePicture(ctx, "-ss", strconv.FormatFloat(at, 'f', 3, 64), "-i", top, "-frames:v", "1", "-q:v", "3", file); err != nil {
		return "", nil, err
	}
	if poster, err = g.putFile(ctx, r.Media, "poster.jpg", file); err != nil {
		return "", nil, err
	}
	progress(0.5)
	sprites, err = g.sprites(ctx, r, lowest)
	return poster, sprites, err
}

// makePicture runs ffmpeg on files of our own making.
func (g *Ingester) makePicture(ctx context.Context, args ...string) error {
	err := g.run(ctx, child{
		path: g.cfg.FFmpeg, args: append([]string{"-nostdin", "-v", "error", "-y"}, args...), timeout: g.cfg.EncodeTimeout,
	})
	if err != nil && retryable(ctx, err) {
		return fmt.Errorf("make picture: %w", err)
	}
	if err != nil {
		g.log.Warn("picture left out", "error", err)
	}
	return nil
}

// putFile stores a picture; one that was not made is "".
func (g *Ingester) putFile(ctx context.Context, id vod.MediaID, name, path string) (string, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("store %s: %w", name, err)
	}
	defer file.Close()
	info, err := g.putObject(ctx, mediaKey(id, name), func(w io.Writer) error {
		_, err := io.Copy(w, file)
		return err
	})
	return string(info.Key), err
}

// moment is what signalstats says of one key frame.
type moment struct{ at, mean, low, high float64 }

// brightMoment finds a moment worth a poster, in seconds: among the key frames
// of the first half, after the first tenth, the first one that is neither dark
// nor blank, else the one with most contrast.
func (g *Ingester) brightMoment(ctx context.Context, path string) (float64, error) {
	var moments []moment
	lines := newEachLine(func(text string) {
		if _, value, ok := strings.Cut(text, "pts_time:"); ok {
			moments = append(moments, moment{at: number(value)})
			return
		}
		if len(moments) == 0 {
			return
		}
		m := &moments[len(moments)-1]
		for name, field := range map[string]*float64{"YAVG=": &m.mean, "YLOW=": &m.low, "YHIGH=": &m.high} {
			if _, value, ok := strings.Cut(text, "signalstats."+name); ok {
				*field = number(value)
			}
		}
	})
	err := g.run(ctx, child{
		path: g.cfg.FFmpeg, timeout: g.cfg.EncodeTimeout, stdout: lines,
		args: []string{"-nostdin", "-v", "error", "-skip_frame", "nokey", "-i", path, "-vf", "scale=160:90,signalstats,metadata=print:file='pipe\\:1'", "-f", "null", "-"},
	})
	if err != nil && retryable(ctx, err) {
		return 0, fmt.Errorf("look for a poster: %w", err)
	}
	return bestMoment(moments), nil
}

func bestMoment(moments []moment) float64 {
	if len(moments) == 0 {
		return 0
	}
	candidates := moments[len(moments)/10 : max(len(moments)/10+1, (len(moments)+1)/2)]
	for _, m := range candidates {
		if m.mean > 40 && m.high-m.low > 40 {
			return m.at
		}
	}
	best := slices.MaxFunc(moments, func(a, b moment) int { return int((a.high - a.low) - (b.high - b.low)) })
	return best.at
}

// sprites makes the thumbnail sheets from the key frames of a rendition: tile k is the first one at or after 10 k seconds.
func (g *Ingester) sprites(ctx context.Context, r *run, path string) ([]string, error) {
	pattern := filepath.Join(r.dir, "sprite-%d.jpg")
	filter := fmt.Sprintf("select='gte(t+0.001,%d*selected_n)',scale=160:90:flags=area,setsar=1,tile=10x10", tileSeconds)
	err := g.makePicture(ctx, "-skip_frame", "nokey", "-i", path, "-vf", filter, "-fps_mode", "passthrough", "-start_number", "0", "-q:v", "5", pattern)
	if err != nil {
		return nil, err
	}
	var keys []string
	sheets := int(r.Recipe.Length.Duration().Seconds())/(tileSeconds*tilesASheet) + 1
	for i := range sheets {
		name := fmt.Sprintf("sprite-%d.jpg", i)
		key, err := g.putFile(ctx, r.Media, name, filepath.Join(r.dir, name))
		if err != nil {
			return nil, err
		}
		if key != "" {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
