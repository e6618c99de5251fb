package samlhttp

import (
	"context"
	"errors"

	"github.com/adfedkit/adfedkit/internal/observe"
	"github.com/adfedkit/adfedkit/saml"
)

// Observer is told when operations begin and how they end, for metrics and traces. One value may serve all packages of
// this module: each declares this interface with the same method. It must be safe for concurrent use.
type Observer interface {
	// Start is called when op begins. What it returns is used for the rest of the operation: a context that may carry a
	// span, and a function that is called once at the end. op and outcome are fixed words, fit for labels of metrics:
	// never a name, never what a peer sent. nil stands for an unchanged context, and for nothing to call.
	Start(ctx context.Context, op string) (context.Context, func(outcome string))
}

// outcome returns the reason of a refusal, "ok" for no error. The reason of a [SignInError] is the caller's own word.
func outcome(err error) string {
	var own *SignInError
	switch {
	case errors.As(err, &own):
		return own.Reason
	case errors.Is(err, ErrBadCredentials):
		return "bad_credentials"
	case errors.Is(err, ErrNotPermitted):
		return "not_permitted"
	case errors.Is(err, saml.ErrNameIDPolicy):
		return "name_id_policy"
	case saml.ReasonOf(err) != "":
		return string(saml.ReasonOf(err))
	}
	return observe.Outcome(err)
}
