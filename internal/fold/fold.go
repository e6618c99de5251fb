// Package fold is the one rule of this module for "the same name": NFKC, Unicode simple case folding, NFKC.
// U+00DF is not "ss" and the dotless i is not i. It is used wherever names must be unique or found.
package fold

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Key returns the folded form of s. Two names are the same name if, and only if, their keys are equal.
func Key(s string) string {
	if lowerASCII(s) {
		return s
	}
	return norm.NFKC.String(strings.Map(simple, norm.NFKC.String(s)))
}

// Equal reports whether a and b have the same key.
func Equal(a, b string) bool { return a == b || Key(a) == Key(b) }

// simple maps a rune to the least letter of its simple-folding orbit, in lower case where ASCII has one.
func simple(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if 'A' <= least && least <= 'Z' { // U+212A KELVIN SIGN, U+017F LONG S
		return least + 'a' - 'A'
	}
	return least
}

// lowerASCII reports whether s is ASCII without capitals, eight bytes at a time: most names are.
func lowerASCII(s string) bool {
	const high, fromA, afterZ = 0x8080808080808080, 0x3f3f3f3f3f3f3f3f, 0x2525252525252525
	for len(s) >= 8 {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if x&high != 0 || (x+fromA)&^(x+afterZ)&high != 0 { // adding lifts bytes from 'A' on, and after 'Z', over 0x7f
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}
