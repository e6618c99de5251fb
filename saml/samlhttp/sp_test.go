package samlhttp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

const signedIn = "signed in as alice@example.com"

func start(t *testing.T, cfg samltest.Config) *samltest.Lab {
	t.Helper()
	lab, err := samltest.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(lab.Close)
	return lab
}

func alice() *samltest.Browser { return samltest.NewBrowser("alice", "Correct-Horse-1") }

func open(t *testing.T, b *samltest.Browser, url string) *samltest.Page {
	t.Helper()
	p, err := b.Open(t.Context(), url)
	require.NoError(t, err)
	return p
}

// capture walks until the response form is reached and keeps it undelivered.
func capture(t *testing.T, b *samltest.Browser, url string) *samltest.Form {
	t.Helper()
	var kept *samltest.Form
	b.BeforePost = func(f *samltest.Form) bool {
		if f.Fields.Has("SAMLResponse") {
			kept = f
		}
		return kept == nil
	}
	open(t, b, url)
	b.BeforePost = nil
	require.NotNil(t, kept, "no response")
	return kept
}

func send(t *testing.T, b *samltest.Browser, f *samltest.Form) *samltest.Page {
	t.Helper()
	p, err := b.Send(t.Context(), f)
	require.NoError(t, err)
	return p
}

func reason(r saml.Reason) string { return "Reason: " + string(r) }

// crossSite is a browser that keeps Lax cookies back from POSTs, as real ones do for a POST of another site.
func crossSite(b *samltest.Browser) *samltest.Browser {
	b.Client.Transport = lax{http.DefaultTransport}
	return b
}

type lax struct{ next http.RoundTripper }

func (l lax) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, samlhttp.PathACS) {
		r.Header.Del("Cookie")
	}
	return l.next.RoundTrip(r)
}

func TestSignInWithoutCrossSiteCookies(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]samltest.Config{
		"sealed in cookies": {},
		"in the store": {IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { // too large for cookies
			issue := c.Issue
			c.Issue = func(ctx context.Context, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
				st, err := issue(ctx, in)
				for range 300 {
					st.Attributes = append(st.Attributes, saml.NewAttribute("n", rand.Text())) // nothing to compress
				}
				return st, err
			}
		}, ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
			c.SignIn = func(context.Context, *http.Request, *saml.Assertion) (map[string]string, error) { return nil, nil }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, cfg)
			b := crossSite(alice())
			require.Contains(t, open(t, b, lab.SPURL+"/deep?a=1").Body, signedIn+" at /deep")
			require.Contains(t, open(t, b, lab.SPURL+"/again").Body, signedIn+" at /again")
		})
	}
}

// TestAnotherBrowser delivers a response to a browser that did not ask: refused, and nothing is used up (login CSRF).
func TestAnotherBrowser(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	right := crossSite(alice())
	f := capture(t, right, lab.SPURL+"/deep")
	for range 2 {
		p := send(t, crossSite(alice()), f)
		require.Equal(t, http.StatusForbidden, p.Status)
		require.Contains(t, p.Body, reason(saml.ReasonInResponseTo))
		p = send(t, samltest.NewBrowser("", ""), f)
		require.Contains(t, p.Body, reason(saml.ReasonInResponseTo))
	}
	require.Contains(t, send(t, right, f).Body, signedIn+" at /deep")
	p := send(t, right, f)
	require.Equal(t, http.StatusForbidden, p.Status, "the request is answered")
}

func TestReplay(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{AllowUnsolicited: true})
	f := capture(t, alice(), lab.IdPURL+samlhttp.PathIdPInitiated+"?loginToRp="+url.QueryEscape(lab.SP.EntityID()))
	require.Contains(t, send(t, alice(), f).Body, signedIn)
	p := send(t, alice(), f)
	require.Equal(t, http.StatusForbidden, p.Status)
	require.Contains(t, p.Body, reason(saml.ReasonReplay))
}

