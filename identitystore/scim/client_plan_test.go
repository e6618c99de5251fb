package scim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

const (
	guidAlice = "00000000-0000-4000-8000-00000000000a"
	guidBob   = "00000000-0000-4000-8000-00000000000b"
	guidOps   = "00000000-0000-4000-8000-0000000000f1"
)

func change(path, from, to string) identitystore.FieldChange {
	return identitystore.FieldChange{Path: path, Old: from, New: to}
}

// syncPlan is what a first synchronisation plans: two users in one group.
func syncPlan() *identitystore.Plan {
	user := func(key, name string) identitystore.PlanObject {
		return identitystore.PlanObject{Op: identitystore.PlanCreate, Kind: identitystore.PlanUser, Key: key, Name: name, Fields: []identitystore.FieldChange{
			change("userName", "", name), change("displayName", "", "D "+name), change("name.givenName", "", "G"), change("name.familyName", "", "F"),
			change("emails.value", "", name+"@example.com"), change("userStatus", "", "ENABLED"), change("link.dn", "", "CN="+name), change("link.state", "", "active"),
		}}
	}
	p := &identitystore.Plan{
		Tenant: identitystore.DefaultTenant, Source: "ad",
		Objects: []identitystore.PlanObject{
			user(guidAlice, "alice"), user(guidBob, "bob"),
			{Op: identitystore.PlanCreate, Kind: identitystore.PlanGroup, Key: guidOps, Name: "ops", Fields: []identitystore.FieldChange{change("displayName", "", "ops"), change("link.sid", "", "S-1-5-21-1-2-3-4")}},
		},
		Members: []identitystore.PlanMember{{Op: identitystore.PlanAdd, Group: guidOps, User: guidAlice}, {Op: identitystore.PlanAdd, Group: guidOps, User: guidBob}},
		Edges:   []identitystore.PlanEdge{{Op: identitystore.PlanAdd, Parent: guidOps, Child: guidAlice, Via: "member"}},
	}
	p.Sort()
	return p
}

func TestPushPlan(t *testing.T) {
	t.Parallel()
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		s := newService(t, profile)
		c := s.client(t, scim.ClientConfig{Profile: profile})
		push := func(p *identitystore.Plan, opt scim.PushOptions) *scim.PushReport {
			t.Helper()
			r, err := c.PushPlan(t.Context(), p, opt)
			require.NoError(t, err)
			require.NoError(t, r.Err())
			return r
		}
		r := push(syncPlan(), scim.PushOptions{})
		require.Equal(t, map[scim.Outcome]int{scim.Created: 3}, r.Counts())
		got := s.state(t)
		require.ElementsMatch(t, []scim.PushUser{
			{UserName: "alice", ExternalID: guidAlice, DisplayName: "D alice", GivenName: "G", FamilyName: "F", Email: "alice@example.com", Active: true},
			{UserName: "bob", ExternalID: guidBob, DisplayName: "D bob", GivenName: "G", FamilyName: "F", Email: "bob@example.com", Active: true},
		}, got.Users)
		require.Equal(t, guidOps, got.Groups[0].ExternalID)
		require.ElementsMatch(t, []string{"alice", "bob"}, got.Groups[0].Members)

		// the same plan again writes memberships only, which change nothing
		s.writes()
		r = push(syncPlan(), scim.PushOptions{})
		require.Equal(t, map[scim.Outcome]int{scim.Unchanged: 2, scim.Updated: 1}, r.Counts())
		require.Equal(t, []string{"PATCH " + path(t, s)}, s.writes())

		// renamed, disabled, out of the group, deleted
		next := &identitystore.Plan{Objects: []identitystore.PlanObject{
			{Op: identitystore.PlanRemove, Kind: identitystore.PlanUser, Key: guidBob, Name: "bob"},
			{Op: identitystore.PlanUpdate, Kind: identitystore.PlanUser, Key: guidAlice, Name: "alice.b", Fields: []identitystore.FieldChange{
				change("userName", "alice", "alice.b"), change("userStatus", "ENABLED", "DISABLED"), change("emails.value", "alice@example.com", ""), change("link.dn", "a", "b"),
			}},
		}, Members: []identitystore.PlanMember{{Op: identitystore.PlanRemove, Group: guidOps, User: guidBob}, {Op: identitystore.PlanUpdate, Group: guidOps, User: guidAlice}}}
		next.Sort()
		kept := push(next, scim.PushOptions{})
		require.Equal(t, map[scim.Outcome]int{scim.Updated: 2, scim.Skipped: 1}, kept.Counts(), "users are removed only when asked")
		r = push(next, scim.PushOptions{Users: scim.DeactivateUsers})
		require.Equal(t, map[scim.Outcome]int{scim.Unchanged: 1, scim.Updated: 1, scim.Deactivated: 1}, r.Counts())
		u, err := s.svc.UserByName(t.Context(), "bob")
		require.NoError(t, err)
		require.False(t, u.Enabled())
		push(next, scim.PushOptions{Users: scim.DeleteUsers})
		r = push(next, scim.PushOptions{Users: scim.DeleteUsers})
		require.Equal(t, 1, r.Counts()[scim.Deleted], "what is gone already is done")
		requireState(t, scim.State{
			Users:  []scim.PushUser{{UserName: "alice.b", ExternalID: guidAlice, DisplayName: "D alice", GivenName: "G", FamilyName: "F"}},
			Groups: []scim.PushGroup{{DisplayName: "ops", ExternalID: guidOps, Members: []string{"alice.b"}}},
		}, s.state(t))

		gone := &identitystore.Plan{Objects: []identitystore.PlanObject{{Op: identitystore.PlanRemove, Kind: identitystore.PlanGroup, Key: guidOps, Name: "ops"}}}
		push(gone, scim.PushOptions{})
		require.Len(t, s.state(t).Groups, 1)
		push(gone, scim.PushOptions{RemoveGroups: true})
		require.Empty(t, s.state(t).Groups)
	}
}

