package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ dsn, want string }{
		"no pragmas": {"", "journal_mode"},
		"no timeout": {"?_pragma=journal_mode(wal)&_pragma=foreign_keys(1)", "busy_timeout"},
		"no keys":    {"?_pragma=journal_mode(wal)&_pragma=busy_timeout(1000)", "foreign_keys"},
	} {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+c.dsn)
		require.NoError(t, err)
		_, err = sqlstore.Open(t.Context(), db, sqlstore.SQLite)
		require.ErrorContains(t, err, c.want, name)
		require.NoError(t, db.Close())
	}
	memory, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(1)&_pragma=busy_timeout(1000)")
	require.NoError(t, err)
	_, err = sqlstore.Open(t.Context(), memory, sqlstore.SQLite)
	require.ErrorContains(t, err, "SetMaxOpenConns(1)")
	memory.SetMaxOpenConns(1)
	_, err = sqlstore.Open(t.Context(), memory, sqlstore.SQLite)
	require.NoError(t, err)
	require.NoError(t, memory.Close())
	_, err = sqlstore.Open(t.Context(), nil, sqlstore.SQLite)
	require.Error(t, err)
	_, err = sqlstore.Open(t.Context(), memory, 7)
	require.Error(t, err)
}

// schemaRules holds what every dialect must do with a database of another version.
func schemaRules(t *testing.T, db *sql.DB, d sqlstore.Dialect) {
	t.Helper()
	ctx := t.Context()
	var wg sync.WaitGroup // two programs start at once on an empty database
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() { _, errs[i] = sqlstore.Open(ctx, db, d) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	st, err := sqlstore.Open(ctx, db, d) // a current one
	require.NoError(t, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	_, err = svc.CreateUser(ctx, identitystore.Author{}, &identitystore.User{UserName: "alice"})
	require.NoError(t, err)

	exec := func(q string) {
		_, err := db.ExecContext(ctx, q)
		require.NoError(t, err)
	}
	exec("DROP TABLE handle") // as the first version left it
	exec("DELETE FROM schema_version WHERE version = 2")
	st, err = sqlstore.Open(ctx, db, d)
	require.NoError(t, err)
	require.NoError(t, st.Remember(ctx, "k", []byte("v"), time.Now().Add(time.Hour)))
	again, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	_, err = again.UserByName(ctx, "alice")
	require.NoError(t, err)

	wide, err := identitystore.Open(ctx, identitystore.Config{Store: st, Limits: identitystore.LimitsWide()})
	require.NoError(t, err)
	_, err = wide.CreateUser(ctx, identitystore.Author{}, &identitystore.User{
		UserName: "bob", Emails: []identitystore.MultiValue{{Value: "bob@corp.example.test", Primary: true}, {Value: "Robert@corp.example.test"}},
	})
	require.NoError(t, err)
	exec("DROP TABLE user_email") // as the second version left it: what the new table needs is read from the records
	exec("DROP INDEX external_id_value")
	exec("DELETE FROM schema_version WHERE version = 3")
	st, err = sqlstore.Open(ctx, db, d)
	require.NoError(t, err)
	again, err = identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	found, err := identitystore.Lookups(again.Reader()).UsersByAnyEmail(ctx, identitystore.FoldName("robert@corp.example.test"), 10)
	require.NoError(t, err)
	require.Len(t, found, 1)

	g, err := again.CreateGroup(ctx, identitystore.Author{}, &identitystore.Group{DisplayName: "g"})
	require.NoError(t, err)
	_, err = again.CreateGroupMembership(ctx, identitystore.Author{}, g.ID, found[0].ID)
	require.NoError(t, err)
	exec("ALTER TABLE tenant DROP COLUMN flat_n") // as the third version left it: what is there is counted once
	exec("ALTER TABLE tenant DROP COLUMN edge_n")
	exec("DELETE FROM schema_version WHERE version = 4")
	st, err = sqlstore.Open(ctx, db, d)
	require.NoError(t, err)
	again, err = identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	counts, err := again.Reader().Counts(ctx)
	require.NoError(t, err)
	require.Equal(t, identitystore.Counts{Users: 2, Groups: 1, Memberships: 1, Edges: 1}, counts)

	exec("INSERT INTO schema_version (version, checksum, applied_at) VALUES (99, 'x', 1)")
	_, err = sqlstore.Open(ctx, db, d)
	require.ErrorIs(t, err, sqlstore.ErrNewerSchema)
	exec("DELETE FROM schema_version WHERE version = 99")
	exec("UPDATE schema_version SET checksum = 'altered' WHERE version = 1")
	_, err = sqlstore.Open(ctx, db, d)
	require.ErrorContains(t, err, "another form")
}

func TestSQLiteSchema(t *testing.T) {
	t.Parallel()
	schemaRules(t, openSQLite(t, filepath.Join(t.TempDir(), "x.db")), sqlstore.SQLite)
}

// fillStore adds users and groups: every user in the group of all and in one of a hundred groups below it.
func fillStore(tb testing.TB, svc *identitystore.Service, users int) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	require.NoError(tb, svc.Update(ctx, identitystore.Author{Actor: "fill"}, func(tx *identitystore.Tx) error {
		all, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "all"})
		if err != nil {
			return err
		}
		var edges []identitystore.Edge
		var groups []*identitystore.Group
		for i := range 100 {
			g, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: fmt.Sprintf("group%03d", i), Link: identitystore.Link{Source: "ad", GUID: fmt.Sprintf("g%d", i)}})
			if err != nil {
				return err
			}
			groups = append(groups, g)
			edges = append(edges, identitystore.Edge{Parent: all.Key, Child: g.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindGroup})
		}
		for i := range users {
			u := &identitystore.User{UserName: userName(i), DisplayName: fmt.Sprintf("User %d", i), Name: identitystore.Name{GivenName: "User", FamilyName: fmt.Sprint(i)}}
			u.SetEmail(userName(i))
			u.Link = identitystore.Link{Source: "ad", GUID: fmt.Sprintf("u%d", i), SID: fmt.Sprintf("S-1-5-21-1-2-3-%d", i), Origin: identitystore.OriginSync}
			u.ExternalIDs = []identitystore.ExternalID{{Issuer: "i", ID: fmt.Sprintf("x%d", i)}}
			made, err := tx.CreateUser(ctx, u)
			if err != nil {
				return err
			}
			edges = append(edges, identitystore.Edge{Parent: groups[i%100].Key, Child: made.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
		}
		return tx.Link(ctx, edges...)
	}))
}

