package xmldsig_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/mutatetest"
	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

const fixtures = "../../saml/testdata/fixtures/"

// document is a signed document with its keys.
type document struct {
	name string
	xml  string
	keys []crypto.PublicKey
}

// documents reads the collection; those that are no plain XML or base64 of it are left out.
func documents(tb testing.TB) (out []document) {
	tb.Helper()
	raw, err := os.ReadFile(fixtures + "vectors.jsonl")
	require.NoError(tb, err)
	for line := range bytes.Lines(raw) {
		var v struct {
			File       string
			Certs      []string
			Signatures []string
		}
		require.NoError(tb, json.Unmarshal(line, &v))
		if len(v.Signatures) == 0 {
			continue
		}
		text, err := os.ReadFile(fixtures + v.File)
		require.NoError(tb, err)
		if text[0] != '<' {
			if text, err = base64.StdEncoding.DecodeString(strings.NewReplacer(" ", "", "\t", "").Replace(string(text))); err != nil {
				continue
			}
		}
		d := document{name: v.File, xml: string(text)}
		for _, c := range v.Certs {
			p, err := os.ReadFile(fixtures + "certs/" + c + ".pem")
			require.NoError(tb, err)
			block, _ := pem.Decode(p)
			cert, err := x509.ParseCertificate(block.Bytes)
			require.NoError(tb, err)
			d.keys = append(d.keys, cert.PublicKey)
		}
		out = append(out, d)
	}
	require.Greater(tb, len(out), 100)
	return out
}

func wide() xmldsig.Policy {
	return xmldsig.Policy{SHA1: true, RSA1024: true, InclusiveC14N: true, Misplaced: true}
}

// signed returns the elements of xml that hold a Signature; none when it does not pass the gate.
func signed(xml string) (out []xmlgate.Elem) {
	doc, err := xmlgate.Parse([]byte(xml), xmlgate.Limits{})
	if err != nil {
		return nil
	}
	for el := range doc.Root().Descendants() {
		if _, n := xmldsig.Signature(el); n > 0 {
			out = append(out, el)
		}
	}
	return out
}

func canonical(tb testing.TB, el xmlgate.Elem) string {
	tb.Helper()
	b, err := el.Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
	require.NoError(tb, err)
	return string(b)
}

// agree verifies every signature of xml with both engines. What one accepts the other accepts with the same content.
func agree(tb testing.TB, name, xml string, keys []crypto.PublicKey) (accepted int) {
	tb.Helper()
	for _, el := range signed(xml) {
		a, errA := xmldsig.OnePass{}.Verify(el, keys, wide())
		b, errB := xmldsig.Library{}.Verify(el, keys, wide())
		if (errA == nil) != (errB == nil) {
			tb.Fatalf("%s: %s: one pass says %v, goxmldsig says %v\n%s", name, el.Local(), errA, errB, xml)
		}
		if errA != nil {
			require.Nil(tb, a)
			continue
		}
		one, err := a.Root()
		require.NoError(tb, err)
		two, err := b.Root()
		require.NoError(tb, err)
		require.Equal(tb, canonical(tb, one), canonical(tb, two), name)
		accepted++
	}
	return accepted
}

func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	n := 0
	for _, d := range documents(t) {
		n += agree(t, d.name, d.xml, d.keys)
	}
	require.Greater(t, n, 100)
}

// TestEnginesAgreeOnDamage compares the engines over damaged documents; the seed is fixed.
func TestEnginesAgreeOnDamage(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	texts := make([]string, len(docs))
	for i, d := range docs {
		texts[i] = d.xml
	}
	m := mutatetest.New(1, texts)
	accepted := 0
	for range testscale.N(1000, 100_000) {
		xml, i := m.Next()
		accepted += agree(t, docs[i].name, xml, docs[i].keys)
	}
	require.Greater(t, accepted, 100, "much of the damage must leave a sound signature, or nothing was compared")
}

func TestVerifyUnsigned(t *testing.T) {
	t.Parallel()
	doc, err := xmlgate.Parse([]byte("<a ID='_1'/>"), xmlgate.Limits{})
	require.NoError(t, err)
	for _, e := range []xmldsig.Engine{xmldsig.OnePass{}, xmldsig.Library{}} {
		v, err := e.Verify(doc.Root(), nil, xmldsig.Policy{})
		require.Nil(t, v)
		got, ok := errors.AsType[*xmldsig.Error](err)
		require.True(t, ok)
		require.Equal(t, xmldsig.ReasonUnsigned, got.Reason)
	}
}

