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
