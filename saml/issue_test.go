package saml_test

import (
	"crypto"
	"crypto/elliptic"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/saml"
)

func aliceStatement() saml.SubjectStatement {
	return saml.SubjectStatement{
		NameID:               aliceID,
		Attributes:           []saml.Attribute{saml.NewAttribute("group", "Engineering", "SRE"), {Name: "empty"}, {Name: "nil", Values: []saml.AttributeValue{{Nil: true}}}},
		AuthnContextClassRef: saml.AuthnContextPasswordProtectedTransport, AuthnInstant: peerNow().Add(-time.Minute),
	}
}

// kms stands for a key that lives elsewhere: nothing but Public and Sign is there to call.
type kms struct{ crypto.Signer }

func (k kms) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.Signer.Sign(r, digest, opts)
}

func TestIssue(t *testing.T) {
	t.Parallel()
	const more = "http://www.w3.org/2001/04/xmldsig-more#"
	p384, p521 := ecdsaKey(elliptic.P384()), ecdsaKey(elliptic.P521())
	encrypted := func(methods ...string) func(*peers) {
		return func(p *peers) {
			p.rp.EncryptionCertificates, p.rp.EncryptionMethods = certificatesOf(), methods
		}
	}
	for name, c := range map[string]struct {
		key    crypto.Signer
		alg    string
		policy saml.AlgorithmPolicy
		change func(*peers)
		signed []string
	}{
		"rsa-sha256":       {key: spKey()},
		"rsa-sha384":       {key: spKey(), alg: more + "rsa-sha384"},
		"rsa-sha512":       {key: spKey(), alg: more + "rsa-sha512"},
		"rsa-pss":          {key: spKey(), alg: "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", policy: saml.AlgorithmPolicy{AllowPSS: true}},
		"ecdsa P-256":      {key: ecKey()},
		"ecdsa P-384":      {key: p384},
		"ecdsa P-521":      {key: p521},
		"ed25519":          {key: edKey(), policy: saml.AlgorithmPolicy{AllowEdDSA: true}},
		"remote key":       {key: kms{ecKey()}},
		"both":             {key: spKey(), change: func(p *peers) { p.rp.Sign = saml.SignBoth }, signed: []string{"response", "assertion"}},
		"response":         {key: spKey(), change: func(p *peers) { p.rp.Sign = saml.SignResponse }, signed: []string{"response"}},
		"aes256-gcm":       {key: spKey(), change: encrypted("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2009/xmlenc11#aes256-gcm")},
		"aes128-gcm":       {key: spKey(), change: encrypted("http://www.w3.org/2009/xmlenc11#aes128-gcm")},
		"aes256-cbc":       {key: spKey(), change: encrypted()},
		"aes128-cbc":       {key: spKey(), change: encrypted("http://www.w3.org/2001/04/xmlenc#aes128-cbc")},
		"encrypted NameID": {key: spKey(), change: func(p *peers) { encrypted()(p); p.rp.EncryptNameID = true }},
		"key, not used":    {key: spKey(), change: func(p *peers) { encrypted()(p); p.rp.Encrypt = saml.EncryptNever }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeers()
			cert := certificate(c.key)
			p.config.Keys = []saml.KeyPair{{Signer: c.key, Certificate: cert, Algorithm: c.alg}}
			if c.change != nil {
				c.change(p)
			}
			idp := p.idp(t)
			req, err := acceptQuery(t, p, redirected(t, honestRequest(), "rs", nil))
			require.NoError(t, err)
			resp, err := idp.Issue(req, aliceStatement())
			require.NoError(t, err)
			form, err := resp.Form()
			require.NoError(t, err)
			require.Equal(t, "rs", form.RelayState)
			require.Equal(t, peerACS, form.Action)
			sp, err := saml.NewServiceProvider(saml.ServiceProviderConfig{
				EntityID: peerSP, ACS: peerACS, Replay: saml.NewMemoryReplayStore(0, peerNow), Now: peerNow, NoClockSkew: true,
				DecryptionKeys: []crypto.Decrypter{spKey()},
				IdentityProviders: saml.StaticIdentityProviders(saml.TrustedIdentityProvider{
					EntityID: peerIdP, Keys: []crypto.PublicKey{c.key.Public()}, Algorithms: c.policy,
				}),
			})
			require.NoError(t, err)
			a, err := sp.Validate(t.Context(), saml.ResponseInput{Message: []byte(form.Value), Request: &saml.Request{ID: req.Request.ID, IdP: peerIdP, Expires: until(time.Hour)}})
			require.NoError(t, err)
			require.Equal(t, aliceID, a.Subject)
			require.Equal(t, []string{"Engineering", "SRE"}, a.Attribute("group"))
			require.Equal(t, saml.AuthnContextPasswordProtectedTransport, a.ContextClass())
			require.Equal(t, resp.AssertionID, a.ID)
			require.Equal(t, a.ID, a.SessionIndex(), "as AD FS does")
			require.Equal(t, peerNow(), a.Conditions.NotBefore)
			require.Equal(t, until(time.Hour), a.Conditions.NotOnOrAfter)
			require.Equal(t, until(5*time.Minute), a.Confirmation.NotOnOrAfter)
			require.Empty(t, a.Confirmation.Address)
			require.Equal(t, []string{peerSP}, a.Conditions.Audiences)
			if c.signed != nil {
				require.ElementsMatch(t, c.signed, a.Signed)
			}
			require.Equal(t, c.change != nil && strings.Contains(decode(form.Value), "EncryptedData"), a.Encrypted)
		})
	}
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*peers)
		edit   func(*saml.SubjectStatement)
		req    func(*saml.AuthnRequest)
		is     error
	}{
		"no NameID":           {edit: func(s *saml.SubjectStatement) { s.NameID.Value = "" }},
		"attribute, no name":  {edit: func(s *saml.SubjectStatement) { s.Attributes[0].Name = "" }},
		"encryption, no key":  {change: func(p *peers) { p.rp.Encrypt = saml.EncryptAlways }},
		"EncryptedID, no key": {change: func(p *peers) { p.rp.EncryptNameID = true }},
		"only 3DES announced": {change: func(p *peers) {
			p.rp.EncryptionCertificates, p.rp.EncryptionMethods = certificatesOf(), []string{"http://www.w3.org/2001/04/xmlenc#tripledes-cbc"}
		}},
		"EC key to encrypt to": {change: func(p *peers) { p.rp.EncryptionCertificates = p.rp.SigningCertificates }},
		"persistent demanded":  {req: func(r *saml.AuthnRequest) { r.NameIDPolicy = &saml.NameIDPolicy{Format: saml.NameIDFormatPersistent} }, is: saml.ErrNameIDPolicy},
		"affiliation":          {req: func(r *saml.AuthnRequest) { r.NameIDPolicy = &saml.NameIDPolicy{SPNameQualifier: "urn:club"} }, is: saml.ErrNameIDPolicy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeers()
			if c.change != nil {
				c.change(p)
			}
			r, s := honestRequest(), aliceStatement()
			if c.req != nil {
				c.req(r)
			}
			if c.edit != nil {
				c.edit(&s)
			}
			req, err := acceptQuery(t, p, redirected(t, r, "", nil))
			require.NoError(t, err)
			resp, err := p.idp(t).Issue(req, s)
			require.Error(t, err)
			require.Nil(t, resp)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
		})
	}
}

