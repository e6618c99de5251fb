package adsync

import (
	"context"
	"errors"

	"github.com/adfedkit/adfedkit/identitystore"
)

// An incremental plan costs in proportion to what changed: it looks up the changed objects, the groups above them and,
// where a group's place changed, the users below it; never the whole store. It comes to the same end as a full read,
// and where it cannot know, it gives up with ErrFullRead.

// tracer makes an incremental plan.
type tracer struct {
	e          *Engine
	r          identitystore.Reader
	delta      *Delta
	last       state
	scope      Scope
	objectsNow []Object        // changed objects, each once
	roots      map[string]bool // objectGUIDs of the assigned principals

	part    *stored         // the records that matter, loaded one by one
	known   map[string]bool // GUIDs that were looked up, found or not
	now     map[string]Object
	wanted  []string // assigned principals that are back
	skipped []Skipped
	added   map[Edge]bool
	newUp   map[string][]Edge // added edges by child; some may be dropped again
	newDown map[string][]Edge // added edges by parent; some may be dropped again
	removed map[Edge]bool
	gone    map[string]Presence
	up      map[string][]string // cache of stored parents, by child
	dirty   map[string]bool     // users whose groups may change
}

func (e *Engine) newTracer(r identitystore.Reader, scope Scope, last state, delta *Delta) *tracer {
	t := &tracer{
		e: e, r: r, delta: delta, last: last, scope: scope, roots: map[string]bool{}, known: map[string]bool{}, now: map[string]Object{},
		added: map[Edge]bool{}, newUp: map[string][]Edge{}, newDown: map[string][]Edge{}, removed: map[Edge]bool{}, gone: map[string]Presence{}, up: map[string][]string{}, dirty: map[string]bool{},
	}
	for _, guid := range last.Principals {
		t.roots[guid] = true
	}
	t.objectsNow = latest(delta.Objects)
	return t
}

// latest keeps the last reading of each object.
func latest(objects []Object) []Object {
	last := map[string]int{}
	for i, o := range objects {
		last[o.GUID] = i
	}
	var out []Object
	for i, o := range objects {
		if last[o.GUID] == i {
			out = append(out, o)
		}
	}
	return out
}

// incremental plans from what changed since the last run.
func (t *tracer) incremental(ctx context.Context) (*identitystore.Plan, identitystore.Holdings, error) {
	for _, step := range []func(context.Context) error{
		t.load, t.objects, t.deletions, t.expired, t.links, t.returned, t.primaries, t.reach, t.migrated, t.lose, t.affected,
	} {
		if err := step(ctx); err != nil {
			return nil, identitystore.Holdings{}, err
		}
	}
	plan, err := t.plan(ctx, t.last)
	return plan, t.part.held, err
}

// maxDelta is how many changes are traced one by one; more are compared with everything.
const maxDelta = 5000

// load begins with a store of which nothing is known but its size.
func (t *tracer) load(ctx context.Context) error {
	n := len(t.delta.Objects) + len(t.delta.Deleted)
	for _, m := range t.delta.Members {
		n += len(m.Removed)
		if !m.Whole {
			n += len(m.Added)
		}
	}
	if n > maxDelta {
		return ErrFullRead
	}
	t.part = newStored()
	return t.part.loadSize(ctx, t.r)
}

// record looks one of our source's records up.
func (t *tracer) record(ctx context.Context, guid string) (record, bool, error) {
	if !t.known[guid] {
		t.known[guid] = true
		ref, err := t.r.Lookup(ctx, identitystore.ByGUID, t.e.cfg.Source, guid)
		if errors.Is(err, identitystore.ErrNotFound) {
			return record{}, false, nil
		}
		if err != nil {
			return record{}, false, err
		}
		if err := t.part.loadOne(ctx, t.r, ref, t.e.cfg.Source); err != nil {
			return record{}, false, err
		}
	}
	rec, ok := t.part.record(guid)
	return rec, ok, nil
}

func (t *tracer) inScope(ctx context.Context, guid string) (record, bool, error) {
	rec, ok, err := t.record(ctx, guid)
	return rec, ok && rec.link.InScope(), err
}

// objects takes the new form of what is in scope.
func (t *tracer) objects(ctx context.Context) error {
	for _, o := range t.objectsNow {
		_, ok, err := t.inScope(ctx, o.GUID)
		if err != nil {
			return err
		}
		switch {
		case ok:
			t.now[o.GUID] = o
		case t.roots[o.GUID]:
			t.wanted = append(t.wanted, o.GUID)
		}
	}
	return nil
}

func (t *tracer) deletions(ctx context.Context) error {
	for _, guid := range t.delta.Deleted {
		rec, ok, err := t.record(ctx, guid)
		if err != nil {
			return err
		}
		if !ok || rec.link.State == identitystore.StateTombstone || rec.link.Origin != identitystore.OriginSync {
			continue
		}
		t.gone[guid] = Deleted
		delete(t.now, guid)
		if err := t.detach(ctx, guid); err != nil {
			return err
		}
	}
	return nil
}

// detach takes all edges of an object away.
func (t *tracer) detach(ctx context.Context, guid string) error {
	rec, ok, err := t.record(ctx, guid)
	if err != nil || !ok {
		return err
	}
	up, err := t.r.ParentEdges(ctx, []identitystore.Key{rec.key})
	if err != nil {
		return err
	}
	down, err := t.r.ChildEdges(ctx, []identitystore.Key{rec.key})
	if err != nil {
		return err
	}
	for _, e := range append(up, down...) {
		if edge, ok, err := t.edge(ctx, e); err != nil {
			return err
		} else if ok {
			t.removed[edge] = true
		}
	}
	return nil
}

// edge translates a stored edge; ok is false for one that no directory made.
func (t *tracer) edge(ctx context.Context, e identitystore.Edge) (Edge, bool, error) {
	if !fromDirectory(e.Via) {
		return Edge{}, false, nil
	}
	parent, err := t.guid(ctx, e.Parent, identitystore.KindGroup)
	if err != nil {
		return Edge{}, false, err
	}
	child, err := t.guid(ctx, e.Child, e.ChildKind)
	return Edge{parent, child, string(e.Via)}, parent != "" && child != "", err
}

func (t *tracer) guid(ctx context.Context, key identitystore.Key, kind identitystore.Kind) (string, error) {
	if g, ok := t.part.guidOf[key]; ok {
		return g, nil
	}
	if err := t.part.loadOne(ctx, t.r, identitystore.Ref{Key: key, Kind: kind}, t.e.cfg.Source); err != nil {
		return "", err
	}
	g := t.part.guidOf[key]
	t.known[g] = true
	return g, nil
}
