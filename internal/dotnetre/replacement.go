package dotnetre

import (
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

type partKind uint8

const (
	partText   partKind = iota
	partGroup           // $n ${name} $& $0 $+
	partBefore          // $`
	partAfter           // $'
	partInput           // $_
)

type part struct {
	kind  partKind
	text  string
	group int
}

// A Replacement is a replacement text read for one expression.
type Replacement struct{ parts []part }

// Replacement reads a replacement text: what names no group stays as written.
func (r *Regexp) Replacement(text string) *Replacement {
	rep := &Replacement{}
	add := func(p part) {
		if n := len(rep.parts); p.kind == partText && n > 0 && rep.parts[n-1].kind == partText {
			rep.parts[n-1].text += p.text
			return
		}
		rep.parts = append(rep.parts, p)
	}
	for text != "" {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			add(part{text: text})
			break
		}
		if i > 0 {
			add(part{text: text[:i]})
			text = text[i:]
		}
		p, n := r.dollar(text)
		if n == 0 {
			p, n = part{text: "$"}, 1
		}
		add(p)
		text = text[n:]
	}
	return rep
}

// dollar reads what stands behind a dollar sign and returns its length, 0 if it names nothing.
func (r *Regexp) dollar(s string) (part, int) { //nolint:cyclop // one case for each form
	if len(s) < 2 {
		return part{}, 0
	}
	switch s[1] {
	case '$':
		return part{text: "$"}, 2
	case '&':
		return part{kind: partGroup}, 2
	case '`':
		return part{kind: partBefore}, 2
	case '\'':
		return part{kind: partAfter}, 2
	case '_':
		return part{kind: partInput}, 2
	case '+':
		return part{kind: partGroup, group: r.last}, 2
	case '{':
		name, _, ok := strings.Cut(s[2:], "}")
		if !ok || name == "" {
			return part{}, 0
		}
		n := r.full.GroupNumberFromName(name)
		if v, digits := number(name); digits == len(name) {
			n = v
		}
		if n < 0 || !r.numbers[n] {
			return part{}, 0
		}
		return part{kind: partGroup, group: n}, len(name) + 3
	}
	_, digits := number(s[1:])
	for ; digits > 0; digits-- {
		if n, _ := number(s[1 : 1+digits]); r.numbers[n] {
			return part{kind: partGroup, group: n}, 1 + digits
		}
	}
	return part{}, 0
}

// number reads the digits at the start of s; -1 when they are too many for a group number.
func number(s string) (n, digits int) {
	for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
		if n >= 0 {
			n = n*10 + int(s[digits]-'0')
		}
		if n > 1<<20 {
			n = -1
		}
		digits++
	}
	return n, digits
}

// builder stops growing at its limit.
type builder struct {
	text  strings.Builder
	limit int
	over  bool
}

func (b *builder) add(s string) {
	if b.over || b.text.Len()+len(s) > b.limit {
		b.over = true
		return
	}
	_, _ = b.text.WriteString(s)
}

func (b *builder) runes(rs []rune) {
	for _, r := range rs {
		if b.over || b.text.Len()+utf8.RuneLen(r) > b.limit {
			b.over = true
			return
		}
		_, _ = b.text.WriteRune(r)
	}
}

func expandFull(out *builder, p *part, m *regexp2.Match, text []rune) {
	switch p.kind {
	case partText:
		out.add(p.text)
	case partGroup:
		if g := m.GroupByNumber(p.group); g != nil && len(g.Captures) > 0 {
			out.runes(text[g.Index : g.Index+g.Length])
		}
	case partBefore:
		out.runes(text[:m.Index])
	case partAfter:
		out.runes(text[m.Index+m.Length:])
	case partInput:
		out.runes(text)
	}
}

// expandFast builds the result for the only match of an anchored expression.
func (r *Regexp) expandFast(s string, rep *Replacement, c *Capture) (string, error) {
	loc, end := &c.loc, c.end
	piece := func(p *part) string {
		switch p.kind {
		case partGroup:
			if p.group == 0 {
				return s[loc[0]:end]
			}
			if g := 2 * r.toGo[p.group]; loc[g] >= 0 {
				return s[loc[g]:loc[g+1]]
			}
			return ""
		case partBefore:
			return s[:loc[0]]
		case partAfter:
			return s[end:]
		case partInput:
			return s
		}
		return p.text
	}
	size := loc[0] + len(s) - end
	for i := range rep.parts {
		size += len(piece(&rep.parts[i]))
		if size > r.lim.Result {
			return "", ErrResult
		}
	}
	var out strings.Builder
	out.Grow(size)
	out.WriteString(s[:loc[0]])
	for i := range rep.parts {
		out.WriteString(piece(&rep.parts[i]))
	}
	out.WriteString(s[end:])
	return out.String(), nil
}
