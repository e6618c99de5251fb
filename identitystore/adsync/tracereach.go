package adsync

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// reach reads what came into scope: the new ends of edges, with everything below them.
func (t *tracer) reach(ctx context.Context) error {
	asked, err := t.outside(ctx)
	if err != nil || len(asked) == 0 {
		return err
	}
	var ask Scope
	for _, guid := range slices.Sorted(maps.Keys(asked)) {
		for _, kind := range []Kind{KindUser, KindGroup} {
			ask.Principals = append(ask.Principals, Principal{kind, "{" + guid + "}"})
		}
	}
	snap, err := t.e.cfg.From.Read(ctx, ask)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, o := range snap.Objects {
		found[o.GUID] = true
		t.now[o.GUID] = o
		if _, _, err := t.record(ctx, o.GUID); err != nil {
			return err
		}
	}
	for _, s := range snap.Skipped {
		if s.Reason != SkipPrincipalNotFound { // every end was asked for as both kinds
			t.skipped = append(t.skipped, s)
		}
	}
	for e := range t.added {
		if asked[e.Child] && !found[e.Child] { // a computer, a contact, or gone again
			delete(t.added, e)
		}
	}
	return t.reached(ctx, snap.Edges)
}

// outside returns the lower ends of new edges, and returned principals, that are not in scope yet.
func (t *tracer) outside(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	ends := t.wanted
	for _, e := range t.sortedAdded() {
		ends = append(ends, e.Child)
	}
	for _, guid := range ends {
		if t.gone[guid] == Deleted {
			continue
		}
		_, ok, err := t.inScope(ctx, guid)
		if err != nil {
			return nil, err
		}
		if !ok {
			out[guid] = true
		}
	}
	return out, nil
}

// reached adds the edges of what came into scope, as far as they are not stored.
func (t *tracer) reached(ctx context.Context, edges []Edge) error {
	for _, e := range edges {
		have, err := t.stored(ctx, e)
		if err != nil {
			return err
		}
		if !have {
			t.add(e)
		}
		delete(t.removed, e)
	}
	return nil
}

func (t *tracer) stored(ctx context.Context, e Edge) (bool, error) {
	child, ok, err := t.record(ctx, e.Child)
	if err != nil || !ok {
		return false, err
	}
	parent, ok, err := t.record(ctx, e.Parent)
	if err != nil || !ok {
		return false, err
	}
	list, err := t.r.ParentEdges(ctx, []identitystore.Key{child.key})
	return slices.ContainsFunc(list, func(x identitystore.Edge) bool { return x.Parent == parent.key && string(x.Via) == e.Via }), err
}

func (t *tracer) add(e Edge) {
	if !t.added[e] {
		t.added[e] = true
		t.newUp[e.Child] = append(t.newUp[e.Child], e)
		t.newDown[e.Parent] = append(t.newDown[e.Parent], e)
	}
}

func (t *tracer) sortedAdded() []Edge {
	return slices.SortedFunc(maps.Keys(t.added), func(a, b Edge) int {
		return strings.Compare(a.Parent+a.Child+a.Via, b.Parent+b.Child+b.Via)
	})
}

