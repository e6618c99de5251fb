package integration_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// bigGroup is a group as large as provisioning has to bear.
const bigGroup = 50_000

// patchCost holds PATCH requests for one member of a large group against those of a small one, on a store that counts:
// the same statements, the same rows. Then 100 requests at once each add one member, and none is lost.
func patchCost(t *testing.T, st identitystore.Store, count *sqlCount, large int) {
	t.Helper()
	s := newSCIM(t, st, scim.RFC)
	_, extra := fillSCIM(t, s.svc, "extra", 120)
	small, _ := fillSCIM(t, s.svc, "small", 10)
	large10, _ := fillSCIM(t, s.svc, "large", large)
	for name, body := range map[string]func(id string) string{
		"add": addMember,
		"remove": func(id string) string {
			return scimPatch(fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, id))
		},
		"add list": addMember,
		"by value": func(id string) string {
			return scimPatch(fmt.Sprintf(`{"op":"Remove","path":"members","value":[{"value":"%s"}]}`, id))
		},
		"rename": func(id string) string {
			return scimPatch(fmt.Sprintf(`{"op":"replace","path":"displayName","value":"n-%s"}`, id))
		},
		"not member": func(string) string {
			return scimPatch(fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, extra[119]))
		},
	} {
		cost := func(group string, user string) [2]int64 {
			s.must(t, 204, "PATCH", "/Groups/"+group, scimPatch(`{"op":"replace","path":"externalId","value":"`+user+`"}`)) // statements are prepared
			n, rows := count.during(func() { s.must(t, 204, "PATCH", "/Groups/"+group, body(user)) })
			return [2]int64{n, rows}
		}
		a, b := cost(small, extra[100]), cost(large10, extra[101])
		require.Equal(t, a, b, "%s: statements and rows in a group of 10 and of %d", name, large)
		require.Less(t, b[0]+b[1], int64(60), name)
	}
	before, err := s.svc.Reader().Counts(t.Context())
	require.NoError(t, err)
	var wg sync.WaitGroup
	codes := make([]int, 100)
	for i := range codes {
		wg.Go(func() { codes[i], _ = s.ask("PATCH", "/Groups/"+large10, addMember(extra[i])) })
	}
	wg.Wait()
	for _, code := range codes {
		require.Equal(t, 204, code)
	}
	after, err := s.svc.Reader().Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Edges+100, after.Edges)
	g, err := s.svc.Reader().GroupByID(t.Context(), large10)
	require.NoError(t, err)
	refs, err := identitystore.Lookups(s.svc.Reader()).DirectMembers(t.Context(), g.Key)
	require.NoError(t, err)
	there := map[string]bool{}
	for _, r := range refs {
		there[r.ID] = true
	}
	for _, id := range extra[:100] {
		require.True(t, there[id])
	}
	hidden, rows := count.during(func() { s.must(t, 200, "GET", "/Groups/"+large10+"?excludedAttributes=members", "") })
	require.Less(t, hidden+rows, int64(20), "excluded members are not read")
}

// listCost walks all users by pages, by index and by cursor, and counts the rows: each user is read once, and a page
// costs what its own users cost.
func listCost(t *testing.T, st identitystore.Store, count *sqlCount, users int) {
	t.Helper()
	s := newSCIM(t, st, scim.RFC)
	fillSCIM(t, s.svc, "all", users)
	const page = 1000
	for name, first := range map[string]string{"index": "/Users?startIndex=1&count=1000&attributes=userName", "cursor": "/Users?cursor=&count=1000&attributes=userName"} {
		seen, pages := map[string]bool{}, 0
		statements, rows := count.during(func() {
			for path := first; path != ""; pages++ {
				var doc struct {
					TotalResults int
					NextCursor   string
					Resources    []struct{ ID string }
				}
				code, body := s.ask("GET", path, "")
				require.Equal(t, 200, code, body)
				require.NoError(t, json.Unmarshal([]byte(body), &doc))
				require.Equal(t, users, doc.TotalResults)
				for _, r := range doc.Resources {
					require.False(t, seen[r.ID], "twice")
					seen[r.ID] = true
				}
				switch {
				case name == "cursor" && doc.NextCursor != "":
					path = "/Users?count=1000&attributes=userName&cursor=" + doc.NextCursor
				case name == "index" && len(seen) < users:
					path = fmt.Sprintf("/Users?startIndex=%d&count=1000&attributes=userName", len(seen)+1)
				default:
					path = ""
				}
			}
		})
		require.Len(t, seen, users)
		require.Equal(t, (users+page-1)/page, pages)
		require.LessOrEqual(t, rows, int64(users+8*pages), name)
		require.LessOrEqual(t, statements, int64(10*pages), name)
	}
	for _, filter := range []string{
		`userName eq "ALL-0000007"`, `id eq "none"`, `externalId eq "none"`, `emails.value eq "none"`, `emails eq "none"`, `emails[value eq "none" and type eq "work"]`,
		`emails[type eq "work"].value eq "none"`, `userName eq "all-0000007" and active eq true`, `active eq true and userName eq "all-0000007"`,
		`userName eq "all-0000001" or emails.value eq "none" or externalId eq "none"`, `groups.value eq "none"`, `userName eq "all-0000007" and groups.value pr`,
	} {
		statements, rows := count.during(func() { s.must(t, 200, "GET", "/Users?filter="+filter, "") })
		require.Less(t, statements+rows, int64(25), filter)
	}
	for _, filter := range []string{`displayName eq "ALL"`, `externalId eq "none"`, `members.value eq "none"`, `members[value eq "none"]`, `displayName eq "none" or externalId eq "none"`} {
		statements, rows := count.during(func() { s.must(t, 200, "GET", "/Groups?excludedAttributes=members&filter="+filter, "") })
		require.Less(t, statements+rows, int64(25), filter)
	}
}

func TestScenarioP02P05SCIMPatchCostSQLite(t *testing.T) {
	t.Parallel()
	st, count := sqliteSCIM(t)
	patchCost(t, st, count, testscale.N(bigGroup, bigGroup))
}

func TestSCIMListCostSQLite(t *testing.T) {
	t.Parallel()
	st, count := sqliteSCIM(t)
	listCost(t, st, count, testscale.N(10_000, 100_000))
}

func TestScenarioP02P05SCIMPatchCostMemory(t *testing.T) {
	t.Parallel()
	count := &sqlCount{}
	patchCost(t, &countedStore{new(identitystore.Memory), count}, count, bigGroup)
}

func TestSCIMListCostMemory(t *testing.T) {
	t.Parallel()
	count := &sqlCount{}
	listCost(t, &countedStore{new(identitystore.Memory), count}, count, 100_000)
}
