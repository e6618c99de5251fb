package identitystore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// newID returns a random UUID (RFC 9562 version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return unpackUUID(b)
}

// membershipID returns a UUID whose first half grows with time and within the transaction, and whose second half is
// random (RFC 9562 version 7). There are many memberships: an index of ids that grow is written in order.
func (tx *Tx) membershipID() string {
	var b [16]byte
	_, _ = rand.Read(b[8:]) // never fails
	n := tx.numbered        // 26 bits: 12 before the random half, 14 at its beginning
	tx.numbered++
	binary.BigEndian.PutUint64(b[:8], uint64(tx.now.UnixMilli())<<16|7<<12|n>>14&0xfff)
	binary.BigEndian.PutUint16(b[8:], uint16(0x8000|n&0x3fff)) //nolint:gosec // 16 bits
	return unpackUUID(b)
}

// finish checks what can only be checked at the end, and writes events and history.
func (tx *Tx) finish(ctx context.Context) error {
	for _, path := range tx.parked {
		return &ConflictError{ReasonUniqueness, path}
	}
	if err := tx.checkEmails(ctx); err != nil {
		return err
	}
	if err := tx.checkQuota(ctx); err != nil {
		return err
	}
	if err := tx.flattenDirty(ctx); err != nil {
		return err
	}
	var events []Event
	var ended []Version
	for _, ref := range tx.order {
		e, v := tx.outcome(ref)
		if e != nil {
			events = append(events, *e)
		}
		if v != nil {
			ended = append(ended, *v)
		}
	}
	events = append(events, tx.events...)
	if len(events) == 0 && len(ended) == 0 {
		return nil
	}
	for i := range events {
		events[i].Time, events[i].Actor, events[i].Run = tx.now, tx.author.Actor, tx.author.Run
	}
	return tx.raw.Append(ctx, events, ended)
}

func (tx *Tx) checkEmails(ctx context.Context) error {
	if !tx.s.cfg.Limits.UniqueEmail || len(tx.emails) == 0 {
		return nil
	}
	set := map[string]bool{}
	for ref := range tx.emails {
		if u, ok := tx.after[ref].(*User); ok && u.Email() != "" && u.Link.State != StateTombstone {
			set[fold.Key(u.Email())] = true
		}
	}
	shared, err := tx.SharedEmails(ctx, slices.Sorted(maps.Keys(set)))
	if err != nil {
		return err
	}
	if len(shared) > 0 {
		return &ConflictError{ReasonUniqueness, "emails.value"}
	}
	return nil
}

func (tx *Tx) checkQuota(ctx context.Context) error {
	l := tx.s.cfg.Limits
	grown := map[Kind]bool{}
	for _, ref := range tx.order {
		if tx.before[ref] == nil {
			grown[ref.Kind] = true
		}
	}
	if (!grown[KindUser] || l.Users == 0) && (!grown[KindGroup] || l.Groups == 0) {
		return nil
	}
	n, err := tx.Counts(ctx)
	if err != nil {
		return err
	}
	switch {
	case grown[KindUser] && l.Users > 0 && n.Users > l.Users:
		return &QuotaExceededError{KindUser, l.Users}
	case grown[KindGroup] && l.Groups > 0 && n.Groups > l.Groups:
		return &QuotaExceededError{KindGroup, l.Groups}
	}
	return nil
}

// outcome says what the transaction did to one record.
func (tx *Tx) outcome(ref Ref) (*Event, *Version) {
	e := &Event{Kind: ref.Kind, ID: ref.ID}
	old, now := tx.before[ref], tx.after[ref]
	if tx.erased[ref] {
		if old == nil {
			return nil, nil
		}
		e.Op = OpDelete
		if tombstone(old) {
			e.Op = OpPurge
		}
		return e, endVersion(ref, old, tx)
	}
	switch r := now.(type) {
	case *User:
		e.Revision = r.Revision()
	case *Group:
		e.Revision = r.Revision()
	}
	switch {
	case old == nil:
		e.Op = OpCreate
		return e, nil
	case tombstone(now) && !tombstone(old):
		e.Op = OpDelete
	case tombstone(old) && !tombstone(now):
		e.Op = OpRestore
	default:
		e.Op, e.Fields = OpUpdate, changedFields(old, now)
	}
	return e, endVersion(ref, old, tx)
}

func tombstone(record any) bool {
	switch r := record.(type) {
	case *User:
		return r.Link.State == StateTombstone
	case *Group:
		return r.Link.State == StateTombstone
	}
	return false
}

func endVersion(ref Ref, old any, tx *Tx) *Version {
	v := &Version{Key: ref.Key, To: tx.now}
	switch r := old.(type) {
	case *User:
		v.User, v.From = r, r.UpdatedAt
	case *Group:
		v.Group, v.From = r, r.UpdatedAt
	}
	return v
}
