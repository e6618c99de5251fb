package policy

// GlobMatch lets tests reach the matcher: the pattern is as in a policy.
func GlobMatch(pattern, text string) bool { return globMatch(encodeGlob(pattern), text) }

// ParseDate and its like let tests reach the value parsers.
var (
	ParseDate  = parseDate
	CompareDec = func(a, b string) (int, bool) {
		x, ok1 := parseDecimal(a)
		y, ok2 := parseDecimal(b)
		return x.cmp(y), ok1 && ok2
	}
)
