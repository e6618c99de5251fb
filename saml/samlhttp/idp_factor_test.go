package samlhttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// startLogin sends the browser to the identity provider with options.
func startLogin(t *testing.T, lab *samltest.Lab, b *samltest.Browser, o samlhttp.LoginOptions) *samltest.Page {
	t.Helper()
	rec := httptest.NewRecorder()
	lab.SP.StartLogin(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, lab.SPURL+"/", http.NoBody), o)
	u, err := url.Parse(lab.SPURL)
	require.NoError(t, err)
	b.Client.Jar.SetCookies(u, rec.Result().Cookies())
	return open(t, b, rec.Header().Get("Location"))
}

// withCode answers the second factor when the page asks for it.
func withCode(t *testing.T, b *samltest.Browser, p *samltest.Page) *samltest.Page {
	t.Helper()
	for _, f := range p.Forms() {
		if f.Fields.Has("code") {
			f.Fields.Set("code", "123456")
			return send(t, b, f)
		}
	}
	return p
}

// TestForcedSignInIsNotAnsweredByTheSession posts the field of the second factor with a session that is older than the request.
func TestForcedSignInIsNotAnsweredByTheSession(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]func(*samlhttp.IdentityProviderConfig){
		"no second factor": func(*samlhttp.IdentityProviderConfig) {},
		"second factor":    func(c *samlhttp.IdentityProviderConfig) { c.SecondFactor = codeFactor{required: true} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, samltest.Config{IdentityProvider: cfg})
			b := alice()
			require.Contains(t, withCode(t, b, startLogin(t, lab, b, samlhttp.LoginOptions{Target: "/x"})).Body, signedIn+" at /x")
			b.User = "" // does not fill in the form
			p := startLogin(t, lab, b, samlhttp.LoginOptions{ForceAuthn: true, Target: "/y"})
			require.Contains(t, p.Body, `name="Password"`)
			f := p.Forms()[0]
			f.Fields = url.Values{"AuthMethod": {"AdditionalFactor"}, "code": {"123456"}}
			p = send(t, b, f)
			require.Contains(t, p.Body, `name="Password"`, "the password is asked for anew")
			require.NotContains(t, p.Body, signedIn)
			b.User = "alice"
			require.Contains(t, withCode(t, b, startLogin(t, lab, b, samlhttp.LoginOptions{ForceAuthn: true, Target: "/z"})).Body, signedIn+" at /z")
		})
	}
}

// TestWrongFactorsAreCountedApart mixes wrong codes with right passwords: those must not make the codes forgotten.
func TestWrongFactorsAreCountedApart(t *testing.T) {
	t.Parallel()
	asked := 0
	lab := start(t, samltest.Config{IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
		c.SecondFactor = countingFactor{asked: &asked}
	}})
	b := alice()
	tryCode := func(code string) *samltest.Page {
		p := startLogin(t, lab, b, samlhttp.LoginOptions{ForceAuthn: true, Target: "/x"}) // with the password, each time
		f := p.Forms()[0]
		require.True(t, f.Fields.Has("code"), p.Body)
		f.Fields.Set("code", code)
		return send(t, b, f)
	}
	for range 10 {
		require.Contains(t, tryCode("other method").Body, `name="code"`, "no try")
	}
	require.Zero(t, asked)
	for range 4 {
		require.Contains(t, tryCode("000000").Body, `name="code"`)
	}
	b.User = "" // the browser would fill in the form that follows
	require.Equal(t, 4, asked)
	b.User = "alice"
	p := startLogin(t, lab, samltest.NewBrowser("", ""), samlhttp.LoginOptions{})
	form := p.Forms()[0]
	form.Fields.Set("UserName", "alice")
	form.Fields.Set("Password", "Correct-Horse-1")
	form.Fields.Set("code", "000000")
	send(t, b, form)
	require.Equal(t, 4, asked, "a code beside the password is no answer")
	p = startLogin(t, lab, b, samlhttp.LoginOptions{ForceAuthn: true, Target: "/x"})
	f := p.Forms()[0]
	f.Fields.Set("code", "123456")
	b.User = ""
	require.Contains(t, send(t, b, f).Body, "too many attempts", "the right code does not help during the pause")
	require.Equal(t, 4, asked)
}

// countingFactor counts the codes that it looked at.
type countingFactor struct {
	codeFactor
	asked *int
}

func (c countingFactor) Required(context.Context, samlhttp.User, *saml.RelyingParty) (bool, error) {
	return true, nil
}

