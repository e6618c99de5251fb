// Package saml speaks SAML 2.0 for both sides of a browser sign-in: it builds, signs, encrypts, parses and verifies.
//
// A service provider starts with [NewServiceProvider] and calls [ServiceProvider.Validate] with each response that it receives;
// the [Assertion] that comes back is the only thing it needs, and there is no other way to get one. Where the browser's cookie is
// only seen on a later request, [ServiceProvider.Check] verifies without using anything up and [Candidate.Accept] completes it.
// Trust in an identity provider is a [TrustedIdentityProvider], made by hand or by [ParseMetadata] and
// [Metadata.TrustedIdentityProvider]. An identity provider starts with [NewIdentityProvider]. Handlers for net/http are in
// package samlhttp, a pair of servers for tests in package samltest.
//
// Verified means: exactly one signature where the schema puts it, over the very element that is read, by a key that was pinned
// beforehand; and every value comes from an element that was parsed again from the bytes whose digest was signed. What is
// unusual is an option with a name that says what it costs, in [AlgorithmPolicy] and [TrustedIdentityProvider]; every zero value
// is strict. Every refusal is an [*Error] with a stable [Reason]. [ResponseInput].Explain shows each check to an administrator.
//
// It does not do: ECP and PAOS, attribute queries, HTTP-POST-SimpleSign, identity provider discovery, SAML 1.1. It does not trust
// certificates by a chain, does not look into KeyInfo for keys, follows no reference out of a message and opens no connection.
//
// Standards: saml-core-2.0, saml-bindings-2.0, saml-profiles-2.0 (sections 4.1 and 4.4), saml-metadata-2.0, XML Signature 1.1,
// Exclusive XML Canonicalization 1.0, XML Encryption 1.1, RFC 9231.
//
// Limits of a received message, all in [Limits]: 4 MiB of base64, 2 MiB of XML, 64 levels, 50,000 elements, 128 attributes and 64
// namespace declarations an element; 16 pinned keys; 8 private-key operations. Costs grow with the size of the message and with
// nothing else.
//
// What may change: further reasons and warnings may be added, and further fields of the configurations whose zero value is strict.
package saml
