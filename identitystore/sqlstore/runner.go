package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// runner runs statements: on the pool, each by itself, or in one transaction.
type runner interface {
	query(ctx context.Context, q string, args ...any) (*sql.Rows, error)
	row(ctx context.Context, q string, args ...any) scanner
}

type scanner interface{ Scan(dest ...any) error }

// failedRow is a row that could not even be asked for.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// poolRunner prepares each statement once for the whole pool.
type poolRunner struct{ s *Store }

func (p *poolRunner) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	st, err := p.s.prepared(ctx, q) //nolint:sqlclosecheck // closed with the store
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (p *poolRunner) row(ctx context.Context, q string, args ...any) scanner {
	st, err := p.s.prepared(ctx, q) //nolint:sqlclosecheck // closed with the store
	if err != nil {
		return failedRow{err}
	}
	return st.QueryRowContext(ctx, args...)
}

// connRunner runs statements in a transaction. With SQLite a statement that comes back is prepared; PostgreSQL's
// driver keeps prepared statements by itself.
type connRunner struct {
	conn    *sql.Conn
	dialect Dialect
	seen    map[string]*sql.Stmt // nil value: seen once
	cache   int64                // what SQLite's cache_size was before it was raised, or 0

	deferred map[string][]string // by table: statements that make indexes again
}

// raiseCache gives SQLite room for the pages that a large transaction writes again and again; with the usual 2 MB it
// writes each of them to the log whenever another one is needed.
func (c *connRunner) raiseCache(ctx context.Context) error {
	const enough = -128 << 10 // in KiB, as the pragma has it
	if c.dialect != SQLite || c.cache != 0 {
		return nil
	}
	if err := c.conn.QueryRowContext(ctx, "PRAGMA cache_size").Scan(&c.cache); err != nil {
		return failed(err)
	}
	if c.cache < enough || c.cache > -enough {
		return nil // the program has given it more
	}
	_, err := c.conn.ExecContext(ctx, "PRAGMA cache_size = "+strconv.Itoa(enough))
	return failed(err)
}

func (c *connRunner) close(ctx context.Context) {
	if c.cache != 0 {
		_, _ = c.conn.ExecContext(ctx, "PRAGMA cache_size = "+strconv.FormatInt(c.cache, 10))
	}
	for _, st := range c.seen {
		if st != nil {
			_ = st.Close()
		}
	}
}

func (c *connRunner) stmt(ctx context.Context, q string) *sql.Stmt {
	if c.dialect != SQLite {
		return nil
	}
	if c.seen == nil {
		c.seen = map[string]*sql.Stmt{}
	}
	st, again := c.seen[q]
	if st == nil && again {
		if p, err := c.conn.PrepareContext(ctx, q); err == nil {
			st = p
		}
	}
	c.seen[q] = st
	return st
}

func (c *connRunner) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if err := c.beforeRead(ctx, q); err != nil {
		return nil, err
	}
	if st := c.stmt(ctx, q); st != nil { //nolint:sqlclosecheck // closed with the runner
		return st.QueryContext(ctx, args...)
	}
	return c.conn.QueryContext(ctx, c.dialect.bind(q), args...)
}

func (c *connRunner) row(ctx context.Context, q string, args ...any) scanner {
	if err := c.beforeRead(ctx, q); err != nil {
		return failedRow{err}
	}
	if st := c.stmt(ctx, q); st != nil { //nolint:sqlclosecheck // closed with the runner
		return st.QueryRowContext(ctx, args...)
	}
	return c.conn.QueryRowContext(ctx, c.dialect.bind(q), args...)
}

func (c *connRunner) exec(ctx context.Context, q string, args ...any) error {
	_, err := c.execN(ctx, q, args...)
	return err
}

// execN returns how many rows the statement changed.
func (c *connRunner) execN(ctx context.Context, q string, args ...any) (int64, error) {
	var res sql.Result
	var err error
	if st := c.stmt(ctx, q); st != nil { //nolint:sqlclosecheck // closed with the runner
		res, err = st.ExecContext(ctx, args...)
	} else {
		res, err = c.conn.ExecContext(ctx, c.dialect.bind(q), args...)
	}
	if err != nil {
		return 0, failed(err)
	}
	n, err := res.RowsAffected()
	return n, failed(err)
}

// marks returns n placeholders in parentheses.
func marks(n int) string { return "(" + strings.Repeat("?, ", n-1) + "?)" }

// batch is the most keys or rows of one statement.
const batch = 512

// padded returns the size of an IN list: few different sizes, so that few statements are prepared.
func padded(n int) int {
	size := 1
	for size < n {
		size *= 4
	}
	return min(size, batch)
}
