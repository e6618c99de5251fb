package sts_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts"
)

func (w *world) credentials(tb testing.TB) sts.Credentials {
	tb.Helper()
	out, err := w.sts.AssumeRoleWithSAML(tb.Context(), input(w.idp.build(tb, good())))
	require.NoError(tb, err)
	return out.Credentials
}

func (w *world) get(tb testing.TB, path string) (answer, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, w.srv.URL+path, nil)
	require.NoError(tb, err)
	return w.do(tb, req)
}

func (w *world) do(tb testing.TB, req *http.Request) (answer, string) {
	tb.Helper()
	resp, err := noRedirect(w.srv.Client()).Do(req)
	require.NoError(tb, err)
	defer func() { require.NoError(tb, resp.Body.Close()) }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	return answer{resp.StatusCode, resp.Header}, string(raw)
}

// answer is what tests look at of a response.
type answer struct {
	StatusCode int
	Header     http.Header
}

const console = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logs:"

func TestSigninURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address, err := w.client(t, false).SigninURL(t.Context(), w.credentials(t), sts.SigninOptions{Issuer: "https://portal.corp.example.test/", Destination: console, Duration: time.Hour})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	resp, _ := w.do(t, req)
	require.Equal(t, http.StatusFound, resp.StatusCode)
	require.Equal(t, console, resp.Header.Get("Location"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	resp, body := w.do(t, req.Clone(t.Context()))
	require.Equal(t, http.StatusBadRequest, resp.StatusCode, "a token works once")
	require.Contains(t, body, `href="https://portal.corp.example.test/"`)
	_, err = w.client(t, false).SigninURL(t.Context(), w.credentials(t), sts.SigninOptions{})
	require.NoError(t, err)
	_, err = w.client(t, false).SigninURL(t.Context(), sts.Credentials{AccessKeyID: "x", SecretAccessKey: "y", SessionToken: "z"}, sts.SigninOptions{})
	require.ErrorIs(t, err, &sts.APIError{Code: "SigninTokenRefused"})
	_, err = w.client(t, false).SigninURL(t.Context(), w.credentials(t), sts.SigninOptions{Duration: time.Minute})
	require.Error(t, err)
	_, err = w.client(t, false).SigninURL(t.Context(), w.credentials(t), sts.SigninOptions{Destination: "https://evil.example/"})
	require.Error(t, err)
}

func session(c sts.Credentials) string {
	raw, err := json.Marshal(map[string]string{"sessionId": c.AccessKeyID, "sessionKey": c.SecretAccessKey, "sessionToken": c.SessionToken})
	if err != nil {
		panic(err)
	}
	return url.QueryEscape(string(raw))
}

func TestSigninTokenRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.credentials(t)
	require.NoError(t, w.store.PutSession(t.Context(), sts.Session{Credentials: sts.Credentials{AccessKeyID: "OLD", SecretAccessKey: "s", SessionToken: "t", Expiration: start()}}))
	require.NoError(t, w.store.PutSession(t.Context(), sts.Session{Credentials: sts.Credentials{AccessKeyID: "CHAIN", SecretAccessKey: "s", SessionToken: "t", Expiration: start().Add(time.Hour)}, Chained: true}))
	bad := func(f func(*sts.Credentials)) string { d := c; f(&d); return session(d) }
	for name, q := range map[string]string{
		"no session":       "",
		"malformed":        "&Session=%7B",
		"unknown":          "&Session=" + bad(func(c *sts.Credentials) { c.AccessKeyID = "ASIAXXXXXXXXXXXXXXXX" }),
		"wrong key":        "&Session=" + bad(func(c *sts.Credentials) { c.SecretAccessKey += "x" }),
		"wrong token":      "&Session=" + bad(func(c *sts.Credentials) { c.SessionToken = "" }),
		"expired":          "&Session=" + session(sts.Credentials{AccessKeyID: "OLD", SecretAccessKey: "s", SessionToken: "t"}),
		"short":            "&SessionDuration=899&Session=" + session(c),
		"long":             "&SessionDuration=43201&Session=" + session(c),
		"text":             "&SessionDuration=1h&Session=" + session(c),
		"empty duration":   "&SessionDuration=&Session=" + session(c),
		"chained duration": "&SessionDuration=900&Session=" + session(sts.Credentials{AccessKeyID: "CHAIN", SecretAccessKey: "s", SessionToken: "t"}),
	} {
		resp, body := w.get(t, "/federation?Action=getSigninToken"+q)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, name)
		require.NotContains(t, body, "SigninToken", name)
	}
	resp, body := w.get(t, "/federation?Action=getSigninToken&Session="+session(sts.Credentials{AccessKeyID: "CHAIN", SecretAccessKey: "s", SessionToken: "t"}))
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	require.Regexp(t, `^\{"SigninToken":"[A-Z2-7]{52}"\}\n$`, body)
	for _, path := range []string{"/federation", "/federation?Action=other"} {
		resp, _ := w.get(t, path)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, w.srv.URL+"/federation", nil)
	require.NoError(t, err)
	resp, _ = w.do(t, req)
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := func() string {
		_, body := w.get(t, "/federation?Action=getSigninToken&Session="+session(w.credentials(t)))
		var out struct{ SigninToken string }
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		return out.SigninToken
	}
	login := func(tok, destination, issuer string) (answer, string) {
		return w.get(t, "/federation?"+url.Values{"Action": {"login"}, "SigninToken": {tok}, "Destination": {destination}, "Issuer": {issuer}}.Encode())
	}
	for _, d := range []string{
		"", "http://console.aws.amazon.com/", "https://evil.example/", "https://console.aws.amazon.com.evil.example/", "https://evil.example/console.aws.amazon.com",
		"https://console.aws.amazon.com@evil.example/", "https://u@console.aws.amazon.com/", "https://console.aws.amazon.com:8443/", "//console.aws.amazon.com/",
		`https://console.aws.amazon.com\@evil.example/`, "https://evilaws.amazon.com/", "javascript:alert(1)", "https://console.amazonaws.cn/", "https://console.aws.amazon.com/\r\nX: y",
	} {
		resp, _ := login(token(), d, "")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, d)
		require.Empty(t, resp.Header.Get("Location"))
	}
	for _, issuer := range []string{"http://portal.example/", "javascript:alert(1)", `https://x/"><script>`, "https://u:p@x/"} {
		resp, body := login("unknown", "https://console.aws.amazon.com/", issuer)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
		require.NotContains(t, body, "<script>")
		if !strings.HasPrefix(issuer, "https://x/") {
			require.NotContains(t, body, "href")
		}
	}
	tok := token()
	w.set(start().Add(15 * time.Minute))
	resp, _ := login(tok, "https://console.aws.amazon.com/", "")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode, "a token lives for 15 minutes")
	w.set(start())
	resp, _ = login(token(), "https://aws.amazon.com.evil/", "")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	resp, _ = login(token(), "https://docs.aws.amazon.com/x", "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
}

func TestFederationIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := start()
	f, err := sts.NewFederation(sts.FederationConfig{Store: w.store, MaxTokens: 1, Now: func() time.Time { return now }})
	require.NoError(t, err)
	ask := func() int {
		rec := recorder{header: http.Header{}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/federation?Action=getSigninToken&Session="+session(w.credentials(t)), nil)
		require.NoError(t, err)
		f.ServeHTTP(&rec, req)
		return rec.status
	}
	require.Equal(t, 200, ask())
	require.Equal(t, http.StatusServiceUnavailable, ask())
	now = now.Add(15 * time.Minute)
	require.Equal(t, 200, ask())

	m := sts.NewMemoryStore(1, func() time.Time { return now })
	require.NoError(t, m.PutSession(t.Context(), sts.Session{Credentials: sts.Credentials{AccessKeyID: "a", Expiration: now.Add(time.Second)}}))
	require.ErrorIs(t, m.PutSession(t.Context(), sts.Session{Credentials: sts.Credentials{AccessKeyID: "b", Expiration: now.Add(time.Second)}}), sts.ErrFull)
	now = now.Add(time.Second)
	require.NoError(t, m.PutSession(t.Context(), sts.Session{Credentials: sts.Credentials{AccessKeyID: "b", Expiration: now.Add(time.Second)}}))
	_, err = m.Session(t.Context(), "a")
	require.ErrorIs(t, err, sts.ErrNoSession)
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return len(b), nil
}

