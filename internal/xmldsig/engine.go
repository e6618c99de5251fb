package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// Engine verifies the enveloped signature of one element of a document that passed the gate, and returns that element parsed
// again from the bytes that were digested. The error is an *[Error].
type Engine interface {
	Verify(el xmlgate.Elem, keys []crypto.PublicKey, p Policy) (*Verified, error)
}

// OnePass is the [Engine] that is used: it canonicalises the element once and reads nothing else.
type OnePass struct{}

// Verify implements [Engine].
func (OnePass) Verify(el xmlgate.Elem, keys []crypto.PublicKey, p Policy) (*Verified, error) {
	return Verify(el, keys, p)
}

// ErrSecond is the cause of a refusal by [Both] when OnePass accepted and goxmldsig did not, or read something else.
var ErrSecond = errors.New("xmldsig: the second verifier disagrees")

// Both is the [Engine] of who wants two opinions: what OnePass accepts, the second must accept too and read the same from it.
type Both struct {
	Second Engine // nil means Library
}

// Verify implements [Engine].
func (b Both) Verify(el xmlgate.Elem, keys []crypto.PublicKey, p Policy) (*Verified, error) {
	v, err := Verify(el, keys, p)
	if err != nil {
		return nil, err
	}
	if b.Second == nil {
		b.Second = Library{}
	}
	other, err := b.Second.Verify(el, keys, p)
	if err != nil {
		return nil, &Error{ReasonSignature, "the second verifier refuses", errors.Join(ErrSecond, err)}
	}
	same, err := v.same(other)
	if err != nil {
		return nil, err
	}
	if !same {
		return nil, &Error{ReasonSignature, "the second verifier reads something else", ErrSecond}
	}
	return v, nil
}

// same reports whether two results hold the same element, in exclusive canonical form.
func (v *Verified) same(other *Verified) (bool, error) {
	var forms [2][]byte
	for i, r := range []*Verified{v, other} {
		root, err := r.Root()
		if err == nil {
			forms[i], err = root.Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
		}
		if err != nil {
			return false, &Error{ReasonTransform, "canonical form", err}
		}
	}
	return bytes.Equal(forms[0], forms[1]), nil
}

// Library is the [Engine] on goxmldsig. It knows neither RSASSA-PSS nor Ed25519 nor #default in a PrefixList and is several times
// slower; it stands beside OnePass so that each can check the other.
type Library struct{}

// errPanic is what a panic inside goxmldsig becomes; its issues 48 and 32 were such.
var errPanic = errors.New("xmldsig: goxmldsig panicked")

// Verify implements [Engine]. Place, ID, shape and algorithms are checked before goxmldsig sees the element: it has no rules for them.
func (Library) Verify(el xmlgate.Elem, keys []crypto.PublicKey, p Policy) (*Verified, error) {
	sig, err := p.place(el)
	if err != nil {
		return nil, err
	}
	id, err := identifier(el)
	if err != nil {
		return nil, err
	}
	parts, err := shape(sig)
	if err != nil {
		return nil, err
	}
	info, err := p.signedInfo(parts.info, id)
	if err != nil {
		return nil, err
	}
	fit, err := p.usable(info.method, keys)
	if err != nil {
		return nil, err
	}
	value, err := base64Text(parts.value)
	if err != nil {
		return nil, err
	}
	// Canonicalisation drops comments, which goxmldsig handles in quadratic time. The exclusive kind also drops declarations that
	// nothing uses, of which a stranger can put many around a sound element; where a transform could want them the inclusive kind
	// keeps all.
	plain := func(c xmlgate.Canonicalization) bool { return c.Exclusive && len(c.Prefixes) == 0 }
	text, cerr := el.Canonical(nil, xmlgate.Canonicalization{Exclusive: plain(info.transform) && plain(info.c14n)})
	if cerr != nil {
		return nil, &Error{ReasonTransform, "the element cannot be canonicalised", cerr}
	}
	if info.method.kind == kindECDSA {
		value = derOf(value, p)
	}
	for _, key := range fit {
		root, err := validateOne(text, value, key)
		if err != nil {
			continue
		}
		return &Verified{
			Key: key, Algorithm: info.algorithm, SHA1: info.method.hash == crypto.SHA1 || info.digest == crypto.SHA1,
			root: func() (xmlgate.Elem, error) { return root, nil },
		}, nil
	}
	return nil, refuse(ReasonSignature, "goxmldsig does not verify the signature")
}

// derOf turns r and s of fixed width into the ASN.1 that goxmldsig wants.
func derOf(value []byte, p Policy) []byte {
	half := len(value) / 2
	if len(value)%2 != 0 || p.DERECDSA && len(value) > 0 && value[0] == 0x30 {
		return value
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:])})
	if err != nil {
		return value
	}
	return der
}

// validateOne lets goxmldsig verify under one key. KeyInfo is taken out, or it would be held against the pinned certificate;
// base64 is written again without the white space that it does not take.
func validateOne(text, value []byte, key crypto.PublicKey) (root xmlgate.Elem, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	doc := etree.NewDocument()
	doc.ReadSettings.ValidateInput = true
	if err := doc.ReadFromBytes(text); err != nil {
		return root, err
	}
	for _, c := range doc.Root().ChildElements() {
		if c.Tag != "Signature" || c.NamespaceURI() != Space {
			continue
		}
		for _, part := range c.ChildElements() {
			switch part.Tag {
			case "KeyInfo":
				c.RemoveChild(part)
			case "SignatureValue":
				part.SetText(base64.StdEncoding.EncodeToString(value))
			}
		}
	}
	now := time.Unix(0, 0).UTC() // the certificate is made up around the key and valid then: dates are package saml's matter
	ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{standIn(key, now)}})
	ctx.IdAttribute = "ID"
	ctx.Clock = dsig.NewFakeClockAt(now)
	out, err := ctx.Validate(doc.Root())
	if err != nil {
		return root, err
	}
	verified := etree.NewDocumentWithRoot(out)
	verified.WriteSettings = canonicalForm
	octets, err := verified.WriteToBytes()
	if err != nil {
		return root, err
	}
	return parsed(octets)
}

// standIn is a certificate that only carries the key.
func standIn(key crypto.PublicKey, now time.Time) *x509.Certificate {
	c := &x509.Certificate{PublicKey: key, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	switch key.(type) {
	case *rsa.PublicKey:
		c.PublicKeyAlgorithm = x509.RSA
	case *ecdsa.PublicKey:
		c.PublicKeyAlgorithm = x509.ECDSA
	}
	return c
}
