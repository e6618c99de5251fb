package adsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// crowd is a world with one synchronised group of n users.
func crowd(t *testing.T, n int) (w *world, group string, users []string) {
	t.Helper()
	w = newWorld(t)
	w.open(identitystore.Config{Limits: identitystore.LimitsWide()})
	group = w.group("crowd")
	for i := range n {
		users = append(users, w.user(fmt.Sprintf("user%04d", i)))
	}
	w.put(group, users...)
	w.assign(group)
	w.run(adsync.StateApplied)
	return w, group, users
}

// TestScenarioReadFailures is F01 to F05 behind the reader: whatever the read says, the store stays as it was.
func TestScenarioReadFailures(t *testing.T) {
	t.Parallel()
	w, _, users := crowd(t, 30)
	before, seq := w.counts(), w.lastSeq()
	at, run, _, err := w.engine().LastRun(t.Context())
	require.NoError(t, err)
	for name, cause := range map[string]error{
		"F01 connection reset on page 2":     errors.New("connection reset"),
		"F02 size limit":                     &identitystore.IncompleteReadError{What: "size limit exceeded at DC=corp"},
		"F03 time limit":                     &identitystore.IncompleteReadError{What: "time limit exceeded at DC=corp"},
		"F04 server not reached":             context.DeadlineExceeded,
		"F05 bind refused, password expired": errors.New("bind refused"),
	} {
		w.fail = cause
		res, err := w.engine().Run(t.Context(), w.scope, "")
		require.ErrorIs(t, err, cause, name)
		require.Equal(t, adsync.StateFailed, res.State, name)
		require.Nil(t, res.Plan)
	}
	w.fail = nil
	w.failAsk = errors.New("look-up failed")
	w.take(w.scope.Principals[0].Text, users[0])
	res, err := w.engine().Run(t.Context(), w.scope, "")
	require.ErrorIs(t, err, w.failAsk, "an object that is missing and cannot be looked up")
	require.Equal(t, adsync.StateFailed, res.State)
	require.Equal(t, before, w.counts())
	require.Equal(t, seq, w.lastSeq())
	at2, run2, _, err := w.engine().LastRun(t.Context())
	require.NoError(t, err)
	require.Equal(t, run, run2)
	require.Equal(t, at, at2)
}

func TestScenarioC07Cancelled(t *testing.T) {
	t.Parallel()
	w, _, _ := crowd(t, 5)
	seq := w.lastSeq()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.user("new")
	res, err := w.engine().Run(ctx, w.scope, "")
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, adsync.StateFailed, res.State)
	require.Equal(t, seq, w.lastSeq())
}

func TestScenarioF07NothingFound(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 8)
	for _, u := range append(users, group) {
		w.hidden[u] = true
	}
	w.cfg.Guard = identitystore.Guard{Exact: true, MaxRemovals: 1 << 30}
	seq := w.lastSeq()
	res, err := w.engine().Run(t.Context(), w.scope, "")
	held, ok := errors.AsType[*identitystore.HeldError](err)
	require.True(t, ok, err)
	require.ErrorIs(t, err, identitystore.ErrHeld)
	require.Equal(t, adsync.StateHeld, res.State)
	require.Equal(t, identitystore.RuleFoundNone, held.Findings[0].Rule)
	require.Equal(t, seq, w.lastSeq())
	_, err = w.engine().Run(t.Context(), w.scope, "another hash")
	require.ErrorIs(t, err, identitystore.ErrHeld)
	res, err = w.engine().Run(t.Context(), w.scope, res.PlanHash)
	require.NoError(t, err)
	require.Equal(t, adsync.StateApplied, res.State)
	require.Zero(t, w.counts().Memberships)
	require.Equal(t, 8, w.counts().Users, "nobody was deleted")
}

// TestEmptyScope: nobody is assigned any more. That is no empty read; the number of memberships still counts.
func TestEmptyScope(t *testing.T) {
	t.Parallel()
	w, _, _ := crowd(t, 9)
	w.assign()
	w.run(adsync.StateApplied)
	require.Equal(t, identitystore.Counts{Users: 9, Groups: 1}, w.counts())
	w, _, _ = crowd(t, 60)
	w.assign()
	held := w.run(adsync.StateHeld)
	require.Len(t, held.Findings[0].Examples, 20)
	for _, x := range held.Findings[0].Examples {
		require.Regexp(t, `^user\d+@corp\.example\.test in crowd@corp\.example\.test$`, x)
	}
	require.Equal(t, 60, w.counts().Memberships)
}

