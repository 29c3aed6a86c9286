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
	"strings"
	"testing"
	"time"

	"reprise/storage"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// Variables that tell the test binary to be the process that is killed.
const (
	killDirVar  = "REPRISE_INGEST_KILL_DIR"
	killWorkVar = "REPRISE_INGEST_KILL_WORK" // verb and what it is done to
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDirVar); dir != "" {
		if err := workOnce(dir, strings.Fields(os.Getenv(killWorkVar))); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// workOnce is the child: it does one thing and says each step on a line.
func workOnce(dir string, work []string) error {
	store, err := storage.NewDisk(filepath.Join(dir, "objects"))
	if err != nil {
		return err
	}
	defer store.Close()
	library := &fileLibrary{dir: filepath.Join(dir, "library"), said: func(what string) { fmt.Println("wrote", what) }}
	g, err := New(Config{Scratch: filepath.Join(dir, "scratch"), Preset: "ultrafast"}, Deps{
		Library: library, Store: store, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		return err
	}
	ctx, id := context.Background(), vod.AssetID(work[1])
	switch work[0] {
	case "process":
		return g.Process(ctx, id, func(s Step) { fmt.Println("at", s.State, s.Progress.Stage, s.Percent) })
	case "take":
		_, err = g.Take(ctx, fileUploads{files: library}, vod.UploadID(work[1]))
	case "remake":
		err = g.Remake(ctx, id)
	case "preview":
		err = g.Preview(ctx, id)
	case "restore":
		_, err = g.Restore(ctx, id, vod.MediaID(work[2]))
	}
	return err
}

// TestKilledAtAnyPoint kills the processes that take films, preview them, make
// them ready, replace and remake them, at random steps, and starts them again:
// each film becomes what it would have, no half object is ever visible, no
// ffmpeg is left behind, what was acknowledged stays, and Sweep leaves only what is named.
func TestKilledAtAnyPoint(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	w.inUse = usedMedia(nil)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k := killer{world: w, random: rand.New(rand.NewPCG(seed, 1))}
	plain := makeFilm(t, filepath.Join(t.TempDir(), "film.mp4"), "-f", "lavfi", "-i", "testsrc2=s=426x240:r=25:d=3",
		"-f", "lavfi", "-i", "anoisesrc=d=3:c=pink:a=0.2", "-preset", "ultrafast", "-metadata:s:a:0", "language=fra")
	odd := wide(t, "film.mkv", "-c:v", "mpeg4", "-c:a", "mp3") // gets a first rendition
	other := wide(t, "film.mkv", "-c:a", "libopus", "-preset", "ultrafast")

	a := k.take(plain, "")
	k.until("process "+string(a), 20)
	first := w.media(w.asset(a))
	if again := k.take(odd, a); again != a {
		t.Fatalf("a replacement made asset %s", again)
	}
	if now := w.asset(a); now.Media != first.ID || len(now.History) != 1 {
		t.Errorf("a film on its way took the old one's place: %+v", now)
	}
	k.until("process "+string(a), 30)
	second := w.media(w.asset(a))
	at := 0.5
	w.extras(a, func(e *vod.Extras) { e.PosterAt, e.Chapters = &at, []vod.Chapter{{Title: "Tout"}} })
	k.until("remake "+string(a), 4)
	if m := w.media(w.asset(a)); len(m.Chapters) != 1 || m.Revision != 3 && m.Revision != 4 {
		t.Errorf("remade: revision %d with chapters %v", m.Revision, m.Chapters)
	}
	k.until("restore "+string(a)+" "+string(first.ID), 2)
	if now := w.asset(a); now.Media != first.ID || now.State != vod.Ready {
		t.Errorf("restored: %+v", now)
	}
	b := k.take(other, "")
	k.until("preview "+string(b), 3)
	if s := w.asset(b).Source; s.Preview == "" || s.Preview == s.Object {
		t.Errorf("preview is %q", s.Preview)
	}
	k.until("process "+string(b), 20)
	w.checkMedia(w.media(w.asset(b)))
	w.checkMedia(second)
	w.checkObjects()
	if entries, err := os.ReadDir(w.cfg.Scratch); err != nil || len(entries) > 0 {
		t.Errorf("scratch holds %v, %v", entries, err)
	}
	t.Logf("%d kills", k.kills)
}

// killer does work in processes that it kills.
type killer struct {
	*world
	random *rand.Rand
	kills  int
}

// take uploads a film and takes it, with kills; asset is the one that it replaces.
func (k *killer) take(film string, asset vod.AssetID) vod.AssetID {
	k.t.Helper()
	u := k.upload(film, func(u *vod.Upload) { u.SHA256, u.Asset = sumOfFile(k.t, film), asset })
	k.until("take "+string(u.ID), 3)
	return k.world.take(u.ID).Asset.ID
}

// until does a piece of work until it is done, and kills it a few times before, within so many steps.
func (k *killer) until(work string, steps int) {
	k.t.Helper()
	for range 3 {
		killed := k.runAndKill(work, 1+k.random.IntN(steps))
		k.checkVisible()
		if !killed {
			return
		}
		k.kills++
	}
	k.runAndKill(work, 0)
}

// runAndKill works in a child and kills it at the given step; false when it was done before.
func (w *world) runAndKill(work string, step int) bool {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killDirVar+"="+w.dir, killWorkVar+"="+work)
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
