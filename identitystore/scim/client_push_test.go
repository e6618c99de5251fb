package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// faulty answers every n-th request with a failure: before or after it has taken effect, or by cutting the connection.
func faulty(h http.Handler, n int64) http.Handler {
	var count atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := count.Add(1)
		if n == 0 || c%n != 0 {
			h.ServeHTTP(w, r)
			return
		}
		switch c / n % 4 {
		case 0:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		case 1:
			h.ServeHTTP(httptest.NewRecorder(), r) // done, but the answer is lost
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

// TestPush pushes over real HTTP to a service that fails often.
func TestPush(t *testing.T) {
	t.Parallel()
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		for _, n := range []int64{0, 2, 3, 5} {
			t.Run(fmt.Sprint(profile, n), func(t *testing.T) {
				t.Parallel()
				s := newService(t, profile)
				srv := httptest.NewServer(faulty(s.h, n))
				t.Cleanup(srv.Close)
				c, err := scim.NewClient(scim.ClientConfig{BaseURL: srv.URL, Token: giveToken, Profile: profile, Backoff: time.Millisecond, Tries: 12})
				require.NoError(t, err)
				state := people(120)
				push := func() *scim.PushReport {
					r, err := c.Push(t.Context(), state, scim.PushOptions{RemoveMembers: true, Guard: identitystore.Guard{MaxRemovals: 200, Percent: 100}})
					require.NoError(t, err)
					require.NoError(t, r.Err())
					return r
				}
				require.Equal(t, scim.PushApplied, push().State)
				again := push()
				require.Equal(t, scim.PushUnchanged, again.State)
				require.Equal(t, map[scim.Outcome]int{scim.Unchanged: 121}, again.Counts())
				state.Groups[0].Members = state.Groups[0].Members[:1]
				state.Users[3].DisplayName, state.Users[4].Active = "New", false
				require.Equal(t, 3, push().Counts()[scim.Updated])
				requireState(t, state, s.state(t))
			})
		}
	}
}

// TestPushWrites looks at every request that changes something.
func TestPushWrites(t *testing.T) {
	t.Parallel()
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		s := newService(t, profile)
		var bodies []string
		c := s.client(t, scim.ClientConfig{Profile: profile, Parallel: 1, Trace: func(_, _ string, body []byte) { bodies = append(bodies, string(body)) }})
		state := people(250)
		push := func(opt scim.PushOptions) []string {
			t.Helper()
			bodies = nil
			s.writes()
			r, err := c.Push(t.Context(), state, opt)
			require.NoError(t, err)
			require.NoError(t, r.Err())
			return s.writes()
		}
		first := push(scim.PushOptions{})
		require.Len(t, first, 250+1+3, "users, the group, and its members in chunks of 100")
		require.Equal(t, "POST /v2/Users", first[0])
		require.Equal(t, "POST /v2/Groups", first[250])
		for _, b := range bodies[251:] {
			require.LessOrEqual(t, strings.Count(b, `"value":"`), 100)
			require.Contains(t, b, `"op":"add","path":"members"`)
		}
		require.Empty(t, push(scim.PushOptions{RemoveMembers: true, RemoveGroups: true, Users: scim.DeleteUsers}), "nothing changed, nothing is written")

		// a new name keeps the id, an empty value goes, one member leaves, one user is disabled
		before, err := s.svc.UserByName(t.Context(), "u0")
		require.NoError(t, err)
		state.Users[0].UserName, state.Groups[0].Members[0] = "renamed", "renamed"
		state.Users[1].Email = ""
		state.Users[2].Active = false
		state.Groups[0].Members = state.Groups[0].Members[:249]
		state.Groups[0].DisplayName = "H"
		require.Len(t, push(scim.PushOptions{RemoveMembers: true}), 5)
		require.JSONEq(t, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"userName","value":"renamed"}]}`, bodies[len(bodies)-5:][indexOf(bodies, "renamed")])
		requireState(t, state, s.state(t))
		after, err := s.svc.UserByName(t.Context(), "renamed")
		require.NoError(t, err)
		require.Equal(t, before.ID, after.ID)
		for _, b := range bodies {
			require.NotContains(t, b, `"replace","path":"members"`)
		}
		require.NotContains(t, strings.Join(first, " "), "PUT")
	}
}

func indexOf(list []string, part string) int {
	for i, s := range list {
		if strings.Contains(s, part) {
			return i
		}
	}
	return -1
}

// TestPushMemberReads: memberships of IAM Identity Center are read by the group's users, and pair by pair where that is
// refused. Neither grows with the users that are in no group.
func TestPushMemberReads(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"by the group's users": 2 + 3 + 1 + 2, "pair by pair": 2 + 3 + 1 + 1 + 150} {
		s := newService(t, scim.AWS)
		if name == "pair by pair" {
			inner := s.h
			s.h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.RawQuery, "groups.value") {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				inner.ServeHTTP(w, r)
			})
		}
		state := people(250)
		state.Groups[0].Members = state.Groups[0].Members[:150]
		c := s.client(t, scim.ClientConfig{Profile: scim.AWS})
		_, err := c.Push(t.Context(), state, scim.PushOptions{})
		require.NoError(t, err)
		s.count.Store(0)
		r, err := c.Push(t.Context(), state, scim.PushOptions{})
		require.NoError(t, err)
		require.Equal(t, scim.PushUnchanged, r.State)
		if name == "pair by pair" {
			limit += 100 // whoever may be a member is asked for
		}
		require.LessOrEqual(t, s.count.Load(), int64(limit), name)
	}
}

// TestPushResumes cuts a push at every request and starts it again.
func TestPushResumes(t *testing.T) {
	t.Parallel()
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		want := people(4)
		for k := int64(1); ; k++ {
			s := newService(t, profile)
			ctx, cancel := context.WithCancel(t.Context())
			s.fault = func(n int64) func(*http.Request, func() *http.Response) (*http.Response, error) {
				if n != k {
					return nil
				}
				return func(_ *http.Request, through func() *http.Response) (*http.Response, error) {
					res := through()
					cancel()
					return res, nil
				}
			}
			c := s.client(t, scim.ClientConfig{Profile: profile, Parallel: 1})
			_, err := c.Push(ctx, want, scim.PushOptions{})
			cancel()
			made := len(s.writes())
			r, err2 := c.Push(t.Context(), want, scim.PushOptions{})
			require.NoError(t, err2)
			require.NoError(t, r.Err())
			require.Equal(t, 6, made+len(s.writes()), "nothing is written twice")
			requireState(t, want, s.state(t))
			if err == nil {
				require.Greater(t, k, int64(6))
				break
			}
			require.ErrorIs(t, err, context.Canceled)
		}
	}
}

// TestPushUnnamed: what the state does not name.
func TestPushUnnamed(t *testing.T) {
	t.Parallel()
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		fresh := func() (*service, *scim.Client, scim.State) {
			s := newService(t, profile)
			c := s.client(t, scim.ClientConfig{Profile: profile})
			all := people(12)
			all.Groups = append(all.Groups, scim.PushGroup{DisplayName: "Old", ExternalID: "old", Members: []string{"u11"}})
			_, err := c.Push(t.Context(), all, scim.PushOptions{})
			require.NoError(t, err)
			_, err = s.svc.CreateUser(t.Context(), identitystore.Author{Actor: "by hand"}, &identitystore.User{UserName: "by.hand", DisplayName: "B H", Name: identitystore.Name{GivenName: "B", FamilyName: "H"}})
			require.NoError(t, err)
			left := people(11)
			return s, c, left
		}
		loose := identitystore.Guard{MaxRemovals: 100, Floor: 100}
		for name, c := range map[string]struct {
			opt    scim.PushOptions
			counts map[scim.Outcome]int
			users  int
			groups int
		}{
			"kept":        {scim.PushOptions{}, map[scim.Outcome]int{scim.Unchanged: 12}, 13, 2},
			"members":     {scim.PushOptions{RemoveMembers: true}, map[scim.Outcome]int{scim.Unchanged: 11, scim.Updated: 1}, 13, 2},
			"deactivated": {scim.PushOptions{Users: scim.DeactivateUsers}, map[scim.Outcome]int{scim.Unchanged: 12, scim.Deactivated: 1}, 13, 2},
			"deleted":     {scim.PushOptions{Users: scim.DeleteUsers, RemoveGroups: true, Guard: loose}, map[scim.Outcome]int{scim.Unchanged: 12, scim.Deleted: 2}, 12, 1},
		} {
			s, client, left := fresh()
			r, err := client.Push(t.Context(), left, c.opt)
			require.NoError(t, err)
			require.NoError(t, r.Err())
			require.Equal(t, c.counts, r.Counts(), name)
			got := s.state(t)
			require.Len(t, got.Users, c.users, name)
			require.Len(t, got.Groups, c.groups, name)
			if name == "deactivated" {
				u, err := s.svc.UserByName(t.Context(), "u11")
				require.NoError(t, err)
				require.False(t, u.Enabled())
				r, err = client.Push(t.Context(), left, c.opt)
				require.NoError(t, err)
				require.Equal(t, scim.PushUnchanged, r.State)
			}
			_, err = s.svc.UserByName(t.Context(), "by.hand")
			require.NoError(t, err, "who was made by hand stays")
		}
	}
}

// TestPushGuard: a push that takes away too much changes nothing, not even what it would add.
func TestPushGuard(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	c := s.client(t, scim.ClientConfig{})
	_, err := c.Push(t.Context(), people(30), scim.PushOptions{})
	require.NoError(t, err)
	s.writes()
	less := people(10)
	less.Users = append(less.Users, scim.PushUser{UserName: "new", ExternalID: "new", Active: true})
	all := scim.PushOptions{RemoveMembers: true, Users: scim.DeleteUsers, RemoveGroups: true}
	r, err := c.Push(t.Context(), less, all)
	require.NoError(t, err)
	require.Equal(t, scim.PushHeld, r.State)
	require.Empty(t, s.writes())
	require.Equal(t, identitystore.RuleRemovals, r.Findings[0].Rule)
	require.Equal(t, 40, r.Findings[0].Count, "twenty users, twenty memberships")

	all.Approve = "another hash"
	r, err = c.Push(t.Context(), less, all)
	require.NoError(t, err)
	require.Equal(t, scim.PushHeld, r.State)
	none := scim.PushOptions{Users: scim.DeactivateUsers, Guard: identitystore.Guard{MaxRemovals: 1 << 20, Floor: 1 << 20}}
	r2, err := c.Push(t.Context(), scim.State{}, none)
	require.NoError(t, err)
	require.Equal(t, scim.PushHeld, r2.State, "a state of nobody is held whatever the limits are")
	require.Equal(t, identitystore.RuleFoundNone, r2.Findings[0].Rule)
	require.Empty(t, s.writes())

	all.Approve = r.PlanHash
	r, err = c.Push(t.Context(), less, all)
	require.NoError(t, err)
	require.Equal(t, scim.PushApplied, r.State)
	requireState(t, less, s.state(t))
}

// TestPushCompare prints what would be done, and does nothing.
func TestPushCompare(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	c := s.client(t, scim.ClientConfig{})
	state := people(2)
	_, err := c.Push(t.Context(), state, scim.PushOptions{})
	require.NoError(t, err)
	s.writes()
	state.Users[0].Email = "new@example.com"
	state.Users[1].Active = false
	state.Users = append(state.Users, scim.PushUser{UserName: "carol", ExternalID: "xc", GivenName: "Carol", Active: true})
	state.Groups[0].Members = []string{"u0", "CAROL", "carol", "nobody"}
	r, err := c.Push(t.Context(), state, scim.PushOptions{Compare: true, RemoveMembers: true})
	require.NoError(t, err)
	require.Equal(t, scim.PushPlanned, r.State)
	require.Empty(t, s.writes())
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	require.Equal(t, `create user carol (xc)
    externalIds: "" -> "xc"
    name.givenName: "" -> "Carol"
    userName: "" -> "carol"
