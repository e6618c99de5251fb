package identitystore

import "context"

// TouchGroup gives a group its next revision, once in a transaction, for callers to whom the direct members are part of
// the group's visible content.
func (tx *Tx) TouchGroup(ctx context.Context, id string) error {
	old, err := tx.GroupByID(ctx, id)
	if err != nil {
		return err
	}
	g := old.Clone()
	ref := Ref{g.Key, KindGroup, g.ID}
	tx.stamp(ref, old, &g.Audit)
	tx.after[ref] = g
	return tx.raw.PutGroup(ctx, g)
}
