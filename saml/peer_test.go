package saml_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// What the tests of the building side share: one identity provider and one service provider that know each other.
const (
	peerIdP  = "http://idp.example.com/adfs/services/trust"
	peerSSO  = "https://idp.example.com/adfs/ls/"
	peerArt  = "https://idp.example.com/adfs/services/trust/artifactresolution"
	peerSP   = "https://sp.example.com/metadata"
	peerACS  = "https://sp.example.com/acs"
	peerSLO  = "https://sp.example.com/slo"
	otherSP  = "urn:other"
	otherACS = "https://other.example.com/acs"
)

// strangeSignature is an extension that holds a Signature, as a captured one would lie there.
const strangeSignature = `<x:e xmlns:x="urn:x"><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"></ds:Signature></x:e>`

func peerNow() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

func idpPair() saml.KeyPair {
	return saml.KeyPair{Signer: spKey(), Certificate: certificate(spKey())}
}

func spPair() saml.KeyPair { return saml.KeyPair{Signer: ecKey(), Certificate: certificate(ecKey())} }

type peers struct {
	rp     *saml.RelyingParty
	config saml.IdentityProviderConfig
}

func newPeers() *peers {
	yes := true
	return &peers{
		rp: &saml.RelyingParty{
			EntityID: peerSP,
			AssertionConsumers: []saml.IndexedEndpoint{
				{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPPost, Location: peerACS}, Index: 0, Default: &yes},
				{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPPost, Location: peerACS + "/two"}, Index: 7},
				{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPArtifact, Location: peerACS}, Index: 8},
			},
			SingleLogout:        []saml.Endpoint{{Binding: saml.BindingHTTPRedirect, Location: peerSLO}},
			SigningCertificates: []*x509.Certificate{spPair().Certificate},
		},
		config: saml.IdentityProviderConfig{
			EntityID: peerIdP, Keys: []saml.KeyPair{idpPair()}, SingleSignOn: peerSSO, SingleLogout: peerSSO, Now: peerNow,
		},
	}
}

func (p *peers) idp(tb testing.TB) *saml.IdentityProvider {
	tb.Helper()
	other, err := saml.NewRelyingParty(otherSP, otherACS)
	require.NoError(tb, err)
	p.config.RelyingParties = saml.StaticRelyingParties{p.rp, other}
	idp, err := saml.NewIdentityProvider(p.config)
	require.NoError(tb, err)
	return idp
}

func honestRequest() *saml.AuthnRequest {
	return &saml.AuthnRequest{IssueInstant: peerNow(), Issuer: peerSP, Destination: peerSSO, AssertionConsumerServiceURL: peerACS}
}

// redirected returns the query of a request.
func redirected(tb testing.TB, r *saml.AuthnRequest, relay string, key *saml.KeyPair) string {
	tb.Helper()
	u, err := r.Redirect(relay, key)
	require.NoError(tb, err)
	_, q, _ := strings.Cut(u, "?")
	return q
}

func acceptQuery(tb testing.TB, p *peers, query string) (*saml.AcceptedRequest, error) {
	tb.Helper()
	m, err := saml.DecodeRedirect(query)
	if err != nil {
		return nil, err
	}
	return p.idp(tb).AcceptAuthnRequest(tb.Context(), m)
}

func acceptPost(tb testing.TB, p *peers, doc []byte) (*saml.AcceptedRequest, error) {
	tb.Helper()
	f, err := saml.NewPostForm(peerSSO, saml.FieldRequest, doc, "")
	require.NoError(tb, err)
	m, err := saml.DecodePost(url.Values{string(f.Field): {f.Value}})
	if err != nil {
		return nil, err
	}
	return p.idp(tb).AcceptAuthnRequest(tb.Context(), m)
}

