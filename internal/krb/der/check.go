package der

// Limits of [Check].
const (
	MaxDepth    = 32
	MaxElements = 1024
)

// Check walks the whole structure of one DER value before another decoder sees it: lengths are definite, minimal and
// inside their parents, nesting and the number of elements are bounded. Up to pad zero bytes may follow the value, as
// older encryption types leave them.
func Check(b []byte, pad int) error {
	_, head, size, ok := header(b)
	if !ok {
		return ErrMalformed
	}
	rest := b[head+size:]
	if len(rest) > pad {
		return ErrMalformed
	}
	for _, c := range rest {
		if c != 0 {
			return ErrMalformed
		}
	}
	left := MaxElements
	if !walk(b[:head+size], 0, &left) {
		return ErrMalformed
	}
	return nil
}

// walk checks a row of elements and, in constructed ones, what is inside.
func walk(b []byte, depth int, left *int) bool {
	if depth > MaxDepth {
		return false
	}
	for len(b) > 0 {
		tag, head, size, ok := header(b)
		if *left--; !ok || *left < 0 {
			return false
		}
		if tag&0x20 != 0 && !walk(b[head:head+size], depth+1, left) {
			return false
		}
		b = b[head+size:]
	}
	return true
}
