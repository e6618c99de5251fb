package membership

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Hop is one edge of a path: From stands in To's member list, or has it as primary group.
type Hop struct {
	From, To string
	Via      Via
}

// Path leads from a user to a group.
type Path []Hop

// Explain returns paths from a user, or a group, to a group: a shortest one first, then for each other direct
// group of the user that leads there a shortest one through it, at most max in all (0 means 1). The result is empty
// exactly when [Graph.IsMember] is false.
func (g *Graph) Explain(id, group string, limit int) []Path {
	n, ok := g.node(id)
	t, isGroup := g.groups.find(group)
	if !ok || !isGroup {
		return nil
	}
	if limit <= 0 {
		limit = 1
	}
	toward := g.distances(uint32(t)) //nolint:gosec // below 2^30
	var first []uint32
	for _, p := range g.parents(n, nil) {
		if toward[p&nodeMask] > 0 {
			first = append(first, p)
		}
	}
	slices.SortStableFunc(first, func(x, y uint32) int { return int(toward[x&nodeMask]) - int(toward[y&nodeMask]) })
	var out []Path
	for _, p := range first {
		if len(out) == limit {
			break
		}
		out = append(out, g.path(n, p, toward))
	}
	return out
}

// distances returns, for each group, 1 + the number of edges up to the target, and 0 where there is no way.
func (g *Graph) distances(target uint32) []uint32 {
	d := make([]uint32, g.ng)
	d[target] = 1
	if g.cfg.DirectOnly {
		return d
	}
	queue := []uint32{target}
	for i := 0; i < len(queue); i++ {
		for _, c := range g.subgroups(queue[i], nil) {
			if d[c] == 0 && g.follows(c) {
				d[c] = d[queue[i]] + 1
				queue = append(queue, c)
			}
		}
	}
	return d
}

func (g *Graph) path(n, first uint32, toward []uint32) Path {
	at := first & nodeMask
	out := Path{{g.id(n), g.id(at), Via(first >> nodeBits)}}
	for toward[at] > 1 {
		for _, p := range g.parents(at, nil) {
			if next := p & nodeMask; toward[next] == toward[at]-1 {
				out = append(out, Hop{g.id(at), g.id(next), Via(p >> nodeBits)})
				at = next
				break
			}
		}
	}
	return out
}

// Hash returns a digest of all objects and edges. Equal input gives an equal digest, in whatever order it was added.
func (g *Graph) Hash() [32]byte {
	h := sha256.New()
	var num [4]byte
	word := func(n uint32) {
		binary.BigEndian.PutUint32(num[:], n)
		h.Write(num[:])
	}
	text := func(s string) {
		word(uint32(len(s))) //nolint:gosec // an id
		h.Write([]byte(s))
	}
	list := func(l []uint32) {
		word(uint32(len(l))) //nolint:gosec // below 2^30
		for _, n := range l {
			word(n)
		}
	}
	word(g.ng)
	for n := range g.n() {
		text(g.id(n))
	}
	list(g.unread)
	list(g.distribution)
	for n := range g.n() {
		ps := slices.Clone(g.parents(n, nil))
		slices.SortFunc(ps, func(x, y uint32) int { return int(x&nodeMask) - int(y&nodeMask) })
		list(ps)
	}
	for _, id := range g.others {
		text(id)
	}
	for _, s := range g.skipped {
		text(s.Edge.Parent)
		text(s.Edge.Child)
		text(s.Reason)
	}
	return [32]byte(h.Sum(nil))
}
