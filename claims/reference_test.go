package claims_test

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dlclark/regexp2"

	"github.com/adfedkit/adfedkit/claims"
)

// reference evaluates rules in the plainest way: nested loops over copies, nothing compiled, nothing indexed. It knows no
// limits but gives up when a set becomes large.
type reference struct {
	opts   claims.Options
	stores claims.Stores
	in     []claims.Claim
	out    []claims.Claim
	tuples int
}

type binding map[string]claims.Claim // tag in lower case -> claim

type giveUp struct{}

func referenceEvaluate(rs *claims.RuleSet, in []claims.Claim, stores claims.Stores, opts claims.Options) (r *reference, ok bool) {
	r = &reference{opts: opts, stores: stores}
	defer func() {
		if p := recover(); p != nil {
			if _, mine := p.(giveUp); !mine {
				panic(p)
			}
			ok = false
		}
	}()
	for _, c := range in {
		if opts.Dialect == claims.DialectCTA && c.ValueType == claims.XSString {
			c.ValueType = "string"
		}
		r.in = r.put(r.in, c)
	}
	for _, rule := range rs.Rules {
		snapshot := slices.Clone(r.in)
		if opts.Dialect == claims.DialectCTA && len(rule.Conditions) == 0 && len(snapshot) == 0 {
			continue
		}
		r.conditions(rule, snapshot, rule.Conditions, binding{})
	}
	if opts.Dialect == claims.DialectCTA {
		var unique []claims.Claim
		for _, c := range r.out {
			if !slices.ContainsFunc(unique, func(d claims.Claim) bool {
				return upperEqual(c.Type, d.Type) && upperEqual(c.Value, d.Value) && upperEqual(c.ValueType, d.ValueType)
			}) {
				unique = append(unique, c)
			}
		}
		r.out = unique
	}
	return r, true
}

func (r *reference) put(set []claims.Claim, c claims.Claim) []claims.Claim {
	if !r.opts.KeepDuplicates && slices.ContainsFunc(set, c.Equal) {
		return set
	}
	return append(set, c)
}

// conditions goes through the conditions from left to right, and for a selector through all claims.
func (r *reference) conditions(rule *claims.Rule, snapshot []claims.Claim, rest []claims.Condition, b binding) {
	if r.tuples++; r.tuples > 20_000 || len(r.in) > 2_000 {
		panic(giveUp{})
	}
	if len(rest) == 0 {
		r.fire(rule, b)
		return
	}
	switch c := rest[0].(type) {
	case *claims.Select:
		for _, x := range snapshot {
			if !r.fits(&c.Selector, x, b) {
				continue
			}
			next := binding{}
			maps.Copy(next, b)
			next[strings.ToLower(c.Tag)] = x
			r.conditions(rule, snapshot, rest[1:], next)
		}
	case *claims.Exists:
		if (r.count(&c.Selector, snapshot, b) > 0) != c.Not {
			r.conditions(rule, snapshot, rest[1:], b)
		}
	case *claims.Count:
		n := r.count(&c.Selector, snapshot, b)
		if map[string]bool{"==": n == c.N, "!=": n != c.N, ">": n > c.N, ">=": n >= c.N, "<": n < c.N, "<=": n <= c.N}[c.Op] {
			r.conditions(rule, snapshot, rest[1:], b)
		}
	}
}

func (r *reference) count(s *claims.Selector, snapshot []claims.Claim, b binding) int64 {
	n := int64(0)
	for _, x := range snapshot {
		if r.fits(s, x, b) {
			n++
		}
	}
	return n
}

func (r *reference) fits(s *claims.Selector, x claims.Claim, b binding) bool {
	for _, con := range s.Constraints {
		left := r.property(x, con.Property)
		regex := con.Op == "=~" || con.Op == "!~"
		right := r.expr(con.Right, b, !regex)
		ok := left == right
		switch {
		case regex:
			ok = matches(right, left, r.opts.Dialect == claims.DialectCTA)
		case r.opts.Dialect == claims.DialectCTA:
			ok = upperEqual(left, right)
		}
		if ok != (con.Op == "==" || con.Op == "=~") {
			return false
		}
	}
	return true
}

