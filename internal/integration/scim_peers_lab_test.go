//go:build lab

package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

const scimmyToken = "labtoken"

// scimPeer is a foreign SCIM service with a gate in front: it notes requests and can refuse or cut them.
type scimPeer struct {
	direct, gated string

	mu     sync.Mutex
	log    []string
	refuse func(w http.ResponseWriter, method string, n int) bool // true: answered
	n      int
}

func startScimmy(t *testing.T, env ...string) *scimPeer {
	t.Helper()
	port := freePort(t)
	startPeer(t, peerState(t), "scimmy", env, port)
	p := &scimPeer{direct: "http://127.0.0.1:" + port + "/scim"}
	target, err := url.Parse("http://127.0.0.1:" + port)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.n++
		p.log = append(p.log, r.Method+" "+r.URL.Path)
		f, n := p.refuse, p.n
		p.mu.Unlock()
		if f == nil || !f(w, r.Method, n) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	p.gated = srv.URL + "/scim"
	return p
}

// writes returns the requests since the last call that are no GET.
func (p *scimPeer) writes(f func(w http.ResponseWriter, method string, n int) bool) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, l := range p.log {
		if !strings.HasPrefix(l, "GET ") {
			out = append(out, l)
		}
	}
	p.log, p.refuse, p.n = nil, f, 0
	return out
}

type person struct {
	DisplayName, Given, Family, Email, Title string
	Active                                   bool
}

// world is what a store or a service holds: users and members by name.
type world struct {
	Users  map[string]person
	Groups map[string][]string
}

// readPeer asks the service itself, page by page, with nothing of ours in between.
func readPeer(t *testing.T, base string) world {
	t.Helper()
	out := world{map[string]person{}, map[string][]string{}}
	names := map[string]string{}
	for _, doc := range readAll(t, base+"/Users") {
		var u struct {
			ID, UserName, DisplayName, Title string
			Name                             struct{ GivenName, FamilyName string }
			Emails                           []struct{ Value string }
			Active                           *bool
		}
		require.NoError(t, json.Unmarshal(doc, &u))
		p := person{u.DisplayName, u.Name.GivenName, u.Name.FamilyName, "", u.Title, u.Active == nil || *u.Active}
		if len(u.Emails) > 0 {
			p.Email = u.Emails[0].Value
		}
		out.Users[u.UserName], names[u.ID] = p, u.UserName
	}
	for _, doc := range readAll(t, base+"/Groups") {
		var g struct {
			DisplayName string
			Members     []struct{ Value string }
		}
		require.NoError(t, json.Unmarshal(doc, &g))
		members := []string{}
		for _, m := range g.Members {
			members = append(members, names[m.Value])
		}
		slices.Sort(members)
		out.Groups[g.DisplayName] = members
	}
	return out
}

func readAll(t *testing.T, address string) []json.RawMessage {
	t.Helper()
	var out []json.RawMessage
	join := "?"
	if strings.Contains(address, "?") {
		join = "&"
	}
	for {
		rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s%scount=50&startIndex=%d", address, join, len(out)+1), nil)
		require.NoError(t, err)
		rq.Header.Set("Authorization", "Bearer "+scimmyToken)
		res, err := http.DefaultClient.Do(rq)
		require.NoError(t, err)
		var list struct {
			TotalResults int
			Resources    []json.RawMessage
		}
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.NoError(t, json.NewDecoder(res.Body).Decode(&list))
		_ = res.Body.Close()
		if out = append(out, list.Resources...); len(out) >= list.TotalResults || len(list.Resources) == 0 {
			require.Equal(t, list.TotalResults, len(out)) //nolint:testifylint // the documents would be printed
			return out
		}
	}
}

