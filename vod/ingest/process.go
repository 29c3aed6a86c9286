package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// Shares of the percent of vod.Processing.
const (
	shareTranscode = 92
	sharePack      = 4
)

// Step is where the work on an asset stands.
type Step struct {
	State    vod.State
	Percent  float64 // of State, 0..100
	Progress vod.Progress
}

// Process makes an asset ready: probe, preflight, transcode or copy, package,
// captions, poster, thumbnails, PutMedia. It may be killed at any point and
// called again: finished steps are not repeated, nothing half-made is visible.
// An asset that is ready already is left as it is.
//
// A source that cannot be used makes the asset vod.Failed with fatal findings,
// and the error is nil. An error means that another attempt may succeed:
// vod.ErrNotFound, ErrBusy, ctx's own, or one of disk, store and library.
// progress may be nil; it is called from this goroutine and those of children, one at a time.
func (g *Ingester) Process(ctx context.Context, id vod.AssetID, progress func(Step)) (err error) {
	release, err := g.claim(id)
	if err != nil {
		return err
	}
	defer release()
	asset, err := g.library.Asset(ctx, id)
	if err != nil {
		return fmt.Errorf("process %s: %w", id, err)
	}
	if asset.State == vod.Ready && asset.Media != "" {
		return nil
	}
	r, err := g.openRun(asset)
	if err != nil {
		return fmt.Errorf("process %s: %w", id, err)
	}
	done := false
	defer func() { err = errors.Join(err, r.close(done)) }()
	defer g.hold(r.Media)()
	w := &work{g: g, run: r, asset: asset, tell: progress}
	if done, err = w.process(ctx); err != nil {
		return fmt.Errorf("process %s: %w", id, err)
	}
	return nil
}

// work is one attempt to make one asset ready.
type work struct {
	g        *Ingester
	run      *run
	asset    vod.Asset
	tell     func(Step)
	findings []vod.Finding
	told     time.Time
	probe    *Probe
	levels   []level
}

