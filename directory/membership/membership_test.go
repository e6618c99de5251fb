package membership_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/membership"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// world is a random set of objects and edges, and the reference answers: maps and recursion-free searches over them.
type world struct {
	kinds map[string]membership.Kind
	bad   map[string]bool
	edges map[[2]string]membership.Via // parent, child
	cfg   membership.Config
}

func randomWorld(r *rand.Rand) *world {
	w := &world{kinds: map[string]membership.Kind{}, bad: map[string]bool{}, edges: map[[2]string]membership.Via{}}
	w.cfg = membership.Config{DirectOnly: r.Intn(8) == 0, IgnoreDistribution: r.Intn(4) == 0}
	if r.Intn(3) == 0 {
		w.cfg.MaxClosure = 1 // everything by search
	}
	ng, nu := 1+r.Intn(8), 1+r.Intn(8)
	for i := range ng {
		k := membership.KindGroup
		if r.Intn(6) == 0 {
			k = membership.KindDistribution
		}
		w.kinds["g"+strconv.Itoa(i)] = k
		w.bad["g"+strconv.Itoa(i)] = r.Intn(12) == 0
	}
	for i := range nu {
		w.kinds["u"+strconv.Itoa(i)] = membership.KindUser
	}
	w.kinds["pc"] = membership.KindOther
	for range r.Intn(25) {
		w.edges[w.randomEdge(r)] = membership.Via(r.Intn(3))
	}
	return w
}

func (w *world) randomEdge(r *rand.Rand) [2]string {
	pick := func(prefix string) string { return prefix + strconv.Itoa(r.Intn(8)) } // sometimes nobody
	child := pick("u")
	switch r.Intn(10) {
	case 0, 1, 2, 3:
		child = pick("g")
	case 4:
		child = "pc"
	}
	return [2]string{pick("g"), child}
}

func (w *world) build(t *testing.T, r *rand.Rand) *membership.Graph {
	t.Helper()
	b, err := membership.NewBuilder(w.cfg)
	require.NoError(t, err)
	var steps []func() error
	for id, k := range w.kinds {
		steps = append(steps, func() error { return b.Add(membership.Object{ID: id, Kind: k, Incomplete: w.bad[id]}) })
	}
	for e, via := range w.edges {
		steps = append(steps, func() error { return b.Link(e[0], e[1], via) })
	}
	r.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for _, s := range steps {
		require.NoError(t, s())
	}
	return b.Build()
}

func (w *world) isGroup(id string) bool {
	return w.kinds[id] == membership.KindGroup || w.kinds[id] == membership.KindDistribution
}

// above is the reference: all groups that id belongs to.
func (w *world) above(id string) []string {
	seen := map[string]bool{}
	queue := []string{id}
	for i := 0; i < len(queue); i++ {
		if i > 0 && (w.cfg.DirectOnly || w.cfg.IgnoreDistribution && w.kinds[queue[i]] == membership.KindDistribution) {
			continue
		}
		for e := range w.edges {
			if e[1] == queue[i] && w.isGroup(e[0]) && !seen[e[0]] && (w.isGroup(e[1]) || w.kinds[e[1]] == membership.KindUser) {
				seen[e[0]] = true
				queue = append(queue, e[0])
			}
		}
	}
	out := make([]string, 0, len(seen))
	for g := range seen {
		out = append(out, g)
	}
	slices.Sort(out)
	return out
}

func (w *world) tainted(g string) bool {
	if w.bad[g] {
		return true
	}
	for h := range w.kinds {
		if w.cfg.DirectOnly || w.cfg.IgnoreDistribution && w.kinds[h] == membership.KindDistribution {
			continue // its members count for nobody above
		}
		if w.bad[h] && slices.Contains(w.above(h), g) {
			return true
		}
	}
	return false
}