func TestAuthnRequestRoundTrip(t *testing.T) {
	t.Parallel()
	seven, two := 7, 2
	full := &saml.AuthnRequest{
		IssueInstant: peerNow(), Issuer: peerSP, Destination: peerSSO, AssertionConsumerServiceIndex: &seven, ForceAuthn: true, IsPassive: true,
		ProviderName: `A & "B" <c>`, Consent: "urn:oasis:names:tc:SAML:2.0:consent:obtained",
		NameIDPolicy: &saml.NameIDPolicy{Format: saml.NameIDFormatPersistent, SPNameQualifier: "q", AllowCreate: true},
		AuthnContext: &saml.RequestedAuthnContext{Comparison: "minimum", ClassRefs: []string{saml.AuthnContextPassword, "urn:x"}},
		Scoping:      &saml.Scoping{ProxyCount: &two, IDPs: []string{"urn:idp"}, RequesterIDs: []string{"urn:r"}},
		Subject:      &saml.NameID{Value: "alice@example.com", Format: saml.NameIDFormatEmailAddress},
	}
	for name, key := range map[string]*saml.KeyPair{"unsigned": nil, "ecdsa": new(spPair())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := *full
			got, err := acceptQuery(t, newPeers(), redirected(t, &r, "relay ä+/=", key))
			require.NoError(t, err)
			require.Equal(t, "relay ä+/=", got.RelayState)
			require.Equal(t, key != nil, got.Signed)
			require.Equal(t, peerACS+"/two", got.Consumer.Location)
			require.Equal(t, &r, got.Request)

			r = *full
			var doc []byte
			if key != nil {
				doc, err = r.Sign(*key)
			} else {
				doc, err = r.Marshal()
			}
			require.NoError(t, err)
			got, err = acceptPost(t, newPeers(), doc)
			require.NoError(t, err)
			require.Equal(t, &r, got.Request)
			require.Equal(t, key != nil, got.Signed)
		})
	}
	r := honestRequest()
	r.Extensions = []string{`<x:a xmlns:x="urn:x" xmlns:u="urn:unused"><x:b>1</x:b><samlp:c xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"/><!-- x --></x:a>`, `<a b="1" a="2" xmlns="urn:y"/>`}
	doc, err := r.Sign(spPair())
	require.NoError(t, err)
	got, err := acceptPost(t, newPeers(), doc)
	require.NoError(t, err)
	require.True(t, got.Signed)
}

func TestAuthnRequestMarshalRefuses(t *testing.T) {
	t.Parallel()
	one := 1
	big := 70000
	for name, change := range map[string]func(*saml.AuthnRequest){
		"no issuer":          func(r *saml.AuthnRequest) { r.Issuer = "" },
		"no instant":         func(r *saml.AuthnRequest) { r.IssueInstant = time.Time{} },
		"index and address":  func(r *saml.AuthnRequest) { r.AssertionConsumerServiceIndex = &one },
		"index out of range": func(r *saml.AuthnRequest) { r.AssertionConsumerServiceURL, r.AssertionConsumerServiceIndex = "", &big },
		"no classes":         func(r *saml.AuthnRequest) { r.AuthnContext = &saml.RequestedAuthnContext{} },
		"comparison": func(r *saml.AuthnRequest) {
			r.AuthnContext = &saml.RequestedAuthnContext{Comparison: "x", ClassRefs: []string{"y"}}
		},
		"control character": func(r *saml.AuthnRequest) { r.ProviderName = "a\x01" },
		"saml extension": func(r *saml.AuthnRequest) {
			r.Extensions = []string{`<a xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/>`}
		},
		"extension no XML":   func(r *saml.AuthnRequest) { r.Extensions = []string{`<a`} },
		"extension doctype":  func(r *saml.AuthnRequest) { r.Extensions = []string{`<!DOCTYPE a><a xmlns="urn:x"/>`} },
		"extension no space": func(r *saml.AuthnRequest) { r.Extensions = []string{`<a/>`} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := honestRequest()
			change(r)
			_, err := r.Marshal()
			require.Error(t, err)
		})
	}
	_, err := honestRequest().Redirect(strings.Repeat("x", 81), nil)
	require.Error(t, err)
	_, err = honestRequest().Redirect("a\nb", nil)
	require.Error(t, err)
	_, err = honestRequest().Sign(saml.KeyPair{})
	require.Error(t, err)
	_, err = honestRequest().Sign(saml.KeyPair{Signer: spKey(), Certificate: certificate(ecKey())})
	require.Error(t, err, "certificate of another key")
	_, err = honestRequest().Sign(saml.KeyPair{Signer: smallKey(), Certificate: certificate(smallKey())})
	require.Error(t, err, "1024 bits")
}

