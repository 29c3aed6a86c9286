package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reprise/storage"
	"reprise/vod"
)

// firstRung is the picture of the first media.
const firstRung = "v360"

// early makes the first media, when somebody waits for it: one rung and all
// sounds, on the grid, able to go on air alone. The ladder takes its renditions
// over. It costs a second decoding of the picture, a tenth of a ladder of 720p:
// so it is made only when the talk is on air before the ladder can be ready, or
// when no browser plays the source as it is. A refusal is not nil.
func (w *work) early(ctx context.Context, in *input) (refusal []vod.Finding, err error) {
	r := w.run.Recipe
	if w.begun != nil { // nobody waited when the pictures were begun
		return nil, nil
	}
	if ok, err := w.adopt(ctx, w.asset.First); err != nil || ok || w.run.usable() {
		return nil, err
	}
	if len(r.Given) > 0 { // what was given is gone
		r.Given, r.Early, r.Completed = nil, false, false
	}
	if !r.Early && !w.wantsFirst(ctx) {
		return nil, nil
	}
	if !r.Early {
		if refusal, err = w.encodeFirst(ctx, in); err != nil || refusal != nil {
			return refusal, err
		}
	}
	return nil, w.putFirst(ctx, in)
}

// adopt takes over the renditions of a first media that was made of this film
// in the same shape, by whichever process.
func (w *work) adopt(ctx context.Context, id vod.MediaID) (bool, error) {
	if id == "" {
		return false, nil
	}
	m, err := w.g.library.Media(ctx, id)
	if err != nil {
		if errors.Is(err, vod.ErrNotFound) {
			return false, nil
		}
		return false, fmt.Errorf("look for a first rendition: %w", err)
	}
	r := w.run.Recipe
	names := append(r.soundNames(true), firstRung)
	if m.Source != w.asset.Source.ID || m.Nominal != gridOf(r.FPS).nominal || m.Duration() != r.Length || !slices.Contains(r.Rungs, firstRung) {
		return false, nil
	}
	for _, name := range names {
		if m.Rendition(name) == nil {
			return false, nil
		}
	}
	w.first, w.run.First, r.Given = &m, m.ID, names
	return true, w.run.save()
}

// wantsFirst tells whether a first media is to be made.
func (w *work) wantsFirst(ctx context.Context) bool {
	r := w.run.Recipe
	return slices.Contains(r.Rungs, firstRung) && len(r.Rungs) > 1 && !r.Still && w.awaited(ctx)
}

// awaited tells whether somebody waits for something to look at.
func (w *work) awaited(ctx context.Context) bool {
	if w.asset.Source.Preview == "" {
		return true
	}
	if w.asset.Media != "" || w.g.airs == nil {
		return false
	}
	at, err := w.g.airs(ctx, w.asset.ID)
	if err != nil {
		w.g.log.Warn("the hour of a film is not known, it is made without haste", "asset_id", w.asset.ID, "error", err)
		return false
	}
	if at.IsZero() {
		return false
	}
	w.guess(w.run.Recipe)
	_, p := w.clock.at(w.g.now(), stageFirst, 0)
	return w.g.now().Add(p.Left).After(at)
}

// encodeFirst runs the early pass.
func (w *work) encodeFirst(ctx context.Context, in *input) (refusal []vod.Finding, err error) {
	r := w.run.Recipe
	for {
		j := w.job([]string{firstRung}, nil)
		for i := range r.Sounds {
			j.sounds = append(j.sounds, i)
		}
		if err := w.transcode(ctx, in, j, w.stage(ctx, stageFirst, 0, 0.95)); err != nil {
			return nil, err
		}
		if refused(r.Trouble) {
			return append(w.findings, r.Trouble...), nil
		}
		if r.Errors == 0 || !r.copies() {
			break
		}
		r.encodeAll()
	}
	if err := w.run.sync(append(without(r.soundNames(false), r.Given), firstRung)); err != nil {
		return nil, err
	}
	r.Early = true
	return nil, w.run.save()
}

// putFirst packages what the early pass made and hands it to the library.
func (w *work) putFirst(ctx context.Context, in *input) error {
	if w.run.First == "" {
		w.run.First = vod.MediaID(storage.RandomName())
		if err := w.run.save(); err != nil {
			return err
		}
	}
	r := w.run.Recipe
	// Its objects lie with those of the media to come, which will name them as well.
	m, err := w.pack(ctx, in, w.run.First, append(r.soundNames(true), firstRung), w.stage(ctx, stageFirst, 0.95, 1))
	if err != nil {
		return err
	}
	m.Partial, m.NameKey, m.Revision = true, newNameKey(), nextRevision(&w.asset)
	m.Ladder = slices.Clone(r.Rungs)
	if r.CopyRung != "" {
		m.Ladder = slices.Insert(m.Ladder, 0, r.CopyRung)
	}
	if _, err := w.mine(ctx, func(*vod.Asset) {}); err != nil {
		return err
	}
	if err := w.g.library.PutFirst(ctx, m); err != nil {
		return fmt.Errorf("put first media: %w", err)
	}
	_, err = w.adopt(ctx, m.ID)
	return err
}
