package saml_test

import (
	"crypto"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
	"github.com/adfedkit/adfedkit/saml"
)

// FuzzResponse: never both an error and data, no panic, and whatever is accepted says what the signer said.
func FuzzResponse(f *testing.F) {
	for _, m := range []*forged{signedAssertion(), signedResponse(), signedBoth(), {signAssertion: true, encrypt: &encrypting{}}, {signAssertion: true, encrypt: &encrypting{alg: xmlenc.AES256CBC}}, {}} {
		f.Add([]byte(m.xml()))
	}
	for id, build := range wrappingAttacks() {
		if len(id) > 0 {
			f.Add([]byte(build()[0].xml))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := newSetup()
		a, err := s.validate(t, string(in))
		if err != nil {
			require.Nil(t, a)
			require.NotEmpty(t, saml.ReasonOf(err))
			require.NotContains(t, err.Error(), "alice")
			return
		}
		require.Equal(t, person, a.Subject.Value)
		for _, v := range a.Attribute("group") {
			require.True(t, strings.HasPrefix(v, "AWS-00000"))
		}
	})
}

// FuzzField: the same for the form field and for the compressed one.
func FuzzField(f *testing.F) {
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(signedAssertion().xml()))), false)
	f.Add([]byte("eJwDAAAAAAE="), true)
	f.Fuzz(func(t *testing.T, in []byte, deflated bool) {
		s := newSetup()
		s.in.Message, s.in.Deflated = in, deflated
		a, err := s.provider(t).Validate(t.Context(), s.in)
		if err != nil {
			require.Nil(t, a)
			require.NotEmpty(t, saml.ReasonOf(err))
		}
	})
}

// FuzzDecrypt: cipher text and wrapped key of any bytes never panic, and never decrypt.
func FuzzDecrypt(f *testing.F) {
	for _, alg := range []string{xmlenc.AES128CBC, xmlenc.AES256GCM, xmlenc.TripleDESCBC, "x"} {
		f.Add(alg, xmlenc.RSAOAEPMGF1P, []byte("wrapped"), []byte("text"), []byte(""))
		f.Add(alg, xmlenc.RSA15, make([]byte, 256), make([]byte, 48), []byte("<a/>"))
	}
	d := &xmlenc.Decrypter{Keys: []crypto.Decrypter{spKey()}, Policy: xmlenc.Policy{TripleDES: true, RSA15: true}}
	f.Fuzz(func(t *testing.T, alg, keyAlg string, wrapped, text, params []byte) {
		b64 := base64.StdEncoding.EncodeToString
		xml := `<c xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"><xenc:EncryptedData><xenc:EncryptionMethod Algorithm="` + alg + `"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="` + keyAlg + `">` + string(params) + `</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>` + b64(wrapped) + `</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>` + b64(text) + `</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></c>`
		doc, err := xmlgate.Parse([]byte(xml), xmlgate.Limits{})
		if err != nil {
			return
		}
		plain, authenticated, err := d.Decrypt(doc.Root(), &xmlenc.Budget{})
		if err != nil {
			require.Nil(t, plain)
		}
		require.False(t, authenticated, "nobody guesses a GCM tag")
	})
}

// FuzzEngines: whatever one engine accepts the other accepts, over changed bytes of a signed message.
func FuzzEngines(f *testing.F) {
	f.Add([]byte(signedAssertion().xml()))
	f.Fuzz(func(t *testing.T, in []byte) {
		doc, err := xmlgate.Parse(in, xmlgate.Limits{})
		if err != nil {
			return
		}
		keys := []crypto.PublicKey{idpKey().Public()}
		for el := range doc.Root().Descendants() {
			if _, n := xmldsig.Signature(el); n == 0 {
				continue
			}
			_, one := xmldsig.OnePass{}.Verify(el, keys, xmldsig.Policy{})
			_, two := xmldsig.Library{}.Verify(el, keys, xmldsig.Policy{})
			require.Equal(t, one == nil, two == nil, "%v / %v", one, two)
		}
	})
}
