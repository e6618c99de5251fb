package membership

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Apply returns the graph after the delta and what it changes. Readers of g see nothing of it. A delta of edges costs
// in proportion to the groups below the changed ones; a delta that adds or removes objects builds the graph anew.
func (g *Graph) Apply(d Delta) (*Graph, Diff, error) {
	if err := d.check(); err != nil {
		return nil, Diff{}, err
	}
	diff := Diff{old: g, roots: d.roots()}
	if len(d.Add) > 0 || len(d.Remove) > 0 || !g.knows(d) {
		b := g.builder()
		if err := b.apply(d); err != nil {
			return nil, Diff{}, err
		}
		diff.now = b.Build()
		return diff.now, diff, nil
	}
	now := *g
	now.over = g.over.clone(g.ng)
	for _, e := range d.Unlink {
		now.setEdge(e, false)
	}
	for _, e := range d.Link {
		now.setEdge(e, true)
	}
	switch {
	case len(now.over.byChild) > maxOverlay:
		edges := now.rawEdges()
		now.over = nil
		now.setEdges(edges)
		now.finish()
	case len(now.unread) > 0:
		now.taint()
	}
	diff.now = &now
	return &now, diff, nil
}

// WhatIf returns what a delta would change.
func (g *Graph) WhatIf(d Delta) (Diff, error) {
	_, diff, err := g.Apply(d)
	return diff, err
}

func (d Delta) check() error {
	for _, e := range slices.Concat(d.Link, d.Unlink) {
		if e.Parent == "" || e.Child == "" {
			return errors.New("membership: edge without id")
		}
		if e.Via > ViaForeign {
			return fmt.Errorf("membership: unknown kind of edge %d", e.Via)
		}
	}
	return nil
}

// roots returns the objects whose groups change.
func (d Delta) roots() []string {
	set := map[string]bool{}
	for _, e := range slices.Concat(d.Link, d.Unlink) {
		set[e.Child] = true
	}
	for _, o := range d.Add {
		set[o.ID] = true
	}
	for _, id := range d.Remove {
		set[id] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// knows reports whether all edges are between a group and a user or group of g.
func (g *Graph) knows(d Delta) bool {
	for _, e := range slices.Concat(d.Link, d.Unlink) {
		_, parent := g.groups.find(e.Parent)
		_, child := g.node(e.Child)
		if !parent || !child {
			return false
		}
	}
	return true
}

// setEdge changes the overlay, which is this graph's own copy.
func (g *Graph) setEdge(e Edge, add bool) {
	p, _ := g.node(e.Parent)
	c, _ := g.node(e.Child)
	base := g.up[g.upOff[c]:g.upOff[c+1]]
	at, inBase := slices.BinarySearchFunc(base, p, func(x, p uint32) int { return int(x&nodeMask) - int(p) })
	via, present := ViaMember, inBase
	if inBase {
		via = Via(base[at] >> nodeBits)
	}
	if i, found := slices.BinarySearchFunc(g.over.byChild, change{a: c, b: p}, compareChange); found {
		via, present = g.over.byChild[i].via, g.over.byChild[i].add
	}
	switch {
	case !add && !present, add && present && e.Via >= via:
		return
	case add && inBase && Via(base[at]>>nodeBits) == e.Via, !add && !inBase:
		g.over.drop(c, p)
	default:
		g.over.put(change{a: c, b: p, via: e.Via, add: add, base: inBase})
	}
	if c < g.ng {
		g.markStale(c)
	}
}

// markStale notes that the groups above c, and above everything below c, are no longer what was stored.
func (g *Graph) markStale(c uint32) {
	queue := []uint32{c}
	seen := map[uint32]bool{c: true}
	for len(queue) > 0 {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		g.over.stale.set(n)
		for _, s := range g.subgroups(n, nil) {
			if !seen[s] {
				seen[s] = true
				queue = append(queue, s)
			}
		}
	}
}

func (b *Builder) apply(d Delta) error {
	for _, o := range d.Add {
		if n, ok := b.index[o.ID]; ok {
			b.bad[n] = false // a delta may say that a group has now been read whole
		}
		if err := b.Add(o); err != nil {
			return err
		}
	}
	gone := map[[2]uint32]bool{}
	for _, e := range d.Unlink {
		p, okP := b.index[e.Parent]
		c, okC := b.index[e.Child]
		if okP && okC {
			gone[[2]uint32{p, c}] = true
		}
	}
	b.edges = slices.DeleteFunc(b.edges, func(e rawEdge) bool { return gone[[2]uint32{e.parent, e.child}] })
	for _, e := range d.Link {
		if err := b.Link(e.Parent, e.Child, e.Via); err != nil {
			return err
		}
	}
	dead := map[uint32]bool{}
	for _, id := range d.Remove {
		if n, ok := b.index[id]; ok {
			dead[n] = true
			b.kinds[n], b.bad[n] = 0, false
		}
	}
	b.edges = slices.DeleteFunc(b.edges, func(e rawEdge) bool { return dead[e.parent] || dead[e.child] })
	return nil
}

// Diff is what a delta changed. It is computed while it is read.
type Diff struct {
	old, now *Graph
	roots    []string
}

// Gained returns the effective memberships that are new, in order of user and group.
func (d Diff) Gained() iter.Seq[Pair] { return d.walk(true) }

// Lost returns the effective memberships that are gone, in order of user and group. Memberships in a group that is
// now incomplete are never lost: they stay as they were.
func (d Diff) Lost() iter.Seq[Pair] { return d.walk(false) }

// Empty reports whether no effective membership changed.
func (d Diff) Empty() bool {
	for range d.Gained() {
		return false
	}
	for range d.Lost() {
		return false
	}
	return true
}

func (d Diff) walk(gained bool) iter.Seq[Pair] {
	return func(yield func(Pair) bool) {
		for _, u := range d.users() {
			before, after := slices.Collect(d.old.GroupsOf(u)), slices.Collect(d.now.GroupsOf(u))
			if gained {
				before, after = after, before
			}
			for _, grp := range before {
				if _, both := slices.BinarySearch(after, grp); both || !gained && d.kept(grp) {
					continue
				}
				if !yield(Pair{u, grp}) {
					return
				}
			}
		}
	}
}

// kept reports whether losses in the group are not believed.
func (d Diff) kept(group string) bool {
	n, ok := d.now.node(group)
	return ok && n < d.now.ng && d.now.tainted.has(n)
}

// users returns everybody whose groups may have changed: the roots and all users below them, before or after.
func (d Diff) users() []string {
	set := map[string]bool{}
	for _, g := range []*Graph{d.old, d.now} {
		if g == nil {
			continue
		}
		for _, id := range d.roots {
			n, ok := g.node(id)
			switch {
			case !ok:
			case n >= g.ng:
				set[id] = true
			default:
				for _, u := range g.usersBelow(n) {
					set[g.id(u)] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// usersBelow returns the users that reach group n, whatever the mode of the graph.
func (g *Graph) usersBelow(n uint32) []uint32 {
	all := *g
	all.cfg.DirectOnly, all.cfg.IgnoreDistribution = false, false
	var out []uint32
	for _, u := range all.AppendMembers(nil, Node(n)) {
		out = append(out, uint32(u))
	}
	return out
}
