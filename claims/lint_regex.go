package claims

import (
	"regexp"
	"strings"
)

var (
	looksLike   = regexp.MustCompile(`^\^|\$$|\(\?|\.\*|\.\+|\\d|\\\.|\(.*\|.*\)`)
	cutsOne     = regexp.MustCompile(`\{\d+,\d*\}\)\.\+\$`)
	flagGroup   = regexp.MustCompile(`^\(\?[a-zA-Z-]+\)`)
	domainAtEnd = regexp.MustCompile(`\w\\?\.[A-Za-z]{2,}$`)
)

func looksLikeRegex(s string) bool { return looksLike.MatchString(s) }

// pattern looks at a literal regular expression; condition says that it decides, else it is for a replacement.
func (l *linter) pattern(lit *Literal, condition bool) {
	p := lit.Raw
	alts := parseAlternatives(p)
	if condition {
		l.anchors(lit, alts)
	}
	if bareDot(p) {
		l.warn(lit.Pos, "L104", `a dot stands for any character: \. is meant`)
	}
	if cutsOne.MatchString(p) {
		l.warn(lit.Pos, "L108", "the rest must not be empty: a value of exactly the full length loses its last character")
	}
	if alts == nil {
		return
	}
	if precedence(alts) {
		l.warn(lit.Pos, "L105", "| binds weaker than ^ and $: put the alternatives in parentheses")
	}
	if catastrophic(alts) {
		l.warn(lit.Pos, "L121", "nested repetition: some values need exponential time and end in a time-out")
	}
}

func (l *linter) anchors(lit *Literal, alts []sequence) {
	p := lit.Raw
	body := strings.TrimPrefix(p, "^")
	begin := body != p
	for flagGroup.MatchString(body) {
		body = body[len(flagGroup.FindString(body)):]
	}
	begin = begin || strings.HasPrefix(body, "^") || strings.HasPrefix(body, `\A`) || strings.HasPrefix(body, "(^") || strings.HasPrefix(body, ".*")
	end := endsOpen(p) != p || strings.HasSuffix(p, ".*")
	if len(alts) > 1 && alts[0].begins() && !begin {
		begin = true
	}
	exact := strings.Contains(p, "S-1-") || domainAtEnd.MatchString(endsOpen(p))
	switch {
	case !begin:
		l.warn(lit.Pos, "L103", "not anchored: the pattern also matches in the middle of a value")
	case exact && !end:
		l.warn(lit.Pos, "L103", "not anchored at the end: longer values match too")
	}
}