func TestScenarioF08F06IncompleteGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	top, part, side, u, v, x := w.group("top"), w.group("part"), w.group("side"), w.user("u"), w.user("v"), w.user("x")
	w.put(top, part, side, x)
	w.put(part, u, v)
	w.put(side, x)
	w.assign(top)
	w.run(adsync.StateApplied)
	// the second range step of part fails: v is not seen; elsewhere x leaves, and n comes
	n := w.user("n")
	w.put(part, n)
	w.hidden[v] = true
	w.take(top, x)
	w.objects[part].Incomplete = true
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.MemberCounts{Add: 2}, res.Counts.Memberships)
	require.Equal(t, []string{"part", "top:2"}, w.groupsOf(n))
	require.Equal(t, []string{"side", "top"}, w.groupsOf(x), "top is above the incomplete group")
	require.NotEmpty(t, res.Plan.Warnings)
	require.True(t, w.record(v).Link.InScope(), "nobody knows that v left")
	require.Equal(t, []string{"part", "top:2"}, w.groupsOf(v))
	w.run(adsync.StateUnchanged) // however often it is not read
	// who is proved to be deleted goes even from an incomplete group
	w.remove(u)
	res = w.run(adsync.StateApplied)
	require.Equal(t, 1, res.Counts.Users.Remove)
	require.Equal(t, identitystore.MemberCounts{Remove: 2}, res.Counts.Memberships)
	w.objects[part].Incomplete = false
	w.hidden[v] = false
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"side", "top:2"}, w.groupsOf(x))
	require.Equal(t, []string{"part", "top:2"}, w.groupsOf(v))
}

func TestScenarioF13MissedByPagingIsNotDeleted(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	w.hidden[users[0]] = true // moved while pages were read: seen by neither
	w.run(adsync.StateApplied)
	require.Equal(t, identitystore.StateUnscoped, w.record(users[0]).Link.State)
	w.hidden[users[0]] = false
	w.twice = true // seen by both
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"crowd"}, w.groupsOf(users[0]))
	require.Equal(t, 3, w.counts().Memberships)
	require.NotNil(t, w.groupRecord(group))
	w.run(adsync.StateUnchanged)
}

func TestScenarioD08GuardHoldsBeforeTheFirstDelete(t *testing.T) {
	t.Parallel()
	w, _, users := crowd(t, 60)
	for _, u := range users[:13] {
		w.remove(u)
	}
	w.objects[users[20]].Attributes["name"] = "Changed"
	seq := w.lastSeq()
	res := w.run(adsync.StateHeld)
	require.Equal(t, seq, w.lastSeq())
	require.Equal(t, 26, res.Counts.Removals())
	require.Equal(t, 24, res.Findings[0].Threshold, "20 percent of 60 users, 1 group, 60 memberships")
	require.Equal(t, "User0020", w.record(users[20]).DisplayName, "nothing of a held plan is applied")
	w.cfg.Guard = identitystore.Guard{Exact: true, MaxRemovals: 25}
	w.run(adsync.StateHeld)
	w.cfg.Guard = identitystore.Guard{Exact: true, MaxRemovals: 26}
	w.run(adsync.StateApplied)
}

