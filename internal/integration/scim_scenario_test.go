package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// scimStep is a request of a scenario. {name} in path and body stands for the id that the step of that name got.
type scimStep struct {
	name, method, path, body string
}

// scimScenario is what both profiles and all stores have to answer alike, but for ids and times.
func scimScenario() []scimStep {
	steps := []scimStep{
		{"alice", "POST", "/Users", strings.Replace(scimUser("Alice"), `"displayName"`, `"externalId":"e-1","emails":[{"value":"a@x.test","type":"work","primary":true}],"displayName"`, 1)},
		{"", "POST", "/Users", scimUser("ALICE")},
		{"bob", "POST", "/Users", scimUser("bob")},
		{"", "POST", "/Users", scimUser("two words")},
		{"", "POST", "/Users", `{"schemas":["` + scimUserURN + `"]}`},
		{"g", "POST", "/Groups", scimGroup("Staff", "{alice}")},
		{"", "POST", "/Groups", scimGroup("staff")},
		{"", "POST", "/Groups", scimGroup("Lost", "00000000-0000-0000-0000-000000000000")},
		{"h", "POST", "/Groups", scimGroup("Other")},
		{"", "GET", "/Groups/{g}", ""},
		{"", "PATCH", "/Groups/{g}", addMember("{bob}")},
		{"", "PATCH", "/Groups/{g}", addMember("{bob}")},
		{"", "GET", `/Groups?filter=id eq "{g}" and members eq "{bob}"`, ""},
		{"", "GET", `/Users?filter=groups.value eq "{g}"`, ""},
		{"", "GET", `/Users?filter=externalId eq "e-1"`, ""},
		{"", "GET", `/Users?filter=userName eq "aLICE"`, ""},
		{"", "GET", `/Users?filter=userName co "b"`, ""},
		{"", "GET", `/Users?filter=emails.value eq "A@X.test"`, ""},
		{"", "PATCH", "/Users/{alice}", scimPatch(`{"op":"Replace","path":"active","value":"False"},{"op":"replace","path":"emails[type eq \"work\"].value","value":"new@x.test"}`)},
		{"", "PATCH", "/Users/{alice}", scimPatch(`{"op":"replace","path":"userName","value":"BOB"}`)},
		{"", "PATCH", "/Users/{alice}", scimPatch(`{"op":"replace","path":"title","value":"x"},{"op":"replace","path":"nope","value":"x"}`)},
		{"", "GET", "/Users/{alice}", ""},
		{"", "PUT", "/Users/{bob}", scimUser("Bob")},
		{"", "PATCH", "/Groups/{g}", scimPatch(`{"op":"remove","path":"members","value":[{"value":"{alice}"}]},{"op":"replace","path":"displayName","value":"Crew"}`)},
		{"", "PATCH", "/Groups/{g}", scimPatch(`{"op":"replace","path":"displayName","value":"OTHER"}`)},
		{"", "PATCH", "/Groups/{g}", scimPatch(`{"op":"remove","path":"members","value":[]}`)},
		{"", "GET", `/Groups?filter=displayName eq "crew"`, ""},
		{"", "PUT", "/Groups/{g}", scimGroup("Crew", "{alice}", "{bob}")},
		{"", "PATCH", "/Groups/{g}", scimPatch(`{"op":"remove","path":"members"}`)},
		{"", "POST", "/Groups", scimGroup("Nested", "{g}")},
		{"", "GET", `/Users?count=1&filter=userName eq "alice"`, ""},
		{"", "GET", "/Users?count=0", ""},
		{"", "DELETE", "/Users/{bob}", ""},
		{"", "GET", "/Users/{bob}", ""},
		{"", "DELETE", "/Users/{bob}", ""},
		{"", "PATCH", "/Users/{bob}", scimPatch(`{"op":"replace","path":"active","value":true}`)},
		{"bob2", "POST", "/Users", scimUser("bob")},
		{"", "GET", "/Groups/{g}", ""},
		{"", "DELETE", "/Groups/{g}", ""},
		{"", "GET", "/Users", ""},
		{"", "GET", "/Groups", ""},
		{"", "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"POST","path":"/Groups","bulkId":"q","data":` + scimGroup("Bulk", "bulkId:r") +
			`},{"method":"POST","path":"/Users","bulkId":"r","data":` + scimUser("carol") + `},{"method":"DELETE","path":"/Groups/{h}"}]}`},
		{"", "POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName sw \"a\" or displayName pr","sortBy":"userName","sortOrder":"descending","count":2}`},
	}
	for i, text := range hostileTexts() {
		name := fmt.Sprint("hostile", i)
		steps = append(steps,
			scimStep{name, "POST", "/Users", mustJSON(map[string]any{"schemas": []string{scimUserURN}, "userName": text, "displayName": text, "externalId": text, "name": map[string]any{"givenName": text, "familyName": text}})},
			scimStep{"", "GET", "/Users/{" + name + "}", ""},
			scimStep{"", "POST", "/Users/.search", mustJSON(map[string]any{"filter": "userName eq " + mustJSON(text), "attributes": []string{"userName"}})},
			scimStep{"", "POST", "/Users/.search", mustJSON(map[string]any{"filter": "emails.value eq " + mustJSON(text) + " or externalId eq " + mustJSON(text), "attributes": []string{"userName"}})},
			scimStep{"", "PATCH", "/Users/{" + name + "}", scimPatch(`{"op":"replace","path":"displayName","value":` + mustJSON(text+"!") + `}`)},
			scimStep{"", "POST", "/Groups", mustJSON(map[string]any{"schemas": []string{scimGroupURN}, "displayName": text})},
			scimStep{"", "DELETE", "/Users/{" + name + "}", ""},
		)
	}
	for _, id := range []string{"'%20or%20'1'='1", "%00", "..%2f..%2fetc", "1;drop%20table%20principal", strings.Repeat("a", 3000), "%25", "*", "$1", "?"} {
		steps = append(steps, scimStep{"", "GET", "/Users/" + id, ""}, scimStep{"", "DELETE", "/Groups/" + id, ""})
	}
	return append(steps, scimStep{"", "GET", "/Users?attributes=userName", ""}, scimStep{"", "GET", "/Groups?attributes=displayName", ""})
}

// hostileTexts are values that break out of statements, patterns or markup where something is glued together.
func hostileTexts() []string {
	return []string{
		`x';drop_table_principal;--`, `x"; DELETE FROM tenant; --`, `%`, `_%_`, `\`, `\'`, `$1`, `?`, `' OR '1'='1`, `"); ROLLBACK; --`, "\u2028<script>&amp;", "\U0001F600", "\u202egnp.exe",
		"a\u0301", strings.Repeat("'", 200), "\x1b[2J", "{{.}}", "bulkId:x", "W/\"1\"", "a\r\nSet-Cookie: x=1",
	}
}

func mustJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

var scimFree = regexp.MustCompile(`"(?:created|lastModified|timestamp|exceptionRequestId)":"[^"]*"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// playSCIM runs the scenario and returns what was answered, with ids by their names.
func playSCIM(t *testing.T, s *scimSide) []string {
	t.Helper()
	ids, names := map[string]string{}, map[string]string{}
	var out []string
	for i, st := range scimScenario() {
		path, body := st.path, st.body
		for name, id := range ids {
			path, body = strings.ReplaceAll(path, "{"+name+"}", id), strings.ReplaceAll(body, "{"+name+"}", id)
		}
		code, text := s.ask(st.method, path, body)
		require.Less(t, code, 500, "%s %s %s: %s", st.method, path, body, text)
		if text != "" {
			require.True(t, json.Valid([]byte(text)), text)
		}
		var doc struct{ ID string }
		_ = json.Unmarshal([]byte(text), &doc)
		if st.name != "" && code == 201 {
			ids[st.name] = doc.ID
			names[doc.ID] = st.name
		}
		text = scimFree.ReplaceAllStringFunc(text, func(m string) string {
			if name, _, isPair := strings.Cut(m, ":"); isPair {
				return name + `:"any"`
			}
			if names[m] == "" {
				names[m] = fmt.Sprint("<id", len(names), ">")
			}
			return names[m]
		})
		out = append(out, fmt.Sprintf("%d %s %s: %d %s", i, st.method, st.path, code, anyOrder(text)))
	}
	return out
}

// anyOrder sorts lists: the order of ids is chance.
func anyOrder(text string) string {
	var doc any
	if json.Unmarshal([]byte(text), &doc) != nil {
		return text
	}
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			for _, e := range x {
				walk(e)
			}
		case []any:
			for _, e := range x {
				walk(e)
			}
			slices.SortFunc(x, func(a, b any) int { return strings.Compare(mustJSON(a), mustJSON(b)) })
		}
	}
	walk(doc)
	return mustJSON(doc)
}

// sameOnAll requires the same answers of a store as of the one in memory, for both profiles.
func sameOnAll(t *testing.T, open func(testing.TB) identitystore.Store) {
	t.Helper()
	for name, profile := range map[string]scim.Profile{"rfc": scim.RFC, "aws": scim.AWS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := playSCIM(t, newSCIM(t, new(identitystore.Memory), profile))
			got := playSCIM(t, newSCIM(t, open(t), profile))
			for i := range want {
				if want[i] != got[i] {
					t.Fatalf("memory: %.3000s\nstore: %.3000s", want[i], got[i])
				}
			}
		})
	}
}

// raceSCIM lets many writers meet: of eight with one version one wins; of eight creations of one name one; walks with
// cursors see each user that stays exactly once, whatever comes and goes.
func raceSCIM(t *testing.T, st identitystore.Store) {
	t.Helper()
	s := newSCIM(t, st, scim.RFC)
	u := s.must(t, 201, "POST", "/Users", scimUser("contended"))
	id, _ := u["id"].(string)
	for round := range 5 {
		meta, _ := s.must(t, 200, "GET", "/Users/"+id, "")["meta"].(map[string]any)
		version, _ := meta["version"].(string)
		got := together(8, func(i int) int {
			method, body := "PATCH", scimPatch(fmt.Sprintf(`{"op":"replace","path":"title","value":"%d-%d"}`, round, i))
			if i%2 == 1 {
				method, body = "PUT", strings.Replace(scimUser("contended"), `"displayName"`, fmt.Sprintf(`"title":"%d-%d","displayName"`, round, i), 1)
			}
			code, _ := s.ask(method, "/Users/"+id, body, "If-Match", version)
			return code
		})
		require.Equal(t, map[int]int{200: 1, 412: 7}, got)
		require.Equal(t, map[int]int{201: 1, 409: 7}, together(8, func(int) int {
			code, _ := s.ask("POST", "/Users", scimUser(fmt.Sprint("same", round)))
			return code
		}))
	}
	fillSCIM(t, s.svc, "stays", 300)
	for _, question := range []string{"", `&filter=userName sw "stays"`, "&sortBy=userName&sortOrder=descending", "&sortBy=title"} {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, text := s.ask("POST", "/Users", scimUser(fmt.Sprintf("comes-%d-%d", len(question), i)))
				var made struct{ ID string }
				_ = json.Unmarshal([]byte(text), &made)
				s.ask("DELETE", "/Users/"+made.ID, "")
			}
		})
		seen := map[string]int{}
		for path := "/Users?cursor=&count=20" + question; path != ""; {
			doc := s.must(t, 200, "GET", path, "")
			list, _ := doc["Resources"].([]any)
			for _, r := range list {
				m, _ := r.(map[string]any)
				name, _ := m["userName"].(string)
				seen[name]++
			}
			next, _ := doc["nextCursor"].(string)
			if path = ""; next != "" {
				path = "/Users?count=20&cursor=" + next + question
			}
		}
		close(stop)
		wg.Wait()
		stays := 0
		for name, n := range seen {
			require.Equal(t, 1, n, name)
			if strings.HasPrefix(name, "stays") {
				stays++
			}
		}
		require.Equal(t, 300, stays, question)
	}
}

// together runs f n times at once and counts its results.
func together(n int, f func(i int) int) map[int]int {
	results := make([]int, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { results[i] = f(i) })
	}
	wg.Wait()
	out := map[int]int{}
	for _, r := range results {
		out[r]++
	}
	return out
}

func TestSCIMScenarioSQLite(t *testing.T) {
	t.Parallel()
	sameOnAll(t, func(tb testing.TB) identitystore.Store { tb.Helper(); st, _ := sqliteSCIM(tb); return st })
}

func TestSCIMRacesSQLite(t *testing.T) {
	t.Parallel()
	st, _ := sqliteSCIM(t)
	raceSCIM(t, st)
}

func TestSCIMRacesMemory(t *testing.T) {
	t.Parallel()
	raceSCIM(t, new(identitystore.Memory))
}

// TestSCIMHeaders: nothing that a client sends gets into a header of the answer.
func TestSCIMHeaders(t *testing.T) {
	t.Parallel()
	s := newSCIM(t, new(identitystore.Memory), scim.RFC)
	for _, text := range hostileTexts() {
		rq := httptest.NewRequest("POST", "/Users", strings.NewReader(mustJSON(map[string]any{"schemas": []string{scimUserURN}, "userName": text, "externalId": text, "id": text, "meta": map[string]any{"location": text, "version": text}})))
		rq.Header.Set("Authorization", "Bearer "+scimToken)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, rq)
		require.Equal(t, 201, w.Code)
		require.Regexp(t, `^https://scim\.example\.test/Users/[0-9a-f-]{36}$`, w.Header().Get("Location"))
		require.Regexp(t, `^W/"[0-9]+"$`, w.Header().Get("ETag"))
		require.Equal(t, "application/scim+json", w.Header().Get("Content-Type"))
	}
}
