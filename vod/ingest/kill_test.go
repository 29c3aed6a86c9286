package ingest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/storage"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// Variables that tell the test binary to be the process that is killed.
const (
	killDirVar   = "REPRISE_INGEST_KILL_DIR"
	killAssetVar = "REPRISE_INGEST_KILL_ASSET"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDirVar); dir != "" {
		if err := processOnce(dir, vod.AssetID(os.Getenv(killAssetVar))); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// processOnce is the child: it processes an asset and says each step on a line.
func processOnce(dir string, id vod.AssetID) error {
	store, err := storage.NewDisk(filepath.Join(dir, "objects"))
	if err != nil {
		return err
	}
	defer store.Close()
	g, err := New(Config{Scratch: filepath.Join(dir, "scratch"), Preset: "ultrafast"}, Deps{
		Library: &fileLibrary{dir: filepath.Join(dir, "library")}, Store: store, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		return err
	}
	return g.Process(context.Background(), id, func(s Step) { fmt.Println("at", s.State, s.Percent) })
}

// TestKilledAtAnyPoint kills the process that makes a film ready, at random
// steps, and starts it again: the film becomes ready, no half object is ever
// visible, no ffmpeg is left behind, and Sweep leaves only what is named.
func TestKilledAtAnyPoint(t *testing.T) {
	t.Parallel()
	const rounds = 6
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for film := range 2 {
		dir := t.TempDir()
		path := makeFilm(t, filepath.Join(dir, "film.mp4"), "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=426x240:r=25:d=%d", 3+film),
			"-f", "lavfi", "-i", "anoisesrc=d=3:c=pink:a=0.2", "-preset", "ultrafast", "-metadata:s:a:0", "language=fra")
		a := w.add(path, AddOptions{})
		for round := range rounds {
			step := 1 + random.IntN(14)
			killed := w.runAndKill(a.ID, step)
			t.Logf("film %d, round %d: killed at step %d: %v", film, round, step, killed)
			w.checkVisible()
			if !killed {
				break
			}
		}
		if err := w.Process(t.Context(), a.ID, nil); err != nil {
			t.Fatal(err)
		}
		a, err := w.library.Asset(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.checkMedia(w.media(a))
	}
	if err := w.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var named []string
	assets, err := w.library.Assets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range assets {
		m := w.media(a)
		names := objectsOf(&m)
		named = append(named, a.Source.Object)
		for name := range names {
			named = append(named, name)
		}
	}
	slices.Sort(named)
	if got := w.objects(); !slices.Equal(got, named) {
		t.Errorf("objects are\n%v, want\n%v", got, named)
	}
	if entries, err := os.ReadDir(w.cfg.Scratch); err != nil || len(entries) > 0 {
		t.Errorf("scratch holds %v, %v", entries, err)
	}
}

// runAndKill processes an asset in a child and kills it at the given step; false when it was done before.
func (w *world) runAndKill(id vod.AssetID, step int) bool {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killDirVar+"="+w.dir, killAssetVar+"="+string(id))
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	killed := false
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "error") {
			w.t.Error(lines.Text())
		}
		if n == step {
			killed = cmd.Process.Kill() == nil
		}
	}
	err = cmd.Wait()
	w.noChildren()
	return killed && err != nil
}

// noChildren waits until no ffmpeg works in our folder any more: they die with their parent.
func (w *world) noChildren() {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		left := ""
		paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range paths {
			if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte(w.cfg.Scratch)) {
				left = string(bytes.ReplaceAll(line, []byte{0}, []byte(" ")))
			}
		}
		if left == "" {
			return
		}
		<-tick.C
	}
	w.t.Error("a child outlived its parent")
}

// checkVisible checks that every visible object of a media is whole.
func (w *world) checkVisible() {
	w.t.Helper()
	for _, key := range w.objects() {
		if !strings.HasPrefix(key, mediaPrefix) || !strings.HasSuffix(key, ".mp4") {
			continue
		}
		object, err := w.store.Open(w.t.Context(), storage.Key(key))
		if err != nil {
			w.t.Fatal(err)
		}
		movie, err := cmaf.Inspect(object, object.Size())
		if err != nil || len(movie.Faults) > 0 {
			w.t.Errorf("object %s is visible and not whole: %v", key, err)
		}
		object.Close()
	}
}

func TestChildIsLimited(t *testing.T) {
	t.Parallel()
	w := setup(t)
	err := w.run(t.Context(), child{path: "/bin/sh", args: []string{"-c", "sleep 60 & wait"}, timeout: 100 * time.Millisecond})
	if !timedOut(err) {
		t.Errorf("a child out of time: %v", err)
	}
	if w.prlimit != "" {
		err = w.run(t.Context(), child{path: "/bin/sh", args: []string{"-c", "ulimit -v"}, stdout: testLog{t}})
		if err != nil {
			t.Error(err)
		}
		out := capped{limit: 100}
		if err := w.run(t.Context(), child{path: "/bin/sh", args: []string{"-c", "ulimit -v"}, stdout: &out}); err != nil || strings.TrimSpace(string(out.data)) == "unlimited" {
			t.Errorf("memory limit is %q, %v", out.data, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.run(ctx, child{path: "/bin/sh", args: []string{"-c", "sleep 60"}}); err == nil || timedOut(err) {
		t.Errorf("a cancelled child: %v", err)
	}
	err = w.run(t.Context(), child{path: "/bin/sh", args: []string{"-c", "for i in 1 2 3 4 5 6 7 8 9; do echo line $i >&2; done; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "status 3") || !strings.Contains(err.Error(), "line 9") || strings.Contains(err.Error(), "line 3") {
		t.Errorf("error of a failed child: %v", err)
	}
}