// TestVectors holds names, texts and durations to the recorded values.
func TestVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var v struct {
		NameQualifier   []struct{ Issuer, AccountID, ProviderArn, NameQualifier string }
		SubjectType     []struct{ Format, SubjectType string }
		RoleAttribute   []struct{ Value, Role, Provider string }
		RoleSessionName []struct {
			V     string
			Valid bool
		}
		SAMLDuration []struct {
			DurationSeconds, AttrSessionDuration, SessionNotOnOrAfterInSeconds, Seconds *int
			RoleMax                                                                     int
			Error                                                                       *string
		} `json:"samlDuration"`
		ConsoleURL struct {
			SigninTokenRequest struct {
				Session struct {
					SessionID    string `json:"sessionId"`
					SessionKey   string `json:"sessionKey"`
					SessionToken string `json:"sessionToken"`
				}
				SessionDuration int
				Query           string
			}
			Login struct{ Issuer, Destination, SigninToken, Query string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &v))
	for _, c := range v.NameQualifier {
		require.Equal(t, c.NameQualifier, sts.NameQualifier(c.Issuer, c.AccountID, c.ProviderArn[strings.LastIndexByte(c.ProviderArn, '/')+1:]))
	}
	for _, c := range v.SubjectType {
		require.Equal(t, c.SubjectType, sts.SubjectType(c.Format))
	}
	for _, c := range v.RoleAttribute {
		role, provider, ok := sts.ParseRoleAttribute(c.Value)
		require.Equal(t, c.Role != "", ok, c.Value)
		require.Equal(t, [2]string{c.Role, c.Provider}, [2]string{role, provider})
	}
	for _, c := range v.RoleSessionName {
		require.Equal(t, c.Valid, sts.ValidSessionName(c.V), c.V)
	}
	seconds := func(n *int) time.Duration {
		if n == nil {
			return 0
		}
		return time.Duration(*n) * time.Second
	}
	for _, c := range v.SAMLDuration {
		d, err := sts.SessionLimits{
			Requested: seconds(c.DurationSeconds), RoleMaximum: time.Duration(c.RoleMax) * time.Second, Attribute: seconds(c.AttrSessionDuration), UntilNotAfter: seconds(c.SessionNotOnOrAfterInSeconds),
		}.Credentials()
		if c.Error != nil {
			require.ErrorIs(t, err, &sts.APIError{Code: *c.Error})
			continue
		}
		require.NoError(t, err)
		require.Equal(t, seconds(c.Seconds), d)
	}
	s := v.ConsoleURL.SigninTokenRequest
	got, err := sts.SigninTokenQuery(sts.Credentials{AccessKeyID: s.Session.SessionID, SecretAccessKey: s.Session.SessionKey, SessionToken: s.Session.SessionToken}, time.Duration(s.SessionDuration)*time.Second)
	require.NoError(t, err)
	want, err := url.ParseQuery(s.Query)
	require.NoError(t, err)
	require.Equal(t, want, got)
	l := v.ConsoleURL.Login
	want, err = url.ParseQuery(l.Query)
	require.NoError(t, err)
	require.Equal(t, want, sts.LoginQuery(l.SigninToken, sts.SigninOptions{Issuer: l.Issuer, Destination: l.Destination}))
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	for p, c := range map[sts.Partition]struct{ signin, console, endpoint, recipient string }{
		"":                 {"signin.aws.amazon.com", "https://console.aws.amazon.com/", "https://sts.amazonaws.com/", "https://eu-west-1.signin.aws.amazon.com/saml"},
		sts.PartitionAWS:   {"signin.aws.amazon.com", "https://console.aws.amazon.com/", "https://sts.amazonaws.com/", "https://signin.aws.amazon.com/saml"},
		sts.PartitionGov:   {"signin.amazonaws-us-gov.com", "https://console.amazonaws-us-gov.com/", "https://sts.us-gov-west-1.amazonaws.com/", "https://signin.amazonaws-us-gov.com/saml"},
		sts.PartitionChina: {"signin.amazonaws.cn", "https://console.amazonaws.cn/", "https://sts.cn-north-1.amazonaws.com.cn/", "https://signin.amazonaws.cn/saml"},
	} {
		require.True(t, p.Valid())
		require.Equal(t, c.signin, p.SigninHost(""))
		require.Equal(t, c.console, p.ConsoleURL())
		require.Equal(t, c.endpoint, p.STSEndpoint(""))
		require.True(t, p.SAMLRecipient(c.recipient))
		require.True(t, p.ConsoleDestination(c.console))
	}
	require.Equal(t, "eu-west-1.signin.aws.amazon.com", sts.PartitionAWS.SigninHost("eu-west-1"))
	require.False(t, sts.Partition("x").Valid())
	require.False(t, sts.PartitionGov.SAMLRecipient("https://us-gov-west-1.signin.amazonaws-us-gov.com/saml"))
	for _, s := range []string{"https://signin.aws.amazon.com/saml/", "http://signin.aws.amazon.com/saml", "https://.signin.aws.amazon.com/saml", "https://a.b.signin.aws.amazon.com/saml"} {
		require.False(t, sts.PartitionAWS.SAMLRecipient(s), s)
	}
}

