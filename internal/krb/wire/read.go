package wire

import (
	"bytes"
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/der"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
)

// The messages that a service reads for every request are taken apart here and not by the library, whose reflection
// cost more than their cryptography. As there, fields behind the last known one are passed over.

// Universal tags that only this file needs.
const (
	tagGeneralString = 0x1b
	tagTime          = 0x18
)

// open checks the whole structure and returns the content of a SEQUENCE below an application tag. The bytes are copied:
// what is read from them may be kept, and callers overwrite what they decrypted.
func open(b []byte, pad int, tag byte) (der.Dec, error) {
	if err := der.Check(b, pad); err != nil {
		return der.Dec{}, err
	}
	d := der.New(bytes.Clone(b))
	app := d.Into(der.App(tag))
	s := app.Seq()
	return s, d.Err()
}

// done returns v unless anything in it was malformed or out of bounds.
func done[T any](v T, d der.Dec, c *conv) (T, error) {
	c.fail(d.Err() == nil)
	return result(v, c)
}

func (c *conv) dInt32(d der.Dec) int32 {
	v := d.Int()
	c.fail(v >= -1<<31 && v < 1<<31)
	return int32(v) //nolint:gosec // checked above
}

func (c *conv) dMicro(d der.Dec) time.Duration {
	v := d.Int()
	c.fail(v >= 0 && v <= 999999)
	return time.Duration(v) * time.Microsecond
}

// dText reads d as exactly one GeneralString.
func (c *conv) dText(d der.Dec) string {
	body := d.Into(tagGeneralString).Rest()
	d.End()
	return c.text(string(body))
}

func (c *conv) dRealm(d der.Dec) string { return c.realm(c.dText(d)) }

func (c *conv) dName(d der.Dec) Name {
	s := d.Seq()
	n := Name{Type: c.dInt32(s.Field(0))}
	list := s.Field(1)
	for parts := list.Seq(); parts.More() && len(n.Parts) <= maxNameParts; {
		n.Parts = append(n.Parts, c.text(string(parts.Into(tagGeneralString).Rest())))
	}
	c.fail(len(n.Parts) >= 1 && len(n.Parts) <= maxNameParts)
	return n
}

// dTime reads d as exactly one KerberosTime: GeneralizedTime in UTC without fractions (RFC 4120 5.2.3).
func (c *conv) dTime(d der.Dec) time.Time {
	b := d.Into(tagTime).Rest()
	d.End()
	if len(b) != len("20060102150405Z") || b[14] != 'Z' {
		c.bad = true
		return time.Time{}
	}
	two := func(i int) int {
		hi, lo := b[i]-'0', b[i+1]-'0'
		c.fail(hi <= 9 && lo <= 9)
		return int(hi)*10 + int(lo)
	}
	year, month, day := two(0)*100+two(2), two(4), two(6)
	hour, minute, second := two(8), two(10), two(12)
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	// what does not exist, as February 30, becomes another day
	c.fail(int(t.Month()) == month && t.Day() == day && t.Hour() == hour && t.Minute() == minute && t.Second() == second)
	return t
}

func (c *conv) dEncrypted(d der.Dec) Encrypted {
	s := d.Seq()
	e := Encrypted{EType: c.dInt32(s.Field(0))}
	if f, ok := s.Opt(1); ok {
		e.KVNO = c.uint32(f.Int())
	}
	e.Cipher = s.Field(2).Octets()
	return e
}

// pair reads SEQUENCE { [0] Int32, [1] OCTET STRING }, the form of keys, checksums, addresses and authorization data.
func (c *conv) pair(d der.Dec) (int32, []byte) {
	s := d.Seq()
	return c.dInt32(s.Field(0)), s.Field(1).Octets()
}

// dKey refuses keys of unknown type or wrong length. The copy that was read is overwritten.
func (c *conv) dKey(d der.Dec) *etype.Key {
	et, b := c.pair(d)
	defer clear(b)
	k, err := etype.New(et, b)
	c.fail(err == nil)
	return k
}

// pairs reads a SEQUENCE OF such pairs.
func (c *conv) pairs(d der.Dec, most int, add func(int32, []byte)) {
	n := 0
	for list := d.Seq(); list.More(); n++ {
		if c.fail(n < most); c.bad {
			return
		}
		s := list.Into(der.TagSeq)
		add(c.dInt32(s.Field(0)), s.Field(1).Octets())
	}
}
