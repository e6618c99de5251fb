package identitystore

import "context"

// LookupReader is what a [Reader] may offer besides, so that questions of provisioning clients need no walk through the
// store. The readers of [Memory] and of package sqlstore do.
type LookupReader interface {
	// UsersByAnyEmail returns the users with that folded address, primary or not, in order of key.
	UsersByAnyEmail(ctx context.Context, folded string, limit int) ([]*User, error)
	// RefsByExternalID returns the users and groups to which any issuer has given that id, in order of key.
	RefsByExternalID(ctx context.Context, id string) ([]Ref, error)
	// DirectMembers returns the children of a group, each once, in order of key.
	DirectMembers(ctx context.Context, group Key) ([]Ref, error)
	// Records returns how many users and groups there are, without tombstones, as [Counts] does with more work.
	Records(ctx context.Context) (users, groups int, err error)
}

// Lookups returns the reader's [LookupReader], also that of a transaction; nil when there is none.
func Lookups(r Reader) LookupReader {
	if tx, ok := r.(*Tx); ok {
		r = tx.Reader
	}
	l, _ := r.(LookupReader)
	return l
}
