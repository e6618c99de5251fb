package xmldsig_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

func reasonOf(err error) string {
	if e, ok := errors.AsType[*xmldsig.Error](err); ok {
		return e.Reason
	}
	return ""
}

// TestDetachedBorders: a detached signature needs an allowed algorithm, a key of its kind and size, and the right octets.
func TestDetachedBorders(t *testing.T) {
	t.Parallel()
	octets := []byte("SAMLRequest=x&SigAlg=y")
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sum := sha256.Sum256(octets)
	der, err := ecdsa.SignASN1(rand.Reader, ec, sum[:])
	require.NoError(t, err)
	signer, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: ec})
	require.NoError(t, err)
	raw, err := signer.Detached(octets)
	require.NoError(t, err)
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	edValue := ed25519.Sign(ed, octets)
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	zeros := func(from, to int) []byte {
		b := append([]byte(nil), raw...)
		clear(b[from:to])
		return b
	}
	lax := xmldsig.Policy{DERECDSA: true}
	for name, c := range map[string]struct {
		algorithm string
		octets    []byte
		sig       []byte
		keys      []crypto.PublicKey
		policy    xmldsig.Policy
		reason    string
	}{
		"raw":                        {xmldsig.ECDSASHA256, octets, raw, []crypto.PublicKey{ec.Public()}, xmldsig.Policy{}, ""},
		"raw, DER allowed":           {xmldsig.ECDSASHA256, octets, raw, []crypto.PublicKey{ec.Public()}, lax, ""},
		"DER":                        {xmldsig.ECDSASHA256, octets, der, []crypto.PublicKey{ec.Public()}, xmldsig.Policy{}, "signature"},
		"DER allowed":                {xmldsig.ECDSASHA256, octets, der, []crypto.PublicKey{ec.Public()}, lax, ""},
		"DER of something else":      {xmldsig.ECDSASHA256, octets[1:], der, []crypto.PublicKey{ec.Public()}, lax, "signature"},
		"raw of something else":      {xmldsig.ECDSASHA256, octets[1:], raw, []crypto.PublicKey{ec.Public()}, lax, "signature"},
		"too short":                  {xmldsig.ECDSASHA256, octets, raw[1:], []crypto.PublicKey{ec.Public()}, lax, "signature"},
		"too long":                   {xmldsig.ECDSASHA256, octets, append(raw[:64:64], 0), []crypto.PublicKey{ec.Public()}, lax, "signature"},
		"r is zero":                  {xmldsig.ECDSASHA256, octets, zeros(0, 32), []crypto.PublicKey{ec.Public()}, lax, "signature"},
		"s is zero":                  {xmldsig.ECDSASHA256, octets, zeros(32, 64), []crypto.PublicKey{ec.Public()}, lax, "signature"},
		"both are zero":              {xmldsig.ECDSASHA256, octets, zeros(0, 64), []crypto.PublicKey{ec.Public()}, lax, "signature"},
		"Ed25519 by option":          {xmldsig.EdDSA25519, octets, edValue, []crypto.PublicKey{edPublic}, xmldsig.Policy{}, "algorithm"},
		"Ed25519":                    {xmldsig.EdDSA25519, octets, edValue, []crypto.PublicKey{edPublic}, xmldsig.Policy{EdDSA: true}, ""},
		"Ed25519, key cut":           {xmldsig.EdDSA25519, octets, edValue, []crypto.PublicKey{edPublic[:31]}, xmldsig.Policy{EdDSA: true}, "algorithm"},
		"Ed25519 for another kind":   {xmldsig.RSASHA256, octets, edValue, []crypto.PublicKey{edPublic}, xmldsig.Policy{EdDSA: true}, "algorithm"},
		"ECDSA for another kind":     {xmldsig.EdDSA25519, octets, raw, []crypto.PublicKey{ec.Public()}, xmldsig.Policy{EdDSA: true}, "algorithm"},
		"unknown":                    {"urn:x", octets, raw, []crypto.PublicKey{ec.Public()}, lax, "algorithm"},
		"SHA-1":                      {xmldsig.ECDSASHA1, octets, raw, []crypto.PublicKey{ec.Public()}, lax, "algorithm"},
		"no keys":                    {xmldsig.ECDSASHA256, octets, raw, nil, lax, "no_keys"},
		"keys that are none":         {xmldsig.RSASHA256, octets, raw, []crypto.PublicKey{nil, (*rsa.PublicKey)(nil), &rsa.PublicKey{}, "key"}, lax, "algorithm"},
		"ECDSA keys that are none":   {xmldsig.ECDSASHA256, octets, raw, []crypto.PublicKey{(*ecdsa.PublicKey)(nil)}, lax, "algorithm"},
		"another curve":              {xmldsig.ECDSASHA256, octets, raw, []crypto.PublicKey{weak.Public()}, lax, "weak_key"},
		"RSA of 1024 bits":           {xmldsig.RSASHA256, octets, raw, []crypto.PublicKey{modulus(1024)}, xmldsig.Policy{}, "weak_key"},
		"RSA of 1024 bits by option": {xmldsig.RSASHA256, octets, raw, []crypto.PublicKey{modulus(1024)}, xmldsig.Policy{RSA1024: true}, "signature"},
		"RSA of 1023 bits":           {xmldsig.RSASHA256, octets, raw, []crypto.PublicKey{modulus(1023)}, xmldsig.Policy{RSA1024: true}, "weak_key"},
		"RSA of 2047 bits":           {xmldsig.RSASHA256, octets, raw, []crypto.PublicKey{modulus(2047)}, xmldsig.Policy{}, "weak_key"},
		"RSA of 8192 bits":           {xmldsig.RSASHA256, octets, raw, []crypto.PublicKey{modulus(8192)}, xmldsig.Policy{}, "signature"},
		"RSA of 8193 bits":           {xmldsig.RSASHA256, octets, raw, []crypto.PublicKey{modulus(8193)}, xmldsig.Policy{}, "weak_key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := xmldsig.VerifyBytes(c.algorithm, c.octets, c.sig, c.keys, c.policy)
			require.Equal(t, c.reason, reasonOf(err), "%v", err)
			require.Equal(t, c.reason == "", key != nil)
		})
	}
}

