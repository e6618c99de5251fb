package xmlenc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the label hash and MGF1 of rsa-oaep-mgf1p are SHA-1 by definition; nothing is signed with it
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// Content encryption that is emitted (xmlenc-core1 sections 5.2.2 and 5.2.4).
const (
	emitAES256GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
	emitAES128GCM = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
	emitAES256CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
	emitAES128CBC = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
	emitOAEP      = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
)

// ChooseContent returns the content algorithm for a recipient that announces these EncryptionMethod URIs: the best one in
// the list that is emitted here, aes256-cbc when the list names no content algorithm at all. It is an error when the list
// names only content algorithms that are never emitted.
func ChooseContent(announced []string) (string, error) {
	for _, a := range []string{emitAES256GCM, emitAES128GCM, emitAES256CBC, emitAES128CBC} {
		if slices.Contains(announced, a) {
			return a, nil
		}
	}
	if slices.ContainsFunc(announced, isContent) {
		return "", errors.New("xmlenc: the recipient announces no content algorithm that is emitted")
	}
	return emitAES256CBC, nil
}

func isContent(uri string) bool {
	switch uri {
	case "http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
		"http://www.w3.org/2009/xmlenc11#aes192-gcm":
		return true
	}
	return false
}

// Encrypt returns, as text, an xenc:EncryptedData element of Type Element around plain, encrypted with algorithm (one that
// [ChooseContent] returns) under a fresh key that is wrapped for cert with rsa-oaep-mgf1p. EncryptedKey stands inside
// KeyInfo. recipient, if not empty, is written into EncryptedKey/@Recipient.
func Encrypt(plain []byte, cert *x509.Certificate, algorithm, recipient string) ([]byte, error) {
	pub, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("xmlenc: the recipient's key is not RSA")
	}
	if pub.N.BitLen() < 2048 {
		return nil, fmt.Errorf("xmlenc: the recipient's RSA key has %d bits only", pub.N.BitLen())
	}
	key, err := contentKey(algorithm)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	data, err := seal(key, algorithm, plain)
	if err != nil {
		return nil, err
	}
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, pub, key, nil) //nolint:gosec // see the import
	if err != nil {
		return nil, fmt.Errorf("xmlenc: wrap key: %w", err)
	}
	return encryptedData(algorithm, recipient, cert.Raw, wrapped, data), nil
}

func encryptedData(algorithm, recipient string, cert, wrapped, data []byte) []byte {
	b := make([]byte, 0, base64.StdEncoding.EncodedLen(len(cert)+len(wrapped)+len(data))+1024)
	value := func(before string, bin []byte, after string) {
		b = append(base64.StdEncoding.AppendEncode(append(b, before...), bin), after...)
	}
	const cipherValue, cipherEnd = `<xenc:CipherData><xenc:CipherValue>`, `</xenc:CipherValue></xenc:CipherData>`
	b = append(b, `<xenc:EncryptedData xmlns:xenc="`+Space+`" Type="`+TypeElement+`"><xenc:EncryptionMethod Algorithm="`...)
	b = append(append(b, algorithm...), `"></xenc:EncryptionMethod><ds:KeyInfo xmlns:ds="`+dsigSpace+`"><xenc:EncryptedKey`...)
	if recipient != "" {
		b = append(xmlgate.AppendEscapedValue(append(b, ` Recipient="`...), recipient), '"')
	}
	b = append(b, `><xenc:EncryptionMethod Algorithm="`+emitOAEP+`"><ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></ds:DigestMethod></xenc:EncryptionMethod>`...)
	value(`<ds:KeyInfo><ds:X509Data><ds:X509Certificate>`, cert, `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`)
	value(cipherValue, wrapped, cipherEnd+`</xenc:EncryptedKey></ds:KeyInfo>`)
	value(cipherValue, data, cipherEnd+`</xenc:EncryptedData>`)
	return b
}

func contentKey(algorithm string) ([]byte, error) {
	n := 0
	switch algorithm {
	case emitAES256GCM, emitAES256CBC:
		n = 32
	case emitAES128GCM, emitAES128CBC:
		n = 16
	default:
		return nil, fmt.Errorf("xmlenc: content algorithm %q is not emitted", algorithm)
	}
	key := make([]byte, n)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("xmlenc: random: %w", err)
	}
	return key, nil
}

// seal returns IV and cipher text (and tag) in the order of xmlenc-core1 sections 5.2.2 and 5.2.4.
func seal(key []byte, algorithm string, plain []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("xmlenc: cipher: %w", err)
	}
	if algorithm == emitAES256GCM || algorithm == emitAES128GCM {
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("xmlenc: gcm: %w", err)
		}
		nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
		if _, err := rand.Read(nonce); err != nil {
			return nil, fmt.Errorf("xmlenc: random: %w", err)
		}
		return aead.Seal(nonce, nonce, plain, nil), nil
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	out := make([]byte, aes.BlockSize+len(plain)+pad)
	if _, err := rand.Read(out[:aes.BlockSize]); err != nil {
		return nil, fmt.Errorf("xmlenc: random: %w", err)
	}
	copy(out[aes.BlockSize:], plain)
	// #nosec G115 -- pad is 1..16
	out[len(out)-1] = byte(pad) // the other pad bytes are arbitrary (xmlenc-core1 section 5.2.1); zero here
	cipher.NewCBCEncrypter(block, out[:aes.BlockSize]).CryptBlocks(out[aes.BlockSize:], out[aes.BlockSize:])
	return out, nil
}
