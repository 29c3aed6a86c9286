package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"reprise/storage"
)

// flight is the fetching of one block, once for all who ask at a time.
type flight struct {
	done chan struct{}
	data []byte
	err  error
}

// run is neighbouring blocks that one request fetches.
type run struct {
	first   int64
	flights []*flight
}

// plan is what is to be done for a stretch of blocks.
type plan struct {
	have map[int64]*block
	wait map[int64]*flight
	runs []run // ours to fetch
}

// parts returns length bytes of the object from offset on, which lie within it,
// as pieces at hand. The caller closes them.
func (h *handle) parts(offset, length int64) ([]part, error) {
	// Whoever leaves must not take the request away from those who wait for it too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), h.cache.cfg.Timeout)
	defer cancel()
	size := h.cache.cfg.BlockSize
	parts, err := h.collect(ctx, offset/size, (offset+length-1)/size, time.Time{})
	if err != nil {
		return nil, err
	}
	for i := range parts {
		start := (offset/size + int64(i)) * size
		from, to := max(offset, start), min(offset+length, start+size)
		parts[i].offset, parts[i].length = from-start, to-from
	}
	return parts, nil
}

// collect returns the blocks first..last of the object, whole. Those that a pin
// is given for are pinned until then.
func (h *handle) collect(ctx context.Context, first, last int64, pin time.Time) ([]part, error) {
	parts := make([]part, last-first+1)
	have := make([]bool, len(parts))
	fail := func(err error) ([]part, error) {
		for i := range parts {
			parts[i].close()
		}
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		p := h.plan(first, last, have, pin)
		for _, r := range p.runs {
			h.fetch(ctx, r, pin)
		}
		for index, b := range p.have {
			f, err := h.open(b)
			if err != nil {
				continue // pushed out or damaged: the next round fetches it
			}
			parts[index-first], have[index-first] = part{file: f}, true
		}
		for index, f := range p.wait {
			select {
			case <-f.done:
			case <-ctx.Done():
				return fail(context.Cause(ctx))
			}
			if f.err == nil {
				parts[index-first], have[index-first] = part{data: f.data}, true
			} else if !ofContext(f.err) || attempt == attempts || ctx.Err() != nil {
				return fail(f.err)
			} // else: whoever fetched it left; now it is our turn
		}
		if len(p.have)+len(p.wait) == 0 {
			return parts, nil
		}
		if attempt > attempts {
			return fail(fmt.Errorf("%w: blocks vanish as they are read", storage.ErrUnavailable))
		}
	}
}

// plan looks which of the blocks first..last not had yet are here, on their way, or missing.
// A missing one gets a flight: neighbours up to MaxRequest in one run.
func (h *handle) plan(first, last int64, have []bool, pin time.Time) plan {
	c, e := h.cache, h.entry
	p := plan{have: map[int64]*block{}, wait: map[int64]*flight{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	longest := int(c.cfg.MaxRequest / c.cfg.BlockSize)
	for i := first; i <= last; i++ {
		if have[i-first] {
			continue
		}
		if b := e.blocks[i]; b != nil {
			if !e.gone {
				c.use(b, pin)
			}
			p.have[i] = b
			c.metrics.hits.Inc()
			continue
		}
		c.metrics.misses.Inc()
		f := e.flights[i]
		if f == nil {
			f = &flight{done: make(chan struct{})}
			e.flights[i] = f
			n := len(p.runs)
			if n > 0 && p.runs[n-1].first+int64(len(p.runs[n-1].flights)) == i && len(p.runs[n-1].flights) < longest {
				p.runs[n-1].flights = append(p.runs[n-1].flights, f)
			} else {
				p.runs = append(p.runs, run{i, []*flight{f}})
			}
		}
		p.wait[i] = f
	}
	return p
}

// fetch gets a run of blocks from the origin, keeps them, and tells who waits.
func (h *handle) fetch(ctx context.Context, r run, pin time.Time) {
	c, e := h.cache, h.entry
	size := c.cfg.BlockSize
	data, err := h.request(ctx, r.first*size, min(int64(len(r.flights))*size, e.info.Size-r.first*size))
	for i, f := range r.flights {
		if f.err = err; err == nil {
			from := int64(i) * size
			f.data = data[from:min(from+size, int64(len(data)))]
			c.keep(e, r.first+int64(i), f.data, pin)
		}
	}
	c.mu.Lock()
	for i := range r.flights {
		delete(e.flights, r.first+int64(i))
	}
	c.mu.Unlock()
	for _, f := range r.flights {
		close(f.done)
	}
}

// request reads a stretch of the object from the origin, of the version that the handle has.
func (h *handle) request(ctx context.Context, offset, length int64) ([]byte, error) {
	c, e := h.cache, h.entry
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c.metrics.requests.Inc()
	data := make([]byte, length)
	err := readVersion(ctx, c.origin, e.info, data, offset)
	switch {
	case err == nil:
		c.metrics.fetched.Add(float64(length))
		c.mu.Lock()
		e.checked = c.cfg.Now()
		c.mu.Unlock()
		return data, nil
	case errors.Is(err, storage.ErrNotFound):
		err = fmt.Errorf("%w: %w", storage.ErrChanged, err) // it was there when it was opened
		fallthrough
	case errors.Is(err, storage.ErrChanged):
		c.dropEntry(e)
	}
	return nil, c.originError(err)
}

// readVersion fills p from offset of one version of an object: what is open is
// the version that the store speaks of afterwards, unless it was changed twice.
func readVersion(ctx context.Context, origin storage.Store, info storage.Info, p []byte, offset int64) error {
	o, err := origin.Open(ctx, info.Key)
	if err != nil {
		return err
	}
	defer o.Close() //nolint:errcheck // opened for reading
	var now storage.Info
	if v, ok := o.(storage.Informed); ok {
		now = v.Info()
	} else if now, err = origin.Stat(ctx, info.Key); err != nil {
		return err
	}
	if !same(now, info) || o.Size() != info.Size {
		return fmt.Errorf("%w: %s", storage.ErrChanged, info.Key)
	}
	n, err := o.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = fmt.Errorf("%w: %d bytes of %d", io.ErrUnexpectedEOF, n, len(p))
	}
	return err
}

// originError counts an error of the origin and says where it is from.
func (c *Cache) originError(err error) error {
	if !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrInvalidKey) && !ofContext(err) {
		c.metrics.failures.Inc()
	}
	return err
}

