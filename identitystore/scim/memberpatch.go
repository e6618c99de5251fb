package scim

import (
	"context"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

// mayChangeMembers refuses to change the members of a group that a directory keeps.
func mayChangeMembers(g *identitystore.Group) error {
	if g.Link.Origin == identitystore.OriginSync {
		return &identitystore.AccessDeniedError{Path: "members"}
	}
	return nil
}

// replaceMembers gives a group exactly these members, and touches only what differs.
func (h *Handler) replaceMembers(ctx context.Context, tx *identitystore.Tx, g *identitystore.Group, ids []string) (bool, error) {
	refs, err := h.memberRefs(ctx, tx, ids)
	if err != nil {
		return false, err
	}
	old, err := members(ctx, tx, g.Key)
	if err != nil {
		return false, err
	}
	want, have := map[identitystore.Ref]bool{}, map[identitystore.Ref]bool{}
	for _, r := range refs {
		want[r] = true
	}
	var gone []identitystore.Ref
	for _, o := range old {
		have[o] = true
		if !want[o] {
			gone = append(gone, o)
		}
	}
	added := slices.DeleteFunc(slices.Clone(refs), func(r identitystore.Ref) bool { return have[r] })
	if len(gone)+len(added) == 0 {
		return false, nil
	}
	if err := mayChangeMembers(g); err != nil {
		return false, err
	}
	if err := unlink(ctx, tx, g.Key, gone); err != nil {
		return false, err
	}
	return true, tx.Link(ctx, edgesTo(g.Key, added)...)
}

func unlink(ctx context.Context, tx *identitystore.Tx, group identitystore.Key, refs []identitystore.Ref) error {
	edges := edgesTo(group, refs)
	for i := range edges {
		edges[i].Via = ""
	}
	return tx.Unlink(ctx, edges...)
}

// patchMembers applies the steps that are about members and returns the others. Its cost is that of the members which
// the request names, not of those that the group has; steps that do the same are done at once.
func (h *Handler) patchMembers(ctx context.Context, tx *identitystore.Tx, g *identitystore.Group, steps []scimpatch.Step) (rest []scimpatch.Step, touched bool, err error) {
	m := &memberChange{h: h, tx: tx, g: g}
	for i := range steps {
		st := &steps[i]
		if !strings.EqualFold(st.Path.Attr, "members") {
			rest = append(rest, *st)
			continue
		}
		if err := mayChangeMembers(g); err != nil {
			return nil, false, err
		}
		if err := m.step(ctx, st); err != nil {
			return nil, false, err
		}
	}
	err = m.flush(ctx)
	return rest, m.touched, err
}

// memberChange collects members to add or to remove.
type memberChange struct {
	h       *Handler
	tx      *identitystore.Tx
	g       *identitystore.Group
	op      string
	ids     []string
	touched bool
}

func (m *memberChange) step(ctx context.Context, st *scimpatch.Step) error {
	ids, ok, err := m.named(st)
	if err != nil {
		return err
	}
	if ok {
		if m.op != st.Op {
			if err := m.flush(ctx); err != nil {
				return err
			}
			m.op = st.Op
		}
		m.ids = append(m.ids, ids...)
		return nil
	}
	if err := m.flush(ctx); err != nil {
		return err
	}
	changed, err := m.whole(ctx, st)
	m.touched = m.touched || changed
	return err
}

// named returns the ids that a step adds or removes; not ok says that it is about the list as a whole, or a filter that
// has to be looked at.
func (m *memberChange) named(st *scimpatch.Step) (ids []string, ok bool, err error) {
	if st.Path.Filter != nil || st.Path.Sub != "" {
		if st.Op != "remove" || st.Path.Sub != "" || m.h.cfg.Mode == Strict {
			return nil, false, nil
		}
		ids, ok = namedIDs(st.Path.Filter)
		return ids, ok, nil
	}
	if !st.HasValue || st.Value == nil || st.Op == "replace" {
		return nil, false, nil
	}
	ids, err = memberIDs(scimpatch.Named(st))
	return ids, err == nil, err
}

func (m *memberChange) whole(ctx context.Context, st *scimpatch.Step) (bool, error) {
	switch {
	case st.Path.Filter != nil || st.Path.Sub != "":
		return m.h.filteredMembers(ctx, m.tx, m.g, st)
	case st.Op == "remove" && !st.HasValue, st.HasValue && st.Value == nil:
		return m.h.replaceMembers(ctx, m.tx, m.g, nil)
	case !st.HasValue:
		return false, badValue(st.Op + " needs a value")
	}
	ids, err := memberIDs(scimpatch.Named(st))
	if err != nil {
		return false, err
	}
	return m.h.replaceMembers(ctx, m.tx, m.g, ids)
}

func (m *memberChange) flush(ctx context.Context) error {
	ids := distinct(m.ids)
	m.ids = nil
	if len(ids) == 0 {
		return nil
	}
	change := m.h.addMembers
	if m.op == "remove" {
		change = m.h.removeMembers
	}
	changed, err := change(ctx, m.tx, m.g, ids)
	m.touched = m.touched || changed
	return err
}

func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(ids, func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// addMembers adds the named members; those who are members already are no error.
func (h *Handler) addMembers(ctx context.Context, tx *identitystore.Tx, g *identitystore.Group, ids []string) (bool, error) {
	refs, err := h.memberRefs(ctx, tx, ids)
	if err != nil {
		return false, err
	}
	present, err := edgesBetween(ctx, tx, g.Key, refs)
	if err != nil {
		return false, err
	}
	added := slices.DeleteFunc(slices.Clone(refs), func(r identitystore.Ref) bool { return present[r.Key] })
	return len(added) > 0, tx.Link(ctx, edgesTo(g.Key, added)...)
}

// edgesBetween says which of the records are direct members: by their own parents, not by the group's children.
func edgesBetween(ctx context.Context, r identitystore.Reader, group identitystore.Key, refs []identitystore.Ref) (map[identitystore.Key]bool, error) {
	out := map[identitystore.Key]bool{}
	for chunk := range slices.Chunk(refs, chunkSize) {
		keys := make([]identitystore.Key, len(chunk))
		for i, ref := range chunk {
			keys[i] = ref.Key
		}
		edges, err := r.ParentEdges(ctx, keys)
		if err != nil {
			return nil, err
		}
		for _, e := range edges {
			if e.Parent == group {
				out[e.Child] = true
			}
		}
	}
	return out, nil
}

// removeMembers takes the named members out; those who are none are no error.
func (h *Handler) removeMembers(ctx context.Context, tx *identitystore.Tx, g *identitystore.Group, ids []string) (bool, error) {
	ids = slices.DeleteFunc(ids, func(id string) bool { return !isID(id) })
	refs, err := identitystore.Refs(ctx, tx, ids)
	if err != nil {
		return false, err
	}
	present, err := edgesBetween(ctx, tx, g.Key, refs)
	if err != nil {
		return false, err
	}
	refs = slices.DeleteFunc(refs, func(r identitystore.Ref) bool { return !present[r.Key] })
	return len(refs) > 0, unlink(ctx, tx, g.Key, refs)
}

// filteredMembers is about members[FILTER]. A filter of ids reads no list.
func (h *Handler) filteredMembers(ctx context.Context, tx *identitystore.Tx, g *identitystore.Group, st *scimpatch.Step) (bool, error) {
	if st.Op != "remove" || st.Path.Sub != "" {
		return false, refuse(400, "mutability", "a member can be added and removed only")
	}
	if ids, ok := namedIDs(st.Path.Filter); ok {
		changed, err := h.removeMembers(ctx, tx, g, ids)
		if err == nil && !changed && h.cfg.Mode == Strict {
			err = refuse(400, "noTarget", "no member matches the filter")
		}
		return changed, err
	}
	all, err := members(ctx, tx, g.Key)
	if err != nil {
		return false, err
	}
	doc := map[string]any{}
	h.putMembers(doc, all)
	list, _ := doc["members"].([]any)
	var gone []string
	for i, e := range list {
		if scimfilter.EvalElement(st.Path.Filter, groupSchema.Attribute("", "members"), e) {
			gone = append(gone, all[i].ID)
		}
	}
	return h.removeMembers(ctx, tx, g, gone)
}

// namedIDs returns the ids of a filter that consists of value eq "id" joined by or.
func namedIDs(e scimfilter.Expr) ([]string, bool) {
	switch x := e.(type) {
	case *scimfilter.Or:
		l, okL := namedIDs(x.Left)
		r, okR := namedIDs(x.Right)
		return append(l, r...), okL && okR
	case *scimfilter.Compare:
		id, isText := x.Value.(string)
		if isText && x.Op == "eq" && strings.EqualFold(x.Path.Attr, "value") {
			return []string{id}, true
		}
	case *scimfilter.And, *scimfilter.Not, *scimfilter.Present, *scimfilter.ValuePath:
	}
	return nil, false
}
