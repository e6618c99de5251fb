package scim

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

// memberIDs returns the ids in a list of members, each once. What else the client says of a member is not looked at.
func memberIDs(v any) ([]string, error) {
	list, isList := v.([]any)
	if !isList && v != nil {
		list = []any{v}
	}
	var out []string
	seen := map[string]bool{}
	for _, e := range list {
		id, isText := e.(string)
		if m, ok := e.(map[string]any); ok {
			raw, _ := scimfilter.Member(m, "value")
			id, isText = raw.(string)
		}
		if !isText {
			return nil, badValue("a member has no value")
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out, nil
}

// memberRefs finds the members; all of them must exist, and the AWS profile has users only.
func (h *Handler) memberRefs(ctx context.Context, r identitystore.Reader, ids []string) ([]identitystore.Ref, error) {
	for _, id := range ids {
		if !isID(id) {
			return nil, badValue("a member does not exist")
		}
	}
	refs, err := identitystore.Refs(ctx, r, ids)
	if err != nil {
		return nil, err
	}
	if len(refs) != len(ids) {
		return nil, badValue("a member does not exist")
	}
	if h.cfg.Profile == AWS {
		for _, ref := range refs {
			if ref.Kind != identitystore.KindUser {
				return nil, badValue("a member is no user")
			}
		}
	}
	return refs, nil
}

func edgesTo(group identitystore.Key, refs []identitystore.Ref) []identitystore.Edge {
	out := make([]identitystore.Edge, len(refs))
	for i, ref := range refs {
		out[i] = identitystore.Edge{Parent: group, Child: ref.Key, Via: identitystore.ViaSCIM, ChildKind: ref.Kind}
	}
	return out
}

// members returns the direct members of a group. It reads all of them: PATCH does without, except for filters that
// name no id.
func members(ctx context.Context, r identitystore.Reader, group identitystore.Key) ([]identitystore.Ref, error) {
	if fast := identitystore.Lookups(r); fast != nil {
		return fast.DirectMembers(ctx, group)
	}
	edges, err := r.ChildEdges(ctx, []identitystore.Key{group})
	if err != nil {
		return nil, err
	}
	var userKeys, groupKeys []identitystore.Key
	for _, e := range edges {
		if e.ChildKind == identitystore.KindUser {
			userKeys = append(userKeys, e.Child)
		} else {
			groupKeys = append(groupKeys, e.Child)
		}
	}
	var out []identitystore.Ref
	for chunk := range slices.Chunk(slices.Compact(userKeys), chunkSize) {
		us, err := r.Users(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, u := range us {
			out = append(out, identitystore.Ref{Key: u.Key, Kind: identitystore.KindUser, ID: u.ID})
		}
	}
	for chunk := range slices.Chunk(slices.Compact(groupKeys), chunkSize) {
		gs, err := r.Groups(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, g := range gs {
			out = append(out, identitystore.Ref{Key: g.Key, Kind: identitystore.KindGroup, ID: g.ID})
		}
	}
	return out, nil
}

// chunkSize keeps lists of keys within the parameter limits of databases.
const chunkSize = 1000

func (h *Handler) putMembers(doc map[string]any, refs []identitystore.Ref) {
	list := make([]any, len(refs))
	for i, ref := range refs {
		t := users
		if ref.Kind == identitystore.KindGroup {
			t = groups
		}
		list[i] = map[string]any{"value": ref.ID, "$ref": h.location(t, ref.ID), "type": t.name()}
	}
	if len(list) > 0 {
		doc["members"] = list
	}
}

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
// the request names, not of those that the group has.
func (h *Handler) patchMembers(ctx context.Context, tx *identitystore.Tx, g *identitystore.Group, steps []scimpatch.Step) (rest []scimpatch.Step, touched bool, err error) {
	for i := range steps {
		st := &steps[i]
		if !strings.EqualFold(st.Path.Attr, "members") {
			rest = append(rest, *st)
			continue
		}
		if err := mayChangeMembers(g); err != nil {
			return nil, false, err
		}
		changed, err := h.memberStep(ctx, tx, g, st)
		if err != nil {
			return nil, false, err
		}
		touched = touched || changed
	}
	return rest, touched, nil
}

func (h *Handler) memberStep(ctx context.Context, tx *identitystore.Tx, g *identitystore.Group, st *scimpatch.Step) (bool, error) {
	if st.Path.Filter != nil || st.Path.Sub != "" {
		return h.filteredMembers(ctx, tx, g, st)
	}
	switch {
	case st.Op == "remove" && !st.HasValue, st.HasValue && st.Value == nil:
		return h.replaceMembers(ctx, tx, g, nil)
	case !st.HasValue:
		return false, badValue(st.Op + " needs a value")
	}
	ids, err := memberIDs(scimpatch.Named(st))
	if err != nil {
		return false, err
	}
	switch st.Op {
	case "remove":
		return h.removeMembers(ctx, tx, g, ids)
	case "replace":
		return h.replaceMembers(ctx, tx, g, ids)
	}
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

// putGroups adds the groups of users (RFC 7643 section 4.1.2), read for all of them at once.
func (h *Handler) putGroups(ctx context.Context, r identitystore.Reader, recs []record, docs []map[string]any) error {
	at := map[identitystore.Key]int{}
	keys := make([]identitystore.Key, len(recs))
	for i, rec := range recs {
		at[rec.key()], keys[i] = i, rec.key()
	}
	slices.Sort(keys)
	names := map[identitystore.Key]string{}
	var all []identitystore.Membership
	for chunk := range slices.Chunk(keys, chunkSize) {
		ms, err := r.MembershipsOfUsers(ctx, chunk)
		if err != nil {
			return err
		}
		all = append(all, ms...)
	}
	var wanted []identitystore.Key
	for _, m := range all {
		if _, ok := names[m.Group]; !ok {
			names[m.Group] = ""
			wanted = append(wanted, m.Group)
		}
	}
	slices.Sort(wanted)
	for chunk := range slices.Chunk(wanted, chunkSize) {
		gs, err := r.Groups(ctx, chunk)
		if err != nil {
			return err
		}
		for _, g := range gs {
			names[g.Key] = g.DisplayName
		}
	}
	for _, m := range all {
		kind := "indirect"
		if m.Direct {
			kind = "direct"
		}
		doc := docs[at[m.User]]
		list, _ := doc["groups"].([]any)
		doc["groups"] = append(list, map[string]any{
			"value": m.GroupID, "$ref": h.location(groups, m.GroupID), "display": names[m.Group], "type": kind,
		})
	}
	return nil
}

func (h *Handler) logIgnored(ctx context.Context, ignored []string) {
	if len(ignored) > 0 {
		h.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "scim: ignored paths", slog.Any("paths", ignored))
	}
}

// full returns complete resources, as far as the projection wants them.
func (h *Handler) full(ctx context.Context, r identitystore.Reader, t resourceType, recs []record, p projection) ([]map[string]any, error) {
	docs := make([]map[string]any, len(recs))
	for i, rec := range recs {
		docs[i] = h.resource(rec)
	}
	rfc := h.cfg.Profile == RFC
	switch {
	case t == users && rfc && p.wants("groups"):
		if err := h.putGroups(ctx, r, recs, docs); err != nil {
			return nil, err
		}
	case t == groups && !rfc:
		for _, d := range docs {
			d["members"] = []any{}
		}
	case t == groups && p.wants("members"):
		for i, rec := range recs {
			refs, err := members(ctx, r, rec.key())
			if err != nil {
				return nil, err
			}
			h.putMembers(docs[i], refs)
		}
	}
	for i, rec := range recs {
		h.dress(t, docs[i], rec.audit())
	}
	return docs, nil
}

func isNotFound(err error) bool { return errors.Is(err, identitystore.ErrNotFound) }
