package saml_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

const assertionNS = ` xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`

// TestAuthnRequestParts: what a request may hold once, how long it may be, and what we do not serve (core 3.4.1).
func TestAuthnRequestParts(t *testing.T) {
	t.Parallel()
	wanted := func(inner string) string {
		return `<samlp:RequestedAuthnContext>` + inner + `</samlp:RequestedAuthnContext>`
	}
	class := func(s string) string {
		return `<saml:AuthnContextClassRef` + assertionNS + `>` + s + `</saml:AuthnContextClassRef>`
	}
	const policy = `<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"/>`
	for name, c := range map[string]struct {
		inner  string
		reason saml.Reason
	}{
		"one policy":         {policy, ""},
		"two policies":       {policy + policy, saml.ReasonMalformedXML},
		"one context":        {wanted(class("urn:x")), ""},
		"two contexts":       {wanted(class("urn:x")) + wanted(class("urn:y")), saml.ReasonMalformedXML},
		"comparison":         {strings.Replace(wanted(class("urn:x")), ">", ` Comparison="least">`, 1), saml.ReasonAuthnContext},
		"declaration":        {wanted(`<saml:AuthnContextDeclRef` + assertionNS + `>urn:x</saml:AuthnContextDeclRef>`), saml.ReasonUnsupported},
		"class and another":  {wanted(class("urn:x") + `<saml:AuthnContextDeclRef` + assertionNS + `>urn:x</saml:AuthnContextDeclRef>`), saml.ReasonUnsupported},
		"no class":           {wanted(""), saml.ReasonAuthnContext},
		"256 classes":        {wanted(strings.Repeat(class("urn:x"), 256)), ""},
		"257 classes":        {wanted(strings.Repeat(class("urn:x"), 257)), saml.ReasonTooLarge},
		"long class":         {wanted(class(strings.Repeat("x", 4097))), saml.ReasonTooLarge},
		"subject":            {`<saml:Subject` + assertionNS + `><saml:NameID>alice</saml:NameID></saml:Subject>`, ""},
		"subject, no name":   {`<saml:Subject` + assertionNS + `/>`, saml.ReasonUnsupported},
		"subject, two names": {`<saml:Subject` + assertionNS + `><saml:NameID>alice</saml:NameID><saml:NameID>bob</saml:NameID></saml:Subject>`, saml.ReasonUnsupported},
		"subject, long name": {`<saml:Subject` + assertionNS + `><saml:NameID>` + strings.Repeat("x", 8193) + `</saml:NameID></saml:Subject>`, saml.ReasonNameID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := honestRequest().Marshal()
			require.NoError(t, err)
			got, err := acceptPost(t, newPeers(), []byte(strings.Replace(string(doc), `</samlp:AuthnRequest>`, c.inner+`</samlp:AuthnRequest>`, 1)))
			require.Equal(t, c.reason, saml.ReasonOf(err), "%v", err)
			require.Equal(t, c.reason == "", got != nil)
		})
	}
}

// TestRedirectQuery: what a query may look like before anything of it is decoded (bindings 3.4.4).
func TestRedirectQuery(t *testing.T) {
	t.Parallel()
	good := redirected(t, honestRequest(), "rs", new(spPair()))
	_, err := acceptQuery(t, newPeers(), good)
	require.NoError(t, err)
	_, err = acceptQuery(t, newPeers(), good+"&other=1")
	require.NoError(t, err, "a parameter of the endpoint's own address")
	_, err = saml.DecodeRedirect(good + "&other=" + strings.Repeat("x", 64<<10))
	require.Equal(t, saml.ReasonTooLarge, saml.ReasonOf(err))
	for _, q := range []string{
		strings.Replace(good, "SAMLRequest=", "SAML%52equest=", 1),
		strings.Replace(good, "RelayState=", "Relay%53tate=", 1),
		good + "&RelayState=again",
		good + "&%53AMLResponse=x",
	} {
		_, err := saml.DecodeRedirect(q)
		require.Equal(t, saml.ReasonBinding, saml.ReasonOf(err), q)
	}
	f, err := saml.NewPostForm(peerSSO, saml.FieldResponse, []byte("<x/>"), "")
	require.NoError(t, err)
	m, err := saml.DecodePost(url.Values{string(f.Field): {f.Value}})
	require.NoError(t, err)
	_, err = newPeers().idp(t).AcceptAuthnRequest(t.Context(), m)
	require.Equal(t, saml.ReasonBinding, saml.ReasonOf(err), "a response is no request")
}

