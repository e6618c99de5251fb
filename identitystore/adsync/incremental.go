package adsync

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// An incremental plan costs in proportion to what changed: it looks up the changed objects, the groups above them and,
// where a group's place changed, the users below it; never the whole store. It comes to the same end as a full read,
// and where it cannot know, it gives up with ErrFullRead.

// tracer makes an incremental plan.
type tracer struct {
	e     *Engine
	r     identitystore.Reader
	delta *Delta
	roots map[string]bool // objectGUIDs of the assigned principals

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

// incremental plans from what changed since the last run.
func (e *Engine) incremental(ctx context.Context, r identitystore.Reader, last state, delta *Delta) (*identitystore.Plan, identitystore.Holdings, error) {
	t := &tracer{
		e: e, r: r, delta: delta, roots: map[string]bool{}, known: map[string]bool{}, now: map[string]Object{},
		added: map[Edge]bool{}, newUp: map[string][]Edge{}, newDown: map[string][]Edge{}, removed: map[Edge]bool{}, gone: map[string]Presence{}, up: map[string][]string{}, dirty: map[string]bool{},
	}
	for _, guid := range last.Principals {
		t.roots[guid] = true
	}
	for _, step := range []func(context.Context) error{t.load, t.objects, t.deletions, t.links, t.primaries, t.reach, t.lose, t.affected} {
		if err := step(ctx); err != nil {
			return nil, identitystore.Holdings{}, err
		}
	}
	plan, err := t.plan(ctx, last)
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
	for _, o := range t.delta.Objects {
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

// primaries compares the primary groups of all changed users, in scope or not.
func (t *tracer) primaries(ctx context.Context) error {
	for _, o := range t.delta.Objects {
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

// reach reads what came into scope: the new ends of edges, with everything below them.
func (t *tracer) reach(ctx context.Context) error {
	var ask Scope
	asked := map[string]bool{}
	ends := t.wanted
	for _, e := range t.sortedAdded() {
		ends = append(ends, e.Child)
	}
	for _, guid := range ends {
		if t.gone[guid] == Deleted || asked[guid] {
			continue
		}
		if _, ok, err := t.inScope(ctx, guid); err != nil {
			return err
		} else if !ok {
			asked[guid] = true
			for _, kind := range []Kind{KindUser, KindGroup} {
				ask.Principals = append(ask.Principals, Principal{kind, "{" + guid + "}"})
			}
		}
	}
	if len(asked) == 0 {
		return nil
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
		for _, e := range t.newDown[guid] {
			if t.added[e] {
				queue = append(queue, e.Child)
			}
		}
		if !ok {
			continue
		}
		down, err := t.r.ChildEdges(ctx, []identitystore.Key{rec.key})
		if err != nil {
			return err
		}
		for _, e := range down {
			if edge, ok, err := t.edge(ctx, e); err != nil {
				return err
			} else if ok {
				queue = append(queue, edge.Child)
			}
		}
	}
	return nil
}

// names notes who holds the names that changed objects want, so that conflicts are seen.
func (t *tracer) names(ctx context.Context) error {
	for _, o := range t.now {
		if err := t.holders(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) holders(ctx context.Context, o Object) error {
	if o.Kind == KindGroup {
		g, err := t.r.GroupByName(ctx, fold.Key(o.Name))
		if err == nil {
			t.part.groupNames[fold.Key(o.Name)] = g.Key
		}
		return ignoreNotFound(err)
	}
	u, err := t.r.UserByName(ctx, fold.Key(o.Name))
	if err == nil {
		t.part.userNames[fold.Key(o.Name)] = u.Key
	}
	if err := ignoreNotFound(err); err != nil {
		return err
	}
	if mail := o.Attributes[TargetEmail]; mail != "" {
		users, err := t.r.UsersByEmail(ctx, fold.Key(mail), 1)
		if err != nil {
			return err
		}
		for _, u := range users {
			t.part.emails[fold.Key(mail)] = u.Key
		}
	}
	if id := o.Attributes[TargetExternalID]; id != "" {
		ref, err := t.r.Lookup(ctx, identitystore.ByExternalID, t.e.cfg.Source, id)
		if err == nil {
			t.part.externals[id] = ref.Key
		}
		return ignoreNotFound(err)
	}
	return nil
}
