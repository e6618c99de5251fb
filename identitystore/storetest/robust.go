package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

func leases(s *suite) {
	ctx := s.ctx()
	l, err := s.svc.Acquire(ctx, "sync/ad", "one", time.Minute)
	s.ok(err)
	_, err = s.svc.Acquire(ctx, "sync/ad", "two", time.Minute)
	s.is(err, identitystore.ErrBusy)
	renewed, err := s.svc.Acquire(ctx, "sync/ad", "one", 2*time.Minute)
	s.ok(err)
	s.equal(renewed.Token, l.Token)
	fence := func(l identitystore.Lease) error {
		return s.update(func(tx *identitystore.Tx) error { //nolint:contextcheck // the context of the suite
			if err := tx.Fence(ctx, l); err != nil {
				return err
			}
			return tx.PutDocument(ctx, "written by", []byte(l.Owner))
		})
	}
	s.ok(fence(l))
	s.now = s.now.Add(10 * time.Minute) // the holder sleeps
	s.is(fence(l), identitystore.ErrFenced)
	two, err := s.svc.Acquire(ctx, "sync/ad", "two", time.Minute)
	s.ok(err)
	s.truth(two.Token > l.Token, "the token grows")
	s.is(fence(l), identitystore.ErrFenced)
	s.ok(fence(two))
	s.ok(s.svc.Release(ctx, l)) // not its own any more: nothing happens
	s.ok(fence(two))
	s.ok(s.svc.Release(ctx, two))
	s.is(fence(two), identitystore.ErrFenced)
	again, err := s.svc.Acquire(ctx, "sync/ad", "one", time.Minute)
	s.ok(err)
	s.truth(again.Token > two.Token, "the token grows also for an owner of before")
	stale := again
	stale.Token = l.Token // the owner's own lease of before it lost it
	s.is(fence(stale), identitystore.ErrFenced)
	s.ok(fence(again))
	s.is(fence(identitystore.Lease{Name: "other", Owner: "one", Token: 1}), identitystore.ErrFenced)
	for _, bad := range []func() error{
		func() error { _, err := s.svc.Acquire(ctx, "", "x", time.Minute); return err },
		func() error { _, err := s.svc.Acquire(ctx, "x", "", time.Minute); return err },
		func() error { _, err := s.svc.Acquire(ctx, "x", "x", 0); return err },
		func() error { _, err := s.svc.Acquire(ctx, "x", "x", 48*time.Hour); return err },
	} {
		s.is(bad(), identitystore.ErrInvalid)
	}
	_, err = s.svc.Reader().Lease(ctx, "nothing")
	s.is(err, identitystore.ErrNotFound)
}

// useOnce uses the system's clock, as the store does.
func useOnce(s *suite) {
	ctx := context.WithoutCancel(s.ctx())
	until := time.Now().Add(time.Hour) //nolint:forbidigo // the store's own clock
	key := [32]byte{1}
	s.ok(s.store.UseOnce(ctx, key, until))
	s.is(s.store.UseOnce(ctx, key, until), identitystore.ErrSeen)
	s.is(s.store.UseOnce(ctx, key, until.Add(time.Hour)), identitystore.ErrSeen)
	err := s.store.UseOnce(ctx, [32]byte{2}, until.Add(-2*time.Hour))
	s.truth(err != nil && !errors.Is(err, identitystore.ErrSeen), "what has expired is refused")
	const presenters, rounds = 4, 20
	for i := range byte(rounds) {
		var wg sync.WaitGroup
		results := make([]error, presenters)
		for p := range presenters {
			wg.Go(func() { results[p] = s.store.UseOnce(ctx, [32]byte{3, i}, until) })
		}
		wg.Wait()
		accepted := 0
		for _, err := range results {
			if err == nil {
				accepted++
			} else {
				s.is(err, identitystore.ErrSeen)
			}
		}
		s.equal(accepted, 1)
	}
	mine := errors.New("replayed")
	once := identitystore.SingleUse{Store: s.store, Seen: mine}
	s.ok(once.UseOnce(ctx, [32]byte{9}, until))
	s.is(once.UseOnce(ctx, [32]byte{9}, until), mine)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	s.truth(once.UseOnce(cancelled, [32]byte{10}, until) != nil, "a call that is over refuses")
}

