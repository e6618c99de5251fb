package scim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// ids returns the ids of the service's users by external id.
func ids(t *testing.T, s *service) map[string]string {
	t.Helper()
	out := map[string]string{}
	users, _, err := s.svc.ListUsers(t.Context(), identitystore.ListRequest{})
	require.NoError(t, err)
	for _, u := range users {
		out[u.ExternalID("scim")] = u.ID
	}
	return out
}

// TestPushNames: objects exchange their names, take those that others give up, and keep their ids.
func TestPushNames(t *testing.T) {
	t.Parallel()
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		for name, to := range map[string][]string{
			"exchange":       {"u1", "u0", "u2", "u3", "u4"},
			"circle":         {"u1", "u2", "u3", "u4", "u0"},
			"two circles":    {"u1", "u0", "u3", "u2", "u4"},
			"chain":          {"u1", "u2", "u3", "u4", "free"},
			"chain, circle":  {"u1", "free", "u3", "u2", "u4"},
			"case":           {"U0", "u1", "u2", "u3", "u4"},
			"one for a new":  {"free", "u1", "u2", "u3", "u4", "u0"},
			"circle and new": {"u1", "free", "u3", "u2", "u4", "u0"},
		} {
			s := newService(t, profile)
			c := s.client(t, scim.ClientConfig{Profile: profile})
			state := people(5)
			state.Groups = append(state.Groups, scim.PushGroup{DisplayName: "H", ExternalID: "h"})
			_, err := c.Push(t.Context(), state, scim.PushOptions{})
			require.NoError(t, err)
			before := ids(t, s)
			state = people(len(to))
			for i := range to {
				state.Users[i].UserName, state.Groups[0].Members[i] = to[i], to[i]
				if i >= 5 {
					state.Users[i].ExternalID, state.Users[i].Email = "new", ""
				}
			}
			state.Groups = append(state.Groups, scim.PushGroup{DisplayName: "G", ExternalID: "h"})
			state.Groups[0].DisplayName = "H"
			r, err := c.Push(t.Context(), state, scim.PushOptions{})
			require.NoError(t, err)
			require.NoError(t, r.Err(), name)
			requireState(t, state, s.state(t))
			for external, id := range before {
				require.Equal(t, id, ids(t, s)[external], name)
			}
			r, err = c.Push(t.Context(), state, scim.PushOptions{})
			require.NoError(t, err)
			require.Equal(t, scim.PushUnchanged, r.State)
		}
	}
}

// TestPushNamesRefused: a service that takes no name at all is asked a bounded number of times.
func TestPushNamesRefused(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	c := s.client(t, scim.ClientConfig{})
	state := people(3)
	_, err := c.Push(t.Context(), state, scim.PushOptions{})
	require.NoError(t, err)
	s.fault = func(int64) func(*http.Request, func() *http.Response) (*http.Response, error) {
		return func(rq *http.Request, through func() *http.Response) (*http.Response, error) {
			if rq.Method != http.MethodPatch {
				return through(), nil
			}
			if body, err := io.ReadAll(rq.Body); err != nil || !strings.Contains(string(body), "renaming-") {
				return status(409), err
			}
			return status(204), nil
		}
	}
	s.count.Store(0)
	state.Users[0].UserName, state.Users[1].UserName, state.Users[2].UserName = "u1", "u2", "u0"
	state.Groups[0].Members = nil
	r, err := c.Push(t.Context(), state, scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, 3, r.Counts()[scim.Failed])
	require.LessOrEqual(t, s.count.Load(), int64(40))
}

// TestPushRecreated: an account that was created anew under the old name is another account.
func TestPushRecreated(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	c := s.client(t, scim.ClientConfig{})
	_, err := c.Push(t.Context(), people(3), scim.PushOptions{})
	require.NoError(t, err)
	before := ids(t, s)
	state := people(3)
	state.Users[0].ExternalID, state.Groups[0].ExternalID = "anew", "another group"
	for _, opt := range []scim.PushOptions{{ReplaceRecreated: true}, {Users: scim.DeleteUsers, RemoveGroups: true}, {ReplaceRecreated: true, Users: scim.DeactivateUsers}} {
		r, err := c.Push(t.Context(), state, opt)
		require.NoError(t, err)
		require.Equal(t, 2, r.Counts()[scim.Failed])
		require.Equal(t, before, ids(t, s))
	}
	all := scim.PushOptions{ReplaceRecreated: true, Users: scim.DeleteUsers, RemoveGroups: true, RemoveMembers: true}
	r, err := c.Push(t.Context(), state, all)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, map[scim.Outcome]int{scim.Created: 2, scim.Deleted: 2, scim.Unchanged: 2}, r.Counts())
	requireState(t, state, s.state(t))
	after := ids(t, s)
	require.NotContains(t, before, "anew")
	require.NotEqual(t, before["xu0"], after["anew"])
	require.Equal(t, before["xu1"], after["xu1"])

	// everybody anew is more than the guard lets pass
	many := people(20)
	_, err = c.Push(t.Context(), many, all)
	require.NoError(t, err)
	for i := range many.Users {
		many.Users[i].ExternalID = "scheme two " + many.Users[i].UserName
	}
	r, err = c.Push(t.Context(), many, all)
	require.NoError(t, err)
	require.Equal(t, scim.PushHeld, r.State)
}
