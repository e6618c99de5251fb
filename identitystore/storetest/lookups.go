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
	l := &lookupRig{suite: s}
	l.create()
	l.byEmail("MAIN@x.test", 10, "[u one]")
	l.byEmail("main@x.test", 1, "[u]")
	l.byEmail("first@x.test", 10, "[u]")
	l.byEmail("last@x.test", 10, "[u]")
	l.byEmail("nobody@x.test", 10, "[]")
	l.byExternalID(2)

	s.link(true, l.group, l.user)
	s.link(true, l.group, l.inner)
	s.link(true, l.inner, l.one)
	s.ok(s.update(func(tx *identitystore.Tx) error { // an edge of another kind between the same two
		return tx.Link(s.ctx(), identitystore.Edge{Parent: l.group.Key, Child: l.user.Key, Via: identitystore.ViaSCIM, ChildKind: identitystore.KindUser})
	}))
	l.members("user "+l.user.ID, "group "+l.inner.ID)

	c := l.user.Clone()
	c.Emails, c.ExternalIDs = c.Emails[:2], nil
	l.put(c)
	l.byEmail("last@x.test", 10, "[]")
	l.byEmail("first@x.test", 10, "[u]")
	l.byExternalID(1)
	s.ok(s.svc.DeleteUser(s.ctx(), author(), l.user.ID, ""))
	l.byEmail("main@x.test", 10, "[one]")
	l.byEmail("first@x.test", 10, "[]")
	l.members("group " + l.inner.ID)
	users, groups, err := identitystore.Lookups(s.svc.Reader()).Records(s.ctx())
	s.ok(err)
	s.equal([]int{users, groups}, []int{1, 2})
	l.tombstone()
}

type lookupRig struct {
	*suite
	user, one    *identitystore.User
	group, inner *identitystore.Group
}

func (l *lookupRig) create() {
	l.user = &identitystore.User{
		UserName: "u", Emails: []identitystore.MultiValue{{Value: "First@x.test"}, {Value: "Main@x.test", Primary: true}, {Value: "last@x.test"}, {Value: "LAST@x.test"}},
		ExternalIDs: []identitystore.ExternalID{{Issuer: "a", ID: "Ext"}, {Issuer: "b", ID: "Ext"}},
	}
	l.one = &identitystore.User{UserName: "one", Emails: []identitystore.MultiValue{{Value: "main@x.test", Primary: true}}}
	l.group = &identitystore.Group{DisplayName: "g", ExternalIDs: []identitystore.ExternalID{{Issuer: "c", ID: "Ext"}}}
	l.inner = &identitystore.Group{DisplayName: "inner"}
	l.ok(l.update(func(tx *identitystore.Tx) error {
		var err error
		for _, to := range []**identitystore.User{&l.user, &l.one} {
			if *to, err = tx.CreateUser(l.ctx(), *to); err != nil {
				return err
			}
		}
		for _, to := range []**identitystore.Group{&l.group, &l.inner} {
			if *to, err = tx.CreateGroup(l.ctx(), *to); err != nil {
				return err
			}
		}
		users, groups, err := identitystore.Lookups(tx).Records(l.ctx())
		l.equal([]int{users, groups}, []int{2, 2})
		return err
	}))
}

func (l *lookupRig) put(u *identitystore.User) {
	l.Helper()
	l.ok(l.update(func(tx *identitystore.Tx) error {
		_, err := tx.UpdateUser(l.ctx(), u)
		return err
	}))
}

func (l *lookupRig) byEmail(email string, limit int, want string) {
	l.Helper()
	found, err := identitystore.Lookups(l.svc.Reader()).UsersByAnyEmail(l.ctx(), identitystore.FoldName(email), limit)
	l.ok(err)
	names := []string{}
	for _, u := range found {
		names = append(names, u.UserName)
	}
	l.equal(fmt.Sprint(names), want)
}

func (l *lookupRig) byExternalID(want int) {
	l.Helper()
	found, err := identitystore.Lookups(l.svc.Reader()).RefsByExternalID(l.ctx(), "Ext")
	l.ok(err)
	l.equal(len(found), want)
}

func (l *lookupRig) members(want ...string) {
	l.Helper()
	found, err := identitystore.Lookups(l.svc.Reader()).DirectMembers(l.ctx(), l.group.Key)
	l.ok(err)
	got := []string{}
	for _, r := range found {
		got = append(got, string(r.Kind)+" "+r.ID)
	}
	l.equal(got, want)
}

// tombstone: what a directory deletes is not found, and found again when it comes back.
func (l *lookupRig) tombstone() {
	ad := &identitystore.User{UserName: "ad", Emails: []identitystore.MultiValue{{Value: "p@x.test", Primary: true}, {Value: "q@x.test"}}, Link: identitystore.Link{Source: "ad", GUID: "1"}}
	l.ok(l.update(func(tx *identitystore.Tx) error {
		var err error
		ad, err = tx.CreateUser(l.ctx(), ad)
		return err
	}))
	l.ok(l.update(func(tx *identitystore.Tx) error {
		return tx.Delete(l.ctx(), identitystore.Ref{Key: ad.Key, Kind: identitystore.KindUser, ID: ad.ID}, "gone")
	}))
	l.byEmail("q@x.test", 10, "[]")
	c := ad.Clone()
	c.Link.State = identitystore.StateActive
	l.put(c)
	l.byEmail("q@x.test", 10, "[ad]")
}
