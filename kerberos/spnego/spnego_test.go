package spnego_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
	"github.com/adfedkit/adfedkit/kerberos/spnego"
)

const (
	realm = "CORP.EXAMPLE.TEST"
	spn   = "HTTP/127.0.0.1"
	pw    = "Correct-Horse-1"
)

type env struct {
	kdc    *kerberostest.KDC
	client *kerberos.Client
}

func setup(t *testing.T) env {
	t.Helper()
	k, err := kerberostest.Start(kerberostest.Config{
		Realm: realm, Iterations: 16, Users: []kerberostest.User{{Name: "alice", Password: pw}},
		Services: []kerberostest.Service{{SPN: spn}, {SPN: "HTTP/other"}},
	})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	c, err := kerberos.NewClient(kerberos.ClientConfig{Realms: []kerberos.Realm{k.Realm()}, Principal: "alice@" + realm, Password: []byte(pw)})
	require.NoError(t, err)
	return env{k, c}
}

func (e env) acceptor(t *testing.T, change func(*kerberos.AcceptorConfig)) *kerberos.Acceptor {
	t.Helper()
	cfg := kerberos.AcceptorConfig{
		Keytab: e.kdc.Keytab(spn), SPNs: []string{spn}, AllowedRealms: []string{realm}, Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{}),
	}
	if change != nil {
		change(&cfg)
	}
	a, err := kerberos.NewAcceptor(cfg)
	require.NoError(t, err)
	return a
}

// who answers with the name of the identity, or "nobody".
func who(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if id, ok := spnego.IdentityFrom(r.Context()); ok {
		_, _ = io.WriteString(w, id.Principal+" "+string(body))
		return
	}
	_, _ = io.WriteString(w, "nobody")
}

func (e env) server(t *testing.T, change func(*spnego.Config)) *httptest.Server {
	t.Helper()
	cfg := spnego.Config{Acceptor: e.acceptor(t, nil)}
	if change != nil {
		change(&cfg)
	}
	mw, err := spnego.NewMiddleware(cfg)
	require.NoError(t, err)
	srv := httptest.NewServer(mw(http.HandlerFunc(who)))
	t.Cleanup(srv.Close)
	return srv
}

func (e env) http(t *testing.T, change func(*spnego.TransportConfig)) *http.Client {
	t.Helper()
	cfg := spnego.TransportConfig{Client: e.client, Allow: func(*url.URL) bool { return true }, AllowPlainHTTP: true}
	if change != nil {
		change(&cfg)
	}
	tr, err := spnego.NewTransport(cfg)
	require.NoError(t, err)
	return &http.Client{Transport: tr}
}

func do(t *testing.T, c *http.Client, method, url, body, auth string) (int, string, http.Header) {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	require.NoError(t, err)
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // test
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b), resp.Header
}

