// Package observe calls the observers that configurations take: one method with types of the standard library only, so
// that every package declares the interface itself and one value satisfies them all.
package observe

import (
	"context"
	"errors"
)

// Observer is the interface that the packages declare.
type Observer interface {
	Start(ctx context.Context, op string) (context.Context, func(outcome string))
}

// Outcomes that all packages share. Others are the stable reasons of a package.
const (
	OK          = "ok"
	Failed      = "failed"      // neither a verdict nor one of the others
	Unavailable = "unavailable" // a server or store that trying again may reach
	Canceled    = "canceled"    // the caller went away or had no more time
)

// Start tells o that op begins. The returned function is never nil and is to be called once; without an observer both
// cost nothing.
func Start(ctx context.Context, o Observer, op string) (context.Context, func(outcome string)) {
	if o == nil {
		return ctx, nobody
	}
	inner, end := o.Start(ctx, op)
	if inner == nil {
		inner = ctx
	}
	if end == nil {
		end = nobody
	}
	return inner, end
}

func nobody(string) {}

// Outcome returns OK, Canceled or Failed.
func Outcome(err error) string {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	}
	return Failed
}
