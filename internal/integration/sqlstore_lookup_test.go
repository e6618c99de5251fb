package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

// principalColumns are what a look-up reads.
const principalColumns = "pid, id, name, display, given, family, email, active, doc, source, guid, sid, sid_history, dn, origin, state, reason, owned, last_run, seen_at, auth_at, rev, created_at, created_by, updated_at, updated_by"

// lookup is one way to find a record: through the service, and by the bare query for the same row.
type lookup struct {
	ours func(i int) error
	bare string // behind "tenant = ? AND"
	args func(i int) []any
}

// lookups returns the look-ups by every unique name. The ids are those of fillStore.
func lookups(ctx context.Context, tb testing.TB, svc *identitystore.Service, tid int64, users int) map[string]lookup {
	tb.Helper()
	ids, groupIDs := make([]string, users), make([]string, 100)
	for i := range ids {
		u, err := svc.UserByName(ctx, userName(i))
		require.NoError(tb, err)
		ids[i] = u.ID
	}
	for i := range groupIDs {
		g, err := svc.GroupByName(ctx, fmt.Sprintf("group%03d", i))
		require.NoError(tb, err)
		groupIDs[i] = g.ID
	}
	r := svc.Reader()
	return map[string]lookup{
		"user name": {
			func(i int) error { _, err := svc.UserByName(ctx, userName(i)); return err },
			"kind = ? AND name_fold = ?", func(i int) []any { return []any{"u", userName(i)} },
		},
		"id": {
			func(i int) error { _, err := svc.DescribeUser(ctx, ids[i]); return err },
			"kind = ? AND id = ?", func(i int) []any { return []any{"u", ids[i]} },
		},
		"email": {
			func(i int) error { _, err := r.UsersByEmail(ctx, userName(i), 2); return err },
			"email_fold = ? ORDER BY pid LIMIT ?", func(i int) []any { return []any{userName(i), 2} },
		},
		"guid": {
			func(i int) error { _, err := svc.UserByGUID(ctx, "ad", fmt.Sprintf("u%d", i)); return err },
			"source = ? AND guid = ?", func(i int) []any { return []any{"ad", fmt.Sprintf("u%d", i)} },
		},
		"sid": {
			func(i int) error { _, err := svc.UserBySID(ctx, fmt.Sprintf("S-1-5-21-1-2-3-%d", i)); return err },
			"sid_key = ?", func(i int) []any { return []any{fmt.Sprintf("S-1-5-21-1-2-3-%d", i)} },
		},
		"external id": {
			func(i int) error {
				_, err := svc.UserID(ctx, identitystore.AlternateIdentifier{ExternalID: identitystore.ExternalID{Issuer: "i", ID: fmt.Sprintf("x%d", i)}})
				return err
			},
			"pid = (SELECT pid FROM external_id WHERE tenant = ? AND issuer = ? AND ext_id = ?)",
			func(i int) []any { return []any{tid, "i", fmt.Sprintf("x%d", i)} },
		},
		"group name": {
			func(i int) error { _, err := svc.GroupByName(ctx, fmt.Sprintf("group%03d", i%100)); return err },
			"kind = ? AND name_fold = ?", func(i int) []any { return []any{"g", fmt.Sprintf("group%03d", i%100)} },
		},
		"group id": {
			func(i int) error { _, err := svc.DescribeGroup(ctx, groupIDs[i%100]); return err },
			"kind = ? AND id = ?", func(i int) []any { return []any{"g", groupIDs[i%100]} },
		},
	}
}

