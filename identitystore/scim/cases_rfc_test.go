package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// TestResources stores the example resources of RFC 7643 and RFC 7644 and reads them back without loss.
func TestResources(t *testing.T) {
	t.Parallel()
	cases := sharedCases(t, "resource")
	require.Len(t, cases, 15)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ids := start(t, scim.Config{}), map[string]string{}
			want := decode(t, c.Body)
			if list, isList := want["Resources"].([]any); isList {
				agree(t, name, listed(s, name, want, list, ids))
				return
			}
			delete(want, "password") // never stored
			path := "/Users/"
			if want["userName"] == nil {
				path = "/Groups/"
			}
			path += s.seed(want, ids)
			if strings.Contains(name, "partial") {
				path += "?attributes=userName"
			}
			got := s.do(200, "GET", path, "")
			if groups, isList := want["groups"].([]any); isList { // the server's own: it makes them from the members
				require.NotEmpty(t, groups)
				delete(want, "groups")
			}
			agree(t, name, compare("", want, got, ids))
			if strings.Contains(path, "?") {
				return
			}
			again := s.do(200, "PUT", path, encode(t, got)) // what was read can be written
			require.Empty(t, compare("", got, again, nil))
		})
	}
}

// listed makes the server answer with a recorded list.
func listed(s *server, name string, want map[string]any, list []any, ids map[string]string) []string {
	var got map[string]any
	switch {
	case strings.Contains(name, "circular"):
		s.do(200, "POST", "/Bulk", string(sharedCases(s.t, "bulk")["rfc-rfc7644-3_7_1-bulk_request-circular_conflict"].Body))
		got = s.do(200, "GET", "/Groups?sortBy=displayName", "")
		all, _ := got["Resources"].([]any)
		for i := range list {
			old, _ := list[i].(map[string]any)
			now, _ := all[i].(map[string]any)
			ids[id(old)] = id(now)
		}
	case strings.Contains(name, "partial"):
		for _, r := range list {
			m, _ := r.(map[string]any)
			m["schemas"] = []any{"urn:ietf:params:scim:schemas:core:2.0:User"}
			s.seed(m, ids)
			delete(m, "schemas")
		}
		got = s.do(200, "GET", "/Users?attributes=userName&sortBy=userName", "")
	default: // a search over users and groups at once
		return []string{fmt.Sprint("status=", s.do(501, "POST", "/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`)["status"])}
	}
	delete(want, "startIndex")
	delete(got, "startIndex")
	if want["itemsPerPage"] == nil {
		delete(got, "itemsPerPage")
	}
	return compare("", want, got, ids)
}

func TestSearchCase(t *testing.T) {
	t.Parallel()
	cases := sharedCases(t, "search")
	require.Len(t, cases, 1)
	s := start(t, scim.Config{})
	for _, name := range []string{"Smith, James", "smithers", "Jones", "blacksmith"} {
		s.do(201, "POST", "/Users", strings.Replace(userBody(name), `"D"`, quote(name), 1))
	}
	for _, c := range cases {
		got := s.do(200, "POST", "/Users/.search", string(c.Body))
		require.InDelta(t, 2, got["totalResults"], 0)
		list, _ := got["Resources"].([]any)
		require.Len(t, list, 2)
		for _, r := range list {
			m, _ := r.(map[string]any)
			require.ElementsMatch(t, []string{"schemas", "id", "userName", "displayName"}, slices.Collect(maps.Keys(m)))
		}
	}
}

// TestErrors provokes the example errors.
func TestErrors(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{Limits: scim.Limits{Body: 1 << 20}})
	u := id(s.do(201, "POST", "/Users", userBody("someone")))
	provoke := map[string]map[string]any{
		"rfc-rfc7644-3_12-error-bad_request":        s.do(400, "PATCH", "/Users/"+u, patchBody(`{"op":"replace","path":"id","value":"x"}`)),
		"rfc-rfc7644-3_12-error-not_found":          s.do(404, "GET", "/Users/2819c223-7f76-453a-919d-413861904646", ""),
		"rfc-rfc7644-3_6-error-not_found":           s.do(404, "DELETE", "/Users/2819c223-7f76-453a-919d-413861904646", ""),
		"rfc-rfc7644-3_7_3-error-invalid_syntax":    s.do(400, "POST", "/Users", `{"userName":`),
		"rfc-rfc7644-3_7_4-error-payload_too_large": s.do(413, "POST", "/Bulk", strings.Repeat(" ", 1<<20+1)),
	}
	cases := sharedCases(t, "error")
	require.Len(t, cases, 5)
	for name, c := range cases {
		require.Contains(t, provoke, name)
		agree(t, name, compare("", decode(t, c.Body), provoke[name], nil))
		require.NotEmpty(t, provoke[name]["detail"])
	}
}

// TestPatchExamples applies the example PATCH requests of RFC 7644 section 3.5.2 over HTTP.
func TestPatchExamples(t *testing.T) {
	t.Parallel()
	const user = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen","emails":[{"value":"b@example.com","type":"work"},{"value":"c@else.test","type":"work"}],
		"addresses":[{"type":"work","streetAddress":"old","locality":"kept"},{"type":"home","locality":"kept"}]}`
	want := map[string]string{
		"add_emails":                 `{"nickName":"Babs","emails":[{"value":"b@example.com","type":"work"},{"value":"c@else.test","type":"work"},{"value":"babs@jensen.org","type":"home"}]}`,
		"remove_multi_complex_value": `{"emails":[{"value":"c@else.test","type":"work"}]}`,
		"replace_all_email_values":   `{"nickName":"Babs","emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}]}`,
		"replace_street_address":     `{"addresses":[{"type":"work","streetAddress":"1010 Broadway Ave","locality":"kept"},{"type":"home","locality":"kept"}]}`,
		"replace_user_work_address": `{"addresses":[{"type":"home","locality":"kept"},{"type":"work","streetAddress":"911 Universal City Plaza","locality":"Hollywood","region":"CA","postalCode":"91608",
			"country":"US","formatted":"911 Universal City Plaza\nHollywood, CA 91608 US","primary":true}]}`,
		"add_members":               `{"members":[{"value":"KEPT"},{"value":"NAMED"}]}`,
		"remove_all_members":        `{}`,
		"remove_one_member":         `{"members":[{"value":"KEPT"}]}`,
		"remove_and_add_one_member": `{"members":[{"value":"KEPT"},{"value":"OTHER"}]}`,
		"replace_all_members":       `{"members":[{"value":"NAMED"},{"value":"OTHER"}]}`,
	}
	n := 0
	for name, c := range sharedCases(t, "patch") {
		if c.Role != "request" {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, scim.Config{})
			ids := map[string]string{"KEPT": id(s.do(201, "POST", "/Users", userBody("kept"))), "NAMED": id(s.do(201, "POST", "/Users", userBody("named"))), "OTHER": id(s.do(201, "POST", "/Users", userBody("other")))}
			body := string(c.Body)
			for _, old := range []string{"2819c223-7f76-453a-919d-413861904646", "2819c223...919d-413861904646", "2819c223-7f76-...413861904646"} {
				body = strings.ReplaceAll(body, old, ids["NAMED"])
			}
			for _, old := range []string{"08e1d05d...473d93df9210", "08e1d05d-121c-4561-8b96-473d93df9210"} {
				body = strings.ReplaceAll(body, old, ids["OTHER"])
			}
			_, short, _ := strings.Cut(name, "patch_op-")
			path := "/Users/"
			if strings.Contains(name, "member") {
				members := `{"value":"` + ids["KEPT"] + `"}`
				if !strings.HasSuffix(name, "add_members") {
					members += `,{"value":"` + ids["NAMED"] + `"}`
				}
				path = "/Groups/" + id(s.do(201, "POST", "/Groups", groupBody("g", members)))
				s.do(204, "PATCH", path, body)
			} else {
				path += id(s.do(201, "POST", "/Users", user))
				s.do(200, "PATCH", path, body)
			}
			got := s.do(200, "GET", path, "")
			expect := decode(t, json.RawMessage(want[short]))
			for _, k := range []string{"emails", "addresses"} {
				byType := func(m map[string]any) {
					if list, ok := m[k].([]any); ok {
						m[k] = slices.SortedFunc(slices.Values(list), func(a, b any) int { return strings.Compare(encode(t, a), encode(t, b)) })
					}
				}
				byType(expect)
				byType(got)
			}
			for k := range expect {
				require.Empty(t, compare("."+k, expect[k], got[k], ids))
			}
			if len(expect) == 0 {
				require.NotContains(t, got, "members")
			}
		})
	}
	require.Equal(t, 10, n)
}

