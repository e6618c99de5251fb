package xmlgate

import (
	"iter"
	"strings"
)

// Doc is a document that passed the gate. It is immutable and safe for concurrent use. Its tables are compact, because what a
// stranger sends decides how long they become: see [Limits].
type Doc struct {
	src       string
	elems     table[elem]
	attrs     table[attr]
	decls     table[decl]
	bindings  []binding
	prefixes  []string
	ids       int  // attributes that anybody could take for an ID
	duplicate bool // two elements have the same ID
	relative  bool // some namespace name is neither empty nor absolute: Canonical XML 1.0, section 1.3, has no answer for these
}

// elem is one element in document order; 32 bytes. Positions point into the text. What can be derived is not kept: the first child
// is the next record, the next sibling the one at after, the attributes end where those of the next record begin.
type elem struct {
	parent, after        int32 // after: the record behind the element and what it holds
	open, content, close int32 // '<' of the start tag, after its '>', '<' of the end tag (of an empty-element tag: content)
	attr                 int32 // first attribute
	binding              int32
	name                 nameInfo
}

// attr is one attribute; 12 bytes. Its value ends at the quote that begins it.
type attr struct {
	name, value int32
	info        attrInfo
}

// decl is one namespace declaration of the element owner, -1 for what the place of the document declares.
type decl struct {
	owner, binding int32
}

// binding is a prefix with what it means; each pair occurs once.
type binding struct {
	uri    string
	prefix int32
}

// nameInfo packs the lengths of a name, below 1<<nameBits each, and what is known about the element.
type nameInfo uint32

const (
	nameBits = 12

	flagMarkup  nameInfo = 1 << (2*nameBits + iota) // the text needs decoding
	flagComment                                     // a comment stands directly inside
	flagText                                        // there is text besides white space
	flagDecls                                       // the start tag has declarations
	flagID                                          // an attribute looks like an ID
	flagExact                                       // the start tag is written as canonicalisation writes it when no declaration is due
)

func (n nameInfo) local() int32  { return int32(n & (1<<nameBits - 1)) }
func (n nameInfo) prefix() int32 { return int32(n >> nameBits & (1<<nameBits - 1)) }

// attrInfo packs the length of the local name, the binding (while the tag is read: the length of the prefix), and whether the
// value needs decoding.
type attrInfo uint32

const attrDecode attrInfo = 1 << 31

func (a attrInfo) local() int32   { return int32(a & (1<<nameBits - 1)) }
func (a attrInfo) binding() int32 { return int32(a &^ attrDecode >> nameBits) }
func (a attrInfo) bind(b int32) attrInfo {
	return a&(attrDecode|(1<<nameBits-1)) | attrInfo(b)<<nameBits //nolint:gosec // bindings are few
}

// idAttrs yields the attributes that look like an ID, each with its element.
func (d *Doc) idAttrs() iter.Seq2[int32, int32] {
	return func(yield func(a, e int32) bool) {
		left := d.ids
		for e := int32(0); left > 0; e++ {
			x := d.elems.at(e)
			if x.name&flagID == 0 {
				continue
			}
			for a, end := x.attr, d.attrsEnd(e); a < end; a++ {
				if at := d.attrs.at(a); d.idLike(at) {
					if left--; !yield(a, e) {
						return
					}
				}
			}
		}
	}
}

func (d *Doc) idLike(a *attr) bool {
	if a.info.local() != 2 {
		return false
	}
	l := d.attrLocal(a)
	return l[0]|0x20 == 'i' && l[1]|0x20 == 'd'
}

// attrsEnd returns where the attributes of element e end.
func (d *Doc) attrsEnd(e int32) int32 {
	if e+1 < d.elems.n {
		return d.elems.at(e + 1).attr
	}
	return d.attrs.n
}

// declsOf returns the declarations of element e, which are few, as a range of the table; -1 stands for the place of the document.
func (d *Doc) declsOf(e int32) (from, to int32) {
	if e >= 0 && d.elems.at(e).name&flagDecls == 0 {
		return 0, 0
	}
	lo, hi := int32(0), d.decls.n
	for lo < hi {
		if mid := (lo + hi) / 2; d.decls.at(mid).owner < e {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for to = lo; to < d.decls.n && d.decls.at(to).owner == e; to++ {
	}
	return lo, to
}

// end returns the position behind the element.
func (d *Doc) end(x *elem) int32 {
	if x.close == x.content && d.src[x.content-2] == '/' { // an empty-element tag
		return x.content
	}
	at := x.close + 2 + x.nameLen()
	for d.src[at] != '>' {
		at++
	}
	return at + 1
}

func (x *elem) nameLen() int32 {
	if p := x.name.prefix(); p > 0 {
		return p + 1 + x.name.local()
	}
	return x.name.local()
}

// i32 narrows a position: documents are below 1 GiB.
func i32(n int) int32 { return int32(n) } //nolint:gosec // see above

// attrLocal returns the local name of a, whose prefix is settled.
func (d *Doc) attrLocal(a *attr) string {
	start := a.name
	if n := len(d.prefixes[d.bindings[a.info.binding()].prefix]); n > 0 {
		start += i32(n) + 1
	}
	return d.src[start : start+a.info.local()]
}

// rawValue returns the value of a as written.
func (d *Doc) rawValue(a *attr) string {
	s := d.src[a.value:]
	return s[:strings.IndexByte(s, d.src[a.value-1])]
}

func (d *Doc) value(a *attr) string {
	raw := d.rawValue(a)
	if a.info&attrDecode == 0 {
		return raw
	}
	return decodeValue(raw)
}