// endsOpen removes an end anchor.
func endsOpen(p string) string {
	for _, a := range []string{`\z`, `\Z`} {
		if s, ok := strings.CutSuffix(p, a); ok {
			return s
		}
	}
	if s, ok := strings.CutSuffix(p, "$"); ok && !strings.HasSuffix(s, `\`) {
		return s
	}
	return p
}

// bareDot finds an unescaped dot between letters or digits, outside a class and without quantifier.
func bareDot(p string) bool {
	class := false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
			i = skipClassStart(p, i)
		case c == '.' && i > 0 && i+1 < len(p) && isWord(p[i-1]) && isWord(p[i+1]) && p[i-1] != '_' && p[i+1] != '_':
			if i < 2 || p[i-2] != '\\' { // \w.x is no name
				return true
			}
		}
	}
	return false
}

// skipClassStart moves over ^ and a ] that stands first in a class.
func skipClassStart(p string, i int) int {
	if i+1 < len(p) && p[i+1] == '^' {
		i++
	}
	if i+1 < len(p) && p[i+1] == ']' {
		i++
	}
	return i
}

// A sequence is one alternative of a pattern.
type sequence []element

// An element is a character, class, anchor or group with its quantifier.
type element struct {
	text      string     // without quantifier
	group     []sequence // nil for other elements
	optional  bool       // the quantifier allows none
	unbounded bool       // ... or any number
}

// begins and ends report anchors at the ends of an alternative.
func (s sequence) begins() bool {
	for _, e := range s {
		if strings.HasPrefix(e.text, "(?") && e.group == nil {
			continue // flags
		}
		return e.text == "^" || e.text == `\A`
	}
	return false
}

func (s sequence) ends() bool {
	if len(s) == 0 {
		return false
	}
	t := s[len(s)-1].text
	return t == "$" || t == `\z` || t == `\Z`
}

// precedence reports alternatives of which only the first begins with ^ or only the last ends in $.
func precedence(alts []sequence) bool {
	if len(alts) < 2 {
		return false
	}
	begin, end := 0, 0
	for _, a := range alts {
		if a.begins() {
			begin++
		}
		if a.ends() {
			end++
		}
	}
	return begin == 1 && alts[0].begins() || end == 1 && alts[len(alts)-1].ends()
}

// catastrophic reports a repeated group whose body is itself a repetition, or has the same alternative twice.
func catastrophic(alts []sequence) bool {
	for _, s := range alts {
		for _, e := range s {
			if e.group == nil {
				continue
			}
			if e.unbounded && ambiguous(e.group) || catastrophic(e.group) {
				return true
			}
		}
	}
	return false
}

func ambiguous(alts []sequence) bool {
	seen := map[string]bool{}
	anything := false
	for _, s := range alts {
		var key strings.Builder
		must, loops := 0, 0
		for _, e := range s {
			key.WriteString(e.text)
			switch {
			case e.unbounded:
				loops++
			case !e.optional:
				must++
			}
			if e.group != nil && !e.unbounded && !e.optional && ambiguous(e.group) {
				loops, must = loops+1, must-1
			}
		}
		if loops > 0 && must == 0 || seen[key.String()] || anything && len(s) == 1 {
			return true
		}
		seen[key.String()] = true
		anything = anything || key.String() == "."
	}
	return false
}

// parseAlternatives cuts a pattern into alternatives and elements; nil when it is too deep or too odd to tell.
func parseAlternatives(p string) []sequence {
	alts, rest, ok := cutAlternatives(p, 0)
	if !ok || rest != "" {
		return nil
	}
	return alts
}

func cutAlternatives(p string, depth int) (alts []sequence, rest string, ok bool) {
	if depth > 100 {
		return nil, p, false
	}
	var seq sequence
	for p != "" && p[0] != ')' {
		if p[0] == '|' {
			alts, seq, p = append(alts, seq), nil, p[1:]
			continue
		}
		e, after, ok := cutElement(p, depth)
		if !ok {
			return nil, p, false
		}
		p = quantify(&e, after)
		seq = append(seq, e)
	}
	return append(alts, seq), p, true
}

func cutElement(p string, depth int) (element, string, bool) {
	n := 1
	switch p[0] {
	case '\\':
		n = min(2, len(p))
	case '[':
		i := skipClassStart(p, 0) + 1
		for i < len(p) && p[i] != ']' {
			if p[i] == '\\' {
				i++
			}
			i++
		}
		n = min(i+1, len(p))
	case '(':
		if m := flagGroup.FindString(p); m != "" {
			n = len(m)
			break
		}
		body := p[1:]
		if strings.HasPrefix(body, "?") {
			i := strings.IndexAny(body, ":=!>")
			if i < 0 {
				return element{}, p, false
			}
			if strings.HasPrefix(body, "?<=") || strings.HasPrefix(body, "?<!") {
				i = 2
			}
			body = body[i+1:]
		}
		group, rest, ok := cutAlternatives(body, depth+1)
		if !ok || rest == "" {
			return element{}, p, false
		}
		n = len(p) - len(rest) + 1
		return element{text: p[:n], group: group}, p[n:], true
	}
	return element{text: p[:n]}, p[n:], true
}

// quantify reads the quantifier behind an element.
func quantify(e *element, p string) string {
	if p == "" {
		return p
	}
	switch p[0] {
	case '*':
		e.optional, e.unbounded = true, true
	case '+':
		e.unbounded = true
	case '?':
		e.optional = true
	case '{':
		end := strings.IndexByte(p, '}')
		if end < 0 {
			return p
		}
		e.unbounded = strings.HasSuffix(p[:end], ",")
		e.optional = strings.HasPrefix(p, "{0")
		p = p[end:]
	default:
		return p
	}
	return strings.TrimPrefix(p[1:], "?")
}
