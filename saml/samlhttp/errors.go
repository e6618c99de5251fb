package samlhttp

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/adfedkit/adfedkit/saml"
)

// Errors that the caller's functions return to say what happened.
var (
	// ErrBadCredentials is returned by Authenticate for an unknown user and for a wrong password alike: the form shows one text.
	ErrBadCredentials = errors.New("samlhttp: user name or password is wrong")
	// ErrNotPermitted is returned by Issue when the rules of a relying party do not let this user in.
	ErrNotPermitted = errors.New("samlhttp: the user may not use this application")
	// ErrNoSession is returned by [ServiceProvider.Session] for a request without a valid session.
	ErrNoSession = errors.New("samlhttp: no session")
)

// SignInError refuses a sign-in with a text that the person may read.
type SignInError struct {
	Reason string // stable word for logs and pages, for example not_provisioned or password_expired
	Public string // sentence for the person
	Err    error  // cause, for the log
}

// Error returns the reason.
func (e *SignInError) Error() string { return "samlhttp: sign-in refused: " + e.Reason }

// Unwrap returns the cause.
func (e *SignInError) Unwrap() error { return e.Err }

// ErrorPage is what an error page shows. Reason and Public are safe to show; Err is for the log only.
type ErrorPage struct {
	Status int
	Reason string
	Public string
	Err    error
}

// ErrorRenderer writes an error page.
type ErrorRenderer func(w http.ResponseWriter, r *http.Request, p ErrorPage)

// pageFor turns an error into a page: what a peer sent is its fault (4xx), a failing store or registry is ours (503).
func pageFor(err error) ErrorPage {
	p := ErrorPage{Status: http.StatusBadRequest, Reason: "invalid", Public: "The sign-in message was refused.", Err: err}
	var own *SignInError
	switch {
	case errors.As(err, &own):
		p.Status, p.Reason, p.Public = http.StatusForbidden, own.Reason, own.Public
	case errors.Is(err, ErrNotPermitted):
		p.Status, p.Reason, p.Public = http.StatusForbidden, "not_permitted", "You are not permitted to use this application."
	case errors.Is(err, ErrBadCredentials):
		p.Status, p.Reason, p.Public = http.StatusUnauthorized, "bad_credentials", badCredentialsText
	case saml.ReasonOf(err) == saml.ReasonUnavailable:
		p.Status, p.Reason, p.Public = http.StatusServiceUnavailable, string(saml.ReasonUnavailable), "The service is not available at the moment. Try again later."
	case saml.ReasonOf(err) != "":
		p.Reason = string(saml.ReasonOf(err))
	default:
		p.Status, p.Reason, p.Public = http.StatusServiceUnavailable, "unavailable", "The service is not available at the moment. Try again later."
	}
	return p
}

const badCredentialsText = "The user name or password is wrong. Enter them again."

func logRefusal(r *http.Request, log *slog.Logger, p ErrorPage) {
	attrs := []slog.Attr{slog.String("reason", p.Reason), slog.Int("status", p.Status), slog.String("path", r.URL.Path)}
	var e *saml.Error
	if errors.As(p.Err, &e) {
		attrs = append(attrs, slog.String("detail", e.Detail))
	}
	if p.Err != nil {
		attrs = append(attrs, slog.String("error", p.Err.Error()))
	}
	log.LogAttrs(r.Context(), slog.LevelWarn, "saml message refused", attrs...)
}
