package scim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// TestStrict: what the tolerant mode accepts of clients against the letter of the standard, the strict one refuses.
func TestStrict(t *testing.T) {
	t.Parallel()
	strict, tolerant := start(t, scim.Config{Mode: scim.Strict}), start(t, scim.Config{})
	ids := map[*server]string{}
	for _, s := range []*server{strict, tolerant} {
		ids[s] = id(s.do(201, "POST", "/Users", strings.Replace(userBody("someone"), `"userName"`, `"emails":[{"value":"a@x.test","type":"home"}],"userName"`, 1)))
	}
	user := func(more string) string {
		return strings.Replace(userBody("new"), `"displayName"`, more+`,"displayName"`, 1)
	}
	for _, c := range []struct {
		method, path, body, kind string
		status                   int // of the tolerant mode
	}{
		{"POST", "/Users", strings.Replace(user(`"title":"t"`), `:User"`, `:User","urn:nobody:knows"`, 1), "invalidSyntax", 201},
		{"POST", "/Users", user(`"unknown":1`), "invalidSyntax", 201},
		{"POST", "/Users", user(`"emails":{"value":"e"}`), "invalidValue", 201},
		{"PATCH", "/Users/{id}", `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`, "invalidSyntax", 200},
		{"PATCH", "/Users/{id}", patchBody(`{"op":"replace","value":{"unknown":"x"}}`), "invalidPath", 200},
		{"PATCH", "/Users/{id}", patchBody(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}`), "noTarget", 200},
		{"PATCH", "/Users/{id}", patchBody(`{"op":"remove","path":"emails[type eq \"other\"]"}`), "noTarget", 200},
		{"GET", "/Users?filter=userName%20eq%20someone", "", "invalidFilter", 200},
		{"GET", "/Users?filter=not%20userName%20eq%20%22x%22", "", "invalidFilter", 200},
		{"GET", "/Users?filter=emails[type%20eq%20%22home%22].value%20eq%20%22a@x.test%22", "", "invalidFilter", 200},
		{"POST", "/Users/.search", `{"filter":"userName pr"}`, "invalidSyntax", 200},
	} {
		require.Equal(t, c.kind, strict.do(400, c.method, strings.Replace(c.path, "{id}", ids[strict], 1), c.body)["scimType"], c.body)
		got := tolerant.do(c.status, c.method, strings.Replace(c.path, "{id}", ids[tolerant], 1), c.body)
		if c.status == 201 {
			require.NotContains(t, got, "unknown")
			tolerant.do(204, "DELETE", "/Users/"+id(got), "")
		}
	}
	strict.do(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"e"}`)
	g := id(strict.do(201, "POST", "/Groups", groupBody("g", `{"value":"`+ids[strict]+`"}`)))
	other := id(strict.do(201, "POST", "/Users", userBody("other")))
	require.Equal(t, "noTarget", strict.do(400, "PATCH", "/Groups/"+g, patchBody(`{"op":"remove","path":"members[value eq \"`+other+`\"]"}`))["scimType"])
	strict.do(204, "PATCH", "/Groups/"+g, patchBody(`{"op":"remove","path":"members[value eq \"`+ids[strict]+`\"]"}`))
	require.NotContains(t, strict.do(200, "GET", "/Groups/"+g, ""), "members")
}
