package policy

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// chunkEnd finds the leftmost place of the star-free chunk c in s and returns where it ends, or -1. The question marks at
// both ends of a chunk are steps, so most chunks come down to the search for a plain text.
func chunkEnd(c, s string, work *int64) int {
	from, to := 0, len(c)
	for from < to && c[from] == anyChar {
		from++
	}
	for from < to && c[to-1] == anyChar {
		to--
	}
	begin := skip(s, from)
	if begin < 0 {
		return -1
	}
	end := findCore(c[from:to], s[begin:], work)
	if end < 0 {
		return -1
	}
	end += begin
	n := skip(s[end:], len(c)-to)
	if n < 0 {
		return -1
	}
	return end + n
}

// skip returns how many bytes the first n characters of s take, or -1 when there are fewer.
func skip(s string, n int) int {
	at := 0
	for ; n > 0; n-- {
		if at == len(s) {
			return -1
		}
		_, w := utf8.DecodeRuneInString(s[at:])
		at += w
	}
	return at
}

// fewSteps is the product of lengths up to which trying each place is cheaper than a table.
const fewSteps = 2048

// findCore finds the leftmost place of c, which neither begins nor ends with a question mark, and returns where it ends.
func findCore(c, s string, work *int64) int {
	var end int
	cost := int64(1) // of one byte of s
	switch {
	case *work < int64(len(s)):
		*work = -1
		return -1
	case strings.IndexByte(c, anyChar) < 0:
		if end = strings.Index(s, c); end >= 0 {
			end += len(c)
		}
	case len(c)*len(s) <= fewSteps:
		end, cost = tryEach(c, s), int64(len(c))
	case len(c) <= bits.UintSize:
		*work -= utf8.RuneSelf
		end = shiftWord(c, s)
	default:
		n := utf8.RuneCountInString(c)
		cost = int64(n+63) / 64
		if n > maxPattern || cost*int64(len(s)+n) > *work { // n: the table has at most so many rows
			*work = -1
			return -1
		}
		*work -= cost * int64(n)
		end = shiftWords(c, s, n)
	}
	if end < 0 {
		*work -= cost * int64(len(s))
	} else {
		*work -= cost * int64(end)
	}
	return end
}

// tryEach looks at every place.
func tryEach(c, s string) int {
	for i := 0; i < len(s); {
		if n := chunkPrefix(c, s[i:]); n >= 0 {
			return i + n
		}
		_, w := utf8.DecodeRuneInString(s[i:])
		i += w
	}
	return -1
}

// symbol decodes one character. A byte that begins none is a symbol of its own, larger than every character.
func symbol(s string) (r rune, width int) {
	r, width = utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && width == 1 {
		r = utf8.MaxRune + 1 + rune(s[0])
	}
	return r, width
}

// shiftWord finds a chunk with question marks in one pass: bit j of the state says that the last j+1 characters fit the
// first j+1 of the chunk (Baeza-Yates and Gonnet). Trying each place would take length times length for texts such as
// "a?a?a...b" against "aaaa...". The chunk has at most as many bytes as a word has bits.
func shiftWord(c, s string) int {
	var ascii [utf8.RuneSelf]uint64
	var other map[rune]uint64 // only for chunks that hold such characters
	wild, bit := uint64(0), uint64(1)
	last := bit
	for c != "" {
		r, w := symbol(c)
		switch {
		case c[0] == anyChar:
			wild |= bit
		case r < utf8.RuneSelf:
			ascii[r] |= bit
		default:
			if other == nil {
				other = map[rune]uint64{}
			}
			other[r] |= bit
		}
		last, bit, c = bit, bit<<1, c[w:]
	}
	state := uint64(0)
	for i := 0; i < len(s); {
		var fits uint64
		if b := s[i]; b < utf8.RuneSelf {
			fits = ascii[b]
			i++
		} else {
			r, w := symbol(s[i:])
			fits = other[r]
			i += w
		}
		state = (state<<1 | 1) & (fits | wild)
		if state&last != 0 {
			return i
		}
	}
	return -1
}

// shiftWords is shiftWord for n characters.
func shiftWords(c, s string, n int) int {
	words := (n + 63) / 64
	wild := make([]uint64, words)
	rows := map[rune][]uint64{}
	for j := 0; c != ""; j++ {
		r, w := symbol(c)
		row := wild
		if c[0] != anyChar {
			if row = rows[r]; row == nil {
				row = make([]uint64, words)
				rows[r] = row
			}
		}
		row[j/64] |= 1 << (j % 64)
		c = c[w:]
	}
	for _, row := range rows {
		for w := range row {
			row[w] |= wild[w]
		}
	}
	var ascii [utf8.RuneSelf][]uint64
	for b := range ascii {
		if ascii[b] = rows[rune(b)]; ascii[b] == nil {
			ascii[b] = wild
		}
	}
	state := make([]uint64, words)
	lastBit := uint64(1) << ((n - 1) % 64)
	for i := 0; i < len(s); {
		row, w := wild, 1
		if b := s[i]; b < utf8.RuneSelf {
			row = ascii[b]
		} else {
			var r rune
			if r, w = symbol(s[i:]); rows[r] != nil {
				row = rows[r]
			}
		}
		i += w
		carry := uint64(1)
		for k, m := range row {
			next := state[k] >> 63
			state[k] = (state[k]<<1 | carry) & m
			carry = next
		}
		if state[words-1]&lastBit != 0 {
			return i
		}
	}
	return -1
}