func TestIssueTransient(t *testing.T) {
	t.Parallel()
	p := newPeers()
	r := honestRequest()
	r.NameIDPolicy = &saml.NameIDPolicy{Format: saml.NameIDFormatTransient}
	req, err := acceptQuery(t, p, redirected(t, r, "", nil))
	require.NoError(t, err)
	one, err := p.idp(t).Issue(req, aliceStatement())
	require.NoError(t, err)
	two, err := p.idp(t).Issue(req, aliceStatement())
	require.NoError(t, err)
	require.Equal(t, saml.NameIDFormatTransient, one.NameID.Format)
	require.NotEqual(t, one.NameID.Value, two.NameID.Value)
	require.NotContains(t, string(one.XML), "alice@")
}

func TestUnsolicited(t *testing.T) {
	t.Parallel()
	idp := newPeers().idp(t)
	a, err := idp.Unsolicited(t.Context(), peerSP, "/deep")
	require.NoError(t, err)
	resp, err := idp.Issue(a, aliceStatement())
	require.NoError(t, err)
	require.NotContains(t, string(resp.XML), "InResponseTo")
	require.Equal(t, aliceID, receive(t, resp).Subject)
	_, err = idp.Unsolicited(t.Context(), "urn:nobody", "")
	require.Equal(t, saml.ReasonIssuer, saml.ReasonOf(err))
	_, err = idp.Unsolicited(t.Context(), peerSP, "a\r\nb")
	require.Equal(t, saml.ReasonRelayState, saml.ReasonOf(err))
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	p := newPeers()
	idp := p.idp(t)
	req, err := acceptQuery(t, p, redirected(t, honestRequest(), "rs", nil))
	require.NoError(t, err)
	resp, err := idp.Refuse(req, saml.StatusResponder, saml.StatusNoPassive, "no <session>")
	require.NoError(t, err)
	require.Contains(t, string(resp.XML), "<ds:Signature ")
	require.Empty(t, resp.AssertionID)
	_, err = received(t, resp, &saml.Request{ID: req.Request.ID, IdP: peerIdP, Expires: until(time.Hour)})
	require.Equal(t, saml.ReasonStatus, saml.ReasonOf(err))
	_, err = idp.Refuse(req, saml.StatusSuccess, "", "")
	require.Error(t, err)
}

