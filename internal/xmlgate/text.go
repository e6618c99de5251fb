package xmlgate

import "strings"

// text checks character data between two pieces of markup.
func (p *parser) text(s string) error {
	if p.cur < 0 {
		for i := range len(s) {
			if !isSpace(s[i]) {
				return p.malformed("text outside the root element")
			}
		}
		return nil
	}
	x := p.elems.at(p.cur)
	if x.name&flagText == 0 {
		for i := range len(s) {
			if !isSpace(s[i]) {
				x.name |= flagText
				break
			}
		}
		if x.name&flagText == 0 {
			return nil
		}
	}
	if p.closes && strings.Contains(s, cdataClose) {
		return p.malformed("]]> in text")
	}
	if p.refers && strings.IndexByte(s, '&') >= 0 {
		x.name |= flagMarkup
		return p.references(s)
	}
	return nil
}

// references checks each reference in s.
func (p *parser) references(s string) error {
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			return nil
		}
		_, next := reference(s, i)
		if next < 0 {
			return p.malformed("reference that is neither predefined nor to a legal character")
		}
		s = s[next:]
	}
}

// bang reads a comment or a CDATA section; every other <! is a directive.
func (p *parser) bang() error {
	rest := p.src[p.i:]
	switch {
	case strings.HasPrefix(rest, commentOpen):
		end := strings.Index(rest[4:], "--")
		if end < 0 || 4+end+2 >= len(rest) || rest[4+end+2] != '>' {
			return p.malformed("malformed comment")
		}
		if p.comments++; p.comments > p.lim.Comments {
			return p.fail(CodeTooLarge, "too many comments")
		}
		if p.cur >= 0 {
			p.elems.at(p.cur).name |= flagComment | flagMarkup
		}
		p.i += 4 + end + len(commentClose)
		return nil
	case strings.HasPrefix(rest, cdataOpen):
		end := strings.Index(rest, cdataClose)
		if end < 0 || p.cur < 0 {
			return p.malformed("CDATA section not closed or outside the root element")
		}
		if p.comments++; p.comments > p.lim.Comments { // counted with the comments: both split text
			return p.fail(CodeTooLarge, "too many CDATA sections")
		}
		p.elems.at(p.cur).name |= flagText | flagMarkup
		p.i += end + len(cdataClose)
		return nil
	}
	return p.fail(CodeDoctype, "document type declaration or other directive")
}
