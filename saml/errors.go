//nolint:errname // the reasons are errors only to be targets of errors.Is, and are named after what they are
package saml

import (
	"errors"
	"log/slog"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// Reason is a stable word for why a message was refused. It is safe to show to anybody and fit for a metric label.
// [errors.Is] with a Reason as target matches every [*Error] of that reason.
type Reason string

// The reasons.
const (
	ReasonMalformedBase64     Reason = "malformed_base64"     // not strict base64
	ReasonMalformedXML        Reason = "malformed_xml"        // not well-formed, or not of the shape the schema demands
	ReasonTooLarge            Reason = "too_large"            // a size limit
	ReasonTooDeep             Reason = "too_deep"             // the nesting limit
	ReasonDoctype             Reason = "doctype"              // a document type declaration
	ReasonEncoding            Reason = "encoding"             // not UTF-8
	ReasonNotAResponse        Reason = "not_a_response"       // the root is no samlp:Response
	ReasonVersion             Reason = "version"              // Version is not 2.0
	ReasonMissingID           Reason = "missing_id"           // no ID
	ReasonIssueInstant        Reason = "issue_instant"        // IssueInstant absent, malformed, in the future or too old
	ReasonDestination         Reason = "destination"          // sent to somebody else
	ReasonStatus              Reason = "status"               // the top-level status is not Success
	ReasonNoAssertion         Reason = "no_assertion"         // no assertion
	ReasonMultipleAssertions  Reason = "multiple_assertions"  // more than one
	ReasonIssuer              Reason = "issuer"               // not the expected issuer
	ReasonNoKeys              Reason = "no_keys"              // no key is pinned for the issuer
	ReasonUnsigned            Reason = "unsigned"             // not signed where it must be
	ReasonSignature           Reason = "signature"            // the signature or the digest does not verify
	ReasonSignatureShape      Reason = "signature_shape"      // a Signature of another form, or elsewhere
	ReasonReference           Reason = "reference"            // the Reference does not name the element that holds it
	ReasonTransform           Reason = "transform"            // a transform or canonicalisation that is not allowed
	ReasonAlgorithm           Reason = "algorithm"            // a signature or digest algorithm that is not allowed
	ReasonWeakKey             Reason = "weak_key"             // a key size or curve that is not allowed
	ReasonDecrypt             Reason = "decrypt"              // decryption failed; deliberately nothing more
	ReasonEncryptionAlgorithm Reason = "encryption_algorithm" // an encryption algorithm that is not allowed
	ReasonSubject             Reason = "subject"              // no usable Subject
	ReasonNameID              Reason = "name_id"              // NameID absent, empty, malformed or of another format
	ReasonSubjectConfirmation Reason = "subject_confirmation" // no confirmation that fits
	ReasonRecipient           Reason = "recipient"            // the confirmation is for another address
	ReasonNotBefore           Reason = "not_before"           // not valid yet
	ReasonExpired             Reason = "expired"              // not valid any more
	ReasonAudience            Reason = "audience"             // not meant for us
	ReasonCondition           Reason = "condition"            // Conditions absent, or one that is not understood
	ReasonInResponseTo        Reason = "in_response_to"       // not the answer to the pending request
	ReasonUnsolicited         Reason = "unsolicited"          // no request is pending and unsolicited messages are not allowed
	ReasonReplay              Reason = "replay"               // used before
	ReasonAuthnStatement      Reason = "authn_statement"      // no AuthnStatement
	ReasonSessionExpired      Reason = "session_expired"      // SessionNotOnOrAfter is past
	ReasonAuthnContext        Reason = "authn_context"        // another authentication than asked for
	ReasonAttribute           Reason = "attribute"            // a malformed attribute
	ReasonMetadata            Reason = "metadata"             // metadata that cannot be used
	ReasonMetadataExpired     Reason = "metadata_expired"     // metadata past its validUntil
	ReasonRelayState          Reason = "relay_state"          // RelayState that is not accepted
	ReasonBinding             Reason = "binding"              // against the rules of the binding
	ReasonUnsupported         Reason = "unsupported"          // a feature of SAML that is not implemented
	ReasonUnavailable         Reason = "unavailable"          // a store or another dependency failed
)

// Error returns the word itself.
func (r Reason) Error() string { return string(r) }

// Public returns one fixed sentence about the reason, for people.
func (r Reason) Public() string {
	if s, ok := sentences[r]; ok {
		return s
	}
	return "The message was refused."
}

// sentences has a text only where the word alone would not help the person at the browser or the one who is asked for help.
var sentences = map[Reason]string{ //nolint:gochecknoglobals // a constant table
	ReasonMalformedBase64:     "The message is not valid base64.",
	ReasonMalformedXML:        "The message is not well-formed or has a forbidden structure.",
	ReasonTooLarge:            "The message exceeds a size limit.",
	ReasonTooDeep:             "The message is nested too deep.",
	ReasonDoctype:             "The message has a document type declaration.",
	ReasonEncoding:            "The message is not UTF-8.",
	ReasonNotAResponse:        "The message is not a SAML 2.0 Response.",
	ReasonVersion:             "The message is not of SAML version 2.0.",
	ReasonMissingID:           "The message has no ID.",
	ReasonIssueInstant:        "The time of issue is missing, malformed or out of range.",
	ReasonDestination:         "The message was sent to another destination.",
	ReasonStatus:              "The identity provider did not report success.",
	ReasonNoAssertion:         "The message holds no assertion.",
	ReasonMultipleAssertions:  "The message holds more than one assertion.",
	ReasonIssuer:              "The message does not come from the expected issuer.",
	ReasonNoKeys:              "No key is configured for the issuer.",
	ReasonUnsigned:            "A required signature is missing.",
	ReasonSignature:           "A signature does not verify.",
	ReasonSignatureShape:      "A signature has a form or a place that is not accepted.",
	ReasonReference:           "A signature does not refer to the element that holds it.",
	ReasonTransform:           "A signature uses a transform that is not accepted.",
	ReasonAlgorithm:           "A signature uses an algorithm that is not accepted.",
	ReasonWeakKey:             "The configured key is too weak or too large.",
	ReasonDecrypt:             "An encrypted element cannot be decrypted.",
	ReasonEncryptionAlgorithm: "An encrypted element uses an algorithm that is not accepted.",
	ReasonSubject:             "The assertion has no usable subject.",
	ReasonNameID:              "The assertion has no usable name identifier.",
	ReasonSubjectConfirmation: "No subject confirmation of the assertion fits.",
	ReasonRecipient:           "The assertion was made for another recipient.",
	ReasonNotBefore:           "The assertion is not valid yet.",
	ReasonExpired:             "The assertion has expired.",
	ReasonAudience:            "The assertion is meant for another audience.",
	ReasonCondition:           "The assertion has missing or unknown conditions.",
	ReasonInResponseTo:        "The message does not answer the pending request.",
	ReasonUnsolicited:         "The message was not asked for.",
	ReasonReplay:              "The message was used before.",
	ReasonAuthnStatement:      "The assertion has no usable authentication statement.",
	ReasonSessionExpired:      "The session at the identity provider has ended.",
	ReasonAuthnContext:        "The authentication does not meet what was asked for.",
	ReasonAttribute:           "An attribute is not acceptable.",
	ReasonMetadata:            "The metadata cannot be used.",
	ReasonMetadataExpired:     "The metadata has expired.",
	ReasonRelayState:          "The relay state is not acceptable.",
	ReasonBinding:             "The message breaks a rule of its binding.",
	ReasonUnsupported:         "The message uses a feature that is not supported.",
	ReasonUnavailable:         "A service that is needed to check the message is not available.",
}

// Sentinels for [errors.Is].
var (
	// ErrInvalid matches every [*Error]: the message was refused.
	ErrInvalid = errors.New("saml: message refused")
	// ErrNotFound is what resolvers and registries return for an entity that they do not know.
	ErrNotFound = errors.New("saml: not found")
	// ErrReplay is what a [ReplayStore] returns for a key that was used before.
	ErrReplay = errors.New("saml: used before")
)

// Error says why a message was refused. Neither Error nor Detail holds a value that the sender chose; Wrapped may lead to
// errors of other packages, which belong in a log and not on a page.
type Error struct {
	Reason  Reason
	Public  string // one fixed sentence, safe to show
	Detail  string // for the administrator: fixed text, configured values, names of algorithms
	Wrapped error  // the cause, if any
}

// Error returns the reason and its fixed sentence.
func (e *Error) Error() string { return "saml: " + string(e.Reason) + ": " + e.Public }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Wrapped }