update user u0 (xu0)
    emails.value: "u0@example.com" -> "new@example.com"
update user u1 (xu1)
    userStatus: "ENABLED" -> "DISABLED"
add membership carol in g
remove membership u1 in g
skipped nobody: not_at_the_service
users +1 ~2 -0, groups +0 ~0 -0, memberships +1 -1, plan `+r.PlanHash+`
planned
`, b.String())
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	require.Equal(t, "planned", doc["state"])
	require.Equal(t, r.PlanHash, doc["planHash"])
	require.Equal(t, []any{map[string]any{"kind": "group", "key": "g", "name": "G", "outcome": "unchanged"}}, doc["records"])

	done, err := c.Push(t.Context(), state, scim.PushOptions{RemoveMembers: true})
	require.NoError(t, err)
	require.Equal(t, r.PlanHash, done.PlanHash, "what was shown is what is done")
	require.Equal(t, map[scim.Outcome]int{scim.Created: 1, scim.Updated: 3}, done.Counts())
	r, err = c.Push(t.Context(), state, scim.PushOptions{Compare: true, RemoveMembers: true})
	require.NoError(t, err)
	require.Equal(t, scim.PushUnchanged, r.State)
}

// TestPushDryRun shows the requests themselves.
func TestPushDryRun(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.AWS)
	var lines []string
	c := s.client(t, scim.ClientConfig{Profile: scim.AWS, DryRun: true, Parallel: 1, Trace: func(method, path string, body []byte) {
		lines = append(lines, method+" "+path+" "+string(body))
	}})
	r, err := c.Push(t.Context(), people(1), scim.PushOptions{})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Empty(t, s.writes())
	require.Equal(t, []string{
		`POST /Users {"active":true,"displayName":"D","emails":[{"primary":true,"type":"work","value":"u0@example.com"}],"externalId":"xu0","name":{"familyName":"F","givenName":"G"},"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u0"}`,
		`POST /Groups {"displayName":"G","externalId":"g","schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}`,
		`PATCH /Groups/new%20group%20G {"Operations":[{"op":"add","path":"members","value":[{"value":"new user u0"}]}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}`,
	}, lines)
	require.Empty(t, s.state(t).Users)
}

