package integration_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// sqlCount counts what a program asks of a database: statements, and rows read or changed.
type sqlCount struct {
	statements, rows atomic.Int64
	before           func(q string) // called before each statement, unless it is nil
}

func (c *sqlCount) statement(q string) {
	c.statements.Add(1)
	if c.before != nil {
		c.before(q)
	}
}

// during returns what f adds.
func (c *sqlCount) during(f func()) (statements, rows int64) {
	s, r := c.statements.Load(), c.rows.Load()
	f()
	return c.statements.Load() - s, c.rows.Load() - r
}

// countSQL opens the data source of a database once more, through a driver that counts.
func countSQL(tb testing.TB, db *sql.DB, dsn string) (*sql.DB, *sqlCount) {
	tb.Helper()
	c := &sqlCount{}
	counted := sql.OpenDB(countedConnector{db.Driver(), dsn, c})
	counted.SetMaxOpenConns(6)
	tb.Cleanup(func() { require.NoError(tb, counted.Close()) })
	return counted, c
}

type countedConnector struct {
	driver driver.Driver
	dsn    string
	c      *sqlCount
}

func (k countedConnector) Driver() driver.Driver { return k.driver }

func (k countedConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := k.driver.Open(k.dsn)
	if err != nil {
		return nil, err
	}
	return countedConn{conn, k.c}, nil
}

type countedConn struct {
	driver.Conn
	c *sqlCount
}

func (k countedConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	k.c.statement(q)
	return counted(k.c)(k.Conn.(driver.ExecerContext).ExecContext(ctx, q, args))
}

func counted(c *sqlCount) func(driver.Result, error) (driver.Result, error) {
	return func(res driver.Result, err error) (driver.Result, error) {
		if err == nil {
			if n, failed := res.RowsAffected(); failed == nil {
				c.rows.Add(n)
			}
		}
		return res, err
	}
}

func (k countedConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	k.c.statement(q)
	rows, err := k.Conn.(driver.QueryerContext).QueryContext(ctx, q, args)
	return countedRows{rows, k.c}, err
}

func (k countedConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	st, err := k.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, q)
	return countedStmt{st, q, k.c}, err
}

func (k countedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return k.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func (k countedConn) ResetSession(ctx context.Context) error {
	if r, ok := k.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (k countedConn) CheckNamedValue(v *driver.NamedValue) error { return checkNamed(k.Conn, v) }

func checkNamed(x any, v *driver.NamedValue) error {
	if c, ok := x.(driver.NamedValueChecker); ok {
		return c.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type countedStmt struct {
	driver.Stmt
	q string
	c *sqlCount
}

func (k countedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	k.c.statement(k.q)
	return counted(k.c)(k.Stmt.(driver.StmtExecContext).ExecContext(ctx, args))
}

func (k countedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	k.c.statement(k.q)
	rows, err := k.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	return countedRows{rows, k.c}, err
}

func (k countedStmt) CheckNamedValue(v *driver.NamedValue) error { return checkNamed(k.Stmt, v) }

type countedRows struct {
	driver.Rows
	c *sqlCount
}

func (k countedRows) Next(to []driver.Value) error {
	err := k.Rows.Next(to)
	if err == nil {
		k.c.rows.Add(1)
	}
	return err
}
