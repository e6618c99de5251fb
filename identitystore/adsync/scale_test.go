package adsync_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

func TestScaleX(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SCALE"))
	if n == 0 {
		t.Skip()
	}
	e := newEstate(t, directorytest.Config{})
	r := rand.New(rand.NewPCG(1, 2))
	var users, groups []*directorytest.Object
	t0 := time.Now()
	for i := range n {
		users = append(users, e.person(fmt.Sprintf("user%06d", i)))
	}
	var names []string
	for i := range n / 5 {
		g := e.corp.AddGroup(directorytest.Group{Name: fmt.Sprintf("group%05d", i)})
		groups = append(groups, g)
		names = append(names, "GROUP "+g.GUID())
	}
	for _, u := range users {
		for range 20 {
			e.corp.AddMember(groups[r.IntN(len(groups))], u)
		}
	}
	for _, u := range users {
		e.corp.AddMember(groups[0], u)
	}
	t.Log("provision", time.Since(t0))
	e.assignNames(names...)
	t0 = time.Now()
	snap, err := e.cfg.From.Read(t.Context(), e.scope)
	require.NoError(t, err)
	t.Log("read", time.Since(t0), len(snap.Objects), len(snap.Edges))
	t0 = time.Now()
	res := e.run(adsync.StateApplied)
	t.Log("first", time.Since(t0), res.Counts)
	t0 = time.Now()
	e.run(adsync.StateUnchanged)
	t.Log("no change", time.Since(t0))
	e.corp.RemoveMember(groups[0], users[5])
	t0 = time.Now()
	e.run(adsync.StateApplied)
	t.Log("one change", time.Since(t0))
}
