package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

const token = "secret-token-for-tests"

type server struct {
	t   *testing.T
	svc *identitystore.Service
	url string
}

func start(t *testing.T, cfg scim.Config) *server {
	t.Helper()
	limits := identitystore.LimitsWide()
	if cfg.Profile == scim.AWS {
		limits = identitystore.LimitsAWS()
	}
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory), Limits: limits})
	require.NoError(t, err)
	var tokens scim.Tokens
	tokens.Add(scim.HashToken(token), svc)
	cfg.Auth, cfg.BaseURL = &tokens, "https://scim.example.test/v2"
	h, err := scim.NewHandler(cfg)
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &server{t, svc, srv.URL + "/v2"}
}

func (s *server) raw(method, path, body string, header ...string) *http.Response {
	s.t.Helper()
	rq, err := http.NewRequestWithContext(context.Background(), method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	rq.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		rq.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(rq)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// do sends a request, requires the status, and returns the body.
func (s *server) do(status int, method, path, body string, header ...string) map[string]any {
	s.t.Helper()
	res := s.raw(method, path, body, header...) //nolint:bodyclose // raw does it
	raw, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, status, res.StatusCode, "%s %s: %s", method, path, raw)
	if len(raw) == 0 {
		return nil
	}
	var doc map[string]any
	require.NoError(s.t, json.Unmarshal(raw, &doc))
	if status >= 400 {
		require.Equal(s.t, fmt.Sprint(status), doc["status"])
		require.NotEmpty(s.t, doc["schemas"])
	}
	return doc
}

func id(doc map[string]any) string { s, _ := doc["id"].(string); return s }

func userBody(name string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":` + quote(name) + `,"displayName":"D","name":{"givenName":"G","familyName":"F"}}`
}

func groupBody(name, members string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":` + quote(name) + `,"members":[` + members + `]}`
}

func quote(s string) string { raw, _ := json.Marshal(s); return string(raw) }

func patchBody(ops string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + ops + `]}`
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	for _, h := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Bearer " + token[:5], "Basic " + token, "Bearer " + token + "x"} {
		res := s.raw("GET", "/ServiceProviderConfig?access_token="+token, "", "Authorization", h) //nolint:bodyclose // raw does it
		require.Equal(t, 401, res.StatusCode, h)
		require.Equal(t, "Bearer", res.Header.Get("WWW-Authenticate"))
	}
	s.do(200, "GET", "/ServiceProviderConfig", "", "Authorization", "bEARER "+token)
	var tokens scim.Tokens
	_, err := tokens.Authenticate(t.Context(), "")
	require.ErrorIs(t, err, scim.ErrUnauthorized)
	tokens.Add(scim.HashToken("x"), s.svc)
	tokens.Remove(scim.HashToken("x"))
	_, err = tokens.Authenticate(t.Context(), "x")
	require.ErrorIs(t, err, scim.ErrUnauthorized)
}

func TestTransport(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{Limits: scim.Limits{Body: 1 << 16}})
	for body, status := range map[string]int{
		"": 400, "{": 400, "[]": 400, "null": 400, userBody("a") + "x": 400, `{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`: 400,
		"{\"userName\":\"\xff\"}": 400, `{"userName":"a"}`: 400, userBody(" "): 400, userBody("a\x00"): 400, strings.Repeat(" ", 1<<20): 413,
		strings.Replace(userBody("a"), `"D"`, `5`, 1): 400, strings.Replace(userBody("a"), `"displayName":"D"`, `"active":"maybe"`, 1): 400,
	} {
		s.do(status, "POST", "/Users", body)
	}
	s.do(415, "POST", "/Users", userBody("a"), "Content-Type", "text/plain")
	s.do(404, "GET", "/Nothing", "")
	s.do(404, "GET", "/Users/%00", "")
	s.do(404, "GET", "/Users/'%20or%201=1", "")
	s.do(501, "GET", "/Me", "")
	s.do(400, "GET", "/Users?filter=%zz", "")
	res := s.raw("PUT", "/Users", "") //nolint:bodyclose // raw does it
	require.Equal(t, 405, res.StatusCode)
	require.Equal(t, "GET, POST", res.Header.Get("Allow"))
	counts, err := s.svc.Reader().Counts(t.Context())
	require.NoError(t, err)
	require.Zero(t, counts.Users)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	s := start(t, scim.Config{Limits: scim.Limits{RatePerSec: 1, Burst: 2}, Now: func() time.Time { return now }})
	s.do(200, "GET", "/Users", "")
	s.do(200, "GET", "/Users", "")
	res := s.raw("GET", "/Users", "") //nolint:bodyclose // raw does it
	require.Equal(t, 429, res.StatusCode)
	require.Equal(t, "1", res.Header.Get("Retry-After"))
}

