package policy

import (
	"cmp"
	"errors"
	"strconv"
)

// ErrLimit is what the error of a decision matches when policies and request together ask for too much work.
var ErrLimit = errors.New("policy: too much work for one decision")

// LimitError says that [Options].MaxWork did not suffice. It matches [ErrLimit].
type LimitError struct {
	Layer   Layer // where it ran out
	MaxWork int64
}

// Error implements error with a fixed text, the layer and the limit.
func (e *LimitError) Error() string {
	return ErrLimit.Error() + ": more than " + strconv.FormatInt(e.MaxWork, 10) + " steps, in layer " + e.Layer.String()
}

// Is reports whether target is [ErrLimit].
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// defaultMaxWork is far above what real policies ask: ReadOnlyAccess, 91 kB, takes some thousand steps for a request that
// it does not know. It is used up within a second or two.
const defaultMaxWork = 1 << 27

func (o *Options) maxWork() int64 { return cmp.Or(max(o.MaxWork, 0), defaultMaxWork) }

// close ends a layer: it is the one to name when the work was used up in it.
func (e *env) close(l *layer) {
	if e.work < 0 && e.spent == nil {
		e.spent = l
	}
}

// over returns the error of a decision for which the work did not suffice.
func (e *env) over() error {
	if e.spent == nil {
		return nil
	}
	return &LimitError{Layer: e.spent.id, MaxWork: e.opt.maxWork()}
}
