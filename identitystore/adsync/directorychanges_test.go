package adsync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// changesMode switches the estate's source to a way of telling changes.
func (e *estate) changesMode(mode directory.ChangeMode) {
	e.t.Helper()
	var err error
	e.cfg.From, err = adsync.NewDirectory(adsync.DirectoryConfig{Client: e.client, Domains: []string{"corp.example.test", "partner.example.test"}, Mode: mode})
	require.NoError(e.t, err)
	for _, dc := range []*directorytest.DC{e.corp, e.partner} {
		dc.AllowReplication(dc.Find("svc-sync"))
	}
}

// increment runs on changes and wants that a full run finds nothing left to do.
func (e *estate) increment(what string) adsync.Result {
	e.t.Helper()
	res, err := e.engine().RunChanges(e.t.Context(), e.scope, "")
	require.NoError(e.t, err, what)
	full, err := e.engine().Plan(e.t.Context(), e.scope)
	require.NoError(e.t, err, what)
	require.Equal(e.t, adsync.StateUnchanged, full.State, "%s: %+v", what, full.Plan)
	return res
}

// wholeLists is a directory whose servers refuse the DirSync control.
type wholeLists struct {
	*directory.Client
	refused atomic.Int64
}

// Now implements [adsync.ChangeReader].
func (w *wholeLists) Now(ctx context.Context, q directory.ChangeQuery) (directory.Cursor, error) {
	if q.Mode == directory.DirSync {
		w.refused.Add(1)
		return directory.Cursor{}, &directory.ResultError{Code: 12}
	}
	return w.Client.Now(ctx, q)
}

func TestDirectoryChanges(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]directory.ChangeMode{"sequence numbers": directory.ByUSN, "sequence numbers, whole lists": directory.ByUSN, "DirSync": directory.DirSync} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, directorytest.Config{MaxPageSize: 20, MaxValRange: 15})
			e.changesMode(mode)
			if strings.HasSuffix(name, "whole lists") {
				client := &wholeLists{Client: e.client}
				from, err := adsync.NewDirectory(adsync.DirectoryConfig{Client: client, Domains: []string{"corp.example.test", "partner.example.test"}})
				require.NoError(t, err)
				e.cfg.From = from
				t.Cleanup(func() { require.Positive(t, client.refused.Load()) })
			}
			e.cfg.Guard = identitystore.Guard{Exact: true, MaxRemovals: 1000}
			top, mid, low := e.corp.AddGroup(directorytest.Group{Name: "top"}), e.corp.AddGroup(directorytest.Group{Name: "mid"}), e.corp.AddGroup(directorytest.Group{Name: "low"})
			var users []*directorytest.Object
			for i := range 40 {
				users = append(users, e.person(fmt.Sprintf("user%02d", i)))
				e.corp.AddMember(low, users[i])
			}
			e.corp.AddMember(top, mid)
			e.corp.AddMember(mid, low)
			e.assignNames(`GROUP CORP\top`, "USER user00@example.com")
			e.run(adsync.StateApplied)
			before := e.counts()
			require.Equal(t, 120, before.Memberships)
			require.Equal(t, adsync.StateUnchanged, e.increment("nothing").State)
			steps := []struct {
				what string
				do   func()
			}{
				{"a member leaves", func() { e.corp.RemoveMember(low, users[1]) }},
				{"a member comes", func() { e.corp.AddMember(low, users[1]) }},
				{"a new user", func() { e.corp.AddMember(mid, e.person("late")) }},
				{"rename", func() {
					e.corp.Rename(users[2], "Other Name")
					e.corp.Set(users[2], "userPrincipalName", "other@example.com")
				}},
				{"disable", func() { e.corp.Disable(users[3], true) }},
				{"delete", func() { e.corp.Delete(users[4]) }},
				{"restore", func() { e.corp.Restore(users[4]); e.corp.AddMember(low, users[4]) }},
				{"move", func() { e.corp.Move(users[5], "Users") }},
				{"primary group", func() { e.corp.SetPrimaryGroup(users[6], mid) }},
				{"nest edge goes", func() { e.corp.RemoveMember(mid, low) }},
				{"nest edge comes", func() { e.corp.AddMember(top, low) }},
				{"cycle", func() { e.corp.AddMember(low, top) }},
				{"group deleted", func() { e.corp.Delete(mid) }},
				{"attribute cleared", func() { e.corp.Set(users[7], "displayName") }},
				{"new group with members", func() {
					g := e.corp.AddGroup(directorytest.Group{Name: "fresh"})
					e.corp.AddMember(g, e.person("freshman"))
					e.corp.AddMember(g, users[8])
					e.corp.AddMember(low, g)
				}},
				{"a computer", func() { e.corp.AddMember(low, e.corp.AddUser(directorytest.User{Name: "pc$", Class: "computer"})) }},
				{"from elsewhere", func() { e.corp.AddMember(low, e.partner.AddUser(directorytest.User{Name: "stranger"})) }},
				{"elsewhere changes", func() { e.partner.Disable(e.partner.Find("stranger"), true) }},
				{"group renamed", func() { e.corp.Set(top, "sAMAccountName", "summit") }},
				{"database restored", func() { e.corp.NewInvocation(); e.corp.Disconnect(); e.corp.RemoveMember(low, users[9]) }},
			}
			for _, s := range steps {
				s.do()
				e.increment(s.what)
			}
			r := rand.New(rand.NewPCG(3, 4))
			groups := []*directorytest.Object{top, low, e.corp.Find("fresh")}
			for i := range 30 {
				g, u := groups[r.IntN(len(groups))], users[r.IntN(len(users))]
				if !e.corp.RemoveMember(g, u) {
					e.corp.AddMember(g, u)
				}
				e.increment(fmt.Sprint("random ", i))
			}
		})
	}
}

