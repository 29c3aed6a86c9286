package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reprise/storage"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		os.Exit(readForEver(dir))
	}
	goleak.VerifyTestMain(m)
}

// origin is a store in memory that counts, waits and fails as told.
type origin struct {
	mu      sync.Mutex
	objects map[storage.Key]version
	reads   []stretch     // ranges read, in order
	stats   int           // of Stat
	fail    error         // of all that it does
	hold    chan struct{} // reads wait until it is closed
	held    chan struct{} // gets a token for each read that waits
	atOnce  int
	most    int // reads at once
}

type version struct {
	data     []byte
	modified time.Time
}

type stretch struct {
	key            storage.Key
	offset, length int64
}

func newOrigin() *origin { return &origin{objects: map[storage.Key]version{}} }

// pattern is bytes that tell their place: no two blocks of an object are alike.
func pattern(key storage.Key, n int) []byte {
	b := make([]byte, n)
	x := uint32(len(key))*2654435761 + uint32(key[len(key)-1])
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func (o *origin) put(key storage.Key, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.objects[key]
	o.objects[key] = version{data, was.modified.Add(time.Second)}
}

func (o *origin) cut(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

func (o *origin) taken() []stretch {
	o.mu.Lock()
	defer o.mu.Unlock()
	reads := slices.Clone(o.reads)
	o.reads = nil
	return reads
}

func (o *origin) get(key storage.Key) (version, error) {
	if err := key.Validate(); err != nil {
		return version{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.objects[key]
	if o.fail != nil {
		return v, o.fail
	}
	if !ok {
		return v, storage.ErrNotFound
	}
	return v, nil
}

func (o *origin) Put(ctx context.Context, key storage.Key, r io.Reader) (storage.Info, error) {
	if err := key.Validate(); err != nil {
		return storage.Info{}, err
	}
	var b bytes.Buffer
	for piece := int64(1 << 20); piece == 1<<20; {
		if err := context.Cause(ctx); err != nil {
			return storage.Info{}, err
		}
		var err error
		if piece, err = io.CopyN(&b, r, piece); err != nil && err != io.EOF {
			return storage.Info{}, err
		}
	}
	o.put(key, b.Bytes())
	return o.Stat(ctx, key)
}

func (o *origin) Open(ctx context.Context, key storage.Key) (storage.Object, error) {
	v, err := o.get(key)
	if err != nil {
		return nil, err
	}
	return &originObject{Reader: bytes.NewReader(v.data), o: o, ctx: ctx, key: key}, nil
}

func (o *origin) Stat(_ context.Context, key storage.Key) (storage.Info, error) {
	v, err := o.get(key)
	if err != nil {
		return storage.Info{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats++
	return storage.Info{Key: key, Size: int64(len(v.data)), Modified: v.modified}, nil
}

func (o *origin) Delete(_ context.Context, key storage.Key) error {
	if err := key.Validate(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.objects, key)
	return o.fail
}

func (o *origin) List(_ context.Context, prefix storage.Key, yield func(storage.Info) error) error {
	o.mu.Lock()
	var all []storage.Info
	for k, v := range o.objects {
		if strings.HasPrefix(string(k), string(prefix)) {
			all = append(all, storage.Info{Key: k, Size: int64(len(v.data)), Modified: v.modified})
		}
	}
	o.mu.Unlock()
	slices.SortFunc(all, func(a, b storage.Info) int { return strings.Compare(string(a.Key), string(b.Key)) })
	for _, i := range all {
		if err := yield(i); err != nil {
			return err
		}
	}
	return nil
}

type originObject struct {
	*bytes.Reader
	o   *origin
	ctx context.Context
	key storage.Key
}

func (b *originObject) Close() error { return nil }

func (b *originObject) ReadAt(p []byte, off int64) (int, error) {
	o := b.o
	o.mu.Lock()
	o.reads = append(o.reads, stretch{b.key, off, int64(len(p))})
	o.atOnce++
	o.most = max(o.most, o.atOnce)
	hold, held, fail := o.hold, o.held, o.fail
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		o.atOnce--
		o.mu.Unlock()
	}()
	if hold != nil {
		held <- struct{}{}
		select {
		case <-hold:
		case <-b.ctx.Done():
			return 0, context.Cause(b.ctx)
		}
	}
	if fail != nil {
		return 0, fail
	}
	return b.Reader.ReadAt(p, off)
}

// clock is a set clock; waits return at once and let time pass.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const kib = 1 << 10

// small is a cache of 64 blocks of 4 KiB, four of them in a request.
func small(dir string, clock *clock) Config {
	return Config{
		Dir: dir, MaxBytes: 64 * (4*kib + trailerSize), BlockSize: 4 * kib, MaxRequest: 16 * kib, Now: clock.Now,
		Wait: func(ctx context.Context, _ time.Time) error { <-ctx.Done(); return ctx.Err() },
	}
}

// world is a cache before an origin.
type world struct {
	*Cache
	origin *origin
	clock  *clock
	cfg    Config
}

func setup(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{origin: newOrigin(), clock: &clock{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}}
	w.cfg = small(t.TempDir(), w.clock)
	for _, f := range change {
		f(&w.cfg)
	}
	w.open(t)
	t.Cleanup(func() {
		if w.Cache != nil {
			w.Cache.Close()
		}
	})
	return w
}

func (w *world) open(t testing.TB) {
	t.Helper()
	var err error
	if w.Cache, err = New(w.cfg, w.origin, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

// restart is a new process.
func (w *world) restart(t testing.TB) {
	t.Helper()
	if err := w.Cache.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(t)
}

func (w *world) read(key storage.Key, offset, length int64) ([]byte, error) {
	b, err := w.OpenRange(context.Background(), key, offset, length)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(b)
}

// want reads a range and compares it with what the object was made of.
func (w *world) want(t testing.TB, key storage.Key, offset, length int64) {
	t.Helper()
	got, err := w.read(key, offset, length)
	if err != nil {
		t.Fatalf("%s %d+%d: %v", key, offset, length, err)
	}
	w.origin.mu.Lock()
	all := w.origin.objects[key].data
	w.origin.mu.Unlock()
	if !bytes.Equal(got, all[min(offset, int64(len(all))):min(offset+length, int64(len(all)))]) {
		t.Fatalf("%s %d+%d: %d bytes, or other ones", key, offset, length, len(got))
	}
}

// onDisk is what all block files take together.
func (w *world) onDisk(t testing.TB) (bytes int64, files int) {
	t.Helper()
	for _, f := range w.files(t) {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		bytes, files = bytes+st.Size(), files+1
	}
	return bytes, files
}

var errCut = errors.New("the cable is cut")
