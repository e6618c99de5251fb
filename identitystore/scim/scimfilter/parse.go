package scimfilter

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a filter. They bound the work before any of it is done.
const (
	MaxBytes       = 4096
	MaxExpressions = 64
	MaxDepth       = 64
)

// Parse reads a filter, strictly.
func Parse(s string) (Expr, error) { return parse(s, false) }

// ParseTolerant reads a filter and accepts what clients are known to send besides: an unquoted word after eq, not
// without parentheses, no space before a quoted value, and a comparison behind a value path
// (emails[type eq "work"].value eq "x"), whose Path then has a Filter.
func ParseTolerant(s string) (Expr, error) { return parse(s, true) }

func parse(s string, tolerant bool) (Expr, error) {
	if len(s) > MaxBytes {
		return nil, invalidFilter("the filter is longer than 4096 bytes")
	}
	if !utf8.ValidString(s) {
		return nil, invalidFilter("the filter is not UTF-8")
	}
	p := &parser{s: s, tolerant: tolerant}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(p.s) {
		return nil, p.fail("unexpected text")
	}
	return e, nil
}

type parser struct {
	s        string
	i        int
	count    int
	tolerant bool
	inside   bool // between brackets, where the grammar has no further ones
}

func (p *parser) fail(what string) error {
	return invalidFilter(what + " at position " + strconv.Itoa(p.i+1) + " of the filter")
}

func (p *parser) space() {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
}

// keyword consumes a word, in any case, that ends at a border.
func (p *parser) keyword(word string) bool {
	p.space()
	end := p.i + len(word)
	if end > len(p.s) || !strings.EqualFold(p.s[p.i:end], word) || end < len(p.s) && !strings.ContainsRune(" ()[]", rune(p.s[end])) {
		return false
	}
	p.i = end
	return true
}

func (p *parser) or(depth int) (Expr, error) {
	left, err := p.and(depth)
	for err == nil && p.keyword("or") {
		var right Expr
		if right, err = p.and(depth); err == nil {
			left = &Or{left, right}
		}
	}
	if err != nil {
		return nil, err
	}
	return left, nil
}

func (p *parser) and(depth int) (Expr, error) {
	left, err := p.unary(depth)
	for err == nil && p.keyword("and") {
		var right Expr
		if right, err = p.unary(depth); err == nil {
			left = &And{left, right}
		}
	}
	if err != nil {
		return nil, err
	}
	return left, nil
}

func (p *parser) unary(depth int) (Expr, error) {
	if depth >= MaxDepth {
		return nil, invalidFilter("the filter is nested too deep")
	}
	p.space()
	at := p.i
	if p.keyword("not") {
		p.space()
		if p.i < len(p.s) && p.s[p.i] == '(' || p.tolerant && !p.comparison() {
			x, err := p.unary(depth + 1)
			if err != nil {
				return nil, err
			}
			return &Not{x}, nil
		}
		p.i = at // an attribute may be called "not"
	}
	if p.i < len(p.s) && p.s[p.i] == '(' {
		p.i++
		x, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return x, p.expect(')')
	}
	return p.attribute(depth)
}

// comparison reports whether an operator and a value follow, as behind an attribute that is called "not". It does not
// move.
func (p *parser) comparison() bool {
	at := p.i
	defer func() { p.i = at }()
	op := strings.ToLower(p.letters())
	if op == "pr" {
		return true
	}
	if !slices.Contains(operators, op) || p.i >= len(p.s) || p.s[p.i] != ' ' {
		return false
	}
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '"' {
		return true
	}
	next := strings.ToLower(p.letters()) // what follows is an operator if "eq" is the attribute
	return next != "pr" && !slices.Contains(operators, next)
}

func (p *parser) expect(c byte) error {
	p.space()
	if p.i >= len(p.s) || p.s[p.i] != c {
		return p.fail("missing " + string(rune(c)))
	}
	p.i++
	return nil
}

var operators = []string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"} //nolint:gochecknoglobals // never changes

func (p *parser) attribute(depth int) (Expr, error) {
	if p.count++; p.count > MaxExpressions {
		return nil, invalidFilter("the filter has more than 64 expressions")
	}
	path, ok := splitPath(p.word())
	if !ok {
		return nil, p.fail("an attribute is expected")
	}
	if p.i < len(p.s) && p.s[p.i] == '[' {
		x, err := p.brackets(depth)
		if err != nil {
			return nil, err
		}
		if !p.tolerant || !p.behind(&path) {
			return &ValuePath{path, x}, nil
		}
		path.Filter = x
	}
	return p.operation(path)
}

// operation reads what stands behind an attribute.
func (p *parser) operation(path Path) (Expr, error) {
	if p.i >= len(p.s) || p.s[p.i] != ' ' {
		return nil, p.fail("an operator is expected")
	}
	p.space()
	op := strings.ToLower(p.letters())
	if op == "pr" {
		return &Present{path}, nil
	}
	if !slices.Contains(operators, op) {
		return nil, p.fail("an operator is expected")
	}
	if p.i >= len(p.s) || p.s[p.i] != ' ' && (!p.tolerant || p.s[p.i] != '"') {
		return nil, p.fail("a value is expected")
	}
	p.space()
	return p.compare(path, op)
}

// brackets reads the filter of a value path.
func (p *parser) brackets(depth int) (Expr, error) {
	if p.inside {
		return nil, p.fail("brackets inside brackets")
	}
	p.inside = true
	p.i++
	x, err := p.or(depth + 1)
	if err != nil {
		return nil, err
	}
	p.inside = false
	return x, p.expect(']')
}

