package xmlenc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

func keyPair(t *testing.T) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return key, cert
}

// container wraps an EncryptedData and passes it through the gate.
func container(t *testing.T, data []byte, change func(string) string) xmlgate.Elem {
	t.Helper()
	text := "<c>" + string(data) + "</c>"
	if change != nil {
		text = change(text)
	}
	d, err := xmlgate.Parse([]byte(text), xmlgate.Limits{})
	require.NoError(t, err)
	return d.Root()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	key, cert := keyPair(t)
	other, _ := keyPair(t)
	for _, alg := range []string{xmlenc.AES128GCM, xmlenc.AES256GCM, xmlenc.AES128CBC, xmlenc.AES256CBC} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			for n := range 40 {
				plain := strings.Repeat("x", n)
				data, err := xmlenc.Encrypt([]byte(plain), cert, alg, "urn:recipient")
				require.NoError(t, err)
				d := xmlenc.Decrypter{Keys: []crypto.Decrypter{other, key}}
				got, authenticated, err := d.Decrypt(container(t, data, nil), &xmlenc.Budget{})
				require.NoError(t, err)
				require.Equal(t, plain, string(got))
				require.Equal(t, strings.HasSuffix(alg, "gcm"), authenticated)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	key, cert := keyPair(t)
	other, _ := keyPair(t)
	data, err := xmlenc.Encrypt([]byte("<a/>"), cert, xmlenc.AES256GCM, "")
	require.NoError(t, err)
	swap := func(old, with string) func(string) string {
		return func(s string) string {
			require.Contains(t, s, old)
			return strings.Replace(s, old, with, 1)
		}
	}
	for name, c := range map[string]struct {
		change func(string) string
		d      xmlenc.Decrypter
		want   error
	}{
		"another key":       {nil, xmlenc.Decrypter{Keys: []crypto.Decrypter{other}}, xmlenc.ErrDecrypt},
		"no key":            {nil, xmlenc.Decrypter{}, xmlenc.ErrDecrypt},
		"unknown cipher":    {swap(xmlenc.AES256GCM, "urn:x"), xmlenc.Decrypter{Keys: []crypto.Decrypter{key}}, xmlenc.ErrAlgorithm},
		"another cipher":    {swap(xmlenc.AES256GCM, xmlenc.AES128GCM), xmlenc.Decrypter{Keys: []crypto.Decrypter{key}}, xmlenc.ErrDecrypt},
		"CBC refused":       {swap(xmlenc.AES256GCM, xmlenc.AES256CBC), xmlenc.Decrypter{Keys: []crypto.Decrypter{key}, Policy: xmlenc.Policy{RefuseCBC: true}}, xmlenc.ErrAlgorithm},
		"triple DES":        {swap(xmlenc.AES256GCM, xmlenc.TripleDESCBC), xmlenc.Decrypter{Keys: []crypto.Decrypter{key}}, xmlenc.ErrAlgorithm},
		"unknown transport": {swap(xmlenc.RSAOAEPMGF1P, "urn:x"), xmlenc.Decrypter{Keys: []crypto.Decrypter{key}}, xmlenc.ErrAlgorithm},
		"RSA 1.5":           {swap(xmlenc.RSAOAEPMGF1P, xmlenc.RSA15), xmlenc.Decrypter{Keys: []crypto.Decrypter{key}}, xmlenc.ErrAlgorithm},
		"many retrievals": {
			swap("<xenc:EncryptedKey", strings.Repeat(`<ds:RetrievalMethod URI="#_x"></ds:RetrievalMethod>`, 9)+"<xenc:EncryptedKey"),
			xmlenc.Decrypter{Keys: []crypto.Decrypter{key}},
			xmlenc.ErrDecrypt,
		},
		"two data": {swap("</xenc:EncryptedData>", "</xenc:EncryptedData><xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\"/>"), xmlenc.Decrypter{Keys: []crypto.Decrypter{key}}, xmlenc.ErrDecrypt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, _, err := c.d.Decrypt(container(t, data, c.change), &xmlenc.Budget{})
			require.Nil(t, plain)
			require.ErrorIs(t, err, c.want)
		})
	}
	spent := &xmlenc.Budget{}
	d := xmlenc.Decrypter{Keys: []crypto.Decrypter{key}}
	for range 8 {
		_, _, err := d.Decrypt(container(t, data, nil), spent)
		require.NoError(t, err)
	}
	_, _, err = d.Decrypt(container(t, data, nil), spent)
	require.ErrorIs(t, err, xmlenc.ErrDecrypt, "a message has a budget of private-key operations")
}

// TestSecondKey: content is decrypted in place, and an attempt with a key for something else must not spoil it for the next.
func TestSecondKey(t *testing.T) {
	t.Parallel()
	key, cert := keyPair(t)
	d := xmlenc.Decrypter{Keys: []crypto.Decrypter{key}}
	for _, alg := range []string{xmlenc.AES256GCM, xmlenc.AES256CBC} {
		plain := strings.Repeat("x", 1000)
		data, err := xmlenc.Encrypt([]byte(plain), cert, alg, "")
		require.NoError(t, err)
		right := 0
		for range 10 { // after CBC a wrong key passes for the right one whenever the last byte looks like padding
			other, err := xmlenc.Encrypt([]byte("<b/>"), cert, alg, "")
			require.NoError(t, err)
			_, after, _ := strings.Cut(string(other), "<xenc:EncryptedKey>")
			wrong, _, _ := strings.Cut(after, "</xenc:EncryptedKey>")
			got, _, err := d.Decrypt(container(t, data, func(s string) string {
				return strings.Replace(s, "<xenc:EncryptedKey>", "<xenc:EncryptedKey>"+wrong+"</xenc:EncryptedKey><xenc:EncryptedKey>", 1)
			}), &xmlenc.Budget{})
			require.NoError(t, err)
			if string(got) == plain {
				right++
			}
		}
		require.Greater(t, right, 5, alg)
	}
}
