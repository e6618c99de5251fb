package directory_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// forest is a random directory and what a naive reader would say of it.
type forest struct {
	users, groups []*directorytest.Object
	member        map[*directorytest.Object]map[*directorytest.Object]bool
	primary       map[*directorytest.Object]*directorytest.Object
}

func drawForest(t *rapid.T, dcs []*directorytest.DC) *forest {
	f := &forest{member: map[*directorytest.Object]map[*directorytest.Object]bool{}, primary: map[*directorytest.Object]*directorytest.Object{}}
	pick := func(what string) *directorytest.DC { return dcs[rapid.IntRange(0, len(dcs)-1).Draw(t, what)] }
	for i := range rapid.IntRange(1, 12).Draw(t, "users") {
		f.users = append(f.users, pick("dc").AddUser(directorytest.User{Name: fmt.Sprintf("u%d", i)}))
	}
	for i := range rapid.IntRange(1, 8).Draw(t, "groups") {
		g := pick("dc").AddGroup(directorytest.Group{Name: fmt.Sprintf("g%d", i), Scope: "domainlocal"})
		f.groups = append(f.groups, g)
		f.member[g] = map[*directorytest.Object]bool{}
	}
	all := append(slices.Clone(f.users), f.groups...)
	for range rapid.IntRange(0, 40).Draw(t, "edges") {
		g := f.groups[rapid.IntRange(0, len(f.groups)-1).Draw(t, "parent")]
		m := all[rapid.IntRange(0, len(all)-1).Draw(t, "child")]
		g.Domain().AddMember(g, m)
		f.member[g][m] = true
	}
	for _, u := range f.users {
		g := f.groups[rapid.IntRange(0, len(f.groups)-1).Draw(t, "primary")]
		if g.Domain() == u.Domain() && rapid.Bool().Draw(t, "has primary") {
			g.Domain().SetPrimaryGroup(u, g)
			delete(f.member[g], u) // a primary member is no member
			f.primary[u] = g
		}
	}
	return f
}

// named reports whether every member stands by its name in a member list.
func (f *forest) named() bool {
	for g, ms := range f.member {
		for m := range ms {
			if m.Domain() != g.Domain() {
				return false
			}
		}
	}
	return len(f.primary) == 0
}

// reach is the naive answer: everything below a group, as "parent>child" over GUIDs.
func (f *forest) reach(root *directorytest.Object) map[string]bool {
	out, seen := map[string]bool{}, map[*directorytest.Object]bool{}
	var walk func(g *directorytest.Object)
	walk = func(g *directorytest.Object) {
		if seen[g] || f.member[g] == nil {
			return
		}
		seen[g] = true
		for m := range f.member[g] {
			out[g.GUID()+">"+m.GUID()] = true
			walk(m)
		}
		for u, p := range f.primary {
			if p == g {
				out[g.GUID()+">"+u.GUID()] = true
			}
		}
	}
	walk(root)
	return out
}

// TestModel: random forests over two domains, random faults: the exact answer or an error, never a part.
func TestModel(t *testing.T) {
	t.Parallel()
	require.NoError(t, flag.Set("rapid.checks", strconv.Itoa(testscale.N(60, 5_000))))
	require.NoError(t, flag.Set("rapid.nofailfile", "true"))
	whole, failed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		srv, err := directorytest.Start(directorytest.Config{
			MaxPageSize: rapid.IntRange(1, 9).Draw(t, "page"), MaxValRange: rapid.IntRange(1, 6).Draw(t, "range"),
			Domains: []directorytest.Domain{{DNS: "corp.example.test"}, {DNS: "partner.example.test"}},
		})
		require.NoError(t, err)
		defer srv.Close()
		dcs := []*directorytest.DC{srv.Domain("corp"), srv.Domain("partner")}
		var domains []directory.Domain
		for _, dc := range dcs {
			dc.AddUser(directorytest.User{Name: "svc-sync", Password: password})
			domains = append(domains, directory.Domain{
				DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), Servers: []string{dc.PlainURL()}, InsecurePlain: true,
				Bind: directory.NewSimpleBind("svc-sync@"+dc.DNS(), []byte(password)),
			})
		}
		f := drawForest(t, dcs)
		root := f.groups[0]
		want := f.reach(root)
		fault := directorytest.Fault{
			Point: directorytest.Point(rapid.IntRange(0, 5).Draw(t, "point")), After: rapid.IntRange(0, 20).Draw(t, "after"), Times: rapid.IntRange(0, 3).Draw(t, "times"),
			Cut: rapid.Bool().Draw(t, "cut"), NoControl: rapid.Bool().Draw(t, "no control"), BadRange: rapid.Bool().Draw(t, "bad range"), Drop: rapid.Bool().Draw(t, "drop"),
			Code: rapid.SampledFrom([]int{0, 0, 4, 50, 51, 53, 80}).Draw(t, "code"), Duplicate: rapid.Bool().Draw(t, "twice"), SkipPage: rapid.Bool().Draw(t, "skip"),
			RepeatPage: rapid.Bool().Draw(t, "repeat"), NoValues: rapid.Bool().Draw(t, "no values"),
		}
		// a list that a server leaves out without a sign looks like an empty one: that is the removal guard's business
		fault.NoValues = fault.NoValues && fault.Point == directorytest.AtRange
		// nobody names a primary member or a foreign one: a server that hides it leaves no sign either
		fault.Drop, fault.SkipPage = fault.Drop && f.named(), fault.SkipPage && f.named()
		if rapid.IntRange(0, 3).Draw(t, "faulty") > 0 {
			dcs[rapid.IntRange(0, 1).Draw(t, "where")].Install(fault)
		}
		c, err := directory.New(directory.Config{Domains: domains, Limits: directory.Limits{ReplyTimeout: time.Second}})
		require.NoError(t, err)
		defer func() { require.NoError(t, c.Close()) }()
		s, err := c.ReadScope(t.Context(), directory.ScopeQuery{Principals: []directory.Principal{{Name: root.GUID()}}})
		if err != nil {
			failed++
			require.Nil(t, s)
			return
		}
		if s.Principals[0].Err != nil { // hidden by the fault: that is said
			require.Zero(t, s.EdgeCount())
			return
		}
		got := map[string]bool{}
		for e := range s.Edges() {
			got[e.Parent+">"+e.Child] = true
		}
		whole++
		require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), "%+v", fault)
	})
	require.Positive(t, whole)
	require.Positive(t, failed)
}