// TestScenarioD08TheSafePart: by option, what a held plan adds and changes is applied, and nothing of what it takes away.
func TestScenarioD08TheSafePart(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 60)
	log := newChangeLog(w.forest, 8)
	w.cfg.From, w.cfg.ApplySafePart = log, true
	w.run(adsync.StateUnchanged)
	for _, u := range users[:13] {
		w.remove(u)
	}
	for _, u := range users[13:16] {
		w.take(group, u)
	}
	w.objects[users[20]].Attributes["name"] = "Changed"
	w.objects[users[21]].Disabled = true
	sub, late := w.group("sub"), w.user("late")
	heir := w.user("heir") // takes the name of somebody who is only to be removed
	w.objects[heir].Name = "user0003@corp.example.test"
	w.put(sub, late)
	w.put(group, sub, heir)
	for name, run := range map[string]func(context.Context, adsync.Scope, string) (adsync.Result, error){"full": w.engine().Run, "incremental": w.engine().RunChanges} {
		res, err := run(t.Context(), w.scope, "")
		require.ErrorIs(t, err, identitystore.ErrHeld, name)
		require.Equal(t, adsync.StateHeld, res.State, name)
		require.Equal(t, 29, res.Counts.Removals(), name)
		require.Equal(t, "Changed", w.record(users[20]).DisplayName, name)
		require.False(t, w.record(users[21]).Enabled(), name)
		require.Equal(t, []string{"crowd:2", "sub"}, w.groupsOf(late), name)
		for _, u := range users[:16] {
			require.Equal(t, []string{"crowd"}, w.groupsOf(u), name)
		}
		require.Nil(t, w.record(heir), name)
	}
	held, err := w.engine().Plan(t.Context(), w.scope)
	require.NoError(t, err)
	_, err = w.engine().Run(t.Context(), w.scope, held.PlanHash)
	require.NoError(t, err)
	require.Equal(t, identitystore.StateTombstone, w.record(users[0]).Link.State)
	require.Equal(t, []string{"crowd"}, w.groupsOf(heir))
	w.run(adsync.StateUnchanged)
}

func TestScenarioD09ApprovalIsForOnePlan(t *testing.T) {
	t.Parallel()
	w, _, users := crowd(t, 30)
	for _, u := range users[:12] {
		w.remove(u)
	}
	held := w.run(adsync.StateHeld)
	w.remove(users[12])
	res, err := w.engine().Run(t.Context(), w.scope, held.PlanHash)
	require.ErrorIs(t, err, identitystore.ErrHeld)
	require.NotEqual(t, held.PlanHash, res.PlanHash)
	res, err = w.engine().Run(t.Context(), w.scope, res.PlanHash)
	require.NoError(t, err)
	require.Equal(t, 13, res.Counts.Users.Remove)
}

func TestScenarioD10LongUnscoped(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	w.take(group, users[0])
	w.run(adsync.StateApplied)
	w.now = w.now.Add(29 * 24 * time.Hour)
	w.run(adsync.StateUnchanged)
	w.cfg.DisableUnscopedAfter = 28 * 24 * time.Hour
	w.run(adsync.StateApplied)
	require.False(t, w.record(users[0]).Enabled())
	require.NotEqual(t, identitystore.StateTombstone, w.record(users[0]).Link.State)
	w.run(adsync.StateUnchanged)
}

func TestScenarioC03TwiceTheSame(t *testing.T) {
	t.Parallel()
	w, _, users := crowd(t, 10)
	rev, seq := w.record(users[3]).Rev, w.lastSeq()
	w.shuffle = true
	for range 3 {
		w.run(adsync.StateUnchanged)
	}
	require.Equal(t, rev, w.record(users[3]).Rev)
	require.Equal(t, seq, w.lastSeq())
}

func TestScenarioC05I14OneWriter(t *testing.T) {
	t.Parallel()
	w, group, _ := crowd(t, 3)
	w.put(group, w.user("late"))
	lease, err := w.svc.Acquire(t.Context(), "adsync/ad", "another", 3*time.Hour)
	require.NoError(t, err)
	res := w.run(adsync.StateBusy)
	require.Nil(t, res.Plan)
	require.NoError(t, w.svc.Release(t.Context(), lease))
	w.run(adsync.StateApplied)

	// a writer sleeps after its read; its lease runs out and another one takes over
	w.put(group, w.user("later"))
	slow := w.cfg
	slow.Owner, slow.LeaseTTL, slow.MaxReadAge = "slow", time.Minute, 24*time.Hour
	slow.From = pausing{w.forest, func() {
		w.now = w.now.Add(10 * time.Minute)
		_, err := w.svc.Acquire(t.Context(), "adsync/ad", "fast", time.Hour)
		require.NoError(t, err)
	}}
	e, err := adsync.New(slow)
	require.NoError(t, err)
	seq := w.lastSeq()
	_, err = e.Run(t.Context(), w.scope, "")
	require.ErrorIs(t, err, identitystore.ErrFenced)
	require.Equal(t, seq, w.lastSeq())
}