func TestUserLife(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	u := s.do(201, "POST", "/Users", userBody("J\u00dcrgen"))
	require.Equal(t, true, u["active"])
	require.Equal(t, "uniqueness", s.do(409, "POST", "/Users", userBody("ju\u0308RGEN"))["scimType"])
	path := "/Users/" + id(u)
	res := s.raw("GET", path, "") //nolint:bodyclose // raw does it
	tag := res.Header.Get("ETag")
	require.NotEmpty(t, tag)
	require.Equal(t, 304, s.raw("GET", path, "", "If-None-Match", tag).StatusCode) //nolint:bodyclose // raw does it
	changed := s.do(200, "PATCH", path, patchBody(`{"op":"Replace","path":"active","value":"False"}`), "If-Match", tag)
	require.Equal(t, false, changed["active"])
	s.do(412, "PATCH", path, patchBody(`{"op":"replace","path":"title","value":"x"}`), "If-Match", tag)
	s.do(412, "DELETE", path, "", "If-Match", tag)
	version := func(d map[string]any) any { m, _ := d["meta"].(map[string]any); return m["version"] }
	same := s.do(200, "PATCH", path, patchBody(`{"op":"replace","path":"active","value":false}`))
	require.Equal(t, version(changed), version(same))
	put := s.do(200, "PUT", path, userBody("j\u00fcrgen"))
	require.Equal(t, true, put["active"])
	require.Equal(t, "j\u00fcrgen", put["userName"])
	s.do(404, "PUT", "/Users/00000000-0000-0000-0000-000000000000", userBody("x"))
	s.do(204, "DELETE", path, "")
	s.do(404, "GET", path, "")
	s.do(404, "DELETE", path, "")
	require.NotEqual(t, id(u), id(s.do(201, "POST", "/Users", userBody("j\u00fcrgen"))))
}

func TestGroups(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	a, b := id(s.do(201, "POST", "/Users", userBody("a"))), id(s.do(201, "POST", "/Users", userBody("b")))
	g := id(s.do(201, "POST", "/Groups", groupBody("G", `{"value":"`+a+`"},{"value":"`+a+`","display":"x"}`)))
	outer := id(s.do(201, "POST", "/Groups", groupBody("Outer", `{"value":"`+g+`","type":"Group"}`)))
	members := func() int {
		l, _ := s.do(200, "GET", "/Groups/"+g, "")["members"].([]any)
		return len(l)
	}
	require.Equal(t, 1, members())
	s.do(400, "POST", "/Groups", groupBody("Bad", `{"value":"nobody"}`))
	s.do(409, "POST", "/Groups", groupBody("g", ``))
	s.do(204, "PATCH", "/Groups/"+g, patchBody(`{"op":"Add","path":"members","value":[{"value":"`+b+`"},{"value":"`+a+`"}]}`))
	require.Equal(t, 2, members())
	s.do(400, "PATCH", "/Groups/"+g, patchBody(`{"op":"remove","path":"members","value":[{"value":"`+b+`"}]},{"op":"add","path":"members","value":[{"value":"nobody"}]}`))
	require.Equal(t, 2, members())
	s.do(204, "PATCH", "/Groups/"+g, patchBody(`{"op":"remove","path":"members","value":[]}`))
	require.Equal(t, 2, members())
	list := s.do(200, "GET", "/Groups?filter=members.value%20eq%20%22"+b+"%22&excludedAttributes=members", "")
	require.InDelta(t, 1, list["totalResults"], 0)
	who := s.do(200, "GET", "/Users/"+a, "")["groups"]
	require.Len(t, who, 2)
	require.InDelta(t, 2, s.do(200, "GET", "/Users?filter=groups.value%20eq%20%22"+outer+"%22", "")["totalResults"], 0)
	s.do(204, "PATCH", "/Groups/"+g, patchBody(`{"op":"Remove","path":"members","value":[{"value":"`+b+`","$ref":null}]}`))
	require.Equal(t, 1, members())
	s.do(204, "DELETE", "/Users/"+a, "")
	require.Equal(t, 0, members())
	s.do(204, "PATCH", "/Groups/"+g, patchBody(`{"op":"add","path":"members","value":[{"value":"`+b+`"}]}`))
	s.do(204, "PATCH", "/Groups/"+g, patchBody(`{"op":"remove","path":"members"}`))
	require.Equal(t, 0, members())
	renamed := s.do(200, "PATCH", "/Groups/"+g+"?attributes=displayName", patchBody(`{"op":"replace","value":{"id":"`+g+`","displayName":"New"}}`))
	require.Equal(t, "New", renamed["displayName"])
	s.do(400, "PATCH", "/Groups/"+g, patchBody(`{"op":"replace","path":"id","value":"x"}`))
}

