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
	Now(ctx context.Context, q directory.ChangeQuery) (directory.Cursor, error)
	Search(ctx context.Context, q directory.Query) iter.Seq2[*directory.Entry, error]
}

// changing is a directory that tells changes.
type changing struct {
	*directorySource
	client ChangeReader
}

// cursors are where the changes of one domain go on. With sequence numbers a changed group says nothing about its
// members but the whole list; Links asks for the changed members alone, where the server tells them.
type cursors struct {
	Objects directory.Cursor `json:"objects"`
	Links   directory.Cursor `json:"links,omitzero"`
}

// query asks for every user, group and container: scope is decided here, so that nothing leaves a filter unseen.
func (s *changing) query(domain string, members bool) directory.ChangeQuery {
	attrs := append(s.cfg.Mapping.LDAPAttributes(), s.extra()...)
	attrs = append(attrs, "primaryGroupID", "name", "parentGUID", "memberOf")
	if members {
		attrs = append(attrs, "member")
	}
	return directory.ChangeQuery{
		Domain: domain, Mode: s.cfg.Mode, Attributes: attrs,
		Filter: directory.Or(
			directory.Eq("objectClass", "user"), directory.Eq("objectClass", "group"),
			directory.Eq("objectClass", "organizationalUnit"), directory.Eq("objectClass", "container"),
		),
	}
}

// linkQuery asks for changed members only, as far as our account may read them: that needs no special right.
func (s *changing) linkQuery(domain string) directory.ChangeQuery {
	return directory.ChangeQuery{
		Domain: domain, Mode: directory.DirSync, ObjectSecurity: true, Attributes: []string{"member"}, Filter: directory.Eq("objectClass", "group"),
	}
}

// Mark notes where each domain stands. It reads no objects.
func (s *changing) Mark(ctx context.Context) (string, error) {
	out := map[string]cursors{}
	for _, d := range s.cfg.Domains {
		at, err := s.mark(ctx, d)
		if errors.Is(err, directory.ErrFullReadNeeded) {
			return "", nil // no Active Directory: it cannot tell
		}
		if err != nil {
			return "", err
		}
		out[d] = at
	}
	text, err := json.Marshal(out)
	return string(text), err
}

func (s *changing) mark(ctx context.Context, domain string) (at cursors, err error) {
	if s.cfg.Mode == directory.ByUSN {
		if at.Links, err = s.client.Now(ctx, s.linkQuery(domain)); refused(err) {
			at.Links, err = directory.Cursor{}, nil
		}
	}
	if err == nil {
		at.Objects, err = s.client.Now(ctx, s.query(domain, at.Links.IsZero()))
	}
	return at, err
}

// refused reports whether the server answered that it does not do this for us.
func refused(err error) bool {
	_, ok := errors.AsType[*directory.ResultError](err)
	return ok
}

// Changes asks every domain what happened since the mark.
func (s *changing) Changes(ctx context.Context, since string) (*Delta, error) {
	var from map[string]cursors
	if json.Unmarshal([]byte(since), &from) != nil || len(from) != len(s.cfg.Domains) {
		return nil, ErrFullRead
	}
	out, next := &Delta{}, map[string]cursors{}
	for _, d := range s.cfg.Domains {
		at, ok := from[d]
		if !ok || at.Objects.IsZero() {
			return nil, ErrFullRead
		}
		after, err := s.changed(ctx, d, at, out)
		if errors.Is(err, directory.ErrFullReadNeeded) || errors.Is(err, directory.ErrServerChanged) {
			return nil, ErrFullRead
		}
		if err != nil {
			return nil, err
		}
		next[d] = after
	}
	text, err := json.Marshal(next)
	out.Mark = string(text)
	return out, err
}

