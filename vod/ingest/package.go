package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"

	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// pack turns the transcode's outputs, and the tracks of the source that are
// copied, into objects. It returns the renditions in the order of the media:
// pictures from high to low, then sounds. progress gets 0..1.
func (g *Ingester) pack(ctx context.Context, in *input, r *run, p *Probe, progress func(float64)) ([]vod.Rendition, error) {
	plan := r.Recipe.plan()
	made := map[string]vod.Rendition{}
	names := r.Recipe.outputs()
	for i, name := range names {
		language := r.Recipe.languageOf(name)
		rendition, err := g.packFile(ctx, r.Media, "", name, language, outputFile(r.dir, name), plan)
		if err != nil {
			return nil, err
		}
		made[name] = rendition
		progress(float64(i+1) / float64(len(names)+1))
	}
	copied, err := g.packCopies(ctx, in, r, p, plan)
	if err != nil {
		return nil, err
	}
	for name, rendition := range copied {
		made[name] = rendition
	}
	return r.Recipe.arrange(made)
}

// plan is the packager's plan for the recording.
func (r *recipe) plan() cmaf.Plan {
	return cmaf.Plan{Nominal: int64(gridOf(r.FPS).nominal), Length: int64(r.Length), Priming: -1}
}

func (r *recipe) languageOf(name string) string {
	for _, s := range r.Sounds {
		if name == audioName(s.Language) || name == lowAudioName(s.Language) {
			return s.Language
		}
	}
	return ""
}

// arrange puts the renditions in order and checks that all have the same segments (R139).
func (r *recipe) arrange(made map[string]vod.Rendition) ([]vod.Rendition, error) {
	var all []vod.Rendition
	take := func(name string) error {
		rendition, ok := made[name]
		if !ok {
			return nil
		}
		if count, _ := cmaf.Grid(int64(r.Length), int64(gridOf(r.FPS).nominal)); len(rendition.Segments) != count {
			return fmt.Errorf("package %s: %d segments instead of %d", name, len(rendition.Segments), count)
		}
		all = append(all, rendition)
		return nil
	}
	for _, rung := range ladder {
		if err := take(rung.name); err != nil {
			return nil, err
		}
	}
	for _, name := range []func(string) string{audioName, lowAudioName} {
		for _, s := range r.Sounds {
			if err := take(name(s.Language)); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// packFile packages the only track of a file that we made. folder, empty or ending in a slash, is the object's below the media's.
func (g *Ingester) packFile(ctx context.Context, id vod.MediaID, folder, name, language, path string, plan cmaf.Plan) (vod.Rendition, error) {
	file, err := os.Open(path)
	if err != nil {
		return vod.Rendition{}, fmt.Errorf("package %s: %w", name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return vod.Rendition{}, fmt.Errorf("package %s: %w", name, err)
	}
	movie, err := cmaf.Inspect(file, info.Size())
	if err != nil {
		return vod.Rendition{}, fmt.Errorf("package %s: %w", name, err)
	}
	plan.Language = language
	made, err := g.packTracks(ctx, id, movie, []trackJob{{folder: folder, name: name, language: language, track: 0}}, plan)
	if err != nil {
		return vod.Rendition{}, err
	}
	return made[name], nil
}

// packCopies packages the source's own tracks that need no re-encoding.
func (g *Ingester) packCopies(ctx context.Context, in *input, r *run, p *Probe, plan cmaf.Plan) (map[string]vod.Rendition, error) {
	var jobs []trackJob
	if r.Recipe.CopyRung != "" {
		jobs = append(jobs, trackJob{name: r.Recipe.CopyRung, track: p.Video[0].Index, copied: true})
	}
	for _, s := range r.Recipe.Sounds {
		if s.Copy {
			jobs = append(jobs, trackJob{name: audioName(s.Language), language: s.Language, track: s.Stream, copied: true})
		}
	}
	if len(jobs) == 0 {
		return nil, nil
	}
	if p.Movie == nil {
		return nil, errors.New("package source: it is no MP4 file")
	}
	return g.packTracks(ctx, r.Media, p.Movie, jobs, plan)
}

// trackJob is one track of a file to package as a rendition.
type trackJob struct {
	folder         string // of the object
	name, language string
	track          int
	copied         bool
}

// packTracks packages tracks of one movie in one pass over it.
func (g *Ingester) packTracks(ctx context.Context, id vod.MediaID, movie *cmaf.Movie, jobs []trackJob, plan cmaf.Plan) (made map[string]vod.Rendition, err error) {
	writers := make([]objectWriter, 0, len(jobs))
	defer func() {
		if err != nil {
			for _, w := range writers {
				err = errors.Join(err, w.Abort())
			}
		}
	}()
	tasks := make([]cmaf.Job, len(jobs))
	for i, j := range jobs {
		w, err := g.create(ctx, mediaKey(id, j.folder+j.name+".mp4"))
		if err != nil {
			return nil, err
		}
		writers = append(writers, w)
		own := plan
		own.Language = j.language
		tasks[i] = cmaf.Job{Track: j.track, Plan: own, W: w}
	}
	indexes, err := cmaf.PackageAll(ctx, movie, tasks)
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", jobs[0].name, err)
	}
	made = map[string]vod.Rendition{}
	for i, j := range jobs {
		w := writers[0]
		writers = writers[1:]
		info, err := w.Commit()
		if err != nil {
			return nil, fmt.Errorf("store %s: %w", j.name, err)
		}
		made[j.name] = renditionOf(j, string(info.Key), indexes[i])
	}
	return made, nil
}

func renditionOf(j trackJob, object string, index *cmaf.Index) vod.Rendition {
	r := vod.Rendition{
		Name: j.name, Kind: vod.Audio, Language: j.language, Codec: index.Codec, Width: index.Width, Height: index.Height,
		Channels: index.Channels, Copied: j.copied, Object: object, InitSize: index.InitSize,
		Segments: make([]vod.Segment, len(index.Segments)),
	}
	if index.Kind == cmaf.Video {
		r.Kind, r.Frame = vod.Video, timeline.Ticks(index.Frame)
	}
	for i, s := range index.Segments {
		r.Segments[i] = vod.Segment{Offset: s.Offset, Size: s.Size, IFrame: s.IFrame}
	}
	return r
}
