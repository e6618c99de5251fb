// Package xmldsig signs and verifies the enveloped XML signatures that SAML uses.
//
// [Verify] checks the signature of one element under pinned keys and returns the element parsed again from the very bytes that
// were digested: nothing else of the document is covered, and nothing else should be read. [Signer] makes such signatures.
//
// It does not look into KeyInfo for keys, follow references to anything but the parent element, or run any transform other than
// enveloped-signature and canonicalisation.
//
// Standards: XML Signature Syntax and Processing 1.1, Exclusive XML Canonicalization 1.0, RFC 9231 (algorithm names), SAML 2.0 core section 5.4.
package xmldsig

import (
	"crypto"
	_ "crypto/sha1" //nolint:gosec // verified by option only
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// Namespaces.
const (
	Space    = "http://www.w3.org/2000/09/xmldsig#"
	excSpace = "http://www.w3.org/2001/10/xml-exc-c14n#"

	samlSpace     = "urn:oasis:names:tc:SAML:2.0:assertion"
	metadataSpace = "urn:oasis:names:tc:SAML:2.0:metadata"
)

// Signature algorithms.
const (
	RSASHA1     = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	RSASHA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	RSASHA384   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	RSASHA512   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	PSSSHA256   = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
	PSSSHA384   = "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"
	PSSSHA512   = "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"
	ECDSASHA1   = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"
	ECDSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	ECDSASHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
	ECDSASHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
	EdDSA25519  = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"
)

// Digest algorithms.
const (
	SHA1   = "http://www.w3.org/2000/09/xmldsig#sha1"
	SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"
)

// Transforms and canonicalisations.
const (
	Enveloped           = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	ExclusiveC14N       = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ExclusiveC14NWith   = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
	InclusiveC14N       = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	InclusiveC14NWith   = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
	InclusiveC14N11     = "http://www.w3.org/2006/12/xml-c14n11"
	InclusiveC14N11With = "http://www.w3.org/2006/12/xml-c14n11#WithComments"
)

// kind is the family of a signature algorithm; the key must belong to it.
type kind int

const (
	kindRSA kind = iota + 1
	kindPSS
	kindECDSA
	kindEdDSA
)

// method is one signature algorithm.
type method struct {
	kind kind
	hash crypto.Hash
}

// methods lists what can be verified; the policy decides what may be.
var methods = map[string]method{ //nolint:gochecknoglobals // a constant table
	RSASHA1:     {kindRSA, crypto.SHA1},
	RSASHA256:   {kindRSA, crypto.SHA256},
	RSASHA384:   {kindRSA, crypto.SHA384},
	RSASHA512:   {kindRSA, crypto.SHA512},
	PSSSHA256:   {kindPSS, crypto.SHA256},
	PSSSHA384:   {kindPSS, crypto.SHA384},
	PSSSHA512:   {kindPSS, crypto.SHA512},
	ECDSASHA1:   {kindECDSA, crypto.SHA1},
	ECDSASHA256: {kindECDSA, crypto.SHA256},
	ECDSASHA384: {kindECDSA, crypto.SHA384},
	ECDSASHA512: {kindECDSA, crypto.SHA512},
	EdDSA25519:  {kindEdDSA, 0},
}

// digests lists the digest algorithms.
var digests = map[string]crypto.Hash{ //nolint:gochecknoglobals // a constant table
	SHA1: crypto.SHA1, SHA256: crypto.SHA256, SHA384: crypto.SHA384, SHA512: crypto.SHA512,
}
