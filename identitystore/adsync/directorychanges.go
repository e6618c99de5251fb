package adsync

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// ChangeReader is a [DirectoryReader] that can also tell changes; [*directory.Client] satisfies it.
type ChangeReader interface {
	DirectoryReader
	Changes(ctx context.Context, q directory.ChangeQuery, from directory.Cursor) (*directory.ChangeSet, directory.Cursor, error)
	CursorAt(q directory.ChangeQuery, w directory.Watermark) directory.Cursor
	ServerInfo(ctx context.Context, domain string) (directory.ServerInfo, error)
	Search(ctx context.Context, q directory.Query) iter.Seq2[*directory.Entry, error]
}

// changing is a directory that tells changes.
type changing struct {
	*directorySource
	client ChangeReader
}

// query asks for every user, group and container: scope is decided here, so that nothing leaves a filter unseen.
func (s *changing) query(domain string) directory.ChangeQuery {
	attrs := append(s.cfg.Mapping.LDAPAttributes(), s.extra()...)
	return directory.ChangeQuery{
		Domain: domain, Mode: s.cfg.Mode, Attributes: append(attrs, "primaryGroupID", "name", "parentGUID", "member"),
		Filter: directory.Or(
			directory.Eq("objectClass", "user"), directory.Eq("objectClass", "group"),
			directory.Eq("objectClass", "organizationalUnit"), directory.Eq("objectClass", "container"),
		),
	}
}

// Mark notes where each domain stands. With DirSync that takes a read of the whole domain; its answer is not used.
func (s *changing) Mark(ctx context.Context) (string, error) {
	out := map[string]directory.Cursor{}
	for _, d := range s.cfg.Domains {
		q := s.query(d)
		if s.cfg.Mode == directory.DirSync {
			_, next, err := s.client.Changes(ctx, q, directory.Cursor{})
			if errors.Is(err, directory.ErrServerChanged) { // a connection was older than the database: the next one is not
				_, next, err = s.client.Changes(ctx, q, directory.Cursor{})
			}
			if err != nil {
				return "", err
			}
			out[d] = next
			continue
		}
		info, err := s.client.ServerInfo(ctx, d)
		if err != nil {
			return "", err
		}
		if info.ID.IsZero() {
			return "", nil // no Active Directory: it cannot tell
		}
		out[d] = s.client.CursorAt(q, directory.Watermark{Domain: d, Server: info.ID, USN: info.HighestUSN})
	}
	text, err := json.Marshal(out)
	return string(text), err
}

// Changes asks every domain what happened since the mark.
func (s *changing) Changes(ctx context.Context, since string) (*Delta, error) {
	var from map[string]directory.Cursor
	if json.Unmarshal([]byte(since), &from) != nil || len(from) != len(s.cfg.Domains) {
		return nil, ErrFullRead
	}
	out, next := &Delta{}, map[string]directory.Cursor{}
	for _, d := range s.cfg.Domains {
		cursor, ok := from[d]
		if !ok || cursor.IsZero() {
			return nil, ErrFullRead
		}
		set, after, err := s.client.Changes(ctx, s.query(d), cursor)
		if errors.Is(err, directory.ErrFullReadNeeded) || errors.Is(err, directory.ErrServerChanged) {
			return nil, ErrFullRead
		}
		if err != nil {
			return nil, err
		}
		next[d] = after
		if err := s.translate(ctx, d, set, out); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(next)
	out.Mark = string(text)
	return out, err
}

func (s *changing) translate(ctx context.Context, domain string, set *directory.ChangeSet, out *Delta) error {
	var again []string
	for _, c := range set.Changed {
		switch c.Entry.Kind {
		case directory.KindOU: // the objects below it have other names now
			return ErrFullRead
		case directory.KindUser, directory.KindGroup:
		default:
			if c.Whole || c.Entry.Has("objectClass") {
				continue
			}
		}
		if !c.Whole {
			again = append(again, c.Entry.GUID)
			continue
		}
		if err := s.whole(c.Entry, out); err != nil {
			return err
		}
	}
	for _, l := range set.Links {
		added, err := guids(l.Added)
		if err != nil {
			return err
		}
		removed, err := guids(l.Removed)
		if err != nil {
			return err
		}
		out.Members = append(out.Members, MemberDelta{Group: l.Group, Added: added, Removed: removed, Whole: l.Whole})
	}
	for _, e := range set.Deleted {
		out.Deleted = append(out.Deleted, e.GUID)
	}
	return s.again(ctx, domain, again, out)
}

// whole takes an entry with all its attributes, the member list of a group among them.
func (s *changing) whole(e *directory.Entry, out *Delta) error {
	s.entry(e, out)
	if e.Kind != directory.KindGroup {
		return nil
	}
	var list []directory.ExtendedDN
	for _, m := range e.Strings("member") {
		x, err := directory.ParseExtendedDN(m)
		if err != nil {
			return ErrFullRead
		}
		list = append(list, x)
	}
	members, err := guids(list)
	if err != nil {
		return err
	}
	out.Members = append(out.Members, MemberDelta{Group: e.GUID, Added: members, Whole: true})
	return nil
}

func (s *changing) entry(e *directory.Entry, out *Delta) {
	switch e.Kind {
	case directory.KindUser:
		o := s.user(e, s.cfg.Now())
		if rid, ok := e.Int("primaryGroupID"); ok && rid > 0 {
			if domain, _, err := sid.Split(e.SID); err == nil {
				o.PrimaryGroup = sid.Join(domain, uint32(rid)) //nolint:gosec // a RID has 32 bits
			}
		}
		out.Objects = append(out.Objects, o)
	case directory.KindGroup:
		out.Objects = append(out.Objects, object(e, KindGroup, e.GroupName()))
	default: // computers, contacts and the like are in no scope
	}
}

// lookups bounds how many objects one search asks for.
const lookups = 50

// again reads the whole present form of objects of which a change named a part.
func (s *changing) again(ctx context.Context, domain string, list []string, out *Delta) error {
	attrs := append(s.cfg.Mapping.LDAPAttributes(), s.extra()...)
	for batch := range slices.Chunk(list, lookups) {
		filters := make([]directory.Filter, len(batch))
		for i, g := range batch {
			filters[i] = directory.ByGUID(g)
		}
		for e, err := range s.client.Search(ctx, directory.Query{Domain: domain, Filter: directory.Or(filters...), Attributes: append(attrs, "primaryGroupID")}) {
			if err != nil {
				return err
			}
			if e.Kind == directory.KindOU {
				return ErrFullRead
			}
			s.entry(e, out)
		}
	}
	return nil
}

// guids returns the keys of list entries. Those from other domains need a look that only a full read takes.
func guids(list []directory.ExtendedDN) ([]string, error) {
	out := make([]string, 0, len(list))
	for _, x := range list {
		if x.GUID == "" || strings.Contains(strings.ToLower(x.DN), ",cn=foreignsecurityprincipals,") {
			return nil, ErrFullRead
		}
		out = append(out, x.GUID)
	}
	return out, nil
}
