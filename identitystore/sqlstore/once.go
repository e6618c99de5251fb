package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// UseOnce implements [identitystore.Store]. Of two calls at once, on one machine or several, one inserts the row.
func (s *Store) UseOnce(ctx context.Context, key [32]byte, until time.Time) error {
	now := s.now()
	if !until.After(now) {
		return errExpired
	}
	// A dead row of the same key is taken over; a live one is left alone, and then no row is affected.
	const q = "INSERT INTO used_key (k, until_at) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET until_at = excluded.until_at WHERE used_key.until_at <= ?"
	return s.insertOnce(ctx, q, key[:], micros(until), micros(now))
}

var errExpired = errors.New("sqlstore: the key has expired already")

// insertOnce runs one statement by itself and returns ErrSeen when it changed nothing.
func (s *Store) insertOnce(ctx context.Context, q string, args ...any) error {
	return s.alone(ctx, func() error {
		res, err := s.db.ExecContext(ctx, s.dialect.bind(q), args...)
		if err != nil {
			return failed(err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return failed(err)
		}
		if n == 0 {
			return identitystore.ErrSeen
		}
		return nil
	})
}

// alone runs a single statement, again while the database is busy.
func (s *Store) alone(ctx context.Context, f func() error) error {
	if s.dialect == SQLite {
		select {
		case s.writer <- struct{}{}:
			defer func() { <-s.writer }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for try := 0; ; try++ {
		err := f()
		if err == nil || !retryable(err) || try == 4 {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// Remember implements [identitystore.Store].
func (s *Store) Remember(ctx context.Context, key string, value []byte, until time.Time) error {
	now := s.now()
	if !until.After(now) {
		return errExpired
	}
	if value == nil {
		value = []byte{}
	}
	const q = "INSERT INTO handle (k, body, until_at) VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET body = excluded.body, until_at = excluded.until_at WHERE handle.until_at <= ?"
	return s.insertOnce(ctx, q, key, value, micros(until), micros(now))
}

// Take implements [identitystore.Store].
func (s *Store) Take(ctx context.Context, key string) ([]byte, error) {
	var body []byte
	err := s.alone(ctx, func() error {
		const q = "DELETE FROM handle WHERE k = ? AND until_at > ? RETURNING body"
		err := s.db.QueryRowContext(ctx, s.dialect.bind(q), key, micros(s.now())).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return identitystore.ErrNotFound
		}
		return failed(err)
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// ForgetUsed removes the keys of [Store.UseOnce] and [Store.Remember] that have expired. Call it now and then.
func (s *Store) ForgetUsed(ctx context.Context) error {
	return s.write(ctx, func(x *connRunner) error {
		if err := x.exec(ctx, "DELETE FROM handle WHERE until_at <= ?", micros(s.now())); err != nil {
			return err
		}
		return x.exec(ctx, "DELETE FROM used_key WHERE until_at <= ?", micros(s.now()))
	})
}
