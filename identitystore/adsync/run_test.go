package adsync_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// TestFirstRun follows one user of a nested group through a first run, and a second one that has nothing to do.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.user("alice"), w.user("bob")
	eng, platform, sre := w.group("Engineering"), w.group("Platform"), w.group("SRE")
	w.put(eng, platform)
	w.put(platform, sre)
	w.put(sre, alice)
	w.assign(eng, bob)
	plan, err := w.engine().Plan(t.Context(), w.scope)
	require.NoError(t, err)
	require.Equal(t, adsync.StatePlanned, plan.State)
	require.Zero(t, w.counts())
	res := w.run(adsync.StateApplied)
	require.Equal(t, plan.PlanHash, res.PlanHash)
	require.Equal(t, identitystore.PlanCounts{
		Users: identitystore.ObjectCounts{Create: 2}, Groups: identitystore.ObjectCounts{Create: 3}, Memberships: identitystore.MemberCounts{Add: 3},
	}, res.Counts)
	require.Equal(t, []string{"Engineering:3", "Platform:2", "SRE"}, w.groupsOf(alice))
	require.Empty(t, w.groupsOf(bob))
	u := w.record(alice)
	require.Equal(t, "alice@corp.example.test", u.UserName)
	require.Equal(t, "Alice", u.DisplayName)
	require.Equal(t, "alice@corp.example.test", u.Email())
	require.Equal(t, alice, u.ExternalID(adsync.DefaultSource))
	require.True(t, u.Link.InScope())
	require.True(t, u.Enabled())
	require.Equal(t, []string{"displayName", "emails.value", "externalIds", "name.familyName", "name.givenName", "name.middleName", "userName", "userStatus"}, u.Link.Owned)

	seq := w.lastSeq()
	res = w.run(adsync.StateUnchanged)
	require.True(t, res.Plan.Empty())
	require.Equal(t, seq, w.lastSeq(), "a run without changes makes no events")
}

// TestScenarioN is the flattening area of the shared scenarios.
func TestScenarioN01NestedThreeDeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c, u := w.group("A"), w.group("B"), w.group("C"), w.user("u")
	w.put(a, b)
	w.put(b, c)
	w.put(c, u)
	w.assign(a)
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"A:3", "B:2", "C"}, w.groupsOf(u))
	for _, g := range []string{a, b, c} {
		require.NotNil(t, w.groupRecord(g))
	}
}

func TestScenarioN02Cycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, ua, ub := w.group("A"), w.group("B"), w.user("a"), w.user("b")
	w.put(a, b, ua, a)
	w.put(b, a, ub)
	w.assign(a)
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"A", "B:2"}, w.groupsOf(ua))
	require.Equal(t, []string{"A:2", "B"}, w.groupsOf(ub))
	w.run(adsync.StateUnchanged)
}

func TestScenarioN04Diamond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c, d, u := w.group("A"), w.group("B"), w.group("C"), w.group("D"), w.user("u")
	w.put(a, b, c)
	w.put(b, d)
	w.put(c, d)
	w.put(d, u)
	w.assign(a)
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"A:3", "B:2", "C:2", "D"}, w.groupsOf(u))
	w.take(c, d)
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.MemberCounts{Remove: 1}, res.Counts.Memberships)
	require.Equal(t, []string{"A:3", "B:2", "D"}, w.groupsOf(u))
}

func TestScenarioN06N07PrimaryGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, q, u := w.group("P"), w.group("Q"), w.user("u")
	w.members[p] = map[string]string{u: "primary"}
	w.assign(p, q)
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"P"}, w.groupsOf(u))
	// the directory itself then lists the user in the member attribute of the old primary group
	w.members[p] = map[string]string{u: "member"}
	w.members[q] = map[string]string{u: "primary"}
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"P", "Q"}, w.groupsOf(u))
	w.take(p, u)
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"Q"}, w.groupsOf(u))
}

func TestScenarioN08ForeignMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, u := w.group("G"), w.user("partner")
	w.members[g] = map[string]string{u: "foreign"}
	w.assign(g)
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"G"}, w.groupsOf(u))
}

func TestScenarioN12DeepChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user("u")
	const depth = 200
	below := u
	for range depth {
		g := w.group("g")
		w.objects[g].Name = "g" + g[:8] + "@corp.example.test"
		w.put(g, below)
		below = g
	}
	w.assign(below)
	w.run(adsync.StateApplied)
	require.Len(t, w.groupsOf(u), depth)
}

func TestScenarioN15DirectOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(identitystore.Config{DirectOnly: true})
	w.cfg.DirectOnly = true
	a, b, u := w.group("A"), w.group("B"), w.user("u")
	w.put(a, b)
	w.put(b, u)
	w.assign(a)
	w.run(adsync.StateApplied)
	require.Equal(t, []string{"B"}, w.groupsOf(u))
	w.run(adsync.StateUnchanged)
}

func TestScenarioS01NewlyAssigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, u := w.group("A"), w.group("B"), w.user("u")
	w.put(a, b)
	w.put(b, u)
	w.assign()
	w.run(adsync.StateUnchanged)
	w.assign(a)
	w.run(adsync.StateApplied)
	events, err := w.store.Events(t.Context(), w.svc.Tenant(), 0, 100)
	require.NoError(t, err)
	for _, e := range events {
		require.Equal(t, events[0].Txn, e.Txn, "everything appears in one commit")
	}
}

