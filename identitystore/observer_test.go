package identitystore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
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
	o := &watcher{}
	s, err := identitystore.Open(t.Context(), identitystore.Config{Store: &identitystore.Memory{}, Observer: o})
	require.NoError(t, err)
	_, err = s.SignIn(t.Context(), identitystore.SignIn{UserName: "alice@corp.example.test"})
	require.ErrorIs(t, err, identitystore.ErrNotProvisioned)
	_, err = s.SignIn(t.Context(), identitystore.SignIn{Source: "ad", GUID: "g1", UserName: "alice@corp.example.test", Create: true})
	require.NoError(t, err)
	require.Equal(t, []string{
		"identitystore.sign_in > identitystore.update not_provisioned", "identitystore.sign_in not_provisioned",
		"identitystore.sign_in > identitystore.update ok", "identitystore.sign_in ok",
	}, o.take())
	for want, err := range map[string]error{
		"conflict": &identitystore.ConflictError{}, "busy": identitystore.ErrBusy, "canceled": context.Canceled, "failed": errors.New("x"),
	} {
		require.Error(t, s.Update(t.Context(), identitystore.Author{}, func(*identitystore.Tx) error { return err }))
		require.Equal(t, []string{"identitystore.update " + want}, o.take())
	}
}