func path(t *testing.T, s *service) string {
	t.Helper()
	g, err := s.svc.GroupByName(t.Context(), "ops")
	require.NoError(t, err)
	return "/v2/Groups/" + g.ID
}

// TestPushPlanHeld: a plan that nobody has looked at takes no more away than the guard lets through.
func TestPushPlanHeld(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	c := s.client(t, scim.ClientConfig{})
	_, err := c.Push(t.Context(), people(40), scim.PushOptions{})
	require.NoError(t, err)
	s.writes()
	p := &identitystore.Plan{}
	for _, u := range people(11).Users {
		p.Objects = append(p.Objects, identitystore.PlanObject{Op: identitystore.PlanRemove, Kind: identitystore.PlanUser, Key: u.UserName, Name: u.UserName})
	}
	p.Sort()
	r, err := c.PushPlan(t.Context(), p, scim.PushOptions{Users: scim.DeleteUsers})
	require.NoError(t, err)
	require.Equal(t, scim.PushHeld, r.State)
	require.Empty(t, s.writes())
	r, err = c.PushPlan(t.Context(), p, scim.PushOptions{Users: scim.DeleteUsers, Approve: r.PlanHash})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, map[scim.Outcome]int{scim.Deleted: 11}, r.Counts())
	require.Len(t, s.state(t).Users, 29)
}

