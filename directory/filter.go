package directory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

const (
	maxFilterText  = 1 << 20
	maxFilterDepth = 100
)

// A Filter is a search filter (RFC 4515). It is built from values, never from text that somebody typed: whatever a value
// holds, it stays a value. The zero Filter matches every object.
type Filter struct {
	text string
	bad  bool // an attribute name that is none; the search then fails
}

var errFilter = errors.New("directory: malformed filter")

func item(attribute, op, escaped string) Filter {
	return Filter{"(" + attribute + op + escaped + ")", !ldapwire.ValidAttribute(attribute)}
}

// Eq matches objects that have the value.
func Eq(attribute, value string) Filter { return item(attribute, "=", ldap.EscapeFilter(value)) }

// EqBytes matches objects that have the binary value.
func EqBytes(attribute string, value []byte) Filter {
	var sb strings.Builder
	for _, b := range value { // every byte, so that no server takes it for text
		fmt.Fprintf(&sb, `\%02x`, b)
	}
	return item(attribute, "=", sb.String())
}

// Present matches objects that have the attribute.
func Present(attribute string) Filter { return item(attribute, "=", "*") }

// AtLeast matches objects with a value of n or more.
func AtLeast(attribute string, n int64) Filter {
	return item(attribute, ">=", strconv.FormatInt(n, 10))
}

// AtMost matches objects with a value of n or less.
func AtMost(attribute string, n int64) Filter {
	return item(attribute, "<=", strconv.FormatInt(n, 10))
}

// Prefix matches objects with a value that starts so. An empty prefix is [Present].
func Prefix(attribute, prefix string) Filter {
	return item(attribute, "=", ldap.EscapeFilter(prefix)+"*")
}

// Bit matches objects whose number has all bits of mask (rule 1.2.840.113556.1.4.803).
func Bit(attribute string, mask uint32) Filter {
	f := item(attribute, ":"+ldapwire.OIDMatchBitAnd+":=", strconv.FormatUint(uint64(mask), 10))
	return f
}

// And matches objects that all filters match; without filters every object.
func And(filters ...Filter) Filter { return join("&", filters) }

// Or matches objects that any of the filters matches; without filters none.
func Or(filters ...Filter) Filter {
	if len(filters) == 0 {
		return Not(Filter{})
	}
	return join("|", filters)
}

// Not matches objects that f does not match.
func Not(f Filter) Filter { return Filter{"(!" + f.String() + ")", f.bad} }

// ByGUID matches the object with the objectGUID. Text that is no GUID matches nothing.
func ByGUID(guid string) Filter {
	b, err := sid.GUIDBytes(guid)
	if err != nil {
		return Or()
	}
	return EqBytes("objectGUID", b)
}

// BySID matches the object with the objectSid. Text that is no SID matches nothing.
func BySID(text string) Filter {
	b, err := sid.Bytes(text)
	if err != nil {
		return Or()
	}
	return EqBytes("objectSid", b)
}

// ParseFilter reads the text form of RFC 4515. It is for filters from a configuration, never for names that users typed.
func ParseFilter(text string) (Filter, error) {
	f := Filter{text: text}
	if err := f.check(); err != nil || text == "" {
		return Filter{}, errFilter
	}
	return f, nil
}

// String returns the text form of RFC 4515.
func (f Filter) String() string {
	if f.text == "" {
		return "(objectClass=*)"
	}
	return f.text
}

// check refuses what does not compile; a program gives filters, not a user. Depth and length are looked at before go-ldap's
// compiler, which calls itself, sees the text.
func (f Filter) check() error {
	if f.bad || len(f.text) > maxFilterText {
		return errFilter
	}
	depth := 0
	for i := range len(f.text) {
		switch f.text[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth > maxFilterDepth {
			return errFilter
		}
	}
	if _, err := ldap.CompileFilter(f.String()); err != nil {
		return fmt.Errorf("%w: %w", errFilter, err)
	}
	return nil
}

func join(op string, filters []Filter) Filter {
	if len(filters) == 0 {
		return Filter{}
	}
	if len(filters) == 1 {
		return filters[0]
	}
	var sb strings.Builder
	out := Filter{}
	for _, f := range filters {
		sb.WriteString(f.String())
		out.bad = out.bad || f.bad
	}
	out.text = "(" + op + sb.String() + ")"
	return out
}
