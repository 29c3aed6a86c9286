package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// pack makes objects under media id of the named renditions, and the media of
// them: from the outputs of the transcode, from the tracks of the source that
// are copied, and from the first media, whose objects are shared. The
// renditions are in the order of the ladder, then the sounds. progress gets 0..1.
func (w *work) pack(ctx context.Context, in *input, id vod.MediaID, names []string, progress func(float64)) (vod.Media, error) {
	r := w.run.Recipe
	made := map[string]vod.Rendition{}
	var copied []string
	for i, name := range names {
		switch given := w.givenRendition(name); {
		case given != nil:
			made[name] = *given
		case r.copied(name):
			copied = append(copied, name)
		default:
			rendition, err := w.g.packFile(ctx, w.run.Media, "", name, r.languageOf(name), outputFile(w.run.dir, name), r.plan())
			if err != nil {
				return vod.Media{}, err
			}
			made[name] = rendition
		}
		progress(float64(i+1) / float64(len(names)+2))
	}
	if err := w.packCopies(ctx, in, copied, made); err != nil {
		return vod.Media{}, err
	}
	renditions, err := r.arrange(made)
	if err != nil {
		return vod.Media{}, err
	}
	g := gridOf(r.FPS)
	count, last := cmaf.Grid(int64(r.Length), int64(g.nominal))
	m := vod.Media{
		ID: id, Asset: w.asset.ID, Source: w.asset.Source.ID, NameKey: w.run.NameKey, Nominal: g.nominal, Last: timeline.Ticks(last), Count: count,
		Renditions: renditions, Loudness: r.loudness(),
	}
	if m.Audio, err = w.sounds(ctx, in); err != nil {
		return vod.Media{}, err
	}
	if m.Waveform, err = w.waveform(ctx); err != nil {
		return vod.Media{}, err
	}
	progress(1)
	return m, nil
}

// givenRendition returns a rendition that the first media has, nil when it has not.
func (w *work) givenRendition(name string) *vod.Rendition {
	if w.first == nil || !slices.Contains(w.run.Recipe.Given, name) {
		return nil
	}
	return w.first.Rendition(name)
}

// waveform stores what a transcode left of the sound's shape.
func (w *work) waveform(ctx context.Context) (string, error) {
	if w.first != nil && w.first.Waveform != "" {
		return w.first.Waveform, nil
	}
	return w.g.putFile(ctx, w.run.Media, "waveform.json", waveFile(w.run.dir))
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

// copied tells whether a rendition is the source's own track.
func (r *recipe) copied(name string) bool {
	for _, s := range r.Sounds {
		if s.Copy && name == audioName(s.Language) {
			return true
		}
	}
	return name == r.CopyRung
}

// packCopies packages the source's own tracks that need no re-encoding.
func (w *work) packCopies(ctx context.Context, in *input, names []string, made map[string]vod.Rendition) error {
	if len(names) == 0 {
		return nil
	}
	r := w.run.Recipe
	var jobs []trackJob
	for _, name := range names {
		j := trackJob{name: name, language: r.languageOf(name), copied: true}
		if name == r.CopyRung {
			j.track = w.probe.Video[0].Index
		}
		for _, s := range r.Sounds {
			if name == audioName(s.Language) {
				j.track = s.Stream
			}
		}
		jobs = append(jobs, j)
	}
	if w.probe.Movie == nil {
		return errors.New("package source: it is no MP4 file")
	}
	copies, err := w.g.packTracks(ctx, w.run.Media, w.probe.Movie, jobs, r.plan())
	maps.Copy(made, copies)
	return err
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