// TestPushPlanMissing: what the service does not have is told; a name that another object has is not taken.
func TestPushPlanMissing(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	c := s.client(t, scim.ClientConfig{})
	_, err := c.Push(t.Context(), people(1), scim.PushOptions{})
	require.NoError(t, err)
	update := func(key, name string) *identitystore.Plan {
		return &identitystore.Plan{Objects: []identitystore.PlanObject{{Op: identitystore.PlanUpdate, Kind: identitystore.PlanUser, Key: key, Name: name, Fields: []identitystore.FieldChange{change("title", "", "T")}}}}
	}
	r, err := c.PushPlan(t.Context(), update(guidAlice, "alice"), scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, map[scim.Outcome]int{scim.Skipped: 1}, r.Counts())
	require.Equal(t, scim.PushApplied, r.State)
	r, err = c.PushPlan(t.Context(), update(guidAlice, "u0"), scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, scim.PushPartly, r.State)
	require.ErrorContains(t, r.Err(), "another externalId")
	r, err = c.PushPlan(t.Context(), update("u0", "u0"), scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, map[scim.Outcome]int{scim.Updated: 1}, r.Counts(), "a plan of an import names users by their names")
	members := &identitystore.Plan{Members: []identitystore.PlanMember{{Op: identitystore.PlanAdd, Group: "g", User: "nobody"}, {Op: identitystore.PlanAdd, Group: "no group", User: "u0"}}}
	members.Sort()
	r, err = c.PushPlan(t.Context(), members, scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, map[scim.Outcome]int{scim.Failed: 1, scim.Skipped: 1}, r.Counts())
	s.fault = func(int64) func(*http.Request, func() *http.Response) (*http.Response, error) {
		return func(*http.Request, func() *http.Response) (*http.Response, error) { return status(401), nil }
	}
	_, err = c.PushPlan(t.Context(), &identitystore.Plan{Objects: []identitystore.PlanObject{{Op: identitystore.PlanRemove, Kind: identitystore.PlanUser, Key: "u0"}}}, scim.PushOptions{})
	var e *scim.Error
	require.ErrorAs(t, err, &e)
}

// TestPushPlanWhole: what comes back, or is not there though it should be, is read from the store.
func TestPushPlanWhole(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	c := s.client(t, scim.ClientConfig{})
	store, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	var id, group string
	require.NoError(t, store.Update(t.Context(), identitystore.Author{Actor: "sync"}, func(tx *identitystore.Tx) error {
		u := &identitystore.User{UserName: "alice", DisplayName: "Alice A", Link: identitystore.Link{Origin: identitystore.OriginSync, Source: "ad", GUID: guidAlice}}
		u.SetEmail("a@example.com")
		made, err := tx.CreateUser(t.Context(), u)
		if err != nil {
			return err
		}
		id = made.ID
		g, err := tx.CreateGroup(t.Context(), &identitystore.Group{DisplayName: "ops", Link: identitystore.Link{Origin: identitystore.OriginSync, Source: "ad", GUID: guidOps}})
		if err != nil {
			return err
		}
		group = g.ID
		return nil
	}))
	p := &identitystore.Plan{Objects: []identitystore.PlanObject{
		{Op: identitystore.PlanRestore, Kind: identitystore.PlanUser, Key: guidAlice, ID: id, Name: "alice", Fields: []identitystore.FieldChange{change("link.state", "tombstone", "active")}},
		{Op: identitystore.PlanUpdate, Kind: identitystore.PlanGroup, Key: guidOps, ID: group, Name: "ops", Fields: []identitystore.FieldChange{change("displayName", "o", "ops")}},
	}}
	p.Sort()
	r, err := c.PushPlan(t.Context(), p, scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, map[scim.Outcome]int{scim.Failed: 1, scim.Skipped: 1}, r.Counts())
	require.ErrorContains(t, r.Err(), "Source")
	opt := scim.PushOptions{Source: store}
	r, err = c.PushPlan(t.Context(), p, opt)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	want := scim.State{
		Users:  []scim.PushUser{{UserName: "alice", ExternalID: guidAlice, DisplayName: "Alice A", Email: "a@example.com", Active: true}},
		Groups: []scim.PushGroup{{DisplayName: "ops", ExternalID: guidOps}},
	}
	requireState(t, want, s.state(t))
	// a user whom the removal only deactivated is active again
	u, err := s.svc.UserByName(t.Context(), "alice")
	require.NoError(t, err)
	require.NoError(t, c.Do(t.Context(), http.MethodPatch, "/Users/"+u.ID, map[string]any{"Operations": []any{map[string]any{"op": "replace", "path": "active", "value": false}}}, nil))
	_, err = c.PushPlan(t.Context(), p, opt)
	require.NoError(t, err)
	requireState(t, want, s.state(t))
	p.Objects[0].ID, p.Objects[1].ID = "gone", "gone"
	s2 := newService(t, scim.RFC)
	r, err = s2.client(t, scim.ClientConfig{}).PushPlan(t.Context(), p, opt)
	require.NoError(t, err)
	require.Equal(t, 2, r.Counts()[scim.Failed])
}
