package adsync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// fullDisk is a store of which the n-th write fails, or the commit after all of them.
type fullDisk struct {
	identitystore.Store
	left int // 0: no failure
	did  int
}

var errDiskFull = errors.New("no space left on device")

func (d *fullDisk) Update(ctx context.Context, tenant string, f func(identitystore.Txn) error) error {
	return d.Store.Update(ctx, tenant, func(tx identitystore.Txn) error {
		if err := f(diskTxn{tx, d}); err != nil {
			return err
		}
		return d.write()
	})
}

func (d *fullDisk) write() error {
	d.did++
	if d.left > 0 {
		if d.left--; d.left == 0 {
			return errDiskFull
		}
	}
	return nil
}

type diskTxn struct {
	identitystore.Txn
	d *fullDisk
}

func (t diskTxn) PutUser(ctx context.Context, u *identitystore.User) error {
	if err := t.d.write(); err != nil {
		return err
	}
	return t.Txn.PutUser(ctx, u)
}

func (t diskTxn) PutEdges(ctx context.Context, e []identitystore.Edge) error {
	if err := t.d.write(); err != nil {
		return err
	}
	return t.Txn.PutEdges(ctx, e)
}

func (t diskTxn) PutMemberships(ctx context.Context, m []identitystore.Membership) error {
	if err := t.d.write(); err != nil {
		return err
	}
	return t.Txn.PutMemberships(ctx, m)
}

func (t diskTxn) PutDocument(ctx context.Context, name string, doc []byte) error {
	if err := t.d.write(); err != nil {
		return err
	}
	return t.Txn.PutDocument(ctx, name, doc)
}

// TestScenarioC06DiskFull: whichever write or commit fails, the run has failed and nothing of it is there; the next one
// comes to the end that was meant.
func TestScenarioC06DiskFull(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w, group, users := crowd(t, 4)
		disk := &fullDisk{Store: w.store}
		w.store = disk
		w.open(identitystore.Config{Limits: identitystore.LimitsWide()})
		late := w.user("late")
		w.put(group, late)
		w.take(group, users[0])
		w.objects[users[1]].Disabled = true
		seq := w.lastSeq()
		disk.left, disk.did = n, 0
		res, err := w.engine().Run(t.Context(), w.scope, "")
		if err == nil {
			require.Greater(t, n, 6, "there are writes to fail")
			require.Equal(t, adsync.StateApplied, res.State)
			return
		}
		require.ErrorIs(t, err, errDiskFull)
		require.Equal(t, adsync.StateFailed, res.State)
		if n > 1 && disk.did > n { // giving the lease back was the only thing that worked, or failed
			require.Equal(t, seq, w.lastSeq(), "write %d", n)
			require.Nil(t, w.record(late))
			require.True(t, w.record(users[1]).Enabled())
			require.Equal(t, []string{"crowd"}, w.groupsOf(users[0]))
		}
		disk.left = 0
		_, err = w.engine().Run(t.Context(), w.scope, "")
		require.NoError(t, err)
		require.Equal(t, []string{"crowd"}, w.groupsOf(late))
		require.Empty(t, w.groupsOf(users[0]))
		require.False(t, w.record(users[1]).Enabled())
		w.run(adsync.StateUnchanged)
	}
}

// TestScenarioN11MembersOfAnotherDomainsGroup: a domain-local group holds a global group of another domain. Its members
// are read from a controller of that domain, which alone has them; without one the read is not complete.
func TestScenarioN11MembersOfAnotherDomainsGroup(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	local := e.partner.AddGroup(directorytest.Group{Name: "local", Scope: "domainlocal"})
	global := e.corp.AddGroup(directorytest.Group{Name: "global", Scope: "global"})
	alice, bob := e.person("alice"), e.person("bob")
	e.partner.AddMember(local, global)
	e.corp.AddMember(global, alice)
	e.corp.AddMember(global, bob)
	e.assignNames(`GROUP PARTNER\local`)
	e.run(adsync.StateApplied)
	require.Equal(t, []string{"global", "local:2"}, e.groupsOf(alice.GUID()))
	seq := e.lastSeq()
	e.corp.Stop()
	e.run(adsync.StateFailed)
	require.Equal(t, seq, e.lastSeq())
	require.Equal(t, []string{"global", "local:2"}, e.groupsOf(bob.GUID()))
	require.NoError(t, e.corp.Resume())
	e.corp.RemoveMember(global, bob)
	e.run(adsync.StateApplied)
	require.Empty(t, e.groupsOf(bob.GUID()))
}

