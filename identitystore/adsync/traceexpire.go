package adsync

import (
	"context"
	"maps"
	"slices"
	"time"
)

// expired reads accounts that have expired since the last run: nothing of them changed.
func (t *tracer) expired(ctx context.Context) error {
	var due Scope
	now := t.e.cfg.Service.Now()
	for _, guid := range slices.Sorted(maps.Keys(t.last.Expires)) {
		if _, read := t.now[guid]; read || t.gone[guid] != "" || t.last.Expires[guid].After(now) {
			continue
		}
		due.Principals = append(due.Principals, Principal{KindUser, "{" + guid + "}"})
	}
	switch {
	case len(due.Principals) == 0:
		return nil
	case len(due.Principals) > maxDelta:
		return ErrFullRead
	}
	snap, err := t.e.cfg.From.Read(ctx, due)
	if err != nil {
		return err
	}
	for _, o := range snap.Objects {
		_, ok, err := t.inScope(ctx, o.GUID)
		if err != nil {
			return err
		}
		if ok && o.Kind == KindUser {
			t.now[o.GUID] = o
		}
	}
	return nil
}

// expires notes when accounts will expire, after this run.
func (t *tracer) expires(next *memory) {
	next.expires = map[string]time.Time{}
	for guid, at := range t.last.Expires {
		if _, read := t.now[guid]; !read && t.gone[guid] == "" {
			next.expires[guid] = at
		}
	}
	for guid, o := range t.now {
		next.expire(guid, o.Expires)
	}
}

// migrated leaves objects that may take a record over to a full read, which sees all records.
func (t *tracer) migrated(ctx context.Context) error {
	if !t.e.cfg.LinkBySIDHistory {
		return nil
	}
	for guid, o := range t.now {
		_, known, err := t.record(ctx, guid)
		if err != nil {
			return err
		}
		if !known && len(o.SIDHistory) > 0 {
			return ErrFullRead
		}
	}
	return nil
}
