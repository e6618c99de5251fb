package sqlstore_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

// The conformance suite, the query plans and a killed writer are tested where the drivers are: in internal/integration.

func TestMisuse(t *testing.T) {
	t.Parallel()
	_, err := sqlstore.Open(t.Context(), nil, sqlstore.SQLite)
	require.ErrorContains(t, err, "db is nil")
	_, err = sqlstore.Open(t.Context(), new(sql.DB), 0)
	require.ErrorContains(t, err, "dialect")
	for d, want := range map[sqlstore.Dialect]string{sqlstore.SQLite: "SQLite", sqlstore.Postgres: "PostgreSQL", 9: "unknown dialect"} {
		require.Equal(t, want, d.String())
	}
}

// The program opens the database with the driver that it likes; the store takes it from there.
func Example() {
	open := func(ctx context.Context, db *sql.DB) (*identitystore.Service, error) {
		st, err := sqlstore.Open(ctx, db, sqlstore.Postgres)
		if err != nil {
			return nil, err
		}
		return identitystore.Open(ctx, identitystore.Config{Store: st})
	}
	_ = open
	// Output:
}
