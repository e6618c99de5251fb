package storeopen_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/saml"
)

func TestTracker(t *testing.T) {
	t.Parallel()
	st := new(identitystore.Memory)
	tr := storeopen.Tracker(st)
	r := saml.Request{ID: "_1", IdP: "https://idp.example.test", ACS: "https://sp.example.test/acs", RelayState: "x", Expires: time.Now().Add(time.Hour).UTC()}
	require.NoError(t, tr.Start(t.Context(), r))
	require.Error(t, tr.Start(t.Context(), r))
	got, err := storeopen.Tracker(st).Finish(t.Context(), "_1") // another replica
	require.NoError(t, err)
	require.Equal(t, r, got)
	_, err = tr.Finish(t.Context(), "_1")
	require.ErrorIs(t, err, saml.ErrNotFound)
	require.NoError(t, st.Close())
	_, err = tr.Finish(t.Context(), "_1")
	require.ErrorIs(t, err, identitystore.ErrClosed)
	require.NotErrorIs(t, err, saml.ErrNotFound)
}

func TestReplay(t *testing.T) {
	t.Parallel()
	st := new(identitystore.Memory)
	until := time.Now().Add(time.Hour)
	require.NoError(t, storeopen.Replay(st).UseOnce(t.Context(), [32]byte{1}, until))
	require.ErrorIs(t, storeopen.Replay(st).UseOnce(t.Context(), [32]byte{1}, until), saml.ErrReplay)
	require.ErrorIs(t, storeopen.Authenticators(st).UseOnce(t.Context(), [32]byte{1}, until), kerberos.ErrReplay)
	require.NoError(t, st.Close())
	err := storeopen.Replay(st).UseOnce(t.Context(), [32]byte{2}, until)
	require.Error(t, err)
	require.NotErrorIs(t, err, saml.ErrReplay)
}
