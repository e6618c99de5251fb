package sqlstore

import (
	"context"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Refs implements [identitystore.RefReader]: one query for up to 512 ids.
func (r *reader) Refs(ctx context.Context, ids []string) ([]identitystore.Ref, error) {
	found := make(map[string]identitystore.Ref, len(ids))
	for chunk := range slices.Chunk(ids, batch) {
		size := max(padded(len(chunk)), len(chunk))
		args := []any{r.tid}
		for i := range size {
			args = append(args, chunk[min(i, len(chunk)-1)])
		}
		if err := r.refs(ctx, found, "SELECT pid, kind, id FROM principal WHERE tenant = ? AND state <> 'tombstone' AND id IN "+marks(size), args); err != nil {
			return nil, err
		}
	}
	out := make([]identitystore.Ref, 0, len(ids))
	for _, id := range ids {
		if ref, ok := found[id]; ok {
			out = append(out, ref)
		}
	}
	return out, nil
}

func (r *reader) refs(ctx context.Context, found map[string]identitystore.Ref, q string, args []any) error {
	rows, err := r.x.query(ctx, q, args...)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var pid int64
		var kind, id string
		if err := rows.Scan(&pid, &kind, &id); err != nil {
			return failed(err)
		}
		ref := identitystore.Ref{Key: identitystore.Key(pid), Kind: identitystore.KindGroup, ID: id}
		if kind == kindUser {
			ref.Kind = identitystore.KindUser
		}
		found[id] = ref
	}
	return failed(rows.Err())
}
