package samltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// NewKeyPair makes an RSA-2048 key and a certificate that names it.
func NewKeyPair(name string) (saml.KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return saml.KeyPair{}, err
	}
	return Certify(key, name)
}

// NewECKeyPair makes an ECDSA P-256 key and a certificate that names it.
func NewECKeyPair(name string) (saml.KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return saml.KeyPair{}, err
	}
	return Certify(key, name)
}

// Certify makes a self-signed certificate for a key, valid from 2000 to 2100 so that tests may choose their clock.
func Certify(key crypto.Signer, name string) (saml.KeyPair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return saml.KeyPair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return saml.KeyPair{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return saml.KeyPair{}, err
	}
	return saml.KeyPair{Signer: key, Certificate: cert}, nil
}
