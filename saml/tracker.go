package saml

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// Request is an authentication request that waits for its answer.
type Request struct {
	ID         string
	IdP        string // entity ID that was asked; only it may answer
	ACS        string // where the answer is expected; empty means the configured address
	RelayState string
	Expires    time.Time
}

// RequestTracker remembers pending requests. Finish returns the request and forgets it, atomically over all processes that
// share the tracker; an error that matches [ErrNotFound] says that none is pending under that ID. A tracker that also has
// Peek(ctx, id) (Request, error), which forgets nothing, lets a message for another identity provider be refused earlier.
type RequestTracker interface {
	Start(ctx context.Context, r Request) error
	Finish(ctx context.Context, id string) (Request, error)
}

// requestPeeker is the optional part of a [RequestTracker].
type requestPeeker interface {
	Peek(ctx context.Context, id string) (Request, error)
}

// errTrackerFull is returned by a full tracker.
var errTrackerFull = errors.New("saml: request tracker is full")

// defaultTrackedRequests is far above what one process has pending; anybody may start a request, so there must be a bound.
const defaultTrackedRequests = 100_000

// MemoryTracker is a [RequestTracker] for one process, bounded.
type MemoryTracker struct {
	now func() time.Time
	max int

	mu      sync.Mutex // guards what follows
	pending map[string]Request
	queue   []string // in the order of Start, for removal of the expired
}

// NewMemoryTracker returns a tracker for at most size pending requests (0 = 100,000). A nil now is the system clock.
func NewMemoryTracker(size int, now func() time.Time) *MemoryTracker {
	if size <= 0 {
		size = defaultTrackedRequests
	}
	return &MemoryTracker{now: clock.Or(now), max: size, pending: map[string]Request{}}
}

// Start implements [RequestTracker].
func (t *MemoryTracker) Start(_ context.Context, r Request) error {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	if _, ok := t.pending[r.ID]; ok || r.ID == "" {
		return errors.New("saml: request ID is empty or already pending")
	}
	if len(t.pending) >= t.max {
		return errTrackerFull
	}
	t.pending[r.ID] = r
	t.queue = append(t.queue, r.ID)
	return nil
}

// expire forgets what is past its end, from the head of the queue; and all of it once finished requests fill the queue.
func (t *MemoryTracker) expire(now time.Time) {
	live := func(id string) bool {
		r, ok := t.pending[id]
		if ok && !now.Before(r.Expires) {
			delete(t.pending, id)
			return false
		}
		return ok
	}
	for len(t.queue) > 0 && !live(t.queue[0]) {
		t.queue = t.queue[1:]
	}
	if len(t.queue) > 2*len(t.pending)+64 || len(t.pending) >= t.max {
		t.queue = slices.DeleteFunc(t.queue, func(id string) bool { return !live(id) })
	}
}

// Finish implements [RequestTracker].
func (t *MemoryTracker) Finish(ctx context.Context, id string) (Request, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, err := t.peek(ctx, id)
	if err == nil {
		delete(t.pending, id)
	}
	return r, err
}

// Peek returns a pending request without forgetting it.
func (t *MemoryTracker) Peek(ctx context.Context, id string) (Request, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peek(ctx, id)
}

func (t *MemoryTracker) peek(_ context.Context, id string) (Request, error) {
	r, ok := t.pending[id]
	if !ok || !t.now().Before(r.Expires) {
		return Request{}, ErrNotFound
	}
	return r, nil
}
