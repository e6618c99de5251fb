package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The standard decoder keeps the last of two members with one name and forgets positions, and both matter here: a
// reviewer who sees the first "Effect" must not be fooled by a second one. So this file reads JSON (RFC 8259) strictly.

type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonNode is one value with the place where it begins.
type jsonNode struct {
	kind    jsonKind
	off     int
	text    string // of a string (decoded), number or boolean (as written)
	items   []*jsonNode
	members []jsonMember
}

type jsonMember struct {
	name string
	off  int
	val  *jsonNode
}

func (n *jsonNode) member(name string) *jsonNode {
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].val
		}
	}
	return nil
}

// jsonError is a place and a text; duplicate marks a member name that occurs twice.
type jsonError struct {
	off       int
	msg       string
	duplicate bool
	limit     bool
}

func (e *jsonError) Error() string { return e.msg }

type jsonReader struct {
	s     string
	pos   int
	depth int
	max   int
	dups  []*jsonError
}

// readJSON parses one value and nothing after it. Duplicate member names are collected, all other faults end it.
func readJSON(s string, maxDepth int) (*jsonNode, []*jsonError) {
	r := &jsonReader{s: s, max: maxDepth}
	n, err := r.document()
	if err != nil {
		var je *jsonError
		if !errors.As(err, &je) {
			je = &jsonError{off: r.pos, msg: err.Error()}
		}
		return nil, []*jsonError{je}
	}
	return n, r.dups
}

func (r *jsonReader) document() (*jsonNode, error) {
	if strings.HasPrefix(r.s, "\ufeff") {
		return nil, r.fail("text begins with a byte-order mark")
	}
	if !utf8.ValidString(r.s) {
		return nil, r.fail("text is not UTF-8")
	}
	r.space()
	n, err := r.value()
	if err != nil {
		return nil, err
	}
	r.space()
	if r.pos < len(r.s) {
		return nil, r.fail("text after the end of the document")
	}
	return n, nil
}

func (r *jsonReader) fail(format string, args ...any) error {
	return &jsonError{off: min(r.pos, len(r.s)), msg: fmt.Sprintf(format, args...)}
}

