package samlhttp_test

import (
	"bytes"
	"context"
	"crypto"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

func trustedKeys(lab *samltest.Lab) []crypto.PublicKey {
	return []crypto.PublicKey{lab.IdP.Core().SigningCertificates()[0].PublicKey}
}

// third adds a second service provider to a lab.
func third(t *testing.T, lab *samltest.Lab, change func(*saml.RelyingParty)) *samltest.Lab {
	t.Helper()
	partner, err := samlhttp.NewPartner(lab.IdP.Core().Metadata())
	require.NoError(t, err)
	other := start(t, samltest.Config{ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
		c.Partners, c.CookiePrefix = samlhttp.Partners{partner}, "third_"
	}})
	rp, err := other.SP.Metadata().RelyingParty()
	require.NoError(t, err)
	if change != nil {
		change(rp)
	}
	lab.Registry.Put(rp)
	return other
}

func session(t *testing.T, lab *samltest.Lab, b *samltest.Browser) bool {
	t.Helper()
	_, err := lab.SP.Session(withCookies(t, b, lab.SPURL+"/"))
	return err == nil
}

func signOut(lab *samltest.Lab) *samltest.Form {
	return &samltest.Form{Method: "POST", Action: lab.SPURL + samlhttp.PathLogout, Fields: url.Values{"x": {"y"}}}
}

func TestLogoutFromTheServiceProvider(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	other := third(t, lab, nil)
	b := alice()
	require.Contains(t, open(t, b, lab.SPURL+"/deep").Body, signedIn)
	b.User = "" // from here on only the session counts
	require.Contains(t, open(t, b, other.SPURL+"/deep").Body, signedIn, "single sign-on")
	p := send(t, b, signOut(lab))
	require.Contains(t, p.Body, "You have signed out.")
	require.True(t, strings.HasPrefix(p.URL.String(), lab.SPURL), "the first gets the answer")
	require.False(t, session(t, lab, b))
	require.False(t, session(t, other, b), "the other was told through the browser")
	require.Contains(t, open(t, b, lab.SPURL+"/deep").Body, `name="Password"`, "no session at the identity provider")
}

func TestLogoutFromTheIdentityProvider(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	other := third(t, lab, func(rp *saml.RelyingParty) { // by POST
		rp.SingleLogout = rp.SingleLogout[1:]
	})
	b := alice()
	open(t, b, lab.SPURL+"/deep")
	open(t, b, other.SPURL+"/deep")
	kept := withCookies(t, b, lab.SPURL+"/")
	p := open(t, b, lab.IdPURL+samlhttp.PathSignOn+"?wa=wsignout1.0")
	require.Contains(t, p.Body, "You have signed out.")
	require.False(t, session(t, lab, b))
	require.False(t, session(t, other, b))
	_, err := lab.SP.Session(kept)
	require.ErrorIs(t, err, samlhttp.ErrNoSession, "a copy of the cookie is worth nothing either")
	require.Contains(t, open(t, b, lab.IdPURL+samlhttp.PathSignOn+"?wa=wsignout1.0").Body, "You have signed out.", "twice is harmless")
}

func TestPartialLogout(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*saml.RelyingParty){
		"no address": func(rp *saml.RelyingParty) { rp.SingleLogout = nil },
		"does not come back": func(rp *saml.RelyingParty) {
			rp.SingleLogout = []saml.Endpoint{{Binding: saml.BindingHTTPRedirect, Location: strings.TrimSuffix(rp.EntityID, samlhttp.PathMetadata) + "/saml/nowhere"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := start(t, samltest.Config{})
			other := third(t, lab, change)
			b := alice()
			open(t, b, other.SPURL+"/deep")
			open(t, b, lab.SPURL+"/deep")
			p := send(t, b, signOut(lab))
			if name != "no address" { // the person goes back by hand
				require.Equal(t, http.StatusNotFound, p.Status)
				p = open(t, b, lab.IdPURL+samlhttp.PathSignOn+"?wa=wsignout1.0")
			}
			require.Contains(t, p.Body, "Not every application confirmed")
			require.True(t, strings.HasPrefix(p.URL.String(), lab.SPURL))
		})
	}
}

