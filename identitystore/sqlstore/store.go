package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/clock"
)

// Store is an [identitystore.Store] on a database. It is safe for concurrent use, and several programs may use one
// database.
type Store struct {
	db      *sql.DB
	dialect Dialect
	now     func() time.Time
	writer  chan struct{} // SQLite: this program's one writer

	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
	tids  map[string]int64
}

var _ identitystore.Store = (*Store)(nil)

// Open checks the database's settings, brings the schema up to date and returns the store. The caller keeps the
// database: [Store.Close] does not close it.
//
// SQLite needs these settings in the DSN, because a pragma holds for one connection of the pool only:
// "file:NAME?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)"
// with modernc.org/sqlite. A database in memory needs db.SetMaxOpenConns(1).
func Open(ctx context.Context, db *sql.DB, d Dialect) (*Store, error) {
	return OpenAt(ctx, db, d, nil)
}

// OpenAt is [Open] with a clock for [Store.UseOnce]; nil means the system clock.
func OpenAt(ctx context.Context, db *sql.DB, d Dialect, now func() time.Time) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlstore: db is nil")
	}
	if d != SQLite && d != Postgres {
		return nil, errors.New("sqlstore: unknown dialect")
	}
	s := &Store{db: db, dialect: d, now: clock.Or(now), writer: make(chan struct{}, 1), stmts: map[string]*sql.Stmt{}, tids: map[string]int64{}}
	if d == SQLite {
		if err := checkSQLite(ctx, db); err != nil {
			return nil, err
		}
	}
	if err := migrate(ctx, db, d, s.now()); err != nil {
		return nil, err
	}
	return s, nil
}

func checkSQLite(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	var mode string
	var timeout, keys int
	for q, to := range map[string]any{"PRAGMA journal_mode": &mode, "PRAGMA busy_timeout": &timeout, "PRAGMA foreign_keys": &keys} {
		if err := conn.QueryRowContext(ctx, q).Scan(to); err != nil {
			return fmt.Errorf("sqlstore: %s: %w", q, err)
		}
	}
	switch {
	case mode == "memory" && db.Stats().MaxOpenConnections != 1:
		return errors.New("sqlstore: a database in memory needs db.SetMaxOpenConns(1)")
	case mode != "wal" && mode != "memory":
		return fmt.Errorf("sqlstore: journal_mode is %s: add _pragma=journal_mode(wal) to the DSN", mode)
	case timeout == 0:
		return errors.New("sqlstore: busy_timeout is 0: add _pragma=busy_timeout(10000) to the DSN")
	case keys != 1:
		return errors.New("sqlstore: foreign_keys is off: add _pragma=foreign_keys(1) to the DSN")
	}
	return nil
}

// Close releases the prepared statements. The database stays open: it is the caller's.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	for _, st := range s.stmts {
		if err := st.Close(); err != nil && first == nil {
			first = err
		}
	}
	s.stmts = map[string]*sql.Stmt{}
	return first
}

// prepared returns the statement for the pool, prepared once.
func (s *Store) prepared(ctx context.Context, q string) (*sql.Stmt, error) {
	s.mu.RLock()
	st := s.stmts[q]
	s.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	st, err := s.db.PrepareContext(ctx, s.dialect.bind(q))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.stmts[q]; old != nil {
		_ = st.Close() //nolint:sqlclosecheck // somebody else was faster
		return old, nil
	}
	s.stmts[q] = st
	return st, nil
}

// tid returns the number of a tenant.
func (s *Store) tid(ctx context.Context, tenant string) (int64, error) {
	s.mu.RLock()
	id, known := s.tids[tenant]
	s.mu.RUnlock()
	if known {
		return id, nil
	}
	err := s.db.QueryRowContext(ctx, s.dialect.bind("SELECT tid FROM tenant WHERE public_id = ?"), tenant).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, &identitystore.ResourceNotFoundError{ResourceType: identitystore.ResourceStore, ResourceID: tenant}
	}
	if err != nil {
		return 0, failed(err)
	}
	s.mu.Lock()
	s.tids[tenant] = id
	s.mu.Unlock()
	return id, nil
}

// CreateTenant implements [identitystore.Store].
func (s *Store) CreateTenant(ctx context.Context, t identitystore.Tenant) error {
	if err := identitystore.CheckTenant(t); err != nil {
		return err
	}
	for try := 0; ; try++ {
		// A random number, because no two servers agree on a next one; a small one, because every row of every index has it.
		n, err := rand.Int(rand.Reader, big.NewInt(1<<31))
		if err != nil {
			return failed(err)
		}
		const q = "INSERT INTO tenant (tid, public_id, name, next_key, last_seq, dropped_seq, horizon, users, groups_n) VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0)"
		_, err = s.db.ExecContext(ctx, s.dialect.bind(q), n.Int64(), t.ID, t.Name)
		if !duplicate(err) {
			return failed(err)
		}
		if _, err := s.tid(ctx, t.ID); err == nil || try == 8 {
			return &identitystore.ConflictError{Reason: identitystore.ReasonUniqueness, Path: "id"}
		}
	}
}

// Tenants implements [identitystore.Store].
func (s *Store) Tenants(ctx context.Context) ([]identitystore.Tenant, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT public_id, name FROM tenant ORDER BY public_id")
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	var out []identitystore.Tenant
	for rows.Next() {
		var t identitystore.Tenant
		if err := rows.Scan(&t.ID, &t.Name); err != nil {
			return nil, failed(err)
		}
		out = append(out, t)
	}
	return out, failed(rows.Err())
}

