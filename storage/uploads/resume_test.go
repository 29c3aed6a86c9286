package uploads

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// TestClosedTab: the connection breaks in the middle; the next one goes on at
// the byte that came last.
func TestClosedTab(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(4, filmSize)
		location := c.create(len(film), map[string]string{"sha256": hexSum(film)})
		for _, end := range []int{1000, minPartSize + 77, 2*minPartSize + 1} {
			from := c.head(location).offset()
			cut, done := c.stuck(location, from, film[from:end])
			w.arrived(c, location, int64(end))
			cut()
			<-done
			if a := c.head(location); a.offset() != int64(end) {
				t.Fatalf("after %d bytes: offset %d", end, a.offset())
			}
		}
		if a := c.send(location, film); a.status != http.StatusNoContent {
			t.Fatalf("the rest: %d %s", a.status, a.code)
		}
		if !bytes.Equal(w.object(location), film) {
			t.Error("the object differs")
		}
		if row := w.row(location); row.Hashed != row.Size || row.SHA256 != hexSum(film) {
			t.Errorf("the sum was lost: %d of %d", row.Hashed, row.Size)
		}
	})
}

// arrived waits until the server has read a running request up to offset. On
// disk that shows in the file; on S3 it cannot be seen before the request ends,
// but the bytes of one write are read at once.
func (w *world) arrived(c *client, location string, offset int64) {
	w.t.Helper()
	back, ok := c.u.back.(*diskBackend)
	if !ok {
		eventually(w.t, "the request is busy", func() bool { return c.u.busy(w.row(location).ID) })
		whole := offset / minPartSize
		eventually(w.t, "the whole parts are stored", func() bool {
			s, err := c.u.back.open(w.t.Context(), &vod.Upload{ID: w.row(location).ID, Size: 1 << 30})
			return err == nil && s.(*partsSink).count >= int(whole)
		})
		return
	}
	eventually(w.t, "the bytes are in the file", func() bool {
		st, err := os.Stat(back.path(w.row(location).ID))
		return err == nil && st.Size() >= offset
	})
}

// busy tells whether a request of this process reads bytes for an upload.
func (u *Uploads) busy(id vod.UploadID) bool {
	u.mu.Lock()
	l := u.held[leaseName(id)]
	u.mu.Unlock()
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.armed
}

// TestDiedBeforeTheRoom: a process was killed when the row was written and
// nothing else. Who finds the upload in the list goes on with it.
func TestDiedBeforeTheRoom(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(5, 1000)
		location := c.create(len(film), nil)
		row := w.row(location)
		if err := c.u.back.remove(t.Context(), &row); err != nil {
			t.Fatal(err)
		}
		if a := c.send(location, film); a.status != http.StatusNoContent {
			t.Fatalf("send: %d %s", a.status, a.code)
		}
		if !bytes.Equal(w.object(location), film) {
			t.Error("the object differs")
		}
	})
}

// TestTakeOver: the client comes again while its own dead connection still
// holds the upload, on the same node and on another.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		one, two := w.node("one"), w.node("two")
		film := random(5, minPartSize+50_000)
		location := one.create(len(film), nil)
		for i, c := range []*client{one, two} {
			from := c.head(location).offset()
			end := from + 30_000
			cut, done := one.stuck(location, from, film[from:end])
			w.arrived(one, location, end)
			begun := time.Now()
			a := c.head(location)
			if took := time.Since(begun); a.status != http.StatusOK || took > 3*time.Second {
				t.Errorf("%d: head %d after %s", i, a.status, took)
			}
			if _, disk := c.u.back.(*diskBackend); disk && a.offset() != end {
				t.Errorf("%d: offset %d, not %d", i, a.offset(), end)
			}
			if old, ok := <-done; ok && old.status != http.StatusServiceUnavailable {
				t.Errorf("%d: the old request hears %d %s", i, old.status, old.code)
			}
			cut()
		}
		if a := two.send(location, film); a.status != http.StatusNoContent {
			t.Fatalf("the rest: %d %s", a.status, a.code)
		}
		if !bytes.Equal(w.object(location), film) || w.row(location).SHA256 != hexSum(film) {
			t.Error("the object differs")
		}
	})
}

