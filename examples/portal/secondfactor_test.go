package main

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/examples/secondfactor"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// fixed is the time of the tests with codes: a code must not change between making and sending it.
var fixed = sync.OnceValue(time.Now)

func earlier() time.Time { return fixed().Add(-30 * time.Second) }

var setupSecret = regexp.MustCompile(`<code id="secret">([A-Z2-7 ]+)</code>`)

// press sends the form of a page that has a factor of that name, with a code.
func press(t *testing.T, b *samltest.Browser, p *samltest.Page, factor, code string) *samltest.Page {
	t.Helper()
	for _, f := range p.Forms() {
		if f.Fields.Get("factor") == factor {
			f.Fields.Set("code", code)
			p, err := b.Send(t.Context(), f)
			require.NoError(t, err)
			return p
		}
	}
	require.Fail(t, "no form "+factor, p.Body)
	return nil
}

func responseXML(t *testing.T, f *samltest.Form) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(f.Fields.Get("SAMLResponse"))
	require.NoError(t, err)
	return string(raw)
}

func codeOf(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	require.NoError(t, err)
	return code
}

// enrol signs in with the password, sets an authenticator app up on the way, and returns its secret and the page behind.
func enrol(t *testing.T, b *samltest.Browser, p *samltest.Page) (string, *samltest.Page) {
	t.Helper()
	m := setupSecret.FindStringSubmatch(p.Body)
	require.NotNil(t, m, p.Body)
	secret := strings.ReplaceAll(m[1], " ", "")
	p = press(t, b, p, "totp", codeOf(t, secret, earlier())) // leaves the present code for the next sign-in
	require.Contains(t, p.Body, "recovery codes")
	if strings.Contains(p.Body, `value="show"`) { // the page for changing factors comes before the end
		p = press(t, b, p, "show", "")
	}
	return secret, press(t, b, p, "done", "")
}

func TestSecondFactorRequired(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.txt")
	require.NoError(t, os.WriteFile(rules, []byte(defaultRules+"\nc:[Type =~ \"claims/authentication(method|instant)$\"] => issue(claim = c);\n"), 0o600))
	a := running(t, func(o *options) {
		o.factorClock, o.secondFactor, o.relying = fixed, factorRequired, []relyingParty{
			{entity: "urn:wiki", acs: "https://wiki.example.test/acs"}, {entity: "urn:chat", acs: "https://chat.example.test/acs", rules: rules},
		}
	})
	b := samltest.NewBrowser("alice", "Correct-Horse-1")
	p, err := a.open(t.Context(), b, a.fromPortal())
	require.NoError(t, err)
	require.Contains(t, p.Body, "Set up a second factor")
	require.NotContains(t, p.Body, "LogArchiveReadOnly", "the password alone opens nothing")
	body := ask(t, a, b, http.MethodGet, "/", nil)
	require.NotContains(t, body, "alice@example.com")
	secret, p := enrol(t, b, p)
	require.NoError(t, expect(p, http.StatusOK, "alice@example.com", "LogArchiveReadOnly", `href="/security"`))

	// The facts stand in the assertion for a partner.
	var kept *samltest.Form
	b.BeforePost = func(f *samltest.Form) bool {
		if f.Fields.Has("SAMLResponse") {
			kept = f
		}
		return kept == nil
	}
	_, err = b.Open(t.Context(), a.idpURL+"/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn:wiki")
	require.NoError(t, err)
	require.NotNil(t, kept)
	require.Equal(t, saml.AuthnContextMultipleAuthn, textOf(t, kept, `<saml:AuthnContextClassRef>([^<]*)<`)[0])
	require.Equal(t, []string{samlhttp.MethodPassword, secondfactor.MethodTOTP, claims.MultipleAuthn},
		textOf(t, kept, `authnmethodsreferences(?s:.*?)</saml:Attribute>`, `<saml:AttributeValue[^>]*>([^<]*)<`))

	// Rules that pass the method on do not make less of it.
	kept = nil
	p, err = b.Open(t.Context(), a.idpURL+"/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn:chat")
	require.NoError(t, err)
	require.NotNil(t, kept, p.Body)
	require.Equal(t, saml.AuthnContextMultipleAuthn, textOf(t, kept, `<saml:AuthnContextClassRef>([^<]*)<`)[0])

	// The next sign-in asks for it, also when the identity provider starts.
	b = samltest.NewBrowser("alice", "Correct-Horse-1")
	p, err = a.open(t.Context(), b, a.fromIdP())
	require.NoError(t, err)
	require.Contains(t, p.Body, "One more step")
	require.Contains(t, press(t, b, p, "totp", codeOf(t, secret, earlier())).Body, "not accepted", "used before")
	p = press(t, b, p, "totp", codeOf(t, secret, fixed()))
	require.NoError(t, expect(p, http.StatusOK, "alice@example.com"))
}

