package integration_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
	"github.com/adfedkit/adfedkit/identitystore/storetest"
)

const sqlitePragmas = "?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=synchronous(off)"

func openSQLite(tb testing.TB, file string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+file+sqlitePragmas)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

func TestSQLiteConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(tb testing.TB) identitystore.Store {
		tb.Helper()
		st, err := sqlstore.Open(tb.Context(), openSQLite(tb, filepath.Join(tb.TempDir(), "store.db")), sqlstore.SQLite)
		require.NoError(tb, err)
		return st
	})
}
