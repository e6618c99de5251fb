package claims

import (
	"errors"
	"strings"

	"github.com/adfedkit/adfedkit/internal/dotnetre"
)

// property reads a property of a claim; one that is absent is "".
func property(c *Claim, name PropertyName, uri string) string {
	switch name {
	case PropType:
		return c.Type
	case PropValue:
		return c.Value
	case PropValueType:
		return c.ValueType
	case PropIssuer:
		return c.Issuer
	case PropOriginalIssuer:
		return c.OriginalIssuer
	}
	return c.Properties[uri]
}

// holdsAll reports whether a claim passes the tests.
func (e *run) holdsAll(tests []cTest, c *Claim) (bool, error) {
	for i := range tests {
		if ok, err := e.holds(&tests[i], c); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (e *run) holds(t *cTest, c *Claim) (bool, error) {
	left := property(c, t.name, t.uri)
	cta := e.p.opts.Dialect == DialectCTA
	if t.fixed && t.re == nil {
		if cta {
			left = ctaFold(left)
		}
		return (left == t.text) == (t.op == opEqual), nil
	}
	re := t.re
	if !t.fixed {
		right, err := e.eval(&t.expr)
		if err != nil {
			return false, err
		}
		if t.op <= opNotEqual {
			return (left == right) == (t.op == opEqual), nil // CTA compares with literals only
		}
		if re, err = e.dynamicPattern(right); err != nil {
			return false, err
		}
	}
	ok, err := e.match(re, left)
	return ok == (t.op == opMatch), err
}

func (e *run) dynamicPattern(pattern string) (*dotnetre.Regexp, error) {
	if err := e.spend(1024 + 8*len(pattern)); err != nil {
		return nil, err
	}
	re, err := e.p.dynamic.compile(pattern, e.p.opts.Dialect == DialectCTA, e.p.opts.Limits.regex())
	switch {
	case errors.Is(err, dotnetre.ErrPattern):
		return nil, e.fail(CodeLimit, err, "regular expression from claims is over a limit")
	case err != nil:
		return nil, e.fail(CodeDynamicPattern, err, "regular expression from claims does not compile")
	}
	return re, nil
}

func (e *run) match(re *dotnetre.Regexp, s string) (bool, error) {
	if err := e.regexCost(re, s); err != nil {
		return false, err
	}
	if e.trace != nil {
		return e.trace.match(e, re, s)
	}
	ok, err := re.MatchKeep(s, &e.capture)
	if err != nil {
		return false, e.regexError(err)
	}
	return ok, nil
}

// regexCost looks at the clock before each call that may be slow.
func (e *run) regexCost(re *dotnetre.Regexp, s string) error {
	if re.Engine() == "go" {
		return e.spend(8 + len(s)/16)
	}
	return e.spend(512 + len(s))
}

func (e *run) regexError(err error) error {
	if errors.Is(err, dotnetre.ErrTimeout) {
		return e.fail(CodeRegexTimeout, err, "%v (limit %s)", err, e.p.opts.Limits.RegexTime)
	}
	return e.fail(CodeLimit, err, "%v", err)
}

// eval computes an expression over the claims that the selectors have.
func (e *run) eval(x *cExpr) (string, error) {
	switch x.kind {
	case exprConst:
		return x.text, nil
	case exprProperty:
		return property(e.set.at(e.picks[x.sel]), x.name, x.uri), nil
	case exprConcat:
		return e.concat(x)
	}
	return e.replace(x)
}

func (e *run) concat(x *cExpr) (string, error) {
	var few [8]string
	parts := few[:0]
	size := 0
	for i := range x.args {
		s, err := e.eval(&x.args[i])
		if err != nil {
			return "", err
		}
		if size += len(s); size > e.p.opts.Limits.FieldBytes {
			return "", e.fail(CodeLimit, nil, "text of more than %d bytes", e.p.opts.Limits.FieldBytes)
		}
		parts = append(parts, s)
	}
	if err := e.spend(size / 64); err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(size)
	for _, s := range parts {
		b.WriteString(s)
	}
	return b.String(), nil
}

func (e *run) replace(x *cExpr) (string, error) {
	in, err := e.eval(&x.args[0])
	if err != nil {
		return "", err
	}
	re := x.re
	if re == nil {
		pattern, err := e.eval(&x.args[1])
		if err != nil {
			return "", err
		}
		if re, err = e.dynamicPattern(pattern); err != nil {
			return "", err
		}
	}
	rep := x.rep
	if rep == nil {
		text, err := e.eval(&x.args[2])
		if err != nil {
			return "", err
		}
		rep = re.Replacement(text)
	}
	if err := e.regexCost(re, in); err != nil {
		return "", err
	}
	if e.trace != nil {
		return e.trace.replace(e, re, in, rep)
	}
	out, err := re.Replace(in, rep, &e.capture)
	if err != nil {
		return "", e.regexError(err)
	}
	return out, e.spend(len(out) / 64)
}
