package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// loadEstate adds users, a fifth as many groups, and twenty memberships for each user, in one transaction; every user
// is in the first group.
func loadEstate(tb testing.TB, st identitystore.Store, users int) *identitystore.Service {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st, Limits: identitystore.LimitsWide()})
	require.NoError(tb, err)
	r := rand.New(rand.NewPCG(1, 2))
	require.NoError(tb, svc.Update(ctx, identitystore.Author{Actor: "load", Run: "r1"}, func(tx *identitystore.Tx) error {
		began := time.Now()
		list := make([]*identitystore.Group, 0, users/5)
		for i := range users / 5 {
			list = append(list, &identitystore.Group{
				DisplayName: fmt.Sprintf("group%05d@corp.example.test", i),
				Link:        identitystore.Link{Source: "ad", GUID: fmt.Sprintf("00000000-0000-4000-8000-1%011d", i), SID: fmt.Sprintf("S-1-5-21-1-2-4-%d", i), Origin: identitystore.OriginSync},
			})
		}
		groups, err := tx.CreateGroups(ctx, list)
		if err != nil {
			return err
		}
		people := make([]*identitystore.User, 0, users)
		edges := make([]identitystore.Edge, 0, 20*users)
		for i := range users {
			u := &identitystore.User{UserName: userName(i), DisplayName: fmt.Sprintf("User %d", i), Name: identitystore.Name{GivenName: "User", FamilyName: fmt.Sprint(i)}}
			u.SetEmail(userName(i))
			u.Link = identitystore.Link{Source: "ad", GUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), SID: fmt.Sprintf("S-1-5-21-1-2-3-%d", i), Origin: identitystore.OriginSync}
			u.ExternalIDs = []identitystore.ExternalID{{Issuer: "ad", ID: u.Link.GUID}}
			people = append(people, u)
		}
		people, err = tx.CreateUsers(ctx, people)
		if err != nil {
			return err
		}
		for _, made := range people {
			edge := func(g *identitystore.Group) {
				edges = append(edges, identitystore.Edge{Parent: g.Key, Child: made.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
			}
			edge(groups[0])
			for range 19 {
				edge(groups[r.IntN(len(groups))])
			}
		}
		tb.Logf("records: %v", time.Since(began).Round(time.Millisecond))
		began = time.Now()
		err = tx.Link(ctx, edges...)
		tb.Logf("edges: %v", time.Since(began).Round(time.Millisecond))
		return err
	}))
	return svc
}

// indexesOf returns the definitions of all indexes.
func indexesOf(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT name || ' ' || coalesce(sql, '') FROM sqlite_master WHERE type = 'index' ORDER BY name")
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(t, rows.Err())
	return out
}

