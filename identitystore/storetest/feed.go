package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

func feed(s *suite) {
	u, g := s.user("u"), s.group("g")
	s.link(true, g, u)
	s.tick()
	_, err := s.svc.UpdateUser(s.ctx(), author(), u.ID, "", identitystore.Set("title", "x"), identitystore.Set("name.givenName", "y"))
	s.ok(err)
	s.link(false, g, u)
	s.ok(s.svc.DeleteUser(s.ctx(), author(), u.ID, ""))
	s.is(s.update(func(tx *identitystore.Tx) error {
		_, err := tx.CreateUser(s.ctx(), &identitystore.User{UserName: "never"})
		s.ok(err)
		return identitystore.ErrDenied
	}), identitystore.ErrDenied)
	events, err := s.svc.Events(s.ctx(), 0, 100)
	s.ok(err)
	var got []string
	for i, e := range events {
		s.equal(e.Seq, int64(i+1))
		s.equal([]string{e.Actor, e.Run}, []string{"tester", "run-1"})
		got = append(got, fmt.Sprint(e.Op, " ", e.Kind, " ", e.Fields, len(e.Added), len(e.Removed)))
	}
	s.equal(got, []string{
		"create user [] 0 0", "create group [] 0 0", "memberships user [] 1 0", "update user [name title] 0 0", "memberships user [] 0 1", "delete user [] 0 0",
	})
	var changes []identitystore.MembershipChange
	for _, e := range events {
		changes = append(changes, e.MembershipChanges()...)
	}
	s.equal(changes, []identitystore.MembershipChange{{User: u.ID, Group: g.ID, Gained: true}, {User: u.ID, Group: g.ID}})
	s.equal(events[3].Time, s.now)
	s.truth(events[3].Revision != events[0].Revision, "events carry the revision")
	rest, err := s.svc.Events(s.ctx(), 4, 1)
	s.ok(err)
	s.equal([]any{len(rest), rest[0].Seq}, []any{1, int64(5)})
	none, err := s.svc.Events(s.ctx(), 6, 10)
	s.ok(err)
	s.equal(len(none), 0)

	// The events of one transaction are not divided.
	s.ok(s.update(func(tx *identitystore.Tx) error {
		for i := range 5 {
			if _, err := tx.CreateUser(s.ctx(), &identitystore.User{UserName: fmt.Sprint("batch", i)}); err != nil {
				return err
			}
		}
		return nil
	}))
	batch, err := s.svc.Events(s.ctx(), 6, 2)
	s.ok(err)
	s.equal(len(batch), 5)
	stop := errors.New("enough")
	seen := 0
	err = s.svc.Watch(s.ctx(), 6, time.Millisecond, func(es []identitystore.Event) error {
		seen += len(es)
		return stop
	})
	s.is(err, stop)
	s.equal(seen, 5)
	ctx, cancel := context.WithTimeout(s.ctx(), 20*time.Millisecond)
	defer cancel()
	s.is(s.svc.Watch(ctx, 11, time.Millisecond, func([]identitystore.Event) error { return nil }), context.DeadlineExceeded)
}

// parallelFeed reads the feed while others write: what it has seen is always a prefix, without gaps.
func parallelFeed(s *suite) {
	const writers, each = 4, 12
	ctx := context.WithoutCancel(s.ctx())
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				_, err := s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: fmt.Sprintf("w%d-%d", w, i)})
				errs[w] = errors.Join(errs[w], err)
			}
		})
	}
	last := int64(0)
	for last < writers*each {
		events, err := s.svc.Events(ctx, last, 7)
		s.ok(err)
		for _, e := range events {
			s.equal(e.Seq, last+1)
			last = e.Seq
		}
	}
	wg.Wait()
	s.ok(errors.Join(errs...))
}

