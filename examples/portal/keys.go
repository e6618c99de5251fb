package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// keyring holds the program's own keys. With a data folder they live as long as the folder, else as long as the process.
type keyring struct {
	signing saml.KeyPair // token-signing key of the identity provider
	portal  saml.KeyPair // the portal's key: signs requests, decrypts assertions
	// Keys that are published, so that partners know them before they are used; nil when there is no such file.
	nextSigning, nextPortal []saml.KeyPair

	cookies []byte // seals the portal's cookies
	factors []byte // seals the second factors
}

func loadKeys(dir string) (*keyring, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	k := &keyring{}
	var err error
	if k.factors, err = factorKeyFile(dir); err != nil {
		return nil, err
	}
	if k.signing, err = keyPair(dir, "idp-signing", "Token signing"); err != nil {
		return nil, err
	}
	if k.portal, err = keyPair(dir, "portal", "Portal"); err != nil {
		return nil, err
	}
	if k.nextSigning, err = nextKeyPair(dir, "idp-signing-next"); err != nil {
		return nil, err
	}
	if k.nextPortal, err = nextKeyPair(dir, "portal-next"); err != nil {
		return nil, err
	}
	k.cookies, err = kept(dir, "cookies.key", func() ([]byte, error) {
		b := make([]byte, 32)
		_, err := rand.Read(b)
		return b, err
	})
	if err == nil && len(k.cookies) != 32 {
		err = errors.New("cookies.key: 32 bytes are needed")
	}
	return k, err
}

// decrypters are the portal's keys for encrypted assertions: partners that have not read our newest metadata use the other one.
func (k *keyring) decrypters() []crypto.Decrypter {
	var out []crypto.Decrypter
	for _, p := range append([]saml.KeyPair{k.portal}, k.nextPortal...) {
		if d, ok := p.Signer.(crypto.Decrypter); ok {
			out = append(out, d)
		}
	}
	return out
}

// nextKeyPair reads name.pem if somebody has put it into the folder.
func nextKeyPair(dir, name string) ([]saml.KeyPair, error) {
	if dir == "" {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(dir, name+".pem")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	pair, err := keyPair(dir, name, "")
	return []saml.KeyPair{pair}, err
}

// keyPair reads name.pem (private key and certificate) from the folder, or makes it.
func keyPair(dir, name, subject string) (saml.KeyPair, error) {
	text, err := kept(dir, name+".pem", func() ([]byte, error) { return newKeyPair(subject) })
	if err != nil {
		return saml.KeyPair{}, err
	}
	var pair saml.KeyPair
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return pair, fmt.Errorf("%s.pem: %w", name, err)
			}
			pair.Signer, _ = key.(crypto.Signer)
		case "CERTIFICATE":
			if pair.Certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
				return pair, fmt.Errorf("%s.pem: %w", name, err)
			}
		}
	}
	if pair.Signer == nil || pair.Certificate == nil {
		return pair, fmt.Errorf("%s.pem: a private key and a certificate are needed", name)
	}
	return pair, nil
}

func newKeyPair(subject string) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "adfedkit " + subject},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...), nil
}

// kept returns the content of a file of the data folder, which is made when it is missing; without a folder it is made anew.
func kept(dir, name string, make func() ([]byte, error)) ([]byte, error) {
	if dir == "" {
		return make()
	}
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path) //nolint:gosec // the administrator names the folder
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = make(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the administrator names the folder
	if err != nil {
		return nil, err
	}
	_, err = f.Write(b)
	return b, errors.Join(err, f.Close())
}
