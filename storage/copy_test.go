package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"reprise/storage"
	"reprise/storage/storagetest"
)

// contents reads a whole store.
func contents(t *testing.T, s storage.Store) map[storage.Key]string {
	t.Helper()
	all := map[storage.Key]string{}
	var keys []storage.Key
	if err := s.List(t.Context(), "", func(i storage.Info) error { keys = append(keys, i.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		all[key] = string(readAll(t, s, key))
	}
	return all
}

func putAll(t *testing.T, s storage.Store, objects map[storage.Key]string) {
	t.Helper()
	for key, content := range objects {
		if _, err := s.Put(t.Context(), key, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
}

func wantSame(t *testing.T, got, want map[storage.Key]string) {
	t.Helper()
	for key, content := range want {
		if got[key] != content {
			t.Errorf("%s: %d bytes instead of %d, or others", key, len(got[key]), len(content))
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("%s came from nowhere", key)
		}
	}
}

func someObjects(n int) map[storage.Key]string {
	objects := map[storage.Key]string{}
	for i := range n {
		objects[storage.Key(fmt.Sprintf("media/m%d/v%d.mp4", i%5, i))] = string(pattern(i*1000, uint64(i)))
	}
	return objects
}

// TestCopyBetweenDiskAndS3 goes there and back.
func TestCopyBetweenDiskAndS3(t *testing.T) {
	t.Parallel()
	objects := someObjects(30)
	objects["sources/large"] = string(pattern(11<<20, 99))
	disk, back := newDisk(t, t.TempDir()), newDisk(t, t.TempDir())
	bucket, _ := newBucket(t)
	putAll(t, disk, objects)
	var last storage.CopyProgress
	for _, leg := range [][2]storage.Store{{disk, bucket}, {bucket, back}} {
		report, err := storage.Copy(t.Context(), leg[0], leg[1], storage.CopyOptions{}, func(p storage.CopyProgress) { last = p })
		if err != nil || report.Copied != len(objects) || report.Skipped+report.Gone+len(report.Failed) != 0 {
			t.Fatalf("%+v %v", report, err)
		}
		if last.Objects != len(objects) || last.TotalObjects != len(objects) || last.Bytes != last.TotalBytes || last.Bytes != report.Bytes {
			t.Errorf("at the end: %+v", last)
		}
		report, err = storage.Copy(t.Context(), leg[0], leg[1], storage.CopyOptions{}, nil)
		if err != nil || report.Skipped != len(objects) || report.Copied != 0 {
			t.Errorf("again: %+v %v", report, err)
		}
	}
	wantSame(t, contents(t, back), objects)
}

func TestCopyPutsRightWhatDiffers(t *testing.T) {
	t.Parallel()
	from, to := newDisk(t, t.TempDir()), newDisk(t, t.TempDir())
	putAll(t, from, map[storage.Key]string{"same": "1234", "size": "1234", "bytes": "1234", "only/here": "x"})
	putAll(t, to, map[storage.Key]string{"same": "1234", "size": "123", "bytes": "1235", "only/there": "y"})
	ledger := filepath.Join(t.TempDir(), "ledger")
	for i := range 2 {
		report, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Ledger: ledger}, nil)
		if want := []int{3, 0}[i]; err != nil || report.Copied != want || report.Skipped != 4-want {
			t.Errorf("%+v %v", report, err)
		}
	}
	wantSame(t, contents(t, to), map[storage.Key]string{"same": "1234", "size": "1234", "bytes": "1234", "only/here": "x", "only/there": "y"})
}

// counting counts what is opened.
type counting struct {
	storage.Store
	mu     sync.Mutex
	opened []storage.Key
	open   func(storage.Key) error // nil: all is well
}

func (c *counting) Open(ctx context.Context, key storage.Key) (storage.Object, error) {
	c.mu.Lock()
	c.opened = append(c.opened, key)
	c.mu.Unlock()
	if c.open != nil {
		if err := c.open(key); err != nil {
			return nil, err
		}
	}
	return c.Store.Open(ctx, key)
}

// TestCopyLedger: what was verified is not read again, unless one side changed or the line is spoiled.
func TestCopyLedger(t *testing.T) {
	t.Parallel()
	from := &counting{Store: newDisk(t, t.TempDir())}
	to := newDisk(t, t.TempDir())
	ledger := filepath.Join(t.TempDir(), "ledger")
	putAll(t, from, map[storage.Key]string{"a": "a", "b": "b", "c": "c", "d": "d"})
	if _, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Ledger: ledger}, nil); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	kept := slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, `"d"`) })
	if err := os.WriteFile(ledger, []byte(strings.Join(kept, "")+`{"key":"d","si`), 0o600); err != nil { // cut off by a kill
		t.Fatal(err)
	}
	putAll(t, from, map[storage.Key]string{"b": "B"})
	putAll(t, to, map[storage.Key]string{"c": "c"})
	from.opened = nil
	report, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Ledger: ledger}, nil)
	if err != nil || report.Copied != 1 || report.Skipped != 3 {
		t.Errorf("%+v %v", report, err)
	}
	slices.Sort(from.opened)
	if got := slices.Compact(from.opened); !slices.Equal(got, []storage.Key{"b", "c", "d"}) {
		t.Errorf("read again: %q", got)
	}
}

