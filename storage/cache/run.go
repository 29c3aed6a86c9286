package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"reprise/storage"
)

// Range is a stretch of an object that will be read.
type Range struct {
	Key    storage.Key
	Offset int64
	Length int64     // bytes; negative: to the end of the object
	Needed time.Time // when it will be asked for first
}

const (
	// turnEvery is how often Run asks what is needed, and how long it works on one answer.
	turnEvery = 10 * time.Second
	// recheckTimeout bounds one question whether an object is still the same.
	recheckTimeout = 30 * time.Second
)

// Warm fetches what is missing of a stretch of an object (to its end when length
// is negative) and pins it for Config.Pin: until then, or Unpin, it is not pushed
// out. What was here is checked, so that it can be relied upon. ErrNotKept when
// not all of it can be kept.
func (c *Cache) Warm(ctx context.Context, key storage.Key, offset, length int64) error {
	h, err := c.handle(ctx, key)
	if err != nil {
		return err
	}
	defer h.close() //nolint:errcheck // never fails
	size := h.entry.info.Size
	offset = min(max(offset, 0), size)
	if length < 0 || length > size-offset {
		length = size - offset
	}
	if length == 0 {
		return nil
	}
	pin := c.cfg.Now().Add(c.cfg.Pin)
	per := c.cfg.MaxRequest / c.cfg.BlockSize
	last := (offset + length - 1) / c.cfg.BlockSize
	for first := offset / c.cfg.BlockSize; first <= last; first += per {
		to := min(last, first+per-1)
		if c.pin(h.entry, first, to, pin) == 0 {
			continue
		}
		parts, err := h.collect(ctx, first, to, pin)
		if err != nil {
			return fmt.Errorf("warm %s: %w", key, err)
		}
		for i := range parts {
			parts[i].close()
		}
		if c.pin(h.entry, first, to, pin) > 0 {
			return fmt.Errorf("warm %s: %w", key, ErrNotKept)
		}
	}
	return nil
}

// pin pins those of the blocks first..last that are here and known to be whole, and returns how many are not.
func (c *Cache) pin(e *entry, first, last int64, until time.Time) (missing int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := first; i <= last; i++ {
		b := e.blocks[i]
		if b == nil || e.gone || b.state == (fileState{}) {
			missing++
			continue
		}
		c.use(b, until)
	}
	return missing
}

// Unpin lets an object's blocks be pushed out again.
func (c *Cache) Unpin(key storage.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unpin(func(b *block) bool { return b.entry.key == key })
}

// Run keeps what will be read on this machine until ctx ends: it asks ahead
// what that is, the most urgent first, fetches what is missing and pins all of
// it. It also asks the origin, one by one, whether objects that are read are
// still the same. ahead may be nil. Errors are logged and tried again; it
// returns ctx's error.
func (c *Cache) Run(ctx context.Context, ahead func(now time.Time) []Range) error {
	ctx, cancel := context.WithCancel(ctx)
	var children sync.WaitGroup
	children.Go(func() { c.recheckLoop(ctx) })
	defer children.Wait()
	defer cancel()
	var said time.Time
	for {
		now := c.cfg.Now()
		more := false
		if ahead != nil {
			var err error
			if more, err = c.turn(ctx, ahead(now), now); err != nil && ctx.Err() == nil && now.Sub(said).Abs() >= complainEvery {
				said = now
				c.log.Error("not all that will be on air can be kept ready here; next try soon", "error", err)
			}
		}
		if more && ctx.Err() == nil {
			continue // there is more to fetch, and things may be more urgent by now
		}
		if err := c.cfg.Wait(ctx, c.cfg.Now().Add(turnEvery)); err != nil {
			return err
		}
	}
}

