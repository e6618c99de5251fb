package xmldsig_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"

	"github.com/beevik/etree"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
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
			el := etree.NewElement("a")
			el.CreateAttr("ID", "_1")
			sig, err := s.EnvelopedCanonical(el, "")
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

// TestCanonicalTree: both ways to sign say the same about a tree that is canonical.
func TestCanonicalTree(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader) // deterministic signatures
	require.NoError(t, err)
	s, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: ed})
	require.NoError(t, err)
	build := func() *etree.Element {
		el := etree.NewElement("p:a")
		el.CreateAttr("xmlns:p", "urn:p")
		el.CreateAttr("xmlns:xs", "urn:xs")
		el.CreateAttr("A", "<&\"\t\r\n>")
		el.CreateAttr("ID", "_1")
		c := el.CreateElement("q:b")
		c.CreateAttr("xmlns:q", "urn:q")
		c.CreateText("<&>\"'\t\r\n\u00e4\U0001F600")
		el.CreateElement("p:empty")
		return el
	}
	write := func(el *etree.Element) string {
		doc := etree.NewDocument()
		doc.SetRoot(el)
		text, err := doc.WriteToString()
		require.NoError(t, err)
		return text
	}
	a, err := s.Enveloped(build(), "xs")
	require.NoError(t, err)
	b, err := s.EnvelopedCanonical(build(), "xs")
	require.NoError(t, err)
	require.Equal(t, write(a), write(b))
	require.NotContains(t, write(b), "KeyInfo", "no certificate, no KeyInfo")
}