// readStore asks the store with the verbs of its API.
func readStore(t *testing.T, svc *identitystore.Service) world {
	t.Helper()
	out := world{map[string]person{}, map[string][]string{}}
	names := map[string]string{}
	for next := ""; ; {
		us, token, err := svc.ListUsers(t.Context(), identitystore.ListRequest{NextToken: next})
		require.NoError(t, err)
		for _, u := range us {
			out.Users[u.UserName] = person{u.DisplayName, u.Name.GivenName, u.Name.FamilyName, u.Email(), u.Title, u.Enabled()}
			names[u.ID] = u.UserName
		}
		if next = token; next == "" {
			break
		}
	}
	gs, _, err := svc.ListGroups(t.Context(), identitystore.ListRequest{})
	require.NoError(t, err)
	for _, g := range gs {
		members := []string{}
		for next := ""; ; {
			ms, token, err := svc.ListGroupMemberships(t.Context(), g.ID, identitystore.ListRequest{NextToken: next})
			require.NoError(t, err)
			for _, m := range ms {
				members = append(members, names[m.UserID])
			}
			if next = token; next == "" {
				break
			}
		}
		slices.Sort(members)
		out.Groups[g.DisplayName] = members
	}
	return out
}

// provisioning is a store and the client that pushes it.
type provisioning struct {
	svc    *identitystore.Service
	client *scim.Client
	peer   *scimPeer
	users  map[string]string // name -> id in the store
	groups map[string]string
}

var byHand = identitystore.Author{Actor: "administrator"}

func (p *provisioning) user(t *testing.T, name string) {
	t.Helper()
	u, err := p.svc.CreateUser(t.Context(), byHand, &identitystore.User{
		UserName: name, DisplayName: "User " + name, Title: "Engineer", Name: identitystore.Name{GivenName: "Given", FamilyName: strings.ToUpper(name)},
		Emails: []identitystore.MultiValue{{Value: name + "@example.com", Primary: true}},
	})
	require.NoError(t, err)
	p.users[name] = u.ID
}

func (p *provisioning) group(t *testing.T, name string, members ...string) {
	t.Helper()
	g, err := p.svc.CreateGroup(t.Context(), byHand, &identitystore.Group{DisplayName: name})
	require.NoError(t, err)
	p.groups[name] = g.ID
	for _, m := range members {
		_, err := p.svc.CreateGroupMembership(t.Context(), byHand, g.ID, p.users[m])
		require.NoError(t, err)
	}
}

func (p *provisioning) set(t *testing.T, user, path, value string) {
	t.Helper()
	_, err := p.svc.UpdateUser(t.Context(), byHand, p.users[user], "", identitystore.Set(path, value))
	require.NoError(t, err)
}

func (p *provisioning) leave(t *testing.T, group, user string) {
	t.Helper()
	id, err := p.svc.GroupMembershipID(t.Context(), p.groups[group], p.users[user])
	require.NoError(t, err)
	require.NoError(t, p.svc.DeleteGroupMembership(t.Context(), byHand, id))
}

var mirror = scim.PushOptions{RemoveMembers: true, RemoveGroups: true, Users: scim.DeleteUsers}

// push reads the store, pushes it and wants the peer to hold what the store holds.
func (p *provisioning) push(t *testing.T) (*scim.PushReport, []string) {
	t.Helper()
	state, err := scim.StateOf(t.Context(), p.svc, "")
	require.NoError(t, err)
	r, err := p.client.Push(t.Context(), state, mirror)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, readStore(t, p.svc), readPeer(t, p.peer.direct))
	return r, p.peer.writes(nil)
}

