package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

func tenants(s *suite) {
	list, err := s.store.Tenants(s.ctx())
	s.ok(err)
	s.equal(len(list), 1)
	s.equal(list[0].ID, identitystore.DefaultTenant)
	s.is(s.store.CreateTenant(s.ctx(), identitystore.Tenant{ID: identitystore.DefaultTenant}), identitystore.ErrConflict)
	for _, id := range []string{"", "x", "d-123456789", "d-12345678901", "d-123456789G", "d-12345678 0", "00000000-0000-4000-8000-00000000000G"} {
		s.is(s.store.CreateTenant(s.ctx(), identitystore.Tenant{ID: id}), identitystore.ErrInvalid)
	}
	_, err = s.store.Reader(s.ctx(), "d-ffffffffff")
	s.is(err, identitystore.ErrNotFound)
	s.is(s.store.View(s.ctx(), "d-ffffffffff", func(identitystore.Reader) error { return nil }), identitystore.ErrNotFound)
	s.is(s.store.Update(s.ctx(), "d-ffffffffff", func(identitystore.Txn) error { return nil }), identitystore.ErrNotFound)
	s.user("alice")
	s.ok(s.store.DeleteTenant(s.ctx(), identitystore.DefaultTenant))
	s.ok(s.store.DeleteTenant(s.ctx(), identitystore.DefaultTenant))
	s.is(s.update(func(*identitystore.Tx) error { return nil }), identitystore.ErrNotFound)
	again := s.open(identitystore.Config{})
	_, err = again.UserByName(s.ctx(), "alice")
	s.is(err, identitystore.ErrNotFound)
}

// isolation: every verb with ids of another tenant finds nothing.
func isolation(s *suite) {
	other := s.open(identitystore.Config{Tenant: "d-00000000aa"})
	u, g := s.user("alice"), s.group("dev")
	m, err := s.svc.CreateGroupMembership(s.ctx(), author(), g.ID, u.ID)
	s.ok(err)
	ctx := s.ctx()
	for what, f := range map[string]func() error{
		"DescribeUser": func() error { _, err := other.DescribeUser(ctx, u.ID); return err },
		"UpdateUser": func() error {
			_, err := other.UpdateUser(ctx, author(), u.ID, "", identitystore.Set("title", "x"))
			return err
		},
		"DescribeGroup": func() error { _, err := other.DescribeGroup(ctx, g.ID); return err },
		"UpdateGroup": func() error {
			_, err := other.UpdateGroup(ctx, author(), g.ID, "", identitystore.Set("description", "x"))
			return err
		},
		"CreateGroupMembership":   func() error { _, err := other.CreateGroupMembership(ctx, author(), g.ID, u.ID); return err },
		"DescribeGroupMembership": func() error { _, err := other.DescribeGroupMembership(ctx, m.ID); return err },
		"GroupMembershipID":       func() error { _, err := other.GroupMembershipID(ctx, g.ID, u.ID); return err },
		"ListGroupMemberships": func() error {
			_, _, err := other.ListGroupMemberships(ctx, g.ID, identitystore.ListRequest{})
			return err
		},
		"ListForMember": func() error {
			_, _, err := other.ListGroupMembershipsForMember(ctx, u.ID, identitystore.ListRequest{})
			return err
		},
		"IsMemberInGroups": func() error { _, err := other.IsMemberInGroups(ctx, u.ID, g.ID); return err },
		"UserByName":       func() error { _, err := other.UserByName(ctx, "alice"); return err },
		"GroupByName":      func() error { _, err := other.GroupByName(ctx, "dev"); return err },
		"History":          func() error { _, err := other.History(ctx, u.ID); return err },
		"UserID": func() error {
			_, err := other.UserID(ctx, identitystore.AlternateIdentifier{AttributePath: "userName", AttributeValue: "alice"})
			return err
		},
	} {
		err := f()
		if !errors.Is(err, identitystore.ErrNotFound) {
			s.Errorf("%s over the border: %v", what, err)
		}
	}
	s.ok(other.DeleteUser(ctx, author(), u.ID, ""))
	s.ok(other.DeleteGroup(ctx, author(), g.ID, ""))
	s.ok(other.DeleteGroupMembership(ctx, author(), m.ID))
	_, err = s.svc.DescribeGroupMembership(ctx, m.ID)
	s.ok(err)
	events, err := other.Events(ctx, 0, 100)
	s.ok(err)
	s.equal(len(events), 0)
	twin, err := other.CreateUser(ctx, author(), &identitystore.User{UserName: "alice"}) // the same name, another person
	s.ok(err)
	s.truth(twin.ID != u.ID, "ids differ")
	_, err = other.IsMemberInGroups(ctx, twin.ID, g.ID)
	s.ok(err)
}