// DeleteTenant implements [identitystore.Store].
func (s *Store) DeleteTenant(ctx context.Context, id string) error {
	err := s.write(ctx, func(x *connRunner) error {
		var tid int64
		err := x.row(ctx, "SELECT tid FROM tenant WHERE public_id = ?"+s.dialect.lockRow(), id).Scan(&tid)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, table := range []string{"external_id", "user_email", "edge", "flat", "flat_gone", "document", "lease", "change_log", "history", "principal"} {
			if err := x.exec(ctx, "DELETE FROM "+table+" WHERE tenant = ?", tid); err != nil {
				return err
			}
		}
		return x.exec(ctx, "DELETE FROM tenant WHERE tid = ?", tid)
	})
	s.mu.Lock()
	delete(s.tids, id)
	s.mu.Unlock()
	return err
}

// Reader implements [identitystore.Store].
func (s *Store) Reader(ctx context.Context, tenant string) (identitystore.Reader, error) {
	tid, err := s.tid(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return &reader{x: &poolRunner{s}, tid: tid}, nil
}

// View implements [identitystore.Store].
func (s *Store) View(ctx context.Context, tenant string, f func(identitystore.Reader) error) error {
	tid, err := s.tid(ctx, tenant)
	if err != nil {
		return err
	}
	return s.transaction(ctx, false, func(x *connRunner) error { return f(&reader{x: x, tid: tid}) })
}

// Update implements [identitystore.Store].
func (s *Store) Update(ctx context.Context, tenant string, f func(identitystore.Txn) error) error {
	tid, err := s.tid(ctx, tenant)
	if err != nil {
		return err
	}
	rows := 0
	err = s.write(ctx, func(x *connRunner) error {
		t := &txn{reader: reader{x: x, tid: tid}}
		// The tenant's row is the lock: writers of a tenant come one after the other, so that uniqueness, flattened
		// memberships and the numbers of events can be worked out without surprises.
		q := "SELECT next_key, last_seq, users, groups_n, flat_n, edge_n FROM tenant WHERE tid = ?" + s.dialect.lockRow()
		err := x.row(ctx, q, tid).Scan(&t.nextKey, &t.lastSeq, &t.users, &t.groups, &t.flats, &t.edgeRows)
		if errors.Is(err, sql.ErrNoRows) {
			return &identitystore.ResourceNotFoundError{ResourceType: identitystore.ResourceStore, ResourceID: tenant}
		}
		if err != nil {
			return err
		}
		if err := t.outcome(f(t)); err != nil {
			return err
		}
		if err := x.restoreIndexes(ctx, "flat"); err != nil {
			return err
		}
		rows = t.rows
		if !t.changed {
			return nil
		}
		const note = "UPDATE tenant SET next_key = ?, last_seq = ?, users = ?, groups_n = ?, flat_n = ?, edge_n = ? WHERE tid = ?"
		return x.exec(ctx, note, t.nextKey, t.lastSeq, t.users, t.groups, t.flats, t.edgeRows, tid)
	})
	if err == nil && rows > bulkRows {
		s.analyze(ctx)
	}
	return err
}

// bulkRows is when a transaction has changed so much that the planner's statistics are worth renewing.
const bulkRows = 20_000

// analyze renews the statistics. On stale ones PostgreSQL was seen to read a whole tenant to find one name. Only speed
// depends on it.
func (s *Store) analyze(ctx context.Context) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	list := []string{"ANALYZE principal", "ANALYZE external_id", "ANALYZE edge", "ANALYZE flat"}
	var was int64
	if s.dialect == SQLite && conn.QueryRowContext(ctx, "PRAGMA analysis_limit").Scan(&was) == nil { // SQLite 3.32 or later
		list = append([]string{analyzeSome}, list...)
		defer func() {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA analysis_limit = "+strconv.FormatInt(was, 10))
		}()
	}
	for _, q := range list {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return
		}
	}
}

// write runs f in a transaction that writes, again when the database gave it up for another one.
func (s *Store) write(ctx context.Context, f func(*connRunner) error) error {
	if s.dialect == SQLite {
		select {
		case s.writer <- struct{}{}:
			defer func() { <-s.writer }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for try := 0; ; try++ {
		err := s.transaction(ctx, true, f)
		if err == nil || !retryable(err) || try == 4 {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// pause waits a little longer after each try, by a random part.
func pause(ctx context.Context, try int) error {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(10*time.Millisecond)<<try))
	if err != nil {
		return err
	}
	t := time.NewTimer(time.Duration(n.Int64()) + time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (s *Store) transaction(ctx context.Context, write bool, f func(*connRunner) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = conn.Close() }()
	x := &connRunner{conn: conn, dialect: s.dialect}
	defer x.close(context.WithoutCancel(ctx)) // also when ctx is over
	return inTransaction(ctx, conn, s.dialect, write, func() error { return f(x) })
}

func inTransaction(ctx context.Context, conn *sql.Conn, d Dialect, write bool, f func() error) error {
	if _, err := conn.ExecContext(ctx, d.begin(write)); err != nil {
		return failed(err)
	}
	err := f()
	if err == nil {
		if _, err = conn.ExecContext(ctx, "COMMIT"); err == nil {
			return nil
		}
		err = failed(err)
	}
	// The context may be over; the transaction must end all the same, or the connection may not be used again.
	if _, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); rollback != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}

// failed wraps an error of the database; nil stays nil, and the errors of the identity store stay as they are.
func failed(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if duplicate(err) {
		return fmt.Errorf("%w: %w", &identitystore.ConflictError{Reason: identitystore.ReasonUniqueness, Path: "id"}, err)
	}
	return &identitystore.InternalError{Retryable: retryable(err), Err: err}
}
