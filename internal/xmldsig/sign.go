package xmldsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // crypto.SHA256.New
	_ "crypto/sha512" // crypto.SHA384.New and crypto.SHA512.New
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// maxSignerDER bounds what a signer (perhaps a remote one) may answer for an ECDSA signature: P-521 needs 139 bytes.
const maxSignerDER = 256

// signScheme is one way to sign: the key type it needs, its hash and padding.
type signScheme struct {
	kind string // rsa, pss, ecdsa or ed25519
	hash crypto.Hash
}

// schemeOf names what is emitted; SHA-1 is verified by option only and never emitted (RFC 9231, xmldsig-core 1.1 section 6).
func schemeOf(uri string) (signScheme, bool) {
	switch uri {
	case "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256":
		return signScheme{"rsa", crypto.SHA256}, true
	case "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":
		return signScheme{"rsa", crypto.SHA384}, true
	case "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":
		return signScheme{"rsa", crypto.SHA512}, true
	case "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1":
		return signScheme{"pss", crypto.SHA256}, true
	case "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1":
		return signScheme{"pss", crypto.SHA384}, true
	case "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1":
		return signScheme{"pss", crypto.SHA512}, true
	case "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256":
		return signScheme{"ecdsa", crypto.SHA256}, true
	case "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384":
		return signScheme{"ecdsa", crypto.SHA384}, true
	case "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512":
		return signScheme{"ecdsa", crypto.SHA512}, true
	case "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519":
		return signScheme{"ed25519", crypto.Hash(0)}, true
	}
	return signScheme{}, false
}

// SignerConfig configures a [Signer]. Key is required.
type SignerConfig struct {
	Key crypto.Signer

	Algorithm    string              // signature algorithm URI; "" means the default for the type of key
	Certificates []*x509.Certificate // put into KeyInfo; none means no KeyInfo
}

// Signer makes enveloped and detached signatures.
type Signer struct {
	cfg    SignerConfig
	scheme signScheme
	raw    [][]byte // certificates
	certs  []byte   // the same as X509Certificate elements
}

// NewSigner checks that key and algorithm fit each other.
func NewSigner(cfg SignerConfig) (*Signer, error) {
	if cfg.Key == nil {
		return nil, errors.New("xmldsig: signing key is nil")
	}
	kind, def, err := keyKind(cfg.Key.Public())
	if err != nil {
		return nil, err
	}
	if cfg.Algorithm == "" {
		cfg.Algorithm = def
	}
	scheme, ok := schemeOf(cfg.Algorithm)
	if !ok {
		return nil, fmt.Errorf("xmldsig: signature algorithm %q is not emitted", cfg.Algorithm)
	}
	if scheme.kind != kind && (scheme.kind != "pss" || kind != "rsa") {
		return nil, fmt.Errorf("xmldsig: signature algorithm %q does not fit a key of type %s", cfg.Algorithm, kind)
	}
	s := &Signer{cfg: cfg, scheme: scheme}
	for _, c := range cfg.Certificates {
		s.raw = append(s.raw, c.Raw)
		s.certs = append(s.certs, `<ds:X509Certificate>`...)
		s.certs = append(base64.StdEncoding.AppendEncode(s.certs, c.Raw), `</ds:X509Certificate>`...)
	}
	return s, nil
}

func keyKind(pub crypto.PublicKey) (kind, algorithm string, err error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return "", "", fmt.Errorf("xmldsig: RSA key of %d bits is too short to sign with", k.N.BitLen())
		}
		return "rsa", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", nil
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return "ecdsa", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", nil
		case 384:
			return "ecdsa", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", nil
		case 521:
			return "ecdsa", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", nil
		}
		return "", "", fmt.Errorf("xmldsig: curve %s is not supported", k.Curve.Params().Name)
	case ed25519.PublicKey:
		return "ed25519", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519", nil
	}
	return "", "", fmt.Errorf("xmldsig: key type %T is not supported", pub)
}

// Algorithm returns the URI of the signature algorithm.
func (s *Signer) Algorithm() string { return s.cfg.Algorithm }

