package ingest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
)

// sourceOf stores a file as a new source.
func (w *world) sourceOf(path string) vod.Source {
	w.t.Helper()
	id := storage.RandomName()
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	key := sourcePrefix + id + "/film"
	if _, err := w.store.Put(w.t.Context(), storage.Key(key), strings.NewReader(string(data))); err != nil {
		w.t.Fatal(err)
	}
	return vod.Source{ID: vod.SourceID(id), Name: filepath.Base(path), Object: key, Size: int64(len(data)), SHA256: sumOfFile(w.t, path)}
}

func (w *world) replace(id vod.AssetID, s vod.Source) vod.Asset {
	w.t.Helper()
	a, err := w.Replace(w.t.Context(), id, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// extras changes what people say of a film.
func (w *world) extras(id vod.AssetID, change func(*vod.Extras)) {
	w.t.Helper()
	_, err := w.library.UpdateAsset(w.t.Context(), id, func(a *vod.Asset) error { change(&a.Extras); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestARefusedFilmLeavesTheOldOne: and the old one can be brought back.
func TestARefusedFilmLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	a, m := w.ready(w.add(small(t, "1"), AddOptions{}).ID)
	first := a.Source
	if _, err := w.Restore(t.Context(), a.ID, "none"); !errors.Is(err, ErrNotReady) {
		t.Errorf("restoring nothing: %v", err)
	}
	bad := w.sourceOf(write(t, t.TempDir()+"/film.mp4", "only words"))
	w.replace(a.ID, bad)
	w.replace(a.ID, bad) // by itself: nothing
	if err := w.Process(t.Context(), a.ID, nil); err != nil {
		t.Fatal(err)
	}
	a = w.asset(a.ID)
	if a.State != vod.Failed || a.Media != m.ID || a.Making != "" || len(a.History) != 1 || a.Playable() != m.ID {
		t.Errorf("asset is %+v", a)
	}
	if err := w.Remake(t.Context(), a.ID); !errors.Is(err, ErrNotReady) {
		t.Errorf("remaking a refused film: %v", err)
	}
	w.checkObjects()
	a, err := w.Restore(t.Context(), a.ID, m.ID)
	if err != nil {
		t.Fatal(err)
	}
	if a.State != vod.Ready || a.Source.ID != first.ID || a.Media != m.ID || a.Revision != 1 || len(a.History) != 1 || a.History[0].Source.ID != bad.ID || a.History[0].Reason != "restored" {
		t.Errorf("restored: %+v", a)
	}
	w.replace(a.ID, w.sourceOf(small(t, "2")))
	a, second := w.ready(a.ID)
	if a, err = w.Restore(t.Context(), a.ID, m.ID); err != nil || a.Media != m.ID || a.Revision != 1 {
		t.Errorf("restored: %+v, %v", a, err)
	}
	w.replace(a.ID, w.sourceOf(small(t, "3")))
	if a, m = w.ready(a.ID); m.Revision != 3 || second.Revision != 2 {
		t.Errorf("revisions are %d and %d", second.Revision, m.Revision)
	}
	w.checkObjects()
}

// TestHistoryIsBounded: what is beyond it goes with its objects, unless journals use it.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	a, m := w.ready(w.add(small(t, "1"), AddOptions{}).ID)
	film := write(t, t.TempDir()+"/film.mp4", "words")
	for range vod.MaxHistory + 1 {
		a = w.replace(a.ID, w.sourceOf(film))
	}
	if len(a.History) != vod.MaxHistory || slices.ContainsFunc(a.History, func(r vod.Revision) bool { return r.Media == m.ID }) {
		t.Fatalf("history of %d", len(a.History))
	}
	if _, err := w.library.UpdateAsset(t.Context(), a.ID, func(a *vod.Asset) error { a.Media = ""; return nil }); err != nil {
		t.Fatal(err)
	}
	there := func() bool {
		return slices.Contains(w.objects(), m.Renditions[0].Object)
	}
	for _, used := range [][]vod.MediaID{{m.ID}, {}} {
		w.inUse = usedMedia(used)
		if err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if there() != (len(used) > 0) {
			t.Errorf("used by journals %v, there %v", used, there())
		}
	}
	w.checkObjects()
}

func TestRemakeSharesObjects(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	w.inUse = usedMedia(nil)
	a, old := w.ready(w.add(small(t, "1"), AddOptions{}).ID)
	if err := w.Remake(t.Context(), a.ID); err != nil || w.asset(a.ID).Media != old.ID {
		t.Errorf("nothing changed, and it is remade: %v", err)
	}
	at := 0.6
	w.extras(a.ID, func(e *vod.Extras) {
		e.Chapters = []vod.Chapter{{Start: 24000, Title: "Suite"}, {Start: 0, Title: "Début"}, {Start: timeline.Ticks(1 << 40), Title: "nowhere"}}
		e.PosterAt = &at
	})
	if err := w.Remake(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	a = w.asset(a.ID)
	m := w.media(a)
	if m.ID == old.ID || m.Revision != 2 || a.Revision != 2 || a.Making != "" || string(m.NameKey) == string(old.NameKey) {
		t.Errorf("media is %+v", m)
	}
	if len(m.Chapters) != 2 || m.Chapters[0].Title != "Début" || m.Poster == old.Poster || m.Poster == "" {
		t.Errorf("chapters %v, poster %s", m.Chapters, m.Poster)
	}
	if m.Rendition("v234").Object != old.Rendition("v234").Object || m.Audio["fr"] != old.Audio["fr"] || m.Waveform != old.Waveform {
		t.Error("objects are not shared")
	}
	if h := a.History; len(h) != 1 || h[0].Media != old.ID || h[0].Reason != "extras" || h[0].Extras.PosterAt != nil {
		t.Errorf("history is %+v", h)
	}
	w.checkObjects()
	w.extras(a.ID, func(e *vod.Extras) { *e = vod.Extras{} })
	if err := w.Remake(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if back := w.media(w.asset(a.ID)); back.Poster != old.Poster || back.Chapters != nil {
		t.Errorf("back to poster %s, chapters %v", back.Poster, back.Chapters)
	}
	a, err := w.Restore(t.Context(), a.ID, m.ID)
	if err != nil || len(a.Extras.Chapters) != 3 || a.Media != m.ID || len(a.History) != 2 {
		t.Errorf("restored: %+v, %v", a, err)
	}
	if err := w.Remake(t.Context(), a.ID); err != nil || w.asset(a.ID).Media != m.ID {
		t.Errorf("a restored media is remade: %v", err)
	}
	w.checkObjects()
}

// TestPosterByHand: the frame at a moment, whichever segment it is in, and an uploaded picture.
func TestPosterByHand(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	// White from 4 s on, in the second segment, and blue before.
	film := makeFilm(t, filepath.Join(t.TempDir(), "film.mp4"), "-f", "lavfi", "-i", "color=blue:s=320x180:r=25:d=6,drawbox=c=white:t=fill:enable='gte(t,4)'", "-preset", "ultrafast")
	add := w.add(film, AddOptions{})
	at := 3.96
	w.extras(add.ID, func(e *vod.Extras) { e.PosterAt = &at })
	a, m := w.ready(add.ID)
	white := func(m vod.Media) bool {
		t.Helper()
		return w.meanLuma(m.Poster) > 200
	}
	if white(m) {
		t.Error("the poster at 3.96 s is white")
	}
	for _, c := range []struct {
		at    float64
		white bool
	}{{4.0, true}, {3.9, false}, {100, true}, {-1, false}} {
		w.extras(a.ID, func(e *vod.Extras) { e.PosterAt = &c.at })
		if err := w.Remake(t.Context(), a.ID); err != nil {
			t.Fatal(err)
		}
		if got := white(w.media(w.asset(a.ID))); got != c.white {
			t.Errorf("poster at %v s: white %v", c.at, got)
		}
	}
	w.extras(a.ID, func(e *vod.Extras) { e.PosterAt = nil })
	if err := w.Remake(t.Context(), a.ID); err != nil || w.media(w.asset(a.ID)).Poster == "" {
		t.Errorf("no poster of the program's choice: %v", err)
	}
	w.checkObjects()
}

// meanLuma is the mean brightness of a stored picture, 0..255.
func (w *world) meanLuma(key string) int {
	w.t.Helper()
	out := rawPicture(w.t, w.file(key), "scale=1:1:flags=area,format=gray")
	return int(out[0])
}

func TestPutPicture(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	dir := t.TempDir()
	put := func(path string) (string, error) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		key, err := w.PutPicture(t.Context(), file)
		return string(key), err
	}
	key, err := put(makeFilm(t, filepath.Join(dir, "white.png"), "-f", "lavfi", "-i", "color=white:s=4000x1000", "-frames:v", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := probeValue(w, w.file(key), "v:0", "stream=codec_name,width,height"); got != "mjpeg,1920,480" {
		t.Errorf("picture is %s", got)
	}
	list := "ffconcat version 1.0\nfile /etc/passwd\n"
	for name, path := range map[string]string{
		"text":     write(t, filepath.Join(dir, "a.png"), list),
		"disguise": write(t, filepath.Join(dir, "b.png"), "\x89PNG\r\n\x1a\n"+list),
		"svg":      write(t, filepath.Join(dir, "c.svg"), `<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>`),
		"film":     small(t, "1"),
		"empty":    write(t, filepath.Join(dir, "d.png"), ""),
		"large":    write(t, filepath.Join(dir, "e.png"), "\x89PNG"+strings.Repeat("x", LargestPicture)),
		"gif":      makeFilm(t, filepath.Join(dir, "f.gif"), "-f", "lavfi", "-i", "color=white:s=100x100", "-frames:v", "1"),
		"wide":     makeFilm(t, filepath.Join(dir, "g.png"), "-f", "lavfi", "-i", "color=white:s=12100x16", "-frames:v", "1"),
	} {
		if key, err := put(path); !errors.Is(err, ErrPicture) {
			t.Errorf("%s is taken as %q: %v", name, key, err)
		}
	}
	a := w.add(small(t, "2"), AddOptions{})
	w.extras(a.ID, func(e *vod.Extras) { e.Poster = key })
	_, m := w.ready(a.ID)
	if m.Poster != key {
		t.Errorf("poster is %s", m.Poster)
	}
	w.checkObjects()
}

// TestALateProcessUndoesNothing: a process that stalls while another one takes
// its work over stops at its next step, and what the other made stays.
func TestALateProcessUndoesNothing(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]vod.State{"while it probes": vod.Probing, "while it encodes": vod.Processing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := setupIn(t, dir, Config{SweepAge: -1})
			w.inUse = usedMedia(nil)
			other := w.elsewhere()
			a := w.add(small(t, "1"), AddOptions{})
			stalled := false
			err := w.Process(t.Context(), a.ID, func(s Step) {
				if s.State != at || stalled {
					return
				}
				stalled = true
				if err := other.Process(t.Context(), a.ID, nil); err != nil {
					t.Error(err)
				}
			})
			if err != nil || !stalled {
				t.Fatalf("stalled %v, %v", stalled, err)
			}
			now := w.asset(a.ID)
			m := w.media(now)
			if now.Revision != 1 || now.Making != "" {
				t.Errorf("asset is %+v", now)
			}
			w.checkMedia(m)
			w.checkObjects()
			if entries, err := os.ReadDir(w.cfg.Scratch); err != nil || len(entries) > 0 {
				t.Errorf("scratch holds %v, %v", entries, err)
			}
		})
	}
}

// TestAReplacedFilmIsNotFinished: the process of the old film stops, without an error.
func TestAReplacedFilmIsNotFinished(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	a := w.add(small(t, "1"), AddOptions{})
	s := w.sourceOf(small(t, "2"))
	replaced := false
	err := w.Process(t.Context(), a.ID, func(step Step) {
		if step.State == vod.Processing && !replaced {
			replaced = true
			w.replace(a.ID, s)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if now := w.asset(a.ID); now.State != vod.Uploaded || now.Source.ID != s.ID || now.Media != "" || now.Making != "" || len(now.History) != 1 || now.History[0].Number != 0 {
		t.Errorf("asset is %+v", now)
	}
	w.checkObjects()
	_, m := w.ready(a.ID)
	if m.Source != s.ID {
		t.Errorf("media is of %s", m.Source)
	}
	w.checkObjects()
}

// TestExtrasThatComeDuringTheWorkAreTaken: whenever they come.
func TestExtrasThatComeDuringTheWorkAreTaken(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	a := w.add(small(t, "1"), AddOptions{})
	n := 0
	err := w.Process(t.Context(), a.ID, func(s Step) {
		if n++; s.State == vod.Processing || s.State == vod.Ready {
			w.extras(a.ID, func(e *vod.Extras) { e.Chapters = []vod.Chapter{{Start: 0, Title: fmt.Sprint(n)}} })
			if err := w.Remake(t.Context(), a.ID); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if now := w.asset(a.ID); !sameExtras(w.media(now).Extras, now.Extras) || w.media(now).Chapters[0].Title != fmt.Sprint(n) {
		t.Errorf("media has %v, not %v", w.media(now).Extras, now.Extras)
	}
	w.checkObjects()
}

func TestCancelGivesTheAssetBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.add(small(t, "1"), AddOptions{})
	ctx, cancel := contextOf(t)
	err := w.Process(ctx, a.ID, func(s Step) {
		if s.Progress.Stage == stageEncoding {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("cancelled, and no error")
	}
	now := w.asset(a.ID)
	if now.State != vod.Uploaded || now.Percent != 0 || now.Progress != (vod.Progress{}) || now.Making == "" {
		t.Errorf("asset is %+v", now)
	}
	_, m := w.ready(a.ID)
	if m.ID != now.Making {
		t.Error("the second attempt began anew")
	}
}

// TestProgressSaysHowLong: with a clock that the test moves.
func TestProgressSaysHowLong(t *testing.T) {
	t.Parallel()
	c := timing{}
	at := time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)
	if percent, p := c.at(at, stageChecking, 0.5); percent != 0 || p.Left != 0 || p.Speed != 0 {
		t.Errorf("nothing is known, and it says %v %+v", percent, p)
	}
	c.plan(timeline.Ticks(3600*48000), 0, time.Hour)
	c.at(at, stageEncoding, 0)
	_, p := c.at(at.Add(10*time.Minute), stageEncoding, 0.25)
	// A quarter of an hour of film in ten minutes: half an hour is left, and a little for what follows.
	if p.Speed != 1.5 || p.Left < 30*time.Minute || p.Left > 32*time.Minute || p.Stage != "encoding" {
		t.Errorf("progress is %+v", p)
	}
	percent, p := c.at(at.Add(41*time.Minute), stagePictures, 1)
	if percent < 99.9 || p.Left != 0 {
		t.Errorf("at the end: %v %+v", percent, p)
	}
}
