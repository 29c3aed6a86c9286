package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"reprise/api"
	"reprise/vod"
)

// gate is an ffmpeg that does not begin to encode pictures while it is shut.
type gate struct{ path, shutFile string }

// newGate makes one that is shut.
func newGate(t *testing.T) *gate {
	t.Helper()
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal("ffmpeg is missing: .ci/setup test installs it")
	}
	dir := t.TempDir()
	g := &gate{filepath.Join(dir, "ffmpeg"), filepath.Join(dir, "shut")}
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *libx264*) while [ -e '%s' ]; do sleep 0.05; done;; esac\nexec '%s' \"$@\"\n", g.shutFile, real)
	if err := os.WriteFile(g.path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	g.shut(t)
	return g
}

func (g *gate) shut(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(g.shutFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	if err := os.Remove(g.shutFile); err != nil {
		t.Fatal(err)
	}
}

// encoding waits until the pictures of a film are being encoded.
func (d desk) encoding(t *testing.T, id vod.AssetID, name string) {
	t.Helper()
	within(t, patience, name+" is being encoded", func() bool {
		a := d.asset(t, id)
		return a.Source.Name == name && a.State == vod.Processing && a.Job != nil && a.Job.State == "running"
	})
}

// Work on a film is stopped and taken up again by the organizer; a film that is
// replaced while it is being made is made instead, though its job had begun.
func TestWorkIsStoppedAndTakenUpAgain(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	cfg := testConfig(invited(t))
	cfg.Ingest.FFmpeg = g.path
	clock := ticking(noon().Add(-time.Hour))
	s := startServerOn(t, cfg, clock)
	staff := s.organizers(t)
	send := func(content []byte, meta map[string]string) vod.AssetID {
		t.Helper()
		id, err := staff.send(t.Context(), content, meta)
		if err != nil {
			t.Fatal(err)
		}
		return staff.taken(t, id).Asset
	}
	id := send(recording(t, "yellow", 4), map[string]string{"filename": "one.mp4", "talk": "second"})
	path := "/assets/" + string(id)
	staff.encoding(t, id, "one.mp4")
	var a api.Asset
	staff.must(t, http.MethodPost, path+"/cancel", nil, &a)
	if a.State != vod.Failed || len(a.Findings) != 1 || a.Findings[0].Code != "cancelled" {
		t.Errorf("stopped: %+v", a)
	}
	if err := staff.call(t.Context(), http.MethodPost, path+"/cancel", nil, nil); codeOf(err) != "nothing-to-cancel" {
		t.Errorf("stopped twice: %v", err)
	}
	staff.must(t, http.MethodPost, path+"/retry", nil, &a)
	staff.encoding(t, id, "one.mp4")
	if err := staff.call(t.Context(), http.MethodPost, path+"/retry", nil, nil); codeOf(err) != "already-working" {
		t.Errorf("tried again while it is being done: %v", err)
	}
	if again := send(recording(t, "cyan", 5), map[string]string{"filename": "two.mp4", "asset": string(id)}); again != id {
		t.Fatalf("the replacement is film %s", again)
	}
	g.open(t)
	within(t, patience, "the replacement is ready", func() bool {
		a = staff.asset(t, id)
		return a.State == vod.Ready && a.Source.Name == "two.mp4" && a.Job != nil && a.Job.State == "done"
	})
	var m api.MadeMedia
	staff.must(t, http.MethodGet, path+"/media", nil, &m)
	if a.Revision != 1 || m.Duration < 4.9 || m.Duration > 5.4 || len(a.History) != 1 {
		t.Errorf("made of the replacement: %+v, %v s", a, m.Duration)
	}
	staff.preview(t, id)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	sweepAll(t, cfg, clock.Now).checkLeftovers(t)
}

// A process that was killed between a change and its job has lost nothing: the next one does the work.
func TestWorkWithoutAJobIsDone(t *testing.T) {
	t.Parallel()
	cfg := testConfig(planned(t))
	clock := ticking(noon().Add(-time.Hour))
	h, err := openHouse(t.Context(), cfg, silent(), clock)
	if err != nil {
		t.Fatal(err)
	}
	id := vod.AssetID(film.asset)
	_, err = h.rows.UpdateAsset(t.Context(), id, func(a *vod.Asset) error {
		a.Extras.Chapters = []vod.Chapter{{Title: "All of it"}}
		return nil
	})
	if err := errors.Join(err, h.close()); err != nil {
		t.Fatal(err)
	}
	s := startServerOn(t, cfg, clock)
	staff := s.organizers(t)
	staff.revision(t, id, 2)
	var m api.MadeMedia
	staff.must(t, http.MethodGet, "/assets/"+string(id)+"/media", nil, &m)
	if len(m.Chapters) != 1 || m.Chapters[0].Title != "All of it" {
		t.Errorf("chapters: %+v", m.Chapters)
	}
}
