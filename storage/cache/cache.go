package cache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"reprise/storage"
)

// ErrInUse is returned by New for a folder that another process has.
var ErrInUse = errors.New("cache: the folder is in use by another process")

// ErrNotKept is returned by Warm for a range that is not in the cache when it
// returns: everything here is pinned, or the disk takes no more.
var ErrNotKept = errors.New("cache: no room for what is pinned")

const (
	fileMode = 0o640
	dirMode  = 0o750
)

// Cache is a storage.Store that reads through blocks on disk. All methods are
// safe for concurrent use.
type Cache struct {
	cfg     Config
	origin  storage.Store
	log     *slog.Logger
	metrics *metrics
	lock    *os.File
	buffers buffers
	write   func(tmp, path, folder string, index int64, data []byte) error // writeBlock
	names   atomic.Int64                                                   // of files in tmp
	slots   chan struct{}                                                  // a token for each request to the origin
	asks    chan *entry                                                    // to be compared with the origin

	mu       sync.Mutex
	entries  map[storage.Key]*entry
	learning map[storage.Key]*lesson
	drops    int64      // how many keys were dropped ever: what is learnt across one is not kept
	recent   *list.List // of *block, the last used first
	pinned   *list.List // of *block, in no order
	used     int64      // bytes of files: on disk, being written, and being removed
	limit    int64      // MaxBytes, less while the disk is full
	lowered  time.Time  // when limit was last lowered
	said     time.Time  // when a failing disk was last logged
}

var _ storage.Store = (*Cache)(nil)

// entry is one version of one object. All but the fields above mu's are guarded by Cache.mu.
type entry struct {
	key  storage.Key
	info storage.Info
	dir  string // folder of its blocks, of this version alone

	making sync.Mutex // held while the folder is made
	made   bool       // guarded by making

	blocks  map[int64]*block
	flights map[int64]*flight
	handles int       // that read from it: its files stay
	checked time.Time // when the origin last said that it is the same
	asked   bool      // in Cache.asks
	gone    bool      // no longer in Cache.entries
}

// New opens the cache in cfg.Dir and finds what is there. Close it when done;
// the origin stays its owner's. ErrInUse when another process has the folder.
func New(cfg Config, origin storage.Store, log *slog.Logger) (*Cache, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if origin == nil || log == nil {
		return nil, errors.New("cache: origin and log are both needed")
	}
	var err error
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open cache %s: %w", cfg.Dir, err)
	}
	c := &Cache{
		cfg: cfg, origin: origin, log: log, write: writeBlock,
		slots: make(chan struct{}, cfg.Requests), asks: make(chan *entry, 256),
		entries: map[storage.Key]*entry{}, learning: map[storage.Key]*lesson{},
		recent: list.New(), pinned: list.New(), limit: cfg.MaxBytes,
	}
	if c.metrics, err = c.newMetrics(cfg.Registry); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	if err := c.restore(); err != nil {
		return nil, errors.Join(fmt.Errorf("open cache %s: %w", cfg.Dir, err), c.Close())
	}
	return c, nil
}

// Close gives the folder up. Objects that are still open go on reading; nothing new is kept.
func (c *Cache) Close() error {
	if c.lock == nil {
		return nil
	}
	return errors.Join(unlock(c.lock), c.lock.Close())
}

// Put implements storage.Store: it writes to the origin and drops what is here.
func (c *Cache) Put(ctx context.Context, key storage.Key, r io.Reader) (storage.Info, error) {
	// Before too: a process that dies between the two must not serve what was.
	c.drop(key)
	info, err := c.origin.Put(ctx, key, r)
	c.drop(key) // whatever the error: its answer may have been lost
	return info, err
}

// Delete implements storage.Store: it deletes at the origin and drops what is here.
func (c *Cache) Delete(ctx context.Context, key storage.Key) error {
	c.drop(key)
	err := c.origin.Delete(ctx, key)
	c.drop(key)
	return err
}

// List implements storage.Store: it asks the origin.
func (c *Cache) List(ctx context.Context, prefix storage.Key, yield func(storage.Info) error) error {
	return c.origin.List(ctx, prefix, yield)
}

// Stat implements storage.Store: it asks the origin, and drops what is here
// when that has another. When the origin does not answer it says what is known.
func (c *Cache) Stat(ctx context.Context, key storage.Key) (storage.Info, error) {
	info, err := c.origin.Stat(ctx, key)
	c.mu.Lock()
	e := c.entries[key]
	c.mu.Unlock()
	switch {
	case e == nil:
		return info, err
	case err == nil && !same(info, e.info), errors.Is(err, storage.ErrNotFound):
		c.dropEntry(e)
	case err != nil && ctx.Err() == nil && !errors.Is(err, storage.ErrInvalidKey):
		return e.info, nil
	}
	return info, err
}

// same reports whether two answers of the origin speak of one version of an object.
func same(a, b storage.Info) bool { return a.Size == b.Size && a.Modified.Equal(b.Modified) }

// Open implements storage.Store. An object that was opened before is opened
// without asking the origin. Reads are of the version opened, or storage.ErrChanged.
func (c *Cache) Open(ctx context.Context, key storage.Key) (storage.Object, error) {
	h, err := c.handle(ctx, key)
	if err != nil {
		return nil, err
	}
	o := &object{handle: h}
	o.SectionReader = io.NewSectionReader(h, 0, h.entry.info.Size)
	return o, nil
}

// object is an open object.
type object struct {
	*io.SectionReader
	handle *handle
}

// Close implements io.Closer.
func (o *object) Close() error { return o.handle.close() }

// OpenRange opens length bytes of an object from offset on, clipped to its end.
// What it returns is also an io.WriterTo that hands block files one after the other to the writer,
// so that a socket sends them by sendfile. The first bytes are at hand when it returns.
func (c *Cache) OpenRange(ctx context.Context, key storage.Key, offset, length int64) (io.ReadCloser, error) {
	for attempt := 1; ; attempt++ {
		h, err := c.handle(ctx, key)
		if err != nil {
			return nil, err
		}
		b := newBody(h, offset, length)
		err = b.fill()
		if err == nil || err == io.EOF {
			return b, nil
		}
		err = errors.Join(err, b.Close())
		if attempt == attempts || !errors.Is(err, storage.ErrChanged) {
			return nil, err
		}
	}
}
