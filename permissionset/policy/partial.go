package policy

import (
	"cmp"
	"slices"
	"strings"
)

// ResidualCondition is a condition that could not be decided, because the request does not name a key.
// A statement whose Resource holds a variable leaves one with the operator "Resource" or "NotResource". Values read as in
// a document of version 2012-10-17.
type ResidualCondition struct {
	Operator string   `json:"operator"`
	Key      string   `json:"key"`
	Values   []string `json:"values"`
}

// PartialResult is a decision in which absent keys are unknown. When Decision is [Conditional], the request is allowed
// if all conditions of some list in AllowIf hold and there is no list in UnlessDeny of which all hold.
type PartialResult struct {
	Decision       Decision              `json:"decision"`
	AllowIf        [][]ResidualCondition `json:"allowIf"`
	UnlessDeny     [][]ResidualCondition `json:"unlessDeny"`
	MissingContext []string              `json:"missingContext"` // the unknown keys, as written in the policies
	// Truncated says that the lists were too long and end early; the decision is then [Conditional].
	Truncated bool `json:"truncated,omitempty"`
	// Err is nil, or a [*LimitError] when Options.MaxWork did not suffice: then nothing was found out, the lists are empty
	// and the decision is [Conditional] and Truncated, since neither answer may be given.
	Err error `json:"-"`
}

// Partial decides a request of which not all keys are known.
func Partial(p Policies, r Request, opt Options) PartialResult {
	return newLayers(p, opt).partial(&r)
}

// The disjunctive form is bounded: a product of layers can grow fast.
const (
	maxClauses = 512
	maxAtoms   = 1024    // conditions in one clause
	maxSubset  = 1 << 27 // steps of comparing clauses with each other
)

// clause is a set of conditions that must all hold: sorted atom numbers.
type clause []int

// dnf is a list of alternatives. No clause means false, an empty clause means true.
type dnf []clause

func (d dnf) isTrue() bool { return len(d) > 0 && len(d[0]) == 0 }

// residuals gives each undecided condition a number.
type residuals struct {
	byKey     map[string]int
	atoms     []ResidualCondition
	missing   [][]string // the unknown keys of each atom
	truncated bool
	steps     int // of comparing clauses
}

func (rs *residuals) atom(c ResidualCondition, missing []string) int {
	key := strings.ToLower(c.Operator) + "\x00" + strings.ToLower(c.Key) + "\x00" + strings.Join(c.Values, "\x00")
	if n, ok := rs.byKey[key]; ok {
		return n
	}
	rs.byKey[key] = len(rs.atoms)
	rs.atoms = append(rs.atoms, c)
	rs.missing = append(rs.missing, missing)
	return len(rs.atoms) - 1
}

// or joins alternatives and drops those that another one covers.
func (rs *residuals) or(a, b dnf) dnf {
	out := slices.Clone(a)
	for _, c := range b {
		out = rs.addClause(out, c)
	}
	return out
}

func (rs *residuals) addClause(d dnf, c clause) dnf {
	if len(c) > 0 && (rs.full(d) || len(c) > maxAtoms) {
		rs.truncated = true
		return d
	}
	for _, have := range d {
		if rs.subset(have, c) {
			return d
		}
	}
	d = slices.DeleteFunc(d, func(have clause) bool { return rs.subset(c, have) })
	return append(d, c)
}

// full reports whether d takes no further clause.
func (rs *residuals) full(d dnf) bool { return len(d) >= maxClauses || rs.steps > maxSubset }

func (rs *residuals) and(a, b dnf) dnf {
	switch {
	case a.isTrue():
		return b
	case b.isTrue():
		return a
	}
	var out dnf
	for _, x := range a {
		for _, y := range b {
			if rs.full(out) {
				rs.truncated = true
				return out
			}
			c := slices.Concat(x, y)
			slices.Sort(c)
			out = rs.addClause(out, slices.Compact(c))
		}
	}
	return out
}

func (rs *residuals) subset(a, b clause) bool {
	if len(a) > len(b) {
		return false
	}
	for _, x := range a {
		rs.steps++
		if _, ok := slices.BinarySearch(b, x); !ok {
			return false
		}
	}
	return true
}

// partialLayer is what one layer allows, by grant kind and above, and denies.
type partialLayer struct {
	allow [grantDirect + 1]dnf // allow[g]: some Allow of kind g or wider
	deny  dnf
}

func (rs *residuals) layer(l *layer, e *env) partialLayer {
	var out partialLayer
	if l == nil || e.spent != nil {
		return out
	}
	defer e.close(l)
	service, name := splitAction(e.req.Action)
	for _, r := range l.rules {
		if !r.matchAction(service, name, &e.work) {
			continue
		}
		g := r.matchPrincipal(e)
		if g == grantNone {
			continue
		}
		c, ok := rs.clause(r.rule, e)
		switch {
		case !ok:
		case r.effect == Deny:
			out.deny = rs.addClause(out.deny, c)
		default:
			for k := grantAccount; k <= g; k++ {
				out.allow[k] = rs.addClause(out.allow[k], c)
			}
		}
	}
	return out
}

