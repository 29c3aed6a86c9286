package ingest

import (
	"context"
	"slices"
	"sync/atomic"

	"reprise/vod"
)

// encode runs the transcode, unless a killed run had finished it. A source
// whose picture proves damaged is not copied but encoded, so that every segment decodes (R162).
func (w *work) encode(ctx context.Context, in *input) (refusal []vod.Finding, err error) {
	r := w.run.Recipe
	w.guess(r)
	if !w.run.usable() {
		if err := w.ladder(ctx, in); err != nil {
			return nil, err
		}
		if r.Errors > 0 && r.copies() && !refused(r.Trouble) {
			r.encodeAll()
			w.first = nil
			if err := w.ladder(ctx, in); err != nil {
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
	if s := readSeen(w.run.dir); s != nil && !r.Still {
		w.findings = append(w.findings, judgeSeen(&w.probe.Video[0], s, chooseSounds(w.probe, w.asset.Source), w.levels)...)
	}
	return nil, nil
}

// ladder makes all that the recipe has and the first media has not: pictures
// and sounds by one child, or by two when the pictures were begun before.
func (w *work) ladder(ctx context.Context, in *input) error {
	r := w.run.Recipe
	var sounds []int
	for i, s := range r.Sounds {
		if !slices.Contains(r.Given, lowAudioName(s.Language)) {
			sounds = append(sounds, i)
		}
	}
	if r.Still {
		if err := w.g.still(ctx, w.asset, w.run); err != nil {
			return err
		}
		return w.transcode(ctx, in, w.job(nil, sounds), w.stage(ctx, stageEncoding, 0, 1))
	}
	if w.begun != nil {
		return w.joinPictures(ctx, in, sounds)
	}
	j := w.job(without(r.Rungs, r.Given), sounds)
	j.watch = newPictureWatch(&w.probe.Video[0], r.FPS, r.Length)
	began := w.g.now()
	if err := w.transcode(ctx, in, j, w.stage(ctx, stageEncoding, 0, 1)); err != nil {
		return err
	}
	w.g.learn(w.probe, j.rungs, r.FPS, r.Length.Duration(), w.g.now().Sub(began))
	return w.keepSeen(j.watch)
}

// keepSeen notes what was seen of the pictures.
func (w *work) keepSeen(watch *pictureWatch) error {
	s := watch.see(w.probe.Video[0].End)
	return s.save(w.run.dir)
}

// pictures is an encoding of all rungs that goes on beside other work.
type pictures struct {
	recipe  recipe // its own
	watch   *pictureWatch
	heard   atomic.Pointer[func(float64)] // who hears of its progress; nil: nobody yet
	done    chan struct{}                 // closed at its end; what follows is valid then
	trouble []vod.Finding
	err     error
}

// startPictures begins to encode the rungs of the recipe. It ends with ctx.
func (w *work) startPictures(ctx context.Context, in *input) *pictures {
	p := &pictures{recipe: *w.run.Recipe, done: make(chan struct{})}
	p.watch = newPictureWatch(&w.probe.Video[0], p.recipe.FPS, p.recipe.Length)
	j := job{probe: w.probe, recipe: &p.recipe, dir: w.run.dir, rungs: p.recipe.Rungs, watch: p.watch}
	w.children.Go(func() { // process waits for it
		defer close(p.done)
		began := w.g.now()
		p.trouble, p.err = w.g.transcode(ctx, in, j, func(part float64) {
			if heard := p.heard.Load(); heard != nil {
				(*heard)(part)
			}
		})
		if p.err == nil && !refused(p.trouble) {
			w.g.learn(w.probe, j.rungs, p.recipe.FPS, p.recipe.Length.Duration(), w.g.now().Sub(began))
		}
	})
	return p
}

// joinPictures makes the sounds, waits for the pictures, and joins what both brought to light.
func (w *work) joinPictures(ctx context.Context, in *input, sounds []int) error {
	p, r := w.begun, w.run.Recipe
	w.begun = nil
	heard := w.stage(ctx, stageEncoding, 0, 1)
	heard(0)
	p.heard.Store(&heard) // from here on it alone reports
	if err := w.transcode(ctx, in, w.job(nil, sounds), func(float64) {}); err != nil || refused(r.Trouble) {
		return err
	}
	<-p.done
	if p.err != nil {
		return p.err
	}
	both := r.Errors + p.recipe.Errors
	if both > w.g.cfg.MaxDecodeErrors && !refused(p.trouble) {
		p.trouble = []vod.Finding{at(finding("damaged", both), spansOf(p.trouble))}
	} else if r.Errors > 0 && p.recipe.Errors > 0 && !refused(p.trouble) {
		p.trouble, r.Trouble = []vod.Finding{at(finding("reading-errors", both), spansOf(p.trouble))}, nil
	}
	r.Errors, r.Trouble = both, append(r.Trouble, p.trouble...)
	return w.keepSeen(p.watch)
}

func spansOf(findings []vod.Finding) (spans []vod.Span) {
	for _, f := range findings {
		spans = append(spans, f.Spans...)
	}
	return spans
}

func (w *work) job(rungs []string, sounds []int) job {
	return job{probe: w.probe, recipe: w.run.Recipe, dir: w.run.dir, rungs: rungs, sounds: sounds}
}

// transcode runs one job and keeps what it brought to light. What the early
// pass found of the sounds, which are not decoded again, is not forgotten.
func (w *work) transcode(ctx context.Context, in *input, j job, progress func(float64)) error {
	r := w.run.Recipe
	if len(j.sounds) > 0 && r.Sounds[j.sounds[0]].Stream >= 0 && j.sounds[0] == 0 {
		j.wave = newWave(r.Length)
	}
	trouble, err := w.g.transcode(ctx, in, j, progress)
	if err != nil {
		return err
	}
	for _, f := range r.Trouble {
		if r.Early && !slices.ContainsFunc(trouble, func(t vod.Finding) bool { return t.Code == f.Code }) {
			trouble = append(trouble, f)
		}
	}
	r.Trouble = trouble
	if j.wave == nil || refused(trouble) {
		return nil
	}
	return j.wave.save(w.run.dir)
}

// without returns the names that are not among the others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

func (r *recipe) copies() bool {
	for _, s := range r.Sounds {
		if s.Copy {
			return true
		}
	}
	return r.CopyRung != ""
}

// encodeAll takes copying out of the recipe, and what was copied into a first media.
func (r *recipe) encodeAll() {
	if r.CopyRung != "" {
		r.Rungs, r.CopyRung = append([]string{r.CopyRung}, r.Rungs...), ""
	}
	for i := range r.Sounds {
		r.Sounds[i].Copy = false
	}
	r.Given, r.Early = nil, false
}
