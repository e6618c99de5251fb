package saml_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

const fixtures = "testdata/fixtures/"

// vector is one line of vectors.jsonl; INDEX.md beside it explains the fields.
type vector struct {
	File, Index, Want, Why     string
	Certs, Xmlsec1, Signatures []string
	Key, Clock                 string
	Issuer, SP, ACS, Request   string
	Deflated                   bool
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	raw, err := os.ReadFile(fixtures + "vectors.jsonl")
	require.NoError(tb, err)
	var out []vector
	for line := range bytes.Lines(raw) {
		var v vector
		require.NoError(tb, json.Unmarshal(line, &v))
		out = append(out, v)
	}
	require.Greater(tb, len(out), 300)
	return out
}

// message returns the XML of the fixture, and whether the file holds the form field.
func (v vector) message(tb testing.TB) (xml []byte, field bool) {
	tb.Helper()
	raw, err := os.ReadFile(fixtures + v.File)
	require.NoError(tb, err)
	if text := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))); len(text) == 0 || text[0] == '<' {
		return raw, false
	}
	plain := strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(string(raw))
	decoded, err := base64.StdEncoding.DecodeString(plain)
	if err != nil {
		return raw, true // a field that is no base64: the message as a whole is refused
	}
	if v.Deflated {
		decoded, err = io.ReadAll(flate.NewReader(bytes.NewReader(decoded)))
		require.NoError(tb, err)
	}
	return decoded, true
}

func (v vector) certificates(tb testing.TB) (out []*x509.Certificate) {
	tb.Helper()
	for _, name := range v.Certs {
		raw, err := os.ReadFile(fixtures + "certs/" + name + ".pem")
		if os.IsNotExist(err) {
			continue // not published: no key
		}
		require.NoError(tb, err)
		block, _ := pem.Decode(raw)
		c, err := x509.ParseCertificate(block.Bytes)
		require.NoError(tb, err)
		out = append(out, c)
	}
	return out
}

func (v vector) keys(tb testing.TB) []crypto.Decrypter {
	tb.Helper()
	if v.Key == "" {
		return nil
	}
	raw, err := os.ReadFile(fixtures + v.Key)
	require.NoError(tb, err)
	block, _ := pem.Decode(raw)
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return []crypto.Decrypter{k}
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(tb, err)
	return []crypto.Decrypter{k.(crypto.Decrypter)}
}

// wide is a policy that fits every document of the collection: most of them are old.
func wide() saml.AlgorithmPolicy {
	return saml.AlgorithmPolicy{
		InsecureAllowSHA1: true, InsecureAllowRSA1024: true, AllowPSS: true, AllowInclusiveC14N: true,
		AllowMisplacedSignature: true, InsecureAllowRSA15: true, InsecureAllowTripleDES: true,
	}
}

func (v vector) validate(tb testing.TB, policy saml.AlgorithmPolicy) (*saml.Assertion, error) {
	tb.Helper()
	at, err := time.Parse(time.RFC3339, v.Clock)
	if err != nil {
		at = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	now := func() time.Time { return at }
	sp, err := saml.NewServiceProvider(saml.ServiceProviderConfig{
		EntityID: v.SP, ACS: v.ACS, NoClockSkew: true, Now: now,
		IdentityProviders: saml.StaticIdentityProviders(saml.TrustedIdentityProvider{
			EntityID: v.Issuer, Certificates: v.certificates(tb), Algorithms: policy, AllowUnsolicited: true,
		}),
		Replay: saml.NewMemoryReplayStore(0, now), DecryptionKeys: v.keys(tb),
	})
	require.NoError(tb, err)
	in := saml.ResponseInput{Issuer: v.Issuer}
	raw, field := v.message(tb)
	in.XML = raw
	if field && !v.Deflated {
		in.XML = nil
		in.Message, err = os.ReadFile(fixtures + v.File)
		require.NoError(tb, err)
	}
	if v.Request != "" {
		in.Request = &saml.Request{ID: v.Request}
	}
	return sp.Validate(tb.Context(), in)
}

// TestFixtures holds every document to its reviewed verdict.
func TestFixtures(t *testing.T) {
	t.Parallel()
	accepted := 0
	for _, v := range vectors(t) {
		if strings.HasPrefix(v.Want, "accept") {
			accepted++
		}
		t.Run(v.File, func(t *testing.T) {
			t.Parallel()
			a, err := v.validate(t, wide())
			if want, ok := strings.CutPrefix(v.Want, "accept "); ok {
				require.NoError(t, err)
				require.Equal(t, want, strings.Join(a.Signed, "+"))
				require.Equal(t, v.Issuer, a.Issuer)
			} else {
				require.Nil(t, a)
				require.Equal(t, saml.Reason(v.Want), saml.ReasonOf(err), "%v", err)
			}
			if strings.HasPrefix(v.Index, "ACCEPT") != strings.HasPrefix(v.Want, "accept") {
				require.NotEmpty(t, v.Why, "a verdict that differs from the collection's has a reason")
			}
		})
	}
	require.Greater(t, accepted, 55)
}

// TestFixtureSignatures compares single signatures with xmlsec1's verdict: whatever verifies here verifies there.
func TestFixtureSignatures(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, v := range vectors(t) {
		raw, _ := v.message(t)
		var keys []crypto.PublicKey
		for _, c := range v.certificates(t) {
			keys = append(keys, c.PublicKey)
		}
		got, err := saml.SignaturesOf(raw, keys, wide())
		if err != nil {
			require.Empty(t, v.Signatures, v.File)
			continue
		}
		require.Equal(t, v.Signatures, got, v.File)
		theirs := map[string]int{}
		for _, s := range v.Xmlsec1 {
			theirs[s]++
		}
		for _, s := range got {
			if strings.HasSuffix(s, " V") {
				theirs[s]--
				compared++
				require.GreaterOrEqual(t, theirs[s], 0, "%s: %s verifies here only", v.File, s)
			}
		}
	}
	require.Greater(t, compared, 150)
}

// TestFixturesStrict: nothing that needs SHA-1 or a small key passes without the option.
func TestFixturesStrict(t *testing.T) {
	t.Parallel()
	n := 0
	for _, v := range vectors(t) {
		if !strings.HasPrefix(v.Want, "accept") {
			continue
		}
		a, err := v.validate(t, saml.AlgorithmPolicy{})
		if err != nil {
			require.Contains(t, []saml.Reason{saml.ReasonAlgorithm, saml.ReasonWeakKey, saml.ReasonTransform, saml.ReasonEncryptionAlgorithm, saml.ReasonSignatureShape, saml.ReasonDecrypt}, saml.ReasonOf(err), v.File)
			continue
		}
		require.Empty(t, a.Warnings, v.File)
		n++
	}
	require.Greater(t, n, 10, "modern documents need no option")
}

// TestADFS is the two documents of a real farm, at their own clock and under the strict policy.
func TestADFS(t *testing.T) {
	t.Parallel()
	for name, encrypted := range map[string]bool{"adfs_response.b64": false, "adfs_response_enc.b64": true} {
		for _, v := range vectors(t) {
			if filepath.Base(v.File) != name {
				continue
			}
			a, err := v.validate(t, saml.AlgorithmPolicy{})
			require.NoError(t, err)
			require.Equal(t, encrypted, a.Encrypted)
			require.Equal(t, []string{"assertion"}, a.Signed)
			require.Equal(t, a.ID, a.SessionIndex())
			require.Equal(t, saml.NameIDFormatEmailAddress, a.Subject.Format)
		}
	}
}
