package xmlgate

import (
	"cmp"
	"slices"
	"strings"
)

// startTag reads a start tag or an empty-element tag and links the element in.
func (p *parser) startTag() error {
	switch {
	case p.cur < 0 && p.elems.n > 0:
		return p.malformed("second root element")
	case int(p.elems.n) >= p.lim.Elements:
		return p.fail(CodeTooLarge, "too many elements for the size")
	case p.depth >= p.lim.Depth:
		return p.fail(CodeTooDeep, "elements nested too deep")
	}
	open := p.i
	p.i++
	_, lengths, err := p.name()
	if err != nil {
		return err
	}
	i := p.elems.n
	x := p.elems.add()
	*x = elem{parent: p.cur, open: i32(open), attr: p.attrs.n, name: lengths}
	empty, err := p.attributes(i, x)
	if err != nil {
		return err
	}
	x.content = i32(p.i)
	if !empty && p.exact(x) {
		x.name |= flagExact
	}
	if err := p.scope(x); err != nil {
		return err
	}
	p.cur = i
	p.depth++
	if empty {
		x.close = x.content
		p.leave(x)
	}
	return nil
}

// attributes reads up to the end of the tag. Declarations go into force at once, the rest goes to p.attrs.
func (p *parser) attributes(owner int32, x *elem) (empty bool, err *Error) {
	declared := 0
	for {
		spaced := p.skipSpace()
		if p.i >= len(p.src) {
			return false, p.malformed("the document ends inside a tag")
		}
		switch p.src[p.i] {
		case '>':
			p.i++
			return false, nil
		case '/':
			if p.i+1 >= len(p.src) || p.src[p.i+1] != '>' {
				return false, p.malformed("malformed tag")
			}
			p.i += 2
			return true, nil
		}
		if !spaced {
			return false, p.malformed("attributes not separated")
		}
		a, err := p.attribute()
		switch {
		case err != nil:
		case p.isDeclaration(&a):
			x.name |= flagDecls
			if declared++; declared > p.lim.Namespaces {
				return false, p.fail(CodeTooLarge, "too many namespace declarations on one element")
			}
			err = p.namespace(owner, &a)
		case int(p.attrs.n-x.attr) >= p.lim.Attributes:
			err = p.fail(CodeTooLarge, "too many attributes on one element")
		default:
			*p.attrs.add() = a
		}
		if err != nil {
			return false, err
		}
		if int(p.attrs.n+p.decls.n) > p.lim.TotalAttributes {
			return false, p.fail(CodeTooLarge, "too many attributes in the document")
		}
	}
}

// exact reports whether the start tag x, whose prefixes are not settled yet, is written as canonicalisation writes it when no
// declaration is due: one blank before each attribute and nothing else between them, double quotes, no prefix if there are several.
func (p *parser) exact(x *elem) bool {
	if x.name&flagDecls != 0 {
		return false
	}
	last, end := "", x.open+1+x.nameLen() // end of what was looked at: of the name, of a value with its quote
	for i := x.attr; i < p.attrs.n; i++ {
		a := p.attrs.at(i)
		size := a.info.local()
		if n := a.info.binding(); n > 0 {
			if p.attrs.n > x.attr+1 {
				return false
			}
			size += n + 1
		}
		name := p.src[a.name : a.name+size]
		if a.info&attrDecode != 0 || p.src[end] != ' ' || a.name != end+1 || a.value != a.name+size+2 || p.src[a.value-1] != '"' || name <= last {
			return false
		}
		if last, end = name, x.content-1; i+1 < p.attrs.n {
			end = p.attrs.at(i+1).name - 1
		}
		if p.src[end-1] != '"' { // white space stands there, or it is the quote that closes the value
			return false
		}
	}
	return end+1 == x.content
}