func TestConcurrentDelivery(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{AllowUnsolicited: true})
	f := capture(t, alice(), lab.IdPURL+samlhttp.PathIdPInitiated+"?loginToRp="+url.QueryEscape(lab.SP.EntityID()))
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 8 {
		wg.Go(func() {
			p, err := alice().Send(t.Context(), f)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && strings.Contains(p.Body, signedIn) {
				good++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, good)
}

func TestUnsolicitedIsOffByDefault(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	p := open(t, alice(), lab.IdPURL+samlhttp.PathIdPInitiated+"?loginToRp="+url.QueryEscape(lab.SP.EntityID()))
	require.Equal(t, http.StatusForbidden, p.Status)
	require.Contains(t, p.Body, reason(saml.ReasonUnsolicited))
}

// TestAttackHTTP/A117: no RelayState and no target leads away from the site.
func TestAttackHTTP(t *testing.T) {
	t.Parallel()
	t.Run("A117", func(t *testing.T) {
		t.Parallel()
		lab := start(t, samltest.Config{AllowUnsolicited: true, ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
			c.DefaultTarget, c.AllowedTargets = "/home", []string{"https://other.example.com/x"}
		}})
		for target, want := range map[string]string{
			"/deep?a=b":                   "/deep?a=b",
			"https://other.example.com/x": "https://other.example.com/x",
			"https://evil.example.com/":   "/home",
			"//evil.example.com/":         "/home",
			`/\evil.example.com/`:         "/home",
			"/%0d%0aX: y":                 "/%0d%0aX: y",
			"javascript:alert(1)":         "/home",
			"deep":                        "/home",
			"":                            "/home",
		} {
			b := alice()
			f := capture(t, b, saml.SignOnURL(lab.IdPURL+samlhttp.PathIdPInitiated, lab.SP.EntityID(), target))
			require.Equal(t, target, f.Fields.Get("RelayState"))
			require.Equal(t, want, location(t, b, f), target)
		}
	})
	t.Run("A136", func(t *testing.T) {
		t.Parallel()
		lab := start(t, samltest.Config{})
		b := alice()
		f := capture(t, b, lab.SPURL+"/deep")
		moved := &samltest.Form{Method: "POST", Action: f.Action + "?" + f.Fields.Encode(), Fields: url.Values{"x": {"y"}}}
		require.Equal(t, http.StatusForbidden, send(t, b, moved).Status)
		p := open(t, b, f.Action+"?"+f.Fields.Encode())
		require.Equal(t, http.StatusForbidden, p.Status)
		require.Contains(t, p.Body, reason(saml.ReasonBinding))
		require.Contains(t, send(t, b, f).Body, signedIn, "control")
	})
}

// location sends a form and returns where the answer points, without following it.
func location(t *testing.T, b *samltest.Browser, f *samltest.Form) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.Action, strings.NewReader(f.Fields.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.Client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	return resp.Header.Get("Location")
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 32)
	replay := saml.NewMemoryReplayStore(0, nil)
	var config samlhttp.ServiceProviderConfig
	lab := start(t, samltest.Config{ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
		c.CookieKey, c.Replay = key, replay
		config = *c
	}})
	second, err := samlhttp.NewServiceProvider(config)
	require.NoError(t, err)
	b := crossSite(alice())
	n := 0
	b.Client.Transport = lax{roundTripper(func(r *http.Request) (*http.Response, error) {
		if !strings.HasPrefix(r.URL.String(), lab.SPURL+"/saml/") {
			return http.DefaultTransport.RoundTrip(r)
		}
		n++
		if n%2 == 0 { // every other step is served by the second replica
			return http.DefaultTransport.RoundTrip(r)
		}
		rec := httptest.NewRecorder()
		second.Handler().ServeHTTP(rec, r)
		return rec.Result(), nil
	})}
	require.Contains(t, open(t, b, lab.SPURL+"/deep").Body, signedIn)
	require.GreaterOrEqual(t, n, 3)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTrackerOnTheServer(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{ServiceProvider: func(c *samlhttp.ServiceProviderConfig) { c.Tracker = saml.NewMemoryTracker(0, nil) }})
	require.Contains(t, open(t, crossSite(alice()), lab.SPURL+"/deep").Body, signedIn)
}

func TestSignInHook(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
		c.SignIn = func(_ context.Context, _ *http.Request, a *saml.Assertion) (map[string]string, error) {
			return nil, &samlhttp.SignInError{Reason: "not_provisioned", Public: "Nobody provisioned " + a.Subject.Value, Err: errors.New("internal")}
		}
	}})
	p := open(t, alice(), lab.SPURL+"/deep")
	require.Equal(t, http.StatusForbidden, p.Status)
	require.Contains(t, p.Body, "Nobody provisioned alice@example.com")
	require.Contains(t, p.Body, "Reason: not_provisioned")
	require.NotContains(t, p.Body, "internal")
}

