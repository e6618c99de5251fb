package integration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
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

// BenchmarkSQLiteBulk loads 5,000 users with 100,000 memberships into an empty database; with ADFEDKIT_LONG=1, 100,000
// users with 2,000,000.
func BenchmarkSQLiteBulk(b *testing.B) {
	for b.Loop() {
		st, err := sqlstore.Open(b.Context(), openSQLite(b, filepath.Join(b.TempDir(), "x.db")), sqlstore.SQLite)
		require.NoError(b, err)
		loadEstate(b, st, testscale.N(5000, 100_000))
	}
}