// TestTwoNodesByTurns: every request goes to another node.
func TestTwoNodesByTurns(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		nodes := []*client{w.node("one"), w.node("two")}
		film := random(6, filmSize)
		location := nodes[0].create(len(film), nil)
		for i := 0; ; i++ {
			c := nodes[i%2]
			from := c.head(location).offset()
			if from == filmSize {
				break
			}
			end := min(from+1_700_000, filmSize)
			if a := c.patch(location, from, film[from:end]); a.status != http.StatusNoContent || a.offset() != end {
				t.Fatalf("patch %d: %d %s", i, a.status, a.code)
			}
		}
		if !bytes.Equal(w.object(location), film) || w.row(location).SHA256 != hexSum(film) {
			t.Error("the object differs")
		}
	})
}

// TestDeadNode: a node that died holds the upload until its lease is over.
func TestDeadNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	c := w.node("one")
	location := c.create(10, nil)
	id := w.row(location).ID
	now := w.clock.now()
	if ok, err := w.rows.AcquireLease(t.Context(), leaseName(id), "dead/x", now, now.Add(c.u.cfg.Lease)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	var refusals int
	w.rows.(*rows).refused = func(string) {
		if refusals++; refusals == 3 {
			w.clock.add(c.u.cfg.Lease)
		}
	}
	if a := c.head(location); a.status != http.StatusOK || refusals < 3 {
		t.Errorf("head %d after %d refusals", a.status, refusals)
	}
}

// TestLocked: who waits too long for a living node hears 423, after which clients try again.
func TestLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	w.cfg.Wait = 50 * time.Millisecond
	c := w.node("one")
	location := c.create(10, nil)
	now := w.clock.now()
	if ok, err := w.rows.AcquireLease(t.Context(), leaseName(w.row(location).ID), "other/x", now, now.Add(c.u.cfg.Lease)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if a := c.head(location); a.status != http.StatusLocked {
		t.Errorf("head %d", a.status)
	}
	if a := c.patch(location, 0, []byte("x")); a.status != http.StatusLocked || a.code != "upload-locked" {
		t.Errorf("patch %d %s", a.status, a.code)
	}
}

// TestLostLease: a node that was thought dead stops writing.
func TestLostLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	c := w.node("one")
	location := c.create(1000, nil)
	cut, done := c.stuck(location, 0, make([]byte, 100))
	defer cut()
	w.arrived(c, location, 100)
	r, id := w.rows.(*rows), w.row(location).ID
	r.mu.Lock()
	r.leases[leaseName(id)].holder = "other/x"
	r.mu.Unlock()
	if a := <-done; a.status != http.StatusLocked && a.status != http.StatusServiceUnavailable {
		t.Errorf("the old request hears %d %s", a.status, a.code)
	}
	if row := w.row(location); row.Offset != 0 {
		t.Errorf("it wrote a row that is another's: %d", row.Offset)
	}
}

// TestSilentClient: a connection without a moving byte is closed; what came is kept.
func TestSilentClient(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		w.cfg.Idle = 200 * time.Millisecond
		c := w.node("one")
		location := c.create(1000, nil)
		cut, done := c.stuck(location, 0, make([]byte, 100))
		defer cut()
		<-done // without a deadline, never
		if a := c.head(location); a.offset() != 100 {
			t.Errorf("offset %d", a.offset())
		}
	})
}

// TestServerStops: running requests end with 503 and their bytes are kept.
func TestServerStops(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		one, two := w.node("one"), w.node("two")
		location := one.create(1000, nil)
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() {
			if err := one.u.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		cut, done := one.stuck(location, 0, make([]byte, 100))
		defer cut()
		w.arrived(one, location, 100)
		stop()
		run.Wait()
		if a, ok := <-done; ok && a.status != http.StatusServiceUnavailable {
			t.Errorf("the request hears %d %s", a.status, a.code)
		}
		if a := two.head(location); a.status != http.StatusOK || a.offset() < 0 || a.offset() > 100 {
			t.Errorf("elsewhere: %d, offset %d", a.status, a.offset())
		}
	})
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(7, minPartSize+10)
		location := c.create(len(film), map[string]string{"sha256": hexSum([]byte("another film"))})
		c.patch(location, 0, film[:minPartSize+5])
		if a := c.send(location, film); a.status != 460 || a.code != "upload-checksum" {
			t.Errorf("patch %d %s", a.status, a.code)
		}
		if a := c.head(location); a.status != 460 {
			t.Errorf("head %d", a.status)
		}
		if row := w.row(location); row.State != vod.UploadRefused || row.Reason != "checksum" {
			t.Errorf("row %+v", row)
		}
		if names := left(t, w.dir, w.store); len(names) != 0 || len(w.told()) != 0 {
			t.Errorf("left %q, told %v", names, w.told())
		}
	})
}

