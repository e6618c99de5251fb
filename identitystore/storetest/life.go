package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

func (s *suite) setName(tx *identitystore.Tx, id, name string) error {
	u, err := tx.UserByID(s.ctx(), id)
	if err != nil {
		return err
	}
	c := u.Clone()
	c.UserName = name
	_, err = tx.UpdateUser(s.ctx(), c)
	return err
}

func swaps(s *suite) {
	a, b, c := s.user("a"), s.user("b"), s.user("c")
	s.ok(s.update(func(tx *identitystore.Tx) error {
		return errors.Join(s.setName(tx, a.ID, "b"), s.setName(tx, b.ID, "a"))
	}))
	s.ok(s.update(func(tx *identitystore.Tx) error { // a ring of three
		return errors.Join(s.setName(tx, a.ID, "c"), s.setName(tx, c.ID, "a"), s.setName(tx, b.ID, "b"))
	}))
	for name, id := range map[string]string{"a": c.ID, "b": b.ID, "c": a.ID} {
		u, err := s.svc.UserByName(s.ctx(), name)
		s.ok(err)
		s.equal(u.ID, id)
	}
	err := s.update(func(tx *identitystore.Tx) error { return s.setName(tx, a.ID, "B") }) // nobody moved away
	s.is(err, identitystore.ErrConflict)
	u, err := s.svc.UserByName(s.ctx(), "b")
	s.ok(err)
	s.equal(u.ID, b.ID)
	s.ok(s.update(func(tx *identitystore.Tx) error { // the name of somebody who goes
		if err := s.setName(tx, a.ID, "b"); err != nil {
			return err
		}
		return tx.Delete(s.ctx(), identitystore.Ref{Key: b.Key, Kind: identitystore.KindUser, ID: b.ID}, "gone")
	}))
	s.ok(s.update(func(tx *identitystore.Tx) error { // a new user takes the name of one who is renamed later
		if _, err := tx.CreateUser(s.ctx(), &identitystore.User{UserName: "a"}); err != nil {
			return err
		}
		return s.setName(tx, c.ID, "c")
	}))
	err = s.update(func(tx *identitystore.Tx) error {
		_, err := tx.CreateUser(s.ctx(), &identitystore.User{UserName: "new"})
		if err != nil {
			return err
		}
		_, err = tx.CreateUser(s.ctx(), &identitystore.User{UserName: "NEW"})
		return err
	})
	s.is(err, identitystore.ErrConflict)
}

func groupSwaps(s *suite) {
	a, b := s.group("a"), s.group("b")
	set := func(tx *identitystore.Tx, id, name string) error {
		g, err := tx.GroupByID(s.ctx(), id)
		if err != nil {
			return err
		}
		c := g.Clone()
		c.DisplayName = name
		_, err = tx.UpdateGroup(s.ctx(), c)
		return err
	}
	s.ok(s.update(func(tx *identitystore.Tx) error { return errors.Join(set(tx, a.ID, "b"), set(tx, b.ID, "a")) }))
	got, err := s.svc.GroupByName(s.ctx(), "a")
	s.ok(err)
	s.equal(got.ID, b.ID)
	s.is(s.update(func(tx *identitystore.Tx) error { return set(tx, a.ID, "A") }), identitystore.ErrConflict)
}

func mail(v string) []identitystore.MultiValue {
	return []identitystore.MultiValue{{Value: v, Type: "work", Primary: true}}
}

func emails(s *suite) {
	ctx := s.ctx()
	a, err := s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: "a", Emails: mail("a@x")})
	s.ok(err)
	_, err = s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: "b", Emails: mail("A@X")})
	s.is(err, identitystore.ErrConflict)
	b, err := s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: "b", Emails: mail("b@x")})
	s.ok(err)
	set := func(tx *identitystore.Tx, id, v string) error {
		u, err := tx.UserByID(ctx, id)
		if err != nil {
			return err
		}
		c := u.Clone()
		c.SetEmail(v)
		_, err = tx.UpdateUser(ctx, c)
		return err
	}
	s.ok(s.update(func(tx *identitystore.Tx) error { return errors.Join(set(tx, a.ID, "b@x"), set(tx, b.ID, "a@x")) }))
	s.is(s.update(func(tx *identitystore.Tx) error { return set(tx, a.ID, "a@x") }), identitystore.ErrConflict)
	s.ok(s.svc.DeleteUser(ctx, author(), b.ID, ""))
	s.ok(s.update(func(tx *identitystore.Tx) error { return set(tx, a.ID, "a@x") }))
	found, err := s.svc.Reader().UsersByEmail(ctx, "b@x", 5)
	s.ok(err)
	s.equal(len(found), 0)
	wide := s.open(identitystore.Config{Tenant: "d-00000000bb", Limits: identitystore.LimitsWide()})
	for _, name := range []string{"a", "b"} {
		_, err := wide.CreateUser(ctx, author(), &identitystore.User{UserName: name, Emails: mail("same@x")})
		s.ok(err)
	}
	found, err = wide.Reader().UsersByEmail(ctx, "same@x", 5)
	s.ok(err)
	s.equal(len(found), 2)
}

