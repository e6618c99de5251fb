package claims

import (
	"context"
	"errors"
	"strings"
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

// fromStore asks a store and makes a claim of each value: row by row, column by column.
func (e *run) fromStore(s *cStore) error {
	rows, err := e.ask(s)
	if err != nil {
		return err
	}
	for _, row := range rows {
		for i, cell := range row {
			if i == len(s.types) {
				break
			}
			for _, v := range cell {
				if v == "" {
					continue
				}
				if len(v) > e.p.opts.Limits.FieldBytes {
					return e.fail(CodeLimit, nil, "store value of more than %d bytes", e.p.opts.Limits.FieldBytes)
				}
				c := Claim{Type: s.types[i], Value: v, ValueType: XSString, Issuer: e.p.opts.StoreIssuer, OriginalIssuer: e.p.opts.StoreIssuer}
				if err := e.emit(&c, unknownType); err != nil {
					return err
				}
			}
		}
	}
	return e.spend(len(rows))
}

// ask sends a query to a store, once for equal questions of one evaluation.
func (e *run) ask(s *cStore) ([]Row, error) {
	query, err := e.eval(&s.query)
	if err != nil {
		return nil, err
	}
	params := make([]string, len(s.params))
	size := len(query)
	for i := range s.params {
		if params[i], err = e.eval(&s.params[i]); err != nil {
			return nil, err
		}
		size += len(params[i])
	}
	if !s.literal {
		if q, err := ParseQuery(query); err != nil || q.Params() > len(params) {
			return nil, e.fail(CodeDynamicPlaceholder, err, "computed query has a placeholder without param or a stray brace")
		}
	}
	var key strings.Builder
	for _, part := range append([]string{s.name, query}, params...) {
		key.WriteString(itoa(len(part)) + ":" + part)
	}
	if rows, ok := e.answers[key.String()]; ok {
		return rows, e.spend(size / 16)
	}
	rows, err := e.query(s.name, query, params)
	if err != nil {
		return nil, err
	}
	if e.answers == nil {
		e.answers = map[string][]Row{}
	}
	e.answers[key.String()] = rows
	return rows, nil
}
