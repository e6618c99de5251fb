package membership

import (
	"encoding/binary"
	"iter"
	"slices"
	"sync"
)

// scratch is the working memory of one query.
type scratch struct {
	stamp []uint32 // by component or group
	cur   uint32
	queue []uint32
	buf   []uint32
	users bitset
}

func newPool() *sync.Pool { return &sync.Pool{New: func() any { return new(scratch) }} }

func (g *Graph) scratch() *scratch {
	s := g.pool.Get().(*scratch) // the pool holds nothing else
	if len(s.stamp) < int(g.ng) {
		s.stamp, s.cur = make([]uint32, g.ng), 0
	}
	s.cur++
	if s.cur == 0 {
		clear(s.stamp)
		s.cur = 1
	}
	s.queue = s.queue[:0]
	return s
}

// AppendGroups appends the effective groups of a user, or the groups above a group, to dst, in no special order.
func (g *Graph) AppendGroups(dst []Node, of Node) []Node {
	n := uint32(of)
	if n >= g.n() {
		return dst
	}
	s := g.scratch()
	if c := g.closure; c != nil && !g.over.touches(g, n) && g.follows2(n) {
		dst = c.appendGroups(dst, g.up[g.upOff[n]:g.upOff[n+1]], s)
	} else {
		dst = g.search(dst, n, s)
	}
	g.pool.Put(s)
	return dst
}

// follows2 is follows for any node: users always count.
func (g *Graph) follows2(n uint32) bool { return n >= g.ng || g.follows(n) }

func (c *closure) appendGroups(dst []Node, direct []uint32, s *scratch) []Node {
	stamp, cur := s.stamp, s.cur
	for _, p := range direct {
		x := c.comp[p&nodeMask]
		if stamp[x] == cur {
			continue // its whole list is in
		}
		for _, a := range c.anc[c.ancOff[x]:c.ancOff[x+1]] {
			if stamp[a] == cur {
				continue
			}
			stamp[a] = cur
			for _, m := range c.mem[c.memOff[a]:c.memOff[a+1]] {
				dst = append(dst, Node(m))
			}
		}
	}
	return dst
}

// search is the breadth-first answer, which needs no closure.
func (g *Graph) search(dst []Node, n uint32, s *scratch) []Node {
	first := len(dst)
	visit := func(n uint32) {
		for _, p := range g.parents(n, s.buf[:0]) {
			if p &= nodeMask; s.stamp[p] != s.cur {
				s.stamp[p] = s.cur
				dst = append(dst, Node(p))
			}
		}
	}
	visit(n)
	if g.cfg.DirectOnly {
		return dst
	}
	for i := first; i < len(dst); i++ {
		if m := uint32(dst[i]); g.follows(m) {
			visit(m)
		}
	}
	return dst
}

// parents returns the entries of up for node n, changes included. The result is only read.
func (g *Graph) parents(n uint32, buf []uint32) []uint32 {
	base := g.up[g.upOff[n]:g.upOff[n+1]]
	if g.over == nil {
		return base
	}
	return g.over.merge(g.over.byChild, n, base, buf)
}

func (g *Graph) subgroups(n uint32, buf []uint32) []uint32 {
	base := g.sub[g.subOff[n]:g.subOff[n+1]]
	if g.over == nil {
		return base
	}
	return g.over.children(n, base, buf, func(c uint32) bool { return c < g.ng })
}

func (g *Graph) directUsers(n uint32, buf []uint32) []uint32 {
	last := uint32(0)
	for list := g.usr[g.usrOff[n]:g.usrOff[n+1]]; len(list) > 0; {
		d, size := binary.Uvarint(list)
		last += uint32(d) //nolint:gosec // a difference of two nodes
		buf = append(buf, last)
		list = list[size:]
	}
	if g.over == nil {
		return buf
	}
	return g.over.children(n, buf, nil, func(c uint32) bool { return c >= g.ng })
}