func usersVerbs(s *suite) { //nolint:funlen // one story
	ctx := s.ctx()
	in := &identitystore.User{
		UserName: "alice", DisplayName: "Alice A", Name: identitystore.Name{GivenName: "Alice", FamilyName: "Anders", MiddleName: "M"},
		Emails: []identitystore.MultiValue{{Value: "alice@example.com", Type: "home", Primary: true}}, Title: "Engineer",
		PhoneNumbers: []identitystore.MultiValue{{Value: "+1", Type: "work"}}, Addresses: []identitystore.Address{{Country: "NO", Locality: "Oslo"}},
		Extensions: map[string]json.RawMessage{"aws:identitystore:enterprise": json.RawMessage(`{ "division" : "x" }`)},
	}
	u, err := s.svc.CreateUser(ctx, author(), in)
	s.ok(err)
	s.equal(in.ID, "") // the argument is not changed
	got, err := s.svc.DescribeUser(ctx, u.ID)
	s.ok(err)
	s.equal(got.UserName, "alice")
	s.equal(got.Emails, in.Emails)
	s.equal(got.Addresses, in.Addresses)
	s.equal(got.PhoneNumbers, in.PhoneNumbers)
	s.equal(string(got.Extensions["aws:identitystore:enterprise"]), `{"division":"x"}`)
	s.equal(got.Name, in.Name)
	s.equal(got.Status, identitystore.StatusEnabled)
	s.equal(got.CreatedAt, s.now)
	s.equal(got.CreatedBy, "tester")
	byARN, err := s.svc.DescribeUser(ctx, "arn:aws:identitystore:::user/"+u.ID)
	s.ok(err)
	s.equal(byARN.ID, u.ID)

	_, err = s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: "ALICE"})
	s.is(err, identitystore.ErrConflict)
	var c *identitystore.ConflictError
	s.truth(errors.As(err, &c) && c.Path == "userName" && c.Reason == identitystore.ReasonUniqueness, "the conflict names the path")

	s.tick()
	up, err := s.svc.UpdateUser(ctx, author(), u.ID, "", identitystore.Set("title", "Boss"), identitystore.Set("name.givenName", "Ali"),
		identitystore.Set("displayName", ""), identitystore.AttributeOperation{Path: "aws:identitystore:enterprise.division", Value: json.RawMessage(`"y"`)})
	s.ok(err)
	s.equal([]string{up.Title, up.Name.GivenName, up.Name.FamilyName, up.DisplayName}, []string{"Boss", "Ali", "Anders", ""})
	s.equal(string(up.Extensions["aws:identitystore:enterprise"]), `{"division":"y"}`)
	s.equal(up.UpdatedAt, s.now)
	s.truth(up.Revision() != u.Revision(), "the revision changes")
	same, err := s.svc.UpdateUser(ctx, author(), u.ID, "", identitystore.Set("title", "Boss"))
	s.ok(err)
	s.equal(same.Revision(), up.Revision())

	for path, value := range map[string]string{
		"id": `"x"`, "userStatus": `"DISABLED"`, "externalIds": `[]`, "link": `{}`, "nosuch": `"x"`, "": `"x"`, "name.givenName.x": `"x"`,
		"a.b.c.d": `"x"`, "title": `7`, "emails": `"x"`, "userName": `null`, "rev": `9`, "na me": `"x"`, "createdBy": `"me"`, "displayName": `{`,
	} {
		_, err := s.svc.UpdateUser(ctx, author(), u.ID, "", identitystore.Set("nickName", "must not stay"), identitystore.AttributeOperation{Path: path, Value: json.RawMessage(value)})
		if !errors.Is(err, identitystore.ErrInvalid) {
			s.Errorf("update of %q: %v", path, err)
		}
	}
	_, err = s.svc.UpdateUser(ctx, author(), u.ID, "")
	s.is(err, identitystore.ErrInvalid)
	got, err = s.svc.DescribeUser(ctx, u.ID)
	s.ok(err)
	s.equal(got.NickName, "")

	_, err = s.svc.DescribeUser(ctx, "nobody")
	s.is(err, identitystore.ErrNotFound)
	s.ok(s.svc.DeleteUser(ctx, author(), u.ID, ""))
	s.ok(s.svc.DeleteUser(ctx, author(), u.ID, ""))
	_, err = s.svc.DescribeUser(ctx, u.ID)
	s.is(err, identitystore.ErrNotFound)
	again := s.user("alice") // the name is free, the id is not used again
	s.truth(again.ID != u.ID, "a new person gets a new id")
}