func userName(i int) string { return fmt.Sprintf("user%d@corp.example.test", i) }

// hotQueries are asked at every sign-in and every page; each must be answered from an index.
func hotQueries() map[string]string {
	const cols = "SELECT pid FROM principal WHERE tenant = 1 AND "
	return map[string]string{
		"by name":       cols + "kind = 'u' AND name_fold = 'x'",
		"by id":         cols + "kind = 'u' AND id = 'x'",
		"by guid":       cols + "source = 'ad' AND guid = 'x'",
		"by sid":        cols + "sid_key = 'x'",
		"user by guid":  cols + "kind = 'u' AND source = 'ad' AND guid = 'x'",
		"user by sid":   cols + "kind = 'u' AND sid_key = 'x'",
		"by email":      cols + "email_fold = 'x' ORDER BY pid LIMIT 2",
		"list":          cols + "kind = 'g' AND id > 'x' AND state <> 'tombstone' ORDER BY id LIMIT 100",
		"external id":   "SELECT pid FROM external_id WHERE tenant = 1 AND issuer = 'i' AND ext_id = 'x'",
		"groups of":     "SELECT grp FROM flat WHERE tenant = 1 AND usr = 7 AND grp > 0 ORDER BY grp LIMIT 100",
		"members of":    "SELECT usr FROM flat WHERE tenant = 1 AND grp = 7 AND usr > 0 ORDER BY usr LIMIT 100",
		"membership id": "SELECT usr FROM flat WHERE tenant = 1 AND membership = x'00'",
		"parents":       "SELECT parent FROM edge WHERE tenant = 1 AND child IN (1, 2, 3)",
		"children":      "SELECT child FROM edge WHERE tenant = 1 AND parent IN (1, 2, 3)",
		"events":        "SELECT body FROM change_log WHERE tenant = 1 AND seq > 7 ORDER BY seq LIMIT 10",
	}
}

// TestSQLitePlans asserts on the text of the query plans, with 10,000 users.
func TestSQLitePlans(t *testing.T) {
	t.Parallel()
	db := openSQLite(t, filepath.Join(t.TempDir(), "x.db"))
	st, err := sqlstore.Open(t.Context(), db, sqlstore.SQLite)
	require.NoError(t, err)
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: st})
	require.NoError(t, err)
	fillStore(t, svc, 10_000)
	for name, q := range hotQueries() {
		plan := explainSQLite(t, db, q)
		require.NotContains(t, plan, "SCAN", "%s: %s", name, plan)
		require.NotContains(t, plan, "TEMP B-TREE", "%s: %s", name, plan)
	}
}

func explainSQLite(t *testing.T, db *sql.DB, q string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var sb strings.Builder
	for rows.Next() {
		var a, b, c int
		var text string
		require.NoError(t, rows.Scan(&a, &b, &c, &text))
		sb.WriteString(text + "\n")
	}
	require.NoError(t, rows.Err())
	return sb.String()
}
