package membership

import (
	"cmp"
	"slices"
)

// overlay holds the edges that differ from the arrays of a graph, sorted both ways, and the groups whose stored
// ancestor list no longer holds. It is copied on each change and folded in when it has grown.
type overlay struct {
	byChild, byParent []change
	stale             bitset
}

// change is an edge that was added to or removed from the arrays. a is the node by which it is sorted.
type change struct {
	a, b uint32
	via  Via
	add  bool
	base bool // the arrays have this edge, perhaps of another kind
}

const maxOverlay = 512

func compareChange(x, y change) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) }

func (o *overlay) of(list []change, n uint32) []change {
	lo, _ := slices.BinarySearchFunc(list, n, func(c change, n uint32) int { return cmp.Compare(c.a, n) })
	hi := lo
	for hi < len(list) && list[hi].a == n {
		hi++
	}
	return list[lo:hi]
}

// merge returns the base entries of node n with its changes.
func (o *overlay) merge(list []change, n uint32, base, buf []uint32) []uint32 {
	changes := o.of(list, n)
	if len(changes) == 0 {
		return base
	}
	for _, p := range base {
		_, found := slices.BinarySearchFunc(changes, p&nodeMask, func(c change, n uint32) int { return cmp.Compare(c.b, n) })
		if !found {
			buf = append(buf, p)
		}
	}
	for _, c := range changes {
		if c.add {
			buf = append(buf, c.b|uint32(c.via)<<nodeBits)
		}
	}
	return buf
}

// children is merge for the reverse direction, of those children that keep wants.
func (o *overlay) children(n uint32, base, buf []uint32, keep func(uint32) bool) []uint32 {
	changes := o.of(o.byParent, n)
	if len(changes) == 0 {
		return base
	}
	for _, c := range base {
		_, found := slices.BinarySearchFunc(changes, c, func(ch change, n uint32) int { return cmp.Compare(ch.b, n) })
		if !found {
			buf = append(buf, c)
		}
	}
	for _, c := range changes {
		if c.add && keep(c.b) {
			buf = append(buf, c.b)
		}
	}
	return buf
}

// touches reports whether the stored lists cannot answer for node n.
func (o *overlay) touches(g *Graph, n uint32) bool {
	if o == nil {
		return false
	}
	if n < g.ng && o.stale.has(n) || len(o.of(o.byChild, n)) > 0 {
		return true
	}
	for _, p := range g.up[g.upOff[n]:g.upOff[n+1]] {
		if o.stale.has(p & nodeMask) {
			return true
		}
	}
	return false
}

// delta returns how many edges the overlay adds in all.
func (o *overlay) delta() int {
	if o == nil {
		return 0
	}
	d := 0
	for _, c := range o.byChild {
		switch {
		case c.add && !c.base:
			d++
		case !c.add:
			d--
		}
	}
	return d
}

// put notes one change, sorted by child; drop forgets one, because the arrays are right again.
func (o *overlay) put(c change) {
	set := func(list []change, c change) []change {
		i, found := slices.BinarySearchFunc(list, c, compareChange)
		if found {
			list[i] = c
			return list
		}
		return slices.Insert(list, i, c)
	}
	o.byChild = set(o.byChild, c)
	c.a, c.b = c.b, c.a
	o.byParent = set(o.byParent, c)
}

func (o *overlay) drop(child, parent uint32) {
	del := func(list []change, c change) []change {
		if i, found := slices.BinarySearchFunc(list, c, compareChange); found {
			return slices.Delete(list, i, i+1)
		}
		return list
	}
	o.byChild = del(o.byChild, change{a: child, b: parent})
	o.byParent = del(o.byParent, change{a: parent, b: child})
}

func (o *overlay) clone(ng uint32) *overlay {
	if o == nil {
		return &overlay{stale: newBitset(ng)}
	}
	return &overlay{slices.Clone(o.byChild), slices.Clone(o.byParent), slices.Clone(o.stale)}
}