func synced(name, guid string) *identitystore.User {
	return &identitystore.User{UserName: name, Emails: mail(name), Link: identitystore.Link{Source: "ad", GUID: guid, SID: "S-1-5-21-1-2-3-" + guid, Origin: identitystore.OriginSync}}
}

func tombstones(s *suite) { //nolint:funlen // one story
	ctx := s.ctx()
	g := s.group("g")
	var u *identitystore.User
	s.ok(s.update(func(tx *identitystore.Tx) error {
		var err error
		u, err = tx.CreateUser(ctx, synced("u@corp", "1001"))
		return err
	}))
	s.link(true, g, u)
	ref := identitystore.Ref{Key: u.Key, Kind: identitystore.KindUser, ID: u.ID}
	s.is(s.update(func(tx *identitystore.Tx) error { return tx.Purge(ctx, ref) }), identitystore.ErrDenied)
	s.ok(s.update(func(tx *identitystore.Tx) error { return tx.Delete(ctx, ref, "deleted in the directory") }))
	_, err := s.svc.DescribeUser(ctx, u.ID)
	s.is(err, identitystore.ErrNotFound)
	_, err = s.svc.UserByName(ctx, "u@corp")
	s.is(err, identitystore.ErrNotFound)
	users, _, err := s.svc.ListUsers(ctx, identitystore.ListRequest{})
	s.ok(err)
	s.equal(len(users), 0)
	members, err := s.svc.Reader().Members(ctx, g.Key, 0, 10)
	s.ok(err)
	s.equal(len(members), 0)
	counts, err := s.svc.Reader().Counts(ctx)
	s.ok(err)
	s.equal(counts, identitystore.Counts{Groups: 1})
	tomb, err := s.svc.UserByGUID(ctx, "ad", "1001")
	s.ok(err)
	s.equal([]any{tomb.ID, tomb.Link.State, tomb.Link.Reason}, []any{u.ID, identitystore.StateTombstone, "deleted in the directory"})
	refs, err := s.svc.Reader().Tombstones(ctx, 0, 10)
	s.ok(err)
	s.equal(refs, []identitystore.Ref{ref})

	var again *identitystore.User // another object with the old name: a new id
	s.ok(s.update(func(tx *identitystore.Tx) error {
		var err error
		again, err = tx.CreateUser(ctx, synced("u@corp", "1002"))
		return err
	}))
	s.truth(again.ID != u.ID, "a re-created object gets a new id")
	restore := func(name string) error {
		return s.update(func(tx *identitystore.Tx) error { //nolint:contextcheck // the context of the suite
			old, err := tx.UserByID(ctx, u.ID)
			if err != nil {
				return err
			}
			c := old.Clone()
			c.UserName, c.Link.State = name, identitystore.StateActive
			c.SetEmail(name)
			_, err = tx.UpdateUser(ctx, c)
			return err
		})
	}
	s.is(restore("u@corp"), identitystore.ErrConflict) // its name was given to somebody else
	s.ok(restore("u2@corp"))
	back, err := s.svc.UserByName(ctx, "u2@corp")
	s.ok(err)
	s.equal(back.ID, u.ID)
	events, err := s.svc.Events(ctx, 0, 100)
	s.ok(err)
	var ops []string
	for _, e := range events {
		if e.ID == u.ID {
			ops = append(ops, string(e.Op))
		}
	}
	s.equal(strings.Join(ops, " "), "create memberships delete memberships restore")

	s.ok(s.update(func(tx *identitystore.Tx) error { return tx.Delete(ctx, ref, "deleted again") }))
	s.now = s.now.Add(200 * 24 * time.Hour)
	s.ok(s.svc.Prune(ctx))
	_, err = s.svc.UserByGUID(ctx, "ad", "1001")
	s.is(err, identitystore.ErrNotFound)
	events, err = s.svc.Events(ctx, mustSeq(s)-1, 100)
	s.ok(err)
	s.equal(events[len(events)-1].Op, identitystore.OpPurge)
}

