// Package sqlattributes answers the queries of claim rules from a SQL database.
//
// Start with [New]. A placeholder {0} of the query becomes a bound parameter of the statement: the text of a claim never
// becomes part of the SQL.
//
// What is not done: the package opens no connection and brings no driver, and it does not look at what a statement does;
// give it an account that may only read. A placeholder inside a quoted text, a quoted name or a comment is refused.
//
// Followed is Microsoft's published description of SQL attribute stores, whose placeholders are those of .NET's
// String.Format; quoting is that of SQL-92, section 5.2, with the brackets and backquotes that some databases add.
//
// Answers are limited to [Config.MaxRows] rows; time is limited by the evaluation that asks.
package sqlattributes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/claims"
)

// A Placeholder writes the n-th bound parameter of a statement, from 1, as the driver wants it.
type Placeholder func(n int) string

// QuestionMark writes every parameter as ?, for SQLite and MySQL.
func QuestionMark(int) string { return "?" }

// Dollar writes $1, $2, ..., for PostgreSQL.
func Dollar(n int) string { return "$" + strconv.Itoa(n) }

// AtP writes @p1, @p2, ..., for SQL Server.
func AtP(n int) string { return "@p" + strconv.Itoa(n) }

// Config configures a [Store].
type Config struct {
	DB          *sql.DB     // opened by the caller, for an account that may only read
	Placeholder Placeholder // how the driver writes parameters

	MaxRows int // of one answer; 0 means 10,000
}

// A Store is an attribute store on a database. It is safe for concurrent use.
type Store struct{ cfg Config }

// New checks the configuration.
func New(cfg Config) (*Store, error) {
	switch {
	case cfg.DB == nil:
		return nil, errors.New("sqlattributes: Config.DB is nil")
	case cfg.Placeholder == nil:
		return nil, errors.New("sqlattributes: Config.Placeholder is nil")
	}
	if cfg.MaxRows <= 0 {
		cfg.MaxRows = 10_000
	}
	return &Store{cfg: cfg}, nil
}

func refuse(msg string, err error) error {
	return &claims.Error{Code: claims.CodeStore, Message: msg, Err: err}
}

// Query runs a statement with the params bound. Columns become cells in order; NULL makes no claim.
func (s *Store) Query(ctx context.Context, query string, params []string) ([]claims.Row, error) {
	q, err := claims.ParseQuery(query)
	if err != nil {
		return nil, refuse(err.Error(), nil)
	}
	statement, args, err := s.bind(q, params)
	if err != nil {
		return nil, err
	}
	rows, err := s.cfg.DB.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, refuse("the database did not answer the query", err)
	}
	defer rows.Close() //nolint:errcheck // read to the end, or given up with an error
	return s.read(rows)
}

// bind makes the statement: text parts stay, each placeholder outside quotes becomes a parameter.
func (s *Store) bind(q claims.Query, params []string) (string, []any, error) {
	var b strings.Builder
	var args []any
	var state scanner
	for i, part := range q.Parts {
		state.over(part)
		b.WriteString(part)
		if i == len(q.Places) {
			break
		}
		if state.quote != 0 {
			return "", nil, refuse("a placeholder of the query stands inside quotes or a comment", nil)
		}
		if q.Places[i] >= len(params) {
			return "", nil, refuse("query names a placeholder without param", nil)
		}
		state.boundary()
		args = append(args, params[q.Places[i]])
		b.WriteString(s.cfg.Placeholder(len(args)))
	}
	return b.String(), args, nil
}

// scanner follows quotes and comments through a statement.
type scanner struct {
	quote byte // ' " ` ] for quotes, - and / for comments, 0 outside
	last  byte
}

// boundary forgets the last character: a placeholder stands there.
func (x *scanner) boundary() { x.last = 0 }

func (x *scanner) over(s string) {
	for i := range len(s) {
		c := s[i]
		switch x.quote {
		case 0:
			if x.open(c); x.quote == '/' {
				c = 0 // the star that opens a comment does not close it
			}
		case '-':
			if c == '\n' {
				x.quote = 0
			}
		case '/':
			if c == '/' && x.last == '*' {
				x.quote, c = 0, 0
			}
		default: // a doubled quote closes and opens again, which is the same
			if c == x.quote {
				x.quote = 0
			}
		}
		x.last = c
	}
}

func (x *scanner) open(c byte) {
	switch {
	case c == '\'' || c == '"' || c == '`':
		x.quote = c
	case c == '[':
		x.quote = ']'
	case c == '-' && x.last == '-':
		x.quote = '-'
	case c == '*' && x.last == '/':
		x.quote = '/'
	}
}

func (s *Store) read(rows *sql.Rows) ([]claims.Row, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, refuse("the database did not answer the query", err)
	}
	var out []claims.Row
	for rows.Next() {
		if len(out) == s.cfg.MaxRows {
			return nil, refuse(fmt.Sprintf("the database answered with more than %d rows", s.cfg.MaxRows), nil)
		}
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			return nil, refuse("the database did not answer the query", err)
		}
		row := make(claims.Row, len(cells))
		for i, c := range cells {
			row[i] = cell(*c.(*any))
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		return nil, refuse("the database did not answer the query", err)
	}
	return out, nil
}

// cell makes text of a value: numbers without loss, times in RFC 3339, bytes as they are.
func cell(v any) claims.Cell {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return claims.Cell{v}
	case []byte:
		return claims.Cell{string(v)}
	case bool:
		return claims.Cell{strconv.FormatBool(v)}
	case int64:
		return claims.Cell{strconv.FormatInt(v, 10)}
	case float64:
		return claims.Cell{strconv.FormatFloat(v, 'g', -1, 64)}
	case time.Time:
		return claims.Cell{v.UTC().Format(time.RFC3339Nano)}
	}
	return claims.Cell{fmt.Sprint(v)}
}
