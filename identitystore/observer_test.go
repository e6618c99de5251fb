package identitystore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/observetest"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	o := &observetest.Watcher{}
	s, err := identitystore.Open(t.Context(), identitystore.Config{Store: &identitystore.Memory{}, Observer: o})
	require.NoError(t, err)
	_, err = s.SignIn(t.Context(), identitystore.SignIn{UserName: "alice@corp.example.test"})
	require.ErrorIs(t, err, identitystore.ErrNotProvisioned)
	_, err = s.SignIn(t.Context(), identitystore.SignIn{Source: "ad", GUID: "g1", UserName: "alice@corp.example.test", Create: true})
	require.NoError(t, err)
	require.Equal(t, []string{
		"identitystore.sign_in > identitystore.update not_provisioned", "identitystore.sign_in not_provisioned",
		"identitystore.sign_in > identitystore.update ok", "identitystore.sign_in ok",
	}, o.Take())
	for want, err := range map[string]error{
		"conflict": &identitystore.ConflictError{}, "busy": identitystore.ErrBusy, "canceled": context.Canceled, "failed": errors.New("x"),
	} {
		require.Error(t, s.Update(t.Context(), identitystore.Author{}, func(*identitystore.Tx) error { return err }))
		require.Equal(t, []string{"identitystore.update " + want}, o.Take())
	}
}
