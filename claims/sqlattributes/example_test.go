package sqlattributes_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/sqlattributes"
)

// The text of a claim is bound to the statement, never pasted into it.
func Example() {
	db := sql.OpenDB(&fake{columns: []string{"team"}, rows: [][]driver.Value{{"SRE"}}}) // your driver here
	defer db.Close()                                                                    //nolint:errcheck // an example
	store, err := sqlattributes.New(sqlattributes.Config{DB: db, Placeholder: sqlattributes.Dollar})
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := claims.CompileText(`c:[Type == "name"] => issue(store = "HR", types = ("team"), query = "SELECT team FROM people WHERE login = {0}", param = c.Value);`, claims.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := program.Evaluate(context.Background(), []claims.Claim{claims.New("name", "alice")}, claims.Stores{"HR": store})
	fmt.Println(res.Output[0].Value, err)
	// Output: SRE <nil>
}
