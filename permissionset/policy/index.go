package policy

import (
	"maps"
	"math"
	"strings"
	"sync"
	"sync/atomic"
)

// layerIndex finds the statements of a layer that can match a request.
type layerIndex struct {
	byService map[string][]candidate // rules that can match actions of the service, in order
	other     []candidate            // rules that can match actions of a service that is not in byService
	plans     atomic.Pointer[map[string]*plan]

	mu     sync.Mutex // serialises additions to plans
	budget int        // resource patterns that plans may still hold
}

const (
	maxPlans      = 1024
	planBudget    = 1 << 18 // resource patterns in all plans of one layer: about 20 MB
	maxPlanAction = 256
)

// plan holds the rules of one action, by effect.
type plan struct {
	deny, allow ruleIndex
}

// ruleIndex files rules by the literal beginning of their resource patterns.
type ruleIndex struct {
	everywhere []*rule // match each resource: Resource "*", or trust policies
	scan       []*rule // must be looked at: NotResource, or a pattern that begins with a variable
	root       *radix
}

// radix is a node of a compressed trie over literal beginnings.
type radix struct {
	text     string // below the parent's
	entries  []entry
	children []*radix // by first byte
}

// entry is one resource pattern of one rule.
type entry struct {
	r *rule
	p *pattern
}

// candidate is a rule with those of its action patterns that can match one service.
type candidate struct {
	*rule
	pats []actionPattern
}

// match takes the lower-case halves of an action of that service.
func (c *candidate) match(service, name string, work *int64) bool {
	for i := range c.pats {
		a := &c.pats[i]
		if a.any || globMatch(a.service, service, work) && globMatch(a.name, name, work) {
			return !c.notAction
		}
	}
	return c.notAction
}

// fixed reports whether the pattern names exactly one service.
func (a *actionPattern) fixed() bool { return !a.any && literalPrefix(a.service) == a.service }

func newLayerIndex(rules []placed) *layerIndex {
	x := &layerIndex{byService: map[string][]candidate{}, budget: planBudget}
	for _, pl := range rules {
		for i := range pl.actions {
			if a := &pl.actions[i]; a.fixed() {
				x.byService[a.service] = nil
			}
		}
	}
	for _, pl := range rules {
		named := map[string][]actionPattern{}
		var wild []actionPattern
		for _, a := range pl.actions {
			if a.fixed() {
				named[a.service] = append(named[a.service], a)
			} else {
				wild = append(wild, a)
			}
		}
		if len(wild) > 0 || pl.notAction { // speaks of every service
			x.other = append(x.other, candidate{pl.rule, wild})
			for s, list := range x.byService {
				x.byService[s] = append(list, candidate{pl.rule, append(named[s], wild...)})
			}
			continue
		}
		for s, pats := range named {
			x.byService[s] = append(x.byService[s], candidate{pl.rule, pats})
		}
	}
	x.plans.Store(&map[string]*plan{})
	return x
}

func (x *layerIndex) candidates(service string) []candidate {
	if rules, ok := x.byService[service]; ok {
		return rules
	}
	return x.other
}

// ask decides from the plan of the action, or walks over the service's rules when there is no room for a plan.
func (x *layerIndex) ask(e *env) found {
	p := (*x.plans.Load())[e.req.Action]
	if p == nil {
		if p = x.build(e.req.Action); p == nil {
			return x.walk(e)
		}
	}
	var f found
	p.deny.collect(e, Deny, &f)
	if !f.denied {
		p.allow.collect(e, Allow, &f)
	}
	return f
}

func (x *layerIndex) walk(e *env) found {
	service, name := splitAction(e.req.Action)
	var f found
	list := x.candidates(service)
	for i := range list {
		r := &list[i]
		if r.effect == Allow && f.grant == grantDirect || !r.match(service, name, &e.work) {
			continue
		}
		f.add(r.rule, r.settle(e))
		if f.denied {
			return f
		}
	}
	return f
}

