package xmldsig

import (
	"bufio"
	"bytes"
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
	"io"
	"math/big"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
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
	certs  [][]byte
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
		s.certs = append(s.certs, c.Raw)
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

// keyToCome stands where goxmldsig wants a key while it builds Signature, SignedInfo and the digest. The value is made
// afterwards, because goxmldsig v1.6.1 writes ECDSA values as DER, has no PrefixList in what it builds and knows neither
// RSA-PSS nor Ed25519.
type keyToCome struct{}

func (keyToCome) Public() crypto.PublicKey { return &rsa.PublicKey{} }

func (keyToCome) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil }

// canonicalTree is the canonicaliser for trees that are in exclusive canonical form already: writing them is all that is left.
// goxmldsig's own one copies a map of namespaces for every element.
type canonicalTree struct{}

func (canonicalTree) Canonicalize(el *etree.Element) ([]byte, error) {
	var buf bytes.Buffer
	w := bufio.NewWriterSize(&buf, 4096)
	el.WriteTo(w, &etree.WriteSettings{CanonicalEndTags: true, CanonicalText: true, CanonicalAttrVal: true})
	err := w.Flush()
	return buf.Bytes(), err
}

func (canonicalTree) Algorithm() dsig.AlgorithmID { return dsig.CanonicalXML10ExclusiveAlgorithmId }

// Enveloped returns a ds:Signature element for el, to be put where the schema wants it. el has the attribute ID, carries every
// namespace declaration that it needs and is brought into exclusive canonical form in place. prefixList is the PrefixList of the
// transform, "" for none.
func (s *Signer) Enveloped(el *etree.Element, prefixList string) (*etree.Element, error) {
	return s.enveloped(el, prefixList, dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixList))
}

// EnvelopedCanonical does the same for an element that is in exclusive canonical form already, with respect to prefixList.
func (s *Signer) EnvelopedCanonical(el *etree.Element, prefixList string) (*etree.Element, error) {
	return s.enveloped(el, prefixList, canonicalTree{})
}

func (s *Signer) enveloped(el *etree.Element, prefixList string, canon dsig.Canonicalizer) (*etree.Element, error) {
	ctx, err := dsig.NewSigningContext(keyToCome{}, s.certs)
	if err != nil {
		return nil, err
	}
	ctx.Hash, ctx.Canonicalizer = s.digestHash(), canon
	sig, err := ctx.ConstructSignature(el, true)
	if err != nil {
		return nil, fmt.Errorf("xmldsig: build signature: %w", err)
	}
	parts := sig.ChildElements() // SignedInfo, SignatureValue, KeyInfo
	complete(parts[0], s.cfg.Algorithm, prefixList)
	octets, err := canonicalTree{}.Canonicalize(apex(parts[0]))
	if err != nil {
		return nil, fmt.Errorf("xmldsig: canonicalise SignedInfo: %w", err)
	}
	value, err := s.Detached(octets)
	if err != nil {
		return nil, err
	}
	parts[1].SetText(base64.StdEncoding.EncodeToString(value))
	if len(s.certs) == 0 {
		sig.RemoveChild(parts[2])
	}
	return sig, nil
}

// digestHash is the hash of the signature, so that one policy covers both; Ed25519 brings none of its own.
func (s *Signer) digestHash() crypto.Hash {
	if s.scheme.hash == 0 {
		return crypto.SHA256
	}
	return s.scheme.hash
}

// complete writes the true algorithm and the PrefixList into the SignedInfo that goxmldsig built: CanonicalizationMethod,
// SignatureMethod, Reference.
func complete(info *etree.Element, algorithm, prefixList string) {
	parts := info.ChildElements()
	parts[1].CreateAttr("Algorithm", algorithm)
	if prefixList == "" {
		return
	}
	transforms := parts[2].ChildElements()[0].ChildElements()
	inc := transforms[len(transforms)-1].CreateElement("ec:InclusiveNamespaces")
	inc.CreateAttr("xmlns:ec", string(dsig.CanonicalXML10ExclusiveAlgorithmId))
	inc.CreateAttr("PrefixList", prefixList)
}

// apex returns a copy of SignedInfo that declares its own prefix, as its canonical form does.
func apex(info *etree.Element) *etree.Element {
	c := info.Copy()
	c.CreateAttr("xmlns:ds", dsig.Namespace)
	return c
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
