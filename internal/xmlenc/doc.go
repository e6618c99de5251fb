// Package xmlenc encrypts and decrypts elements the way SAML does.
//
// [Decrypt] opens the EncryptedData of an EncryptedAssertion, EncryptedID or EncryptedAttribute with the caller's private keys,
// which may live in a key store.
//
// It does not fetch cipher text from elsewhere (CipherReference is refused) and does not parse what it decrypted.
//
// Standards: XML Encryption Syntax and Processing 1.1, RFC 8017. Limits: 8 EncryptedKey elements and 8 private-key operations a message.
package xmlenc

import (
	"crypto"
	_ "crypto/sha1" //nolint:gosec // the default digest of RSA-OAEP in XML Encryption
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// Namespaces.
const (
	Space   = "http://www.w3.org/2001/04/xmlenc#"
	Space11 = "http://www.w3.org/2009/xmlenc11#"

	dsigSpace = "http://www.w3.org/2000/09/xmldsig#"
)

// Block and key-transport algorithms.
const (
	AES128CBC    = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
	AES192CBC    = "http://www.w3.org/2001/04/xmlenc#aes192-cbc"
	AES256CBC    = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
	AES128GCM    = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
	AES192GCM    = "http://www.w3.org/2009/xmlenc11#aes192-gcm"
	AES256GCM    = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
	TripleDESCBC = "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"

	RSAOAEPMGF1P = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
	RSAOAEP      = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
	RSA15        = "http://www.w3.org/2001/04/xmlenc#rsa-1_5"
)

// TypeElement says that the plain text is one element.
const TypeElement = "http://www.w3.org/2001/04/xmlenc#Element"

// cipherKind is one way to encrypt content.
type cipherKind struct {
	keySize   int
	gcm, des3 bool
}

var ciphers = map[string]cipherKind{ //nolint:gochecknoglobals // a constant table
	AES128CBC: {keySize: 16}, AES192CBC: {keySize: 24}, AES256CBC: {keySize: 32},
	AES128GCM: {keySize: 16, gcm: true}, AES192GCM: {keySize: 24, gcm: true}, AES256GCM: {keySize: 32, gcm: true},
	TripleDESCBC: {keySize: 24, des3: true},
}

// oaepDigests lists the digests of RSA-OAEP. What the 2001 namespace calls sha256 is the standard's name.
var oaepDigests = map[string]crypto.Hash{ //nolint:gochecknoglobals // a constant table
	"":                                       crypto.SHA1,
	"http://www.w3.org/2000/09/xmldsig#sha1": crypto.SHA1,
	"http://www.w3.org/2001/04/xmlenc#sha256":       crypto.SHA256,
	"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
	"http://www.w3.org/2001/04/xmlenc#sha512":       crypto.SHA512,
}

// wrongSHA256 is written by two Go libraries; no standard defines it.
const wrongSHA256 = "http://www.w3.org/2000/09/xmldsig#sha256"

// mgfDigests lists the mask generation functions of xmlenc11#rsa-oaep.
var mgfDigests = map[string]crypto.Hash{ //nolint:gochecknoglobals // a constant table
	"": crypto.SHA1,
	"http://www.w3.org/2009/xmlenc11#mgf1sha1":   crypto.SHA1,
	"http://www.w3.org/2009/xmlenc11#mgf1sha256": crypto.SHA256,
	"http://www.w3.org/2009/xmlenc11#mgf1sha384": crypto.SHA384,
	"http://www.w3.org/2009/xmlenc11#mgf1sha512": crypto.SHA512,
}