// parents returns the groups directly above an object after the changes.
func (t *tracer) parents(ctx context.Context, guid string) ([]string, error) {
	up, ok := t.up[guid]
	if !ok {
		if rec, found, err := t.record(ctx, guid); err != nil {
			return nil, err
		} else if found {
			edges, err := t.r.ParentEdges(ctx, []identitystore.Key{rec.key})
			if err != nil {
				return nil, err
			}
			for _, e := range edges {
				if edge, ok, err := t.edge(ctx, e); err != nil {
					return nil, err
				} else if ok {
					up = append(up, edge.Parent+" "+edge.Via)
				}
			}
		}
		t.up[guid] = up
	}
	var out []string
	for _, p := range up {
		parent, via, _ := strings.Cut(p, " ")
		if !t.removed[Edge{parent, guid, via}] {
			out = append(out, parent)
		}
	}
	for _, e := range t.newUp[guid] {
		if t.added[e] {
			out = append(out, e.Parent)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// lose finds what no assigned principal reaches any more.
func (t *tracer) lose(ctx context.Context) error {
	var queue []string
	for e := range t.removed {
		queue = append(queue, e.Child)
	}
	slices.Sort(queue)
	for guid := range t.gone { // what a deleted group was to bring in
		queue = append(queue, t.dropNew(guid)...)
	}
	seen := map[string]bool{}
	var lost []Object
	for len(queue) > 0 {
		guid := queue[0]
		queue = queue[1:]
		if t.gone[guid] == Deleted || seen[guid] {
			continue
		}
		rec, ok, err := t.inScope(ctx, guid)
		if err != nil {
			return err
		}
		reached, err := t.reachable(ctx, guid)
		if err != nil {
			return err
		}
		if reached {
			continue
		}
		seen[guid] = true // lost for good: what is reached now may be lost later, with another edge
		delete(t.now, guid)
		queue = append(queue, t.dropNew(guid)...)
		if !ok {
			continue
		}
		lost = append(lost, Object{Kind: rec.kind, GUID: guid, SID: rec.link.SID, DN: rec.link.DN, Name: rec.name})
		children, err := t.cutBelow(ctx, rec)
		if err != nil {
			return err
		}
		queue = append(queue, children...)
	}
	if len(lost) == 0 {
		return nil
	}
	proof, err := t.e.cfg.From.Exists(ctx, lost)
	maps.Copy(t.gone, proof)
	return err
}

// cutBelow removes the edges of an object that left the scope, and returns its children.
func (t *tracer) cutBelow(ctx context.Context, rec record) ([]string, error) {
	if err := t.detach(ctx, rec.link.GUID); err != nil {
		return nil, err
	}
	var children []string
	down, err := t.r.ChildEdges(ctx, []identitystore.Key{rec.key})
	for _, e := range down {
		children = append(children, t.part.guidOf[e.Child])
	}
	return children, err
}

// dropNew forgets new edges of an object that nothing reaches, and returns their lower ends.
func (t *tracer) dropNew(guid string) []string {
	var children []string
	for _, e := range slices.Concat(t.newUp[guid], t.newDown[guid]) {
		if t.added[e] {
			delete(t.added, e)
			children = append(children, e.Child)
		}
	}
	return children
}

// reachable walks up from an object to an assigned principal. Cycles that hang in the air reach none.
func (t *tracer) reachable(ctx context.Context, guid string) (bool, error) {
	queue, seen := []string{guid}, map[string]bool{guid: true}
	for len(queue) > 0 {
		g := queue[0]
		queue = queue[1:]
		if t.roots[g] && t.gone[g] != Deleted {
			return true, nil
		}
		parents, err := t.parents(ctx, g)
		if err != nil {
			return false, err
		}
		for _, p := range parents {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return false, nil
}

// affected finds the users below changed edges.
func (t *tracer) affected(ctx context.Context) error {
	var queue []string
	for _, set := range []map[Edge]bool{t.added, t.removed} {
		for e := range set {
			queue = append(queue, e.Child)
		}
	}
	seen := map[string]bool{}
	for len(queue) > 0 {
		guid := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[guid] {
			continue
		}
		seen[guid] = true
		rec, ok, err := t.record(ctx, guid)
		if err != nil {
			return err
		}
		if o, read := t.now[guid]; read && o.Kind == KindUser || ok && rec.kind == KindUser {
			t.dirty[guid] = true
			continue
		}
		below, err := t.children(ctx, guid, rec, ok)
		if err != nil {
			return err
		}
		queue = append(queue, below...)
	}
	return nil
}

// children returns everything directly below a group, before or after the changes.
func (t *tracer) children(ctx context.Context, guid string, rec record, stored bool) ([]string, error) {
	var out []string
	for _, e := range t.newDown[guid] {
		if t.added[e] {
			out = append(out, e.Child)
		}
	}
	if !stored {
		return out, nil
	}
	down, err := t.r.ChildEdges(ctx, []identitystore.Key{rec.key})
	if err != nil {
		return nil, err
	}
	for _, e := range down {
		edge, ok, err := t.edge(ctx, e)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, edge.Child)
		}
	}
	return out, nil
}
