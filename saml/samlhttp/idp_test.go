package samlhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

func initiated(lab *samltest.Lab) string {
	return lab.IdPURL + samlhttp.PathIdPInitiated + "?loginToRp=" + url.QueryEscape(lab.SP.EntityID())
}

func TestFormIsTheSameForUnknownUsers(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	wrong := open(t, samltest.NewBrowser("alice", "wrong"), initiated(lab))
	unknown := open(t, samltest.NewBrowser("nobody", "wrong"), initiated(lab))
	require.Equal(t, wrong.Status, unknown.Status)
	strip := func(p *samltest.Page, name string) string {
		body := strings.ReplaceAll(p.Body, name, "NAME")
		before, _, _ := strings.Cut(body, `<style nonce="`)
		return before + body[strings.Index(body, "</style>"):]
	}
	require.Equal(t, strip(wrong, "alice"), strip(unknown, "nobody"))
	require.Contains(t, wrong.Body, "The user name or password is wrong.")
	require.NotContains(t, wrong.Body, "SAMLResponse")
}

// TestWrongPasswordKeepsTheRequest covers both bindings: the form carries the request.
func TestWrongPasswordKeepsTheRequest(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]samltest.Config{
		"redirect": {}, "post": {Partner: func(p *samlhttp.Partner) { p.SingleSignOn = p.SingleSignOn[1:] }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, cfg)
			b := samltest.NewBrowser("alice", "wrong")
			p := open(t, b, lab.SPURL+"/deep")
			require.Contains(t, p.Body, "wrong")
			f := p.Forms()[0]
			require.Equal(t, "FormsAuthentication", f.Fields.Get("AuthMethod"))
			f.Fields.Set("UserName", "alice")
			f.Fields.Set("Password", "Correct-Horse-1")
			require.Contains(t, send(t, b, f).Body, signedIn+" at /deep")
		})
	}
}

func TestSignOnErrors(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	for name, address := range map[string]string{
		"unknown loginToRp":   samlhttp.PathIdPInitiated + "?loginToRp=urn:nobody",
		"unknown RPID":        samlhttp.PathIdPInitiated + "?RelayState=RPID%3Durn:nobody",
		"garbage request":     samlhttp.PathSignOn + "?SAMLRequest=AAAA",
		"no base64":           samlhttp.PathSignOn + "?SAMLRequest=%40",
		"twice":               samlhttp.PathSignOn + "?SAMLRequest=AAAA&SAMLRequest=AAAA",
		"response out of air": samlhttp.PathSignOn + "?SAMLResponse=AAAA",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, alice(), lab.IdPURL+address)
			require.GreaterOrEqual(t, p.Status, 400)
			require.Less(t, p.Status, 500)
			require.NotContains(t, p.Body, "<form")
		})
	}
	require.Equal(t, http.StatusNotFound, open(t, alice(), lab.IdPURL+"/adfs/other").Status)
	list := open(t, alice(), lab.IdPURL+"/ADFS/LS/idpinitiatedsignon")
	require.Equal(t, http.StatusOK, list.Status, "paths are compared without case")
	require.Contains(t, list.Body, lab.SP.EntityID())
	require.Contains(t, open(t, alice(), lab.IdPURL+samlhttp.PathSignOn).Body, lab.SP.EntityID(), "no message: the list")
}

func TestHeadersOfPages(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	b := alice()
	b.User = ""
	p := open(t, b, initiated(lab))
	for _, header := range []string{"Content-Security-Policy", "X-Frame-Options", "Referrer-Policy", "X-Content-Type-Options"} {
		require.NotEmpty(t, p.Header.Get(header), header)
	}
	require.Equal(t, "no-store", p.Header.Get("Cache-Control"))
	require.NotContains(t, p.Header.Get("Content-Security-Policy"), "form-action", "it would stop the redirects behind the form")
}

func TestMetadataAtADFSAddress(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	for _, path := range []string{samlhttp.PathFederationMetadata, strings.ToLower(samlhttp.PathFederationMetadata)} {
		resp, err := http.Get(lab.IdPURL + path)
		require.NoError(t, err)
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		m, err := saml.ParseMetadata(raw, saml.MetadataOptions{InsecureAllowHTTP: true, TrustedKeys: trustedKeys(lab)})
		require.NoError(t, err)
		require.True(t, m.Verified)
		require.Len(t, m.IDP.SingleSignOn, 2)
		require.Len(t, m.IDP.SingleLogout, 2)
		require.Equal(t, lab.IdPURL+"/adfs/services/trust", m.EntityID)
	}
}

