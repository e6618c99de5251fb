package secondfactor

import (
	"context"
	"errors"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// ErrSeen is matched by the error of UseOnce for a key that was used before.
var ErrSeen = identitystore.ErrSeen

// Store keeps one sealed record for each person.
type Store interface {
	// Load returns the record of a person, nil when there is none.
	Load(ctx context.Context, id string) ([]byte, error)
	// Update replaces the record by what f makes of it; nil removes it. No other update of the record comes between. f may be
	// called again; its error ends the update without a change and is returned.
	Update(ctx context.Context, id string, f func(old []byte) ([]byte, error)) error
	// UseOnce remembers a key until a time: nil is the first use, an error that matches [ErrSeen] a later one.
	UseOnce(ctx context.Context, key [32]byte, until time.Time) error
}

// Documents keeps the records as documents of an identity store: in memory, SQLite or PostgreSQL.
type Documents struct {
	Store  identitystore.Store
	Tenant string // as identitystore.Service.Tenant gives it
}

const documentPrefix = "secondfactor/"

// Load returns the record of a person.
func (d Documents) Load(ctx context.Context, id string) (out []byte, err error) {
	err = d.Store.View(ctx, d.Tenant, func(r identitystore.Reader) error {
		out, err = document(ctx, r, id)
		return err
	})
	return out, err
}

func document(ctx context.Context, r identitystore.Reader, id string) ([]byte, error) {
	doc, err := r.Document(ctx, documentPrefix+id)
	if errors.Is(err, identitystore.ErrNotFound) {
		return nil, nil
	}
	return doc, err
}

// Update replaces the record of a person.
func (d Documents) Update(ctx context.Context, id string, f func(old []byte) ([]byte, error)) error {
	return d.Store.Update(ctx, d.Tenant, func(t identitystore.Txn) error {
		old, err := document(ctx, t, id)
		if err != nil {
			return err
		}
		doc, err := f(old)
		if err != nil {
			return err
		}
		return t.PutDocument(ctx, documentPrefix+id, doc)
	})
}

// UseOnce remembers a key.
func (d Documents) UseOnce(ctx context.Context, key [32]byte, until time.Time) error {
	return d.Store.UseOnce(ctx, key, until)
}
