//go:build lab

package integration_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// outputs writes one of every kind of message that the library signs.
func outputs(t *testing.T, key saml.KeyPair, enc *x509.Certificate, methods ...string) map[string][]byte {
	t.Helper()
	rp, err := saml.NewRelyingParty("https://sp.example.com/metadata", "https://sp.example.com/acs")
	require.NoError(t, err)
	rp.Sign = saml.SignBoth
	if enc != nil {
		rp.EncryptionCertificates, rp.EncryptionMethods, rp.Sign = []*x509.Certificate{enc}, methods, saml.SignAssertion
	}
	idp, err := saml.NewIdentityProvider(saml.IdentityProviderConfig{
		EntityID: "http://idp.example.com/adfs/services/trust", Keys: []saml.KeyPair{key}, SingleSignOn: "https://idp.example.com/adfs/ls/",
		SingleLogout: "https://idp.example.com/adfs/ls/", ArtifactResolution: "https://idp.example.com/artifact", RelyingParties: saml.StaticRelyingParties{rp},
	})
	require.NoError(t, err)
	a, err := idp.Unsolicited(t.Context(), rp.EntityID, "")
	require.NoError(t, err)
	resp, err := idp.Issue(a, saml.SubjectStatement{
		NameID:     saml.NameID{Value: samlAlice, Format: saml.NameIDFormatEmailAddress},
		Attributes: []saml.Attribute{saml.NewAttribute("group", "Engineering & Söhne", "\r\n\t <x>"), saml.NewAttribute("empty", "")},
	})
	require.NoError(t, err)
	refused, err := idp.Refuse(a, saml.StatusResponder, saml.StatusNoPassive, "no session")
	require.NoError(t, err)
	metadata, err := idp.SignedMetadata()
	require.NoError(t, err)
	one := 1
	request, err := (&saml.AuthnRequest{
		IssueInstant: time.Now(), Issuer: rp.EntityID, Destination: "https://idp.example.com/adfs/ls/", AssertionConsumerServiceIndex: &one, ForceAuthn: true,
		NameIDPolicy: &saml.NameIDPolicy{AllowCreate: true}, AuthnContext: &saml.RequestedAuthnContext{Comparison: "minimum", ClassRefs: []string{saml.AuthnContextPassword}},
		Scoping: &saml.Scoping{ProxyCount: &one, IDPs: []string{"urn:idp"}, RequesterIDs: []string{"urn:sp"}}, Subject: &saml.NameID{Value: samlAlice},
		Extensions: []string{`<x:e xmlns:x="urn:x" a="1">2</x:e>`},
	}).Sign(key)
	require.NoError(t, err)
	out := map[string][]byte{"Response": resp.XML, "refusal": refused.XML, "metadata": metadata, "AuthnRequest": request}
	service, err := saml.NewLogoutService(saml.LogoutServiceConfig{
		EntityID: "urn:a", Key: key, Locations: []string{"https://a.example.com/"}, Replay: saml.NewMemoryReplayStore(0, nil),
		Peer: func(context.Context, string) (saml.LogoutPeer, error) { return saml.LogoutPeer{}, saml.ErrNotFound },
	})
	require.NoError(t, err)
	req := service.NewRequest(saml.NameID{Value: samlAlice}, "_s1")
	for name, build := range map[string]func() ([]byte, error){
		"LogoutRequest": func() ([]byte, error) {
			b, _, err := service.RequestEnvelope(saml.LogoutPeer{SingleLogout: []saml.Endpoint{{Binding: saml.BindingSOAP, Location: "https://b.example.com/"}}}, req)
			return b, err
		},
		"LogoutResponse": func() ([]byte, error) {
			return service.ResponseEnvelope(service.NewResponse(req, saml.StatusSuccess, saml.StatusPartialLogout))
		},
		"ArtifactResolve": func() ([]byte, error) {
			return (&saml.ArtifactResolve{IssueInstant: time.Now(), Issuer: "urn:sp", Artifact: saml.Artifact{}.String()}).Envelope(key)
		},
	} {
		envelope, err := build()
		require.NoError(t, err)
		m, err := saml.UnwrapSOAP(envelope)
		require.NoError(t, err)
		out[name] = m.UnverifiedXML()
	}
	return out
}

func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := foreign(t, "bash", append([]string{filepath.Join(labEnv(t, "LAB_PEERS"), "xmltools", name)}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestSAMLOutput holds every kind of message that is emitted against the schemas, xmlsec1 and the JDK, with RSA and ECDSA keys.
func TestSAMLOutput(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	rsaKey, err := samltest.NewKeyPair("rsa")
	require.NoError(t, err)
	ec, err := samltest.Certify(p256, "p256")
	require.NoError(t, err)
	ec521, err := samltest.Certify(p521, "p521")
	require.NoError(t, err)
	rsa512 := rsaKey
	rsa512.Algorithm = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	for name, key := range map[string]saml.KeyPair{"rsa-sha256": rsaKey, "rsa-sha512": rsa512, "P-256": ec, "P-521": ec521} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cert := writePEM(t, dir, "cert.pem", "CERTIFICATE", key.Certificate.Raw)
			for kind, doc := range outputs(t, key, nil) {
				file := filepath.Join(dir, kind+".xml")
				require.NoError(t, os.WriteFile(file, doc, 0o600))
				out, err := tool(t, "xsd.sh", file)
				require.NoError(t, err, kind+out)
				if kind == "ArtifactResolve" { // the script knows no ID of this element
					continue
				}
				out, err = tool(t, "verify.sh", cert, file)
				require.NoError(t, err, kind+out)
			}
		})
	}
}

// TestSAMLEncryptedOutput lets xmlsec1 decrypt what we encrypt; the assertion inside then verifies.
func TestSAMLEncryptedOutput(t *testing.T) {
	key, err := samltest.NewKeyPair("idp")
	require.NoError(t, err)
	recipient, err := samltest.NewKeyPair("sp")
	require.NoError(t, err)
	private, ok := recipient.Signer.(*rsa.PrivateKey)
	require.True(t, ok)
	for name, methods := range map[string][]string{
		"no list": nil, "aes256-gcm": {"http://www.w3.org/2009/xmlenc11#aes256-gcm"}, "aes128-gcm": {"http://www.w3.org/2009/xmlenc11#aes128-gcm"},
		"aes128-cbc": {"http://www.w3.org/2001/04/xmlenc#aes128-cbc"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cert := writePEM(t, dir, "cert.pem", "CERTIFICATE", key.Certificate.Raw)
			pkcs1 := writePEM(t, dir, "key.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private))
			in, plain := filepath.Join(dir, "in.xml"), filepath.Join(dir, "plain.xml")
			require.NoError(t, os.WriteFile(in, outputs(t, key, recipient.Certificate, methods...)["Response"], 0o600))
			out, err := tool(t, "xsd.sh", in)
			require.NoError(t, err, out)
			out, err = tool(t, "crypt.sh", "dec", pkcs1, in, plain)
			require.NoError(t, err, out)
			raw, err := os.ReadFile(plain)
			require.NoError(t, err)
			require.Contains(t, string(raw), samlAlice)
			out, err = tool(t, "verify.sh", cert, plain)
			require.NoError(t, err, out)
		})
	}
}

func writePEM(t *testing.T, dir, name, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return file
}
