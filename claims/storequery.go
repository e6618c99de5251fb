package claims

import (
	"context"
	"errors"
)

// query asks a store. What goes wrong ends the evaluation.
func (e *run) query(name, query string, params []string) ([]Row, error) {
	lim := &e.p.opts.Limits
	store := e.stores[name]
	if store == nil {
		return nil, e.fail(CodeStore, nil, "no attribute store has the name %q", name)
	}
	if e.queries++; e.queries > lim.StoreQueries {
		return nil, e.fail(CodeLimit, nil, "more than %d store queries", lim.StoreQueries)
	}
	if err := e.checkTime(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.end.Sub(e.now()))
	defer cancel()
	rows, err := store.Query(ctx, query, params)
	if err != nil {
		return nil, e.storeError(ctx, name, err)
	}
	if len(rows) > lim.StoreRows {
		return nil, e.fail(CodeLimit, nil, "store %q answered with more than %d rows", name, lim.StoreRows)
	}
	if e.trace != nil {
		e.trace.asked(name, query, len(rows))
	}
	return rows, nil
}

func (e *run) storeError(ctx context.Context, name string, err error) error {
	if own, ok := errors.AsType[*Error](err); ok && !own.static() {
		return &Error{Code: own.Code, Rule: e.number(), Message: own.Message, Err: own.Err}
	}
	if ctx.Err() != nil {
		return e.fail(CodeDeadline, err, "store %q did not answer in time", name)
	}
	return e.fail(CodeStore, err, "store %q failed", name)
}
