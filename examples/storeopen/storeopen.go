// Package storeopen opens the identity store that the -db flag of the example programs names. It brings the database
// drivers: modernc.org/sqlite for "sqlite:FILE" and github.com/jackc/pgx/v5 for "postgres://...".
package storeopen

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

// ErrUsage matches the error for a value of -db that names no database: exit code 2.
var ErrUsage = errors.New("-db needs sqlite:FILE or postgres://USER@HOST/NAME")

// Store is a store with the database below it.
type Store struct {
	*sqlstore.Store
	db *sql.DB
}

// Close ends the store and the database.
func (s *Store) Close() error { return errors.Join(s.Store.Close(), s.db.Close()) }

// Open opens the store, and creates the database file and the schema when they are missing.
func Open(ctx context.Context, name string) (*Store, error) {
	driver, dsn, dialect, err := parse(name)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	st, err := sqlstore.Open(ctx, db, dialect)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), db.Close())
	}
	return &Store{st, db}, nil
}

// Exists reports whether Open would find a database rather than create one. A server is taken to have one.
func Exists(name string) (bool, error) {
	file, isFile := strings.CutPrefix(name, "sqlite:")
	if !isFile {
		_, _, _, err := parse(name)
		return err == nil, err
	}
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func parse(name string) (driver, dsn string, dialect sqlstore.Dialect, err error) {
	if file, ok := strings.CutPrefix(name, "sqlite:"); ok && file != "" {
		abs, err := filepath.Abs(file)
		if err != nil {
			return "", "", 0, err
		}
		q := url.Values{"_pragma": {"busy_timeout(10000)", "foreign_keys(1)", "journal_mode(wal)", "synchronous(normal)"}}
		u := url.URL{Scheme: "file", OmitHost: true, Path: abs, RawQuery: q.Encode()}
		return "sqlite", u.String(), sqlstore.SQLite, nil
	}
	if strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://") {
		return "pgx", name, sqlstore.Postgres, nil
	}
	return "", "", 0, ErrUsage
}
