// Package ldapwire encodes and decodes the LDAP messages that a directory client and its test server exchange
// (RFC 4511), in the subset of BER that LDAP allows (RFC 4511 section 5.1): definite lengths, primitive strings, tags
// below 31. Every decoder takes bytes that are already in memory, checks each length against what is there before it
// allocates, and carries its depth where a form can nest. Nothing here panics on input.
package ldapwire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// ErrMalformed is the error for bytes that are no LDAP message.
var ErrMalformed = errors.New("ldapwire: malformed message")

// ErrTooLarge is the error for a message above the limit; nothing of its body was read.
var ErrTooLarge = errors.New("ldapwire: message above the size limit")

// Universal tags used by LDAP.
const (
	TagBoolean  = 0x01
	TagInteger  = 0x02
	TagOctets   = 0x04
	TagEnum     = 0x0a
	TagSequence = 0x30
	TagSet      = 0x31
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// AppendTLV appends one element.
func AppendTLV(dst []byte, tag byte, body []byte) []byte {
	dst = appendHeader(dst, tag, len(body))
	return append(dst, body...)
}

func appendHeader(dst []byte, tag byte, n int) []byte {
	dst = append(dst, tag)
	if n < 0x80 {
		return append(dst, byte(n)) //nolint:gosec // checked
	}
	size := 1
	for x := n; x > 0xff; x >>= 8 {
		size++
	}
	dst = append(dst, 0x80|byte(size))
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i))) //nolint:gosec // one byte of it is meant
	}
	return dst
}

