package adsync_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// TestScale runs one estate through a first run, a run without changes and one with a single change in a group that
// holds everybody. In the long run it has 100,000 users and 2 million memberships, and holds the goal: what a change
// costs is at most one hundredth of the first run. Its figures are in doc/results.md.
func TestScale(t *testing.T) {
	n := testscale.N(1000, 100_000)
	e := newEstate(t, directorytest.Config{})
	e.changesMode(directory.ByUSN)
	r := rand.New(rand.NewPCG(1, 2))
	var users, groups []*directorytest.Object
	var names []string
	for i := range n / 5 {
		groups = append(groups, e.corp.AddGroup(directorytest.Group{Name: fmt.Sprintf("group%05d", i)}))
		names = append(names, "GROUP "+groups[i].GUID())
	}
	for i := range n {
		users = append(users, e.person(fmt.Sprintf("user%06d", i)))
		e.corp.AddMember(groups[0], users[i])
		for range 19 {
			e.corp.AddMember(groups[r.IntN(len(groups))], users[i])
		}
	}
	e.assignNames(names...)
	took := func(what string, run func() (adsync.Result, error), want adsync.State) (adsync.Result, time.Duration) {
		began := time.Now()
		res, err := run()
		d := time.Since(began)
		require.NoError(t, err)
		require.Equal(t, want, res.State)
		t.Logf("%d users, %s: %v", n, what, d.Round(time.Millisecond))
		return res, d
	}
	full := func() (adsync.Result, error) { return e.engine().Run(t.Context(), e.scope, "") }
	changes := func() (adsync.Result, error) { return e.engine().RunChanges(t.Context(), e.scope, "") }
	res, first := took("first run", full, adsync.StateApplied)
	require.Equal(t, n, res.Counts.Users.Create)
	for i, mode := range []directory.ChangeMode{directory.ByUSN, directory.DirSync} {
		name := map[directory.ChangeMode]string{directory.ByUSN: "sequence numbers", directory.DirSync: "DirSync"}[mode]
		e.changesMode(mode)
		took("full run without changes", full, adsync.StateUnchanged)
		_, none := took(name+", incremental run without changes", changes, adsync.StateUnchanged)
		e.corp.RemoveMember(groups[0], users[7+i])
		res, one := took(name+", one member less in a group of all", changes, adsync.StateApplied)
		require.LessOrEqual(t, res.Counts.Memberships.Remove, 1)
		require.LessOrEqual(t, len(res.Plan.Decisions), 1)
		if testscale.Long() {
			require.LessOrEqual(t, max(one, none), first/100)
		}
	}
}
