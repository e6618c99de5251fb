// Package observetest notes what a package tells its observer. It serves tests only.
package observetest

import (
	"context"
	"strings"
	"sync"
)

// Watcher is an observer of every package. Its zero value is ready, and safe for concurrent use.
type Watcher struct {
	mu  sync.Mutex
	got []string
}

type key struct{}

// Start notes the operation when it ends, as "operation outcome", and as "parent > operation outcome" where the context of an
// operation around it was handed on.
func (w *Watcher) Start(ctx context.Context, op string) (context.Context, func(outcome string)) {
	parent, _ := ctx.Value(key{}).(string)
	return context.WithValue(ctx, key{}, op), func(outcome string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.got = append(w.got, strings.TrimPrefix(parent+" > ", " > ")+op+" "+outcome)
	}
}

// Take returns what was noted since the last call, in the order of the ends.
func (w *Watcher) Take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.got
	w.got = nil
	return got
}
