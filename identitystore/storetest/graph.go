package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

func nesting(s *suite) {
	a, b, c := s.group("a"), s.group("b"), s.group("c")
	u, v := s.user("u"), s.user("v")
	s.link(true, a, b)
	s.link(true, b, c)
	s.link(true, c, u)
	s.equal(s.groupsOf(s.svc, u), []string{"a", "b", "c"})
	m, err := s.svc.Reader().Membership(s.ctx(), a.Key, u.Key)
	s.ok(err)
	s.equal([]any{m.Depth, m.Direct}, []any{3, false})
	s.is(s.svc.DeleteGroupMembership(s.ctx(), author(), m.ID), identitystore.ErrConflict)
	s.link(true, a, u) // direct as well: the same membership, nearer
	m2, err := s.svc.Reader().Membership(s.ctx(), a.Key, u.Key)
	s.ok(err)
	s.equal([]any{m2.ID, m2.Depth, m2.Direct, m2.CreatedAt}, []any{m.ID, 1, true, m.CreatedAt})
	s.link(false, a, u)
	s.equal(s.groupsOf(s.svc, u), []string{"a", "b", "c"})
	s.link(true, c, a) // a cycle
	s.link(true, a, a) // and a group in itself
	s.link(true, a, v)
	s.equal(s.groupsOf(s.svc, v), []string{"a", "b", "c"})
	s.link(false, b, c)
	s.equal(s.groupsOf(s.svc, u), []string{"c"})
	s.equal(s.groupsOf(s.svc, v), []string{"a", "c"})
	d := s.group("d") // a diamond: b and d lead to c
	s.link(true, b, c)
	s.link(true, a, d)
	s.link(true, d, c)
	s.link(false, d, c)
	s.equal(s.groupsOf(s.svc, u), []string{"a", "b", "c"})
	s.ok(s.update(func(tx *identitystore.Tx) error {
		return tx.Delete(s.ctx(), identitystore.Ref{Key: b.Key, Kind: identitystore.KindGroup, ID: b.ID}, "gone")
	}))
	s.equal(s.groupsOf(s.svc, u), []string{"c"})
	err = s.update(func(tx *identitystore.Tx) error {
		return tx.Link(s.ctx(), identitystore.Edge{Parent: a.Key, Child: 99999, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
	})
	s.is(err, identitystore.ErrNotFound)
	err = s.update(func(tx *identitystore.Tx) error {
		return tx.Link(s.ctx(), identitystore.Edge{Parent: u.Key, Child: v.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
	})
	s.is(err, identitystore.ErrNotFound)

	s.svc = s.open(identitystore.Config{Tenant: "d-00000000dd", DirectOnly: true})
	x, y, w := s.group("x"), s.group("y"), s.user("w")
	s.link(true, x, y)
	s.link(true, y, w)
	s.equal(s.groupsOf(s.svc, w), []string{"y"})
}

func explain(s *suite) {
	a, b, c := s.group("a"), s.group("b"), s.group("c")
	u := s.user("u")
	s.link(true, a, b)
	s.link(true, b, c)
	s.link(true, c, u)
	s.link(true, c, a)
	path, err := s.svc.Explain(s.ctx(), u.ID, a.ID)
	s.ok(err)
	s.equal(path, identitystore.Path{
		{From: u.ID, To: c.ID, FromName: "u", ToName: "c", Via: identitystore.ViaMember},
		{From: c.ID, To: b.ID, FromName: "c", ToName: "b", Via: identitystore.ViaMember},
		{From: b.ID, To: a.ID, FromName: "b", ToName: "a", Via: identitystore.ViaMember},
	})
	d := s.group("d")
	_, err = s.svc.Explain(s.ctx(), u.ID, d.ID)
	s.is(err, identitystore.ErrNotFound)
	_, err = s.svc.Explain(s.ctx(), "nobody", d.ID)
	s.is(err, identitystore.ErrNotFound)
	_, err = s.svc.Explain(s.ctx(), u.ID, "nothing")
	s.is(err, identitystore.ErrNotFound)
}

func simulate(s *suite) {
	a, b := s.group("a"), s.group("b")
	u, v := s.user("u"), s.user("v")
	s.link(true, a, b)
	s.link(true, b, u)
	before, err := s.svc.Reader().LastSeq(s.ctx())
	s.ok(err)
	got, err := s.svc.Simulate(s.ctx(), func(tx *identitystore.Tx) error {
		if err := tx.Unlink(s.ctx(), identitystore.Edge{Parent: a.Key, Child: b.Key, ChildKind: identitystore.KindGroup}); err != nil {
			return err
		}
		return tx.Link(s.ctx(), identitystore.Edge{Parent: a.Key, Child: v.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
	})
	s.ok(err)
	want := []identitystore.MembershipChange{{User: u.ID, Group: a.ID}, {User: v.ID, Group: a.ID, Gained: true}}
	slices.SortFunc(want, func(x, y identitystore.MembershipChange) int { return strings.Compare(x.User, y.User) })
	s.equal(got, want)
	s.equal(s.groupsOf(s.svc, u), []string{"a", "b"})
	after, err := s.svc.Reader().LastSeq(s.ctx())
	s.ok(err)
	s.equal(after, before)
	_, err = s.svc.Simulate(s.ctx(), func(*identitystore.Tx) error { return identitystore.ErrDenied })
	s.is(err, identitystore.ErrDenied)
}

// scope: a group that leaves the scope loses its memberships in the same commit, and hands its users on no longer than
// its edges say.
func scope(s *suite) {
	a, b := s.group("a"), s.group("b")
	u := s.user("u")
	s.link(true, a, b)
	s.link(true, b, u)
	set := func(g *identitystore.Group, state identitystore.State) {
		s.ok(s.update(func(tx *identitystore.Tx) error {
			now, err := tx.GroupByID(s.ctx(), g.ID)
			s.ok(err)
			c := now.Clone()
			c.Link.State = state
			_, err = tx.UpdateGroup(s.ctx(), c)
			return err
		}))
	}
	set(a, identitystore.StateUnscoped)
	s.equal(s.groupsOf(s.svc, u), []string{"b"})
	set(b, identitystore.StateUnscoped)
	set(a, identitystore.StateActive)
	s.equal(s.groupsOf(s.svc, u), []string{"a"})
	set(b, identitystore.StateActive)
	s.equal(s.groupsOf(s.svc, u), []string{"a", "b"})
	got, err := s.svc.DescribeGroup(s.ctx(), a.ID)
	s.ok(err)
	s.equal(got.ID, a.ID)
}

// bigGroup: one user added to a large group is a handful of writes and one event.
func bigGroup(s *suite) {
	n := testscale.N(2000, 100_000)
	big, top := s.group("big"), s.group("top")
	s.link(true, top, big)
	s.ok(s.update(func(tx *identitystore.Tx) error {
		for i := range n {
			u, err := tx.CreateUser(s.ctx(), &identitystore.User{UserName: fmt.Sprintf("u%05d", i)})
			if err != nil {
				return err
			}
			e := identitystore.Edge{Parent: big.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser}
			if err := tx.Link(s.ctx(), e); err != nil {
				return err
			}
		}
		return nil
	}))
	counts, err := s.svc.Reader().Counts(s.ctx())
	s.ok(err)
	s.equal(counts, identitystore.Counts{Users: n, Groups: 2, Memberships: 2 * n, Edges: n + 1})
	members, err := s.svc.Reader().Members(s.ctx(), top.Key, 0, n+1)
	s.ok(err)
	s.equal(len(members), n)
	late := s.user("late")
	s.tick()
	seq, err := s.svc.Reader().LastSeq(s.ctx())
	s.ok(err)
	s.link(true, big, late)
	events, err := s.svc.Events(s.ctx(), seq, 10)
	s.ok(err)
	s.equal(len(events), 1)
	s.equal(events[0].ID, late.ID)
	s.equal(len(events[0].Added), 2)
	s.link(false, top, big)
	members, err = s.svc.Reader().Members(s.ctx(), top.Key, 0, 10)
	s.ok(err)
	s.equal(len(members), 0)
	members, err = s.svc.Reader().Members(s.ctx(), big.Key, 0, n+10)
	s.ok(err)
	s.equal(len(members), n+1)
}

func hideDisabled(s *suite) {
	s.svc = s.open(identitystore.Config{Tenant: "d-00000000ee", HideDisabled: true})
	u, g := s.user("u"), s.group("g")
	s.link(true, g, u)
	set := func(status identitystore.Status) {
		s.ok(s.update(func(tx *identitystore.Tx) error {
			now, err := tx.UserByID(s.ctx(), u.ID)
			s.ok(err)
			c := now.Clone()
			c.Status, c.Link.DN = status, "CN=\xff\x00"
			_, err = tx.UpdateUser(s.ctx(), c)
			return err
		}))
	}
	set(identitystore.StatusDisabled)
	s.equal(s.groupsOf(s.svc, u), []string{})
	set(identitystore.StatusEnabled)
	s.equal(s.groupsOf(s.svc, u), []string{"g"})
}

func ownership(s *suite) {
	ctx := s.ctx()
	var u *identitystore.User
	var g *identitystore.Group
	s.ok(s.update(func(tx *identitystore.Tx) error {
		var err error
		u, err = tx.CreateUser(ctx, &identitystore.User{UserName: "u@corp", Link: identitystore.Link{Source: "ad", GUID: "1", Origin: identitystore.OriginSync, Owned: []string{"displayName", "name.givenName"}}})
		if err != nil {
			return err
		}
		g, err = tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "g@corp", Link: identitystore.Link{Source: "ad", GUID: "2", Origin: identitystore.OriginSync}})
		return err
	}))
	wantDenied := func(err error) {
		s.Helper()
		s.is(err, identitystore.ErrDenied)
		var d *identitystore.AccessDeniedError
		s.truth(errors.As(err, &d), "the error says what belongs to the source")
	}
	for _, path := range []string{"displayName", "name.givenName", "name", "title"} {
		_, err := s.svc.UpdateUser(ctx, author(), u.ID, "", identitystore.Set(path, "x"))
		wantDenied(err)
	}
	wantDenied(s.svc.DeleteUser(ctx, author(), u.ID, ""))
	wantDenied(s.svc.DeleteGroup(ctx, author(), g.ID, ""))
	_, err := s.svc.UpdateGroup(ctx, author(), g.ID, "", identitystore.Set("description", "x"))
	wantDenied(err)
	v := s.user("v")
	_, err = s.svc.CreateGroupMembership(ctx, author(), g.ID, v.ID)
	wantDenied(err)
	open := s.open(identitystore.Config{AllowUnmappedWrites: true})
	_, err = open.UpdateUser(ctx, author(), u.ID, "", identitystore.Set("title", "x"))
	s.ok(err)
	_, err = open.UpdateUser(ctx, author(), u.ID, "", identitystore.Set("name.givenName", "x"))
	wantDenied(err)
}
