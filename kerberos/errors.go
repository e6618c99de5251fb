package kerberos

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Reason is the stable word for a refusal. It is safe to use as a metric label.
type Reason string

// The reasons for which a sign-in or a ticket is refused.
const (
	ReasonBadCredentials     Reason = "bad_credentials"      // wrong password or unknown user: never told apart
	ReasonAccountDisabled    Reason = "account_disabled"     // the password was right
	ReasonAccountLocked      Reason = "account_locked"       // whatever the password
	ReasonAccountExpired     Reason = "account_expired"      // the password was right
	ReasonPasswordExpired    Reason = "password_expired"     // the password was right
	ReasonPasswordMustChange Reason = "password_must_change" // the password was right
	ReasonNotAllowed         Reason = "not_allowed"          // logon hours, workstation, policy, or revoked without a known kind
	ReasonKDCNotTrusted      Reason = "kdc_not_trusted"      // the KDC could not prove itself or broke the protocol
	ReasonUnknownDomain      Reason = "unknown_domain"       // nothing was sent
	ReasonDomainRequired     Reason = "domain_required"      // nothing was sent
	ReasonTicketRejected     Reason = "ticket_rejected"      // a presented ticket was not accepted
)

// ErrRefused is matched by every [AuthError].
var ErrRefused = errors.New("kerberos: refused")

// ErrReplay is what a [ReplayCache] answers for a key that it has seen.
var ErrReplay = errors.New("kerberos: authenticator seen before")

// ErrReplayFull is what the in-memory cache answers when it has no room; the ticket is refused.
var ErrReplayFull = errors.New("kerberos: replay cache is full")

// The kinds of failures outside of a verdict.
var (
	ErrUnavailable    = errors.New("kerberos: no KDC could be reached")
	ErrClockSkew      = errors.New("kerberos: clocks differ too much")
	ErrNoCommonEtype  = errors.New("kerberos: no common encryption type")
	ErrServiceUnknown = errors.New("kerberos: the KDC does not know our service")
)

// AuthError is a refusal. Error returns fixed text only; Detail and Err may hold what a peer sent and are for the log.
type AuthError struct {
	Reason Reason
	Detail string
	Err    error
}

func (e *AuthError) Error() string { return "kerberos: refused: " + string(e.Reason) }

// Unwrap returns the cause.
func (e *AuthError) Unwrap() error { return e.Err }

// Is matches [ErrRefused].
func (*AuthError) Is(target error) bool { return target == ErrRefused }

// Retryable reports false: a verdict does not change by asking again.
func (*AuthError) Retryable() bool { return false }

// LogValue returns reason, detail and cause.
func (e *AuthError) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("reason", string(e.Reason)), slog.String("detail", e.Detail)}
	if e.Err != nil {
		attrs = append(attrs, slog.String("cause", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// OutsideError is a failure that says nothing about the credentials. Kind is one of the four sentinels of this package.
type OutsideError struct {
	Kind   error
	Offset time.Duration // with ErrClockSkew: the KDC's clock minus ours
	Detail string        // for the log
	Err    error
}

func (e *OutsideError) Error() string { return e.Kind.Error() }

// Unwrap returns the kind and the cause.
func (e *OutsideError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Retryable reports whether the same call may succeed later without a change of configuration.
func (e *OutsideError) Retryable() bool { return errors.Is(e.Kind, ErrUnavailable) }

// LogValue returns kind, detail and cause.
func (e *OutsideError) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", e.Kind.Error()), slog.String("detail", e.Detail)}
	if e.Err != nil {
		attrs = append(attrs, slog.String("cause", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// Temporary reports whether err may go away by itself: no KDC reached, or the caller's context ended.
func Temporary(err error) bool {
	if o, ok := errors.AsType[*OutsideError](err); ok {
		return o.Retryable()
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func refuse(r Reason, detail string, err error) *AuthError {
	return &AuthError{Reason: r, Detail: detail, Err: err}
}

func distrust(detail string, err error) *AuthError { return refuse(ReasonKDCNotTrusted, detail, err) }

func outside(kind error, detail string, err error) *OutsideError {
	return &OutsideError{Kind: kind, Detail: detail, Err: err}
}
