package xmldsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
)

// Policy says what beyond the strict default may be used. The zero value is strict: SHA-2, RSA PKCS#1 v1.5 from 2048 to 8192 bits,
// ECDSA on P-256, P-384 and P-521, exclusive canonicalisation.
type Policy struct {
	SHA1          bool // in signature and digest
	RSA1024       bool // RSA keys from 1024 bits
	PSS           bool // RSASSA-PSS
	EdDSA         bool // Ed25519
	InclusiveC14N bool // Canonical XML 1.0 and 1.1 besides exclusive canonicalisation
	DERECDSA      bool // ECDSA values as ASN.1, which old Go programs write
	Misplaced     bool // the Signature may be any child, not only where the schemas put it
}

// Reasons of an [Error]. They are the words that package saml gives to its callers.
const (
	ReasonUnsigned  = "unsigned"
	ReasonShape     = "signature_shape"
	ReasonReference = "reference"
	ReasonTransform = "transform"
	ReasonAlgorithm = "algorithm"
	ReasonWeakKey   = "weak_key"
	ReasonNoKeys    = "no_keys"
	ReasonSignature = "signature"
)

// Error says why a signature was not accepted. Detail is fixed text or the name of an algorithm.
type Error struct {
	Reason string
	Detail string
	Err    error
}

// Error returns the reason and the detail.
func (e *Error) Error() string { return "xmldsig: " + e.Reason + ": " + e.Detail }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func refuse(reason, detail string) *Error { return &Error{Reason: reason, Detail: detail} }

const (
	maxKeys      = 16
	minRSA       = 2048
	minRSAOption = 1024
	maxRSA       = 8192
)

// methodFor returns the algorithm if the policy allows it.
func (p Policy) methodFor(uri string) (method, *Error) {
	m, ok := methods[uri]
	switch {
	case !ok:
		return method{}, refuse(ReasonAlgorithm, "unknown signature algorithm")
	case m.hash == crypto.SHA1 && !p.SHA1, m.kind == kindPSS && !p.PSS, m.kind == kindEdDSA && !p.EdDSA:
		return method{}, refuse(ReasonAlgorithm, "signature algorithm "+uri+" is not allowed")
	}
	return m, nil
}

// digestFor returns the digest algorithm if the policy allows it.
func (p Policy) digestFor(uri string) (crypto.Hash, *Error) {
	h, ok := digests[uri]
	switch {
	case !ok:
		return 0, refuse(ReasonAlgorithm, "unknown digest algorithm")
	case h == crypto.SHA1 && !p.SHA1:
		return 0, refuse(ReasonAlgorithm, "digest algorithm "+uri+" is not allowed")
	}
	return h, nil
}

// fits reports whether key can belong to the algorithm, and refuses sizes outside the policy.
func (p Policy) fits(m method, key crypto.PublicKey) (bool, *Error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if m.kind != kindRSA && m.kind != kindPSS || k == nil || k.N == nil {
			return false, nil
		}
		least := minRSA
		if p.RSA1024 {
			least = minRSAOption
		}
		if n := k.N.BitLen(); n < least || n > maxRSA {
			return true, refuse(ReasonWeakKey, "size of the RSA key")
		}
		return true, nil
	case *ecdsa.PublicKey:
		if m.kind != kindECDSA || k == nil {
			return false, nil
		}
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return true, nil
		}
		return true, refuse(ReasonWeakKey, "elliptic curve")
	case ed25519.PublicKey:
		return m.kind == kindEdDSA && len(k) == ed25519.PublicKeySize, nil
	}
	return false, nil
}

// usable picks the keys that fit the algorithm, before any cryptography runs.
func (p Policy) usable(m method, keys []crypto.PublicKey) ([]crypto.PublicKey, *Error) {
	if len(keys) == 0 {
		return nil, refuse(ReasonNoKeys, "no pinned key")
	}
	var fit []crypto.PublicKey
	var weak *Error
	for _, k := range keys[:min(len(keys), maxKeys)] {
		ok, err := p.fits(m, k)
		switch {
		case err != nil:
			weak = err
		case ok:
			fit = append(fit, k)
		}
	}
	switch {
	case len(fit) > 0:
		return fit, nil
	case weak != nil:
		return nil, weak
	}
	return nil, refuse(ReasonAlgorithm, "signature algorithm does not fit the type of the pinned key")
}

// VerifyBytes checks sig over octets under one of the keys, and returns the index of that key: the detached signatures of the
// Redirect binding (SAML bindings 3.4.4.1).
func VerifyBytes(algorithm string, octets, sig []byte, keys []crypto.PublicKey, p Policy) (key crypto.PublicKey, err error) {
	m, e := p.methodFor(algorithm)
	if e != nil {
		return nil, e
	}
	fit, e := p.usable(m, keys)
	if e != nil {
		return nil, e
	}
	if key = p.verifyWith(m, octets, sig, fit); key == nil {
		return nil, refuse(ReasonSignature, "no pinned key verifies the signature")
	}
	return key, nil
}

// verifyWith returns the first key that verifies sig, or nil.
func (p Policy) verifyWith(m method, octets, sig []byte, keys []crypto.PublicKey) crypto.PublicKey {
	sum := octets
	if m.hash != 0 {
		h := m.hash.New()
		h.Write(octets)
		sum = h.Sum(nil)
	}
	for _, k := range keys {
		if p.verifyOne(m, sum, sig, k) {
			return k
		}
	}
	return nil
}

func (p Policy) verifyOne(m method, sum, sig []byte, key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if m.kind == kindPSS { // RFC 9231 section 2.3.9: MGF1 with the same hash, the salt as long as the hash
			return rsa.VerifyPSS(k, m.hash, sum, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.hash}) == nil
		}
		return rsa.VerifyPKCS1v15(k, m.hash, sum, sig) == nil
	case *ecdsa.PublicKey:
		return p.verifyECDSA(k, sum, sig)
	case ed25519.PublicKey:
		return ed25519.Verify(k, sum, sig)
	}
	return false
}

// verifyECDSA takes r and s of fixed width one after the other (XML Signature 1.1, section 6.4.3).
func (p Policy) verifyECDSA(k *ecdsa.PublicKey, sum, sig []byte) bool {
	size := (k.Curve.Params().BitSize + 7) / 8
	if p.DERECDSA && ecdsa.VerifyASN1(k, sum, sig) {
		return true
	}
	if len(sig) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])
	if r.Sign() == 0 || s.Sign() == 0 {
		return false
	}
	return ecdsa.Verify(k, sum, r, s)
}