func groupsVerbs(s *suite) {
	ctx := s.ctx()
	g := s.group("Dev")
	_, err := s.svc.CreateGroup(ctx, author(), &identitystore.Group{DisplayName: "dEV"})
	s.is(err, identitystore.ErrConflict)
	up, err := s.svc.UpdateGroup(ctx, author(), g.ID, g.Revision(), identitystore.Set("description", "the builders"), identitystore.Set("displayName", "DEV"))
	s.ok(err)
	s.equal([]string{up.DisplayName, up.Description}, []string{"DEV", "the builders"})
	_, err = s.svc.UpdateGroup(ctx, author(), g.ID, "", identitystore.Set("displayName", ""))
	s.is(err, identitystore.ErrInvalid)
	_, err = s.svc.UpdateGroup(ctx, author(), g.ID, "", identitystore.Set("userName", "x"))
	s.is(err, identitystore.ErrInvalid)
	_, err = s.svc.DescribeUser(ctx, g.ID) // an id of the other kind
	s.is(err, identitystore.ErrNotFound)
	u := s.user("dev") // users and groups have names of their own
	s.link(true, g, u)
	s.ok(s.svc.DeleteGroup(ctx, author(), g.ID, ""))
	s.ok(s.svc.DeleteGroup(ctx, author(), g.ID, ""))
	s.equal(s.groupsOf(s.svc, u), []string{})
	s.group("dev")
}

