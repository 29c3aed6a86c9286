package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reprise/storage"
	"reprise/storage/storagetest"
)

// files returns the paths of all block files.
func (w *world) files(t testing.TB) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(w.cfg.Dir, blocksName), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != metaName {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Conformance(t, func(t *testing.T) storage.Store {
		d, err := storage.NewDisk(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		c, err := New(small(t.TempDir(), &clock{now: time.Now()}), d, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	})
}

// TestAnyRangeIsRight reads random ranges in every way there is, with restarts,
// damage, an origin that fails, and a cache that is too small for all.
func TestAnyRangeIsRight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		blocks := rapid.Int64Range(4, 20).Draw(r, "blocks")
		w := setup(t, func(c *Config) { c.MaxBytes = blocks * (c.BlockSize + trailerSize) })
		defer w.Cache.Close()
		keys := []storage.Key{"a/one", "b/two", "c"}
		for _, k := range keys {
			w.origin.put(k, pattern(k, rapid.IntRange(0, 60*kib).Draw(r, "size")))
		}
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			key := rapid.SampledFrom(keys).Draw(r, "key")
			all := w.origin.objects[key].data
			offset, length := rapid.Int64Range(0, 70*kib).Draw(r, "offset"), rapid.Int64Range(0, 70*kib).Draw(r, "length")
			want := all[min(offset, int64(len(all))):min(offset+length, int64(len(all)))]
			switch rapid.IntRange(0, 9).Draw(r, "step") {
			case 0:
				w.restart(t)
			case 1:
				if files := w.files(t); len(files) > 0 {
					damage(r, rapid.SampledFrom(files).Draw(r, "file"))
				}
			case 2:
				w.origin.put(key, pattern(key+"x", len(all)/2+1))
				w.recheck(t.Context(), w.known(key))
			case 3:
				if err := w.Warm(t.Context(), key, offset, length); err != nil && !errors.Is(err, ErrNotKept) {
					r.Fatal(err)
				}
			case 4:
				w.origin.cut(errCut)
				got, err := w.read(key, offset, length)
				w.origin.cut(nil)
				if err == nil && !bytes.Equal(got, want) {
					r.Fatalf("without the origin %s %d+%d is %d other bytes", key, offset, length, len(got))
				}
			case 5, 6:
				o, err := w.Open(t.Context(), key)
				if err != nil {
					r.Fatal(err)
				}
				got := make([]byte, max(length, 1))
				want := all[min(offset, int64(len(all))):min(offset+max(length, 1), int64(len(all)))]
				n, err := o.ReadAt(got, offset)
				if !bytes.Equal(got[:n], want) || (err == nil) != (n == len(got)) || (err != nil && err != io.EOF) {
					r.Fatalf("ReadAt %s %d+%d: %d bytes, %v", key, offset, length, n, err)
				}
				o.Close()
			default:
				got, err := w.read(key, offset, length)
				if err != nil || !bytes.Equal(got, want) {
					r.Fatalf("%s %d+%d: %d bytes, %v", key, offset, length, len(got), err)
				}
			}
			if bytes, _ := w.onDisk(t); bytes > w.cfg.MaxBytes {
				r.Fatalf("%d bytes on disk, %d are allowed", bytes, w.cfg.MaxBytes)
			}
		}
	})
}

// known returns the entry of a key, one that nobody reads when there is none.
func (c *Cache) known(key storage.Key) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil {
		return e
	}
	return c.newEntry(key, storage.Info{Size: -1})
}

// damage does to a file what disks and power cuts do.
func damage(t interface{ Fatal(...any) }, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch len(path) % 3 {
	case 0:
		b = b[:len(b)/2]
	case 1:
		b[len(b)/3] ^= 0x10
	default:
		clear(b)
	}
	if err := os.WriteFile(path, b, fileMode); err != nil {
		t.Fatal(err)
	}
}

