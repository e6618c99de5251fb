package scim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

func giveToken(context.Context) (string, error) { return token, nil }

// wire is a transport without a network: it counts, and may fail requests before or after they have taken effect.
type wire struct {
	h http.Handler
	// fault is asked for each request, counted from 1: nil lets it through.
	fault func(n int64) func(rq *http.Request, through func() *http.Response) (*http.Response, error)

	count atomic.Int64
	mu    sync.Mutex
	log   []string
}

func (w *wire) RoundTrip(rq *http.Request) (*http.Response, error) {
	n := w.count.Add(1)
	w.mu.Lock()
	w.log = append(w.log, rq.Method+" "+rq.URL.Path)
	w.mu.Unlock()
	if err := rq.Context().Err(); err != nil {
		return nil, err
	}
	through := func() *http.Response {
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, rq)
		return rec.Result()
	}
	if w.fault != nil {
		if f := w.fault(n); f != nil {
			return f(rq, through)
		}
	}
	return through(), nil
}

// writes returns the requests since the last call that are no GET.
func (w *wire) writes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, l := range w.log {
		if !strings.HasPrefix(l, "GET ") {
			out = append(out, l)
		}
	}
	w.log = nil
	return out
}

func status(code int, header ...string) *http.Response {
	rec := httptest.NewRecorder()
	for i := 0; i+1 < len(header); i += 2 {
		rec.Header().Set(header[i], header[i+1])
	}
	rec.WriteHeader(code)
	return rec.Result()
}

// service is a SCIM service of ours behind a wire.
type service struct {
	*wire
	svc *identitystore.Service
}

func newService(t *testing.T, profile scim.Profile) *service {
	t.Helper()
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	var tokens scim.Tokens
	tokens.Add(scim.HashToken(token), svc)
	h, err := scim.NewHandler(scim.Config{Auth: &tokens, Profile: profile})
	require.NoError(t, err)
	return &service{&wire{h: h}, svc}
}

func (s *service) client(t *testing.T, cfg scim.ClientConfig) *scim.Client {
	t.Helper()
	cfg.BaseURL, cfg.Token, cfg.HTTP = "https://scim.example.test/v2", giveToken, &http.Client{Transport: s.wire}
	if cfg.Backoff == 0 {
		cfg.Backoff = time.Microsecond
	}
	s.h = http.StripPrefix("/v2", s.h)
	c, err := scim.NewClient(cfg)
	require.NoError(t, err)
	return c
}

// state returns what the service holds.
func (s *service) state(t *testing.T) scim.State {
	t.Helper()
	got, err := scim.StateOf(t.Context(), s.svc, "scim")
	require.NoError(t, err)
	for i := range got.Users {
		got.Users[i].More = nil
	}
	return got
}

// people returns a state of n users and one group of them all.
func people(n int) scim.State {
	var s scim.State
	g := scim.PushGroup{DisplayName: "G", ExternalID: "g"}
	for i := range n {
		name := fmt.Sprint("u", i)
		s.Users = append(s.Users, scim.PushUser{UserName: name, ExternalID: "x" + name, DisplayName: "D", GivenName: "G", FamilyName: "F", Email: name + "@example.com", Active: true})
		g.Members = append(g.Members, name)
	}
	s.Groups = []scim.PushGroup{g}
	return s
}

// TestClientAtEachFault fails each request once, in each way, and wants the same end.
func TestClientAtEachFault(t *testing.T) {
	t.Parallel()
	type answer = func(rq *http.Request, through func() *http.Response) (*http.Response, error)
	faults := map[string]answer{
		"429": func(*http.Request, func() *http.Response) (*http.Response, error) { return status(429), nil },
		"503": func(*http.Request, func() *http.Response) (*http.Response, error) { return status(503), nil },
		"500": func(*http.Request, func() *http.Response) (*http.Response, error) { return status(500), nil },
		"500 after the effect": func(_ *http.Request, through func() *http.Response) (*http.Response, error) {
			through()
			return status(500), nil
		},
		"cut before": func(*http.Request, func() *http.Response) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"cut after the effect": func(_ *http.Request, through func() *http.Response) (*http.Response, error) {
			through()
			return nil, io.ErrUnexpectedEOF
		},
	}
	for _, profile := range []scim.Profile{scim.RFC, scim.AWS} {
		want := people(5)
		plain := newService(t, profile)
		_, err := plain.client(t, scim.ClientConfig{Profile: profile}).Push(t.Context(), want, scim.PushOptions{})
		require.NoError(t, err)
		requests := plain.count.Load()
		require.Greater(t, requests, int64(8))
		for name, f := range faults {
			t.Run(fmt.Sprint(profile, " ", name), func(t *testing.T) {
				t.Parallel()
				for k := range requests {
					s := newService(t, profile)
					s.fault = func(n int64) answer {
						if n == k+1 {
							return f
						}
						return nil
					}
					c := s.client(t, scim.ClientConfig{Profile: profile})
					r, err := c.Push(t.Context(), want, scim.PushOptions{RemoveMembers: true})
					require.NoError(t, err)
					require.NoError(t, r.Err())
					require.Equal(t, map[scim.Outcome]int{scim.Created: 6}, r.Counts())
					requireState(t, want, s.state(t))
				}
			})
		}
	}
}