// TestCopyWhileServing: the source gains, loses and replaces objects in the middle.
func TestCopyWhileServing(t *testing.T) {
	t.Parallel()
	from, to := newDisk(t, t.TempDir()), newDisk(t, t.TempDir())
	objects := someObjects(20)
	putAll(t, from, objects)
	var once sync.Once
	serving := &counting{Store: from, open: func(key storage.Key) error {
		once.Do(func() {
			putAll(t, from, map[storage.Key]string{"new/one": "came meanwhile", "a/first": "too"})
			for _, lost := range []storage.Key{"media/m4/v19.mp4", "media/m4/v14.mp4"} {
				if err := from.Delete(t.Context(), lost); err != nil {
					t.Error(err)
				}
				delete(objects, lost)
			}
		})
		return nil
	}}
	report, err := storage.Copy(t.Context(), serving, to, storage.CopyOptions{Workers: 1}, nil)
	if err != nil || report.Gone != 2 || report.Copied != 20 || report.Passes != 2 {
		t.Errorf("%+v %v", report, err)
	}
	objects["new/one"], objects["a/first"] = "came meanwhile", "too"
	wantSame(t, contents(t, to), objects)
}

// spoiling stores other bytes than it is given, some times.
type spoiling struct {
	storage.Store
	mu   sync.Mutex
	left map[storage.Key]int
}

func (s *spoiling) Put(ctx context.Context, key storage.Key, r io.Reader) (storage.Info, error) {
	s.mu.Lock()
	s.left[key]--
	spoil := s.left[key] >= 0
	s.mu.Unlock()
	if !spoil {
		return s.Store.Put(ctx, key, r)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return storage.Info{}, err
	}
	b[len(b)/2] ^= 1
	return s.Store.Put(ctx, key, bytes.NewReader(b))
}

func TestCopyVerifies(t *testing.T) {
	t.Parallel()
	from := newDisk(t, t.TempDir())
	to := &spoiling{Store: newDisk(t, t.TempDir()), left: map[storage.Key]int{"twice": 2, "always": 1000}}
	objects := map[storage.Key]string{"good": "123456", "twice": "123456", "always": "123456"}
	putAll(t, from, objects)
	var last storage.CopyProgress
	report, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{}, func(p storage.CopyProgress) { last = p })
	if err == nil || report.Copied != 2 || len(report.Failed) != 1 || report.Failed[0].Key != "always" {
		t.Errorf("%+v %v", report, err)
	}
	if last.Objects != 2 || last.Bytes > last.TotalBytes {
		t.Errorf("at the end: %+v", last)
	}
	delete(objects, "always") // what came back different is not left there
	wantSame(t, contents(t, to), objects)
}