// pausing does something after each read.
type pausing struct {
	adsync.Source
	after func()
}

func (p pausing) Read(ctx context.Context, s adsync.Scope) (*adsync.Snapshot, error) {
	snap, err := p.Source.Read(ctx, s)
	p.after()
	return snap, err
}

func TestOldSnapshotIsNotApplied(t *testing.T) {
	t.Parallel()
	w, group, _ := crowd(t, 3)
	w.put(group, w.user("late"))
	w.cfg.MaxReadAge = time.Minute
	// the clock of the world runs on while the engine plans
	w.cfg.Observer, w.cfg.LeaseTTL = clockwork{w}, 24*time.Hour
	res, err := w.engine().Run(t.Context(), w.scope, "")
	require.ErrorIs(t, err, identitystore.ErrUnstableRead)
	require.Equal(t, adsync.StateFailed, res.State)
	require.Equal(t, 3, w.counts().Users)
}

// clockwork lets two minutes pass with each stage.
type clockwork struct{ w *world }

func (c clockwork) Stage(context.Context, string, adsync.Stage, int) {
	c.w.now = c.w.now.Add(2 * time.Minute)
}

func (clockwork) Done(context.Context, adsync.Result, time.Duration, error) {}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*adsync.Config){
		"no service":        func(c *adsync.Config) { c.Service = nil },
		"no source":         func(c *adsync.Config) { c.From = nil },
		"negative duration": func(c *adsync.Config) { c.LeaseTTL = -1 },
		"negative count":    func(c *adsync.Config) { c.FullEvery = -1 },
		"other flattening":  func(c *adsync.Config) { c.DirectOnly = true },
	} {
		cfg := w.cfg
		change(&cfg)
		_, err := adsync.New(cfg)
		require.Error(t, err, name)
	}
}

func TestLeaseOfADeadWriter(t *testing.T) {
	t.Parallel()
	w, group, _ := crowd(t, 2)
	w.put(group, w.user("n"))
	_, err := w.svc.Acquire(t.Context(), "adsync/ad", "dead", 24*time.Hour)
	require.NoError(t, err)
	w.cfg.OwnerGone = func(owner string) bool { return owner != "dead" }
	w.run(adsync.StateBusy)
	w.cfg.OwnerGone = func(owner string) bool { return owner == "dead" }
	w.run(adsync.StateApplied)
}

// TestLeaseIsRenewed: a read that lasts longer than the lease keeps it, and nothing is left running.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, group, _ := crowd(t, 2)
		w.open(identitystore.Config{Limits: identitystore.LimitsWide()})
		w.clock = time.Now
		w.put(group, w.user("n"))
		w.cfg.From = pausing{w.forest, func() { time.Sleep(20 * time.Minute) }}
		w.run(adsync.StateApplied)
	})
}

// TestScenarioF08NestedBehindTheUnreadPart: a group, and its users, that are nested in the part that was not read stay.
func TestScenarioF08NestedBehindTheUnreadPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	top, sub, u, z := w.group("top"), w.group("sub"), w.user("u"), w.user("z")
	w.put(top, sub, u)
	w.put(sub, z)
	w.assign(top)
	w.run(adsync.StateApplied)
	w.hidden[sub], w.hidden[z] = true, true
	w.objects[top].Incomplete = true
	w.objects[u].Attributes["name"] = "New"
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.MemberCounts{}, res.Counts.Memberships)
	require.Equal(t, []string{"sub", "top:2"}, w.groupsOf(z))
	require.True(t, w.groupRecord(sub).Link.InScope())
	require.Equal(t, "New", w.record(u).DisplayName, "what was read is applied")
	w.objects[top].Incomplete = false
	w.run(adsync.StateApplied)
	require.Empty(t, w.groupsOf(z), "now it is known that they left")
	require.Equal(t, identitystore.StateUnscoped, w.groupRecord(sub).Link.State)
}