func requireState(t *testing.T, want, got scim.State) {
	t.Helper()
	require.ElementsMatch(t, want.Users, got.Users)
	require.Len(t, got.Groups, len(want.Groups))
	for _, g := range want.Groups {
		found := false
		for _, h := range got.Groups {
			if h.DisplayName == g.DisplayName {
				found = true
				require.Equal(t, g.ExternalID, h.ExternalID)
				require.ElementsMatch(t, g.Members, h.Members)
			}
		}
		require.True(t, found, g.DisplayName)
	}
}

// TestClientWaits measures pauses with a clock that only the pauses move.
func TestClientWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg        scim.ClientConfig
		status     int
		retryAfter string
		method     string
		requests   int64
		min, max   time.Duration
	}{
		"what the service asks for":      {scim.ClientConfig{Tries: 3}, 429, "7", "GET", 3, 14 * time.Second, 14 * time.Second},
		"a date":                         {scim.ClientConfig{Tries: 2}, 503, "a minute", "POST", 2, time.Minute - time.Second, time.Minute},
		"more than the client waits":     {scim.ClientConfig{}, 429, "121", "GET", 1, 0, 0},
		"more, allowed":                  {scim.ClientConfig{Tries: 2, MaxWait: 5 * time.Minute}, 429, "300", "GET", 2, 300 * time.Second, 300 * time.Second},
		"nonsense counts as absent":      {scim.ClientConfig{Tries: 2}, 429, "-5 soon", "GET", 2, 0, 250 * time.Millisecond},
		"negative":                       {scim.ClientConfig{Tries: 2}, 429, "-5", "GET", 2, 0, 250 * time.Millisecond},
		"doubled, a random part, capped": {scim.ClientConfig{Tries: 20}, 503, "", "DELETE", 20, time.Second, 19 * 30 * time.Second},
		"eight tries":                    {scim.ClientConfig{}, 502, "", "PATCH", 8, 1, 32 * time.Second},
		"a creation is not repeated":     {scim.ClientConfig{}, 500, "", "POST", 1, 0, 0},
		"not done is not repeated":       {scim.ClientConfig{}, 501, "", "GET", 1, 0, 0},
		"refused is not repeated":        {scim.ClientConfig{}, 400, "", "GET", 1, 0, 0},
		"not found is not repeated":      {scim.ClientConfig{}, 404, "", "DELETE", 1, 0, 0},
		"unauthorized is not repeated":   {scim.ClientConfig{}, 401, "", "GET", 1, 0, 0},
		"conflict is not repeated":       {scim.ClientConfig{}, 409, "", "PATCH", 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{wire: &wire{h: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if c.retryAfter != "" {
						w.Header().Set("Retry-After", c.retryAfter)
					}
					if c.retryAfter == "a minute" {
						w.Header().Set("Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))
					}
					w.WriteHeader(c.status)
				})}}
				if c.cfg.Backoff = 250 * time.Millisecond; c.cfg.Tries == 20 {
					c.cfg.Backoff = time.Minute // more than the cap is the cap
				}
				client := s.client(t, c.cfg)
				start := time.Now()
				err := client.Do(t.Context(), c.method, "/Users", nil, nil)
				var e *scim.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, e.Status == 429 || e.Status == 500 || e.Status > 501, scim.Temporary(err))
				require.Equal(t, c.requests, s.count.Load())
				require.GreaterOrEqual(t, time.Since(start), c.min)
				require.LessOrEqual(t, time.Since(start), c.max)
			})
		})
	}
}

