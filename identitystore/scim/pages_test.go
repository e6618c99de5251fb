package scim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// TestLongPages: groups whose members would make an answer too long come on pages of their own, none is lost, and
// without members nothing is cut.
func TestLongPages(t *testing.T) {
	t.Parallel()
	s := start(t, scim.Config{Limits: scim.Limits{Members: 10}})
	ids := make([]string, 6)
	for i := range ids {
		ids[i] = `{"value":"` + id(s.do(201, "POST", "/Users", userBody(fmt.Sprint("u", i)))) + `"}`
	}
	for _, n := range []int{4, 6, 6, 1, 0, 6} {
		s.do(201, "POST", "/Groups", groupBody(fmt.Sprint("g", s.count(t, "/Groups")), strings.Join(ids[:n], ",")))
	}
	for _, order := range []string{"", "&sortBy=displayName", "&filter=displayName%20pr", "&sortBy=displayName&sortOrder=descending"} {
		for _, how := range []string{"index", "cursor"} {
			seen, pages := map[string]bool{}, 0
			path := "/Groups?count=5" + order
			if how == "cursor" {
				path += "&cursor="
			}
			for path != "" {
				pages++
				doc := s.do(200, "GET", path, "")
				require.InDelta(t, 6, doc["totalResults"], 0)
				list, _ := doc["Resources"].([]any)
				require.NotEmpty(t, list)
				require.InDelta(t, len(list), doc["itemsPerPage"], 0)
				members := 0
				for _, g := range list {
					m, _ := g.(map[string]any)
					require.False(t, seen[id(m)])
					seen[id(m)] = true
					ms, _ := m["members"].([]any)
					members += len(ms)
				}
				require.True(t, members <= 10 || len(list) == 1)
				next, _ := doc["nextCursor"].(string)
				switch {
				case next != "":
					path = "/Groups?count=5" + order + "&cursor=" + next
				case how == "index" && len(seen) < 6:
					path = fmt.Sprint("/Groups?count=5", order, "&startIndex=", len(seen)+1)
				default:
					path = ""
				}
			}
			require.Len(t, seen, 6, "%s %s", how, order)
			require.Greater(t, pages, 2)
		}
	}
	all, _ := s.do(200, "GET", "/Groups?excludedAttributes=members", "")["Resources"].([]any)
	require.Len(t, all, 6)
}

func (s *server) count(t *testing.T, path string) int {
	t.Helper()
	n, _ := s.do(200, "GET", path+"?count=0", "")["totalResults"].(float64)
	return int(n)
}
