package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"reprise/event"
	"reprise/storage"
	"reprise/stream"
	"reprise/vod"
	"reprise/vod/ingest"
)

// standIn stands in for slates that are not made yet: the playlists of a slate
// follow from its structure, not from its words, so any slate with sound in
// the event's languages will do.
type standIn struct {
	template vod.Media
	objects  storage.Store
	made     memoryObjects // a template that had to be made
}

// standIns finds a slate of the event, or makes one in a folder that is removed at once.
func (h *house) standIns(ctx context.Context, e event.Event) (*standIn, error) {
	s := &standIn{objects: h.objects}
	for _, a := range e.Auditoriums {
		for _, l := range e.Languages {
			journal, _, err := h.rows.Journal(ctx, stream.Feed{Event: e.ID, Auditorium: a.ID, Language: l})
			if err != nil {
				return nil, err
			}
			for _, entry := range journal.Entries {
				if entry.Talk != "" {
					continue
				}
				media, err := h.rows.Media(ctx, vod.MediaID(entry.Source.ID))
				if err == nil && hasSounds(&media, e.Languages) {
					s.template = media
					return s, nil
				}
			}
		}
	}
	return s, h.makeStandIn(ctx, e, s)
}

func hasSounds(m *vod.Media, languages []event.Language) bool {
	for _, l := range languages {
		if m.Rendition("a-"+string(l)) == nil {
			return false
		}
	}
	return true
}

// makeStandIn makes one real slate, and keeps its few bytes in memory.
func (h *house) makeStandIn(ctx context.Context, e event.Event, s *standIn) (err error) {
	dir, err := os.MkdirTemp("", "reprise-verify-")
	if err != nil {
		return fmt.Errorf("make a slate to check with: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	disk, err := storage.NewDisk(filepath.Join(dir, "objects"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	g, err := ingest.New(ingest.Config{Scratch: filepath.Join(dir, "scratch"), FFmpeg: h.cfg.Ingest.FFmpeg, FFprobe: h.cfg.Ingest.FFprobe, Preset: "ultrafast"},
		ingest.Deps{Library: newMemory(h.rows, e), Store: disk, Log: h.log, Now: h.clock.Now})
	if err != nil {
		return fmt.Errorf("make a slate to check with: %w", err)
	}
	spec := ingest.SlateSpec{ID: vod.MediaID(storage.RandomName()), Language: string(e.Languages[0]), Title: "Reprise"}
	for _, l := range e.Languages {
		spec.Languages = append(spec.Languages, string(l))
	}
	if s.template, err = g.MakeSlate(ctx, spec); err != nil {
		return fmt.Errorf("make a slate to check with: %w", err)
	}
	s.made = memoryObjects{}
	return disk.List(ctx, "", func(info storage.Info) error {
		o, err := disk.Open(ctx, info.Key)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(o)
		s.made[info.Key] = b
		return errors.Join(err, o.Close())
	})
}

// memoryObjects are the bytes of a few objects.
type memoryObjects map[storage.Key][]byte

// memoryObject is one of them, open.
type memoryObject struct{ *bytes.Reader }

// Close implements storage.Object.
func (memoryObject) Close() error { return nil }

// MakeSlate implements stream.SlateMaker.
func (s *standIn) MakeSlate(_ context.Context, spec stream.SlateSpec) (vod.Media, error) {
	media := s.template
	media.ID = spec.ID
	return media, nil
}

// Open reads an object: of the template that was made, or of the store.
func (s *standIn) Open(ctx context.Context, key storage.Key) (storage.Object, error) {
	if b, ok := s.made[key]; ok {
		return memoryObject{bytes.NewReader(b)}, nil
	}
	return s.objects.Open(ctx, key)
}
