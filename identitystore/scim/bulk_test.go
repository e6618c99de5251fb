package scim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
)

func TestBulkRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	u := id(s.do(201, "POST", "/Users", userBody("there")))
	whole := func(more, ops string) string {
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]` + more + `,"Operations":[` + ops + `]}`
	}
	create := `{"method":"POST","path":"/Users","bulkId":"a","data":` + userBody("new") + `}`
	for _, body := range []string{
		whole(`,"failOnErrors":-1`, create), whole(`,"failOnErrors":"x"`, create), whole("", "null"), whole("", create+","+create), whole("", ""), whole("", "1"),
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":{}}`, `{"Operations":[` + create + `]}`, `[]`, ``,
	} {
		s.do(400, "POST", "/Bulk", body)
	}
	s.do(405, "GET", "/Bulk", "")
	for op, status := range map[string]string{
		`{"method":"POST","path":"/Users","data":` + userBody("new") + `}`:                                                      "400",
		`{"method":"GET","path":"/Users/` + u + `"}`:                                                                            "400",
		`{"path":"/Users/` + u + `"}`:                                                                                           "400",
		`{"method":"POST","path":"/Bulk","bulkId":"b","data":` + whole("", create) + `}`:                                        "400",
		`{"method":"POST","path":"/Users/.search","bulkId":"b","data":{}}`:                                                      "400",
		`{"method":"DELETE","path":"https://other.example.test/Users/` + u + `"}`:                                               "400",
		`{"method":"DELETE","path":"Users/` + u + `"}`:                                                                          "400",
		`{"method":"DELETE","path":"/Users/` + u + `?x=%zz"}`:                                                                   "400",
		`{"method":"DELETE","path":"/Users"}`:                                                                                   "405",
		`{"method":"POST","path":"/UsersX","bulkId":"b","data":` + userBody("new") + `}`:                                        "404",
		`{"method":"DELETE","path":"/Users/` + u + `","version":"W/\"99\""}`:                                                    "412",
		`{"method":"PATCH","path":"/Users/` + u + `","data":"x"}`:                                                               "400",
		`{"method":"PATCH","path":"/Users/` + u + `","data":[{"op":"replace","path":"title","value":"x"}],"version":"W/\"9\""}`: "412",
		`{"method":"PUT","path":"/Users/` + u + `"}`:                                                                            "400",
		`{"method":"POST","path":"/Users","bulkId":"b"}`:                                                                        "400",
		`{"method":"DELETE","path":"/Users/bulkId:nobody"}`:                                                                     "409",
	} {
		list, _ := s.do(200, "POST", "/Bulk", whole("", op))["Operations"].([]any)
		require.Len(t, list, 1, op)
		m, _ := list[0].(map[string]any)
		require.Equal(t, status, fmt.Sprint(m["status"]), op)
		response, _ := m["response"].(map[string]any)
		require.Equal(t, status, response["status"], op)
		require.NotEmpty(t, response["schemas"])
	}
	counts, err := s.svc.Reader().Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, counts.Users, "nothing was stored")
}

// TestBulkOrder: what an operation refers to is done first, and only what a POST makes can be referred to.
func TestBulkOrder(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	u := id(s.do(201, "POST", "/Users", userBody("there")))
	run := func(more string, ops ...string) []string {
		body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]` + more + `,"Operations":[` + strings.Join(ops, ",") + `]}`
		list, _ := s.do(200, "POST", "/Bulk", body)["Operations"].([]any)
		out := []string{}
		for _, e := range list {
			m, _ := e.(map[string]any)
			out = append(out, fmt.Sprint(m["status"]))
		}
		return out
	}
	create := func(kind, bulkID, data string) string {
		return `{"method":"POST","path":"/` + kind + `","bulkId":"` + bulkID + `","data":` + data + `}`
	}
	patch := func(path string) string {
		return `{"method":"PATCH","path":"` + path + `","data":` + patchBody(`{"op":"replace","path":"displayName","value":"new name"}`) + `}`
	}
	require.Equal(t, []string{"204", "201"}, run("", patch("/Groups/bulkId:g"), create("Groups", "g", groupBody("G", ""))))
	require.Len(t, s.do(200, "GET", "/Groups?filter=displayName%20eq%20%22new%20name%22", "")["Resources"], 1)
	require.Equal(t, []string{"200", "409"}, run("", `{"method":"PATCH","path":"/Users/`+u+`","bulkId":"q","data":`+patchBody(`{"op":"replace","path":"title","value":"x"}`)+`}`, patch("/Users/bulkId:q")))
	without := `{"method":"POST","path":"/Users","data":` + userBody("nobody") + `}`
	require.Equal(t, []string{"400", "400"}, run("", without, without)) // no name is no name twice

	// A cycle through something else than members of groups is one that nobody can resolve.
	chief := func(name, of string) string {
		return strings.Replace(userBody(name), `"displayName"`, `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"bulkId:`+of+`"}},"displayName"`, 1)
	}
	require.Equal(t, []string{"409", "409"}, run("", create("Users", "a", chief("a", "b")), create("Users", "b", chief("b", "a"))))
	require.Equal(t, []string{"201", "201"}, run("", create("Users", "a", chief("a", "b")), create("Users", "b", userBody("b"))))
	require.Equal(t, []string{"201", "201"}, run("", create("Groups", "a", groupBody("A", `{"value":"bulkId:b"}`)), create("Groups", "b", groupBody("B", `{"value":"bulkId:a"},{"value":"`+u+`"}`))))

	// After the last failure that is allowed nothing is done, not even for the sake of another.
	require.Equal(t, []string{"409"}, run(`,"failOnErrors":1`, create("Users", "x", userBody("there")), create("Users", "y", userBody("later"))))
	require.Equal(t, []string{"409"}, run(`,"failOnErrors":1`, create("Groups", "x", groupBody("X", `{"value":"bulkId:y"}`)), create("Users", "y", userBody("there"))))
	require.Empty(t, s.do(200, "GET", "/Groups?filter=displayName%20eq%20%22X%22", "")["Resources"])
	require.Empty(t, s.do(200, "GET", "/Users?filter=userName%20eq%20%22later%22", "")["Resources"])
}
