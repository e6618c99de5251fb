package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sharedCase is one file of testdata/scim/cases.
type sharedCase struct {
	ID, Client, Kind, Method, URL string
	Role                          string
	Status                        int
	Request, Response, Body       json.RawMessage
	Result                        []string
}

func sharedCases(t *testing.T, kinds ...string) map[string]sharedCase {
	t.Helper()
	files, err := filepath.Glob("testdata/scim/cases/*.json")
	require.NoError(t, err)
	require.Len(t, files, 380)
	out := map[string]sharedCase{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		var head struct{ Kind string }
		require.NoError(t, json.Unmarshal(raw, &head), name)
		if !slices.Contains(kinds, head.Kind) {
			continue
		}
		var c sharedCase
		if head.Kind == "patch" {
			var p struct {
				ID, Role string
				Body     json.RawMessage
			}
			require.NoError(t, json.Unmarshal(raw, &p), name)
			c = sharedCase{ID: p.ID, Role: p.Role, Body: p.Body}
		} else {
			require.NoError(t, json.Unmarshal(raw, &c), name)
		}
		out[c.ID] = c
	}
	return out
}

// differences returns the deliberate differences from what the origin of a case has: id -> what we answer.
func differences(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/scim/differences.tsv")
	require.NoError(t, err)
	out := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, f, 5, line)
		if f[1] != "filter" && f[1] != "patch" {
			out[f[0]] = f[2]
		}
	}
	return out
}

// agree requires that what we answer differs from the recorded answer in what the table of differences says, and in
// nothing else. A difference that is new fails, and one that is gone as well.
func agree(t *testing.T, id string, found []string) {
	t.Helper()
	slices.Sort(found)
	require.Equal(t, differences(t)[id], strings.Join(found, "; "), id)
}

// compare returns the parts in which an answer differs from the recorded one, each with our value. Ids, times,
// locations and versions are free; null is the same as absent; what we add to meta and to members is not looked at.
func compare(path string, want, got any, ids map[string]string) []string {
	free := map[string]bool{".id": true, ".meta.created": true, ".meta.lastModified": true, ".meta.location": true, ".meta.version": true, ".detail": true}
	switch w := want.(type) {
	case map[string]any:
		g, isObject := got.(map[string]any)
		if !isObject {
			break
		}
		var out []string
		for _, k := range slices.Sorted(maps.Keys(union(w, g))) {
			at := strings.TrimPrefix(path, ".Resources") + "." + k
			switch {
			case free[at] || k == "$ref" || k == "location" || k == "version":
			case isNothing(w[k]) && (at == ".meta" || at == ".groups" || strings.HasPrefix(at, ".members.")):
			case isNothing(w[k]) && isNothing(g[k]):
			default:
				out = append(out, compare(at, w[k], g[k], ids)...)
			}
		}
		return out
	case []any:
		g, isList := got.([]any)
		if !isList || len(g) != len(w) {
			break
		}
		if path == ".members" { // their order is free
			w, g = sorted(w, ids), sorted(g, nil)
		}
		var out []string
		for i := range w {
			out = append(out, compare(path, w[i], g[i], ids)...)
		}
		return out
	case string:
		if ids[w] == got && got != "" || w == got {
			return nil
		}
	default:
		if fmt.Sprint(want) == fmt.Sprint(got) {
			return nil
		}
	}
	raw, _ := json.Marshal(got)
	return []string{strings.TrimPrefix(path, ".") + "=" + string(raw)}
}

func isNothing(v any) bool {
	list, isList := v.([]any)
	return v == nil || isList && len(list) == 0
}

func union(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func sorted(list []any, ids map[string]string) []any {
	value := func(e any) string {
		m, _ := e.(map[string]any)
		s, _ := m["value"].(string)
		if to := ids[s]; to != "" {
			return to
		}
		return s
	}
	return slices.SortedFunc(slices.Values(list), func(a, b any) int { return strings.Compare(value(a), value(b)) })
}

func decode(t *testing.T, raw json.RawMessage) map[string]any {
	t.Helper()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	return doc
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

// seed creates what a recorded resource describes, its members first, and notes the new ids.
func (s *server) seed(resource map[string]any, ids map[string]string) string {
	s.t.Helper()
	body := maps.Clone(resource)
	delete(body, "meta")
	delete(body, "groups")
	path := "/Users"
	if resource["userName"] == nil {
		path = "/Groups"
		var members []any
		list, _ := resource["members"].([]any)
		for _, e := range list {
			m, _ := e.(map[string]any)
			old, _ := m["value"].(string)
			members = append(members, map[string]any{"value": s.member(old, ids)})
		}
		body["members"] = members
	}
	made := id(s.do(201, "POST", path, encode(s.t, body)))
	if old, _ := resource["id"].(string); old != "" {
		ids[old] = made
	}
	return made
}

// member returns the id of a user that stands for the recorded one.
func (s *server) member(old string, ids map[string]string) string {
	if ids[old] == "" {
		ids[old] = id(s.do(201, "POST", "/Users", userBody("member-"+old)))
	}
	return ids[old]
}

// TestDifferences checks the table itself: each row names a case of its kind, once, with the section that decides.
func TestDifferences(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/scim/differences.tsv")
	require.NoError(t, err)
	seen := map[string]bool{}
	for i, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		f := strings.Split(line, "\t")
		require.Len(t, f, 5, line)
		if i == 0 {
			continue
		}
		require.False(t, seen[f[0]], line)
		seen[f[0]] = true
		file, err := os.ReadFile("testdata/scim/cases/" + f[0] + ".json")
		require.NoError(t, err)
		require.Equal(t, f[1], decode(t, file)["kind"], line)
		require.Regexp(t, `^RFC 764[34] (section|figure|table) [0-9.]+$`, f[3], line)
		require.NotEmpty(t, f[4], line)
	}
}
