package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/secondfactor"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/permissionset/policy"
	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

const (
	signinURL = "https://signin.aws.amazon.com/saml"
	provider  = "arn:aws:iam::111122223333:saml-provider/ADFS"
	reader    = "arn:aws:iam::111122223333:role/LogsReader"
	writer    = "arn:aws:iam::111122223333:role/LogsWriter"
)

// world is an identity provider for AWS and a token service that trusts it.
type world struct {
	t       *testing.T
	lab     *samltest.Lab
	sts     *httptest.Server
	signIns atomic.Int32
	dir     string
	factor  *secondfactor.Factor
	now     time.Time // of the second factor: a code must not change between making and sending it
}

func newWorld(t *testing.T, roles ...string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Now()}
	store := new(identitystore.Memory)
	require.NoError(t, store.CreateTenant(t.Context(), identitystore.Tenant{ID: identitystore.DefaultTenant}))
	var values []string
	for _, r := range roles {
		values = append(values, r+","+provider)
	}
	const prefix = "https://aws.amazon.com/SAML/Attributes/"
	alice := samltest.Account{Name: "alice@example.com", Password: "Correct-Horse-1", Attributes: map[string][]string{prefix + "Role": values, prefix + "RoleSessionName": {"alice"}}}
	var err error
	w.lab, err = samltest.Start(samltest.Config{
		Accounts: map[string]samltest.Account{"alice": alice},
		IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
			check := c.Authenticate
			c.Authenticate = func(ctx context.Context, l samlhttp.Login) (samlhttp.User, error) {
				w.signIns.Add(1)
				return check(ctx, l)
			}
			w.factor, err = secondfactor.New(secondfactor.Config{
				Store: secondfactor.Documents{Store: store, Tenant: identitystore.DefaultTenant}, Key: make([]byte, 32), Origin: c.BaseURL,
				Identify: func(u samlhttp.User) (string, error) { return u.UserName(), nil }, Now: func() time.Time { return w.now },
			})
			require.NoError(t, err)
			c.SecondFactor = w.factor
		},
	})
	require.NoError(t, err)
	t.Cleanup(w.lab.Close)
	aws, err := saml.NewRelyingParty("urn:amazon:webservices", signinURL)
	require.NoError(t, err)
	w.lab.Registry.Put(aws)
	trusted, err := w.lab.IdP.Core().Metadata().TrustedIdentityProvider()
	require.NoError(t, err)
	trust, err := policy.Parse(fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":%q},"Action":"sts:AssumeRoleWithSAML"}]}`, provider), policy.ParseOptions{Kind: policy.Trust})
	require.NoError(t, err)
	h, err := sts.NewHandler(sts.Config{
		Store: sts.NewMemoryStore(0, nil), Providers: []sts.Provider{{ARN: provider, IdP: trusted}},
		Roles: []sts.Role{{ARN: reader, Trust: trust}, {ARN: writer, Trust: trust, MaxSessionDuration: 2 * time.Hour}},
	})
	require.NoError(t, err)
	w.sts = httptest.NewServer(h)
	t.Cleanup(w.sts.Close)
	w.password("Correct-Horse-1")
	return w
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) password(text string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(w.file("password"), []byte(text+"\n"), 0o600))
}

// args are the flags of an ordinary call.
func (w *world) args(more ...string) []string {
	return append([]string{"-idp", w.lab.IdPURL, "-sts", w.sts.URL, "-user", "alice", "-password-file", w.file("password"), "-cache", w.file("kept/cache.json")}, more...)
}

