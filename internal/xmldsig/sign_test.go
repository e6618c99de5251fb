package xmldsig_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// oddSigner is a remote key that answers what it likes.
type oddSigner struct {
	pub    crypto.PublicKey
	answer []byte
	err    error
}

func (o oddSigner) Public() crypto.PublicKey { return o.pub }

func (o oddSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return o.answer, o.err }

func TestSignerRefusesOddAnswers(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der := func(r, s *big.Int) []byte {
		b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		require.NoError(t, err)
		return b
	}
	one := big.NewInt(1)
	big257 := new(big.Int).Lsh(one, 256)
	for name, c := range map[string]struct {
		answer []byte
		err    error
		ok     bool
	}{
		"short numbers are padded": {answer: der(one, one), ok: true},
		"failure":                  {err: errors.New("key is gone")},
		"nothing":                  {},
		"no DER":                   {answer: make([]byte, 64)},
		"zero":                     {answer: der(new(big.Int), one)},
		"negative":                 {answer: der(one, big.NewInt(-1))},
		"too large":                {answer: der(big257, one)},
		"bytes behind":             {answer: append(der(one, one), 0)},
		"too long":                 {answer: make([]byte, 300)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: oddSigner{key.Public(), c.answer, c.err}})
			require.NoError(t, err)
			v, err := s.Detached([]byte("x"))
			require.Equal(t, c.ok, err == nil, "%v", err)
			if c.ok {
				require.Len(t, v, 64)
			}
			sig, err := s.Enveloped([]byte(`<a ID="_1"></a>`), "_1", "")
			require.Equal(t, c.ok, err == nil)
			require.Equal(t, c.ok, sig != nil)
		})
	}
}

func TestNewSignerRefuses(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for name, c := range map[string]xmldsig.SignerConfig{
		"no key":          {},
		"1024 bits":       {Key: weak},
		"P-224":           {Key: p224},
		"unknown type":    {Key: oddSigner{pub: "x"}},
		"sha1":            {Key: p256, Algorithm: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"},
		"rsa with ecdsa":  {Key: p256, Algorithm: xmldsig.RSASHA256},
		"pss with ed":     {Key: ed, Algorithm: xmldsig.PSSSHA256},
		"unknown":         {Key: p256, Algorithm: "urn:x"},
		"hmac with ecdsa": {Key: p256, Algorithm: "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := xmldsig.NewSigner(c)
			require.Error(t, err)
			require.Nil(t, s)
		})
	}
}

// TestEnveloped: what is made verifies in both engines, with and without a PrefixList and certificates, under every algorithm.
func TestEnveloped(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ec := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		require.NoError(t, err)
		return k
	}
	cert := &x509.Certificate{Raw: []byte("certificate")}
	for algorithm, key := range map[string]crypto.Signer{
		xmldsig.RSASHA256: rsaKey, xmldsig.RSASHA384: rsaKey, xmldsig.RSASHA512: rsaKey, xmldsig.PSSSHA256: rsaKey, xmldsig.PSSSHA512: rsaKey,
		xmldsig.ECDSASHA256: ec(elliptic.P256()), xmldsig.ECDSASHA384: ec(elliptic.P384()), xmldsig.ECDSASHA512: ec(elliptic.P521()), xmldsig.EdDSA25519: ed,
	} {
		for list, certs := range map[string][]*x509.Certificate{"": nil, "xs": {cert}, "xs #default": {cert, cert}} {
			t.Run(algorithm+" "+list, func(t *testing.T) {
				t.Parallel()
				s, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: key, Algorithm: algorithm, Certificates: certs})
				require.NoError(t, err)
				const open, rest = `<p:a xmlns:p="urn:p" xmlns:xs="urn:xs" ID="_1">`, `<p:b A="&lt;&#x9;">&gt;&#xD;</p:b></p:a>`
				text := open + rest
				if list == "" {
					text = strings.Replace(text, ` xmlns:xs="urn:xs"`, "", 1) // exclusive canonicalisation drops it
				}
				sig, err := s.Enveloped([]byte(text), "_1", list)
				require.NoError(t, err)
				require.Equal(t, len(certs), strings.Count(string(sig), "<ds:X509Certificate>"))
				require.Equal(t, len(certs) > 0, strings.Contains(string(sig), "KeyInfo"), "no certificate, no KeyInfo")
				i := strings.Index(text, ">") + 1
				tree, err := s.SignDocument([]byte(text), 0, list)
				require.NoError(t, err)
				if algorithm == xmldsig.EdDSA25519 || strings.Contains(algorithm, "#rsa-") { // these signatures have no randomness
					require.Equal(t, text[:i]+string(sig)+text[i:], string(tree), "both ways to sign say the same")
				}
				doc, err := xmlgate.Parse([]byte(text[:i]+string(sig)+text[i:]), xmlgate.Limits{})
				require.NoError(t, err)
				policy := xmldsig.Policy{PSS: true, EdDSA: true}
				v, err := xmldsig.OnePass{}.Verify(doc.Root(), []crypto.PublicKey{key.Public()}, policy)
				require.NoError(t, err)
				root, err := v.Root()
				require.NoError(t, err)
				require.Equal(t, text, root.Raw())
				if algorithm == xmldsig.EdDSA25519 || strings.Contains(algorithm, "MGF1") || strings.Contains(list, "#default") {
					return // goxmldsig knows none of these
				}
				_, err = xmldsig.Library{}.Verify(doc.Root(), []crypto.PublicKey{key.Public()}, policy)
				require.NoError(t, err)
			})
		}
	}
}

// TestSignDocument: what is not canonical is brought into that form; what cannot be signed is an error.
func TestSignDocument(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	s, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: ed})
	require.NoError(t, err)
	for _, text := range []string{
		`<p:a xmlns:p="urn:p" xmlns:unused="urn:u" ID="_1"><p:b xmlns:p="urn:p" z="1" a='2'/></p:a>`,
		`<a ID="_1" xmlns="urn:a"><b xmlns="urn:b"><c xmlns="urn:a"/></b></a>`,
	} {
		out, err := s.SignDocument([]byte(text), 0, "")
		require.NoError(t, err)
		doc, err := xmlgate.Parse(out, xmlgate.Limits{})
		require.NoError(t, err)
		_, err = xmldsig.Verify(doc.Root(), []crypto.PublicKey{ed.Public()}, xmldsig.Policy{EdDSA: true, Misplaced: true})
		require.NoError(t, err, string(out))
	}
	for _, text := range []string{"", "x", "<a/>", `<a ID=""/>`, `<a ID="_1">`, `<a ID="_1"/><b/>`} {
		out, err := s.SignDocument([]byte(text), 0, "")
		require.Error(t, err, text)
		require.Nil(t, out)
	}
	odd, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: oddSigner{pub: ed.Public(), err: errors.New("key is gone")}})
	require.NoError(t, err)
	_, err = odd.SignDocument([]byte(`<a ID="_1"/>`), 0, "")
	require.ErrorContains(t, err, "key is gone")
}