// TestLogoutOfAnUnknownSession: a NameID or SessionIndex that is not the session's ends nothing.
func TestLogoutOfAnUnknownSession(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewECKeyPair("sp")
	require.NoError(t, err)
	lab := start(t, samltest.Config{ServiceProvider: func(c *samlhttp.ServiceProviderConfig) { c.Key = &key }})
	service, err := saml.NewLogoutService(saml.LogoutServiceConfig{
		EntityID: lab.SP.EntityID(), Key: key, Locations: []string{lab.SPURL + samlhttp.PathSLO}, Replay: saml.NewMemoryReplayStore(0, nil), Peer: noPeers,
	})
	require.NoError(t, err)
	idp, err := samlhttp.NewPartner(lab.IdP.Core().Metadata())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		nameID  string
		index   []string
		foreign bool
		ended   bool
	}{
		"own browser":                  {nameID: "alice@example.com", ended: true},
		"own browser, other index":     {nameID: "alice@example.com", index: []string{"_x"}},
		"own browser, other name":      {nameID: "bob@example.com"},
		"another browser, no index":    {nameID: "alice@example.com", foreign: true},
		"another browser, right index": {nameID: "alice@example.com", index: []string{"right"}, foreign: true, ended: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := alice()
			open(t, b, lab.SPURL+"/deep")
			s, err := lab.SP.Session(withCookies(t, b, lab.SPURL+"/"))
			require.NoError(t, err)
			for i := range c.index {
				if c.index[i] == "right" {
					c.index[i] = s.SessionIndex
				}
			}
			out, err := service.SendRequest(saml.LogoutPeer{EntityID: idp.Trust.EntityID, SingleLogout: idp.SingleLogout},
				service.NewRequest(saml.NameID{Value: c.nameID, Format: saml.NameIDFormatEmailAddress}, c.index...), "")
			require.NoError(t, err)
			by := b
			if c.foreign {
				by = alice()
			}
			open(t, by, out.URL)
			b.User = ""
			p := open(t, b, initiated(lab))
			require.Equal(t, c.ended, strings.Contains(p.Body, `name="Password"`))
		})
	}
}

func TestLogoutNeedsOurOwnPage(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	b := alice()
	open(t, b, lab.SPURL+"/deep")
	b.Header = http.Header{"Origin": {"https://evil.example.com"}}
	require.Equal(t, http.StatusForbidden, send(t, b, signOut(lab)).Status)
	require.True(t, session(t, lab, b))
	p := open(t, b, lab.SPURL+samlhttp.PathLogout)
	require.Equal(t, http.StatusMethodNotAllowed, p.Status)
}

func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	b := alice()
	open(t, b, lab.SPURL+"/deep")
	s, err := lab.SP.Session(withCookies(t, b, lab.SPURL+"/"))
	require.NoError(t, err)
	service, err := saml.NewLogoutService(saml.LogoutServiceConfig{
		EntityID: lab.IdP.Core().EntityID(), Key: lab.IdP.Core().SigningKey(), Locations: []string{lab.IdPURL + samlhttp.PathSignOn},
		Replay: saml.NewMemoryReplayStore(0, nil), Peer: noPeers,
	})
	require.NoError(t, err)
	rp, err := lab.SP.Metadata().RelyingParty()
	require.NoError(t, err)
	post := func(envelope []byte) (int, string) {
		resp, err := http.Post(lab.SPURL+samlhttp.PathSLO, "text/xml", bytes.NewReader(envelope))
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, string(body)
	}
	envelope, _, err := service.RequestEnvelope(rp.LogoutPeer(), service.NewRequest(s.NameID, s.SessionIndex))
	require.NoError(t, err)
	code, body := post(bytes.Replace(envelope, []byte("alice@"), []byte("bob@"), 1))
	require.Equal(t, http.StatusInternalServerError, code)
	require.Contains(t, body, "Fault")
	require.True(t, session(t, lab, b), "a tampered request ends nothing")
	code, body = post(envelope)
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, saml.StatusSuccess)
	require.False(t, session(t, lab, b))
	code, _ = post(envelope)
	require.Equal(t, http.StatusInternalServerError, code, "replayed")
	code, _ = post([]byte("<!DOCTYPE x>"))
	require.Equal(t, http.StatusInternalServerError, code)
}