// questions keeps what is asked of a directory about changes.
type questions struct {
	*directory.Client
	asked []directory.ChangeQuery
}

// Changes implements [adsync.ChangeReader].
func (q *questions) Changes(ctx context.Context, c directory.ChangeQuery, from directory.Cursor) (*directory.ChangeSet, directory.Cursor, error) {
	q.asked = append(q.asked, c)
	return q.Client.Changes(ctx, c, from)
}

// TestScenarioT05ChangesAreReadUnfiltered: nobody leaves a filter unseen, because changes are asked by class only.
func TestScenarioT05ChangesAreReadUnfiltered(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	q := &questions{Client: e.client}
	var err error
	e.cfg.From, err = adsync.NewDirectory(adsync.DirectoryConfig{Client: q, Domains: []string{"corp.example.test", "partner.example.test"}})
	require.NoError(t, err)
	g, alice, bob := e.corp.AddGroup(directorytest.Group{Name: "G"}), e.person("alice"), e.person("bob")
	e.corp.AddMember(g, alice)
	e.assignNames(`GROUP CORP\G`, "USER bob@example.com")
	e.run(adsync.StateApplied)
	e.corp.Disable(alice, true)
	e.corp.Set(alice, "department", "elsewhere")
	e.corp.Move(bob, "Users")
	e.corp.RemoveMember(g, alice)
	e.increment("everything at once")
	require.Equal(t, identitystore.StateUnscoped, e.record(alice.GUID()).Link.State)
	require.True(t, e.record(bob.GUID()).Link.InScope())
	require.NotEmpty(t, q.asked)
	for _, c := range q.asked {
		require.Regexp(t, `^(\(\|)?(\(objectClass=[a-zA-Z]+\))+\)?$`, c.Filter.String())
	}
}

// TestScenarioT05FullReadNowAndThen: a change that no delta tells is found by the full read that comes now and then.
func TestScenarioT05FullReadNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, group, users := crowd(t, 3)
		w.clock = time.Now
		log := newChangeLog(w.forest, 6)
		w.cfg.From = log
		began := time.Now()
		hidden := false
		out := watch(t, w, adsync.Schedule{}, 26*time.Hour, func(context.Context) (adsync.Scope, error) {
			if !hidden && time.Since(began) > 90*time.Minute {
				hidden = true
				w.take(group, users[0])
				log.mark() // whatever the delta was to be based on, it does not tell this
				for name := range log.past {
					delete(log.past[name].members[group], users[0])
				}
			}
			return w.scope, nil
		})
		require.True(t, hidden)
		require.Empty(t, w.groupsOf(users[0]))
		first := -1
		for i, s := range out.states {
			if s == adsync.StateApplied && i > 0 {
				first = i
			}
		}
		require.Equal(t, 24, first, "the twenty-fourth run reads everything")
	})
}

// TestRunChangesReadsEverythingNowAndThen, also when each run is a process of its own.
func TestRunChangesReadsEverythingNowAndThen(t *testing.T) {
	t.Parallel()
	w, _, _ := crowd(t, 2)
	log := newChangeLog(w.forest, 6)
	w.cfg.From, w.cfg.FullEvery = log, 3
	w.run(adsync.StateUnchanged)
	var reads []int
	for range 7 {
		_, err := w.engine().RunChanges(t.Context(), w.scope, "")
		require.NoError(t, err)
		reads = append(reads, log.reads)
	}
	require.Equal(t, []int{1, 1, 2, 2, 2, 3, 3}, reads)
	w.now = w.now.Add(7 * 24 * time.Hour)
	_, err := w.engine().RunChanges(t.Context(), w.scope, "")
	require.NoError(t, err)
	require.Equal(t, 4, log.reads, "and once a week, however seldom it runs")
}