func limits(s *suite) {
	ctx := s.ctx()
	long := func(n int) string { return strings.Repeat("é", n) }
	for name, c := range map[string]struct {
		u    identitystore.User
		good bool
	}{
		"name of 128":          {identitystore.User{UserName: long(128)}, true},
		"name of 129":          {identitystore.User{UserName: long(129)}, false},
		"empty name":           {identitystore.User{}, false},
		"space":                {identitystore.User{UserName: "a b"}, false},
		"control":              {identitystore.User{UserName: "a\nb"}, false},
		"nul":                  {identitystore.User{UserName: "a\x00b"}, false},
		"not utf-8":            {identitystore.User{UserName: "a\xffb"}, false},
		"reserved":             {identitystore.User{UserName: "administrator"}, false},
		"reserved, wide":       {identitystore.User{UserName: "ＡＷＳAdministrators"}, false},
		"display of 1024":      {identitystore.User{UserName: "d1024", DisplayName: long(1024)}, true},
		"display of 1025":      {identitystore.User{UserName: "d1025", DisplayName: long(1025)}, false},
		"nul in display":       {identitystore.User{UserName: "nul", DisplayName: "\x00"}, false},
		"two e-mails":          {identitystore.User{UserName: "e2", Emails: []identitystore.MultiValue{{Value: "a"}, {Value: "b"}}}, false},
		"three photos":         {identitystore.User{UserName: "p3", Photos: []identitystore.MultiValue{{Value: "a"}, {Value: "b"}, {Value: "c"}}}, true},
		"four photos":          {identitystore.User{UserName: "p4", Photos: []identitystore.MultiValue{{Value: "a"}, {Value: "b"}, {Value: "c"}, {Value: "d"}}}, false},
		"status":               {identitystore.User{UserName: "st", Status: "SLEEPING"}, false},
		"external ids by verb": {identitystore.User{UserName: "x", ExternalIDs: []identitystore.ExternalID{{Issuer: "i", ID: "1"}}}, false},
		"no json extension":    {identitystore.User{UserName: "ext", Extensions: map[string]json.RawMessage{"a:b:c": json.RawMessage("{")}}, false},
	} {
		_, err := s.svc.CreateUser(ctx, author(), &c.u)
		if c.good && err != nil || !c.good && !errors.Is(err, identitystore.ErrInvalid) {
			s.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: "a b", DisplayName: long(2000), Title: "\x00"})
	var v *identitystore.ValidationError
	s.truth(errors.As(err, &v) && len(v.Problems) == 3, "all problems are listed")
	for n, good := range map[int]bool{1024: true, 1025: false, 0: false} {
		_, err := s.svc.CreateGroup(ctx, author(), &identitystore.Group{DisplayName: long(n)})
		s.equal(err == nil, good)
	}
	for n, good := range map[int]bool{10: true, 11: false} {
		err := s.update(func(tx *identitystore.Tx) error {
			u := &identitystore.User{UserName: fmt.Sprint("ext", n)}
			for i := range n {
				u.ExternalIDs = append(u.ExternalIDs, identitystore.ExternalID{Issuer: "i", ID: fmt.Sprint(n, "-", i)})
			}
			_, err := tx.CreateUser(ctx, u)
			return err
		})
		s.equal(err == nil, good)
	}
	ops := slices.Repeat([]identitystore.AttributeOperation{identitystore.Set("title", "x")}, 101)
	u := s.user("ops")
	_, err = s.svc.UpdateUser(ctx, author(), u.ID, "", ops...)
	s.is(err, identitystore.ErrInvalid)
	_, err = s.svc.UpdateUser(ctx, author(), u.ID, "", ops[:100]...)
	s.ok(err)
	wide := s.open(identitystore.Config{Tenant: "d-00000000bb", Limits: identitystore.LimitsWide()})
	_, err = wide.CreateUser(ctx, author(), &identitystore.User{UserName: "a b " + long(500), Emails: []identitystore.MultiValue{{Value: "a"}, {Value: "b"}}})
	s.ok(err)
}

func quota(s *suite) {
	l := identitystore.LimitsAWS()
	l.Users, l.Groups = 2, 1
	s.svc = s.open(identitystore.Config{Tenant: "d-00000000cc", Limits: l})
	s.user("a")
	b := s.user("b")
	_, err := s.svc.CreateUser(s.ctx(), author(), &identitystore.User{UserName: "c"})
	s.is(err, identitystore.ErrDenied)
	var q *identitystore.QuotaExceededError
	s.truth(errors.As(err, &q) && q.Limit == 2, "the quota is named")
	s.ok(s.svc.DeleteUser(s.ctx(), author(), b.ID, ""))
	s.user("c")
	s.group("g")
	_, err = s.svc.CreateGroup(s.ctx(), author(), &identitystore.Group{DisplayName: "h"})
	s.is(err, identitystore.ErrDenied)
}

func foldTable(s *suite) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"JÜRGEN", "jürgen", true},
		{"ju\u0308rgen", "jürgen", true},
		{"ｗｉｄｅ", "WIDE", true},
		{"ﬁnance", "FINANCE", true},
		{"straße", "strasse", false},
		{"\u0131d", "id", false},
		{"josé", "jose", false},
		{"\u212aelvin", "kelvin", true},
	} {
		u, err := s.svc.CreateUser(s.ctx(), author(), &identitystore.User{UserName: c.a})
		s.ok(err)
		found, err := s.svc.UserByName(s.ctx(), c.b)
		s.equal(err == nil, c.same)
		if c.same {
			s.equal(found.UserName, c.a) // the spelling is kept
		}
		_, err = s.svc.CreateUser(s.ctx(), author(), &identitystore.User{UserName: c.b})
		s.equal(errors.Is(err, identitystore.ErrConflict), c.same)
		s.ok(s.svc.DeleteUser(s.ctx(), author(), u.ID, ""))
		if !c.same {
			twin, err := s.svc.UserByName(s.ctx(), c.b)
			s.ok(err)
			s.ok(s.svc.DeleteUser(s.ctx(), author(), twin.ID, ""))
		}
	}
}