func TestLists(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	for i := range 25 {
		s.do(201, "POST", "/Users", strings.Replace(userBody(fmt.Sprintf("u%02d", i)), `"D"`, quote(fmt.Sprintf("N%02d", 24-i)), 1))
	}
	walk := func(next func(doc map[string]any, n int) string, first string) []string {
		var out []string
		for path := first; path != ""; {
			doc := s.do(200, "GET", path, "")
			require.InDelta(t, 25, doc["totalResults"], 0)
			rs, _ := doc["Resources"].([]any)
			for _, r := range rs {
				m, _ := r.(map[string]any)
				name, _ := m["userName"].(string)
				out = append(out, name)
			}
			path = next(doc, len(out))
		}
		return out
	}
	byIndex := func(query string) func(map[string]any, int) string {
		return func(_ map[string]any, n int) string {
			if n >= 25 {
				return ""
			}
			return fmt.Sprintf("/Users?startIndex=%d&count=7%s", n+1, query)
		}
	}
	byCursor := func(query string) func(map[string]any, int) string {
		return func(doc map[string]any, _ int) string {
			if c, ok := doc["nextCursor"].(string); ok {
				return "/Users?count=7&cursor=" + c + query
			}
			return ""
		}
	}
	for _, query := range []string{"", "&filter=userName%20sw%20%22U%22", "&sortBy=displayName&sortOrder=descending"} {
		a := walk(byIndex(query), "/Users?startIndex=1&count=7"+query)
		b := walk(byCursor(query), "/Users?cursor=&count=7"+query)
		require.Equal(t, a, b, query)
		require.Len(t, a, 25)
		if strings.Contains(query, "sortBy") {
			require.Equal(t, "u00", a[0])
		}
	}
	require.Empty(t, s.do(200, "GET", "/Users?startIndex=26", "")["Resources"])
	require.Empty(t, s.do(200, "GET", "/Users?count=0", "")["Resources"])
	require.Empty(t, s.do(200, "GET", "/Users?count=-3", "")["Resources"])
	s.do(400, "GET", "/Users?count=x", "")
	require.Equal(t, "invalidCursor", s.do(400, "GET", "/Users?cursor=abc", "")["scimType"])
	for _, f := range []string{"", "password eq \"x\"", "nope eq 1", "active gt true", "userName eq", strings.Repeat("(", 5000)} {
		require.Equal(t, "invalidFilter", s.do(400, "GET", "/Users?filter="+strings.ReplaceAll(strings.ReplaceAll(f, " ", "%20"), `"`, "%22"), "")["scimType"], f)
	}
	found := s.do(200, "POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"U03\"","attributes":["userName"]}`)
	r, _ := found["Resources"].([]any)
	require.Len(t, r, 1)
	m, _ := r[0].(map[string]any)
	require.Len(t, m, 3)
	require.InDelta(t, 1, s.do(200, "GET", "/Users?filter=userName%20eq%20u03", "")["totalResults"], 0)
}

func TestInjection(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	for _, name := range []string{`'; drop table app_user; --`, `a%_b`, "\u202egrinning \U0001F600 <b>&", `back\slash "q"`} {
		u := s.do(201, "POST", "/Users", userBody(name))
		require.Equal(t, name, s.do(200, "GET", "/Users/"+id(u), "")["userName"])
	}
	require.InDelta(t, 1, s.do(200, "GET", "/Users?filter=userName%20co%20%22%25_%22", "")["totalResults"], 0)
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		s := start(t, scim.Config{Profile: profile})
		for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group"} {
			s.do(200, "GET", path, "")
			s.do(405, "POST", path, "{}")
			s.do(403, "GET", path+"?filter=a%20pr", "")
		}
		s.do(404, "GET", "/Schemas/urn:nope", "")
		cfg := s.do(200, "GET", "/ServiceProviderConfig", "")
		bulk, _ := cfg["bulk"].(map[string]any)
		require.Equal(t, profile == scim.RFC, bulk["supported"])
		raw, err := json.Marshal(s.do(200, "GET", "/Schemas", ""))
		require.NoError(t, err)
		require.NotContains(t, string(raw), `"password"`)
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{Limits: scim.Limits{BulkOps: 10}})
	op := func(method, path, bulkID, data string) string {
		return `{"method":"` + method + `","path":"` + path + `","bulkId":"` + bulkID + `","data":` + data + `}`
	}
	bulk := func(status int, fail string, ops ...string) []any {
		doc := s.do(status, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]`+fail+`,"Operations":[`+strings.Join(ops, ",")+`]}`)
		out, _ := doc["Operations"].([]any)
		return out
	}
	statuses := func(list []any) string {
		var out []string
		for _, e := range list {
			m, _ := e.(map[string]any)
			out = append(out, fmt.Sprint(m["status"]))
		}
		return strings.Join(out, " ")
	}
	require.Equal(t, "201 201 201 400", statuses(bulk(200, "",
		op("POST", "/Groups", "g1", groupBody("G1", `{"value":"bulkId:g2"},{"value":"bulkId:u"}`)), // forward, and a circle
		op("POST", "/Groups", "g2", groupBody("G2", `{"value":"bulkId:g1"}`)),
		op("POST", "/Users", "u", userBody("u")), op("GET", "/Users", "", "{}"))))
	g := s.do(200, "GET", "/Groups?filter=displayName%20eq%20%22g1%22", "")["Resources"]
	raw, err := json.Marshal(g)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(raw), `"$ref"`))
	require.Equal(t, "409 409", statuses(bulk(200, `,"failOnErrors":2`, op("POST", "/Users", "a", userBody("u")), op("POST", "/Groups", "b", groupBody("X", `{"value":"bulkId:none"}`)), op("POST", "/Users", "c", userBody("c")))))
	var many []string
	for i := range 11 {
		many = append(many, op("POST", "/Users", fmt.Sprint(i), userBody(fmt.Sprint("m", i))))
	}
	bulk(413, "", many...)
	s.do(400, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[]}`)
	require.InDelta(t, 1, s.do(200, "GET", "/Users", "")["totalResults"], 0)
}

