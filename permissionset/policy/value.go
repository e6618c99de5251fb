package policy

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"time"
)

// decimal is a number kept as text, so that comparing is exact and costs no memory.
type decimal struct {
	neg       bool
	int, frac string // without leading and trailing zeros
}

func parseDecimal(s string) (decimal, bool) {
	var d decimal
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.neg = s[0] == '-'
		s = s[1:]
	}
	d.int, d.frac, _ = strings.Cut(s, ".")
	if d.int == "" && d.frac == "" || !onlyDigits(d.int) || !onlyDigits(d.frac) || strings.HasSuffix(s, ".") {
		return decimal{}, false
	}
	d.int, d.frac = strings.TrimLeft(d.int, "0"), strings.TrimRight(d.frac, "0")
	if d.int == "" && d.frac == "" {
		d.neg = false
	}
	return d, true
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (d decimal) cmp(o decimal) int {
	if d.neg != o.neg {
		if d.neg {
			return -1
		}
		return 1
	}
	c := len(d.int) - len(o.int)
	if c == 0 {
		c = strings.Compare(d.int, o.int)
	}
	if c == 0 {
		c = strings.Compare(d.frac, o.frac)
	}
	if d.neg {
		return -c
	}
	return c
}

// parseDate reads the W3C profile of ISO 8601 (date, minutes, seconds, fraction, zone) or seconds since 1970.
// No zone means UTC.
func parseDate(s string) (time.Time, bool) {
	if t, ok := parseEpoch(s); ok {
		return t, true
	}
	y, ok1 := digitsAt(s, 0, 4)
	mo, ok2 := digitsAt(s, 5, 2)
	d, ok3 := digitsAt(s, 8, 2)
	if !ok1 || !ok2 || !ok3 || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	rest := s[10:]
	var h, mi, sec, nano, offset int
	if rest != "" {
		if rest[0] != 'T' && rest[0] != 't' {
			return time.Time{}, false
		}
		var ok bool
		if h, mi, sec, nano, rest, ok = parseClock(rest[1:]); !ok {
			return time.Time{}, false
		}
		if offset, ok = parseZone(rest); !ok {
			return time.Time{}, false
		}
	}
	t := time.Date(y, time.Month(mo), d, h, mi, sec, nano, time.UTC)
	if ry, rm, rd := t.Date(); ry != y || int(rm) != mo || rd != d { // 31 February
		return time.Time{}, false
	}
	return t.Add(-time.Duration(offset) * time.Minute), true
}

func parseEpoch(s string) (time.Time, bool) {
	whole, frac, dotted := strings.Cut(s, ".")
	digits := strings.TrimPrefix(whole, "-")
	if digits == "" || len(digits) > 14 || !onlyDigits(digits) || dotted && (frac == "" || !onlyDigits(frac)) {
		return time.Time{}, false
	}
	var sec int64
	for i := range len(digits) {
		sec = sec*10 + int64(digits[i]-'0')
	}
	nano := int64(fraction(frac))
	if digits != whole {
		sec, nano = -sec, -nano
	}
	return time.Unix(sec, nano), true
}

// parseClock reads hh:mm, hh:mm:ss or hh:mm:ss.fff.
func parseClock(s string) (h, m, sec, nano int, rest string, ok bool) {
	h, ok1 := digitsAt(s, 0, 2)
	m, ok2 := digitsAt(s, 3, 2)
	if !ok1 || !ok2 || s[2] != ':' || h > 23 || m > 59 {
		return 0, 0, 0, 0, "", false
	}
	rest = s[5:]
	if !strings.HasPrefix(rest, ":") {
		return h, m, 0, 0, rest, true
	}
	if sec, ok = digitsAt(rest, 1, 2); !ok || sec > 59 {
		return 0, 0, 0, 0, "", false
	}
	rest = rest[3:]
	if strings.HasPrefix(rest, ".") {
		n := 1
		for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
			n++
		}
		if n == 1 {
			return 0, 0, 0, 0, "", false
		}
		nano, rest = fraction(rest[1:n]), rest[n:]
	}
	return h, m, sec, nano, rest, true
}

// fraction turns the digits after the point into nanoseconds; what is finer is cut off.
func fraction(digits string) int {
	n := 0
	for i := range 9 {
		n *= 10
		if i < len(digits) {
			n += int(digits[i] - '0')
		}
	}
	return n
}

// parseZone reads "", Z, +hh:mm, +hhmm or +hh and returns minutes.
func parseZone(s string) (minutes int, ok bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	h, ok1 := digitsAt(s, 1, 2)
	if !ok1 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	m, rest := 0, strings.TrimPrefix(s[3:], ":")
	if s[3:] != "" {
		var ok2 bool
		if m, ok2 = digitsAt(rest, 0, 2); !ok2 || len(rest) != 2 {
			return 0, false
		}
	}
	if h > 23 || m > 59 {
		return 0, false
	}
	minutes = h*60 + m
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
}

func digitsAt(s string, at, n int) (int, bool) {
	if len(s) < at+n {
		return 0, false
	}
	v := 0
	for i := at; i < at+n; i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, true
}

// parseNetwork reads an address block; an address alone is a block of one.
func parseNetwork(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

// maxAddress keeps an absurd text away from the address parser, whose error would copy it.
const maxAddress = 64

func parseAddress(s string) (netip.Addr, bool) {
	if len(s) > maxAddress {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == ""
}

func parseBool(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	default:
		return false, false
	}
}

func parseBinary(s string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	return string(b), err == nil
}
