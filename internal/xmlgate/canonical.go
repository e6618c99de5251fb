package xmlgate

import (
	"errors"
	"slices"
	"strings"
)

// Canonicalization says how [Elem.Canonical] writes an element. The zero value is inclusive Canonical XML 1.0 without comments.
type Canonicalization struct {
	Exclusive bool     // Exclusive XML Canonicalization 1.0
	Prefixes  []string // its InclusiveNamespaces PrefixList, with "#default" for the default namespace
	Version11 bool     // inclusive: Canonical XML 1.1 instead of 1.0
	Comments  bool     // keep comments
	Omit      Elem     // this element and what it holds is left out (the enveloped signature)
}

// Errors of [Elem.Canonical].
var (
	// ErrRelativeNamespace is returned for a document that anywhere declares a namespace name that is no absolute URI
	// (Canonical XML 1.0, section 1.3).
	ErrRelativeNamespace = errors.New("xmlgate: relative namespace name")
	// ErrGrowth is returned when the canonical form is far larger than the document: few bytes can declare what many elements must repeat.
	ErrGrowth = errors.New("xmlgate: canonical form is too large")
	// ErrXMLBase is returned for an inherited xml:base under Canonical XML 1.1, whose joining of paths is not implemented.
	ErrXMLBase = errors.New("xmlgate: inherited xml:base")
)

// maxDeclared bounds the declarations that a canonical form repeats, in lengths of the document. The worst honest shape, an
// unlisted xsi prefix on every attribute value, stays below one.
const maxDeclared = 2

// canon writes one canonical form.
type canon struct {
	d        *Doc
	opt      *Canonicalization
	out      []byte
	declared int // bytes of declarations that may still be written
	omit     int32
	rendered []int32 // by prefix: the binding last written by an ancestor, -1 for none
	listed   []bool  // by prefix: handled as in inclusive canonicalisation
	undo     []undo
	need     []int32 // bindings to write in the tag at hand
	order    []int32 // attributes of the tag at hand
}

type undo struct{ prefix, binding int32 }

// Canonical appends the canonical form of e and what it holds to dst.
func (e Elem) Canonical(dst []byte, opt Canonicalization) ([]byte, error) {
	if e.d.relative {
		return nil, ErrRelativeNamespace
	}
	c := e.canon(dst, &opt)
	if err := c.element(e.i, true); err != nil {
		return nil, err
	}
	return c.out, nil
}

// CanonicalContent appends the exclusive canonical form of what e holds, each child for itself, to dst.
func (e Elem) CanonicalContent(dst []byte) ([]byte, error) {
	if e.d.relative {
		return nil, ErrRelativeNamespace
	}
	c := e.canon(dst, &Canonicalization{Exclusive: true})
	if err := c.content(e.x()); err != nil {
		return nil, err
	}
	return c.out, nil
}

func (e Elem) canon(dst []byte, opt *Canonicalization) *canon {
	c := &canon{d: e.d, opt: opt, out: dst, omit: -1, declared: maxDeclared*len(e.d.src) + 64<<10}
	if opt.Omit.d == e.d {
		c.omit = opt.Omit.i
	}
	scratch := make([]int32, len(e.d.prefixes)+24)
	c.rendered, c.need, c.order = scratch[:len(e.d.prefixes)], scratch[len(e.d.prefixes):len(e.d.prefixes):len(e.d.prefixes)+8], scratch[len(e.d.prefixes)+8:len(e.d.prefixes)+8]
	for i := range c.rendered {
		c.rendered[i] = -1
	}
	c.rendered[prefixNone] = bindNone
	c.undo = make([]undo, 0, 16)
	c.list()
	return c
}

// list marks the prefixes of the PrefixList; one that the document does not know has nothing to render.
func (c *canon) list() {
	if !c.opt.Exclusive || len(c.opt.Prefixes) == 0 {
		return
	}
	c.listed = make([]bool, len(c.d.prefixes))
	for _, p := range c.opt.Prefixes {
		if p == "#default" {
			p = ""
		}
		for i, known := range c.d.prefixes {
			if known == p {
				c.listed[i] = true
			}
		}
	}
}

