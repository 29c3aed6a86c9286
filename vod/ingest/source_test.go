package ingest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"reprise/storage"
	"reprise/vod"
)

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// counting is a remote store that counts the bytes it gives, and may break.
type counting struct {
	storage.Store
	given atomic.Int64
	left  atomic.Int64 // bytes until it breaks; 0: it does not
}

var errCut = errors.New("connection cut")

func (c *counting) Open(ctx context.Context, key storage.Key) (storage.Object, error) {
	o, err := c.Store.Open(ctx, key)
	return &countingObject{o, c}, err
}

type countingObject struct {
	storage.Object
	store *counting
}

func (o *countingObject) ReadAt(p []byte, at int64) (int, error) {
	n, err := o.Object.ReadAt(p, at)
	o.store.given.Add(int64(n))
	if o.store.left.Load() > 0 && o.store.left.Add(-int64(n)) <= 0 {
		return 0, errCut
	}
	return n, err
}

// TestARemoteSourceIsCopiedOnce: whatever happens to the line and to the attempts.
func TestARemoteSourceIsCopiedOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	store := &counting{Store: w.store}
	w.Ingester.store = store
	a := w.add(small(t, "1"), AddOptions{})
	// Larger than a buffer, so that there is something to go on with.
	size := w.pad(&a, 5<<20)
	store.left.Store(3 << 20)
	if err := w.Process(t.Context(), a.ID, nil); !errors.Is(err, errCut) {
		t.Fatalf("error is %v", err)
	}
	ctx, cancel := contextOf(t)
	if err := w.Process(ctx, a.ID, func(s Step) {
		if s.Progress.Stage == stageMeasuring {
			cancel()
		}
	}); err == nil {
		t.Fatal("cancelled, and no error")
	}
	w.ready(a.ID)
	if got := store.given.Load(); got > size+size/2 {
		t.Errorf("%d bytes were read of a film of %d", got, size)
	}
}

// pad appends bytes that nobody reads to the film of an asset and returns its size.
func (w *world) pad(a *vod.Asset, n int) int64 {
	w.t.Helper()
	data, err := os.ReadFile(w.file(a.Source.Object))
	if err != nil {
		w.t.Fatal(err)
	}
	n -= n % 256
	data = append(data, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	data = append(append(data, "free"...), make([]byte, n-8)...)
	path := write(w.t, filepath.Join(w.t.TempDir(), "padded.mp4"), string(data))
	*a = w.replace(a.ID, w.sourceOf(path))
	return int64(len(data))
}

func TestARemoteSourceIsCompared(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Ingester.store = remote{w.store}
	a := w.add(small(t, "1"), AddOptions{})
	if _, err := w.store.Put(t.Context(), storage.Key(a.Source.Object), strings.NewReader("other bytes")); err != nil {
		t.Fatal(err)
	}
	if err := w.Process(t.Context(), a.ID, nil); !errors.Is(err, errSourceChanged) {
		t.Errorf("error is %v", err)
	}
	if now := w.asset(a.ID); now.State != vod.Uploaded {
		t.Errorf("asset is %s", now.State)
	}
}

func TestAFullDiskIsThisMachinesFault(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(*storage.Disk) storage.Store{
		"disk":   func(d *storage.Disk) storage.Store { return d },
		"remote": func(d *storage.Disk) storage.Store { return remote{d} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.Ingester.store = store(w.store)
			a := w.add(small(t, "1"), AddOptions{})
			w.space = func(string) (int64, error) { return spare + 1000, nil }
			err := w.Process(t.Context(), a.ID, nil)
			if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "MiB") {
				t.Errorf("error is %v", err)
			}
			if now := w.asset(a.ID); now.State != vod.Uploaded || len(now.Findings) > 0 && refused(now.Findings) {
				t.Errorf("asset is %s with %v", now.State, codes(now.Findings))
			}
			w.space = freeSpace
			w.ready(a.ID)
		})
	}
}