func (e env) token(t *testing.T, service string) string {
	t.Helper()
	in, err := e.client.Initiate(t.Context(), kerberos.InitiateConfig{SPN: service, SPNEGO: true})
	require.NoError(t, err)
	return "Negotiate " + base64.StdEncoding.EncodeToString(in.Token)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	e := setup(t)
	srv := e.server(t, nil)
	for _, onDemand := range []bool{false, true} {
		c := e.http(t, func(cfg *spnego.TransportConfig) { cfg.OnDemand = onDemand })
		for range 3 { // each request is judged by itself
			code, body, h := do(t, c, http.MethodPost, srv.URL, "payload", "")
			require.Equal(t, 200, code)
			require.Equal(t, "alice@CORP.EXAMPLE.TEST payload", body)
			require.True(t, strings.HasPrefix(h.Get("WWW-Authenticate"), "Negotiate "), "the server's proof")
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	e := setup(t)
	srv := e.server(t, nil)
	used := e.token(t, spn)
	code, _, _ := do(t, srv.Client(), http.MethodGet, srv.URL, "", used)
	require.Equal(t, 200, code)
	for name, auth := range map[string]string{
		"replayed": used, "no base64": "Negotiate %%%", "empty": "Negotiate ", "garbage": "Negotiate AAAA", "NTLM": "Negotiate TlRMTVNTUAABAAAA",
		"too long": "Negotiate " + strings.Repeat("A", 90<<10), "other service": e.token(t, "HTTP/other"),
	} {
		code, body, h := do(t, srv.Client(), http.MethodGet, srv.URL, "", auth)
		require.Equal(t, 401, code, name)
		require.NotContains(t, body, "alice")
		require.NotContains(t, body, "reject")
		require.Empty(t, h.Get("WWW-Authenticate"), "%s: no new challenge, or browsers go round in a circle", name)
	}
	for name, auth := range map[string]string{"nothing": "", "another scheme": "Basic YTpi"} {
		code, body, h := do(t, srv.Client(), http.MethodGet, srv.URL, "", auth)
		require.Equal(t, 401, code, name)
		require.Equal(t, "Negotiate", h.Get("WWW-Authenticate"), name)
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.Equal(t, "sign-in needed\n", body)
	}
	code, _, h := do(t, srv.Client(), http.MethodOptions, srv.URL, "", "")
	require.Equal(t, 401, code)
	require.Empty(t, h.Get("WWW-Authenticate"), "no challenge for a pre-flight request")

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	req.Header["Authorization"] = []string{e.token(t, spn), e.token(t, spn)}
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 401, resp.StatusCode, "two credentials in one request")
}

func TestOptionalAndFallback(t *testing.T) {
	t.Parallel()
	e := setup(t)
	opt := e.server(t, func(c *spnego.Config) { c.Optional = true })
	code, body, _ := do(t, opt.Client(), http.MethodGet, opt.URL, "", "")
	require.Equal(t, 200, code)
	require.Equal(t, "nobody", body)
	code, _, _ = do(t, opt.Client(), http.MethodGet, opt.URL, "", "Negotiate AAAA")
	require.Equal(t, 401, code, "a bad token is refused all the same")

	form := e.server(t, func(c *spnego.Config) {
		c.Fallback = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/move" {
				http.Redirect(w, r, "/login", http.StatusSeeOther)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			if r.URL.Path == "/explicit" {
				w.WriteHeader(http.StatusOK)
			}
			_, _ = io.WriteString(w, "<form>")
		})
	})
	for path, want := range map[string]int{"/": 401, "/explicit": 401, "/move": 303} {
		c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		code, body, h := do(t, c, http.MethodGet, form.URL+path, "", "")
		require.Equal(t, want, code, path)
		require.Equal(t, "Negotiate", h.Get("WWW-Authenticate"))
		if want == 401 {
			require.Equal(t, "<form>", body)
		}
	}
}

func TestContinueToken(t *testing.T) {
	t.Parallel()
	e := setup(t)
	srv := e.server(t, nil)
	mechs := []byte{0x30, 0x17, 6, 0x0a, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 0x0a, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2}
	inner := append([]byte{0xa0, byte(len(mechs) + 4), 0x30, byte(len(mechs) + 2), 0xa0, byte(len(mechs))}, mechs...)
	body := append([]byte{6, 6, 0x2b, 6, 1, 5, 5, 2}, inner...)
	tok := append([]byte{0x60, byte(len(body))}, body...)
	code, _, h := do(t, srv.Client(), http.MethodGet, srv.URL, "", "Negotiate "+base64.StdEncoding.EncodeToString(tok))
	require.Equal(t, 401, code)
	require.True(t, strings.HasPrefix(h.Get("WWW-Authenticate"), "Negotiate o"), "an incomplete negotiation goes on: %s", h.Get("WWW-Authenticate"))
}

func TestChannelBindingOverTLS(t *testing.T) {
	t.Parallel()
	e := setup(t)
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	mw, err := spnego.NewMiddleware(spnego.Config{
		Acceptor: e.acceptor(t, func(c *kerberos.AcceptorConfig) { c.ChannelBinding = kerberos.ChannelBindingRequired }), Certificate: srv.Certificate(),
	})
	require.NoError(t, err)
	srv.Config.Handler = mw(http.HandlerFunc(who))
	right, err := kerberos.TLSServerEndPoint(srv.Certificate())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		binding []byte
		want    int
	}{"right": {right, 200}, "none": {nil, 401}, "a man in the middle": {[]byte("tls-server-end-point:x"), 401}} {
		hc := e.http(t, func(cfg *spnego.TransportConfig) {
			cfg.Base = srv.Client().Transport
			cfg.AllowPlainHTTP = false
			cfg.Binding = func(*url.URL) []byte { return c.binding }
		})
		code, _, _ := do(t, hc, http.MethodGet, srv.URL, "", "")
		require.Equal(t, c.want, code, name)
	}
}

