package stream

import (
	"sync"
	"sync/atomic"
)

// cache keeps values by key up to a total cost. A read takes a shared lock and
// writes at most one flag. What was not read since the last sweep goes first.
// Each key has a cell with a lock of its own, so that a value is made once
// however many ask for it.
type cache[K comparable, V any] struct {
	limit int64

	mu    sync.RWMutex
	cells map[K]*cell[V]
	cost  int64
}

type cell[V any] struct {
	value atomic.Pointer[V]
	used  atomic.Bool

	mu   sync.Mutex // held while the value is made
	cost int64      // guarded by cache.mu
	gone bool       // guarded by cache.mu: no longer in the map
}

func newCache[K comparable, V any](limit int64) *cache[K, V] {
	return &cache[K, V]{limit: limit, cells: map[K]*cell[V]{}}
}

// get returns the value, or nil.
func (c *cache[K, V]) get(key K) *V {
	c.mu.RLock()
	l := c.cells[key]
	c.mu.RUnlock()
	if l == nil {
		return nil
	}
	if !l.used.Load() {
		l.used.Store(true)
	}
	return l.value.Load()
}

// cell returns the key's cell, a new one if there is none.
func (c *cache[K, V]) cell(key K) *cell[V] {
	c.mu.RLock()
	l := c.cells[key]
	c.mu.RUnlock()
	if l != nil {
		return l
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l = c.cells[key]; l == nil {
		l = &cell[V]{}
		l.used.Store(true)
		c.cells[key] = l
	}
	return l
}

// set stores a value in a cell whose lock the caller holds, and makes room.
func (c *cache[K, V]) set(l *cell[V], value *V, cost int64) {
	l.value.Store(value)
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.gone {
		return
	}
	c.cost += cost - l.cost
	l.cost = cost
	for sweep := 0; c.cost > c.limit && sweep < 2; sweep++ {
		for k, other := range c.cells {
			if c.cost <= c.limit {
				break
			}
			if other == l || other.used.Swap(false) {
				continue
			}
			c.cost -= other.cost
			other.gone = true
			delete(c.cells, k)
		}
	}
}

// do returns the value, made once by fill if it is missing. An error is not kept.
func (c *cache[K, V]) do(key K, fill func() (*V, int64, error)) (*V, error) {
	if v := c.get(key); v != nil {
		return v, nil
	}
	l := c.cell(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.value.Load(); v != nil {
		return v, nil
	}
	v, cost, err := fill()
	if err != nil {
		return nil, err
	}
	c.set(l, v, cost)
	return v, nil
}