// isDeclaration reports whether a, whose prefix is not settled yet, is xmlns or xmlns:something.
func (p *parser) isDeclaration(a *attr) bool {
	const xmlns = "xmlns"
	if n := a.info.binding(); n > 0 {
		return n == i32(len(xmlns)) && p.src[a.name:a.name+n] == xmlns
	}
	return a.info.local() == i32(len(xmlns)) && p.src[a.name:a.name+i32(len(xmlns))] == xmlns
}

func (p *parser) skipSpace() bool {
	start := p.i
	for p.i < len(p.src) && isSpace(p.src[p.i]) {
		p.i++
	}
	return p.i > start
}

func (p *parser) attribute() (attr, *Error) {
	name, lengths, err := p.name()
	if err != nil {
		return attr{}, err
	}
	p.skipSpace()
	if p.i >= len(p.src) || p.src[p.i] != '=' {
		return attr{}, p.malformed("attribute without a value")
	}
	p.i++
	p.skipSpace()
	if p.i >= len(p.src) || p.src[p.i] != '"' && p.src[p.i] != '\'' {
		return attr{}, p.malformed("attribute value not quoted")
	}
	quote := p.src[p.i]
	p.i++
	n := strings.IndexByte(p.src[p.i:], quote)
	if n < 0 {
		return attr{}, p.malformed("attribute value not closed")
	}
	value := p.src[p.i : p.i+n]
	a := attr{name: name, value: i32(p.i), info: attrInfo(lengths)}
	for i := plain(value); i < len(value); i++ {
		switch value[i] {
		case '<':
			return attr{}, p.malformed("< in an attribute value")
		case '&':
			if _, next := reference(value, i); next < 0 {
				return attr{}, p.malformed("reference that is neither predefined nor to a legal character")
			}
			a.info |= attrDecode
		case '\t', '\n':
			a.info |= attrDecode
		}
	}
	p.i += n + 1
	return a, nil
}

// plain returns up to where s, looked at in words of eight bytes, holds neither < nor & nor white space beside blanks.
func plain(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := word(s[i:])
		lt, amp := w^ones*'<', w^ones*'&'
		if ((lt-ones)&^lt|(amp-ones)&^amp|(w-ones*0x20)&^w)&highs != 0 { // a byte is zero; exact when none is: no borrow occurs
			break
		}
	}
	return i
}

// word returns the first eight bytes of s.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// namespace puts a declaration into force (Namespaces in XML 1.0, sections 2 to 6).
func (p *parser) namespace(owner int32, a *attr) *Error {
	uri, prefix := p.value(a), ""
	if n := a.info.binding(); n > 0 {
		prefix = p.src[a.name+n+1 : a.name+n+1+a.info.local()]
	}
	switch {
	case prefix == "xmlns", uri == xmlnsNS, (prefix == "xml") != (uri == xmlNS):
		return p.malformed("reserved prefix or namespace name")
	case prefix != "" && uri == "":
		return p.malformed("prefix declared to mean nothing")
	}
	return p.declare(owner, prefix, uri)
}

// declare puts a binding into force, once for each element.
func (p *parser) declare(owner int32, prefix, uri string) *Error {
	id := p.prefixID(prefix)
	if p.by[id] == owner {
		return p.malformed("prefix declared twice")
	}
	b := p.bindingID(binding{uri, id})
	if len(p.prefixes) > maxPrefixes || len(p.bindings) > maxBindings {
		return p.fail(CodeTooLarge, "too many namespaces")
	}
	*p.decls.add() = decl{owner, b}
	p.undo = append(p.undo, undo{owner, id, p.bound[id]})
	p.by[id], p.bound[id] = owner, b
	return nil
}

// bindingID finds or adds a binding.
func (p *parser) bindingID(b binding) int32 {
	if p.byPair != nil {
		if id, ok := p.byPair[b]; ok {
			return id
		}
	} else {
		for i := range p.bindings {
			if p.bindings[i] == b {
				return i32(i)
			}
		}
	}
	id := i32(len(p.bindings))
	p.bindings = append(p.bindings, b)
	p.relative = p.relative || relativeURI(b.uri)
	switch {
	case p.byPair != nil:
		p.byPair[b] = id
	case len(p.bindings) > 2*linearPrefixes:
		p.byPair = make(map[binding]int32, maxBindings)
		for i, known := range p.bindings {
			p.byPair[known] = i32(i)
		}
	}
	return id
}

