package sqlstore

import (
	"errors"
	"strconv"
	"strings"
)

// Dialect says which kind of database the *sql.DB leads to.
type Dialect int

// The dialects.
const (
	SQLite Dialect = iota + 1
	Postgres
)

// String returns the dialect's name.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case Postgres:
		return "PostgreSQL"
	}
	return "unknown dialect"
}

// ddl fills in the types of a migration.
func (d Dialect) ddl(text string) string {
	blob, clustered := "BYTEA", ""
	if d == SQLite {
		blob, clustered = "BLOB", "WITHOUT ROWID"
	}
	return strings.NewReplacer("{big}", "BIGINT", "{blob}", blob, "{clustered}", clustered).Replace(text)
}

// bind turns ? placeholders into those of the dialect. No statement of this package has a literal question mark.
func (d Dialect) bind(q string) string {
	if d != Postgres {
		return q
	}
	var sb strings.Builder
	n := 0
	for part := range strings.SplitSeq(q, "?") {
		if n > 0 {
			sb.WriteString("$" + strconv.Itoa(n))
		}
		sb.WriteString(part)
		n++
	}
	return sb.String()
}

// begin returns the statement that starts a transaction.
func (d Dialect) begin(write bool) string {
	switch {
	case d == SQLite && write:
		return "BEGIN IMMEDIATE" // a read that turns into a write later fails at once, whatever the timeout is
	case d == SQLite:
		return "BEGIN"
	case write:
		return "BEGIN ISOLATION LEVEL READ COMMITTED"
	}
	return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
}

// lockRow ends a statement that reads a row in order to write it.
func (d Dialect) lockRow() string {
	if d == Postgres {
		return " FOR UPDATE"
	}
	return "" // the transaction is the only writer already
}

const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteConstraint = 19
)

// retryable reports whether the whole transaction may be tried again: the database gave it up for another one.
func retryable(err error) bool {
	if s, ok := sqlState(err); ok {
		return s == "40001" || s == "40P01"
	}
	if c, ok := sqliteCode(err); ok {
		return c&0xff == sqliteBusy || c&0xff == sqliteLocked
	}
	return false
}

// duplicate reports whether a unique index refused a row.
func duplicate(err error) bool {
	if s, ok := sqlState(err); ok {
		return s == "23505"
	}
	c, ok := sqliteCode(err)
	return ok && c&0xff == sqliteConstraint
}

// exists reports whether somebody else has just created the table.
func exists(err error) bool {
	s, ok := sqlState(err)
	return ok && (s == "42P07" || s == "23505" || s == "42710")
}

func sqlState(err error) (string, bool) {
	var s interface{ SQLState() string }
	if errors.As(err, &s) {
		return s.SQLState(), true
	}
	return "", false
}

func sqliteCode(err error) (int, bool) {
	var c interface{ Code() int }
	if errors.As(err, &c) {
		return c.Code(), true
	}
	return 0, false
}
