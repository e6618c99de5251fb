package sqlattributes_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/sqlattributes"
)

// fake is a database that remembers the statement and answers with fixed rows.
type fake struct {
	statement string
	args      []driver.NamedValue
	columns   []string
	rows      [][]driver.Value
	err       error // of the query
	rowErr    error // instead of the end of the rows
}

func (f *fake) Connect(context.Context) (driver.Conn, error) { return f, nil }
func (f *fake) Driver() driver.Driver                        { return nil }
func (f *fake) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("not used") }
func (f *fake) Close() error                                 { return nil }
func (f *fake) Begin() (driver.Tx, error)                    { return nil, errors.New("not used") }

func (f *fake) QueryContext(_ context.Context, statement string, args []driver.NamedValue) (driver.Rows, error) {
	f.statement, f.args = statement, args
	return &fakeRows{f: f}, f.err
}

type fakeRows struct {
	f *fake
	n int
}

func (r *fakeRows) Columns() []string { return r.f.columns }
func (r *fakeRows) Close() error      { return nil }
func (r *fakeRows) Next(dest []driver.Value) error {
	if r.n == len(r.f.rows) {
		if r.f.rowErr != nil {
			return r.f.rowErr
		}
		return io.EOF
	}
	copy(dest, r.f.rows[r.n])
	r.n++
	return nil
}

func open(t *testing.T, f *fake, p sqlattributes.Placeholder, maxRows int) *sqlattributes.Store {
	t.Helper()
	db := sql.OpenDB(f)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s, err := sqlattributes.New(sqlattributes.Config{DB: db, Placeholder: p, MaxRows: maxRows})
	require.NoError(t, err)
	return s
}

func TestParamsAreBound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query       string
		params      []string
		placeholder sqlattributes.Placeholder
		statement   string
		args        []string
	}{
		"question mark": {"SELECT a FROM t WHERE n = {0} AND m = {1}", []string{"x", "y"}, sqlattributes.QuestionMark, "SELECT a FROM t WHERE n = ? AND m = ?", []string{"x", "y"}},
		"dollar":        {"SELECT a FROM t WHERE n = {1} AND m = {0}", []string{"x", "y"}, sqlattributes.Dollar, "SELECT a FROM t WHERE n = $1 AND m = $2", []string{"y", "x"}},
		"named":         {"SELECT {0}, {0}", []string{"x"}, sqlattributes.AtP, "SELECT @p1, @p2", []string{"x", "x"}},
		"injection":     {"SELECT a FROM t WHERE n = {0}", []string{"x' OR '1'='1"}, sqlattributes.Dollar, "SELECT a FROM t WHERE n = $1", []string{"x' OR '1'='1"}},
		"no params":     {"SELECT HOST_NAME() AS n", nil, sqlattributes.Dollar, "SELECT HOST_NAME() AS n", nil},
		"unused param":  {"SELECT 1", []string{"x"}, sqlattributes.Dollar, "SELECT 1", nil},
		"after quotes":  {`SELECT 'it''s', "a""b", [c], ` + "`d`" + ` /* e */ -- f` + "\n" + `FROM t WHERE n = {0}`, []string{"x"}, sqlattributes.QuestionMark, `SELECT 'it''s', "a""b", [c], ` + "`d`" + ` /* e */ -- f` + "\n" + `FROM t WHERE n = ?`, []string{"x"}},
		"braces":        {"SELECT '{{0}}' WHERE n = {0}", []string{"x"}, sqlattributes.QuestionMark, "SELECT '{0}' WHERE n = ?", []string{"x"}},
		"minus":         {"SELECT 1-{0}-{0}", []string{"x"}, sqlattributes.QuestionMark, "SELECT 1-?-?", []string{"x", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{columns: []string{"a"}}
			_, err := open(t, f, c.placeholder, 0).Query(t.Context(), c.query, c.params)
			require.NoError(t, err)
			require.Equal(t, c.statement, f.statement)
			var args []string
			for _, a := range f.args {
				args = append(args, a.Value.(string))
			}
			require.Equal(t, c.args, args)
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"in quotes":         "SELECT a FROM t WHERE n = '{0}'",
		"in a name":         `SELECT "{0}" FROM t`,
		"in brackets":       "SELECT [{0}] FROM t",
		"in backquotes":     "SELECT `{0}` FROM t",
		"in a comment":      "SELECT 1 -- {0}",
		"in a long comment": "SELECT 1 /* {0} */",
		"open comment":      "SELECT 1 /*/ {0}",
		"missing param":     "SELECT {1}",
		"stray brace":       "SELECT {x}",
		"unclosed":          "SELECT {0",
	} {
		f := &fake{columns: []string{"a"}}
		_, err := open(t, f, sqlattributes.Dollar, 0).Query(t.Context(), query, []string{"canary"})
		require.ErrorIs(t, err, claims.ErrEvaluation, name)
		require.Equal(t, claims.CodeStore, claims.ErrorsOf(err)[0].Code)
		require.NotContains(t, err.Error(), "canary")
		require.Empty(t, f.statement, name)
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	f := &fake{columns: []string{"a", "b"}, rows: [][]driver.Value{{"x", nil}, {[]byte("y"), int64(7)}, {true, 1.5}, {at, ""}}}
	rows, err := open(t, f, sqlattributes.Dollar, 4).Query(t.Context(), "q", nil)
	require.NoError(t, err)
	require.Equal(t, []claims.Row{{{"x"}, nil}, {{"y"}, {"7"}}, {{"true"}, {"1.5"}}, {{"2026-03-01T11:00:00Z"}, {""}}}, rows)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	cause := errors.New("canary")
	for name, f := range map[string]*fake{
		"query": {columns: []string{"a"}, err: cause},
		"rows":  {columns: []string{"a"}, rows: [][]driver.Value{{"x"}}, rowErr: cause},
	} {
		rows, err := open(t, f, sqlattributes.Dollar, 0).Query(t.Context(), "q", nil)
		require.ErrorIs(t, err, cause, name)
		require.NotContains(t, err.Error(), "canary")
		require.Nil(t, rows)
	}
	many := &fake{columns: []string{"a"}, rows: [][]driver.Value{{"x"}, {"y"}}}
	_, err := open(t, many, sqlattributes.Dollar, 1).Query(t.Context(), "q", nil)
	require.ErrorIs(t, err, claims.ErrEvaluation)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(&fake{})
	defer db.Close() //nolint:errcheck // a fake
	_, err := sqlattributes.New(sqlattributes.Config{Placeholder: sqlattributes.Dollar})
	require.Error(t, err)
	_, err = sqlattributes.New(sqlattributes.Config{DB: db})
	require.Error(t, err)
}
