package directory_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

var classes = directory.Or(directory.Eq("objectClass", "user"), directory.Eq("objectClass", "group"))

// replica applies change sets to a copy of the directory: what a synchroniser keeps.
type replica struct {
	attrs   map[string]map[string]string // GUID -> attribute -> value
	members map[string]map[string]bool   // group -> members
}

func newReplica() *replica {
	return &replica{map[string]map[string]string{}, map[string]map[string]bool{}}
}

func (r *replica) apply(set *directory.ChangeSet) {
	for _, ch := range set.Changed {
		guid := ch.Entry.GUID
		if ch.Whole || r.attrs[guid] == nil {
			r.attrs[guid] = map[string]string{}
		}
		for _, a := range []string{"mail", "displayName", "sAMAccountName"} {
			if v := ch.Entry.String(a); v != "" {
				r.attrs[guid][a] = v
			}
			if slices.ContainsFunc(ch.Cleared, func(c string) bool { return strings.EqualFold(c, a) }) {
				delete(r.attrs[guid], a)
			}
		}
		if ch.Whole && ch.Entry.Kind == directory.KindGroup {
			r.members[guid] = map[string]bool{}
			for _, m := range ch.Entry.Strings("member") {
				x, err := directory.ParseExtendedDN(m)
				if err == nil {
					r.members[guid][x.GUID] = true
				}
			}
		}
	}
	for _, l := range set.Links {
		if l.Whole || r.members[l.Group] == nil {
			r.members[l.Group] = map[string]bool{}
		}
		for _, m := range l.Added {
			r.members[l.Group][m.GUID] = true
		}
		for _, m := range l.Removed {
			delete(r.members[l.Group], m.GUID)
		}
	}
	for _, e := range set.Deleted { // a deletion does not show at the groups
		delete(r.attrs, e.GUID)
		delete(r.members, e.GUID)
		for _, m := range r.members {
			delete(m, e.GUID)
		}
	}
}

func (r *replica) String() string {
	var sb strings.Builder
	for _, g := range slices.Sorted(maps.Keys(r.attrs)) {
		fmt.Fprintln(&sb, g, r.attrs[g], slices.Sorted(maps.Keys(r.members[g])))
	}
	return sb.String()
}

// TestChanges: delta(full0, changes) = full1, for both ways to find changes and every kind of change.
func TestChanges(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]directory.ChangeMode{"uSNChanged": directory.ByUSN, "DirSync": directory.DirSync} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := small(t)
			dc.AllowReplication(dc.Find("svc-sync"))
			c := connect(t, nil, dc)
			q := directory.ChangeQuery{Mode: mode, Filter: classes, Attributes: []string{"mail", "displayName", "sAMAccountName", "member", "name", "parentGUID"}}
			r := newReplica()
			set, cursor, err := c.Changes(t.Context(), q, directory.Cursor{})
			require.NoError(t, err)
			r.apply(set)
			u := func(i int) *directorytest.Object { return dc.Find(fmt.Sprintf("u%d", i)) }
			g0, all := dc.Find("g0"), dc.Find("all")
			u0, u1, u3 := u(0), u(1), u(3)
			steps := []struct {
				name string
				do   func()
			}{
				{"nothing", func() {}},
				{"create", func() { dc.AddUser(directorytest.User{Name: "new", Mail: "new@example.com"}) }},
				{"attribute", func() { dc.Set(u0, "mail", "changed@example.com") }},
				{"clear", func() { dc.Set(u0, "mail") }},
				{"add member", func() { dc.AddMember(g0, u3) }},
				{"remove member", func() { dc.RemoveMember(all, u0) }},
				{"remove and add", func() { dc.RemoveMember(g0, u3); dc.AddMember(g0, u3) }},
				{"rename", func() { dc.Rename(u1, "Renamed, User") }},
				{"move", func() { dc.Move(u1, "Elsewhere") }},
				{"disable", func() { dc.Disable(u1, true) }},
				{"primary group", func() { dc.SetPrimaryGroup(u1, g0) }},
				{"delete user", func() { dc.Delete(u0) }},
				{"restore user", func() { dc.Restore(u0) }},
				{"delete group", func() { dc.Delete(dc.Find("g2")) }},
				{"many", func() {
					for i := range 40 {
						dc.AddMember(all, dc.AddUser(directorytest.User{Name: fmt.Sprintf("m%d", i)}))
					}
				}},
				{"recycle", func() { dc.Delete(u3); dc.Recycle(u3) }},
			}
			for _, step := range steps {
				step.do()
				text, err := directory.ParseCursor(cursor.String())
				require.NoError(t, err)
				set, cursor, err = c.Changes(t.Context(), q, text)
				require.NoError(t, err, step.name)
				r.apply(set)
				full := newReplica()
				set, _, err := c.Changes(t.Context(), q, directory.Cursor{})
				require.NoError(t, err, step.name)
				full.apply(set)
				require.Equal(t, full.String(), r.String(), step.name)
			}
			set, _, err = c.Changes(t.Context(), q, cursor)
			require.NoError(t, err)
			require.Empty(t, set.Changed, "nothing happened since")
			require.Empty(t, set.Deleted)
		})
	}
}

