package dotnetre

// class reads a bracket class of ASCII characters, ranges and \d \w \s.
func (p *classifier) class() bool {
	p.out.WriteByte('[')
	if p.has("^") {
		p.out.WriteByte('^')
		p.negate = true
	}
	first := true
	for ; p.i < len(p.s) && p.s[p.i] != ']'; first = false {
		lo, single, ok := p.classChar()
		if !ok {
			return false
		}
		if !single || p.i+1 >= len(p.s) || p.s[p.i] != '-' || p.s[p.i+1] == ']' {
			continue
		}
		p.i++
		p.out.WriteByte('-')
		hi, single, ok := p.classChar()
		if !ok || !single || hi < lo {
			return false
		}
		p.set.addRange(lo, hi)
	}
	if first || !p.has("]") {
		return false
	}
	p.out.WriteByte(']')
	return true
}

func (p *classifier) classChar() (c byte, single, ok bool) {
	c = p.s[p.i]
	p.i++
	switch {
	case c == '[':
		return 0, false, false // subtraction or a POSIX class: the engines differ
	case c != '\\':
	case p.i == len(p.s):
		return 0, false, false
	default:
		c = p.s[p.i]
		p.i++
		switch {
		case c == 'd' || c == 'w':
			p.union(named(c))
			p.out.WriteString(`\` + string(rune(c)))
			return 0, false, true
		case c == 's':
			p.union(named(c))
			p.out.WriteString(spaceClass)
			return 0, false, true
		case !punctuation(c):
			return 0, false, false
		}
	}
	p.set.add(c)
	if punctuation(c) {
		p.out.WriteByte('\\')
	}
	p.out.WriteByte(c)
	return c, true, true
}

func (p *classifier) union(s charset) {
	p.set[0] |= s[0]
	p.set[1] |= s[1]
}
