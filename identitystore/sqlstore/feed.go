package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Events implements [identitystore.Store]. The tenant's row is locked from before an event is numbered until its
// transaction has ended, so numbers are given in the order of commits and nothing appears behind a reader.
func (s *Store) Events(ctx context.Context, tenant string, after int64, limit int) ([]identitystore.Event, error) {
	var out []identitystore.Event
	err := s.View(ctx, tenant, func(r identitystore.Reader) error {
		x, tid := r.(*reader).x, r.(*reader).tid // made by View
		var dropped int64
		if err := x.row(ctx, "SELECT dropped_seq FROM tenant WHERE tid = ?", tid).Scan(&dropped); err != nil {
			return notFound(err)
		}
		if after < dropped {
			return identitystore.ErrCursorTooOld
		}
		const q = "SELECT body FROM change_log WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?"
		var err error
		if out, err = events(ctx, x, q, tid, after, max(limit, 1)); err != nil || len(out) < limit {
			return err
		}
		last := out[len(out)-1]
		rest, err := events(ctx, x, "SELECT body FROM change_log WHERE tenant = ? AND seq > ? AND txn = ? ORDER BY seq", tid, last.Seq, last.Txn)
		out = append(out, rest...)
		return err
	})
	return out, err
}

func events(ctx context.Context, x runner, q string, args ...any) ([]identitystore.Event, error) {
	rows, err := x.query(ctx, q, args...)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	var out []identitystore.Event
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, failed(err)
		}
		var e identitystore.Event
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			return nil, failed(err)
		}
		out = append(out, e)
	}
	return out, failed(rows.Err())
}

// Versions implements [identitystore.Store].
func (s *Store) Versions(ctx context.Context, tenant, id string) ([]identitystore.Version, error) {
	tid, err := s.tid(ctx, tenant)
	if err != nil {
		return nil, err
	}
	const q = "SELECT pid, kind, valid_from, valid_to, body FROM history WHERE tenant = ? AND id = ? ORDER BY rev"
	return versions(ctx, &poolRunner{s}, q, tid, id)
}

func versions(ctx context.Context, x runner, q string, args ...any) ([]identitystore.Version, error) {
	rows, err := x.query(ctx, q, args...)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	var out []identitystore.Version
	for rows.Next() {
		var v identitystore.Version
		var kind, body string
		var from, to int64
		if err := rows.Scan(&v.Key, &kind, &from, &to, &body); err != nil {
			return nil, failed(err)
		}
		v.From, v.To = fromMicros(from), fromMicros(to)
		var into any
		if kind == kindUser {
			v.User = &identitystore.User{Key: v.Key}
			into = v.User
		} else {
			v.Group = &identitystore.Group{Key: v.Key}
			into = v.Group
		}
		if err := json.Unmarshal([]byte(body), into); err != nil {
			return nil, failed(err)
		}
		out = append(out, v)
	}
	return out, failed(rows.Err())
}

// AsOf implements [identitystore.Store]. It reads what was there at that time into memory and answers from there.
func (s *Store) AsOf(ctx context.Context, tenant string, at time.Time) (identitystore.Reader, error) {
	past := identitystore.NewPast(at)
	err := s.View(ctx, tenant, func(r identitystore.Reader) error {
		rd := r.(*reader) // made by View
		var horizon int64
		if err := rd.x.row(ctx, "SELECT horizon FROM tenant WHERE tid = ?", rd.tid).Scan(&horizon); err != nil {
			return notFound(err)
		}
		t := micros(at)
		if t < horizon {
			return identitystore.ErrTooOld
		}
		if err := rd.presentAt(ctx, past, t); err != nil {
			return err
		}
		const q = "SELECT pid, kind, valid_from, valid_to, body FROM history WHERE tenant = ? AND valid_to > ? AND valid_from <= ?"
		vs, err := versions(ctx, rd.x, q, rd.tid, t, t)
		if err != nil {
			return err
		}
		for _, v := range vs {
			past.Add(ctx, v)
		}
		return rd.membershipsAt(ctx, past, t)
	})
	if err != nil {
		return nil, err
	}
	return past.Reader(), nil
}

// presentAt offers the present versions that were there at t already.
func (r *reader) presentAt(ctx context.Context, past *identitystore.Past, t int64) error {
	for _, kind := range []string{kindUser, kindGroup} {
		rows, err := r.many(ctx, "SELECT "+columns+" FROM principal WHERE tenant = ? AND kind = ? AND updated_at <= ?", r.tid, kind, t)
		if err != nil {
			return err
		}
		for i := range rows {
			v := identitystore.Version{Key: identitystore.Key(rows[i].pid), From: fromMicros(rows[i].updateAt)}
			if kind == kindUser {
				v.User, err = rows[i].user()
			} else {
				v.Group, err = rows[i].group()
			}
			if err != nil {
				return err
			}
			past.Add(ctx, v)
		}
	}
	return nil
}

func (r *reader) membershipsAt(ctx context.Context, past *identitystore.Past, t int64) error {
	const q = "SELECT membership, grp, usr, depth, created_at, 0 FROM flat WHERE tenant = ? AND created_at <= ? UNION ALL " +
		"SELECT membership, grp, usr, depth, created_at, ended_at FROM flat_gone WHERE tenant = ? AND created_at <= ? AND ended_at > ?"
	rows, err := r.x.query(ctx, q, r.tid, t, r.tid, t, t)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var m identitystore.Membership
		var id []byte
		var created, ended int64
		if err := rows.Scan(&id, &m.Group, &m.User, &m.Depth, &created, &ended); err != nil {
			return failed(err)
		}
		m.ID, m.Direct, m.CreatedAt = uuidText(id), m.Depth == 1, fromMicros(created)
		past.AddMembership(ctx, m, fromMicros(ended))
	}
	return failed(rows.Err())
}

// Prune implements [identitystore.Store].
func (s *Store) Prune(ctx context.Context, tenant string, before time.Time) error {
	return s.Update(ctx, tenant, func(raw identitystore.Txn) error {
		t := raw.(*txn) // made by Update
		limit := micros(before)
		var last sql.NullInt64
		if err := t.x.row(ctx, "SELECT max(seq) FROM change_log WHERE tenant = ? AND at < ?", t.tid, limit).Scan(&last); err != nil {
			return notFound(err)
		}
		if last.Valid {
			if err := t.exec(ctx, "UPDATE tenant SET dropped_seq = ? WHERE tid = ?", last.Int64, t.tid); err != nil {
				return err
			}
		}
		for _, q := range []string{
			"DELETE FROM change_log WHERE tenant = ? AND at < ?", "DELETE FROM history WHERE tenant = ? AND valid_to < ?",
			"DELETE FROM flat_gone WHERE tenant = ? AND ended_at < ?",
		} {
			if err := t.exec(ctx, q, t.tid, limit); err != nil {
				return err
			}
		}
		return t.exec(ctx, "UPDATE tenant SET horizon = ? WHERE tid = ? AND horizon < ?", limit, t.tid, limit)
	})
}