// TestScimmy provisions the SCIM service of another project, end to end.
func TestScimmy(t *testing.T) {
	p := &provisioning{peer: startScimmy(t), users: map[string]string{}, groups: map[string]string{}}
	var err error
	p.svc, err = identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	cfg := scim.ClientConfig{BaseURL: p.peer.gated, Token: func(context.Context) (string, error) { return scimmyToken, nil }, Backoff: time.Millisecond}
	p.client, err = scim.NewClient(cfg)
	require.NoError(t, err)
	var all []string
	for i := range 130 {
		name := fmt.Sprintf("user%03d", i)
		p.user(t, name)
		all = append(all, name)
	}
	p.group(t, "Everybody", all[:120]...)
	p.group(t, "Empty")

	r, writes := p.push(t)
	require.Equal(t, map[scim.Outcome]int{scim.Created: 132}, r.Counts())
	require.Len(t, writes, 130+2+2, "users, groups, and 120 members in two requests")

	r, writes = p.push(t)
	require.Equal(t, scim.PushUnchanged, r.State)
	require.Empty(t, writes, "nothing changed, nothing is written")

	// change, rename, deactivate, a value that goes
	before := readAll(t, p.peer.direct+"/Users?filter="+url.QueryEscape(`userName eq "user001"`))
	p.set(t, "user000", "title", "Manager")
	p.set(t, "user001", "userName", "renamed")
	_, err = p.svc.UpdateUser(t.Context(), byHand, p.users["user002"], "", identitystore.AttributeOperation{Path: "emails", Value: []byte(`[{"value":"other@example.com","primary":true}]`)})
	require.NoError(t, err)
	p.set(t, "user003", "title", "")
	disable(t, p.svc, "user004")
	r, writes = p.push(t)
	require.Equal(t, 5, r.Counts()[scim.Updated])
	require.Len(t, writes, 5)
	after := readAll(t, p.peer.direct+"/Users?filter="+url.QueryEscape(`userName eq "renamed"`))
	require.Equal(t, idOf(t, before[0]), idOf(t, after[0]), "a new name is no new object")

	// members come and go, also of a group that was empty; one group gets another name
	p.leave(t, "Everybody", "user000")
	p.leave(t, "Everybody", "user004")
	for _, name := range []string{"user125", "user001"} {
		_, err := p.svc.CreateGroupMembership(t.Context(), byHand, p.groups["Empty"], p.users[name])
		require.NoError(t, err)
	}
	_, err = p.svc.UpdateGroup(t.Context(), byHand, p.groups["Empty"], "", identitystore.Set("displayName", "Two"))
	require.NoError(t, err)
	r, writes = p.push(t)
	require.Len(t, writes, 3, "a name, an addition, a removal")
	require.Equal(t, 2, r.Counts()[scim.Updated])

	// deletion
	require.NoError(t, p.svc.DeleteUser(t.Context(), byHand, p.users["user005"], ""))
	require.NoError(t, p.svc.DeleteGroup(t.Context(), byHand, p.groups["Empty"], ""))
	r, writes = p.push(t)
	require.Equal(t, 2, r.Counts()[scim.Deleted])
	require.Len(t, writes, 3, "the membership ends, two objects go")

	// Retry-After, other failures, cut connections, the guard
	t.Run("busy", func(t *testing.T) { p.busy(t) })
	t.Run("cut", func(t *testing.T) { p.cut(t, cfg) })
	t.Run("held", func(t *testing.T) { p.held(t) })
	t.Run("conflict", func(t *testing.T) { p.conflict(t) })
	t.Run("wrong token", func(t *testing.T) {
		cfg.Token = func(context.Context) (string, error) { return "wrong", nil }
		c, err := scim.NewClient(cfg)
		require.NoError(t, err)
		_, err = c.Push(t.Context(), scim.State{}, scim.PushOptions{})
		var e *scim.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, http.StatusUnauthorized, e.Status)
	})
}

func idOf(t *testing.T, doc json.RawMessage) string {
	t.Helper()
	var v struct{ ID string }
	require.NoError(t, json.Unmarshal(doc, &v))
	require.NotEmpty(t, v.ID)
	return v.ID
}

func disable(t *testing.T, svc *identitystore.Service, name string) {
	t.Helper()
	require.NoError(t, svc.Update(t.Context(), byHand, func(tx *identitystore.Tx) error {
		u, err := svc.UserByName(t.Context(), name)
		if err != nil {
			return err
		}
		c := u.Clone()
		c.Status = identitystore.StatusDisabled
		_, err = tx.UpdateUser(t.Context(), c)
		return err
	}))
}

// busy answers every third request with 429 and every fifth with 503.
func (p *provisioning) busy(t *testing.T) {
	t.Helper()
	for i := range 20 {
		p.set(t, fmt.Sprintf("user%03d", 20+i), "title", "Busy")
	}
	p.user(t, "busy")
	p.peer.writes(func(w http.ResponseWriter, _ string, n int) bool {
		switch {
		case n%3 == 0:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		case n%5 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			return false
		}
		return true
	})
	r, _ := p.push(t)
	require.Equal(t, 20, r.Counts()[scim.Updated])
	require.Equal(t, 1, r.Counts()[scim.Created])
}

