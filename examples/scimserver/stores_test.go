package main

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
)

// TestRefs looks many ids up at once, on both kinds of store.
func TestRefs(t *testing.T) {
	t.Parallel()
	sqlite, err := storeopen.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = sqlite.Close() })
	for _, store := range []identitystore.Store{new(identitystore.Memory), sqlite} {
		svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: store, Limits: identitystore.LimitsWide()})
		require.NoError(t, err)
		var want []identitystore.Ref
		require.NoError(t, svc.Update(t.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
			want = nil
			for i := range 600 {
				u, err := tx.CreateUser(t.Context(), &identitystore.User{UserName: fmt.Sprint("u", i)})
				if err != nil {
					return err
				}
				want = append(want, identitystore.Ref{Key: u.Key, Kind: identitystore.KindUser, ID: u.ID})
			}
			g, err := tx.CreateGroup(t.Context(), &identitystore.Group{DisplayName: "g"})
			if err != nil {
				return err
			}
			want = append([]identitystore.Ref{{Key: g.Key, Kind: identitystore.KindGroup, ID: g.ID}}, want...)
			got, err := refs(t.Context(), tx, want)
			require.Equal(t, want, got)
			return err
		}))
		got, err := refs(t.Context(), svc.Reader(), want)
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = identitystore.Refs(t.Context(), svc.Reader(), nil)
		require.NoError(t, err)
		require.Empty(t, got)
	}
}

func refs(ctx context.Context, r identitystore.Reader, want []identitystore.Ref) ([]identitystore.Ref, error) {
	ids := []string{"unknown"}
	for _, w := range want {
		ids = append(ids, w.ID)
	}
	return identitystore.Refs(ctx, r, ids)
}
