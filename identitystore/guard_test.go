package identitystore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
)

func losing(users, memberships int) *identitystore.Plan {
	p := &identitystore.Plan{}
	for i := range users {
		p.Objects = append(p.Objects, identitystore.PlanObject{Op: identitystore.PlanRemove, Kind: identitystore.PlanUser, Key: fmt.Sprint("u", i)})
	}
	for i := range memberships {
		p.Members = append(p.Members, identitystore.PlanMember{Op: identitystore.PlanRemove, Group: "g", User: fmt.Sprint("u", i)})
	}
	return p
}

func TestGuardRemovals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		guard              identitystore.Guard
		held               int
		users, memberships int
		stopped            bool
	}{
		"below the floor":           {held: 3, users: 3, memberships: 7},
		"over the floor":            {held: 30, users: 4, memberships: 7, stopped: true},
		"20 percent exactly":        {held: 1000, users: 100, memberships: 100},
		"over 20 percent":           {held: 1000, users: 100, memberships: 101, stopped: true},
		"500 of many":               {held: 100_000, users: 500},
		"501 of many":               {held: 100_000, users: 1, memberships: 500, stopped: true},
		"raised":                    {guard: identitystore.Guard{MaxRemovals: 5000}, held: 100_000, users: 5000},
		"exact limit":               {guard: identitystore.Guard{Exact: true, MaxRemovals: 3}, held: 9, users: 3},
		"over the exact limit":      {guard: identitystore.Guard{Exact: true, MaxRemovals: 3}, held: 100_000, users: 4, stopped: true},
		"exact zero":                {guard: identitystore.Guard{Exact: true}, held: 100_000, memberships: 1, stopped: true},
		"exact zero, nothing to do": {guard: identitystore.Guard{Exact: true}, held: 100_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := c.guard.Check(losing(c.users, c.memberships), identitystore.Holdings{Users: c.held, GroupSize: map[string]int{"g": 10_000}})
			require.Equal(t, c.stopped, identitystore.Held(f), f)
			for _, x := range f {
				require.Equal(t, identitystore.RuleRemovals, x.Rule)
				require.LessOrEqual(t, len(x.Examples), 20)
				require.Contains(t, x.String(), "limit")
			}
		})
	}
}

func TestGuardFoundNone(t *testing.T) {
	t.Parallel()
	p := &identitystore.Plan{FoundNone: true}
	require.True(t, identitystore.Held(identitystore.Guard{Exact: true, MaxRemovals: 1 << 30}.Check(p, identitystore.Holdings{})))
}

func TestGuardWarnings(t *testing.T) {
	t.Parallel()
	held := identitystore.Holdings{Users: 40, Memberships: 10_000, GroupSize: map[string]int{"g": 21}}
	f := identitystore.Guard{}.Check(losing(0, 11), held)
	require.Len(t, f, 1)
	require.Equal(t, identitystore.RuleGroupLoss, f[0].Rule)
	require.False(t, identitystore.Held(f))
	require.True(t, identitystore.Held(identitystore.Guard{HoldGroupLoss: true}.Check(losing(0, 11), held)))
	require.Empty(t, identitystore.Guard{}.Check(losing(0, 9), held))

	p := &identitystore.Plan{}
	for i := range 11 {
		p.Objects = append(p.Objects, identitystore.PlanObject{
			Op: identitystore.PlanUpdate, Kind: identitystore.PlanUser, Key: fmt.Sprint(i),
			Fields: []identitystore.FieldChange{{Path: "userName", Old: "a", New: "b"}},
		})
	}
	f = identitystore.Guard{}.Check(p, held)
	require.Len(t, f, 1)
	require.Equal(t, identitystore.RuleRenames, f[0].Rule)
	require.False(t, f[0].Holds)
	require.True(t, identitystore.Held(identitystore.Guard{HoldRenames: true}.Check(p, held)))
}
