package claims

import "strconv"

func (p *parser) conditions(r *Rule) bool {
	for {
		if len(r.Conditions) == p.lim.Conditions {
			return p.limit("more than " + itoa(p.lim.Conditions) + " conditions in a rule")
		}
		c, ok := p.condition()
		if !ok {
			return false
		}
		r.Conditions = append(r.Conditions, c)
		if p.is("=>") {
			return true
		}
		if !p.take("&&", quote("=>")) {
			return false
		}
	}
}

func (p *parser) condition() (Condition, bool) {
	start := p.tok.Pos
	if p.tok.Kind == TokenIdent {
		next := p.peek()
		tag := next.Kind == TokenPunct && next.Text == ":"
		switch {
		case !tag && p.word("exists"):
			p.advance()
			sel, ok := p.parenthesised()
			return &Exists{Selector: sel, Pos: start}, ok
		case !tag && p.word("not"):
			p.advance()
			if !p.takeWord("EXISTS") {
				return nil, false
			}
			sel, ok := p.parenthesised()
			return &Exists{Not: true, Selector: sel, Pos: start}, ok
		case !tag && p.word("count"):
			p.advance()
			return p.count(start)
		}
		name := p.tok.Text
		p.advance()
		if !p.is(":") {
			return nil, p.unexpected(nearest(name, "EXISTS", "NOT EXISTS", "COUNT"), quote(":"))
		}
		p.advance()
		sel, ok := p.selector()
		return &Select{Tag: name, TagPos: start, Selector: sel}, ok
	}
	if !p.is("[") {
		return nil, p.unexpected("", "tag", quote("["), "EXISTS", "NOT", "COUNT")
	}
	sel, ok := p.selector()
	return &Select{Selector: sel}, ok
}

func (p *parser) parenthesised() (Selector, bool) {
	if !p.take("(") {
		return Selector{}, false
	}
	sel, ok := p.selector()
	if !ok {
		return sel, false
	}
	return sel, p.take(")")
}

func (p *parser) count(start Pos) (Condition, bool) {
	c := &Count{Pos: start}
	var ok bool
	if c.Selector, ok = p.parenthesised(); !ok {
		return nil, false
	}
	switch p.tok.Text {
	case "==", "!=", ">", ">=", "<", "<=":
		c.Op = p.tok.Text
		p.advance()
	default:
		meant := ""
		if p.is("=") {
			meant = "=="
		}
		return nil, p.unexpected(meant, `"=="`, `"!="`, `">"`, `">="`, `"<"`, `"<="`)
	}
	if p.tok.Kind != TokenInteger {
		return nil, p.unexpected("", "integer")
	}
	c.Digits, c.NPos = p.tok.Text, p.tok.Pos
	n, err := strconv.ParseInt(c.Digits, 10, 32)
	c.N = n
	if err != nil {
		c.N = -1 // reported by the static checks
	}
	p.advance()
	return c, true
}

func (p *parser) selector() (Selector, bool) {
	sel := Selector{Pos: p.tok.Pos}
	if !p.take("[") {
		return sel, false
	}
	if p.is("]") {
		p.advance()
		return sel, true
	}
	for {
		if len(sel.Constraints) == p.lim.Constraints {
			return sel, p.limit("more than " + itoa(p.lim.Constraints) + " constraints in a selector")
		}
		c, ok := p.constraint()
		if !ok {
			return sel, false
		}
		sel.Constraints = append(sel.Constraints, c)
		if p.is("]") {
			p.advance()
			return sel, true
		}
		if !p.is(",") {
			meant := ""
			if _, ok := propertyByName(p.tok.Text); ok {
				meant = "a comma before " + p.tok.Text
			}
			return sel, p.unexpected(meant, `","`, `"]"`)
		}
		p.advance()
	}
}

func (p *parser) constraint() (Constraint, bool) {
	var c Constraint
	var ok bool
	if c.Property, ok = p.property(); !ok {
		return c, false
	}
	switch p.tok.Text {
	case "==", "!=", "=~", "!~":
		c.Op = p.tok.Text
		p.advance()
	default:
		meant := ""
		if p.is("=") {
			meant = "=="
		}
		return c, p.unexpected(meant, `"=="`, `"!="`, `"=~"`, `"!~"`)
	}
	c.Right, ok = p.expr()
	return c, ok
}

func (p *parser) property() (Property, bool) {
	prop := Property{Pos: p.tok.Pos}
	name, known := propertyByName(p.tok.Text)
	if p.tok.Kind != TokenIdent || !known {
		return prop, p.unexpected(p.meant(propertyNames[:]...), propertyNames[:]...)
	}
	prop.Name = name
	p.advance()
	if name != PropProperties {
		return prop, true
	}
	if !p.take("[") {
		return prop, false
	}
	var ok bool
	if prop.URI, ok = p.literal(); !ok {
		return prop, false
	}
	return prop, p.take("]")
}

