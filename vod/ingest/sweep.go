package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// Sweep removes what killed runs left: scratch folders of assets that are
// finished or gone, and objects of media and sources that nothing names. What
// is being worked on, and what is younger than Config.SweepAge, stays.
//
// The order matters: objects are listed before names are asked for, so that
// what gets its name meanwhile is seen as named.
func (g *Ingester) Sweep(ctx context.Context) error {
	objects, err := g.listed(ctx)
	if err != nil {
		return err
	}
	running, err := g.sweepScratch(ctx)
	if err != nil {
		return err
	}
	sources, err := g.namedSources(ctx)
	if err != nil {
		return err
	}
	media := map[vod.MediaID]map[string]bool{} // what each media names; nil: everything of it stays
	var faults []error
	for _, info := range objects {
		named, err := g.named(ctx, info.Key, sources, running, media)
		if err == nil && !named {
			err = g.store.Delete(ctx, info.Key)
			g.log.Info("orphan object removed", "size", info.Size)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("sweep: %w", err))
		}
		if ctx.Err() != nil {
			return fmt.Errorf("sweep: %w", ctx.Err())
		}
	}
	return errors.Join(faults...)
}

// listed returns the objects old enough to be swept.
func (g *Ingester) listed(ctx context.Context) (objects []storage.Info, err error) {
	now := g.now()
	for _, prefix := range []storage.Key{mediaPrefix, sourcePrefix} {
		err := g.store.List(ctx, prefix, func(info storage.Info) error {
			if g.cfg.SweepAge < 0 || now.Sub(info.Modified) > g.cfg.SweepAge {
				objects = append(objects, info)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("sweep: list objects: %w", err)
		}
	}
	return objects, nil
}

// named tells whether an object has an owner.
func (g *Ingester) named(ctx context.Context, key storage.Key, sources map[string]bool, running map[vod.MediaID]bool, media map[vod.MediaID]map[string]bool) (bool, error) {
	rest, isMedia := strings.CutPrefix(string(key), mediaPrefix)
	if !isMedia {
		return sources[string(key)], nil
	}
	name, _, _ := strings.Cut(rest, "/")
	id := vod.MediaID(name)
	if running[id] || g.holds(id) {
		return true, nil
	}
	names, asked := media[id]
	if !asked {
		m, err := g.library.Media(ctx, id)
		switch {
		case errors.Is(err, vod.ErrNotFound):
			names = map[string]bool{}
		case err != nil:
			return true, fmt.Errorf("look up media %s: %w", id, err)
		default:
			names = objectsOf(&m)
		}
		media[id] = names
	}
	return names[string(key)], nil
}

func objectsOf(m *vod.Media) map[string]bool {
	names := map[string]bool{m.Poster: true}
	for i := range m.Renditions {
		names[m.Renditions[i].Object] = true
	}
	for _, sprite := range m.Sprites {
		names[sprite] = true
	}
	return names
}

// namedSources are the objects of all assets' sources.
func (g *Ingester) namedSources(ctx context.Context) (map[string]bool, error) {
	assets, err := g.library.Assets(ctx)
	if err != nil {
		return nil, fmt.Errorf("sweep: list assets: %w", err)
	}
	named := map[string]bool{}
	for _, a := range assets {
		named[a.Source.Object] = true
		for _, c := range a.Source.Captions {
			named[c.Object] = true
		}
	}
	return named, nil
}

// sweepScratch removes folders of finished runs and returns the media of those that go on.
func (g *Ingester) sweepScratch(ctx context.Context) (map[vod.MediaID]bool, error) {
	entries, err := os.ReadDir(g.cfg.Scratch)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	running := map[vod.MediaID]bool{}
	for _, e := range entries {
		dir := filepath.Join(g.cfg.Scratch, e.Name())
		if !e.IsDir() {
			continue
		}
		id, keep, err := g.goesOn(ctx, dir, e)
		if err != nil {
			return nil, err
		}
		if keep {
			running[id] = true
			continue
		}
		lock, err := lockDir(dir)
		if err != nil {
			continue // somebody works in it
		}
		if err := errors.Join(os.RemoveAll(dir), lock.Close()); err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
	}
	return running, nil
}

// goesOn tells whether a scratch folder belongs to an asset that is not finished.
func (g *Ingester) goesOn(ctx context.Context, dir string, entry os.DirEntry) (vod.MediaID, bool, error) {
	r, err := readRun(dir)
	if err != nil {
		// Begun an instant ago, a slate, or nothing of ours: it goes when it is old.
		info, err := entry.Info()
		if err != nil {
			return "", true, nil
		}
		return "", g.cfg.SweepAge >= 0 && g.now().Sub(info.ModTime()) < max(g.cfg.SweepAge, time.Minute), nil
	}
	a, err := g.library.Asset(ctx, r.Asset)
	if errors.Is(err, vod.ErrNotFound) {
		return r.Media, false, nil
	}
	if err != nil {
		return r.Media, true, fmt.Errorf("sweep: %w", err)
	}
	finished := a.State == vod.Failed || a.State == vod.Ready && a.Media != ""
	return r.Media, !finished, nil
}
