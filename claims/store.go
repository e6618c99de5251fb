package claims

import (
	"context"
	"slices"
)

// A Store answers the queries of issue(store = ...) and add(store = ...). Query gets the query text as it stands in the
// rule, placeholders unfilled, and the params of one combination of claims; [ParseQuery] splits the text. It must not
// paste a param into a language without escaping it. An error ends the whole evaluation; an [*Error] keeps its code,
// any other is POLICY0018. A subject that the store does not know is no error: no rows.
type Store interface {
	Query(ctx context.Context, query string, params []string) ([]Row, error)
}

// A Row is one row of an answer; its cells pair with the types of the statement by position.
type Row []Cell

// A Cell holds the values of one column: none (null), one or several. Empty values make no claim.
type Cell []string

// Stores are the stores that rules may ask, by the exact name that rules use.
type Stores map[string]Store

// StoreFunc makes a function a [Store].
type StoreFunc func(ctx context.Context, query string, params []string) ([]Row, error)

// Query calls f.
func (f StoreFunc) Query(ctx context.Context, query string, params []string) ([]Row, error) {
	return f(ctx, query, params)
}

// A FixedStore answers from a list, for tests and for claimcheck: query text and params must be equal. It applies none
// of the rules for the shape of a query.
type FixedStore []FixedAnswer

// A FixedAnswer is one question and its answer.
type FixedAnswer struct {
	Query  string
	Params []string
	Rows   []Row
}

// Query returns the rows of the first entry that matches, or none.
func (s FixedStore) Query(_ context.Context, query string, params []string) ([]Row, error) {
	for _, a := range s {
		if a.Query == query && slices.Equal(a.Params, params) {
			return a.Rows, nil
		}
	}
	return nil, nil
}
