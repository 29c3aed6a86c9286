package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
)

// errSuperseded ends work that is not ours any more: the asset has another
// source, is ready, or another process makes its media. It is no error to the caller.
var errSuperseded = errors.New("ingest: somebody else's work by now")

// superseded tells whether an error says that there is nothing left to do for us.
func superseded(err error) bool {
	return errors.Is(err, errSuperseded) || errors.Is(err, vod.ErrConflict) || errors.Is(err, vod.ErrNotFound)
}

// Process makes an asset ready: probe, preflight, preview, transcode or copy,
// package, captions, poster, thumbnails, PutMedia. Where somebody waits for it
// a first rendition comes before the ladder (see Deps.Airs). It may be killed at
// any point and called again: finished steps are not repeated, nothing
// half-made is visible. An asset that is ready already is left as it is, but for changed extras.
//
// A source that cannot be used makes the asset vod.Failed with fatal findings,
// and the error is nil; media of an earlier source stays. The error is nil as
// well when the film was replaced, or taken over by another process, meanwhile.
// An error means that another attempt may succeed: vod.ErrNotFound, ErrBusy,
// ErrNoSpace, ctx's own, or one of disk, store and library; the asset is
// Uploaded again, and what was finished is kept for the next attempt.
// progress may be nil; it is called from this goroutine and those of children, one at a time.
func (g *Ingester) Process(ctx context.Context, id vod.AssetID, progress func(Step)) error {
	release, err := g.claim(id)
	if err != nil {
		return err
	}
	defer release()
	asset, err := g.library.Asset(ctx, id)
	if err != nil {
		return fmt.Errorf("process %s: %w", id, err)
	}
	if asset.State != vod.Ready || asset.Media == "" {
		if err := g.process(ctx, asset, progress); err != nil {
			return fmt.Errorf("process %s: %w", id, err)
		}
	}
	// Extras may have changed while the last objects were written.
	if err := g.remake(ctx, id); err != nil && !superseded(err) && !errors.Is(err, ErrNotReady) {
		return fmt.Errorf("process %s: %w", id, err)
	}
	return nil
}

// process makes one attempt.
func (g *Ingester) process(ctx context.Context, asset vod.Asset, progress func(Step)) (err error) {
	r, err := g.openRun(asset)
	if err != nil {
		return err
	}
	done := false
	defer func() { err = errors.Join(err, r.close(done)) }()
	defer g.hold(r.Media)()
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &work{g: g, run: r, asset: asset, tell: progress, stop: stop}
	done, err = w.process(inner)
	switch {
	case err != nil && (superseded(err) || superseded(context.Cause(inner))):
		g.log.Info("work given up, the film is another one or somebody else's by now", "asset_id", asset.ID, "media_id", r.Media)
		done, err = true, w.drop(ctx)
	case err != nil:
		w.giveBack(ctx)
	}
	return err
}

// work is one attempt to make one asset ready.
type work struct {
	g        *Ingester
	run      *run
	asset    vod.Asset
	tell     func(Step)
	stop     context.CancelCauseFunc // ends the attempt
	findings []vod.Finding
	clock    timing
	said     Step
	told     time.Time
	probe    *Probe
	levels   []level
	first    *vod.Media // the first media, once it is there
	begun    *pictures  // being encoded; nil: not yet
	children sync.WaitGroup
}