// No ticket goes where it should not.
func TestTransportSendsNothing(t *testing.T) {
	t.Parallel()
	e := setup(t)
	var seen string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("Authorization") }))
	t.Cleanup(srv.Close)
	for name, change := range map[string]func(*spnego.TransportConfig){
		"host not allowed": func(c *spnego.TransportConfig) { c.Allow = func(*url.URL) bool { return false } },
		"plain http":       func(c *spnego.TransportConfig) { c.AllowPlainHTTP = false },
		"nobody asked":     func(c *spnego.TransportConfig) { c.OnDemand = true },
	} {
		code, _, _ := do(t, e.http(t, change), http.MethodGet, srv.URL, "", "")
		require.Equal(t, 200, code)
		require.Empty(t, seen, name)
	}
	do(t, e.http(t, nil), http.MethodGet, srv.URL, "", "Basic YTpi")
	require.Equal(t, "Basic YTpi", seen, "the caller's own credentials stay")
	for name, change := range map[string]func(*spnego.TransportConfig){
		"no client": func(c *spnego.TransportConfig) { c.Client = nil }, "no allow list": func(c *spnego.TransportConfig) { c.Allow = nil },
	} {
		cfg := spnego.TransportConfig{Client: e.client, Allow: func(*url.URL) bool { return true }}
		change(&cfg)
		_, err := spnego.NewTransport(cfg)
		require.Error(t, err, name)
	}
	_, err := spnego.NewMiddleware(spnego.Config{})
	require.Error(t, err)
}

func TestTransportWithoutProof(t *testing.T) {
	t.Parallel()
	e := setup(t)
	calls := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		switch r.URL.Path {
		case "/garbage":
			w.Header().Set("WWW-Authenticate", "Negotiate AAAA")
		case "/again":
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(srv.Close)
	for _, path := range []string{"/", "/garbage"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
		require.NoError(t, err)
		_, err = e.http(t, nil).Do(req) //nolint:bodyclose // it fails
		require.ErrorIs(t, err, spnego.ErrMutual)
	}
	calls = 0
	code, _, _ := do(t, e.http(t, func(c *spnego.TransportConfig) { c.OnDemand = true }), http.MethodGet, srv.URL+"/again", "", "")
	require.Equal(t, 401, code)
	require.Equal(t, 2, calls, "one bare request, one with a ticket, never a third")
}

func TestTransportBody(t *testing.T) {
	t.Parallel()
	e := setup(t)
	srv := e.server(t, nil)
	onDemand := e.http(t, func(c *spnego.TransportConfig) { c.OnDemand = true })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, io.NopCloser(bytes.NewReader([]byte("once"))))
	require.NoError(t, err)
	_, err = onDemand.Do(req) //nolint:bodyclose // it fails
	require.ErrorIs(t, err, spnego.ErrReplayBody)
	failing := e.http(t, func(c *spnego.TransportConfig) { c.SPN = func(*url.URL) string { return "HTTP/nobody" } })
	req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("x"))
	require.NoError(t, err)
	_, err = failing.Do(req) //nolint:bodyclose // it fails
	require.ErrorIs(t, err, kerberos.ErrServiceUnknown)
	require.NotErrorIs(t, err, spnego.ErrMutual)
}

// A client that waits for the server's 401 has seen its certificate and ties the ticket to it.
func TestTransportBindsToTheCertificate(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for name, c := range map[string]struct {
		onDemand, strange bool
		want              int
	}{"on demand": {true, false, 200}, "at once, with nothing seen": {false, false, 401}, "a man in the middle": {true, true, 401}} {
		srv := httptest.NewTLSServer(nil)
		t.Cleanup(srv.Close)
		cert := *srv.Certificate()
		if c.strange {
			cert.Raw = append(bytes.Clone(cert.Raw), 0)
		}
		mw, err := spnego.NewMiddleware(spnego.Config{
			Acceptor:    e.acceptor(t, func(c *kerberos.AcceptorConfig) { c.ChannelBinding = kerberos.ChannelBindingRequired }),
			Certificate: &cert,
		})
		require.NoError(t, err)
		srv.Config.Handler = mw(http.HandlerFunc(who))
		hc := e.http(t, func(cfg *spnego.TransportConfig) {
			cfg.Base, cfg.AllowPlainHTTP, cfg.OnDemand = srv.Client().Transport, false, c.onDemand
		})
		code, _, _ := do(t, hc, http.MethodGet, srv.URL, "", "")
		require.Equal(t, c.want, code, name)
	}
}