func revisions(s *suite) {
	ctx := s.ctx()
	u := s.user("alice")
	_, err := s.svc.UpdateUser(ctx, author(), u.ID, "999", identitystore.Set("title", "x"))
	var c *identitystore.ConflictError
	s.truth(errors.As(err, &c) && c.Reason == identitystore.ReasonConcurrency, "a stale revision is a conflict")
	up, err := s.svc.UpdateUser(ctx, author(), u.ID, u.Revision(), identitystore.Set("title", "x"))
	s.ok(err)
	s.is(s.svc.DeleteUser(ctx, author(), u.ID, u.Revision()), identitystore.ErrConflict)
	s.ok(s.svc.DeleteUser(ctx, author(), u.ID, up.Revision()))
	g := s.group("g")
	_, err = s.svc.UpdateGroup(ctx, author(), g.ID, "7", identitystore.Set("description", "x"))
	s.is(err, identitystore.ErrConflict)
	s.is(s.svc.DeleteGroup(ctx, author(), g.ID, "7"), identitystore.ErrConflict)
	// What nobody sees changes no revision.
	v := s.user("bob")
	s.ok(s.update(func(tx *identitystore.Tx) error {
		w := v.Clone()
		w.Link.LastRun, w.Link.DN, w.Link.LastSeen = "run-7", "CN=bob", tx.Now()
		changed, err := tx.UpdateUser(ctx, w)
		s.truth(!changed, "nothing visible changed")
		return err
	}))
	now, err := s.svc.DescribeUser(ctx, v.ID)
	s.ok(err)
	s.equal(now.Revision(), v.Revision())
	s.equal(now.Link.LastRun, "run-7")
}

func paging(s *suite) { //nolint:funlen // one story
	ctx := s.ctx()
	want := []string{}
	for i := range 7 {
		want = append(want, s.user(fmt.Sprintf("u%d", i)).ID)
	}
	slices.Sort(want)
	got := []string{}
	token := ""
	for page := 0; ; page++ {
		users, next, err := s.svc.ListUsers(ctx, identitystore.ListRequest{MaxResults: 3, NextToken: token})
		s.ok(err)
		for _, u := range users {
			got = append(got, u.ID)
		}
		if page == 0 { // what comes and goes between pages disturbs nobody else
			s.ok(s.svc.DeleteUser(ctx, author(), got[2], ""))
			extra := s.user("extra")
			if extra.ID > got[2] {
				want = append(want, extra.ID)
				slices.Sort(want)
			}
		}
		if next == "" {
			break
		}
		token = next
	}
	s.equal(got, want)
	for _, bad := range []string{"x", token[:len(token)-2], token + "AA", strings.Repeat("A", 70_000), "AAAA" + token[4:]} {
		_, _, err := s.svc.ListUsers(ctx, identitystore.ListRequest{NextToken: bad})
		s.is(err, identitystore.ErrInvalid)
	}
	_, _, err := s.svc.ListUsers(ctx, identitystore.ListRequest{NextToken: token, UserName: "u1"}) // another filter
	s.is(err, identitystore.ErrInvalid)
	_, _, err = s.svc.ListGroups(ctx, identitystore.ListRequest{NextToken: token}) // another verb
	s.is(err, identitystore.ErrInvalid)
	other := s.open(identitystore.Config{Tenant: "d-00000000aa"})
	_, _, err = other.ListUsers(ctx, identitystore.ListRequest{NextToken: token}) // another tenant
	s.is(err, identitystore.ErrInvalid)
	for _, n := range []int{-1, 101} {
		_, _, err := s.svc.ListUsers(ctx, identitystore.ListRequest{MaxResults: n})
		s.is(err, identitystore.ErrInvalid)
	}
	one, next, err := s.svc.ListUsers(ctx, identitystore.ListRequest{UserName: "EXTRA"})
	s.ok(err)
	s.equal([]any{len(one), next, one[0].UserName}, []any{1, "", "extra"})
	none, _, err := s.svc.ListUsers(ctx, identitystore.ListRequest{UserName: "nobody"})
	s.ok(err)
	s.equal(len(none), 0)
	_, _, err = s.svc.ListUsers(ctx, identitystore.ListRequest{DisplayName: "x"})
	s.is(err, identitystore.ErrInvalid)
	_, _, err = s.svc.ListGroups(ctx, identitystore.ListRequest{UserName: "x"})
	s.is(err, identitystore.ErrInvalid)
	s.group("g1")
	s.group("g2")
	groups, next, err := s.svc.ListGroups(ctx, identitystore.ListRequest{MaxResults: 1})
	s.ok(err)
	s.truth(len(groups) == 1 && next != "", "a page of one")
	rest, next, err := s.svc.ListGroups(ctx, identitystore.ListRequest{MaxResults: 1, NextToken: next})
	s.ok(err)
	s.truth(len(rest) == 1 && next == "" && rest[0].ID > groups[0].ID, "the last page")
	named, _, err := s.svc.ListGroups(ctx, identitystore.ListRequest{DisplayName: "G2"})
	s.ok(err)
	s.equal(named[0].DisplayName, "g2")
}

