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

// uploadPrefix is where the bytes of uploads lie once they are objects: uploads/{upload id}/film.
const (
	uploadPrefix = "uploads/"
	uploadSuffix = "/film"
)

// Sweep removes what killed runs left: scratch folders of assets that are
// finished or gone, and objects that nothing names. An object is named by the
// media, sources, extras and histories of assets, by media that journals use
// (Deps.InUse), by slates, and by uploads that are not taken yet; what lies with
// a media that is being made, and what is younger than Config.SweepAge, stays.
//
// The order matters: objects are listed before names are asked for, so that
// what gets its name meanwhile is seen as named; and uploads are asked before
// the assets that are made of them.
func (g *Ingester) Sweep(ctx context.Context) error {
	objects, err := g.listed(ctx)
	if err != nil {
		return err
	}
	running, err := g.sweepScratch(ctx)
	if err != nil {
		return err
	}
	n := names{g: g, objects: map[string]bool{}, making: running, media: map[vod.MediaID]bool{}}
	if err := n.gather(ctx); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	// Two rounds: what a media in use names may lie with another one.
	var faults []error
	for _, info := range objects {
		if err := n.ask(ctx, info.Key); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	for _, info := range objects {
		if ctx.Err() != nil {
			return fmt.Errorf("sweep: %w", ctx.Err())
		}
		if n.named(info.Key) {
			continue
		}
		if err := g.store.Delete(ctx, info.Key); err != nil {
			faults = append(faults, fmt.Errorf("sweep: %w", err))
			continue
		}
		g.log.Info("orphan object removed", "size", info.Size)
	}
	return errors.Join(faults...)
}

// listed returns the objects old enough to be swept.
func (g *Ingester) listed(ctx context.Context) (objects []storage.Info, err error) {
	now := g.now()
	for _, prefix := range []storage.Key{mediaPrefix, sourcePrefix, uploadPrefix} {
		err := g.store.List(ctx, prefix, func(info storage.Info) error {
			ours := prefix != uploadPrefix || strings.HasSuffix(string(info.Key), uploadSuffix)
			if ours && (g.cfg.SweepAge < 0 || now.Sub(info.Modified) > g.cfg.SweepAge) {
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

// names are the objects that have an owner.
type names struct {
	g       *Ingester
	objects map[string]bool
	making  map[vod.MediaID]bool // all that lies with these stays
	media   map[vod.MediaID]bool // media whose names were taken in, or that are known to be dead
}

// gather takes in what uploads, assets and journals name.
func (n *names) gather(ctx context.Context) error {
	if n.g.uploads != nil {
		uploads, err := n.g.uploads.Uploads(ctx, "")
		if err != nil {
			return fmt.Errorf("list uploads: %w", err)
		}
		for _, u := range uploads {
			if u.State == vod.UploadOpen || u.State == vod.UploadComplete {
				n.objects[u.Object] = true
			}
		}
	}
	assets, err := n.g.library.Assets(ctx)
	if err != nil {
		return fmt.Errorf("list assets: %w", err)
	}
	for i := range assets {
		a := &assets[i]
		n.making[a.Making] = true
		n.source(a.Source, a.Extras)
		ids := []vod.MediaID{a.Media, a.First}
		for _, r := range a.History {
			n.source(r.Source, r.Extras)
			ids = append(ids, r.Media)
		}
		for _, id := range ids {
			if err := n.take(ctx, id); err != nil {
				return err
			}
		}
	}
	if n.g.inUse == nil {
		return nil
	}
	used, err := n.g.inUse(ctx)
	if err != nil {
		return fmt.Errorf("list media in use: %w", err)
	}
	for _, id := range used {
		if err := n.take(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// source takes in what a source and its extras name.
func (n *names) source(s vod.Source, e vod.Extras) {
	for _, key := range []string{s.Object, s.Preview, e.Poster} {
		n.objects[key] = true
	}
	for _, list := range [][]vod.Captions{s.Captions, e.Captions} {
		for _, c := range list {
			n.objects[c.Object], n.objects[c.Original] = true, true
		}
	}
}

// take takes in what a media names. One that is not there names nothing.
func (n *names) take(ctx context.Context, id vod.MediaID) error {
	if id == "" || n.media[id] {
		return nil
	}
	m, err := n.g.library.Media(ctx, id)
	if err != nil && !errors.Is(err, vod.ErrNotFound) {
		return fmt.Errorf("look up media %s: %w", id, err)
	}
	n.media[id] = true
	if err == nil {
		for key := range objectsOf(&m) {
			n.objects[key] = true
		}
	}
	return nil
}

// ask looks for the media that an object lies with, unless an asset named it:
// a slate's objects are named by it. A recording that its asset has forgotten
// names nothing where it is known what journals use.
func (n *names) ask(ctx context.Context, key storage.Key) error {
	id, ok := mediaOf(key)
	if !ok || n.media[id] || n.objects[string(key)] || n.making[id] {
		return nil
	}
	m, err := n.g.library.Media(ctx, id)
	if errors.Is(err, vod.ErrNotFound) || err == nil && m.Asset != "" && n.g.inUse != nil {
		n.media[id] = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up media %s: %w", id, err)
	}
	return n.take(ctx, id)
}

// mediaOf returns the media that an object lies with.
func mediaOf(key storage.Key) (vod.MediaID, bool) {
	rest, ok := strings.CutPrefix(string(key), mediaPrefix)
	name, _, _ := strings.Cut(rest, "/")
	return vod.MediaID(name), ok
}

// named tells whether an object has an owner.
func (n *names) named(key storage.Key) bool {
	id, ok := mediaOf(key)
	return n.objects[string(key)] || ok && (n.making[id] || n.g.holds(id))
}

func objectsOf(m *vod.Media) map[string]bool {
	names := map[string]bool{m.Poster: true, m.Waveform: true}
	for i := range m.Renditions {
		names[m.Renditions[i].Object] = true
	}
	for _, sprite := range m.Sprites {
		names[sprite] = true
	}
	for _, key := range m.Audio {
		names[key] = true
	}
	return names
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