func TestAcceptAuthnRequestRefuses(t *testing.T) {
	t.Parallel()
	nine := 9999
	key := new(spPair())
	change := func(f func(*saml.AuthnRequest)) func(*testing.T, *peers) (*saml.AcceptedRequest, error) {
		return func(t *testing.T, p *peers) (*saml.AcceptedRequest, error) {
			t.Helper()
			r := honestRequest()
			f(r)
			return acceptQuery(t, p, redirected(t, r, "", key))
		}
	}
	text := func(old, repl string) func(*testing.T, *peers) (*saml.AcceptedRequest, error) {
		return func(t *testing.T, p *peers) (*saml.AcceptedRequest, error) {
			t.Helper()
			doc, err := honestRequest().Marshal()
			require.NoError(t, err)
			require.Contains(t, string(doc), old)
			return acceptPost(t, p, []byte(strings.Replace(string(doc), old, repl, 1)))
		}
	}
	for name, c := range map[string]struct {
		reason saml.Reason
		run    func(*testing.T, *peers) (*saml.AcceptedRequest, error)
		setup  func(*peers)
	}{
		"unknown issuer":        {saml.ReasonIssuer, change(func(r *saml.AuthnRequest) { r.Issuer = "urn:nobody" }), nil},
		"other destination":     {saml.ReasonDestination, change(func(r *saml.AuthnRequest) { r.Destination = "https://evil.example.com/" }), nil},
		"no destination signed": {saml.ReasonDestination, destinationless, nil},
		"consumer not known (A119)": {saml.ReasonRecipient, change(func(r *saml.AuthnRequest) {
			r.AssertionConsumerServiceURL = "https://evil.example.com/acs"
		}), nil},
		"consumer of another (A119)": {saml.ReasonRecipient, change(func(r *saml.AuthnRequest) { r.AssertionConsumerServiceURL = otherACS }), nil},
		"index not known (A120)": {saml.ReasonRecipient, change(func(r *saml.AuthnRequest) {
			r.AssertionConsumerServiceURL, r.AssertionConsumerServiceIndex = "", &nine
		}), nil},
		"index and address (A120)": {saml.ReasonMalformedXML, text(`Destination=`, `AssertionConsumerServiceIndex="0" Destination=`), nil},
		"artifacts are not served": {saml.ReasonRecipient, change(func(r *saml.AuthnRequest) { r.ProtocolBinding = saml.BindingHTTPArtifact }), nil},
		"binding not offered":      {saml.ReasonRecipient, change(func(r *saml.AuthnRequest) { r.ProtocolBinding = saml.BindingHTTPRedirect }), nil},
		"too old":                  {saml.ReasonIssueInstant, change(func(r *saml.AuthnRequest) { r.IssueInstant = peerNow().Add(-2 * time.Hour) }), nil},
		"from the future":          {saml.ReasonIssueInstant, change(func(r *saml.AuthnRequest) { r.IssueInstant = peerNow().Add(4 * time.Minute) }), nil},
		"version":                  {saml.ReasonVersion, text(`Version="2.0"`, `Version="2.1"`), nil},
		"no version":               {saml.ReasonVersion, text(` Version="2.0"`, ``), nil},
		"no ID":                    {saml.ReasonMissingID, text(` ID="`, ` id="`), nil},
		"no instant":               {saml.ReasonIssueInstant, text(` IssueInstant="`, ` x="`), nil},
		"no issuer":                {saml.ReasonIssuer, text(`>`+peerSP+`<`, `><`), nil},
		"issuer format":            {saml.ReasonIssuer, text(`<saml:Issuer `, `<saml:Issuer Format="urn:x" `), nil},
		"two issuers":              {saml.ReasonIssuer, text(`</samlp:AuthnRequest>`, `<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">x</saml:Issuer></samlp:AuthnRequest>`), nil},
		"no boolean":               {saml.ReasonMalformedXML, text(` Version=`, ` ForceAuthn="yes" Version=`), nil},
		"conditions":               {saml.ReasonUnsupported, text(`</samlp:AuthnRequest>`, `<saml:Conditions xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/></samlp:AuthnRequest>`), nil},
		"signature inside, signed": {saml.ReasonSignatureShape, change(func(r *saml.AuthnRequest) { r.Extensions = []string{strangeSignature} }), nil},
		"signature inside, unsigned": {saml.ReasonSignatureShape, func(t *testing.T, p *peers) (*saml.AcceptedRequest, error) {
			t.Helper()
			r := honestRequest()
			r.Extensions = []string{strangeSignature}
			return acceptQuery(t, p, redirected(t, r, "", nil))
		}, nil},
		"signature inside, posted": {saml.ReasonSignatureShape, func(t *testing.T, p *peers) (*saml.AcceptedRequest, error) {
			t.Helper()
			r := honestRequest()
			r.Extensions = []string{strangeSignature}
			doc, err := r.Sign(spPair())
			require.NoError(t, err)
			return acceptPost(t, p, doc)
		}, nil},
		"doctype": {saml.ReasonDoctype, text(`<samlp:AuthnRequest`, `<!DOCTYPE x><samlp:AuthnRequest`), nil},
		"unsigned where metadata demands it": {saml.ReasonUnsigned, func(t *testing.T, p *peers) (*saml.AcceptedRequest, error) {
			t.Helper()
			return acceptQuery(t, p, redirected(t, honestRequest(), "", nil))
		}, func(p *peers) { p.rp.RequestsSigned = true }},
		"unsigned where we demand it": {saml.ReasonUnsigned, func(t *testing.T, p *peers) (*saml.AcceptedRequest, error) {
			t.Helper()
			return acceptQuery(t, p, redirected(t, honestRequest(), "", nil))
		}, func(p *peers) { p.config.RequireSigned = true }},
		"signed by a stranger": {saml.ReasonAlgorithm, func(t *testing.T, p *peers) (*saml.AcceptedRequest, error) {
			t.Helper()
			return acceptQuery(t, p, redirected(t, honestRequest(), "", new(idpPair())))
		}, nil},
		"signed, no key known": {saml.ReasonNoKeys, change(func(*saml.AuthnRequest) {}), func(p *peers) { p.rp.SigningCertificates = nil }},
		"metadata expired":     {saml.ReasonMetadataExpired, change(func(*saml.AuthnRequest) {}), func(p *peers) { p.rp.ValidUntil = peerNow() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeers()
			if c.setup != nil {
				c.setup(p)
			}
			got, err := c.run(t, p)
			require.Nil(t, got)
			require.Equal(t, c.reason, saml.ReasonOf(err), "%v", err)
		})
	}
}

