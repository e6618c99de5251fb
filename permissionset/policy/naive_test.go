package policy_test

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// naive decides a request straight from the public form of the documents, with other means than the package: wildcards
// by dynamic programming, numbers by big.Rat, dates by time.Parse, no index and no compiled form.
type naive struct {
	p policy.Policies
	r policy.Request
	v bool // the document being looked at has variables
}

// naiveGlob is the textbook table: may the first i elements of the pattern match the first j runes of the text?
func naiveGlob(pat []token, s string) bool {
	text := []rune(s)
	row := make([]bool, len(text)+1)
	row[0] = true
	for _, p := range pat {
		next := make([]bool, len(text)+1)
		next[0] = row[0] && p.star
		for j := 1; j <= len(text); j++ {
			switch {
			case p.star:
				next[j] = row[j] || next[j-1]
			case p.any:
				next[j] = row[j-1]
			default:
				next[j] = row[j-1] && text[j-1] == p.r
			}
		}
		row = next
	}
	return row[len(text)]
}

type token struct {
	r         rune
	star, any bool
	outside   bool // came out of a variable: its colons do not split
}

// tokens expands a text into pattern elements; ok is false when a variable has no single value.
func (n *naive) tokens(s string, globs bool) (out []token, ok bool) {
	rs := []rune(s)
	for i := 0; i < len(rs); i++ {
		if n.v && rs[i] == '$' && i+1 < len(rs) && rs[i+1] == '{' {
			end := -1
			for k := i + 2; k < len(rs); k++ {
				if rs[k] == '}' {
					end = k
					break
				}
			}
			if end > 0 {
				inside := string(rs[i+2 : end])
				i = end
				if inside == "*" || inside == "?" || inside == "$" {
					out = append(out, token{r: rune(inside[0])})
					continue
				}
				name, def, has := strings.Cut(inside, ",")
				vals, present := n.r.Context.Values(strings.TrimSpace(name))
				value := ""
				switch def = strings.TrimSpace(def); {
				case present && len(vals) == 1:
					value = vals[0]
				case !present && has && len(def) >= 2 && strings.HasPrefix(def, "'") && strings.HasSuffix(def, "'"):
					value = def[1 : len(def)-1]
				default:
					return nil, false
				}
				for _, r := range value {
					out = append(out, token{r: r, outside: true})
				}
				continue
			}
		}
		switch {
		case globs && rs[i] == '*':
			out = append(out, token{star: true})
		case globs && rs[i] == '?':
			out = append(out, token{any: true})
		default:
			out = append(out, token{r: rs[i]})
		}
	}
	return out, true
}

func (n *naive) arn(pat, value string) bool {
	ts, ok := n.tokens(pat, true)
	if !ok {
		return false
	}
	var segs [][]token
	cur := []token{}
	for _, t := range ts {
		if t.r == ':' && !t.outside && len(segs) < 5 {
			segs = append(segs, cur)
			cur = []token{}
			continue
		}
		cur = append(cur, t)
	}
	segs = append(segs, cur)
	vals := strings.SplitN(value, ":", 6)
	if len(segs) != 6 || len(vals) != 6 {
		return false
	}
	for i := range segs {
		if !naiveGlob(segs[i], vals[i]) {
			return false
		}
	}
	return true
}

func plain(s string) (out []token) {
	for _, r := range s {
		switch r {
		case '*':
			out = append(out, token{star: true})
		case '?':
			out = append(out, token{any: true})
		default:
			out = append(out, token{r: r})
		}
	}
	return out
}

func (n *naive) action(list []string) bool {
	for _, p := range list {
		if p == "*" {
			return true
		}
		ps, pn, _ := strings.Cut(strings.ToLower(p), ":")
		as, an, ok := strings.Cut(strings.ToLower(n.r.Action), ":")
		if ok && naiveGlob(plain(ps), as) && naiveGlob(plain(pn), an) {
			return true
		}
	}
	return false
}

func (n *naive) resource(list []string) bool {
	for _, p := range list {
		if p == "*" || n.r.Resource != "*" && n.arn(p, n.r.Resource) {
			return true
		}
	}
	return false
}

// kinds of grants: 0 none, 1 account, 2 role, 3 direct.
func (n *naive) principal(p *policy.Principals) int {
	who := n.r.Principal
	f := strings.SplitN(who, ":", 6)
	best := 0
	if p.Any {
		return 3
	}
	for _, s := range p.AWS {
		switch {
		case s == "*":
			best = 3
		case s == who && !strings.Contains(s, ":role/"):
			best = max(best, 3)
		case s == f[4] || s == "arn:"+f[1]+":iam::"+f[4]+":root":
			best = max(best, 1)
		case strings.Contains(s, ":role/") && f[2] == "sts":
			g := strings.SplitN(s, ":", 6)
			parts := strings.Split(g[5], "/")
			if g[1] == f[1] && g[4] == f[4] && strings.Split(f[5], "/")[1] == parts[len(parts)-1] && !strings.ContainsAny(s, "*?") {
				best = max(best, 2)
			}
		}
	}
	return best
}

func (n *naive) conditions(cs []policy.Condition) bool {
	for _, c := range cs {
		if !n.condition(c) {
			return false
		}
	}
	return true
}