func alternate(s *suite) {
	ctx := s.ctx()
	var u *identitystore.User
	var g *identitystore.Group
	s.ok(s.update(func(tx *identitystore.Tx) error {
		var err error
		if u, err = tx.CreateUser(ctx, &identitystore.User{
			UserName: "alice", ExternalIDs: []identitystore.ExternalID{{Issuer: "idp", ID: "7"}},
			Emails: []identitystore.MultiValue{{Value: "Alice@Example.com", Primary: true}}, Link: identitystore.Link{SID: "S-1-5-21-1-2-3-1104"},
		}); err != nil {
			return err
		}
		g, err = tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "dev", ExternalIDs: []identitystore.ExternalID{{Issuer: "idp", ID: "8"}}})
		return err
	}))
	for what, alt := range map[string]identitystore.AlternateIdentifier{
		"name":     {AttributePath: "userName", AttributeValue: "ALICE"},
		"email":    {AttributePath: "emails.value", AttributeValue: "alice@example.COM"},
		"external": {ExternalID: identitystore.ExternalID{Issuer: "idp", ID: "7"}},
	} {
		id, err := s.svc.UserID(ctx, alt)
		if err != nil || id != u.ID {
			s.Errorf("%s: %q %v", what, id, err)
		}
	}
	for what, alt := range map[string]identitystore.AlternateIdentifier{
		"unknown name":      {AttributePath: "userName", AttributeValue: "bob"},
		"unknown email":     {AttributePath: "emails.value", AttributeValue: "bob@example.com"},
		"id of a group":     {ExternalID: identitystore.ExternalID{Issuer: "idp", ID: "8"}},
		"other issuer":      {ExternalID: identitystore.ExternalID{Issuer: "Idp", ID: "7"}},
		"other case of id":  {ExternalID: identitystore.ExternalID{Issuer: "idp", ID: "７"}},
		"name of the other": {AttributePath: "userName", AttributeValue: "dev"},
	} {
		_, err := s.svc.UserID(ctx, alt)
		if !errors.Is(err, identitystore.ErrNotFound) {
			s.Errorf("%s: %v", what, err)
		}
	}
	_, err := s.svc.UserID(ctx, identitystore.AlternateIdentifier{AttributePath: "displayName", AttributeValue: "alice"})
	s.is(err, identitystore.ErrInvalid)
	id, err := s.svc.GroupID(ctx, identitystore.AlternateIdentifier{AttributePath: "displayName", AttributeValue: "DEV"})
	s.ok(err)
	s.equal(id, g.ID)
	id, err = s.svc.GroupID(ctx, identitystore.AlternateIdentifier{ExternalID: identitystore.ExternalID{Issuer: "idp", ID: "8"}})
	s.ok(err)
	s.equal(id, g.ID)
	_, err = s.svc.GroupID(ctx, identitystore.AlternateIdentifier{ExternalID: identitystore.ExternalID{Issuer: "idp", ID: "7"}})
	s.is(err, identitystore.ErrNotFound)
	_, err = s.svc.GroupID(ctx, identitystore.AlternateIdentifier{AttributePath: "userName", AttributeValue: "dev"})
	s.is(err, identitystore.ErrInvalid)
	bySID, err := s.svc.UserBySID(ctx, "S-1-5-21-1-2-3-1104")
	s.ok(err)
	s.equal(bySID.ID, u.ID)
	err = s.update(func(tx *identitystore.Tx) error { // an external id names one record
		_, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "x", ExternalIDs: []identitystore.ExternalID{{Issuer: "idp", ID: "7"}}})
		return err
	})
	s.is(err, identitystore.ErrConflict)
}

