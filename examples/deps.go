// Package examples holds the programs of this module, one folder each.
package examples

import (
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)
