package adsync_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// migrated makes a world in which a user and a group were moved to another forest: new objects with the former SIDs in
// their history. The old ones are gone, or stay behind out of scope.
func migrated(t *testing.T, option, stay bool) (w *world, oldUser, oldGroup, newUser, newGroup, userID, groupID string) {
	t.Helper()
	w = newWorld(t)
	w.cfg.LinkBySIDHistory = option
	oldGroup, oldUser = w.group("g"), w.user("u")
	other := w.user("other")
	w.put(oldGroup, oldUser, other)
	w.assign(oldGroup, other)
	w.run(adsync.StateApplied)
	userID, groupID = w.record(oldUser).ID, w.groupRecord(oldGroup).ID
	newGroup, newUser = w.group("newg"), w.user("newu")
	w.put(newGroup, newUser)
	w.objects[newUser].SIDHistory = []string{"S-1-5-21-7-7-7-1", w.objects[oldUser].SID}
	w.objects[newGroup].SIDHistory = []string{w.objects[oldGroup].SID}
	if !stay {
		w.remove(oldUser)
		w.remove(oldGroup)
	}
	w.assign(newGroup, other)
	return w, oldUser, oldGroup, newUser, newGroup, userID, groupID
}

func TestLinkBySIDHistory(t *testing.T) {
	t.Parallel()
	for name, stay := range map[string]bool{"old objects are deleted": false, "old objects stay behind": true} {
		w, oldUser, oldGroup, newUser, newGroup, userID, groupID := migrated(t, true, stay)
		w.run(adsync.StateApplied)
		require.Equal(t, userID, w.record(newUser).ID, name)
		require.Equal(t, groupID, w.groupRecord(newGroup).ID, name)
		require.Nil(t, w.record(oldUser), name)
		require.Nil(t, w.groupRecord(oldGroup), name)
		require.Equal(t, []string{"newg"}, w.groupsOf(newUser), name)
		require.Equal(t, newUser, w.record(newUser).ExternalID(adsync.DefaultSource), name)
		require.Equal(t, w.objects[newUser].SID, w.record(newUser).Link.SID, name)
		w.run(adsync.StateUnchanged)
		w.cfg.LinkBySIDHistory = false
		w.run(adsync.StateUnchanged)
	}
}

func TestLinkBySIDHistoryOfATombstone(t *testing.T) {
	t.Parallel()
	w, oldUser, _, newUser, newGroup, userID, _ := migrated(t, true, false)
	late := w.user("late")
	w.assign(late) // a run between: the old records are tombstones then
	held, err := w.engine().Plan(t.Context(), w.scope)
	require.NoError(t, err)
	_, err = w.engine().Run(t.Context(), w.scope, held.PlanHash)
	require.NoError(t, err)
	require.Equal(t, identitystore.StateTombstone, w.record(oldUser).Link.State)
	w.assign(newGroup, late)
	w.run(adsync.StateApplied)
	require.Equal(t, userID, w.record(newUser).ID)
	require.Equal(t, []string{"newg"}, w.groupsOf(newUser))
	w.run(adsync.StateUnchanged)
}

// TestSIDHistoryLinksNobody: without the option, and wherever it is not clear who is meant, a new object is a new record.
func TestSIDHistoryLinksNobody(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, oldUser, newUser, newGroup string){
		"the option is off":                func(w *world, _, _, _ string) { w.cfg.LinkBySIDHistory = false },
		"the old object is still in scope": func(w *world, oldUser, _, newGroup string) { w.put(newGroup, oldUser) },
		"two objects claim the record": func(w *world, oldUser, _, newGroup string) {
			twin := w.user("twin")
			w.objects[twin].SIDHistory = []string{w.objects[oldUser].SID}
			w.put(newGroup, twin)
		},
		"a group claims a user": func(w *world, oldUser, newUser, newGroup string) {
			w.objects[newGroup].SIDHistory, w.objects[newUser].SIDHistory = []string{w.objects[oldUser].SID}, nil
		},
		"the record of a user who was known": func(w *world, oldUser, newUser, _ string) {
			w.objects[newUser].SIDHistory = []string{"S-1-5-21-8-8-8-8"}
		},
	} {
		w, oldUser, _, newUser, newGroup, userID, _ := migrated(t, true, true)
		change(w, oldUser, newUser, newGroup)
		w.run(adsync.StateApplied)
		require.NotEqual(t, userID, w.record(newUser).ID, name)
		require.Equal(t, userID, w.record(oldUser).ID, name)
		w.run(adsync.StateUnchanged)
	}
}

// TestLinkBySIDHistoryIncremental: an incremental run leaves who may take over a record to a full one.
func TestLinkBySIDHistoryIncremental(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.LinkBySIDHistory = true
	log := newChangeLog(w.forest, 5)
	w.cfg.From = log
	g, u := w.group("g"), w.user("u")
	w.put(g, u)
	w.assign(g)
	w.run(adsync.StateApplied)
	id := w.record(u).ID
	n := w.user("n")
	w.objects[n].SIDHistory = []string{w.objects[u].SID}
	w.remove(u)
	w.put(g, n)
	_, err := w.engine().RunChanges(t.Context(), w.scope, "")
	require.NoError(t, err)
	require.Equal(t, id, w.record(n).ID)
	require.Equal(t, []string{"g"}, w.groupsOf(n))
}