// prefixID finds or adds a prefix.
func (p *parser) prefixID(name string) int32 {
	if id := p.findPrefix(name); id >= 0 {
		return id
	}
	id := i32(len(p.prefixes))
	p.prefixes = append(p.prefixes, name)
	p.bound = append(p.bound, -1)
	p.by = append(p.by, nobody)
	switch {
	case p.byName != nil:
		p.byName[name] = id
	case len(p.prefixes) > linearPrefixes:
		p.byName = make(map[string]int32, 2*linearPrefixes)
		for i, known := range p.prefixes {
			p.byName[known] = i32(i)
		}
	}
	return id
}

func (p *parser) findPrefix(name string) int32 {
	if p.byName != nil {
		if id, ok := p.byName[name]; ok {
			return id
		}
		return -1
	}
	for i, known := range p.prefixes {
		if known == name {
			return i32(i)
		}
	}
	return -1
}

// scope resolves the prefixes of a start tag and refuses what occurs twice.
func (p *parser) scope(x *elem) *Error {
	binding, err := p.inForce(x.open+1, x.name.prefix())
	if err != nil {
		return err
	}
	x.binding = binding
	for i := x.attr; i < p.attrs.n; i++ {
		a := p.attrs.at(i)
		if n := a.info.binding(); n > 0 { // the default namespace does not apply to attributes
			if binding, err = p.inForce(a.name, n); err != nil {
				return err
			}
			a.info = a.info.bind(binding)
		}
		if p.idLike(a) {
			p.ids++
			x.name |= flagID
			if p.isID(a) {
				p.uniqueID++
			}
		}
	}
	return p.attributesOnce(x.attr, p.attrs.n)
}

// inForce returns the binding of the prefix that stands at that place.
func (p *parser) inForce(at, size int32) (int32, *Error) {
	if size == 0 {
		return p.bound[prefixNone], nil
	}
	if id := p.findPrefix(p.src[at : at+size]); id >= 0 && p.bound[id] >= 0 {
		return p.bound[id], nil
	}
	return 0, p.malformed("undeclared prefix")
}

// isID reports whether a, which looks like an ID, is one: ID in no namespace.
func (p *parser) isID(a *attr) bool {
	return a.info.binding() == bindNone && p.src[a.name:a.name+2] == "ID"
}

// pairwise is up to how many attributes comparing each with each is cheaper than sorting.
const pairwise = 8

// attributesOnce refuses two attributes with one expanded name, and so two with one name.
func (p *parser) attributesOnce(from, to int32) *Error {
	if to-from <= pairwise {
		for i := from + 1; i < to; i++ {
			for j := from; j < i; j++ {
				if p.compareNames(p.attrs.at(i), p.attrs.at(j)) == 0 {
					return p.malformed("attribute given twice")
				}
			}
		}
		return nil
	}
	p.order = p.order[:0]
	for i := from; i < to; i++ {
		p.order = append(p.order, i)
	}
	slices.SortFunc(p.order, func(i, j int32) int { return p.compareNames(p.attrs.at(i), p.attrs.at(j)) })
	for i := 1; i < len(p.order); i++ {
		if p.compareNames(p.attrs.at(p.order[i-1]), p.attrs.at(p.order[i])) == 0 {
			return p.malformed("attribute given twice")
		}
	}
	return nil
}

func (d *Doc) compareNames(a, b *attr) int {
	if m, n := a.info.local(), b.info.local(); m != n {
		return cmp.Compare(m, n)
	}
	m, n := a.info.binding(), b.info.binding()
	if c := strings.Compare(d.attrLocal(a), d.attrLocal(b)); c != 0 || m == n {
		return c
	}
	return strings.Compare(d.bindings[m].uri, d.bindings[n].uri)
}