// lookupRatios compares each look-up with the bare prepared query of the same row, in interleaved passes, and returns
// the median of the ratios taken inside one pass.
func lookupRatios(tb testing.TB, db *sql.DB, d sqlstore.Dialect, users, each int) map[string]float64 {
	tb.Helper()
	ctx := tb.Context()
	st, err := sqlstore.Open(ctx, db, d)
	require.NoError(tb, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(tb, err)
	fillStore(tb, svc, users)
	var tid int64
	require.NoError(tb, db.QueryRowContext(ctx, "SELECT tid FROM tenant").Scan(&tid))
	row, to := make([]any, 26), make([]any, 26)
	for i := range row {
		to[i] = &row[i]
	}
	out := map[string]float64{}
	for key, l := range lookups(ctx, tb, svc, tid, users) {
		q, n := "SELECT "+principalColumns+" FROM principal WHERE tenant = ? AND "+l.bare, 0
		for d == sqlstore.Postgres && strings.Contains(q, "?") {
			n++
			q = strings.Replace(q, "?", fmt.Sprint("$", n), 1)
		}
		bare, err := db.PrepareContext(ctx, q) //nolint:sqlclosecheck // each is closed before the next
		require.NoError(tb, err)
		sample := func(f func(i int) error) time.Duration {
			start := time.Now()
			for i := range each {
				require.NoError(tb, f(i*7919%users))
			}
			return time.Since(start)
		}
		theirs := func(i int) error { return bare.QueryRowContext(ctx, append([]any{tid}, l.args(i)...)...).Scan(to...) }
		var ratios []float64
		for pass := range 9 {
			var a, b time.Duration
			if pass%2 == 0 {
				a, b = sample(l.ours), sample(theirs)
			} else {
				b, a = sample(theirs), sample(l.ours)
			}
			if pass > 0 { // the first one warms up
				ratios = append(ratios, float64(a)/float64(b))
			}
		}
		require.NoError(tb, bare.Close())
		slices.Sort(ratios)
		tb.Logf("%v: look-up by %s / bare prepared query = %.2f [%.2f..%.2f]", d, key, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
		out[key] = ratios[len(ratios)/2]
	}
	return out
}

// TestLookupIsOneStatement counts: whatever the key, a record is found with one statement that returns one row.
func TestLookupIsOneStatement(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "x.db")
	db, count := countSQL(t, openSQLite(t, file), "file:"+file+sqlitePragmas)
	st, err := sqlstore.Open(ctx, db, sqlstore.SQLite)
	require.NoError(t, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	fillStore(t, svc, 150)
	for key, l := range lookups(ctx, t, svc, 0, 150) {
		require.NoError(t, l.ours(1), key)
		statements, rows := count.during(func() { require.NoError(t, l.ours(2)) })
		require.Equal(t, []int64{1, 1}, []int64{statements, rows}, key)
	}
}

// TestOneMemberCost counts what it costs to add a member to a group of 100 and of 3,000, below another group, and to
// take it away again: the same statements and rows.
func TestOneMemberCost(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cost := func(size int) (costs [][2]int64) {
		file := filepath.Join(t.TempDir(), "x.db")
		db, count := countSQL(t, openSQLite(t, file), "file:"+file+sqlitePragmas)
		st, err := sqlstore.Open(ctx, db, sqlstore.SQLite)
		require.NoError(t, err)
		svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
		require.NoError(t, err)
		var edge identitystore.Edge
		require.NoError(t, svc.Update(ctx, identitystore.Author{}, func(tx *identitystore.Tx) error {
			g, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "g"})
			if err != nil {
				return err
			}
			top, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "top"})
			if err != nil {
				return err
			}
			edges := []identitystore.Edge{{Parent: top.Key, Child: g.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindGroup}}
			for i := range size {
				u, err := tx.CreateUser(ctx, &identitystore.User{UserName: fmt.Sprint("u", i)})
				if err != nil {
					return err
				}
				edge = identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser}
				edges = append(edges, edge)
			}
			return tx.Link(ctx, edges[:size]...) // all but the last one
		}))
		for _, change := range []func(*identitystore.Tx) error{
			func(tx *identitystore.Tx) error { return tx.Link(ctx, edge) }, func(tx *identitystore.Tx) error { return tx.Unlink(ctx, edge) },
		} {
			statements, rows := count.during(func() { require.NoError(t, svc.Update(ctx, identitystore.Author{}, change)) })
			costs = append(costs, [2]int64{statements, rows})
		}
		return costs
	}
	small, large := cost(100), cost(3000)
	require.Equal(t, small, large)
	for _, c := range small {
		require.Less(t, c[0], int64(25), "statements")
		require.Less(t, c[1], int64(30), "rows")
	}
}

// BenchmarkSQLiteLookup reports how many times as long as the bare prepared query a look-up by each key takes; the goal is 1.3.
func BenchmarkSQLiteLookup(b *testing.B) {
	for b.Loop() {
		for key, x := range lookupRatios(b, openSQLite(b, filepath.Join(b.TempDir(), "x.db")), sqlstore.SQLite, 2000, 400) {
			b.ReportMetric(x, "x-bare-"+strings.ReplaceAll(key, " ", "-"))
		}
	}
}
