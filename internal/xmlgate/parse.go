package xmlgate

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"
)

// The two bindings and prefixes that every document starts with.
const (
	bindNone   = 0 // no namespace, the default until declared otherwise
	bindXML    = 1
	prefixNone = 0
	prefixXML  = 1
)

// linearPrefixes is up to where a walk over the known prefixes beats a map.
const linearPrefixes = 12

// maxPrefixes and maxBindings bound the different prefixes, and pairs of prefix and namespace name, of one document. Large federation
// aggregates have dozens; the same declaration may be repeated as often as [Limits] lets it.
const (
	maxPrefixes = 256
	maxBindings = 1024
)

type parser struct {
	Doc
	*scratch
	lim      Limits
	i        int
	cur      int32 // open element, -1 outside
	depth    int
	byName   map[string]int32
	byPair   map[binding]int32
	comments int
	uniqueID int  // attributes ID in no namespace
	refers   bool // there is a & somewhere
	closes   bool // there is a ]]> somewhere
}

// scratch is what a parser needs while it reads; nothing of a document stays in it.
type scratch struct {
	undo  []undo  // what the declarations of the open elements shadow
	bound []int32 // by prefix: binding in force, -1 for none
	by    []int32 // by prefix: the element that declared it last
	order []int32 // for duplicate checks
}

var scratches = sync.Pool{New: func() any { return new(scratch) }} //nolint:gochecknoglobals // scratch memory

// Parse checks raw against lim and XML's rules and returns its table of elements. The error is an *[Error].
func Parse(raw []byte, lim Limits) (*Doc, error) {
	if len(raw) > lim.withDefaults().Bytes { // before it is copied
		return nil, &Error{CodeTooLarge, "document exceeds the size limit", 0}
	}
	return parse(raw, string(raw), lim, Elem{})
}

// ParseOwned is [Parse] for bytes that nobody will change any more: the document points into raw instead of a copy.
func ParseOwned(raw []byte, lim Limits) (*Doc, error) { return ParseIn(raw, lim, Elem{}) }

// ParseIn is [ParseOwned] for a piece that stands in the place of (or inside) context: prefixes that are declared there may be used.
func ParseIn(raw []byte, lim Limits, context Elem) (*Doc, error) {
	return parse(raw, unsafe.String(unsafe.SliceData(raw), len(raw)), lim, context) //nolint:gosec // the callers own raw and let go of it
}

// parse reads src, which is raw as a string.
func parse(raw []byte, src string, lim Limits, context Elem) (*Doc, error) {
	p := parser{lim: lim.withDefaults(), cur: -1, scratch: scratches.Get().(*scratch)} //nolint:forcetypeassert // nothing else is put there
	defer scratches.Put(p.scratch)
	if err := p.prepare(raw, src, context); err != nil {
		return nil, err
	}
	if err := p.document(); err != nil {
		return nil, err
	}
	d := p.Doc // a copy, so that the parser's scratch does not live as long as the document
	return &d, nil
}

func (p *parser) fail(code, detail string) *Error { return &Error{code, detail, p.i} }

func (p *parser) malformed(detail string) *Error { return p.fail(CodeMalformed, detail) }

// prepare checks size and characters, sizes the tables and takes over the namespace context.
func (p *parser) prepare(raw []byte, src string, context Elem) error {
	if len(raw) > p.lim.Bytes {
		return p.fail(CodeTooLarge, "document exceeds the size limit")
	}
	const mark = "\xEF\xBB\xBF"
	raw, src = bytes.TrimPrefix(raw, []byte(mark)), strings.TrimPrefix(src, mark)
	if len(raw) >= 2 && (raw[0] == 0 || raw[1] == 0 || raw[0] >= 0xFE) {
		return p.fail(CodeEncoding, "not UTF-8")
	}
	cr, err := scanChars(raw)
	if err != nil {
		return err
	}
	p.src = src
	if cr {
		p.src = normaliseLines(p.src)
	}
	p.size()
	p.bindings = append(make([]binding, 0, 16), binding{prefix: prefixNone}, binding{uri: xmlNS, prefix: prefixXML})
	p.prefixes = append(make([]string, 0, linearPrefixes), "", "xml")
	p.bound = append(p.bound[:0], bindNone, bindXML)
	p.by = append(p.by[:0], nobody, nobody)
	p.undo = p.undo[:0]
	return p.inherit(context)
}

