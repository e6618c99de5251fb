package storetest

import (
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// bulkUsers returns users with everything that a record can have; more than one statement of a database takes.
func bulkUsers(n int) []*identitystore.User {
	out := make([]*identitystore.User, n)
	for i := range out {
		u := &identitystore.User{
			UserName: fmt.Sprintf("User%d", i), DisplayName: fmt.Sprintf(`"{U\%d}", NULL`, i), Name: identitystore.Name{GivenName: "NULL", FamilyName: ""},
			ExternalIDs: []identitystore.ExternalID{{Issuer: "a", ID: fmt.Sprint(i)}, {Issuer: "b", ID: fmt.Sprint(i)}},
			Link:        identitystore.Link{Source: "ad", GUID: fmt.Sprintf("guid-%d", i), SID: fmt.Sprintf("S-1-5-21-%d", i), Origin: identitystore.OriginSync},
		}
		switch i % 5 {
		case 0:
			u.Emails = []identitystore.MultiValue{{Value: fmt.Sprintf("U%d@corp.example.test", i), Primary: true}, {Value: fmt.Sprintf("Other%d@corp.example.test", i)}}
		case 1:
			u.SetEmail(fmt.Sprintf("u%d@corp.example.test", i))
		case 2:
			u.Status, u.NickName = identitystore.StatusDisabled, "nick"
		case 3:
			u.Link, u.ExternalIDs = identitystore.Link{}, nil
		case 4:
			u.Link.State = identitystore.StateTombstone
		}
		out[i] = u
	}
	return out
}

// bulkCreate makes many records at once in one tenant and one by one in another: what is stored is the same.
func bulkCreate(s *suite) {
	const n = 1100
	ctx := s.ctx()
	s.ok(s.store.CreateTenant(ctx, identitystore.Tenant{ID: "d-00000000b1"}))
	single := s.open(identitystore.Config{Tenant: "d-00000000b1", Limits: identitystore.LimitsWide()})
	many := s.open(identitystore.Config{Limits: identitystore.LimitsWide()})
	var groups []*identitystore.Group
	for i := range 30 {
		groups = append(groups, &identitystore.Group{DisplayName: fmt.Sprintf("Group%d", i), Description: "d", ExternalIDs: []identitystore.ExternalID{{Issuer: "a", ID: fmt.Sprint("g", i)}}})
	}
	users := bulkUsers(n)
	fill := func(svc *identitystore.Service, create func(tx *identitystore.Tx) ([]*identitystore.User, []*identitystore.Group, error)) {
		s.ok(svc.Update(ctx, author(), func(tx *identitystore.Tx) error {
			us, gs, err := create(tx)
			if err != nil {
				return err
			}
			s.equal([]int{len(us), len(gs)}, []int{len(users), len(groups)})
			edges := []identitystore.Edge{{Parent: gs[1].Key, Child: gs[0].Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindGroup}}
			for i, u := range us {
				edges = append(edges, identitystore.Edge{Parent: gs[i%len(gs)].Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
			}
			return tx.Link(ctx, edges...)
		}))
	}
	fill(many, func(tx *identitystore.Tx) ([]*identitystore.User, []*identitystore.Group, error) {
		gs, err := tx.CreateGroups(ctx, groups)
		if err != nil {
			return nil, nil, err
		}
		us, err := tx.CreateUsers(ctx, users)
		return us, gs, err
	})
	fill(single, func(tx *identitystore.Tx) (us []*identitystore.User, gs []*identitystore.Group, err error) {
		for _, g := range groups {
			made, err := tx.CreateGroup(ctx, g)
			if err != nil {
				return nil, nil, err
			}
			gs = append(gs, made)
		}
		for _, u := range users {
			made, err := tx.CreateUser(ctx, u)
			if err != nil {
				return nil, nil, err
			}
			us = append(us, made)
		}
		return us, gs, nil
	})
	s.equal(s.contents(many, users), s.contents(single, users))
}

// contents returns what a tenant holds without what is random.
func (s *suite) contents(svc *identitystore.Service, users []*identitystore.User) []string {
	s.Helper()
	ctx, r := s.ctx(), svc.Reader()
	counts, err := r.Counts(ctx)
	s.ok(err)
	out := []string{fmt.Sprint(counts)}
	for _, u := range users {
		if u.Link.State == identitystore.StateTombstone {
			ref, err := r.Lookup(ctx, identitystore.ByGUID, u.Link.Source, u.Link.GUID)
			s.ok(err)
			out = append(out, fmt.Sprint(ref.Kind, ref.Key))
			_, err = svc.UserByName(ctx, u.UserName)
			s.is(err, identitystore.ErrNotFound)
			_, err = r.Lookup(ctx, identitystore.ByExternalID, "a", u.ExternalIDs[0].ID)
			s.is(err, identitystore.ErrNotFound)
			continue
		}
		got, err := svc.UserByName(ctx, strings.ToUpper(u.UserName))
		s.ok(err)
		for _, e := range got.Emails {
			found, err := identitystore.Lookups(r).UsersByAnyEmail(ctx, identitystore.FoldName(e.Value), 2)
			s.ok(err)
			s.truth(len(found) == 1 && found[0].ID == got.ID, "the address finds its user")
		}
		for _, e := range got.ExternalIDs {
			ref, err := r.Lookup(ctx, identitystore.ByExternalID, e.Issuer, e.ID)
			s.ok(err)
			s.equal(ref.ID, got.ID)
		}
		groups := s.groupsOf(svc, got)
		c := got.Clone()
		c.ID = ""
		out = append(out, fmt.Sprintf("%+v %v", *c, groups))
	}
	for after := int64(0); ; {
		events, err := s.store.Events(ctx, svc.Tenant(), after, 500)
		s.ok(err)
		if len(events) == 0 {
			return out
		}
		for _, e := range events {
			after = e.Seq
			out = append(out, fmt.Sprint(e.Seq, e.Txn, e.Op, e.Kind, e.Revision, len(e.Added), len(e.Removed)))
		}
	}
}

// bulkRefused gives lists of which one record cannot be made: nothing of the transaction stays.
func bulkRefused(s *suite) {
	ctx := s.ctx()
	const odd = `null,"\{}'?%_`
	ext := func(id string) []identitystore.ExternalID {
		return []identitystore.ExternalID{{Issuer: "x", ID: id}}
	}
	link := func(guid string) identitystore.Link { return identitystore.Link{Source: "ad", GUID: guid} }
	var old *identitystore.User
	s.ok(s.update(func(tx *identitystore.Tx) (err error) {
		if _, err = tx.CreateUser(ctx, &identitystore.User{UserName: odd, ExternalIDs: ext(odd)}); err != nil {
			return err
		}
		old, err = tx.CreateUser(ctx, &identitystore.User{UserName: "old", ExternalIDs: ext("1"), Link: link("g1")})
		return err
	}))
	_, err := s.svc.CreateGroup(ctx, author(), &identitystore.Group{DisplayName: "old"})
	s.ok(err)
	seq := mustSeq(s)
	for name, list := range map[string][]*identitystore.User{
		"name twice":        {{UserName: "a"}, {UserName: "A"}},
		"name of another":   {{UserName: "a"}, {UserName: "OLD"}},
		"id twice":          {{UserName: "a", ExternalIDs: ext("2")}, {UserName: "b", ExternalIDs: ext("2")}},
		"id of another":     {{UserName: "a", ExternalIDs: ext("1")}, {UserName: "b"}},
		"object of another": {{UserName: "a", Link: link("g1")}, {UserName: "b"}},
		"odd id":            {{UserName: "a"}, {UserName: "b", ExternalIDs: ext(odd)}},
		"not a name":        {{UserName: "a"}, {UserName: "b c"}},
	} {
		err := s.update(func(tx *identitystore.Tx) error {
			_, err := tx.CreateUsers(ctx, list)
			if name == "object of another" || name == "name of another" { // found by the store, or at the end
				return nil
			}
			return err
		})
		s.truth(err != nil, name)
		s.equal(mustSeq(s), seq)
		_, err = s.svc.UserByName(ctx, "a")
		s.is(err, identitystore.ErrNotFound)
	}
	err = s.update(func(tx *identitystore.Tx) error {
		_, err := tx.CreateGroups(ctx, []*identitystore.Group{{DisplayName: "new"}, {DisplayName: "Old"}})
		return err
	})
	s.is(err, identitystore.ErrConflict)
	s.is(s.update(func(tx *identitystore.Tx) error {
		_, err := tx.CreateUsers(ctx, []*identitystore.User{{UserName: "a"}, {UserName: odd}})
		return err
	}), identitystore.ErrConflict)
	s.ok(s.update(func(tx *identitystore.Tx) error { // the holder of the name gets another one later
		if _, err := tx.CreateUsers(ctx, []*identitystore.User{{UserName: "a"}, {UserName: "Old"}}); err != nil {
			return err
		}
		return s.setName(tx, old.ID, "older") //nolint:contextcheck // the context of the suite
	}))
	u, err := s.svc.UserByName(ctx, "older")
	s.ok(err)
	s.equal(u.ID, old.ID)
	u, err = s.svc.UserByName(ctx, "old")
	s.ok(err)
	s.truth(u.ID != old.ID, "the name went to the new user")
}

// ignoredFailure goes on after a record was refused, as no program should: the transaction fails all the same.
func ignoredFailure(s *suite) {
	ctx := s.ctx()
	link := identitystore.Link{Source: "ad", GUID: "g1"}
	err := s.update(func(tx *identitystore.Tx) error {
		if _, err := tx.CreateUser(ctx, &identitystore.User{UserName: "a", Link: link}); err != nil {
			return err
		}
		_, err := tx.CreateUser(ctx, &identitystore.User{UserName: "b", Link: link})
		s.is(err, identitystore.ErrConflict)
		return nil
	})
	s.is(err, identitystore.ErrConflict)
	for _, name := range []string{"a", "b"} {
		_, err := s.svc.UserByName(ctx, name)
		s.is(err, identitystore.ErrNotFound)
	}
	s.equal(mustSeq(s), int64(0))
}

// step is a part of a transaction.
type step func(*identitystore.Tx) error

// edgeStep adds or removes an edge between records named by name; a user wins over a group.
func (s *suite) edgeStep(add bool, parent, child string) step {
	ctx := s.ctx()
	return func(tx *identitystore.Tx) error {
		g, err := tx.GroupByName(ctx, parent)
		if err != nil {
			return err
		}
		e := identitystore.Edge{Parent: g.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser}
		if u, err := tx.UserByName(ctx, child); err == nil {
			e.Child = u.Key
		} else if below, err := tx.GroupByName(ctx, child); err == nil {
			e.Child, e.ChildKind = below.Key, identitystore.KindGroup
		} else {
			return err
		}
		if add {
			return tx.Link(ctx, e)
		}
		return tx.Unlink(ctx, e)
	}
}

func (s *suite) changeStep(name string, f func(*identitystore.User)) step {
	ctx := s.ctx()
	return func(tx *identitystore.Tx) error {
		u, err := tx.UserByName(ctx, name)
		if err != nil {
			return err
		}
		c := u.Clone()
		f(c)
		_, err = tx.UpdateUser(ctx, c)
		return err
	}
}

func (s *suite) deleteStep(kind identitystore.Kind, name string) step {
	ctx := s.ctx()
	return func(tx *identitystore.Tx) error {
		if kind == identitystore.KindUser {
			u, err := tx.UserByName(ctx, name)
			if err != nil {
				return err
			}
			return tx.Delete(ctx, identitystore.Ref{Key: u.Key, Kind: kind, ID: u.ID}, "gone")
		}
		g, err := tx.GroupByName(ctx, name)
		if err != nil {
			return err
		}
		return tx.Delete(ctx, identitystore.Ref{Key: g.Key, Kind: kind, ID: g.ID}, "gone")
	}
}

// freshSteps make users and change nearly all that can be changed about them.
func (s *suite) freshSteps(names []string) []step {
	ctx := s.ctx()
	add := func(parent, child string) step { return s.edgeStep(true, parent, child) }
	del := func(parent, child string) step { return s.edgeStep(false, parent, child) }
	return []step{
		func(tx *identitystore.Tx) error {
			var us []*identitystore.User
			for _, n := range names {
				us = append(us, &identitystore.User{UserName: n, DisplayName: n})
			}
			_, err := tx.CreateUsers(ctx, us)
			return err
		},
		func(tx *identitystore.Tx) error {
			_, err := tx.CreateGroups(ctx, []*identitystore.Group{{DisplayName: "g"}, {DisplayName: "h"}, {DisplayName: "top"}, {DisplayName: "gone"}})
			return err
		},
		add("g", "a"), add("g", "b"), add("h", "a"), add("h", "a"), add("top", "g"), add("gone", "a"), add("gone", "c"), add("top", "gone"),
		del("g", "b"), add("h", "b"), add("h", "d"), add("top", "e"),
		s.changeStep("d", func(u *identitystore.User) { u.Status = identitystore.StatusDisabled }),
		s.deleteStep(identitystore.KindGroup, "gone"),
		add("g", "c"), add("h", "e"), s.changeStep("e", func(u *identitystore.User) { u.Title = "t" }), add("g", "e"), del("top", "e"),
		s.deleteStep(identitystore.KindUser, "b"),
	}
}

// freshUsers does the same things in one transaction and in one each: what a transaction knows of the users that it made
// must not differ from what is stored.
func freshUsers(s *suite) {
	ctx := s.ctx()
	names := []string{"a", "b", "c", "d", "e"}
	steps := s.freshSteps(names)
	run := func(tenant string, at []int) []string {
		s.ok(s.store.CreateTenant(ctx, identitystore.Tenant{ID: tenant}))
		svc := s.open(identitystore.Config{Tenant: tenant, HideDisabled: true}) //nolint:contextcheck // the context of the suite
		from := 0
		for _, to := range append(at, len(steps)) {
			s.ok(svc.Update(ctx, author(), func(tx *identitystore.Tx) error {
				for _, f := range steps[from:to] {
					if err := f(tx); err != nil {
						return err
					}
				}
				return nil
			}))
			from = to
		}
		var out []string
		for _, n := range names {
			u, err := svc.UserByName(ctx, n)
			if err != nil {
				out = append(out, n+" is not there")
				continue
			}
			out = append(out, fmt.Sprint(n, s.groupsOf(svc, u))) //nolint:contextcheck // the context of the suite
		}
		return out
	}
	var each []int
	for i := 1; i < len(steps); i++ {
		each = append(each, i)
	}
	want := run("d-00000000f0", each)
	s.equal(want, []string{"a[g h top]", "b is not there", "c[g top]", "d[]", "e[g h top]"})
	s.equal(run("d-00000000f1", nil), want)
	s.equal(run("d-00000000f2", []int{7}), want)
	s.equal(run("d-00000000f3", []int{2, 14}), want)
}

// countsOfRestored deletes an object and restores it: it is counted as before.
func countsOfRestored(s *suite) {
	ctx := s.ctx()
	var u *identitystore.User
	s.ok(s.update(func(tx *identitystore.Tx) (err error) {
		u, err = tx.CreateUser(ctx, &identitystore.User{UserName: "a", Link: identitystore.Link{Source: "ad", GUID: "1", Origin: identitystore.OriginSync}})
		return err
	}))
	for _, state := range []identitystore.State{identitystore.StateTombstone, identitystore.StateActive, identitystore.StateTombstone, identitystore.StateActive} {
		s.ok(s.update(func(tx *identitystore.Tx) error {
			now, err := tx.UserByID(ctx, u.ID)
			if err != nil {
				return err
			}
			c := now.Clone()
			c.Link.State = state
			_, err = tx.UpdateUser(ctx, c)
			return err
		}))
		counts, err := s.svc.Reader().Counts(ctx)
		s.ok(err)
		want := 1
		if state == identitystore.StateTombstone {
			want = 0
		}
		s.equal(counts, identitystore.Counts{Users: want})
	}
}

// asWritten reads records back: every field is as it was written, and what was not written is not there.
func asWritten(s *suite) {
	ctx := s.ctx()
	wide := s.open(identitystore.Config{Limits: identitystore.LimitsWide()})
	list := append(bulkUsers(4), &identitystore.User{UserName: "bare"}, &identitystore.User{
		UserName: "full", Name: identitystore.Name{Formatted: "f", MiddleName: "m", HonorificPrefix: "p"}, Title: "t", Locale: "l",
		Emails: []identitystore.MultiValue{{Value: "a@corp.example.test", Type: "home"}},
		Link: identitystore.Link{
			Source: "ad", GUID: "g", SID: "S-1-5-21-1-2-3-4", SIDHistory: []string{"S-1-5-21-9", "S-1-5-21-8"}, DN: "CN=a b,DC=corp", Origin: identitystore.OriginSync,
			State: identitystore.StateUnscoped, Reason: "out of scope", Owned: []string{"title", "name.givenName"}, LastRun: "r1", LastSeen: s.now, LastSignIn: s.now.Add(-1500000),
		},
	})
	var users []*identitystore.User
	var groups []*identitystore.Group
	s.ok(wide.Update(ctx, author(), func(tx *identitystore.Tx) error {
		users, groups = nil, nil
		for _, u := range list {
			made, err := tx.CreateUser(ctx, u)
			if err != nil {
				return err
			}
			users = append(users, made)
		}
		for _, g := range []*identitystore.Group{
			{DisplayName: "bare"}, {DisplayName: "full", Description: "d", ExternalIDs: []identitystore.ExternalID{{Issuer: "i", ID: "e"}}, Link: list[5].Link},
		} {
			g.Link.GUID, g.Link.SID = "", ""
			made, err := tx.CreateGroup(ctx, g)
			if err != nil {
				return err
			}
			groups = append(groups, made)
		}
		return nil
	}))
	for _, want := range users {
		got, err := wide.Reader().UserByID(ctx, want.ID)
		s.ok(err)
		s.equal(*got, *want)
	}
	for _, want := range groups {
		got, err := wide.Reader().GroupByID(ctx, want.ID)
		s.ok(err)
		s.equal(*got, *want)
	}
}