// GroupsOf returns the ids of all groups that a user, or a group, belongs to, in order. Unknown ids belong to none.
func (g *Graph) GroupsOf(id string) iter.Seq[string] {
	return func(yield func(string) bool) {
		n, ok := g.node(id)
		if !ok {
			return
		}
		nodes := g.AppendGroups(nil, Node(n))
		slices.Sort(nodes)
		for _, p := range nodes {
			if !yield(g.id(uint32(p))) {
				return
			}
		}
	}
}

// AppendMembers appends the effective users of a group to dst, in no special order.
func (g *Graph) AppendMembers(dst []Node, group Node) []Node {
	top := uint32(group)
	if top >= g.ng {
		return dst
	}
	s := g.scratch()
	defer g.pool.Put(s)
	if len(s.users) < int(g.nu+63)/64 {
		s.users = newBitset(g.nu)
	}
	first := len(dst)
	s.stamp[top] = s.cur
	s.queue = append(s.queue, top)
	for i := 0; i < len(s.queue); i++ {
		n := s.queue[i]
		s.buf = g.directUsers(n, s.buf[:0])
		for _, u := range s.buf {
			if !s.users.has(u - g.ng) {
				s.users.set(u - g.ng)
				dst = append(dst, Node(u))
			}
		}
		if g.cfg.DirectOnly {
			break
		}
		s.buf = append(s.buf[:0], g.subgroups(n, s.buf[:0])...)
		for _, c := range s.buf {
			if s.stamp[c] != s.cur && g.follows(c) {
				s.stamp[c] = s.cur
				s.queue = append(s.queue, c)
			}
		}
	}
	for _, u := range dst[first:] {
		s.users[(uint32(u)-g.ng)>>6] = 0
	}
	return dst
}

// MembersOf returns the ids of all users in a group, in order. With [ErrIncomplete] the list is what is known; with
// [ErrUnknown] it is empty.
func (g *Graph) MembersOf(group string) ([]string, error) {
	i, ok := g.groups.find(group)
	if !ok {
		return nil, ErrUnknown
	}
	nodes := g.AppendMembers(nil, Node(i)) //nolint:gosec // below 2^30
	slices.Sort(nodes)
	out := make([]string, len(nodes))
	for k, u := range nodes {
		out[k] = g.id(uint32(u))
	}
	if g.tainted.has(uint32(i)) { //nolint:gosec // below 2^30
		return out, ErrIncomplete
	}
	return out, nil
}

// IsMember reports whether a user, or a group, belongs to the group, directly or not.
func (g *Graph) IsMember(id, group string) bool {
	n, ok := g.node(id)
	t, isGroup := g.groups.find(group)
	return ok && isGroup && g.IsMemberNode(Node(n), Node(t)) //nolint:gosec // below 2^30
}

// IsMemberNode is [Graph.IsMember] for nodes.
func (g *Graph) IsMemberNode(of, group Node) bool {
	n, t := uint32(of), uint32(group)
	if n >= g.n() || t >= g.ng {
		return false
	}
	c := g.closure
	if c == nil || g.over.touches(g, n) || !g.follows2(n) {
		return g.searchFor(n, t)
	}
	target := c.comp[t]
	bit := sigBit(target)
	for _, p := range g.up[g.upOff[n]:g.upOff[n+1]] {
		x := c.comp[p&nodeMask]
		if x == target {
			return true
		}
		if x < target || c.sig[x]&bit == 0 { // ancestors have smaller numbers
			continue
		}
		if _, found := slices.BinarySearch(c.anc[c.ancOff[x]:c.ancOff[x+1]], target); found {
			return true
		}
	}
	return false
}

func (g *Graph) searchFor(n, t uint32) bool {
	s := g.scratch()
	defer g.pool.Put(s)
	queue := append(s.queue, n)
	for i := 0; i < len(queue); i++ {
		m := queue[i]
		if i > 0 && (g.cfg.DirectOnly || !g.follows(m)) {
			continue
		}
		for _, p := range g.parents(m, s.buf[:0]) {
			if p &= nodeMask; p == t {
				s.queue = queue
				return true
			} else if s.stamp[p] != s.cur {
				s.stamp[p] = s.cur
				queue = append(queue, p)
			}
		}
	}
	s.queue = queue
	return false
}
