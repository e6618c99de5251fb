package membership

import (
	"encoding/binary"
	"slices"
	"sync"
)

// Graph is an immutable set of users, groups and edges. It is safe for concurrent use.
//
// A [Node] is the number of a user or group in one graph and those made from it by [Graph.Apply] with edges only;
// the methods that take ids look the number up first.
type Graph struct {
	cfg           Config
	ng, nu        uint32
	groups, users idTable
	others        []string
	skipped       []Skip
	unread        []uint32 // groups whose member list is incomplete
	distribution  []uint32

	// Adjacency of everything but the overlay. Groups are nodes 0..ng-1, users follow.
	// An entry of up is a parent with the kind of the edge in its two highest bits.
	upOff, up   []uint32 // node -> parents
	subOff, sub []uint32 // group -> child groups
	usrOff      []uint32 // group -> users, as differences in variable length: half the size
	usr         []byte

	closure *closure // nil: over the cap, or direct members only
	over    *overlay // nil: no changes
	tainted bitset   // groups that are incomplete or contain one that is; nil: none
	pool    *sync.Pool
}

// Node is the number of a user or group; see [Graph.Node].
type Node uint32

const (
	nodeBits = 30
	nodeMask = 1<<nodeBits - 1
)

func (g *Graph) n() uint32 { return g.ng + g.nu }

func (g *Graph) id(n uint32) string {
	if n < g.ng {
		return g.groups.at(int(n))
	}
	return g.users.at(int(n - g.ng))
}

func (g *Graph) node(id string) (uint32, bool) {
	if i, ok := g.groups.find(id); ok {
		return uint32(i), true //nolint:gosec // below 2^30
	}
	i, ok := g.users.find(id)
	return g.ng + uint32(i), ok //nolint:gosec // below 2^30
}

// Node returns the number of a user or group.
func (g *Graph) Node(id string) (Node, bool) {
	n, ok := g.node(id)
	return Node(n), ok
}

// ID returns the id of a node that this graph returned.
func (g *Graph) ID(n Node) string { return g.id(uint32(n)) }

// IsGroup reports whether the node is a group.
func (g *Graph) IsGroup(n Node) bool { return uint32(n) < g.ng }

// Users returns the number of users.
func (g *Graph) Users() int { return int(g.nu) }

// Groups returns the number of groups, distribution groups included.
func (g *Graph) Groups() int { return int(g.ng) }

// Edges returns the number of direct memberships.
func (g *Graph) Edges() int { return len(g.up) + g.over.delta() }

// Capped reports that the ancestor lists would have been over the cap: each question is answered by a search.
func (g *Graph) Capped() bool { return g.closure == nil && !g.cfg.DirectOnly }

// Skipped returns the edges that count for nothing, in order of parent and child.
func (g *Graph) Skipped() []Skip { return slices.Clone(g.skipped) }

// Unresolved returns the edges of which one end was never added.
func (g *Graph) Unresolved() []Edge {
	var out []Edge
	for _, s := range g.skipped {
		if s.Reason == SkipUnresolved {
			out = append(out, s.Edge)
		}
	}
	return out
}

// Incomplete returns the ids of the groups that were not read whole and of all groups above them, in order.
func (g *Graph) Incomplete() []string {
	var out []string
	for n := range g.ng {
		if g.tainted.has(n) {
			out = append(out, g.id(n))
		}
	}
	return out
}

// setEdges fills the adjacency arrays. Two counting sorts leave every list in order without comparing.
func (g *Graph) setEdges(edges []rawEdge) {
	byParent := make([]uint32, g.ng+1)
	for _, e := range edges {
		byParent[e.parent+1]++
	}
	prefix(byParent)
	type half struct {
		child uint32
		via   Via
	}
	sorted := make([]half, len(edges))
	pos := slices.Clone(byParent)
	for _, e := range edges {
		sorted[pos[e.parent]] = half{e.child, e.via}
		pos[e.parent]++
	}
	g.upOff = make([]uint32, g.n()+1)
	for _, e := range edges {
		g.upOff[e.child+1]++
	}
	prefix(g.upOff)
	up := make([]uint32, len(edges))
	fill := slices.Clone(g.upOff)
	for p := range g.ng {
		for _, h := range sorted[byParent[p]:byParent[p+1]] {
			at := fill[h.child]
			if at > g.upOff[h.child] && up[at-1]&nodeMask == p { // the same edge again: the first kind wins
				up[at-1] = min(up[at-1], p|uint32(h.via)<<nodeBits)
				continue
			}
			up[at] = p | uint32(h.via)<<nodeBits
			fill[h.child]++
		}
	}
	g.up = compact(up, g.upOff, fill)
	g.setReverse()
}

