package storetest

import (
	"fmt"

	"github.com/adfedkit/adfedkit/identitystore"
)

// lookups is for stores whose readers are an [identitystore.LookupReader] too.
func lookups(s *suite) {
	if identitystore.Lookups(s.svc.Reader()) == nil {
		return
	}
	s.svc = s.open(identitystore.Config{Limits: identitystore.LimitsWide()})
	u := &identitystore.User{
		UserName: "u", Emails: []identitystore.MultiValue{{Value: "First@x.test"}, {Value: "Main@x.test", Primary: true}, {Value: "last@x.test"}, {Value: "LAST@x.test"}},
		ExternalIDs: []identitystore.ExternalID{{Issuer: "a", ID: "Ext"}, {Issuer: "b", ID: "Ext"}},
	}
	one := &identitystore.User{UserName: "one", Emails: []identitystore.MultiValue{{Value: "main@x.test", Primary: true}}}
	g := &identitystore.Group{DisplayName: "g", ExternalIDs: []identitystore.ExternalID{{Issuer: "c", ID: "Ext"}}}
	inner := &identitystore.Group{DisplayName: "inner"}
	s.ok(s.update(func(tx *identitystore.Tx) error {
		var err error
		for _, to := range []**identitystore.User{&u, &one} {
			if *to, err = tx.CreateUser(s.ctx(), *to); err != nil {
				return err
			}
		}
		for _, to := range []**identitystore.Group{&g, &inner} {
			if *to, err = tx.CreateGroup(s.ctx(), *to); err != nil {
				return err
			}
		}
		users, groups, err := identitystore.Lookups(tx).Records(s.ctx())
		s.equal([]int{users, groups}, []int{2, 2})
		return err
	}))
	names := func(email string, limit int) string {
		found, err := identitystore.Lookups(s.svc.Reader()).UsersByAnyEmail(s.ctx(), identitystore.FoldName(email), limit)
		s.ok(err)
		out := []string{}
		for _, u := range found {
			out = append(out, u.UserName)
		}
		return fmt.Sprint(out)
	}
	s.equal(names("MAIN@x.test", 10), "[u one]")
	s.equal(names("main@x.test", 1), "[u]")
	s.equal(names("first@x.test", 10), "[u]")
	s.equal(names("last@x.test", 10), "[u]")
	s.equal(names("nobody@x.test", 10), "[]")
	refs := func() int {
		found, err := identitystore.Lookups(s.svc.Reader()).RefsByExternalID(s.ctx(), "Ext")
		s.ok(err)
		return len(found)
	}
	s.equal(refs(), 2)

	members := func() string {
		found, err := identitystore.Lookups(s.svc.Reader()).DirectMembers(s.ctx(), g.Key)
		s.ok(err)
		out := []string{}
		for _, r := range found {
			out = append(out, string(r.Kind)+" "+r.ID)
		}
		return fmt.Sprint(out)
	}
	s.link(true, g, u)
	s.link(true, g, inner)
	s.link(true, inner, one)
	s.ok(s.update(func(tx *identitystore.Tx) error { // an edge of another kind between the same two
		return tx.Link(s.ctx(), identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaSCIM, ChildKind: identitystore.KindUser})
	}))
	s.equal(members(), fmt.Sprint([]string{"user " + u.ID, "group " + inner.ID}))

	c := u.Clone()
	c.Emails, c.ExternalIDs = c.Emails[:2], nil
	s.ok(s.update(func(tx *identitystore.Tx) error { _, err := tx.UpdateUser(s.ctx(), c); return err }))
	s.equal(names("last@x.test", 10), "[]")
	s.equal(names("first@x.test", 10), "[u]")
	s.equal(refs(), 1)
	s.ok(s.svc.DeleteUser(s.ctx(), author(), u.ID, ""))
	s.equal(names("main@x.test", 10), "[one]")
	s.equal(names("first@x.test", 10), "[]")
	s.equal(members(), fmt.Sprint([]string{"group " + inner.ID}))
	users, groups, err := identitystore.Lookups(s.svc.Reader()).Records(s.ctx())
	s.ok(err)
	s.equal([]int{users, groups}, []int{1, 2})

	// what a directory deletes is not found, and found again when it comes back
	ad := &identitystore.User{UserName: "ad", Emails: []identitystore.MultiValue{{Value: "p@x.test", Primary: true}, {Value: "q@x.test"}}, Link: identitystore.Link{Source: "ad", GUID: "1"}}
	s.ok(s.update(func(tx *identitystore.Tx) error { var err error; ad, err = tx.CreateUser(s.ctx(), ad); return err }))
	s.ok(s.update(func(tx *identitystore.Tx) error {
		return tx.Delete(s.ctx(), identitystore.Ref{Key: ad.Key, Kind: identitystore.KindUser, ID: ad.ID}, "gone")
	}))
	s.equal(names("q@x.test", 10), "[]")
	c = ad.Clone()
	c.Link.State = identitystore.StateActive
	s.ok(s.update(func(tx *identitystore.Tx) error { _, err := tx.UpdateUser(s.ctx(), c); return err }))
	s.equal(names("q@x.test", 10), "[ad]")
}