func (w *world) check(t *testing.T, g *membership.Graph) {
	t.Helper()
	members := map[string][]string{}
	for id, k := range w.kinds {
		if k == membership.KindOther {
			require.Empty(t, slices.Collect(g.GroupsOf(id)))
			continue
		}
		want := w.above(id)
		require.Equal(t, want, append([]string{}, slices.Collect(g.GroupsOf(id))...), id)
		for h := range w.kinds {
			in := slices.Contains(want, h)
			require.Equal(t, in, g.IsMember(id, h), "%s in %s", id, h)
			paths := g.Explain(id, h, 5)
			require.Equal(t, in, len(paths) > 0)
			for _, p := range paths {
				w.checkPath(t, id, h, p)
			}
			if in && k == membership.KindUser {
				members[h] = append(members[h], id)
			}
		}
	}
	for id := range w.kinds {
		if !w.isGroup(id) {
			continue
		}
		got, err := g.MembersOf(id)
		slices.Sort(members[id])
		require.Equal(t, append([]string{}, members[id]...), got, id)
		if w.tainted(id) {
			require.ErrorIs(t, err, membership.ErrIncomplete)
			require.Contains(t, g.Incomplete(), id)
		} else {
			require.NoError(t, err)
			require.NotContains(t, g.Incomplete(), id)
		}
	}
}

func (w *world) checkPath(t *testing.T, from, to string, p membership.Path) {
	t.Helper()
	at := from
	for _, hop := range p {
		require.Equal(t, at, hop.From)
		via, ok := w.edges[[2]string{hop.To, hop.From}]
		require.True(t, ok, "%v", hop)
		require.Equal(t, via, hop.Via)
		at = hop.To
	}
	require.Equal(t, to, at)
}

// TestEqualsReference holds random graphs with cycles, primary groups, foreign members and unread groups against a
// naive reference, and the same input in another order against itself.
func TestEqualsReference(t *testing.T) {
	t.Parallel()
	for seed := range int64(testscale.N(10_000, 200_000)) {
		r := rand.New(rand.NewSource(seed))
		w := randomWorld(r)
		g := w.build(t, r)
		w.check(t, g)
		require.Equal(t, g.Hash(), w.build(t, r).Hash(), "seed %d", seed)
	}
}

// TestApplyEqualsRebuild changes random graphs step by step and compares each with a graph built at once, and each
// Diff with the difference of the reference answers.
func TestApplyEqualsRebuild(t *testing.T) {
	t.Parallel()
	for seed := range int64(testscale.N(1500, 30_000)) {
		r := rand.New(rand.NewSource(seed))
		w := randomWorld(r)
		g := w.build(t, r)
		for range 6 {
			before := map[string][]string{}
			for id := range w.kinds {
				before[id] = w.above(id)
			}
			d := w.mutate(r)
			next, diff, err := g.Apply(d)
			require.NoError(t, err)
			w.check(t, next)
			w.checkDiff(t, before, diff)
			require.Equal(t, w.build(t, r).Hash(), next.Hash(), "seed %d", seed)
			g = next
		}
	}
}

func (w *world) mutate(r *rand.Rand) membership.Delta {
	var d membership.Delta
	for range 1 + r.Intn(3) {
		e := w.randomEdge(r)
		if _, there := w.edges[e]; there || r.Intn(3) == 0 {
			d.Unlink = append(d.Unlink, membership.Edge{Parent: e[0], Child: e[1]})
		} else {
			d.Link = append(d.Link, membership.Edge{Parent: e[0], Child: e[1], Via: membership.Via(r.Intn(3))})
		}
	}
	for _, e := range d.Unlink {
		delete(w.edges, [2]string{e.Parent, e.Child})
	}
	for _, e := range d.Link {
		k := [2]string{e.Parent, e.Child}
		if old, there := w.edges[k]; !there || e.Via < old {
			w.edges[k] = e.Via
		}
	}
	switch r.Intn(8) {
	case 0:
		d.Add = append(d.Add, membership.Object{ID: "u7", Kind: membership.KindUser})
		w.kinds["u7"] = membership.KindUser
	case 1:
		d.Remove = append(d.Remove, "g3")
		delete(w.kinds, "g3")
		delete(w.bad, "g3")
		for e := range w.edges {
			if e[0] == "g3" || e[1] == "g3" {
				delete(w.edges, e)
			}
		}
	}
	return d
}

