package identitystore

import (
	"context"
	"time"
)

// Past collects versions and memberships, and keeps those of one moment. Implementations of [Store] use it for AsOf.
//
// The reader that it makes answers every question of names, ids, lists and memberships. Its edges are the direct
// memberships of that time; documents and leases are not kept.
type Past struct {
	at    time.Time
	state *memState
	tx    *memTxn
}

// NewPast returns an empty collection for the moment t.
func NewPast(t time.Time) *Past {
	s := newMemState()
	return &Past{at: t, state: s, tx: &memTxn{memReader: memReader{fixed: s}, s: s, o: new(owner)}}
}

func (p *Past) covers(from, to time.Time) bool {
	return !from.After(p.at) && (to.IsZero() || p.at.Before(to))
}

// Add offers a version of a record; a present version has no To.
func (p *Past) Add(ctx context.Context, v Version) {
	if !p.covers(v.From, v.To) {
		return
	}
	// Unique names held at each commit, so they hold here; were a store to break that, the first one would stay.
	if v.User != nil {
		u := *v.User
		u.Key = v.Key
		_ = p.tx.PutUser(ctx, &u)
		return
	}
	g := *v.Group
	g.Key = v.Key
	_ = p.tx.PutGroup(ctx, &g)
}

// AddMembership offers a membership that ended at to, or has not ended. Versions come first.
func (p *Past) AddMembership(ctx context.Context, m Membership, to time.Time) {
	if !p.covers(m.CreatedAt, to) {
		return
	}
	_ = p.tx.PutMemberships(ctx, []Membership{m})
	if m.Direct {
		_ = p.tx.PutEdges(ctx, []Edge{{Parent: m.Group, Child: m.User, Via: ViaMember, ChildKind: KindUser}})
	}
}

// Reader returns the reader.
func (p *Past) Reader() Reader { return &memReader{fixed: p.state} }