// TestBulkCases runs the recorded bulk requests.
func TestBulkCases(t *testing.T) {
	t.Parallel()
	cases := sharedCases(t, "bulk")
	require.Len(t, cases, 14)
	n := 0
	for name, c := range cases {
		if !strings.Contains(name, "scimmy") {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, scim.Config{})
			there := id(s.do(201, "POST", "/Users", userBody("there")))
			body := decode(t, c.Request)
			body["schemas"] = []string{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"}
			text := strings.NewReplacer(`"/Test/1"`, `"/Users/`+there+`"`, `"/Test"`, `"/Users"`, `"data":{}`, `"data":`+userBody("new")).Replace(encode(t, body))
			var got []string
			list, _ := s.do(200, "POST", "/Bulk", text)["Operations"].([]any)
			for _, e := range list {
				m, _ := e.(map[string]any)
				got = append(got, fmt.Sprint(m["status"]))
			}
			var found []string
			if !slices.Equal(c.Result, got) {
				found = []string{strings.Join(got, " ")}
			}
			agree(t, name, found)
		})
	}
	require.Equal(t, 6, n)
	t.Run("references", func(t *testing.T) {
		t.Parallel()
		s := start(t, scim.Config{})
		got := s.do(200, "POST", "/Bulk", string(cases["rfc-rfc7644-3_7_2-bulk_request-temporary_identifier"].Body))
		require.Empty(t, compare("", decode(t, cases["rfc-rfc7644-3_7_2-bulk_response-temporary_identifier"].Body), got, nil))
		s = start(t, scim.Config{})
		s.do(200, "POST", "/Bulk", string(cases["rfc-rfc7644-3_7_2-bulk_request-enterprise_user"].Body))
		one := func(name string) map[string]any {
			list, _ := s.do(200, "GET", "/Users?filter=userName%20eq%20%22"+name+"%22", "")["Resources"].([]any)
			m, _ := list[0].(map[string]any)
			return m
		}
		ext, _ := one("Bob")["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"].(map[string]any)
		require.Equal(t, map[string]any{"value": id(one("Alice"))}, ext["manager"])
		require.Equal(t, "11250", ext["employeeNumber"])
	})
}

