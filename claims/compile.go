package claims

import (
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/internal/dotnetre"
)

// A Program is a compiled rule set. It does not change and is safe for concurrent use.
type Program struct {
	set     *RuleSet
	opts    Options
	rules   []cRule
	typeIDs map[string]int32 // claim types that some selector names
	dynamic *patternCache
	scratch sync.Pool // of *run
}

// RuleSet returns the rules that the program was made from.
func (p *Program) RuleSet() *RuleSet { return p.set }

// CompileText parses and compiles a rule text. An error is an [Errors] list.
func CompileText(text string, opts Options) (*Program, error) {
	rs, err := Parse(text, opts)
	if err != nil {
		return nil, err
	}
	return Compile(rs, opts)
}

// Compile checks a rule set and prepares it for many evaluations. An error is an [Errors] list with all findings.
func Compile(rs *RuleSet, opts Options) (*Program, error) {
	opts.Limits = opts.Limits.withDefaults()
	if opts.StoreIssuer == "" {
		opts.StoreIssuer = LocalAuthority
	}
	checked, err := check(rs, &opts)
	if err != nil {
		return nil, err
	}
	p := &Program{set: rs, opts: opts, typeIDs: map[string]int32{}, dynamic: newPatternCache()}
	c := &compiler{p: p, patterns: checked.patterns}
	p.rules = make([]cRule, len(rs.Rules))
	for i, r := range rs.Rules {
		p.rules[i] = c.rule(r, i+1)
	}
	for i := range p.rules {
		p.resolveType(&p.rules[i])
	}
	p.scratch.New = func() any { return newRun(p) }
	return p, nil
}

// cRule is a rule with its names resolved.
type cRule struct {
	number     int
	src        *Rule
	selects    []cSelector
	aggregates []cAggregate
	tables     bool // some selector looks at another one, or there are several
	product    bool // no selector looks at another one: the combinations are known before any is built
	add        bool
	copyOf     int // index of the selector that is copied, -1 for another statement
	assigns    []cAssign
	typeID     int32 // of a new claim with a literal type, noType if no selector names it, unknownType if computed
	store      *cStore
}

const (
	noType      int32 = -1
	unknownType int32 = -2
)

type cAssign struct {
	name PropertyName
	uri  string
	expr cExpr
}

type cStore struct {
	name    string
	types   []string
	query   cExpr
	raw     string // the query when it is a literal, with the text that the rule has
	literal bool
	params  []cExpr
}

// cSelector is a selector: the claims of a type, then the tests that need only the claim, cheap ones first, then those
// that look at claims of earlier selectors.
type cSelector struct {
	typeID int32 // -1: claims of any type
	tests  []cTest
	joins  []cTest
	hash   int     // index in joins of an equality, -1 if none
	all    []cTest // in the order of the text, for explanations
	src    *Selector
	tag    string
}

type cAggregate struct {
	sel   cSelector
	exist bool
	not   bool
	op    string
	n     int64
	after int // decided as soon as this many selectors have a claim; 0: once for the rule
}

type testOp uint8

const (
	opEqual testOp = iota
	opNotEqual
	opMatch
	opNoMatch
)

type cTest struct {
	name  PropertyName
	uri   string
	op    testOp
	text  string           // right side, if constant (folded in CTA)
	re    *dotnetre.Regexp // right side of a literal pattern
	expr  cExpr
	fixed bool // the right side is constant
	src   *Constraint
}

type exprKind uint8

const (
	exprConst exprKind = iota
	exprProperty
	exprConcat
	exprReplace
)

type cExpr struct {
	kind exprKind
	text string
	sel  int // selector whose claim is read
	name PropertyName
	uri  string
	args []cExpr // terms; or input, pattern, replacement
	re   *dotnetre.Regexp
	rep  *dotnetre.Replacement
}

type compiler struct {
	p        *Program
	patterns map[string]*dotnetre.Regexp
	tags     map[string]int // tag -> index among the selects
}

func (c *compiler) rule(r *Rule, number int) cRule {
	out := cRule{number: number, src: r, copyOf: -1, product: true, typeID: noType}
	c.tags = map[string]int{}
	n := 0
	for _, cond := range r.Conditions {
		if s, ok := cond.(*Select); ok {
			if s.Tag != "" {
				c.tags[strings.ToLower(s.Tag)] = n
			}
			n++
		}
	}
	for _, cond := range r.Conditions {
		switch cond := cond.(type) {
		case *Select:
			s := c.selector(&cond.Selector)
			s.tag = cond.Tag
			out.product = out.product && len(s.joins) == 0
			out.selects = append(out.selects, s)
		case *Exists:
			s := c.selector(&cond.Selector)
			out.aggregates = append(out.aggregates, cAggregate{sel: s, exist: true, not: cond.Not, after: s.after()})
		case *Count:
			s := c.selector(&cond.Selector)
			out.aggregates = append(out.aggregates, cAggregate{sel: s, op: cond.Op, n: cond.N, after: s.after()})
		}
	}
	out.tables = len(out.selects) > 1
	for i := range out.aggregates {
		out.tables = out.tables || out.aggregates[i].after > 0
	}
	c.statement(&out, r.Statement)
	return out
}

