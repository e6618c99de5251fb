package scim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]scim.Config{
		"no authenticator": {},
		"body":             {Auth: &scim.Tokens{}, Limits: scim.Limits{Body: -1}},
		"page":             {Auth: &scim.Tokens{}, Limits: scim.Limits{Page: -1}},
		"default":          {Auth: &scim.Tokens{}, Limits: scim.Limits{Default: -1}},
		"bulk":             {Auth: &scim.Tokens{}, Limits: scim.Limits{BulkOps: -1}},
		"members":          {Auth: &scim.Tokens{}, Limits: scim.Limits{Members: -1}},
		"rate":             {Auth: &scim.Tokens{}, Limits: scim.Limits{RatePerSec: -1}},
		"burst":            {Auth: &scim.Tokens{}, Limits: scim.Limits{Burst: -1}},
	} {
		h, err := scim.NewHandler(cfg)
		require.Error(t, err, name)
		require.Nil(t, h)
	}
}

type brokenAuth struct{ err error }

func (b brokenAuth) Authenticate(context.Context, string) (*identitystore.Service, error) {
	if b.err == nil {
		panic("broken")
	}
	return nil, b.err
}

// TestBrokenParts: an authenticator that fails or panics refuses, with nothing of the cause in the answer.
func TestBrokenParts(t *testing.T) {
	t.Parallel()
	for want, auth := range map[int]brokenAuth{500: {errors.New("secret cause")}, 503: {context.DeadlineExceeded}, 429: {&identitystore.ThrottlingError{}}} {
		h, err := scim.NewHandler(scim.Config{Auth: auth})
		require.NoError(t, err)
		rq := httptest.NewRequest("GET", "/Users", nil)
		rq.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, rq)
		require.Equal(t, want, w.Code)
		require.NotContains(t, w.Body.String(), "secret")
		require.Equal(t, map[int]string{500: "", 503: "1", 429: "1"}[want], w.Header().Get("Retry-After"))
	}
	h, err := scim.NewHandler(scim.Config{Auth: brokenAuth{}})
	require.NoError(t, err)
	rq := httptest.NewRequest("GET", "/Users", nil)
	rq.Header.Set("Authorization", "Bearer x")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, rq)
	require.Equal(t, 500, w.Code)
	require.Contains(t, w.Body.String(), `"status":"500"`)
	require.NotContains(t, w.Body.String(), "broken")
	s := start(t, scim.Config{})
	require.NoError(t, s.svc.Store().Close())
	s.do(503, "GET", "/Users", "")
	cut := httptest.NewRequest("POST", "/v2/Users", io.MultiReader(strings.NewReader("{"), brokenReader{}))
	cut.Header.Set("Authorization", "Bearer x")
	w = httptest.NewRecorder()
	h, err = scim.NewHandler(scim.Config{Auth: okAuth{s.svc}, BaseURL: "/v2"})
	require.NoError(t, err)
	h.ServeHTTP(w, cut)
	require.Equal(t, 400, w.Code)
}

type okAuth struct{ svc *identitystore.Service }

func (a okAuth) Authenticate(context.Context, string) (*identitystore.Service, error) {
	return a.svc, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("cut") }

// TestQueries has what is refused in the query of a list, and in a search.
func TestQueries(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	for i := range 5 {
		s.do(201, "POST", "/Users", userBody(fmt.Sprint("u", i)))
	}
	cursor := func(query string) string {
		c, _ := s.do(200, "GET", "/Users?count=2&cursor="+query, "")["nextCursor"].(string)
		require.NotEmpty(t, c)
		return c
	}
	plain, filtered, sorted := cursor(""), cursor("&filter=userName%20pr"), cursor("&sortBy=userName")
	for query, kind := range map[string]string{
		"count=1.5": "invalidValue", "count=": "invalidValue", "count=99999999999999999999": "invalidValue", "startIndex=x": "invalidValue", "startIndex=1e1": "invalidValue",
		"sortBy=nope": "invalidPath", "sortBy=a%20b": "invalidPath", "sortBy=emails[type%20pr]": "invalidPath", "sortBy=Groups": "invalidPath", "sortBy=name.nope": "invalidPath",
		"attributes=a%20b": "invalidValue", "attributes=emails[type%20pr]": "invalidValue", "excludedAttributes=1a": "invalidValue", "attributes=" + strings.Repeat("a,", 100): "invalidValue",
		"filter=": "invalidFilter", "filter=%20": "invalidFilter", "filter=id%20eq": "invalidFilter",
		"cursor=x": "invalidCursor", "cursor=" + plain[:len(plain)-2]: "invalidCursor", "cursor=" + plain + "&filter=userName%20pr": "invalidCursor", "cursor=" + filtered: "invalidCursor",
		"cursor=" + sorted: "invalidCursor", "cursor=" + sorted + "&sortBy=userName&sortOrder=descending": "invalidCursor", "cursor=" + sorted + "&sortBy=title": "invalidCursor", "cursor=" + strings.Repeat("A", 100): "invalidCursor",
	} {
		require.Equal(t, kind, s.do(400, "GET", "/Users?"+query, "")["scimType"], query)
	}
	s.do(400, "GET", "/Groups?cursor="+plain, "")
	other := start(t, scim.Config{})
	require.Equal(t, "invalidCursor", other.do(400, "GET", "/Users?cursor="+plain, "")["scimType"], "of another server")
	for query, n := range map[string]int{
		"cursor=" + plain: 3, "cursor=" + plain + "&count=1": 1, "cursor=" + filtered + "&filter=userName%20pr": 3, "cursor=" + sorted + "&sortBy=userName": 3, "startIndex=-5": 5, "startIndex=6": 0, "startIndex=999999999999": 0,
		"unknown=1": 5, "startIndex=": 5, "sortBy=meta.created": 5, "sortBy=emails": 5, "sortBy=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": 5, "attributes=nope": 5,
	} {
		list, isList := s.do(200, "GET", "/Users?"+query, "")["Resources"].([]any)
		require.True(t, isList)
		require.Len(t, list, n, query)
	}
	for body, kind := range map[string]string{
		`{"filter":1}`: "invalidSyntax", `{"sortBy":{}}`: "invalidSyntax", `{"count":"1"}`: "invalidValue", `{"startIndex":[]}`: "invalidValue", `{"filter":"id eq"}`: "invalidFilter", `[]`: "invalidSyntax",
		`{"cursor":"x"}`: "invalidCursor", `{"attributes":["a b"]}`: "invalidValue",
	} {
		require.Equal(t, kind, s.do(400, "POST", "/Users/.search", body)["scimType"], body)
	}
	s.do(405, "GET", "/Users/.search", "")
	s.do(404, "GET", "/Users/"+strings.Repeat("a", 65), "")
}

