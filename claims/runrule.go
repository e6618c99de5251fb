package claims

// runRule runs one rule over the claims that were there before it.
func (e *run) runRule(r *cRule) error {
	e.rule, e.ruleTuples = r, 0
	e.limit = int32(e.set.len()) //nolint:gosec // bounded by Limits.Claims
	e.picks = e.picks[:0]
	if err := e.spend(1); err != nil {
		return err
	}
	if e.trace != nil {
		e.trace.begin(e)
		defer e.trace.finish(e)
	}
	if r.tables {
		e.needTables(r)
	}
	for i := range r.aggregates {
		if r.aggregates[i].after > 0 {
			continue
		}
		if ok, err := e.aggregate(i, &r.aggregates[i]); !ok || err != nil {
			return err
		}
	}
	switch len(r.selects) {
	case 0:
		if e.p.opts.Dialect == DialectCTA && e.limit == 0 {
			return nil // without conditions a CTA rule stands for every claim, and there is none
		}
		return e.fire()
	case 1:
		return e.runOne(r)
	}
	return e.runMany(r)
}

// scan visits the claims that pass the tests of a selector on the claim alone, until visit returns false.
func (e *run) scan(s *cSelector, visit func(pos int32) (bool, error)) error {
	for i := int32(0); ; i++ {
		pos, ok := e.nth(s, i)
		if !ok {
			return nil
		}
		if hit, err := e.passes(s, pos); err != nil {
			return err
		} else if !hit {
			continue
		}
		if more, err := visit(pos); !more || err != nil {
			return err
		}
	}
}

// nth returns the i-th claim that a selector looks at: of its type, or of all; only those that were there before the rule.
func (e *run) nth(s *cSelector, i int32) (int32, bool) {
	if s.typeID < 0 {
		return i, i < e.limit
	}
	list := e.index[s.typeID]
	if int(i) >= len(list) || list[i] >= e.limit {
		return 0, false
	}
	return list[i], true
}

func (e *run) passes(s *cSelector, pos int32) (bool, error) {
	if err := e.spend(1); err != nil {
		return false, err
	}
	if len(s.tests) == 0 {
		return true, nil
	}
	return e.holdsAll(s.tests, e.set.at(pos))
}

// runOne runs a rule with one selector: each claim is tested and used at once, so that the groups of a match are still known.
func (e *run) runOne(r *cRule) error {
	e.picks = append(e.picks, 0)
	s := &r.selects[0]
	for i := int32(0); ; i++ {
		pos, ok := e.nth(s, i)
		if !ok {
			return nil
		}
		hit, err := e.passes(s, pos)
		if err == nil && hit {
			e.picks[0] = pos
			err = e.oneTuple(r)
		}
		if err != nil {
			return err
		}
	}
}

func (e *run) oneTuple(r *cRule) error {
	if err := e.tuple(1); err != nil {
		return err
	}
	if len(r.aggregates) > 0 {
		if ok, err := e.late(1); !ok || err != nil {
			return err
		}
	}
	return e.fire()
}

// tuple counts combinations against the limits, before they are built.
func (e *run) tuple(n int) error {
	e.ruleTuples += n
	e.tuples += n
	lim := &e.p.opts.Limits
	switch {
	case e.ruleTuples > lim.RuleTuples:
		return e.fail(CodeLimit, nil, "more than %d combinations of claims in one rule", lim.RuleTuples)
	case e.tuples > lim.Tuples:
		return e.fail(CodeLimit, nil, "more than %d combinations of claims", lim.Tuples)
	}
	return nil
}

