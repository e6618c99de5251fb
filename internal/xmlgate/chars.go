package xmlgate

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Classes of a byte inside markup.
const (
	classNameStart = 1 << iota
	className
	classSpace
)

// classes is the ASCII part of the name tables of XML 1.0 (section 2.3) without the colon; bytes from 0x80 on go through nameRune.
var classes = buildClasses() //nolint:gochecknoglobals // a constant table

func buildClasses() (t [256]uint8) {
	for c := range 0x80 {
		b := byte(c)
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_':
			t[b] = classNameStart | className
		case b >= '0' && b <= '9', b == '-', b == '.':
			t[b] = className
		case b == ' ', b == '\t', b == '\n', b == '\r':
			t[b] = classSpace
		}
	}
	return t
}

func isSpace(b byte) bool { return classes[b]&classSpace != 0 }

// nameStartRune is NameStartChar of XML 1.0 (fifth edition) above ASCII.
func nameStartRune(r rune) bool { //nolint:cyclop // one table of ranges
	switch {
	case r >= 0xC0 && r <= 0x2FF:
		return r != 0xD7 && r != 0xF7
	case r >= 0x370 && r <= 0x1FFF:
		return r != 0x37E
	}
	return r == 0x200C || r == 0x200D || r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF || r >= 0x3001 && r <= 0xD7FF ||
		r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

// nameRune is NameChar above ASCII.
func nameRune(r rune) bool {
	return nameStartRune(r) || r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// isChar is the production Char of XML 1.0 (section 2.2).
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// IsNCName reports whether s is a name without a colon (Namespaces in XML 1.0, section 3), which xs:ID demands.
func IsNCName(s string) bool {
	for i, r := range s {
		if r < utf8.RuneSelf {
			c := classes[byte(r)] //nolint:gosec // below 0x80
			if c&className == 0 || i == 0 && c&classNameStart == 0 {
				return false
			}
			continue
		}
		if r == utf8.RuneError || !nameRune(r) || i == 0 && !nameStartRune(r) {
			return false
		}
	}
	return s != ""
}

// ValidChars reports whether XML 1.0 can carry s: valid UTF-8 and nothing but Char.
func ValidChars(s string) bool {
	_, err := scanChars(unsafe.Slice(unsafe.StringData(s), len(s))) //nolint:gosec // it only reads
	return err == nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanChars checks every character once and reports whether a carriage return occurs. Eight bytes at a time: a word
// without a control character and without a high bit needs no further look.
func scanChars(b []byte) (cr bool, err *Error) {
	ascii := true
	i := 0
	for i+8 <= len(b) {
		if i+32 <= len(b) && printable(b[i:i+32]) {
			i += 32
			continue
		}
		w := binary.LittleEndian.Uint64(b[i:])
		if w&highs != 0 {
			ascii = false
		}
		if (w-ones*0x20)&^w&highs != 0 { // some byte is below 0x20 (exact when there is none: no borrow occurs)
			found, at := controls(b[i : i+8])
			if at >= 0 {
				return false, &Error{CodeMalformed, "character that XML does not allow", i + at}
			}
			cr = cr || found
		}
		i += 8
	}
	found, at := controls(b[i:])
	if at >= 0 {
		return false, &Error{CodeMalformed, "character that XML does not allow", i + at}
	}
	cr = cr || found
	for _, c := range b[i:] {
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		return cr, nil
	}
	if !utf8.Valid(b) {
		return false, &Error{CodeEncoding, "not valid UTF-8", 0}
	}
	return cr, nonCharacters(b)
}

// printable reports whether the 32 bytes of b lie between 0x20 and 0x7F: most text does.
func printable(b []byte) bool {
	w, x := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	y, z := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	return ((w-ones*0x20)|(x-ones*0x20)|(y-ones*0x20)|(z-ones*0x20)|w|x|y|z)&highs == 0
}

// controls looks at the control characters of b: whether a carriage return is among them, and where the first stands that XML does not
// allow, -1 for none.
func controls(b []byte) (cr bool, forbidden int) {
	for i, c := range b {
		if c < 0x20 && !isSpace(c) {
			return cr, i
		}
		cr = cr || c == '\r'
	}
	return cr, -1
}

// nonCharacters refuses U+FFFE and U+FFFF, the only valid UTF-8 beside control characters that Char leaves out.
func nonCharacters(b []byte) *Error {
	for i := 0; i+2 < len(b); i++ {
		if b[i] == 0xEF && b[i+1] == 0xBF && b[i+2] >= 0xBE {
			return &Error{CodeMalformed, "character that XML does not allow", i}
		}
	}
	return nil
}

// normaliseLines turns CR LF and CR into LF (XML 1.0, section 2.11).
func normaliseLines(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\r')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		b.WriteByte('\n')
		if s = s[i+1:]; s != "" && s[0] == '\n' {
			s = s[1:]
		}
	}
}

// reference reads the reference at s[i] == '&' and returns its character and the position after it, or next < 0.
func reference(s string, i int) (r rune, next int) {
	const longest = 12 // &#x0010FFFF; and some leading zeros
	s = s[i:min(len(s), i+longest)]
	switch {
	case len(s) < 4:
		return 0, -1
	case s[:4] == "&lt;":
		return '<', i + 4
	case s[:4] == "&gt;":
		return '>', i + 4
	case strings.HasPrefix(s, "&amp;"):
		return '&', i + 5
	case strings.HasPrefix(s, "&quot;"):
		return '"', i + 6
	case strings.HasPrefix(s, "&apos;"):
		return '\'', i + 6
	}
	end := strings.IndexByte(s, ';')
	if end < 3 || s[1] != '#' {
		return 0, -1
	}
	if r = number(s[2:end]); r < 0 || !isChar(r) {
		return 0, -1
	}
	return r, i + end + 1
}

// number reads the digits of a character reference, decimal or after an x hexadecimal, or returns -1.
func number(digits string) rune {
	base := rune(10)
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	if digits == "" {
		return -1
	}
	r := rune(0)
	for _, c := range []byte(digits) {
		var d rune
		switch {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			d = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			d = rune(c-'A') + 10
		default:
			return -1
		}
		if r = r*base + d; r > 0x10FFFF {
			return -1
		}
	}
	return r
}