func (c *canon) element(i int32, apex bool) error {
	d := c.d
	x := &d.elems[i]
	mark := len(c.undo)
	name := d.src[x.name : x.name+x.nameLen()]
	c.out = append(c.out, '<')
	c.out = append(c.out, name...)
	if err := c.namespaces(i, apex); err != nil {
		return err
	}
	if err := c.attributes(i, apex); err != nil {
		return err
	}
	c.out = append(c.out, '>')
	if err := c.content(x); err != nil {
		return err
	}
	c.out = append(c.out, '<', '/')
	c.out = append(c.out, name...)
	c.out = append(c.out, '>')
	for n := len(c.undo) - 1; n >= mark; n-- {
		c.rendered[c.undo[n].prefix] = c.undo[n].binding
	}
	c.undo = c.undo[:mark]
	return nil
}

// content writes what stands between the tags of x.
func (c *canon) content(x *elem) error {
	d := c.d
	at := x.content
	for k := x.first; k >= 0; k = d.elems[k].next {
		child := &d.elems[k]
		c.text(x, d.src[at:child.open])
		if k != c.omit {
			if err := c.element(k, false); err != nil {
				return err
			}
		}
		at = child.end
	}
	c.text(x, d.src[at:x.close])
	return nil
}

func (x *elem) nameLen() int32 {
	if x.prefixLen == 0 {
		return int32(x.localLen)
	}
	return int32(x.prefixLen) + 1 + int32(x.localLen)
}

// namespaces writes the declarations that the element needs, sorted by prefix.
func (c *canon) namespaces(i int32, apex bool) error {
	d, x := c.d, &c.d.elems[i]
	c.need = c.need[:0]
	if !c.opt.Exclusive || c.listed != nil {
		c.inherited(i, apex)
	}
	if c.opt.Exclusive {
		c.use(x.prefix, x.binding)
		for a := x.attr; a < x.attr+int32(x.nattr); a++ {
			if p := d.attrs[a].prefix; p != prefixNone {
				c.use(p, d.attrs[a].binding)
			}
		}
	}
	sortInts(c.need, func(a, b int32) bool { return d.prefixes[d.bindings[a].prefix] < d.prefixes[d.bindings[b].prefix] })
	for _, b := range c.need {
		size := len(d.bindings[b].uri) + len(d.prefixes[d.bindings[b].prefix]) + len(` xmlns:=""`)
		if c.declared -= size; c.declared < 0 {
			return ErrGrowth
		}
		c.room(size)
		c.out = append(c.out, " xmlns"...)
		if p := d.prefixes[d.bindings[b].prefix]; p != "" {
			c.out = append(append(c.out, ':'), p...)
		}
		c.out = append(c.out, '=', '"')
		c.out = appendValue(c.out, d.bindings[b].uri)
		c.out = append(c.out, '"')
	}
	return nil
}

// room makes the buffer twice as large when n more bytes do not fit: append alone grows large slices in small steps.
func (c *canon) room(n int) {
	if cap(c.out)-len(c.out) < n {
		c.out = slices.Grow(c.out, max(n, len(c.out)))
	}
}

// inherited handles declarations as inclusive canonicalisation does: all of them, or those of the listed prefixes.
func (c *canon) inherited(i int32, apex bool) {
	d, x := c.d, &c.d.elems[i]
	take := func(b int32) {
		if c.listed == nil || c.listed[d.bindings[b].prefix] {
			c.use(d.bindings[b].prefix, b)
		}
	}
	if !apex {
		for b := x.decl; b < x.decl+int32(x.ndecl); b++ {
			take(b)
		}
		return
	}
	seen := make([]bool, len(d.prefixes))
	nearest := func(from, to int32) {
		for b := to - 1; b >= from; b-- {
			if p := d.bindings[b].prefix; !seen[p] {
				seen[p] = true
				take(b)
			}
		}
	}
	for n := i; n >= 0; n = d.elems[n].parent {
		nearest(d.elems[n].decl, d.elems[n].decl+int32(d.elems[n].ndecl))
	}
	nearest(bindXML+1, d.base)
}

