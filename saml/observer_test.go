package saml_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// watcher notes what an observer is told, and whether its context reaches the inner operations.
type watcher struct {
	mu  sync.Mutex
	got []string
}

type watcherKey struct{}

func (r *watcher) Start(ctx context.Context, op string) (context.Context, func(string)) {
	parent, _ := ctx.Value(watcherKey{}).(string)
	return context.WithValue(ctx, watcherKey{}, op), func(outcome string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, strings.TrimPrefix(parent+" > ", " > ")+op+" "+outcome)
	}
}

func (r *watcher) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func TestObserver(t *testing.T) {
	t.Parallel()
	s, o := newSetup(), &watcher{}
	s.sp.Observer = o
	sp := s.provider(t)
	in := s.in
	in.XML = []byte(signedBoth().xml())
	_, err := sp.Validate(t.Context(), in)
	require.NoError(t, err)
	_, err = sp.Validate(t.Context(), in)
	require.ErrorIs(t, err, saml.ErrReplay)
	in.XML = []byte("<a/>")
	_, err = sp.Validate(t.Context(), in)
	require.Error(t, err)
	require.Equal(t, []string{"saml.check ok", "saml.accept ok", "saml.check ok", "saml.accept replay", "saml.check " + string(saml.ReasonOf(err))}, o.take())
}