func TestManyGroupValues(t *testing.T) {
	t.Parallel()
	n := testscale.N(12_000, 12_000)
	groups := make([]string, n)
	for i := range groups {
		groups[i] = "CN=Group " + strings.Repeat("x", i%30) + ",OU=Groups,DC=corp,DC=example,DC=test"
	}
	idp := newPeers().idp(t)
	a, err := idp.Unsolicited(t.Context(), peerSP, "")
	require.NoError(t, err)
	s := aliceStatement()
	s.Attributes = []saml.Attribute{saml.NewAttribute("group", groups...)}
	resp, err := idp.Issue(a, s)
	require.NoError(t, err)
	require.Equal(t, groups, receive(t, resp).Attribute("group"))
}

// TestResponseText pins what partners see: order of elements, one Reference to the parent, no address, typed values.
func TestResponseText(t *testing.T) {
	t.Parallel()
	p := newPeers()
	p.rp.Sign = saml.SignBoth
	idp := p.idp(t)
	a, err := idp.Unsolicited(t.Context(), peerSP, "")
	require.NoError(t, err)
	resp, err := idp.Issue(a, aliceStatement())
	require.NoError(t, err)
	text := regexp.MustCompile(`_[A-Z2-7]{26}`).ReplaceAllString(string(resp.XML), "_ID")
	text = regexp.MustCompile(`>[A-Za-z0-9+/=]{40,}<`).ReplaceAllString(text, ">BASE64<")
	sig := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod><ds:Reference URI="#_ID"><ds:Transforms>` +
		`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">` +
		`<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs xsi"></ec:InclusiveNamespaces></ds:Transform></ds:Transforms>` +
		`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>BASE64</ds:DigestValue></ds:Reference></ds:SignedInfo>` +
		`<ds:SignatureValue>BASE64</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>BASE64</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>`
	issuer := `<saml:Issuer%>http://idp.example.com/adfs/services/trust</saml:Issuer>`
	ns := ` xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`
	require.Equal(t, `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Consent="urn:oasis:names:tc:SAML:2.0:consent:unspecified" Destination="https://sp.example.com/acs" ID="_ID" IssueInstant="2026-03-04T05:06:07.000Z" Version="2.0">`+
		strings.Replace(issuer, "%", ns, 1)+sig+`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>`+
		`<saml:Assertion`+ns+` xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ID="_ID" IssueInstant="2026-03-04T05:06:07.000Z" Version="2.0">`+
		strings.Replace(issuer, "%", "", 1)+sig+
		`<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">alice@example.com</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`+
		`<saml:SubjectConfirmationData NotOnOrAfter="2026-03-04T05:11:07.000Z" Recipient="https://sp.example.com/acs"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>`+
		`<saml:Conditions NotBefore="2026-03-04T05:06:07.000Z" NotOnOrAfter="2026-03-04T06:06:07.000Z"><saml:AudienceRestriction><saml:Audience>https://sp.example.com/metadata</saml:Audience></saml:AudienceRestriction></saml:Conditions>`+
		`<saml:AttributeStatement><saml:Attribute Name="group"><saml:AttributeValue xsi:type="xs:string">Engineering</saml:AttributeValue><saml:AttributeValue xsi:type="xs:string">SRE</saml:AttributeValue></saml:Attribute>`+
		`<saml:Attribute Name="empty"></saml:Attribute><saml:Attribute Name="nil"><saml:AttributeValue xsi:nil="true"></saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`+
		`<saml:AuthnStatement AuthnInstant="2026-03-04T05:05:07.000Z" SessionIndex="_ID"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`+
		`</saml:Assertion></samlp:Response>`, text)
}