// handles: what was remembered is taken once, by one of many, and not after its time.
func handles(s *suite) {
	ctx := context.WithoutCancel(s.ctx())
	until := time.Now().Add(time.Hour) //nolint:forbidigo // the store's own clock
	s.ok(s.store.Remember(ctx, "a", []byte("x\x00y"), until))
	s.is(s.store.Remember(ctx, "a", []byte("z"), until), identitystore.ErrSeen)
	got, err := s.store.Take(ctx, "a")
	s.ok(err)
	s.equal(string(got), "x\x00y")
	_, err = s.store.Take(ctx, "a")
	s.is(err, identitystore.ErrNotFound)
	s.ok(s.store.Remember(ctx, "a", nil, until)) // taken keys are free
	err = s.store.Remember(ctx, "b", []byte("x"), until.Add(-2*time.Hour))
	s.truth(err != nil, "what has expired is refused")
	_, err = s.store.Take(ctx, "b")
	s.is(err, identitystore.ErrNotFound)
	s.ok(s.store.Remember(ctx, "c", []byte("x"), until.Add(-time.Hour+50*time.Millisecond)))
	for { // its time passes
		if err := s.store.Remember(ctx, "c", []byte("y"), until); err == nil {
			break
		}
	}
	got, err = s.store.Take(ctx, "c")
	s.ok(err)
	s.equal(string(got), "y")
	s.ok(s.store.Remember(ctx, "d", []byte("one"), until))
	var wg sync.WaitGroup
	results := make([]error, 4)
	for i := range results {
		wg.Go(func() { _, results[i] = s.store.Take(ctx, "d") })
	}
	wg.Wait()
	taken := 0
	for _, err := range results {
		if err == nil {
			taken++
		} else {
			s.is(err, identitystore.ErrNotFound)
		}
	}
	s.equal(taken, 1)
}

func documents(s *suite) {
	ctx := s.ctx()
	put := func(name string, doc []byte) error {
		return s.update(func(tx *identitystore.Tx) error { return tx.PutDocument(ctx, name, doc) }) //nolint:contextcheck // the context of the suite
	}
	_, err := s.svc.Reader().Document(ctx, "a/1")
	s.is(err, identitystore.ErrNotFound)
	for _, name := range []string{"a/1", "a/2", "b", "a%", "A/1"} {
		s.ok(put(name, []byte("x\x00"+name)))
	}
	s.ok(put("a/1", []byte("new")))
	got, err := s.svc.Reader().Document(ctx, "a/1")
	s.ok(err)
	s.equal(string(got), "new")
	names, err := s.svc.Reader().Documents(ctx, "a/")
	s.ok(err)
	s.equal(names, []string{"a/1", "a/2"})
	s.ok(put("a/1", nil))
	_, err = s.svc.Reader().Document(ctx, "a/1")
	s.is(err, identitystore.ErrNotFound)
	s.is(put("", []byte("x")), identitystore.ErrInvalid)
}

// closeDuringUse: calls that are under way when the store is closed end, well or with an error.
func closeDuringUse(s *suite) {
	ctx := context.WithoutCancel(s.ctx())
	u := s.user("u")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 50 {
				if i%2 == 0 {
					_, _ = s.svc.DescribeUser(ctx, u.ID)
				} else {
					_, _ = s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: fmt.Sprint("w", i, "-", n)})
				}
			}
		})
	}
	s.ok(s.store.Close())
	wg.Wait()
}

func rollback(s *suite) {
	ctx := s.ctx()
	u, g := s.user("u"), s.group("g")
	seq := mustSeq(s)
	err := s.update(func(tx *identitystore.Tx) error {
		s.ok(s.setName(tx, u.ID, "other")) //nolint:contextcheck // the context of the suite
		_, err := tx.CreateUser(ctx, &identitystore.User{UserName: "u"})
		s.ok(err)
		s.ok(tx.Link(ctx, identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser}))
		s.ok(tx.PutDocument(ctx, "doc", []byte("x")))
		return errors.New("no")
	})
	s.truth(err != nil && err.Error() == "no", "the error comes out as it is")
	now, err := s.svc.UserByName(ctx, "u")
	s.ok(err)
	s.equal([]any{now.ID, now.Revision()}, []any{u.ID, u.Revision()})
	s.equal(s.groupsOf(s.svc, u), []string{})
	s.equal(mustSeq(s), seq)
	counts, err := s.svc.Reader().Counts(ctx)
	s.ok(err)
	s.equal(counts, identitystore.Counts{Users: 1, Groups: 1})
}

func cancelled(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx())
	err := s.svc.Update(ctx, author(), func(tx *identitystore.Tx) error {
		if _, err := tx.CreateUser(s.ctx(), &identitystore.User{UserName: "u"}); err != nil { //nolint:contextcheck // the context of the suite
			return err
		}
		cancel()
		return ctx.Err()
	})
	s.is(err, context.Canceled)
	_, err = s.svc.UserByName(s.ctx(), "u")
	s.is(err, identitystore.ErrNotFound)
	s.truth(s.svc.Update(ctx, author(), func(*identitystore.Tx) error { return nil }) != nil, "a call that is over does nothing")
	s.user("u") // and the store goes on
}

// parallelUnique: many writers want the same name, and one gets it.
func parallelUnique(s *suite) {
	const n = 8
	ctx := context.WithoutCancel(s.ctx())
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			_, errs[i] = s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: []string{"same", "SAME"}[i%2]})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			s.is(err, identitystore.ErrConflict)
		}
	}
	s.equal(won, 1)
}

