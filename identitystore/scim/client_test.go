package scim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

func giveToken(context.Context) (string, error) { return token, nil }

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

func TestPush(t *testing.T) {
	t.Parallel()
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		for _, n := range []int64{0, 2, 3, 5} {
			t.Run(fmt.Sprint(profile, n), func(t *testing.T) {
				t.Parallel()
				svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
				require.NoError(t, err)
				var tokens scim.Tokens
				tokens.Add(scim.HashToken(token), svc)
				h, err := scim.NewHandler(scim.Config{Auth: &tokens, Profile: profile})
				require.NoError(t, err)
				srv := httptest.NewServer(faulty(h, n))
				t.Cleanup(srv.Close)
				c, err := scim.NewClient(scim.ClientConfig{BaseURL: srv.URL, Token: giveToken, Profile: profile, Backoff: time.Millisecond})
				require.NoError(t, err)
				var state scim.State
				for i := range 120 {
					name := fmt.Sprint("u", i)
					state.Users = append(state.Users, scim.PushUser{UserName: name, ExternalID: "x" + name, DisplayName: "D", GivenName: "G", FamilyName: "F", Email: name + "@example.com", Active: true})
				}
				state.Groups = []scim.PushGroup{{DisplayName: "G", ExternalID: "g"}}
				for _, u := range state.Users {
					state.Groups[0].Members = append(state.Groups[0].Members, u.UserName)
				}
				push := func() map[scim.Outcome]int {
					records, err := c.Push(t.Context(), state, scim.PushOptions{RemoveMembers: true})
					require.NoError(t, err)
					got := map[scim.Outcome]int{}
					for _, r := range records {
						require.NoError(t, r.Err, r.Name)
						got[r.Outcome]++
					}
					return got
				}
				push()
				require.Equal(t, map[scim.Outcome]int{scim.Unchanged: 121}, push())
				state.Groups[0].Members = state.Groups[0].Members[:1]
				state.Users[3].DisplayName, state.Users[4].Active = "New", false
				require.Equal(t, 3, push()[scim.Updated])
				got, err := scim.StateOf(t.Context(), svc, "scim")
				require.NoError(t, err)
				require.Len(t, got.Users, 120)
				require.Equal(t, []string{"u0"}, got.Groups[0].Members)
			})
		}
	}
}

func TestClientRefuses(t *testing.T) {
	t.Parallel()
	for _, cfg := range []scim.ClientConfig{{}, {BaseURL: "http://scim.example.test", Token: giveToken}, {BaseURL: "https://x"}, {BaseURL: "ftp://x", Token: giveToken}} {
		_, err := scim.NewClient(cfg)
		require.Error(t, err)
	}
	s := start(t, scim.Config{})
	var shown int
	c, err := scim.NewClient(scim.ClientConfig{BaseURL: s.url, Token: giveToken, DryRun: true, Trace: func(string, string, []byte) { shown++ }})
	require.NoError(t, err)
	_, err = c.Push(t.Context(), scim.State{Users: []scim.PushUser{{UserName: "u"}}}, scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, shown)
	require.InDelta(t, 0, s.do(200, "GET", "/Users", "")["totalResults"], 0)
	bad, err := scim.NewClient(scim.ClientConfig{BaseURL: s.url, Token: func(context.Context) (string, error) { return "x", nil }})
	require.NoError(t, err)
	var e *scim.Error
	require.ErrorAs(t, bad.Do(t.Context(), "GET", "/Users", nil, nil), &e)
	require.Equal(t, 401, e.Status)
	none, err := scim.NewClient(scim.ClientConfig{BaseURL: s.url, Token: func(context.Context) (string, error) { return "", errors.New("no token") }})
	require.NoError(t, err)
	require.Error(t, none.Do(t.Context(), "GET", "/Users", nil, nil))
	var hits atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(other.Close)
	away := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	t.Cleanup(away.Close)
	c, err = scim.NewClient(scim.ClientConfig{BaseURL: away.URL, Token: giveToken, Tries: 1})
	require.NoError(t, err)
	require.Error(t, c.Do(t.Context(), "GET", "/Users", nil, nil))
	require.Zero(t, hits.Load())
}