func (r *reference) property(c claims.Claim, p claims.Property) string {
	switch p.Name {
	case claims.PropType:
		return c.Type
	case claims.PropValue:
		return c.Value
	case claims.PropValueType:
		return c.ValueType
	case claims.PropIssuer:
		return c.Issuer
	case claims.PropOriginalIssuer:
		return c.OriginalIssuer
	case claims.PropProperties:
	}
	return c.Properties[p.URI.Raw]
}

func matches(pattern, s string, ignoreCase bool) bool {
	var opt regexp2.RegexOptions
	if ignoreCase {
		opt = regexp2.IgnoreCase
	}
	ok, err := regexp2.MustCompile(pattern, opt).MatchString(s)
	return ok && err == nil
}

func (r *reference) expr(e claims.Expr, b binding, decode bool) string {
	switch e := e.(type) {
	case *claims.Literal:
		if !decode {
			return e.Raw
		}
		return strings.ReplaceAll(e.Raw, `\x22`, `"`)
	case *claims.TagProperty:
		return r.property(b[strings.ToLower(e.Tag)], e.Property)
	case *claims.Concat:
		var s strings.Builder
		for _, t := range e.Terms {
			s.WriteString(r.expr(t, b, decode))
		}
		return s.String()
	case *claims.Call:
		in, pattern, with := r.expr(e.Args[0], b, true), r.expr(e.Args[1], b, false), r.expr(e.Args[2], b, true)
		s, err := regexp2.MustCompile(pattern, regexp2.None).Replace(in, with, -1, -1)
		if err != nil {
			panic(err)
		}
		return s
	}
	panic("unknown expression")
}

func (r *reference) emit(add bool, c claims.Claim) {
	r.in = r.put(r.in, c)
	if !add {
		r.out = r.put(r.out, c)
	}
}

func (r *reference) fire(rule *claims.Rule, b binding) {
	switch s := rule.Statement.(type) {
	case *claims.Copy:
		r.emit(s.Verb.Add, b[strings.ToLower(s.Tag)])
	case *claims.NewClaim:
		c := claims.New("", "")
		if r.opts.Dialect == claims.DialectCTA {
			c.ValueType = "string"
		}
		original := false
		for _, a := range s.Assigns {
			v := r.expr(a.Right, b, true)
			switch a.Property.Name {
			case claims.PropType:
				c.Type = v
			case claims.PropValue:
				c.Value = v
			case claims.PropValueType:
				c.ValueType = v
			case claims.PropIssuer:
				c.Issuer = v
			case claims.PropOriginalIssuer:
				c.OriginalIssuer, original = v, true
			case claims.PropProperties:
				if c.Properties == nil {
					c.Properties = map[string]string{}
				}
				c.Properties[a.Property.URI.Raw] = v
			}
		}
		if !original {
			c.OriginalIssuer = c.Issuer
		}
		r.emit(s.Verb.Add, c)
	case *claims.FromStore:
		var params []string
		for _, p := range s.Params {
			params = append(params, r.expr(p, b, true))
		}
		rows, err := r.stores[s.Store.Raw].Query(context.Background(), r.expr(s.Query, b, true), params)
		if err != nil {
			panic(err)
		}
		for _, row := range rows {
			for i, cell := range row {
				for _, v := range cell {
					if i < len(s.Types) && v != "" {
						r.emit(s.Verb.Add, claims.New(s.Types[i].Raw, v))
					}
				}
			}
		}
	}
}

// upperEqual compares as MS-CTA does; the Kelvin sign is no k.
func upperEqual(a, b string) bool {
	x, y := strings.ToUpper(a), strings.ToUpper(b)
	return x == y
}