func TestNeighboursAreOneRequest(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.origin.put("k", pattern("k", 40*kib))
	w.want(t, "k", 5*kib, 4*kib) // blocks 1 and 2
	w.want(t, "k", 0, 16*kib)    // 0 and 3 are missing
	w.want(t, "k", 0, 40*kib)    // 4 to 9, in requests of four blocks
	want := []stretch{{"k", 4 * kib, 8 * kib}, {"k", 0, 4 * kib}, {"k", 12 * kib, 4 * kib}, {"k", 16 * kib, 4 * kib}, {"k", 20 * kib, 8 * kib}, {"k", 28 * kib, 12 * kib}}
	got := w.origin.taken()
	bytes := int64(0)
	for _, r := range got {
		bytes += r.length
	}
	if bytes != 40*kib || len(got) > len(want) {
		t.Errorf("read %v", got)
	}
	w.want(t, "k", 0, 40*kib)
	if got := w.origin.taken(); len(got) != 0 {
		t.Errorf("all is here, yet read: %v", got)
	}
}

func TestABlockIsFetchedOnceHoweverManyAsk(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.origin.put("k", pattern("k", 8*kib))
	w.origin.hold, w.origin.held = make(chan struct{}), make(chan struct{}, 100)
	var readers sync.WaitGroup
	for i := range 50 {
		readers.Go(func() { w.want(t, "k", int64(i), 7*kib) })
	}
	<-w.origin.held
	close(w.origin.hold)
	readers.Wait()
	if got := w.origin.taken(); len(got) != 1 {
		t.Errorf("read %v", got)
	}
	if w.origin.stats > 2 {
		t.Errorf("asked %d times what it is", w.origin.stats)
	}
}

// TestWhoLeavesTakesNothingAway: the first of those who wait gives up; the others get their bytes.
func TestWhoLeavesTakesNothingAway(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.origin.put("k", pattern("k", 4*kib))
	w.origin.hold, w.origin.held = make(chan struct{}), make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	warmed := make(chan error, 1)
	go func() { warmed <- w.Warm(ctx, "k", 0, -1) }()
	<-w.origin.held
	read := make(chan error, 1)
	go func() {
		_, err := w.read("k", 0, 4*kib)
		read <- err
	}()
	cancel()
	if err := <-warmed; !errors.Is(err, context.Canceled) {
		t.Errorf("warm: %v", err)
	}
	close(w.origin.hold)
	if err := <-read; err != nil {
		t.Errorf("read: %v", err)
	}
}

func TestErrorsOfTheOriginAreNotKept(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.origin.put("k", pattern("k", 12*kib))
	w.want(t, "k", 0, 4*kib)
	w.origin.cut(errCut)
	if _, err := w.read("k", 0, 12*kib); !errors.Is(err, errCut) {
		t.Errorf("%v", err)
	}
	w.want(t, "k", 0, 4*kib) // is here
	if _, err := w.read("other", 0, 1); !errors.Is(err, errCut) {
		t.Errorf("%v", err)
	}
	if info, err := w.Stat(t.Context(), "k"); err != nil || info.Size != 12*kib {
		t.Errorf("what is known of a known object: %+v %v", info, err)
	}
	w.origin.cut(nil)
	w.want(t, "k", 0, 12*kib)
}

func TestTheLeastRecentlyUsedGoes(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *Config) { c.MaxBytes = 4 * (c.BlockSize + trailerSize) })
	w.origin.put("k", pattern("k", 40*kib))
	for _, block := range []int64{0, 1, 2, 3, 0, 4, 5} {
		w.want(t, "k", block*4*kib, 4*kib)
	}
	w.origin.taken()
	for _, block := range []int64{0, 3, 4, 5} {
		w.want(t, "k", block*4*kib, 1)
	}
	if got := w.origin.taken(); len(got) > 0 {
		t.Errorf("pushed out: %v", got)
	}
	if _, files := w.onDisk(t); files != 4 {
		t.Errorf("%d files", files)
	}
}

func TestAnObjectWithoutBlocksLeavesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *Config) { c.MaxBytes = 2 * (c.BlockSize + trailerSize) })
	for i := range 20 {
		key := storage.Key(fmt.Sprintf("k%d", i))
		w.origin.put(key, pattern(key, 6*kib))
		w.want(t, key, 0, 6*kib)
	}
	shards, err := filepath.Glob(filepath.Join(w.cfg.Dir, blocksName, "*", "*"))
	if err != nil || len(shards) != 1 || len(w.entries) != 1 {
		t.Errorf("%d folders and %d entries are left (%v)", len(shards), len(w.entries), err)
	}
}

