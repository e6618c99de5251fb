package csvimport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits bounds what is read. Zero means the default.
type Limits struct {
	Field   int   // bytes; default 64 KiB
	Row     int   // bytes; default 1 MiB
	File    int64 // bytes; default 256 MiB
	Columns int   // default 200
	Rows    int   // default 2,000,000
	Errors  int   // bad rows; behind the last one nothing is looked at; default 100,000
}

func (l Limits) withDefaults() Limits {
	if l.Field == 0 {
		l.Field = 64 << 10
	}
	if l.Row == 0 {
		l.Row = 1 << 20
	}
	if l.File == 0 {
		l.File = 256 << 20
	}
	if l.Columns == 0 {
		l.Columns = 200
	}
	if l.Rows == 0 {
		l.Rows = 2_000_000
	}
	if l.Errors == 0 {
		l.Errors = 100_000
	}
	return l
}

// RowError says what is wrong with one cell, row or file. Row 1 is the header.
type RowError struct {
	Row     int    `json:"row"`
	Line    int    `json:"line,omitempty"`
	Column  string `json:"column"` // "" is the row as a whole
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *RowError) Error() string {
	return fmt.Sprintf("csvimport: row %d, column %q: %s", e.Row, e.Column, e.Message)
}

// Codes of a [RowError].
const (
	CodeSyntax          = "syntax"
	CodeNotUTF8         = "not_utf8"
	CodeTooLarge        = "too_large"
	CodeFieldCount      = "field_count"
	CodeUnknownColumn   = "unknown_column"
	CodeDuplicateColumn = "duplicate_column"
	CodeMissingColumn   = "missing_column"
	CodePasswordColumn  = "password_column"
	CodeEmpty           = "empty_file"
	CodeRequired        = "required"
	CodeInvalid         = "invalid"
	CodeTooLong         = "too_long"
	CodeReserved        = "reserved"
	CodeDuplicate       = "duplicate" // twice in the file
	CodeTaken           = "taken"     // by somebody else in the store
	CodeExists          = "exists"    // mode create
	CodeOwned           = "owned"     // belongs to a directory
	CodeUnknownGroup    = "unknown_group"
	CodeUnknownUser     = "unknown_user"
	CodeUnknownManager  = "unknown_manager"
	CodeTooMany         = "too_many" // bad rows, or records for the store
)

// record is one row of the file.
type record struct {
	row, line int
	cells     []string
	fault     *RowError // of the text; the next row can be read all the same
}

// scanner reads RFC 4180 with limits and exact positions.
type scanner struct {
	in        *bufio.Reader
	limits    Limits
	delimiter int
	offset    int64
	line, row int
	fault     *RowError // of the row that is being read
}

// detect returns the delimiter that the header has most of, outside quotes.
func detect(head []byte) byte {
	counts := map[byte]int{}
	quoted := false
	for _, c := range head {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if !quoted {
			counts[c]++
		}
	}
	best := byte(',')
	for _, d := range []byte{';', '\t'} {
		if counts[d] > counts[best] {
			best = d
		}
	}
	return best
}

const bom = "\xef\xbb\xbf"

// utf16 reports whether a text begins as UTF-16 does: with its mark, or with a letter and a zero in some order.
func utf16(head string) bool {
	return strings.HasPrefix(head, "\xff\xfe") || strings.HasPrefix(head, "\xfe\xff") || len(head) > 1 && (head[0] == 0) != (head[1] == 0)
}

func newScanner(r io.Reader, delimiter rune, limits Limits) (*scanner, error) {
	s := &scanner{in: bufio.NewReaderSize(r, 64<<10), limits: limits, line: 1}
	head, err := s.in.Peek(32 << 10)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	if utf16(string(head)) {
		s.row = 1
		return s, s.fail(CodeNotUTF8, "the file is UTF-16: save it as UTF-8")
	}
	if strings.HasPrefix(string(head), bom) {
		head = head[len(bom):]
		s.offset = int64(len(bom))
		if _, err := s.in.Discard(len(bom)); err != nil {
			return nil, err
		}
	}
	switch delimiter {
	case 0:
		s.delimiter = int(detect(head))
	case ',', ';', '\t':
		s.delimiter = int(delimiter)
	default:
		return nil, errors.New("csvimport: Options.Delimiter is neither comma, semicolon nor tab")
	}
	return s, nil
}

func (s *scanner) fail(code, format string, args ...any) *RowError {
	return &RowError{Row: s.row, Line: s.line, Code: code, Message: fmt.Sprintf(format, args...)}
}

