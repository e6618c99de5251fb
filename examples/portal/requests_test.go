package main

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

const (
	spEntity = "urn:sp"
	spACS    = "https://sp.example.test/acs"
)

// authnRequest is the text of a request of urn:sp, with its parts to be changed.
func (a *app) authnRequest(attributes, children string) string {
	return fmt.Sprintf(`<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r1" Version="2.0" IssueInstant=%q Destination=%q %s>`+
		`<saml:Issuer>urn:sp</saml:Issuer>%s</samlp:AuthnRequest>`, time.Now().UTC().Format(time.RFC3339), a.idpURL+"/adfs/ls/", attributes, children)
}

func deflated(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	require.NoError(t, err)
	_, err = w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// ask sends a request by redirect, or by POST, and keeps what would be posted to the service provider.
func (a *app) askIdP(t *testing.T, b *samltest.Browser, post bool, text, relay string) (*samltest.Page, *samltest.Form) {
	t.Helper()
	var kept *samltest.Form
	b.BeforePost = func(f *samltest.Form) bool {
		if f.Fields.Has("SAMLResponse") {
			kept = f
		}
		return kept == nil
	}
	fields := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(text))}}
	if !post {
		fields.Set("SAMLRequest", deflated(t, text))
	}
	if relay != "" {
		fields.Set("RelayState", relay)
	}
	var p *samltest.Page
	var err error
	if post {
		p, err = b.Send(t.Context(), &samltest.Form{Action: a.idpURL + "/adfs/ls/", Method: http.MethodPost, Fields: fields})
	} else {
		p, err = b.Open(t.Context(), a.idpURL+"/adfs/ls/?"+fields.Encode())
	}
	require.NoError(t, err)
	return p, kept
}

// TestRefusedRequests sends what must end at an error page: no form, nothing that is posted anywhere.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	a := running(t, func(o *options) { o.relying = []relyingParty{{entity: spEntity, acs: spACS}} })
	good := a.authnRequest("", "")
	for name, text := range map[string]string{
		"unknown issuer":    strings.Replace(good, "urn:sp", "urn:nobody", 1),
		"foreign ACS":       a.authnRequest(`AssertionConsumerServiceURL="https://evil.example.test/acs"`, ""),
		"ACS with a suffix": a.authnRequest(`AssertionConsumerServiceURL="https://sp.example.test/acs/x"`, ""),
		"unknown index":     a.authnRequest(`AssertionConsumerServiceIndex="7"`, ""),
		"destination":       strings.Replace(good, `Destination="`+a.idpURL, `Destination="https://other.example.test`, 1),
		"version 1.1":       strings.Replace(good, `Version="2.0"`, `Version="1.1"`, 1),
		"doctype":           "<!DOCTYPE x>" + good,
		"entity":            `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + good,
		"too large":         a.authnRequest("", "<!--"+strings.Repeat(" ", 1<<20)+"-->"),
		"cut off":           good[:len(good)-5],
		"no request":        "<x/>",
		"text":              "hello",
		"empty":             "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, post := range []bool{false, true} {
				p, kept := a.askIdP(t, samltest.NewBrowser("bob", "Battery-Staple-2"), post, text, "x")
				require.GreaterOrEqual(t, p.Status, 400, "%v %s", post, p.Body)
				require.Less(t, p.Status, 500)
				require.Nil(t, kept)
				require.NotContains(t, p.Body, "<form")
				require.NotContains(t, p.Body, "evil")
			}
		})
	}
	for name, query := range map[string]string{
		"no base64": "SAMLRequest=%26%26", "no deflate": "SAMLRequest=AAAA", "twice": "SAMLRequest=AAAA&SAMLRequest=AAAA", "request and response": "SAMLRequest=AAAA&SAMLResponse=AAAA",
		"signature without algorithm": "SAMLRequest=" + url.QueryEscape(deflated(t, good)) + "&Signature=AAAA",
		"algorithm without signature": "SAMLRequest=" + url.QueryEscape(deflated(t, good)) + "&SigAlg=urn:x",
		"other encoding":              "SAMLRequest=" + url.QueryEscape(deflated(t, good)) + "&SAMLEncoding=urn:x",
		"long RelayState":             "SAMLRequest=" + url.QueryEscape(deflated(t, good)) + "&RelayState=" + strings.Repeat("x", 2000),
	} {
		p, err := a.open(t.Context(), samltest.NewBrowser("bob", "Battery-Staple-2"), a.idpURL+"/adfs/ls/?"+query)
		require.NoError(t, err)
		require.GreaterOrEqual(t, p.Status, 400, name)
		require.Less(t, p.Status, 500, name)
		require.NotContains(t, p.Body, "<form", name)
	}
}

// TestAnsweredRequests sends requests that are answered, with and without a session.
func TestAnsweredRequests(t *testing.T) {
	t.Parallel()
	a := running(t, func(o *options) { o.relying = []relyingParty{{entity: spEntity, acs: spACS}} })
	const statuses = "urn:oasis:names:tc:SAML:2.0:status:"
	for _, post := range []bool{false, true} {
		fresh := func() *samltest.Browser { return samltest.NewBrowser("bob", "Battery-Staple-2") }
		b := fresh()
		const relay = `a=b&c="<d>" e`
		_, kept := a.askIdP(t, b, post, a.authnRequest("", ""), relay)
		require.NotNil(t, kept)
		require.Equal(t, spACS, kept.Action)
		require.Equal(t, relay, kept.Fields.Get("RelayState"))
		require.Contains(t, responseXML(t, kept), `InResponseTo="_r1"`)
		b.User = "" // from here on the session has to do
		_, kept = a.askIdP(t, b, post, a.authnRequest("", ""), "")
		require.NotNil(t, kept)
		require.False(t, kept.Fields.Has("RelayState"))
		_, kept = a.askIdP(t, b, post, a.authnRequest(`IsPassive="true"`, ""), "")
		require.Contains(t, responseXML(t, kept), statuses+"Success")
		p, kept := a.askIdP(t, b, post, a.authnRequest(`ForceAuthn="true"`, ""), "")
		require.Nil(t, kept)
		require.True(t, signInPage(p), "the form, although there is a session")

		_, kept = a.askIdP(t, fresh(), post, a.authnRequest(`IsPassive="true"`, ""), relay)
		require.Contains(t, responseXML(t, kept), statuses+"NoPassive")
		require.Equal(t, spACS, kept.Action)
		require.Equal(t, relay, kept.Fields.Get("RelayState"))
		require.NotContains(t, responseXML(t, kept), "<saml:Assertion")
		_, kept = a.askIdP(t, fresh(), post, a.authnRequest("", `<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"/>`), "")
		require.Contains(t, responseXML(t, kept), statuses+"InvalidNameIDPolicy")
		_, kept = a.askIdP(t, fresh(), post, a.authnRequest("", `<samlp:RequestedAuthnContext><saml:AuthnContextClassRef>`+saml.AuthnContextMultipleAuthn+`</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`), "")
		require.Contains(t, responseXML(t, kept), statuses+"NoAuthnContext", "there is one factor only")
	}
}

