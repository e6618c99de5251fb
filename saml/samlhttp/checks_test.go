package samlhttp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// TestLogoutWithoutIndexEndsAll: a logout request that names no session ends all of the person's, in every browser.
func TestLogoutWithoutIndexEndsAll(t *testing.T) {
	t.Parallel()
	accounts := samltest.DefaultAccounts()
	accounts["bob"] = samltest.Account{Name: "bob@example.com", Password: "Battery-Staple-2"}
	lab := start(t, samltest.Config{Accounts: accounts})
	one, two := alice(), alice()
	bob := samltest.NewBrowser("bob", "Battery-Staple-2")
	for _, b := range []*samltest.Browser{one, two, bob} {
		open(t, b, lab.SPURL+"/deep")
		require.True(t, session(t, lab, b))
	}
	s, err := lab.SP.Session(withCookies(t, one, lab.SPURL+"/"))
	require.NoError(t, err)
	service, err := saml.NewLogoutService(saml.LogoutServiceConfig{
		EntityID: lab.IdP.Core().EntityID(), Key: lab.IdP.Core().SigningKey(), Locations: []string{lab.IdPURL + samlhttp.PathSignOn},
		Replay: saml.NewMemoryReplayStore(0, nil), Peer: noPeers,
	})
	require.NoError(t, err)
	rp, err := lab.SP.Metadata().RelyingParty()
	require.NoError(t, err)
	envelope, _, err := service.RequestEnvelope(rp.LogoutPeer(), service.NewRequest(s.NameID))
	require.NoError(t, err)
	resp, err := http.Post(lab.SPURL+samlhttp.PathSLO, "text/xml", bytes.NewReader(envelope))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.False(t, session(t, lab, one))
	require.False(t, session(t, lab, two))
	require.True(t, session(t, lab, bob), "nobody else's")
}

// TestLogoutRoundIsNobodysSession presents the identifier of a logout round as a session.
func TestLogoutRoundIsNobodysSession(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	other := third(t, lab, func(rp *saml.RelyingParty) {
		rp.SingleLogout = []saml.Endpoint{{Binding: saml.BindingHTTPRedirect, Location: strings.TrimSuffix(rp.EntityID, samlhttp.PathMetadata) + "/saml/nowhere"}}
	})
	b := alice()
	open(t, b, other.SPURL+"/deep")
	open(t, b, lab.SPURL+"/deep")
	session := named(t, b, lab.IdPURL, "session")
	require.Equal(t, http.StatusNotFound, send(t, b, signOut(lab)).Status, "the round stops half-way")
	round := named(t, b, lab.IdPURL, "logout")
	thief := samltest.NewBrowser("", "")
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	at, err := url.Parse(lab.IdPURL)
	require.NoError(t, err)
	jar.SetCookies(at, []*http.Cookie{{Name: session.Name, Value: round.Value, Path: "/"}})
	thief.Client.Jar = jar
	p := open(t, thief, initiated(lab))
	require.Equal(t, http.StatusOK, p.Status)
	require.Contains(t, p.Body, `name="Password"`, "a round of a logout signs nobody in")
}

// named returns the browser's cookie for an address whose name contains part.
func named(t *testing.T, b *samltest.Browser, address, part string) *http.Cookie {
	t.Helper()
	at, err := url.Parse(address + samlhttp.PathSignOn)
	require.NoError(t, err)
	for _, c := range b.Client.Jar.Cookies(at) {
		if strings.Contains(strings.ToLower(c.Name), part) {
			return c
		}
	}
	require.FailNow(t, "no cookie "+part)
	return nil
}

// TestSessionThatFitsNoCookie: values that the browser would drop are an error that says so, not a lost session.
func TestSessionThatFitsNoCookie(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
		c.SignIn = func(context.Context, *http.Request, *saml.Assertion) (map[string]string, error) {
			var b strings.Builder
			for range 1000 {
				b.WriteString(rand.Text()) // nothing to compress
			}
			return map[string]string{"v": b.String()}, nil
		}
	}})
	b := alice()
	p := open(t, b, lab.SPURL+"/deep")
	require.NotContains(t, p.Body, signedIn)
	require.Contains(t, p.Body, "session_too_large")
	require.False(t, session(t, lab, b))
}

// TestCookieKeyLengths: shorter keys that the cipher would take are refused too.
func TestCookieKeyLengths(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 16, 24, 31, 33, 64} {
		_, err := samlhttp.NewServiceProvider(samlhttp.ServiceProviderConfig{
			BaseURL: "https://sp.example.com", Partners: samlhttp.Partners{}, Replay: saml.NewMemoryReplayStore(0, nil), CookieKey: make([]byte, n),
		})
		require.ErrorContains(t, err, "32 bytes", n)
	}
}

// TestMappedAddressesAreApart: IPv4 addresses in the form that dual-stack sockets give are not one network.
func TestMappedAddressesAreApart(t *testing.T) {
	t.Parallel()
	source := ""
	lab := start(t, samltest.Config{IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
		c.Lockout = samlhttp.NewLockoutGuard(samlhttp.LockoutConfig{PerSource: 2})
		c.Source = func(*http.Request) string { return source }
	}})
	for i, name := range []string{"a1", "a2", "a3"} {
		source = "::ffff:192.0.2." + string(rune('1'+i))
		require.Contains(t, open(t, samltest.NewBrowser(name, "x"), initiated(lab)).Body, "is wrong")
	}
}

// TestArtifactNeedsAnHonestAnswer: the back channel's own failure is not an answer, whatever stands in its body.
func TestArtifactNeedsAnHonestAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		ok     bool
	}{
		"200": {status: http.StatusOK, ok: true},
		"500": {status: http.StatusInternalServerError},
		"202": {status: http.StatusAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, samltest.Config{
				IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { c.Artifacts = true },
				RelyingParty: func(rp *saml.RelyingParty) {
					rp.AssertionConsumers = rp.AssertionConsumers[1:] // by artifact only
				},
				Partner: func(p *samlhttp.Partner) { p.Trust.AllowUnsolicited = true },
				ServiceProvider: func(cfg *samlhttp.ServiceProviderConfig) {
					cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						resp, err := http.DefaultTransport.RoundTrip(r)
						if err == nil {
							resp.StatusCode, resp.Status = c.status, http.StatusText(c.status)
						}
						return resp, err
					})}
				},
			})
			require.Equal(t, c.ok, strings.Contains(open(t, alice(), initiated(lab)).Body, signedIn))
		})
	}
}
