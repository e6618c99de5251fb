// Package xmlgate is the one strict XML parser that messages of strangers go through.
//
// [Parse] reads a whole document in one linear pass, refuses everything that a SAML message has no use for (document type
// declarations, processing instructions, other encodings than UTF-8, undeclared prefixes, duplicate attributes, a second root)
// and counts sizes before it spends memory. What it returns, a [Doc], is immutable: a table of elements that points into the text.
//
// Documents that are denser than markup ever is (more than 2,048 elements and one for every 20 bytes, 4,096 attributes and one for every
// 12 bytes, 256 prefixes, 1,024 namespaces) are refused as too large: together with compact tables this keeps what a document costs
// below four times its size, whatever a stranger writes.
//
// It does not resolve entities beyond the five predefined ones, reads no external resource and does not validate schemas.
//
// Standards: XML 1.0 (fifth edition), Namespaces in XML 1.0 (third edition). The limits are in [Limits].
package xmlgate

import "fmt"

// The codes of an [Error].
const (
	CodeMalformed = "malformed_xml"
	CodeTooLarge  = "too_large"
	CodeTooDeep   = "too_deep"
	CodeDoctype   = "doctype"
	CodeEncoding  = "encoding"
)

// Error says why a document did not pass. It never quotes the document.
type Error struct {
	Code   string // one of the Code constants
	Detail string // fixed text
	Offset int    // byte position after removal of a byte order mark and normalisation of line ends
}

// Error returns the code, the fixed text and the position.
func (e *Error) Error() string {
	return fmt.Sprintf("xmlgate: %s: %s at byte %d", e.Code, e.Detail, e.Offset)
}

// Limits bounds a document before work is spent on it. A zero field means the default; nothing can be switched off.
type Limits struct {
	Bytes           int // whole document, default 2 MiB
	Depth           int // nested elements, default 64, at most 512
	Elements        int // default 50,000; see the package about density
	Attributes      int // per element, default 128
	Namespaces      int // declarations per element, default 64
	NameLength      int // bytes of one name, default 1024
	TotalAttributes int // attributes and declarations together, default 200,000
	Comments        int // default 20,000
}

// Defaults for messages. They are the smallest round numbers that real messages stay far below: the largest response that
// was met has 12,000 group values in 1.2 MB and a depth of 9.
const (
	defaultBytes           = 2 << 20
	defaultDepth           = 64
	maxDepth               = 512 // recursion of the canonicaliser stays cheap
	defaultElements        = 50_000
	defaultAttributes      = 128
	defaultNamespaces      = 64
	defaultNameLength      = 1024
	maxNameLength          = 1<<nameBits - 1 // what the tables hold
	defaultTotalAttributes = 200_000
	defaultComments        = 20_000
	maxBytes               = 1 << 30 // offsets are 32 bits wide
)

// MetadataLimits returns the limits for a metadata document of at most size bytes (0 = 16 MiB).
func MetadataLimits(size int) Limits {
	if size <= 0 {
		size = 16 << 20
	}
	// Federation aggregates have about one element per 60 bytes; the density rule of the package holds as well.
	return Limits{Bytes: size, Elements: max(defaultElements, size/16), TotalAttributes: max(defaultTotalAttributes, size/8), Comments: max(defaultComments, size/64)}
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, def, most int) {
		if *v <= 0 {
			*v = def
		}
		*v = min(*v, most)
	}
	set(&l.Bytes, defaultBytes, maxBytes)
	set(&l.Depth, defaultDepth, maxDepth)
	set(&l.Elements, defaultElements, maxBytes)
	set(&l.Attributes, defaultAttributes, 1<<15)
	set(&l.Namespaces, defaultNamespaces, 1<<15)
	set(&l.NameLength, defaultNameLength, maxNameLength)
	set(&l.TotalAttributes, defaultTotalAttributes, maxBytes)
	set(&l.Comments, defaultComments, maxBytes)
	return l
}