// parallelMembers: distinct members added to one group at once all stay.
func parallelMembers(s *suite) {
	const n = 30
	ctx := context.WithoutCancel(s.ctx())
	g, top := s.group("g"), s.group("top")
	s.link(true, top, g)
	var us []*identitystore.User
	for i := range n {
		us = append(us, s.user(fmt.Sprint("u", i)))
	}
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { _, errs[i] = s.svc.CreateGroupMembership(ctx, author(), g.ID, us[i].ID) })
	}
	wg.Wait()
	s.ok(errors.Join(errs...))
	for _, grp := range []*identitystore.Group{g, top} {
		ms, err := s.svc.Reader().Members(ctx, grp.Key, 0, 2*n)
		s.ok(err)
		s.equal(len(ms), n)
	}
}

// errInjected is what a faulty transaction fails with.
var errInjected = errors.New("storetest: injected failure")

// faultyStore fails the k-th write of each transaction.
type faultyStore struct {
	identitystore.Store
	k int
}

func (f *faultyStore) Update(ctx context.Context, tenant string, fn func(identitystore.Txn) error) error {
	return f.Store.Update(ctx, tenant, func(t identitystore.Txn) error { return fn(&faultyTxn{Txn: t, left: f.k}) })
}

type faultyTxn struct {
	identitystore.Txn
	left int
}

func (t *faultyTxn) fail() error {
	t.left--
	if t.left < 0 {
		return errInjected
	}
	return nil
}

func (t *faultyTxn) PutUser(ctx context.Context, u *identitystore.User) error {
	return errors.Join(t.fail(), t.Txn.PutUser(ctx, u))
}

func (t *faultyTxn) PutGroup(ctx context.Context, g *identitystore.Group) error {
	return errors.Join(t.fail(), t.Txn.PutGroup(ctx, g))
}

func (t *faultyTxn) ParkName(ctx context.Context, r identitystore.Ref) error {
	return errors.Join(t.fail(), t.Txn.ParkName(ctx, r))
}

func (t *faultyTxn) Erase(ctx context.Context, r identitystore.Ref) error {
	return errors.Join(t.fail(), t.Txn.Erase(ctx, r))
}

func (t *faultyTxn) PutEdges(ctx context.Context, es []identitystore.Edge) error {
	return errors.Join(t.fail(), t.Txn.PutEdges(ctx, es))
}

func (t *faultyTxn) DeleteEdges(ctx context.Context, es []identitystore.Edge) error {
	return errors.Join(t.fail(), t.Txn.DeleteEdges(ctx, es))
}

func (t *faultyTxn) PutMemberships(ctx context.Context, ms []identitystore.Membership) error {
	return errors.Join(t.fail(), t.Txn.PutMemberships(ctx, ms))
}

func (t *faultyTxn) DeleteMemberships(ctx context.Context, ms []identitystore.Membership, at time.Time) error {
	return errors.Join(t.fail(), t.Txn.DeleteMemberships(ctx, ms, at))
}

func (t *faultyTxn) Append(ctx context.Context, es []identitystore.Event, vs []identitystore.Version) error {
	return errors.Join(t.fail(), t.Txn.Append(ctx, es, vs))
}

// crashPoints fails one transaction at each of its writes. Afterwards the store is as before; when none fails, as meant.
func crashPoints(s *suite) {
	ctx := s.ctx()
	a, b, g, h := s.user("a"), s.user("b"), s.group("g"), s.group("h")
	s.link(true, g, a)
	s.link(true, h, g)
	seq := mustSeq(s)
	change := func(tx *identitystore.Tx) error {
		if err := errors.Join(s.setName(tx, a.ID, "b"), s.setName(tx, b.ID, "a")); err != nil { //nolint:contextcheck // the context of the suite
			return err
		}
		c, err := tx.CreateUser(ctx, &identitystore.User{UserName: "c"})
		if err != nil {
			return err
		}
		if err := tx.Link(ctx, identitystore.Edge{Parent: g.Key, Child: c.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser}); err != nil {
			return err
		}
		return tx.Delete(ctx, identitystore.Ref{Key: h.Key, Kind: identitystore.KindGroup, ID: h.ID}, "gone")
	}
	for k := 0; ; k++ {
		broken, err := identitystore.Open(ctx, identitystore.Config{Store: &faultyStore{s.store, k}, Now: func() time.Time { return s.now }})
		s.ok(err)
		err = broken.Update(ctx, author(), change)
		if err == nil {
			s.truth(k > 6, "there were writes to fail")
			break
		}
		s.is(err, errInjected)
		u, err := s.svc.UserByName(ctx, "a")
		s.ok(err)
		s.equal([]any{u.ID, mustSeq(s)}, []any{a.ID, seq})
		s.equal(s.groupsOf(s.svc, a), []string{"g", "h"})
		_, err = s.svc.UserByName(ctx, "c")
		s.is(err, identitystore.ErrNotFound)
	}
	u, err := s.svc.UserByName(ctx, "b")
	s.ok(err)
	s.equal(u.ID, a.ID)
	s.equal(s.groupsOf(s.svc, a), []string{"g"})
	_, err = s.svc.GroupByName(ctx, "h")
	s.is(err, identitystore.ErrNotFound)
}
