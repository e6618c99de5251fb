package secondfactor_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/secondfactor"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

const (
	origin   = "https://fs.example.test"
	signedIn = "signed in as alice@example.com"
	aliceID  = "6f3a"
)

// world is an identity provider with a second factor, a service provider, and a browser.
type world struct {
	t       *testing.T
	lab     *samltest.Lab
	factor  *secondfactor.Factor
	store   *identitystore.Memory
	docs    secondfactor.Documents
	b       *samltest.Browser
	now     time.Time
	methods []string // of the last assertion
	class   string
	manage  bool
}

func newWorld(t *testing.T, change func(*secondfactor.Config)) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	w.store = &identitystore.Memory{Now: clock}
	require.NoError(t, w.store.CreateTenant(t.Context(), identitystore.Tenant{ID: identitystore.DefaultTenant}))
	w.docs = secondfactor.Documents{Store: w.store, Tenant: identitystore.DefaultTenant}
	cfg := secondfactor.Config{
		Store: w.docs, Key: make([]byte, 32), Origin: origin, Required: true, Now: clock,
		Identify: func(u samlhttp.User) (string, error) {
			return map[string]string{"alice@example.com": aliceID, "bob@example.com": "77b0"}[u.UserName()], nil
		},
		Manage: func(samlhttp.FactorStep) bool { return w.manage },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	w.factor, err = secondfactor.New(cfg)
	require.NoError(t, err)
	accounts := samltest.DefaultAccounts()
	accounts["bob"] = samltest.Account{Name: "bob@example.com", Password: "Battery-Staple-2"}
	w.lab, err = samltest.Start(samltest.Config{
		Accounts: accounts, Now: clock,
		IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
			c.SecondFactor = w.factor
			issue := c.Issue
			c.Issue = func(ctx context.Context, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
				w.methods, w.class = in.Methods, in.ContextClass
				return issue(ctx, in)
			}
			c.Lockout = samlhttp.NewLockoutGuard(samlhttp.LockoutConfig{PerAccount: 1000, PerSource: 1000, Now: clock})
		},
	})
	require.NoError(t, err)
	t.Cleanup(w.lab.Close)
	w.b = samltest.NewBrowser("alice", "Correct-Horse-1")
	return w
}

// signIn goes through the password in a fresh browser and returns the page behind it.
func (w *world) signIn() *samltest.Page {
	w.t.Helper()
	w.b = samltest.NewBrowser("alice", "Correct-Horse-1")
	w.methods = nil
	p, err := w.b.Open(w.t.Context(), w.lab.SPURL+"/")
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, p.Status)
	return p
}

// form finds the form of a page that does something.
func (w *world) form(p *samltest.Page, factor string) *samltest.Form {
	w.t.Helper()
	for _, f := range p.Forms() {
		if f.Fields.Get("factor") == factor {
			return f
		}
	}
	require.Fail(w.t, "no form "+factor, p.Body)
	return nil
}

func (w *world) has(p *samltest.Page, factor string) bool {
	return slices.ContainsFunc(p.Forms(), func(f *samltest.Form) bool { return f.Fields.Get("factor") == factor })
}

// post sends a form of a page with further fields.
func (w *world) post(p *samltest.Page, factor string, fields ...string) *samltest.Page {
	w.t.Helper()
	f := w.form(p, factor)
	for i := 0; i < len(fields); i += 2 {
		f.Fields.Set(fields[i], fields[i+1])
	}
	p, err := w.b.Send(w.t.Context(), f)
	require.NoError(w.t, err)
	return p
}

func (w *world) code(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.now)
	require.NoError(w.t, err)
	return code
}

// next lets a time step pass.
func (w *world) next() { w.now = w.now.Add(30 * time.Second) }

var (
	secretOf  = regexp.MustCompile(`<code id="secret">([A-Z2-7 ]+)</code>`)
	recovery  = regexp.MustCompile(`<li><code>([A-Z2-7-]+)</code></li>`)
	optionsOf = regexp.MustCompile(`data-options="([^"]*)"`)
)

func (w *world) secret(p *samltest.Page) string {
	w.t.Helper()
	m := secretOf.FindStringSubmatch(p.Body)
	require.NotNil(w.t, m, p.Body)
	return strings.ReplaceAll(m[1], " ", "")
}

func (w *world) options(p *samltest.Page) string {
	w.t.Helper()
	m := optionsOf.FindStringSubmatch(p.Body)
	require.NotNil(w.t, m, p.Body)
	return html.UnescapeString(m[1])
}

// enrolApp sets up an authenticator app and returns its secret and the recovery codes.
func (w *world) enrolApp() (secret string, codes []string) {
	w.t.Helper()
	p := w.signIn()
	secret = w.secret(p)
	p = w.post(p, "totp", "code", w.code(secret))
	for _, m := range recovery.FindAllStringSubmatch(p.Body, -1) {
		codes = append(codes, m[1])
	}
	require.Len(w.t, codes, 10)
	require.NotContains(w.t, p.Body, signedIn)
	require.Contains(w.t, w.post(p, "done").Body, signedIn)
	return secret, codes
}