func TestWhatIsPinnedStays(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *Config) { c.MaxBytes = 4 * (c.BlockSize + trailerSize) })
	w.origin.put("air", pattern("air", 12*kib))
	w.origin.put("k", pattern("k", 100*kib))
	if err := w.Warm(t.Context(), "air", 0, -1); err != nil {
		t.Fatal(err)
	}
	w.want(t, "k", 0, 100*kib)
	w.origin.cut(errCut)
	w.want(t, "air", 0, 12*kib)
	w.origin.cut(nil)
	if err := w.Warm(t.Context(), "k", 0, 12*kib); !errors.Is(err, ErrNotKept) {
		t.Errorf("more is pinned than there is room for: %v", err)
	}
	w.clock.add(w.cfg.Pin + defaultPin + time.Second)
	w.want(t, "k", 0, 100*kib)
	w.origin.cut(errCut)
	if _, err := w.read("air", 0, 12*kib); err == nil {
		t.Error("a pin that is over still holds")
	}
	w.origin.cut(nil)
	if err := w.Warm(t.Context(), "air", 0, -1); err != nil {
		t.Fatal(err)
	}
	w.Unpin("air")
	w.want(t, "k", 0, 100*kib)
	w.origin.cut(errCut)
	if _, err := w.read("air", 0, 12*kib); err == nil {
		t.Error("unpinned, it still stays")
	}
}

func TestARestartFindsAll(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.origin.put("a/b", pattern("a/b", 50*kib))
	w.origin.put("c", pattern("c", 3*kib))
	w.want(t, "a/b", 0, 50*kib)
	w.want(t, "c", 0, 3*kib)
	before, files := w.onDisk(t)
	w.restart(t)
	w.origin.cut(errCut)
	w.want(t, "a/b", 0, 50*kib)
	w.want(t, "c", 0, 3*kib)
	if after, now := w.onDisk(t); after != before || now != files || w.used != before {
		t.Errorf("%d bytes in %d files, then %d in %d, counted %d", before, files, after, now, w.used)
	}
	if _, err := New(w.cfg, w.origin, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrInUse) {
		t.Errorf("two processes: %v", err)
	}
	w.cfg.MaxBytes = 3 * (w.cfg.BlockSize + trailerSize)
	w.restart(t)
	if bytes, _ := w.onDisk(t); bytes > w.cfg.MaxBytes || bytes == 0 {
		t.Errorf("%d bytes on disk after the limit was lowered", bytes)
	}
	w.cfg.BlockSize *= 2
	w.restart(t)
	if _, files := w.onDisk(t); files != 0 {
		t.Errorf("%d files of another block size", files)
	}
}

func TestDamageIsFoundOut(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string, b []byte) error{
		"shorter":   func(path string, b []byte) error { return os.Truncate(path, 100) },
		"empty":     func(path string, b []byte) error { return os.Truncate(path, 0) },
		"a bit":     func(path string, b []byte) error { b[99] ^= 1; return os.WriteFile(path, b, fileMode) },
		"trailer":   func(path string, b []byte) error { b[len(b)-1] ^= 1; return os.WriteFile(path, b, fileMode) },
		"zeros":     func(path string, b []byte) error { clear(b); return os.WriteFile(path, b, fileMode) },
		"gone":      func(path string, _ []byte) error { return os.Remove(path) },
		"elsewhere": func(path string, _ []byte) error { return os.Rename(path, filepath.Join(filepath.Dir(path), "7.99")) },
		"meta": func(path string, _ []byte) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), metaName), []byte("{"), fileMode)
		},
	} {
		for _, restart := range []bool{true, false} {
			t.Run(fmt.Sprint(name, restart), func(t *testing.T) {
				t.Parallel()
				w := setup(t)
				w.origin.put("k", pattern("k", 40*kib))
				w.want(t, "k", 0, 40*kib)
				path := w.files(t)[0]
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if restart {
					w.Cache.Close()
				}
				if err := spoil(path, b); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Minute)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				if restart {
					w.open(t)
				}
				w.origin.taken()
				w.want(t, "k", 0, 40*kib)
				if got := w.origin.taken(); len(got) == 0 && (restart || name != "meta") {
					t.Error("nothing was fetched again")
				}
				w.want(t, "k", 0, 40*kib)
				if got := w.origin.taken(); len(got) != 0 {
					t.Errorf("fetched again and again: %v", got)
				}
				if bytes, _ := w.onDisk(t); bytes != w.used && name != "elsewhere" {
					t.Errorf("%d bytes on disk, %d counted", bytes, w.used)
				}
			})
		}
	}
}