// TestClientHolds: one request that is told to wait stops the others, and a cancelled context ends the wait.
func TestClientHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{wire: &wire{h: http.NotFoundHandler()}}
		s.fault = func(n int64) func(*http.Request, func() *http.Response) (*http.Response, error) {
			if n > 1 {
				return nil
			}
			return func(*http.Request, func() *http.Response) (*http.Response, error) {
				return status(429, "Retry-After", "60"), nil
			}
		}
		c := s.client(t, scim.ClientConfig{})
		go func() { _ = c.Do(t.Context(), "GET", "/a", nil, nil) }()
		synctest.Wait()
		start := time.Now()
		require.Error(t, c.Do(t.Context(), "GET", "/b", nil, nil))
		require.Equal(t, time.Minute, time.Since(start))

		s.count.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start = time.Now()
		require.ErrorIs(t, c.Do(ctx, "GET", "/c", nil, nil), context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

// TestClientRate: the requests of all goroutines together keep the rate.
func TestClientRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, scim.RFC)
		c := s.client(t, scim.ClientConfig{PerSecond: 10, Parallel: 8})
		start := time.Now()
		_, err := c.Push(t.Context(), people(20), scim.PushOptions{})
		require.NoError(t, err)
		require.Equal(t, time.Duration(s.count.Load()-1)*100*time.Millisecond, time.Since(start))
	})
}

// TestClientParallel: no more requests at a time than configured, and that many.
func TestClientParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, scim.RFC)
		var now, most atomic.Int64
		s.fault = func(int64) func(*http.Request, func() *http.Response) (*http.Response, error) {
			return func(_ *http.Request, through func() *http.Response) (*http.Response, error) {
				for n := now.Add(1); ; {
					if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
						break
					}
				}
				time.Sleep(time.Millisecond) // of the test's own clock
				defer now.Add(-1)
				return through(), nil
			}
		}
		_, err := s.client(t, scim.ClientConfig{}).Push(t.Context(), people(40), scim.PushOptions{})
		require.NoError(t, err)
		require.Equal(t, int64(4), most.Load())
	})
}

func TestClientRefuses(t *testing.T) {
	t.Parallel()
	for _, cfg := range []scim.ClientConfig{
		{},
		{BaseURL: "http://scim.example.test", Token: giveToken},
		{BaseURL: "https://x"},
		{BaseURL: "ftp://x", Token: giveToken},
		{BaseURL: "https://x?y=z", Token: giveToken},
		{BaseURL: "https://x#y", Token: giveToken},
		{BaseURL: "https://user:secret@x", Token: giveToken},
		{BaseURL: "https://x", Token: giveToken, Tries: -1},
		{BaseURL: "https://x", Token: giveToken, Parallel: -1},
		{BaseURL: "https://x", Token: giveToken, PerSecond: -1},
		{BaseURL: "https://x", Token: giveToken, MaxWait: -1},
	} {
		_, err := scim.NewClient(cfg)
		require.Error(t, err, cfg.BaseURL)
	}
	_, err := scim.NewClient(scim.ClientConfig{BaseURL: "http://scim.example.test", Token: giveToken, InsecureAllowHTTP: true})
	require.NoError(t, err)
	s := start(t, scim.Config{})
	bad, err := scim.NewClient(scim.ClientConfig{BaseURL: s.url, Token: func(context.Context) (string, error) { return "x", nil }})
	require.NoError(t, err)
	var e *scim.Error
	require.ErrorAs(t, bad.Do(t.Context(), "GET", "/Users", nil, nil), &e)
	require.Equal(t, 401, e.Status)
	_, err = bad.Push(t.Context(), scim.State{}, scim.PushOptions{})
	require.ErrorAs(t, err, &e)
	_, err = bad.PushPlan(t.Context(), nil, scim.PushOptions{})
	require.Error(t, err)
	none, err := scim.NewClient(scim.ClientConfig{BaseURL: s.url, Token: func(context.Context) (string, error) { return "", errors.New("no token") }})
	require.NoError(t, err)
	require.Error(t, none.Do(t.Context(), "GET", "/Users", nil, nil))
}

// TestClientRedirects: a token goes to no other host, and a write does not become a read.
func TestClientRedirects(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(other.Close)
	for name, target := range map[string]string{"other host": other.URL, "same host": "/elsewhere"} {
		var reads atomic.Int64
		away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				reads.Add(1)
				return
			}
			http.Redirect(w, r, target, http.StatusFound)
		}))
		t.Cleanup(away.Close)
		c, err := scim.NewClient(scim.ClientConfig{BaseURL: away.URL, Token: giveToken})
		require.NoError(t, err)
		if name == "other host" {
			require.ErrorIs(t, c.Do(t.Context(), "GET", "/Users", nil, nil), scim.ErrAnswer)
		} else {
			require.NoError(t, c.Do(t.Context(), "GET", "/Users", nil, nil))
			require.Equal(t, int64(1), reads.Load())
		}
		var e *scim.Error
		require.ErrorAs(t, c.Do(t.Context(), "POST", "/Users", map[string]any{}, nil), &e)
		require.Equal(t, http.StatusFound, e.Status)
		require.LessOrEqual(t, reads.Load(), int64(1))
	}
	require.Zero(t, hits.Load())
}