func TestDecodeBase64(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"AAEC", "AA EC", "A A\tE\nC\r\n", "AAEC\n"} {
		b, err := xmldsig.DecodeBase64(s)
		require.NoError(t, err)
		require.Equal(t, []byte{0, 1, 2}, b)
	}
	for _, s := range []string{"", " ", "AAE", "AAEC=", "AA-C", "AAF=", "AAEC\x00", "AAEC AA", "A\u00a0AEC"} {
		_, err := xmldsig.DecodeBase64([]byte(s))
		require.Error(t, err, s)
	}
}

// TestVerifyBytes is the detached signature of the Redirect binding.
func TestVerifyBytes(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("octets"))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	require.NoError(t, err)
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	pinned := []crypto.PublicKey{key.Public()}
	got, err := xmldsig.VerifyBytes(xmldsig.ECDSASHA256, []byte("octets"), sig, pinned, xmldsig.Policy{})
	require.NoError(t, err)
	require.Equal(t, key.Public(), got)
	for name, c := range map[string]struct {
		alg, octets, reason string
		keys                []crypto.PublicKey
	}{
		"other octets":  {xmldsig.ECDSASHA256, "Octets", xmldsig.ReasonSignature, pinned},
		"other hash":    {xmldsig.ECDSASHA384, "octets", xmldsig.ReasonSignature, pinned},
		"other kind":    {xmldsig.RSASHA256, "octets", xmldsig.ReasonAlgorithm, pinned},
		"SHA-1":         {xmldsig.ECDSASHA1, "octets", xmldsig.ReasonAlgorithm, pinned},
		"no key":        {xmldsig.ECDSASHA256, "octets", xmldsig.ReasonNoKeys, nil},
		"unknown":       {"urn:x", "octets", xmldsig.ReasonAlgorithm, pinned},
		"strange key":   {xmldsig.ECDSASHA256, "octets", xmldsig.ReasonAlgorithm, []crypto.PublicKey{"x"}},
		"key is empty":  {xmldsig.ECDSASHA256, "octets", xmldsig.ReasonAlgorithm, []crypto.PublicKey{(*ecdsa.PublicKey)(nil)}},
		"RSA key empty": {xmldsig.RSASHA256, "octets", xmldsig.ReasonAlgorithm, []crypto.PublicKey{(*rsa.PublicKey)(nil)}},
	} {
		_, err := xmldsig.VerifyBytes(c.alg, []byte(c.octets), sig, c.keys, xmldsig.Policy{})
		e, ok := errors.AsType[*xmldsig.Error](err)
		require.True(t, ok, name)
		require.Equal(t, c.reason, e.Reason, name)
	}
}

// another is an engine that answers with what it was given.
type another struct {
	v   *xmldsig.Verified
	err error
}

func (a another) Verify(xmlgate.Elem, []crypto.PublicKey, xmldsig.Policy) (*xmldsig.Verified, error) {
	return a.v, a.err
}

// TestBoth: two engines must agree on the verdict and on what was signed.
func TestBoth(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: key})
	require.NoError(t, err)
	keys, policy := []crypto.PublicKey{key.Public()}, xmldsig.Policy{EdDSA: true}
	element := func(text string) xmlgate.Elem {
		out, err := signer.SignDocument([]byte(text), 0, "")
		require.NoError(t, err)
		doc, err := xmlgate.Parse(out, xmlgate.Limits{})
		require.NoError(t, err)
		return doc.Root()
	}
	el := element(`<a ID="_1">x</a>`)
	same, err := xmldsig.Verify(el, keys, policy)
	require.NoError(t, err)
	other, err := xmldsig.Verify(element(`<a ID="_1">y</a>`), keys, policy)
	require.NoError(t, err)
	v, err := xmldsig.Both{Second: another{v: same}}.Verify(el, keys, policy)
	require.NoError(t, err)
	require.NotNil(t, v)
	for name, second := range map[string]another{"reads something else": {v: other}, "refuses": {err: errors.New("no")}} {
		v, err := xmldsig.Both{Second: second}.Verify(el, keys, policy)
		require.Nil(t, v, name)
		require.ErrorIs(t, err, xmldsig.ErrSecond, name)
	}
	v, err = xmldsig.Both{Second: another{v: same}}.Verify(el, keys, xmldsig.Policy{})
	require.Nil(t, v)
	require.Error(t, err)
	require.NotErrorIs(t, err, xmldsig.ErrSecond, "the first refuses: no disagreement")
}