// textOf returns the first groups of the last pattern within what the patterns before it match in the kept response.
func textOf(t *testing.T, f *samltest.Form, patterns ...string) []string {
	t.Helper()
	raw := responseXML(t, f)
	for _, p := range patterns[:len(patterns)-1] {
		raw = regexp.MustCompile(p).FindString(raw)
	}
	var out []string
	for _, m := range regexp.MustCompile(patterns[len(patterns)-1]).FindAllStringSubmatch(raw, -1) {
		out = append(out, m[1])
	}
	require.NotEmpty(t, out, raw)
	return out
}

func TestSecondFactorOptional(t *testing.T) {
	t.Parallel()
	a := running(t, func(o *options) { o.factorClock, o.secondFactor = fixed, factorOptional })
	b := samltest.NewBrowser("bob", "Battery-Staple-2")
	p, err := a.open(t.Context(), b, a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "bob@example.com"))
	require.Contains(t, ask(t, a, b, http.MethodGet, "/security", nil), "There is no second factor yet.")
	p, err = b.Send(t.Context(), &samltest.Form{Action: a.portalURL + "/security", Method: http.MethodPost, Fields: url.Values{}})
	require.NoError(t, err)
	secret, p := enrol(t, b, p) // the browser has typed the password again on the way: the sign-in is forced
	require.Contains(t, p.Body, "Authenticator app", "changing ends at the page of the portal")
	require.Contains(t, p.Body, "10 recovery codes")

	// Who may change: only password and factor together.
	p, err = b.Send(t.Context(), &samltest.Form{Action: a.portalURL + "/security", Method: http.MethodPost, Fields: url.Values{}})
	require.NoError(t, err)
	require.Contains(t, p.Body, "One more step")
	p = press(t, b, p, "totp", codeOf(t, secret, fixed()))
	require.Contains(t, p.Body, "Your second factors")
	for _, f := range p.Forms() {
		if f.Fields.Get("factor") == "remove" {
			p, err = b.Send(t.Context(), f)
			require.NoError(t, err)
		}
	}
	p = press(t, b, p, "done", "")
	require.Contains(t, p.Body, "There is no second factor yet.")
}

func TestSecondFactorOff(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	b := administrator(t, a)
	p, err := a.open(t.Context(), b, "/security")
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, p.Status)
	require.NotContains(t, ask(t, a, b, http.MethodGet, "/", nil), `href="/security"`)
	require.Contains(t, ask(t, a, b, http.MethodGet, "/admin/factors?user=alice@example.com", nil), "The second factor is off.")
}

func TestAdministratorResetsASecondFactor(t *testing.T) {
	t.Parallel()
	a := running(t, func(o *options) { o.factorClock, o.secondFactor = fixed, factorOptional })
	bob := samltest.NewBrowser("bob", "Battery-Staple-2")
	p, err := a.open(t.Context(), bob, a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "bob@example.com"))
	p, err = bob.Send(t.Context(), &samltest.Form{Action: a.portalURL + "/security", Method: http.MethodPost, Fields: url.Values{}})
	require.NoError(t, err)
	enrol(t, bob, p)

	admin := administrator(t, a)
	body := ask(t, a, admin, http.MethodGet, "/admin/factors?user=bob@example.com", nil)
	require.Contains(t, body, "Authenticator app")
	for _, name := range []string{"nobody@example.com", "bob", "%00"} {
		require.Contains(t, ask(t, a, admin, http.MethodGet, "/admin/factors?user="+name, nil), "There is no such user", name)
	}
	p, err = a.open(t.Context(), bob, "/admin/factors?user=alice@example.com")
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, p.Status, "bob may not look either")
	reset := func(b *samltest.Browser, user string) *samltest.Page {
		p, err := b.Send(t.Context(), &samltest.Form{Action: a.portalURL + "/admin/factors", Method: http.MethodPost, Fields: url.Values{"user": {user}}})
		require.NoError(t, err)
		return p
	}
	require.Equal(t, http.StatusForbidden, reset(bob, "bob@example.com").Status, "bob is no administrator")
	require.Equal(t, http.StatusNotFound, reset(admin, "nobody").Status)
	admin.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	require.Equal(t, http.StatusForbidden, reset(admin, "bob@example.com").Status, "another site's form")
	admin.Header = nil
	require.Contains(t, ask(t, a, admin, http.MethodGet, "/admin/factors?user=bob@example.com", nil), "Authenticator app", "nothing has happened so far")
	require.Contains(t, reset(admin, "bob@example.com").Body, "Everything was removed.")
	p, err = a.open(t.Context(), samltest.NewBrowser("bob", "Battery-Staple-2"), a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "bob@example.com"))
}

