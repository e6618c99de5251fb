package claims

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Pos is a place in a rule text. The zero Pos belongs to nodes that were not read from a text.
type Pos struct {
	Offset int // bytes from the start of the text
	Line   int // from 1
	Col    int // from 1, in code points
}

// IsZero reports whether p is no place in a text.
func (p Pos) IsZero() bool { return p.Line == 0 }

// A TokenKind says what a [Token] is.
type TokenKind uint8

// The kinds of tokens.
const (
	TokenEOF     TokenKind = iota // the end; its Trivia is what follows the last token
	TokenIdent                    // keyword, tag, property or function
	TokenString                   // literal with its quotes
	TokenInteger                  // digits
	TokenPunct                    // operator or bracket
	TokenBad                      // not a token; the text is an error
)

// A Token is a piece of rule text with the white space and comments before it.
type Token struct {
	Kind   TokenKind
	Text   string
	Trivia string
	Pos    Pos
}

// lexer cuts a text into tokens, one at a time, so that a large text costs no memory.
type lexer struct {
	text     string
	opts     *Options // with limits filled in
	off      int
	line     int
	col      int
	fail     *Error // why the last token is TokenBad
	comments []string
	over     bool // the text is longer than its limit
}

const bom = "\ufeff"

func newLexer(text string, opts *Options) *lexer {
	return &lexer{text: text, opts: opts, off: 0, line: 1, col: 1}
}

func (x *lexer) pos() Pos { return Pos{x.off, x.line, x.col} }

// advance moves over n bytes and counts lines: a line feed ends a line, a carriage return is white space.
func (x *lexer) advance(n int) {
	s := x.text[x.off : x.off+n]
	x.off += n
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		x.line += strings.Count(s, "\n")
		x.col = 1
		s = s[i+1:]
	}
	x.col += utf8.RuneCountInString(s)
}

// next returns the next token. After a bad token the caller may go on: the lexer has moved past it.
func (x *lexer) next() Token {
	x.fail = nil
	start := x.off
	bad := x.trivia()
	t := Token{Trivia: x.text[start:x.off], Pos: x.pos()}
	switch {
	case bad != nil:
		x.fail = bad
		t.Kind = TokenBad
		x.advance(len(x.text) - x.off)
	case x.off == len(x.text) || x.off > x.opts.Limits.TextBytes:
	default:
		t.Kind = x.token()
	}
	t.Text = x.text[t.Pos.Offset:x.off]
	if x.off > x.opts.Limits.TextBytes && t.Kind != TokenBad && !x.over {
		x.over = true // said once; then the text ends
		x.fail = &Error{Code: CodeStaticLimit, Line: t.Pos.Line, Col: t.Pos.Col, Message: "rule text is too long"}
		t.Kind = TokenBad
		x.advance(len(x.text) - x.off)
	}
	return t
}

// trivia skips white space and, if allowed, comments.
func (x *lexer) trivia() *Error { //nolint:cyclop // one case for each kind of character
	if x.off == 0 && strings.HasPrefix(x.text, bom) {
		x.off = len(bom) // does not count in columns
	}
	for x.off < len(x.text) && x.off <= x.opts.Limits.TextBytes {
		rest := x.text[x.off:]
		switch c := rest[0]; {
		case blank(c):
			n := 1
			for n < len(rest) && blank(rest[n]) {
				n++
			}
			x.advance(n)
		case c == '/' && x.opts.AllowComments && strings.HasPrefix(rest, "//"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			x.comment(n)
		case c == '/' && x.opts.AllowComments && strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return x.errorHere(CodeLexical, "comment without end")
			}
			x.comment(n + 4)
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) {
				return nil
			}
			x.advance(n)
		default:
			return nil
		}
	}
	return nil
}

func blank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f'
}

func (x *lexer) comment(n int) {
	x.comments = append(x.comments, strings.TrimRight(x.text[x.off:x.off+n], " \t\r"))
	x.advance(n)
}

func (x *lexer) errorHere(code Code, msg string) *Error {
	return &Error{Code: code, Line: x.line, Col: x.col, Message: msg}
}

func (x *lexer) token() TokenKind { //nolint:cyclop // one case for each kind of character
	rest := x.text[x.off:]
	switch c := rest[0]; {
	case c == '"':
		return x.literal(rest)
	case c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		n := 1
		for n < len(rest) && isWord(rest[n]) {
			n++
		}
		x.advance(n)
		return TokenIdent
	case '0' <= c && c <= '9':
		n := 1
		for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
			n++
		}
		x.advance(n)
		return TokenInteger
	}
	if len(rest) > 1 {
		switch rest[:2] {
		case "=>", "==", "!=", "=~", "!~", "&&", ">=", "<=":
			x.advance(2)
			return TokenPunct
		}
	}
	if strings.IndexByte(";:,.[]()=+@<>", rest[0]) >= 0 {
		x.advance(1)
		return TokenPunct
	}
	return x.unexpected(rest)
}

func isWord(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func (x *lexer) unexpected(rest string) TokenKind {
	r, n := utf8.DecodeRuneInString(rest)
	msg := "unexpected character " + quoteRune(r)
	switch {
	case r == utf8.RuneError && n == 1:
		msg = "invalid UTF-8"
	case r == 0:
		msg = "NUL in rule text"
	case strings.ContainsRune("“”„‟«»″", r):
		msg += `, did you mean "`
	case r == '\'' || strings.ContainsRune("‘’", r):
		msg += `, literals stand in double quotes`
	case r == '|':
		msg += ", there is no or: write two rules"
	case r == '/' && len(rest) > 1 && (rest[1] == '/' || rest[1] == '*'):
		msg += ", the language has no comments"
	case r == '&':
		msg += ", did you mean &&"
	case r == '!':
		msg += ", did you mean != or !~ (or NOT before EXISTS)"
	}
	x.fail = x.errorHere(CodeLexical, msg)
	x.advance(n)
	return TokenBad
}

func quoteRune(r rune) string {
	if r < 0x20 || r == 0x7f {
		return "with code " + itoa(int(r))
	}
	return string(r)
}

// literal reads up to the next double quote: there is no escape.
func (x *lexer) literal(rest string) TokenKind {
	n := strings.IndexByte(rest[1:], '"')
	if n < 0 {
		x.fail = x.errorHere(CodeLexical, "literal without closing quote")
		x.advance(len(rest))
		return TokenBad
	}
	body := rest[1 : 1+n]
	switch {
	case n > x.opts.Limits.LiteralBytes:
		x.fail = x.errorHere(CodeStaticLimit, "literal is too long")
	case x.opts.Dialect == DialectCTA && strings.IndexByte(body, '\n') >= 0:
		x.fail = x.errorHere(CodeLexical, "line feed inside a literal")
	case !utf8.ValidString(body) || strings.IndexByte(body, 0) >= 0:
		return x.badLiteral(body, n)
	}
	x.advance(n + 2)
	if x.fail != nil {
		return TokenBad
	}
	return TokenString
}

// badLiteral reports the first byte of a literal that is not text.
func (x *lexer) badLiteral(body string, n int) TokenKind {
	i, msg := 0, "NUL in rule text"
	for i < len(body) && body[i] != 0 {
		r, size := utf8.DecodeRuneInString(body[i:])
		if r == utf8.RuneError && size == 1 {
			msg = "invalid UTF-8"
			break
		}
		i += size
	}
	x.advance(1 + i)
	x.fail = x.errorHere(CodeLexical, msg)
	x.advance(n + 1 - i)
	return TokenBad
}
