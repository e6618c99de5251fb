package integration_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/sqlattributes"
)

// TestClaimsFromSQLite runs rules over a real database: values come back, hostile ones find nothing.
func TestClaimsFromSQLite(t *testing.T) {
	t.Parallel()
	db := openSQLite(t, filepath.Join(t.TempDir(), "people.db"))
	_, err := db.ExecContext(t.Context(), `CREATE TABLE people (login TEXT, team TEXT, floor INTEGER);
		INSERT INTO people VALUES ('alice', 'SRE', 3), ('alice', 'Platform', NULL), ('bob', 'Sales', 1)`)
	require.NoError(t, err)
	store, err := sqlattributes.New(sqlattributes.Config{DB: db, Placeholder: sqlattributes.QuestionMark})
	require.NoError(t, err)
	p, err := claims.CompileText(`c:[Type == "name"] => issue(store = "HR", types = ("team", "floor"), query = "SELECT team, floor FROM people WHERE login = {0} ORDER BY floor DESC", param = c.Value);`, claims.Options{})
	require.NoError(t, err)
	for login, want := range map[string][]string{
		"alice":                     {"SRE", "3", "Platform"},
		"nobody":                    nil,
		"' OR '1'='1":               nil,
		"alice' --":                 nil,
		"x'; DROP TABLE people; --": nil,
	} {
		res, err := p.Evaluate(t.Context(), []claims.Claim{claims.New("name", login)}, claims.Stores{"HR": store})
		require.NoError(t, err, login)
		var got []string
		for _, c := range res.Output {
			got = append(got, c.Value)
		}
		require.Equal(t, want, got, login)
	}
	_, err = db.ExecContext(t.Context(), "DROP TABLE people")
	require.NoError(t, err, "still there")
	res, err := p.Evaluate(t.Context(), []claims.Claim{claims.New("name", "alice")}, claims.Stores{"HR": store})
	require.ErrorIs(t, err, claims.ErrEvaluation)
	require.Empty(t, res.Output)
}