func TestSessionValuesAndExpiry(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	var seen *samlhttp.Session
	lab := start(t, samltest.Config{Now: clock, ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
		c.SessionLife = time.Hour
		c.SignIn = func(_ context.Context, _ *http.Request, a *saml.Assertion) (map[string]string, error) {
			return map[string]string{"id": "u1", "context": a.ContextClass()}, nil
		}
	}})
	b := alice()
	open(t, b, lab.SPURL+"/deep")
	r := withCookies(t, b, lab.SPURL+"/")
	seen, err := lab.SP.Session(r)
	require.NoError(t, err)
	require.Equal(t, "u1", seen.Values["id"])
	require.Equal(t, saml.AuthnContextPasswordProtectedTransport, seen.Values["context"])
	require.Nil(t, seen.Attributes)
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	_, err = lab.SP.Session(r)
	require.ErrorIs(t, err, samlhttp.ErrNoSession)
}

func withCookies(t *testing.T, b *samltest.Browser, address string) *http.Request {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	for _, c := range b.Client.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	return r
}

func TestForgedCookies(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	b := alice()
	open(t, b, lab.SPURL+"/deep")
	good := withCookies(t, b, lab.SPURL+"/")
	_, err := lab.SP.Session(good)
	require.NoError(t, err)
	for name, edit := range map[string]func(string) string{
		"cut":       func(v string) string { return v[:len(v)-4] },
		"changed":   func(v string) string { return v[:20] + "AAAA" + v[24:] },
		"empty":     func(string) string { return "" },
		"no base64": func(string) string { return "%%%" },
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, lab.SPURL+"/", http.NoBody)
		for _, c := range good.Cookies() {
			c.Value = edit(c.Value)
			r.AddCookie(c)
		}
		_, err := lab.SP.Session(r)
		require.ErrorIs(t, err, samlhttp.ErrNoSession, name)
	}
	other := start(t, samltest.Config{})
	_, err = other.SP.Session(good)
	require.ErrorIs(t, err, samlhttp.ErrNoSession, "another key")
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	do := func(method string, header http.Header) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, lab.SPURL+"/api?x=1", http.NoBody)
		require.NoError(t, err)
		req.Header = header
		resp, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, resp.Header.Get("Location")
	}
	code, to := do(http.MethodGet, http.Header{})
	require.Equal(t, http.StatusFound, code)
	require.Equal(t, samlhttp.PathLogin+"?target=%2Fapi%3Fx%3D1", to)
	for method, header := range map[string]http.Header{http.MethodPost: {}, http.MethodHead: {"Sec-Fetch-Mode": {"cors"}}, http.MethodGet: {"X-Requested-With": {"XMLHttpRequest"}}} {
		code, _ := do(method, header)
		require.Equal(t, http.StatusUnauthorized, code)
	}
}

