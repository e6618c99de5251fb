package der

import "slices"

// TLV returns one element: the tag, the length and the joined parts.
func TLV(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]byte, 0, n+6)
	out = append(out, tag)
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// Seq returns a SEQUENCE.
func Seq(parts ...[]byte) []byte { return TLV(TagSeq, parts...) }

// Field returns the explicit field n around body.
func Field(n byte, body []byte) []byte { return TLV(Ctx(n), body) }

// Octets returns an OCTET STRING.
func Octets(b []byte) []byte { return TLV(TagOctets, b) }

// Int returns an INTEGER.
func Int(v int64) []byte { return TLV(TagInt, number(v)) }

// Enum returns an ENUMERATED.
func Enum(v int64) []byte { return TLV(TagEnum, number(v)) }

func number(v int64) []byte {
	b := make([]byte, 0, 8)
	for {
		b = append(b, byte(v)) //nolint:gosec // the low byte is meant
		last := v & 0x80
		v >>= 8
		if v == 0 && last == 0 || v == -1 && last != 0 {
			break
		}
	}
	slices.Reverse(b)
	return b
}