// run calls the program and returns what it printed.
func (w *world) run(want int, args ...string) (credentials, string) {
	w.t.Helper()
	var out, errs strings.Builder
	code := run(w.t.Context(), args, strings.NewReader("Correct-Horse-1\n"), &out, &errs)
	require.Equal(w.t, want, code, errs.String())
	var c credentials
	if want != exitOK {
		require.Empty(w.t, out.String())
		require.NotEmpty(w.t, errs.String())
		return c, errs.String()
	}
	dec := json.NewDecoder(strings.NewReader(out.String()))
	dec.DisallowUnknownFields()
	require.NoError(w.t, dec.Decode(&c))
	require.False(w.t, dec.More())
	return c, errs.String()
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reader)
	c, errs := w.run(exitOK, w.args()...)
	require.Empty(t, errs)
	require.Equal(t, 1, c.Version)
	require.True(t, strings.HasPrefix(c.AccessKeyId, "ASIA"))
	require.NotEmpty(t, c.SecretAccessKey)
	require.NotEmpty(t, c.SessionToken)
	require.WithinDuration(t, time.Now().Add(time.Hour), c.Expiration, time.Minute)
	c, _ = w.run(exitOK, w.args("-no-cache", "-role", reader, "-provider", provider, "-duration", "20m")...)
	require.WithinDuration(t, time.Now().Add(20*time.Minute), c.Expiration, time.Minute)
	args := w.args("-no-cache")
	args[7] = "-"
	w.run(exitOK, args...) // the password on stdin
}

func TestCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reader, writer)
	args := w.args("-role", reader)
	first, _ := w.run(exitOK, args...)
	again, _ := w.run(exitOK, args...)
	require.Equal(t, first, again)
	require.EqualValues(t, 1, w.signIns.Load())
	info, err := os.Stat(w.file("kept/cache.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	dir, err := os.Stat(w.file("kept"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), dir.Mode().Perm())
	entries, err := os.ReadDir(w.file("kept"))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file is left")

	other, _ := w.run(exitOK, w.args("-role", writer)...)
	require.NotEqual(t, first, other, "another role in the same file")
	require.EqualValues(t, 2, w.signIns.Load())
	w.run(exitOK, w.args("-role", writer, "-refresh", "2h")...)
	require.EqualValues(t, 3, w.signIns.Load(), "they end too soon")
	w.run(exitOK, w.args("-role", writer, "-no-cache")...)
	require.EqualValues(t, 4, w.signIns.Load())

	for name, content := range map[string]string{"damaged": "{", "empty": "", "of another version": `{"for":"x","credentials":{"Version":2}}`} {
		require.NoError(t, os.WriteFile(w.file("kept/cache.json"), []byte(content), 0o600))
		before := w.signIns.Load()
		w.run(exitOK, args...)
		require.Equal(t, before+1, w.signIns.Load(), name)
	}
}

func TestExpiredCacheIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reader)
	args := w.args("-role", reader)
	w.run(exitOK, args...)
	o, err := parseOptions(args, new(strings.Builder))
	require.NoError(t, err)
	kept, err := o.cache.load()
	require.NoError(t, err)
	for left, want := range map[time.Duration]int{-time.Second: exitOutside, 10 * time.Minute: exitOK, time.Minute: exitOK} {
		kept.Expiration = time.Now().Add(left)
		require.NoError(t, o.cache.store(kept))
		w.sts.Close()
		_, errs := w.run(want, args...)
		require.Equal(t, left == time.Minute, strings.Contains(errs, "the earlier credentials are good until"), left)
	}
}

func TestFilesOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reader)
	w.run(exitOK, w.args()...)
	for _, mode := range []os.FileMode{0o644, 0o660, 0o604, 0o602} {
		require.NoError(t, os.Chmod(w.file("kept/cache.json"), mode))
		_, errs := w.run(exitUsage, w.args()...)
		require.Contains(t, errs, "can be used by others", mode)
	}
	require.NoError(t, os.Chmod(w.file("kept/cache.json"), 0o600))
	w.run(exitOK, w.args()...)
	require.NoError(t, os.Chmod(w.file("password"), 0o644))
	_, errs := w.run(exitUsage, w.args("-no-cache")...)
	require.Contains(t, errs, "can be used by others")
	require.EqualValues(t, 1, w.signIns.Load(), "nothing was sent")
	_, errs = w.run(exitUsage, append(w.args(), "-cache", w.dir)...)
	require.Contains(t, errs, "no regular file")
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reader)
	w.password("wrong")
	_, errs := w.run(exitRefused, w.args()...)
	require.Contains(t, errs, "refused the sign-in")
	require.NotContains(t, errs, "wrong\n")
	require.EqualValues(t, 1, w.signIns.Load(), "once: an account is locked soon")
	require.NoFileExists(t, w.file("kept/cache.json"))
	for _, empty := range []string{"", "\n"} {
		require.NoError(t, os.WriteFile(w.file("password"), []byte(empty), 0o600))
		w.run(exitUsage, w.args()...)
	}
	require.EqualValues(t, 1, w.signIns.Load())
}

func TestServersStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reader)
	w.sts.Close()
	w.run(exitOutside, w.args()...)
	w.lab.Close()
	w.run(exitOutside, w.args()...)
}

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reader, writer)
	_, errs := w.run(exitUsage, w.args()...)
	require.Contains(t, errs, reader)
	require.Contains(t, errs, writer)
	_, errs = w.run(exitRefused, w.args("-role", "arn:aws:iam::111122223333:role/Admin")...)
	require.Contains(t, errs, "does not give this user the role")
	_, errs = w.run(exitRefused, w.args("-role", "arn:aws:iam::111122223333:role/Admin", "-provider", provider)...)
	require.Contains(t, errs, "AccessDenied", "the token service decides")
	_, errs = w.run(exitRefused, w.args("-rp", "urn:nobody")...)
	require.Contains(t, errs, "urn:nobody")
	none := newWorld(t)
	_, errs = none.run(exitRefused, none.args()...)
	require.Contains(t, errs, "no role")
}

// TestSecondFactor sets an authenticator app up with a browser and answers with its code.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reader)
	w.enrol()
	ask := func(answer string) string {
		name := w.file("ask")
		require.NoError(t, os.WriteFile(name, []byte("#!/bin/sh\ncase \"$1\" in Password*) echo Correct-Horse-1 ;; *) echo '"+answer+"' ;; esac\n"), 0o700))
		return name
	}
	args := []string{"-idp", w.lab.IdPURL, "-sts", w.sts.URL, "-user", "alice", "-no-cache", "-askpass", ""}
	args[len(args)-1] = ask("000000")
	_, errs := w.run(exitRefused, args...)
	require.Contains(t, errs, "did not accept the code")
	require.NoError(t, w.factor.Reset(t.Context(), "alice@example.com"))
	code, err := totp.GenerateCode(w.enrol(), w.now)
	require.NoError(t, err)
	ask(code)
	w.run(exitOK, args...)
	require.NoError(t, os.WriteFile(w.file("ask"), []byte("#!/bin/sh\nexit 1\n"), 0o700))
	w.run(exitRefused, args...) // the person pressed Cancel
}

// enrol sets an authenticator app up with the code before the present one.
func (w *world) enrol() string {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.lab.SP.StartLogin(rec, httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, w.lab.SPURL+"/", http.NoBody), samlhttp.LoginOptions{
		AuthnContext: &saml.RequestedAuthnContext{ClassRefs: []string{saml.AuthnContextMultipleAuthn}},
	})
	b := samltest.NewBrowser("alice", "Correct-Horse-1")
	p, err := b.Open(w.t.Context(), rec.Header().Get("Location"))
	require.NoError(w.t, err)
	m := regexp.MustCompile(`<code id="secret">([A-Z2-7 ]+)</code>`).FindStringSubmatch(p.Body)
	require.NotNil(w.t, m, p.Body)
	secret := strings.ReplaceAll(m[1], " ", "")
	code, err := totp.GenerateCode(secret, w.now.Add(-30*time.Second))
	require.NoError(w.t, err)
	for _, f := range p.Forms() {
		if f.Fields.Get("factor") == "totp" {
			f.Fields.Set("code", code)
			p, err = b.Send(w.t.Context(), f)
			require.NoError(w.t, err)
		}
	}
	require.Contains(w.t, p.Body, "recovery codes")
	return secret
}

