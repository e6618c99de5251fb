package xmlgate

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// xmlNS is bound to the prefix xml everywhere.
const (
	xmlNS   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNS = "http://www.w3.org/2000/xmlns/"
)

// Elem is one element of a [Doc]. The zero value is no element.
type Elem struct {
	d *Doc
	i int32
}

// Root returns the document element.
func (d *Doc) Root() Elem { return Elem{d, 0} }

// Elements returns how many elements the document has.
func (d *Doc) Elements() int { return int(d.elems.n) }

// DuplicateID reports whether two elements have an attribute ID in no namespace with the same value. Who verifies signatures
// refuses such a document; what to call it depends on what it was meant to be.
func (d *Doc) DuplicateID() bool { return d.duplicate }

// IDs returns the values of all attributes named ID, in any case and any namespace, with their elements: what some other
// program could take for an identifier.
func (d *Doc) IDs() iter.Seq2[string, Elem] {
	return func(yield func(string, Elem) bool) {
		for a, e := range d.idAttrs() {
			if !yield(d.value(d.attrs.at(a)), Elem{d, e}) {
				return
			}
		}
	}
}

func (e Elem) x() *elem { return e.d.elems.at(e.i) }

// IsZero reports whether e is no element.
func (e Elem) IsZero() bool { return e.d == nil }

// Doc returns the document of e.
func (e Elem) Doc() *Doc { return e.d }

// Local returns the local name.
func (e Elem) Local() string {
	x := e.x()
	start := x.open + 1
	if p := x.name.prefix(); p > 0 {
		start += p + 1
	}
	return e.d.src[start : start+x.name.local()]
}

// Prefix returns the prefix as written.
func (e Elem) Prefix() string {
	x := e.x()
	return e.d.src[x.open+1 : x.open+1+x.name.prefix()]
}

// Space returns the namespace name, empty for none.
func (e Elem) Space() string { return e.d.bindings[e.x().binding].uri }

// Is reports whether e has this expanded name.
func (e Elem) Is(space, local string) bool {
	return e.d != nil && e.Local() == local && e.Space() == space
}

// Parent returns the enclosing element, or the zero Elem for the root.
func (e Elem) Parent() Elem {
	if p := e.x().parent; p >= 0 {
		return Elem{e.d, p}
	}
	return Elem{}
}

// First returns the first child element, or the zero Elem.
func (e Elem) First() Elem {
	if c := e.i + 1; c < e.x().after {
		return Elem{e.d, c}
	}
	return Elem{}
}

// Next returns the next sibling element, or the zero Elem.
func (e Elem) Next() Elem {
	x := e.x()
	if x.after < e.d.elems.n && e.d.elems.at(x.after).parent == x.parent {
		return Elem{e.d, x.after}
	}
	return Elem{}
}

// Children yields the child elements in document order.
func (e Elem) Children() iter.Seq[Elem] {
	return func(yield func(Elem) bool) {
		for c, after := e.i+1, e.x().after; c < after; c = e.d.elems.at(c).after {
			if !yield(Elem{e.d, c}) {
				return
			}
		}
	}
}

// Child returns the first child element of that name, and whether there is one.
func (e Elem) Child(space, local string) (Elem, bool) {
	c, n := e.Only(space, local)
	return c, n > 0
}

// Only returns the first child element of that name and how many there are.
func (e Elem) Only(space, local string) (first Elem, n int) {
	for c, after := e.i+1, e.x().after; c < after; c = e.d.elems.at(c).after {
		if el := (Elem{e.d, c}); el.Is(space, local) {
			if n == 0 {
				first = el
			}
			n++
		}
	}
	return first, n
}

// Descendants yields e and every element below it in document order.
func (e Elem) Descendants() iter.Seq[Elem] {
	return func(yield func(Elem) bool) {
		for i, after := e.i, e.x().after; i < after; i++ {
			if !yield(Elem{e.d, i}) {
				return
			}
		}
	}
}

// HasComment reports whether a comment stands directly inside e.
func (e Elem) HasComment() bool { return e.x().name&flagComment != 0 }

// Blank reports whether e has no text of its own besides white space.
func (e Elem) Blank() bool { return e.x().name&flagText == 0 }

