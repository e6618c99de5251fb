package adsync

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
)

// links compares changed member lists with the stored edges.
func (t *tracer) links(ctx context.Context) error {
	for _, m := range t.delta.Members {
		group, ok, err := t.inScope(ctx, m.Group)
		if err != nil {
			return err
		}
		if !ok || t.gone[m.Group] != "" {
			continue
		}
		if m.Whole {
			if m, err = t.compareList(ctx, group, m); err != nil {
				return err
			}
		}
		for _, c := range m.Removed {
			have, err := t.hasMember(ctx, m.Group, c)
			if err != nil {
				return err
			}
			if have {
				t.removed[Edge{m.Group, c, "member"}] = true
			}
		}
		for _, c := range m.Added {
			have, err := t.hasMember(ctx, m.Group, c)
			if err != nil {
				return err
			}
			if !have && t.gone[c] != Deleted {
				t.add(Edge{m.Group, c, "member"})
			}
		}
	}
	return nil
}

// compareList turns a whole list into what was added and removed. Foreign members come as edges of their own kind, which
// a list of local objects cannot tell apart from removed ones.
func (t *tracer) compareList(ctx context.Context, group record, m MemberDelta) (MemberDelta, error) {
	edges, err := t.r.ChildEdges(ctx, []identitystore.Key{group.key})
	if err != nil {
		return m, err
	}
	left := map[string]bool{}
	for _, c := range m.Added {
		left[c] = true
	}
	out := MemberDelta{Group: m.Group}
	for _, e := range edges {
		switch {
		case e.Via == identitystore.ViaForeign:
			return m, ErrFullRead
		case e.Via != identitystore.ViaMember:
			continue
		}
		child, err := t.guid(ctx, e.Child, e.ChildKind)
		if err != nil {
			return m, err
		}
		if !left[child] {
			out.Removed = append(out.Removed, child)
		}
		delete(left, child)
	}
	out.Added = slices.Sorted(maps.Keys(left))
	return out, nil
}

func (t *tracer) hasMember(ctx context.Context, group, child string) (bool, error) {
	rec, ok, err := t.record(ctx, child)
	if err != nil || !ok {
		return false, err
	}
	edges, err := t.r.ParentEdges(ctx, []identitystore.Key{rec.key})
	if err != nil {
		return false, err
	}
	g, _, err := t.record(ctx, group)
	if err != nil {
		return false, err
	}
	for _, e := range edges {
		if e.Parent == g.key && e.Via == identitystore.ViaForeign {
			return false, ErrFullRead
		}
		if e.Parent == g.key && e.Via == identitystore.ViaMember {
			return true, nil
		}
	}
	return false, nil
}

// returned finds the edges of objects that are not in scope and changed: one that was restored is a member again of
// groups that did not change.
func (t *tracer) returned(ctx context.Context) error {
	for _, o := range t.objectsNow {
		_, known, err := t.inScope(ctx, o.GUID)
		if err != nil {
			return err
		}
		if known || t.gone[o.GUID] != "" {
			continue
		}
		for _, group := range o.MemberOf {
			_, ok, err := t.inScope(ctx, group)
			if err != nil {
				return err
			}
			if edge := (Edge{group, o.GUID, "member"}); ok && t.gone[group] == "" && !t.removed[edge] {
				t.add(edge)
			}
		}
	}
	return nil
}

// primaries compares the primary groups of all changed users, in scope or not.
func (t *tracer) primaries(ctx context.Context) error {
	for _, o := range t.objectsNow {
		if o.Kind != KindUser || t.gone[o.GUID] != "" {
			continue
		}
		want := ""
		if o.PrimaryGroup != "" {
			ref, err := t.r.Lookup(ctx, identitystore.BySID, "", o.PrimaryGroup)
			if err == nil && ref.Kind == identitystore.KindGroup {
				want, err = t.guid(ctx, ref.Key, ref.Kind)
			}
			if err != nil && !errors.Is(err, identitystore.ErrNotFound) {
				return err
			}
		}
		if _, ok, err := t.inScope(ctx, want); err != nil {
			return err
		} else if !ok || t.gone[want] != "" {
			want = ""
		}
		if err := t.primary(ctx, o.GUID, want); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) primary(ctx context.Context, user, want string) error {
	have := ""
	if rec, ok, err := t.record(ctx, user); err != nil {
		return err
	} else if ok {
		edges, err := t.r.ParentEdges(ctx, []identitystore.Key{rec.key})
		if err != nil {
			return err
		}
		for _, e := range edges {
			if e.Via == identitystore.ViaPrimary {
				if have, err = t.guid(ctx, e.Parent, identitystore.KindGroup); err != nil {
					return err
				}
			}
		}
	}
	if have == want {
		return nil
	}
	if have != "" {
		t.removed[Edge{have, user, "primary"}] = true
	}
	if want != "" {
		t.add(Edge{want, user, "primary"})
	}
	return nil
}