// Headers that are no token, at their limits, and requests to which Negotiate is not offered.
func TestHeaders(t *testing.T) {
	t.Parallel()
	e := setup(t)
	srv := e.server(t, func(c *spnego.Config) {
		c.Challenge = func(r *http.Request) bool { return r.URL.Path != "/quiet" }
	})
	good := e.token(t, spn)
	for name, c := range map[string]struct {
		path, auth string
		challenge  bool
	}{
		"nothing": {"/", "", true}, "nothing, not offered": {"/quiet", "", false}, "a token, not offered": {"/quiet", good, false},
		"the word alone": {"/", "Negotiate", false}, "the word and spaces": {"/", "Negotiate   ", false}, "no base64": {"/", "Negotiate ???", false},
		"the longest": {"/", "Negotiate " + strings.Repeat("A", 64<<10*4/3), false}, "too long": {"/", "Negotiate " + strings.Repeat("A", 64<<10*4/3+4), false},
		"another scheme": {"/", "Bearer x", true},
	} {
		code, body, header := do(t, http.DefaultClient, http.MethodGet, srv.URL+c.path, "", c.auth)
		require.Equal(t, 401, code, name)
		require.NotContains(t, body, "alice", name)
		require.Equal(t, c.challenge, header.Get("WWW-Authenticate") == "Negotiate", name)
		require.Equal(t, "no-store", header.Get("Cache-Control"), name)
	}
	code, _, _ := do(t, http.DefaultClient, http.MethodGet, srv.URL, "", good)
	require.Equal(t, 200, code)
}

// Behind a proxy that ends TLS the binding of the proxy's certificate counts, if the program says so.
func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	e := setup(t)
	proxy := httptest.NewTLSServer(nil)
	t.Cleanup(proxy.Close)
	binding, err := kerberos.TLSServerEndPoint(proxy.Certificate())
	require.NoError(t, err)
	for trusted, want := range map[bool]int{true: 200, false: 401} {
		srv := e.server(t, func(c *spnego.Config) {
			c.Acceptor = e.acceptor(t, func(c *kerberos.AcceptorConfig) { c.ChannelBinding = kerberos.ChannelBindingRequired })
			c.Certificate, c.TrustedProxyTLS = proxy.Certificate(), trusted
		})
		hc := e.http(t, func(cfg *spnego.TransportConfig) { cfg.Binding = func(*url.URL) []byte { return binding } })
		code, _, _ := do(t, hc, http.MethodGet, srv.URL, "", "")
		require.Equal(t, want, code)
	}
}

// A 401 without an offer of Negotiate is the answer; requests without a body and with http.NoBody may be sent again.
func TestTransportOnDemandEdges(t *testing.T) {
	t.Parallel()
	e := setup(t)
	var calls atomic.Int32
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("WWW-Authenticate", "Basic realm=x")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(bare.Close)
	onDemand := e.http(t, func(c *spnego.TransportConfig) { c.OnDemand = true })
	code, _, _ := do(t, onDemand, http.MethodGet, bare.URL, "", "")
	require.Equal(t, 401, code)
	require.EqualValues(t, 1, calls.Load(), "nobody asked for a ticket")
	srv := e.server(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, http.NoBody)
	require.NoError(t, err)
	req.GetBody = nil
	resp, err := onDemand.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // test
	require.Equal(t, 200, resp.StatusCode)
	gone := "http://" + strings.TrimPrefix(bare.URL, "http://")
	bare.Close()
	req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, gone, nil)
	require.NoError(t, err)
	_, err = onDemand.Do(req) //nolint:bodyclose // it fails
	require.Error(t, err)
}
