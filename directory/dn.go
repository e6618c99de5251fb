package directory

import (
	"encoding/hex"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// ErrDN is the error for text that is no distinguished name.
var ErrDN = errors.New("directory: malformed distinguished name")

const (
	maxDN   = 64 << 10
	maxRDNs = 256
)

// A DN is a parsed distinguished name (RFC 4514). The zero DN is the root. DNs are volatile: they change with every
// rename and move, so objects are never keyed by them.
type DN struct {
	rdns []rdn // leaf first
}

type rdn []ava

type ava struct {
	attr  string
	value string
}

// ParseDN reads the text form of RFC 4514, including hexadecimal values, and the `\0ADEL:` names of tombstones.
func ParseDN(s string) (DN, error) {
	if len(s) > maxDN || strings.ContainsRune(s, 0) {
		return DN{}, ErrDN
	}
	if s == "" {
		return DN{}, nil
	}
	var dn DN
	var cur rdn
	for {
		a, rest, sep, err := parseAVA(s)
		if err != nil {
			return DN{}, err
		}
		cur = append(cur, a)
		if sep != '+' {
			dn.rdns = append(dn.rdns, cur)
			cur = nil
		}
		if len(dn.rdns) > maxRDNs || len(cur) > 32 {
			return DN{}, ErrDN
		}
		if sep == 0 {
			return dn, nil
		}
		s = rest
	}
}

func parseAVA(s string) (a ava, rest string, sep byte, err error) {
	name, s, ok := strings.Cut(s, "=")
	name = strings.Trim(name, " ")
	if !ok || !attributeType(name) {
		return ava{}, "", 0, ErrDN
	}
	a.attr = name
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "#") {
		return hexAVA(a, s)
	}
	var sb strings.Builder
	keep := 0 // length up to the last character that is not an unescaped space
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+', ';':
			if c == ';' {
				c = ','
			}
			a.value = sb.String()[:keep]
			return a, s[i+1:], c, valid(a.value)
		case '"', '<', '>':
			return ava{}, "", 0, ErrDN
		case '\\':
			b, n, err := escaped(s[i+1:])
			if err != nil {
				return ava{}, "", 0, err
			}
			sb.WriteByte(b)
			i += n
			keep = sb.Len()
		default:
			sb.WriteByte(c)
			if c != ' ' {
				keep = sb.Len()
			}
		}
	}
	a.value = sb.String()[:keep]
	return a, "", 0, valid(a.value)
}

func valid(value string) error {
	if value == "" || !utf8.ValidString(value) {
		return ErrDN
	}
	return nil
}