// compact closes the gaps that duplicate edges left.
func compact(list, off, end []uint32) []uint32 {
	w := uint32(0)
	for n := range len(off) - 1 {
		start := w
		w += uint32(copy(list[w:], list[off[n]:end[n]])) //nolint:gosec // an edge count
		off[n] = start
	}
	off[len(off)-1] = w
	if int(w) == len(list) {
		return list
	}
	return slices.Clone(list[:w])
}

func (g *Graph) setReverse() {
	g.subOff, g.usrOff = make([]uint32, g.ng+1), make([]uint32, g.ng+1)
	split := g.upOff[g.ng] // edges of groups stand before it
	for _, p := range g.up[:split] {
		g.subOff[p&nodeMask+1]++
	}
	prefix(g.subOff)
	g.sub = make([]uint32, split)
	pos := slices.Clone(g.subOff)
	for n := range g.ng {
		for _, p := range g.up[g.upOff[n]:g.upOff[n+1]] {
			g.sub[pos[p&nodeMask]] = n
			pos[p&nodeMask]++
		}
	}
	g.setUsers()
}

// setUsers writes the users of each group as the differences of ascending numbers: first their lengths, then they.
func (g *Graph) setUsers() {
	last := make([]uint32, g.ng)
	each := func(f func(group, difference uint32)) {
		clear(last)
		for n := g.ng; n < g.n(); n++ {
			for _, p := range g.up[g.upOff[n]:g.upOff[n+1]] {
				p &= nodeMask
				f(p, n-last[p])
				last[p] = n
			}
		}
	}
	each(func(p, d uint32) { g.usrOff[p+1] += varintLen(d) })
	prefix(g.usrOff)
	g.usr = make([]byte, g.usrOff[g.ng])
	pos := slices.Clone(g.usrOff)
	each(func(p, d uint32) {
		pos[p] += uint32(binary.PutUvarint(g.usr[pos[p]:g.usrOff[p+1]:g.usrOff[p+1]], uint64(d))) //nolint:gosec // at most 5
	})
}

func varintLen(v uint32) uint32 {
	n := uint32(1)
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

func prefix(a []uint32) {
	for i := 1; i < len(a); i++ {
		a[i] += a[i-1]
	}
}

// finish derives what the edges imply.
func (g *Graph) finish() {
	if !g.cfg.DirectOnly {
		g.closure = g.buildClosure()
	}
	g.taint()
}

// taint marks the incomplete groups and everything above them.
func (g *Graph) taint() {
	g.tainted = nil
	if len(g.unread) == 0 {
		return
	}
	g.tainted = newBitset(g.ng)
	queue := slices.Clone(g.unread)
	var buf []uint32
	for len(queue) > 0 {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if g.tainted.has(n) {
			continue
		}
		g.tainted.set(n)
		if g.cfg.DirectOnly || !g.follows(n) {
			continue
		}
		for _, p := range g.parents(n, buf[:0]) {
			queue = append(queue, p&nodeMask)
		}
	}
}

// follows reports whether members of group n count for the groups above it.
func (g *Graph) follows(n uint32) bool {
	if !g.cfg.IgnoreDistribution {
		return true
	}
	_, found := slices.BinarySearch(g.distribution, n)
	return !found
}

// rawEdges returns all usable edges, changes included.
func (g *Graph) rawEdges() []rawEdge {
	out := make([]rawEdge, 0, g.Edges())
	var buf []uint32
	for n := range g.n() {
		for _, p := range g.parents(n, buf[:0]) {
			out = append(out, rawEdge{p & nodeMask, n, Via(p >> nodeBits)})
		}
	}
	return out
}

type bitset []uint64

func newBitset(n uint32) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(n uint32) bool { return b != nil && b[n>>6]&(1<<(n&63)) != 0 }

func (b bitset) set(n uint32) { b[n>>6] |= 1 << (n & 63) }
