package ingest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"reprise/storage"
	"reprise/vod"
)

// Thumbnails: sheets of 10 by 10 tiles of 160x90, one each 10 s.
const (
	tileSeconds = 10
	tilesASheet = 100
)

func posterFile(dir string) string { return filepath.Join(dir, "poster.jpg") }

// poster stores the picture that stands for the film and returns its key: the
// uploaded one, else the moment that was chosen by hand, else one chosen here.
// It is made from the renditions just made: they decode fast, and look like
// what will be shown. A picture that cannot be made is left out, the recording plays without it.
func (g *Ingester) poster(ctx context.Context, r *run, e vod.Extras, progress func(float64)) (string, error) {
	if e.Poster != "" {
		return e.Poster, nil
	}
	if r.Recipe.Still {
		return g.putFile(ctx, r.Media, "poster.jpg", posterFile(r.dir))
	}
	lowest, top := r.Recipe.pictures(r.dir)
	at := 0.0
	if e.PosterAt != nil {
		at = min(max(0, *e.PosterAt), (r.Recipe.Length - gridOf(r.Recipe.FPS).frame).Duration().Seconds())
	} else {
		var err error
		if at, err = g.brightMoment(ctx, lowest); err != nil {
			return "", err
		}
	}
	progress(0.6)
	file := posterFile(r.dir)
	if err := g.makePicture(ctx, "-ss", strconv.FormatFloat(at, 'f', 3, 64), "-i", top, "-frames:v", "1", "-q:v", "3", file); err != nil {
		return "", err
	}
	progress(1)
	return g.putFile(ctx, r.Media, "poster-"+storage.RandomName()+".jpg", file)
}

// pictures returns the files of the lowest rung, and of one that is large enough for a poster.
func (r *recipe) pictures(dir string) (lowest, top string) {
	for i, name := range without(r.Rungs, r.Given) {
		lowest = outputFile(dir, name)
		if i == 0 || name == "v720" {
			top = lowest
		}
	}
	return lowest, top
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
func (g *Ingester) sprites(ctx context.Context, r *run, progress func(float64)) ([]string, error) {
	path, _ := r.Recipe.pictures(r.dir)
	pattern := filepath.Join(r.dir, "sprite-%d.jpg")
	filter := fmt.Sprintf("select='gte(t+0.001,%d*selected_n)',scale=160:90:flags=area,setsar=1,tile=10x10", tileSeconds)
	err := g.makePicture(ctx, "-skip_frame", "nokey", "-i", path, "-vf", filter, "-fps_mode", "passthrough", "-start_number", "0", "-q:v", "5", pattern)
	if err != nil {
		return nil, err
	}
	progress(0.8)
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
	progress(1)
	return keys, nil
}