// process returns done when nothing is left to do: ready, or refused.
func (w *work) process(ctx context.Context) (done bool, err error) {
	if err := w.begin(ctx); err != nil {
		return false, err
	}
	in, err := w.g.openSource(ctx, w.asset.Source, w.run.dir, w.stage(ctx, stageChecking, 0, 0.5))
	if errors.Is(err, storage.ErrNotFound) {
		return true, w.refuse(ctx, []vod.Finding{finding("source-missing")})
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	inner, cancel := context.WithCancel(ctx)
	halt := func() { // before anything is said, or removed under their hands
		cancel()
		w.children.Wait()
	}
	defer halt()
	for _, step := range []func(context.Context, *input) ([]vod.Finding, error){w.check, w.measure, w.early, w.encode} {
		refusal, err := step(inner, in)
		if err != nil {
			return false, err
		}
		if refusal != nil {
			halt()
			return true, w.refuse(ctx, refusal)
		}
	}
	return true, w.finish(ctx, in)
}

// begin takes the asset over: whoever worked on it before notices at the next step.
func (w *work) begin(ctx context.Context) error {
	now := w.g.now()
	w.said = Step{State: vod.Probing, Progress: vod.Progress{Stage: stageChecking, Node: w.g.cfg.Node}}
	a, err := w.g.library.UpdateAsset(ctx, w.asset.ID, func(a *vod.Asset) error {
		if a.Source.ID != w.asset.Source.ID || a.State == vod.Ready {
			return errSuperseded
		}
		a.Making, a.State, a.Percent, a.Progress, a.Updated = w.run.Media, w.said.State, 0, w.said.Progress, now.UTC()
		return nil
	})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	w.asset, w.told = a, now
	if w.tell != nil {
		w.tell(w.said)
	}
	return nil
}

// mine changes the asset while the work on it is ours: errSuperseded.
func (w *work) mine(ctx context.Context, change func(*vod.Asset)) (vod.Asset, error) {
	now := w.g.now().UTC()
	a, err := w.g.library.UpdateAsset(ctx, w.asset.ID, func(a *vod.Asset) error {
		if a.Source.ID != w.asset.Source.ID || a.Making != w.run.Media {
			return errSuperseded
		}
		change(a)
		a.Updated = now
		return nil
	})
	if err != nil {
		return vod.Asset{}, fmt.Errorf("update asset: %w", err)
	}
	return a, nil
}

// farewell is how long an attempt that was cancelled may take to say so.
const farewell = 5 * time.Second

// giveBack says that nobody works on the asset any more. Making stays: its objects are for the next attempt.
func (w *work) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	_, err := w.mine(ctx, func(a *vod.Asset) {
		if a.State == vod.Probing || a.State == vod.Processing {
			a.State, a.Percent, a.Progress = vod.Uploaded, 0, vod.Progress{}
		}
	})
	if err != nil && !superseded(err) {
		w.g.log.Warn("asset not given back, the next attempt takes it over", "asset_id", w.asset.ID, "error", err)
	}
}

// drop removes what a superseded attempt made. Objects of a first media may be
// on air, and a media may be in the library though the answer was lost; only Sweep knows.
func (w *work) drop(ctx context.Context) error {
	if w.run.First != "" {
		return nil
	}
	if _, err := w.g.library.Media(ctx, w.run.Media); !errors.Is(err, vod.ErrNotFound) {
		return err
	}
	return w.g.removeObjects(ctx, w.run.Media)
}

// refuse makes the asset failed and removes what was made of it. Remarks about
// a film that is not used would only hide the reason.
func (w *work) refuse(ctx context.Context, findings []vod.Finding) error {
	w.findings = slices.DeleteFunc(slices.Clone(findings), func(f vod.Finding) bool { return !f.Fatal })
	if err := w.g.library.PutReport(ctx, w.report(true)); err != nil {
		return fmt.Errorf("store report: %w", err)
	}
	_, err := w.mine(ctx, func(a *vod.Asset) {
		a.State, a.Percent, a.Progress, a.First, a.Making = vod.Failed, 0, vod.Progress{}, "", ""
		a.Verdict, a.Findings = vod.VerdictRefused, w.findings
	})
	if err != nil {
		return err
	}
	if w.tell != nil {
		w.tell(Step{State: vod.Failed})
	}
	said := []string(nil)
	if w.probe != nil {
		said = w.probe.Said
	}
	w.g.log.Info("source refused", "asset_id", w.asset.ID, "finding", w.findings[0].Code, "said", said)
	return w.drop(ctx)
}

// check looks at the source and judges it as far as it can without decoding it. A refusal is not nil.
func (w *work) check(ctx context.Context, in *input) (refusal []vod.Finding, err error) {
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
	w.findings = judge(p, chooseSounds(p, w.asset.Source), limits{duration: w.g.cfg.MaxDuration})
	if refused(w.findings) {
		return w.findings, nil
	}
	if err := w.g.library.PutReport(ctx, w.report(false)); err != nil { // within seconds; what is heard and seen comes later
		return nil, fmt.Errorf("store report: %w", err)
	}
	w.guess(newRecipe(p, chooseSounds(p, w.asset.Source), nil))
	if err := w.at(ctx, stageChecking, 0.8); err != nil {
		return nil, err
	}
	return nil, w.preview(ctx, in)
}

// guess tells the clock what is to come.
func (w *work) guess(r *recipe) {
	encode := func(rungs []string) time.Duration {
		if r.Still {
			rungs = nil
		}
		return w.g.estimate(w.probe, rungs, r.FPS, r.Length.Duration())
	}
	first := time.Duration(0)
	if r.Early || len(r.Given) > 0 {
		first = encode([]string{firstRung})
	}
	w.clock.plan(r.Length, first, encode(without(r.Rungs, r.Given)))
}

