package membership_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/membership"
)

// graphOf builds a graph from "parent>child" edges, "*" for a primary group and "~" for a foreign member in place of
// ">". Names in capitals are groups, others users.
func graphOf(t *testing.T, cfg membership.Config, incomplete string, edges ...string) *membership.Graph {
	t.Helper()
	b, err := membership.NewBuilder(cfg)
	require.NoError(t, err)
	for _, e := range edges {
		parent, child := e[:1], e[2:]
		via := map[byte]membership.Via{'>': membership.ViaMember, '*': membership.ViaPrimary, '~': membership.ViaForeign}[e[1]]
		require.NoError(t, b.Link(parent, child, via))
		for _, id := range []string{parent, child} {
			kind := membership.KindUser
			switch {
			case id == "?": // never added: a principal of a domain that nobody configured
				continue
			case id == "pc":
				kind = membership.KindOther
			case id[0] < 'a':
				kind = membership.KindGroup
			}
			require.NoError(t, b.Add(membership.Object{ID: id, Kind: kind, Incomplete: id == incomplete}))
		}
	}
	return b.Build()
}

// TestFlatten has the flattening scenarios by their ids: the members of each group afterwards.
func TestFlatten(t *testing.T) {
	t.Parallel()
	for id, c := range map[string]struct {
		cfg   membership.Config
		edges []string
		want  map[string][]string
	}{
		"N01 nested":           {membership.Config{}, []string{"A>B", "B>C", "C>u"}, map[string][]string{"A": {"u"}, "B": {"u"}, "C": {"u"}}},
		"N02 cycle":            {membership.Config{}, []string{"A>B", "B>A", "A>a", "B>b"}, map[string][]string{"A": {"a", "b"}, "B": {"a", "b"}}},
		"N02 itself":           {membership.Config{}, []string{"A>A", "A>a"}, map[string][]string{"A": {"a"}}},
		"N04 diamond":          {membership.Config{}, []string{"A>B", "B>D", "A>C", "C>D", "D>u"}, map[string][]string{"A": {"u"}, "B": {"u"}, "C": {"u"}, "D": {"u"}}},
		"N06 primary group":    {membership.Config{}, []string{"P*u", "A>P"}, map[string][]string{"A": {"u"}, "P": {"u"}}},
		"N08 foreign":          {membership.Config{}, []string{"A~u"}, map[string][]string{"A": {"u"}}},
		"N08 foreign, unknown": {membership.Config{}, []string{"A~?", "A>u"}, map[string][]string{"A": {"u"}}},
		"N09 computer":         {membership.Config{}, []string{"A>pc", "A>u"}, map[string][]string{"A": {"u"}}},
		"N15 direct only":      {membership.Config{DirectOnly: true}, []string{"A>B", "B>u", "A>v"}, map[string][]string{"A": {"v"}, "B": {"u"}}},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			g := graphOf(t, c.cfg, "", c.edges...)
			for group, want := range c.want {
				got, err := g.MembersOf(group)
				require.NoError(t, err)
				require.Equal(t, want, got, group)
			}
		})
	}
}

// TestN01 also has the depths: the shortest path.
func TestN01(t *testing.T) {
	t.Parallel()
	g := graphOf(t, membership.Config{}, "", "A>B", "B>C", "C>u")
	for group, depth := range map[string]int{"A": 3, "B": 2, "C": 1} {
		require.Len(t, g.Explain("u", group, 1)[0], depth)
	}
}

// TestN04: one way of two is removed, and the user stays.
func TestN04(t *testing.T) {
	t.Parallel()
	g := graphOf(t, membership.Config{}, "", "A>B", "B>D", "A>C", "C>D", "D>u")
	require.Len(t, g.Explain("u", "D", 9), 1)
	next, diff, err := g.Apply(membership.Delta{Unlink: []membership.Edge{{Parent: "C", Child: "D"}}})
	require.NoError(t, err)
	require.Equal(t, []membership.Pair{{User: "u", Group: "C"}}, slices.Collect(diff.Lost()))
	require.True(t, next.IsMember("u", "A"))
	require.True(t, g.IsMember("u", "C")) // the old graph is as it was
}

// TestN07: a change of primary group moves the user; the directory lists it as member of the old one from then on.
func TestN07(t *testing.T) {
	t.Parallel()
	g := graphOf(t, membership.Config{}, "", "P*u", "Q>x")
	_, diff, err := g.Apply(membership.Delta{
		Unlink: []membership.Edge{{Parent: "P", Child: "u"}},
		Link:   []membership.Edge{{Parent: "P", Child: "u"}, {Parent: "Q", Child: "u", Via: membership.ViaPrimary}},
	})
	require.NoError(t, err)
	require.Empty(t, slices.Collect(diff.Lost()))
	require.Equal(t, []membership.Pair{{User: "u", Group: "Q"}}, slices.Collect(diff.Gained()))
}

// TestF08 and N11: a group that was not read whole taints every group above it; no loss through it is reported, gains are.
func TestF08(t *testing.T) {
	t.Parallel()
	g := graphOf(t, membership.Config{}, "B", "A>B", "B>u", "C>u")
	require.Equal(t, []string{"A", "B"}, g.Incomplete())
	members, err := g.MembersOf("A")
	require.ErrorIs(t, err, membership.ErrIncomplete)
	require.Equal(t, []string{"u"}, members)
	_, diff, err := g.Apply(membership.Delta{
		Unlink: []membership.Edge{{Parent: "B", Child: "u"}, {Parent: "C", Child: "u"}}, Link: []membership.Edge{{Parent: "B", Child: "x"}},
		Add: []membership.Object{{ID: "x", Kind: membership.KindUser}},
	})
	require.NoError(t, err)
	require.Equal(t, []membership.Pair{{User: "u", Group: "C"}}, slices.Collect(diff.Lost()))
	require.Equal(t, []membership.Pair{{User: "x", Group: "A"}, {User: "x", Group: "B"}}, slices.Collect(diff.Gained()))
}

// TestN12: a deep chain is a loop, not a recursion.
func TestN12(t *testing.T) {
	t.Parallel()
	g := chain(t, 200)
	require.False(t, g.Capped())
	for i := range 200 {
		require.Len(t, g.Explain("user", fmt.Sprintf("g%06d", i), 1)[0], i+1)
	}
}

// TestIncompleteIsMended: a later delta says that the group has now been read whole.
func TestIncompleteIsMended(t *testing.T) {
	t.Parallel()
	g := graphOf(t, membership.Config{}, "B", "A>B", "B>u")
	next, _, err := g.Apply(membership.Delta{Add: []membership.Object{{ID: "B", Kind: membership.KindGroup}}})
	require.NoError(t, err)
	require.Empty(t, next.Incomplete())
	_, err = next.MembersOf("A")
	require.NoError(t, err)
}