func attributeType(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func escaped(s string) (b byte, n int, err error) {
	if s == "" {
		return 0, 0, ErrDN
	}
	if strings.IndexByte(" \"#+,;<=>\\", s[0]) >= 0 {
		return s[0], 1, nil
	}
	if len(s) < 2 {
		return 0, 0, ErrDN
	}
	h, err := hex.DecodeString(s[:2])
	if err != nil {
		return 0, 0, ErrDN
	}
	return h[0], 2, nil
}

// hexAVA reads "#" and the BER form of a string value (RFC 4514 section 2.4).
func hexAVA(a ava, s string) (ava, string, byte, error) {
	end := strings.IndexAny(s, ",+;")
	rest, sep := "", byte(0)
	if end >= 0 {
		rest, sep = s[end+1:], s[end]
		if sep == ';' {
			sep = ','
		}
		s = s[:end]
	}
	raw, err := hex.DecodeString(strings.TrimRight(s[1:], " "))
	if err != nil || len(raw) < 2 || int(raw[1]) != len(raw)-2 || raw[1] >= 0x80 {
		return ava{}, "", 0, ErrDN
	}
	switch raw[0] {
	case 0x04, 0x0c, 0x13, 0x16: // OCTET STRING, UTF8String, PrintableString, IA5String
	default:
		return ava{}, "", 0, ErrDN
	}
	a.value = string(raw[2:])
	return a, rest, sep, valid(a.value)
}

// EscapeDNValue escapes one attribute value for use in a DN (RFC 4514 section 2.4).
func EscapeDNValue(v string) string {
	var sb strings.Builder
	for i := range len(v) {
		c := v[i]
		switch {
		case strings.IndexByte(`"+,;<>\=`, c) >= 0, c == '#' && i == 0, c == ' ' && (i == 0 || i == len(v)-1):
			sb.WriteByte('\\')
			sb.WriteByte(c)
		case c < 0x20 || c == 0x7f:
			sb.WriteString(`\` + strings.ToUpper(hex.EncodeToString([]byte{c})))
		default:
			sb.WriteByte(c)
		}
	}
	return sb.String()
}

// String returns the text form of RFC 4514.
func (d DN) String() string {
	var sb strings.Builder
	for i, r := range d.rdns {
		if i > 0 {
			sb.WriteByte(',')
		}
		for j, a := range r {
			if j > 0 {
				sb.WriteByte('+')
			}
			sb.WriteString(a.attr + "=" + EscapeDNValue(a.value))
		}
	}
	return sb.String()
}

// Key returns a text that two DNs share when they name the same object: types and values are folded.
func (d DN) Key() string {
	var sb strings.Builder
	for _, r := range d.rdns {
		for _, a := range r {
			sb.WriteString(strings.ToLower(a.attr) + "=" + EscapeDNValue(fold.Key(a.value)) + "+")
		}
		sb.WriteByte(',')
	}
	return sb.String()
}

// IsZero reports whether d is the root.
func (d DN) IsZero() bool { return len(d.rdns) == 0 }

// Parent returns the name of the container, the root for a name of one part.
func (d DN) Parent() DN {
	if len(d.rdns) == 0 {
		return DN{}
	}
	return DN{d.rdns[1:]}
}

// Leaf returns the type and value of the first part.
func (d DN) Leaf() (attr, value string) {
	if len(d.rdns) == 0 {
		return "", ""
	}
	return d.rdns[0][0].attr, d.rdns[0][0].value
}

// Below reports whether d is base or lies below it.
func (d DN) Below(base DN) bool {
	n := len(d.rdns) - len(base.rdns)
	return n >= 0 && DN{d.rdns[n:]}.Key() == base.Key()
}

// DNS returns the DNS name that the DC= parts at the end spell, "" when there are none.
func (d DN) DNS() string {
	var labels []string
	for _, r := range d.rdns {
		if strings.EqualFold(r[0].attr, "DC") {
			labels = append(labels, r[0].value)
		} else {
			labels = nil
		}
	}
	return strings.Join(labels, ".")
}

// An ExtendedDN is "<GUID=...>;<SID=...>;DN" (MS-ADTS 3.1.1.3.4.1.5). GUID and SID may be missing.
type ExtendedDN struct {
	GUID string
	SID  string
	DN   string
}

// ParseExtendedDN reads an extended or a plain DN. The GUID may come as text or as 32 hexadecimal digits of its wire form,
// the SID as text or as hexadecimal digits.
func ParseExtendedDN(s string) (ExtendedDN, error) {
	if len(s) > maxDN {
		return ExtendedDN{}, ErrDN
	}
	var x ExtendedDN
	for strings.HasPrefix(s, "<") {
		end := strings.IndexByte(s, '>')
		if end < 0 {
			return ExtendedDN{}, ErrDN
		}
		name, value, _ := strings.Cut(s[1:end], "=")
		var err error
		switch strings.ToUpper(name) {
		case "GUID":
			x.GUID, err = guidOf(value)
		case "SID":
			x.SID, err = sidOf(value)
		default: // <RMD_...=...> and the like: not ours
		}
		if err != nil {
			return ExtendedDN{}, ErrDN
		}
		s = s[end+1:]
		if s == "" {
			return x, nil
		}
		if s[0] != ';' {
			return ExtendedDN{}, ErrDN
		}
		s = s[1:]
	}
	if _, err := ParseDN(s); err != nil {
		return ExtendedDN{}, err
	}
	x.DN = s
	return x, nil
}

func guidOf(text string) (string, error) {
	if len(text) == 32 {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return "", ErrDN
		}
		return sid.GUIDFromBytes(raw)
	}
	raw, err := sid.GUIDBytes(text)
	if err != nil {
		return "", err
	}
	return sid.GUIDFromBytes(raw)
}

func sidOf(text string) (string, error) {
	if raw, err := hex.DecodeString(text); err == nil {
		return sid.FromBytes(raw)
	}
	return sid.Canonical(text)
}