// measure listens to the sounds and writes the recipe, while the pictures are
// encoded already: nothing about them depends on it. A refusal is not nil.
func (w *work) measure(ctx context.Context, in *input) (refusal []vod.Finding, err error) {
	p, sounds := w.probe, chooseSounds(w.probe, w.asset.Source)
	fresh := !w.run.usable() && (w.run.Recipe == nil || !w.run.Recipe.Early)
	if fresh {
		w.run.Recipe = newRecipe(p, sounds, nil)
		planCopies(ctx, p, w.run.Recipe, nil)
		if err := w.g.room(w.asset.Source, w.run); err != nil {
			return nil, err
		}
		if w.asset.First == "" && !w.run.Recipe.Still && !w.wantsFirst(ctx) {
			w.begun = w.startPictures(ctx, in)
		}
	}
	treatments, levels, err := w.g.treatSounds(ctx, in, sounds, w.stage(ctx, stageMeasuring, 0, 1))
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
	if err := w.g.library.PutReport(ctx, w.report(false)); err != nil {
		return nil, fmt.Errorf("store report: %w", err)
	}
	if !fresh {
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
	g, end := gridOf(stillFPS), time.Duration(0)
	if len(p.Video) > 0 {
		g, end = gridFor(p.Video[0].Rate.Float(), p.Video[0].Constant), p.Video[0].End
	}
	r := &recipe{FPS: g.fps, Still: len(p.Video) == 0}
	for i, s := range sounds {
		end = max(end, s.track.End)
		plan := soundPlan{Language: s.language, Stream: s.track.Index}
		if treatments != nil {
			plan.Treatment = treatments[i]
		}
		r.Sounds = append(r.Sounds, plan)
	}
	if len(sounds) == 0 {
		r.Sounds = []soundPlan{{Language: undetermined, Stream: -1}}
	}
	r.Length = g.lengthOf(end)
	width, height := stillWidth, stillHeight
	if !r.Still {
		width, height = p.Video[0].Shape()
	}
	for _, rung := range rungsFor(width, height) {
		r.Rungs = append(r.Rungs, rung.name)
	}
	return r
}

// finish makes objects of the outputs and hands the media to the library.
func (w *work) finish(ctx context.Context, in *input) error {
	media, err := w.pack(ctx, in, w.run.Media, w.run.Recipe.all(), w.stage(ctx, stagePackaging, 0, 1))
	if err != nil {
		return err
	}
	if media.Sprites, err = w.g.sprites(ctx, w.run, w.stage(ctx, stagePictures, 0, 0.5)); err != nil {
		return err
	}
	said := w.findings
	made := media
	for range 3 { // people may change the extras meanwhile: then once more
		w.findings = said
		if made, err = w.dress(ctx, in, media); err != nil {
			return err
		}
		if w.asset, err = w.mine(ctx, func(a *vod.Asset) {
			a.Verdict, a.Findings = verdictOf(w.findings), w.findings
			a.Source.Chapters = chapters(w.probe, w.run.Recipe.Length)
		}); err != nil {
			return err
		}
		if sameExtras(made.Extras, w.asset.Extras) {
			break
		}
	}
	if err := w.g.library.PutReport(ctx, w.report(true)); err != nil {
		return fmt.Errorf("store report: %w", err)
	}
	made.Revision = nextRevision(&w.asset)
	if err := w.g.library.PutMedia(ctx, made); err != nil {
		return fmt.Errorf("put media: %w", err)
	}
	if w.tell != nil {
		w.tell(Step{State: vod.Ready, Percent: 100})
	}
	return nil
}

// dress adds what people may have said of the film to its media: captions, poster, chapters.
func (w *work) dress(ctx context.Context, in *input, media vod.Media) (vod.Media, error) {
	media.Extras = w.asset.Extras
	captions, trouble, err := w.g.caption(ctx, in, w.run, w.asset, w.probe)
	if err != nil {
		return vod.Media{}, err
	}
	w.findings = slices.Concat(w.findings, trouble)
	media.Renditions = slices.Concat(media.Renditions, captions)
	if media.Poster, err = w.g.poster(ctx, w.run, w.asset.Extras, w.stage(ctx, stagePictures, 0.5, 1)); err != nil {
		return vod.Media{}, err
	}
	media.Chapters = chaptersOf(w.asset.Extras, chapters(w.probe, w.run.Recipe.Length), media.Duration())
	return media, nil
}

// chaptersOf are the chapters of a film of that length: those given by hand, else its own.
func chaptersOf(e vod.Extras, own []vod.Chapter, length timeline.Ticks) []vod.Chapter {
	if e.Chapters == nil {
		return own
	}
	var list []vod.Chapter
	for _, c := range e.Chapters {
		if c.Start >= 0 && c.Start < length {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b vod.Chapter) int { return cmp.Compare(a.Start, b.Start) })
	return list
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
