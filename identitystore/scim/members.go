package scim

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
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

// full returns complete resources, as far as the projection wants them: all of them, or the first ones if the members of
// groups are too many (RFC 7644 section 3.4.2.4 allows a shorter page than was asked for).
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
		n, err := h.putAllMembers(ctx, r, recs, docs)
		if err != nil {
			return nil, err
		}
		recs, docs = recs[:n], docs[:n]
	}
	for i, rec := range recs {
		h.dress(t, docs[i], rec.audit())
	}
	return docs, nil
}

// putAllMembers adds the members of groups, and returns for how many groups there was room.
func (h *Handler) putAllMembers(ctx context.Context, r identitystore.Reader, recs []record, docs []map[string]any) (int, error) {
	listed := 0
	for i, rec := range recs {
		refs, err := members(ctx, r, rec.key())
		if err != nil {
			return 0, err
		}
		if listed += len(refs); listed > h.cfg.Limits.Members && i > 0 {
			return i, nil
		}
		h.putMembers(docs[i], refs)
	}
	return len(recs), nil
}

func isNotFound(err error) bool { return errors.Is(err, identitystore.ErrNotFound) }
