package membership

import "slices"

// closure holds, for each strongly connected component of the groups, the sorted list of the components above it,
// itself included. Users share these lists. Components are numbered parents first.
type closure struct {
	comp     []uint32 // group -> component
	memOff   []uint32 // component -> its groups
	mem      []uint32
	ancOff   []uint32 // component -> components above
	anc      []uint32
	sig      []uint64 // a 64-bit filter for each list
	numComps uint32
}

const minClosure = 1 << 16

func (g *Graph) maxClosure() int {
	if g.cfg.MaxClosure > 0 {
		return g.cfg.MaxClosure
	}
	return max(minClosure, 64*int(g.ng))
}

// buildClosure returns nil when the lists would be longer than the cap.
func (g *Graph) buildClosure() *closure {
	c := &closure{}
	c.comp, c.numComps = g.components()
	c.memOff = make([]uint32, c.numComps+1)
	for _, x := range c.comp {
		c.memOff[x+1]++
	}
	prefix(c.memOff)
	c.mem = make([]uint32, g.ng)
	pos := slices.Clone(c.memOff)
	for n, x := range c.comp {
		c.mem[pos[x]] = uint32(n)
		pos[x]++
	}
	if !c.fill(g) {
		return nil
	}
	return c
}

func (c *closure) fill(g *Graph) bool {
	limit := g.maxClosure()
	c.ancOff = make([]uint32, c.numComps+1)
	c.sig = make([]uint64, c.numComps)
	stamp := make([]uint32, c.numComps)
	for x := range c.numComps { // parents have smaller numbers
		start := len(c.anc)
		c.anc = append(c.anc, x)
		stamp[x] = x + 1
		for _, n := range c.mem[c.memOff[x]:c.memOff[x+1]] {
			if !g.follows(n) {
				continue
			}
			for _, w := range g.up[g.upOff[n]:g.upOff[n+1]] {
				p := c.comp[w&nodeMask]
				if stamp[p] == x+1 {
					continue
				}
				for _, a := range c.anc[c.ancOff[p]:c.ancOff[p+1]] {
					if stamp[a] != x+1 {
						stamp[a] = x + 1
						c.anc = append(c.anc, a)
					}
				}
			}
			if len(c.anc) > limit {
				return false
			}
		}
		list := c.anc[start:]
		slices.Sort(list)
		for _, a := range list {
			c.sig[x] |= sigBit(a)
		}
		c.ancOff[x+1] = uint32(len(c.anc)) //nolint:gosec // below the cap
	}
	c.anc = slices.Clip(c.anc)
	if cap(c.anc) > len(c.anc)+len(c.anc)/16 {
		c.anc = slices.Clone(c.anc)
	}
	return true
}

func sigBit(a uint32) uint64 { return 1 << ((a * 0x9E3779B1) >> 26) }

// components numbers the strongly connected components (Tarjan, with its own stack).
func (g *Graph) components() (comp []uint32, count uint32) {
	const unseen = ^uint32(0)
	index := make([]uint32, g.ng)
	low := make([]uint32, g.ng)
	onStack := newBitset(g.ng)
	comp = make([]uint32, g.ng)
	for i := range index {
		index[i] = unseen
	}
	type frame struct{ node, edge uint32 }
	var stack []uint32
	var calls []frame
	next := uint32(0)
	enter := func(n uint32) {
		index[n], low[n] = next, next
		next++
		stack = append(stack, n)
		onStack.set(n)
		calls = append(calls, frame{n, g.upOff[n]})
	}
	for root := range g.ng {
		if index[root] != unseen {
			continue
		}
		enter(root)
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			n := f.node
			if f.edge < g.upOff[n+1] && g.follows(n) {
				w := g.up[f.edge] & nodeMask
				f.edge++
				if index[w] == unseen {
					enter(w)
				} else if onStack.has(w) {
					low[n] = min(low[n], index[w])
				}
				continue
			}
			if low[n] == index[n] {
				for {
					w := stack[len(stack)-1]
					stack = stack[:len(stack)-1]
					onStack[w>>6] &^= 1 << (w & 63)
					comp[w] = count
					if w == n {
						break
					}
				}
				count++
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				p := calls[len(calls)-1].node
				low[p] = min(low[p], low[n])
			}
		}
	}
	return comp, count
}
