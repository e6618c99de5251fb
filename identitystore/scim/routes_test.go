package scim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// TestRoutes: which endpoints there are, in both profiles, and what an id may look like.
func TestRoutes(t *testing.T) {
	t.Parallel()
	rfc, aws := start(t, scim.Config{}), start(t, scim.Config{Profile: scim.AWS})
	for _, c := range []struct {
		method, path, body string
		rfc, aws           int
	}{
		{"GET", "/Users", "", 200, 200},
		{"GET", "/Users/", "", 200, 200},
		{"GET", "/UsersX", "", 404, 404},
		{"GET", "/users", "", 404, 404},
		{"GET", "/", "", 404, 404},
		{"GET", "/Users/a/b", "", 404, 404},
		{"GET", "/Groups/a/b", "", 404, 404},
		{"GET", "/ServiceProviderConfig", "", 200, 200},
		{"GET", "/ServiceProviderConfig/x", "", 404, 404},
		{"GET", "/Schemas/x/y", "", 404, 404},
		{"GET", "/ResourceTypes/User/x", "", 404, 404},
		{"GET", "/ResourceTypes/User", "", 200, 200},
		{"POST", "/Bulk/x", "{}", 404, 404},
		{"POST", "/Bulk", "{}", 400, 404},
		{"GET", "/Me", "", 501, 404},
		{"GET", "/Me/x", "", 501, 404},
		{"POST", "/.search", "{}", 501, 404},
		{"POST", "/.search/x", "{}", 404, 404},
		{"POST", "/Users/.search", "{}", 200, 404},
		{"POST", "/Groups/.search", "{}", 200, 404},
		{"GET", "/Users/.search", "", 405, 404},
		{"PUT", "/Groups/x", "{}", 400, 405},
		{"PUT", "/Users/x", "{}", 400, 400},
		{"POST", "/Users/x", "{}", 405, 405},
		{"GET", "/Users/" + strings.Repeat("x", 64), "", 404, 404},
		{"GET", "/Users/" + strings.Repeat("x", 65), "", 404, 404},
		{"PUT", "/Users/" + strings.Repeat("x", 65), "{", 404, 404},
		{"PUT", "/Users/a%7Cb", "{", 404, 404},
		{"PUT", "/Users/a!b", "{", 404, 404},
		{"PUT", "/Users/a@b", "{", 404, 404},
	} {
		rfc.do(c.rfc, c.method, c.path, c.body)
		aws.do(c.aws, c.method, c.path, c.body)
	}
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer  ", token, "Basic " + token, "Bearer " + token + "x", "Bearer " + token[:len(token)-1]} {
		rfc.do(401, "GET", "/Users", "", "Authorization", header)
	}
	res := rfc.raw("PUT", "/Users", "{}") //nolint:bodyclose // raw does it
	require.Equal(t, "GET, POST", res.Header.Get("Allow"))
}
