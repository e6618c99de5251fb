package identitystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/observe"
)

// Author says who writes, for the audit fields and the change feed.
type Author struct {
	Actor string // a user name or the name of a program
	Run   string // id of a synchronisation or import run
}

// Tx is a transaction with the rules of the package: limits, unique names, revisions, ownership, flattened
// memberships, change feed. It sees its own writes, except that effective memberships are brought up to date at the end.
//
// Names may be exchanged within a transaction. A name that two records still claim at its end makes it fail with a
// [*ConflictError].
type Tx struct {
	Reader
	raw    Txn
	s      *Service
	author Author
	now    time.Time

	before  map[Ref]any // first state of each record that was written: *User, *Group, or nil if it was new
	after   map[Ref]any // last state of each record that was written
	order   []Ref
	parked  map[Ref]string
	emails  map[Ref]bool
	dirty   map[Key]bool // users whose groups may change
	fresh   map[Key]*freshUser
	erased  map[Ref]bool
	parents map[Key][]Edge // groups' parents, read once
	groups  map[Key]*Group // the groups of parents
	events  []Event

	numbered uint64 // memberships that got an id
}

// Update calls f in a transaction and commits if f and the final checks succeed. f may be called more than once: it
// must not change anything outside.
func (s *Service) Update(ctx context.Context, by Author, f func(*Tx) error) (err error) {
	ctx, end := observe.Start(ctx, s.cfg.Observer, "identitystore.update")
	defer func() { end(outcome(err)) }()
	return s.cfg.Store.Update(ctx, s.cfg.Tenant, func(raw Txn) error {
		tx := &Tx{
			Reader: raw, raw: raw, s: s, author: by, now: s.Now(),
			before: map[Ref]any{}, parked: map[Ref]string{}, emails: map[Ref]bool{}, after: map[Ref]any{}, dirty: map[Key]bool{}, erased: map[Ref]bool{}, fresh: map[Key]*freshUser{},
		}
		if err := f(tx); err != nil {
			return err
		}
		return tx.finish(ctx)
	})
}

// Now returns the time of the transaction.
func (tx *Tx) Now() time.Time { return tx.now }

// CreateUser adds a user. ID and audit fields are set; a given ID is kept (restored tombstones, imports).
func (tx *Tx) CreateUser(ctx context.Context, u *User) (*User, error) {
	u, err := tx.newUser(u)
	if err != nil {
		return nil, err
	}
	if err := tx.claim(ctx, Ref{Kind: KindUser}, u.UserName); err != nil {
		return nil, err
	}
	if err := tx.claimExternal(ctx, 0, u.ExternalIDs); err != nil {
		return nil, err
	}
	if err := tx.raw.PutUser(ctx, u); err != nil {
		return nil, err
	}
	tx.noteUser(u)
	return u, nil
}

// newUser returns a checked copy for a record that is not there yet.
func (tx *Tx) newUser(u *User) (*User, error) {
	u = u.Clone()
	u.Key, u.Audit = 0, tx.newAudit()
	if u.ID == "" {
		u.ID = newID()
	}
	if err := u.normalize(); err != nil {
		return nil, err
	}
	return u, tx.s.cfg.Limits.CheckUser(u)
}

func (tx *Tx) newAudit() Audit {
	return Audit{CreatedAt: tx.now, CreatedBy: tx.author.Actor, UpdatedAt: tx.now, UpdatedBy: tx.author.Actor, Rev: 1}
}

func (tx *Tx) noteUser(u *User) {
	ref := Ref{u.Key, KindUser, u.ID}
	tx.touch(ref, nil)
	tx.after[ref], tx.emails[ref], tx.fresh[u.Key] = u, true, &freshUser{user: u}
}

// UpdateUser writes a changed copy of a user. Nothing happens, and changed is false, when nothing but audit fields
// differs. Who may write which attribute is the caller's question, except in the verbs.
func (tx *Tx) UpdateUser(ctx context.Context, u *User) (changed bool, err error) {
	old, err := tx.UserByID(ctx, u.ID)
	if err != nil {
		return false, err
	}
	u = u.Clone()
	u.Key, u.Audit = old.Key, old.Audit
	delete(tx.fresh, u.Key)
	if err := u.normalize(); err != nil {
		return false, err
	}
	fields := changedFields(old, u)
	if len(fields) == 0 {
		if same(old.Link, u.Link) {
			return false, nil
		}
		return false, tx.raw.PutUser(ctx, u) // bookkeeping that nobody sees
	}
	if err := tx.checkChangedUser(ctx, u); err != nil {
		return false, err
	}
	ref := Ref{u.Key, KindUser, u.ID}
	tx.stamp(ref, old, &u.Audit)
	if err := tx.raw.PutUser(ctx, u); err != nil {
		return false, err
	}
	tx.after[ref] = u
	if u.Email() != old.Email() {
		tx.emails[ref] = true
	}
	if old.Link.state() != u.Link.state() || old.Status != u.Status && tx.s.cfg.HideDisabled {
		tx.dirty[u.Key] = true
	}
	return true, nil
}