func TestNewServiceProviderRefuses(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewKeyPair("x")
	require.NoError(t, err)
	good := samlhttp.ServiceProviderConfig{BaseURL: "https://sp.example.com", Partners: samlhttp.Partners{}, Replay: saml.NewMemoryReplayStore(0, nil), Key: &key}
	_, err = samlhttp.NewServiceProvider(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*samlhttp.ServiceProviderConfig){
		"no address":        func(c *samlhttp.ServiceProviderConfig) { c.BaseURL = "" },
		"address path":      func(c *samlhttp.ServiceProviderConfig) { c.BaseURL += "/app" },
		"address scheme":    func(c *samlhttp.ServiceProviderConfig) { c.BaseURL = "ftp://x" },
		"address user":      func(c *samlhttp.ServiceProviderConfig) { c.BaseURL = "https://u@x" },
		"no partners":       func(c *samlhttp.ServiceProviderConfig) { c.Partners = nil },
		"no replay":         func(c *samlhttp.ServiceProviderConfig) { c.Replay = nil },
		"short key":         func(c *samlhttp.ServiceProviderConfig) { c.CookieKey = []byte("short") },
		"encrypted, no key": func(c *samlhttp.ServiceProviderConfig) { c.Encrypted, c.Key = true, nil },
		"encrypted, EC key": func(c *samlhttp.ServiceProviderConfig) {
			ec, err := samltest.NewECKeyPair("x")
			require.NoError(t, err)
			c.Encrypted, c.Key = true, &ec
		},
		"skew":           func(c *samlhttp.ServiceProviderConfig) { c.ClockSkew = time.Hour },
		"empty key pair": func(c *samlhttp.ServiceProviderConfig) { c.Key = &saml.KeyPair{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			change(&c)
			_, err := samlhttp.NewServiceProvider(c)
			require.Error(t, err)
		})
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{
		Partner: func(p *samlhttp.Partner) { p.Tenant = "a" },
		ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
			c.Tenant = func(r *http.Request) string { return r.Header.Get("X-Tenant") }
		},
	})
	b := alice()
	b.Header = http.Header{"X-Tenant": {"b"}}
	require.Contains(t, open(t, b, lab.SPURL+"/deep").Body, reason(saml.ReasonIssuer), "no identity provider for b")
	b = alice()
	b.Header = http.Header{"X-Tenant": {"a"}}
	require.Contains(t, open(t, b, lab.SPURL+"/deep").Body, signedIn)
	r := withCookies(t, b, lab.SPURL+"/")
	r.Header.Set("X-Tenant", "b")
	_, err := lab.SP.Session(r)
	require.ErrorIs(t, err, samlhttp.ErrNoSession, "a session of a is none of b")
}

func TestRefusalsAreLogged(t *testing.T) {
	t.Parallel()
	var buf safeBuffer
	lab := start(t, samltest.Config{Logger: slog.New(slog.NewTextHandler(&buf, nil))})
	open(t, alice(), lab.IdPURL+samlhttp.PathIdPInitiated+"?loginToRp="+url.QueryEscape(lab.SP.EntityID()))
	require.Contains(t, buf.String(), "reason=unsolicited")
	require.NotContains(t, buf.String(), "alice", "names are personal data")
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// TestWSFederation: AD FS offers WS-Federation beside SAML 2.0; its token at our address is refused for what it is, whatever it carries.
func TestWSFederation(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	const token = `<t:RequestSecurityTokenResponse xmlns:t="http://schemas.xmlsoap.org/ws/2005/02/trust"><t:RequestedSecurityToken>` +
		`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" MajorVersion="1" MinorVersion="1" AssertionID="_a1" Issuer="http://idp.example.test/adfs/services/trust" IssueInstant="2026-01-01T00:00:00Z">` +
		`<saml:AuthenticationStatement><saml:Subject><saml:NameIdentifier>alice@example.com</saml:NameIdentifier></saml:Subject></saml:AuthenticationStatement></saml:Assertion>` +
		`</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>`
	const response11 = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol" MajorVersion="1" MinorVersion="1" ResponseID="_r1" IssueInstant="2026-01-01T00:00:00Z"/>`
	field := func(xml string) string { return base64.StdEncoding.EncodeToString([]byte(xml)) }
	for name, c := range map[string]struct {
		form url.Values
		want saml.Reason
	}{
		"as AD FS posts it":         {url.Values{"wa": {"wsignin1.0"}, "wresult": {token}, "wctx": {"x"}}, saml.ReasonUnsupported},
		"token alone":               {url.Values{"wresult": {token}}, saml.ReasonUnsupported},
		"beside a response":         {url.Values{"wresult": {token}, "SAMLResponse": {field(response11)}}, saml.ReasonUnsupported},
		"token as a response":       {url.Values{"SAMLResponse": {field(token)}}, saml.ReasonNotAResponse},
		"response of SAML 1.1":      {url.Values{"SAMLResponse": {field(response11)}}, saml.ReasonNotAResponse},
		"neither":                   {url.Values{"x": {"y"}}, saml.ReasonBinding},
		"sign-out of WS-Federation": {url.Values{"wa": {"wsignoutcleanup1.0"}}, saml.ReasonUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := send(t, alice(), &samltest.Form{Action: lab.SPURL + samlhttp.PathACS, Method: http.MethodPost, Fields: c.form})
			require.GreaterOrEqual(t, p.Status, 400)
			require.Less(t, p.Status, 500)
			require.Contains(t, p.Body, reason(c.want))
			require.NotContains(t, p.Body, "alice@")
		})
	}
}
