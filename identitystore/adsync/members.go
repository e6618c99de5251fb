package adsync

import (
	"context"

	"github.com/adfedkit/adfedkit/identitystore"
)

// present reports whether the object is a live record in scope after the plan.
func (p *planner) present(guid string) bool {
	w, ok := p.byGUID[guid]
	return ok && (w.drop == "" || w.exists && w.op != identitystore.PlanRestore)
}

// wantedEdges are the edges between records that are there after the plan.
func (p *planner) wantedEdges() (want map[Edge]bool, edges []Edge) {
	want = map[Edge]bool{}
	for _, e := range p.snap.Edges {
		parent, ok := p.byGUID[e.Parent]
		if ok && parent.object.Kind == KindGroup && p.present(e.Parent) && p.present(e.Child) && !want[e] {
			want[e] = true
			edges = append(edges, e)
		}
	}
	return want, edges
}

// edgeChanges compares the nested structure.
func (p *planner) edgeChanges(want map[Edge]bool, edges []Edge, have map[Edge]bool) {
	p.nest = newNesting()
	for _, e := range edges {
		p.nest.link(e.Parent, e.Child)
		if !have[e] {
			p.plan.Edges = append(p.plan.Edges, identitystore.PlanEdge{Op: identitystore.PlanAdd, Parent: e.Parent, Child: e.Child, Via: e.Via})
		}
	}
	for e := range have {
		switch {
		case want[e]:
		case p.frozen[e.Parent] && p.gone[e.Child] != Deleted && p.stillThere(e.Child):
			p.nest.link(e.Parent, e.Child)
		default:
			p.plan.Edges = append(p.plan.Edges, identitystore.PlanEdge{Op: identitystore.PlanRemove, Parent: e.Parent, Child: e.Child, Via: e.Via})
		}
	}
}

// freeze marks the groups that gain members and lose none: those that were not read completely, all groups above them,
// and all groups below these. Who is missing from one of them may be reached through the part that was not read.
func (p *planner) freeze(edges []Edge, have map[Edge]bool) {
	if p.keep {
		for guid := range p.stored.groups {
			p.frozen[guid] = true
		}
		return
	}
	var queue []string
	for _, w := range p.wishes {
		if w.object.Kind == KindGroup && w.object.Incomplete {
			queue = append(queue, w.object.GUID)
		}
	}
	if len(queue) == 0 {
		return
	}
	up, down := map[string][]string{}, map[string][]string{}
	note := func(e Edge) {
		up[e.Child] = append(up[e.Child], e.Parent)
		down[e.Parent] = append(down[e.Parent], e.Child)
	}
	for _, e := range edges {
		note(e)
	}
	for e := range have {
		note(e)
	}
	p.frozen = reach(reach(map[string]bool{}, queue, up), nil, down)
	p.plan.Warnings = append(p.plan.Warnings, "groups were not read completely: they, and what is nested with them, lose no members in this run")
}

// reach adds to seen everything that lies along next from seen and from start.
func reach(seen map[string]bool, start []string, next map[string][]string) map[string]bool {
	queue := start
	for s := range seen {
		queue = append(queue, s)
	}
	for len(queue) > 0 {
		s := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		seen[s] = true
		for _, n := range next[s] {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	return seen
}

// stillThere reports whether a member of a group that could not be read completely is a record that stays in scope.
func (p *planner) stillThere(guid string) bool {
	_, read := p.byGUID[guid]
	rec, ok := p.stored.record(guid)
	return ok && (read || rec.link.State == identitystore.StateActive || rec.link.State == "")
}

// memberChanges compares the flattened memberships, user by user.
func (p *planner) memberChanges(ctx context.Context, r identitystore.Reader) error {
	direct := p.cfg.DirectOnly
	err := p.stored.memberships(ctx, r, func(user string, have []identitystore.Membership) {
		p.compareUser(user, have, direct)
	})
	if err != nil {
		return err
	}
	for _, w := range p.wishes { // new users have no memberships to compare with
		if w.object.Kind == KindUser && !w.exists && p.present(w.object.GUID) {
			p.compareUser(w.object.GUID, nil, direct)
		}
	}
	return nil
}

func (p *planner) compareUser(user string, have []identitystore.Membership, direct bool) {
	old := map[string]identitystore.Membership{}
	for _, m := range have {
		if group := p.stored.guidOf[m.Group]; group != "" {
			old[group] = m
			p.stored.held.GroupSize[group]++
		}
	}
	for _, a := range p.nest.above(user, direct) {
		group := p.nest.guids[a.group]
		m, had := old[group]
		delete(old, group)
		change := identitystore.PlanMember{Op: identitystore.PlanAdd, Group: group, User: user, Direct: a.depth == 1, Depth: int(a.depth)}
		switch {
		case !had:
		case m.Depth != change.Depth || m.Direct != change.Direct:
			change.Op = identitystore.PlanUpdate
		default:
			continue
		}
		p.plan.Members = append(p.plan.Members, change)
	}
	for group := range old {
		p.plan.Members = append(p.plan.Members, identitystore.PlanMember{Op: identitystore.PlanRemove, Group: group, User: user})
	}
}
