package dotnetre

// Many patterns of claim rules are a plain sequence from ^ on: literals, classes and repetitions of them. Where no
// repetition can take a character that what follows could want too, one pass from left to right finds the only match, and
// that is far cheaper than a general engine. A test holds it to regexp2's answers, groups included.

// charset is a set of ASCII characters.
type charset [2]uint64

func (s *charset) add(c byte)     { s[c>>6] |= 1 << (c & 63) }
func (s charset) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }
func (s charset) meets(t charset) bool {
	return s[0]&t[0] != 0 || s[1]&t[1] != 0
}

func (s *charset) addRange(lo, hi byte) {
	for c := lo; c <= hi; c++ {
		s.add(c)
	}
}

// folded adds the other case of every letter.
func (s charset) folded() charset {
	out := s
	for c := byte('a'); c <= 'z'; c++ {
		if s.has(c) || s.has(c-'a'+'A') {
			out.add(c)
			out.add(c - 'a' + 'A')
		}
	}
	return out
}

func (s charset) not() charset { return charset{^s[0], ^s[1]} }

func named(c byte) charset {
	var s charset
	switch c {
	case '.':
		s.add('\n')
		return s.not()
	case 'd', 'D':
		s.addRange('0', '9')
	case 'w', 'W':
		s.addRange('0', '9')
		s.addRange('A', 'Z')
		s.addRange('a', 'z')
		s.add('_')
	case 's', 'S':
		s.addRange('\t', '\r')
		s.add(' ')
	}
	if c < 'a' {
		return s.not()
	}
	return s
}

// unbounded is the maximum of * and +.
const unbounded = 1 << 30

// step is a repeated set, or the start or end of a group.
type step struct {
	set      charset
	min, max int
	lazy     bool
	fromEnd  bool // how often it repeats is decided by the end of the text
	mark     int  // 0 for a set; else the index in the captures where the position goes, plus one
}

// maxStepGroups is the number of groups, the whole match included, that a capture has room for.
const maxStepGroups = 9

// planSteps prepares the one-pass matcher; nil when the pattern needs more.
func planSteps(steps []step, tail bool) []step {
	ambiguous := -1
	for i := range steps {
		s := &steps[i]
		if s.mark > 0 || s.min == s.max {
			continue
		}
		next, open, fixed := follow(steps[i+1:])
		switch {
		case s.lazy:
			return nil
		case !s.set.meets(next) && (!open || !tail || !s.set.has('\n')):
		case fixed && tail && ambiguous < 0:
			ambiguous = i
			s.fromEnd = true
		default:
			return nil
		}
	}
	return steps
}

// follow says which characters can come next, whether the end can, and whether all that follows has a fixed length.
func follow(rest []step) (next charset, open, fixed bool) {
	open, fixed = true, true
	for _, s := range rest {
		if s.mark > 0 {
			continue
		}
		if open {
			next[0] |= s.set[0]
			next[1] |= s.set[1]
		}
		open = open && s.min == 0
		fixed = fixed && s.min == s.max
	}
	return next, open, fixed
}

// runSteps matches s, which must be ASCII, from its start. loc gets the positions of the groups; end is where the match
// ends. tail says that the pattern ends in $: at the end, or before a line feed that is the last character.
func runSteps(steps []step, s string, tail bool, loc *[2 * maxStepGroups]int) (end int, ok bool) {
	for i := range loc {
		loc[i] = -1
	}
	at := 0
	for i := range steps {
		x := &steps[i]
		if x.mark > 0 {
			loc[x.mark-1] = at
			continue
		}
		stop := at
		for stop < len(s) && stop-at < x.max && x.set.has(s[stop]) {
			stop++
		}
		if stop-at < x.min {
			return 0, false
		}
		if x.fromEnd {
			return fromEnd(steps[i:], s, at, stop, loc)
		}
		at = stop
	}
	if !tail || at == len(s) || at == len(s)-1 && s[at] == '\n' {
		return at, true
	}
	return 0, false
}

// fromEnd matches a repetition and steps of fixed length behind it up to the end of the text. The repetition can reach
// up to stop; the longer one is tried first.
func fromEnd(steps []step, s string, at, stop int, loc *[2 * maxStepGroups]int) (end int, ok bool) {
	fixed := 0
	for _, x := range steps[1:] {
		if x.mark == 0 {
			fixed += x.min
		}
	}
	ends := [2]int{len(s), -1}
	if len(s) > 0 && s[len(s)-1] == '\n' {
		ends[1] = len(s) - 1
	}
	for _, end := range ends {
		from := end - fixed
		if end >= 0 && from <= stop && from-at >= steps[0].min && fixedFits(steps[1:], s, from, loc) {
			return end, true
		}
	}
	return 0, false
}

func fixedFits(steps []step, s string, at int, loc *[2 * maxStepGroups]int) bool {
	for i := range steps {
		x := &steps[i]
		if x.mark > 0 {
			loc[x.mark-1] = at
			continue
		}
		for range x.min {
			if !x.set.has(s[at]) {
				return false
			}
			at++
		}
	}
	return true
}
