package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// endless is a body of n bytes that nobody has to hold.
type endless struct {
	left atomic.Int64 // the client may still read it when the answer is there
	peak *atomic.Uint64
}

func newEndless(n int64, peak *atomic.Uint64) *endless {
	e := &endless{peak: peak}
	e.left.Store(n)
	return e
}

func (e *endless) Read(p []byte) (int, error) {
	before := e.left.Load()
	if before <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), before))
	for i := range p[:n] {
		p[i] = ' '
	}
	if e.left.Add(-int64(n))%(8<<20) < int64(n) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		for old := e.peak.Load(); m.HeapInuse > old && !e.peak.CompareAndSwap(old, m.HeapInuse); old = e.peak.Load() {
		}
	}
	return n, nil
}

// TestHugeBodies sends 100 MB over HTTP, with and without its length: the answer can be read, nothing is stored, and
// the server does not hold the body.
func TestHugeBodies(t *testing.T) { //nolint:paralleltest // it looks at the memory of the process
	const size = 100 << 20
	s := start(t, scim.Config{})
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	var peak atomic.Uint64
	for name, c := range map[string]struct {
		method, path, token string
		length              int64
		status              int
	}{
		"known length":   {"POST", "/Users", token, size, 413},
		"unknown length": {"POST", "/Users", token, -1, 413},
		"patch":          {"PATCH", "/Users/00000000-0000-0000-0000-000000000000", token, -1, 413},
		"bulk":           {"POST", "/Bulk", token, -1, 413},
		"search":         {"POST", "/Users/.search", token, size, 413},
	} {
		rq, err := http.NewRequestWithContext(context.Background(), c.method, s.url+c.path, newEndless(size, &peak))
		require.NoError(t, err)
		rq.ContentLength = c.length
		rq.Header.Set("Authorization", "Bearer "+c.token)
		res, err := http.DefaultClient.Do(rq)
		require.NoError(t, err, name)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, c.status, res.StatusCode, name)
		var doc map[string]any
		require.NoError(t, json.Unmarshal(body, &doc), name)
		require.Equal(t, "413", doc["status"])
	}
	require.Less(t, int64(peak.Load())-int64(m.HeapInuse), int64(64<<20), "held while 100 MB went through")
	counts, err := s.svc.Reader().Counts(t.Context())
	require.NoError(t, err)
	require.Zero(t, counts)
}

// TestStrangers: who has no token is not listened to for long.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{Limits: scim.Limits{Body: 1 << 16}})
	var peak atomic.Uint64
	body := newEndless(1<<30, &peak)
	rq, err := http.NewRequestWithContext(context.Background(), "POST", s.url+"/Users", body)
	require.NoError(t, err)
	if res, err := http.DefaultClient.Do(rq); err == nil {
		require.Equal(t, 401, res.StatusCode)
		require.NoError(t, res.Body.Close())
	}
	require.Greater(t, body.left.Load(), int64(1<<29))
}

