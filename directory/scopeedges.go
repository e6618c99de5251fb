package directory

import (
	"cmp"
	"iter"
	"slices"
)

// An edgeList holds the edges of a scope in four bytes each: a directory has many more memberships than objects.
type edgeList struct {
	start []int    // where the edges of each group begin; one more at the end
	child []uint32 // position among users and groups, and the kind
}

func (l edgeList) equal(o edgeList) bool {
	return slices.Equal(l.start, o.start) && slices.Equal(l.child, o.child)
}

// The kinds in the lowest two bits of an edge.
const (
	bitsMember uint32 = iota
	bitsPrimary
	bitsFSP
	kindBits = 2
	kindMask = 1<<kindBits - 1
)

func edgeKind(bits uint32) EdgeKind { return [...]EdgeKind{EdgeMember, EdgePrimary, EdgeFSP}[bits] }

// EdgeCount returns the number of direct memberships.
func (s *Scope) EdgeCount() int { return len(s.edges.child) }

// Edges returns the direct memberships between objects of Users and Groups, each once: sorted by the GUID of the group, then
// users before groups and each sorted by GUID.
func (s *Scope) Edges() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		for i, g := range s.Groups {
			for _, e := range s.edges.child[s.edges.start[i]:s.edges.start[i+1]] {
				pos, child := int(e>>kindBits), ""
				if pos < len(s.Users) {
					child = s.Users[pos].GUID
				} else {
					child = s.Groups[pos-len(s.Users)].GUID
				}
				if !yield(Edge{g.GUID, child, edgeKind(e & kindMask)}) {
					return
				}
			}
		}
	}
}

// result walks from the principals over the edges that were read and keeps what it reaches.
func (r *scopeReader) result() *Scope {
	s := &Scope{Principals: r.found}
	r.linkPrimaries()
	users, groups := r.reach()
	byGUID := func(a, b uint32) int { return cmp.Compare(r.nodes[a].entry.GUID, r.nodes[b].entry.GUID) }
	slices.SortFunc(users, byGUID)
	slices.SortFunc(groups, byGUID)
	position := make([]uint32, len(r.nodes))
	s.Users, s.Groups = make([]*Entry, len(users)), make([]*Entry, len(groups))
	for i, id := range users {
		s.Users[i], position[id] = r.nodes[id].entry, uint32(i)
	}
	total := 0
	for i, id := range groups {
		s.Groups[i], position[id] = r.nodes[id].entry, uint32(len(users)+i) //nolint:gosec // below maxNodes
		total += len(r.nodes[id].group.edges) + len(r.nodes[id].group.primaries)
		s.Skipped = append(s.Skipped, r.nodes[id].group.skipped...)
	}
	s.edges = edgeList{start: make([]int, 1, len(groups)+1), child: make([]uint32, 0, total)}
	for _, id := range groups {
		g := r.nodes[id].group
		first := len(s.edges.child)
		for _, e := range g.edges {
			if child := e.child(); !r.nodes[child].gone {
				s.edges.child = append(s.edges.child, position[child]<<kindBits|e.bits())
			}
		}
		for _, child := range g.primaries {
			s.edges.child = append(s.edges.child, position[child]<<kindBits|bitsPrimary)
		}
		own := s.edges.child[first:]
		slices.Sort(own)
		s.edges.child = s.edges.child[:first+len(slices.Compact(own))]
		s.edges.start = append(s.edges.start, len(s.edges.child))
	}
	for _, p := range r.pins {
		s.Marks = append(s.Marks, Watermark{p.dom.cfg.DNS, p.conn.info.ID, p.mark})
	}
	slices.SortFunc(s.Skipped, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.SID, b.SID))
	})
	s.Skipped = slices.Compact(s.Skipped)
	slices.SortFunc(s.Marks, func(a, b Watermark) int { return cmp.Compare(a.Domain, b.Domain) })
	return s
}

// reach returns what can be reached from the principals.
func (r *scopeReader) reach() (users, groups []uint32) {
	reached := make([]bool, len(r.nodes))
	visit := func(id uint32) {
		n := &r.nodes[id]
		if reached[id] || n.gone {
			return
		}
		reached[id] = true
		if n.group == nil {
			users = append(users, id)
		} else {
			groups = append(groups, id)
		}
	}
	for _, p := range r.found {
		if id, ok := r.lookup(p.GUID); ok {
			visit(id)
		}
	}
	for i := 0; i < len(groups); i++ { // groups grows meanwhile
		g := r.nodes[groups[i]].group
		for _, e := range g.edges {
			visit(e.child())
		}
		for _, child := range g.primaries {
			visit(child)
		}
	}
	return users, groups
}

// linkPrimaries makes the edges by primary group, which are in no member list.
func (r *scopeReader) linkPrimaries() {
	bySID := map[string]*groupNode{}
	for i := range r.nodes {
		if n := &r.nodes[i]; n.group != nil && !n.gone {
			n.group.primaries = nil
			if n.entry.SID != "" {
				bySID[n.entry.SID] = n.group
			}
		}
	}
	for i := range r.nodes {
		n := &r.nodes[i]
		if n.group != nil || n.gone {
			continue
		}
		if g := bySID[r.primarySID(n.entry)]; g != nil {
			g.primaries = append(g.primaries, uint32(i))
		}
	}
}