func TestArtifact(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{
		IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { c.Artifacts = true },
		RelyingParty: func(rp *saml.RelyingParty) {
			rp.AssertionConsumers = rp.AssertionConsumers[1:] // by artifact only
		},
		Partner: func(p *samlhttp.Partner) { p.Trust.AllowUnsolicited = true },
	})
	p := open(t, alice(), initiated(lab))
	require.Contains(t, p.Body, signedIn)
	for name, q := range map[string]string{
		"garbage":  "SAMLart=x",
		"twice":    "SAMLart=x&SAMLart=y",
		"stranger": "SAMLart=" + url.QueryEscape(saml.Artifact{}.String()),
	} {
		p := open(t, alice(), lab.SPURL+samlhttp.PathACS+"?"+q)
		require.GreaterOrEqual(t, p.Status, 400, name)
	}
	resp, err := http.Post(lab.IdPURL+samlhttp.PathArtifactResolution, "text/xml", strings.NewReader("<x/>"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
}

func noPeers(context.Context, string) (saml.LogoutPeer, error) {
	return saml.LogoutPeer{}, saml.ErrNotFound
}

// TestBackChannelRound: relying parties that offer SOAP are told without the browser, those that do not through it.
func TestBackChannelRound(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { c.BackChannel = true }})
	soapOnly := third(t, lab, func(rp *saml.RelyingParty) { rp.SingleLogout = rp.SingleLogout[2:] })
	b := alice()
	open(t, b, lab.SPURL+"/deep")
	open(t, b, soapOnly.SPURL+"/deep")
	kept := withCookies(t, b, soapOnly.SPURL+"/")
	p := open(t, b, lab.IdPURL+samlhttp.PathSignOn+"?wa=wsignout1.0")
	require.Contains(t, p.Body, "You have signed out.")
	_, err := soapOnly.SP.Session(kept)
	require.ErrorIs(t, err, samlhttp.ErrNoSession)
	require.False(t, session(t, lab, b))
}

func TestLogoutBySOAPAtTheIdentityProvider(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewECKeyPair("sp")
	require.NoError(t, err)
	lab := start(t, samltest.Config{
		ServiceProvider:  func(c *samlhttp.ServiceProviderConfig) { c.Key = &key },
		IdentityProvider: func(c *samlhttp.IdentityProviderConfig) { c.BackChannel = true },
	})
	idp, err := samlhttp.NewPartner(lab.IdP.Core().Metadata())
	require.NoError(t, err)
	peer := saml.LogoutPeer{EntityID: idp.Trust.EntityID, Certificates: idp.Trust.Certificates, SingleLogout: idp.SingleLogout}
	service, err := saml.NewLogoutService(saml.LogoutServiceConfig{
		EntityID: lab.SP.EntityID(), Key: key, Locations: []string{lab.SPURL + samlhttp.PathSLO}, Replay: saml.NewMemoryReplayStore(0, nil),
		Peer: func(context.Context, string) (saml.LogoutPeer, error) { return peer, nil },
	})
	require.NoError(t, err)
	b := alice()
	open(t, b, lab.SPURL+"/deep")
	s, err := lab.SP.Session(withCookies(t, b, lab.SPURL+"/"))
	require.NoError(t, err)
	ask := func(index string) *saml.LogoutResponse {
		req := service.NewRequest(s.NameID, index)
		envelope, to, err := service.RequestEnvelope(peer, req)
		require.NoError(t, err)
		resp, err := http.Post(to, "text/xml", bytes.NewReader(envelope))
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		m, err := saml.UnwrapSOAP(body)
		require.NoError(t, err)
		answer, err := service.AcceptResponse(t.Context(), m, peer.EntityID, req.ID)
		require.NoError(t, err)
		return answer
	}
	require.Equal(t, saml.StatusUnknownPrincipal, ask("_other").SecondStatus)
	require.Equal(t, saml.StatusSuccess, ask(s.SessionIndex).Status)
	require.Equal(t, saml.StatusUnknownPrincipal, ask(s.SessionIndex).SecondStatus, "the session is over")
	b.User = ""
	require.Contains(t, open(t, b, initiated(lab)).Body, `name="Password"`)
	resp, err := http.Post(lab.IdPURL+samlhttp.PathSignOn, "text/xml", strings.NewReader("<x/>"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
}
