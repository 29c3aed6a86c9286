package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// world is what one test works in: a store on disk, a library in a file, an ingester.
type world struct {
	*Ingester
	t       *testing.T
	dir     string
	library *fileLibrary
	store   *storage.Disk
}

// setup makes a fresh world.
func setup(t *testing.T) *world {
	t.Helper()
	return setupIn(t, t.TempDir(), Config{})
}

func setupIn(t *testing.T, dir string, cfg Config) *world {
	t.Helper()
	store, err := storage.NewDisk(filepath.Join(dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	library := &fileLibrary{dir: filepath.Join(dir, "library")}
	cfg.Scratch = filepath.Join(dir, "scratch")
	if cfg.Preset == "" {
		cfg.Preset = "ultrafast"
	}
	g, err := New(cfg, Deps{Library: library, Store: store, Log: slog.New(slog.NewTextHandler(testLog{t}, nil)), Now: time.Now, Uploads: fileUploads{files: library}})
	if err != nil {
		t.Fatal(err)
	}
	return &world{Ingester: g, t: t, dir: dir, library: library, store: store}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// add imports a file.
func (w *world) add(path string, opts AddOptions) vod.Asset {
	w.t.Helper()
	a, err := w.Add(w.t.Context(), path, opts, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// ingest imports and processes a file and returns what became of it.
func (w *world) ingest(path string, opts AddOptions) vod.Asset {
	w.t.Helper()
	a := w.add(path, opts)
	if err := w.Process(w.t.Context(), a.ID, nil); err != nil {
		w.t.Fatal(err)
	}
	a, err := w.library.Asset(w.t.Context(), a.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// media returns the media of a ready asset.
func (w *world) media(a vod.Asset) vod.Media {
	w.t.Helper()
	if a.State != vod.Ready {
		w.t.Fatalf("asset is %s: %v", a.State, codes(a.Findings))
	}
	m, err := w.library.Media(w.t.Context(), a.Media)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// objects lists all keys of the store.
func (w *world) objects() (keys []string) {
	w.t.Helper()
	err := w.store.List(w.t.Context(), "", func(info storage.Info) error {
		keys = append(keys, string(info.Key))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return keys
}

// file returns the path of a rendition's object, as a player would join init and segments.
func (w *world) file(object string) string {
	w.t.Helper()
	f, err := w.store.File(storage.Key(object))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	return f.Name()
}

func codes(findings []vod.Finding) []string {
	list := []string{}
	for _, f := range findings {
		list = append(list, f.Code)
	}
	return list
}

// makeFilm makes a file with ffmpeg; args are everything before the output. The
// working folder is the output's.
func makeFilm(t *testing.T, path string, args ...string) string {
	t.Helper()
	all := append([]string{"-nostdin", "-v", "error", "-y"}, args...)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append(all, path)...)
	cmd.Dir = filepath.Dir(path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return path
}

// elsewhere is another machine: the same library and store, its own scratch folder.
func (w *world) elsewhere() *Ingester {
	w.t.Helper()
	cfg := w.cfg
	cfg.Scratch = w.t.TempDir()
	g, err := New(cfg, Deps{Library: w.library, Store: w.Ingester.store, Log: w.log, Now: time.Now, Uploads: w.uploadRows()})
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// usedMedia is a Deps.InUse.
func usedMedia(ids []vod.MediaID) func(context.Context) ([]vod.MediaID, error) {
	return func(context.Context) ([]vod.MediaID, error) { return ids, nil }
}

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// rawPicture decodes the first picture of a file.
func rawPicture(t *testing.T, path, filter string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", path, "-frames:v", "1", "-vf", filter, "-f", "rawvideo", "-").Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("decode %s: %v", filepath.Base(path), err)
	}
	return out
}

// fileLibrary is a vod.Library in a folder of JSON files: it outlives a killed process.
type fileLibrary struct {
	dir  string
	said func(what string) // hears of each row before and after it is written; nil: nobody does
	mu   sync.Mutex
}

func (l *fileLibrary) path(kind, id string) string { return filepath.Join(l.dir, kind+"-"+id+".json") }

// locked runs f while no other process or goroutine is in.
func (l *fileLibrary) locked(f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(l.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return f()
}

func (l *fileLibrary) read(kind, id string, into any) error {
	data, err := os.ReadFile(l.path(kind, id))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s %s: %w", kind, id, vod.ErrNotFound)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func (l *fileLibrary) write(kind, id string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if l.said != nil {
		l.said("before " + kind)
		defer l.said("after " + kind)
	}
	if err := os.WriteFile(l.path(kind, id)+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(l.path(kind, id)+".new", l.path(kind, id))
}

func (l *fileLibrary) CreateAsset(_ context.Context, a vod.Asset) error {
	return l.locked(func() error {
		if l.read("asset", string(a.ID), &vod.Asset{}) == nil {
			return vod.ErrConflict
		}
		return l.write("asset", string(a.ID), a)
	})
}

func (l *fileLibrary) Asset(_ context.Context, id vod.AssetID) (a vod.Asset, err error) {
	err = l.locked(func() error { return l.read("asset", string(id), &a) })
	return a, err
}

func (l *fileLibrary) Assets(context.Context) (all []vod.Asset, err error) {
	err = l.locked(func() error {
		paths, err := filepath.Glob(filepath.Join(l.dir, "asset-*.json"))
		for _, path := range paths {
			id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "asset-"), ".json")
			var a vod.Asset
			if err := l.read("asset", id, &a); err != nil {
				return err
			}
			all = append(all, a)
		}
		return err
	})
	slices.SortFunc(all, func(a, b vod.Asset) int { return a.Created.Compare(b.Created) })
	return all, err
}

func (l *fileLibrary) UpdateAsset(_ context.Context, id vod.AssetID, change func(*vod.Asset) error) (a vod.Asset, err error) {
	err = l.locked(func() error {
		if err := l.read("asset", string(id), &a); err != nil {
			return err
		}
		if err := change(&a); err != nil {
			return err
		}
		return l.write("asset", string(id), a)
	})
	return a, err
}

func (l *fileLibrary) PutMedia(_ context.Context, m vod.Media) error {
	return l.locked(func() error {
		if m.Asset == "" {
			return l.write("media", string(m.ID), m)
		}
		var a vod.Asset
		if err := l.read("asset", string(m.Asset), &a); err != nil {
			return err
		}
		if l.read("media", string(m.ID), &vod.Media{}) == nil {
			return nil
		}
		if m.Source != "" && (m.Source != a.Source.ID || a.Making != m.ID && (a.Making != "" || a.State == vod.Ready)) {
			return vod.ErrConflict
		}
		a.State, a.Media, a.Revision, a.Percent, a.First, a.Making = vod.Ready, m.ID, m.Revision, 100, "", ""
		return errors.Join(l.write("media", string(m.ID), m), l.write("asset", string(a.ID), a))
	})
}

func (l *fileLibrary) PutFirst(_ context.Context, m vod.Media) error {
	return l.locked(func() error {
		var a vod.Asset
		if err := l.read("asset", string(m.Asset), &a); err != nil {
			return err
		}
		if m.Source != a.Source.ID || a.State == vod.Ready {
			return vod.ErrConflict
		}
		a.First = m.ID
		return errors.Join(l.write("media", string(m.ID), m), l.write("asset", string(a.ID), a))
	})
}

func (l *fileLibrary) DeleteAsset(_ context.Context, id vod.AssetID) error {
	return l.locked(func() error {
		if err := os.Remove(l.path("asset", string(id))); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

func (l *fileLibrary) PutReport(_ context.Context, r vod.Report) error {
	return l.locked(func() error { return l.write("report", string(r.Source), r) })
}

func (l *fileLibrary) Report(_ context.Context, id vod.SourceID) (r vod.Report, err error) {
	err = l.locked(func() error { return l.read("report", string(id), &r) })
	return r, err
}

func (l *fileLibrary) Media(_ context.Context, id vod.MediaID) (m vod.Media, err error) {
	err = l.locked(func() error { return l.read("media", string(id), &m) })
	return m, err
}
