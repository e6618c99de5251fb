package scimfilter

import "errors"

// ErrRefused matches every [*Error].
var ErrRefused = errors.New("scim: request refused")

// Error is an answer of the protocol: an HTTP status and, where RFC 7644 table 9 has one, a scimType.
type Error struct {
	Status int
	Type   string // scimType, or ""
	Detail string // for people; holds no internals
}

func (e *Error) Error() string {
	if e.Type == "" {
		return "scim: " + e.Detail
	}
	return "scim: " + e.Type + ": " + e.Detail
}

// Is makes the error match [ErrRefused].
func (e *Error) Is(target error) bool { return target == ErrRefused }

const badRequest = 400

func invalidFilter(detail string) error { return &Error{badRequest, "invalidFilter", detail} }

func invalidPath(detail string) error { return &Error{badRequest, "invalidPath", detail} }