// enrolKey sets up a security key.
func (w *world) enrolKey() *authenticator {
	w.t.Helper()
	a := newAuthenticator(w.t)
	p := w.signIn()
	p = w.post(p, "key", "credential", a.create(w.t, w.options(p)), "name", "blue <key>")
	require.Contains(w.t, w.post(p, "done").Body, signedIn)
	return a
}

func TestAppFromSetUpToSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.signIn()
	require.Contains(t, p.Body, "Set up a second factor")
	require.Nil(t, w.methods, "nothing is issued before")
	first := w.secret(p)
	p = w.post(p, "totp", "code", "000000")
	require.Contains(t, p.Body, "does not fit")
	require.Equal(t, first, w.secret(p), "the app that was set up meanwhile stays good")
	require.Nil(t, w.methods)
	secret, _ := w.enrolApp()
	require.Equal(t, []string{samlhttp.MethodPassword, secondfactor.MethodTOTP}, w.methods)
	require.Equal(t, saml.AuthnContextMultipleAuthn, w.class)
	w.next()
	p = w.signIn()
	require.Contains(t, p.Body, "One more step")
	require.False(t, w.has(p, "key"))
	require.Contains(t, w.post(p, "totp", "code", " "+w.code(secret)[:3]+" "+w.code(secret)[3:]).Body, signedIn, "typed with spaces")
	sum, err := w.factor.Summary(t.Context(), aliceID)
	require.NoError(t, err)
	require.True(t, sum.Any())
	require.Equal(t, 10, sum.RecoveryCodes)
}

func TestCodeWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	secret, _ := w.enrolApp()
	require.NotContains(t, w.post(w.signIn(), "totp", "code", w.code(secret)).Body, signedIn, "the code of the set-up is used up")
	w.next()
	code := w.code(secret)
	require.Contains(t, w.post(w.signIn(), "totp", "code", code).Body, signedIn)
	p := w.post(w.signIn(), "totp", "code", code)
	require.NotContains(t, p.Body, signedIn)
	require.Contains(t, p.Body, "not accepted")
	earlier := w.now.Add(-30 * time.Second)
	old, err := totp.GenerateCode(secret, earlier)
	require.NoError(t, err)
	require.NotContains(t, w.post(w.signIn(), "totp", "code", old).Body, signedIn, "an older one of the window neither")
}

func TestCodesOfOtherTimes(t *testing.T) {
	t.Parallel()
	for shift, ok := range map[time.Duration]bool{
		-90 * time.Second: false, -30 * time.Second: true, 30 * time.Second: true, 61 * time.Second: false, 24 * time.Hour: false,
	} {
		w := newWorld(t, nil)
		secret, _ := w.enrolApp()
		w.now = w.now.Add(10 * time.Minute)
		code, err := totp.GenerateCode(secret, w.now.Add(shift))
		require.NoError(t, err)
		body := w.post(w.signIn(), "totp", "code", code).Body
		require.Equal(t, ok, strings.Contains(body, signedIn), shift)
	}
}

func TestWrongCodesPauseAndBlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	secret, codes := w.enrolApp()
	w.next()
	for _, bad := range []string{"000000", "", "12345", "1234567", "abcdef"} {
		require.Contains(t, w.post(w.signIn(), "totp", "code", bad).Body, "not accepted", bad)
	}
	require.Contains(t, w.post(w.signIn(), "totp", "code", w.code(secret)).Body, "too many wrong codes", "the right one does not help")
	require.Contains(t, w.post(w.signIn(), "recovery", "recovery", codes[0]).Body, "too many wrong codes")
	w.now = w.now.Add(15 * time.Minute)
	require.Contains(t, w.post(w.signIn(), "totp", "code", w.code(secret)).Body, signedIn)
	for range 100 {
		w.now = w.now.Add(time.Hour)
		require.Contains(t, w.post(w.signIn(), "recovery", "recovery", "AAAA-AAAA-AAAA-AAAA").Body, "not accepted")
	}
	w.now = w.now.Add(24 * time.Hour)
	require.Contains(t, w.post(w.signIn(), "totp", "code", w.code(secret)).Body, "ask your administrator")
	sum, err := w.factor.Summary(t.Context(), aliceID)
	require.NoError(t, err)
	require.True(t, sum.Blocked)
	require.NoError(t, w.factor.Reset(t.Context(), aliceID))
	require.Contains(t, w.signIn().Body, "Set up a second factor")
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, codes := w.enrolApp()
	require.Contains(t, w.post(w.signIn(), "recovery", "recovery", strings.ToLower(strings.ReplaceAll(codes[3], "-", " "))).Body, signedIn)
	require.Equal(t, []string{samlhttp.MethodPassword, secondfactor.MethodRecovery}, w.methods)
	require.NotContains(t, w.post(w.signIn(), "recovery", "recovery", codes[3]).Body, signedIn, "once")
	require.Contains(t, w.post(w.signIn(), "recovery", "recovery", codes[4]).Body, signedIn)
	for _, code := range []string{"", "AAAA-AAAA-AAAA-AAAA", codes[5][:18]} {
		require.NotContains(t, w.post(w.signIn(), "recovery", "recovery", code).Body, signedIn, code)
	}
	sum, err := w.factor.Summary(t.Context(), aliceID)
	require.NoError(t, err)
	require.Equal(t, 8, sum.RecoveryCodes)
}

func TestNothingReadableIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	secret, codes := w.enrolApp()
	doc, err := w.docs.Load(t.Context(), aliceID)
	require.NoError(t, err)
	for _, s := range []string{secret, codes[0], strings.ReplaceAll(codes[0], "-", ""), "totp"} {
		require.NotContains(t, string(doc), s)
	}
	// Another key, another person and another byte do not open it, and none of them lets somebody in.
	put := func(id string, doc []byte) {
		require.NoError(t, w.docs.Update(t.Context(), id, func([]byte) ([]byte, error) { return doc, nil }))
	}
	put("77b0", doc)
	_, err = w.factor.Summary(t.Context(), "77b0")
	require.ErrorContains(t, err, "does not open")
	changed := slices.Clone(doc)
	changed[len(changed)-1] ^= 1
	put(aliceID, changed)
	w.b = samltest.NewBrowser("alice", "Correct-Horse-1")
	p, err := w.b.Open(t.Context(), w.lab.SPURL+"/")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, p.Status)
	put(aliceID, doc)
	other, err := secondfactor.New(secondfactor.Config{
		Store: w.docs, Key: []byte("another key of 32 bytes, exactly"), Origin: origin, Identify: func(samlhttp.User) (string, error) { return aliceID, nil },
	})
	require.NoError(t, err)
	_, err = other.Summary(t.Context(), aliceID)
	require.Error(t, err)
	_, err = other.Required(t.Context(), samltest.Account{}, nil)
	require.Error(t, err, "not: nobody has set up anything")
}

func TestOptional(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *secondfactor.Config) { c.Required = false })
	require.Contains(t, w.signIn().Body, signedIn, "nothing is set up")
	require.Len(t, w.methods, 1)
	rec := httptest.NewRecorder()
	w.b = samltest.NewBrowser("alice", "Correct-Horse-1")
	w.lab.SP.StartLogin(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.lab.SPURL+"/", http.NoBody), samlhttp.LoginOptions{
		ForceAuthn: true, AuthnContext: &saml.RequestedAuthnContext{ClassRefs: []string{saml.AuthnContextMultipleAuthn}},
	})
	u, err := url.Parse(w.lab.SPURL)
	require.NoError(t, err)
	w.b.Client.Jar.SetCookies(u, rec.Result().Cookies())
	p, err := w.b.Open(t.Context(), rec.Header().Get("Location"))
	require.NoError(t, err)
	require.Contains(t, p.Body, "Set up a second factor", "the relying party demands one")
	secret := w.secret(p)
	p = w.post(p, "totp", "code", w.code(secret))
	require.Contains(t, w.post(p, "done").Body, signedIn)
	w.next()
	require.Contains(t, w.signIn().Body, "One more step", "who has one is asked from now on")
}

func TestManage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	secret, codes := w.enrolApp()
	w.next()
	w.manage = true
	p := w.post(w.signIn(), "totp", "code", w.code(secret))
	require.Contains(t, p.Body, "Your second factors")
	require.Nil(t, w.methods)
	require.Contains(t, w.post(p, "remove", "which", "totp").Body, "last second factor")
	a := newAuthenticator(t)
	p = w.post(p, "key", "credential", a.create(t, w.options(p)), "name", " ")
	require.Contains(t, p.Body, "Security key")
	require.Contains(t, w.post(p, "key", "credential", a.create(t, w.options(p))).Body, "not accepted", "the same key again")
	p = w.post(p, "codes")
	fresh := recovery.FindAllStringSubmatch(p.Body, -1)
	require.Len(t, fresh, 10)
	p = w.post(p, "show")
	p = w.post(p, "remove", "which", "totp")
	require.NotContains(t, p.Body, "Remove Authenticator app")
	require.Contains(t, w.post(p, "remove", "which", "nothing").Body, "not accepted")
	require.Contains(t, w.post(p, "done").Body, signedIn)
	require.Equal(t, []string{samlhttp.MethodPassword, secondfactor.MethodTOTP}, w.methods)
	w.manage = false
	require.NotContains(t, w.post(w.signIn(), "recovery", "recovery", codes[1]).Body, signedIn, "void")
	require.Contains(t, w.post(w.signIn(), "recovery", "recovery", fresh[0][1]).Body, signedIn)
}