// turn pins what is here of ranges and fetches what is not, for turnEvery at
// most. more says that there was no time for all. An origin that fails ends the turn.
func (c *Cache) turn(ctx context.Context, ranges []Range, now time.Time) (more bool, err error) {
	missing, bytes, full := c.missing(ranges, now)
	c.metrics.missing.Set(float64(bytes))
	var (
		workers sync.WaitGroup
		next    atomic.Int64
		stop    atomic.Bool
		mu      sync.Mutex
		faults  []error
	)
	for range min(c.cfg.ReadAhead, len(missing)) {
		workers.Go(func() {
			for ctx.Err() == nil && !stop.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(missing) || c.cfg.Now().Sub(now) > turnEvery {
					return
				}
				r := missing[i]
				err := c.Warm(ctx, r.Key, r.Offset, r.Length)
				if err == nil {
					continue
				}
				if !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrInvalidKey) {
					stop.Store(true) // others would fail alike, or push out what is more urgent
				}
				mu.Lock()
				if len(faults) < 3 {
					faults = append(faults, err)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	err = errors.Join(faults...)
	return err == nil && int(next.Load()) < len(missing), errors.Join(err, full)
}

// missing pins what is here and returns the rest, in the order given, with its
// bytes as far as they are known. More than the cache holds is not asked for:
// of what is least urgent the pins are taken off.
func (c *Cache) missing(ranges []Range, now time.Time) (rest []Range, bytes int64, err error) {
	pin, room := now.Add(c.cfg.Pin), c.cfg.MaxBytes
	over := int64(0)
	for _, r := range ranges {
		c.mu.Lock()
		e := c.entries[r.Key]
		c.mu.Unlock()
		size := max(r.Length, c.cfg.BlockSize)
		if e != nil {
			size = e.info.Size - r.Offset
			if r.Length >= 0 {
				size = min(size, r.Length)
			}
		}
		if size <= 0 {
			continue
		}
		first, last := r.Offset/c.cfg.BlockSize, (r.Offset+size-1)/c.cfg.BlockSize
		// Neighbours share blocks, so this counts a little too much.
		if room -= (last - first + 1) * (c.cfg.BlockSize + trailerSize); room < 0 {
			over += size
			c.unpinBlocks(e, first, last, pin)
			continue
		}
		missing := last - first + 1
		if e != nil {
			missing = c.pin(e, first, last, pin)
		}
		if missing > 0 {
			rest = append(rest, r)
			bytes += min(missing*c.cfg.BlockSize, size)
		}
	}
	if over > 0 {
		err = fmt.Errorf("%w: the cache holds %d bytes, %d more are needed", ErrNotKept, c.cfg.MaxBytes, over)
	}
	return rest, bytes + over, err
}

// unpinBlocks takes the pins off blocks first..last but for those that this turn has pinned.
func (c *Cache) unpinBlocks(e *entry, first, last int64, pin time.Time) {
	if e == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := first; i <= last; i++ {
		if b := e.blocks[i]; b != nil && !e.gone && !b.pin.IsZero() && !b.pin.Equal(pin) {
			c.loosen(b)
		}
	}
}

// ask has an entry compared with the origin, if that is due. The caller holds mu.
func (c *Cache) ask(e *entry) {
	if e.asked || e.gone || c.cfg.Now().Sub(e.checked).Abs() < c.cfg.Recheck {
		return
	}
	select {
	case c.asks <- e:
		e.asked = true
	default: // many are waiting: next time
	}
}

// recheckLoop compares entries with the origin until ctx ends.
func (c *Cache) recheckLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-c.asks:
			c.recheck(ctx, e)
		}
	}
}

// recheck drops an entry whose object is another one now, or gone. When the
// origin does not answer it stays as it is until the next time.
func (c *Cache) recheck(ctx context.Context, e *entry) {
	ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
	defer cancel()
	c.metrics.requests.Inc()
	info, err := c.origin.Stat(ctx, e.key)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && !same(info, e.info):
		c.log.Info("object was replaced or deleted at its origin, its blocks are dropped", "key", e.key)
		c.dropEntry(e)
	case err != nil:
		_ = c.originError(err) // counted; the readers have what is here
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.asked, e.checked = false, c.cfg.Now()
}