// TestPushRefusals: objects that cannot be pushed are told, and do not stop the others.
func TestPushRefusals(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.AWS)
	c := s.client(t, scim.ClientConfig{Profile: scim.AWS})
	_, err := c.Push(t.Context(), people(1), scim.PushOptions{})
	require.NoError(t, err)
	state := people(2)
	state.Users[0].ExternalID = "somebody else"
	state.Users = append(state.Users,
		scim.PushUser{UserName: "U1", ExternalID: "twice", DisplayName: "D", GivenName: "G", FamilyName: "F", Active: true},
		scim.PushUser{UserName: "other", ExternalID: "xu1", DisplayName: "D", GivenName: "G", FamilyName: "F", Active: true},
		scim.PushUser{UserName: "", ExternalID: "none"},
		scim.PushUser{UserName: "nameless", ExternalID: "n", Active: true},
		scim.PushUser{UserName: "with space", ExternalID: "s", DisplayName: "D", GivenName: "G", FamilyName: "F", Active: true},
	)
	state.Groups[0].Members = []string{"u0", "u1", "nameless"}
	r, err := c.Push(t.Context(), state, scim.PushOptions{Users: scim.DeleteUsers})
	require.NoError(t, err)
	require.Equal(t, scim.PushPartly, r.State)
	require.Equal(t, map[scim.Outcome]int{scim.Created: 1, scim.Skipped: 1, scim.Failed: 5, scim.Updated: 1}, r.Counts())
	require.ErrorContains(t, r.Err(), "user u0: scim: uniqueness: the name belongs to an object with another externalId")
	require.ErrorContains(t, r.Err(), "user U1: scim: the state names it twice")
	require.ErrorContains(t, r.Err(), "with space")
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"outcome":"failed","reason":"scim: the state names it twice"`)
	var lines strings.Builder
	require.NoError(t, r.WriteText(&lines))
	require.Contains(t, lines.String(), "\nfailed user U1: scim: the state names it twice\n")
	require.Contains(t, lines.String(), "\nskipped user nameless: scim: invalidValue: ")
	got := s.state(t)
	require.Len(t, got.Users, 2, "who is named is not removed, even when the push cannot take him over")
	require.ElementsMatch(t, []string{"u0", "u1"}, got.Groups[0].Members)

	r, err = c.Push(t.Context(), scim.State{Users: []scim.PushUser{
		{UserName: "nameless", ExternalID: "n", Active: true}, {UserName: "two", ExternalID: "t", GivenName: "Two", FamilyName: "Words", Active: true}, {UserName: "three", DisplayName: "Al Bo Co", Active: true},
	}}, scim.PushOptions{FillNames: true})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	names := map[string]string{}
	for _, u := range s.state(t).Users {
		names[u.UserName] = u.DisplayName + "|" + u.GivenName + "|" + u.FamilyName
	}
	require.Equal(t, "nameless|nameless|nameless", names["nameless"])
	require.Equal(t, "Two Words|Two|Words", names["two"])
	require.Equal(t, "Al Bo Co|Al|Bo Co", names["three"])
}

// TestPushAdopts: an object without an external id is taken over by its name, one that somebody creates meanwhile too.
func TestPushAdopts(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	made, err := s.svc.CreateUser(t.Context(), identitystore.Author{Actor: "by hand"}, &identitystore.User{UserName: "U0"})
	require.NoError(t, err)
	s.fault = func(int64) func(*http.Request, func() *http.Response) (*http.Response, error) {
		return func(rq *http.Request, through func() *http.Response) (*http.Response, error) {
			if rq.Method == http.MethodPost && strings.HasSuffix(rq.URL.Path, "/Groups") {
				s.fault = nil
				_, err := s.svc.CreateGroup(context.WithoutCancel(rq.Context()), identitystore.Author{Actor: "other"}, &identitystore.Group{DisplayName: "g"})
				if err != nil {
					return nil, err
				}
			}
			return through(), nil
		}
	}
	r, err := s.client(t, scim.ClientConfig{Parallel: 1}).Push(t.Context(), people(1), scim.PushOptions{})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, map[scim.Outcome]int{scim.Updated: 2}, r.Counts())
	u, err := s.svc.UserByName(t.Context(), "u0")
	require.NoError(t, err)
	require.Equal(t, made.ID, u.ID)
	requireState(t, people(1), s.state(t))
}

// TestPushUnlisted: a service that does not give its whole list is asked for each object, and nothing unnamed goes.
func TestPushUnlisted(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.AWS)
	inner := s.h
	s.h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		q.Del("cursor") // as it was before cursors
		r.URL.RawQuery = q.Encode()
		inner.ServeHTTP(w, r)
	})
	c := s.client(t, scim.ClientConfig{Profile: scim.AWS})
	state := people(130)
	for range 2 {
		r, err := c.Push(t.Context(), state, scim.PushOptions{RemoveMembers: true})
		require.NoError(t, err)
		require.NoError(t, r.Err())
	}
	requireState(t, state, s.state(t))
	for _, opt := range []scim.PushOptions{{RemoveGroups: true}, {Users: scim.DeleteUsers}, {Users: scim.DeactivateUsers}} {
		_, err := c.Push(t.Context(), state, opt)
		require.ErrorIs(t, err, scim.ErrAnswer)
	}
}

// TestPushFew: one user and one group of a big service cost a few requests, and members whom the state does not name go
// all the same; nested groups stay.
func TestPushFew(t *testing.T) {
	t.Parallel()
	s := newService(t, scim.RFC)
	c := s.client(t, scim.ClientConfig{})
	all := people(500)
	all.Groups = append(all.Groups, scim.PushGroup{DisplayName: "Nested", ExternalID: "n"})
	for i := range 300 {
		all.Groups = append(all.Groups, scim.PushGroup{DisplayName: fmt.Sprint("other", i), ExternalID: fmt.Sprint("o", i)})
	}
	all.Groups[0].Members = all.Groups[0].Members[:5]
	_, err := c.Push(t.Context(), all, scim.PushOptions{})
	require.NoError(t, err)
	outer, err := s.svc.GroupByName(t.Context(), "G")
	require.NoError(t, err)
	inner, err := s.svc.GroupByName(t.Context(), "Nested")
	require.NoError(t, err)
	require.NoError(t, c.Do(t.Context(), http.MethodPatch, "/Groups/"+outer.ID, json.RawMessage(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"`+inner.ID+`"}]}]}`), nil))
	s.count.Store(0)
	s.writes()
	r, err := c.Push(t.Context(), people(1), scim.PushOptions{RemoveMembers: true})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.LessOrEqual(t, s.count.Load(), int64(2+1+4+1+1), "two sizes, the user, the groups' list, the members, the change")
	require.Len(t, s.writes(), 1)
	var left struct{ Members []struct{ Value string } }
	require.NoError(t, c.Do(t.Context(), http.MethodGet, "/Groups/"+outer.ID, nil, &left))
	require.Len(t, left.Members, 2, "the one user and the nested group")
}