// TestProjection is about attributes and excludedAttributes.
func TestProjection(t *testing.T) {
	t.Parallel()
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	s := start(t, scim.Config{})
	u := id(s.do(201, "POST", "/Users", strings.Replace(userBody("u"), `"displayName"`, `"emails":[{"value":"a@x.test","type":"work"}],"`+enterprise+`":{"department":"d","manager":{"value":"m"}},"displayName"`, 1)))
	for query, want := range map[string]string{
		"attributes=userName":                                          `id schemas userName=u`,
		"attributes=USERNAME,name.familyName":                          `id name.familyName=F schemas userName=u`,
		"attributes=emails.type":                                       `emails.type=work id schemas`,
		"attributes=" + enterprise + ":department":                     `id schemas ` + enterprise + `.department=d`,
		"attributes=" + enterprise + ":manager.value":                  `id schemas ` + enterprise + `.manager.value=m`,
		"attributes=" + enterprise:                                     `id schemas ` + enterprise + `.department=d ` + enterprise + `.manager.value=m`,
		"attributes=urn:ietf:params:scim:schemas:core:2.0:User:active": `active=true id schemas`,
		"attributes=nope":                                              `id schemas`,
		"attributes=userName&excludedAttributes=userName":              `id schemas userName=u`,
		"excludedAttributes=id,schemas,meta,name,emails," + enterprise: `active=true displayName=D id schemas userName=u`,
		"excludedAttributes=meta,emails.value,name.givenName," + enterprise + ":manager,displayName": `active=true emails.type=work id name.familyName=F schemas userName=u ` + enterprise + `.department=d`,
	} {
		words := strings.Fields(want)
		slices.Sort(words)
		want = strings.Join(words, " ")
		require.Equal(t, want, flat(s.do(200, "GET", "/Users/"+u+"?"+query, "")), query)
		require.Equal(t, want, flat(s.do(200, "PATCH", "/Users/"+u+"?"+query, patchBody(`{"op":"replace","path":"active","value":true}`))), query)
		list, _ := s.do(200, "GET", "/Users?"+query, "")["Resources"].([]any)
		first, _ := list[0].(map[string]any)
		require.Equal(t, want, flat(first), query)
	}
}

// flat writes a resource as sorted paths; ids, schemas and members of lists have no value or index.
func flat(doc map[string]any) string {
	var out []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, e := range x {
				walk(strings.TrimPrefix(path+"."+k, "."), e)
			}
		case []any:
			if path == "schemas" {
				out = append(out, path)
				return
			}
			for _, e := range x {
				walk(path, e)
			}
		default:
			if path == "id" {
				out = append(out, path)
				return
			}
			out = append(out, fmt.Sprint(path, "=", x))
		}
	}
	walk("", doc)
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestContentTypes: what a body may be called.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	for i, c := range []struct {
		name   string
		status int
	}{
		{"application/scim+json", 201},
		{"application/json", 201},
		{"Application/SCIM+JSON; charset=utf-8", 201},
		{"application/json;", 201},
		{"application/json; x", 201},
		{"", 201},
		{"text/plain", 415},
		{"application/xml", 415},
		{"application/x-www-form-urlencoded", 415},
		{"application/jsonx", 415},
		{"json", 415},
	} {
		s.do(c.status, "POST", "/Users", userBody(fmt.Sprint("c", i)), "Content-Type", c.name)
	}
	for path, status := range map[string]int{ // whether there is such an endpoint comes first
		"POST /Groups": 415, "POST /Bulk": 415, "POST /Users/.search": 415, "PUT /Users/x": 415, "PATCH /Users/x": 415,
		"POST /nothing": 404, "PUT /Users/_": 404, "PUT /Users": 405, "POST /Schemas": 405, "PUT /Bulk": 405, "PUT /Users/.search": 405, "POST /Me": 501,
	} {
		method, path, _ := strings.Cut(path, " ")
		s.do(status, method, path, "{}", "Content-Type", "text/plain")
	}
	for _, accept := range []string{"text/html", "application/xml", "image/*", "nonsense"} {
		res := s.raw("GET", "/Users", "", "Accept", accept, "User-Agent", "") //nolint:bodyclose // raw does it
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "application/scim+json", res.Header.Get("Content-Type"))
	}
	s.do(200, "GET", "/Users", "ignored", "Content-Type", "text/plain")
}