func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *secondfactor.Config) { c.Stylesheet = []byte("body{}") })
	p := w.signIn()
	csp := p.Header.Get("Content-Security-Policy")
	require.Contains(t, csp, "default-src 'none'")
	require.NotContains(t, csp, "unsafe")
	require.NotContains(t, csp, "nonce")
	require.NotRegexp(t, `<script[^>]*>[^<]`, p.Body, "no script in the page")
	require.NotRegexp(t, `(?i)\s(style|on[a-z]+)=`, p.Body)
	require.NotRegexp(t, `(src|href)="(https?:)?//`, p.Body, "nothing from elsewhere")
	for _, h := range []string{"X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy"} {
		require.NotEmpty(t, p.Header.Get(h))
	}
	require.Equal(t, "no-store", p.Header.Get("Cache-Control"))
	for path, kind := range map[string]string{"keys.js": "text/javascript", "style.css": "text/css"} {
		rec := httptest.NewRecorder()
		w.factor.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, secondfactor.PathPrefix+path, http.NoBody))
		require.Equal(t, http.StatusOK, rec.Code)
		require.Contains(t, rec.Header().Get("Content-Type"), kind)
		require.Contains(t, p.Body, secondfactor.PathPrefix+path)
	}
	a := newAuthenticator(t)
	w.manage = true
	p = w.post(p, "key", "credential", a.create(t, w.options(p)), "name", `<script>alert(1)</script>`)
	require.NotContains(t, w.post(p, "show").Body, "<script>alert")
}

// TestLeave goes back to the sign-in form: who cannot answer is not caught.
func TestLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.signIn()
	require.Contains(t, p.Body, `href="/adfs/ls/?wa=wsignout1.0"`)
	out, err := w.b.Open(t.Context(), w.lab.IdPURL+"/adfs/ls/?wa=wsignout1.0")
	require.NoError(t, err)
	require.Contains(t, out.Body, "You have signed out.")
	w.b.User = ""
	p, err = w.b.Open(t.Context(), w.lab.SPURL+"/")
	require.NoError(t, err)
	require.Contains(t, p.Body, `name="Password"`)
}

func TestCrossOriginAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	secret, _ := w.enrolApp()
	w.next()
	p := w.signIn()
	w.b.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example.test"}}
	require.Equal(t, http.StatusForbidden, w.post(p, "totp", "code", w.code(secret)).Status)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := func() secondfactor.Config {
		return secondfactor.Config{Store: secondfactor.Documents{}, Key: make([]byte, 32), Origin: origin, Identify: func(samlhttp.User) (string, error) { return "x", nil }}
	}
	_, err := secondfactor.New(good())
	require.NoError(t, err)
	for name, spoil := range map[string]func(*secondfactor.Config){
		"no store":   func(c *secondfactor.Config) { c.Store = nil },
		"no name":    func(c *secondfactor.Config) { c.Identify = nil },
		"short key":  func(c *secondfactor.Config) { c.Key = make([]byte, 16) },
		"no key":     func(c *secondfactor.Config) { c.Key = nil },
		"no origin":  func(c *secondfactor.Config) { c.Origin = "" },
		"path":       func(c *secondfactor.Config) { c.Origin = origin + "/adfs" },
		"no address": func(c *secondfactor.Config) { c.Origin = "ftp://fs.example.test" },
	} {
		c := good()
		spoil(&c)
		_, err := secondfactor.New(c)
		require.Error(t, err, name)
	}
}

// TestFailuresRefuse lets the store and the naming fail: nobody gets in.
func TestFailuresRefuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *secondfactor.Config) {
		c.Identify = func(samlhttp.User) (string, error) { return "", errors.New("no such user") }
	})
	require.NotContains(t, mustOpen(w).Body, signedIn)
	w = newWorld(t, func(c *secondfactor.Config) {
		c.Required = false
		c.Identify = func(samlhttp.User) (string, error) { return "", nil }
	})
	require.NotContains(t, mustOpen(w).Body, signedIn)
	w = newWorld(t, nil)
	secret, _ := w.enrolApp()
	w.next()
	p := w.signIn()
	require.NoError(t, w.store.Close())
	page := w.post(p, "totp", "code", w.code(secret))
	require.Equal(t, http.StatusServiceUnavailable, page.Status)
	require.Nil(t, w.methods)
}

func mustOpen(w *world) *samltest.Page {
	w.t.Helper()
	p, err := w.b.Open(w.t.Context(), w.lab.SPURL+"/")
	require.NoError(w.t, err)
	return p
}