// changed adds the changes of one domain. Members are asked first: whoever comes into a group between the two questions
// is told by the next answer.
func (s *changing) changed(ctx context.Context, domain string, at cursors, out *Delta) (next cursors, err error) {
	if !at.Links.IsZero() {
		var set *directory.ChangeSet
		if set, next.Links, err = s.client.Changes(ctx, s.linkQuery(domain), at.Links); err != nil {
			if refused(err) {
				err = ErrFullRead // no longer: the next full read finds another way
			}
			return next, err
		}
		if err := addLinks(set, out); err != nil {
			return next, err
		}
	}
	set, after, err := s.client.Changes(ctx, s.query(domain, at.Links.IsZero()), at.Objects)
	if err != nil {
		return next, err
	}
	next.Objects = after
	return next, s.translate(ctx, domain, set, out, at.Links.IsZero())
}

// addLinks takes changed members.
func addLinks(set *directory.ChangeSet, out *Delta) error {
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
	return nil
}

func (s *changing) translate(ctx context.Context, domain string, set *directory.ChangeSet, out *Delta, members bool) error {
	var again, containers []string
	for _, c := range set.Changed {
		switch c.Entry.Kind {
		case directory.KindOU:
			containers = append(containers, c.Entry.GUID)
			continue
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
		if err := s.whole(c.Entry, out, members); err != nil {
			return err
		}
	}
	if err := addLinks(set, out); err != nil {
		return err
	}
	for _, e := range set.Deleted {
		out.Deleted = append(out.Deleted, e.GUID)
	}
	more, err := s.again(ctx, domain, again, out)
	if err != nil {
		return err
	}
	return s.below(ctx, domain, append(containers, more...), out)
}

// whole takes an entry with all its attributes, the member list of a group among them if it was asked.
func (s *changing) whole(e *directory.Entry, out *Delta, members bool) error {
	s.entry(e, out)
	if e.Kind != directory.KindGroup || !members {
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
	all, err := guids(list)
	if err != nil {
		return err
	}
	out.Members = append(out.Members, MemberDelta{Group: e.GUID, Added: all, Whole: true})
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
		o.MemberOf = memberOf(e)
		out.Objects = append(out.Objects, o)
	case directory.KindGroup:
		o := object(e, KindGroup, e.GroupName())
		o.MemberOf = memberOf(e)
		out.Objects = append(out.Objects, o)
	default: // computers, contacts and the like are in no scope
	}
}

// memberOf returns the groups of the object's own domain that list it.
func memberOf(e *directory.Entry) []string {
	var out []string
	for _, m := range e.Strings("memberOf") {
		if x, err := directory.ParseExtendedDN(m); err == nil && x.GUID != "" {
			out = append(out, x.GUID)
		}
	}
	return out
}

// lookups bounds how many objects one search asks for.
const lookups = 50

// attributes of a user or group that is read again.
func (s *changing) attributes() []string {
	return slices.Concat(s.cfg.Mapping.LDAPAttributes(), s.extra(), []string{"primaryGroupID", "memberOf", "lastKnownParent"})
}

// again reads the whole present form of objects of which a change named a part. It returns the containers among them.
func (s *changing) again(ctx context.Context, domain string, list []string, out *Delta) (containers []string, err error) {
	for batch := range slices.Chunk(list, lookups) {
		filters := make([]directory.Filter, len(batch))
		for i, g := range batch {
			filters[i] = directory.ByGUID(g)
		}
		for e, err := range s.client.Search(ctx, directory.Query{Domain: domain, Filter: directory.Or(filters...), Attributes: s.attributes()}) {
			if err != nil {
				return nil, err
			}
			if e.Kind == directory.KindOU {
				containers = append(containers, e.GUID)
				continue
			}
			s.entry(e, out)
		}
	}
	return containers, nil
}

// below reads what lies below changed containers: when one is renamed or moved, the names of all objects in it change
// without a sign on these.
func (s *changing) below(ctx context.Context, domain string, containers []string, out *Delta) error {
	filter := directory.Or(directory.Eq("objectClass", "user"), directory.Eq("objectClass", "group"))
	for _, guid := range containers {
		for e, err := range s.client.Search(ctx, directory.Query{Domain: domain, Base: "<GUID=" + guid + ">", Filter: filter, Attributes: s.attributes()}) {
			if errors.Is(err, directory.ErrNotFound) {
				break // deleted since: it was empty then
			}
			if err != nil {
				return err
			}
			if s.entry(e, out); len(out.Objects) > maxDelta {
				return ErrFullRead
			}
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
