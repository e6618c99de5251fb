package identitystore

import (
	"cmp"
	"context"
	"slices"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// The indexes of memory for [LookupReader]. Addresses that are not the primary one stand apart from those that are.

var _ LookupReader = (*memReader)(nil)

// extKey finds external ids whatever their issuer.
type extKey struct{ id, issuer string }

// otherEmails returns the folded addresses of a user that are not the primary one, each once.
func otherEmails(u *User) []string {
	if len(u.Emails) < 2 {
		return nil
	}
	primary := fold.Key(u.Email())
	var out []string
	for _, e := range u.Emails {
		if f := fold.Key(e.Value); e.Value != "" && f != primary && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func (t *memTxn) indexEmails(u *User) {
	for _, f := range otherEmails(u) {
		t.s.otherEmails.set(t.o, emailKey{f, u.Key}, u)
	}
}

func (t *memTxn) unindexEmails(u *User) {
	for _, f := range otherEmails(u) {
		t.s.otherEmails.del(t.o, emailKey{f, u.Key})
	}
}

// UsersByAnyEmail implements [LookupReader].
func (r *memReader) UsersByAnyEmail(_ context.Context, folded string, limit int) ([]*User, error) {
	var out []*User
	s := r.state()
	for _, list := range []*plist[emailKey, *User]{&s.emails, &s.otherEmails} {
		n := 0
		list.from(emailKey{folded, 0}, func(k emailKey, u *User) bool {
			if k.fold != folded || n >= limit {
				return false
			}
			n++
			out = append(out, u)
			return true
		})
	}
	slices.SortFunc(out, func(a, b *User) int { return cmp.Compare(a.Key, b.Key) })
	return out[:min(limit, len(out))], nil
}

// RefsByExternalID implements [LookupReader].
func (r *memReader) RefsByExternalID(_ context.Context, id string) ([]Ref, error) {
	var out []Ref
	s := r.state()
	s.extIDs.from(extKey{id: id}, func(k extKey, ref Ref) bool {
		if k.id == id {
			out = append(out, ref)
		}
		return k.id == id
	})
	slices.SortFunc(out, func(a, b Ref) int { return cmp.Compare(a.Key, b.Key) })
	return slices.Compact(out), nil
}

// DirectMembers implements [LookupReader].
func (r *memReader) DirectMembers(_ context.Context, group Key) ([]Ref, error) {
	var out []Ref
	s := r.state()
	s.down.from(edgeKey{a: group}, func(k edgeKey, kind Kind) bool {
		if k.a != group {
			return false
		}
		if n := len(out); n > 0 && out[n-1].Key == k.b {
			return true // an edge of another kind
		}
		if rec, ok := s.byKey.get(k.b); ok {
			ref := Ref{Key: k.b, Kind: kind}
			if rec.user != nil {
				ref.ID = rec.user.ID
			} else {
				ref.ID = rec.group.ID
			}
			out = append(out, ref)
		}
		return true
	})
	return out, nil
}

// Records implements [LookupReader].
func (r *memReader) Records(context.Context) (users, groups int, err error) {
	s := r.state()
	return s.users.n, s.groups.n, nil
}