// nobody is the owner of nothing: -1 stands for the place of the document.
const nobody = -2

// size bounds the tables by what the document can honestly need and makes their beginnings. An element with its tags takes 34 bytes
// in SAML's most terse spelling and an attribute hardly less than 15; what is denser than half of that is refused beyond a number
// that no small message reaches. So the tables stay below the size of three texts, whatever a stranger writes.
func (p *parser) size() {
	const freeElements, bytesPerElement, freeAttributes, bytesPerAttribute = 2048, 20, 4096, 12
	p.lim.Elements = min(p.lim.Elements, freeElements+len(p.src)/bytesPerElement)
	p.lim.TotalAttributes = min(p.lim.TotalAttributes, freeAttributes+len(p.src)/bytesPerAttribute)
	tags := strings.Count(p.src, "<")*5/8 + 8 // most elements have two; text inside comments counts as well: an estimate
	p.elems.head = make([]elem, 0, min(tags, len(p.src)/32+8))
	p.attrs.head = make([]attr, 0, min(strings.Count(p.src, "=")+1, len(p.src)/24+8))
	p.decls.head = make([]decl, 0, 8)
	p.refers, p.closes = strings.IndexByte(p.src, '&') >= 0, strings.Contains(p.src, cdataClose)
}

// inherit declares what is in scope at context before the root begins.
func (p *parser) inherit(context Elem) error {
	if context.IsZero() {
		return nil
	}
	d := context.d
	seen := make([]bool, len(d.prefixes))
	for i := context.i; ; i = d.elems.at(i).parent {
		for n, to := d.declsOf(i); n < to; n++ {
			b := &d.bindings[d.decls.at(n).binding]
			if seen[b.prefix] {
				continue
			}
			seen[b.prefix] = true
			if b.uri == "" || b.prefix == prefixXML {
				continue
			}
			if err := p.declare(-1, d.prefixes[b.prefix], b.uri); err != nil {
				return err
			}
		}
		if i < 0 {
			p.undo = p.undo[:0] // in force for good
			return nil
		}
	}
}

func (p *parser) document() error {
	if strings.HasPrefix(p.src, "<?xml") && len(p.src) > 5 && isSpace(p.src[5]) {
		if err := p.declaration(); err != nil {
			return err
		}
	}
	for p.i < len(p.src) {
		if err := p.step(); err != nil {
			return err
		}
	}
	switch {
	case p.cur >= 0:
		return p.malformed("an element is not closed")
	case p.elems.n == 0:
		return p.malformed("no element")
	}
	p.uniqueIDs()
	return nil
}

// step reads the text up to the next markup, and the markup.
func (p *parser) step() error {
	if start := p.i; p.src[start] != '<' {
		n := strings.IndexByte(p.src[start:], '<')
		if n < 0 {
			n = len(p.src) - start
		}
		if err := p.text(p.src[start : start+n]); err != nil {
			return err
		}
		p.i = start + n
		if p.i == len(p.src) {
			return nil
		}
	}
	if p.i+1 >= len(p.src) {
		return p.malformed("the document ends inside markup")
	}
	switch p.src[p.i+1] {
	case '/':
		return p.endTag()
	case '!':
		return p.bang()
	case '?':
		return p.malformed("processing instruction")
	}
	return p.startTag()
}

