package xmlgate

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// startTag reads a start tag or an empty-element tag and links the element in.
func (p *parser) startTag() error {
	switch {
	case p.cur < 0 && len(p.elems) > 0:
		return p.malformed("second root element")
	case len(p.elems) >= p.lim.Elements:
		return p.fail(CodeTooLarge, "too many elements")
	case len(p.last) > p.lim.Depth:
		return p.fail(CodeTooDeep, "elements nested too deep")
	}
	open := p.i
	p.i++
	name, prefixLen, localLen, err := p.name()
	if err != nil {
		return err
	}
	x := elem{
		parent: p.cur, first: -1, next: -1, open: i32(open), name: name, prefixLen: prefixLen, localLen: localLen,
		attr: i32(len(p.attrs)), decl: i32(len(p.bindings)),
	}
	empty, err := p.attributes()
	if err != nil {
		return err
	}
	if err := p.scope(&x); err != nil {
		return err
	}
	x.content = i32(p.i)
	p.link(&x)
	if empty {
		e := &p.elems[p.cur]
		e.close, e.end = x.content, x.content
		p.leave()
	}
	return nil
}

// link appends x to the table as the next child of the open element.
func (p *parser) link(x *elem) {
	n := i32(len(p.elems))
	p.elems = append(p.elems, *x)
	if depth := len(p.last) - 1; p.last[depth] >= 0 {
		p.elems[p.last[depth]].next = n
		p.last[depth] = n
	} else {
		p.last[depth] = n
		if p.cur >= 0 {
			p.elems[p.cur].first = n
		}
	}
	p.last = append(p.last, -1)
	p.cur = n
}

// attributes reads up to the end of the tag. Declarations go into force at once, the rest goes to p.attrs.
func (p *parser) attributes() (empty bool, err *Error) {
	p.declared = 0
	first := len(p.attrs)
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
		if err != nil {
			return false, err
		}
		if err := p.place(a, first); err != nil {
			return false, err
		}
	}
}

// place puts a among the declarations or the attributes of the tag, within the limits.
func (p *parser) place(a attr, first int) *Error {
	if len(p.attrs)+len(p.bindings) >= p.lim.TotalAttributes {
		return p.fail(CodeTooLarge, "too many attributes in the document")
	}
	qualifier := p.src[a.name : a.name+int32(a.prefixLen)]
	if qualifier == "xmlns" || a.prefixLen == 0 && p.src[a.name:a.name+int32(a.localLen)] == "xmlns" {
		if p.declared >= p.lim.Namespaces {
			return p.fail(CodeTooLarge, "too many namespace declarations on one element")
		}
		return p.namespace(a)
	}
	if len(p.attrs)-first >= p.lim.Attributes {
		return p.fail(CodeTooLarge, "too many attributes on one element")
	}
	p.attrs = append(p.attrs, a)
	return nil
}

func (p *parser) skipSpace() bool {
	start := p.i
	for p.i < len(p.src) && isSpace(p.src[p.i]) {
		p.i++
	}
	return p.i > start
}

func (p *parser) attribute() (attr, *Error) {
	name, prefixLen, localLen, err := p.name()
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
	a := attr{name: name, prefixLen: prefixLen, localLen: localLen, value: i32(p.i), valueLen: i32(n)}
	for i := range len(value) {
		switch value[i] {
		case '<':
			return attr{}, p.malformed("< in an attribute value")
		case '&':
			if _, next := reference(value, i); next < 0 {
				return attr{}, p.malformed("reference that is neither predefined nor to a legal character")
			}
			a.decode = true
		case '\t', '\n':
			a.decode = true
		}
	}
	p.i += n + 1
	return a, nil
}

// namespace puts a declaration into force (Namespaces in XML 1.0, sections 2 to 6).
func (p *parser) namespace(a attr) *Error {
	uri, prefix := p.value(&a), ""
	if a.prefixLen > 0 {
		prefix = p.local(a.name, a.prefixLen, a.localLen)
	}
	switch {
	case prefix == "xmlns", uri == xmlnsNS, (prefix == "xml") != (uri == xmlNS):
		return p.malformed("reserved prefix or namespace name")
	case prefix != "" && uri == "":
		return p.malformed("prefix declared to mean nothing")
	}
	p.declare(prefix, uri)
	p.declared++
	return nil
}

// declare appends a binding and puts it into force.
func (p *parser) declare(prefix, uri string) {
	id := p.prefixID(prefix)
	n := i32(len(p.bindings))
	p.bindings = append(p.bindings, binding{uri: uri, prefix: id, prev: p.bound[id]})
	p.relative = p.relative || relativeURI(uri)
	p.bound[id] = n
}

