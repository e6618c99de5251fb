package identitystore

import (
	"context"
	"errors"
	"slices"
)

// Hop is one edge of a [Path].
type Hop struct {
	From, To         string // ids
	FromName, ToName string
	Via              Via
}

// Path leads from a user to a group.
type Path []Hop

// Explain returns a shortest path over the stored edges from a user to a group, and [ErrNotFound] when there is none.
func (s *Service) Explain(ctx context.Context, userID, groupID string) (Path, error) {
	var out Path
	err := s.View(ctx, func(r Reader) error {
		var err error
		out, err = explain(ctx, r, s.cfg.DirectOnly, userID, groupID)
		return err
	})
	return out, err
}

func explain(ctx context.Context, r Reader, directOnly bool, userID, groupID string) (Path, error) {
	u, err := r.UserByID(ctx, userID)
	if err != nil {
		return nil, err
	}
	target, err := r.GroupByID(ctx, groupID)
	if err != nil {
		return nil, err
	}
	if _, err := r.Membership(ctx, target.Key, u.Key); err != nil {
		return nil, err // not a member, whatever edges there are
	}
	came := map[Key]Edge{u.Key: {}}
	frontier := []Key{u.Key}
	for len(frontier) > 0 {
		edges, err := r.ParentEdges(ctx, frontier)
		if err != nil {
			return nil, err
		}
		frontier = nil
		for _, e := range edges {
			if _, seen := came[e.Parent]; seen {
				continue
			}
			came[e.Parent] = e
			if e.Parent == target.Key {
				return namePathHops(ctx, r, u, came, target)
			}
			frontier = append(frontier, e.Parent)
		}
		if directOnly {
			break
		}
	}
	return nil, ErrNotFound
}

func namePathHops(ctx context.Context, r Reader, u *User, came map[Key]Edge, target *Group) (Path, error) {
	var keys []Key
	var edges []Edge
	for at := target.Key; at != u.Key; at = came[at].Child {
		edges = append(edges, came[at])
		keys = append(keys, at)
	}
	groups, err := r.Groups(ctx, keys)
	if err != nil {
		return nil, err
	}
	type named struct{ id, name string }
	of := map[Key]named{u.Key: {u.ID, u.UserName}}
	for _, g := range groups {
		of[g.Key] = named{g.ID, g.DisplayName}
	}
	var out Path
	for _, e := range slices.Backward(edges) {
		from, to := of[e.Child], of[e.Parent]
		out = append(out, Hop{from.id, to.id, from.name, to.name, e.Via})
	}
	return out, nil
}

// MembershipChange is one effective membership that a user gained or lost.
type MembershipChange struct {
	User, Group string // ids
	Gained      bool
}

// errRollback ends a transaction that must leave no trace.
var errRollback = errors.New("identitystore: simulated")

// Simulate returns the effective memberships that f's changes would give and take, in order of user and group. f works
// in a transaction that is rolled back: nothing is stored.
func (s *Service) Simulate(ctx context.Context, f func(*Tx) error) ([]MembershipChange, error) {
	var out []MembershipChange
	err := s.Update(ctx, Author{Actor: "simulation"}, func(tx *Tx) error {
		out = nil
		if err := f(tx); err != nil {
			return err
		}
		if err := tx.flattenDirty(ctx); err != nil {
			return err
		}
		for _, e := range tx.events {
			out = append(out, e.MembershipChanges()...)
		}
		return errRollback
	})
	if !errors.Is(err, errRollback) {
		return nil, err
	}
	slices.SortFunc(out, func(a, b MembershipChange) int {
		return slices.Compare([]string{a.User, a.Group}, []string{b.User, b.Group})
	})
	return out, nil
}
