package policy

// GlobMatch lets tests reach the matcher: the pattern is as in a policy.
func GlobMatch(pattern, text string) bool {
	ok, _ := GlobWork(pattern, text)
	return ok
}

// GlobWork is GlobMatch with the number of steps.
func GlobWork(pattern, text string) (ok bool, steps int64) {
	const most = 1 << 40
	work := int64(most)
	ok = globMatch(encodeGlob(pattern), text, &work)
	return ok, most - work
}

// ParseDate and its like let tests reach the value parsers.
var (
	ParseDate  = parseDate
	CompareDec = func(a, b string) (int, bool) {
		x, ok1 := parseDecimal(a)
		y, ok2 := parseDecimal(b)
		return x.cmp(y), ok1 && ok2
	}
)