func (w *world) checkDiff(t *testing.T, before map[string][]string, diff membership.Diff) {
	t.Helper()
	var gained, lost []membership.Pair
	users := map[string]bool{}
	for id := range before {
		users[id] = true
	}
	for id := range w.kinds {
		users[id] = true
	}
	for id := range users {
		if id[0] != 'u' {
			continue
		}
		var after []string
		if w.kinds[id] == membership.KindUser {
			after = w.above(id)
		}
		for _, g := range after {
			if !slices.Contains(before[id], g) {
				gained = append(gained, membership.Pair{User: id, Group: g})
			}
		}
		for _, g := range before[id] {
			if !slices.Contains(after, g) && (!w.isGroup(g) || !w.tainted(g)) {
				lost = append(lost, membership.Pair{User: id, Group: g})
			}
		}
	}
	less := func(a, b membership.Pair) int {
		return slices.Compare([]string{a.User, a.Group}, []string{b.User, b.Group})
	}
	slices.SortFunc(gained, less)
	slices.SortFunc(lost, less)
	require.Equal(t, gained, slices.Collect(diff.Gained()))
	require.Equal(t, lost, slices.Collect(diff.Lost()))
	require.Equal(t, len(gained)+len(lost) == 0, diff.Empty())
}

func chain(tb testing.TB, n int) *membership.Graph {
	tb.Helper()
	b, err := membership.NewBuilder(membership.Config{})
	require.NoError(tb, err)
	require.NoError(tb, b.Add(membership.Object{ID: "user", Kind: membership.KindUser}))
	for i := range n {
		require.NoError(tb, b.Add(membership.Object{ID: fmt.Sprintf("g%06d", i), Kind: membership.KindGroup}))
		if i > 0 {
			require.NoError(tb, b.Link(fmt.Sprintf("g%06d", i), fmt.Sprintf("g%06d", i-1), membership.ViaMember))
		}
	}
	require.NoError(tb, b.Link("g000000", "user", membership.ViaMember))
	return b.Build()
}

// TestChain: whoever may create groups can nest thousands of them one in another. Neither memory nor the stack grows
// with the square.
func TestChain(t *testing.T) {
	t.Parallel()
	g := chain(t, 20_000)
	require.True(t, g.Capped())
	n, _ := g.Node("user")
	require.Len(t, g.AppendGroups(nil, n), 20_000)
	require.True(t, g.IsMember("user", "g019999"))
	members, err := g.MembersOf("g019999")
	require.NoError(t, err)
	require.Equal(t, []string{"user"}, members)

	deep := chain(t, 200_000)
	paths := deep.Explain("user", "g199999", 1)
	require.Len(t, paths, 1)
	require.Len(t, paths[0], 200_000)
	require.False(t, chain(t, 100).Capped())
}

