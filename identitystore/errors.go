package identitystore

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Sentinels. Match them with errors.Is; the error types below match the one of their class.
var (
	ErrNotFound       = errors.New("identitystore: not found")
	ErrConflict       = errors.New("identitystore: conflict")
	ErrInvalid        = errors.New("identitystore: invalid request")
	ErrDenied         = errors.New("identitystore: not allowed")
	ErrNotProvisioned = errors.New("identitystore: nobody provisioned this user")
	ErrDisabled       = errors.New("identitystore: user is disabled")
	ErrSeen           = errors.New("identitystore: used before")
	ErrCursorTooOld   = errors.New("identitystore: cursor is older than the retained feed")
	ErrTooOld         = errors.New("identitystore: time is before the retained history")
	ErrFenced         = errors.New("identitystore: the lease belongs to another owner")
	ErrBusy           = errors.New("identitystore: another owner holds the lease")
	ErrPlanStale      = errors.New("identitystore: the plan was made for another state")
	ErrScopeChanged   = errors.New("identitystore: the scope changed while the plan was made")
	ErrUnstableRead   = errors.New("identitystore: the source changed faster than it could be read")
	ErrClosed         = errors.New("identitystore: store is closed")
)

// ErrorReason is a stable word for why a request failed.
type ErrorReason string

// Reasons of a [Problem] and of a [ConflictError].
const (
	ReasonRequired    ErrorReason = "REQUIRED"
	ReasonTooLong     ErrorReason = "TOO_LONG"
	ReasonTooMany     ErrorReason = "TOO_MANY"
	ReasonCharacter   ErrorReason = "INVALID_CHARACTER"
	ReasonReserved    ErrorReason = "RESERVED"
	ReasonForm        ErrorReason = "INVALID_FORM"
	ReasonPath        ErrorReason = "UNKNOWN_PATH"
	ReasonToken       ErrorReason = "INVALID_TOKEN"
	ReasonUniqueness  ErrorReason = "UNIQUENESS_CONSTRAINT_VIOLATION"
	ReasonConcurrency ErrorReason = "CONCURRENT_MODIFICATION"
)

// Problem is one thing that is wrong with a request.
type Problem struct {
	Path    string // attribute path
	Reason  ErrorReason
	Message string // holds no values
}

// ValidationError lists everything that is wrong with a request.
type ValidationError struct{ Problems []Problem }

func (e *ValidationError) Error() string {
	var sb strings.Builder
	sb.WriteString("identitystore: invalid request")
	for i, p := range e.Problems {
		sb.WriteString([]string{": ", "; "}[min(i, 1)])
		if p.Path != "" {
			sb.WriteString(p.Path + ": ")
		}
		sb.WriteString(p.Message)
	}
	return sb.String()
}

// Is makes the error match [ErrInvalid].
func (e *ValidationError) Is(target error) bool { return target == ErrInvalid }

// invalid returns an error with one problem.
func invalid(path string, reason ErrorReason, message string) error {
	return &ValidationError{[]Problem{{path, reason, message}}}
}

// ResourceNotFoundError says that nothing has the id.
type ResourceNotFoundError struct {
	ResourceType string // USER, GROUP, GROUP_MEMBERSHIP or IDENTITY_STORE
	ResourceID   string // as it stood in the request
}

// Resource types of a [ResourceNotFoundError].
const (
	ResourceUser       = "USER"
	ResourceGroup      = "GROUP"
	ResourceMembership = "GROUP_MEMBERSHIP"
	ResourceStore      = "IDENTITY_STORE"
)

func (e *ResourceNotFoundError) Error() string {
	return "identitystore: " + strings.ToLower(e.ResourceType) + " not found"
}

// Is makes the error match [ErrNotFound].
func (e *ResourceNotFoundError) Is(target error) bool { return target == ErrNotFound }

// ConflictError says that a unique value is taken, or that the record has changed since it was read.
type ConflictError struct {
	Reason ErrorReason // ReasonUniqueness or ReasonConcurrency
	Path   string      // what collided: userName, displayName, emails.value, externalIds, id
}

func (e *ConflictError) Error() string {
	if e.Reason == ReasonConcurrency {
		return "identitystore: conflict: the record has changed"
	}
	return "identitystore: conflict: " + e.Path + " is taken"
}

// Is makes the error match [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// LogValue shows the reason and the path.
func (e *ConflictError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("reason", string(e.Reason)), slog.String("path", e.Path))
}

// QuotaExceededError says that the tenant holds as many objects as it may.
type QuotaExceededError struct {
	Kind  Kind
	Limit int
}

func (e *QuotaExceededError) Error() string {
	return fmt.Sprintf("identitystore: quota of %d %ss is used up", e.Limit, e.Kind)
}

// Is makes the error match [ErrDenied].
func (e *QuotaExceededError) Is(target error) bool { return target == ErrDenied }

// ThrottlingError says that the caller may try again later.
type ThrottlingError struct{ RetryAfter time.Duration }

func (e *ThrottlingError) Error() string { return "identitystore: too many requests" }

// AccessDeniedError says that the attribute or group belongs to the source that synchronises it.
type AccessDeniedError struct{ Path string }

func (e *AccessDeniedError) Error() string {
	return "identitystore: " + e.Path + " belongs to the source of the record"
}

// Is makes the error match [ErrDenied].
func (e *AccessDeniedError) Is(target error) bool { return target == ErrDenied }

// InternalError wraps a failure of the back end.
type InternalError struct {
	Retryable bool
	Err       error
}

func (e *InternalError) Error() string { return "identitystore: back end failed" }

func (e *InternalError) Unwrap() error { return e.Err }

// IncompleteReadError says what of a source could not be read; nothing was applied.
type IncompleteReadError struct {
	What string
	Err  error
}

func (e *IncompleteReadError) Error() string { return "identitystore: read is not complete: " + e.What }

func (e *IncompleteReadError) Unwrap() error { return e.Err }

// HeldError says that the guard stopped a plan; nothing was applied.
type HeldError struct {
	PlanHash string
	Findings []Finding
}

func (e *HeldError) Error() string { return "identitystore: plan " + e.PlanHash + " is held" }

// Temporary reports whether the same call may succeed later.
func Temporary(err error) bool {
	var internal *InternalError
	var throttled *ThrottlingError
	return errors.As(err, &throttled) || errors.As(err, &internal) && internal.Retryable || errors.Is(err, ErrBusy)
}
