package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reprise/storage"
	"reprise/vod"
)

// Remake makes a new media of an asset whose extras (captions, chapters,
// poster) changed since its media was made, and puts the old one into the
// history. Pictures and sound are not encoded again: the new media names the
// objects of the old one. Nothing changed: nothing is done. An asset that is
// being processed is left alone, for Process ends with this. ErrNotReady when
// the latest film was refused; vod.ErrNotFound.
//
// It may be killed at any point and called again. Of two that run at once, the
// one that began later wins, and saw the later extras.
func (g *Ingester) Remake(ctx context.Context, id vod.AssetID) error {
	err := g.remake(ctx, id)
	if errors.Is(err, errSuperseded) || errors.Is(err, vod.ErrConflict) {
		return nil
	}
	return err
}

// remake goes on until the media has the extras that the asset has.
func (g *Ingester) remake(ctx context.Context, id vod.AssetID) error {
	for {
		a, err := g.library.Asset(ctx, id)
		if err != nil {
			return fmt.Errorf("remake %s: %w", id, err)
		}
		switch {
		case a.State == vod.Failed || a.State == vod.Ready && a.Media == "":
			return fmt.Errorf("remake %s: %w", id, ErrNotReady)
		case a.State != vod.Ready:
			return nil
		}
		old, err := g.library.Media(ctx, a.Media)
		if err != nil {
			return fmt.Errorf("remake %s: %w", id, err)
		}
		if sameExtras(old.Extras, a.Extras) {
			return nil
		}
		if err := g.remakeOnce(ctx, a, &old); err != nil {
			return fmt.Errorf("remake %s: %w", id, err)
		}
	}
}

// Changed tells whether there is something for Remake to do.
func (g *Ingester) Changed(ctx context.Context, id vod.AssetID) (bool, error) {
	a, err := g.library.Asset(ctx, id)
	if err != nil {
		return false, fmt.Errorf("compare extras of %s: %w", id, err)
	}
	if a.State != vod.Ready || a.Media == "" {
		return false, nil
	}
	m, err := g.library.Media(ctx, a.Media)
	if err != nil {
		return false, fmt.Errorf("compare extras of %s: %w", id, err)
	}
	return !sameExtras(m.Extras, a.Extras), nil
}

// remaking is one attempt.
type remaking struct {
	g     *Ingester
	asset vod.Asset
	old   *vod.Media
	media vod.Media
}

func (g *Ingester) remakeOnce(ctx context.Context, a vod.Asset, old *vod.Media) (err error) {
	r := &remaking{g: g, old: old, media: *old}
	r.media.ID, r.media.NameKey = vod.MediaID(storage.RandomName()), newNameKey()
	defer g.hold(r.media.ID)()
	if r.asset, err = g.library.UpdateAsset(ctx, a.ID, func(a *vod.Asset) error {
		if a.Media != old.ID || a.State != vod.Ready {
			return errSuperseded
		}
		a.Making = r.media.ID
		return nil
	}); err != nil {
		return err
	}
	if err = r.make(ctx); err == nil {
		return nil
	}
	return errors.Join(err, r.undo(ctx))
}

// undo takes back what a failed attempt left.
func (r *remaking) undo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	_, err := r.g.library.UpdateAsset(ctx, r.asset.ID, func(a *vod.Asset) error {
		if a.Making != r.media.ID {
			return errSuperseded
		}
		a.Making = ""
		return nil
	})
	if err != nil && !superseded(err) {
		return err
	}
	if _, err := r.g.library.Media(ctx, r.media.ID); !errors.Is(err, vod.ErrNotFound) {
		return err // it is there after all, or may be
	}
	return r.g.removeObjects(ctx, r.media.ID)
}

func (r *remaking) make(ctx context.Context) error {
	m := &r.media
	m.Extras, m.Source = r.asset.Extras, r.asset.Source.ID
	own := r.asset.Source.Chapters
	if own == nil && r.old.Extras.Chapters == nil {
		own = r.old.Chapters
	}
	m.Chapters = chaptersOf(m.Extras, own, m.Duration())
	captions, trouble, err := r.g.recaption(ctx, r.asset, r.old, m.ID)
	if err != nil {
		return err
	}
	m.Renditions = slices.DeleteFunc(slices.Clone(r.old.Renditions), func(x vod.Rendition) bool { return x.Kind == vod.Subtitles })
	if err := r.poster(ctx); err != nil {
		return err
	}
	m.Renditions = append(m.Renditions, captions...)
	now := r.g.now().UTC()
	if r.asset, err = r.g.library.UpdateAsset(ctx, r.asset.ID, func(a *vod.Asset) error {
		if a.Making != m.ID || a.Media != r.old.ID {
			return errSuperseded
		}
		remember(a, vod.Revision{
			Number: r.old.Revision, Source: a.Source, Extras: r.old.Extras, Media: r.old.ID,
			Verdict: a.Verdict, Findings: a.Findings, Reason: reasonExtras,
		}, now)
		a.Findings = slices.DeleteFunc(slices.Clone(a.Findings), func(f vod.Finding) bool { return aboutCaptions(f.Code) })
		a.Findings = append(a.Findings, trouble...)
		a.Verdict, a.Updated = verdictOf(a.Findings), now
		return nil
	}); err != nil {
		return err
	}
	m.Revision = nextRevision(&r.asset)
	return r.g.library.PutMedia(ctx, *m)
}