// next returns the next record, or io.EOF. Empty lines between records are skipped.
func (s *scanner) next() (record, error) {
	for {
		s.row++
		start := s.line
		cells, err := s.scan()
		if err != nil {
			return record{}, err
		}
		if len(cells) == 1 && cells[0] == "" {
			s.row--
			continue
		}
		rec := record{s.row, start, cells, s.fault}
		s.fault = nil
		return rec, nil
	}
}

const eof = -1

func (s *scanner) byte() (int, error) {
	c, err := s.in.ReadByte()
	if errors.Is(err, io.EOF) {
		return eof, nil
	}
	if err != nil {
		return 0, fmt.Errorf("csvimport: read: %w", err)
	}
	s.offset++
	if s.offset > s.limits.File {
		return 0, s.fail(CodeTooLarge, "the file is longer than %d bytes", s.limits.File)
	}
	if c == '\n' {
		s.line++
	}
	return int(c), nil
}

// field is the state of the cell that is being read.
type field struct {
	text   []byte
	quoted bool // it began with a quote
	closed bool // and the quote has ended
}

func (s *scanner) scan() ([]string, error) {
	var cells []string
	var f field
	for size := 1; ; size++ {
		c, err := s.byte()
		if err != nil {
			return nil, err
		}
		if size > s.limits.Row {
			return nil, s.fail(CodeTooLarge, "the row is longer than %d bytes", s.limits.Row)
		}
		inside := f.quoted && !f.closed
		switch {
		case c == eof:
			return s.atEnd(cells, f, inside)
		case !inside && (c == '\n' || c == '\r'):
			if err := s.lineEnd(c); err != nil {
				return nil, err
			}
			return s.add(cells, f)
		case c == s.delimiter && !inside:
			if cells, err = s.add(cells, f); err != nil {
				return nil, err
			}
			f = field{}
		default:
			if err := s.letter(&f, byte(c)); err != nil { //nolint:gosec // a byte
				return nil, err
			}
		}
	}
}

func (s *scanner) atEnd(cells []string, f field, inside bool) ([]string, error) {
	switch {
	case inside:
		return nil, s.fail(CodeSyntax, "the file ends inside quotes")
	case len(cells) == 0 && len(f.text) == 0 && !f.quoted:
		return nil, io.EOF
	}
	return s.add(cells, f)
}

// letter adds one byte to a cell.
func (s *scanner) letter(f *field, c byte) error {
	switch {
	case c == '"':
		if err := s.quote(f); err != nil {
			return err
		}
	case f.closed:
		return s.fail(CodeSyntax, "text after a closing quote")
	default:
		f.text = append(f.text, c)
	}
	if len(f.text) > s.limits.Field {
		return s.fail(CodeTooLarge, "a field is longer than %d bytes", s.limits.Field)
	}
	return nil
}

func (s *scanner) quote(f *field) error {
	switch {
	case !f.quoted && len(f.text) == 0:
		f.quoted = true
	case f.quoted && !f.closed:
		f.closed = true // for now: the next character may be another quote
	case f.closed:
		f.closed = false
		f.text = append(f.text, '"')
	default:
		return s.fail(CodeSyntax, "a quote inside a field without quotes")
	}
	return nil
}

// lineEnd takes the line feed that follows a carriage return.
func (s *scanner) lineEnd(c int) error {
	if c == '\n' {
		return nil
	}
	c, err := s.byte()
	if err != nil {
		return err
	}
	if c != '\n' && c != eof {
		return s.fail(CodeSyntax, "a carriage return that ends no line")
	}
	return nil
}

func (s *scanner) add(cells []string, f field) ([]string, error) {
	if s.fault == nil && !utf8.Valid(f.text) {
		s.fault = s.fail(CodeNotUTF8, "the text that ends at byte %d is not UTF-8", s.offset)
	}
	if len(cells) >= s.limits.Columns {
		return nil, s.fail(CodeTooLarge, "the row has more than %d columns", s.limits.Columns)
	}
	return append(cells, unguard(string(f.text))), nil
}

// A cell that a spreadsheet would take for a formula is written with an apostrophe before it; unguard removes exactly
// one of those.
const formula = "=+-@\t\r"

func unguard(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte(formula, s[1]) >= 0 {
		return s[1:]
	}
	return s
}

func guard(s string) string {
	if s == "" {
		return s
	}
	if strings.IndexByte(formula, s[0]) >= 0 || s[0] == '\'' && len(s) > 1 && strings.IndexByte(formula, s[1]) >= 0 {
		return "'" + s
	}
	return s
}
