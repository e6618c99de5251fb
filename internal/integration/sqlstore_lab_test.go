//go:build lab

package integration_test

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
	"github.com/adfedkit/adfedkit/identitystore/storetest"
)

// openPostgres returns a database connection with a schema of its own, which is dropped at the end of the test.
func openPostgres(tb testing.TB) *sql.DB {
	tb.Helper()
	dsn := labEnv(tb, "ADFEDKIT_PG_DSN")
	admin, err := sql.Open("pgx", dsn)
	require.NoError(tb, err)
	schema := "t_" + strings.ToLower(rand.Text())
	_, err = admin.ExecContext(tb.Context(), "CREATE SCHEMA "+schema)
	require.NoError(tb, err)
	u, err := url.Parse(dsn)
	require.NoError(tb, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	db, err := sql.Open("pgx", u.String())
	require.NoError(tb, err)
	db.SetMaxOpenConns(6)
	tb.Cleanup(func() {
		require.NoError(tb, db.Close())
		_, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE") //nolint:noctx // the test's context is over
		require.NoError(tb, err)
		require.NoError(tb, admin.Close())
	})
	return db
}

func TestPostgresConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(tb testing.TB) identitystore.Store {
		st, err := sqlstore.Open(tb.Context(), openPostgres(tb), sqlstore.Postgres)
		require.NoError(tb, err)
		return st
	})
}
