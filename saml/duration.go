package saml

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

var errDuration = errors.New("saml: malformed duration")

// parseDuration reads an xs:duration. Years and months have no fixed length; 365 and 30 days serve for a cache.
func parseDuration(s string) (time.Duration, error) {
	rest, neg := strings.CutPrefix(strings.TrimSpace(s), "-")
	rest, ok := strings.CutPrefix(rest, "P")
	if !ok || rest == "" || len(rest) > 64 {
		return 0, errDuration
	}
	date, clockPart, hasTime := strings.Cut(rest, "T")
	if hasTime && clockPart == "" {
		return 0, errDuration
	}
	const day = 24 * time.Hour
	a, err := durationPart(date, "YMD", []time.Duration{365 * day, 30 * day, day})
	if err != nil {
		return 0, err
	}
	b, err := durationPart(clockPart, "HMS", []time.Duration{time.Hour, time.Minute, time.Second})
	if err != nil {
		return 0, err
	}
	if neg {
		return -(a + b), nil
	}
	return a + b, nil
}

// durationPart reads numbers followed by the given unit letters in their order. Values are capped so that nothing overflows.
func durationPart(s, letters string, units []time.Duration) (time.Duration, error) {
	var sum time.Duration
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if i <= 0 {
			return 0, errDuration
		}
		at := strings.IndexByte(letters, s[i])
		if at < 0 || (strings.Contains(s[:i], ".") && s[i] != 'S') {
			return 0, errDuration
		}
		n, err := strconv.ParseFloat(s[:i], 64)
		if err != nil {
			return 0, errDuration
		}
		const most = float64(20 * 365 * 24 * time.Hour) // six of these fit into a Duration
		sum += time.Duration(min(n*float64(units[at]), most))
		letters, units, s = letters[at+1:], units[at+1:], s[i+1:]
	}
	return sum, nil
}
