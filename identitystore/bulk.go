package identitystore

import (
	"context"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// BulkTxn is what a [Txn] may offer in addition: many new records with few statements. [Tx.CreateUsers] and
// [Tx.CreateGroups] use it. The lists have at most some hundred elements.
type BulkTxn interface {
	Txn
	// Holders returns who has which of the folded names.
	Holders(ctx context.Context, kind Kind, folded []string) (map[string]Ref, error)
	// AnyExternalID reports whether some record has one of the ids.
	AnyExternalID(ctx context.Context, ids []ExternalID) (bool, error)
	// PutNewUsers is PutUser for each; all are new.
	PutNewUsers(ctx context.Context, users []*User) error
	// PutNewGroups is PutGroup for each; all are new.
	PutNewGroups(ctx context.Context, groups []*Group) error
}

// CreateUsers is [Tx.CreateUser] for many. The first one that cannot be created ends it, and the transaction should
// not go on after that: some of the others may have been written.
func (tx *Tx) CreateUsers(ctx context.Context, users []*User) ([]*User, error) {
	return createAll(ctx, users, bulkKind[User]{
		kind: KindUser, create: tx.CreateUser, check: tx.newUser, note: tx.noteUser, tx: tx,
		name: func(u *User) (string, []ExternalID) { return u.UserName, u.ExternalIDs },
		put:  func(b BulkTxn, list []*User) error { return b.PutNewUsers(ctx, list) },
	})
}

// CreateGroups is [Tx.CreateGroup] for many, as [Tx.CreateUsers] is for users.
func (tx *Tx) CreateGroups(ctx context.Context, groups []*Group) ([]*Group, error) {
	return createAll(ctx, groups, bulkKind[Group]{
		kind: KindGroup, create: tx.CreateGroup, check: tx.newGroup, note: tx.noteGroup, tx: tx,
		name: func(g *Group) (string, []ExternalID) { return g.DisplayName, g.ExternalIDs },
		put:  func(b BulkTxn, list []*Group) error { return b.PutNewGroups(ctx, list) },
	})
}

// bulkKind is what users and groups do differently.
type bulkKind[T any] struct {
	tx     *Tx
	kind   Kind
	create func(context.Context, *T) (*T, error)
	check  func(*T) (*T, error)
	name   func(*T) (string, []ExternalID)
	put    func(BulkTxn, []*T) error
	note   func(*T)
}

func createAll[T any](ctx context.Context, list []*T, k bulkKind[T]) ([]*T, error) {
	out := make([]*T, 0, len(list))
	bulk, ok := k.tx.raw.(BulkTxn)
	for len(list) > 0 {
		part := list[:min(len(list), flattenBatch)]
		list = list[len(part):]
		if !ok || len(part) == 1 {
			for _, x := range part {
				made, err := k.create(ctx, x)
				if err != nil {
					return nil, err
				}
				out = append(out, made)
			}
			continue
		}
		made, err := k.createPart(ctx, bulk, part)
		if err != nil {
			return nil, err
		}
		out = append(out, made...)
	}
	return out, nil
}

func (k bulkKind[T]) createPart(ctx context.Context, bulk BulkTxn, part []*T) ([]*T, error) {
	out := make([]*T, len(part))
	names, folded := make(map[string]string, len(part)), make([]string, len(part))
	ids := make(map[ExternalID]bool, len(part))
	all := make([]ExternalID, 0, len(part))
	for i, x := range part {
		made, err := k.check(x)
		if err != nil {
			return nil, err
		}
		name, external := k.name(made)
		out[i], folded[i] = made, fold.Key(name)
		if _, twice := names[folded[i]]; twice {
			return nil, &ConflictError{ReasonUniqueness, namePath(k.kind)}
		}
		names[folded[i]] = name
		for _, e := range external {
			if ids[e] {
				return nil, &ConflictError{ReasonUniqueness, "externalIds"}
			}
			ids[e] = true
			all = append(all, e)
		}
	}
	holders, err := bulk.Holders(ctx, k.kind, folded)
	if err != nil {
		return nil, err
	}
	for f := range holders { // rare: somebody has the name, and may get another one until the end
		if err := k.tx.claim(ctx, Ref{Kind: k.kind}, names[f]); err != nil {
			return nil, err
		}
	}
	taken, err := bulk.AnyExternalID(ctx, all)
	if err != nil {
		return nil, err
	}
	if taken {
		return nil, &ConflictError{ReasonUniqueness, "externalIds"}
	}
	if err := k.put(bulk, out); err != nil {
		return nil, err
	}
	for _, made := range out {
		k.note(made)
	}
	return out, nil
}
