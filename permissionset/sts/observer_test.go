package sts_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts"
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
	w, o := newWorld(t), &watcher{}
	h, err := sts.NewHandler(sts.Config{
		Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:AssumeRoleWithSAML"`, "")}},
		Store: w.store, Now: start, Observer: o,
	})
	require.NoError(t, err)
	_, err = h.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, good())))
	require.NoError(t, err)
	_, err = h.AssumeRoleWithSAML(t.Context(), input("alice"))
	require.Error(t, err)
	in := input(w.idp.build(t, good()))
	in.RoleARN = role("None")
	_, err = h.AssumeRoleWithSAML(t.Context(), in)
	require.Error(t, err)
	require.Equal(t, []string{"sts.assume_role_with_saml ok", "sts.assume_role_with_saml InvalidIdentityToken", "sts.assume_role_with_saml AccessDenied"}, o.take())
}