// TestBulkExample runs the example of RFC 7644 section 3.7.3: as it is printed, with a schema that no user has; without
// failOnErrors; and corrected.
func TestBulkExample(t *testing.T) {
	t.Parallel()
	cases := sharedCases(t, "bulk")
	run := func(t *testing.T, response string, stale, goOn, corrected bool) {
		t.Helper()
		s := start(t, scim.Config{})
		body := decode(t, cases["rfc-rfc7644-3_7_3-bulk_request-multiple_operations"].Body)
		if goOn {
			delete(body, "failOnErrors")
		}
		ops, _ := body["Operations"].([]any)
		if first, _ := ops[0].(map[string]any); corrected {
			first["data"] = json.RawMessage(userBody("Alice"))
		}
		for i, name := range []string{"put", "patched", "deleted"} {
			u := s.do(201, "POST", "/Users", userBody(name))
			meta, _ := u["meta"].(map[string]any)
			op, _ := ops[i+1].(map[string]any)
			path, _ := op["path"].(string)
			old := strings.TrimPrefix(path, "/Users/")
			if !stale {
				op["version"] = meta["version"]
			}
			if name == "deleted" && stale {
				continue
			}
			op["path"] = strings.Replace(path, old, id(u), 1)
		}
		got := s.do(200, "POST", "/Bulk", encode(t, body))
		want := decode(t, cases["rfc-rfc7644-3_7_3-bulk_response-"+response].Body)
		require.Empty(t, nested(compare("", want, got, nil)))
	}
	run(t, "error_invalid_syntax", true, false, false)
	run(t, "multiple_errors", true, true, false)
	run(t, "multiple_operations", false, false, true)
}

// nested drops the details of errors inside bulk answers.
func nested(found []string) []string {
	return slices.DeleteFunc(found, func(s string) bool { return strings.Contains(s, "response.detail=") })
}