func TestAFullDiskFallsBackToTheOrigin(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.origin.put("k", pattern("k", 40*kib))
	w.want(t, "k", 0, 8*kib)
	full := true
	var mu sync.Mutex
	w.Cache.write = func(tmp, path, folder string, index int64, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if full {
			return &fs.PathError{Op: "write", Path: tmp, Err: syscall.ENOSPC}
		}
		return writeBlock(tmp, path, folder, index, data)
	}
	w.want(t, "k", 0, 40*kib)
	w.want(t, "k", 0, 40*kib)
	if bytes, _ := w.onDisk(t); bytes != w.used {
		t.Errorf("%d bytes on disk, %d counted", bytes, w.used)
	}
	if err := w.Warm(t.Context(), "k", 0, -1); !errors.Is(err, ErrNotKept) {
		t.Errorf("warm: %v", err)
	}
	mu.Lock()
	full = false
	mu.Unlock()
	w.clock.add(limitAgain + time.Second)
	w.want(t, "k", 0, 40*kib)
	w.origin.cut(errCut)
	w.want(t, "k", 0, 40*kib)
}

func TestAReplacedObjectIsNoticed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.origin.put("k", pattern("k", 40*kib))
	w.want(t, "k", 0, 8*kib)
	old, err := w.Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	first := w.origin.objects["k"].data

	w.origin.put("k", pattern("kx", 40*kib)) // behind our back
	w.want(t, "k", 20*kib, 8*kib)            // a block that was missing
	w.want(t, "k", 0, 8*kib)
	got := make([]byte, 8*kib)
	if _, err := old.ReadAt(got, 0); err != nil || !bytes.Equal(got, first[:8*kib]) {
		t.Errorf("an open object changed: %v", err)
	}
	if _, err := old.ReadAt(got, 20*kib); !errors.Is(err, storage.ErrChanged) {
		t.Errorf("bytes of two versions: %v", err)
	}

	w.origin.put("k", pattern("ky", 40*kib))
	if _, err := w.Stat(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	w.want(t, "k", 0, 8*kib)

	if _, err := w.Put(t.Context(), "k", bytes.NewReader(pattern("kz", 30*kib))); err != nil {
		t.Fatal(err)
	}
	w.want(t, "k", 0, 40*kib)
	if err := w.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.read("k", 0, 1); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if bytes, files := w.onDisk(t); bytes != 0 || files != 0 || w.used != 0 {
		t.Errorf("%d bytes in %d files are left, %d counted", bytes, files, w.used)
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *Config) { c.MaxBytes = 10 * (c.BlockSize + trailerSize) })
	for i := range 4 {
		key := storage.Key(fmt.Sprintf("k%d", i))
		w.origin.put(key, pattern(key, 30*kib))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var loops, readers sync.WaitGroup
	loops.Go(func() { _ = w.Run(ctx, func(time.Time) []Range { return []Range{{Key: "k0", Length: 8 * kib}} }) })
	for i := range 8 {
		readers.Go(func() {
			for n := range 60 {
				key := storage.Key(fmt.Sprintf("k%d", (i+n)%4))
				switch {
				case i == 0 && n%10 == 0:
					_ = w.Warm(ctx, key, int64(n)*100, 9*kib)
				case i == 1 && n%20 == 0:
					w.drop(key)
				case i == 2 && n%7 == 0:
					w.clock.add(3 * time.Minute)
				default:
					w.want(t, key, int64(n)*300, int64(n)*200)
				}
			}
		})
	}
	readers.Wait()
	cancel()
	loops.Wait()
	if bytes, _ := w.onDisk(t); bytes > w.cfg.MaxBytes || bytes != w.used {
		t.Errorf("%d bytes on disk, %d counted, %d allowed", bytes, w.used, w.cfg.MaxBytes)
	}
}
