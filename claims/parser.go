package claims

import (
	"errors"
	"strings"
	"unicode/utf16"
)

// maxErrors is how many errors of one text are reported; more help nobody.
const maxErrors = 50

// Parse reads a rule text. An error is an [Errors] list in the order of the text, found by going on behind the next
// semicolon after each error. The rules are not yet checked: that is [Compile].
func Parse(text string, opts Options) (*RuleSet, error) {
	opts.Limits = opts.Limits.withDefaults()
	rs := &RuleSet{source: text, opts: opts}
	p := &parser{lex: newLexer(text, &rs.opts), lim: opts.Limits, rs: rs}
	p.advance()
	for p.tok.Kind != TokenEOF && !p.fatal && len(p.errs) < maxErrors {
		if len(rs.Rules) == p.lim.Rules {
			p.limit("more than " + itoa(p.lim.Rules) + " rules")
			break
		}
		p.ruleNo++
		r := &Rule{Pos: p.tok.Pos}
		if p.parseRule(r) {
			rs.Rules = append(rs.Rules, r)
			continue
		}
		p.resync()
	}
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	rs.Comments = p.takeComments()
	return rs, nil
}

// ParseUTF16 reads a rule text in UTF-16, as MS-CTA policies are stored: little endian, unless a byte order mark says otherwise.
func ParseUTF16(data []byte, opts Options) (*RuleSet, error) {
	if len(data)%2 != 0 {
		return nil, errors.New("claims: UTF-16 text has an odd number of bytes")
	}
	if len(data)/2 > opts.Limits.withDefaults().TextBytes {
		return nil, Errors{{Code: CodeStaticLimit, Line: 1, Col: 1, Message: "rule text is too long"}}
	}
	big := len(data) > 1 && data[0] == 0xfe && data[1] == 0xff
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i < len(data); i += 2 {
		lo, hi := data[i], data[i+1]
		if big {
			lo, hi = hi, lo
		}
		units = append(units, uint16(hi)<<8|uint16(lo))
	}
	var b strings.Builder
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) {
			if i+1 == len(units) || utf16.DecodeRune(r, rune(units[i+1])) == '\ufffd' {
				b.WriteByte(0xff) // not UTF-8: Parse reports the place
				continue
			}
			r = utf16.DecodeRune(r, rune(units[i+1]))
			i++
		}
		b.WriteRune(r)
	}
	return Parse(b.String(), opts)
}

type parser struct {
	lex  *lexer
	lim  Limits
	rs   *RuleSet
	tok  Token
	bad  *Error // why tok is TokenBad
	last Token  // the token before tok

	ahead     *Token
	aheadBad  *Error
	taken     int // comments that belong to finished rules
	errs      Errors
	fatal     bool // a limit of the text: do not go on
	callDepth int
	ruleNo    int
}

func (p *parser) advance() {
	p.last = p.tok
	if p.ahead != nil {
		p.tok, p.bad, p.ahead = *p.ahead, p.aheadBad, nil
		return
	}
	p.tok = p.lex.next()
	p.bad = p.lex.fail
}

func (p *parser) peek() Token {
	if p.ahead == nil {
		t := p.lex.next()
		p.ahead, p.aheadBad = &t, p.lex.fail
	}
	return *p.ahead
}

// takeComments returns the comments read since the last call. A comment behind the semicolon belongs to the next rule.
func (p *parser) takeComments() []string {
	c := p.lex.comments[p.taken:]
	p.taken = len(p.lex.comments)
	if len(c) == 0 {
		return nil
	}
	return c
}

// resync skips to the token behind the next semicolon.
func (p *parser) resync() {
	p.callDepth = 0
	defer p.takeComments()
	for p.tok.Kind != TokenEOF {
		if p.bad != nil && p.bad.Code == CodeStaticLimit && !p.fatal {
			p.failed() // the text is over a limit: nothing behind it is looked at
			p.fatal = true
		}
		end := p.is(";")
		p.advance()
		if end {
			return
		}
	}
}

func (p *parser) is(punct string) bool { return p.tok.Kind == TokenPunct && p.tok.Text == punct }

func (p *parser) word(w string) bool {
	return p.tok.Kind == TokenIdent && strings.EqualFold(p.tok.Text, w)
}

// take moves over the expected operator, or reports what stands there instead.
func (p *parser) take(punct string, also ...string) bool {
	if p.is(punct) {
		p.advance()
		return true
	}
	return p.unexpected("", append([]string{quote(punct)}, also...)...)
}

func (p *parser) takeWord(w string) bool {
	if p.word(w) {
		p.advance()
		return true
	}
	return p.unexpected(p.meant(w), w)
}

func (p *parser) meant(words ...string) string {
	if p.tok.Kind != TokenIdent {
		return ""
	}
	return nearest(p.tok.Text, words...)
}

func quote(s string) string { return `"` + s + `"` }

func (p *parser) failed() bool {
	if n := len(p.errs); n == 0 || p.errs[n-1] != p.bad {
		p.bad.Rule = p.ruleNo
		p.errs = append(p.errs, p.bad)
	}
	if p.bad.Code == CodeStaticLimit {
		p.fatal = true
	}
	return false
}

// unexpected reports the current token and returns false.
func (p *parser) unexpected(meant string, expecting ...string) bool {
	if p.bad != nil {
		return p.failed()
	}
	what := quote(p.tok.Text)
	switch {
	case p.tok.Kind == TokenEOF:
		what = "end of text"
	case len(what) > 60:
		what = strings.ToValidUTF8(what[:60], "") + "..."
	}
	msg := "unexpected " + what + ", expecting "
	if len(expecting) > 1 {
		msg += "one of "
	}
	msg += strings.Join(expecting, ", ")
	if meant != "" {
		msg += "; did you mean " + meant
	}
	return p.report(CodeSyntax, p.tok.Pos, msg)
}

func (p *parser) report(code Code, at Pos, msg string) bool {
	p.errs = append(p.errs, &Error{Code: code, Line: at.Line, Col: at.Col, Rule: p.ruleNo, Message: msg})
	return false
}

func (p *parser) limit(msg string) bool {
	p.fatal = true
	return p.report(CodeStaticLimit, p.tok.Pos, msg)
}

func (p *parser) literal() (*Literal, bool) {
	if p.tok.Kind != TokenString {
		return nil, p.unexpected("", "literal")
	}
	l := &Literal{Raw: p.tok.Text[1 : len(p.tok.Text)-1], Pos: p.tok.Pos}
	p.advance()
	return l, true
}

func (p *parser) parseRule(r *Rule) bool {
	for p.is("@") {
		a := Annotation{At: p.tok.Pos}
		p.advance()
		if p.tok.Kind != TokenIdent {
			return p.unexpected("", "annotation name")
		}
		a.Name, a.Pos = p.tok.Text, p.tok.Pos
		p.advance()
		var ok bool
		if !p.take("=") {
			return false
		}
		if a.Value, ok = p.literal(); !ok {
			return false
		}
		r.Annotations = append(r.Annotations, a)
	}
	if !p.is("=>") && !p.conditions(r) {
		return false
	}
	if !p.take("=>") {
		return false
	}
	if !p.statement(r) {
		return false
	}
	r.Comments = p.takeComments()
	switch {
	case p.is(";"):
		p.advance()
	case p.tok.Kind == TokenEOF && p.rs.opts.Dialect == DialectADFS:
		p.rs.unclosed = p.last.Pos
	default:
		return p.unexpected("", quote(";"))
	}
	return true
}