func (n *naive) condition(c policy.Condition) bool {
	op := strings.ToLower(c.Operator)
	all, any := strings.HasPrefix(op, "forallvalues:"), strings.HasPrefix(op, "foranyvalue:")
	op = strings.TrimPrefix(strings.TrimPrefix(op, "forallvalues:"), "foranyvalue:")
	ifExists := strings.HasSuffix(op, "ifexists")
	op = strings.TrimSuffix(op, "ifexists")
	vals, present := n.r.Context.Values(c.Key)
	if op == "null" {
		for _, v := range c.Values {
			if strings.EqualFold(v, "true") && !present || strings.EqualFold(v, "false") && present {
				return true
			}
		}
		return false
	}
	negated := strings.Contains(op, "not")
	op = strings.Replace(op, "not", "", 1)
	hit := func(v string) bool {
		for _, p := range c.Values {
			if n.compare(op, p, v) {
				return true
			}
		}
		return false
	}
	switch {
	case !present && ifExists:
		return true
	case all:
		for _, v := range vals {
			if hit(v) == negated {
				return false
			}
		}
		return true
	case any:
		for _, v := range vals {
			if hit(v) != negated {
				return true
			}
		}
		return false
	case !present:
		return negated
	}
	some := false
	for _, v := range vals {
		some = some || hit(v)
	}
	return some != negated
}

func (n *naive) compare(op, p, v string) bool {
	switch {
	case op == "stringlike":
		ts, ok := n.tokens(p, true)
		return ok && naiveGlob(ts, v)
	case strings.HasPrefix(op, "string"):
		ts, ok := n.tokens(p, false)
		var b strings.Builder
		for _, t := range ts {
			b.WriteRune(t.r)
		}
		if op == "stringequalsignorecase" {
			return ok && strings.EqualFold(b.String(), v)
		}
		return ok && b.String() == v
	case strings.HasPrefix(op, "arn"):
		return n.arn(p, v)
	case strings.HasPrefix(op, "numeric"):
		x, ok1 := new(big.Rat).SetString(v)
		y, ok2 := new(big.Rat).SetString(p)
		return ok1 && ok2 && order(op, x.Cmp(y))
	case strings.HasPrefix(op, "date"):
		x, ok1 := naiveDate(v)
		y, ok2 := naiveDate(p)
		return ok1 && ok2 && order(op, x.Compare(y))
	case op == "bool":
		return strings.EqualFold(p, v) && (strings.EqualFold(v, "true") || strings.EqualFold(v, "false"))
	case op == "binaryequals":
		x, err1 := base64.StdEncoding.DecodeString(v)
		y, err2 := base64.StdEncoding.DecodeString(p)
		return err1 == nil && err2 == nil && string(x) == string(y)
	case op == "ipaddress":
		if !strings.Contains(p, "/") {
			p += map[bool]string{true: "/128", false: "/32"}[strings.Contains(p, ":")]
		}
		pre, err1 := netip.ParsePrefix(p)
		a, err2 := netip.ParseAddr(v)
		return err1 == nil && err2 == nil && pre.Contains(a)
	}
	panic(op)
}

func naiveDate(s string) (time.Time, bool) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return time.UnixMilli(int64(f * 1000)), true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

func order(op string, c int) bool {
	switch {
	case strings.HasSuffix(op, "lessthanequals"):
		return c <= 0
	case strings.HasSuffix(op, "lessthan"):
		return c < 0
	case strings.HasSuffix(op, "greaterthanequals"):
		return c >= 0
	case strings.HasSuffix(op, "greaterthan"):
		return c > 0
	default:
		return c == 0
	}
}

// docs returns the widest grant of the Allow statements and whether a Deny matches.
func (n *naive) docs(ds ...*policy.Document) (grant int, deny bool) {
	for _, d := range ds {
		n.v = d.Version() == "2012-10-17"
		for _, s := range d.Statements() {
			g := 3
			switch {
			case s.Principal != nil:
				g = n.principal(s.Principal)
			case s.NotPrincipal != nil && n.principal(s.NotPrincipal) >= 2:
				g = 0
			}
			act := s.Action != nil && n.action(s.Action) || s.NotAction != nil && !n.action(s.NotAction)
			res := d.Kind() == policy.Trust || s.Resource != nil && n.resource(s.Resource) || s.NotResource != nil && !n.resource(s.NotResource)
			if g == 0 || !act || !res || !n.conditions(s.Condition) {
				continue
			}
			if s.Effect == policy.Deny {
				deny = true
			} else {
				grant = max(grant, g)
			}
		}
	}
	return grant, deny
}

func (n *naive) decide() policy.Decision {
	id, d1 := n.docs(n.p.Identity...)
	bo, d2 := n.docs(n.p.Boundary...)
	se, d3 := n.docs(n.p.Session...)
	re, d4 := 0, false
	if n.p.Resource != nil {
		re, d4 = n.docs(n.p.Resource)
	}
	deny := d1 || d2 || d3 || d4
	scp := true
	for _, l := range n.p.SCPs {
		g, d := n.docs(l.Policies...)
		deny = deny || d
		scp = scp && g > 0
	}
	for _, l := range n.p.RCPs {
		_, d := n.docs(l.Policies...)
		deny = deny || d
	}
	switch {
	case deny:
		return policy.ExplicitDeny
	case !scp:
		return policy.ImplicitDeny
	}
	limits := (len(n.p.Boundary) == 0 || bo > 0) && (len(n.p.Session) == 0 || se > 0)
	mine := id > 0 && limits
	account := strings.Split(n.r.Principal, ":")[4]
	same := n.r.ResourceAccount == "" || n.r.ResourceAccount == account
	trust := n.p.Resource != nil && n.p.Resource.Kind() == policy.Trust
	ok := false
	switch {
	case !same:
		ok = mine && re > 0
	case re == 3, re == 2 && limits:
		ok = true
	case trust:
		ok = mine && re > 0
	default:
		ok = mine
	}
	if ok {
		return policy.Allowed
	}
	return policy.ImplicitDeny
}