// TestHostileDocuments are requests within the size limit that ask for much work or depth. Each is refused, and nothing
// changes.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	u := id(s.do(201, "POST", "/Users", userBody("victim")))
	g := id(s.do(201, "POST", "/Groups", groupBody("g", `{"value":"`+u+`"}`)))
	before := encode(t, []any{s.do(200, "GET", "/Users/"+u, ""), s.do(200, "GET", "/Groups/"+g, "")})
	many := func(n int, f func(i int) string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = f(i)
		}
		return strings.Join(list, ",")
	}
	email := func(i int) string { return fmt.Sprintf(`{"value":"%d"}`, i) }
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	filter := "value co " + `\"a\"` + strings.Repeat(` or value co \"a\"`, 62)
	for name, c := range map[string]struct {
		status             int
		method, path, body string
	}{
		"many emails":           {400, "POST", "/Users", strings.Replace(userBody("many"), `{"schemas"`, `{"emails":[`+many(100_000, email)+`],"schemas"`, 1)},
		"many emails by patch":  {400, "PATCH", "/Users/" + u, patchBody(`{"op":"add","path":"emails","value":[` + many(100_000, email) + `]}`)},
		"many operations":       {413, "PATCH", "/Users/" + u, patchBody(many(2001, func(int) string { return `{"op":"replace","path":"title","value":"x"}` }))},
		"many keys":             {413, "PATCH", "/Users/" + u, patchBody(`{"op":"replace","value":{` + many(2001, func(int) string { return `"title":"x"` }) + `}}`)},
		"many bulk operations":  {413, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + many(2001, func(int) string { return `{"method":"DELETE","path":"/Users/x"}` }) + `]}`},
		"many conditions":       {400, "PATCH", "/Users/" + u, patchBody(`{"op":"add","path":"emails","value":[` + many(900, func(i int) string { return fmt.Sprintf(`{"value":"%01000d"}`, i) }) + `]},` + many(1000, func(int) string { return `{"op":"replace","path":"emails[` + filter + `].display","value":"x"}` }))},
		"deep":                  {400, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"deep","x":` + deep + `}`},
		"deep patch":            {400, "PATCH", "/Users/" + u, patchBody(`{"op":"replace","path":"title","value":` + deep + `}`)},
		"deep bulk":             {400, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"POST","path":"/Users","bulkId":"1","data":` + deep + `}]}`},
		"unclosed":              {400, "POST", "/Users", strings.Repeat("[", 1<<20)},
		"deep path":             {400, "PATCH", "/Users/" + u, patchBody(`{"op":"replace","path":"emails[` + strings.Repeat("(", 500) + `","value":"x"}`)},
		"long path":             {400, "PATCH", "/Users/" + u, patchBody(`{"op":"replace","path":"` + strings.Repeat("a", 1<<20) + `","value":"x"}`)},
		"long name":             {400, "POST", "/Users", userBody(strings.Repeat("n", 1<<20))},
		"many unknown members":  {400, "PATCH", "/Groups/" + g, patchBody(`{"op":"add","path":"members","value":[` + many(50_000, email) + `]}`)},
		"member is no text":     {400, "PATCH", "/Groups/" + g, patchBody(`{"op":"add","path":"members","value":[{"value":{"a":1}}]}`)},
		"member is null":        {400, "PATCH", "/Groups/" + g, patchBody(`{"op":"add","path":"members","value":[null]}`)},
		"a name twice":          {400, "POST", "/Users", strings.Replace(userBody("one"), `"userName"`, `"USERNAME":"two","userName"`, 1)},
		"a part twice":          {400, "POST", "/Users", strings.Replace(userBody("one"), `"givenName"`, `"GivenName":"two","givenName"`, 1)},
		"operations twice":      {400, "PATCH", "/Users/" + u, strings.Replace(patchBody(`{"op":"replace","path":"title","value":"x"}`), `"Operations"`, `"operations":[],"Operations"`, 1)},
		"op twice":              {400, "PATCH", "/Users/" + u, patchBody(`{"op":"replace","Op":"remove","path":"title","value":"x"}`)},
		"two documents":         {400, "POST", "/Users", userBody("one") + userBody("two")},
		"half a surrogate pair": {400, "POST", "/Users", strings.Replace(userBody("x"), `"D"`, "\"\xed\xa0\x80\"", 1)},
		"search with deep":      {400, "POST", "/Users/.search", `{"filter":"` + strings.Repeat("(", 4000) + `"}`},
		"search with numbers":   {400, "POST", "/Users/.search", `{"count":1e400}`},
		"search with half":      {400, "POST", "/Users/.search", `{"startIndex":1.5}`},
		"search not text":       {400, "POST", "/Users/.search", `{"filter":{}}`},
	} {
		doc := s.do(c.status, c.method, c.path, c.body)
		require.Less(t, len(encode(t, doc)), 1000, name)
	}
	for _, f := range []string{
		strings.Repeat("(", 65) + "active pr" + strings.Repeat(")", 65), strings.Repeat("not (", 65) + "active pr" + strings.Repeat(")", 65),
		strings.Repeat(`active pr and `, 64) + "active pr", `userName eq "` + strings.Repeat("x", 5000) + `"`, `meta.created gt "` + strings.Repeat("9", 3000) + `"`,
		`emails[` + strings.Repeat("(", 70) + `value pr` + strings.Repeat(")", 70) + `]`,
	} {
		require.Equal(t, "invalidFilter", s.do(400, "POST", "/Users/.search", encode(t, map[string]any{"filter": f}))["scimType"], f)
	}
	require.Equal(t, "invalidFilter", s.do(400, "GET", "/Users?filter=userName%20eq%20%22%ff%22", "")["scimType"])
	counts, err := s.svc.Reader().Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, counts.Users)
	require.Equal(t, 1, counts.Memberships)
	require.Equal(t, before, encode(t, []any{s.do(200, "GET", "/Users/"+u, ""), s.do(200, "GET", "/Groups/"+g, "")}))
}

// TestBulkReferences: long chains, cycles and references to nothing are each worked off once.
func TestBulkReferences(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{})
	run := func(ops ...string) []string {
		doc := s.do(200, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+strings.Join(ops, ",")+`]}`)
		list, _ := doc["Operations"].([]any)
		var out []string
		for _, e := range list {
			m, _ := e.(map[string]any)
			out = append(out, fmt.Sprint(m["status"]))
		}
		return out
	}
	group := func(name string, members ...string) string {
		var list bytes.Buffer
		for i, m := range members {
			if i > 0 {
				list.WriteByte(',')
			}
			list.WriteString(`{"value":"bulkId:` + m + `"}`)
		}
		return `{"method":"POST","path":"/Groups","bulkId":"` + name + `","data":` + groupBody(name, list.String()) + `}`
	}
	var chain []string // each group has the next one, which comes later, as member
	for i := range 300 {
		chain = append(chain, group(fmt.Sprint("chain", i), fmt.Sprint("chain", i+1)))
	}
	got := run(append(chain, group("chain300"))...)
	require.Len(t, got, 301)
	require.NotContains(t, got, "409")
	members := func(name string) int {
		list, _ := s.do(200, "GET", "/Groups?filter=displayName%20eq%20%22"+name+"%22", "")["Resources"].([]any)
		m, _ := list[0].(map[string]any)
		ms, _ := m["members"].([]any)
		return len(ms)
	}
	require.Equal(t, 1, members("chain0"))
	require.Equal(t, 1, members("chain299"))
	require.Equal(t, []string{"201", "201", "201"}, run(group("a", "b"), group("b", "c"), group("c", "a", "b")))
	require.Equal(t, []int{1, 1, 2}, []int{members("a"), members("b"), members("c")})
	require.Equal(t, []string{"201"}, run(group("self", "self")))
	require.Equal(t, 1, members("self"))
	require.Equal(t, []string{"409", "409"}, run(group("lost", "nobody"), group("after", "lost")))
	user := func(bulkID, name, manager string) string {
		return `{"method":"POST","path":"/Users","bulkId":"` + bulkID + `","data":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name +
			`","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"bulkId:` + manager + `"}}}}`
	}
	require.Equal(t, []string{"409", "409"}, run(user("1", "m1", "2"), user("2", "m2", "1")), "managers in a circle cannot be created")
	require.Equal(t, []string{"201", "409"}, run(group("ok"), group("ok2", "none")))
}