func history(s *suite) {
	u := s.user("u")
	start := s.now
	for _, title := range []string{"one", "two"} {
		s.tick()
		_, err := s.svc.UpdateUser(s.ctx(), author(), u.ID, "", identitystore.Set("title", title))
		s.ok(err)
	}
	vs, err := s.svc.History(s.ctx(), u.ID)
	s.ok(err)
	s.equal(len(vs), 3)
	for i, title := range []string{"", "one", "two"} {
		s.equal(vs[i].User.Title, title)
		s.equal(vs[i].From, start.Add(time.Duration(i)*time.Second))
	}
	s.equal(vs[0].To, vs[1].From)
	s.truth(vs[2].To.IsZero(), "the present version has no end")
	s.tick()
	s.ok(s.svc.DeleteUser(s.ctx(), author(), u.ID, ""))
	vs, err = s.svc.History(s.ctx(), u.ID)
	s.ok(err)
	s.equal(len(vs), 3)
	s.equal(vs[2].To, s.now)
	g := s.group("g")
	gs, err := s.svc.History(s.ctx(), g.ID)
	s.ok(err)
	s.equal(gs[0].Group.DisplayName, "g")
	_, err = s.svc.History(s.ctx(), "nothing")
	s.is(err, identitystore.ErrNotFound)
}

// asOf compares the store at each past moment with what it answered then.
func asOf(s *suite) { //nolint:funlen // one story
	ctx := s.ctx()
	type moment struct {
		at     time.Time
		names  []string
		groups map[string][]string
	}
	observe := func(r identitystore.Reader, at time.Time) moment {
		m := moment{at: at, names: []string{}, groups: map[string][]string{}}
		users, err := r.ListUsers(ctx, "", 100)
		s.ok(err)
		for _, u := range users {
			m.names = append(m.names, u.UserName+"/"+u.Title)
			ms, err := r.MembershipsOf(ctx, u.Key, 0, 100)
			s.ok(err)
			for _, x := range ms {
				m.groups[x.UserID] = append(m.groups[x.UserID], x.GroupID)
			}
			found, err := r.UserByName(ctx, identitystore.FoldName(u.UserName))
			s.ok(err)
			s.equal(found.ID, u.ID)
		}
		slices.Sort(m.names)
		return m
	}
	var past []moment
	record := func() {
		past = append(past, observe(s.svc.Reader(), s.now))
		s.tick()
	}
	a, b := s.user("a"), s.user("b")
	g, h := s.group("g"), s.group("h")
	record()
	s.link(true, h, g)
	s.link(true, g, a)
	record()
	s.ok(s.update(func(tx *identitystore.Tx) error {
		return errors.Join(s.setName(tx, a.ID, "b"), s.setName(tx, b.ID, "a"))
	}))
	record()
	s.link(false, h, g)
	_, err := s.svc.UpdateUser(ctx, author(), a.ID, "", identitystore.Set("title", "t"))
	s.ok(err)
	record()
	s.ok(s.svc.DeleteUser(ctx, author(), a.ID, ""))
	record()
	s.user("b")
	record()
	for _, m := range past {
		for _, late := range []time.Duration{0, 900 * time.Millisecond} { // up to the next commit
			r, err := s.svc.AsOf(ctx, m.at.Add(late))
			s.ok(err)
			got := observe(r, m.at)
			s.equal(got, m)
		}
	}
	r, err := s.svc.AsOf(ctx, past[0].at.Add(-time.Second))
	s.ok(err)
	s.equal(len(observe(r, past[0].at).names), 0)
	_, err = s.svc.AsOf(ctx, s.now.Add(-31*24*time.Hour))
	s.is(err, identitystore.ErrTooOld)
	diff, err := s.svc.Diff(ctx, past[1].at, past[3].at)
	s.ok(err)
	s.equal(len(diff), 2)
	for _, d := range diff {
		if d.ID == a.ID {
			s.equal([]any{d.ChangedFields, d.Lost, len(d.Gained)}, []any{[]string{"userName", "title"}, []string{h.ID}, 0})
		} else {
			s.equal(d.ChangedFields, []string{"userName"})
		}
	}
	diff, err = s.svc.Diff(ctx, past[3].at, past[5].at)
	s.ok(err)
	s.equal(len(diff), 2) // one deleted, one created
}