// TestClientHostile: what a service may answer that no honest one does.
func TestClientHostile(t *testing.T) {
	t.Parallel()
	answer := func(f http.HandlerFunc) *scim.Client {
		srv := httptest.NewServer(f)
		t.Cleanup(srv.Close)
		c, err := scim.NewClient(scim.ClientConfig{BaseURL: srv.URL, Token: giveToken, Backoff: time.Microsecond, Tries: 2})
		require.NoError(t, err)
		return c
	}
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for name, f := range map[string]http.HandlerFunc{
		"too long":                      write(`{"Resources":[` + strings.Repeat(" ", 9<<20) + `]}`),
		"no JSON":                       write(`<html>`),
		"another shape":                 write(`{"Resources":{}}`),
		"a cursor that leads to itself": write(`{"nextCursor":"a","Resources":[{"id":"1"}]}`),
		"a list without end": func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"nextCursor":"c%s","Resources":[%s{"id":"1"}]}`, r.URL.Query().Get("cursor"), strings.Repeat(`null,`, 400_000))
		},
	} {
		var asked atomic.Int64
		_, err := answer(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			f(w, r)
		}).Push(t.Context(), people(1), scim.PushOptions{})
		require.ErrorIs(t, err, scim.ErrAnswer, name)
		require.LessOrEqual(t, asked.Load(), int64(8), name)
	}
	// an object without an id, or two with one external id, is nothing to write to
	for name, text := range map[string]string{"no id": `{"totalResults":1,"Resources":[{"userName":"u0"}]}`, "two": `{"totalResults":9,"Resources":[{"id":"1"},{"id":"2"}]}`} {
		_, err := answer(write(text)).Push(t.Context(), people(1), scim.PushOptions{})
		require.ErrorIs(t, err, scim.ErrAnswer, name)
	}
	c := answer(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"detail":"\u001b[2Jgone\n`+strings.Repeat("x", 5000)+`","scimType":"a\u0000b"}`)
	})
	var e *scim.Error
	require.ErrorAs(t, c.Do(t.Context(), "GET", "/Users", nil, nil), &e)
	require.Equal(t, "a?b", e.Type)
	require.True(t, strings.HasPrefix(e.Detail, "?[2Jgone?xxx"))
	require.Len(t, e.Detail, 500)
	created := answer(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			return
		}
		_, _ = io.WriteString(w, `{"totalResults":0,"Resources":[]}`)
	})
	r, err := created.Push(t.Context(), people(1), scim.PushOptions{})
	require.NoError(t, err)
	require.Equal(t, scim.PushPartly, r.State, "a creation without an id cannot be trusted")
}

// TestClientGivesUp: a service that is never well is asked a bounded number of times for each object.
func TestClientGivesUp(t *testing.T) {
	t.Parallel()
	for code, most := range map[int]int64{429: 4 + 3, 503: 4 + 3, 501: 4 + 1, 400: 4 + 1, 500: 4 + 3 + 2*2} {
		s := newService(t, scim.RFC)
		s.fault = func(int64) func(*http.Request, func() *http.Response) (*http.Response, error) {
			return func(rq *http.Request, through func() *http.Response) (*http.Response, error) {
				if rq.Method == http.MethodPost {
					return status(code), nil
				}
				return through(), nil
			}
		}
		r, err := s.client(t, scim.ClientConfig{Tries: 3}).Push(t.Context(), scim.State{Users: people(1).Users}, scim.PushOptions{})
		require.NoError(t, err)
		require.Equal(t, map[scim.Outcome]int{scim.Failed: 1}, r.Counts())
		require.LessOrEqual(t, s.count.Load(), most, code)
	}
}

// TestPushReportPrints: a name that a service made up does not reach a terminal as it is.
func TestPushReportPrints(t *testing.T) {
	t.Parallel()
	s := &service{wire: &wire{h: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/Users") {
			_, _ = io.WriteString(w, `{"totalResults":1,"Resources":[{"id":"1","userName":"\u001b[2Jgone\nsecond line","externalId":"x\u0007\n"}]}`)
			return
		}
		_, _ = io.WriteString(w, `{"totalResults":0,"Resources":[]}`)
	})}}
	r, err := s.client(t, scim.ClientConfig{}).Push(t.Context(), people(1), scim.PushOptions{Compare: true, Users: scim.DeleteUsers})
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	require.NotContains(t, b.String(), "\x1b")
	require.NotContains(t, b.String(), "\a")
	require.Contains(t, b.String(), "remove user ?[2Jgone?second line (x??)\n")
}