// TestRequestsThatMustBeSigned registers a partner whose metadata says AuthnRequestsSigned.
func TestRequestsThatMustBeSigned(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewKeyPair("service provider of a test")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "sp.xml")
	cert := base64.StdEncoding.EncodeToString(key.Certificate.Raw)
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:sp"><md:SPSSODescriptor AuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">`+
		`<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`+
		`<md:AssertionConsumerService Binding="%s" Location="%s" index="0"/></md:SPSSODescriptor></md:EntityDescriptor>`, cert, saml.BindingHTTPPost, spACS), 0o600))
	a := running(t, func(o *options) { o.relying = []relyingParty{{metadata: file}} })
	req := &saml.AuthnRequest{ID: "_r1", IssueInstant: time.Now(), Issuer: spEntity, Destination: a.idpURL + "/adfs/ls/"}
	signed, err := req.Redirect("relay", &key)
	require.NoError(t, err)
	other, err := samltest.NewKeyPair("somebody else")
	require.NoError(t, err)
	foreign, err := req.Redirect("relay", &other)
	require.NoError(t, err)
	unsigned, err := req.Redirect("relay", nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		address string
		ok      bool
	}{
		"signed": {signed, true}, "unsigned": {unsigned, false}, "another key": {foreign, false},
		"other RelayState": {strings.Replace(signed, "RelayState=relay", "RelayState=other", 1), false},
		"no RelayState":    {strings.Replace(signed, "RelayState=relay&", "", 1), false},
		"other request":    {strings.Replace(signed, "SAMLRequest=", "SAMLRequest="+url.QueryEscape(deflated(t, a.authnRequest(`ForceAuthn="true"`, "")))+"&X=", 1), false},
		"signature cut":    {signed[:len(signed)-8], false},
	} {
		p, err := a.open(t.Context(), samltest.NewBrowser("", ""), c.address)
		require.NoError(t, err)
		require.Equal(t, c.ok, signInPage(p), name)
		require.Equal(t, c.ok, p.Status == http.StatusOK, "%s: %d", name, p.Status)
		require.Less(t, p.Status, 500, name)
	}
}

// TestSignOnPage: the list, both ways to name a relying party, and names that nobody has.
func TestSignOnPage(t *testing.T) {
	t.Parallel()
	a := running(t, func(o *options) { o.relying = []relyingParty{{entity: spEntity, acs: spACS, name: "Wiki & more"}} })
	page := a.idpURL + "/adfs/ls/IdpInitiatedSignOn.aspx"
	p, err := a.open(t.Context(), samltest.NewBrowser("", ""), page)
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, spEntity, "Wiki & more", a.portalEntity()))
	relay := func(rpid, state string) string {
		inner := url.Values{"RPID": {rpid}}.Encode()
		if state != "" {
			inner += "&RelayState=" + url.QueryEscape(state)
		}
		return page + "?RelayState=" + url.QueryEscape(inner)
	}
	for address, want := range map[string]string{
		relay(spEntity, "https://sp.example.test/deep?a=b&c=d"): "https://sp.example.test/deep?a=b&c=d",
		relay(spEntity, ""):                           "",
		page + "?loginToRp=" + spEntity:               "",
		strings.ToLower(page) + "?loginToRp=urn%3Asp": "",
	} {
		f, err := a.keepResponse(t.Context(), "bob", "Battery-Staple-2", address)
		require.NoError(t, err, address)
		require.Equal(t, spACS, f.Action)
		require.Equal(t, want, f.Fields.Get("RelayState"), address)
		require.NotContains(t, responseXML(t, f), "InResponseTo")
	}
	for _, address := range []string{relay("urn:nobody", "x"), page + "?loginToRp=urn:nobody", page + "?loginToRp=" + url.QueryEscape(spACS), relay(spEntity+"/", "")} {
		p, err := a.open(t.Context(), samltest.NewBrowser("bob", "Battery-Staple-2"), address)
		require.NoError(t, err)
		require.GreaterOrEqual(t, p.Status, 400, address)
		require.Less(t, p.Status, 500, address)
		require.NotContains(t, p.Body, "<form")
	}
}