// TestDiscoveryCases holds what the server says of itself against the examples: each attribute of our schemas has the
// characteristics that RFC 7643 section 8.7 gives it, and our answers fit the schemas of the discovery endpoints.
func TestDiscoveryCases(t *testing.T) {
	t.Parallel()
	cases := sharedCases(t, "discovery")
	require.Len(t, cases, 10)
	s := start(t, scim.Config{})
	for name, c := range cases {
		want := decode(t, c.Body)
		if attributes, isSchema := want["attributes"].([]any); isSchema {
			lossless(t, attributes)
			urn, _ := want["id"].(string)
			if strings.Contains(name, "8_7_2") {
				agree(t, name, []string{"/Schemas/" + urn[strings.LastIndexByte(urn, ':')+1:] + "=" + fmt.Sprint(s.do(404, "GET", "/Schemas/"+urn, "")["status"])})
				continue
			}
			ours, _ := s.do(200, "GET", "/Schemas/"+urn, "")["attributes"].([]any)
			agree(t, name, characteristics("", attributes, ours))
			continue
		}
		path := map[string]string{
			"rfc-rfc7643-8_5-service_provider_configuration": "/ServiceProviderConfig", "rfc-rfc7643-8_6-resource_type-group": "/ResourceTypes/Group",
			"rfc-rfc7643-8_6-resource_type-user": "/ResourceTypes/User", "rfc-rfc7644-4-list_response-resource_types": "/ResourceTypes",
		}[name]
		agree(t, name, compare("", want, s.do(200, "GET", path, ""), nil))
	}
	fits := func(name string, doc map[string]any, extra ...string) {
		attributes, _ := decode(t, cases["rfc-rfc7643-8_7_2-schema-"+name].Body)["attributes"].([]any)
		require.NotEmpty(t, attributes)
		for _, k := range append([]string{"schemas", "meta"}, extra...) {
			delete(doc, k)
		}
		fit(t, name, attributes, doc)
	}
	fits("service_provider_configuration", s.do(200, "GET", "/ServiceProviderConfig", ""), "pagination") // RFC 9865 section 3
	for _, r := range []string{"User", "Group"} {
		fits("resource_type", s.do(200, "GET", "/ResourceTypes/"+r, ""))
	}
	list, _ := s.do(200, "GET", "/Schemas", "")["Resources"].([]any)
	require.Len(t, list, 4)
	for _, e := range list {
		m, _ := e.(map[string]any)
		fits("schema", m)
	}
}

// lossless reads definitions into our type and writes them again.
func lossless(t *testing.T, attributes []any) {
	t.Helper()
	raw := encode(t, attributes)
	var list []scimfilter.Attribute
	dec := json.NewDecoder(bytes.NewReader([]byte(raw)))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&list))
	var again []any
	require.NoError(t, json.Unmarshal([]byte(encode(t, list)), &again))
	require.Empty(t, characteristics("", attributes, again))
}

// characteristics compares definitions; descriptions are free, and what an example leaves out is not compared.
func characteristics(path string, want, got []any) []string {
	named := func(list []any) map[string]map[string]any {
		out := map[string]map[string]any{}
		for _, e := range list {
			m, _ := e.(map[string]any)
			name, _ := m["name"].(string)
			out[name] = m
		}
		return out
	}
	var out []string
	ours := named(got)
	for name, w := range named(want) {
		g := ours[name]
		if g == nil {
			out = append(out, path+name+"=null")
			continue
		}
		for k, v := range w {
			switch k {
			case "description":
			case "subAttributes":
				list, _ := v.([]any)
				inner, _ := g[k].([]any)
				out = append(out, characteristics(path+name+".", list, inner)...)
			default:
				if have := g[k]; fmt.Sprint(have) != fmt.Sprint(v) && (!isNothing(v) || !isNothing(have)) {
					out = append(out, fmt.Sprintf("%s%s.%s=%v", path, name, k, have))
				}
			}
		}
	}
	for name := range ours {
		if named(want)[name] == nil {
			out = append(out, path+name+"=ours")
		}
	}
	return out
}

// fit requires that a document has what a schema requires, of the right type, and nothing else.
func fit(t *testing.T, path string, attributes []any, doc map[string]any) {
	t.Helper()
	known := map[string]bool{}
	for _, e := range attributes {
		a, _ := e.(map[string]any)
		name, _ := a["name"].(string)
		known[name] = true
		v, there := doc[name]
		required, _ := a["required"].(bool)
		require.True(t, there || !required, "%s.%s is missing", path, name)
		if !there {
			continue
		}
		values := []any{v}
		if multi, _ := a["multiValued"].(bool); multi {
			list, isList := v.([]any)
			require.True(t, isList, "%s.%s is no list", path, name)
			values = list
		}
		for _, v := range values {
			switch a["type"] {
			case "complex":
				m, isObject := v.(map[string]any)
				require.True(t, isObject, "%s.%s", path, name)
				subs, _ := a["subAttributes"].([]any)
				if name == "subAttributes" && len(subs) == 0 {
					continue
				}
				fit(t, path+"."+name, subs, m)
			case "boolean":
				require.IsType(t, true, v, "%s.%s", path, name)
			case "integer":
				require.IsType(t, 1.0, v, "%s.%s", path, name)
			default:
				require.IsType(t, "", v, "%s.%s", path, name)
			}
		}
	}
	for k := range doc {
		require.True(t, known[k], "%s.%s is not in the schema", path, k)
	}
}