// aboutCaptions tells the findings that recaption finds anew.
func aboutCaptions(code string) bool {
	return strings.HasPrefix(code, "captions-") && code != "captions-ignored"
}

// automatic tells whether the program chose the poster.
func automatic(e vod.Extras) bool { return e.Poster == "" && e.PosterAt == nil }

// poster finds the poster that the extras ask for.
func (r *remaking) poster(ctx context.Context) error {
	e, was := r.media.Extras, r.old.Extras
	same := e.Poster == was.Poster && (e.PosterAt == nil) == (was.PosterAt == nil) && (e.PosterAt == nil || *e.PosterAt == *was.PosterAt)
	if same {
		return nil
	}
	dir, err := os.MkdirTemp(r.g.cfg.Scratch, "remake-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if r.still() && e.Poster != was.Poster {
		return r.redraw(ctx, dir)
	}
	switch {
	case e.Poster != "":
		r.media.Poster = e.Poster
		return nil
	case e.PosterAt != nil && !r.still():
		return r.frame(ctx, dir, *e.PosterAt)
	}
	return r.chosen(ctx, dir)
}

// still tells whether the film's picture is one that stands still.
func (r *remaking) still() bool {
	return slices.ContainsFunc(r.asset.Findings, func(f vod.Finding) bool { return f.Code == "no-picture" })
}

// redraw makes the picture of a sound recording anew: it is the poster.
func (r *remaking) redraw(ctx context.Context, dir string) error {
	recipe := &recipe{FPS: stillFPS, Length: r.media.Duration(), Still: true, Sounds: []soundPlan{{Language: undetermined}}}
	for _, x := range r.media.Renditions {
		switch x.Kind {
		case vod.Video:
			recipe.Rungs = append(recipe.Rungs, x.Name)
		case vod.Audio:
			if recipe.Sounds[0].Language == undetermined {
				recipe.Sounds[0].Language = x.Language
			}
		}
	}
	run := &run{Asset: r.asset.ID, Media: r.media.ID, Recipe: recipe, dir: dir}
	if err := r.g.still(ctx, r.asset, run); err != nil {
		return err
	}
	for i := range r.media.Renditions {
		x := &r.media.Renditions[i]
		if x.Kind != vod.Video {
			continue
		}
		made, err := r.g.packFile(ctx, r.media.ID, "", x.Name, "", outputFile(dir, x.Name), recipe.plan())
		if err != nil {
			return err
		}
		*x = made
	}
	r.media.Poster = r.media.Extras.Poster
	if r.media.Poster != "" {
		return nil
	}
	var err error
	r.media.Poster, err = r.g.putFile(ctx, r.media.ID, "poster.jpg", posterFile(dir))
	return err
}

// chosen is the poster that the program chose, of this media or an earlier one of the same film, else chosen now.
func (r *remaking) chosen(ctx context.Context, dir string) error {
	for _, h := range slices.Backward(r.asset.History) {
		if h.Media == "" || h.Source.ID != r.asset.Source.ID || !automatic(h.Extras) {
			continue
		}
		m, err := r.g.library.Media(ctx, h.Media)
		if err != nil {
			return err
		}
		r.media.Poster = m.Poster
		return nil
	}
	lowest := r.picture(func(x *vod.Rendition) bool { return true })
	if lowest == nil {
		return nil
	}
	path := filepath.Join(dir, "lowest.mp4")
	if err := r.g.fetchRange(ctx, lowest, 0, lowest.Segments[len(lowest.Segments)-1], path); err != nil {
		return err
	}
	at, err := r.g.brightMoment(ctx, path)
	if err != nil {
		return err
	}
	return r.frame(ctx, dir, at)
}

// picture returns the last rendition of pictures that is wanted, nil when there is none.
func (r *remaking) picture(wanted func(*vod.Rendition) bool) (found *vod.Rendition) {
	for i := range r.media.Renditions {
		if x := &r.media.Renditions[i]; x.Kind == vod.Video && len(x.Segments) > 0 && wanted(x) {
			found = x
		}
	}
	return found
}

// frame makes the poster of one moment, in seconds: only the segment that holds it is read.
func (r *remaking) frame(ctx context.Context, dir string, at float64) error {
	m := &r.media
	top := r.picture(func(x *vod.Rendition) bool { return x.Name == "v720" })
	if top == nil {
		top = r.picture(func(x *vod.Rendition) bool { return x == &m.Renditions[0] })
	}
	if top == nil || top.Frame <= 0 || m.Nominal <= 0 {
		return nil
	}
	ticks := min(max(0, int64(at*48000)), int64(m.Duration()-top.Frame))
	segment := min(int(ticks/int64(m.Nominal)), len(top.Segments)-1)
	number := (ticks - int64(segment)*int64(m.Nominal)) / int64(top.Frame)
	path := filepath.Join(dir, "segment.mp4")
	if err := r.g.fetchRange(ctx, top, top.Segments[segment].Offset, top.Segments[segment], path); err != nil {
		return err
	}
	err := r.g.makePicture(ctx, "-i", path, "-vf", fmt.Sprintf("select='gte(n,%d)'", number), "-frames:v", "1", "-q:v", "3", posterFile(dir))
	if err != nil {
		return err
	}
	key, err := r.g.putFile(ctx, m.ID, "poster-"+storage.RandomName()+".jpg", posterFile(dir))
	if key != "" {
		m.Poster = key
	}
	return err
}
