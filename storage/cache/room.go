package cache

import (
	"errors"
	"os"
	"syscall"
	"time"

	"reprise/storage"
)

// limitAgain is how long after a full disk all of MaxBytes is tried again, and
// complainEvery bounds how often a disk that fails is logged.
const (
	limitAgain    = 10 * time.Minute
	complainEvery = time.Minute
)

// leaving is what is no longer known and still on disk.
type leaving struct {
	blocks  []*block
	folders []string
}

// remove deletes files, and counts their bytes as free only then.
func (c *Cache) remove(l leaving) {
	if len(l.blocks)+len(l.folders) == 0 {
		return
	}
	freed := int64(0)
	for _, b := range l.blocks {
		_ = os.Remove(b.path()) // what cannot be removed is found by the next restart
		freed += b.onDisk()
	}
	for _, folder := range l.folders {
		_ = os.RemoveAll(folder)
	}
	c.mu.Lock()
	c.used -= freed
	c.mu.Unlock()
}

// use notes that a block is wanted: it goes last, or, with a pin, not before that
// instant. The caller holds mu.
func (c *Cache) use(b *block, pin time.Time) {
	if b.pin.Before(pin) {
		b.pin = pin
	}
	switch {
	case b.list == nil && b.pin.IsZero():
		b.list = c.recent.PushFront(b)
	case b.pin.IsZero():
		c.recent.MoveToFront(b.list)
	case b.list == nil || !pin.IsZero():
		c.unlist(b)
		b.list = c.pinned.PushFront(b)
	}
}

// unlist takes a block out of the list that it is in. The caller holds mu.
func (c *Cache) unlist(b *block) {
	if b.list != nil {
		// Remove does nothing to an element of another list.
		c.recent.Remove(b.list)
		c.pinned.Remove(b.list)
		b.list = nil
	}
}

// unpin lets the blocks that which chooses go like others. The caller holds mu.
func (c *Cache) unpin(which func(*block) bool) {
	for at := c.pinned.Front(); at != nil; {
		b, next := at.Value.(*block), at.Next()
		if which(b) {
			c.loosen(b)
		}
		at = next
	}
}

// loosen takes the pin from a block. The caller holds mu.
func (c *Cache) loosen(b *block) {
	c.unlist(b)
	b.pin = time.Time{}
	b.list = c.recent.PushFront(b)
}

// reserve makes room for n bytes and counts them as used; false when there is
// none but by pushing out what is pinned.
func (c *Cache) reserve(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	if c.limit < c.cfg.MaxBytes && now.Sub(c.lowered).Abs() > limitAgain {
		c.limit = c.cfg.MaxBytes
	}
	swept := false
	for c.used+n > c.limit {
		l := c.evict(c.used + n - c.limit)
		if len(l.blocks) == 0 {
			if swept {
				return false
			}
			swept = true
			c.unpin(func(b *block) bool { return !b.pin.After(now) })
			continue
		}
		c.mu.Unlock()
		c.remove(l)
		c.mu.Lock()
	}
	c.used += n
	return true
}

// evict takes out blocks of n bytes or more, the least recently used first, as
// far as there are any. The caller holds mu, and removes what it gets.
func (c *Cache) evict(n int64) (l leaving) {
	for n > 0 && c.recent.Len() > 0 {
		b := c.recent.Back().Value.(*block)
		n -= b.onDisk()
		c.metrics.evicted.Inc()
		c.unlist(b)
		delete(b.entry.blocks, b.index)
		l.blocks = append(l.blocks, b)
		more := c.forget(b.entry)
		l.blocks, l.folders = append(l.blocks, more.blocks...), append(l.folders, more.folders...)
	}
	return l
}

// forget takes out an entry that nobody reads from, if it was dropped or holds
// nothing. The caller holds mu, and removes what it gets.
func (c *Cache) forget(e *entry) (l leaving) {
	if e.handles > 0 || (!e.gone && len(e.blocks)+len(e.flights) > 0) {
		return l
	}
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
	e.gone = true
	for _, b := range e.blocks {
		l.blocks = append(l.blocks, b)
	}
	clear(e.blocks)
	l.folders = append(l.folders, e.dir)
	return l
}

// drop forgets what is known of a key: another object may be there.
func (c *Cache) drop(key storage.Key) {
	c.mu.Lock()
	c.drops++
	e := c.entries[key]
	c.mu.Unlock()
	if e != nil {
		c.dropEntry(e)
	}
}

// dropEntry forgets one version of an object. Those who read it go on with what is here.
func (c *Cache) dropEntry(e *entry) {
	c.mu.Lock()
	c.drops++
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
	e.gone = true
	for _, b := range e.blocks {
		c.unlist(b)
	}
	l := c.forget(e)
	c.mu.Unlock()
	c.remove(l)
}

// dropBlock forgets one block that cannot be used.
func (c *Cache) dropBlock(b *block) {
	c.mu.Lock()
	known := b.entry.blocks[b.index] == b
	if known {
		c.unlist(b)
		delete(b.entry.blocks, b.index)
	}
	c.mu.Unlock()
	if known {
		c.remove(leaving{blocks: []*block{b}})
	}
}

// diskFailed gives back what was reserved for a block that could not be
// written. A full disk holds what we have now, and no more: others write there too.
func (c *Cache) diskFailed(n int64, err error) {
	now := c.cfg.Now()
	c.mu.Lock()
	c.used -= n
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		c.limit, c.lowered = min(c.limit, max(c.used, 0)), now
	}
	say := now.Sub(c.said).Abs() >= complainEvery
	if say {
		c.said = now
	}
	c.mu.Unlock()
	c.metrics.unwritten.Inc()
	if say {
		c.log.Error("cache cannot be written, reads go on from the origin; writing is tried again", "dir", c.cfg.Dir, "error", err)
	}
}
