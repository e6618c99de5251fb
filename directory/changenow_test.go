package directory_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// TestNowTellsWhatComes: a cursor from Now tells what happens after it, nothing before it, and costs no object read.
func TestNowTellsWhatComes(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]directory.ChangeQuery{
		"sequence numbers": {}, "DirSync": {Mode: directory.DirSync, ObjectSecurity: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := lab(t, directorytest.Config{MaxPageSize: 10})
			c := connect(t, nil, dc)
			g := dc.AddGroup(directorytest.Group{Name: "g"})
			for i := range 50 {
				dc.AddMember(g, dc.AddUser(directorytest.User{Name: fmt.Sprint("old", i)}))
			}
			q.Domain, q.Filter, q.Attributes = "corp.example.test", classes, []string{"displayName", "member"}
			at, err := c.Now(t.Context(), q)
			require.NoError(t, err)
			set, at, err := c.Changes(t.Context(), q, at)
			require.NoError(t, err)
			require.Empty(t, set.Changed)
			require.Empty(t, set.Links)
			u := dc.AddUser(directorytest.User{Name: "new"})
			dc.AddMember(g, u)
			set, _, err = c.Changes(t.Context(), q, at)
			require.NoError(t, err)
			require.Len(t, set.Changed, 2)
			if q.Mode == directory.DirSync {
				require.Len(t, set.Links, 1)
				require.Len(t, set.Links[0].Added, 1, "one member of fifty-one")
				require.Equal(t, u.GUID(), set.Links[0].Added[0].GUID)
			}
		})
	}
}

func TestNowRefuses(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{})
	c := connect(t, nil, dc)
	_, err := c.Now(t.Context(), directory.ChangeQuery{Domain: "nowhere.example.test", Filter: classes})
	require.ErrorIs(t, err, directory.ErrUnknownDomain)
	_, err = c.Now(t.Context(), directory.ChangeQuery{Domain: "corp.example.test", Filter: classes, Mode: "guess"})
	require.Error(t, err)
	_, err = c.Now(t.Context(), directory.ChangeQuery{Domain: "corp.example.test", Filter: classes, Mode: directory.DirSync})
	refused := new(directory.ResultError)
	require.ErrorAs(t, err, &refused, "the whole domain's changes need a right that this account does not have")
	// a cursor is of its own question
	at, err := c.Now(t.Context(), directory.ChangeQuery{Domain: "corp.example.test", Filter: classes})
	require.NoError(t, err)
	_, _, err = c.Changes(t.Context(), directory.ChangeQuery{Domain: "corp.example.test", Filter: classes, Attributes: []string{"mail"}}, at)
	require.ErrorIs(t, err, directory.ErrFullReadNeeded)
	dc.Stop()
	_, err = c.Now(t.Context(), directory.ChangeQuery{Domain: "corp.example.test", Filter: classes})
	require.Error(t, err)
	require.NotErrorIs(t, err, directory.ErrFullReadNeeded)
}
