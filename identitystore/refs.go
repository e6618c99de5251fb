package identitystore

import (
	"context"
	"errors"
)

// UserReader is what a [Reader] may offer besides: the user with a unique name in one step, where [Reader.Lookup] and
// [Reader.UserByID] are two.
type UserReader interface {
	// UserBy returns the user with a unique name; groups are not found.
	UserBy(ctx context.Context, by By, scope, value string) (*User, error)
}

func userBy(ctx context.Context, r Reader, by By, scope, value string) (*User, error) {
	if tx, ok := r.(*Tx); ok {
		r = tx.Reader
	}
	if ur, ok := r.(UserReader); ok {
		return ur.UserBy(ctx, by, scope, value)
	}
	ref, err := r.Lookup(ctx, by, scope, value)
	if err != nil {
		return nil, err
	}
	if ref.Kind != KindUser {
		return nil, ErrNotFound
	}
	return r.UserByID(ctx, ref.ID)
}

// RefReader is what a [Reader] may offer besides: looking many ids up at once.
type RefReader interface {
	// Refs returns the users and groups with these ids, in the order asked; those that do not exist, and tombstones, are
	// left out.
	Refs(ctx context.Context, ids []string) ([]Ref, error)
}

// Refs returns the users and groups with these ids, in the order asked; those that do not exist, and tombstones, are
// left out. A [RefReader] does it with few queries.
func Refs(ctx context.Context, r Reader, ids []string) ([]Ref, error) {
	if tx, ok := r.(*Tx); ok {
		r = tx.Reader
	}
	if rr, ok := r.(RefReader); ok {
		return rr.Refs(ctx, ids)
	}
	out := make([]Ref, 0, len(ids))
	for _, id := range ids {
		u, err := r.UserByID(ctx, id)
		if err == nil && live(&u.Link) {
			out = append(out, Ref{u.Key, KindUser, u.ID})
			continue
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		g, err := r.GroupByID(ctx, id)
		if err == nil && live(&g.Link) {
			out = append(out, Ref{g.Key, KindGroup, g.ID})
			continue
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
	}
	return out, nil
}