func membershipVerbs(s *suite) { //nolint:funlen // one story
	ctx := s.ctx()
	u, v, g := s.user("alice"), s.user("bob"), s.group("dev")
	m, err := s.svc.CreateGroupMembership(ctx, author(), g.ID, u.ID)
	s.ok(err)
	s.equal([]any{m.GroupID, m.UserID, m.Direct, m.Depth}, []any{g.ID, u.ID, true, 1})
	_, err = s.svc.CreateGroupMembership(ctx, author(), g.ID, u.ID)
	s.is(err, identitystore.ErrConflict)
	for _, pair := range [][2]string{{g.ID, "nobody"}, {"nothing", u.ID}, {u.ID, g.ID}} {
		_, err := s.svc.CreateGroupMembership(ctx, author(), pair[0], pair[1])
		s.is(err, identitystore.ErrNotFound)
	}
	got, err := s.svc.DescribeGroupMembership(ctx, m.ID)
	s.ok(err)
	s.equal(got, m)
	id, err := s.svc.GroupMembershipID(ctx, g.ID, u.ID)
	s.ok(err)
	s.equal(id, m.ID)
	_, err = s.svc.GroupMembershipID(ctx, g.ID, v.ID)
	s.is(err, identitystore.ErrNotFound)
	in, err := s.svc.IsMemberInGroups(ctx, u.ID, "nothing", g.ID, v.ID, g.ID)
	s.ok(err)
	s.equal(in, []bool{false, true, false, true})
	for _, n := range []int{0, 101} {
		_, err := s.svc.IsMemberInGroups(ctx, u.ID, make([]string, n)...)
		s.is(err, identitystore.ErrInvalid)
	}
	_, err = s.svc.IsMemberInGroups(ctx, u.ID, make([]string, 100)...)
	s.ok(err)
	_, err = s.svc.CreateGroupMembership(ctx, author(), g.ID, v.ID)
	s.ok(err)
	page, next, err := s.svc.ListGroupMemberships(ctx, g.ID, identitystore.ListRequest{MaxResults: 1})
	s.ok(err)
	s.truth(len(page) == 1 && next != "", "a page of one")
	rest, end, err := s.svc.ListGroupMemberships(ctx, g.ID, identitystore.ListRequest{MaxResults: 1, NextToken: next})
	s.ok(err)
	s.truth(len(rest) == 1 && end == "" && rest[0].UserID != page[0].UserID, "the other one")
	mine, _, err := s.svc.ListGroupMembershipsForMember(ctx, u.ID, identitystore.ListRequest{})
	s.ok(err)
	s.equal(mine, []identitystore.Membership{m})
	_, _, err = s.svc.ListGroupMembershipsForMember(ctx, u.ID, identitystore.ListRequest{NextToken: next})
	s.is(err, identitystore.ErrInvalid)
	s.ok(s.svc.DeleteGroupMembership(ctx, author(), m.ID))
	s.ok(s.svc.DeleteGroupMembership(ctx, author(), m.ID))
	again, err := s.svc.CreateGroupMembership(ctx, author(), g.ID, u.ID)
	s.ok(err)
	s.truth(again.ID != m.ID, "membership ids are not used again")
	s.ok(s.svc.DeleteUser(ctx, author(), u.ID, ""))
	_, err = s.svc.DescribeGroupMembership(ctx, again.ID)
	s.is(err, identitystore.ErrNotFound)
}
