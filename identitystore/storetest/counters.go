package storetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// counters: what a store says it holds is what it holds, whatever was written twice, changed in place, taken away in
// bulk, or not there to be taken away.
func counters(s *suite) {
	ctx := s.ctx()
	check := func(want identitystore.Counts) {
		s.Helper()
		got, err := s.svc.Reader().Counts(ctx)
		s.ok(err)
		s.equal(got, want)
		s.equal(counted(ctx, s), want)
		s.ok(s.svc.Update(ctx, author(), func(tx *identitystore.Tx) error {
			inside, err := tx.Counts(ctx)
			s.equal(inside, want)
			return err
		}))
	}
	check(identitystore.Counts{})
	top, mid := s.group("top"), s.group("mid")
	const n = 600 // more than one statement
	var users []*identitystore.User
	var edges []identitystore.Edge
	s.ok(s.update(func(tx *identitystore.Tx) error {
		users, edges = nil, nil
		for i := range n {
			u, err := tx.CreateUser(ctx, &identitystore.User{UserName: fmt.Sprint("u", i)})
			if err != nil {
				return err
			}
			users = append(users, u)
			edges = append(edges, identitystore.Edge{Parent: mid.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
		}
		return tx.Link(ctx, edges...)
	}))
	check(identitystore.Counts{Users: n, Groups: 2, Memberships: n, Edges: n})
	s.ok(s.update(func(tx *identitystore.Tx) error { return tx.Link(ctx, edges...) })) // again
	check(identitystore.Counts{Users: n, Groups: 2, Memberships: n, Edges: n})
	s.link(true, top, mid)
	check(identitystore.Counts{Users: n, Groups: 2, Memberships: 2 * n, Edges: n + 1})
	var direct []identitystore.Edge
	for i := range edges { // a second edge of another kind; and a shorter way to top, which changes a depth
		e := edges[i]
		e.Via = identitystore.ViaManual
		direct = append(direct, e)
		e.Parent = top.Key
		direct = append(direct, e)
	}
	s.ok(s.update(func(tx *identitystore.Tx) error { return tx.Link(ctx, direct...) }))
	check(identitystore.Counts{Users: n, Groups: 2, Memberships: 2 * n, Edges: 3*n + 1})
	m, err := s.svc.Reader().Membership(ctx, top.Key, users[n-1].Key)
	s.ok(err)
	s.truth(m.Direct && m.Depth == 1, "the shorter way counts")
	s.ok(s.update(func(tx *identitystore.Tx) error { return tx.Unlink(ctx, edges...) }))
	s.ok(s.update(func(tx *identitystore.Tx) error { return tx.Unlink(ctx, edges...) })) // nothing is there
	check(identitystore.Counts{Users: n, Groups: 2, Memberships: 2 * n, Edges: 2*n + 1})
	for i := range edges {
		edges[i].Via = "" // all kinds
	}
	s.ok(s.update(func(tx *identitystore.Tx) error { return tx.Unlink(ctx, edges...) }))
	check(identitystore.Counts{Users: n, Groups: 2, Memberships: n, Edges: n + 1})
	s.ok(s.svc.DeleteUser(ctx, author(), users[0].ID, ""))
	check(identitystore.Counts{Users: n - 1, Groups: 2, Memberships: n - 1, Edges: n})
	s.ok(s.svc.DeleteGroup(ctx, author(), top.ID, ""))
	check(identitystore.Counts{Users: n - 1, Groups: 1})
}

// counted goes through the store.
func counted(ctx context.Context, s *suite) identitystore.Counts {
	s.Helper()
	var c identitystore.Counts
	r := s.svc.Reader()
	users, err := r.ListUsers(ctx, "", 10_000)
	s.ok(err)
	groups, err := r.ListGroups(ctx, "", 10_000)
	s.ok(err)
	c.Users, c.Groups = len(users), len(groups)
	for _, g := range groups {
		members, err := r.Members(ctx, g.Key, 0, 10_000)
		s.ok(err)
		edges, err := r.ChildEdges(ctx, []identitystore.Key{g.Key})
		s.ok(err)
		c.Memberships, c.Edges = c.Memberships+len(members), c.Edges+len(edges)
	}
	return c
}

// externalIDs come back as they were written, alone and beside other attributes, with any text.
func externalIDs(s *suite) {
	ctx := s.ctx()
	e := func(issuer, id string) identitystore.ExternalID {
		return identitystore.ExternalID{Issuer: issuer, ID: id}
	}
	for i, ids := range [][]identitystore.ExternalID{
		{e("scim", "1")}, {e("scim", "2"), e("https://idp.example.test/a b", "x y")}, {e("\"{", "\x1f")}, {e("a\x1fb", "c"), e("a", "b\x1fc")}, {e("x", "x")},
	} {
		for _, nick := range []string{"", "nick"} {
			u := &identitystore.User{UserName: fmt.Sprint("u", i, nick), NickName: nick}
			g := &identitystore.Group{DisplayName: fmt.Sprint("g", i, nick)}
			for _, x := range ids {
				u.ExternalIDs = append(u.ExternalIDs, e(x.Issuer, x.ID+"u"+nick))
				g.ExternalIDs = append(g.ExternalIDs, e(x.Issuer, x.ID+"g"+nick))
			}
			s.ok(s.update(func(tx *identitystore.Tx) error {
				if _, err := tx.CreateUser(ctx, u); err != nil {
					return err
				}
				_, err := tx.CreateGroup(ctx, g)
				return err
			}))
			gotU, err := s.svc.UserByName(ctx, u.UserName)
			s.ok(err)
			s.equal(gotU.ExternalIDs, u.ExternalIDs)
			s.equal(gotU.NickName, nick)
			gotG, err := s.svc.GroupByName(ctx, g.DisplayName)
			s.ok(err)
			s.equal(gotG.ExternalIDs, g.ExternalIDs)
			id, err := s.svc.UserID(ctx, identitystore.AlternateIdentifier{ExternalID: u.ExternalIDs[0]})
			s.ok(err)
			s.equal(id, gotU.ID)
		}
	}
}

// malformed asks for ids that no store gives out, and for nothing at all.
func malformed(s *suite) {
	ctx, r := s.ctx(), s.svc.Reader()
	u, g := s.user("u"), s.group("g")
	s.link(true, g, u)
	m, err := r.Membership(ctx, g.Key, u.Key)
	s.ok(err)
	good, err := r.MembershipByID(ctx, m.ID)
	s.ok(err)
	s.equal(good, m)
	for _, id := range []string{
		"", "x", m.ID[:35], m.ID + "0", strings.ToUpper(m.ID[:35]) + "G", strings.ReplaceAll(m.ID, "-", "0"), strings.ReplaceAll(m.ID, "-", ""),
		m.ID[:35] + "g", m.ID[:35] + "\x00", "g" + m.ID[1:], m.ID[:8] + "+" + m.ID[9:], m.ID[:35] + "é", " " + m.ID[1:],
	} {
		_, err := r.MembershipByID(ctx, id)
		s.is(err, identitystore.ErrNotFound)
	}
	in, err := r.InGroups(ctx, u.Key, nil)
	s.ok(err)
	s.equal(len(in), 0)
	in, err = r.InGroups(ctx, u.Key, []string{g.ID, "", "x", g.ID, u.ID})
	s.ok(err)
	s.equal(in, []bool{true, false, false, true, false})
	for _, keys := range [][]identitystore.Key{nil, {0}, {-1, 1 << 40}} {
		us, err := r.Users(ctx, keys)
		s.ok(err)
		s.equal(len(us), 0)
		es, err := r.ParentEdges(ctx, keys)
		s.ok(err)
		s.equal(len(es), 0)
	}
}
