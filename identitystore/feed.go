package identitystore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// Events returns up to limit events after a sequence number (0 = from the beginning), in order, without gaps, never a
// part of a transaction. After [ErrCursorTooOld] the caller lists everything, taking [Reader.LastSeq] first, and goes
// on from there.
func (s *Service) Events(ctx context.Context, after int64, limit int) ([]Event, error) {
	return s.cfg.Store.Events(ctx, s.cfg.Tenant, after, limit)
}

const watchBatch = 500

// Watch calls f with each batch of events after a sequence number, and asks again after the pause when there are none,
// until f or the store returns an error or ctx ends.
func (s *Service) Watch(ctx context.Context, after int64, pause time.Duration, f func([]Event) error) error {
	for {
		events, err := s.Events(ctx, after, watchBatch)
		if err != nil {
			return err
		}
		if len(events) > 0 {
			if err := f(events); err != nil {
				return err
			}
			after = events[len(events)-1].Seq
			continue
		}
		t := time.NewTimer(max(pause, time.Millisecond))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// AsOf returns a reader of the store as it was after the last commit not later than t. [ErrTooOld] says that the
// retained history does not reach so far.
func (s *Service) AsOf(ctx context.Context, t time.Time) (Reader, error) {
	if t.Before(s.Now().Add(-s.cfg.History)) {
		return nil, ErrTooOld
	}
	return s.cfg.Store.AsOf(ctx, s.cfg.Tenant, t.UTC().Truncate(time.Microsecond))
}

// History returns all retained versions of a user or group, oldest first, the present one with a zero To.
func (s *Service) History(ctx context.Context, id string) ([]Version, error) {
	out, err := s.cfg.Store.Versions(ctx, s.cfg.Tenant, id)
	if err != nil {
		return nil, err
	}
	u, err := s.reader.UserByID(ctx, id)
	switch {
	case err == nil:
		return append(out, Version{Key: u.Key, From: u.UpdatedAt, User: u}), nil
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	g, err := s.reader.GroupByID(ctx, id)
	switch {
	case err == nil:
		return append(out, Version{Key: g.Key, From: g.UpdatedAt, Group: g}), nil
	case !errors.Is(err, ErrNotFound):
		return nil, err
	case len(out) == 0:
		return nil, ErrNotFound
	}
	return out, nil
}

// Difference is what differs between two moments.
type Difference struct {
	Kind          Kind
	ID            string
	Before, After *Version // nil: did not exist
	Gained, Lost  []string // group ids, of a user
	ChangedFields []string
}

// Diff compares the store at two moments, in order of kind and id.
func (s *Service) Diff(ctx context.Context, from, to time.Time) ([]Difference, error) {
	a, err := s.AsOf(ctx, from)
	if err != nil {
		return nil, err
	}
	b, err := s.AsOf(ctx, to)
	if err != nil {
		return nil, err
	}
	before, err := collect(ctx, a)
	if err != nil {
		return nil, err
	}
	after, err := collect(ctx, b)
	if err != nil {
		return nil, err
	}
	var out []Difference
	for id, x := range before {
		d := Difference{Kind: x.kind(), ID: id, Before: &x.v}
		if y, still := after[id]; still {
			d.After, d.ChangedFields = &y.v, changedFields(x.record(), y.record())
			d.Gained, d.Lost = minus(y.groups, x.groups), minus(x.groups, y.groups)
			if len(d.ChangedFields) == 0 && len(d.Gained) == 0 && len(d.Lost) == 0 {
				continue
			}
		} else {
			d.Lost = x.groups
		}
		out = append(out, d)
	}
	for id, y := range after {
		if _, was := before[id]; !was {
			out = append(out, Difference{Kind: y.kind(), ID: id, After: &y.v, Gained: y.groups})
		}
	}
	slices.SortFunc(out, func(x, y Difference) int { return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ID, y.ID)) })
	return out, nil
}

type snapshotEntry struct {
	v      Version
	groups []string
}

func (e snapshotEntry) kind() Kind {
	if e.v.User != nil {
		return KindUser
	}
	return KindGroup
}

func (e snapshotEntry) record() any {
	if e.v.User != nil {
		return e.v.User
	}
	return e.v.Group
}

func minus(a, b []string) []string {
	var out []string
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func collect(ctx context.Context, r Reader) (map[string]snapshotEntry, error) {
	out := map[string]snapshotEntry{}
	for after := ""; ; {
		users, err := r.ListUsers(ctx, after, flattenBatch)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			e := snapshotEntry{v: Version{Key: u.Key, From: u.UpdatedAt, User: u}}
			ms, err := r.MembershipsOfUsers(ctx, []Key{u.Key})
			if err != nil {
				return nil, err
			}
			for _, m := range ms {
				e.groups = append(e.groups, m.GroupID)
			}
			out[u.ID] = e
			after = u.ID
		}
		if len(users) < flattenBatch {
			break
		}
	}
	for after := ""; ; {
		groups, err := r.ListGroups(ctx, after, flattenBatch)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			out[g.ID] = snapshotEntry{v: Version{Key: g.Key, From: g.UpdatedAt, Group: g}}
			after = g.ID
		}
		if len(groups) < flattenBatch {
			return out, nil
		}
	}
}

// Prune forgets events and versions that are older than the configured history, and tombstones that are older than
// their retention. Call it once a day; nothing else does.
func (s *Service) Prune(ctx context.Context) error {
	limit := s.Now().Add(-s.cfg.Tombstones)
	for after := Key(0); ; {
		refs, err := s.reader.Tombstones(ctx, after, flattenBatch)
		if err != nil {
			return err
		}
		if len(refs) == 0 {
			break
		}
		after = refs[len(refs)-1].Key
		if err := s.Update(ctx, Author{Actor: "retention"}, func(tx *Tx) error { return tx.purgeOld(ctx, refs, limit) }); err != nil {
			return err
		}
	}
	return s.cfg.Store.Prune(ctx, s.cfg.Tenant, s.Now().Add(-s.cfg.History))
}

func (tx *Tx) purgeOld(ctx context.Context, refs []Ref, limit time.Time) error {
	for _, ref := range refs {
		var ended time.Time
		if ref.Kind == KindUser {
			u, err := tx.UserByID(ctx, ref.ID)
			if err != nil {
				return err
			}
			ended = u.UpdatedAt
		} else {
			g, err := tx.GroupByID(ctx, ref.ID)
			if err != nil {
				return err
			}
			ended = g.UpdatedAt
		}
		if !ended.Before(limit) {
			continue
		}
		if err := tx.Purge(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}
