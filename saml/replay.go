package saml

import (
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
	b := make([]byte, 0, 256) // most fit, and stay on the stack
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
	now := instantOf(s.now())
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := 0; n < 2 && len(s.expiry) > 0 && s.expiry[0].until.before(now); n++ { // two for one: the store shrinks, and no call pays for all
		delete(s.seen, s.expiry[0].key)
		s.expiry.pop()
	}
	if _, ok := s.seen[key]; ok {
		return ErrReplay
	}
	if len(s.seen) >= s.max {
		return errReplayFull
	}
	s.seen[key] = struct{}{}
	s.expiry.push(expiryEntry{key, instantOf(until)})
	return nil
}

// Len returns how many keys are remembered.
func (s *MemoryReplayStore) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// expiryEntry holds no pointer, as a time.Time does, so that a full store is nothing for the garbage collector to look at.
type expiryEntry struct {
	key   [32]byte
	until unixTime
}

// unixTime is seconds and nanoseconds since 1970.
type unixTime struct {
	sec  int64
	nsec int32
}

func instantOf(t time.Time) unixTime { return unixTime{t.Unix(), int32(t.Nanosecond())} } //nolint:gosec // below a thousand million

func (u unixTime) before(o unixTime) bool { return u.sec < o.sec || u.sec == o.sec && u.nsec < o.nsec }

// expiryHeap is a binary heap with the earliest end on top. It is written out because container/heap makes garbage of every entry.
type expiryHeap []expiryEntry

func (h *expiryHeap) push(e expiryEntry) {
	s := append(*h, e)
	i := len(s) - 1
	for i > 0 && e.until.before(s[(i-1)/2].until) {
		s[i] = s[(i-1)/2]
		i = (i - 1) / 2
	}
	s[i] = e
	*h = s
}

func (h *expiryHeap) pop() {
	s := *h
	last := s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if len(s) == 0 {
		return
	}
	i := 0
	for {
		child := 2*i + 1
		if child+1 < len(s) && s[child+1].until.before(s[child].until) {
			child++
		}
		if child >= len(s) || !s[child].until.before(last.until) {
			break
		}
		s[i] = s[child]
		i = child
	}
	s[i] = last
}