// TestSecondFactorIsKept restarts the program: the factor is still asked for, and nothing readable lies in the folder.
func TestSecondFactorIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := ""
	t.Run("first run", func(t *testing.T) {
		a := running(t, func(o *options) { o.factorClock, o.secondFactor, o.data = fixed, factorRequired, dir })
		b := samltest.NewBrowser("bob", "Battery-Staple-2")
		p, err := a.open(t.Context(), b, a.fromPortal())
		require.NoError(t, err)
		secret, _ = enrol(t, b, p)
	})
	a := running(t, func(o *options) { o.factorClock, o.secondFactor, o.data = fixed, factorOptional, dir })
	b := samltest.NewBrowser("bob", "Battery-Staple-2")
	p, err := a.open(t.Context(), b, a.fromPortal())
	require.NoError(t, err)
	require.Contains(t, p.Body, "One more step")
	p = press(t, b, p, "totp", codeOf(t, secret, fixed()))
	require.NoError(t, expect(p, http.StatusOK, "bob@example.com"))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NotContains(t, string(raw), secret, f)
		if strings.HasSuffix(f, ".key") {
			info, err := os.Stat(f)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f)
		}
	}
}

// TestPublicAddresses names other addresses than those that the program listens at.
func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	a := running(t, func(o *options) {
		o.secondFactor, o.url, o.idpURL = factorOptional, "https://portal.example.test", "https://fs.example.test"
	})
	require.True(t, a.factor.KeysOffered())
	for _, l := range a.listeners {
		require.NotContains(t, listening(l), "example.test")
	}
	_, body := fetch(t, listening(a.listeners[1])+"/FederationMetadata/2007-06/FederationMetadata.xml", "", "")
	require.Contains(t, body, `Location="https://fs.example.test/adfs/ls/"`)
	_, body = fetch(t, listening(a.listeners[0])+"/saml/metadata", "", "")
	require.Contains(t, body, `entityID="https://portal.example.test/saml/metadata"`)
	code, body := fetch(t, listening(a.listeners[1])+secondfactor.PathPrefix+"keys.js", "", "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "navigator.credentials")
}

// TestSessionLife lets a short session end at both sides.
func TestSessionLife(t *testing.T) {
	t.Parallel()
	shift := time.Duration(0)
	a := running(t, func(o *options) {
		o.sessionLife, o.portalClock = time.Hour, func() time.Time { return time.Now().Add(shift) }
	})
	b := samltest.NewBrowser("bob", "Battery-Staple-2")
	p, err := a.open(t.Context(), b, a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "bob@example.com"))
	shift = 61 * time.Minute
	require.NotContains(t, ask(t, a, b, http.MethodGet, "/", nil), "bob@example.com")
}

// TestOnlyAForcedSignInChangesFactors looks at the requests that end at the page for changing them.
func TestOnlyAForcedSignInChangesFactors(t *testing.T) {
	t.Parallel()
	a := &app{portalURL: "https://portal.example.test"}
	step := func(entity string, req *saml.AuthnRequest) samlhttp.FactorStep {
		return samlhttp.FactorStep{RelyingParty: &saml.RelyingParty{EntityID: entity}, Request: req}
	}
	own := a.portalEntity()
	require.True(t, a.managesFactors(step(own, &saml.AuthnRequest{ForceAuthn: true, AuthnContext: allFactors()})))
	require.False(t, a.managesFactors(step(own, &saml.AuthnRequest{AuthnContext: allFactors()})))
	require.False(t, a.managesFactors(step(own, &saml.AuthnRequest{ForceAuthn: true})))
	require.False(t, a.managesFactors(step("urn:wiki", &saml.AuthnRequest{ForceAuthn: true, AuthnContext: allFactors()})))
	require.False(t, a.managesFactors(step(own, nil)))
}

// TestBadFactorKey starts with a key file that is none: nobody's record would open.
func TestBadFactorKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secondfactor.key"), []byte("short"), 0o600))
	_, err := start(t.Context(), options{addr: "127.0.0.1:0", idpAddr: "127.0.0.1:0", ad: "embedded", data: dir}, io.Discard)
	require.ErrorContains(t, err, "secondfactor.key")
}