func (tx *Tx) checkChangedUser(ctx context.Context, u *User) error {
	if u.Link.State == StateTombstone {
		return nil // what is invisible keeps its old form
	}
	if err := tx.s.cfg.Limits.CheckUser(u); err != nil {
		return err
	}
	if err := tx.claim(ctx, Ref{u.Key, KindUser, u.ID}, u.UserName); err != nil {
		return err
	}
	return tx.claimExternal(ctx, u.Key, u.ExternalIDs)
}

// CreateGroup adds a group.
func (tx *Tx) CreateGroup(ctx context.Context, g *Group) (*Group, error) {
	g, err := tx.newGroup(g)
	if err != nil {
		return nil, err
	}
	if err := tx.claim(ctx, Ref{Kind: KindGroup}, g.DisplayName); err != nil {
		return nil, err
	}
	if err := tx.claimExternal(ctx, 0, g.ExternalIDs); err != nil {
		return nil, err
	}
	if err := tx.raw.PutGroup(ctx, g); err != nil {
		return nil, err
	}
	tx.noteGroup(g)
	return g, nil
}

// newGroup returns a checked copy for a record that is not there yet.
func (tx *Tx) newGroup(g *Group) (*Group, error) {
	g = g.Clone()
	g.Key, g.Audit = 0, tx.newAudit()
	if g.ID == "" {
		g.ID = newID()
	}
	g.normalize()
	return g, tx.s.cfg.Limits.CheckGroup(g)
}

func (tx *Tx) noteGroup(g *Group) {
	ref := Ref{g.Key, KindGroup, g.ID}
	tx.touch(ref, nil)
	tx.after[ref] = g
}

// UpdateGroup writes a changed copy of a group, as [Tx.UpdateUser] does of a user.
func (tx *Tx) UpdateGroup(ctx context.Context, g *Group) (changed bool, err error) {
	old, err := tx.GroupByID(ctx, g.ID)
	if err != nil {
		return false, err
	}
	g = g.Clone()
	g.Key, g.Audit = old.Key, old.Audit
	g.normalize()
	if len(changedFields(old, g)) == 0 {
		if same(old.Link, g.Link) {
			return false, nil
		}
		return false, tx.raw.PutGroup(ctx, g)
	}
	ref := Ref{g.Key, KindGroup, g.ID}
	if g.Link.State != StateTombstone {
		if err := tx.s.cfg.Limits.CheckGroup(g); err != nil {
			return false, err
		}
		if err := tx.claim(ctx, ref, g.DisplayName); err != nil {
			return false, err
		}
		if err := tx.claimExternal(ctx, g.Key, g.ExternalIDs); err != nil {
			return false, err
		}
	}
	if old.Link.state() != g.Link.state() {
		tx.parents = nil
		if err := tx.markBelow(ctx, g.Key); err != nil {
			return false, err
		}
	}
	tx.stamp(ref, old, &g.Audit)
	tx.after[ref] = g
	return true, tx.raw.PutGroup(ctx, g)
}

// stamp gives a changed record its next revision, one for each transaction.
func (tx *Tx) stamp(ref Ref, old any, a *Audit) {
	_, again := tx.before[ref]
	tx.touch(ref, old)
	if !again {
		a.Rev++
	}
	a.UpdatedAt, a.UpdatedBy = tx.now, tx.author.Actor
}

func (tx *Tx) touch(ref Ref, old any) {
	if _, again := tx.before[ref]; !again {
		tx.before[ref] = old
		tx.order = append(tx.order, ref)
	}
}

// claim makes a name free for the record: whoever holds it must get another one before the transaction ends.
func (tx *Tx) claim(ctx context.Context, ref Ref, name string) error {
	delete(tx.parked, ref)
	holder, free, err := tx.holder(ctx, ref.Kind, fold.Key(name))
	if err != nil || free || holder.Key == ref.Key {
		return err
	}
	if old, written := tx.before[holder]; written && old == nil {
		return &ConflictError{ReasonUniqueness, namePath(ref.Kind)} // it is new: it will not move away
	}
	tx.parked[holder] = namePath(ref.Kind)
	return tx.raw.ParkName(ctx, holder)
}

