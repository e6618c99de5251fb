package identitystore

import (
	"context"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// memTxn writes the next snapshot.
type memTxn struct {
	memReader
	s *memState
	o *owner

	broken error // of a record that was written in part
}

var _ Txn = (*memTxn)(nil)

// fail notes that a record stands in some indexes and not in others: nothing of the transaction may be seen.
func (t *memTxn) fail(path string) error {
	t.broken = &ConflictError{ReasonUniqueness, path}
	return t.broken
}

func (t *memTxn) key(k *Key) {
	if *k == 0 {
		t.s.nextKey++
		*k = t.s.nextKey
	}
}

// PutUser implements [Txn].
func (t *memTxn) PutUser(_ context.Context, u *User) error {
	s := t.s
	t.key(&u.Key)
	ref := Ref{u.Key, KindUser, u.ID}
	old, exists := s.byKey.get(u.Key)
	if exists {
		t.unindex(&old.user.Link, old.user.ExternalIDs, ref)
		if e := old.user.Email(); e != "" {
			s.emails.del(t.o, emailKey{fold.Key(e), u.Key})
		}
		t.unindexEmails(old.user)
	}
	rec := &memRecord{user: u}
	if u.Link.State == StateTombstone {
		if exists && old.name != "" {
			s.userNames.del(t.o, old.name)
		}
		s.users.del(t.o, u.ID)
	} else {
		rec.name = fold.Key(u.UserName)
		if holder := s.userNames.get(rec.name); holder != nil && holder.Key != u.Key {
			return t.fail("userName")
		}
		if exists && old.name != "" && old.name != rec.name {
			s.userNames.del(t.o, old.name)
		}
		s.userNames.set(t.o, rec.name, u)
		s.users.set(t.o, u.ID, u)
		if e := u.Email(); e != "" {
			s.emails.set(t.o, emailKey{fold.Key(e), u.Key}, u)
		}
		t.indexEmails(u)
	}
	s.byID.set(t.o, u.ID, rec)
	s.byKey.set(t.o, u.Key, rec)
	return t.index(&u.Link, u.ExternalIDs, rec)
}

// PutGroup implements [Txn].
func (t *memTxn) PutGroup(_ context.Context, g *Group) error {
	s := t.s
	t.key(&g.Key)
	ref := Ref{g.Key, KindGroup, g.ID}
	old, exists := s.byKey.get(g.Key)
	if exists {
		t.unindex(&old.group.Link, old.group.ExternalIDs, ref)
	}
	rec := &memRecord{group: g}
	if g.Link.State == StateTombstone {
		if exists && old.name != "" {
			s.groupNames.del(t.o, old.name)
		}
		s.groups.del(t.o, g.ID)
	} else {
		rec.name = fold.Key(g.DisplayName)
		if holder := s.groupNames.get(rec.name); holder != nil && holder.Key != g.Key {
			return t.fail("displayName")
		}
		if exists && old.name != "" && old.name != rec.name {
			s.groupNames.del(t.o, old.name)
		}
		s.groupNames.set(t.o, rec.name, g)
		s.groups.set(t.o, g.ID, g)
	}
	s.byID.set(t.o, g.ID, rec)
	s.byKey.set(t.o, g.Key, rec)
	return t.index(&g.Link, g.ExternalIDs, rec)
}

// index enters what else must be unique. Tombstones keep their GUID only.
func (t *memTxn) index(l *Link, exts []ExternalID, rec *memRecord) error {
	s, ref := t.s, rec.ref()
	if l.GUID != "" {
		k := [2]string{l.Source, l.GUID}
		if holder, taken := s.guids.get(k); taken && holder.key() != ref.Key {
			return t.fail("link.guid")
		}
		s.guids.set(t.o, k, rec)
	}
	if l.State == StateTombstone {
		s.tombs.set(t.o, ref.Key, ref)
		return nil
	}
	if l.SID != "" {
		if holder := s.sids.get(l.SID); holder != nil && holder.key() != ref.Key {
			return t.fail("link.sid")
		}
		s.sids.set(t.o, l.SID, rec)
	}
	for _, e := range exts {
		if holder, taken := s.exts.get(e); taken && holder.key() != ref.Key {
			return t.fail("externalIds")
		}
		s.exts.set(t.o, e, rec)
		s.extIDs.set(t.o, extKey{e.ID, e.Issuer}, ref)
	}
	return nil
}

func (t *memTxn) unindex(l *Link, exts []ExternalID, ref Ref) {
	s := t.s
	if l.GUID != "" {
		s.guids.del(t.o, [2]string{l.Source, l.GUID})
	}
	if l.State == StateTombstone {
		s.tombs.del(t.o, ref.Key)
		return
	}
	if l.SID != "" {
		s.sids.del(t.o, l.SID)
	}
	for _, e := range exts {
		s.exts.del(t.o, e)
		s.extIDs.del(t.o, extKey{e.ID, e.Issuer})
	}
}

// ParkName implements [Txn].
func (t *memTxn) ParkName(_ context.Context, r Ref) error {
	rec, ok := t.s.byKey.get(r.Key)
	if !ok || rec.name == "" {
		return nil
	}
	if rec.user != nil {
		t.s.userNames.del(t.o, rec.name)
	} else {
		t.s.groupNames.del(t.o, rec.name)
	}
	parked := *rec
	parked.name = ""
	t.s.byKey.set(t.o, r.Key, &parked)
	t.s.byID.set(t.o, r.ID, &parked)
	return nil
}

// Erase implements [Txn].
func (t *memTxn) Erase(_ context.Context, r Ref) error {
	s := t.s
	rec, ok := s.byKey.get(r.Key)
	if !ok {
		return nil
	}
	if rec.user != nil {
		u := rec.user
		t.unindex(&u.Link, u.ExternalIDs, r)
		if e := u.Email(); e != "" {
			s.emails.del(t.o, emailKey{fold.Key(e), u.Key})
		}
		t.unindexEmails(u)
		if rec.name != "" {
			s.userNames.del(t.o, rec.name)
		}
		s.users.del(t.o, u.ID)
	} else {
		t.unindex(&rec.group.Link, rec.group.ExternalIDs, r)
		if rec.name != "" {
			s.groupNames.del(t.o, rec.name)
		}
		s.groups.del(t.o, rec.group.ID)
	}
	s.byID.del(t.o, r.ID)
	s.byKey.del(t.o, r.Key)
	return nil
}

// PutEdges implements [Txn].
func (t *memTxn) PutEdges(_ context.Context, edges []Edge) error {
	for _, e := range edges {
		p, okP := t.s.byKey.get(e.Parent)
		c, okC := t.s.byKey.get(e.Child)
		if !okP || !okC || p.group == nil || (e.ChildKind == KindUser) != (c.user != nil) {
			return ErrNotFound
		}
		t.s.up.set(t.o, edgeKey{e.Child, e.Parent, e.Via}, e.ChildKind)
		t.s.down.set(t.o, edgeKey{e.Parent, e.Child, e.Via}, e.ChildKind)
	}
	return nil
}

// DeleteEdges implements [Txn].
func (t *memTxn) DeleteEdges(_ context.Context, edges []Edge) error {
	for _, e := range edges {
		var vias []Via
		if e.Via != "" {
			vias = []Via{e.Via}
		} else {
			t.s.up.from(edgeKey{a: e.Child, b: e.Parent}, func(k edgeKey, _ Kind) bool {
				if k.a != e.Child || k.b != e.Parent {
					return false
				}
				vias = append(vias, k.via)
				return true
			})
		}
		for _, v := range vias {
			t.s.up.del(t.o, edgeKey{e.Child, e.Parent, v})
			t.s.down.del(t.o, edgeKey{e.Parent, e.Child, v})
		}
	}
	return nil
}

// PutMemberships implements [Txn].
func (t *memTxn) PutMemberships(_ context.Context, ms []Membership) error {
	for _, m := range ms {
		id, ok := packUUID(m.ID)
		if !ok {
			return invalid("membershipId", ReasonForm, "is no UUID")
		}
		key := [2]Key{m.User, m.Group}
		t.s.byUser.set(t.o, key, memMembership{id, int32(m.Depth), m.CreatedAt.UnixMicro()}) //nolint:gosec // a number of groups
		t.s.byGroup.set(t.o, [2]Key{m.Group, m.User}, struct{}{})
		t.s.memIDs.set(t.o, id, key)
	}
	return nil
}

// DeleteMemberships implements [Txn].
func (t *memTxn) DeleteMemberships(_ context.Context, ms []Membership, at time.Time) error {
	for _, m := range ms {
		key := [2]Key{m.User, m.Group}
		old, ok := t.s.byUser.get(key)
		if !ok {
			continue
		}
		t.s.gone = append(t.s.gone, goneMembership{key, old, at.UnixMicro()})
		t.s.byUser.del(t.o, key)
		t.s.byGroup.del(t.o, [2]Key{m.Group, m.User})
		t.s.memIDs.del(t.o, old.id)
	}
	return nil
}

// PutDocument implements [Txn].
func (t *memTxn) PutDocument(_ context.Context, name string, doc []byte) error {
	if doc == nil {
		t.s.docs.del(t.o, name)
		return nil
	}
	t.s.docs.set(t.o, name, slices.Clone(doc))
	return nil
}

// PutLease implements [Txn].
func (t *memTxn) PutLease(_ context.Context, l Lease) error {
	t.s.leases.set(t.o, l.Name, l)
	return nil
}

// Append implements [Txn].
func (t *memTxn) Append(_ context.Context, events []Event, ended []Version) error {
	txn := t.s.lastSeq + 1
	for _, e := range events {
		t.s.lastSeq++
		e.Seq, e.Txn = t.s.lastSeq, txn
		t.s.events = append(t.s.events, e)
	}
	for _, v := range ended {
		list, _ := t.s.versions.get(v.Key)
		t.s.versions.set(t.o, v.Key, append(slices.Clip(list), v))
	}
	return nil
}