// resolveType looks up the type of a new claim once, when the rule says it in a literal.
func (p *Program) resolveType(r *cRule) {
	for i := range r.assigns {
		a := &r.assigns[i]
		if a.name != PropType || a.expr.kind != exprConst || p.opts.Dialect != DialectADFS {
			continue
		}
		r.typeID = noType
		if id, ok := p.typeIDs[a.expr.text]; ok {
			r.typeID = id
		}
	}
}

// after returns how many selectors must have a claim before the tests of s can be made.
func (s *cSelector) after() int {
	n := 0
	for i := range s.joins {
		n = max(n, s.joins[i].expr.needs())
	}
	return n
}

func (e *cExpr) needs() int {
	n := 0
	if e.kind == exprProperty {
		n = e.sel + 1
	}
	for i := range e.args {
		n = max(n, e.args[i].needs())
	}
	return n
}

func (c *compiler) fold(s string) string {
	if c.p.opts.Dialect == DialectCTA {
		return ctaFold(s)
	}
	return s
}

func (c *compiler) selector(s *Selector) cSelector {
	out := cSelector{typeID: -1, hash: -1, src: s}
	var slow []cTest
	for i := range s.Constraints {
		t := c.test(&s.Constraints[i])
		out.all = append(out.all, t)
		switch {
		case t.expr.needs() > 0:
			if t.op == opEqual && out.hash < 0 {
				out.hash = len(out.joins)
			}
			out.joins = append(out.joins, t)
		case out.typeID < 0 && t.fixed && t.op == opEqual && t.name == PropType:
			out.typeID = c.typeID(t.text)
		case t.fixed && t.re == nil:
			out.tests = append(out.tests, t)
		default:
			slow = append(slow, t)
		}
	}
	out.tests = append(out.tests, slow...)
	return out
}

func (c *compiler) typeID(t string) int32 {
	id, ok := c.p.typeIDs[t]
	if !ok {
		id = int32(len(c.p.typeIDs)) //nolint:gosec // bounded by the rules of one text
		c.p.typeIDs[t] = id
	}
	return id
}

func (c *compiler) test(con *Constraint) cTest {
	t := cTest{name: con.Property.Name, src: con}
	if con.Property.URI != nil {
		t.uri = con.Property.URI.text(&c.p.opts)
	}
	switch con.Op {
	case "==":
		t.op = opEqual
	case "!=":
		t.op = opNotEqual
	case "=~":
		t.op = opMatch
	case "!~":
		t.op = opNoMatch
	}
	t.expr = c.expr(con.Right)
	if t.op <= opNotEqual {
		t.fixed = t.expr.kind == exprConst
		t.text = c.fold(t.expr.text)
		return t
	}
	if l, ok := con.Right.(*Literal); ok {
		t.re, t.fixed = c.patterns[l.Raw], true
	}
	return t
}

func (c *compiler) expr(e Expr) cExpr {
	switch e := e.(type) {
	case *Literal:
		return cExpr{text: e.text(&c.p.opts)}
	case *TagProperty:
		out := cExpr{kind: exprProperty, sel: c.tags[strings.ToLower(e.Tag)], name: e.Property.Name}
		if e.Property.URI != nil {
			out.uri = e.Property.URI.text(&c.p.opts)
		}
		return out
	case *Call:
		return c.call(e)
	case *Concat:
		out := cExpr{kind: exprConcat}
		for _, t := range e.Terms {
			x := c.expr(t)
			if n := len(out.args); n > 0 && x.kind == exprConst && out.args[n-1].kind == exprConst {
				out.args[n-1].text += x.text
				continue
			}
			out.args = append(out.args, x)
		}
		if len(out.args) == 1 {
			return out.args[0]
		}
		return out
	}
	panic("claims: unknown expression")
}

func (c *compiler) call(e *Call) cExpr {
	out := cExpr{kind: exprReplace, args: []cExpr{c.expr(e.Args[0]), {}, c.expr(e.Args[2])}}
	l, ok := e.Args[1].(*Literal)
	if !ok {
		out.args[1] = c.expr(e.Args[1])
		return out
	}
	out.re = c.patterns[l.Raw]
	if out.args[2].kind == exprConst {
		out.rep = out.re.Replacement(out.args[2].text)
	}
	return out
}

func (c *compiler) statement(out *cRule, s Statement) {
	out.add, _ = s.verb()
	switch s := s.(type) {
	case *Copy:
		out.copyOf = c.tags[strings.ToLower(s.Tag)]
	case *NewClaim:
		for _, a := range s.Assigns {
			x := cAssign{name: a.Property.Name, expr: c.expr(a.Right)}
			if a.Property.URI != nil {
				x.uri = a.Property.URI.text(&c.p.opts)
			}
			out.assigns = append(out.assigns, x)
		}
		out.typeID = unknownType
	case *FromStore:
		st := &cStore{name: s.Store.text(&c.p.opts), query: c.expr(s.Query)}
		for _, t := range s.Types {
			st.types = append(st.types, t.text(&c.p.opts))
		}
		if st.query.kind == exprConst {
			st.raw, st.literal = st.query.text, true
		}
		for _, p := range s.Params {
			st.params = append(st.params, c.expr(p))
		}
		out.store = st
		out.typeID = unknownType
	}
}