func namePath(k Kind) string {
	if k == KindUser {
		return "userName"
	}
	return "displayName"
}

func (tx *Tx) holder(ctx context.Context, kind Kind, folded string) (ref Ref, free bool, err error) {
	if kind == KindUser {
		u, err := tx.UserByName(ctx, folded)
		if err != nil {
			return Ref{}, true, notFoundIsNil(err)
		}
		return Ref{u.Key, kind, u.ID}, false, nil
	}
	g, err := tx.GroupByName(ctx, folded)
	if err != nil {
		return Ref{}, true, notFoundIsNil(err)
	}
	return Ref{g.Key, kind, g.ID}, false, nil
}

func notFoundIsNil(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (tx *Tx) claimExternal(ctx context.Context, key Key, ids []ExternalID) error {
	for _, e := range ids {
		ref, err := tx.Lookup(ctx, ByExternalID, e.Issuer, e.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if ref.Key != key {
			return &ConflictError{ReasonUniqueness, "externalIds"}
		}
	}
	return nil
}

// Delete removes a user or group, its edges and its memberships. A directory's object becomes a tombstone, which keeps
// the id for the case that the object is restored; anything else is gone.
func (tx *Tx) Delete(ctx context.Context, ref Ref, reason string) error {
	if err := tx.detach(ctx, ref); err != nil {
		return err
	}
	if ref.Kind == KindUser {
		u, err := tx.UserByID(ctx, ref.ID)
		if err != nil {
			return err
		}
		if u.Link.GUID == "" {
			return tx.erase(ctx, ref, u)
		}
		c := u.Clone()
		c.Link.State, c.Link.Reason = StateTombstone, reason
		_, err = tx.UpdateUser(ctx, c)
		return err
	}
	g, err := tx.GroupByID(ctx, ref.ID)
	if err != nil {
		return err
	}
	if g.Link.GUID == "" {
		return tx.erase(ctx, ref, g)
	}
	c := g.Clone()
	c.Link.State, c.Link.Reason = StateTombstone, reason
	_, err = tx.UpdateGroup(ctx, c)
	return err
}

// detach removes all edges of a record.
func (tx *Tx) detach(ctx context.Context, ref Ref) error {
	up, err := tx.ParentEdges(ctx, []Key{ref.Key})
	if err != nil {
		return err
	}
	var down []Edge
	if ref.Kind == KindGroup {
		if down, err = tx.ChildEdges(ctx, []Key{ref.Key}); err != nil {
			return err
		}
	}
	return tx.Unlink(ctx, append(up, down...)...)
}

func (tx *Tx) erase(ctx context.Context, ref Ref, old any) error {
	tx.touch(ref, old)
	tx.erased[ref] = true
	delete(tx.parked, ref)
	delete(tx.fresh, ref.Key)
	if ref.Kind == KindUser { // its memberships go now: there will be nothing to compare at the end
		if err := tx.flatten(ctx, []Key{ref.Key}); err != nil {
			return err
		}
		delete(tx.dirty, ref.Key)
	} else if err := tx.flattenDirty(ctx); err != nil {
		return err
	}
	return tx.raw.Erase(ctx, ref)
}

// Purge forgets a tombstone.
func (tx *Tx) Purge(ctx context.Context, ref Ref) error {
	var old any
	if ref.Kind == KindUser {
		u, err := tx.UserByID(ctx, ref.ID)
		if err != nil {
			return err
		}
		if u.Link.State != StateTombstone {
			return fmt.Errorf("identitystore: purge: %w", ErrDenied)
		}
		old = u
	} else {
		g, err := tx.GroupByID(ctx, ref.ID)
		if err != nil {
			return err
		}
		if g.Link.State != StateTombstone {
			return fmt.Errorf("identitystore: purge: %w", ErrDenied)
		}
		old = g
	}
	tx.touch(ref, old)
	tx.erased[ref] = true
	return tx.raw.Erase(ctx, ref)
}

// PutDocument writes a small document of the tenant: a watermark, a scope, a held plan. nil removes it.
func (tx *Tx) PutDocument(ctx context.Context, name string, doc []byte) error {
	if name == "" || len(name) > 256 {
		return invalid("document", ReasonForm, "has no name, or one of more than 256 bytes")
	}
	return tx.raw.PutDocument(ctx, name, doc)
}