// cut drops every connection after the tenth write; the next push does what is missing.
func (p *provisioning) cut(t *testing.T, cfg scim.ClientConfig) {
	t.Helper()
	cfg.Tries, cfg.Parallel = 1, 1
	once, err := scim.NewClient(cfg)
	require.NoError(t, err)
	for i := range 20 {
		p.user(t, fmt.Sprint("late", i))
	}
	p.group(t, "Late", "late0", "late1")
	done := 0
	p.peer.writes(func(_ http.ResponseWriter, method string, _ int) bool {
		if method == http.MethodGet {
			return false
		}
		if done++; done > 10 {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	state, err := scim.StateOf(t.Context(), p.svc, "")
	require.NoError(t, err)
	r, err := once.Push(t.Context(), state, mirror)
	require.NoError(t, err)
	require.Equal(t, scim.PushPartly, r.State)
	require.Equal(t, 10, r.Counts()[scim.Created])
	require.True(t, scim.Temporary(r.Err()))
	p.peer.writes(nil)
	r, writes := p.push(t)
	require.Equal(t, 11, r.Counts()[scim.Created])
	require.Len(t, writes, 10+1+1)
}

// held: half of the store is gone, which the guard does not believe.
func (p *provisioning) held(t *testing.T) {
	t.Helper()
	state, err := scim.StateOf(t.Context(), p.svc, "")
	require.NoError(t, err)
	before := readPeer(t, p.peer.direct)
	state.Users, state.Groups = state.Users[:40], nil
	r, err := p.client.Push(t.Context(), state, mirror)
	require.NoError(t, err)
	require.Equal(t, scim.PushHeld, r.State)
	require.Empty(t, p.peer.writes(nil))
	require.Equal(t, before, readPeer(t, p.peer.direct))
}

// conflict: an object of somebody else has the name; it is not taken over, and the others are pushed.
func (p *provisioning) conflict(t *testing.T) {
	t.Helper()
	rq, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.peer.direct+"/Users",
		strings.NewReader(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Taken","externalId":"of another source"}`))
	require.NoError(t, err)
	rq.Header.Set("Authorization", "Bearer "+scimmyToken)
	rq.Header.Set("Content-Type", "application/scim+json")
	res, err := http.DefaultClient.Do(rq)
	require.NoError(t, err)
	_ = res.Body.Close()
	require.Equal(t, http.StatusCreated, res.StatusCode)
	p.user(t, "taken")
	p.set(t, "user030", "title", "After the conflict")
	state, err := scim.StateOf(t.Context(), p.svc, "")
	require.NoError(t, err)
	r, err := p.client.Push(t.Context(), state, scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, scim.PushPartly, r.State)
	require.ErrorContains(t, r.Err(), "another externalId")
	require.Equal(t, 1, r.Counts()[scim.Updated])
	require.Equal(t, person{Active: true}, readPeer(t, p.peer.direct).Users["Taken"])
}

// TestScimmyUnlisted: a service that gives its first twenty objects only is asked for each object by itself.
func TestScimmyUnlisted(t *testing.T) {
	p := &provisioning{peer: startScimmy(t, "PAGING=0"), users: map[string]string{}, groups: map[string]string{}}
	var err error
	p.svc, err = identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	p.client, err = scim.NewClient(scim.ClientConfig{BaseURL: p.peer.gated, Token: func(context.Context) (string, error) { return scimmyToken, nil }})
	require.NoError(t, err)
	for i := range 30 {
		p.user(t, fmt.Sprint("user", i))
	}
	p.group(t, "All", "user1", "user29")
	state, err := scim.StateOf(t.Context(), p.svc, "")
	require.NoError(t, err)
	for _, want := range []map[scim.Outcome]int{{scim.Created: 31}, {scim.Unchanged: 31}} {
		r, err := p.client.Push(t.Context(), state, scim.PushOptions{RemoveMembers: true})
		require.NoError(t, err)
		require.Equal(t, want, r.Counts())
	}
	require.Len(t, p.peer.writes(nil), 30+1+1)
	_, err = p.client.Push(t.Context(), state, mirror)
	require.ErrorIs(t, err, scim.ErrAnswer, "what cannot be seen is not removed")
}
