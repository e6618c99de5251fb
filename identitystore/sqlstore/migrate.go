package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

type migration struct {
	version  int
	name     string
	text     string
	checksum string
}

func migrations() ([]migration, error) {
	files, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var out []migration
	for _, f := range files {
		raw, err := migrationFiles.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		m := migration{name: f.Name(), text: string(raw)}
		if _, err := fmt.Sscanf(f.Name(), "%04d_", &m.version); err != nil {
			return nil, fmt.Errorf("sqlstore: migration %s has no number", f.Name())
		}
		sum := sha256.Sum256(raw)
		m.checksum = hex.EncodeToString(sum[:])
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b migration) int { return a.version - b.version })
	return out, nil
}

// emailsVersion is the migration that fillEmails completes.
const emailsVersion = 3

// migrate brings the schema to the newest version. Two programs that start at once do it one after the other: the row
// with version 0 is their lock.
func migrate(ctx context.Context, db *sql.DB, d Dialect, now time.Time) error {
	want, err := migrations()
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	const table = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)"
	if _, err := conn.ExecContext(ctx, table); err != nil && !exists(err) {
		return fmt.Errorf("sqlstore: create schema_version: %w", err)
	}
	for try := range 5 {
		err = inTransaction(ctx, conn, d, true, func() error { return applyMissing(ctx, conn, d, want, now) })
		if !retryable(err) {
			break
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return err
}

func applyMissing(ctx context.Context, conn *sql.Conn, d Dialect, want []migration, now time.Time) error {
	const lock = "INSERT INTO schema_version (version, checksum, applied_at) VALUES (0, '', 0) ON CONFLICT (version) DO UPDATE SET checksum = ''"
	if _, err := conn.ExecContext(ctx, lock); err != nil {
		return fmt.Errorf("sqlstore: lock the schema: %w", err)
	}
	have, err := applied(ctx, conn)
	if err != nil {
		return err
	}
	for _, m := range want {
		sum, done := have[m.version]
		delete(have, m.version)
		if done && sum != m.checksum {
			return fmt.Errorf("sqlstore: migration %d was applied in another form than this program has it", m.version)
		}
		if done {
			continue
		}
		for stmt := range strings.SplitSeq(d.ddl(m.text), ";") {
			if strings.TrimSpace(stmt) == "" {
				continue
			}
			if _, err := conn.ExecContext(ctx, stmt); err != nil {
				return fmt.Errorf("sqlstore: migration %s: %w", m.name, err)
			}
		}
		if m.version == emailsVersion {
			if err := fillEmails(ctx, conn, d); err != nil {
				return fmt.Errorf("sqlstore: migration %s: %w", m.name, err)
			}
		}
		const note = "INSERT INTO schema_version (version, checksum, applied_at) VALUES (?, ?, ?)"
		if _, err := conn.ExecContext(ctx, d.bind(note), m.version, m.checksum, now.UnixMicro()); err != nil {
			return fmt.Errorf("sqlstore: note migration: %w", err)
		}
	}
	for v := range have {
		return fmt.Errorf("sqlstore: %w: version %d", ErrNewerSchema, v)
	}
	return nil
}

// ErrNewerSchema is returned by [Open] for a database that a newer version of this package has changed.
var ErrNewerSchema = errors.New("the database has a schema that this program does not know")

func applied(ctx context.Context, conn *sql.Conn) (map[int]string, error) {
	rows, err := conn.QueryContext(ctx, "SELECT version, checksum FROM schema_version WHERE version > 0")
	if err != nil {
		return nil, fmt.Errorf("sqlstore: read schema_version: %w", err)
	}
	defer func() { _ = rows.Close() }()
	have := map[int]string{}
	for rows.Next() {
		var v int
		var sum string
		if err := rows.Scan(&v, &sum); err != nil {
			return nil, err
		}
		have[v] = sum
	}
	return have, rows.Err()
}