func TestPassiveAndForced(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	login := func(b *samltest.Browser, o samlhttp.LoginOptions) *samltest.Page {
		rec := httptest.NewRecorder()
		lab.SP.StartLogin(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, lab.SPURL+"/", http.NoBody), o)
		u, err := url.Parse(lab.SPURL)
		require.NoError(t, err)
		b.Client.Jar.SetCookies(u, rec.Result().Cookies())
		return open(t, b, rec.Header().Get("Location"))
	}
	b := alice()
	p := login(b, samlhttp.LoginOptions{IsPassive: true})
	require.Contains(t, p.Body, reason(saml.ReasonStatus), "NoPassive comes back as a status")
	require.Contains(t, login(b, samlhttp.LoginOptions{Target: "/x"}).Body, signedIn+" at /x")
	require.Contains(t, login(b, samlhttp.LoginOptions{IsPassive: true, Target: "/y"}).Body, signedIn+" at /y")
	b.User = "" // does not fill in the form
	require.Contains(t, login(b, samlhttp.LoginOptions{Target: "/z"}).Body, signedIn+" at /z", "the session is enough")
	require.Contains(t, login(b, samlhttp.LoginOptions{ForceAuthn: true}).Body, `name="Password"`)
	require.Contains(t, login(b, samlhttp.LoginOptions{ForceAuthn: true, IsPassive: true}).Body, reason(saml.ReasonStatus))
}

// TestPostFromAnotherSite: a Lax cookie stays behind when a service provider's page posts the request; our page posts it again, once.
func TestPostFromAnotherSite(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{Partner: func(p *samlhttp.Partner) { p.SingleSignOn = p.SingleSignOn[1:] }})
	var request *samltest.Form
	other := samltest.NewBrowser("", "")
	other.BeforePost = func(f *samltest.Form) bool { request = f; return false }
	open(t, other, lab.SPURL+"/deep")
	require.True(t, request.Fields.Has("SAMLRequest"))

	b := alice()
	open(t, b, initiated(lab))
	b.User = "" // does not fill in the form
	var response *samltest.Form
	b.BeforePost = func(f *samltest.Form) bool { response = f; return false }
	bare := samltest.NewBrowser("", "") // the same browser without its cookies
	bare.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	bare.BeforePost = func(*samltest.Form) bool { return false }
	page := send(t, bare, request)
	require.NotContains(t, page.Body, "Password")
	again := page.Forms()[0]
	require.Equal(t, request.Fields.Get("SAMLRequest"), again.Fields.Get("SAMLRequest"))
	require.Equal(t, request.Fields["RelayState"], again.Fields["RelayState"])
	send(t, b, again)
	require.NotNil(t, response)
	require.True(t, response.Fields.Has("SAMLResponse"), "the session answers, no form")

	response, b.Header = nil, http.Header{"Sec-Fetch-Site": {"cross-site"}}
	send(t, b, request)
	require.NotNil(t, response)
	require.True(t, response.Fields.Has("SAMLResponse"), "the cookie came: nothing to repeat")
	rec := httptest.NewRecorder()
	lab.SP.StartLogin(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, lab.SPURL+"/", http.NoBody), samlhttp.LoginOptions{ForceAuthn: true})
	base, err := url.Parse(lab.SPURL)
	require.NoError(t, err)
	forced := (&samltest.Page{URL: base, Body: rec.Body.String()}).Forms()[0]
	require.Contains(t, send(t, bare, forced).Body, `name="Password"`, "the form comes in any case")

	page = send(t, bare, again)
	require.Contains(t, page.Body, `name="Password"`, "nobody is signed in: the form, and no second round")
	require.Empty(t, page.Forms()[0].Fields.Get("again"))
	bare.Header.Set("Sec-Fetch-Site", "same-site")
	require.Contains(t, send(t, bare, request).Body, `name="Password"`, "cookies come within a site")
}