func mustSeq(s *suite) int64 {
	s.Helper()
	n, err := s.svc.Reader().LastSeq(s.ctx())
	s.ok(err)
	return n
}

func adSignIn(name string) identitystore.SignIn {
	return identitystore.SignIn{
		Source: "ad", GUID: "1001", SID: "S-1-5-21-1-2-3-1001", UserName: name, Create: true,
		Mapped: []identitystore.MappedValue{{Path: "userName", Value: new(name)}, {Path: "displayName", Value: new("U")}, {Path: "emails.value", Value: new(name)}, {Path: "name.givenName"}},
	}
}

func signIn(s *suite) { //nolint:funlen // one story
	ctx := s.ctx()
	no := adSignIn("u@corp")
	no.Create = false
	_, err := s.svc.SignIn(ctx, no)
	s.is(err, identitystore.ErrNotProvisioned)
	_, err = s.svc.SignIn(ctx, identitystore.SignIn{Create: true})
	s.is(err, identitystore.ErrInvalid)
	first, err := s.svc.SignIn(ctx, adSignIn("u@corp"))
	s.ok(err)
	s.truth(first.Created, "created just in time")
	u := first.User
	s.equal([]any{u.UserName, u.DisplayName, u.Email(), u.Link.Origin, u.Link.State, u.Link.InScope()},
		[]any{"u@corp", "U", "u@corp", identitystore.OriginJIT, identitystore.StateUnscoped, false})
	s.equal(s.groupsOf(s.svc, u), []string{})

	// A field that nobody mapped is nobody's but its writer's.
	open := s.open(identitystore.Config{AllowUnmappedWrites: true})
	_, err = open.UpdateUser(ctx, author(), u.ID, "", identitystore.Set("title", "Engineer"))
	s.ok(err)
	s.tick()
	in := adSignIn("new@corp") // renamed in the directory
	second, err := s.svc.SignIn(ctx, in)
	s.ok(err)
	s.equal([]any{second.Created, second.User.ID, second.User.UserName, second.User.Title, second.User.Link.LastSignIn}, []any{false, u.ID, "new@corp", "Engineer", s.now})
	rev := second.User.Revision()
	s.tick()
	third, err := s.svc.SignIn(ctx, in)
	s.ok(err)
	s.equal([]any{third.User.Revision(), len(third.Changed)}, []any{rev, 0})

	// Another object with the record's SID is another person, who takes nothing over.
	impostor := adSignIn("impostor@corp")
	impostor.GUID = "another object"
	_, err = s.svc.SignIn(ctx, impostor)
	s.is(err, identitystore.ErrConflict)
	impostor.Create = false
	_, err = s.svc.SignIn(ctx, impostor)
	s.is(err, identitystore.ErrNotProvisioned)

	// Somebody else has the address: the sign-in goes on without it.
	_, err = s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: "x", Emails: mail("taken@corp")})
	s.ok(err)
	in.Mapped[2].Value = new("TAKEN@corp")
	fourth, err := s.svc.SignIn(ctx, in)
	s.ok(err)
	s.equal([]any{fourth.EmailDropped, fourth.User.Email()}, []any{true, "new@corp"})
	// Somebody else has the name: it is never taken over.
	in.Mapped[0].Value = new("X")
	_, err = s.svc.SignIn(ctx, in)
	s.is(err, identitystore.ErrConflict)

	// A foreign identity provider names people by user name, and finds only those who were provisioned.
	foreign, err := s.svc.SignIn(ctx, identitystore.SignIn{UserName: "NEW@corp"})
	s.ok(err)
	s.equal(foreign.User.ID, u.ID)
	_, err = s.svc.SignIn(ctx, identitystore.SignIn{UserName: "taken@corp"})
	s.is(err, identitystore.ErrNotProvisioned)
	byMail, err := s.svc.SignIn(ctx, identitystore.SignIn{UserName: "taken@corp", InsecureMatchEmail: true})
	s.ok(err)
	s.equal(byMail.User.UserName, "x")

	// Disabled users do not sign in, unless their own directory says otherwise.
	disable := func(owned bool) {
		s.ok(s.update(func(tx *identitystore.Tx) error { //nolint:contextcheck // the context of the suite
			old, err := tx.UserByID(ctx, u.ID)
			s.ok(err)
			c := old.Clone()
			c.Status = identitystore.StatusDisabled
			if owned {
				c.Link.Owned = append(c.Link.Owned, "userStatus")
			}
			_, err = tx.UpdateUser(ctx, c)
			return err
		}))
	}
	disable(false)
	_, err = s.svc.SignIn(ctx, adSignIn("new@corp"))
	s.is(err, identitystore.ErrDisabled)
	_, err = s.svc.SignIn(ctx, identitystore.SignIn{UserName: "new@corp"})
	s.is(err, identitystore.ErrDisabled)
	disable(true)
	_, err = s.svc.SignIn(ctx, identitystore.SignIn{UserName: "new@corp"})
	s.is(err, identitystore.ErrDisabled)
	enabled, err := s.svc.SignIn(ctx, adSignIn("new@corp"))
	s.ok(err)
	s.truth(enabled.User.Enabled(), "enabled by its directory")

	// A tombstone whose object let the person in is none.
	s.ok(s.update(func(tx *identitystore.Tx) error {
		return tx.Delete(ctx, identitystore.Ref{Key: u.Key, Kind: identitystore.KindUser, ID: u.ID}, "deleted")
	}))
	lifted, err := s.svc.SignIn(ctx, adSignIn("new@corp"))
	s.ok(err)
	s.equal([]any{lifted.Restored, lifted.Created, lifted.User.ID}, []any{true, false, u.ID})
}