// ofContext reports whether an error says no more than that somebody left, or was out of time.
func ofContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// open opens a block's file, after a look at its checksum when nobody of this
// process has looked, or the file was touched since. One that is bad is dropped.
func (h *handle) open(b *block) (*os.File, error) {
	c := h.cache
	f, err := os.Open(b.path())
	if err != nil {
		c.dropBlock(b)
		return nil, err
	}
	state, err := stateOf(f)
	c.mu.Lock()
	known := b.state
	c.mu.Unlock()
	if err == nil && (known.size != state.size || !known.modified.Equal(state.modified)) {
		if err = c.buffers.check(f, filepath.Base(b.entry.dir), b.index, b.size); err == nil {
			c.mu.Lock()
			b.state = state
			c.mu.Unlock()
		}
	}
	if err != nil {
		f.Close()
		c.metrics.damaged.Inc()
		c.log.Warn("block in the cache is damaged, it is fetched again", "key", b.entry.key, "block", b.index, "error", err)
		c.dropBlock(b)
		return nil, err
	}
	c.touch(f, b)
	return f, nil
}

// touchEvery is how exact the order of use is that a restart finds.
const touchEvery = 10 * time.Minute

// touch notes in the file's time that it was used, now and then.
func (c *Cache) touch(f *os.File, b *block) {
	now := c.cfg.Now()
	c.mu.Lock()
	due := now.Sub(b.used).Abs() > touchEvery
	if due {
		b.used = now
	}
	c.mu.Unlock()
	if !due || os.Chtimes(b.path(), now, now) != nil {
		return // of no importance
	}
	if state, err := stateOf(f); err == nil {
		c.mu.Lock()
		b.state = state
		c.mu.Unlock()
	}
}

// keep writes a block that was just fetched, if there is room and the disk takes it.
func (c *Cache) keep(e *entry, index int64, data []byte, pin time.Time) {
	c.mu.Lock()
	gone := e.gone
	c.mu.Unlock()
	b := &block{entry: e, index: index, size: int64(len(data)), used: c.cfg.Now()}
	b.file = strconv.FormatInt(index, 10) + "." + strconv.FormatInt(c.names.Add(1), 10)
	if gone || !c.reserve(b.onDisk()) {
		return
	}
	err := c.makeFolder(e)
	if err == nil {
		err = c.write(c.tmpName(), b.path(), filepath.Base(e.dir), index, data)
	}
	if err != nil {
		c.diskFailed(b.onDisk(), err)
		return
	}
	if st, err := os.Stat(b.path()); err == nil {
		b.state = fileState{st.Size(), st.ModTime()}
	}
	c.mu.Lock()
	unwanted := e.gone || e.blocks[index] != nil
	if !unwanted {
		e.blocks[index] = b
		c.use(b, pin)
	}
	c.mu.Unlock()
	if unwanted {
		c.remove(leaving{blocks: []*block{b}})
	}
}