// process returns done when nothing is left to do: ready, or refused.
func (w *work) process(ctx context.Context) (done bool, err error) {
	if err := w.state(ctx, vod.Probing, 0); err != nil {
		return false, err
	}
	in, err := w.g.open(ctx, storage.Key(w.asset.Source.Object), w.run.dir)
	if errors.Is(err, storage.ErrNotFound) {
		return true, w.refuse(ctx, []vod.Finding{finding("source-missing")})
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	refusal, err := w.preflight(ctx, in)
	if err != nil || refusal != nil {
		return refusal != nil && err == nil, errors.Join(err, w.refuseIf(ctx, refusal))
	}
	if err := w.state(ctx, vod.Processing, 0); err != nil {
		return false, err
	}
	refusal, err = w.encode(ctx, in)
	if err != nil || refusal != nil {
		return refusal != nil && err == nil, errors.Join(err, w.refuseIf(ctx, refusal))
	}
	return true, w.finish(ctx, in)
}

// state tells the library and the caller where the asset stands. The library is told at most once a second.
func (w *work) state(ctx context.Context, state vod.State, percent float64) error {
	percent = math.Round(min(100, max(0, percent))*10) / 10
	if w.tell != nil {
		w.tell(Step{State: state, Percent: percent})
	}
	now := w.g.now()
	if percent > 0 && now.Sub(w.told) < time.Second {
		return nil
	}
	w.told = now
	_, err := w.g.library.UpdateAsset(ctx, w.asset.ID, func(a *vod.Asset) error {
		a.State, a.Percent, a.Updated = state, percent, now.UTC()
		if state == vod.Processing {
			a.Verdict, a.Findings = verdictOf(w.findings), w.findings
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("update asset: %w", err)
	}
	return nil
}

// stage reports progress inside [from, from+share] percent; a library that cannot be told does not stop the work.
func (w *work) stage(ctx context.Context, state vod.State, from, share float64) func(float64) {
	return func(part float64) {
		if err := w.state(ctx, state, from+share*part); err != nil && ctx.Err() == nil {
			w.g.log.Warn("progress not written, work goes on", "asset_id", w.asset.ID, "error", err)
		}
	}
}

func (w *work) refuseIf(ctx context.Context, refusal []vod.Finding) error {
	if refusal == nil {
		return nil
	}
	return w.refuse(ctx, refusal)
}

// refuse makes the asset failed and removes what was made of it. Remarks about
// a film that is not used would only hide the reason.
func (w *work) refuse(ctx context.Context, findings []vod.Finding) error {
	findings = slices.DeleteFunc(slices.Clone(findings), func(f vod.Finding) bool { return !f.Fatal })
	if err := w.g.removeObjects(ctx, w.run.Media); err != nil {
		return err
	}
	now := w.g.now().UTC()
	_, err := w.g.library.UpdateAsset(ctx, w.asset.ID, func(a *vod.Asset) error {
		a.State, a.Percent, a.Verdict, a.Findings, a.Updated = vod.Failed, 0, vod.VerdictRefused, findings, now
		return nil
	})
	if err != nil {
		return fmt.Errorf("update asset: %w", err)
	}
	if w.tell != nil {
		w.tell(Step{State: vod.Failed})
	}
	said := []string(nil)
	if w.probe != nil {
		said = w.probe.Said
	}
	w.g.log.Info("source refused", "asset_id", w.asset.ID, "finding", findings[0].Code, "said", said)
	return nil
}

// preflight looks at the source, judges it, and writes the recipe. A refusal is not nil.
func (w *work) preflight(ctx context.Context, in *input) (refusal []vod.Finding, err error) {
	p, err := w.g.probe(ctx, in)
	if timedOut(err) && p.Format == "" {
		return []vod.Finding{finding("not-media")}, nil
	}
	if timedOut(err) {
		return []vod.Finding{finding("too-costly")}, nil
	}
	if err != nil {
		return nil, err
	}
	w.probe = p
	if err := w.state(ctx, vod.Probing, 30); err != nil {
		return nil, err
	}
	sounds := chooseSounds(p, w.asset.Source)
	w.findings = judge(p, sounds, limits{duration: w.g.cfg.MaxDuration})
	if refused(w.findings) {
		return w.findings, nil
	}
	treatments, levels, err := w.g.treatSounds(ctx, in, sounds, w.stage(ctx, vod.Probing, 30, 70))
	switch {
	case err != nil && retryable(ctx, err):
		return nil, err
	case timedOut(err):
		return append(w.findings, finding("too-costly")), nil
	case err != nil:
		w.g.log.Warn("sound cannot be measured", "asset_id", w.asset.ID, "error", err)
		return append(w.findings, finding("sound-undecodable")), nil
	}
	w.findings = append(w.findings, judgeLevels(sounds, levels, treatments)...)
	w.levels = levels
	if w.run.usable() {
		return nil, nil
	}
	w.run.Recipe = newRecipe(p, sounds, treatments)
	byStream := map[int]level{}
	for i, s := range sounds {
		byStream[s.track.Index] = levels[i]
	}
	planCopies(ctx, p, w.run.Recipe, byStream)
	return nil, w.run.save()
}

func timedOut(err error) bool { return errors.Is(err, ErrTimeout) }

// newRecipe decides what is made of a source that can be used.
func newRecipe(p *Probe, sounds []sound, treatments []treatment) *recipe {
	v := &p.Video[0]
	g := gridFor(v.Rate.Float(), v.Constant)
	end := v.End
	r := &recipe{FPS: g.fps}
	for i, s := range sounds {
		end = max(end, s.track.End)
		r.Sounds = append(r.Sounds, soundPlan{Language: s.language, Stream: s.track.Index, Treatment: treatments[i]})
	}
	if len(sounds) == 0 {
		r.Sounds = []soundPlan{{Language: undetermined, Stream: -1}}
	}
	r.Length = g.lengthOf(end)
	for _, rung := range rungsFor(v.Shape()) {
		r.Rungs = append(r.Rungs, rung.name)
	}
	return r
}

// encode runs the transcode, unless a killed run had finished it. A source
// whose picture proves damaged is not copied but encoded, so that every segment decodes (R162).
func (w *work) encode(ctx context.Context, in *input) (refusal []vod.Finding, err error) {
	r := w.run.Recipe
	if !w.run.usable() {
		if err := w.transcode(ctx, in); err != nil {
			return nil, err
		}
		if r.Errors > 0 && r.copies() && !refused(r.Trouble) {
			r.encodeAll()
			if err := w.transcode(ctx, in); err != nil {
				return nil, err
			}
		}
		if !refused(r.Trouble) {
			if err := w.run.finished(); err != nil {
				return nil, err
			}
		}
	}
	w.findings = append(w.findings, r.Trouble...)
	if refused(w.findings) {
		return w.findings, nil
	}
	return nil, nil
}

func (w *work) transcode(ctx context.Context, in *input) error {
	r := w.run.Recipe
	trouble, err := w.g.transcode(ctx, in, job{probe: w.probe, recipe: r, dir: w.run.dir}, w.stage(ctx, vod.Processing, 0, shareTranscode))
	r.Trouble = trouble
	return err
}

func (r *recipe) copies() bool {
	for _, s := range r.Sounds {
		if s.Copy {
			return true
		}
	}
	return r.CopyRung != ""
}

// encodeAll takes copying out of the recipe.
func (r *recipe) encodeAll() {
	if r.CopyRung != "" {
		r.Rungs, r.CopyRung = append([]string{r.CopyRung}, r.Rungs...), ""
	}
	for i := range r.Sounds {
		r.Sounds[i].Copy = false
	}
}

// finish makes objects of the outputs and hands the media to the library.
func (w *work) finish(ctx context.Context, in *input) error {
	r := w.run
	renditions, err := w.g.pack(ctx, in, r, w.probe, w.stage(ctx, vod.Processing, shareTranscode, sharePack))
	if err != nil {
		return err
	}
	captions, trouble, err := w.g.caption(ctx, in, r, w.asset, w.probe)
	if err != nil {
		return err
	}
	w.findings = append(w.findings, trouble...)
	const before = shareTranscode + sharePack
	poster, sprites, err := w.g.picture(ctx, r, w.stage(ctx, vod.Processing, before, 100-before))
	if err != nil {
		return err
	}
	if err := w.verdict(ctx); err != nil {
		return err
	}
	g := gridOf(r.Recipe.FPS)
	count, last := cmaf.Grid(int64(r.Recipe.Length), int64(g.nominal))
	media := vod.Media{
		ID: r.Media, Asset: w.asset.ID, Revision: w.asset.Revision + 1, NameKey: r.NameKey,
		Nominal: g.nominal, Last: timeline.Ticks(last), Count: count,
		Renditions: append(renditions, captions...), Poster: poster, Sprites: sprites,
		Chapters: chapters(w.probe, r.Recipe.Length), Loudness: r.Recipe.loudness(),
	}
	if err := w.g.library.PutMedia(ctx, media); err != nil {
		return fmt.Errorf("put media: %w", err)
	}
	if w.tell != nil {
		w.tell(Step{State: vod.Ready, Percent: 100})
	}
	return nil
}

// verdict writes the last word before the asset becomes ready.
func (w *work) verdict(ctx context.Context) error {
	now := w.g.now().UTC()
	_, err := w.g.library.UpdateAsset(ctx, w.asset.ID, func(a *vod.Asset) error {
		a.Percent, a.Verdict, a.Findings, a.Updated = 100, verdictOf(w.findings), w.findings, now
		return nil
	})
	if err != nil {
		return fmt.Errorf("update asset: %w", err)
	}
	return nil
}

// loudness of the first sound, 0 when it is silence.
func (r *recipe) loudness() float64 {
	s := r.Sounds[0]
	if s.Stream < 0 || s.Treatment.After <= silenceBelow {
		return 0
	}
	return math.Round(s.Treatment.After*10) / 10
}

// chapters are the source's, inside the recording; one alone says nothing.
func chapters(p *Probe, length timeline.Ticks) []vod.Chapter {
	var list []vod.Chapter
	for i, c := range p.Chapters {
		start := timeline.TicksOf(c.Start)
		if start >= length {
			continue
		}
		title := c.Title
		if title == "" {
			title = strconv.Itoa(i + 1)
		}
		list = append(list, vod.Chapter{Start: start, Title: title})
	}
	if len(list) < 2 {
		return nil
	}
	return list
}
