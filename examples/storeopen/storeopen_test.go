package storeopen_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	name := "sqlite:" + filepath.Join(t.TempDir(), "a store?with#odd%20name.db")
	there, err := storeopen.Exists(name)
	require.NoError(t, err)
	require.False(t, there)
	for range 2 { // created, then found
		st, err := storeopen.Open(t.Context(), name)
		require.NoError(t, err)
		_, err = identitystore.Open(t.Context(), identitystore.Config{Store: st})
		require.NoError(t, err)
		require.NoError(t, st.Close())
	}
	there, err = storeopen.Exists(name)
	require.NoError(t, err)
	require.True(t, there)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "sqlite:", "mysql://x", "file.db", "http://host/"} {
		_, err := storeopen.Open(t.Context(), name)
		require.ErrorIs(t, err, storeopen.ErrUsage, name)
	}
	_, err := storeopen.Exists("oracle:x")
	require.ErrorIs(t, err, storeopen.ErrUsage)
	broken := filepath.Join(t.TempDir(), "broken.db")
	require.NoError(t, os.WriteFile(broken, []byte("this is no database, and longer than a header of one hundred bytes: ...................................."), 0o600))
	_, err = storeopen.Open(t.Context(), "sqlite:"+broken)
	require.Error(t, err)
	_, err = storeopen.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "no", "such", "folder.db"))
	require.Error(t, err)
}
