package scim_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// TestMembersLikeLists: members, which stand in edges and are changed one by one, end up as if the operations had been
// applied to the list as a whole.
func TestMembersLikeLists(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	r := rand.New(rand.NewSource(3))
	type member struct{ id, kind string }
	var all []member
	for i := range 6 {
		all = append(all, member{id(s.do(201, "POST", "/Users", userBody(fmt.Sprint("u", i)))), "User"})
	}
	for i := range 2 {
		all = append(all, member{id(s.do(201, "POST", "/Groups", groupBody(fmt.Sprint("inner", i), ""))), "Group"})
	}
	list := func() string {
		var out []string
		for range 1 + r.Intn(4) {
			m := all[r.Intn(len(all))]
			out = append(out, fmt.Sprintf(`{"value":%q,"type":%q}`, m.id, m.kind))
		}
		return "[" + strings.Join(out, ",") + "]"
	}
	one := func() string { return all[r.Intn(len(all))].id }
	operations := []func() string{
		func() string { return `{"op":"add","path":"members","value":` + list() + `}` },
		func() string { return `{"op":"Add","value":{"members":` + list() + `}}` },
		func() string { return `{"op":"remove","path":"members","value":` + list() + `}` },
		func() string { return `{"op":"remove","path":"members","value":{"members":` + list() + `}}` },
		func() string { return `{"op":"remove","path":"members[value eq \"` + one() + `\"]"}` },
		func() string {
			return `{"op":"remove","path":"members[value eq \"` + one() + `\" or value eq \"` + one() + `\"]"}`
		},
		func() string {
			return `{"op":"remove","path":"members[type eq \"Group\" and value ne \"` + one() + `\"]"}`
		},
		func() string { return `{"op":"remove","path":"members[not (type eq \"User\")]"}` },
		func() string { return `{"op":"remove","path":"members","value":[]}` },
		func() string { return `{"op":"add","path":"members","value":[]}` },
		func() string { return `{"op":"replace","path":"members","value":` + list() + `}` },
		func() string {
			return `{"op":"replace","value":{"displayName":"g` + fmt.Sprint(r.Intn(3)) + `","members":` + list() + `}}`
		},
		func() string { return `{"op":"replace","path":"externalId","value":"x` + fmt.Sprint(r.Intn(3)) + `"}` },
	}
	whole := []func() string{
		func() string { return `{"op":"remove","path":"members"}` },
		func() string { return `{"op":"replace","path":"members","value":[]}` },
		func() string { return `{"op":"add","path":"members","value":null}` },
	}
	path := "/Groups/" + id(s.do(201, "POST", "/Groups", groupBody("outer", "")))
	values := func(doc map[string]any) []string {
		out := []string{}
		members, _ := doc["members"].([]any)
		for _, e := range members {
			m, _ := e.(map[string]any)
			v, _ := m["value"].(string)
			out = append(out, v)
		}
		slices.Sort(out)
		return out
	}
	for range testscale.N(400, 20_000) {
		var ops []string
		for range 1 + r.Intn(5) {
			pick := operations[r.Intn(len(operations))]
			if r.Intn(12) == 0 {
				pick = whole[r.Intn(len(whole))]
			}
			ops = append(ops, pick())
		}
		body := patchBody(strings.Join(ops, ","))
		before := s.do(200, "GET", path, "")
		parsed, err := scimpatch.Parse([]byte(body), scimpatch.Tolerant)
		require.NoError(t, err)
		want, _, err := scimpatch.Apply(scim.GroupSchema(), before, parsed, scimpatch.Options{})
		require.NoError(t, err, body)
		s.do(204, "PATCH", path, body)
		after := s.do(200, "GET", path, "")
		require.Equal(t, values(want), values(after), body)
		require.Equal(t, want["displayName"], after["displayName"])
		require.Equal(t, want["externalId"], after["externalId"])
		version := func(doc map[string]any) any { m, _ := doc["meta"].(map[string]any); return m["version"] }
		same := slices.Equal(values(before), values(after)) && before["displayName"] == after["displayName"] && before["externalId"] == after["externalId"]
		if !same {
			require.NotEqual(t, version(before), version(after), body)
		}
	}
}
