package adsync

import (
	"cmp"
	"context"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// readBatch bounds how many records are read at once.
const readBatch = 500

// stored is what the identity store holds before a plan.
type stored struct {
	users  map[string]*identitystore.User  // of our source, by GUID, tombstones included
	groups map[string]*identitystore.Group // of our source, by GUID, tombstones included

	guidOf map[identitystore.Key]string // of our source's records

	userNames, groupNames, emails, externals map[string]identitystore.Key // folded, of all live records
	base                                     string
	held                                     identitystore.Holdings
}

func newStored() *stored {
	return &stored{
		users: map[string]*identitystore.User{}, groups: map[string]*identitystore.Group{}, guidOf: map[identitystore.Key]string{},
		userNames: map[string]identitystore.Key{}, groupNames: map[string]identitystore.Key{},
		emails: map[string]identitystore.Key{}, externals: map[string]identitystore.Key{},
	}
}

// loadSize reads how much the store holds, and its last change.
func (s *stored) loadSize(ctx context.Context, r identitystore.Reader) error {
	seq, err := r.LastSeq(ctx)
	if err != nil {
		return err
	}
	s.base = baseText(seq)
	counts, err := r.Counts(ctx)
	s.held = identitystore.Holdings{Users: counts.Users, Groups: counts.Groups, Memberships: counts.Memberships, GroupSize: map[string]int{}}
	return err
}

// loadOne reads one record, if it is of our source.
func (s *stored) loadOne(ctx context.Context, r identitystore.Reader, ref identitystore.Ref, source string) error {
	if ref.Kind == identitystore.KindUser {
		users, err := r.Users(ctx, []identitystore.Key{ref.Key})
		for _, u := range users {
			s.addUser(u, source)
		}
		return err
	}
	groups, err := r.Groups(ctx, []identitystore.Key{ref.Key})
	for _, g := range groups {
		s.addGroup(g, source)
	}
	return err
}

// load reads all records, but no memberships.
func load(ctx context.Context, r identitystore.Reader, source string) (*stored, error) {
	s := newStored()
	if err := s.loadSize(ctx, r); err != nil {
		return nil, err
	}
	if err := s.loadUsers(ctx, r, source); err != nil {
		return nil, err
	}
	if err := s.loadGroups(ctx, r, source); err != nil {
		return nil, err
	}
	return s, s.loadTombstones(ctx, r, source)
}

func (s *stored) loadUsers(ctx context.Context, r identitystore.Reader, source string) error {
	for after := ""; ; {
		page, err := r.ListUsers(ctx, after, readBatch)
		if err != nil {
			return err
		}
		for _, u := range page {
			after = u.ID
			s.userNames[fold.Key(u.UserName)] = u.Key
			if e := u.Email(); e != "" {
				s.emails[fold.Key(e)] = u.Key
			}
			if x := u.ExternalID(source); x != "" {
				s.externals[x] = u.Key
			}
			s.addUser(u, source)
		}
		if len(page) < readBatch {
			return nil
		}
	}
}

func (s *stored) addUser(u *identitystore.User, source string) {
	if u.Link.Source == source && u.Link.GUID != "" {
		s.users[u.Link.GUID] = u
		s.guidOf[u.Key] = u.Link.GUID
	}
}

func (s *stored) loadGroups(ctx context.Context, r identitystore.Reader, source string) error {
	for after := ""; ; {
		page, err := r.ListGroups(ctx, after, readBatch)
		if err != nil {
			return err
		}
		for _, g := range page {
			after = g.ID
			s.groupNames[fold.Key(g.DisplayName)] = g.Key
			s.addGroup(g, source)
		}
		if len(page) < readBatch {
			return nil
		}
	}
}

func (s *stored) addGroup(g *identitystore.Group, source string) {
	if g.Link.Source == source && g.Link.GUID != "" {
		s.groups[g.Link.GUID] = g
		s.guidOf[g.Key] = g.Link.GUID
	}
}

func (s *stored) loadTombstones(ctx context.Context, r identitystore.Reader, source string) error {
	for after := identitystore.Key(0); ; {
		refs, err := r.Tombstones(ctx, after, readBatch)
		if err != nil || len(refs) == 0 {
			return err
		}
		var users, groups []identitystore.Key
		for _, ref := range refs {
			after = max(after, ref.Key)
			if ref.Kind == identitystore.KindUser {
				users = append(users, ref.Key)
			} else {
				groups = append(groups, ref.Key)
			}
		}
		us, err := r.Users(ctx, users)
		if err != nil {
			return err
		}
		for _, u := range us {
			s.addUser(u, source)
		}
		gs, err := r.Groups(ctx, groups)
		if err != nil {
			return err
		}
		for _, g := range gs {
			s.addGroup(g, source)
		}
	}
}

// record is a stored user or group, whatever its kind.
type record struct {
	kind Kind
	key  identitystore.Key
	id   string
	name string
	link *identitystore.Link
	user *identitystore.User
}

func (s *stored) record(guid string) (record, bool) {
	if u, ok := s.users[guid]; ok {
		return record{KindUser, u.Key, u.ID, u.UserName, &u.Link, u}, true
	}
	if g, ok := s.groups[guid]; ok {
		return record{KindGroup, g.Key, g.ID, g.DisplayName, &g.Link, nil}, true
	}
	return record{}, false
}

// all returns our source's records in order of GUID.
func (s *stored) all() []string {
	out := make([]string, 0, len(s.users)+len(s.groups))
	for g := range s.users {
		out = append(out, g)
	}
	for g := range s.groups {
		out = append(out, g)
	}
	slices.Sort(out)
	return out
}

// edges returns the edges below the groups of our source that a directory made, by parent and child GUID.
func (s *stored) edges(ctx context.Context, r identitystore.Reader) (map[Edge]bool, error) {
	keys := make([]identitystore.Key, 0, len(s.groups))
	for _, g := range s.groups {
		keys = append(keys, g.Key)
	}
	slices.Sort(keys)
	out := map[Edge]bool{}
	for batch := range slices.Chunk(keys, readBatch) {
		edges, err := r.ChildEdges(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, e := range edges {
			if fromDirectory(e.Via) && s.guidOf[e.Child] != "" {
				out[Edge{s.guidOf[e.Parent], s.guidOf[e.Child], string(e.Via)}] = true
			}
		}
	}
	return out, nil
}

func fromDirectory(v identitystore.Via) bool {
	return v == identitystore.ViaMember || v == identitystore.ViaPrimary || v == identitystore.ViaForeign
}

// memberships calls f with each user of our source, in order of GUID, and that user's memberships in our groups.
func (s *stored) memberships(ctx context.Context, r identitystore.Reader, f func(guid string, have []identitystore.Membership)) error {
	users := make([]*identitystore.User, 0, len(s.users))
	for _, u := range s.users {
		users = append(users, u)
	}
	slices.SortFunc(users, func(a, b *identitystore.User) int { return cmp.Compare(a.Key, b.Key) })
	for batch := range slices.Chunk(users, readBatch) {
		keys := make([]identitystore.Key, len(batch))
		for i, u := range batch {
			keys[i] = u.Key
		}
		rows, err := r.MembershipsOfUsers(ctx, keys) // in order of user
		if err != nil {
			return err
		}
		for _, u := range batch {
			n := 0
			for n < len(rows) && rows[n].User == u.Key {
				n++
			}
			f(u.Link.GUID, rows[:n])
			rows = rows[n:]
		}
	}
	return nil
}
