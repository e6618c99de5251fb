package dotnetre

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// class is what the classifier found out about a pattern.
type class struct {
	pattern       string // for Go's regexp
	prefix        string
	fold          bool
	anchored      bool // begins with ^, outside any alternative
	tail          bool // the last group of pattern is what the final $ may look past
	repeatedGroup bool // a capture stands inside a repetition
	steps         []step
	plain         bool // steps is the whole pattern
}

// classify reads the constructs that mean the same in .NET and in Go for input in ASCII; ok is false for all others.
func classify(pattern string, ignoreCase bool) (class, bool) {
	if !plainText(pattern) {
		return class{}, false
	}
	p := &classifier{s: pattern, c: class{fold: ignoreCase, plain: true}, prefixOpen: true}
	p.start()
	if _, ok := p.alternatives(0); !ok || p.i != len(p.s) {
		return class{}, false
	}
	if p.topAlternatives && (p.c.tail || p.c.anchored) {
		return class{}, false // ^ and $ bind to one alternative only
	}
	if !p.c.anchored {
		p.c.prefix = ""
	}
	p.c.pattern = p.goPattern()
	for i := range p.c.steps {
		if p.c.fold {
			p.c.steps[i].set = p.c.steps[i].set.folded()
		}
		if p.negated[i] {
			p.c.steps[i].set = p.c.steps[i].set.not()
		}
	}
	return p.c, true
}

// plainText reports whether a pattern is printable ASCII with tabs and line feeds.
func plainText(pattern string) bool {
	for i := range len(pattern) {
		if c := pattern[i]; c >= utf8.RuneSelf || c < ' ' && c != '\t' && c != '\n' || c == 0x7f {
			return false
		}
	}
	return true
}

// start reads ^ and (?i), in either order.
func (p *classifier) start() {
	p.c.fold = p.has("(?i)") || p.c.fold
	p.c.anchored = p.has("^")
	if p.c.anchored {
		p.c.fold = p.has("(?i)") || p.c.fold
	}
}

func (p *classifier) goPattern() string {
	out := p.out.String()
	if p.c.anchored {
		out = "^" + out
	}
	if p.c.fold {
		out = "(?i)" + out
	}
	if p.c.tail {
		out += `(\n?\z)`
	}
	return out
}

type classifier struct {
	s               string
	i               int
	out             strings.Builder
	c               class
	names           []string
	topAlternatives bool
	prefixOpen      bool // literals still belong to the prefix
	groups          int
	set             charset // of the atom read last
	negate          bool    // the atom is a negated class: first fold, then negate
	negated         map[int]bool
	least, most     int // of the quantifier read last
	lazy            bool
}

// has moves over lit if it stands here.
func (p *classifier) has(lit string) bool {
	if strings.HasPrefix(p.s[p.i:], lit) {
		p.i += len(lit)
		return true
	}
	return false
}

// shape of a part of the pattern.
type shape struct {
	nullable bool // may match nothing
	captures bool
	size     int // of the program that Go's regexp would make of it, which unrolls counts
}

// maxProgram is the size from which a pattern is left to regexp2, which does not unroll.
const maxProgram = 4096

const maxClassifyDepth = 20

func (p *classifier) alternatives(depth int) (shape, bool) {
	if depth > maxClassifyDepth {
		return shape{}, false
	}
	var all shape
	for {
		one, ok := p.sequence(depth)
		if !ok {
			return all, false
		}
		all.nullable = all.nullable || one.nullable
		all.captures = all.captures || one.captures
		all.size += one.size + 1
		if !p.has("|") {
			return all, true
		}
		p.out.WriteByte('|')
		p.c.plain = false
		p.prefixOpen = false
		if depth == 0 {
			p.topAlternatives = true
		}
	}
}

func (p *classifier) sequence(depth int) (shape, bool) {
	all := shape{nullable: true}
	for p.i < len(p.s) && p.s[p.i] != '|' && p.s[p.i] != ')' {
		if depth == 0 && p.s[p.i:] == "$" {
			p.i++
			p.c.tail = true
			break
		}
		prefix, isGroup := len(p.c.prefix), p.s[p.i] == '('
		atom, ok := p.atom(depth)
		if !ok {
			return all, false
		}
		repeated, none, ok := p.quantifier(atom)
		if !ok {
			return all, false
		}
		if repeated {
			p.c.prefix = p.c.prefix[:min(prefix, len(p.c.prefix))]
			p.prefixOpen = false
		}
		if isGroup {
			p.c.plain = p.c.plain && !repeated
		} else {
			p.step(repeated)
		}
		all.nullable = all.nullable && (atom.nullable || none)
		all.captures = all.captures || atom.captures
		if all.size += p.weight(atom, repeated); all.size > maxProgram {
			return all, false
		}
	}
	return all, true
}

// weight is what an atom with its quantifier adds to the program.
func (p *classifier) weight(atom shape, repeated bool) int {
	times := 1
	switch {
	case repeated && p.most == unbounded:
		times = p.least + 1
	case repeated:
		times = max(p.most, 1)
	}
	return (atom.size + 2) * times
}