// TLV returns one element made of the parts.
func TLV(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := appendHeader(make([]byte, 0, n+6), tag, n)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// Octets returns an OCTET STRING.
func Octets(s string) []byte { return TLV(TagOctets, []byte(s)) }

// Bool returns a BOOLEAN.
func Bool(v bool) []byte {
	if v {
		return []byte{TagBoolean, 1, 0xff}
	}
	return []byte{TagBoolean, 1, 0}
}

// Int returns an INTEGER or ENUMERATED in its shortest form.
func Int(tag byte, v int64) []byte {
	n := 1
	for x := v; x > 127 || x < -128; x >>= 8 {
		n++
	}
	out := []byte{tag, byte(n)}
	for i := n - 1; i >= 0; i-- {
		out = append(out, byte(v>>(8*i))) //nolint:gosec // one byte of it is meant
	}
	return out
}

// An Element is one decoded element; Body is a part of the input, not a copy.
type Element struct {
	Tag  byte
	Body []byte
}

// Int reads the body as INTEGER or ENUMERATED of at most 8 bytes.
func (e Element) Int() (int64, error) {
	if len(e.Body) == 0 || len(e.Body) > 8 {
		return 0, malformed("integer length")
	}
	v := int64(int8(e.Body[0])) //nolint:gosec // the first byte has the sign
	for _, b := range e.Body[1:] {
		v = v<<8 | int64(b)
	}
	return v, nil
}

// Decoder returns a decoder for the element's body.
func (e Element) Decoder() *Decoder { return &Decoder{b: e.Body} }

// A Decoder walks over consecutive elements.
type Decoder struct{ b []byte }

// NewDecoder decodes b.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// More reports whether bytes are left.
func (d *Decoder) More() bool { return len(d.b) > 0 }

// Peek returns the next tag, or 0 at the end.
func (d *Decoder) Peek() byte {
	if len(d.b) == 0 {
		return 0
	}
	return d.b[0]
}

// Next returns the next element.
func (d *Decoder) Next() (Element, error) {
	if len(d.b) < 2 {
		return Element{}, malformed("element cut short")
	}
	tag := d.b[0]
	if tag&0x1f == 0x1f {
		return Element{}, malformed("long tag form")
	}
	n, head, err := length(d.b[1:])
	if err != nil {
		return Element{}, err
	}
	if n > len(d.b)-1-head {
		return Element{}, malformed("length beyond the end")
	}
	body := d.b[1+head : 1+head+n]
	d.b = d.b[1+head+n:]
	return Element{tag, body[:n:n]}, nil
}

// Want returns the next element, which must have the tag.
func (d *Decoder) Want(tag byte) (Element, error) {
	e, err := d.Next()
	if err != nil {
		return Element{}, err
	}
	if e.Tag != tag {
		return Element{}, malformed(fmt.Sprintf("tag %#02x instead of %#02x", e.Tag, tag))
	}
	return e, nil
}

// Text returns the next element, an OCTET STRING, as text.
func (d *Decoder) Text() (string, error) {
	e, err := d.Want(TagOctets)
	return string(e.Body), err
}

// Number returns the next element, with the tag, as a number.
func (d *Decoder) Number(tag byte) (int64, error) {
	e, err := d.Want(tag)
	if err != nil {
		return 0, err
	}
	return e.Int()
}

// Flag returns the next element, a BOOLEAN.
func (d *Decoder) Flag() (bool, error) {
	e, err := d.Want(TagBoolean)
	if err != nil {
		return false, err
	}
	if len(e.Body) != 1 {
		return false, malformed("boolean length")
	}
	return e.Body[0] != 0, nil
}

// End checks that nothing is left.
func (d *Decoder) End() error {
	if len(d.b) > 0 {
		return malformed("bytes after the last element")
	}
	return nil
}

// length reads a definite length: the value and the number of bytes it took. Longer forms than needed are legal in BER,
// and Active Directory always sends four bytes.
func length(b []byte) (n, size int, err error) {
	if len(b) == 0 {
		return 0, 0, malformed("length missing")
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	k := int(b[0] & 0x7f)
	if k == 0 || k > 4 {
		return 0, 0, malformed("length form")
	}
	if len(b) < 1+k {
		return 0, 0, malformed("length cut short")
	}
	var v uint32
	for _, c := range b[1 : 1+k] {
		v = v<<8 | uint32(c)
	}
	if v > 1<<30 {
		return 0, 0, malformed("length above 1 GiB")
	}
	return int(v), 1 + k, nil
}

// ReadFrame reads one LDAPMessage from r and returns the body of its outer SEQUENCE. A body above limit is refused before
// it is read; what is read grows with what arrives, so that a lying header costs nothing. io.EOF means that the stream
// ended between two messages; an end inside one is io.ErrUnexpectedEOF.
func ReadFrame(r *bufio.Reader, limit int) ([]byte, error) {
	tag, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	if tag != TagSequence {
		return nil, malformed("no SEQUENCE")
	}
	head := make([]byte, 1, 5)
	if head[0], err = r.ReadByte(); err != nil {
		return nil, noEOF(err)
	}
	if head[0] >= 0x80 {
		k := int(head[0] & 0x7f)
		if k == 0 || k > 4 {
			return nil, malformed("length form")
		}
		head = head[:1+k]
		if _, err = io.ReadFull(r, head[1:]); err != nil {
			return nil, noEOF(err)
		}
	}
	n, _, err := length(head)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, ErrTooLarge
	}
	return readBody(r, n)
}

const chunk = 64 << 10

func readBody(r io.Reader, n int) ([]byte, error) {
	if n <= chunk {
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, noEOF(err)
		}
		return b, nil
	}
	b := make([]byte, 0, chunk)
	for len(b) < n {
		have := len(b)
		b = append(b, make([]byte, min(max(chunk, have), n-have))...)
		if _, err := io.ReadFull(r, b[have:]); err != nil {
			return nil, noEOF(err)
		}
	}
	return b, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// MaxDepth is how deep a message may nest: an entry needs six levels, a filter of [MaxFilterDepth] a few more.
const MaxDepth = 2*MaxFilterDepth + 16

// CheckShape walks over all elements of b, constructed ones inside too, and checks lengths, depth and number. Contents of
// octet strings are not looked into.
func CheckShape(b []byte, elements int) error {
	left := elements
	return checkShape(b, &left, 0)
}

func checkShape(b []byte, left *int, depth int) error {
	if depth > MaxDepth {
		return malformed("nested too deep")
	}
	for d := NewDecoder(b); d.More(); {
		e, err := d.Next()
		if err != nil {
			return err
		}
		if *left--; *left < 0 {
			return ErrTooLarge
		}
		if e.Tag&0x20 != 0 {
			if err := checkShape(e.Body, left, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