func destinationless(t *testing.T, p *peers) (*saml.AcceptedRequest, error) {
	t.Helper()
	r := honestRequest()
	r.Destination = ""
	doc, err := r.Sign(spPair())
	require.NoError(t, err)
	return acceptPost(t, p, doc)
}

type failingParties struct{}

func (failingParties) RelyingParty(context.Context, string) (*saml.RelyingParty, error) {
	return nil, errors.New("down")
}

func TestRegistryFailureRefuses(t *testing.T) {
	t.Parallel()
	p := newPeers()
	p.config.RelyingParties = failingParties{}
	idp, err := saml.NewIdentityProvider(p.config)
	require.NoError(t, err)
	_, err = idp.Unsolicited(t.Context(), peerSP, "")
	require.Equal(t, saml.ReasonUnavailable, saml.ReasonOf(err))
}

func TestNewIdentityProviderRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*saml.IdentityProviderConfig){
		"no entity ID":  func(c *saml.IdentityProviderConfig) { c.EntityID = "" },
		"no keys":       func(c *saml.IdentityProviderConfig) { c.Keys = nil },
		"no parties":    func(c *saml.IdentityProviderConfig) { c.RelyingParties = nil },
		"no sign-on":    func(c *saml.IdentityProviderConfig) { c.SingleSignOn = "" },
		"bad logout":    func(c *saml.IdentityProviderConfig) { c.SingleLogout = "ftp://x" },
		"skew":          func(c *saml.IdentityProviderConfig) { c.ClockSkew = time.Hour },
		"negative life": func(c *saml.IdentityProviderConfig) { c.AssertionLifetime = -1 },
		"wrong algorithm": func(c *saml.IdentityProviderConfig) {
			c.Keys[0].Algorithm = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
		},
		"sha1 is not made": func(c *saml.IdentityProviderConfig) {
			c.Keys[0].Algorithm = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
		},
		"mismatched pair": func(c *saml.IdentityProviderConfig) { c.Keys[0].Certificate = certificate(ecKey()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newPeers().config
			c.RelyingParties = saml.StaticRelyingParties{}
			change(&c)
			_, err := saml.NewIdentityProvider(c)
			require.Error(t, err)
		})
	}
}

func decode(value string) string {
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		panic(err)
	}
	return string(b)
}
