package claims

import (
	"errors"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/dotnetre"
)

// checker runs the static checks over a rule set and keeps what it compiled on the way.
type checker struct {
	opts     *Options
	errs     []located
	patterns map[string]*dotnetre.Regexp
	rule     int // from 1
	cond     int // the condition at hand; len(Conditions) for the statement
	tags     map[string]int
}

type located struct {
	offset int
	err    *Error
}

// Check runs the static checks of [Compile] and reports all findings in the order of the text.
func Check(rs *RuleSet, opts Options) error {
	opts.Limits = opts.Limits.withDefaults()
	_, err := check(rs, &opts)
	return err
}

func check(rs *RuleSet, opts *Options) (*checker, error) {
	c := &checker{opts: opts, patterns: map[string]*dotnetre.Regexp{}}
	for i, r := range rs.Rules {
		c.rule = i + 1
		c.checkRule(r)
	}
	if opts.Strict {
		for _, f := range Lint(rs, LintOptions{Options: *opts, only: isStrictLint}) {
			c.at(Pos{f.Offset, f.Line, f.Col}, Code(f.Code), f.Message)
			c.errs[len(c.errs)-1].err.Rule = f.Rule
		}
	}
	if len(c.errs) == 0 {
		return c, nil
	}
	slices.SortStableFunc(c.errs, func(a, b located) int { return a.offset - b.offset })
	list := make(Errors, len(c.errs))
	for i, e := range c.errs {
		list[i] = e.err
	}
	return nil, list
}

func (c *checker) at(pos Pos, code Code, msg string) {
	msg = strings.NewReplacer("\r", " ", "\n", " ").Replace(msg) // a pattern may hold line ends; a message is one line
	c.errs = append(c.errs, located{pos.Offset, &Error{Code: code, Line: pos.Line, Col: pos.Col, Rule: c.rule, Message: msg}})
}

func (c *checker) checkRule(r *Rule) {
	c.tags = map[string]int{}
	for i, cond := range r.Conditions {
		s, ok := cond.(*Select)
		if !ok || s.Tag == "" {
			continue
		}
		key := strings.ToLower(s.Tag)
		if _, bound := c.tags[key]; bound {
			c.at(s.TagPos, CodeDuplicateTag, "tag "+s.Tag+" is bound twice")
			continue
		}
		c.tags[key] = i
	}
	for i, cond := range r.Conditions {
		c.cond = i
		sel := selectorOf(cond)
		for _, con := range sel.Constraints {
			c.constraint(con)
		}
		if n, ok := cond.(*Count); ok && n.N < 0 {
			c.at(n.NPos, CodeInteger, "integer is greater than 2147483647")
		}
	}
	c.cond = len(r.Conditions)
	c.statement(r.Statement)
	if c.opts.Dialect == DialectCTA {
		c.checkCTA(r)
	}
}

func selectorOf(c Condition) *Selector {
	switch c := c.(type) {
	case *Select:
		return &c.Selector
	case *Exists:
		return &c.Selector
	case *Count:
		return &c.Selector
	}
	panic("claims: unknown condition")
}

func (c *checker) constraint(con Constraint) {
	if l, ok := con.Right.(*Literal); ok && (con.Op == "=~" || con.Op == "!~") {
		c.pattern(l)
	}
	c.expr(con.Right)
}

// pattern compiles a literal regular expression once for all rules.
func (c *checker) pattern(l *Literal) {
	if c.patterns[l.Raw] != nil {
		return
	}
	re, err := dotnetre.Compile(l.Raw, c.opts.Dialect == DialectCTA, c.opts.Limits.regex())
	switch {
	case errors.Is(err, dotnetre.ErrPattern):
		c.at(l.Pos, CodeStaticLimit, err.Error())
	case err != nil:
		c.at(l.Pos, CodePattern, err.Error())
	default:
		c.patterns[l.Raw] = re
	}
}

func (c *checker) expr(e Expr) {
	switch e := e.(type) {
	case *Literal:
	case *TagProperty:
		c.use(e.Tag, e.Pos)
	case *Call:
		switch {
		case !strings.EqualFold(e.Function, regexReplace):
			msg := "unknown function " + e.Function
			if w := nearest(e.Function, regexReplace); w != "" {
				msg += "; did you mean " + w
			}
			c.at(e.Pos, CodeFunction, msg)
		case len(e.Args) != 3:
			c.at(e.Pos, CodeFunction, "RegExReplace takes 3 arguments, not "+itoa(len(e.Args)))
		default:
			if l, ok := e.Args[1].(*Literal); ok {
				c.pattern(l)
			}
		}
		for _, a := range e.Args {
			c.expr(a)
		}
	case *Concat:
		for _, t := range e.Terms {
			c.expr(t)
		}
	}
}

func (c *checker) use(tag string, pos Pos) {
	i, bound := c.tags[strings.ToLower(tag)]
	switch {
	case !bound:
		c.at(pos, CodeUnboundTag, "no condition binds the tag "+tag)
	case i >= c.cond:
		c.at(pos, CodeTagOrder, "tag "+tag+" is used before its condition has a claim")
	}
}

func (c *checker) statement(s Statement) {
	switch s := s.(type) {
	case *Copy:
		c.use(s.Tag, s.TagPos)
	case *NewClaim:
		c.newClaim(s)
	case *FromStore:
		c.expr(s.Query)
		for _, p := range s.Params {
			c.expr(p)
		}
		l, ok := s.Query.(*Literal)
		if !ok {
			return
		}
		q, err := ParseQuery(l.text(c.opts))
		switch {
		case err != nil:
			c.at(l.Pos, CodePlaceholder, err.Error())
		case q.Params() > len(s.Params):
			c.at(l.Pos, CodePlaceholder, "query names {"+itoa(q.Params()-1)+"}, but there are "+itoa(len(s.Params))+" params")
		}
	}
}

func (c *checker) newClaim(s *NewClaim) {
	seen := map[string]bool{}
	for _, a := range s.Assigns {
		key := a.Property.Name.String()
		if a.Property.URI != nil {
			key += " " + a.Property.URI.text(c.opts)
		}
		if seen[key] {
			c.at(a.Property.Pos, CodeAssignedTwice, a.Property.Name.String()+" is assigned twice")
		}
		seen[key] = true
		c.expr(a.Right)
	}
	if !seen[PropType.String()] && c.opts.Dialect == DialectADFS { // CTA has its own error
		c.at(s.Verb.Pos, CodeNoType, "new claim has no Type")
	}
}