func TestNothingIsPrinted(t *testing.T) {
	t.Parallel()
	c := sts.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "canary-secret", SessionToken: "canary-token"}
	s := sts.Session{Credentials: c}
	js, err := json.Marshal(s)
	require.NoError(t, err)
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "c", c, "s", s)
	text := fmt.Sprintf("%v %+v %#v %s %q %x %v %+v", c, c, c, c, c, c, s, s) + string(js) + b.String()
	require.NotContains(t, text, "canary")
	require.NotContains(t, text, fmt.Sprintf("%x", "canary"))
	require.Contains(t, text, "ASIAEXAMPLE")
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ok := sts.Config{Store: w.store, Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:*"`, "")}}}
	_, err := sts.NewHandler(ok)
	require.NoError(t, err)
	for name, f := range map[string]func(*sts.Config){
		"store":          func(c *sts.Config) { c.Store = nil },
		"partition":      func(c *sts.Config) { c.Partition = "x" },
		"skew":           func(c *sts.Config) { c.ClockSkew = -1 },
		"provider ARN":   func(c *sts.Config) { c.Providers = []sts.Provider{{ARN: "x", IdP: w.idp.trusted()}} },
		"provider key":   func(c *sts.Config) { c.Providers = []sts.Provider{{ARN: provider}} },
		"provider twice": func(c *sts.Config) { c.Providers = append(c.Providers, c.Providers[0]) },
		"role ARN":       func(c *sts.Config) { c.Roles = []sts.Role{{ARN: "x", Trust: c.Roles[0].Trust}} },
		"no trust":       func(c *sts.Config) { c.Roles = []sts.Role{{ARN: reader}} },
		"role twice":     func(c *sts.Config) { c.Roles = append(c.Roles, c.Roles[0]) },
		"duration": func(c *sts.Config) {
			c.Roles = []sts.Role{{ARN: reader, Trust: c.Roles[0].Trust, MaxSessionDuration: time.Minute}}
		},
	} {
		cfg := ok
		f(&cfg)
		_, err := sts.NewHandler(cfg)
		require.Error(t, err, name)
	}
	_, err = sts.NewFederation(sts.FederationConfig{})
	require.Error(t, err)
	_, err = sts.NewFederation(sts.FederationConfig{Store: w.store, Partition: "x"})
	require.Error(t, err)
	for _, cfg := range []sts.PortalConfig{{}, {Tokens: w.tokens}, {Tokens: w.tokens, Grants: nil, Store: w.store}} {
		_, err = sts.NewPortal(cfg)
		require.Error(t, err)
	}
	_, err = sts.NewClient(sts.ClientConfig{Partition: "x"})
	require.Error(t, err)
	_, err = sts.NewClient(sts.ClientConfig{STSEndpoint: "ftp://x"})
	require.Error(t, err)
	cfg := ok
	cfg.DisabledRegion = true
	h, err := sts.NewHandler(cfg)
	require.NoError(t, err)
	rec := recorder{header: http.Header{}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/?Action=GetCallerIdentity", nil)
	require.NoError(t, err)
	h.ServeHTTP(&rec, req)
	require.Equal(t, http.StatusForbidden, rec.status)
}
