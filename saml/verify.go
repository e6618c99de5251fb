package saml

import (
	"crypto"
	"strconv"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// signable lists the elements that may carry a signature (SAML core 5.4.1, metadata 3).
func signable(el xmlgate.Elem) bool {
	switch el.Space() {
	case nsProtocol:
		switch el.Local() {
		case "Response", "LogoutRequest", "LogoutResponse", "AuthnRequest", "ArtifactResolve", "ArtifactResponse":
			return true
		}
	case nsAssertion:
		return el.Local() == "Assertion"
	case nsMetadata:
		return el.Local() == "EntityDescriptor" || el.Local() == "EntitiesDescriptor"
	}
	return false
}

// verifiedElem is an element whose signature verified: the only thing that verified values are read from.
type verifiedElem struct {
	root     xmlgate.Elem // parsed again from the digested bytes
	key      crypto.PublicKey
	plain    bool // see xmldsig.Verified
	warnings []string
}

// WarningSHA1 is the warning of a result that relies on SHA-1.
const WarningSHA1 = "sha1"

// parseXML passes raw through the gate, and wants IDs to be unique.
func parseXML(raw []byte, lim xmlgate.Limits) (*xmlgate.Doc, error) {
	return uniqueIDs(xmlgate.Parse(raw, lim))
}

func uniqueIDs(doc *xmlgate.Doc, err error) (*xmlgate.Doc, error) {
	if err != nil {
		return nil, fromGate(err)
	}
	if doc.DuplicateID() {
		return nil, reject(ReasonMalformedXML, "the same ID on two elements", nil)
	}
	return doc, nil
}

// hasSignature reports whether el has a Signature child.
func hasSignature(el xmlgate.Elem) bool {
	_, n := xmldsig.Signature(el)
	return n > 0
}

// verifySigned checks the signature of el, which may stand anywhere in its document, under the pinned keys.
func verifySigned(el xmlgate.Elem, keys []crypto.PublicKey, p AlgorithmPolicy) (*verifiedElem, error) {
	return verifyInside(el, xmlgate.Elem{}, false, keys, p)
}

// verifyInside is verifySigned for an element that a verified signature already covers: covered is what was read from the bytes which
// that one digested. When neither signature brings declarations of its own (plain), these bytes hold the element exactly as the
// inner signature digests it, and no third copy is made.
func verifyInside(el, covered xmlgate.Elem, plain bool, keys []crypto.PublicKey, p AlgorithmPolicy) (*verifiedElem, error) {
	if !signable(el) {
		return nil, reject(ReasonSignatureShape, "an element of this kind is not signed in SAML", nil)
	}
	v, err := p.engine().Verify(el, keys, p.signature())
	if err != nil {
		return nil, fromSignature(err)
	}
	out := &verifiedElem{root: covered, key: v.Key, plain: v.Plain}
	if !plain || !v.Plain || covered.IsZero() {
		if out.root, err = v.Root(); err != nil {
			return nil, fromSignature(err)
		}
	}
	if v.SHA1 {
		out.warnings = []string{WarningSHA1}
	}
	return out, nil
}

// verifyDetached checks the signature of the Redirect binding over the octets as received (SAML bindings 3.4.4.1).
func verifyDetached(algorithm string, octets, sig []byte, keys []crypto.PublicKey, p AlgorithmPolicy) error {
	if _, err := xmldsig.VerifyBytes(algorithm, octets, sig, keys, p.signature()); err != nil {
		return fromSignature(err)
	}
	return nil
}

// decodeBase64 decodes the value of a form field: strict alphabet, padding required, white space allowed; longest bounds the text.
func decodeBase64[T string | []byte](text T, longest int) ([]byte, error) {
	if len(text) > longest {
		return nil, reject(ReasonTooLarge, "base64 text of more than "+strconv.Itoa(longest)+" bytes", nil)
	}
	b, err := xmldsig.DecodeBase64(text)
	if err != nil {
		return nil, reject(ReasonMalformedBase64, "", err)
	}
	return b, nil
}

// textOf returns the text of an element that must not hold elements. Comments and CDATA sections are joined, never a place to cut.
func textOf(el xmlgate.Elem) (string, error) {
	s, ok := el.Text()
	if !ok {
		return "", reject(ReasonMalformedXML, "an element inside "+el.Local(), nil)
	}
	return s, nil
}

// parseTime reads an xs:dateTime as SAML core 1.3.3 wants it: in UTC with a Z, fractions of any length, years 1 to 9999.
func parseTime(s string) (time.Time, error) {
	const whole, nanoseconds = len("2006-01-02T15:04:05"), len(".123456789")
	if len(s) <= whole || s[len(s)-1] != 'Z' {
		return time.Time{}, malformedTime()
	}
	if frac := s[whole : len(s)-1]; frac != "" {
		if frac[0] != '.' || len(frac) == 1 {
			return time.Time{}, malformedTime()
		}
		for _, c := range []byte(frac[1:]) {
			if c < '0' || c > '9' {
				return time.Time{}, malformedTime()
			}
		}
		if len(frac) > nanoseconds { // the rest makes no difference that anybody could use
			s = s[:whole+nanoseconds] + "Z"
		}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1 {
		return time.Time{}, malformedTime()
	}
	return t.UTC(), nil
}

func malformedTime() error { return reject(ReasonMalformedXML, "malformed time", nil) }
