package xmlgate

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"
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

// maxGrowth bounds a canonical form, in lengths of the document: few bytes can declare what many elements must repeat, and one bare
// character can stand for five. The worst honest shape, an unlisted xsi prefix on every attribute value, stays below two.
const (
	maxGrowth = 2
	freeBytes = 64 << 10
)

// undo is what a declaration of owner shadows.
type undo struct{ owner, prefix, binding int32 }

// canon writes one canonical form.
type canon struct {
	d        *Doc
	opt      Canonicalization
	out      []byte
	sink     io.Writer // takes what does not fit into out, then nothing is kept; without it out grows
	sunk     int       // bytes that went there
	limit    int       // bytes that may still be written beyond the capacity of out
	full     bool      // the limit was reached
	omit     int32
	rendered []int32 // by prefix: the binding last written by an ancestor, -1 for none
	listed   []bool  // by prefix: handled as in inclusive canonicalisation
	from, to int32   // a piece of the text that is written as it is, but later: neighbours go together
	undo     []undo
	need     []int32 // bindings to write in the tag at hand
	order    []int32 // attributes of the tag at hand
	spare    []byte  // for [Elem.CanonicalContent]
}

// Canonical appends the canonical form of e and what it holds to dst.
func (e Elem) Canonical(dst []byte, opt Canonicalization) ([]byte, error) {
	if e.d.relative {
		return nil, ErrRelativeNamespace
	}
	c := e.canon(dst, &opt)
	defer c.done()
	if err := c.element(e.i, true); err != nil {
		return nil, err
	}
	if c.flush(); c.full {
		return nil, ErrGrowth
	}
	return c.out, nil
}

// CanonicalTo writes the canonical form of e and what it holds to w, which must not fail, and returns how long it is. When the form
// fits into the capacity of buf it is also returned: what is larger can be had from [Elem.Canonical] once w knows that it is wanted.
func (e Elem) CanonicalTo(w io.Writer, buf []byte, opt Canonicalization) (form []byte, size int, err error) {
	if e.d.relative {
		return nil, 0, ErrRelativeNamespace
	}
	c := e.canon(slices.Grow(buf[:0], utf8.UTFMax), &opt)
	defer c.done()
	c.sink = w
	if err := c.element(e.i, true); err != nil {
		return nil, 0, err
	}
	if c.flush(); c.full {
		return nil, 0, ErrGrowth
	}
	_, _ = w.Write(c.out)
	if c.sunk > 0 {
		return nil, c.sunk + len(c.out), nil
	}
	return c.out, len(c.out), nil
}

// CanonicalContent returns the exclusive canonical form of what e holds, each child for itself.
func (e Elem) CanonicalContent() (string, error) {
	if e.d.relative {
		return "", ErrRelativeNamespace
	}
	c := e.canon(nil, &Canonicalization{Exclusive: true})
	defer c.done()
	c.out = c.spare[:0]
	if err := c.content(e.i, e.x()); err != nil {
		return "", err
	}
	if c.flush(); c.full {
		return "", ErrGrowth
	}
	if cap(c.out) <= maxSpare {
		c.spare = c.out
	}
	return string(c.out), nil
}

// maxSpare is the largest buffer that is kept for the next value.
const maxSpare = 64 << 10

// canons keeps the small tables of canonical forms: a message with many structured values makes one for each.
var canons = sync.Pool{New: func() any { return new(canon) }} //nolint:gochecknoglobals // scratch memory, nothing of a message stays in it

func (e Elem) canon(dst []byte, opt *Canonicalization) *canon {
	c := canons.Get().(*canon) //nolint:forcetypeassert // nothing else is put there
	*c = canon{
		d: e.d, opt: *opt, out: dst, omit: -1, limit: maxGrowth*len(e.d.src) + freeBytes,
		rendered: c.rendered[:0], undo: c.undo[:0], need: c.need[:0], order: c.order[:0], spare: c.spare,
	}
	if opt.Omit.d == e.d {
		c.omit = opt.Omit.i
	}
	for range e.d.prefixes {
		c.rendered = append(c.rendered, -1)
	}
	c.rendered[prefixNone] = bindNone
	c.list()
	return c
}

// done gives the tables back, without what they were used for.
func (c *canon) done() {
	*c = canon{rendered: c.rendered, undo: c.undo, need: c.need, order: c.order, spare: c.spare}
	canons.Put(c)
}

// copy writes a piece of the text as it is.
func (c *canon) copy(from, to int32) {
	if from != c.to {
		c.flush()
		c.from = from
	}
	c.to = to
}

// flush writes what copy put off.
func (c *canon) flush() {
	if c.from < c.to {
		s := c.d.src[c.from:c.to]
		c.from, c.to = 0, 0
		c.put(s)
	}
}

// put writes s.
func (c *canon) put(s string) {
	if c.from < c.to {
		c.flush()
	}
	if len(s) <= cap(c.out)-len(c.out) || c.room(len(s)) {
		c.out = append(c.out, s...)
		return
	}
	if !c.full { // too large for the buffer
		_, _ = c.sink.Write(unsafe.Slice(unsafe.StringData(s), len(s))) //nolint:gosec // a writer does not change what it gets
		c.sunk += len(s)
	}
}