// build makes the plan of an action and publishes it by copying the map: readers take no lock.
func (x *layerIndex) build(action string) *plan {
	if len(action) > maxPlanAction {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	old := *x.plans.Load()
	if p := old[action]; p != nil {
		return p
	}
	if len(old) >= maxPlans || x.budget <= 0 {
		return nil
	}
	service, name := splitAction(action)
	p := &plan{}
	cost := 0
	work := int64(math.MaxInt64) // the action is short and its plan is kept
	list := x.candidates(service)
	for i := range list {
		r := &list[i]
		if !r.match(service, name, &work) {
			continue
		}
		cost += 1 + len(r.resources)
		if r.effect == Deny {
			p.deny.add(r.rule)
		} else {
			p.allow.add(r.rule)
		}
	}
	if x.budget -= 1 + cost; x.budget < 0 {
		return nil
	}
	plans := make(map[string]*plan, len(old)+1)
	maps.Copy(plans, old)
	plans[action] = p
	x.plans.Store(&plans)
	return p
}

func (ix *ruleIndex) add(r *rule) {
	if r.noResource {
		ix.everywhere = append(ix.everywhere, r)
		return
	}
	if r.notResource {
		ix.scan = append(ix.scan, r)
		return
	}
	for i := range r.resources {
		if r.resources[i].enc == "\xff" {
			ix.everywhere = append(ix.everywhere, r)
			return
		}
	}
	for i := range r.resources {
		if r.resources[i].prefix == "" {
			ix.scan = append(ix.scan, r)
			return
		}
	}
	if ix.root == nil {
		ix.root = &radix{}
	}
	for i := range r.resources {
		ix.root.insert(r.resources[i].prefix, entry{r, &r.resources[i]})
	}
}

func (n *radix) insert(key string, e entry) {
	for key != "" {
		c := n.child(key[0])
		if c < 0 {
			n.children = append(n.children, &radix{text: key, entries: []entry{e}})
			for i := len(n.children) - 1; i > 0 && n.children[i-1].text[0] > key[0]; i-- {
				n.children[i-1], n.children[i] = n.children[i], n.children[i-1]
			}
			return
		}
		next := n.children[c]
		k := commonPrefix(next.text, key)
		if k < len(next.text) { // split
			mid := &radix{text: next.text[:k], children: []*radix{next}}
			next.text = next.text[k:]
			n.children[c], next = mid, mid
		}
		n, key = next, key[k:]
	}
	n.entries = append(n.entries, e)
}

func (n *radix) child(c byte) int {
	for i, ch := range n.children {
		if ch.text[0] == c {
			return i
		}
	}
	return -1
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// collect adds what the rules of one effect say. A Deny ends it, and so does an Allow that nothing can widen.
func (ix *ruleIndex) collect(e *env, effect Effect, f *found) { //nolint:cyclop // the hot loop: calls cost more than the work
	done := func() bool { return f.denied || effect == Allow && f.grant == grantDirect }
	for _, r := range ix.everywhere {
		if g := r.matchPrincipal(e); g != grantNone && r.matchConds(e) == yes {
			if f.add(r, g); done() {
				return
			}
		}
	}
	for _, r := range ix.scan {
		if f.add(r, r.settle(e)); done() {
			return
		}
	}
	if ix.root == nil || e.anyResource {
		return
	}
	rest := e.req.Resource
	for n := ix.root; ; {
		for i := range n.entries {
			en := &n.entries[i]
			if !en.p.matchFrom(e) {
				continue
			}
			if g := en.r.matchPrincipal(e); g != grantNone && en.r.matchConds(e) == yes {
				if f.add(en.r, g); done() {
					return
				}
			}
		}
		if rest == "" {
			return
		}
		c := n.child(rest[0])
		if c < 0 || !strings.HasPrefix(rest, n.children[c].text) {
			return
		}
		n = n.children[c]
		rest = rest[len(n.text):]
	}
}

// matchFrom compares the rest of a pattern whose literal beginning is known to fit.
func (p *pattern) matchFrom(e *env) bool {
	if p.parts != nil || p.tail == tailSegments {
		return p.matchResource(e) == yes
	}
	return p.matchTail(e)
}
