package adsync

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// state is what is remembered of the last good run, beside the data and in the same commit.
type state struct {
	Scope     string    `json:"scope"`
	Mapping   string    `json:"mapping"`
	Watermark string    `json:"watermark,omitempty"`
	Mark      string    `json:"mark,omitempty"`    // where the source's changes go on
	Trouble   bool      `json:"trouble,omitempty"` // an object or value was left out: changes elsewhere may bring it in
	Run       string    `json:"run"`
	PlanHash  string    `json:"planHash"`
	At        time.Time `json:"at"`
	Format    int       `json:"format"`
	Since     int       `json:"since,omitempty"` // incremental runs since the last full read
	// Skipped is what the run listed: those who stand for nobody, and members that are no users.
	Skipped []Skipped `json:"skipped,omitempty"`
	// FullAt is when everything was read last.
	FullAt time.Time `json:"fullAt,omitzero"`
	// Expires says when accounts expire before the next full read is due: that happens without a change of theirs.
	Expires map[string]time.Time `json:"expires,omitempty"`
	// Principals are the objectGUIDs of assigned principals by kind and folded name.
	Principals map[string]string `json:"principals,omitempty"`
}

// maxFullAge is how long incremental runs may follow each other, however few they are.
const maxFullAge = 7 * 24 * time.Hour

func (e *Engine) stateName() string { return "adsync/" + e.cfg.Source }

// lastState returns the zero value before the first run.
func (e *Engine) lastState(ctx context.Context, r identitystore.Reader) (state, error) {
	var s state
	doc, err := r.Document(ctx, e.stateName())
	if err != nil || doc == nil {
		return s, ignoreNotFound(err)
	}
	if err := json.Unmarshal(doc, &s); err != nil {
		return state{}, fmt.Errorf("adsync: stored state: %w", err)
	}
	return s, nil
}

// apply writes a plan in one transaction: objects, edges, and by them the flattened memberships, the state and the
// events are committed together or not at all.
func (e *Engine) apply(ctx context.Context, r *run) error {
	plan, run := r.res.Plan, r.res.Run
	author := identitystore.Author{Actor: "adsync", Run: run}
	return e.cfg.Service.Update(ctx, author, func(tx *identitystore.Tx) error {
		if err := tx.Fence(ctx, r.lease); err != nil {
			return err
		}
		if err := e.notPaused(ctx, tx); err != nil {
			return err
		}
		seq, err := tx.LastSeq(ctx)
		if err != nil {
			return err
		}
		if baseText(seq) != plan.Base {
			return identitystore.ErrPlanStale
		}
		a := &applier{tx: tx, plan: plan, source: e.cfg.Source, run: run, refs: map[string]identitystore.Ref{}, wrote: e.writeProgress(ctx, r)}
		if err := a.write(ctx); err != nil {
			return err
		}
		return e.remember(ctx, tx, r)
	})
}

func (e *Engine) remember(ctx context.Context, tx *identitystore.Tx, r *run) error {
	before, err := e.lastState(ctx, tx)
	if err != nil {
		return err
	}
	plan := r.res.Plan
	s := state{
		Scope: plan.Scope, Mapping: plan.Mapping, Watermark: plan.Snapshot, Mark: r.next.mark, Trouble: trouble(plan),
		Run: r.res.Run, PlanHash: r.res.PlanHash, At: tx.Now(), Since: r.next.since, FullAt: r.next.fullAt, Expires: r.next.expires, Principals: remembered(plan, before.Principals),
	}
	for _, x := range plan.Skipped {
		s.Skipped = append(s.Skipped, Skipped(x))
	}
	doc, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return tx.PutDocument(ctx, e.stateName(), doc)
}

// applier writes the changes of one plan.
type applier struct {
	tx     *identitystore.Tx
	plan   *identitystore.Plan
	source string
	run    string
	refs   map[string]identitystore.Ref // by GUID
	wrote  func()                       // counts a change
}

func (a *applier) write(ctx context.Context) error {
	if err := a.relinked(ctx); err != nil {
		return err
	}
	if err := a.edges(ctx, identitystore.PlanRemove); err != nil {
		return err
	}
	for _, o := range a.plan.Objects { // what goes makes its name free first
		if o.Op == identitystore.PlanRemove {
			a.wrote()
			if err := a.remove(ctx, o.Key); err != nil {
				return err
			}
		}
	}
	for _, o := range a.plan.Objects { // names are exchanged among stored records before new ones come
		if o.Op != identitystore.PlanRemove && o.Op != identitystore.PlanCreate {
			a.wrote()
			if err := a.update(ctx, o); err != nil {
				return fmt.Errorf("adsync: %s %s: %w", o.Kind, o.Key, err)
			}
		}
	}
	if err := a.create(ctx); err != nil {
		return err
	}
	return a.edges(ctx, identitystore.PlanAdd)
}

// relinked notes the records that get another objectGUID: the plan names them by the new one.
func (a *applier) relinked(ctx context.Context) error {
	for _, o := range a.plan.Objects {
		for _, f := range o.Fields {
			if f.Path != pathGUID {
				continue
			}
			ref, err := a.tx.Lookup(ctx, identitystore.ByGUID, a.source, f.Old)
			if err != nil {
				return err
			}
			a.refs[o.Key] = ref
		}
	}
	return nil
}

