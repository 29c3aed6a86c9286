package uploads

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/storage"
	"reprise/vod"
)

func (w *world) sweep(c *client) Swept {
	w.t.Helper()
	swept, err := c.u.Sweep(w.t.Context())
	if err != nil {
		w.t.Fatalf("sweep: %v", err)
	}
	return swept
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		w.cfg.Expire = 24 * time.Hour
		c := w.node("one")
		film := random(10, minPartSize+50)
		old, fed := c.create(len(film), nil), c.create(len(film), nil)
		c.patch(old, 0, film[:minPartSize+10])
		w.clock.add(20 * time.Hour)
		a := c.patch(fed, 0, film[:10])
		if expires, err := http.ParseTime(a.header.Get("Upload-Expires")); err != nil || !expires.Equal(w.clock.now().Add(24*time.Hour)) {
			t.Errorf("expires %v: %v", expires, err)
		}
		w.clock.add(10 * time.Hour)
		if a := c.head(old); a.status != http.StatusGone {
			t.Errorf("head of an expired one: %d", a.status)
		}
		if a := c.patch(old, minPartSize+10, film[minPartSize+10:]); a.status != http.StatusGone || a.code != "upload-expired" {
			t.Errorf("patch of an expired one: %d %s", a.status, a.code)
		}
		if swept := w.sweep(c); swept != (Swept{Expired: 1}) {
			t.Errorf("swept %+v", swept)
		}
		if a := c.head(fed); a.status != http.StatusOK || a.offset() != 10 {
			t.Errorf("head of one that is fed: %d", a.status)
		}
		if a := c.head(old); a.status != http.StatusGone {
			t.Errorf("head after the sweep: %d", a.status)
		}
		w.clock.add(25 * time.Hour)
		w.sweep(c)
		w.clock.add(25 * time.Hour)
		w.sweep(c)
		if rows, err := w.rows.Uploads(t.Context(), ""); err != nil || len(rows) != 0 {
			t.Errorf("rows are left: %v %v", rows, err)
		}
		if names := left(t, w.dir, w.store); len(names) != 0 {
			t.Errorf("left: %q", names)
		}
	})
}

// TestSweepFinishes: the process died after the last byte, and after the object was made.
func TestSweepFinishes(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(11, minPartSize+50)
		var locations []string
		for range 2 {
			location := c.create(len(film), map[string]string{"sha256": hexSum(film)})
			locations = append(locations, location)
			row := w.row(location)
			s, err := c.u.back.open(t.Context(), &row)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.write(t.Context(), bytes.NewReader(film), &sum{}, func(progress) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if len(locations) == 2 {
				if err := s.finish(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.clock.add(time.Hour)
		if swept := w.sweep(c); swept != (Swept{Finished: 2}) {
			t.Errorf("swept %+v", swept)
		}
		for _, location := range locations {
			if row := w.row(location); row.State != vod.UploadComplete || !bytes.Equal(w.object(location), film) {
				t.Errorf("row %+v", row)
			}
		}
		if told := w.told(); len(told) != 2 {
			t.Errorf("told of %d", len(told))
		}
	})
}

// TestHeadFinishes: the client asks before a sweep comes.
func TestHeadFinishes(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(12, 1000)
		location := c.create(len(film), nil)
		row := w.row(location)
		s, err := c.u.back.open(t.Context(), &row)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.write(t.Context(), bytes.NewReader(film), &sum{}, func(progress) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if a := c.head(location); a.status != http.StatusOK || a.offset() != 1000 || w.row(location).State != vod.UploadComplete {
			t.Errorf("head %d, row %s", a.status, w.row(location).State)
		}
	})
}

func TestSweepStrays(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(13, minPartSize+50)
		open := c.create(len(film), nil)
		c.patch(open, 0, film[:minPartSize+20])
		stray := c.create(len(film), nil)
		c.patch(stray, 0, film[:minPartSize+20])
		if err := w.rows.DeleteUpload(t.Context(), w.row(stray).ID); err != nil {
			t.Fatal(err)
		}
		if _, ok := w.store.(storage.Parter); ok {
			if err := os.WriteFile(filepath.Join(w.dir, spoolName+"1"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		note := filepath.Join(w.dir, "lost+found.txt")
		if err := os.WriteFile(note, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if swept := w.sweep(c); swept.Strays == 0 {
			t.Errorf("swept %+v", swept)
		}
		if a := c.send(open, film); a.status != http.StatusNoContent {
			t.Errorf("an open one was swept: %d %s", a.status, a.code)
		}
		if _, err := os.Stat(note); err != nil {
			t.Errorf("a file of somebody else was swept: %v", err)
		}
		if names := left(t, w.dir, w.store); len(names) != 2 {
			t.Errorf("left: %q", names)
		}
	})
}

// TestFinishedIsToldAgain: nobody heard of a complete upload the first time.
func TestFinishedIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	c := w.node("one")
	hear := c.u.deps.Finished
	c.u.deps.Finished = func(context.Context, vod.Upload) error { return errors.New("no queue") }
	location := c.create(1, nil)
	if a := c.send(location, []byte("x")); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.code)
	}
	c.u.deps.Finished = hear
	w.clock.add(time.Hour)
	w.sweep(c)
	if told := w.told(); len(told) != 1 {
		t.Errorf("told of %d", len(told))
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	w.cfg.Quota, w.cfg.MaxSize, w.cfg.PerOwner, w.used = 1000, 700, 4, 100
	nodes := []*client{w.node("one"), w.node("two")}
	name := map[string]string{"filename": "a"}
	if a := nodes[0].post(701, name); a.status != http.StatusRequestEntityTooLarge || a.code != "upload-too-large" {
		t.Errorf("too large: %d %s", a.status, a.code)
	}
	var answers [12]answer
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			answers[i], _ = nodes[i%2].as(string(rune('a'+i))).do(http.MethodPost, root, map[string]string{"Upload-Length": "300", "Upload-Metadata": metaHeader(name)}, nil)
		})
	}
	wait.Wait()
	made := 0
	for _, a := range answers {
		switch {
		case a.status == http.StatusCreated:
			made++
		case a.status != http.StatusRequestEntityTooLarge || a.code != "upload-quota":
			t.Errorf("refused with %d %s", a.status, a.code)
		}
	}
	used, limit, err := nodes[0].u.Used(t.Context(), "congress")
	if made != 3 || used != 1000 || limit != 1000 || err != nil {
		t.Errorf("%d were made, %d of %d bytes are used: %v", made, used, limit, err)
	}
	rows, err := w.rows.Uploads(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := nodes[1].u.Cancel(t.Context(), rows[0].ID); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		a := nodes[0].post(1, name)
		if want := map[bool]int{true: http.StatusCreated, false: http.StatusTooManyRequests}[i < 4]; a.status != want {
			t.Errorf("upload %d of ann: %d %s", i, a.status, a.code)
		}
	}
}

func TestNoRoomOnTheDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	w.cfg.MaxSize = 0
	u := w.uploads("one")
	if err := u.create(t.Context(), &vod.Upload{ID: "a", Size: 1 << 60}); !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("got %v", err)
	}
	if rows, err := w.rows.Uploads(t.Context(), ""); err != nil || len(rows) != 0 {
		t.Errorf("rows %v: %v", rows, err)
	}
}

func TestErrQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	w.cfg.Quota = 10
	u := w.uploads("one")
	var quota *ErrQuota
	if err := u.create(t.Context(), &vod.Upload{ID: "a", Size: 11}); !errors.As(err, &quota) || quota.Limit != 10 || quota.Used != 0 || faultOf(err).Code != "upload-quota" {
		t.Errorf("got %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	c := w.node("one")
	location := c.create(10, map[string]string{"fingerprint": "f"})
	for _, test := range []struct {
		owner, fingerprint string
		size               int64
		found              bool
	}{{"ann", "f", 10, true}, {"bob", "f", 10, false}, {"ann", "g", 10, false}, {"ann", "f", 11, false}, {"ann", "", 10, false}} {
		u, err := c.u.Find(t.Context(), "congress", test.owner, test.fingerprint, test.size)
		if test.found != (err == nil) || test.found && u.ID != w.row(location).ID || err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %v %v", test, u.ID, err)
		}
	}
	w.clock.add(8 * 24 * time.Hour)
	if _, err := c.u.Find(t.Context(), "congress", "ann", "f", 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("an expired one is found: %v", err)
	}
}

func TestNewRefusesStores(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	deps := w.uploads("one").deps
	deps.Store = struct{ storage.Store }{deps.Store}
	if _, err := New(w.cfg, deps); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("got %v", err)
	}
	deps.Store = w.store
	if _, err := New(Config{}, deps); err == nil {
		t.Error("no folder is no fault")
	}
	if _, err := New(w.cfg, Deps{}); err == nil {
		t.Error("no dependencies are no fault")
	}
}

// TestPartSizes: any size fits in 10,000 parts, and a changed configuration does not change an upload's parts.
func TestPartSizes(t *testing.T) {
	t.Parallel()
	b := &partsBackend{partSize: defaultPartSize}
	for _, size := range []int64{1, 40 << 30, 160 << 30, 200_000_000_001, 5 << 40} {
		part := b.partSizeOf(&vod.Upload{Size: size}, nil)
		if count := (size + part - 1) / part; count > maxParts || part < defaultPartSize || size <= 160e9 && part != defaultPartSize {
			t.Errorf("%d bytes: %d parts of %d", size, count, part)
		}
	}
	if part := b.partSizeOf(&vod.Upload{Size: 1 << 40}, []storage.Part{{Number: 1, Size: 5 << 20}}); part != 5<<20 {
		t.Errorf("begun with 5 MiB, goes on with %d", part)
	}
}
