package adsync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

func baseText(seq int64) string { return strconv.FormatInt(seq, 10) }

// wish is what a record shall be after the plan.
type wish struct {
	object Object
	old    record // zero: a new record
	exists bool
	values map[string]string
	op     identitystore.PlanOp // create, adopt, restore or update
	drop   string               // reason why name and attributes stay as they are, or why nothing is created
}

// planner makes a plan from one snapshot and one state of the store. It writes nothing.
type planner struct {
	cfg     *Config
	limits  identitystore.Limits
	snap    *Snapshot
	stored  *stored
	gone    map[string]Presence // of stored objects that the snapshot lacks
	plan    *identitystore.Plan
	wishes  []*wish // in order of GUID
	byGUID  map[string]*wish
	nest    *nesting
	frozen  map[string]bool   // groups that keep the members they have
	objects map[string]int    // position in snap.Objects
	keep    bool              // take nothing away
	moved   map[string]string // former objectGUID of records that get another one
}

func newPlanner(cfg *Config, st *stored, snap *Snapshot, presence map[string]Presence) *planner {
	p := &planner{
		cfg: cfg, limits: cfg.Service.Limits(), snap: snap, stored: st, gone: presence,
		plan: &identitystore.Plan{
			Tenant: cfg.Service.Tenant(), Source: cfg.Source, Base: st.base, Scope: snap.Scope, Mapping: snap.Mapping,
			Snapshot: snap.Watermark, At: snap.ReadAt, Objects: []identitystore.PlanObject{}, Members: []identitystore.PlanMember{},
			Skipped: []identitystore.Skipped{},
		},
		byGUID: map[string]*wish{}, frozen: map[string]bool{}, moved: map[string]string{},
	}
	for _, s := range snap.Skipped {
		p.plan.Skipped = append(p.plan.Skipped, identitystore.Skipped(s))
	}
	return p
}

// make compares.
func (p *planner) make(ctx context.Context, r identitystore.Reader) error {
	for _, x := range p.snap.Principals {
		p.plan.Principals = append(p.plan.Principals, identitystore.PlanPrincipal{Kind: string(x.Kind), Text: x.Text, Key: x.GUID})
	}
	p.relink()
	p.wish()
	p.resolveNames()
	p.resolveUnique()
	p.objectChanges()
	have, err := p.stored.edges(ctx, r)
	if err != nil {
		return err
	}
	want, edges := p.wantedEdges()
	p.freeze(edges, have)
	p.missing()
	p.edgeChanges(want, edges, have)
	if err := p.memberChanges(ctx, r); err != nil {
		return err
	}
	p.plan.FoundNone = p.foundNone()
	p.plan.Sort()
	return nil
}

// wish says what each object of the snapshot shall become. An object that paging showed twice counts once.
func (p *planner) wish() {
	p.objects = map[string]int{}
	for i, o := range p.snap.Objects {
		if _, twice := p.objects[o.GUID]; twice || o.GUID == "" {
			continue
		}
		p.objects[o.GUID] = i
		w := &wish{object: o, op: identitystore.PlanCreate}
		w.old, w.exists = p.stored.record(o.GUID)
		if w.exists && w.old.kind != o.Kind {
			p.skip(w, SkipInvalidObject)
			continue
		}
		if w.exists {
			w.op = identitystore.PlanUpdate
			switch {
			case w.old.link.State == identitystore.StateTombstone:
				w.op = identitystore.PlanRestore
			case w.old.link.Origin != identitystore.OriginSync:
				w.op = identitystore.PlanAdopt
			}
		}
		w.values = p.values(w)
		p.wishes = append(p.wishes, w)
		p.byGUID[o.GUID] = w
	}
	slices.SortFunc(p.wishes, func(a, b *wish) int { return cmp.Compare(a.object.GUID, b.object.GUID) })
	for _, w := range p.wishes {
		p.validate(w)
	}
}