func TestP01OwnedByDirectory(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{AllowUnmappedWrites: true})
	var u *identitystore.User
	var g *identitystore.Group
	require.NoError(t, s.svc.Update(t.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
		var err error
		if u, err = tx.CreateUser(t.Context(), &identitystore.User{UserName: "ad", Link: identitystore.Link{Origin: identitystore.OriginSync, Source: "ad", GUID: "g", Owned: []string{"userName"}}}); err != nil {
			return err
		}
		g, err = tx.CreateGroup(t.Context(), &identitystore.Group{DisplayName: "adg", Link: identitystore.Link{Origin: identitystore.OriginSync, Source: "ad", GUID: "h"}})
		return err
	}))
	path := "/Users/" + u.ID
	require.Equal(t, "mutability", s.do(403, "PATCH", path, patchBody(`{"op":"replace","path":"userName","value":"x"}`))["scimType"])
	s.do(200, "PATCH", path, patchBody(`{"op":"replace","path":"title","value":"x"}`))
	s.do(403, "DELETE", path, "")
	s.do(403, "PATCH", "/Groups/"+g.ID, patchBody(`{"op":"add","path":"members","value":[{"value":"`+u.ID+`"}]}`))
}

func TestParallel(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	var users []string
	for i := range 100 {
		users = append(users, id(s.do(201, "POST", "/Users", userBody(fmt.Sprint("p", i)))))
	}
	g := id(s.do(201, "POST", "/Groups", groupBody("G", "")))
	var wg sync.WaitGroup
	statuses := make(chan int, 200)
	send := func(method, path, body string) {
		wg.Go(func() {
			rq, err := http.NewRequestWithContext(context.Background(), method, s.url+path, strings.NewReader(body))
			if err != nil {
				return
			}
			rq.Header.Set("Authorization", "Bearer "+token)
			if res, err := http.DefaultClient.Do(rq); err == nil {
				_ = res.Body.Close()
				statuses <- res.StatusCode
			}
		})
	}
	for _, u := range users {
		send("PATCH", "/Groups/"+g, patchBody(`{"op":"add","path":"members","value":[{"value":"`+u+`"}]}`))
	}
	for range 8 {
		send("POST", "/Users", userBody("same"))
	}
	wg.Wait()
	close(statuses)
	got := map[int]int{}
	for st := range statuses {
		got[st]++
	}
	require.Equal(t, map[int]int{204: 100, 201: 1, 409: 7}, got)
	require.Len(t, s.do(200, "GET", "/Groups/"+g, "")["members"], 100)
}