func (c countingFactor) Serve(w http.ResponseWriter, r *http.Request, step samlhttp.FactorStep) (string, error) {
	switch code := r.PostFormValue("code"); {
	case code == "" || !step.Answer:
	case code == "other method":
		step.Neutral()
		step.Neutral() // twice is once
	default:
		*c.asked++
	}
	return c.codeFactor.Serve(w, r, step)
}

// TestExactClassWithTwoFactors signs in with two factors where exactly a protected password was asked for.
func TestExactClassWithTwoFactors(t *testing.T) {
	t.Parallel()
	for class, ok := range map[string]bool{
		saml.AuthnContextPasswordProtectedTransport: true, saml.AuthnContextPassword: true, saml.AuthnContextMultipleAuthn: true,
		saml.AuthnContextKerberos: false, "urn:x": false,
	} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			lab := start(t, samltest.Config{
				Partner: func(p *samlhttp.Partner) {
					p.AuthnContext = &saml.RequestedAuthnContext{ClassRefs: []string{class}}
				},
				IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { c.SecondFactor = codeFactor{required: true} },
			})
			b := alice()
			p := withCode(t, b, open(t, b, lab.SPURL+"/deep"))
			if ok {
				require.Contains(t, p.Body, signedIn)
			} else {
				require.Contains(t, p.Body, reason(saml.ReasonStatus))
			}
		})
	}
}

// TestSecondFactorAfterTicket signs in with a Kerberos ticket: that is one factor too.
func TestSecondFactorAfterTicket(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{AllowUnsolicited: true, IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
		c.SecondFactor, c.IntegratedFirst = codeFactor{required: true}, true
		c.Integrated = func(http.ResponseWriter, *http.Request) (samlhttp.User, error) {
			return samltest.DefaultAccounts()["alice"], nil
		}
	}})
	b := samltest.NewBrowser("", "")
	p := open(t, b, initiated(lab))
	require.Contains(t, p.Body, `name="code"`)
	require.NotContains(t, p.Body, "SAMLResponse")
	require.Contains(t, withCode(t, b, p).Body, signedIn)
	b = samltest.NewBrowser("", "")
	p = open(t, b, strings.Replace(initiated(lab), samlhttp.PathIdPInitiated, samlhttp.PathIntegrated, 1))
	require.Contains(t, p.Body, `name="code"`, "at the address for tickets too")
	require.Contains(t, withCode(t, b, p).Body, signedIn)
}

// TestPendingSessionSignsNobodyIn stops before the second factor that one request demands, and goes where none is demanded.
func TestPendingSessionSignsNobodyIn(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{
		AllowUnsolicited: true,
		Partner: func(p *samlhttp.Partner) {
			p.AuthnContext = &saml.RequestedAuthnContext{ClassRefs: []string{saml.AuthnContextMultipleAuthn}}
		},
		IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { c.SecondFactor = codeFactor{} },
	})
	b := alice()
	require.Contains(t, open(t, b, lab.SPURL+"/deep").Body, `name="code"`)
	before := idpSession(t, lab, b)
	p := open(t, b, initiated(lab))
	require.Contains(t, p.Body, `name="code"`)
	require.NotContains(t, p.Body, signedIn)
	f := p.Forms()[0]
	f.Fields.Set("code", "123456")
	b.BeforePost = func(*samltest.Form) bool { return false }
	send(t, b, f)
	require.NotEqual(t, before, idpSession(t, lab, b), "more rights, new identifier")
}

func idpSession(t *testing.T, lab *samltest.Lab, b *samltest.Browser) string {
	t.Helper()
	u, err := url.Parse(lab.IdPURL)
	require.NoError(t, err)
	for _, c := range b.Client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "idp_session") {
			return c.Value
		}
	}
	require.Fail(t, "no session cookie")
	return ""
}

// TestFailingFactorIsNoTry lets the second factor's own store fail: that says nothing about the codes, and holds nobody back.
func TestFailingFactorIsNoTry(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { c.SecondFactor = codeFactor{required: true} }})
	b := alice()
	f := open(t, b, lab.SPURL+"/deep").Forms()[0]
	for range 10 {
		f.Fields.Set("code", "fail")
		require.Equal(t, http.StatusServiceUnavailable, send(t, b, f).Status)
	}
	f.Fields.Set("code", "123456")
	require.Contains(t, send(t, b, f).Body, signedIn)
}
