package scim_test

import (
	"fmt"
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
