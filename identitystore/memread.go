package identitystore

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
)

// memReader reads one snapshot, or the newest at each call.
type memReader struct {
	live  *atomic.Pointer[memState]
	fixed *memState
}

func (r *memReader) state() *memState {
	if r.fixed != nil {
		return r.fixed
	}
	return r.live.Load()
}

func (r *memReader) UserByID(_ context.Context, id string) (*User, error) {
	if rec := r.state().byID.get(id); rec != nil && rec.user != nil {
		return rec.user, nil
	}
	return nil, ErrNotFound
}

func (r *memReader) GroupByID(_ context.Context, id string) (*Group, error) {
	if rec := r.state().byID.get(id); rec != nil && rec.group != nil {
		return rec.group, nil
	}
	return nil, ErrNotFound
}

func (r *memReader) UserByName(_ context.Context, folded string) (*User, error) {
	if u := r.state().userNames.get(folded); u != nil {
		return u, nil
	}
	return nil, ErrNotFound
}

func (r *memReader) GroupByName(_ context.Context, folded string) (*Group, error) {
	if g := r.state().groupNames.get(folded); g != nil {
		return g, nil
	}
	return nil, ErrNotFound
}

func (r *memReader) UsersByEmail(_ context.Context, folded string, limit int) ([]*User, error) {
	var out []*User
	s := r.state()
	s.emails.from(emailKey{folded, 0}, func(k emailKey, u *User) bool {
		if k.fold != folded || len(out) >= limit {
			return false
		}
		out = append(out, u)
		return true
	})
	return out, nil
}

func (r *memReader) SharedEmails(_ context.Context, folded []string) ([]string, error) {
	var out []string
	s := r.state()
	for _, f := range folded {
		n := 0
		s.emails.from(emailKey{f, 0}, func(k emailKey, _ *User) bool {
			if k.fold == f {
				n++
			}
			return k.fold == f && n < 2
		})
		if n > 1 {
			out = append(out, f)
		}
	}
	return out, nil
}

func (r *memReader) Lookup(_ context.Context, by By, scope, value string) (Ref, error) {
	if rec := r.state().lookup(by, scope, value); rec != nil {
		return rec.ref(), nil
	}
	return Ref{}, ErrNotFound
}

// UserBy implements [UserReader].
func (r *memReader) UserBy(_ context.Context, by By, scope, value string) (*User, error) {
	if rec := r.state().lookup(by, scope, value); rec != nil && rec.user != nil {
		return rec.user, nil
	}
	return nil, ErrNotFound
}

func (s *memState) lookup(by By, scope, value string) (rec *memRecord) {
	switch by {
	case ByGUID:
		rec, _ = s.guids.get([2]string{scope, value})
	case BySID:
		rec = s.sids.get(value)
	case ByExternalID:
		rec, _ = s.exts.get(ExternalID{scope, value})
	}
	return rec
}

func (r *memReader) Users(_ context.Context, keys []Key) ([]*User, error) {
	s := r.state()
	var out []*User
	for _, k := range sortedKeys(keys) {
		if rec, ok := s.byKey.get(k); ok && rec.user != nil {
			out = append(out, rec.user)
		}
	}
	return out, nil
}

func (r *memReader) Groups(_ context.Context, keys []Key) ([]*Group, error) {
	s := r.state()
	var out []*Group
	for _, k := range sortedKeys(keys) {
		if rec, ok := s.byKey.get(k); ok && rec.group != nil {
			out = append(out, rec.group)
		}
	}
	return out, nil
}

