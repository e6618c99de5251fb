package adsync

// nesting is the structure of one snapshot, over numbers: which groups stand directly above an object.
type nesting struct {
	guids   []string
	index   map[string]int32
	parents [][]int32
	stamp   []int32
	cur     int32
	reached []reachedGroup
}

// reachedGroup is a group above an object, and its distance.
type reachedGroup struct {
	group int32
	depth int32
}

func newNesting() *nesting { return &nesting{index: map[string]int32{}} }

func (n *nesting) number(guid string) int32 {
	if i, ok := n.index[guid]; ok {
		return i
	}
	i := int32(len(n.guids)) //nolint:gosec // bounded by the reader's limits
	n.index[guid] = i
	n.guids = append(n.guids, guid)
	n.parents = append(n.parents, nil)
	return i
}

// link says that child stands in parent. The same edge may be said twice.
func (n *nesting) link(parent, child string) {
	p, c := n.number(parent), n.number(child)
	n.parents[c] = append(n.parents[c], p)
}

// above returns the groups that the object reaches, each with the length of a shortest way, nearest first. Cycles
// end; a group that contains itself does not contain its users twice. The answer is valid until the next call.
func (n *nesting) above(guid string, directOnly bool) []reachedGroup {
	n.reached = n.reached[:0]
	start, ok := n.index[guid]
	if !ok {
		return nil
	}
	for len(n.stamp) < len(n.guids) {
		n.stamp = append(n.stamp, 0)
	}
	n.cur++
	visit := func(of, depth int32) {
		for _, p := range n.parents[of] {
			if n.stamp[p] != n.cur {
				n.stamp[p] = n.cur
				n.reached = append(n.reached, reachedGroup{p, depth})
			}
		}
	}
	visit(start, 1)
	for i := 0; i < len(n.reached) && !directOnly; i++ {
		visit(n.reached[i].group, n.reached[i].depth+1)
	}
	return n.reached
}
