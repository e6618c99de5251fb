package adsync_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// log is a forest that can tell what changed: it keeps what it was at each mark.
type changeLog struct {
	*forest
	r     *rand.Rand
	past  map[string]memory
	asked int
	reads int
}

type memory struct {
	objects map[string]adsync.Object
	members map[string]map[string]string
}

func newChangeLog(f *forest, seed uint64) *changeLog {
	return &changeLog{forest: f, r: rand.New(rand.NewPCG(seed, 1)), past: map[string]memory{}}
}

func (c *changeLog) Read(ctx context.Context, s adsync.Scope) (*adsync.Snapshot, error) {
	c.reads++
	return c.forest.Read(ctx, s)
}

func (c *changeLog) Mark(context.Context) (string, error) { return c.mark(), c.fail }

func (c *changeLog) mark() string {
	m := memory{map[string]adsync.Object{}, map[string]map[string]string{}}
	for g, o := range c.objects {
		m.objects[g] = c.whole(g, *o)
	}
	for g, list := range c.members {
		m.members[g] = maps.Clone(list)
	}
	name := fmt.Sprint("mark ", len(c.past))
	c.past[name] = m
	return name
}

// whole adds the primary group and the groups that list the object, as a directory's own entry has them.
func (c *changeLog) whole(guid string, o adsync.Object) adsync.Object {
	o.Attributes = maps.Clone(o.Attributes)
	for _, g := range slices.Sorted(maps.Keys(c.members)) {
		if c.members[g][guid] == "primary" && c.objects[g] != nil {
			o.PrimaryGroup = c.objects[g].SID
		}
	}
	o.MemberOf = nil
	for _, g := range slices.Sorted(maps.Keys(c.members)) {
		if c.members[g][guid] == "member" && c.objects[g] != nil {
			o.MemberOf = append(o.MemberOf, g)
		}
	}
	return o
}

func (c *changeLog) Changes(_ context.Context, since string) (*adsync.Delta, error) {
	c.asked++
	if c.fail != nil {
		return nil, c.fail
	}
	before, ok := c.past[since]
	if !ok {
		return nil, adsync.ErrFullRead
	}
	d := &adsync.Delta{}
	for g, o := range c.objects {
		now := c.whole(g, *o)
		was, ok := before.objects[g]
		was.MemberOf = now.MemberOf // that somebody is in another group is no change of the object
		if !ok || fmt.Sprint(was) != fmt.Sprint(now) {
			if ok && c.r.IntN(2) == 0 { // read twice, and changed in between
				d.Objects = append(d.Objects, was)
			}
			d.Objects = append(d.Objects, now)
		}
	}
	for g := range before.objects {
		if c.objects[g] == nil {
			d.Deleted = append(d.Deleted, g)
		}
	}
	for g := range c.objects {
		if m, changed := c.links(g, before.members[g]); changed {
			d.Members = append(d.Members, m)
		}
	}
	d.Mark = c.mark()
	return d, nil
}

func (c *changeLog) links(group string, before map[string]string) (adsync.MemberDelta, bool) {
	m := adsync.MemberDelta{Group: group}
	whole := adsync.MemberDelta{Group: group, Whole: true}
	for child, via := range c.members[group] {
		if via != "member" {
			continue
		}
		whole.Added = append(whole.Added, child)
		if before[child] != "member" && !c.quiet[adsync.Edge{Parent: group, Child: child}] {
			m.Added = append(m.Added, child)
		}
	}
	for child, via := range before {
		if via == "member" && c.members[group][child] != "member" && c.objects[child] != nil { // a deletion shows at no group
			m.Removed = append(m.Removed, child)
		}
	}
	if len(m.Added)+len(m.Removed) == 0 {
		return m, false
	}
	if c.r.IntN(2) == 0 {
		return whole, true
	}
	return m, true
}

