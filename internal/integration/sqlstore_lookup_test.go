package integration_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

// principalColumns are what a look-up reads.
const principalColumns = "pid, id, name, display, given, family, email, active, doc, source, guid, sid, sid_history, dn, origin, state, reason, owned, last_run, seen_at, auth_at, rev, created_at, created_by, updated_at, updated_by"

// lookupRatio compares Service.UserByName with the bare prepared query of the same row, in interleaved passes, and
// returns the median of the ratios taken inside one pass.
func lookupRatio(tb testing.TB, db *sql.DB, d sqlstore.Dialect, users, each int) float64 {
	tb.Helper()
	ctx := tb.Context()
	st, err := sqlstore.Open(ctx, db, d)
	require.NoError(tb, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(tb, err)
	fillStore(tb, svc, users)
	var tid int64
	require.NoError(tb, db.QueryRowContext(ctx, "SELECT tid FROM tenant").Scan(&tid))
	q := "SELECT " + principalColumns + " FROM principal WHERE tenant = ? AND kind = ? AND name_fold = ?"
	if d == sqlstore.Postgres {
		q = "SELECT " + principalColumns + " FROM principal WHERE tenant = $1 AND kind = $2 AND name_fold = $3"
	}
	bare, err := db.PrepareContext(ctx, q)
	require.NoError(tb, err)
	defer func() { _ = bare.Close() }()
	row := make([]any, 26)
	to := make([]any, 26)
	for i := range row {
		to[i] = &row[i]
	}
	sample := func(f func(name string) error) time.Duration {
		start := time.Now()
		for i := range each {
			require.NoError(tb, f(userName(i*7919%users)))
		}
		return time.Since(start)
	}
	ours := func(name string) error { _, err := svc.UserByName(ctx, name); return err }
	theirs := func(name string) error { return bare.QueryRowContext(ctx, tid, "u", name).Scan(to...) }
	var ratios []float64
	for pass := range 9 {
		var a, b time.Duration
		if pass%2 == 0 {
			a, b = sample(ours), sample(theirs)
		} else {
			b, a = sample(theirs), sample(ours)
		}
		if pass > 0 { // the first one warms up
			ratios = append(ratios, float64(a)/float64(b))
		}
	}
	slices.Sort(ratios)
	tb.Logf("%v: look-up by name / bare prepared query = %.2f [%.2f..%.2f]", d, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	return ratios[len(ratios)/2]
}

// BenchmarkSQLiteLookup reports how many times as long as the bare prepared query a look-up takes; the goal is 1.3.
func BenchmarkSQLiteLookup(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(lookupRatio(b, openSQLite(b, filepath.Join(b.TempDir(), "x.db")), sqlstore.SQLite, 2000, 400), "x-bare-query")
	}
}