// signInRace: many nodes create the same person at once, and one record comes out.
func signInRace(s *suite) {
	const n = 8
	var wg sync.WaitGroup
	ids := make([]string, n)
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			out, err := s.svc.SignIn(context.WithoutCancel(s.ctx()), adSignIn("u@corp"))
			errs[i] = err
			if err == nil {
				ids[i] = out.User.ID
			}
		})
	}
	wg.Wait()
	s.ok(errors.Join(errs...))
	for _, id := range ids {
		s.equal(id, ids[0])
	}
	users, _, err := s.svc.ListUsers(s.ctx(), identitystore.ListRequest{})
	s.ok(err)
	s.equal(len(users), 1)
}

// text: what was written comes back byte for byte, and nothing in it is taken for a command.
func text(s *suite) {
	var planes strings.Builder
	for p := rune(0); p <= 16; p++ {
		planes.WriteRune(p<<16 | 0x41)
	}
	for _, v := range []string{
		"'; DROP TABLE principal; --", `"quoted" \ back`, "%_%", "100%", "a\u202eb", "👩‍👩‍👧", "\u0085", "line\nbreak\ttab", planes.String(),
		strings.Repeat("x", 1000) + "é", "<b>&amp;</b>", "$1 ?1 :name @p", "null", "\\x00", "\ufeffbom",
	} {
		u, err := s.svc.CreateUser(s.ctx(), author(), &identitystore.User{UserName: "u", DisplayName: v, NickName: v})
		s.ok(err)
		got, err := s.svc.DescribeUser(s.ctx(), u.ID)
		s.ok(err)
		s.equal([]string{got.DisplayName, got.NickName}, []string{v, v})
		g, err := s.svc.CreateGroup(s.ctx(), author(), &identitystore.Group{DisplayName: v, Description: v})
		s.ok(err)
		found, err := s.svc.GroupByName(s.ctx(), v)
		s.ok(err)
		s.equal([]string{found.ID, found.DisplayName, found.Description}, []string{g.ID, v, v})
		_, err = s.svc.UserByName(s.ctx(), v)
		s.is(err, identitystore.ErrNotFound)
		s.ok(s.svc.DeleteUser(s.ctx(), author(), u.ID, ""))
		s.ok(s.svc.DeleteGroup(s.ctx(), author(), g.ID, ""))
	}
	big := strings.Repeat("0123456789", 10_000)
	wide := s.open(identitystore.Config{Tenant: "d-00000000bb", Limits: identitystore.LimitsWide()})
	u, err := wide.CreateUser(s.ctx(), author(), &identitystore.User{UserName: "u", Title: big})
	s.ok(err)
	got, err := wide.DescribeUser(s.ctx(), u.ID)
	s.ok(err)
	s.equal(got.Title == big, true)
}