// TestScenarioI13IncrementalEqualsFull runs random histories with incremental runs, and wants that a full run has
// nothing left to do after each of them.
func TestScenarioI13IncrementalEqualsFull(t *testing.T) {
	t.Parallel()
	for seed := range testscale.N(150, 5000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := &history{world: newWorld(t), r: rand.New(rand.NewPCG(uint64(seed), 9)), ids: map[string]string{}}
			log := newChangeLog(h.forest, uint64(seed))
			h.cfg.From = log
			h.cfg.Guard = identitystore.Guard{Exact: true, MaxRemovals: 1 << 30}
			for range 6 {
				h.users = append(h.users, h.newUser())
				h.groups = append(h.groups, h.newGroup())
			}
			for range 25 {
				for range 1 + h.r.IntN(4) {
					h.change()
				}
				h.increment()
			}
		})
	}
}

// increment runs on changes, then wants that a full run finds nothing to do.
func (h *history) increment() {
	res, err := h.engine().RunChanges(h.t.Context(), h.scope, "")
	if res.State == adsync.StateHeld { // a full read that found nothing of the last one
		res, err = h.engine().Run(h.t.Context(), h.scope, res.PlanHash)
	}
	require.NoError(h.t, err)
	full, err := h.engine().Plan(h.t.Context(), h.scope)
	require.NoError(h.t, err)
	if full.State == adsync.StateHeld && full.Plan.Empty() {
		return
	}
	require.Equal(h.t, adsync.StateUnchanged, full.State, "%+v\nafter %+v", full.Plan.Objects, res.Plan)
	require.ElementsMatch(h.t, full.Plan.Skipped, res.Plan.Skipped)
	h.compare(full)
}

// TestIncrementalCost: a change costs what it touches, whatever else there is.
func TestScenarioN13T04IncrementalCost(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 500)
	log := newChangeLog(w.forest, 2)
	w.cfg.From = log
	w.run(adsync.StateUnchanged)
	reads := log.reads
	n := w.user("n")
	w.put(group, n)
	w.take(group, users[7])
	w.objects[users[9]].Attributes["name"] = "Changed"
	res, err := w.engine().RunChanges(t.Context(), w.scope, "")
	require.NoError(t, err)
	require.Equal(t, adsync.StateApplied, res.State)
	require.Equal(t, reads+1, log.reads, "only what is new in scope is read")
	require.Len(t, res.Plan.Decisions, 3)
	require.Equal(t, []string{"crowd"}, w.groupsOf(n))
	require.Equal(t, identitystore.StateUnscoped, w.record(users[7]).Link.State)
	require.Equal(t, "Changed", w.record(users[9]).DisplayName)
	seq := w.lastSeq()
	res, err = w.engine().RunChanges(t.Context(), w.scope, "")
	require.NoError(t, err)
	require.Equal(t, adsync.StateUnchanged, res.State)
	require.Equal(t, seq, w.lastSeq())
	require.Equal(t, reads+1, log.reads)
}

// TestScenarioT01T02FullReadWhenNeeded: where changes cannot be told, everything is read.
func TestScenarioT01T02FullReadWhenNeeded(t *testing.T) {
	t.Parallel()
	for name, break_ := range map[string]func(w *world, log *changeLog){
		"first run":          func(w *world, _ *changeLog) { w.open(identitystore.Config{Tenant: "d-00000000ff"}) },
		"mark is not known":  func(_ *world, log *changeLog) { clear(log.past) },
		"scope changed":      func(w *world, _ *changeLog) { w.assign(w.user("another"), w.scope.Principals[0].Text) },
		"mapping changed":    func(w *world, _ *changeLog) { w.cfg.Mapping, _ = adsync.NewMapping(map[string]string{"title": "x"}) },
		"source tells none":  func(w *world, _ *changeLog) { w.cfg.From = w.forest },
		"a name is taken":    func(w *world, _ *changeLog) { w.put(w.scope.Principals[0].Text, w.user("user0001")) },
		"principal is there": func(w *world, _ *changeLog) { w.user("late") },
	} {
		w, _, _ := crowd(t, 20)
		log := newChangeLog(w.forest, 3)
		w.cfg.From = log
		if name == "principal is there" {
			w.scope.Principals = append(w.scope.Principals, adsync.Principal{Kind: adsync.KindUser, Text: "late@corp.example.test"})
		}
		w.run(adsync.StateUnchanged)
		break_(w, log)
		res, err := w.engine().RunChanges(t.Context(), w.scope, "")
		require.NoError(t, err, name)
		full, err := w.engine().Plan(t.Context(), w.scope)
		require.NoError(t, err, name)
		require.Equal(t, adsync.StateUnchanged, full.State, name)
		require.GreaterOrEqual(t, len(res.Plan.Decisions), 21, name)
	}
}