func TestAWSProfile(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{Profile: scim.AWS})
	u := id(s.do(201, "POST", "/Users", userBody("alice")))
	g := id(s.do(201, "POST", "/Groups", groupBody("G", `{"value":"`+u+`"}`)))
	require.Equal(t, []any{}, s.do(200, "GET", "/Groups/"+g, "")["members"])
	ask := func(status int, filter string) map[string]any {
		return s.do(status, "GET", "/Groups?filter="+strings.NewReplacer(" ", "%20", `"`, "%22").Replace(filter), "")
	}
	require.InDelta(t, 1, ask(200, `id eq "`+g+`" and members eq "`+u+`"`)["totalResults"], 0)
	require.InDelta(t, 0, ask(200, `id eq "`+g+`" and members.value eq "`+g+`"`)["totalResults"], 0)
	for _, f := range []string{`displayName co "x"`, `displayName eq "a" or id eq "b"`, `members eq "x"`, `displayName pr`, `meta.created gt "2020-01-01T00:00:00Z"`} {
		ask(400, f)
	}
	s.do(405, "PUT", "/Groups/"+g, groupBody("G", ""))
	for _, path := range []string{"/Bulk", "/Me", "/.search"} {
		s.do(404, "POST", path, "{}")
	}
	s.do(400, "POST", "/Users", userBody("two words"))
	s.do(400, "POST", "/Users", userBody("administrator"))
	s.do(400, "POST", "/Users", userBody(strings.Repeat("x", 129)))
	s.do(400, "PATCH", "/Users/"+u, patchBody(`{"op":"remove","path":"displayName"}`))
	s.do(400, "GET", "/Users?count=0", "")
	page := s.do(200, "GET", "/Users?cursor&count=1", "")
	require.NotContains(t, page, "totalResults")
	require.NotContains(t, page, "startIndex")
	bad := s.do(404, "GET", "/Users/none", "")
	require.Contains(t, bad, "exceptionRequestId")
	require.Contains(t, bad, "timestamp")
	require.Empty(t, s.raw("GET", "/Users/"+u, "").Header.Get("ETag")) //nolint:bodyclose // raw does it
}