// TestArtifactStoreIsBounded: a full store refuses; what has expired makes room.
func TestArtifactStoreIsBounded(t *testing.T) {
	t.Parallel()
	now := peerNow()
	s := saml.NewArtifactStore(2, func() time.Time { return now })
	for range 2 {
		_, err := s.Put(peerIdP, peerSP, []byte("<x/>"))
		require.NoError(t, err)
	}
	_, err := s.Put(peerIdP, peerSP, []byte("<x/>"))
	require.Equal(t, saml.ReasonUnavailable, saml.ReasonOf(err))
	now = now.Add(time.Hour)
	_, err = s.Put(peerIdP, peerSP, []byte("<x/>"))
	require.NoError(t, err)
}

// TestAWSNamesInErrors: an error names the attribute, never the key that the sender chose.
func TestAWSNamesInErrors(t *testing.T) {
	t.Parallel()
	list, err := awsGood().Attributes()
	require.NoError(t, err)
	tag := saml.NewAttribute(saml.AWSAttributePrincipalTag+"Chosen", "1")
	_, err = saml.ParseAWSAttributes(append(list, tag, tag))
	require.Equal(t, saml.ReasonAttribute, saml.ReasonOf(err))
	var e *saml.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "PrincipalTag occurs twice", e.Detail)
}

// TestMessageOfAnotherKind: a message that is signed and fresh is still only what its root element says.
func TestMessageOfAnotherKind(t *testing.T) {
	t.Parallel()
	signed := func(field saml.Field, to string, key saml.KeyPair, xml []byte) *saml.Message {
		u, err := saml.EncodeRedirect(saml.RedirectMessage{Location: to, Response: field == saml.FieldResponse, XML: xml, Key: &key})
		require.NoError(t, err)
		return delivered(t, saml.Outgoing{URL: u})
	}
	request, err := honestRequest().Marshal()
	require.NoError(t, err)
	idp, sp, atIdP, atSP := logoutPair(t, saml.BindingHTTPRedirect)
	logout := sp.NewRequest(aliceID, "_s1")
	out, err := sp.SendRequest(atSP, logout, "")
	require.NoError(t, err)
	logoutXML := delivered(t, out).UnverifiedXML()
	out, err = idp.SendResponse(atIdP, idp.NewResponse(logout, saml.StatusSuccess, ""))
	require.NoError(t, err)
	answerXML := delivered(t, out).UnverifiedXML()
	other := func(xml []byte) []byte {
		return []byte(strings.Replace(string(xml), "urn:oasis:names:tc:SAML:2.0:protocol", "urn:x", 1))
	}
	for name, run := range map[string]func() error{
		"AuthnRequest as logout": func() error {
			_, _, err := idp.AcceptRequest(t.Context(), signed(saml.FieldRequest, peerSSO, spPair(), request))
			return err
		},
		"logout as AuthnRequest": func() error {
			_, err := newPeers().idp(t).AcceptAuthnRequest(t.Context(), signed(saml.FieldRequest, peerSSO, spPair(), logoutXML))
			return err
		},
		"logout request in the field of an answer": func() error {
			_, err := sp.AcceptResponse(t.Context(), signed(saml.FieldResponse, peerSLO, idpPair(), logoutXML), peerIdP, logout.ID)
			return err
		},
		"answer in the field of a request": func() error {
			_, err := sp.AcceptResponse(t.Context(), signed(saml.FieldRequest, peerSLO, idpPair(), answerXML), peerIdP, logout.ID)
			return err
		},
		"AuthnRequest of another namespace": func() error {
			_, err := newPeers().idp(t).AcceptAuthnRequest(t.Context(), signed(saml.FieldRequest, peerSSO, spPair(), other(request)))
			return err
		},
		"kind of another namespace": func() error {
			_, err := signed(saml.FieldRequest, peerSSO, spPair(), other(request)).Kind()
			return err
		},
	} {
		require.Equal(t, saml.ReasonBinding, saml.ReasonOf(run()), name)
	}
	resp, err := sp.AcceptResponse(t.Context(), signed(saml.FieldResponse, peerSLO, idpPair(), answerXML), peerIdP, logout.ID)
	require.NoError(t, err)
	require.Equal(t, saml.StatusSuccess, resp.Status)
	kind, err := signed(saml.FieldRequest, peerSSO, spPair(), request).Kind()
	require.NoError(t, err)
	require.Equal(t, "AuthnRequest", kind)

	const value = ` Value="urn:oasis:names:tc:SAML:2.0:status:Success"`
	const code = `<samlp:StatusCode` + value + `></samlp:StatusCode>`
	require.Contains(t, string(answerXML), "<samlp:Status>"+code+"</samlp:Status>")
	for _, status := range []string{
		"", "<samlp:Status></samlp:Status>", "<samlp:Status>" + code + code + "</samlp:Status>", "<samlp:Status>" + strings.Replace(code, value, "", 1) + "</samlp:Status>",
		"<samlp:Status>" + code + "</samlp:Status><samlp:Status>" + code + "</samlp:Status>",
	} {
		xml := strings.Replace(string(answerXML), "<samlp:Status>"+code+"</samlp:Status>", status, 1)
		_, err := sp.AcceptResponse(t.Context(), signed(saml.FieldResponse, peerSLO, idpPair(), []byte(xml)), peerIdP, logout.ID)
		require.Equal(t, saml.ReasonStatus, saml.ReasonOf(err), status)
	}
}