// use notes that binding b of prefix must be in force, and be written unless an ancestor wrote the same.
func (c *canon) use(prefix, b int32) {
	if prefix == prefixXML {
		return
	}
	r := c.rendered[prefix]
	if r == b || r >= 0 && c.d.bindings[r].uri == c.d.bindings[b].uri {
		return
	}
	c.undo = append(c.undo, undo{prefix, r})
	c.rendered[prefix] = b
	c.need = append(c.need, b)
}

// attributes writes the attributes, those without a namespace first, then by namespace and local name.
func (c *canon) attributes(i int32, apex bool) error {
	d, x := c.d, &c.d.elems[i]
	c.order = c.order[:0]
	for a := x.attr; a < x.attr+int32(x.nattr); a++ {
		c.order = append(c.order, a)
	}
	if apex && !c.opt.Exclusive {
		if err := c.xmlAttributes(i); err != nil {
			return err
		}
	}
	sortInts(c.order, func(m, n int32) bool {
		a, b := &d.attrs[m], &d.attrs[n]
		if a.binding != b.binding {
			if u, v := d.bindings[a.binding].uri, d.bindings[b.binding].uri; u != v {
				return a.prefix == prefixNone || b.prefix != prefixNone && u < v
			}
		}
		return d.local(a.name, a.prefixLen, a.localLen) < d.local(b.name, b.prefixLen, b.localLen)
	})
	for _, n := range c.order {
		a := &d.attrs[n]
		size := int32(a.localLen)
		if a.prefixLen > 0 {
			size += int32(a.prefixLen) + 1
		}
		c.out = append(append(append(c.out, ' '), d.src[a.name:a.name+size]...), '=', '"')
		c.out = appendValue(c.out, d.value(a))
		c.out = append(c.out, '"')
	}
	return nil
}

// xmlAttributes adds the xml: attributes that the apex inherits (Canonical XML 1.0, section 2.4; 1.1, section 2.4).
func (c *canon) xmlAttributes(i int32) error {
	d := c.d
	has := func(a *attr) bool {
		for _, n := range c.order {
			if d.attrs[n].prefix == prefixXML && d.compareNames(&d.attrs[n], a) == 0 {
				return true
			}
		}
		return false
	}
	for n := d.elems[i].parent; n >= 0; n = d.elems[n].parent {
		x := &d.elems[n]
		for k := x.attr; k < x.attr+int32(x.nattr); k++ {
			a := &d.attrs[k]
			if a.prefix != prefixXML || has(a) {
				continue
			}
			if c.opt.Version11 {
				switch d.local(a.name, a.prefixLen, a.localLen) {
				case "id":
					continue
				case "base":
					return ErrXMLBase
				}
			}
			c.order = append(c.order, k)
		}
	}
	return nil
}

// text writes the piece raw of x's content, escaped.
func (c *canon) text(x *elem, raw string) {
	if raw == "" {
		return
	}
	c.room(len(raw))
	if !x.markup {
		c.out = appendEscaped(c.out, raw)
		return
	}
	for raw != "" {
		i := special(raw)
		if i < 0 {
			c.out = appendEscaped(c.out, raw)
			return
		}
		c.out = appendEscaped(c.out, raw[:i])
		raw = raw[i:]
		switch {
		case raw[0] == '&':
			r, next := reference(raw, 0)
			c.out = appendRune(c.out, r)
			raw = raw[next:]
		case strings.HasPrefix(raw, commentOpen):
			end := 4 + strings.Index(raw[4:], commentClose) + len(commentClose)
			if c.opt.Comments {
				c.out = append(c.out, raw[:end]...)
			}
			raw = raw[end:]
		default: // a CDATA section
			end := strings.Index(raw, cdataClose)
			c.out = appendEscaped(c.out, raw[len(cdataOpen):end])
			raw = raw[end+len(cdataClose):]
		}
	}
}
