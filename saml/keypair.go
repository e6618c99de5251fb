package saml

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
)

// KeyPair is a private key, wherever it lives, with the certificate that partners know it by. Signer may be a key of a key
// management service or a hardware module: only its Public and Sign are called.
type KeyPair struct {
	Signer      crypto.Signer     // required
	Certificate *x509.Certificate // required; must hold the public key of Signer

	Algorithm string // signature algorithm URI; "" = rsa-sha256, ecdsa-sha256/384/512 or Ed25519, by the key
}

// signer checks the pair and prepares it.
func (k KeyPair) signer() (*xmldsig.Signer, error) {
	if k.Signer == nil || k.Certificate == nil {
		return nil, errors.New("saml: KeyPair needs Signer and Certificate")
	}
	pub, ok := k.Certificate.PublicKey.(interface{ Equal(x crypto.PublicKey) bool })
	if !ok || !pub.Equal(k.Signer.Public()) {
		return nil, errors.New("saml: the certificate of a KeyPair is of another key")
	}
	return xmldsig.NewSigner(xmldsig.SignerConfig{
		Key: k.Signer, Algorithm: k.Algorithm, Certificates: []*x509.Certificate{k.Certificate},
	})
}

// newID returns an NCName with 130 random bits (core 1.3.4 wants at least 128).
func newID() string { return "_" + rand.Text() }
