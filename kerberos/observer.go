package kerberos

import (
	"context"
	"errors"

	"github.com/adfedkit/adfedkit/internal/observe"
)

// Observer is told when operations begin and how they end, for metrics and traces. One value may serve all packages of
// this module: each declares this interface with the same method. It must be safe for concurrent use.
type Observer interface {
	// Start is called when op begins. What it returns is used for the rest of the operation: a context that may carry a
	// span, and a function that is called once at the end. op and outcome are fixed words, fit for labels of metrics:
	// never a name, never what a peer sent. nil stands for an unchanged context, and for nothing to call.
	Start(ctx context.Context, op string) (context.Context, func(outcome string))
}

// outcome returns the reason of a refusal, the kind of a failure, or "ok".
func outcome(err error) string {
	if ae, ok := errors.AsType[*AuthError](err); ok {
		return string(ae.Reason)
	}
	var more *ContinueError
	switch {
	case errors.Is(err, ErrUnavailable):
		return observe.Unavailable
	case errors.Is(err, ErrClockSkew):
		return "clock_skew"
	case errors.Is(err, ErrNoCommonEtype):
		return "no_common_etype"
	case errors.Is(err, ErrServiceUnknown):
		return "service_unknown"
	case errors.As(err, &more):
		return "continue"
	}
	return observe.Outcome(err)
}
