package policy

import (
	"net/netip"
	"strings"
	"time"
)

// rule is a statement made ready for matching.
type rule struct {
	effect       Effect
	index        int // place of the statement in its document
	sid          string
	principals   *principalSet
	notPrincipal bool
	actions      []actionPattern
	notAction    bool
	resources    []pattern
	notResource  bool
	noResource   bool // trust policies: the role itself is meant
	conds        []cond
	literal      bool // version 2008-10-17: ${...} is plain text
}

type actionPattern struct {
	any           bool
	service, name string // lower case, encoded
}

// compile makes the rules of a document that has been validated.
func (d *Document) compile() {
	vars := d.version == version2012
	d.rules = make([]*rule, len(d.stmts))
	for i := range d.stmts {
		st := &d.stmts[i]
		r := &rule{effect: st.Effect, index: i, sid: st.Sid, literal: !vars}
		r.principals, r.notPrincipal = compilePrincipals(st.Principal), st.NotPrincipal != nil
		if r.notPrincipal {
			r.principals = compilePrincipals(st.NotPrincipal)
		}
		actions, resources := st.Action, st.Resource
		if st.NotAction != nil {
			actions, r.notAction = st.NotAction, true
		}
		if st.NotResource != nil {
			resources, r.notResource = st.NotResource, true
		}
		r.noResource = d.kind == Trust
		for _, a := range actions {
			r.actions = append(r.actions, compileAction(a))
		}
		for _, s := range resources {
			r.resources = append(r.resources, resourcePattern(s, vars))
		}
		for _, c := range st.Condition {
			r.conds = append(r.conds, compileCond(c, vars))
		}
		d.rules[i] = r
	}
}

func compileAction(s string) actionPattern {
	if s == "*" {
		return actionPattern{any: true}
	}
	service, name, _ := strings.Cut(strings.ToLower(s), ":")
	return actionPattern{service: encodeGlob(service), name: encodeGlob(name)}
}

// matchAction takes the lower-case halves of the action.
func (r *rule) matchAction(service, name string, work *int64) bool {
	hit := false
	for i := range r.actions {
		a := &r.actions[i]
		if a.any || globMatch(a.service, service, work) && globMatch(a.name, name, work) {
			hit = true
			break
		}
	}
	return hit != r.notAction
}

func splitAction(action string) (service, name string) {
	low := strings.ToLower(action)
	service, name, ok := strings.Cut(low, ":")
	if !ok {
		return "", low // names no service: only "*" covers it
	}
	return service, name
}

func (r *rule) matchPrincipal(e *env) grant {
	if r.principals == nil {
		return grantDirect
	}
	e.work -= r.principals.names
	switch {
	case r.notPrincipal:
		if r.principals.lists(&e.who, e.opt) {
			return grantNone
		}
		return grantDirect
	default:
		return r.principals.match(&e.who)
	}
}

func (r *rule) matchResource(e *env) tri {
	if r.noResource {
		return yes
	}
	hit := no
	for i := range r.resources {
		hit = or(hit, r.resources[i].matchResource(e))
		if hit == yes {
			break
		}
	}
	if r.notResource {
		return hit.not()
	}
	return hit
}

func (r *rule) matchConds(e *env) tri {
	e.work -= int64(len(r.conds))
	out := yes
	for i := range r.conds {
		out = and(out, r.conds[i].eval(e))
		if out == no {
			return no
		}
	}
	return out
}

// cond is one compiled condition: operator, key and values.
type cond struct {
	op     operator
	name   string // operator as written
	key    string // lower case
	asked  string // key as written
	values []string
	pats   []pattern
	nums   []decimal
	dates  []time.Time
	nets   []netip.Prefix
	bins   []string
	bools  []bool
	weight int64 // work of comparing all values with a short one
}

func compileCond(c Condition, vars bool) cond {
	op, _, _ := parseOperator(c.Operator)
	out := cond{op: op, name: c.Operator, key: strings.ToLower(c.Key), asked: c.Key, values: c.Values}
	for _, v := range c.Values {
		out.weight += 1 + int64(len(v))/16
		if op.base == opStringEqualsIgnoreCase {
			out.weight += 4
		}
		switch op.base {
		case opNumericEquals, opNumericLess, opNumericLessEquals, opNumericGreater, opNumericGreaterEquals:
			if d, ok := parseDecimal(v); ok {
				out.nums = append(out.nums, d)
			}
		case opDateEquals, opDateLess, opDateLessEquals, opDateGreater, opDateGreaterEquals:
			if t, ok := parseDate(v); ok {
				out.dates = append(out.dates, t)
			}
		case opIPAddress:
			if n, ok := parseNetwork(v); ok {
				out.nets = append(out.nets, n)
			}
		case opBinaryEquals:
			if b, ok := parseBinary(v); ok {
				out.bins = append(out.bins, b)
			}
		case opBool, opNull:
			if b, ok := parseBool(v); ok {
				out.bools = append(out.bools, b)
			}
		default:
			out.pats = append(out.pats, compilePattern(v, vars, op.globs()))
		}
	}
	return out
}