func TestCopyGivesUpWhenNothingWorks(t *testing.T) {
	t.Parallel()
	from, to := newDisk(t, t.TempDir()), newDisk(t, t.TempDir())
	putAll(t, from, someObjects(100))
	down := errors.New("no network")
	failing := &counting{Store: from, open: func(storage.Key) error { return down }}
	report, err := storage.Copy(t.Context(), failing, to, storage.CopyOptions{Workers: 2}, nil)
	if !errors.Is(err, down) || len(report.Failed) < 20 || len(report.Failed) > 22 {
		t.Errorf("%d failed, %v", len(report.Failed), err)
	}
	full := &counting{Store: from, open: func(storage.Key) error { return storage.ErrNoSpace }}
	report, err = storage.Copy(t.Context(), full, to, storage.CopyOptions{Workers: 1}, nil)
	if !errors.Is(err, storage.ErrNoSpace) || len(report.Failed) != 1 {
		t.Errorf("%d failed, %v", len(report.Failed), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopping := &counting{Store: from, open: func(storage.Key) error { cancel(); return nil }}
	if _, err := storage.Copy(ctx, stopping, to, storage.CopyOptions{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestCopyGoesOnAfterAKill kills a copying process again and again.
func TestCopyGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	where := copyWhere{Copy: true, From: filepath.Join(dir, "from"), To: filepath.Join(dir, "to"), Ledger: filepath.Join(dir, "ledger")}
	from := newDisk(t, where.From)
	objects := someObjects(40)
	putAll(t, from, objects)
	child, err := json.Marshal(where)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		storagetest.KillChild(t, string(child))
	}
	to := newDisk(t, where.To)
	some := contents(t, to)
	if len(some) == 0 || len(some) == len(objects) {
		t.Fatalf("%d of %d objects are there: the kill came at no good time", len(some), len(objects))
	}
	report, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Ledger: where.Ledger}, nil)
	if err != nil || report.Copied+report.Skipped != len(objects) || report.Skipped == 0 {
		t.Errorf("%+v %v", report, err)
	}
	wantSame(t, contents(t, to), objects)
}

// copyWhere tells a child process what to copy.
type copyWhere struct {
	Copy             bool
	From, To, Ledger string
}

// slowStore comes to a halt after some objects.
type slowStore struct {
	storage.Store
	n int
}

func (s *slowStore) Open(ctx context.Context, key storage.Key) (storage.Object, error) {
	if s.n++; s.n > 5 {
		fmt.Println("writing")
		select {} // until killed
	}
	return s.Store.Open(ctx, key)
}

// copyChild is the child: it copies until it is killed.
func copyChild(text string) error {
	var where copyWhere
	if err := json.Unmarshal([]byte(text), &where); err != nil {
		return err
	}
	from, err := storage.NewDisk(where.From)
	if err != nil {
		return err
	}
	to, err := storage.NewDisk(where.To)
	if err != nil {
		return err
	}
	_, err = storage.Copy(context.Background(), &slowStore{Store: from}, to, storage.CopyOptions{Workers: 1, Ledger: where.Ledger}, nil)
	return err
}

// TestCopyAnything: whatever lies on both sides, afterwards the target has all of the source.
func TestCopyAnything(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		from, err := storage.NewDisk(filepath.Join(root, storage.RandomName()))
		if err != nil {
			rt.Fatal(err)
		}
		defer from.Close()
		to, err := storage.NewDisk(filepath.Join(root, storage.RandomName()))
		if err != nil {
			rt.Fatal(err)
		}
		defer to.Close()
		object := rapid.MapOfN(rapid.SampledFrom([]storage.Key{"a", "b", "c/d", "c/e", "f-g"}), rapid.SampledFrom([]string{"", "x", "y", "xx"}), 0, 5)
		want := map[storage.Key]string{}
		for key, content := range object.Draw(rt, "target") {
			want[key] = content
			if _, err := to.Put(t.Context(), key, strings.NewReader(content)); err != nil {
				rt.Fatal(err)
			}
		}
		for key, content := range object.Draw(rt, "source") {
			want[key] = content
			if _, err := from.Put(t.Context(), key, strings.NewReader(content)); err != nil {
				rt.Fatal(err)
			}
		}
		if _, err := storage.Copy(t.Context(), from, to, storage.CopyOptions{Workers: 2}, nil); err != nil {
			rt.Fatal(err)
		}
		wantSame(t, contents(t, to), want)
	})
}
