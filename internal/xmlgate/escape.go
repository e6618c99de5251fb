package xmlgate

import "unicode/utf8"

// escaped writes text (Canonical XML 1.0, section 2.3).
func (c *canon) escaped(s string) {
	start := 0
	for i := range len(s) {
		b := s[i]
		if b > '>' || escapes[b]&inText == 0 {
			continue
		}
		c.put(s[start:i])
		c.put(escapeOf(b))
		start = i + 1
	}
	c.put(s[start:])
}

// value writes an attribute value; as written it may hold references and white space that stands for blanks.
func (c *canon) value(s string, decode bool) {
	start := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b > '<' || escapes[b]&inValue == 0 {
			continue
		}
		c.put(s[start:i])
		switch {
		case !decode:
			c.put(escapeOf(b))
		case b == '&':
			r, next := reference(s, i)
			if r < utf8.RuneSelf && escapes[r]&inValue != 0 {
				c.put(escapeOf(byte(r))) //nolint:gosec // below 0x80
			} else {
				c.rune(r)
			}
			i = next - 1
		case b == '"':
			c.put("&quot;")
		default: // white space (XML 1.0, section 3.3.3)
			c.put(" ")
		}
		start = i + 1
	}
	c.put(s[start:])
}

// char writes what the reference as stands for in text.
func (c *canon) char(r rune, as string) {
	switch {
	case r == '&' && as == "&amp;", r == '<' && as == "&lt;", r == '>' && as == "&gt;":
		c.put(as)
	case r < utf8.RuneSelf && escapes[r]&inText != 0:
		c.put(escapeOf(byte(r))) //nolint:gosec // below 0x80
	default:
		c.rune(r)
	}
}

func (c *canon) rune(r rune) {
	if cap(c.out)-len(c.out) >= utf8.UTFMax || c.room(utf8.UTFMax) {
		c.out = utf8.AppendRune(c.out, r)
	}
}

// AppendEscapedText appends s, of characters that XML can carry, as canonical text.
func AppendEscapedText(b []byte, s string) []byte { return appendEscaped(b, s, inText) }

// AppendEscapedValue appends s as a canonical attribute value.
func AppendEscapedValue(b []byte, s string) []byte { return appendEscaped(b, s, inValue) }

func appendEscaped(b []byte, s string, where uint8) []byte {
	start := 0
	for i := range len(s) {
		if c := s[i]; c <= '>' && escapes[c]&where != 0 {
			b = append(append(b, s[start:i]...), escapeOf(c)...)
			start = i + 1
		}
	}
	return append(b, s[start:]...)
}

// Where a character must be written as a reference.
const (
	inText = 1 << iota
	inValue
)

var escapes = [utf8.RuneSelf]uint8{ //nolint:gochecknoglobals // a constant table
	'&': inText | inValue, '<': inText | inValue, '>': inText, '\r': inText | inValue, '"': inValue, '\t': inValue, '\n': inValue,
}

func escapeOf(b byte) string {
	switch b {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	case '\t':
		return "&#x9;"
	case '\n':
		return "&#xA;"
	}
	return "&#xD;"
}