func (a *applier) remove(ctx context.Context, guid string) error {
	ref, err := a.ref(ctx, guid)
	if err != nil {
		return err
	}
	return a.tx.Delete(ctx, ref, "deleted in the directory")
}

func (a *applier) link(guid string) identitystore.Link {
	return identitystore.Link{Source: a.source, GUID: guid, State: identitystore.StateActive}
}

// seen notes when and by which run the record was last written.
func (a *applier) seen(l *identitystore.Link) { l.LastRun, l.LastSeen = a.run, a.tx.Now() }

// createBatch is how many records are written between two words of progress.
const createBatch = 1000

// create writes the new records, many at a time.
func (a *applier) create(ctx context.Context) error {
	var groups []*identitystore.Group
	var users []*identitystore.User
	for _, o := range a.plan.Objects {
		switch {
		case o.Op != identitystore.PlanCreate:
		case o.Kind == identitystore.PlanGroup:
			g := &identitystore.Group{Link: a.link(o.Key)}
			applyGroup(g, o.Fields)
			a.seen(&g.Link)
			groups = append(groups, g)
		default:
			u := &identitystore.User{Link: a.link(o.Key)}
			applyUser(u, a.source, o.Fields)
			a.seen(&u.Link)
			users = append(users, u)
		}
	}
	err := inBatches(ctx, groups, a.tx.CreateGroups, func(g *identitystore.Group) {
		a.refs[g.Link.GUID] = identitystore.Ref{Key: g.Key, Kind: identitystore.KindGroup, ID: g.ID}
		a.wrote()
	})
	if err != nil {
		return fmt.Errorf("adsync: new groups: %w", err)
	}
	err = inBatches(ctx, users, a.tx.CreateUsers, func(u *identitystore.User) {
		a.refs[u.Link.GUID] = identitystore.Ref{Key: u.Key, Kind: identitystore.KindUser, ID: u.ID}
		a.wrote()
	})
	if err != nil {
		return fmt.Errorf("adsync: new users: %w", err)
	}
	return nil
}

func inBatches[T any](ctx context.Context, list []*T, create func(context.Context, []*T) ([]*T, error), made func(*T)) error {
	for part := range slices.Chunk(list, createBatch) {
		out, err := create(ctx, part)
		if err != nil {
			return err
		}
		for _, x := range out {
			made(x)
		}
	}
	return nil
}

func (a *applier) update(ctx context.Context, o identitystore.PlanObject) error {
	if o.Kind == identitystore.PlanGroup {
		g, err := a.tx.GroupByID(ctx, o.ID)
		if err != nil {
			return err
		}
		g = g.Clone()
		applyGroup(g, o.Fields)
		g.Link.Reason = reason(g.Link.State)
		a.seen(&g.Link)
		_, err = a.tx.UpdateGroup(ctx, g)
		return err
	}
	u, err := a.tx.UserByID(ctx, o.ID)
	if err != nil {
		return err
	}
	u = u.Clone()
	applyUser(u, a.source, o.Fields)
	u.Link.Reason = reason(u.Link.State)
	a.seen(&u.Link)
	_, err = a.tx.UpdateUser(ctx, u)
	return err
}

func reason(s identitystore.State) string {
	if s == identitystore.StateUnscoped {
		return "out of scope"
	}
	return ""
}

// ref finds a record of our source by GUID, tombstones included.
func (a *applier) ref(ctx context.Context, guid string) (identitystore.Ref, error) {
	if r, ok := a.refs[guid]; ok {
		return r, nil
	}
	r, err := a.tx.Lookup(ctx, identitystore.ByGUID, a.source, guid)
	if err == nil {
		a.refs[guid] = r
	}
	return r, err
}

func (a *applier) edges(ctx context.Context, op identitystore.PlanOp) error {
	edges := make([]identitystore.Edge, 0, len(a.plan.Edges))
	for _, e := range a.plan.Edges {
		if e.Op != op {
			continue
		}
		parent, err := a.ref(ctx, e.Parent)
		if err != nil {
			return fmt.Errorf("adsync: edge of %s: %w", e.Parent, err)
		}
		child, err := a.ref(ctx, e.Child)
		if err != nil {
			return fmt.Errorf("adsync: edge to %s: %w", e.Child, err)
		}
		edges = append(edges, identitystore.Edge{Parent: parent.Key, Child: child.Key, Via: identitystore.Via(e.Via), ChildKind: child.Kind})
	}
	if op == identitystore.PlanRemove {
		return a.tx.Unlink(ctx, edges...)
	}
	return a.tx.Link(ctx, edges...)
}

// trouble reports whether something was left out that a change of another object may bring in.
func trouble(plan *identitystore.Plan) bool {
	return len(plan.Warnings) > 0 || slices.ContainsFunc(plan.Skipped, func(s identitystore.Skipped) bool {
		return !slices.Contains([]string{SkipPrincipalNotFound, SkipNotAUser}, s.Reason)
	})
}