func TestRequestedContext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want saml.RequestedAuthnContext
		ok   bool
	}{
		"exact":            {saml.RequestedAuthnContext{ClassRefs: []string{saml.AuthnContextPasswordProtectedTransport}}, true},
		"weaker":           {saml.RequestedAuthnContext{ClassRefs: []string{saml.AuthnContextPassword}}, true},
		"one of two":       {saml.RequestedAuthnContext{ClassRefs: []string{"urn:x", saml.AuthnContextPasswordProtectedTransport}}, true},
		"minimum":          {saml.RequestedAuthnContext{Comparison: "minimum", ClassRefs: []string{saml.AuthnContextPassword}}, true},
		"maximum":          {saml.RequestedAuthnContext{Comparison: "maximum", ClassRefs: []string{saml.AuthnContextKerberos}}, true},
		"better":           {saml.RequestedAuthnContext{Comparison: "better", ClassRefs: []string{saml.AuthnContextPassword}}, true},
		"unknown":          {saml.RequestedAuthnContext{ClassRefs: []string{"urn:x"}}, false},
		"several factors":  {saml.RequestedAuthnContext{ClassRefs: []string{saml.AuthnContextMultipleAuthn}}, false},
		"better than best": {saml.RequestedAuthnContext{Comparison: "better", ClassRefs: []string{saml.AuthnContextMultipleAuthn}}, false},
		"maximum below":    {saml.RequestedAuthnContext{Comparison: "maximum", ClassRefs: []string{saml.AuthnContextUnspecified}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, samltest.Config{Partner: func(p *samlhttp.Partner) {
				p.AuthnContext = &c.want
				p.AuthnContextOrder = []string{saml.AuthnContextUnspecified, saml.AuthnContextPassword, saml.AuthnContextPasswordProtectedTransport, saml.AuthnContextKerberos, saml.AuthnContextMultipleAuthn}
			}})
			p := open(t, alice(), lab.SPURL+"/deep")
			if c.ok {
				require.Contains(t, p.Body, signedIn)
				return
			}
			require.Contains(t, p.Body, reason(saml.ReasonStatus), "NoAuthnContext comes back as a status")
		})
	}
}

// codeFactor asks for the code 123456.
type codeFactor struct{ required bool }

func (c codeFactor) Required(context.Context, samlhttp.User, *saml.RelyingParty) (bool, error) {
	return c.required, nil
}

func (codeFactor) Serve(w http.ResponseWriter, r *http.Request, step samlhttp.FactorStep) (string, error) {
	switch r.PostFormValue("code") {
	case "123456":
		return "urn:example:totp", nil
	case "fail":
		return "", errors.New("factor is down")
	}
	_, err := io.WriteString(w, `<form method="post" action="`+htmlEscape(step.Action)+`">`)
	for _, f := range step.Hidden {
		_, err = io.WriteString(w, `<input name="`+f.Name+`" value="`+htmlEscape(f.Value)+`">`)
	}
	_, _ = io.WriteString(w, `<input name="code" value=""></form>`)
	return "", err
}

func htmlEscape(s string) string { return strings.NewReplacer("&", "&amp;", `"`, "&#34;").Replace(s) }

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	var methods [][]string
	lab := start(t, samltest.Config{
		Partner: func(p *samlhttp.Partner) { p.SingleSignOn = p.SingleSignOn[1:] },
		IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
			c.SecondFactor = codeFactor{required: true}
			issue := c.Issue
			c.Issue = func(ctx context.Context, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
				methods = append(methods, in.Methods)
				return issue(ctx, in)
			}
		},
		ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
			c.SignIn = func(_ context.Context, _ *http.Request, a *saml.Assertion) (map[string]string, error) {
				if a.ContextClass() != saml.AuthnContextMultipleAuthn {
					return nil, errors.New("context " + a.ContextClass())
				}
				return nil, nil
			}
		},
	})
	b := alice()
	stop := func(f *samltest.Form) bool { return !f.Fields.Has("code") }
	b.BeforePost = stop
	p := open(t, b, lab.SPURL+"/deep")
	require.Contains(t, p.Body, `name="code"`)
	require.Empty(t, methods, "nothing is issued before the second factor")
	f := p.Forms()[0]
	f.Fields.Set("code", "000000")
	p = send(t, b, f)
	require.Contains(t, p.Body, `name="code"`, "wrong code: asked again")
	open(t, b, initiated(lab))
	require.Empty(t, methods, "the pending session signs nobody in elsewhere")
	f = p.Forms()[0]
	f.Fields.Set("code", "123456")
	b.BeforePost = nil
	require.Contains(t, send(t, b, f).Body, signedIn)
	require.Equal(t, [][]string{{samlhttp.MethodPassword, "urn:example:totp"}}, methods)
	f.Fields.Set("code", "fail")
	require.NotContains(t, send(t, alice(), f).Body, signedIn, "a factor without the password is nothing")
}