// values returns what the record shall hold, by path.
func (p *planner) values(w *wish) map[string]string {
	o := w.object
	out := map[string]string{
		pathSID: o.SID, pathDN: o.DN, pathState: string(identitystore.StateActive), pathOrigin: string(identitystore.OriginSync),
		pathSIDHistory: strings.Join(slices.Sorted(slices.Values(o.SIDHistory)), listSeparator),
	}
	if p.moved[o.GUID] != "" {
		out[pathGUID] = o.GUID
	}
	if o.Kind == KindGroup {
		out[pathGroupName] = o.Name
		out[pathOwned] = pathGroupName
		return out
	}
	out[pathUserName], out[pathStatus] = o.Name, string(identitystore.StatusEnabled)
	if o.Disabled {
		out[pathStatus] = string(identitystore.StatusDisabled)
	}
	owned := []string{pathUserName, pathStatus}
	all := fields()
	for _, target := range p.cfg.Mapping.Targets() {
		f := all[target]
		owned = append(owned, f.path)
		v, ok := o.Attributes[target]
		if !ok && p.cfg.Mapping.fill[target] && w.exists {
			v = f.get(w.old.user, p.cfg.Source)
		}
		out[f.path] = v
	}
	if w.exists { // a sign-in may have mapped more: what is owned stays owned
		owned = append(owned, w.old.link.Owned...)
	}
	slices.Sort(owned)
	owned = slices.Compact(owned)
	out[pathOwned] = strings.Join(owned, listSeparator)
	return out
}

// validate holds the wanted record against the store's limits: a bad object never stops the others.
func (p *planner) validate(w *wish) {
	var err error
	if w.object.Kind == KindUser {
		u := &identitystore.User{}
		if w.exists {
			u = w.old.user.Clone()
		}
		applyUser(u, p.cfg.Source, everything(w.values))
		err = p.limits.CheckUser(u)
	} else {
		err = p.limits.CheckGroup(&identitystore.Group{DisplayName: w.values[pathGroupName]})
	}
	if err == nil {
		return
	}
	reason := SkipInvalidAttribute
	if v, ok := errors.AsType[*identitystore.ValidationError](err); ok {
		for _, problem := range v.Problems {
			if problem.Path == pathUserName || problem.Path == pathGroupName && w.object.Kind == KindGroup {
				reason = SkipInvalidName
				if problem.Reason == identitystore.ReasonReserved {
					reason = SkipReservedName
				}
			}
		}
	}
	p.skip(w, reason)
}

// skip lists the object, and leaves what is stored of its name and attributes as it is.
func (p *planner) skip(w *wish, reason string) {
	if w.drop != "" {
		return
	}
	w.drop = reason
	p.plan.Skipped = append(p.plan.Skipped, identitystore.Skipped{Object: cmp.Or(w.object.DN, w.object.GUID), Reason: reason})
}

// objectChanges lists what becomes of each object that was read.
func (p *planner) objectChanges() {
	for _, w := range p.wishes {
		o := w.object
		if w.drop != "" && !w.exists {
			p.decide(o.Kind, o.GUID, o.Name, "skipped", w.drop)
			continue
		}
		old := map[string]string{}
		if w.exists {
			old = p.storedValues(w.old)
		}
		want := w.values
		if w.drop != "" { // name and attributes stay; that somebody is disabled or back in scope is never put off
			if w.op == identitystore.PlanRestore {
				p.decide(o.Kind, o.GUID, o.Name, "skipped", w.drop)
				continue
			}
			want = map[string]string{}
			for _, path := range []string{pathStatus, pathState, pathOrigin, pathGUID, pathSID, pathDN} {
				if v, ok := w.values[path]; ok {
					want[path] = v
				}
			}
		}
		changes := difference(old, want)
		if len(changes) == 0 && w.op == identitystore.PlanUpdate {
			p.decide(o.Kind, o.GUID, o.Name, "unchanged", w.drop)
			continue
		}
		p.plan.Objects = append(p.plan.Objects, identitystore.PlanObject{
			Op: w.op, Kind: string(o.Kind), Key: o.GUID, ID: w.old.id, Name: cmp.Or(o.Name, w.old.name), Fields: changes,
		})
		p.decide(o.Kind, o.GUID, o.Name, outcomes()[w.op], w.drop)
	}
}