func (p *parser) expr() (Expr, bool) {
	first, ok := p.term()
	if !ok || !p.is("+") {
		return first, ok
	}
	c := &Concat{Terms: []Expr{first}}
	for p.is("+") {
		p.advance()
		if len(c.Terms) == p.lim.Terms {
			return nil, p.limit("more than " + itoa(p.lim.Terms) + " terms in an expression")
		}
		t, ok := p.term()
		if !ok {
			return nil, false
		}
		c.Terms = append(c.Terms, t)
	}
	return c, true
}

func (p *parser) term() (Expr, bool) {
	at := p.tok
	switch at.Kind {
	case TokenString:
		return p.literal()
	case TokenIdent:
		p.advance()
	default:
		return nil, p.unexpected("", "literal", "tag", "function")
	}
	switch {
	case p.is("."):
		p.advance()
		prop, ok := p.property()
		return &TagProperty{Tag: at.Text, Property: prop, Pos: at.Pos}, ok
	case p.is("("):
		return p.call(at)
	}
	return nil, p.unexpected("", `"."`, `"("`)
}

func (p *parser) call(name Token) (Expr, bool) {
	if p.callDepth == p.lim.CallDepth {
		p.fatal = true
		return nil, p.report(CodeStaticLimit, name.Pos, "more than "+itoa(p.lim.CallDepth)+" nested function calls")
	}
	p.callDepth++
	c := &Call{Function: name.Text, Pos: name.Pos}
	p.advance()
	for {
		if len(c.Args) == p.lim.Terms {
			return nil, p.limit("more than " + itoa(p.lim.Terms) + " arguments")
		}
		arg, ok := p.expr()
		if !ok {
			return nil, false
		}
		c.Args = append(c.Args, arg)
		if p.is(")") {
			p.advance()
			p.callDepth--
			return c, true
		}
		if !p.take(",", `")"`, `"+"`) {
			return nil, false
		}
	}
}

func (p *parser) statement(r *Rule) bool {
	v := Verb{Pos: p.tok.Pos}
	switch {
	case p.word("issue"):
	case p.word("add"):
		v.Add = true
	default:
		return p.unexpected(p.meant("issue", "add"), "issue", "add")
	}
	p.advance()
	if !p.take("(") {
		return false
	}
	ok := false
	switch {
	case p.word("claim"):
		r.Statement, ok = p.copy(v)
	case p.word("store"):
		r.Statement, ok = p.fromStore(v)
	default:
		r.Statement, ok = p.newClaim(v)
	}
	return ok && p.take(")", `","`)
}

func (p *parser) copy(v Verb) (Statement, bool) {
	p.advance()
	if !p.assign() {
		return nil, false
	}
	s := &Copy{Verb: v, Tag: p.tok.Text, TagPos: p.tok.Pos}
	if p.tok.Kind != TokenIdent {
		return nil, p.unexpected("", "tag")
	}
	p.advance()
	if !p.is(")") {
		return nil, p.unexpected("", `")"`)
	}
	return s, true
}

// assign moves over the equals sign of an assignment.
func (p *parser) assign() bool {
	if p.is("=") {
		p.advance()
		return true
	}
	meant := ""
	if p.is("==") || p.is("=~") || p.is("=>") {
		meant = "="
	}
	return p.unexpected(meant, `"="`)
}

func (p *parser) newClaim(v Verb) (Statement, bool) {
	s := &NewClaim{Verb: v}
	for {
		if p.tok.Kind != TokenIdent && len(s.Assigns) == 0 {
			return nil, p.unexpected("", append([]string{"claim", "store"}, propertyNames[:]...)...)
		}
		prop, ok := p.property()
		if !ok || !p.assign() {
			return nil, false
		}
		right, ok := p.expr()
		if !ok {
			return nil, false
		}
		s.Assigns = append(s.Assigns, Assign{prop, right})
		if !p.is(",") {
			return s, true
		}
		p.advance()
	}
}

func (p *parser) fromStore(v Verb) (Statement, bool) { //nolint:cyclop // one token after the other
	s := &FromStore{Verb: v}
	var ok bool
	p.advance()
	if !p.assign() {
		return nil, false
	}
	if s.Store, ok = p.literal(); !ok {
		return nil, false
	}
	if !p.take(",") || !p.takeWord("types") || !p.assign() || !p.types(s) {
		return nil, false
	}
	if !p.take(",") || !p.takeWord("query") || !p.assign() {
		return nil, false
	}
	if s.Query, ok = p.expr(); !ok {
		return nil, false
	}
	for p.is(",") {
		p.advance()
		if len(s.Params) == p.lim.StoreArgs {
			return nil, p.limit("more than " + itoa(p.lim.StoreArgs) + " params")
		}
		if !p.takeWord("param") || !p.assign() {
			return nil, false
		}
		e, ok := p.expr()
		if !ok {
			return nil, false
		}
		s.Params = append(s.Params, e)
	}
	return s, true
}

func (p *parser) types(s *FromStore) bool {
	if !p.take("(") {
		return false
	}
	for {
		if len(s.Types) == p.lim.StoreArgs {
			return p.limit("more than " + itoa(p.lim.StoreArgs) + " types")
		}
		l, ok := p.literal()
		if !ok {
			return false
		}
		s.Types = append(s.Types, l)
		if p.is(")") {
			p.advance()
			return true
		}
		if !p.take(",", `")"`) {
			return false
		}
	}
}
