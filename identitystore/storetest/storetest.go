// Package storetest is the conformance suite for implementations of identitystore.Store.
//
// Call [Run] from a test. It goes through identitystore.Service, so that it tests what programs see: verbs, limits,
// unique names, revisions, paging, flattened memberships, change feed, history, leases, single use, isolation of
// tenants, concurrent writers, failures in the middle of a transaction. Everything is made by the suite; a store that
// is closed or shared with other data is not needed. The tests may grow with any version.
package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Run tests the store that open returns. Each call of open must return a store of its own, empty; the suite closes it.
func Run(t *testing.T, open func(testing.TB) identitystore.Store) {
	t.Helper()
	// A name that begins with I or R and a number is that of the invariant or rule of synchronisation that it holds.
	for name, f := range map[string]func(*suite){
		"Tenants": tenants, "I16TenantIsolation": isolation, "Users": usersVerbs, "Groups": groupsVerbs, "Limits": limits, "I07Fold": foldTable,
		"Revisions": revisions, "Paging": paging, "AlternateIdentifiers": alternate, "Memberships": membershipVerbs, "I10R2Nesting": nesting,
		"I07Swaps": swaps, "I07SwapOfGroupNames": groupSwaps, "Emails": emails, "I06R7Tombstones": tombstones, "I04R8Scope": scope, "Text": text,
		"I17Feed": feed, "I17FeedUnderParallelCommits": parallelFeed, "I17History": history, "I17AsOf": asOf, "I17Prune": prune,
		"I14Leases": leases, "UseOnce": useOnce, "Handles": handles, "HideDisabled": hideDisabled, "CloseDuringUse": closeDuringUse,
		"Documents": documents, "I09Rollback": rollback, "I09CrashPoints": crashPoints, "I07ParallelUniqueness": parallelUnique,
		"I12ParallelMembers": parallelMembers, "I11R3R6SignIn": signIn, "I11SignInRace": signInRace, "Explain": explain, "Simulate": simulate,
		"I02I10Model": model, "BigGroup": bigGroup, "Cancel": cancelled, "I12R5Ownership": ownership, "Quota": quota, "Lookups": lookups,
		"Counters": counters, "ExternalIDs": externalIDs, "BulkCreate": bulkCreate, "BulkRefused": bulkRefused, "IgnoredFailure": ignoredFailure,
		"FreshUsers": freshUsers, "Malformed": malformed, "AsWritten": asWritten, "CountsOfRestored": countsOfRestored,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			s := &suite{T: t, store: store, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
			s.svc = s.open(identitystore.Config{})
			f(s)
			if err := store.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// suite is the state of one test.
type suite struct {
	*testing.T
	store identitystore.Store
	svc   *identitystore.Service
	now   time.Time
}

func author() identitystore.Author { return identitystore.Author{Actor: "tester", Run: "run-1"} }

func (s *suite) ctx() context.Context { return s.Context() }

// open returns a service of the suite's store, with the suite's clock.
func (s *suite) open(cfg identitystore.Config) *identitystore.Service {
	s.Helper()
	cfg.Store, cfg.Now = s.store, func() time.Time { return s.now }
	if cfg.PageKey == nil {
		cfg.PageKey = []byte("page key of the suite")
	}
	svc, err := identitystore.Open(s.ctx(), cfg)
	s.ok(err)
	return svc
}

func (s *suite) tick() { s.now = s.now.Add(time.Second) }

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("unexpected error: %v (%v)", err, errors.Unwrap(err))
	}
}

func (s *suite) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("error is %v, want %v", err, want)
	}
}

func (s *suite) equal(got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Fatalf("got %#v, want %#v", got, want)
	}
}

func (s *suite) truth(got bool, what string) {
	s.Helper()
	if !got {
		s.Fatalf("not so: %s", what)
	}
}

func (s *suite) user(name string) *identitystore.User {
	s.Helper()
	u, err := s.svc.CreateUser(s.ctx(), author(), &identitystore.User{UserName: name, DisplayName: name})
	s.ok(err)
	return u
}

func (s *suite) group(name string) *identitystore.Group {
	s.Helper()
	g, err := s.svc.CreateGroup(s.ctx(), author(), &identitystore.Group{DisplayName: name})
	s.ok(err)
	return g
}

func (s *suite) update(f func(tx *identitystore.Tx) error) error {
	return s.svc.Update(s.ctx(), author(), f)
}

// link adds or removes an edge.
func (s *suite) link(add bool, parent *identitystore.Group, child any) {
	s.Helper()
	e := identitystore.Edge{Parent: parent.Key, Via: identitystore.ViaMember}
	switch c := child.(type) {
	case *identitystore.User:
		e.Child, e.ChildKind = c.Key, identitystore.KindUser
	case *identitystore.Group:
		e.Child, e.ChildKind = c.Key, identitystore.KindGroup
	}
	s.ok(s.update(func(tx *identitystore.Tx) error {
		if add {
			return tx.Link(s.ctx(), e)
		}
		return tx.Unlink(s.ctx(), e)
	}))
}

// groupsOf returns the display names of a user's groups in order of key.
func (s *suite) groupsOf(svc *identitystore.Service, u *identitystore.User) []string {
	s.Helper()
	ms, err := svc.Reader().MembershipsOf(s.ctx(), u.Key, 0, 1000)
	s.ok(err)
	out := []string{}
	for _, m := range ms {
		g, err := svc.DescribeGroup(s.ctx(), m.GroupID)
		s.ok(err)
		out = append(out, g.DisplayName)
	}
	return out
}
