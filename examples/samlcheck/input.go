package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// maxFile is far above every limit of the library, which refuses with a reason; this one only protects the memory.
const maxFile = 64 << 20

func readMessage(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(stdin, maxFile))
	}
	return readFile(name)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// identityProvider pins the keys of the metadata or of the certificates.
func identityProvider(o *options, at time.Time) (saml.TrustedIdentityProvider, error) {
	idp, err := pinned(o, at)
	idp.AllowUnsolicited = o.allowUnsolicited
	idp.Algorithms = saml.AlgorithmPolicy{InsecureAllowSHA1: o.allowSHA1, InsecureAllowRSA1024: o.allowRSA1024, SecondVerifier: o.secondOpinion}
	return idp, err
}

func pinned(o *options, at time.Time) (saml.TrustedIdentityProvider, error) {
	if o.idp != "" {
		raw, err := readFile(o.idp)
		if err != nil {
			return saml.TrustedIdentityProvider{}, err
		}
		m, err := saml.ParseMetadata(raw, saml.MetadataOptions{
			EntityID: o.idpEntity, InsecureAllowHTTP: true, Now: func() time.Time { return at },
		})
		if err != nil {
			return saml.TrustedIdentityProvider{}, unusable(err)
		}
		return m.TrustedIdentityProvider()
	}
	idp := saml.TrustedIdentityProvider{EntityID: o.idpEntity}
	for _, name := range o.idpCerts {
		certs, err := readCertificates(name)
		if err != nil {
			return idp, err
		}
		idp.Certificates = append(idp.Certificates, certs...)
	}
	return idp, nil
}

// unusable gives every failure of the metadata one of its two reasons: what is wrong with the XML is a detail of it.
func unusable(err error) error {
	if saml.ReasonOf(err) == saml.ReasonMetadataExpired {
		return err
	}
	return &saml.Error{Reason: saml.ReasonMetadata, Public: "The metadata of the identity provider is not usable.", Wrapped: err}
}

func readCertificates(name string) ([]*x509.Certificate, error) {
	raw, err := readFile(name)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no certificate", name)
	}
	return out, nil
}

func readKey(name string) (crypto.Decrypter, error) {
	raw, err := readFile(name)
	if err != nil {
		return nil, err
	}
	var block *pem.Block
	for { // a file may hold the certificate too
		if block, raw = pem.Decode(raw); block == nil {
			return nil, fmt.Errorf("%s: no private key", name)
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			break
		}
	}
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: neither PKCS#1 nor PKCS#8", name)
	}
	d, ok := k.(crypto.Decrypter)
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, errors.New("this kind of key cannot decrypt"))
	}
	return d, nil
}

// decode tells XML from the form field; on the redirect binding the field is a raw deflate stream.
func decode(in *saml.ResponseInput, binding string, message []byte) {
	if binding == "redirect" {
		in.Message, in.Deflated = message, true
		return
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(message, []byte("\xEF\xBB\xBF")), " \t\r\n")
	if len(text) > 0 && text[0] == '<' || bytes.IndexByte(message, 0) >= 0 || bytes.HasPrefix(message, []byte("\xFE\xFF")) || bytes.HasPrefix(message, []byte("\xFF\xFE")) {
		in.XML = message
		return
	}
	in.Message = message
}