func TestScenarioS03DirectAndByGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, u := w.group("A"), w.user("u")
	w.put(a, u)
	w.assign(a, u)
	w.run(adsync.StateApplied)
	w.assign(u)
	w.run(adsync.StateApplied)
	require.True(t, w.record(u).Link.InScope())
	require.Empty(t, w.groupsOf(u))
	require.False(t, w.groupRecord(a).Link.InScope())
}

func TestScenarioD06D07LeavesTheScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, u, v := w.group("A"), w.user("u"), w.user("v")
	w.put(a, u, v)
	w.assign(a)
	w.run(adsync.StateApplied)
	id := w.record(u).ID
	w.take(a, u)
	w.objects[u].Attributes["name"] = "New Name"
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.ObjectCounts{Update: 1}, res.Counts.Users)
	r := w.record(u)
	require.Equal(t, id, r.ID)
	require.Equal(t, identitystore.StateUnscoped, r.Link.State)
	require.Equal(t, "U", r.DisplayName, "no longer updated")
	require.True(t, r.Enabled())
	require.Empty(t, w.groupsOf(u))
	w.run(adsync.StateUnchanged)
	w.put(a, u)
	w.run(adsync.StateApplied)
	require.Equal(t, id, w.record(u).ID)
	require.Equal(t, "New Name", w.record(u).DisplayName)
	require.Equal(t, []string{"A"}, w.groupsOf(u))
}

func TestScenarioD01D02DeletedAndRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, u, v := w.group("A"), w.user("u"), w.user("v")
	w.put(a, u, v)
	w.assign(a)
	w.run(adsync.StateApplied)
	id := w.record(u).ID
	saved := *w.objects[u]
	w.remove(u)
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.ObjectCounts{Remove: 1}, res.Counts.Users)
	require.Equal(t, 1, res.Counts.Memberships.Remove)
	require.Equal(t, identitystore.StateTombstone, w.record(u).Link.State)
	_, err := w.svc.UserByName(t.Context(), "u@corp.example.test")
	require.ErrorIs(t, err, identitystore.ErrNotFound)
	w.run(adsync.StateUnchanged)

	w.objects[u] = &saved
	delete(w.gone, u)
	w.put(a, u)
	res = w.run(adsync.StateApplied)
	require.Equal(t, identitystore.ObjectCounts{Create: 1}, res.Counts.Users)
	require.Equal(t, id, w.record(u).ID)
	require.Equal(t, []string{"A"}, w.groupsOf(u))
}

func TestScenarioD04Disabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, u := w.group("A"), w.user("u")
	w.put(a, u)
	w.assign(a)
	w.run(adsync.StateApplied)
	w.objects[u].Disabled = true
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.ObjectCounts{Update: 1}, res.Counts.Users)
	require.False(t, w.record(u).Enabled())
	require.Equal(t, []string{"A"}, w.groupsOf(u), "the memberships stay")
	w.objects[u].Disabled = false
	w.run(adsync.StateApplied)
	require.True(t, w.record(u).Enabled())
}

func TestRecreatedObjectGetsANewID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, u, v := w.group("A"), w.user("u"), w.user("v")
	w.put(a, u, v)
	w.assign(a)
	w.run(adsync.StateApplied)
	id := w.record(u).ID
	w.remove(u)
	again := w.user("u")
	w.put(a, again)
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.ObjectCounts{Create: 1, Remove: 1}, res.Counts.Users)
	require.NotEqual(t, id, w.record(again).ID)
	require.Equal(t, "u@corp.example.test", w.record(again).UserName)
}

func TestScenarioR01R02RenameAndMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, u := w.group("A"), w.user("u")
	w.put(a, u)
	w.assign(a)
	w.run(adsync.StateApplied)
	before := w.record(u)
	o := w.objects[u]
	o.Name, o.DN = "renamed@corp.example.test", "CN=renamed,OU=Elsewhere,DC=corp,DC=example,DC=test"
	o.Attributes["email"] = o.Name
	res := w.run(adsync.StateApplied)
	require.Equal(t, identitystore.ObjectCounts{Update: 1}, res.Counts.Users)
	after := w.record(u)
	require.Equal(t, before.ID, after.ID)
	require.Equal(t, before.ExternalID(adsync.DefaultSource), after.ExternalID(adsync.DefaultSource))
	require.Equal(t, "renamed@corp.example.test", after.UserName)
	require.Equal(t, before.Rev+1, after.Rev)
	o.DN = "CN=renamed,OU=Again,DC=corp,DC=example,DC=test"
	w.run(adsync.StateApplied)
	require.Equal(t, before.ID, w.record(u).ID)
	require.Equal(t, o.DN, w.record(u).Link.DN)
	require.Equal(t, after.Rev, w.record(u).Rev, "nobody sees the place")
}

func TestScenarioR03MigratedWithinTheForest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, u := w.group("A"), w.user("u")
	w.put(a, u)
	w.assign(a)
	w.run(adsync.StateApplied)
	id, old := w.record(u).ID, w.objects[u].SID
	w.objects[u].SIDHistory, w.objects[u].SID = []string{old}, "S-1-5-21-9-9-9-1105"
	w.run(adsync.StateApplied)
	require.Equal(t, id, w.record(u).ID)
	require.Equal(t, "S-1-5-21-9-9-9-1105", w.record(u).Link.SID)
	require.Equal(t, []string{old}, w.record(u).Link.SIDHistory)
	w.run(adsync.StateUnchanged)
}