// Text returns the text of e, CDATA sections and what stands around comments joined; ok is false when an element stands inside.
func (e Elem) Text() (text string, ok bool) {
	x := e.x()
	if e.i+1 < x.after {
		return "", false
	}
	raw := e.d.src[x.content:x.close]
	if x.name&flagMarkup == 0 {
		return raw, true
	}
	size := len(raw)
	if size > 4096 {
		size /= 4 // references may stand for a quarter of their length
	}
	return string(AppendText(make([]byte, 0, size), raw)), true
}

// Raw returns the element as received (after normalisation of line ends).
func (e Elem) Raw() string {
	x := e.x()
	return e.d.src[x.open:e.d.end(x)]
}

// Attr is one attribute that is no namespace declaration.
type Attr struct {
	Space, Prefix, Local, Value string
}

// Attr returns the value of the attribute with that name in no namespace.
func (e Elem) Attr(local string) (string, bool) { return e.AttrNS("", local) }

// AttrNS returns the value of the attribute with that expanded name.
func (e Elem) AttrNS(space, local string) (string, bool) {
	d := e.d
	for i, end := e.x().attr, d.attrsEnd(e.i); i < end; i++ {
		a := d.attrs.at(i)
		if int(a.info.local()) == len(local) && d.attrLocal(a) == local && d.bindings[a.info.binding()].uri == space {
			return d.value(a), true
		}
	}
	return "", false
}

// Attrs yields the attributes in document order.
func (e Elem) Attrs() iter.Seq[Attr] {
	return func(yield func(Attr) bool) {
		d := e.d
		for i, end := e.x().attr, d.attrsEnd(e.i); i < end; i++ {
			a := d.attrs.at(i)
			b := &d.bindings[a.info.binding()]
			if !yield(Attr{b.uri, d.prefixes[b.prefix], d.attrLocal(a), d.value(a)}) {
				return
			}
		}
	}
}

// LookupNS returns what prefix ("" = the default namespace) means at e; "" when it means nothing.
func (e Elem) LookupNS(prefix string) string {
	d := e.d
	id := int32(slices.Index(d.prefixes, prefix)) //nolint:gosec // prefixes are few
	switch id {
	case -1:
		return ""
	case prefixXML:
		return xmlNS
	}
	for i := e.i; ; i = d.elems.at(i).parent {
		for b, to := d.declsOf(i); b < to; b++ {
			if at := &d.bindings[d.decls.at(b).binding]; at.prefix == id {
				return at.uri
			}
		}
		if i < 0 {
			return ""
		}
	}
}

// decodeValue resolves references and turns literal white space into blanks (XML 1.0, section 3.3.3).
func decodeValue(raw string) string {
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '&':
			r, next := reference(raw, i)
			b, i = utf8.AppendRune(b, r), next
		case isSpace(c):
			b, i = append(b, ' '), i+1
		default:
			b, i = append(b, c), i+1
		}
	}
	return string(b)
}

const (
	commentOpen  = "<!--"
	commentClose = "-->"
	cdataOpen    = "<![CDATA["
	cdataClose   = "]]>"
)

// special returns the position of the first < or & in s, or -1.
func special(s string) int {
	for i := range len(s) {
		if s[i] == '<' || s[i] == '&' {
			return i
		}
	}
	return -1
}

// AppendText appends the text that raw, a piece of checked content without elements, stands for.
func AppendText(b []byte, raw string) []byte {
	for len(raw) > 0 {
		i := special(raw)
		if i < 0 {
			return append(b, raw...)
		}
		b, raw = append(b, raw[:i]...), raw[i:]
		switch {
		case raw[0] == '&':
			r, next := reference(raw, 0)
			b, raw = utf8.AppendRune(b, r), raw[next:]
		case strings.HasPrefix(raw, commentOpen):
			raw = raw[4+strings.Index(raw[4:], commentClose)+len(commentClose):]
		default: // nothing but a CDATA section passed the gate
			end := len(cdataOpen) + strings.Index(raw[len(cdataOpen):], cdataClose)
			b, raw = append(b, raw[len(cdataOpen):end]...), raw[end+len(cdataClose):]
		}
	}
	return b
}