func (r *jsonReader) space() {
	for r.pos < len(r.s) {
		switch r.s[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

func (r *jsonReader) value() (*jsonNode, error) {
	if r.pos >= len(r.s) {
		return nil, r.fail("unexpected end of text")
	}
	n := &jsonNode{off: r.pos}
	switch c := r.s[r.pos]; {
	case c == '{':
		n.kind = jsonObject
		return n, r.nested(n, r.object)
	case c == '[':
		n.kind = jsonArray
		return n, r.nested(n, r.array)
	case c == '"':
		n.kind = jsonString
		var err error
		n.text, err = r.str()
		return n, err
	case c == '-' || '0' <= c && c <= '9':
		n.kind = jsonNumber
		var err error
		n.text, err = r.number()
		return n, err
	}
	for _, w := range []struct {
		word string
		kind jsonKind
	}{{"true", jsonBool}, {"false", jsonBool}, {"null", jsonNull}} {
		if strings.HasPrefix(r.s[r.pos:], w.word) {
			r.pos += len(w.word)
			n.kind, n.text = w.kind, w.word
			return n, nil
		}
	}
	return nil, r.fail("unexpected character")
}

func (r *jsonReader) nested(n *jsonNode, read func(*jsonNode) error) error {
	if r.depth++; r.depth > r.max {
		return &jsonError{off: r.pos, msg: "nested deeper than " + strconv.Itoa(r.max) + " levels", limit: true}
	}
	r.pos++
	err := read(n)
	r.depth--
	return err
}

func (r *jsonReader) object(n *jsonNode) error {
	var seen map[string]struct{}
	for first := true; ; first = false {
		r.space()
		if first && r.take('}') {
			return nil
		}
		at := r.pos
		if r.pos >= len(r.s) || r.s[r.pos] != '"' {
			return r.fail("member name expected")
		}
		name, err := r.str()
		if err != nil {
			return err
		}
		if seen, err = r.remember(seen, n, name, at); err != nil {
			return err
		}
		r.space()
		if !r.take(':') {
			return r.fail("colon expected")
		}
		r.space()
		v, err := r.value()
		if err != nil {
			return err
		}
		n.members = append(n.members, jsonMember{name: name, off: at, val: v})
		r.space()
		if r.take('}') {
			return nil
		}
		if !r.take(',') {
			return r.fail("comma or closing brace expected")
		}
	}
}

// remember notes a member name; small objects are compared directly, large ones get a map, so that many members cost
// time in proportion to their number.
func (r *jsonReader) remember(seen map[string]struct{}, n *jsonNode, name string, at int) (map[string]struct{}, error) {
	dup := false
	if seen == nil && len(n.members) < 16 {
		dup = slices.ContainsFunc(n.members, func(m jsonMember) bool { return m.name == name })
	} else {
		if seen == nil {
			seen = make(map[string]struct{}, 32)
			for _, m := range n.members {
				seen[m.name] = struct{}{}
			}
		}
		_, dup = seen[name]
		seen[name] = struct{}{}
	}
	if dup {
		r.dups = append(r.dups, &jsonError{off: at, msg: name, duplicate: true})
	}
	return seen, nil
}

func (r *jsonReader) array(n *jsonNode) error {
	for first := true; ; first = false {
		r.space()
		if first && r.take(']') {
			return nil
		}
		v, err := r.value()
		if err != nil {
			return err
		}
		n.items = append(n.items, v)
		r.space()
		if r.take(']') {
			return nil
		}
		if !r.take(',') {
			return r.fail("comma or closing bracket expected")
		}
	}
}

func (r *jsonReader) take(c byte) bool {
	if r.pos < len(r.s) && r.s[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

func (r *jsonReader) digits() bool {
	from := r.pos
	for r.pos < len(r.s) && '0' <= r.s[r.pos] && r.s[r.pos] <= '9' {
		r.pos++
	}
	return r.pos > from
}

func (r *jsonReader) number() (string, error) {
	from := r.pos
	r.take('-')
	if r.take('0') {
		if r.pos < len(r.s) && '0' <= r.s[r.pos] && r.s[r.pos] <= '9' {
			return "", r.fail("number with a leading zero")
		}
	} else if !r.digits() {
		return "", r.fail("malformed number")
	}
	if r.take('.') && !r.digits() {
		return "", r.fail("malformed number")
	}
	if r.take('e') || r.take('E') {
		if !r.take('+') {
			r.take('-')
		}
		if !r.digits() {
			return "", r.fail("malformed number")
		}
	}
	return r.s[from:r.pos], nil
}

func (r *jsonReader) str() (string, error) {
	r.pos++
	from := r.pos
	for r.pos < len(r.s) {
		switch c := r.s[r.pos]; {
		case c == '"':
			r.pos++
			return r.s[from : r.pos-1], nil
		case c == '\\':
			return r.escaped(from)
		case c < 0x20:
			return "", r.fail("control character in a string")
		default:
			r.pos++
		}
	}
	return "", r.fail("unclosed string")
}

// escaped goes on with a string in which the first backslash has been found.
func (r *jsonReader) escaped(from int) (string, error) {
	var b strings.Builder
	b.WriteString(r.s[from:r.pos])
	for r.pos < len(r.s) {
		c := r.s[r.pos]
		switch {
		case c == '"':
			r.pos++
			return b.String(), nil
		case c < 0x20:
			return "", r.fail("control character in a string")
		case c != '\\':
			b.WriteByte(c)
			r.pos++
			continue
		}
		x, err := r.escape()
		if err != nil {
			return "", err
		}
		b.WriteRune(x)
	}
	return "", r.fail("unclosed string")
}

func (r *jsonReader) escape() (rune, error) {
	if r.pos+1 >= len(r.s) {
		return 0, r.fail("unclosed string")
	}
	c := r.s[r.pos+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		r.pos += 2
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, r.fail("unknown escape")
	}
	x, err := r.hex4()
	if err != nil || !utf16.IsSurrogate(x) {
		return x, err
	}
	if !strings.HasPrefix(r.s[r.pos:], `\u`) {
		return 0, r.fail("half of a surrogate pair")
	}
	y, err := r.hex4()
	if err != nil {
		return 0, err
	}
	if z := utf16.DecodeRune(x, y); z != utf8.RuneError {
		return z, nil
	}
	return 0, r.fail("half of a surrogate pair")
}

func (r *jsonReader) hex4() (rune, error) {
	if r.pos+6 > len(r.s) {
		return 0, r.fail("unclosed string")
	}
	v, err := strconv.ParseUint(r.s[r.pos+2:r.pos+6], 16, 16)
	if err != nil {
		return 0, r.fail("malformed \\u escape")
	}
	r.pos += 6
	return rune(v), nil
}