// TestAccountExpiresBetweenRuns: an account expires without a change of it, and an incremental run notices.
func TestAccountExpiresBetweenRuns(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]directory.ChangeMode{"sequence numbers": directory.ByUSN, "DirSync": directory.DirSync} {
		e := newEstate(t, directorytest.Config{})
		e.changesMode(mode)
		var err error
		e.cfg.From, err = adsync.NewDirectory(adsync.DirectoryConfig{
			Client: e.client, Domains: []string{"corp.example.test", "partner.example.test"}, Mode: mode, Now: func() time.Time { return e.now },
		})
		require.NoError(t, err)
		g, alice, bob := e.corp.AddGroup(directorytest.Group{Name: "G"}), e.person("alice"), e.person("bob")
		expires := func(at time.Time) {
			e.corp.Set(alice, "accountExpires", fmt.Sprint((at.Unix()+11644473600)*10_000_000))
		}
		expires(e.now.Add(36 * time.Hour))
		e.corp.AddMember(g, alice)
		e.corp.AddMember(g, bob)
		e.assignNames(`GROUP CORP\G`)
		e.run(adsync.StateApplied)
		enabled := func(what string, want bool, decisions int) {
			res := e.increment(what)
			require.Len(t, slices.DeleteFunc(res.Plan.Decisions, func(d identitystore.Decision) bool { return d.Kind == "group" }), decisions, "%s, %s: not a full read", name, what)
			require.Equal(t, want, e.record(alice.GUID()).Enabled(), what)
			require.True(t, e.record(bob.GUID()).Enabled(), what)
		}
		enabled("before", true, 0)
		e.now = e.now.Add(40 * time.Hour)
		enabled("after", false, 1)
		enabled("again", false, 0)
		expires(e.now.Add(time.Hour))
		enabled("longer", true, 1)
		e.now = e.now.Add(2 * time.Hour)
		e.corp.Set(bob, "displayName", "Robert")
		enabled("with another change", false, 2)
		expires(e.now.Add(time.Hour))
		enabled("longer again", true, 1)
		e.corp.RemoveMember(g, alice)
		enabled("out of scope", true, 1)
		e.now = e.now.Add(2 * time.Hour)
		enabled("nobody looks at who is out of scope", true, 0)
		e.corp.AddMember(g, alice)
		expires(e.now.Add(10 * 24 * time.Hour)) // after the next full read
		enabled("back", true, 1)
		doc, err := e.svc.Reader().Document(t.Context(), "adsync/ad")
		require.NoError(t, err)
		require.NotContains(t, string(doc), `"expires"`, "what a full read will see need not be remembered")
	}
}

// watcher is an observer that wants to know how far a run has come.
type watcher struct {
	reads, applies [][2]int
	atApply
}

// Progress implements [adsync.ProgressObserver].
func (w *watcher) Progress(_ context.Context, _ string, s adsync.Stage, done, total int) {
	if s == adsync.StageRead {
		w.reads = append(w.reads, [2]int{done, total})
	} else {
		w.applies = append(w.applies, [2]int{done, total})
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	g := e.corp.AddGroup(directorytest.Group{Name: "G"})
	for i := range 1200 {
		e.corp.AddMember(g, e.person(fmt.Sprint("user", i)))
	}
	e.assignNames(`GROUP CORP\G`)
	seen := &watcher{atApply: func() {}}
	e.cfg.Observer = seen
	e.run(adsync.StateApplied)
	require.Equal(t, [][2]int{{500, 1201}, {1000, 1201}, {1201, 1201}}, seen.applies)
	require.NotEmpty(t, seen.reads)
	require.Equal(t, [2]int{1201, 1201}, seen.reads[len(seen.reads)-1])
	seen.reads = nil
	e.run(adsync.StateUnchanged)
	for i, r := range seen.reads {
		require.Equal(t, 1201, r[1], "as many as there were")
		require.LessOrEqual(t, r[0], r[1])
		require.True(t, i == 0 || r[0] >= seen.reads[i-1][0])
	}
}
