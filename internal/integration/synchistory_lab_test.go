//go:build lab

package integration_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSyncHistoriesPostgres(t *testing.T) {
	t.Parallel()
	for seed := range testN(20, 500) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			syncHistory(t, postgresSchema(t), uint64(seed))
		})
	}
}

// TestScenarioC01SyncKilledPostgres: kill -9 between any two writes of a run, on a server that outlives its client.
func TestScenarioC01SyncKilledPostgres(t *testing.T) {
	t.Parallel()
	syncKilled(t, postgresSchema(t), testN(2, 50))
}

// postgresSchema returns the address of a new schema.
func postgresSchema(t *testing.T) string {
	t.Helper()
	dsn := labEnv(t, "ADFEDKIT_PG_DSN")
	admin, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	schema := "k_" + strings.ToLower(rand.Text())
	_, err = admin.ExecContext(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}
