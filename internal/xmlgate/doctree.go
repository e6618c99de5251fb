package xmlgate

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// xmlNS is bound to the prefix xml everywhere.
const (
	xmlNS   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNS = "http://www.w3.org/2000/xmlns/"
)

// Doc is a document that passed the gate. It is immutable and safe for concurrent use.
type Doc struct {
	src       string
	elems     []elem
	attrs     []attr
	bindings  []binding
	prefixes  []string
	base      int32 // bindings before the root: none and xml, and those of the place of a decrypted element
	ids       []int32
	duplicate bool // two elements have the same ID
	relative  bool // some namespace name is neither empty nor absolute: Canonical XML 1.0, section 1.3, has no answer for these
}

// elem holds positions in the text only; 64 bytes.
type elem struct {
	parent, first, next        int32
	open, content, close, end  int32 // '<' of the start tag, after its '>', '<' of the end tag, after its '>'
	name                       int32
	attr, decl                 int32
	binding, prefix            int32
	prefixLen, localLen        uint16
	nattr, ndecl               uint16
	markup, comment, dirtyText bool // text needs decoding; a comment stands directly inside; there is text besides white space
}

type attr struct {
	name, value         int32
	valueLen            int32
	binding, prefix     int32
	prefixLen, localLen uint16
	decode              bool
}

// binding is one namespace declaration.
type binding struct {
	uri    string
	prefix int32
	prev   int32 // what the prefix meant outside
}

// Elem is one element of a [Doc]. The zero value is no element.
type Elem struct {
	d *Doc
	i int32
}

// Root returns the document element.
func (d *Doc) Root() Elem { return Elem{d, 0} }

// Elements returns how many elements the document has.
func (d *Doc) Elements() int { return len(d.elems) }

// DuplicateID reports whether two elements have an attribute ID in no namespace with the same value. Who verifies signatures
// refuses such a document; what to call it depends on what it was meant to be.
func (d *Doc) DuplicateID() bool { return d.duplicate }

// IDs returns the values of all attributes named ID, in any case and any namespace, with their elements: what some other
// program could take for an identifier.
func (d *Doc) IDs() iter.Seq2[string, Elem] {
	return func(yield func(string, Elem) bool) {
		for _, e := range d.ids {
			el := Elem{d, e}
			x := &d.elems[e]
			for a := x.attr; a < x.attr+int32(x.nattr); a++ {
				if d.idLike(&d.attrs[a]) && !yield(d.value(&d.attrs[a]), el) {
					return
				}
			}
		}
	}
}

func (d *Doc) idLike(a *attr) bool {
	if a.localLen != 2 {
		return false
	}
	l := d.src[a.name+int32(a.prefixLen) : a.name+int32(a.prefixLen)+3]
	if a.prefixLen > 0 {
		l = l[1:]
	}
	return l[0]|0x20 == 'i' && l[1]|0x20 == 'd'
}

func (e Elem) x() *elem { return &e.d.elems[e.i] }

// IsZero reports whether e is no element.
func (e Elem) IsZero() bool { return e.d == nil }

// Doc returns the document of e.
func (e Elem) Doc() *Doc { return e.d }

// Local returns the local name.
func (e Elem) Local() string {
	x := e.x()
	return e.d.local(x.name, x.prefixLen, x.localLen)
}

// Prefix returns the prefix as written.
func (e Elem) Prefix() string {
	x := e.x()
	return e.d.src[x.name : x.name+int32(x.prefixLen)]
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
	if c := e.x().first; c >= 0 {
		return Elem{e.d, c}
	}
	return Elem{}
}

// Next returns the next sibling element, or the zero Elem.
func (e Elem) Next() Elem {
	if c := e.x().next; c >= 0 {
		return Elem{e.d, c}
	}
	return Elem{}
}

// Children yields the child elements in document order.
func (e Elem) Children() iter.Seq[Elem] {
	return func(yield func(Elem) bool) {
		for c := e.x().first; c >= 0; c = e.d.elems[c].next {
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
	for c := e.x().first; c >= 0; c = e.d.elems[c].next {
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
		end := e.x().end
		for i := e.i; int(i) < len(e.d.elems) && e.d.elems[i].open < end; i++ {
			if !yield(Elem{e.d, i}) {
				return
			}
		}
	}
}

// HasComment reports whether a comment stands directly inside e.
func (e Elem) HasComment() bool { return e.x().comment }

// Blank reports whether e has no text of its own besides white space.
func (e Elem) Blank() bool { return !e.x().dirtyText }

// Text returns the text of e, CDATA sections and what stands around comments joined; ok is false when an element stands inside.
func (e Elem) Text() (text string, ok bool) {
	x := e.x()
	if x.first >= 0 {
		return "", false
	}
	raw := e.d.src[x.content:x.close]
	if !x.markup {
		return raw, true
	}
	size := len(raw)
	if size > 4096 {
		size /= 4 // references may stand for a quarter of their length
	}
	return string(AppendText(make([]byte, 0, size), raw)), true
}

// Raw returns the element as received (after normalisation of line ends).
func (e Elem) Raw() string { return e.d.src[e.x().open:e.x().end] }

// Attr is one attribute that is no namespace declaration.
type Attr struct {
	Space, Prefix, Local, Value string
}

// Attr returns the value of the attribute with that name in no namespace.
func (e Elem) Attr(local string) (string, bool) { return e.AttrNS("", local) }

// AttrNS returns the value of the attribute with that expanded name.
func (e Elem) AttrNS(space, local string) (string, bool) {
	x := e.x()
	for i := x.attr; i < x.attr+int32(x.nattr); i++ {
		a := &e.d.attrs[i]
		if int(a.localLen) == len(local) && e.d.local(a.name, a.prefixLen, a.localLen) == local && e.d.bindings[a.binding].uri == space {
			return e.d.value(a), true
		}
	}
	return "", false
}

// Attrs yields the attributes in document order.
func (e Elem) Attrs() iter.Seq[Attr] {
	return func(yield func(Attr) bool) {
		x := e.x()
		for i := x.attr; i < x.attr+int32(x.nattr); i++ {
			a := &e.d.attrs[i]
			if !yield(Attr{e.d.bindings[a.binding].uri, e.d.prefixes[a.prefix], e.d.local(a.name, a.prefixLen, a.localLen), e.d.value(a)}) {
				return
			}
		}
	}
}

// LookupNS returns what prefix ("" = the default namespace) means at e; "" when it means nothing.
func (e Elem) LookupNS(prefix string) string {
	id := int32(-1)
	for i, p := range e.d.prefixes {
		if p == prefix {
			id = int32(i)
			break
		}
	}
	if id < 0 {
		return ""
	}
	for i := e.i; i >= 0; i = e.d.elems[i].parent {
		x := &e.d.elems[i]
		for b := x.decl; b < x.decl+int32(x.ndecl); b++ {
			if e.d.bindings[b].prefix == id {
				return e.d.bindings[b].uri
			}
		}
	}
	for b := e.d.base - 1; b >= 0; b-- {
		if e.d.bindings[b].prefix == id {
			return e.d.bindings[b].uri
		}
	}
	return ""
}

// i32 narrows a position: documents are below 1 GiB.
func i32(n int) int32 { return int32(n) } //nolint:gosec // see above

func (d *Doc) local(name int32, prefixLen, localLen uint16) string {
	if prefixLen > 0 {
		name += int32(prefixLen) + 1
	}
	return d.src[name : name+int32(localLen)]
}

func (d *Doc) value(a *attr) string {
	raw := d.src[a.value : a.value+a.valueLen]
	if !a.decode {
		return raw
	}
	return decodeValue(raw)
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
