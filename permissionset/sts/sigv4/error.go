package sigv4

import (
	"errors"
	"log/slog"
	"net/http"
)

// Reason says why a request was refused. The words are stable.
type Reason string

// The reasons.
const (
	ReasonMissing     Reason = "missing"     // not signed at all
	ReasonMalformed   Reason = "malformed"   // not a signature of the kind that is understood
	ReasonHeaders     Reason = "headers"     // a header that must be signed is not
	ReasonTime        Reason = "time"        // too old, ahead of time, or of another day than the scope's
	ReasonScope       Reason = "scope"       // for another service or region
	ReasonUnknownKey  Reason = "unknown_key" // no such access key
	ReasonToken       Reason = "token"       // not the session token of the access key
	ReasonPayload     Reason = "payload"     // the body is not the one that the header names
	ReasonTooLarge    Reason = "too_large"   // the body is over the limit
	ReasonSignature   Reason = "signature"   // the signature is another one
	ReasonExpired     Reason = "expired"     // rightly signed, with credentials that have expired
	ReasonUnavailable Reason = "unavailable" // keys or body could not be read: no verdict, and refused all the same
)

// ErrRefused matches every [Error] but that of reason "unavailable".
var ErrRefused = errors.New("sigv4: request refused")

// Protocol says which family of AWS's error codes a service uses.
type Protocol int

// The protocols.
const (
	JSON  Protocol = iota // services of the JSON protocols: UnrecognizedClientException and so on, status 400
	Query                 // services of the query protocol, as STS and IAM: InvalidClientTokenId and so on, status 403
)

// Error is a refusal. Its texts hold nothing that the sender chose.
type Error struct {
	Reason Reason
	Err    error // the cause of reason "unavailable"

	protocol Protocol
}

// answer is how AWS words a reason.
type answer struct {
	json, query string
	status      int // of the query protocol
	message     string
}

const (
	codeIncomplete = "IncompleteSignatureException"
	codeInvalid    = "InvalidSignatureException"
	queryMismatch  = "SignatureDoesNotMatch"
)

var answers = map[Reason]answer{ //nolint:gochecknoglobals // a constant table
	ReasonMissing:     {"MissingAuthenticationTokenException", "MissingAuthenticationToken", http.StatusForbidden, "Request is missing Authentication Token"},
	ReasonMalformed:   {codeIncomplete, "IncompleteSignature", http.StatusBadRequest, "The request signature does not conform to AWS standards."},
	ReasonHeaders:     {codeInvalid, queryMismatch, http.StatusForbidden, "'Host' and every 'X-Amz-' header must be a 'SignedHeader' in the AWS Authorization."},
	ReasonTime:        {codeInvalid, queryMismatch, http.StatusForbidden, "Signature not current: the clocks differ too much, or X-Amz-Date is of another day than the Credential scope."},
	ReasonScope:       {codeInvalid, queryMismatch, http.StatusForbidden, "Credential should be scoped to a valid region and to the correct service."},
	ReasonUnknownKey:  {"UnrecognizedClientException", "InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid."},
	ReasonToken:       {"UnrecognizedClientException", "InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid."},
	ReasonPayload:     {codeInvalid, queryMismatch, http.StatusForbidden, "The provided 'x-amz-content-sha256' header does not match what was computed."},
	ReasonTooLarge:    {"RequestEntityTooLargeException", "RequestEntityTooLarge", http.StatusRequestEntityTooLarge, "Request body is too large."},
	ReasonSignature:   {codeInvalid, queryMismatch, http.StatusForbidden, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."},
	ReasonExpired:     {"ExpiredTokenException", "ExpiredToken", http.StatusForbidden, "The security token included in the request is expired"},
	ReasonUnavailable: {"InternalServerException", "InternalFailure", http.StatusInternalServerError, "The request processing has failed because of an unknown error, exception or failure."},
}

// Error returns fixed text.
func (e *Error) Error() string { return "sigv4: request refused: " + string(e.Reason) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is [ErrRefused] and e a verdict.
func (e *Error) Is(target error) bool {
	return target == ErrRefused && e.Reason != ReasonUnavailable
}

// ErrorCode returns AWS's code, in the family of the verifier's protocol.
func (e *Error) ErrorCode() string {
	if e.protocol == Query {
		return answers[e.Reason].query
	}
	return answers[e.Reason].json
}

// ErrorMessage returns what the caller may be told.
func (e *Error) ErrorMessage() string { return answers[e.Reason].message }

// HTTPStatusCode returns the status that belongs to the code.
func (e *Error) HTTPStatusCode() int {
	status := answers[e.Reason].status
	if e.protocol == JSON && status < http.StatusInternalServerError && status != http.StatusRequestEntityTooLarge {
		return http.StatusBadRequest
	}
	return status
}

// LogValue implements [slog.LogValuer].
func (e *Error) LogValue() slog.Value {
	if e.Err != nil {
		return slog.GroupValue(slog.String("reason", string(e.Reason)), slog.String("cause", e.Err.Error()))
	}
	return slog.GroupValue(slog.String("reason", string(e.Reason)))
}