func TestCursorRefused(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]directory.ChangeMode{"uSNChanged": directory.ByUSN, "DirSync": directory.DirSync} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := small(t)
			dc.AllowReplication(dc.Find("svc-sync"))
			now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
			c := connect(t, func(cfg *directory.Config) { cfg.Now = func() time.Time { return now } }, dc)
			q := directory.ChangeQuery{Mode: mode, Filter: classes, Attributes: []string{"mail"}}
			_, cursor, err := c.Changes(t.Context(), q, directory.Cursor{})
			require.NoError(t, err)
			for name, other := range map[string]directory.ChangeQuery{
				"other attributes": {Mode: mode, Filter: classes, Attributes: []string{"mail", "title"}},
				"other filter":     {Mode: mode, Attributes: []string{"mail"}},
				"other domain":     {Domain: "CORP", Mode: mode, Filter: classes, Attributes: []string{"mail"}},
			} {
				_, _, err := c.Changes(t.Context(), other, cursor)
				require.ErrorIs(t, err, directory.ErrFullReadNeeded, name)
			}
			for _, text := range []string{"x", cursor.String()[1:], cursor.String() + "A", strings.Repeat("A", 100)} {
				_, err := directory.ParseCursor(text)
				require.ErrorIs(t, err, directory.ErrFullReadNeeded)
			}
			if mode == directory.DirSync {
				remove := dc.Install(directorytest.Fault{Point: directorytest.AtPage, BadCookie: true})
				_, _, err := c.Changes(t.Context(), q, cursor)
				require.ErrorIs(t, err, directory.ErrFullReadNeeded)
				remove()
			}
			dc.NewInvocation() // restored from a backup
			_, _, err = c.Changes(t.Context(), q, cursor)
			require.ErrorIs(t, err, directory.ErrFullReadNeeded)
			_, cursor, err = c.Changes(t.Context(), q, directory.Cursor{})
			require.NoError(t, err)
			now = now.Add(61 * 24 * time.Hour)
			_, _, err = c.Changes(t.Context(), q, cursor)
			require.ErrorIs(t, err, directory.ErrFullReadNeeded)
		})
	}
}

func TestDirSyncRights(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	c := connect(t, nil, dc)
	_, _, err := c.Changes(t.Context(), directory.ChangeQuery{Mode: directory.DirSync}, directory.Cursor{})
	require.ErrorIs(t, err, directory.ErrAccess)
	_, _, err = c.Changes(t.Context(), directory.ChangeQuery{Mode: directory.DirSync, ObjectSecurity: true}, directory.Cursor{})
	require.NoError(t, err)
	_, _, err = c.Changes(t.Context(), directory.ChangeQuery{Mode: "other"}, directory.Cursor{})
	require.Error(t, err)
}