// behind reports whether a sub-attribute or a comparison stands behind the brackets of a value path, and reads the
// sub-attribute.
func (p *parser) behind(path *Path) bool {
	at := p.i
	if p.i < len(p.s) && p.s[p.i] == '.' && path.Sub == "" {
		p.i++
		if sub := p.word(); isName(sub) {
			path.Sub = sub
			return true
		}
		p.i = at
		return false
	}
	if p.i >= len(p.s) || p.s[p.i] != ' ' {
		return false
	}
	defer func() { p.i = at }()
	p.space()
	op := strings.ToLower(p.letters())
	return op == "pr" || slices.Contains(operators, op)
}

func (p *parser) compare(path Path, op string) (Expr, error) {
	v, bare, err := p.value(op)
	if err != nil {
		return nil, err
	}
	if _, isBool := v.(bool); (isBool || v == nil) && op != "eq" && op != "ne" {
		return nil, p.fail("this operator cannot be used with this value")
	}
	if op == "co" || op == "sw" || op == "ew" {
		if _, isText := v.(string); !isText {
			return nil, p.fail("this operator needs text")
		}
	}
	return &Compare{Path: path, Op: op, Value: v, Bare: bare}, nil
}

func (p *parser) letters() string {
	start := p.i
	for p.i < len(p.s) && isLetter(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// word reads the text of an attribute path.
func (p *parser) word() string {
	start := p.i
	for p.i < len(p.s) && (isLetter(p.s[p.i]) || isDigit(p.s[p.i]) || strings.IndexByte("-_$.:", p.s[p.i]) >= 0) {
		p.i++
	}
	return p.s[start:p.i]
}

// value reads a JSON value that is no list and no object.
func (p *parser) value(op string) (v any, bare bool, err error) { //nolint:cyclop // one list of checks
	start := p.i
	if p.i < len(p.s) && p.s[p.i] == '"' {
		for p.i++; p.i < len(p.s) && p.s[p.i] != '"'; p.i++ {
			if p.s[p.i] == '\\' {
				p.i++
			}
		}
		if p.i >= len(p.s) {
			return nil, false, p.fail("the text has no end")
		}
		p.i++
		var text string
		if json.Unmarshal([]byte(p.s[start:p.i]), &text) != nil {
			return nil, false, p.fail("the text is no JSON string")
		}
		return text, false, p.border()
	}
	for p.i < len(p.s) && strings.IndexByte(" ()[]", p.s[p.i]) < 0 {
		p.i++
	}
	text := p.s[start:p.i]
	switch text {
	case "true":
		return true, false, nil
	case "false":
		return false, false, nil
	case "null":
		return nil, false, nil
	case "":
		return nil, false, p.fail("a value is expected")
	}
	if isDigit(text[0]) || text[0] == '-' {
		var n json.Number
		if json.Unmarshal([]byte(text), &n) == nil {
			return n, false, nil
		}
	}
	if p.tolerant && op == "eq" && strings.IndexByte(text, '"') < 0 {
		return text, true, nil
	}
	return nil, false, p.fail("the value is no JSON value")
}

func (p *parser) border() error {
	if p.i < len(p.s) && strings.IndexByte(" )]", p.s[p.i]) < 0 {
		return p.fail("unexpected text after a value")
	}
	return nil
}

// splitPath takes an attribute path apart. A URN may hold dots; its last colon stands before the attribute.
func splitPath(s string) (Path, bool) {
	var p Path
	rest := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		p.URN, rest = s[:i], s[i+1:]
		if len(p.URN) < 4 || !strings.EqualFold(p.URN[:4], "urn:") || strings.HasSuffix(p.URN, ":") {
			return Path{}, false
		}
	}
	attr, sub, dotted := strings.Cut(rest, ".")
	if !isName(attr) || dotted && !isName(sub) {
		return Path{}, false
	}
	p.Attr, p.Sub = attr, sub
	return p, true
}

func isName(s string) bool {
	if s == "" || !isLetter(s[0]) && s != "$ref" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '_' && (c != '$' || i > 0) {
			return false
		}
	}
	return true
}

// ParsePath reads the path of a PATCH operation (RFC 7644 figure 7). Errors inside brackets are of type invalidFilter,
// others of type invalidPath.
func ParsePath(s string, tolerant bool) (Path, error) {
	if len(s) > MaxBytes || !utf8.ValidString(s) {
		return Path{}, invalidPath("the path is too long or not UTF-8")
	}
	p := &parser{s: s, tolerant: tolerant}
	path, ok := splitPath(p.word())
	if !ok {
		return Path{}, invalidPath("the path names no attribute")
	}
	if p.i == len(s) {
		return path, nil
	}
	if s[p.i] != '[' || path.Sub != "" {
		return Path{}, invalidPath("unexpected text in the path")
	}
	p.i++
	p.inside = true
	f, err := p.or(1)
	if err != nil {
		return Path{}, err
	}
	if err := p.expect(']'); err != nil {
		return Path{}, invalidPath("the path has no closing bracket")
	}
	path.Filter = f
	if p.i == len(s) {
		return path, nil
	}
	sub, dotted := strings.CutPrefix(s[p.i:], ".")
	if !dotted || !isName(sub) {
		return Path{}, invalidPath("unexpected text after the filter of the path")
	}
	path.Sub = sub
	return path, nil
}