// TestSetUpPageIsNotAnswered meets the page that sets a second factor up: the secret must not be taken by a program.
func TestSetUpPageIsNotAnswered(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `<code id="secret">AAAA</code><form method="post" action="/adfs/ls/"><input name="factor" value="totp"><input name="code"></form>`)
	}))
	t.Cleanup(srv.Close)
	w := &world{t: t, dir: t.TempDir()}
	w.password("x")
	_, errs := w.run(exitRefused, "-idp", srv.URL, "-user", "alice", "-password-file", w.file("password"), "-no-cache")
	require.Contains(t, errs, "sign in with a browser")
}

// TestPasswordStaysAtTheIdentityProvider lets a page and a redirect lead elsewhere.
func TestPasswordStaysAtTheIdentityProvider(t *testing.T) {
	t.Parallel()
	stolen := atomic.Bool{}
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Store(true) }))
	t.Cleanup(thief.Close)
	for name, h := range map[string]http.HandlerFunc{
		"form": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `<form method="post" action="%s/"><input name="UserName"><input name="Password"></form>`, thief.URL)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		},
		"other scheme":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "https://"+r.Host, http.StatusFound) },
		"round and round": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(h)
			t.Cleanup(srv.Close)
			w := &world{t: t, dir: t.TempDir()}
			w.password("x")
			w.run(exitRefused, "-idp", srv.URL, "-user", "alice", "-password-file", w.file("password"), "-no-cache")
		})
	}
	require.False(t, stolen.Load())
}

// TestHostileAnswers gives pages that are no answer: an end with a sentence, and no crash.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	field := func(s string) string {
		return `<form method="post" action="https://signin.aws.amazon.com/saml"><input name="SAMLResponse" value="` + s + `"></form>`
	}
	for body, want := range map[string]int{
		"": exitRefused, "<form>": exitRefused, strings.Repeat("<form method=post>", 100_000): exitRefused,
		field("&&&"): exitRefused, field("AAAA"): exitRefused, field("PHgvPg=="): exitRefused, // <x/>
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, body) }))
		w := &world{t: t, dir: t.TempDir()}
		w.password("x")
		w.run(want, "-idp", srv.URL, "-user", "alice", "-password-file", w.file("password"), "-no-cache")
		srv.Close()
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(srv.Close)
	w := &world{t: t, dir: t.TempDir()}
	w.password("x")
	args := []string{"-idp", srv.URL, "-user", "alice", "-password-file", w.file("password"), "-no-cache"}
	_, errs := w.run(exitOutside, args...)
	require.Contains(t, errs, "certificate")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	require.NoError(t, os.WriteFile(w.file("ca.pem"), ca, 0o600))
	_, errs = w.run(exitRefused, append(args, "-ca-file", w.file("ca.pem"))...)
	require.Contains(t, errs, "418")
	w.run(exitUsage, append(args, "-ca-file", w.file("password"))...)
}

// TestCacheOfTicketsIsOnePersons: a credential cache that has become another person's does not get the credentials of the one before.
func TestCacheOfTicketsIsOnePersons(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cc")
	text := func(s string) string { return string([]byte{0, 0, 0, byte(len(s))}) + s }
	key := func(name string) string {
		cache := "\x05\x04\x00\x00" + "\x00\x00\x00\x01\x00\x00\x00\x01" + text("CORP.EXAMPLE.TEST") + text(name) // version 4, no tickets
		require.NoError(t, os.WriteFile(path, []byte(cache), 0o600))
		return (&options{idp: &url.URL{}, kerberos: true, ccache: path}).fingerprint()
	}
	alice, bob := key("alice"), key("bob")
	require.NotEqual(t, alice, bob)
	require.Equal(t, alice, key("alice"))
	require.NoError(t, os.Remove(path))
	none := (&options{idp: &url.URL{}, kerberos: true, ccache: path}).fingerprint()
	require.NotContains(t, []string{alice, bob}, none)
}

