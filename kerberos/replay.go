package kerberos

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// ReplayCache remembers authenticators. UseOnce returns nil for the first use of a key, an error that matches
// [ErrReplay] when it was used before, and any other error when it cannot tell; every error refuses the ticket. It
// must decide and remember in one step. The key may be forgotten after until.
type ReplayCache interface {
	UseOnce(ctx context.Context, key [32]byte, until time.Time) error
}

// MemoryReplayConfig configures [NewReplayCache].
type MemoryReplayConfig struct {
	Capacity int              // entries; 0 means 1,000,000. A full cache refuses new tickets
	Now      func() time.Time // nil means the system clock
}

const (
	replayShards   = 64
	defaultReplays = 1_000_000
	bucketSpan     = 60 // seconds
)

// MemoryReplayCache is a [ReplayCache] for one process. Shards have their own locks, entries expire by whole minutes
// without a sweep, and memory is bounded: an entry that may still be needed is never dropped.
type MemoryReplayCache struct {
	now    func() time.Time
	limit  int
	full   atomic.Int64
	shards [replayShards]replayShard
}

// replayShard keeps the second half of each key by the minute in which it may be forgotten.
type replayShard struct {
	mu      sync.Mutex
	buckets map[int64]map[[16]byte]struct{}
	first   int64 // no bucket before this minute is left
	n       int
	_       [64]byte // shards on their own cache lines
}

// NewReplayCache makes an empty cache.
func NewReplayCache(cfg MemoryReplayConfig) *MemoryReplayCache {
	setDefault(&cfg.Capacity, defaultReplays)
	return &MemoryReplayCache{now: clock.Or(cfg.Now), limit: max(cfg.Capacity/replayShards, 1)}
}

// UseOnce implements [ReplayCache]. 128 of the 256 bits of a key decide: keys are hashes.
func (c *MemoryReplayCache) UseOnce(_ context.Context, key [32]byte, until time.Time) error {
	s := &c.shards[key[0]%replayShards]
	id := [16]byte(key[16:])
	minute := until.Unix()/bucketSpan + 1 // rounded up: an entry lives at least as long as asked
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(c.now().Unix() / bucketSpan)
	for _, b := range s.buckets {
		if _, seen := b[id]; seen {
			return ErrReplay
		}
	}
	if s.n >= c.limit {
		c.full.Add(1)
		return ErrReplayFull
	}
	b := s.buckets[minute]
	if b == nil {
		if s.buckets == nil {
			s.buckets = map[int64]map[[16]byte]struct{}{}
		}
		b = map[[16]byte]struct{}{}
		s.buckets[minute] = b
		if s.first == 0 || minute < s.first {
			s.first = minute
		}
	}
	b[id] = struct{}{}
	s.n++
	return nil
}

// expire drops whole buckets; dropping a map is constant work, however many entries it has.
func (s *replayShard) expire(now int64) {
	if s.first == 0 || now <= s.first {
		return
	}
	s.first = 0
	for m, b := range s.buckets {
		if m < now {
			s.n -= len(b)
			delete(s.buckets, m)
		} else if s.first == 0 || m < s.first {
			s.first = m
		}
	}
}

// Refusals returns how many keys were refused because there was no room for them: above 0, Capacity is too small.
func (c *MemoryReplayCache) Refusals() int64 { return c.full.Load() }

// Len returns the number of remembered entries, expired ones included until their shard is used again.
func (c *MemoryReplayCache) Len() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.Lock()
		n += c.shards[i].n
		c.shards[i].mu.Unlock()
	}
	return n
}