// step notes the atom read last with its quantifier.
func (p *classifier) step(repeated bool) {
	x := step{set: p.set, min: 1, max: 1}
	if repeated {
		x.min, x.max, x.lazy = p.least, p.most, p.lazy
	}
	if p.negate {
		if p.negated == nil {
			p.negated = map[int]bool{}
		}
		p.negated[len(p.c.steps)] = true
	}
	p.c.steps = append(p.c.steps, x)
}

// atom reads one character, class or group.
func (p *classifier) atom(depth int) (shape, bool) {
	c := p.s[p.i]
	p.set, p.negate = charset{}, false
	switch c {
	case '(':
		p.prefixOpen = false
		return p.group(depth)
	case '[':
		p.prefixOpen = false
		p.i++
		return shape{}, p.class()
	case '.':
		p.prefixOpen = false
		p.i++
		p.out.WriteByte('.')
		p.set = named('.')
		return shape{}, true
	case '\\':
		p.i++
		return shape{}, p.escape()
	case '^', '$', '*', '+', '?', '{':
		return shape{}, false
	}
	p.i++
	p.char(c)
	return shape{}, true
}

func (p *classifier) char(c byte) {
	if p.prefixOpen {
		p.c.prefix += string(rune(c))
	}
	p.set.add(c)
	p.out.WriteString(regexp.QuoteMeta(string(rune(c))))
}

// .NET's \s knows the vertical tab, Go's does not.
const spaceClass = `\t\n\v\f\r `

func (p *classifier) escape() bool {
	if p.i == len(p.s) {
		return false
	}
	c := p.s[p.i]
	p.i++
	switch {
	case c == 'd' || c == 'w' || c == 'D' || c == 'W':
		p.prefixOpen = false
		p.set = named(c)
		p.out.WriteString(`\` + string(rune(c)))
	case c == 's':
		p.set = named(c)
		p.prefixOpen = false
		p.out.WriteString("[" + spaceClass + "]")
	case c == 'S':
		p.set = named(c)
		p.prefixOpen = false
		p.out.WriteString("[^" + spaceClass + "]")
	case punctuation(c):
		p.char(c)
	default:
		return false
	}
	return true
}

func punctuation(c byte) bool {
	return c > ' ' && c < 0x7f && c != '_' && (c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z')
}

func (p *classifier) group(depth int) (shape, bool) { //nolint:cyclop // one list of group forms
	p.i++
	capture, name := true, ""
	switch {
	case p.has("?:"):
		capture = false
	case p.has("?<"):
		end := strings.IndexByte(p.s[p.i:], '>')
		if end <= 0 {
			return shape{}, false
		}
		name = p.s[p.i : p.i+end]
		p.i += end + 1
		if !groupName(name) || contains(p.names, name) {
			return shape{}, false
		}
		p.names = append(p.names, name)
	case p.i < len(p.s) && p.s[p.i] == '?':
		return shape{}, false
	}
	switch {
	case !capture:
		p.out.WriteString("(?:")
	case name == "":
		p.out.WriteString("(")
	default:
		p.out.WriteString("(?P<" + name + ">")
	}
	mark := 0
	if capture {
		p.groups++
		mark = 2*p.groups + 1
		p.c.steps = append(p.c.steps, step{mark: mark})
	}
	inner, ok := p.alternatives(depth + 1)
	if !ok || !p.has(")") {
		return inner, false
	}
	if capture {
		p.c.steps = append(p.c.steps, step{mark: mark + 1})
	}
	p.out.WriteByte(')')
	inner.captures = inner.captures || capture
	return inner, true
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

func groupName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// quantifier reads * + ? {n} {n,} {n,m}, each with an optional ?. none says that the atom may be left out.
func (p *classifier) quantifier(atom shape) (repeated, none, ok bool) {
	if p.i == len(p.s) {
		return false, false, true
	}
	start := p.i
	p.least, p.most = 0, unbounded
	switch p.s[p.i] {
	case '*':
		p.i++
	case '?':
		p.most = 1
		p.i++
	case '+':
		p.least = 1
		p.i++
	case '{':
		if !p.counts() {
			return false, false, false
		}
	default:
		return false, false, true
	}
	if atom.nullable {
		return false, false, false // the engines differ in rounds that match nothing
	}
	p.c.repeatedGroup = p.c.repeatedGroup || atom.captures
	p.lazy = p.has("?")
	if p.i < len(p.s) && strings.IndexByte("*+?{", p.s[p.i]) >= 0 {
		return false, false, false
	}
	p.out.WriteString(p.s[start:p.i])
	return true, p.least == 0, true
}

func (p *classifier) counts() bool {
	end := strings.IndexByte(p.s[p.i:], '}')
	if end < 0 {
		return false
	}
	low, high, two := strings.Cut(p.s[p.i+1:p.i+end], ",")
	var ok bool
	if p.least, ok = small(low); !ok {
		return false
	}
	switch {
	case !two:
		p.most = p.least
	case high != "":
		p.most, ok = small(high)
	}
	p.i += end + 1
	return ok
}

// small reads a count. One with leading zeros is left to regexp2: Go's regexp takes a{00} as text.
func small(s string) (int, bool) {
	if s == "" || len(s) > 4 || s[0] == '+' || s[0] == '-' || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= 1000
}
