package identitystore

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

// outcome returns a word for an error, "ok" for none.
func outcome(err error) string {
	for _, x := range []struct {
		err  error
		word string
	}{
		{ErrNotProvisioned, "not_provisioned"},
		{ErrDisabled, "disabled"},
		{ErrNotFound, "not_found"},
		{ErrConflict, "conflict"},
		{ErrInvalid, "invalid"},
		{ErrDenied, "denied"},
		{ErrHeld, "held"},
		{ErrBusy, "busy"},
		{ErrFenced, "fenced"},
		{ErrPlanStale, "plan_stale"},
	} {
		if errors.Is(err, x.err) {
			return x.word
		}
	}
	if Temporary(err) {
		return observe.Unavailable
	}
	return observe.Outcome(err)
}