// TestPushGroupReads: a group is read whole in one request; one too long for an answer by the users' own list; and one
// that may not be read stops the push, since what cannot be seen cannot be compared.
func TestPushGroupReads(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"whole": nil,
		"too long": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"members":[` + strings.Repeat(" ", 9<<20) + `]}`))
		},
		"forbidden": func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
	} {
		s := newService(t, scim.RFC)
		c := s.client(t, scim.ClientConfig{Parallel: 1})
		_, err := c.Push(t.Context(), people(5), scim.PushOptions{})
		require.NoError(t, err)
		inner, reads, lists := s.h, []string{}, []string{}
		s.h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			one := strings.HasPrefix(r.URL.Path, "/v2/Groups/") && r.Method == http.MethodGet
			if q := r.URL.Query(); r.URL.Path == "/v2/Groups" && q.Get("count") == "100" {
				lists = append(lists, q.Get("excludedAttributes"))
			}
			if one || strings.Contains(r.URL.RawQuery, "groups.value") {
				reads = append(reads, r.URL.Path)
			}
			if one && answer != nil {
				answer(w)
				return
			}
			inner.ServeHTTP(w, r)
		})
		state := people(5)
		state.Groups[0].Members = state.Groups[0].Members[:3]
		r, err := c.Push(t.Context(), state, scim.PushOptions{RemoveMembers: true})
		require.Equal(t, []string{"members"}, lists, "the members of all groups are not wanted")
		if name == "forbidden" {
			var e *scim.Error
			require.ErrorAs(t, err, &e)
			require.Len(t, reads, 1)
			require.Len(t, s.state(t).Groups[0].Members, 5)
			continue
		}
		require.NoError(t, err, name)
		require.NoError(t, r.Err())
		require.Len(t, reads, map[string]int{"whole": 1, "too long": 2}[name])
		requireState(t, state, s.state(t))
	}
}
