package scim

import "context"

// Observer is told when operations begin and how they end, for metrics and traces. One value may serve all packages of
// this module: each declares this interface with the same method. It must be safe for concurrent use.
type Observer interface {
	// Start is called when op begins. What it returns is used for the rest of the operation: a context that may carry a
	// span, and a function that is called once at the end. op and outcome are fixed words, fit for labels of metrics:
	// never a name, never what a peer sent. nil stands for an unchanged context, and for nothing to call.
	Start(ctx context.Context, op string) (context.Context, func(outcome string))
}
