package permissionset

import (
	"errors"
	"math"
	"strings"
	"time"
)

// ErrDuration is what errors.Is finds when a session duration is malformed.
var ErrDuration = errors.New("permissionset: malformed duration")

// ParseDuration reads a duration as the sso-admin service model writes it: ISO 8601 in capital letters, days or weeks,
// a fraction in the seconds only. Years and months have no fixed length: calendar is then true and d is 0.
func ParseDuration(s string) (d time.Duration, calendar bool, err error) { //nolint:cyclop // one grammar
	rest, neg := strings.CutPrefix(s, "-")
	rest, ok := strings.CutPrefix(rest, "P")
	if !ok || rest == "" || len(s) > 100 {
		return 0, false, ErrDuration
	}
	date, clock, timed := strings.Cut(rest, "T")
	total := 0.0
	sum := func(text, units string, seconds ...float64) bool {
		for text != "" {
			n := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
			if n <= 0 {
				return false
			}
			value, frac := digits(text[:n]), 0.0
			text = text[n:]
			if text[0] == '.' {
				m := 1
				for m < len(text) && '0' <= text[m] && text[m] <= '9' {
					m++
				}
				if m == 1 || m == len(text) || text[m] != 'S' || !strings.HasSuffix(units, "S") {
					return false
				}
				frac, text = digits(text[1:m])/math.Pow10(m-1), text[m:]
			}
			k := strings.IndexByte(units, text[0])
			if k < 0 {
				return false
			}
			total += (value + frac) * seconds[k]
			calendar = calendar || seconds[k] == 0
			units, seconds, text = units[k+1:], seconds[k+1:], text[1:]
		}
		return true
	}
	units, lengths := "YMD", []float64{0, 0, 86400}
	if strings.HasSuffix(date, "W") {
		units, lengths = "YMW", []float64{0, 0, 7 * 86400}
	}
	if !sum(date, units, lengths...) || timed && clock == "" || !sum(clock, "HMS", 3600, 60, 1) {
		return 0, false, ErrDuration
	}
	if neg {
		total = -total
	}
	if calendar || math.Abs(total) > 1e9 {
		return 0, true, nil
	}
	return time.Duration(math.Round(total * float64(time.Second))), false, nil
}

func digits(s string) float64 {
	v := 0.0
	for i := range len(s) {
		v = v*10 + float64(s[i]-'0')
	}
	return v
}

// Session returns the session duration of the set, one hour when it has none. It fails as [ParseDuration] does and
// when the value is not between one and twelve hours.
func (p *PermissionSet) Session() (time.Duration, error) {
	q := DefaultQuotas()
	if p.SessionDuration == "" {
		return q.DefaultSession, nil
	}
	d, calendar, err := ParseDuration(p.SessionDuration)
	switch {
	case err != nil:
		return 0, err
	case calendar || d < q.MinSession || d > q.MaxSession:
		return 0, ErrDurationRange
	default:
		return d, nil
	}
}

// ErrDurationRange is what errors.Is finds when a session duration is well formed and outside the range.
var ErrDurationRange = errors.New("permissionset: session duration is not between 1 h and 12 h")