// modulus is a public key of that size. Nothing was signed with it.
func modulus(bits int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
}

// TestPlaceInMetadata: what would be an Issuer in a message moves no Signature in metadata.
func TestPlaceInMetadata(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signer, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: key})
	require.NoError(t, err)
	for space, reason := range map[string]string{
		"urn:oasis:names:tc:SAML:2.0:metadata": "signature_shape", "urn:oasis:names:tc:SAML:2.0:protocol": "",
	} {
		start := `<e xmlns="` + space + `" ID="_e"><i:Issuer xmlns:i="urn:oasis:names:tc:SAML:2.0:assertion"></i:Issuer>`
		sig, err := signer.Enveloped([]byte(start+`</e>`), "_e", "")
		require.NoError(t, err)
		doc, err := xmlgate.Parse([]byte(start+string(sig)+`</e>`), xmlgate.Limits{})
		require.NoError(t, err)
		_, err = xmldsig.Verify(doc.Root(), []crypto.PublicKey{key.Public()}, xmldsig.Policy{})
		require.Equal(t, reason, reasonOf(err), "%v", err)
	}
}

// TestDigestOfNothing: a signature over the digest of no bytes covers nothing, whoever made it and however the element is read.
func TestDigestOfNothing(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signer, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: key})
	require.NoError(t, err)
	sig, err := signer.Enveloped(nil, "_e", "")
	require.NoError(t, err)
	doc, err := xmlgate.Parse([]byte(`<e ID="_e">`+string(sig)+`</e>`), xmlgate.Limits{})
	require.NoError(t, err)
	keys := []crypto.PublicKey{key.Public()}
	_, err = xmldsig.Verify(doc.Root(), keys, xmldsig.Policy{})
	require.Equal(t, "signature", reasonOf(err))
	s, err := xmldsig.Begin(doc.Root(), keys, xmldsig.Policy{})
	require.NoError(t, err)
	_, err = s.Write(nil)
	require.NoError(t, err)
	require.Equal(t, "signature", reasonOf(s.Verify()))

	const content = `<e ID="_e">x</e>`
	sig, err = signer.Enveloped([]byte(content), "_e", "")
	require.NoError(t, err)
	doc, err = xmlgate.Parse([]byte(`<e ID="_e">`+string(sig)+`x</e>`), xmlgate.Limits{})
	require.NoError(t, err)
	for text, reason := range map[string]string{content: "", `<e ID="_e">y</e>`: "signature"} {
		s, err = xmldsig.Begin(doc.Root(), keys, xmldsig.Policy{})
		require.NoError(t, err)
		_, err = s.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, reason, reasonOf(s.Verify()))
	}
}