// eval applies the rules of the IAM user guide for absent keys, sets and negation.
func (c *cond) eval(e *env) tri {
	if e.work < 0 {
		return no // nobody will ask what it was
	}
	vals, present := e.ctx.lookup(c.key)
	if !present && e.partial {
		return unknown
	}
	if c.op.base == opNull {
		for _, want := range c.bools {
			if want != present {
				return yes
			}
		}
		return no
	}
	switch c.op.set {
	case setAll:
		out := yes
		for _, v := range vals {
			out = and(out, c.one(e, v))
		}
		return out // also when absent or empty
	case setAny:
		if !present && c.op.ifExists {
			return yes
		}
		out := no
		for _, v := range vals {
			out = or(out, c.one(e, v))
		}
		return out
	}
	if !present {
		return of(c.op.ifExists || c.op.negated)
	}
	return c.plain(e, vals)
}

// plain evaluates an operator without a set prefix.
func (c *cond) plain(e *env, vals []string) tri {
	if len(vals) > 1 && e.opt.MultiValued == MultiValuedNoMatch {
		return of(c.op.negated)
	}
	hit := no
	for _, v := range vals {
		hit = or(hit, c.hit(e, v))
	}
	if c.op.negated {
		return hit.not()
	}
	return hit
}

// one evaluates one request value, with the negation.
func (c *cond) one(e *env, v string) tri {
	hit := c.hit(e, v)
	if c.op.negated {
		return hit.not()
	}
	return hit
}

// hit reports whether a request value matches any value of the policy, without the negation.
func (c *cond) hit(e *env, v string) tri { //nolint:cyclop // one case for each family
	if e.work < 0 {
		return no
	}
	e.work -= c.weight + 1
	if len(c.pats) == 0 {
		e.work -= int64(len(v)) // to read it
	}
	switch c.op.base {
	case opNumericEquals, opNumericLess, opNumericLessEquals, opNumericGreater, opNumericGreaterEquals:
		return of(c.hitNumber(v))
	case opDateEquals, opDateLess, opDateLessEquals, opDateGreater, opDateGreaterEquals:
		return of(c.hitDate(v))
	case opIPAddress:
		a, ok := parseAddress(v)
		for i := 0; ok && i < len(c.nets); i++ {
			if c.nets[i].Contains(a) {
				return yes
			}
		}
		return no
	case opBool:
		b, ok := parseBool(v)
		for i := 0; ok && i < len(c.bools); i++ {
			if c.bools[i] == b {
				return yes
			}
		}
		return no
	case opBinaryEquals:
		b, ok := parseBinary(v)
		for i := 0; ok && i < len(c.bins); i++ {
			if c.bins[i] == b {
				return yes
			}
		}
		return no
	}
	out := no
	for i := range c.pats {
		out = or(out, c.pats[i].matchText(e, v, c.op))
		if out == yes {
			break
		}
	}
	return out
}

func (c *cond) hitNumber(v string) bool {
	x, ok := parseDecimal(v)
	for i := 0; ok && i < len(c.nums); i++ {
		if compares(c.op.base, x.cmp(c.nums[i])) {
			return true
		}
	}
	return false
}

func (c *cond) hitDate(v string) bool {
	x, ok := parseDate(v)
	for i := 0; ok && i < len(c.dates); i++ {
		if compares(c.op.base, x.Compare(c.dates[i])) {
			return true
		}
	}
	return false
}

func compares(base opBase, c int) bool {
	switch base {
	case opNumericEquals, opDateEquals:
		return c == 0
	case opNumericLess, opDateLess:
		return c < 0
	case opNumericLessEquals, opDateLessEquals:
		return c <= 0
	case opNumericGreater, opDateGreater:
		return c > 0
	case opNumericGreaterEquals, opDateGreaterEquals:
		return c >= 0
	default:
		return false
	}
}