// TestSQLiteBigLoad loads so much that indexes are made afterwards: once it fails at the end, once it is read in the
// middle. All indexes are there again, hold every row, and nobody else notices.
func TestSQLiteBigLoad(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "x.db")
	db, count := countSQL(t, openSQLite(t, file), "file:"+file+sqlitePragmas)
	var dropped, made atomic.Int64
	count.before = func(q string) {
		if strings.HasPrefix(q, "DROP INDEX") {
			dropped.Add(1)
		}
		if strings.HasPrefix(q, "CREATE INDEX") || strings.HasPrefix(q, "CREATE UNIQUE INDEX") {
			made.Add(1)
		}
	}
	st, err := sqlstore.Open(ctx, db, sqlstore.SQLite)
	require.NoError(t, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	before := indexesOf(t, db)
	const users, groups = 510, 100
	load := func(name string, users int, then func(tx *identitystore.Tx, people []*identitystore.User, teams []*identitystore.Group) error) error {
		return svc.Update(ctx, identitystore.Author{Actor: "load"}, func(tx *identitystore.Tx) error {
			people, teams := make([]*identitystore.User, users), make([]*identitystore.Group, groups)
			for i := range people {
				people[i] = &identitystore.User{UserName: fmt.Sprint(name, "u", i)}
			}
			for i := range teams {
				teams[i] = &identitystore.Group{DisplayName: fmt.Sprint(name, "g", i)}
			}
			people, err := tx.CreateUsers(ctx, people)
			if err != nil {
				return err
			}
			teams, err = tx.CreateGroups(ctx, teams)
			if err != nil {
				return err
			}
			var edges []identitystore.Edge
			for _, g := range teams {
				for _, u := range people {
					edges = append(edges, identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
				}
			}
			if err := tx.Link(ctx, edges...); err != nil {
				return err
			}
			return then(tx, people, teams)
		})
	}
	inTheMiddle := func(tx *identitystore.Tx, people []*identitystore.User, teams []*identitystore.Group) error {
		// A group that nobody's directory knows is gone at once, and with it its memberships: all others are written now.
		if err := tx.Delete(ctx, identitystore.Ref{Key: teams[7].Key, Kind: identitystore.KindGroup, ID: teams[7].ID}, "gone"); err != nil {
			return err
		}
		ms, err := tx.Members(ctx, teams[8].Key, 0, users+1)
		if err != nil {
			return err
		}
		require.Len(t, ms, users)
		m, err := tx.MembershipByID(ctx, ms[3].ID)
		require.Equal(t, ms[3], m)
		if err != nil {
			return err
		}
		in, err := tx.InGroups(ctx, people[5].Key, []string{teams[9].ID, teams[7].ID})
		require.Equal(t, []bool{true, false}, in)
		_, other := svc.UserByName(ctx, people[0].UserName) // by another connection
		require.ErrorIs(t, other, identitystore.ErrNotFound)
		return err
	}
	refused := errors.New("refused")
	require.ErrorIs(t, load("a", users, func(tx *identitystore.Tx, people []*identitystore.User, teams []*identitystore.Group) error {
		return errors.Join(inTheMiddle(tx, people, teams), refused)
	}), refused)
	require.Equal(t, before, indexesOf(t, db))
	counts, err := svc.Reader().Counts(ctx)
	require.NoError(t, err)
	require.Equal(t, identitystore.Counts{}, counts)

	dropped.Store(0)
	made.Store(0)
	require.NoError(t, load("b", users, inTheMiddle))
	require.Equal(t, []int64{3, 3}, []int64{dropped.Load(), made.Load()})
	require.Equal(t, before, indexesOf(t, db))
	var verdict string
	require.NoError(t, db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&verdict))
	require.Equal(t, "ok", verdict)
	counts, err = svc.Reader().Counts(ctx)
	require.NoError(t, err)
	require.Equal(t, identitystore.Counts{Users: users, Groups: groups - 1, Memberships: users * (groups - 1), Edges: users * (groups - 1)}, counts)
	g, err := svc.GroupByName(ctx, "bg8")
	require.NoError(t, err)
	ms, err := svc.Reader().Members(ctx, g.Key, 0, users+1)
	require.NoError(t, err)
	require.Len(t, ms, users)

	dropped.Store(0)
	require.NoError(t, load("c", 501, func(*identitystore.Tx, []*identitystore.User, []*identitystore.Group) error { return nil }))
	require.Zero(t, dropped.Load(), "there is more than comes: to make the indexes again would cost more")
	_, err = svc.CreateGroupMembership(ctx, identitystore.Author{}, g.ID, ms[0].UserID)
	require.ErrorIs(t, err, identitystore.ErrConflict)
	require.NoError(t, svc.DeleteGroupMembership(ctx, identitystore.Author{}, ms[0].ID))
	require.Zero(t, dropped.Load(), "a small change takes no index away")
}

// BenchmarkSQLiteBulk loads 5,000 users with 100,000 memberships into an empty database; with ADFEDKIT_LONG=1, 100,000
// users with 2,000,000.
func BenchmarkSQLiteBulk(b *testing.B) {
	for b.Loop() {
		st, err := sqlstore.Open(b.Context(), openSQLite(b, filepath.Join(b.TempDir(), "x.db")), sqlstore.SQLite)
		require.NoError(b, err)
		loadEstate(b, st, testscale.N(5000, 100_000))
	}
}
