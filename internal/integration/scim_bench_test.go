package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// scimStores are the stores that need nothing installed.
func scimStores(tb testing.TB) map[string]identitystore.Store {
	tb.Helper()
	st, _ := sqliteSCIM(tb)
	return map[string]identitystore.Store{"memory": new(identitystore.Memory), "sqlite": st}
}

// BenchmarkSCIMPatchMember adds one member and removes it again, in groups of different sizes. The metric x-of-10 is the
// time in relation to a group of 10, the median of interleaved pairs.
func BenchmarkSCIMPatchMember(b *testing.B) {
	for name, st := range scimStores(b) {
		s := newSCIM(b, st, scim.RFC)
		_, extra := fillSCIM(b, s.svc, "extra", 1)
		small, _ := fillSCIM(b, s.svc, "group-of-10", 10)
		change := func(group string) time.Duration {
			start := time.Now()
			s.must(b, 204, "PATCH", "/Groups/"+group, addMember(extra[0]))
			s.must(b, 204, "PATCH", "/Groups/"+group, scimPatch(`{"op":"remove","path":"members[value eq \"`+extra[0]+`\"]"}`))
			return time.Since(start)
		}
		for _, n := range []int{100, 10_000, bigGroup} {
			large, _ := fillSCIM(b, s.svc, fmt.Sprint("group-of-", n), n)
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				var ratios []float64
				for b.Loop() {
					ratios = append(ratios, float64(change(large))/float64(change(small)))
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[len(ratios)/2], "x-of-10")
			})
		}
	}
}

// BenchmarkSCIMCreate creates users, one request each.
func BenchmarkSCIMCreate(b *testing.B) {
	for name, st := range scimStores(b) {
		s := newSCIM(b, st, scim.RFC)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.must(b, 201, "POST", "/Users", scimUser(fmt.Sprint("u", time.Now().UnixNano())))
			}
		})
	}
}

// BenchmarkSCIMLookup asks for one user of 10,000 by name.
func BenchmarkSCIMLookup(b *testing.B) {
	for name, st := range scimStores(b) {
		s := newSCIM(b, st, scim.RFC)
		fillSCIM(b, s.svc, "u", 10_000)
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				doc := s.must(b, 200, "GET", fmt.Sprintf(`/Users?filter=userName eq "U-%07d"`, i%10_000), "")
				require.InDelta(b, 1, doc["totalResults"], 0)
			}
		})
	}
}

// BenchmarkSCIMBulk creates 5,000 users with ten requests and a group of them with one.
func BenchmarkSCIMBulk(b *testing.B) {
	for b.Loop() {
		st, _ := sqliteSCIM(b)
		bulkThenGroup(b, newSCIM(b, st, scim.RFC), 5000)
	}
}

// bulkThenGroup creates n users with bulk requests of 500 and a group of them with one request.
func bulkThenGroup(tb testing.TB, s *scimSide, n int) {
	tb.Helper()
	var ids []string
	for from := 0; from < n; from += 500 {
		ops := make([]string, 500)
		for i := range ops {
			ops[i] = fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"b%d","data":%s}`, i, scimUser(fmt.Sprint("bulk", from+i)))
		}
		doc := s.must(tb, 200, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+strings.Join(ops, ",")+`]}`)
		list, _ := doc["Operations"].([]any)
		require.Len(tb, list, 500)
		for _, e := range list {
			m, _ := e.(map[string]any)
			require.Equal(tb, "201", m["status"])
			location, _ := m["location"].(string)
			ids = append(ids, location[strings.LastIndexByte(location, '/')+1:])
		}
	}
	s.must(tb, 201, "POST", "/Groups?excludedAttributes=members", scimGroup("all", ids...))
}

// TestSCIMBulkCost: a group of many members is made by few statements, none of them for one member alone.
func TestSCIMBulkCost(t *testing.T) {
	t.Parallel()
	st, count := sqliteSCIM(t)
	s := newSCIM(t, st, scim.RFC)
	const users = 1000
	_, ids := fillSCIM(t, s.svc, "some", users)
	statements, rows := count.during(func() { s.must(t, 201, "POST", "/Groups?excludedAttributes=members", scimGroup("all", ids...)) })
	require.Less(t, statements, int64(users/8))
	require.Less(t, rows, int64(12*users))
	other, counted := sqliteSCIM(t)
	fresh := newSCIM(t, other, scim.RFC)
	statements, rows = counted.during(func() { bulkThenGroup(t, fresh, 500) })
	require.Less(t, statements, int64(500*12))
	require.Less(t, rows, int64(500*24))
	statements, rows = count.during(func() { s.must(t, 200, "GET", "/Groups?filter=displayName eq \"all\"", "") })
	require.Less(t, statements, int64(20))
	require.Less(t, rows, int64(users+20))
}
