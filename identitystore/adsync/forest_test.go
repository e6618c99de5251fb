package adsync_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// forest is a directory of plain values, for tests of everything behind the reading.
type forest struct {
	mu       sync.Mutex
	objects  map[string]*adsync.Object
	members  map[string]map[string]string // group -> child -> via
	gone     map[string]adsync.Presence   // of objects that are not there any more
	hidden   map[string]bool              // exists, but no read shows it
	bin      map[string]*deleted
	restored map[string]bool      // came back from the bin
	quiet    map[adsync.Edge]bool // memberships that came back with a restored object
	fail     error                // of Read
	failAsk  error                // of Exists
	shuffle  bool                 // answer in another order
	twice    bool                 // show everything twice, as a paged read may
	n, asks  int
}

func newForest() *forest {
	return &forest{
		objects: map[string]*adsync.Object{}, members: map[string]map[string]string{}, gone: map[string]adsync.Presence{}, hidden: map[string]bool{},
		bin: map[string]*deleted{}, quiet: map[adsync.Edge]bool{}, restored: map[string]bool{},
	}
}

func (f *forest) add(kind adsync.Kind, name string) string {
	f.n++
	guid := fmt.Sprintf("%08x-0000-4000-8000-%012x", f.n*2654435761%(1<<32), f.n)
	o := &adsync.Object{Kind: kind, GUID: guid, SID: fmt.Sprintf("S-1-5-21-1-2-3-%d", 1000+f.n), Name: name + "@corp.example.test"}
	o.DN = "CN=" + name + ",DC=corp,DC=example,DC=test"
	if kind == adsync.KindUser {
		o.Attributes = map[string]string{"email": o.Name, "name": strings.ToUpper(name[:1]) + name[1:], "givenName": name, "externalId": guid}
	}
	f.objects[guid] = o
	return guid
}

func (f *forest) user(name string) string  { return f.add(adsync.KindUser, name) }
func (f *forest) group(name string) string { return f.add(adsync.KindGroup, name) }

func (f *forest) put(group string, children ...string) {
	if f.members[group] == nil {
		f.members[group] = map[string]string{}
	}
	for _, c := range children {
		f.members[group][c] = "member"
		delete(f.quiet, adsync.Edge{Parent: group, Child: c})
	}
}

func (f *forest) take(group, child string) { delete(f.members[group], child) }

// remove deletes an object. The directory remembers its memberships, in case it is restored.
func (f *forest) remove(guid string) {
	bin := &deleted{object: f.objects[guid], members: f.members[guid], in: map[string]string{}}
	delete(f.objects, guid)
	delete(f.members, guid)
	for g := range f.members {
		if via, ok := f.members[g][guid]; ok {
			bin.in[g] = via
			delete(f.members[g], guid)
		}
	}
	f.gone[guid], f.bin[guid] = adsync.Deleted, bin
}

// deleted is an object in the recycle bin.
type deleted struct {
	object  *adsync.Object
	members map[string]string
	in      map[string]string
}

// restore brings a deleted object back, with its memberships. These tell no change: see quiet.
func (f *forest) restore(guid string) {
	bin := f.bin[guid]
	if bin == nil || bin.object == nil {
		return
	}
	delete(f.gone, guid)
	delete(f.bin, guid)
	f.restored[guid] = true
	f.objects[guid] = bin.object
	for g, via := range bin.in {
		if f.objects[g] != nil {
			f.put(g)
			f.members[g][guid] = via
			f.quiet[adsync.Edge{Parent: g, Child: guid}] = true
		}
	}
	for c, via := range bin.members {
		if f.objects[c] != nil {
			f.put(guid)
			f.members[guid][c] = via
			f.quiet[adsync.Edge{Parent: guid, Child: c}] = true
		}
	}
}

func (f *forest) Read(ctx context.Context, scope adsync.Scope) (*adsync.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.fail != nil {
		return nil, f.fail
	}
	s := &adsync.Snapshot{}
	var queue []string
	for _, p := range scope.Principals {
		if o := f.find(p); o != nil {
			queue = append(queue, o.GUID)
			s.Principals = append(s.Principals, adsync.ResolvedPrincipal{Kind: p.Kind, Text: p.Text, GUID: o.GUID})
		} else {
			s.Skipped = append(s.Skipped, adsync.Skipped{Object: p.Text, Reason: adsync.SkipPrincipalNotFound})
		}
	}
	seen := map[string]bool{}
	for len(queue) > 0 {
		guid := queue[0]
		queue = queue[1:]
		o := f.objects[guid]
		if seen[guid] || o == nil || f.hidden[guid] {
			continue
		}
		seen[guid] = true
		s.Objects = append(s.Objects, *o)
		for _, c := range slices.Sorted(maps.Keys(f.members[guid])) {
			if f.hidden[c] || f.objects[c] == nil {
				continue
			}
			s.Edges = append(s.Edges, adsync.Edge{Parent: guid, Child: c, Via: f.members[guid][c]})
			queue = append(queue, c)
		}
	}
	if f.twice {
		s.Objects, s.Edges = append(s.Objects, s.Objects...), append(s.Edges, s.Edges...)
	}
	if f.shuffle {
		slices.SortFunc(s.Objects, func(a, b adsync.Object) int { return cmp.Compare(b.GUID[9:]+b.GUID, a.GUID[9:]+a.GUID) })
		slices.Reverse(s.Edges)
	}
	return s, nil
}