// late decides the aggregates that look at the claim chosen last.
func (e *run) late(chosen int) (bool, error) {
	for i := range e.rule.aggregates {
		a := &e.rule.aggregates[i]
		if a.after != chosen {
			continue
		}
		if ok, err := e.aggregate(i, a); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// runMany runs a rule with several selectors: all combinations, the first selector slowest.
func (e *run) runMany(r *cRule) error {
	for len(e.candidates) < len(r.selects) {
		e.candidates = append(e.candidates, nil)
	}
	product := 1
	for i := range r.selects {
		list := e.candidates[i][:0]
		err := e.scan(&r.selects[i], func(pos int32) (bool, error) {
			list = append(list, pos)
			return true, nil
		})
		e.candidates[i] = list
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		product = min(product*len(list), 1<<40)
	}
	if r.product {
		if err := e.tuple(product); err != nil {
			return err
		}
	}
	return e.choose(0)
}

// choose picks a claim for the selector at this depth and goes on with the next.
func (e *run) choose(depth int) error {
	if depth == len(e.rule.selects) {
		return e.fire()
	}
	e.picks = append(e.picks, 0)
	err := e.partners(depth)
	e.picks = e.picks[:depth]
	return err
}

// smallJoin is the number of candidates up to which a scan is cheaper than a table.
const smallJoin = 4

// partners goes through the candidates of a selector: with an equality among its joins, only those with the right key.
func (e *run) partners(depth int) error {
	s, candidates := &e.rule.selects[depth], e.candidates[depth]
	if s.hash < 0 || len(candidates) <= smallJoin {
		for _, pos := range candidates {
			if err := e.partner(s, depth, pos); err != nil {
				return err
			}
		}
		return nil
	}
	t := &e.tables[depth]
	i, err := t.lookup(e, s, candidates)
	for ; i > 0 && err == nil; i = t.next[i-1] {
		err = e.partner(s, depth, candidates[i-1])
	}
	return err
}

// partner tries one candidate.
func (e *run) partner(s *cSelector, depth int, pos int32) error {
	if !e.rule.product && depth > 0 {
		if err := e.tuple(1); err != nil {
			return err
		}
	}
	if err := e.spend(1); err != nil {
		return err
	}
	if ok, err := e.holdsAll(s.joins, e.set.at(pos)); !ok || err != nil {
		return err
	}
	e.picks[depth] = pos
	if len(e.rule.aggregates) > 0 {
		if ok, err := e.late(depth + 1); !ok || err != nil {
			return err
		}
	}
	return e.choose(depth + 1)
}

// needTables makes room for the tables of a rule and forgets those of the rule before.
func (e *run) needTables(r *cRule) {
	n := len(r.selects) + len(r.aggregates)
	for len(e.tables) < n {
		e.tables = append(e.tables, joinTable{})
	}
	for i := range n {
		e.tables[i].built = false
		e.tables[i].found = nil
	}
}

// fire runs the statement for the chosen claims.
func (e *run) fire() error {
	r := e.rule
	if e.trace != nil {
		e.trace.fired(e)
	}
	switch {
	case r.copyOf >= 0:
		c := *e.set.at(e.picks[r.copyOf])
		return e.emit(&c, unknownType)
	case r.store != nil:
		return e.fromStore(r.store)
	}
	c := Claim{ValueType: XSString, Issuer: LocalAuthority}
	if e.p.opts.Dialect == DialectCTA {
		c.ValueType = "string"
	}
	hasOriginal := false
	for i := range r.assigns {
		a := &r.assigns[i]
		v, err := e.eval(&a.expr)
		if err != nil {
			return err
		}
		if len(v) > e.p.opts.Limits.FieldBytes {
			return e.fail(CodeLimit, nil, "text of more than %d bytes", e.p.opts.Limits.FieldBytes)
		}
		c.assign(a, v)
		hasOriginal = hasOriginal || a.name == PropOriginalIssuer
	}
	if !hasOriginal {
		c.OriginalIssuer = c.Issuer
	}
	if c.Value == "" && e.p.opts.DropEmptyLiterals {
		return nil
	}
	return e.emit(&c, r.typeID)
}

func (c *Claim) assign(a *cAssign, v string) {
	switch a.name {
	case PropType:
		c.Type = v
	case PropValue:
		c.Value = v
	case PropValueType:
		c.ValueType = v
	case PropIssuer:
		c.Issuer = v
	case PropOriginalIssuer:
		c.OriginalIssuer = v
	case PropProperties:
		if c.Properties == nil {
			c.Properties = map[string]string{}
		}
		c.Properties[a.uri] = v
	}
}
