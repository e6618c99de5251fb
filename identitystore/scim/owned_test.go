package scim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// TestDirectoryRecords: nothing that a directory owns changes, whatever the verb; what it has deleted is not there.
func TestDirectoryRecords(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	var u, gone *identitystore.User
	var g *identitystore.Group
	ad := func(guid string) identitystore.Link {
		return identitystore.Link{Origin: identitystore.OriginSync, Source: "ad", GUID: guid, Owned: []string{"userName", "displayName"}}
	}
	require.NoError(t, s.svc.Update(t.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
		var err error
		if u, err = tx.CreateUser(t.Context(), &identitystore.User{UserName: "ad", DisplayName: "D", Name: identitystore.Name{GivenName: "G", FamilyName: "F"}, Link: ad("1")}); err != nil {
			return err
		}
		if gone, err = tx.CreateUser(t.Context(), &identitystore.User{UserName: "gone", Link: ad("2")}); err != nil {
			return err
		}
		if g, err = tx.CreateGroup(t.Context(), &identitystore.Group{DisplayName: "adg", Link: ad("3")}); err != nil {
			return err
		}
		return tx.Link(t.Context(), identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
	}))
	require.NoError(t, s.svc.Update(t.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
		return tx.Delete(t.Context(), identitystore.Ref{Key: gone.Key, Kind: identitystore.KindUser, ID: gone.ID}, "deleted")
	}))
	other := id(s.do(201, "POST", "/Users", userBody("other")))
	user, group := "/Users/"+u.ID, "/Groups/"+g.ID
	for _, c := range [][3]string{
		{"DELETE", user, ""},
		{"DELETE", group, ""},
		{"PUT", user, userBody("renamed")},
		{"PUT", group, groupBody("renamed", `{"value":"`+u.ID+`"}`)},
		{"PUT", group, groupBody("adg", "")},
		{"PUT", group, groupBody("adg", `{"value":"`+u.ID+`"},{"value":"`+other+`"}`)},
		{"PATCH", user, patchBody(`{"op":"replace","path":"active","value":false}`)},
		{"PATCH", user, patchBody(`{"op":"add","path":"title","value":"x"}`)},
		{"PATCH", user, patchBody(`{"op":"replace","path":"externalId","value":"x"}`)},
		{"PATCH", user, patchBody(`{"op":"replace","path":"name.givenName","value":"x"}`)},
		{"PATCH", user, patchBody(`{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"x"}`)},
		{"PATCH", group, patchBody(`{"op":"replace","path":"displayName","value":"x"}`)},
		{"PATCH", group, patchBody(`{"op":"remove","path":"members"}`)},
		{"PATCH", group, patchBody(`{"op":"remove","path":"members[value eq \"` + u.ID + `\"]"}`)},
		{"PATCH", group, patchBody(`{"op":"add","path":"members","value":[{"value":"` + other + `"}]}`)},
	} {
		require.Equal(t, "mutability", s.do(403, c[0], c[1], c[2])["scimType"], c)
	}
	s.do(200, "PUT", user, strings.Replace(userBody("ad"), `"active"`, `"x"`, 1)) // nothing changes
	s.do(200, "PUT", group, groupBody("adg", `{"value":"`+u.ID+`"}`))
	require.Len(t, s.do(200, "GET", group, "")["members"], 1)
	for _, c := range [][2]string{{"GET", ""}, {"PUT", userBody("x")}, {"PATCH", patchBody(`{"op":"replace","path":"title","value":"x"}`)}, {"DELETE", ""}} {
		s.do(404, c[0], "/Users/"+gone.ID, c[1])
	}
	s.do(400, "POST", "/Groups", groupBody("with the deleted", `{"value":"`+gone.ID+`"}`))
	s.do(404, "GET", "/Groups/"+u.ID, "")
	s.do(404, "GET", "/Users/"+g.ID, "")
}

// TestMemberPaths: parts of a member cannot be changed, and what names no member is refused.
func TestMemberPaths(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	a, b := id(s.do(201, "POST", "/Users", userBody("a"))), id(s.do(201, "POST", "/Users", userBody("b")))
	inner := id(s.do(201, "POST", "/Groups", groupBody("inner", "")))
	g := "/Groups/" + id(s.do(201, "POST", "/Groups", groupBody("g", `{"value":"`+a+`"},{"value":"`+inner+`"}`)))
	for op, kind := range map[string]string{
		`{"op":"replace","path":"members[value eq \"` + a + `\"].display","value":"x"}`:   "mutability",
		`{"op":"replace","path":"members[value eq \"` + a + `\"]","value":{"value":"x"}}`: "mutability",
		`{"op":"replace","path":"members.value","value":"` + b + `"}`:                     "mutability",
		`{"op":"remove","path":"members.type"}`:                                           "mutability",
		`{"op":"add","path":"members"}`:                                                   "invalidValue",
		`{"op":"replace","path":"members"}`:                                               "invalidValue",
		`{"op":"add","path":"members","value":[{"display":"x"}]}`:                         "invalidValue",
		`{"op":"add","path":"members","value":["` + b + `x"]}`:                            "invalidValue",
		`{"op":"add","path":"members","value":["` + b + `","../x"]}`:                      "invalidValue",
		`{"op":"replace","path":"members","value":[{"value":"none"}]}`:                    "invalidValue",
		`{"op":"remove","path":"members[nope eq \"x\"]"}`:                                 "invalidFilter",
	} {
		require.Equal(t, kind, s.do(400, "PATCH", g, patchBody(op))["scimType"], op)
	}
	members := func() int { l, _ := s.do(200, "GET", g, "")["members"].([]any); return len(l) }
	require.Equal(t, 2, members())
	for _, step := range []struct {
		op string
		n  int
	}{
		{`{"op":"add","path":"members","value":"` + b + `"}`, 3},
		{`{"op":"remove","path":"members","value":["` + b + `","unknown"]}`, 2},
		{`{"op":"remove","path":"members[type eq \"Group\"]"}`, 1},
		{`{"op":"add","value":{"members":{"members":[{"value":"` + b + `"}]}}},{"op":"remove","path":"members","value":[{"value":"` + a + `"}]},{"op":"add","path":"members","value":[{"value":"` + a + `"}]}`, 2},
		{`{"op":"remove","path":"members[value eq \"` + a + `\" or value eq \"` + b + `\"]"}`, 0},
		{`{"op":"replace","path":"members","value":[{"value":"` + a + `"},{"value":"` + a + `"},{"value":"` + b + `"}]}`, 2},
		{`{"op":"replace","path":"members","value":null}`, 0},
		{`{"op":"add","path":"members","value":[{"value":"` + a + `"}]},{"op":"replace","path":"members","value":[{"value":"` + b + `"}]},{"op":"add","path":"members","value":[{"value":"` + inner + `"}]}`, 2},
		{`{"op":"replace","path":"members","value":[]}`, 0},
	} {
		s.do(204, "PATCH", g, patchBody(step.op))
		require.Equal(t, step.n, members(), step.op)
	}
}