func sortedKeys(keys []Key) []Key {
	if slices.IsSorted(keys) {
		return slices.Compact(slices.Clone(keys))
	}
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (r *memReader) ListUsers(_ context.Context, afterID string, limit int) ([]*User, error) {
	var out []*User
	s := r.state()
	s.users.from(afterID, func(id string, u *User) bool {
		if id != afterID && len(out) < limit {
			out = append(out, u)
		}
		return len(out) < limit
	})
	return out, nil
}

func (r *memReader) ListGroups(_ context.Context, afterID string, limit int) ([]*Group, error) {
	var out []*Group
	s := r.state()
	s.groups.from(afterID, func(id string, g *Group) bool {
		if id != afterID && len(out) < limit {
			out = append(out, g)
		}
		return len(out) < limit
	})
	return out, nil
}

func (r *memReader) Tombstones(_ context.Context, after Key, limit int) ([]Ref, error) {
	var out []Ref
	s := r.state()
	s.tombs.from(after+1, func(_ Key, ref Ref) bool {
		out = append(out, ref)
		return len(out) < limit
	})
	return out, nil
}

func (r *memReader) MembershipByID(_ context.Context, id string) (Membership, error) {
	s := r.state()
	if packed, ok := packUUID(id); ok {
		if key, ok := s.memIDs.get(packed); ok {
			m, _ := s.byUser.get(key)
			return s.membership(key, m), nil
		}
	}
	return Membership{}, ErrNotFound
}

func (r *memReader) Membership(_ context.Context, group, user Key) (Membership, error) {
	s := r.state()
	key := [2]Key{user, group}
	if m, ok := s.byUser.get(key); ok {
		return s.membership(key, m), nil
	}
	return Membership{}, ErrNotFound
}

func (r *memReader) Members(_ context.Context, group, after Key, limit int) ([]Membership, error) {
	var out []Membership
	s := r.state()
	s.byGroup.from([2]Key{group, after + 1}, func(k [2]Key, _ struct{}) bool {
		if k[0] != group || len(out) >= limit {
			return false
		}
		m, _ := s.byUser.get([2]Key{k[1], group})
		out = append(out, s.membership([2]Key{k[1], group}, m))
		return true
	})
	return out, nil
}

func (r *memReader) MembershipsOf(_ context.Context, user, after Key, limit int) ([]Membership, error) {
	var out []Membership
	s := r.state()
	s.byUser.from([2]Key{user, after + 1}, func(k [2]Key, m memMembership) bool {
		if k[0] != user || len(out) >= limit {
			return false
		}
		out = append(out, s.membership(k, m))
		return true
	})
	return out, nil
}

func (r *memReader) MembershipsOfUsers(_ context.Context, users []Key) ([]Membership, error) {
	var out []Membership
	s := r.state()
	for _, u := range sortedKeys(users) {
		s.byUser.from([2]Key{u, 0}, func(k [2]Key, m memMembership) bool {
			if k[0] == u {
				out = append(out, s.membership(k, m))
			}
			return k[0] == u
		})
	}
	return out, nil
}

func (r *memReader) InGroups(_ context.Context, user Key, groupIDs []string) ([]bool, error) {
	s := r.state()
	out := make([]bool, len(groupIDs))
	for i, id := range groupIDs {
		if rec := s.byID.get(id); rec != nil && rec.group != nil {
			_, out[i] = s.byUser.get([2]Key{user, rec.group.Key})
		}
	}
	return out, nil
}

func (r *memReader) ParentEdges(_ context.Context, children []Key) ([]Edge, error) {
	var out []Edge
	s := r.state()
	for _, c := range sortedKeys(children) {
		s.up.from(edgeKey{a: c}, func(k edgeKey, kind Kind) bool {
			if k.a == c {
				out = append(out, Edge{Parent: k.b, Child: c, Via: k.via, ChildKind: kind})
			}
			return k.a == c
		})
	}
	return out, nil
}

func (r *memReader) ChildEdges(_ context.Context, parents []Key) ([]Edge, error) {
	var out []Edge
	s := r.state()
	for _, p := range sortedKeys(parents) {
		s.down.from(edgeKey{a: p}, func(k edgeKey, kind Kind) bool {
			if k.a == p {
				out = append(out, Edge{Parent: p, Child: k.b, Via: k.via, ChildKind: kind})
			}
			return k.a == p
		})
	}
	return out, nil
}

func (r *memReader) Document(_ context.Context, name string) ([]byte, error) {
	if doc, ok := r.state().docs.get(name); ok {
		return slices.Clone(doc), nil
	}
	return nil, ErrNotFound
}

func (r *memReader) Documents(_ context.Context, prefix string) ([]string, error) {
	var out []string
	s := r.state()
	s.docs.all(func(k string, _ []byte) bool {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
		return true
	})
	slices.Sort(out)
	return out, nil
}

func (r *memReader) Lease(_ context.Context, name string) (Lease, error) {
	if l, ok := r.state().leases.get(name); ok {
		return l, nil
	}
	return Lease{}, ErrNotFound
}

func (r *memReader) Counts(context.Context) (Counts, error) {
	s := r.state()
	return Counts{Users: s.users.n, Groups: s.groups.n, Memberships: s.byUser.n, Edges: s.up.n}, nil
}

func (r *memReader) LastSeq(context.Context) (int64, error) { return r.state().lastSeq, nil }
