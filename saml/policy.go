package saml

import "github.com/adfedkit/adfedkit/internal/xmldsig"

// AlgorithmPolicy widens what one partner may use. The zero value is strict: RSA PKCS#1 v1.5 with keys of 2048 to 8192 bits and
// ECDSA on P-256, P-384 and P-521, each with SHA-256, SHA-384 or SHA-512; exclusive canonicalisation; AES in GCM and CBC mode,
// keys transported by RSA-OAEP. HMAC, DSA and MD5 cannot be allowed.
type AlgorithmPolicy struct {
	// InsecureAllowSHA1 accepts SHA-1 in signatures and digests. A result that relied on it carries a warning.
	InsecureAllowSHA1 bool
	// InsecureAllowRSA1024 accepts RSA keys from 1024 bits.
	InsecureAllowRSA1024 bool
	// AllowPSS accepts RSASSA-PSS (RFC 9231 section 2.3.9).
	AllowPSS bool
	// AllowEdDSA accepts Ed25519 (RFC 9231 section 2.3.12).
	AllowEdDSA bool
	// AllowInclusiveC14N accepts Canonical XML 1.0 and 1.1 besides exclusive canonicalisation.
	AllowInclusiveC14N bool
	// AllowDERECDSA accepts ECDSA values as ASN.1, which some Go programs write against XML Signature 1.1.
	AllowDERECDSA bool
	// AllowMisplacedSignature accepts a Signature that is another child of its element than the schema says: Auth0 and Oracle
	// Access Manager put it last. It must still be the only one and refer to its parent.
	AllowMisplacedSignature bool
	// SecondVerifier demands that every signature of a message or of metadata also verifies with goxmldsig, and that goxmldsig reads
	// the same from it: two implementations must then be wrong in the same way. A disagreement is refused with reason signature and
	// matches [ErrSecondVerifier], which nothing in normal operation causes: raise an alarm. It takes several times as long;
	// goxmldsig knows neither RSASSA-PSS nor Ed25519 nor #default in a PrefixList, so these are refused. Signatures of the Redirect
	// binding are no XML signatures and stay with one verifier.
	SecondVerifier bool

	// RefuseCBC refuses AES in CBC mode, which by itself does not protect the integrity of what it hides.
	RefuseCBC bool
	// InsecureAllowTripleDES accepts tripledes-cbc.
	InsecureAllowTripleDES bool
	// InsecureAllowRSA15 accepts key transport by RSA PKCS#1 v1.5. Failures are answered as if a random key had been sent.
	InsecureAllowRSA15 bool
	// AllowWrongOAEPDigestURI accepts xmldsig#sha256 as the OAEP digest, a name that no standard has and two Go libraries write.
	AllowWrongOAEPDigestURI bool
}

// ErrSecondVerifier is the cause of a refusal on which our verifier and goxmldsig disagree, see [AlgorithmPolicy].
var ErrSecondVerifier = xmldsig.ErrSecond

func (p AlgorithmPolicy) engine() xmldsig.Engine {
	if p.SecondVerifier {
		return xmldsig.Both{}
	}
	return xmldsig.OnePass{}
}

func (p AlgorithmPolicy) signature() xmldsig.Policy {
	return xmldsig.Policy{
		SHA1: p.InsecureAllowSHA1, RSA1024: p.InsecureAllowRSA1024, PSS: p.AllowPSS, EdDSA: p.AllowEdDSA,
		InclusiveC14N: p.AllowInclusiveC14N, DERECDSA: p.AllowDERECDSA, Misplaced: p.AllowMisplacedSignature,
	}
}
