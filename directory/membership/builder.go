package membership

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Config says how a graph answers. The zero value flattens nested groups.
type Config struct {
	// DirectOnly counts direct members only: the other reading that AWS's texts give of nested groups.
	DirectOnly bool
	// IgnoreDistribution stops at distribution groups: their members count for nothing above them.
	IgnoreDistribution bool
	// MaxClosure caps the stored ancestor lists, in entries; 0 means 64 for each group and at least 65,536.
	MaxClosure int
}

// Builder collects objects and edges. The zero value is not usable; see [NewBuilder].
type Builder struct {
	cfg   Config
	index map[string]uint32
	names []string
	kinds []Kind // 0: named by an edge only
	bad   []bool // incomplete
	edges []rawEdge
}

type rawEdge struct {
	parent, child uint32
	via           Via
}

const maxObjects = 1 << 30

// NewBuilder returns an empty builder.
func NewBuilder(cfg Config) (*Builder, error) {
	if cfg.MaxClosure < 0 {
		return nil, errors.New("membership: Config.MaxClosure is negative")
	}
	return &Builder{cfg: cfg, index: map[string]uint32{}}, nil
}

// Add adds an object; adding an id again replaces what was said before, except that incompleteness stays.
func (b *Builder) Add(o Object) error {
	if o.ID == "" {
		return errors.New("membership: object without id")
	}
	if o.Kind < KindUser || o.Kind > KindOther {
		return fmt.Errorf("membership: object of unknown kind %d", o.Kind)
	}
	n, err := b.intern(o.ID)
	if err != nil {
		return err
	}
	b.kinds[n] = o.Kind
	b.bad[n] = b.bad[n] || o.Incomplete
	return nil
}

// Link adds an edge. The two objects may be added later.
func (b *Builder) Link(parent, child string, via Via) error {
	if parent == "" || child == "" {
		return errors.New("membership: edge without id")
	}
	if via > ViaForeign {
		return fmt.Errorf("membership: unknown kind of edge %d", via)
	}
	p, err := b.intern(parent)
	if err != nil {
		return err
	}
	c, err := b.intern(child)
	if err != nil {
		return err
	}
	b.edges = append(b.edges, rawEdge{p, c, via})
	return nil
}

func (b *Builder) intern(id string) (uint32, error) {
	if n, ok := b.index[id]; ok {
		return n, nil
	}
	if len(b.names) >= maxObjects {
		return 0, errors.New("membership: too many objects")
	}
	n := uint32(len(b.names)) //nolint:gosec // below 2^30
	b.index[id] = n
	b.names = append(b.names, id)
	b.kinds = append(b.kinds, 0)
	b.bad = append(b.bad, false)
	return n, nil
}

// Build returns the graph of everything added so far. The builder can be filled further and used again.
func (b *Builder) Build() *Graph {
	var groups, users []string
	for i, id := range b.names {
		switch {
		case b.group(b.kinds[i]):
			groups = append(groups, id)
		case b.kinds[i] == KindUser:
			users = append(users, id)
		}
	}
	slices.Sort(groups)
	slices.Sort(users)
	g := &Graph{cfg: b.cfg, groups: newIDTable(groups), users: newIDTable(users), pool: newPool()}
	g.ng = uint32(len(groups)) //nolint:gosec // below 2^30
	g.nu = uint32(len(users))  //nolint:gosec // below 2^30
	node := b.rank(groups, users)
	b.fillFlags(g, node)
	g.setEdges(b.usable(g, node))
	g.finish()
	return g
}

func (b *Builder) group(k Kind) bool { return k == KindGroup || k == KindDistribution }

const noNode = ^uint32(0)

// rank maps the builder's numbers to those of the graph: groups by id, then users by id.
func (b *Builder) rank(groups, users []string) []uint32 {
	node := make([]uint32, len(b.names))
	for i := range node {
		node[i] = noNode
	}
	for i, id := range groups {
		node[b.index[id]] = uint32(i)
	}
	for i, id := range users {
		node[b.index[id]] = uint32(len(groups) + i) //nolint:gosec // below 2^30
	}
	return node
}

func (b *Builder) fillFlags(g *Graph, node []uint32) {
	for i, n := range node {
		if n >= g.ng {
			continue
		}
		if b.bad[i] {
			g.unread = append(g.unread, n)
		}
		if b.kinds[i] == KindDistribution {
			g.distribution = append(g.distribution, n)
		}
	}
	slices.Sort(g.unread)
	slices.Sort(g.distribution)
}

// usable returns the edges between users and groups, and notes the others.
func (b *Builder) usable(g *Graph, node []uint32) []rawEdge {
	out := make([]rawEdge, 0, len(b.edges))
	skipped := map[[2]uint32]Skip{}
	for _, e := range b.edges {
		reason := ""
		switch {
		case b.kinds[e.parent] == 0 || b.kinds[e.child] == 0:
			reason = SkipUnresolved
		case !b.group(b.kinds[e.parent]):
			reason = SkipNotAGroup
		case b.kinds[e.child] == KindOther:
			reason = SkipNotAUser
		default:
			out = append(out, rawEdge{node[e.parent], node[e.child], e.via})
			continue
		}
		key, via := [2]uint32{e.parent, e.child}, e.via
		if s, twice := skipped[key]; twice {
			via = min(via, s.Edge.Via)
		}
		skipped[key] = Skip{Edge{b.names[e.parent], b.names[e.child], via}, reason}
	}
	g.skipped = slices.SortedFunc(maps.Values(skipped), func(x, y Skip) int {
		return cmp.Or(cmp.Compare(x.Edge.Parent, y.Edge.Parent), cmp.Compare(x.Edge.Child, y.Edge.Child))
	})
	for i, k := range b.kinds {
		if k == KindOther {
			g.others = append(g.others, b.names[i])
		}
	}
	slices.Sort(g.others)
	return out
}

// builder returns a builder that would build g again.
func (g *Graph) builder() *Builder {
	b := &Builder{cfg: g.cfg, index: make(map[string]uint32, g.n())}
	add := func(id string, k Kind) {
		b.index[id] = uint32(len(b.names)) //nolint:gosec // below 2^30
		b.names = append(b.names, id)
		b.kinds = append(b.kinds, k)
		b.bad = append(b.bad, false)
	}
	for n := range g.n() {
		if n < g.ng {
			add(g.id(n), KindGroup)
		} else {
			add(g.id(n), KindUser)
		}
	}
	for _, n := range g.unread {
		b.bad[n] = true
	}
	for _, n := range g.distribution {
		b.kinds[n] = KindDistribution
	}
	for _, id := range g.others {
		add(id, KindOther)
	}
	b.edges = g.rawEdges()
	for _, s := range g.skipped {
		for _, id := range []string{s.Edge.Parent, s.Edge.Child} {
			if _, ok := b.index[id]; !ok {
				add(id, 0)
			}
		}
		b.edges = append(b.edges, rawEdge{b.index[s.Edge.Parent], b.index[s.Edge.Child], s.Edge.Via})
	}
	return b
}
