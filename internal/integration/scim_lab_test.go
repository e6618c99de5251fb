//go:build lab

package integration_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// postgresSCIM returns a store in a schema of its own, and the counts of its statements.
func postgresSCIM(tb testing.TB) (identitystore.Store, *sqlCount) {
	tb.Helper()
	plain := openPostgres(tb)
	var schema string
	require.NoError(tb, plain.QueryRowContext(tb.Context(), "SELECT current_schema()").Scan(&schema))
	u, err := url.Parse(labEnv(tb, "ADFEDKIT_PG_DSN"))
	require.NoError(tb, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	db, count := countSQL(tb, plain, u.String())
	st, err := sqlstore.Open(tb.Context(), db, sqlstore.Postgres)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, st.Close()) })
	return st, count
}

func TestScenarioP02P05SCIMPatchCostPostgres(t *testing.T) {
	t.Parallel()
	st, count := postgresSCIM(t)
	patchCost(t, st, count, bigGroup)
}

func TestSCIMListCostPostgres(t *testing.T) {
	t.Parallel()
	st, count := postgresSCIM(t)
	listCost(t, st, count, testscale.N(10_000, 100_000))
}

func TestSCIMScenarioPostgres(t *testing.T) {
	t.Parallel()
	sameOnAll(t, func(tb testing.TB) identitystore.Store { tb.Helper(); st, _ := postgresSCIM(tb); return st })
}

func TestSCIMRacesPostgres(t *testing.T) {
	t.Parallel()
	st, _ := postgresSCIM(t)
	raceSCIM(t, st)
}

func TestSCIMFiltersPostgres(t *testing.T) {
	t.Parallel()
	st, _ := postgresSCIM(t)
	filtersAgree(t, st, 300)
}