// TestIssuerLength: an entity ID has 1 to 1024 characters (core 8.3.6).
func TestIssuerLength(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{"", strings.Repeat("x", 1025)} {
		doc, err := honestRequest().Marshal()
		require.NoError(t, err)
		p := newPeers()
		p.rp.EntityID = issuer
		_, err = acceptPost(t, p, []byte(strings.Replace(string(doc), ">"+peerSP+"<", ">"+issuer+"<", 1)))
		require.Equal(t, saml.ReasonIssuer, saml.ReasonOf(err))
	}
}

// TestResponseLocation: an answer goes to the address that metadata names for answers.
func TestResponseLocation(t *testing.T) {
	t.Parallel()
	idp, sp, atIdP, atSP := logoutPair(t, saml.BindingHTTPRedirect)
	atIdP.SingleLogout[0].ResponseLocation = "https://sp.example.com/answers"
	req := sp.NewRequest(aliceID, "_s1")
	_, err := sp.SendRequest(atSP, req, "")
	require.NoError(t, err)
	out, err := idp.SendResponse(atIdP, idp.NewResponse(req, saml.StatusSuccess, ""))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(out.URL, "https://sp.example.com/answers?"), out.URL)
	out, err = idp.SendRequest(atIdP, idp.NewRequest(aliceID), "")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(out.URL, peerSLO+"?"), out.URL)
	_, _, err = idp.RequestEnvelope(atIdP, idp.NewRequest(aliceID))
	require.ErrorIs(t, err, saml.ErrNoEndpoint, "no address for SOAP")
}

// TestAddresses: what is no usable address of an endpoint.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"", "/acs", "https:", "https:///acs", "//sp.example.com/acs", "ftp://sp.example.com/acs", "javascript:alert(1)", "https:sp.example.com", "https://:443/",
		"https://u@sp.example.com/", "https://u:p@sp.example.com/", "https://sp.example.com/#f", "https://sp.example.com/#", "https://sp.example.com/a b",
		"https://sp.example.com/\t", " https://sp.example.com/", "https://sp.example.com\\@evil.example.com/", "https://sp.example.com/\x7f",
		"https://sp.example.com/?SAMLResponse=x", "https://sp.example.com/?a=1&RelayState=x", "https://sp.example.com/?SAML%52equest=x", "https://sp.example.com/?a;b", "https://sp.example.com/?%zz",
	} {
		_, err := saml.NewRelyingParty(peerSP, a)
		require.Error(t, err, a)
	}
	_, err := saml.NewRelyingParty(peerSP, "https://sp.example.com/acs?tenant=1")
	require.NoError(t, err)
}
