package policy

import (
	"strings"
	"unicode/utf8"
)

// Patterns are kept in an encoded form: the wildcards are two bytes that no UTF-8 text holds. So a star that came out of
// a policy variable stays a plain star, and a pattern with its variables filled in is still one string.
const (
	anyRun  = 0xff // "*": any run of characters, also an empty one
	anyChar = 0xfe // "?": exactly one character

	star = "\xff" // anyRun as a text: string(anyRun) would be the letter of that number
)

// encodeGlob turns the stars and question marks of a policy's text into wildcards.
func encodeGlob(s string) string {
	if !strings.ContainsAny(s, "*?") {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		switch c {
		case '*':
			b[i] = anyRun
		case '?':
			b[i] = anyChar
		}
	}
	return string(b)
}

// globMatch reports whether the encoded pattern p matches all of s. It never goes back behind a star once the text
// between two stars was found, because the leftmost place is always as good as any other. What it costs is taken from
// work; when that is used up, the answer is false and means nothing.
func globMatch(p, s string, work *int64) bool {
	*work -= int64(len(p)) + 1
	i := strings.IndexByte(p, anyRun)
	if i < 0 {
		n := chunkPrefix(p, s)
		return n == len(s) && n >= 0
	}
	n := chunkPrefix(p[:i], s)
	if n < 0 {
		return false
	}
	s, p = s[n:], p[i+1:]
	j := strings.LastIndexByte(p, anyRun)
	n = chunkSuffix(p[j+1:], s)
	if n < 0 {
		return false
	}
	s = s[:len(s)-n]
	if j < 0 {
		return true
	}
	for p = p[:j]; p != ""; {
		chunk, rest, _ := strings.Cut(p, star)
		end := chunkEnd(chunk, s, work)
		if end < 0 {
			return false
		}
		s, p = s[end:], rest
	}
	return true
}

// chunkPrefix returns how many bytes at the beginning of s the star-free chunk c takes, or -1.
func chunkPrefix(c, s string) int {
	n := 0
	for {
		q := strings.IndexByte(c, anyChar)
		lit := c
		if q >= 0 {
			lit = c[:q]
		}
		if !strings.HasPrefix(s[n:], lit) {
			return -1
		}
		n += len(lit)
		if q < 0 {
			return n
		}
		if n == len(s) {
			return -1
		}
		_, w := utf8.DecodeRuneInString(s[n:])
		n += w
		c = c[q+1:]
	}
}

// chunkSuffix returns how many bytes at the end of s the star-free chunk c takes, or -1.
func chunkSuffix(c, s string) int {
	left := len(s)
	for {
		q := strings.LastIndexByte(c, anyChar)
		lit := c[q+1:]
		if !strings.HasSuffix(s[:left], lit) {
			return -1
		}
		left -= len(lit)
		if q < 0 {
			return len(s) - left
		}
		if left == 0 {
			return -1
		}
		_, w := utf8.DecodeLastRuneInString(s[:left])
		left -= w
		c = c[:q]
	}
}

// hasWildcardBytes reports whether a text of the request holds one of the two reserved bytes. It is then not UTF-8, and
// must never be filled into a pattern.
func hasWildcardBytes(s string) bool {
	return strings.IndexByte(s, anyRun) >= 0 || strings.IndexByte(s, anyChar) >= 0
}