func (f *forest) find(p adsync.Principal) *adsync.Object {
	for _, o := range f.objects {
		if o.Kind == p.Kind && (o.GUID == strings.Trim(p.Text, "{}") || strings.EqualFold(o.Name, p.Text)) {
			return o
		}
	}
	return nil
}

func (f *forest) Exists(_ context.Context, objects []adsync.Object) (map[string]adsync.Presence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asks += len(objects)
	out := map[string]adsync.Presence{}
	for _, o := range objects {
		out[o.GUID] = cmp.Or(f.gone[o.GUID], adsync.Live)
	}
	return out, f.failAsk
}

// world is a forest, a store and an engine between them.
type world struct {
	*forest
	t     *testing.T
	store identitystore.Store
	svc   *identitystore.Service
	cfg   adsync.Config
	now   time.Time
	clock func() time.Time // nil: now
	scope adsync.Scope
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{forest: newForest(), t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	w.store = new(identitystore.Memory)
	w.cfg = adsync.Config{From: w.forest, Owner: "test"}
	w.open(identitystore.Config{})
	return w
}

func (w *world) open(cfg identitystore.Config) {
	w.t.Helper()
	cfg.Store = w.store
	cfg.Now = func() time.Time {
		if w.clock != nil {
			return w.clock()
		}
		return w.now
	}
	svc, err := identitystore.Open(w.t.Context(), cfg)
	require.NoError(w.t, err)
	w.svc, w.cfg.Service = svc, svc
}

// assign puts groups and users in scope, in place of who was there.
func (w *world) assign(guids ...string) {
	var list []adsync.Assignment
	for _, g := range guids {
		kind := "USER"
		if o := w.objects[g]; o != nil && o.Kind == adsync.KindGroup {
			kind = "GROUP"
		}
		list = append(list, adsync.Assignment{PrincipalType: kind, Principal: g})
	}
	w.scope = adsync.ScopeOf(list)
}

func (w *world) engine() *adsync.Engine {
	w.t.Helper()
	e, err := adsync.New(w.cfg)
	require.NoError(w.t, err)
	return e
}

// run runs once and wants that end.
func (w *world) run(want adsync.State) adsync.Result {
	w.t.Helper()
	w.now = w.now.Add(time.Hour)
	res, err := w.engine().Run(w.t.Context(), w.scope, "")
	if want == adsync.StateApplied || want == adsync.StateUnchanged {
		require.NoError(w.t, err)
	} else {
		require.Error(w.t, err)
	}
	require.Equal(w.t, want, res.State)
	return res
}

// user0 returns the record of a directory user, tombstones included, or nil.
func (w *world) record(guid string) *identitystore.User {
	w.t.Helper()
	u, err := w.svc.UserByGUID(w.t.Context(), adsync.DefaultSource, guid)
	if err != nil {
		require.ErrorIs(w.t, err, identitystore.ErrNotFound)
		return nil
	}
	return u
}

func (w *world) groupRecord(guid string) *identitystore.Group {
	w.t.Helper()
	r := w.svc.Reader()
	ref, err := r.Lookup(w.t.Context(), identitystore.ByGUID, adsync.DefaultSource, guid)
	if err != nil {
		require.ErrorIs(w.t, err, identitystore.ErrNotFound)
		return nil
	}
	g, err := r.GroupByID(w.t.Context(), ref.ID)
	require.NoError(w.t, err)
	return g
}

// groups returns the names of the groups that a user is in, without their domain, with the depth where it is not 1.
func (w *world) groupsOf(guid string) []string {
	w.t.Helper()
	u := w.record(guid)
	if u == nil {
		return nil
	}
	r := w.svc.Reader()
	ms, err := r.MembershipsOf(w.t.Context(), u.Key, 0, 1000)
	require.NoError(w.t, err)
	var out []string
	for _, m := range ms {
		g, err := r.GroupByID(w.t.Context(), m.GroupID)
		require.NoError(w.t, err)
		name, _, _ := strings.Cut(g.DisplayName, "@")
		if m.Depth > 1 {
			name += fmt.Sprint(":", m.Depth)
		}
		require.Equal(w.t, m.Depth == 1, m.Direct)
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// lastSeq is the number of the newest event: a run that changes nothing must not move it.
func (w *world) lastSeq() int64 {
	w.t.Helper()
	seq, err := w.svc.Reader().LastSeq(w.t.Context())
	require.NoError(w.t, err)
	return seq
}

func (w *world) counts() identitystore.Counts {
	w.t.Helper()
	c, err := w.svc.Reader().Counts(w.t.Context())
	require.NoError(w.t, err)
	return c
}

// atApply is an observer that acts when a plan is about to be applied.
type atApply func()

func (f atApply) Stage(_ context.Context, _ string, s adsync.Stage, _ int) {
	if s == adsync.StageApply {
		f()
	}
}

func (atApply) Done(context.Context, adsync.Result, time.Duration, error) {}