// declaration reads <?xml ...?>: version 1.0, encoding UTF-8 if any, standalone yes or no.
func (p *parser) declaration() error {
	end := strings.Index(p.src, "?>")
	if end < 0 {
		return p.malformed("XML declaration not closed")
	}
	rest := p.src[5:end]
	for n, name := range [...]string{"version", "encoding", "standalone"} {
		trimmed := strings.TrimLeft(rest, " \t\n")
		if !strings.HasPrefix(trimmed, name) || len(trimmed) == len(rest) {
			if n == 0 {
				return p.malformed("XML declaration without a version")
			}
			continue
		}
		value, tail, ok := pseudoAttribute(trimmed[len(name):])
		switch {
		case !ok:
			return p.malformed("malformed XML declaration")
		case n == 0 && value != "1.0":
			return p.malformed("XML version other than 1.0")
		case n == 1 && !strings.EqualFold(value, "utf-8"):
			return p.fail(CodeEncoding, "declared encoding is not UTF-8")
		case n == 2 && value != "yes" && value != "no":
			return p.malformed("malformed XML declaration")
		}
		rest = tail
	}
	if strings.Trim(rest, " \t\n") != "" {
		return p.malformed("malformed XML declaration")
	}
	p.i = end + 2
	return nil
}

func pseudoAttribute(s string) (value, tail string, ok bool) {
	s = strings.TrimLeft(s, " \t\n")
	if !strings.HasPrefix(s, "=") {
		return "", "", false
	}
	s = strings.TrimLeft(s[1:], " \t\n")
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return "", "", false
	}
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 {
		return "", "", false
	}
	return s[1 : 1+end], s[end+2:], true
}

// name reads prefix:local at p.i, refusing a second colon and an empty part.
func (p *parser) name() (start int32, lengths nameInfo, err *Error) { //nolint:cyclop // the hottest loop: a call for each name costs
	s, begin, colon := p.src, p.i, -1
	part, i := p.i, p.i
	for i < len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if !nameRune(r) || i == part && !nameStartRune(r) {
				break
			}
			i += n
			continue
		}
		if classes[c]&className != 0 && (i > part || classes[c]&classNameStart != 0) {
			for i++; i < len(s) && classes[s[i]]&className != 0; i++ { // ASCII
			}
			continue
		}
		if c != ':' {
			break
		}
		if colon >= 0 || i == part {
			return 0, 0, p.malformed("name with an empty part or two colons")
		}
		colon = i
		i++
		part = i
	}
	switch {
	case i == part:
		return 0, 0, p.malformed("name expected")
	case i-begin > p.lim.NameLength:
		return 0, 0, p.fail(CodeTooLarge, "name too long")
	}
	p.i = i
	if colon < 0 {
		return i32(begin), nameInfo(i - begin), nil //nolint:gosec // names are limited
	}
	return i32(begin), nameInfo(colon-begin)<<nameBits | nameInfo(i-part), nil //nolint:gosec // names are limited
}

func (p *parser) endTag() error {
	if p.cur < 0 {
		return p.malformed("end tag without a start tag")
	}
	x := p.elems.at(p.cur)
	name := p.src[x.open+1 : x.open+1+x.nameLen()]
	if !strings.HasPrefix(p.src[p.i+2:], name) {
		return p.malformed("end tag of another element")
	}
	j := p.i + 2 + len(name)
	for j < len(p.src) && isSpace(p.src[j]) {
		j++
	}
	if j >= len(p.src) || p.src[j] != '>' {
		return p.malformed("end tag of another element")
	}
	x.close = i32(p.i)
	p.i = j + 1
	p.leave(x)
	return nil
}

// leave closes the current element: its declarations go out of force.
func (p *parser) leave(x *elem) {
	if x.name&flagDecls != 0 {
		n := len(p.undo)
		for ; n > 0 && p.undo[n-1].owner == p.cur; n-- {
			p.bound[p.undo[n-1].prefix] = p.undo[n-1].binding
		}
		p.undo = p.undo[:n]
	}
	x.after = p.elems.n
	p.cur = x.parent
	p.depth--
}