func TestBadTickets(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	w.password("no cache")
	require.NoError(t, os.WriteFile(w.file("krb5.conf"), []byte("[libdefaults]\n"), 0o600))
	base := []string{"-idp", "http://127.0.0.1:1", "-kerberos", "-no-cache", "-krb5-conf", w.file("krb5.conf")}
	for _, cache := range []string{w.file("missing"), w.file("password"), "KEYRING:x", w.dir} {
		w.run(exitUsage, append(base, "-ccache", cache)...)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	var out, errs strings.Builder
	require.Equal(t, exitOK, run(t.Context(), []string{"-h"}, nil, &out, &errs))
	require.Contains(t, errs.String(), "credential_process")
	for _, args := range [][]string{
		{},
		{"-idp", "https://fs.example.com"},
		{"-idp", "http://fs.example.com", "-user", "a"},
		{"-idp", "https://fs.example.com/adfs", "-user", "a"},
		{"-idp", "https://u@fs.example.com", "-user", "a"},
		{"-idp", "fs.example.com", "-user", "a"},
		{"-idp", "https://fs.example.com", "-user", "a", "x"},
		{"-idp", "https://fs.example.com", "-user", "a", "-kerberos", "-ccache", "x"},
		{"-idp", "https://fs.example.com", "-kerberos", "-ccache", ""},
		{"-idp", "https://fs.example.com", "-user", "a", "-provider", provider},
		{"-idp", "https://fs.example.com", "-user", "a", "-role", "Admin"},
		{"-idp", "https://fs.example.com", "-user", "a", "-role", reader, "-provider", reader},
		{"-idp", "https://fs.example.com", "-user", "a", "-duration", "1m"},
		{"-idp", "https://fs.example.com", "-user", "a", "-password-file", "x", "-askpass", "y"},
		{"-idp", "https://fs.example.com", "-user", "a", "-refresh", "-1s"},
		{"-idp", "https://fs.example.com", "-user", "a", "-sts", "http://sts.example.com"},
		{"-idp", "https://fs.example.com", "-user", "a", "-sts", "sts"},
		{"-idp", "https://fs.example.com", "-user", "a", "-password-file", "/nonexistent/file", "-no-cache"},
		{"-nope"},
	} {
		w.run(exitUsage, args...)
	}
}

// TestFormOfADFS fills in a form as AD FS draws it: beside the fields there are buttons, and a box that nobody has ticked.
func TestFormOfADFS(t *testing.T) {
	t.Parallel()
	var got url.Values
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = r.ParseForm()
			got = r.PostForm
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprint(w, `<FORM METHOD="POST" id="loginForm" action="/adfs/ls/?client-request-id=1&amp;x=2"><input id="userNameInput" name="UserName" type="email" value=""/>`+
			`<input name="Password" type="password"><input type="checkbox" name="Kmsi" value="true"/><input type="radio" name="r" value="1" checked>`+
			`<input type="submit" name="go" value="Sign in"><input id="optionForms" type="hidden" name="AuthMethod" value="FormsAuthentication"/></FORM><form method="get"><input name="q"></form>`)
	}))
	t.Cleanup(srv.Close)
	w := &world{t: t, dir: t.TempDir()}
	w.password(` p&"w `)
	w.run(exitRefused, "-idp", srv.URL, "-user", `CORP\alice`, "-password-file", w.file("password"), "-no-cache")
	require.Equal(t, url.Values{"UserName": {`CORP\alice`}, "Password": {` p&"w `}, "AuthMethod": {"FormsAuthentication"}, "r": {"1"}}, got)
}

func TestPartition(t *testing.T) {
	t.Parallel()
	require.Equal(t, sts.PartitionAWS, partitionOf(reader))
	require.Equal(t, sts.Partition("aws-cn"), partitionOf("arn:aws-cn:iam::111122223333:role/x"))
	require.Equal(t, sts.PartitionAWS, partitionOf("x"))
}