func TestSignOnURL(t *testing.T) {
	t.Parallel()
	page := "https://idp.example.com/adfs/ls/IdpInitiatedSignOn.aspx"
	for _, c := range [][2]string{{"urn:sp", ""}, {"https://sp.example.com/?a=1&b=2", "/deep?x=1&y=%2F"}, {"urn:ä", "a=b&RPID=evil"}} {
		_, q, _ := strings.Cut(saml.SignOnURL(page, c[0], c[1]), "?")
		rpid, relay, err := saml.ParseSignOnQuery(q)
		require.NoError(t, err)
		require.Equal(t, c[0], rpid)
		require.Equal(t, c[1], relay)
	}
	for q, want := range map[string][2]string{
		"":                            {},
		"loginToRp=urn%3Asp":          {"urn:sp", ""},
		"LOGINTORP=urn%3Asp&x=1":      {"urn:sp", ""},
		"loginToRp=a&RelayState=deep": {"a", "deep"},
		"RelayState=opaque":           {},
		"RelayState=rpid%3Dx":         {"x", ""},
	} {
		rpid, relay, err := saml.ParseSignOnQuery(q)
		require.NoError(t, err, q)
		require.Equal(t, want, [2]string{rpid, relay}, q)
	}
	for _, q := range []string{"%zz", "loginToRp=a&loginToRp=b", "RelayState=a&RelayState=b", "RelayState=RPID%3Da&loginToRp=b", "RelayState=RPID%3Da%26RPID%3Db", "RelayState=RPID%3Da%26RelayState%3Db%250a", "RelayState=RPID%3D%25zz"} {
		_, _, err := saml.ParseSignOnQuery(q)
		require.Equal(t, saml.ReasonRelayState, saml.ReasonOf(err), q)
	}
}

func FuzzRedirect(f *testing.F) {
	f.Add(redirected(f, honestRequest(), "rs", nil))
	f.Add(redirected(f, honestRequest(), "rs", new(spPair())))
	f.Add("SAMLRequest=&RelayState=%2b&SigAlg=x&Signature=AA==")
	p := newPeers()
	idp := p.idp(f)
	f.Fuzz(func(t *testing.T, q string) {
		m, err := saml.DecodeRedirect(q)
		require.NotEqual(t, m == nil, err == nil)
		if m == nil {
			return
		}
		require.LessOrEqual(t, len(m.UnverifiedXML()), 1<<20)
		a, err := idp.AcceptAuthnRequest(t.Context(), m)
		require.NotEqual(t, a == nil, err == nil)
		_, _, _ = saml.ParseSignOnQuery(q)
	})
}
