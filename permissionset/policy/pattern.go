package policy

import "strings"

// pattern is one compiled value of Resource, NotResource or of a String or ARN condition.
type pattern struct {
	text  string // as written
	enc   string // encoded, when there are no variables
	parts []part // otherwise: literal and variable parts in turn
	arn   [6]string
	segs  int // how many segments arn holds; 0 when variables decide

	prefix string // literal beginning, up to the first wildcard or variable
	tail   tailKind
}

// tailKind says how a resource pattern whose literal beginning has matched goes on.
type tailKind uint8

const (
	tailSegments tailKind = iota // compare segment by segment
	tailNone                     // nothing may follow
	tailAny                      // anything may follow
	tailGlob                     // the rest of the last segment is a pattern
)

// part is literal encoded text, or a variable.
type part struct {
	lit        string
	key        string // lower case; empty for a literal
	name       string // as written
	def        string
	hasDefault bool
}

// compilePattern prepares a text. Stars are wildcards when globs is set; ${...} are variables when vars is set.
func compilePattern(s string, vars, globs bool) pattern {
	p := pattern{text: s}
	enc := func(t string) string {
		if globs {
			return encodeGlob(t)
		}
		return t
	}
	if vars && strings.Contains(s, "${") {
		p.parts = splitVariables(s, enc)
	}
	if len(p.parts) == 0 || len(p.parts) == 1 && p.parts[0].key == "" {
		p.enc = enc(s)
		if len(p.parts) == 1 {
			p.enc = p.parts[0].lit
		}
		p.parts = nil
		p.segs = splitARN(p.enc, &p.arn)
	}
	return p
}

// splitVariables cuts a text at its variables (IAM user guide, "Policy variables"). ${*}, ${?} and ${$} are the plain
// characters; an unclosed brace is plain text.
func splitVariables(s string, enc func(string) string) []part {
	var out []part
	lit := ""
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			break
		}
		n := strings.IndexByte(s[i:], '}')
		if n < 0 {
			break
		}
		lit += enc(s[:i])
		inside := s[i+2 : i+n]
		s = s[i+n+1:]
		if inside == "*" || inside == "?" || inside == "$" {
			lit += inside
			continue
		}
		if lit != "" {
			out = append(out, part{lit: lit})
			lit = ""
		}
		out = append(out, variable(inside))
	}
	if lit += enc(s); lit != "" || len(out) == 0 {
		out = append(out, part{lit: lit})
	}
	return out
}

func variable(inside string) part {
	name, def, found := strings.Cut(inside, ",")
	name = strings.TrimSpace(name)
	p := part{key: strings.ToLower(name), name: name}
	if p.key == "" {
		p.key = "\x00" // ${} names no key: never present
	}
	if def = strings.TrimSpace(def); found && len(def) >= 2 && def[0] == '\'' && def[len(def)-1] == '\'' {
		p.def, p.hasDefault = def[1:len(def)-1], true
	}
	return p
}

// resourcePattern is a pattern for ARNs, ready for the index of [layer].
func resourcePattern(s string, vars bool) pattern {
	p := compilePattern(s, vars, true)
	if p.parts != nil {
		if p.parts[0].key == "" {
			p.prefix = literalPrefix(p.parts[0].lit)
		}
		return p
	}
	p.prefix = literalPrefix(p.enc)
	rest := p.enc[len(p.prefix):]
	switch {
	case p.segs < 6 || strings.Count(p.prefix, ":") < 5:
		p.tail = tailSegments
	case rest == "":
		p.tail = tailNone
	case rest == "\xff":
		p.tail = tailAny
	default:
		p.tail = tailGlob
	}
	return p
}

func literalPrefix(enc string) string {
	for i := range len(enc) {
		if enc[i] == anyRun || enc[i] == anyChar {
			return enc[:i]
		}
	}
	return enc
}

// splitARN cuts at the first five colons and returns the number of segments.
func splitARN(s string, out *[6]string) int {
	for i := range 5 {
		before, after, ok := strings.Cut(s, ":")
		if !ok {
			out[i] = s
			return i + 1
		}
		out[i], s = before, after
	}
	out[5] = s
	return 6
}

