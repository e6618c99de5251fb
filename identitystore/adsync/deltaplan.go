package adsync

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// plan puts what was traced into the form that a full read gives.
func (t *tracer) plan(ctx context.Context, last state) (*identitystore.Plan, error) {
	if err := t.names(ctx); err != nil {
		return nil, err
	}
	snap := &Snapshot{Scope: last.Scope, Mapping: last.Mapping, Names: len(last.Principals), Watermark: last.Watermark, Skipped: t.listed()}
	for _, guid := range slices.Sorted(maps.Keys(t.now)) {
		snap.Objects = append(snap.Objects, t.now[guid])
	}
	p := newPlanner(&t.e.cfg, t.part, snap, t.gone)
	p.wish()
	p.resolveNames()
	p.resolveUnique()
	for _, w := range p.wishes {
		if w.drop != "" {
			return nil, ErrFullRead // who gets which name is decided over all objects
		}
	}
	if len(p.plan.Warnings) > 0 {
		return nil, ErrFullRead
	}
	p.objectChanges()
	for _, guid := range slices.Sorted(maps.Keys(t.gone)) {
		if rec, ok := t.part.record(guid); ok {
			p.absent(guid, rec)
		}
	}
	for e := range t.added {
		if !t.removed[e] {
			p.plan.Edges = append(p.plan.Edges, identitystore.PlanEdge{Op: identitystore.PlanAdd, Parent: e.Parent, Child: e.Child, Via: e.Via})
		}
	}
	for e := range t.removed {
		if !t.added[e] {
			p.plan.Edges = append(p.plan.Edges, identitystore.PlanEdge{Op: identitystore.PlanRemove, Parent: e.Parent, Child: e.Child, Via: e.Via})
		}
	}
	if err := t.members(ctx, p); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(last.Principals)) {
		kind, text, _ := strings.Cut(key, " ")
		p.plan.Principals = append(p.plan.Principals, identitystore.PlanPrincipal{Kind: kind, Text: text, Key: last.Principals[key]})
	}
	p.plan.Sort()
	return p.plan, t.sizes(ctx, p.plan)
}

// listed is what is skipped: what was skipped before, what was read now, and assigned principals that were deleted.
func (t *tracer) listed() []Skipped {
	back := map[string]bool{}
	for _, p := range t.scope.Principals {
		if _, ok := t.now[t.last.Principals[boundKey(p)]]; ok {
			back[fold.Key(p.Text)] = true
		}
	}
	out := slices.Clone(t.skipped)
	for _, s := range t.last.Skipped {
		if s.Reason != SkipPrincipalNotFound || !back[fold.Key(s.Object)] {
			out = append(out, s)
		}
	}
	for _, p := range t.scope.Principals {
		if guid := t.last.Principals[boundKey(p)]; guid != "" && t.gone[guid] == Deleted {
			out = append(out, Skipped{p.Text, SkipPrincipalNotFound})
		}
	}
	slices.SortFunc(out, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason))
	})
	return slices.Compact(out)
}

// members compares the flattened memberships of the users below changed edges.
func (t *tracer) members(ctx context.Context, p *planner) error {
	p.nest = newNesting()
	done := map[string]bool{}
	users := slices.Sorted(maps.Keys(t.dirty))
	for _, u := range users {
		if err := t.nest(ctx, p.nest, u, done); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(users, readBatch) {
		have, err := t.rows(ctx, batch)
		if err != nil {
			return err
		}
		for _, u := range batch {
			p.compareUser(u, have[u], p.cfg.DirectOnly)
		}
	}
	return nil
}

// nest links everything above an object.
func (t *tracer) nest(ctx context.Context, n *nesting, guid string, done map[string]bool) error {
	queue := []string{guid}
	for len(queue) > 0 {
		g := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if done[g] {
			continue
		}
		done[g] = true
		parents, err := t.parents(ctx, g)
		if err != nil {
			return err
		}
		for _, p := range parents {
			n.link(p, g)
			queue = append(queue, p)
		}
	}
	return nil
}

// rows reads the stored memberships of some users.
func (t *tracer) rows(ctx context.Context, users []string) (map[string][]identitystore.Membership, error) {
	var keys []identitystore.Key
	for _, u := range users {
		if rec, ok, err := t.record(ctx, u); err != nil {
			return nil, err
		} else if ok {
			keys = append(keys, rec.key)
		}
	}
	slices.Sort(keys)
	list, err := t.r.MembershipsOfUsers(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := map[string][]identitystore.Membership{}
	for _, m := range list {
		if _, err := t.guid(ctx, m.Group, identitystore.KindGroup); err != nil {
			return nil, err
		}
		out[t.part.guidOf[m.User]] = append(out[t.part.guidOf[m.User]], m)
	}
	return out, nil
}

// sizes counts the members of groups that lose many, for the guard's warning.
func (t *tracer) sizes(ctx context.Context, plan *identitystore.Plan) error {
	lost := map[string]int{}
	for _, m := range plan.Members {
		if m.Op == identitystore.PlanRemove {
			lost[m.Group]++
		}
	}
	t.part.held.GroupSize = map[string]int{}
	for group, n := range lost {
		rec, ok := t.part.record(group)
		if !ok || n < 10 {
			continue
		}
		size := 0
		for after := identitystore.Key(0); size <= 2*n; {
			page, err := t.r.Members(ctx, rec.key, after, readBatch)
			if err != nil {
				return err
			}
			size += len(page)
			if len(page) < readBatch {
				break
			}
			after = page[len(page)-1].User
		}
		t.part.held.GroupSize[group] = size
	}
	return nil
}
