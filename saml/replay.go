package saml

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// ReplayStore remembers what was used. UseOnce returns nil for the first use of key, an error that matches [ErrReplay] for a
// later one, and any other error when it cannot tell; both refuse the message. It must be atomic over all processes that share
// the store, and may forget a key after until.
type ReplayStore interface {
	UseOnce(ctx context.Context, key [32]byte, until time.Time) error
}

// replayKey is SHA-256 over the parts with their lengths, so that no two lists of parts share a key.
func replayKey(parts ...string) [32]byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}

// errReplayFull is returned by a full store: forgetting a live key would let its message be used again.
var errReplayFull = errors.New("saml: replay store is full")

// defaultReplayEntries is a million sign-ins within the life of an assertion, about 100 MB.
const defaultReplayEntries = 1 << 20

// MemoryReplayStore is a [ReplayStore] for one process. It is bounded, forgets only what has expired and refuses when it is full.
type MemoryReplayStore struct {
	now func() time.Time
	max int

	mu     sync.Mutex // guards what follows
	seen   map[[32]byte]struct{}
	expiry expiryHeap
}

// NewMemoryReplayStore returns a store for at most size live keys (0 = about a million). A nil now is the system clock.
func NewMemoryReplayStore(size int, now func() time.Time) *MemoryReplayStore {
	if size <= 0 {
		size = defaultReplayEntries
	}
	return &MemoryReplayStore{now: clock.Or(now), max: size, seen: map[[32]byte]struct{}{}}
}

// UseOnce implements [ReplayStore].
func (s *MemoryReplayStore) UseOnce(_ context.Context, key [32]byte, until time.Time) error {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := 0; n < 2 && len(s.expiry) > 0 && s.expiry[0].until.Before(now); n++ { // two for one: the store shrinks, and no call pays for all
		delete(s.seen, s.expiry[0].key)
		heap.Pop(&s.expiry)
	}
	if _, ok := s.seen[key]; ok {
		return ErrReplay
	}
	if len(s.seen) >= s.max {
		return errReplayFull
	}
	s.seen[key] = struct{}{}
	heap.Push(&s.expiry, expiryEntry{key, until})
	return nil
}

// Len returns how many keys are remembered.
func (s *MemoryReplayStore) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

type expiryEntry struct {
	key   [32]byte
	until time.Time
}

// expiryHeap has the earliest end on top.
type expiryHeap []expiryEntry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is called by container/heap.
func (h *expiryHeap) Push(x any) { *h = append(*h, x.(expiryEntry)) }

// Pop is called by container/heap.
func (h *expiryHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
