package xmlenc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlenc"
)

func TestChooseContent(t *testing.T) {
	t.Parallel()
	const cbc, gcm = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"
	for name, c := range map[string]struct {
		announced []string
		want      string
	}{
		"nothing":           {nil, cbc + "aes256-cbc"},
		"key transport":     {[]string{cbc + "rsa-oaep-mgf1p"}, cbc + "aes256-cbc"},
		"best first":        {[]string{cbc + "aes128-cbc", gcm + "aes128-gcm", gcm + "aes256-gcm"}, gcm + "aes256-gcm"},
		"gcm before cbc":    {[]string{cbc + "aes256-cbc", gcm + "aes128-gcm"}, gcm + "aes128-gcm"},
		"128 bits":          {[]string{cbc + "aes128-cbc", cbc + "tripledes-cbc"}, cbc + "aes128-cbc"},
		"only what is weak": {[]string{cbc + "tripledes-cbc"}, ""},
		"only 192 bits":     {[]string{gcm + "aes192-gcm"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := xmlenc.ChooseContent(c.announced)
			require.Equal(t, c.want, got)
			require.Equal(t, c.want == "", err != nil)
		})
	}
}

func TestEncryptRefuses(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	const alg = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
	for name, c := range map[string]struct {
		cert *x509.Certificate
		alg  string
		ok   bool
	}{
		"good":           {&x509.Certificate{PublicKey: good.Public()}, alg, true},
		"1024 bits":      {&x509.Certificate{PublicKey: weak.Public()}, alg, false},
		"no RSA key":     {&x509.Certificate{PublicKey: ec.Public()}, alg, false},
		"weak algorithm": {&x509.Certificate{PublicKey: good.Public()}, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc", false},
		"no algorithm":   {&x509.Certificate{PublicKey: good.Public()}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			el, err := xmlenc.Encrypt([]byte("<a/>"), c.cert, c.alg, "")
			require.Equal(t, c.ok, err == nil, "%v", err)
			require.Equal(t, c.ok, el != nil)
		})
	}
}
