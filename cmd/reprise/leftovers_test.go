package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/configs"
	"reprise/storage"
	"reprise/storage/db"
	"reprise/vod"
	"reprise/vod/ingest"
)

// swept is the store and the rows of a server that has stopped, after a sweep that spares nothing young.
type swept struct {
	cfg    configs.Config
	rows   *db.DB
	store  objectStore
	assets []vod.Asset
	upload []vod.Upload
}

// sweepAll sweeps as servers do, but at once: of objects that nothing names, and of uploads in parts.
func sweepAll(t *testing.T, cfg configs.Config, now func() time.Time) *swept {
	t.Helper()
	ctx := t.Context()
	h, err := openHouse(ctx, cfg, silent(), movedClock{now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.close() })
	g, err := ingest.New(ingest.Config{Scratch: filepath.Join(cfg.Data.Dir, "scratch"), SweepAge: -1}, ingest.Deps{
		Library: h.rows, Store: h.objects, Log: silent(), Now: now, Uploads: h.rows, InUse: h.inUse,
	})
	if err == nil {
		err = g.Sweep(ctx)
	}
	if err == nil {
		if bucket, ok := h.objects.(*storage.S3); ok {
			_, err = bucket.AbortStale(ctx, 0)
		}
	}
	s := &swept{cfg: cfg, rows: h.rows, store: h.objects}
	if err == nil {
		s.assets, err = h.rows.Assets(ctx)
	}
	if err == nil {
		s.upload, err = h.rows.Uploads(ctx, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// movedClock is the machine's clock with another hour on it.
type movedClock struct{ now func() time.Time }

// Now implements clock.
func (c movedClock) Now() time.Time { return c.now() }

// Wait implements clock, for a clock that is not moved meanwhile.
func (c movedClock) Wait(ctx context.Context, until time.Time) error {
	return systemClock{}.Wait(ctx, time.Now().Add(until.Sub(c.now())))
}

// checkLeftovers compares the objects of the store with what rows name, by the
// contracts of package vod and without the code that sweeps: nothing is left
// that nobody names, nothing is missing.
func (s *swept) checkLeftovers(t *testing.T) {
	t.Helper()
	named := s.named(t)
	var found []string
	if err := s.store.List(t.Context(), "", func(i storage.Info) error {
		found = append(found, string(i.Key))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, key := range found {
		if named[key] == "" {
			t.Errorf("orphan: no row names %s", key)
		}
	}
	for key, by := range named {
		if !slices.Contains(found, key) {
			t.Errorf("%s names %s, which is not there", by, key)
		}
	}
}

// checkRows looks for rows of films that belong to none: media and reports. The
// row of a first media stays as long as its film: a journal may come to name it at any time.
func (s *swept) checkRows(t *testing.T) {
	t.Helper()
	media, sources := map[string]bool{}, map[string]bool{}
	for i := range s.assets {
		a := &s.assets[i]
		media[string(a.Media)], media[string(a.First)], sources[string(a.Source.ID)] = true, true, true
		for _, r := range a.History {
			media[string(r.Media)], sources[string(r.Source.ID)] = true, true
		}
	}
	h := &house{rows: s.rows}
	used, err := h.inUse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range used {
		media[string(id)] = true
	}
	for query, known := range map[string]map[string]bool{
		`SELECT id FROM media WHERE asset IS NOT NULL`: media,
		`SELECT source FROM report`:                    sources,
	} {
		for _, id := range s.column(t, query) {
			if m, err := s.rows.Media(t.Context(), vod.MediaID(id)); err == nil && m.Partial {
				continue
			}
			if !known[id] {
				t.Errorf("orphan: %s: %s", query, id)
			}
		}
	}
}

// column returns the texts of a query.
func (s *swept) column(t *testing.T, query string) (list []string) {
	t.Helper()
	rows, err := s.rows.SQL().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// named returns all objects that rows name, with who names them.
func (s *swept) named(t *testing.T) map[string]string {
	t.Helper()
	named := map[string]string{}
	name := func(by string, keys ...string) {
		for _, key := range keys {
			if key != "" {
				named[key] = by
			}
		}
	}
	film := func(by string, source vod.Source, extras vod.Extras, media vod.MediaID) {
		name(by, source.Object, source.Preview, extras.Poster)
		for _, c := range slices.Concat(source.Captions, extras.Captions) {
			name(by, c.Object, c.Original)
		}
		if media != "" {
			s.nameMedia(t, by, media, name)
		}
	}
	for i := range s.assets {
		a := &s.assets[i]
		by := "asset " + string(a.ID)
		film(by, a.Source, a.Extras, a.Media)
		film(by, a.Source, a.Extras, a.First)
		for _, r := range a.History {
			film(by, r.Source, r.Extras, r.Media)
		}
	}
	for _, u := range s.upload {
		if u.State == vod.UploadComplete {
			name("upload "+string(u.ID), u.Object)
		}
	}
	h := &house{rows: s.rows}
	used, err := h.inUse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range used {
		s.nameMedia(t, "a journal", id, name)
	}
	s.nameSlates(t, name)
	return named
}

func (s *swept) nameMedia(t *testing.T, by string, id vod.MediaID, name func(string, ...string)) {
	t.Helper()
	m, err := s.rows.Media(t.Context(), id)
	if errors.Is(err, vod.ErrNotFound) {
		return // a slate's name in a journal, or a media that was replaced before it aired
	}
	if err != nil {
		t.Fatal(err)
	}
	by += ", media " + string(id)
	name(by, m.Poster, m.Waveform)
	name(by, m.Sprites...)
	for _, r := range m.Renditions {
		name(by, r.Object)
	}
	for _, key := range m.Audio {
		name(by, key)
	}
}

// nameSlates names the objects of slates: media that belong to no asset. Rows
// have no list of them, so they are found by the objects that lie with them.
func (s *swept) nameSlates(t *testing.T, name func(string, ...string)) {
	t.Helper()
	seen := map[string]bool{}
	if err := s.store.List(t.Context(), "media/", func(i storage.Info) error {
		id, _, _ := strings.Cut(strings.TrimPrefix(string(i.Key), "media/"), "/")
		if seen[id] {
			return nil
		}
		seen[id] = true
		m, err := s.rows.Media(t.Context(), vod.MediaID(id))
		if err == nil && m.Asset == "" {
			s.nameMedia(t, "a slate", m.ID, name)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
