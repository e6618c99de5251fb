package kerberos_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
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
	k, o := startCorp(t, nil), &watcher{}
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.Observer = o })
	_, err := a.Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err)
	got := o.take()
	require.Equal(t, "kerberos.password ok", got[len(got)-1])
	require.Contains(t, got, "kerberos.password > kerberos.exchange ok")
	for user, want := range map[string]string{"alice": "bad_credentials", "nobody": "bad_credentials", "alice@other.test": "unknown_domain"} {
		_, err = a.Password(t.Context(), user, []byte("wrong"))
		require.Error(t, err)
		got = o.take()
		require.Equal(t, "kerberos.password "+want, got[len(got)-1])
		require.NotContains(t, strings.Join(got, " "), user, "no name in a label")
	}

	in, err := client(t, k, func(c *kerberos.ClientConfig) { c.Observer = o }).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	require.Contains(t, o.take(), "kerberos.exchange ok")
	acc := acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.Observer = o })
	_, err = acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.NoError(t, err)
	_, err = acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.Error(t, err)
	_, err = acc.AcceptAPReq(t.Context(), []byte("x"), kerberos.AcceptInput{})
	require.Error(t, err)
	require.Equal(t, []string{"kerberos.accept ok", "kerberos.accept ticket_rejected", "kerberos.accept ticket_rejected"}, o.take())
}

func TestObserverOfDeadKDC(t *testing.T) {
	t.Parallel()
	k, o := startCorp(t, nil), &watcher{}
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.Observer = o })
	k.Close()
	_, err := a.Password(t.Context(), "alice", []byte(alicePW))
	require.ErrorIs(t, err, kerberos.ErrUnavailable)
	got := o.take()
	require.Equal(t, "kerberos.password unavailable", got[len(got)-1])
	require.Equal(t, "kerberos.password > kerberos.exchange failed", got[0])
}