// Enveloped returns the Signature, as text, for an element whose attribute ID is id and whose exclusive canonical form with respect
// to prefixList ("" for none) is canonical. It declares its prefix and is to be put where the schema wants it.
func (s *Signer) Enveloped(canonical []byte, id, prefixList string) ([]byte, error) {
	h := s.digestHash().New()
	h.Write(canonical)
	info := s.signedInfo(id, prefixList, h.Sum(nil))
	const declared = `<ds:SignedInfo xmlns:ds="` + Space + `">` // as canonicalisation writes it, apart from Signature
	value, err := s.Detached(append([]byte(declared), info...))
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 3*len(info)+len(value)+2*len(s.certs))
	out = append(out, `<ds:Signature xmlns:ds="`+Space+`"><ds:SignedInfo>`...)
	out = append(append(out, info...), `<ds:SignatureValue>`...)
	out = append(base64.StdEncoding.AppendEncode(out, value), `</ds:SignatureValue>`...)
	if len(s.certs) > 0 {
		out = append(append(append(out, `<ds:KeyInfo><ds:X509Data>`...), s.certs...), `</ds:X509Data></ds:KeyInfo>`...)
	}
	return append(out, `</ds:Signature>`...), nil
}

// signedInfo returns SignedInfo in canonical form without its start tag (xmldsig-core 1.1, section 4.4).
func (s *Signer) signedInfo(id, prefixList string, digest []byte) []byte {
	b := make([]byte, 0, 1024)
	method := func(name, uri, inside string) {
		b = append(append(append(b, "<ds:"...), name...), ` Algorithm="`...)
		b = append(append(append(b, uri...), `">`...), inside...)
		b = append(append(append(b, "</ds:"...), name...), '>')
	}
	method("CanonicalizationMethod", ExclusiveC14N, "")
	method("SignatureMethod", s.cfg.Algorithm, "")
	b = append(b, `<ds:Reference URI="#`...)
	b = append(xmlgate.AppendEscapedValue(b, id), `"><ds:Transforms>`...)
	method("Transform", Enveloped, "")
	list := ""
	if prefixList != "" {
		list = `<ec:InclusiveNamespaces xmlns:ec="` + excSpace + `" PrefixList="` + prefixList + `"></ec:InclusiveNamespaces>`
	}
	method("Transform", ExclusiveC14N, list)
	b = append(b, `</ds:Transforms>`...)
	method("DigestMethod", digestURI(s.digestHash()), "")
	b = append(b, `<ds:DigestValue>`...)
	return append(base64.StdEncoding.AppendEncode(b, digest), `</ds:DigestValue></ds:Reference></ds:SignedInfo>`...)
}

func digestURI(h crypto.Hash) string {
	switch h {
	case crypto.SHA384:
		return SHA384
	case crypto.SHA512:
		return SHA512
	}
	return SHA256
}

// digestHash is the hash of the signature, so that one policy covers both; Ed25519 brings none of its own.
func (s *Signer) digestHash() crypto.Hash {
	if s.scheme.hash == 0 {
		return crypto.SHA256
	}
	return s.scheme.hash
}

// Detached signs data itself, as the HTTP-Redirect binding needs it. ECDSA values come out as r || s.
func (s *Signer) Detached(data []byte) ([]byte, error) {
	if s.scheme.kind == "ed25519" {
		v, err := s.cfg.Key.Sign(rand.Reader, data, crypto.Hash(0))
		if err != nil {
			return nil, fmt.Errorf("xmldsig: sign: %w", err)
		}
		return v, nil
	}
	h := s.scheme.hash.New()
	h.Write(data)
	var opts crypto.SignerOpts = s.scheme.hash
	if s.scheme.kind == "pss" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.scheme.hash}
	}
	v, err := s.cfg.Key.Sign(rand.Reader, h.Sum(nil), opts)
	if err != nil {
		return nil, fmt.Errorf("xmldsig: sign: %w", err)
	}
	if s.scheme.kind != "ecdsa" {
		return v, nil
	}
	pub, ok := s.cfg.Key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("xmldsig: the signer changed its key")
	}
	return rawECDSA(v, (pub.Curve.Params().BitSize+7)/8)
}

// rawECDSA turns the ASN.1 form that every crypto.Signer returns into r || s (xmldsig-core 1.1 section 6.4.3).
func rawECDSA(der []byte, size int) ([]byte, error) {
	if len(der) > maxSignerDER {
		return nil, errors.New("xmldsig: the signer's ECDSA value is too long")
	}
	var v struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &v)
	if err != nil || len(rest) > 0 || v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > size*8 || v.S.BitLen() > size*8 {
		return nil, errors.New("xmldsig: the signer's ECDSA value is malformed")
	}
	out := make([]byte, 2*size)
	v.R.FillBytes(out[:size])
	v.S.FillBytes(out[size:])
	return out, nil
}