// room makes place for n more bytes, by passing on what there is or by doubling (append alone grows large slices in small steps), and
// reports whether there is place now.
func (c *canon) room(n int) bool {
	switch {
	case c.full || len(c.out)+c.sunk+n > c.limit:
		c.full, c.out = true, c.out[:0]
		return false
	case c.sink == nil:
		c.out = slices.Grow(c.out, max(n, len(c.out)))
		return true
	}
	_, _ = c.sink.Write(c.out)
	c.sunk += len(c.out)
	c.out = c.out[:0]
	return n <= cap(c.out)
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
	x := d.elems.at(i)
	mark := len(c.undo)
	name := d.src[x.open+1 : x.open+1+x.nameLen()]
	c.needed(i, x, apex)
	if x.name&flagExact != 0 && len(c.need) == 0 && (c.opt.Exclusive || !apex) { // an inclusive apex inherits attributes
		c.copy(x.open, x.content)
	} else {
		c.put("<")
		c.put(name)
		c.namespaces()
		if err := c.attributes(i, x, apex); err != nil {
			return err
		}
		c.put(">")
	}
	if err := c.content(i, x); err != nil {
		return err
	}
	if end := x.close + 2 + i32(len(name)); d.end(x) == end+1 { // not of an empty-element tag, and without white space
		c.copy(x.close, end+1)
	} else {
		c.put("</")
		c.put(name)
		c.put(">")
	}
	for n := len(c.undo) - 1; n >= mark; n-- {
		c.rendered[c.undo[n].prefix] = c.undo[n].binding
	}
	c.undo = c.undo[:mark]
	if c.full {
		return ErrGrowth
	}
	return nil
}

// content writes what stands between the tags of x.
func (c *canon) content(i int32, x *elem) error {
	d := c.d
	at := x.content
	for k := i + 1; k < x.after; {
		child := d.elems.at(k)
		c.text(x, at, child.open)
		if k != c.omit {
			if err := c.element(k, false); err != nil {
				return err
			}
		}
		at = d.end(child)
		k = child.after
	}
	c.text(x, at, x.close)
	return nil
}

// needed finds the declarations that the element needs.
func (c *canon) needed(i int32, x *elem, apex bool) {
	d := c.d
	c.need = c.need[:0]
	if !c.opt.Exclusive || c.listed != nil {
		c.inherited(i, apex)
	}
	if c.opt.Exclusive {
		c.use(x.binding)
		for a, end := x.attr, d.attrsEnd(i); a < end; a++ {
			if b := d.attrs.at(a).info.binding(); b != bindNone {
				c.use(b)
			}
		}
	}
}

// namespaces writes these declarations, sorted by prefix.
func (c *canon) namespaces() {
	d := c.d
	if len(c.need) > 1 {
		sortInts(c.need, func(a, b int32) bool { return d.prefixes[d.bindings[a].prefix] < d.prefixes[d.bindings[b].prefix] })
	}
	for _, b := range c.need {
		if p := d.prefixes[d.bindings[b].prefix]; p != "" {
			c.put(" xmlns:")
			c.put(p)
			c.put(`="`)
		} else {
			c.put(` xmlns="`)
		}
		c.value(d.bindings[b].uri, false)
		c.put(`"`)
	}
}

// inherited handles declarations as inclusive canonicalisation does: all of them, or those of the listed prefixes.
func (c *canon) inherited(i int32, apex bool) {
	d := c.d
	take := func(b int32) {
		if c.listed == nil || c.listed[d.bindings[b].prefix] {
			c.use(b)
		}
	}
	if !apex {
		for n, to := d.declsOf(i); n < to; n++ {
			take(d.decls.at(n).binding)
		}
		return
	}
	seen := make([]bool, len(d.prefixes))
	for ; ; i = d.elems.at(i).parent {
		for n, to := d.declsOf(i); n < to; n++ {
			b := d.decls.at(n).binding
			if p := d.bindings[b].prefix; !seen[p] {
				seen[p] = true
				take(b)
			}
		}
		if i < 0 {
			return
		}
	}
}

// use notes that binding b must be in force, and be written unless an ancestor wrote it.
func (c *canon) use(b int32) {
	prefix := c.d.bindings[b].prefix
	if r := c.rendered[prefix]; prefix != prefixXML && r != b {
		c.undo = append(c.undo, undo{prefix: prefix, binding: r})
		c.rendered[prefix] = b
		c.need = append(c.need, b)
	}
}

// text writes a piece of x's content, escaped.
func (c *canon) text(x *elem, from, to int32) {
	if from == to {
		return
	}
	raw := c.d.src[from:to]
	if x.name&flagMarkup == 0 {
		if strings.IndexByte(raw, '>') < 0 { // nothing else may stand bare and be written otherwise
			c.copy(from, to)
		} else {
			c.escaped(raw)
		}
		return
	}
	for raw != "" {
		i := special(raw)
		if i < 0 {
			c.escaped(raw)
			return
		}
		c.escaped(raw[:i])
		raw = raw[i:]
		switch {
		case raw[0] == '&':
			r, next := reference(raw, 0)
			c.char(r, raw[:next])
			raw = raw[next:]
		case strings.HasPrefix(raw, commentOpen):
			end := 4 + strings.Index(raw[4:], commentClose) + len(commentClose)
			if c.opt.Comments {
				c.put(raw[:end])
			}
			raw = raw[end:]
		default: // a CDATA section
			end := strings.Index(raw, cdataClose)
			c.escaped(raw[len(cdataOpen):end])
			raw = raw[end+len(cdataClose):]
		}
	}
}