// relativeURI reports whether uri is neither empty nor an absolute URI (RFC 3986). The names that SAML uses are known to be.
func relativeURI(uri string) bool {
	switch uri {
	case "", "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:2.0:metadata",
		"http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2001/10/xml-exc-c14n#",
		"http://www.w3.org/2001/XMLSchema", "http://www.w3.org/2001/XMLSchema-instance", xmlNS:
		return false
	}
	for i := range len(uri) {
		c := uri[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}[]", c) >= 0 || c == '%' && !escaped(uri[i:]) {
			return true
		}
	}
	u, err := url.Parse(uri)
	return err != nil || u.Scheme == "" || strings.Count(uri, "#") > 1
}

// escaped reports whether s begins with a percent sign and two hexadecimal digits.
func escaped(s string) bool {
	const hex = "0123456789abcdefABCDEF"
	return len(s) > 2 && strings.IndexByte(hex, s[1]) >= 0 && strings.IndexByte(hex, s[2]) >= 0
}

// prefixID finds or adds a prefix.
func (p *parser) prefixID(name string) int32 {
	if id := p.findPrefix(name); id >= 0 {
		return id
	}
	id := i32(len(p.prefixes))
	p.prefixes = append(p.prefixes, name)
	p.bound = append(p.bound, -1)
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
	x.ndecl = uint16(p.declared) //nolint:gosec // limited to 1<<15
	if err := p.declaredOnce(x.decl); err != nil {
		return err
	}
	x.prefix = p.findPrefix(p.src[x.name : x.name+int32(x.prefixLen)])
	if x.prefix < 0 || p.bound[x.prefix] < 0 {
		return p.malformed("undeclared prefix")
	}
	x.binding = p.bound[x.prefix]
	attrs := p.attrs[x.attr:]
	x.nattr = uint16(len(attrs)) //nolint:gosec // limited to 1<<15
	idLike := false
	for i := range attrs {
		a := &attrs[i]
		if a.prefixLen > 0 { // the default namespace does not apply to attributes
			if a.prefix = p.findPrefix(p.src[a.name : a.name+int32(a.prefixLen)]); a.prefix < 0 || p.bound[a.prefix] < 0 {
				return p.malformed("undeclared prefix")
			}
			a.binding = p.bound[a.prefix]
		}
		if p.idLike(a) {
			idLike = true
			p.id(a)
		}
	}
	if idLike {
		p.ids = append(p.ids, i32(len(p.elems)))
	}
	return p.attributesOnce(attrs)
}

// id notes a second ID attribute of the same value: whatever refers to it could mean either element.
func (p *parser) id(a *attr) {
	if a.prefixLen > 0 || p.src[a.name:a.name+2] != "ID" || p.duplicate {
		return
	}
	value := p.value(a)
	switch {
	case p.firstID == "":
		p.firstID = value
		return
	case p.idSeen == nil:
		p.idSeen = map[string]struct{}{p.firstID: {}}
	}
	if _, seen := p.idSeen[value]; seen {
		p.duplicate = true
		return
	}
	p.idSeen[value] = struct{}{}
}

// pairwise is up to how many attributes comparing each with each is cheaper than sorting.
const pairwise = 8

// declaredOnce refuses two declarations of one prefix in one tag.
func (p *parser) declaredOnce(first int32) *Error {
	for b := first; b < i32(len(p.bindings)); b++ {
		if p.bindings[b].prev >= first { // what it shadows was declared in the same tag
			return p.malformed("prefix declared twice")
		}
	}
	return nil
}

// attributesOnce refuses two attributes with one expanded name, and so two with one name.
func (p *parser) attributesOnce(attrs []attr) *Error {
	if len(attrs) <= pairwise {
		for i := range attrs {
			for j := range i {
				if p.compareNames(&attrs[i], &attrs[j]) == 0 {
					return p.malformed("attribute given twice")
				}
			}
		}
		return nil
	}
	p.order = p.order[:0]
	for i := range attrs {
		p.order = append(p.order, i32(i))
	}
	slices.SortFunc(p.order, func(i, j int32) int { return p.compareNames(&attrs[i], &attrs[j]) })
	for i := 1; i < len(p.order); i++ {
		if p.compareNames(&attrs[p.order[i-1]], &attrs[p.order[i]]) == 0 {
			return p.malformed("attribute given twice")
		}
	}
	return nil
}

func (d *Doc) compareNames(a, b *attr) int {
	if a.localLen != b.localLen {
		return cmp.Compare(a.localLen, b.localLen)
	}
	if c := strings.Compare(d.local(a.name, a.prefixLen, a.localLen), d.local(b.name, b.prefixLen, b.localLen)); c != 0 || a.binding == b.binding {
		return c
	}
	return strings.Compare(d.bindings[a.binding].uri, d.bindings[b.binding].uri)
}