func outcomes() map[identitystore.PlanOp]string {
	return map[identitystore.PlanOp]string{
		identitystore.PlanCreate: "created", identitystore.PlanUpdate: "updated", identitystore.PlanAdopt: "adopted", identitystore.PlanRestore: "restored",
	}
}

func (p *planner) decide(kind Kind, guid, name, outcome, reason string) {
	p.plan.Decisions = append(p.plan.Decisions, identitystore.Decision{Kind: string(kind), Key: guid, Name: name, Outcome: outcome, Reason: reason})
}

func (p *planner) storedValues(r record) map[string]string {
	var out map[string]string
	if r.kind == KindUser {
		out = p.cfg.Mapping.userValues(r.user, p.cfg.Source)
	} else {
		out = groupValues(p.stored.groups[r.link.GUID])
	}
	if from := p.moved[r.link.GUID]; from != "" {
		out[pathGUID] = from
	}
	return out
}

// missing lists what becomes of stored objects that were not read: deleted only with the proof that they are, else
// out of scope. What a sign-in made has no life cycle here.
func (p *planner) missing() {
	for _, guid := range p.stored.all() {
		rec, _ := p.stored.record(guid)
		if _, read := p.byGUID[guid]; read || rec.link.State == identitystore.StateTombstone || rec.link.Origin != identitystore.OriginSync {
			continue
		}
		if _, twice := p.objects[guid]; twice {
			continue // read, but unusable
		}
		p.absent(guid, rec)
	}
}

// absent decides about one record of which the object was not read.
func (p *planner) absent(guid string, rec record) {
	switch p.gone[guid] {
	case Deleted:
		p.plan.Objects = append(p.plan.Objects, identitystore.PlanObject{Op: identitystore.PlanRemove, Kind: string(rec.kind), Key: guid, ID: rec.id, Name: rec.name})
		p.decide(rec.kind, guid, rec.name, "removed", "deleted_in_directory")
	case Live:
		if rec.link.State == identitystore.StateUnscoped {
			p.decide(rec.kind, guid, rec.name, "kept", "out_of_scope")
			p.disableLongUnscoped(rec)
			return
		}
		if p.frozen[guid] { // it may stand in the part of a group that was not read
			p.decide(rec.kind, guid, rec.name, "kept", "incomplete_group")
			return
		}
		p.plan.Objects = append(p.plan.Objects, identitystore.PlanObject{
			Op: identitystore.PlanUpdate, Kind: string(rec.kind), Key: guid, ID: rec.id, Name: rec.name,
			Fields: []identitystore.FieldChange{{Path: pathState, Old: string(identitystore.StateActive), New: string(identitystore.StateUnscoped)}},
		})
		p.decide(rec.kind, guid, rec.name, "unscoped", "out_of_scope")
	default: // nothing is known: nothing is done
		p.decide(rec.kind, guid, rec.name, "kept", "unknown")
	}
}

// disableLongUnscoped is AWS's documented behaviour, and an option here: who was not synchronised for 28 days is
// disabled, never deleted.
func (p *planner) disableLongUnscoped(rec record) {
	if p.cfg.DisableUnscopedAfter == 0 || rec.kind != KindUser || rec.user.Status == identitystore.StatusDisabled {
		return
	}
	if p.cfg.Service.Now().Sub(rec.user.Link.LastSeen) < p.cfg.DisableUnscopedAfter {
		return
	}
	p.plan.Objects = append(p.plan.Objects, identitystore.PlanObject{
		Op: identitystore.PlanUpdate, Kind: string(rec.kind), Key: rec.link.GUID, ID: rec.id, Name: rec.name,
		Fields: []identitystore.FieldChange{{Path: pathStatus, Old: string(identitystore.StatusEnabled), New: string(identitystore.StatusDisabled)}},
	})
}

// foundNone reports whether a scope that names somebody found nothing of what the last run found.
func (p *planner) foundNone() bool {
	if p.snap.Names == 0 {
		return false
	}
	had := false
	for _, guid := range p.stored.all() {
		rec, _ := p.stored.record(guid)
		if !rec.link.InScope() {
			continue
		}
		if _, ok := p.objects[guid]; ok {
			return false
		}
		had = true
	}
	return had
}