// Is reports whether target is the reason of e or [ErrInvalid].
func (e *Error) Is(target error) bool {
	if r, ok := target.(Reason); ok {
		return r == e.Reason
	}
	return target == ErrInvalid
}

// LogValue groups the parts for a log.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("reason", string(e.Reason)), slog.String("detail", e.Detail)}
	if e.Wrapped != nil {
		attrs = append(attrs, slog.String("cause", e.Wrapped.Error()))
	}
	return slog.GroupValue(attrs...)
}

// ReasonOf returns the reason in err's chain, or "" when err is nil or no refusal.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// reject builds a refusal.
func reject(r Reason, detail string, cause error) *Error {
	return &Error{Reason: r, Public: r.Public(), Detail: detail, Wrapped: cause}
}

// fromGate turns an error of the gate into ours.
func fromGate(err error) *Error {
	if e, ok := errors.AsType[*xmlgate.Error](err); ok {
		return reject(Reason(e.Code), e.Detail, err)
	}
	return reject(ReasonMalformedXML, "", err)
}

// fromSignature turns an error of the signature package into ours.
func fromSignature(err error) *Error {
	if e, ok := errors.AsType[*xmldsig.Error](err); ok {
		return reject(Reason(e.Reason), e.Detail, err)
	}
	return reject(ReasonSignature, "", err)
}

// StatusError is the cause of a refusal for [ReasonStatus]: what the identity provider answered instead of success.
type StatusError struct {
	Code, SubCode string // status URIs
	Message       string // only of a signed response
	Verified      bool   // the response was signed: the identity provider said so
}

// Error returns a fixed text: the fields are the sender's.
func (e *StatusError) Error() string {
	return "saml: the identity provider answered with another status"
}