// TestSumAfterKill: bytes were stored after the row was last written. On disk
// they are read again; on S3 the sum is left to who takes the upload.
func TestSumAfterKill(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(8, filmSize)
		location := c.create(len(film), map[string]string{"sha256": hexSum(film)})
		c.patch(location, 0, film[:1000])
		before := w.row(location)
		c.patch(location, 1000, film[1000:minPartSize+500])
		if _, err := w.rows.UpdateUpload(t.Context(), before.ID, func(u *vod.Upload) error { *u = before; return nil }); err != nil {
			t.Fatal(err)
		}
		if a := c.send(location, film); a.status != http.StatusNoContent {
			t.Fatalf("the rest: %d %s", a.status, a.code)
		}
		row := w.row(location)
		_, disk := c.u.back.(*diskBackend)
		if row.State != vod.UploadComplete || row.SHA256 != hexSum(film) || disk != (row.Hashed == row.Size) {
			t.Errorf("row %s: sum over %d of %d", row.State, row.Hashed, row.Size)
		}
		if !bytes.Equal(w.object(location), film) {
			t.Error("the object differs")
		}
	})
}

// TestStoreFails: a part that cannot be stored costs nothing that was acknowledged.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	store := &failing{Store: newDiskStore(t), held: map[string][]storage.Part{}, bytes: map[string][]byte{}}
	w.store = store
	c := w.node("one")
	film := random(9, 4*minPartSize+5)
	location := c.create(len(film), map[string]string{"sha256": hexSum(film)})
	c.patch(location, 0, film[:minPartSize-10])
	acknowledged := int64(minPartSize - 10)
	for number := 1; number <= 4; number++ {
		store.fail(number)
		from := c.head(location).offset()
		if from < acknowledged {
			t.Fatalf("%d bytes were acknowledged, %d are there", acknowledged, from)
		}
		a := c.patch(location, from, film[from:])
		if a.status != http.StatusInternalServerError || a.offset() < from {
			t.Errorf("part %d fails: %d %s, offset %d from %d", number, a.status, a.code, a.offset(), from)
		}
		acknowledged = a.offset()
	}
	store.fail(0)
	if a := c.send(location, film); a.status != http.StatusNoContent {
		t.Fatalf("the rest: %d %s", a.status, a.code)
	}
	if !bytes.Equal(w.object(location), film) {
		t.Error("the object differs")
	}
	for i, size := range store.sizes {
		if size != minPartSize && i < len(store.sizes)-1 {
			t.Errorf("part %d has %d bytes: R2 wants all the same", i+1, size)
		}
	}
}

// failing is a store of parts of which one fails.
type failing struct {
	storage.Store
	mu    sync.Mutex
	bad   int
	held  map[string][]storage.Part
	bytes map[string][]byte
	sizes []int64
}

func (f *failing) fail(number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = number
}

func (f *failing) BeginParts(_ context.Context, key storage.Key) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[string(key)] = []storage.Part{}
	return "name", nil
}

func (f *failing) PutPart(_ context.Context, key storage.Key, _ string, number int, body io.ReadSeeker, size int64) error {
	b, err := io.ReadAll(body)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || f.bad == number {
		return storage.ErrUnavailable
	}
	f.held[string(key)] = append(f.held[string(key)][:number-1], storage.Part{Number: number, Size: size, ETag: strconv.Itoa(number)})
	f.bytes[string(key)+strconv.Itoa(number)] = b
	return nil
}

func (f *failing) Parts(_ context.Context, key storage.Key, _ string) ([]storage.Part, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts, ok := f.held[string(key)]
	if !ok {
		return nil, storage.ErrNotFound
	}
	return parts, nil
}

func (f *failing) CompleteParts(ctx context.Context, key storage.Key, _ string, parts []storage.Part) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []byte
	for _, p := range parts {
		f.sizes = append(f.sizes, p.Size)
		all = append(all, f.bytes[string(key)+strconv.Itoa(p.Number)]...)
	}
	delete(f.held, string(key))
	_, err := f.Put(ctx, key, bytes.NewReader(all))
	return err
}

func (f *failing) AbortParts(_ context.Context, key storage.Key, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.held, string(key))
	return nil
}

func (f *failing) Unfinished(_ context.Context, _ storage.Key, yield func(storage.Unfinished) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.held {
		if err := yield(storage.Unfinished{Key: storage.Key(key), Name: "name"}); err != nil {
			return err
		}
	}
	return nil
}