// TestTroubleIsReadAgain: somebody who was left out may come in by a change of another, which a delta alone does not show.
func TestTroubleIsReadAgain(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	log := newChangeLog(w.forest, 4)
	w.cfg.From = log
	twin := w.user("user0001")
	w.put(group, twin)
	res := w.run(adsync.StateUnchanged)
	require.Equal(t, []adsync.Skipped{{Object: w.objects[twin].DN, Reason: adsync.SkipUniqueness}}, skips(res))
	w.objects[users[1]].Name = "other@corp.example.test"
	res, err := w.engine().RunChanges(t.Context(), w.scope, "")
	require.NoError(t, err)
	require.Equal(t, 1, res.Counts.Users.Create, "the name is free now")
	require.Equal(t, []string{"crowd"}, w.groupsOf(twin))
}

func skips(res adsync.Result) (out []adsync.Skipped) {
	for _, s := range res.Plan.Skipped {
		out = append(out, adsync.Skipped(s))
	}
	return out
}

// TestLongUnscopedIncremental: who left the scope long ago is disabled, if that is wanted, without a change of anything.
func TestLongUnscopedIncremental(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	log := newChangeLog(w.forest, 4)
	w.cfg.From, w.cfg.DisableUnscopedAfter = log, 28*24*time.Hour
	w.take(group, users[0])
	w.run(adsync.StateApplied)
	for range 5 {
		w.now = w.now.Add(6 * 24 * time.Hour)
		_, err := w.engine().RunChanges(t.Context(), w.scope, "")
		require.NoError(t, err)
	}
	require.False(t, w.record(users[0]).Enabled())
	require.True(t, w.record(users[1]).Enabled())
}

func TestChangesFailure(t *testing.T) {
	t.Parallel()
	w, group, _ := crowd(t, 3)
	log := newChangeLog(w.forest, 4)
	w.cfg.From = log
	w.run(adsync.StateUnchanged)
	w.put(group, w.user("n"))
	w.fail = context.DeadlineExceeded
	seq := w.lastSeq()
	res, err := w.engine().RunChanges(t.Context(), w.scope, "")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, adsync.StateFailed, res.State)
	require.Equal(t, seq, w.lastSeq())
	w.fail = nil
	res, err = w.engine().RunChanges(t.Context(), w.scope, "")
	require.NoError(t, err)
	require.Equal(t, 1, res.Counts.Users.Create)
}

// doubled tells an older reading of an object before the present one.
type doubled struct {
	*changeLog
	older adsync.Object
}

// Changes implements [adsync.ChangeSource].
func (d doubled) Changes(ctx context.Context, since string) (*adsync.Delta, error) {
	delta, err := d.changeLog.Changes(ctx, since)
	delta.Objects = append([]adsync.Object{d.older}, delta.Objects...)
	return delta, err
}

// TestObjectReadTwice: of two readings of one object in one delta the last one counts, also for its primary group.
func TestObjectReadTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	log := newChangeLog(w.forest, 7)
	p, q, x, u := w.group("P"), w.group("Q"), w.group("X"), w.user("u")
	w.put(p)
	w.members[p][u] = "primary"
	w.assign(p, q, x)
	w.cfg.From = log
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"P"}, w.groupsOf(u))
	w.take(p, u)
	w.put(q)
	w.members[q][u] = "primary"
	w.objects[u].Attributes["name"] = "New"
	older := *w.objects[u]
	older.Name, older.PrimaryGroup = "older@corp.example.test", w.objects[x].SID
	w.cfg.From = doubled{log, older}
	_, err := w.engine().RunChanges(t.Context(), w.scope, "")
	require.NoError(t, err)
	require.Equal(t, []string{"Q"}, w.groupsOf(u))
	require.Equal(t, "u@corp.example.test", w.record(u).UserName)
	w.run(adsync.StateUnchanged)
}
