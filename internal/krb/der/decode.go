// Package der reads and writes the small part of DER (X.690) that Kerberos V5 and SPNEGO use: single-byte tags,
// definite minimal lengths, explicit context tags.
//
// The reader follows the schema of its caller and never looks deeper than the caller asks, so that neither depth nor
// the number of elements of hostile input matters. It allocates nothing but what the caller keeps.
package der

import (
	"errors"
	"unicode/utf8"
)

// Tags of the universal types in use.
const (
	TagInt    = 0x02
	TagBits   = 0x03
	TagOctets = 0x04
	TagOID    = 0x06
	TagEnum   = 0x0a
	TagSeq    = 0x30
)

// Ctx returns the tag of an explicit context-specific field.
func Ctx(n byte) byte { return 0xa0 | n }

// App returns the tag of an application-wide constructed type.
func App(n byte) byte { return 0x60 | n }

// ErrMalformed is the only error of this package: what exactly is wrong never matters to a caller.
var ErrMalformed = errors.New("malformed DER")

// Dec reads the elements of one constructed value in order. The first error sticks and is shared with all readers that
// come from the same [New].
type Dec struct {
	rest []byte
	bad  *bool
}

// New returns a reader over b, which is not copied.
func New(b []byte) Dec { return Dec{rest: b, bad: new(bool)} }

// Err returns ErrMalformed when anything read so far was not as expected.
func (d Dec) Err() error {
	if *d.bad {
		return ErrMalformed
	}
	return nil
}

func (d Dec) fail() { *d.bad = true }

// More reports whether elements are left and no error has occurred.
func (d Dec) More() bool { return len(d.rest) > 0 && !*d.bad }

// End marks the message as malformed when elements are left.
func (d Dec) End() {
	if len(d.rest) > 0 {
		d.fail()
	}
}

// Peek returns the tag of the next element, 0 when there is none.
func (d Dec) Peek() byte {
	if len(d.rest) == 0 || *d.bad {
		return 0
	}
	return d.rest[0]
}

// header returns tag, size of the header and size of the content of the first element of b.
func header(b []byte) (tag byte, head, size int, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, 0, 0, false
	}
	tag, size, head = b[0], int(b[1]), 2
	if size >= 0x80 {
		n := size & 0x7f
		if n == 0 || n > 4 || len(b) < 2+n {
			return 0, 0, 0, false
		}
		size = 0
		for _, c := range b[2 : 2+n] {
			size = size<<8 | int(c)
		}
		if size < 0x80 || size>>(8*(n-1)) == 0 { // not minimal
			return 0, 0, 0, false
		}
		head += n
	}
	if size > len(b)-head {
		return 0, 0, 0, false
	}
	return tag, head, size, true
}

// take consumes the next element, which must have the tag.
func (d *Dec) take(tag byte) (whole, body []byte) {
	if *d.bad {
		return nil, nil
	}
	t, head, size, ok := header(d.rest)
	if !ok || t != tag {
		d.fail()
		return nil, nil
	}
	whole, body = d.rest[:head+size], d.rest[head:head+size]
	d.rest = d.rest[head+size:]
	return whole, body
}

// Into consumes the next element, which must have the tag, and returns a reader over its content.
func (d *Dec) Into(tag byte) Dec {
	_, body := d.take(tag)
	return Dec{rest: body, bad: d.bad}
}

// Skip consumes the next element whatever it is.
func (d *Dec) Skip() { d.take(d.Peek()) }

// Next consumes the next element whatever it is, and returns a reader over it alone, header included.
func (d *Dec) Next() Dec {
	whole, _ := d.take(d.Peek())
	return Dec{rest: whole, bad: d.bad}
}

// Field consumes the required explicit field n.
func (d *Dec) Field(n byte) Dec { return d.Into(Ctx(n)) }

// Opt consumes the explicit field n if it comes next.
func (d *Dec) Opt(n byte) (Dec, bool) {
	if d.Peek() != Ctx(n) {
		return Dec{bad: d.bad}, false
	}
	return d.Field(n), true
}

// Rest returns what is left of the content, with headers.
func (d Dec) Rest() []byte { return d.rest }

// only reads the single element of which d consists.
func (d Dec) only(tag byte) []byte {
	_, body := d.take(tag)
	d.End()
	return body
}

// Seq reads d as exactly one SEQUENCE.
func (d Dec) Seq() Dec { return Dec{rest: d.only(TagSeq), bad: d.bad} }

// Octets reads d as exactly one OCTET STRING.
func (d Dec) Octets() []byte { return d.only(TagOctets) }

// OID reads d as exactly one OBJECT IDENTIFIER and returns its content octets.
func (d Dec) OID() []byte { return d.only(TagOID) }

// Int reads d as exactly one INTEGER of at most 64 bits.
func (d Dec) Int() int64 { return d.number(TagInt) }

// Enum reads d as exactly one ENUMERATED.
func (d Dec) Enum() int64 { return d.number(TagEnum) }

func (d Dec) number(tag byte) int64 {
	b := d.only(tag)
	if len(b) == 0 || len(b) > 8 || (len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80)) {
		d.fail()
		return 0
	}
	v := int64(int8(b[0])) //nolint:gosec // the sign bit is meant
	for _, c := range b[1:] {
		v = v<<8 | int64(c)
	}
	return v
}

// Flags reads d as exactly one BIT STRING and returns its first 32 bits.
func (d Dec) Flags() uint32 {
	b := d.only(TagBits)
	if len(b) < 1 || len(b) > 9 || b[0] > 7 {
		d.fail()
		return 0
	}
	var v uint32
	for i := range 4 {
		v <<= 8
		if i+1 < len(b) {
			v |= uint32(b[i+1])
		}
	}
	return v
}

// Printable reports whether b is UTF-8 without control characters.
func Printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}