func TestRefused(t *testing.T) {
	t.Parallel()
	_, err := membership.NewBuilder(membership.Config{MaxClosure: -1})
	require.ErrorContains(t, err, "MaxClosure")
	b, err := membership.NewBuilder(membership.Config{})
	require.NoError(t, err)
	require.Error(t, b.Add(membership.Object{Kind: membership.KindUser}))
	require.Error(t, b.Add(membership.Object{ID: "x"}))
	require.Error(t, b.Add(membership.Object{ID: "x", Kind: 9}))
	require.Error(t, b.Link("", "x", membership.ViaMember))
	require.Error(t, b.Link("x", "", membership.ViaMember))
	require.Error(t, b.Link("x", "y", 9))
	g := b.Build()
	_, err = g.MembersOf("nobody")
	require.ErrorIs(t, err, membership.ErrUnknown)
	require.Empty(t, g.Explain("x", "y", 0))
	require.False(t, g.IsMemberNode(4, 5))
	require.Empty(t, g.AppendGroups(nil, 7))
	require.Empty(t, g.AppendMembers(nil, 7))
	for _, d := range []membership.Delta{
		{Link: []membership.Edge{{Parent: "x"}}},
		{Unlink: []membership.Edge{{Child: "x"}}},
		{Link: []membership.Edge{{Parent: "x", Child: "y", Via: 7}}},
		{Add: []membership.Object{{ID: "x", Kind: 7}}},
	} {
		_, _, err = g.Apply(d)
		require.Error(t, err)
		_, err = g.WhatIf(d)
		require.Error(t, err)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	b, err := membership.NewBuilder(membership.Config{})
	require.NoError(t, err)
	for id, k := range map[string]membership.Kind{"g": membership.KindGroup, "u": membership.KindUser, "pc": membership.KindOther} {
		require.NoError(t, b.Add(membership.Object{ID: id, Kind: k}))
	}
	for _, e := range [][2]string{{"g", "u"}, {"g", "pc"}, {"g", "ghost"}, {"u", "g"}, {"g", "pc"}} {
		require.NoError(t, b.Link(e[0], e[1], membership.ViaMember))
	}
	g := b.Build()
	require.Equal(t, []membership.Skip{
		{membership.Edge{Parent: "g", Child: "ghost"}, membership.SkipUnresolved},
		{membership.Edge{Parent: "g", Child: "pc"}, membership.SkipNotAUser},
		{membership.Edge{Parent: "u", Child: "g"}, membership.SkipNotAGroup},
	}, g.Skipped())
	require.Equal(t, []membership.Edge{{Parent: "g", Child: "ghost"}}, g.Unresolved())
	require.Equal(t, []int{1, 1, 1}, []int{g.Users(), g.Groups(), g.Edges()})
	n, ok := g.Node("g")
	require.True(t, ok)
	require.True(t, g.IsGroup(n))
	require.Equal(t, "g", g.ID(n))
	for v, want := range map[fmt.Stringer]string{
		membership.ViaMember: "member", membership.ViaPrimary: "primary", membership.ViaForeign: "foreign",
		membership.Via(9): "unknown", membership.KindUser: "user", membership.KindGroup: "group", membership.KindDistribution: "distribution group",
		membership.KindOther: "other", membership.Kind(9): "unknown",
	} {
		require.Equal(t, want, v.String())
	}
}

// TestGUIDIDs: ids that are GUIDs are stored packed, and nothing else changes.
func TestGUIDIDs(t *testing.T) {
	t.Parallel()
	b, err := membership.NewBuilder(membership.Config{})
	require.NoError(t, err)
	guid := func(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", 1000-i, i) }
	for i := range 20 {
		require.NoError(t, b.Add(membership.Object{ID: guid(i), Kind: membership.KindUser}))
		require.NoError(t, b.Link(guid(100), guid(i), membership.ViaPrimary))
	}
	require.NoError(t, b.Add(membership.Object{ID: guid(100), Kind: membership.KindGroup}))
	g := b.Build()
	require.True(t, g.IsMember(guid(7), guid(100)))
	require.False(t, g.IsMember("x"+guid(7)[1:], guid(100)))
	members, err := g.MembersOf(guid(100))
	require.NoError(t, err)
	require.Len(t, members, 20)
	require.True(t, slices.IsSorted(members))
	require.Equal(t, membership.ViaPrimary, g.Explain(guid(7), guid(100), 1)[0][0].Via)
}

// TestOverlayIsFoldedIn makes more changes than the overlay holds.
func TestOverlayIsFoldedIn(t *testing.T) {
	t.Parallel()
	g := chain(t, 3000)
	for i := range 1200 {
		e := membership.Edge{Parent: fmt.Sprintf("g%06d", i+2), Child: fmt.Sprintf("g%06d", i+1)}
		next, diff, err := g.Apply(membership.Delta{Unlink: []membership.Edge{e}})
		require.NoError(t, err)
		if i == 0 {
			require.Len(t, slices.Collect(diff.Lost()), 2998)
		}
		g = next
	}
	require.Equal(t, []string{"g000000", "g000001"}, slices.Collect(g.GroupsOf("user")))
	require.Equal(t, 1800, g.Edges())
}

func TestConcurrentReaders(t *testing.T) {
	t.Parallel()
	g := chain(t, 300)
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for i := range 100 {
				next, _, err := g.Apply(membership.Delta{Unlink: []membership.Edge{{Parent: "g000001", Child: "g000000"}}})
				require.NoError(t, err)
				require.False(t, next.IsMember("user", "g000200"))
				require.True(t, g.IsMember("user", fmt.Sprintf("g%06d", i)))
			}
		})
	}
}
