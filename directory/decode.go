package directory

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AccountControl is userAccountControl (MS-ADTS 2.2.16). Lock-out and expiry are not in it.
type AccountControl uint32

// Bits of userAccountControl and of msDS-User-Account-Control-Computed.
const (
	Disabled          AccountControl = 0x2
	LockedOut         AccountControl = 0x10 // only in the computed attribute
	PasswordNotNeeded AccountControl = 0x20
	NormalAccount     AccountControl = 0x200
	InterdomainTrust  AccountControl = 0x800
	WorkstationTrust  AccountControl = 0x1000
	ServerTrust       AccountControl = 0x2000
	PasswordNoExpire  AccountControl = 0x10000
	SmartCardRequired AccountControl = 0x40000
	NoPreauth         AccountControl = 0x400000
	PasswordExpired   AccountControl = 0x800000 // only in the computed attribute
)

// Has reports whether all bits of mask are set.
func (a AccountControl) Has(mask AccountControl) bool { return a&mask == mask }

// GroupType is groupType (MS-ADTS 2.2.12), a signed number on the wire.
type GroupType uint32

// Bits of groupType.
const (
	GroupBuiltin     GroupType = 0x1
	GroupGlobal      GroupType = 0x2
	GroupDomainLocal GroupType = 0x4
	GroupUniversal   GroupType = 0x8
	GroupSecurity    GroupType = 0x80000000
)

// Has reports whether all bits of mask are set.
func (g GroupType) Has(mask GroupType) bool { return g&mask == mask }

// ErrTime is the error for text that is no GeneralizedTime.
var ErrTime = errors.New("directory: malformed time")

const (
	never         = math.MaxInt64
	fileTimeEpoch = 11644473600 // seconds from 1601 to 1970
)

// FromFileTime turns a count of 100 ns since 1601 into an instant. 0, negative numbers and the largest number mean "never".
func FromFileTime(n int64) (t time.Time, ok bool) {
	if n <= 0 || n == never {
		return time.Time{}, false
	}
	return time.Unix(n/1e7-fileTimeEpoch, n%1e7*100).UTC(), true
}

// ToFileTime is the reverse of [FromFileTime]; the zero time is 0.
func ToFileTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return (t.Unix()+fileTimeEpoch)*1e7 + int64(t.Nanosecond()/100)
}

// Interval turns a negative count of 100 ns (lockoutDuration, maxPwdAge) into a duration. ok is false for "none": the
// smallest number and 0, and for positive numbers, which no interval has.
func Interval(n int64) (d time.Duration, ok bool) {
	if n >= 0 || n == math.MinInt64 {
		return 0, false
	}
	if n < -(math.MaxInt64 / 100) {
		return math.MaxInt64, true
	}
	return time.Duration(-n * 100), true
}

// ParseGeneralizedTime reads 20261121192342.0Z (X.680 section 46): seconds, fraction and offset may vary, a zone is required.
func ParseGeneralizedTime(s string) (time.Time, error) {
	if len(s) < 11 || len(s) > 40 {
		return time.Time{}, ErrTime
	}
	zone := time.UTC
	body, isZ := strings.CutSuffix(s, "Z")
	if !isZ {
		i := strings.LastIndexAny(s, "+-")
		if i < 0 {
			return time.Time{}, ErrTime
		}
		var err error
		if zone, err = offset(s[i:]); err != nil {
			return time.Time{}, err
		}
		body = s[:i]
	}
	body, frac, hasFrac := strings.Cut(strings.ReplaceAll(body, ",", "."), ".")
	layout := map[int]string{14: "20060102150405", 12: "200601021504", 10: "2006010215"}[len(body)]
	if layout == "" || !digits(body) || (hasFrac && (len(body) != 14 || frac == "" || !digits(frac))) {
		return time.Time{}, ErrTime
	}
	t, err := time.ParseInLocation(layout, body, zone)
	if err != nil {
		return time.Time{}, ErrTime
	}
	if hasFrac {
		ns, err := strconv.Atoi((frac + "000000000")[:9])
		if err != nil {
			return time.Time{}, ErrTime
		}
		t = t.Add(time.Duration(ns))
	}
	return t.UTC(), nil
}

func offset(s string) (*time.Location, error) {
	if (len(s) != 3 && len(s) != 5) || !digits(s[1:]) {
		return nil, ErrTime
	}
	h, _ := strconv.Atoi(s[1:3])
	m := 0
	if len(s) == 5 {
		m, _ = strconv.Atoi(s[3:])
	}
	if h > 23 || m > 59 {
		return nil, ErrTime
	}
	secs := h*3600 + m*60
	if s[0] == '-' {
		secs = -secs
	}
	return time.FixedZone("", secs), nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// ProxyAddresses splits values of proxyAddresses: the primary address is marked "SMTP:", secondary ones "smtp:". Other
// kinds (x500, sip) are left out. The secondary ones are sorted, because the attribute has no order.
func ProxyAddresses(values []string) (primary string, secondary []string) {
	for _, v := range values {
		kind, addr, ok := strings.Cut(v, ":")
		switch {
		case !ok || addr == "":
		case kind == "SMTP" && (primary == "" || addr < primary):
			primary = addr
		case kind == "smtp":
			secondary = append(secondary, addr)
		}
	}
	slices.Sort(secondary)
	return primary, secondary
}
