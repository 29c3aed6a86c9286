package token

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"
)

// shardCount and shardSize bound the cache: 32,768 tokens, about 20 MB when
// full. More viewers than that on one node cost a signature check (about 3
// microseconds) now and then, nothing else.
const (
	shardCount = 32
	shardSize  = 1024
)

// entry is a verified token. Its signature needs no second look; its time does.
type entry struct {
	claims *Claims
	until  time.Time // expiry of the token or of its key, whichever is first
}

// cache holds verified tokens, sharded so that readers do not meet.
type cache struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

type shard struct {
	mu     sync.RWMutex
	tokens map[string]*entry
}

func newCache() *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].tokens = make(map[string]*entry)
	}
	return c
}

func (c *cache) shard(tok string) *shard {
	return &c.shards[maphash.String(c.seed, tok)%shardCount]
}

// get returns the entry of tok, or nil. It does not allocate.
func (c *cache) get(tok string) *entry {
	s := c.shard(tok)
	s.mu.RLock()
	e := s.tokens[tok]
	s.mu.RUnlock()
	return e
}

// put adds a valid token. A full shard first drops what has expired among a
// few, else one of them at random (map order): bounded work, bounded memory.
func (c *cache) put(tok string, e entry, now time.Time) {
	s := c.shard(tok)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) >= shardSize {
		victim, looked := "", 0
		for k, v := range s.tokens {
			victim = k
			if looked++; !now.Before(v.until) || looked == 8 {
				break
			}
		}
		delete(s.tokens, victim)
	}
	s.tokens[strings.Clone(tok)] = &e // the argument is a part of a request's URL: do not keep all of it alive
}

// size returns the number of cached tokens, for tests.
func (c *cache) size() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].tokens)
		c.shards[i].mu.RUnlock()
	}
	return n
}
