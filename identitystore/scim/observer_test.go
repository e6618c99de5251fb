package scim_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
	"github.com/adfedkit/adfedkit/internal/observetest"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	var tokens scim.Tokens
	tokens.Add(scim.HashToken("the token"), svc)
	o := &observetest.Watcher{}
	h, err := scim.NewHandler(scim.Config{Auth: &tokens, Profile: scim.RFC, Observer: o})
	require.NoError(t, err)
	for _, c := range []struct{ method, path, token, body string }{
		{http.MethodPost, "/Users", "the token", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"alice"}`},
		{http.MethodGet, "/Users", "another", ""},
		{http.MethodGet, "/Users/nobody", "the token", ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer "+c.token)
		r.Header.Set("Content-Type", "application/scim+json")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.Equal(t, []string{"scim.request 2xx", "scim.request 4xx", "scim.request 4xx"}, o.Take())
}