// clause returns the undecided conditions of a statement, or false when it cannot match.
func (rs *residuals) clause(r *rule, e *env) (clause, bool) {
	c := clause{}
	switch r.matchResource(e) {
	case no:
		return nil, false
	case unknown:
		rc := ResidualCondition{Operator: "Resource"}
		if r.notResource {
			rc.Operator = "NotResource"
		}
		var missing []string
		for i := range r.resources {
			rc.Values = append(rc.Values, r.resources[i].text) // has a variable, so the document has version 2012-10-17
			missing = r.resources[i].unknownKeys(e, missing)
		}
		rc.Key = missing[0]
		c = append(c, rs.atom(rc, missing))
	}
	for i := range r.conds {
		cd := &r.conds[i]
		switch cd.eval(e) {
		case no:
			return nil, false
		case unknown:
			var missing []string
			if _, ok := e.ctx.lookup(cd.key); !ok {
				missing = append(missing, cd.asked)
			} else {
				for k := range cd.pats {
					missing = cd.pats[k].unknownKeys(e, missing)
				}
			}
			c = append(c, rs.atom(ResidualCondition{Operator: cd.name, Key: cd.asked, Values: r.portable(cd)}, missing))
		}
	}
	slices.Sort(c)
	return slices.Compact(c), true
}

// portable returns the values of a condition as a document of version 2012-10-17 would write them.
func (r *rule) portable(c *cond) []string {
	out := slices.Clone(c.values)
	if r.literal && c.op.takesVariables() {
		for i := range out {
			out[i] = strings.ReplaceAll(out[i], "${", "${$}{")
		}
	}
	return out
}

func (p *pattern) unknownKeys(e *env, out []string) []string {
	for i := range p.parts {
		if pt := &p.parts[i]; pt.key != "" {
			if _, ok := e.ctx.lookup(pt.key); !ok {
				out = append(out, pt.name)
			}
		}
	}
	return out
}

func (ls *layers) partial(r *Request) PartialResult {
	e := newEnv(r, &ls.opt, true)
	var o outcome
	ls.frame(&o, &e)
	rs := &residuals{byKey: map[string]int{}}
	var got [4]partialLayer
	var deny dnf
	for i, l := range ls.single {
		got[i] = rs.layer(l, &e)
		deny = rs.or(deny, got[i].deny)
	}
	certain := dnf{clause{}}
	allow := certain
	for _, l := range ls.scps {
		f := rs.layer(l, &e)
		deny = rs.or(deny, f.deny)
		allow = rs.and(allow, f.allow[grantAccount])
	}
	for _, l := range ls.rcps {
		deny = rs.or(deny, rs.layer(l, &e).deny)
	}
	if err := e.over(); err != nil {
		return PartialResult{
			Decision: Conditional, AllowIf: [][]ResidualCondition{}, UnlessDeny: [][]ResidualCondition{}, MissingContext: []string{},
			Truncated: true, Err: err,
		}
	}
	if deny.isTrue() {
		return PartialResult{Decision: ExplicitDeny, AllowIf: [][]ResidualCondition{}, UnlessDeny: [][]ResidualCondition{}, MissingContext: []string{}}
	}
	limit := certain
	for _, id := range [...]Layer{LayerBoundary, LayerSession} {
		if o.present[id] {
			limit = rs.and(limit, got[id].allow[grantAccount])
		}
	}
	allow = rs.and(allow, rs.side(&o, &got, limit))
	return rs.result(allow, deny)
}

// side is the evaluation logic of decide, over alternatives instead of truth values.
func (rs *residuals) side(o *outcome, got *[4]partialLayer, limit dnf) dnf {
	res := &got[LayerResource].allow
	own := rs.and(got[LayerIdentity].allow[grantAccount], limit)
	switch {
	case !o.hasPolicies:
		return res[grantAccount]
	case !o.sameAcct:
		return rs.and(own, res[grantAccount])
	}
	if o.mustGrant {
		own = rs.and(own, res[grantAccount])
	}
	return rs.or(rs.or(res[grantDirect], rs.and(res[grantRole], limit)), own)
}

func (rs *residuals) result(allow, deny dnf) PartialResult {
	out := PartialResult{AllowIf: [][]ResidualCondition{}, UnlessDeny: [][]ResidualCondition{}, MissingContext: []string{}}
	switch {
	case len(allow) == 0 && !rs.truncated:
		out.Decision = ImplicitDeny
		return out
	case allow.isTrue() && len(deny) == 0:
		out.Decision = Allowed
		return out
	}
	out.Decision, out.Truncated = Conditional, rs.truncated
	missing := map[string]string{}
	list := func(d dnf) [][]ResidualCondition {
		cl := make([][]ResidualCondition, 0, len(d))
		slices.SortStableFunc(d, rs.compare)
		for _, c := range d {
			conds := make([]ResidualCondition, 0, len(c))
			for _, n := range c {
				conds = append(conds, rs.atoms[n])
				for _, k := range rs.missing[n] {
					noteMissing(missing, k)
				}
			}
			cl = append(cl, conds)
		}
		return cl
	}
	out.AllowIf, out.UnlessDeny = list(allow), list(deny)
	for _, k := range missing {
		out.MissingContext = append(out.MissingContext, k)
	}
	slices.Sort(out.MissingContext)
	return out
}

// compare orders clauses: shorter ones first, then by what their conditions say.
func (rs *residuals) compare(a, b clause) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		x, y := &rs.atoms[a[i]], &rs.atoms[b[i]]
		if c := cmp.Or(cmp.Compare(x.Operator, y.Operator), cmp.Compare(x.Key, y.Key), slices.Compare(x.Values, y.Values)); c != 0 {
			return c
		}
	}
	return 0
}