// TestScenarioT04T07ChangesSurviveAnOutage: a mark is used again until its answer was applied.
func TestScenarioT04T07ChangesSurviveAnOutage(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	g, alice := e.corp.AddGroup(directorytest.Group{Name: "G"}), e.person("alice")
	e.corp.AddMember(g, alice)
	e.assignNames(`GROUP CORP\G`)
	e.run(adsync.StateApplied)
	e.corp.AddMember(g, e.person("bob"))
	e.corp.Stop()
	res, err := e.engine().RunChanges(t.Context(), e.scope, "")
	require.Error(t, err)
	require.Equal(t, adsync.StateFailed, res.State)
	require.NoError(t, e.corp.Resume())
	e.corp.RemoveMember(g, alice)
	res = e.increment("after the outage")
	require.Equal(t, identitystore.MemberCounts{Add: 1, Remove: 1}, res.Counts.Memberships)
}

// plainNames is a directory whose servers name members without objectGUID.
type plainNames struct{ *directory.Client }

// Changes implements [adsync.ChangeReader].
func (p plainNames) Changes(ctx context.Context, q directory.ChangeQuery, from directory.Cursor) (*directory.ChangeSet, directory.Cursor, error) {
	set, next, err := p.Client.Changes(ctx, q, from)
	for i := range set.Links {
		for _, list := range [][]directory.ExtendedDN{set.Links[i].Added, set.Links[i].Removed} {
			for j := range list {
				list[j].GUID = ""
			}
		}
	}
	return set, next, err
}

// refusing is a directory that takes the right to ask for changed members away.
type refusing struct {
	*directory.Client
	now atomic.Bool
}

// Changes implements [adsync.ChangeReader].
func (r *refusing) Changes(ctx context.Context, q directory.ChangeQuery, from directory.Cursor) (*directory.ChangeSet, directory.Cursor, error) {
	if r.now.Load() && q.Mode == directory.DirSync {
		return nil, directory.Cursor{}, &directory.ResultError{Code: 50}
	}
	return r.Client.Changes(ctx, q, from)
}

// Now implements [adsync.ChangeReader].
func (r *refusing) Now(ctx context.Context, q directory.ChangeQuery) (directory.Cursor, error) {
	if r.now.Load() && q.Mode == directory.DirSync {
		return directory.Cursor{}, &directory.ResultError{Code: 50}
	}
	return r.Client.Now(ctx, q)
}

// TestFullReadWhereChangesAreNotEnough: whatever cannot be told exactly is read.
func TestFullReadWhereChangesAreNotEnough(t *testing.T) {
	t.Parallel()
	names := []string{"corp.example.test", "partner.example.test"}
	var takeAway func()
	for name, c := range map[string]struct {
		source func(e *estate) adsync.DirectoryConfig
		change func(e *estate, g *directorytest.Object)
	}{
		"members without objectGUID": {
			func(e *estate) adsync.DirectoryConfig {
				return adsync.DirectoryConfig{Client: plainNames{e.client}, Domains: names}
			},
			func(e *estate, g *directorytest.Object) { e.corp.AddMember(g, e.person("late")) },
		},
		"a right is taken away": {
			func(e *estate) adsync.DirectoryConfig {
				r := &refusing{Client: e.client}
				takeAway = func() { r.now.Store(true) }
				return adsync.DirectoryConfig{Client: r, Domains: names}
			},
			func(e *estate, g *directorytest.Object) { takeAway(); e.corp.AddMember(g, e.person("late")) },
		},
		"a member from elsewhere": {
			func(e *estate) adsync.DirectoryConfig {
				return adsync.DirectoryConfig{Client: e.client, Domains: names}
			},
			func(e *estate, g *directorytest.Object) {
				e.corp.AddMember(g, e.corp.AddForeign(e.partner.AddUser(directorytest.User{Name: "stranger"}).SID()))
			},
		},
		"a domain is not configured any more": {
			func(e *estate) adsync.DirectoryConfig {
				return adsync.DirectoryConfig{Client: e.client, Domains: names}
			},
			func(e *estate, _ *directorytest.Object) {
				var err error
				e.cfg.From, err = adsync.NewDirectory(adsync.DirectoryConfig{Client: e.client, Domains: names[:1]})
				require.NoError(e.t, err)
			},
		},
	} {
		e := newEstate(t, directorytest.Config{})
		g := e.corp.AddGroup(directorytest.Group{Name: "G"})
		for i := range 8 {
			e.corp.AddMember(g, e.person(fmt.Sprint("user", i)))
		}
		var err error
		e.cfg.From, err = adsync.NewDirectory(c.source(e))
		require.NoError(t, err)
		e.assignNames(`GROUP CORP\G`)
		e.run(adsync.StateApplied)
		require.Empty(t, e.increment(name).Plan.Decisions, "nothing happened")
		c.change(e, g)
		require.GreaterOrEqual(t, len(e.increment(name).Plan.Decisions), 9, "%s: everything was read", name)
	}
}