func TestSecondFactorOnDemand(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{
		Partner: func(p *samlhttp.Partner) {
			p.AuthnContext = &saml.RequestedAuthnContext{ClassRefs: []string{saml.AuthnContextMultipleAuthn}}
		},
		IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { c.SecondFactor = codeFactor{} },
	})
	b := alice()
	b.BeforePost = func(f *samltest.Form) bool { return !f.Fields.Has("code") }
	p := open(t, b, lab.SPURL+"/deep")
	f := p.Forms()[0]
	f.Fields.Set("code", "123456")
	require.Contains(t, send(t, b, f).Body, signedIn)
}

func TestIntegrated(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"at its own address": false, "first": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, samltest.Config{AllowUnsolicited: true, IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
				c.IntegratedFirst = first
				c.Integrated = func(w http.ResponseWriter, r *http.Request) (samlhttp.User, error) {
					switch r.Header.Get("Authorization") {
					case "Negotiate good":
						return samltest.DefaultAccounts()["alice"], nil
					case "":
						w.Header().Set("WWW-Authenticate", "Negotiate")
						return nil, nil
					}
					return nil, samlhttp.ErrBadCredentials
				}
			}})
			address := initiated(lab)
			b := samltest.NewBrowser("", "")
			p := open(t, b, address)
			require.Contains(t, p.Body, `name="Password"`, "the page of the 401 holds the form")
			if first {
				require.Equal(t, http.StatusUnauthorized, p.Status)
			} else {
				require.Equal(t, http.StatusOK, p.Status)
				require.Contains(t, p.Body, samlhttp.PathIntegrated)
				address = strings.Replace(address, samlhttp.PathIdPInitiated, samlhttp.PathIntegrated, 1)
				require.Equal(t, http.StatusUnauthorized, open(t, b, address).Status)
			}
			b.Header = http.Header{"Authorization": {"Negotiate bad"}}
			require.Contains(t, open(t, b, address).Body, `name="Password"`)
			b.Header = http.Header{"Authorization": {"Negotiate good"}}
			require.Contains(t, open(t, b, address).Body, signedIn)
		})
	}
}

func TestLockoutGuard(t *testing.T) {
	t.Parallel()
	tried := 0
	lab := start(t, samltest.Config{IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
		auth := c.Authenticate
		c.Authenticate = func(ctx context.Context, l samlhttp.Login) (samlhttp.User, error) {
			tried++
			return auth(ctx, l)
		}
	}})
	for _, name := range []string{"alice", `CORP\ALICE`, "alice@example.com", "Alice", "alice", "alice"} {
		p := open(t, samltest.NewBrowser(name, "wrong"), initiated(lab))
		require.NotContains(t, p.Body, "SAMLResponse")
	}
	require.Equal(t, 4, tried, "all spellings are one account, and the directory is asked below its own threshold")
	p := open(t, alice(), initiated(lab))
	require.Contains(t, p.Body, "too many attempts", "the right password does not help during the pause")
	require.Equal(t, 4, tried)
}

func TestLockoutWindowAndSources(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	source := "192.0.2.1"
	lab := start(t, samltest.Config{Now: clock, IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
		c.Lockout = samlhttp.NewLockoutGuard(samlhttp.LockoutConfig{PerSource: 3, Now: clock})
		c.Source = func(*http.Request) string { return source }
	}})
	for _, name := range []string{"a1", "a2", "a3"} {
		require.Contains(t, open(t, samltest.NewBrowser(name, "x"), initiated(lab)).Body, "is wrong")
	}
	require.Contains(t, open(t, alice(), initiated(lab)).Body, "too many attempts")
	source = "192.0.2.2"
	require.NotContains(t, open(t, alice(), initiated(lab)).Body, "too many attempts", "another address is not held")
	for i, name := range []string{"b1", "b2", "b3"} {
		source = "2001:db8::" + string(rune('1'+i))
		open(t, samltest.NewBrowser(name, "x"), initiated(lab))
	}
	source = "2001:db8::ffff"
	require.Contains(t, open(t, alice(), initiated(lab)).Body, "too many attempts", "a /64 is one source")
	source = "2001:db8:0:1::1"
	require.NotContains(t, open(t, alice(), initiated(lab)).Body, "too many attempts")
	source = "192.0.2.1"
	now = now.Add(15 * time.Minute)
	require.NotContains(t, open(t, alice(), initiated(lab)).Body, "too many attempts", "the window has passed")
}

func TestSignInErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		text   string
	}{
		"expired":     {&samlhttp.SignInError{Reason: "password_expired", Public: "Your password has expired."}, http.StatusOK, "Your password has expired."},
		"unreachable": {errors.New("dial tcp: secret detail"), http.StatusServiceUnavailable, "not available"},
		"neither":     {nil, http.StatusServiceUnavailable, "not available"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, samltest.Config{IdentityProvider: func(ic *samlhttp.IdentityProviderConfig) {
				ic.Authenticate = func(context.Context, samlhttp.Login) (samlhttp.User, error) { return nil, c.err }
			}})
			p := open(t, alice(), initiated(lab))
			require.Equal(t, c.status, p.Status)
			require.Contains(t, p.Body, c.text)
			require.NotContains(t, p.Body, "secret detail")
		})
	}
}

func TestNotPermitted(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
		c.Issue = func(context.Context, samlhttp.IssueInput) (saml.SubjectStatement, error) {
			return saml.SubjectStatement{}, samlhttp.ErrNotPermitted
		}
	}})
	p := open(t, alice(), initiated(lab))
	require.Equal(t, http.StatusForbidden, p.Status)
	require.NotContains(t, p.Body, "SAMLResponse")
}

// TestNameIDPolicyRefused: the identity provider's answer to a format that it has no rule for.
func TestNameIDPolicyRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*samlhttp.IdentityProviderConfig){
		"by the core": nil,
		"by Issue": func(c *samlhttp.IdentityProviderConfig) {
			c.Issue = func(context.Context, samlhttp.IssueInput) (saml.SubjectStatement, error) {
				return saml.SubjectStatement{}, saml.ErrNameIDPolicy
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, samltest.Config{IdentityProvider: change, Partner: func(p *samlhttp.Partner) {
				p.NameIDPolicy = &saml.NameIDPolicy{Format: saml.NameIDFormatPersistent}
			}})
			p := open(t, alice(), lab.SPURL+"/deep")
			require.Equal(t, http.StatusForbidden, p.Status)
			require.Contains(t, p.Body, reason(saml.ReasonStatus))
		})
	}
}

func TestCrossOriginForm(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{AllowUnsolicited: true})
	b := alice()
	b.Header = http.Header{"Origin": {"https://evil.example.com"}}
	b.BeforePost = func(f *samltest.Form) bool { return f.Fields.Has("Password") }
	p := open(t, b, initiated(lab))
	require.Equal(t, http.StatusForbidden, p.Status)
	require.Contains(t, p.Body, "cross_origin")
	b = alice()
	b.Header = http.Header{"Origin": {lab.IdPURL}}
	require.Contains(t, open(t, b, initiated(lab)).Body, signedIn)
}

func TestSessionIdentifierChanges(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{AllowUnsolicited: true})
	u, err := url.Parse(lab.IdPURL)
	require.NoError(t, err)
	b := alice()
	b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "adfedkit_idp_session", Value: "planted", Path: "/"}})
	open(t, b, initiated(lab))
	for _, c := range b.Client.Jar.Cookies(u) {
		require.NotEqual(t, "planted", c.Value)
	}
}

func TestNewIdentityProviderRefuses(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewKeyPair("x")
	require.NoError(t, err)
	good := samlhttp.IdentityProviderConfig{
		BaseURL: "https://fs.example.com", Keys: []saml.KeyPair{key}, RelyingParties: &samlhttp.Registry{},
		Authenticate: func(context.Context, samlhttp.Login) (samlhttp.User, error) { return nil, samlhttp.ErrBadCredentials },
		Issue: func(context.Context, samlhttp.IssueInput) (saml.SubjectStatement, error) {
			return saml.SubjectStatement{}, samlhttp.ErrNotPermitted
		},
	}
	_, err = samlhttp.NewIdentityProvider(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*samlhttp.IdentityProviderConfig){
		"no address":      func(c *samlhttp.IdentityProviderConfig) { c.BaseURL = "" },
		"address path":    func(c *samlhttp.IdentityProviderConfig) { c.BaseURL += "/adfs" },
		"no keys":         func(c *samlhttp.IdentityProviderConfig) { c.Keys = nil },
		"no parties":      func(c *samlhttp.IdentityProviderConfig) { c.RelyingParties = nil },
		"no authenticate": func(c *samlhttp.IdentityProviderConfig) { c.Authenticate = nil },
		"no issue":        func(c *samlhttp.IdentityProviderConfig) { c.Issue = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			change(&c)
			_, err := samlhttp.NewIdentityProvider(c)
			require.Error(t, err)
		})
	}
}