// expand fills the variables in. The result is yes, no (a variable has no single value) or unknown (partial mode).
func (p *pattern) expand(e *env) (string, tri) {
	if e.work < 0 {
		return "", no
	}
	var b strings.Builder
	for i := range p.parts {
		if b.Len() > maxExpanded {
			e.work = -1
			return "", no
		}
		pt := &p.parts[i]
		if pt.key == "" {
			b.WriteString(pt.lit)
			continue
		}
		vals, ok := e.ctx.lookup(pt.key)
		switch {
		case !ok && e.partial:
			return "", unknown
		case !ok && pt.hasDefault:
			b.WriteString(pt.def)
		case !ok || len(vals) != 1 || hasWildcardBytes(vals[0]):
			return "", no
		default:
			b.WriteString(vals[0])
		}
	}
	e.work -= int64(b.Len())
	return b.String(), yes
}

// maxExpanded bounds a pattern with its variables filled in: a thousand variables fit into one.
const maxExpanded = 1 << 20

// matchText compares a condition value: with wildcards, or byte for byte.
func (p *pattern) matchText(e *env, s string, op operator) tri {
	enc := p.enc
	if p.parts != nil {
		var ok tri
		if enc, ok = p.expand(e); ok != yes {
			return ok
		}
	}
	switch op.base {
	case opStringLike:
		return of(globMatch(enc, s, &e.work))
	case opStringEqualsIgnoreCase:
		return of(strings.EqualFold(enc, s))
	case opArn:
		var val, pat [6]string
		n := splitARN(s, &val)
		e.work -= 8 + int64(len(s))/16
		if p.parts == nil {
			return of(e.matchSegments(&p.arn, p.segs, &val, n))
		}
		k := p.splitExpanded(e, enc, &pat)
		return of(e.matchSegments(&pat, k, &val, n))
	default:
		return of(enc == s)
	}
}

// splitExpanded cuts an expanded pattern at its first five own colons: a colon that a variable brought in does not split.
func (p *pattern) splitExpanded(e *env, enc string, out *[6]string) int {
	if strings.Count(enc, ":") == p.literalColons() {
		return splitARN(enc, out)
	}
	seg := 0
	var b strings.Builder
	for i := range p.parts {
		pt := &p.parts[i]
		if pt.key != "" {
			if vals, ok := e.ctx.lookup(pt.key); ok && len(vals) == 1 {
				b.WriteString(vals[0])
			} else {
				b.WriteString(pt.def)
			}
			continue
		}
		lit := pt.lit
		for seg < 5 {
			k := strings.IndexByte(lit, ':')
			if k < 0 {
				break
			}
			b.WriteString(lit[:k])
			out[seg] = b.String()
			b.Reset()
			seg++
			lit = lit[k+1:]
		}
		b.WriteString(lit)
	}
	out[seg] = b.String()
	return seg + 1
}

func (p *pattern) literalColons() int {
	n := 0
	for i := range p.parts {
		n += strings.Count(p.parts[i].lit, ":")
	}
	return n
}

// matchSegments compares two ARNs segment by segment; a wildcard does not reach over the first five colons.
func (e *env) matchSegments(pat *[6]string, n int, val *[6]string, m int) bool {
	if m != 6 || n != 6 && e.opt.ShortARN != ShortARNExpand {
		return false
	}
	for i := range n {
		if !globMatch(pat[i], val[i], &e.work) {
			return false
		}
	}
	return true
}

// matchResource compares a resource pattern with the resource of the request.
func (p *pattern) matchResource(e *env) tri {
	if p.enc == "\xff" {
		return yes
	}
	if e.anyResource { // actions without a resource type: only "*" covers them
		return no
	}
	if p.parts == nil {
		if p.tail != tailSegments {
			if !strings.HasPrefix(e.req.Resource, p.prefix) {
				return no
			}
			return of(p.matchTail(e))
		}
		return of(e.matchSegments(&p.arn, p.segs, &e.arn, e.segs))
	}
	enc, ok := p.expand(e)
	if ok != yes {
		return ok
	}
	var pat [6]string
	k := p.splitExpanded(e, enc, &pat)
	return of(e.matchSegments(&pat, k, &e.arn, e.segs))
}

// matchTail goes on behind the literal beginning, which the caller has compared.
func (p *pattern) matchTail(e *env) bool {
	rest := e.req.Resource[len(p.prefix):]
	switch p.tail {
	case tailAny:
		return true
	case tailNone:
		return rest == ""
	default:
		return globMatch(p.enc[len(p.prefix):], rest, &e.work)
	}
}