func prune(s *suite) {
	u := s.user("u")
	s.now = s.now.Add(20 * 24 * time.Hour)
	_, err := s.svc.UpdateUser(s.ctx(), author(), u.ID, "", identitystore.Set("title", "x"))
	s.ok(err)
	s.now = s.now.Add(20 * 24 * time.Hour)
	s.ok(s.svc.Prune(s.ctx()))
	_, err = s.svc.Events(s.ctx(), 0, 10)
	s.is(err, identitystore.ErrCursorTooOld)
	events, err := s.svc.Events(s.ctx(), 1, 10)
	s.ok(err)
	s.equal(len(events), 1)
	vs, err := s.svc.History(s.ctx(), u.ID)
	s.ok(err)
	s.equal(len(vs), 2) // the old version ended within the history
	_, err = s.store.AsOf(s.ctx(), identitystore.DefaultTenant, s.now.Add(-35*24*time.Hour))
	s.is(err, identitystore.ErrTooOld)
	s.now = s.now.Add(40 * 24 * time.Hour)
	s.ok(s.svc.Prune(s.ctx()))
	vs, err = s.svc.History(s.ctx(), u.ID)
	s.ok(err)
	s.equal(len(vs), 1)
	_, err = s.svc.DescribeUser(s.ctx(), u.ID)
	s.ok(err)
	s.user("v") // numbers go on
	s.equal(mustSeq(s), int64(3))
}

// model runs random operations against a store and a naive model of it.
func model(s *suite) { //nolint:cyclop,funlen // the model is one loop
	r := rand.New(rand.NewSource(7)) //nolint:gosec // a reproducible sequence
	ctx := s.ctx()
	users, groups := map[string]*identitystore.User{}, map[string]*identitystore.Group{}
	type edge struct{ parent, child string }
	edges := map[edge]bool{}
	name := func(p string) string { return fmt.Sprint(p, r.Intn(6)) }
	for range 250 {
		switch r.Intn(9) {
		case 0, 1:
			n := name("u")
			u, err := s.svc.CreateUser(ctx, author(), &identitystore.User{UserName: n})
			s.equal(err == nil, users[n] == nil)
			if err == nil {
				users[n] = u
			}
		case 2:
			n := name("g")
			g, err := s.svc.CreateGroup(ctx, author(), &identitystore.Group{DisplayName: n})
			s.equal(err == nil, groups[n] == nil)
			if err == nil {
				groups[n] = g
			}
		case 3:
			if n := name("u"); users[n] != nil && r.Intn(3) == 0 {
				s.ok(s.svc.DeleteUser(ctx, author(), users[n].ID, ""))
				delete(users, n)
				for e := range edges {
					if e.child == n {
						delete(edges, e)
					}
				}
			}
		case 4:
			if n := name("g"); groups[n] != nil && r.Intn(4) == 0 {
				s.ok(s.svc.DeleteGroup(ctx, author(), groups[n].ID, ""))
				delete(groups, n)
				for e := range edges {
					if e.parent == n || e.child == n {
						delete(edges, e)
					}
				}
			}
		default:
			e := edge{name("g"), name([]string{"u", "g"}[r.Intn(2)])}
			p := groups[e.parent]
			var child any
			if e.child[0] == 'u' && users[e.child] != nil {
				child = users[e.child]
			} else if e.child[0] == 'g' && groups[e.child] != nil {
				child = groups[e.child]
			}
			if p == nil || child == nil {
				continue
			}
			s.link(!edges[e], p, child)
			if edges[e] {
				delete(edges, e)
			} else {
				edges[e] = true
			}
		}
		for n, u := range users {
			want := []string{}
			seen := map[string]bool{n: true}
			queue := []string{n}
			for i := 0; i < len(queue); i++ {
				for e := range edges {
					if e.child == queue[i] && !seen[e.parent] {
						seen[e.parent] = true
						queue = append(queue, e.parent)
						want = append(want, e.parent)
					}
				}
			}
			got := s.groupsOf(s.svc, u)
			slices.Sort(want)
			slices.Sort(got)
			s.equal(got, want)
		}
	}
	counts, err := s.svc.Reader().Counts(ctx)
	s.ok(err)
	s.equal([]int{counts.Users, counts.Groups, counts.Edges}, []int{len(users), len(groups), len(edges)})
}
