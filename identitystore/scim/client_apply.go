package scim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

// applier carries a plan out.
type applier struct {
	c     *Client
	opt   PushOptions
	plan  *identitystore.Plan
	known bool // the service was just listed: what is not in ids is not there

	parked map[*identitystore.PlanObject]bool // had a name for the time being

	mu      sync.Mutex
	ids     map[string]string // kind, key -> id at the service
	records map[string]*PushRecord
}

// errMissing says that the service does not have what a plan changes.
var errMissing = errors.New("scim: " + reasonNotThere)

func (a *applier) note(kind, key, name string, o Outcome, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if errors.Is(err, errMissing) {
		o = Skipped
	} else if err != nil {
		o = Failed
	}
	rec := a.records[recordKey(kind, key)]
	switch {
	case rec == nil:
		a.records[recordKey(kind, key)] = &PushRecord{kind, key, name, o, err}
	case rec.Outcome == Failed || rec.Outcome == Skipped: // the first reason is the one that tells
	case err != nil || rec.Outcome == Unchanged:
		rec.Outcome, rec.Err = o, err
	}
}

// apply writes users, groups and memberships, then takes away, so that nobody is for a moment without what stays. Only
// an object whose name another one needs goes before that one is written.
func (a *applier) apply(ctx context.Context) error {
	gone := map[string][]*identitystore.PlanObject{}
	for _, kind := range []string{identitystore.PlanUser, identitystore.PlanGroup} {
		list := a.objects(func(o *identitystore.PlanObject) bool { return o.Kind == kind && o.Op != identitystore.PlanRemove })
		needed := map[string]bool{}
		for _, o := range list {
			needed[identitystore.FoldName(o.Name)] = true
		}
		first := a.objects(func(o *identitystore.PlanObject) bool {
			return o.Kind == kind && o.Op == identitystore.PlanRemove && needed[identitystore.FoldName(o.Name)]
		})
		gone[kind] = a.objects(func(o *identitystore.PlanObject) bool {
			return o.Kind == kind && o.Op == identitystore.PlanRemove && !needed[identitystore.FoldName(o.Name)]
		})
		a.c.each(ctx, len(first), func(i int) { a.remove(ctx, first[i]) })
		a.writeAll(ctx, list)
	}
	for _, op := range []identitystore.PlanOp{identitystore.PlanAdd, identitystore.PlanRemove} {
		groups, changes := a.changes(op)
		a.c.each(ctx, len(groups), func(i int) { a.members(ctx, groups[i], op, changes[groups[i]]) })
	}
	for _, kind := range []string{identitystore.PlanGroup, identitystore.PlanUser} {
		a.c.each(ctx, len(gone[kind]), func(i int) { a.remove(ctx, gone[kind][i]) })
	}
	return ctx.Err()
}

func (a *applier) objects(want func(*identitystore.PlanObject) bool) []*identitystore.PlanObject {
	var out []*identitystore.PlanObject
	for i := range a.plan.Objects {
		if o := &a.plan.Objects[i]; want(o) {
			out = append(out, o)
		}
	}
	return out
}

// changes returns the users that an operation touches, by group, and the groups in order.
func (a *applier) changes(op identitystore.PlanOp) (groups []string, users map[string][]string) {
	users = map[string][]string{}
	for _, m := range a.plan.Members {
		if m.Op != op {
			continue
		}
		if users[m.Group] == nil {
			groups = append(groups, m.Group)
		}
		users[m.Group] = append(users[m.Group], m.User)
	}
	return groups, users
}

func endpointOf(kind string) (endpoint, nameAttribute, urn string) {
	if kind == identitystore.PlanGroup {
		return "/Groups", "displayName", urnGroup
	}
	return "/Users", "userName", urnUser
}

// write creates or changes one object.
func (a *applier) write(ctx context.Context, o *identitystore.PlanObject) (Outcome, error) {
	values := map[string]string{}
	for _, f := range o.Fields {
		values[f.Path] = f.New
	}
	if values[pathExternalID] == "" && o.Op != identitystore.PlanUpdate {
		values[pathExternalID] = guidKey(o.Key)
	}
	if o.Op == identitystore.PlanRestore { // its fields are what differs from the day on which it went
		whole, err := a.whole(ctx, o)
		if err != nil {
			return Failed, err
		}
		values = whole
	}
	if o.ID != "" && a.known {
		return Updated, a.patch(ctx, o.Kind, o.ID, values, nil)
	}
	return a.ensure(ctx, o, values)
}

// whole reads all values of an object from the store of the plan.
func (a *applier) whole(ctx context.Context, o *identitystore.PlanObject) (map[string]string, error) {
	if a.opt.Source == nil {
		return nil, errors.New("scim: an object that comes back is read from PushOptions.Source, which is nil")
	}
	if o.Kind == identitystore.PlanGroup {
		g, err := a.opt.Source.DescribeGroup(ctx, o.ID)
		if err != nil {
			return nil, fmt.Errorf("scim: read the store: %w", err)
		}
		return map[string]string{pathName: g.DisplayName, pathExternalID: cmp.Or(guidKey(o.Key), g.ID)}, nil
	}
	u, err := a.opt.Source.DescribeUser(ctx, o.ID)
	if err != nil {
		return nil, fmt.Errorf("scim: read the store: %w", err)
	}
	w := pushUser(u, "")
	return w.values(a.c.cfg.Profile), nil
}

// ensure finds an object by its external id or its name and changes it, or creates it. After a conflict, or an answer
// that was lost, it looks again.
func (a *applier) ensure(ctx context.Context, o *identitystore.PlanObject, values map[string]string) (Outcome, error) {
	var failed error
	pause := min(a.c.cfg.Backoff, maxBackoff)
	for try := range a.c.cfg.Tries {
		if try > 0 {
			if err := sleep(ctx, jitter(pause)); err != nil {
				return Failed, err
			}
			pause = min(2*pause, maxBackoff)
		}
		if try > 0 || !a.known {
			if have, err := a.lookFor(ctx, o, values); err != nil {
				return Failed, err
			} else if have != nil {
				return a.adopt(ctx, o, have, values, try > 0)
			}
			if statusOf(failed) == http.StatusConflict {
				break // something else than the name is taken
			}
		}
		if o.Op == identitystore.PlanUpdate {
			if a.opt.Source == nil {
				return Skipped, errMissing
			}
			whole, err := a.whole(ctx, o)
			if err != nil {
				return Failed, err
			}
			values = whole
		}
		var id string
		if id, failed = a.create(ctx, o, values); failed == nil {
			a.learn(o.Kind, o.Key, id)
			return Created, nil
		}
		if !maybeMade(failed) || ctx.Err() != nil {
			break
		}
	}
	return Failed, failed
}

// maybeMade says that the object may be there after a creation that failed: by somebody else, or by us, unheard. After
// 429 and 503 nothing was done, and the client has waited long enough.
func maybeMade(err error) bool {
	switch s := statusOf(err); s {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return false
	case 0:
		return !errors.Is(err, ErrAnswer)
	default:
		return s == http.StatusConflict || repeatable(s, true)
	}
}

// statusOf returns the status of an answer that refused, or 0.
func statusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// lookFor finds an object that may be taken for the one of the plan.
func (a *applier) lookFor(ctx context.Context, o *identitystore.PlanObject, values map[string]string) (*remote, error) {
	endpoint, attribute, _ := endpointOf(o.Kind)
	external := values[pathExternalID]
	if external == "" {
		external = guidKey(o.Key)
	}
	have, err := a.c.look(ctx, endpoint, attribute, external, o.Name)
	if err != nil || have == nil {
		return nil, err
	}
	if err := errTaken(external, have.values[pathExternalID]); err != nil {
		return nil, err
	}
	a.learn(o.Kind, o.Key, have.id)
	return have, nil
}

// adopt brings an object that was found to its values.
func (a *applier) adopt(ctx context.Context, o *identitystore.PlanObject, have *remote, values map[string]string, created bool) (Outcome, error) {
	same := true
	for path, v := range values {
		same = same && (have.values[path] == v || !slices.Contains(pushPaths, path))
	}
	if !same {
		created = false
		if err := a.patch(ctx, o.Kind, have.id, values, have.values); err != nil {
			return Failed, err
		}
	}
	switch {
	case created: // the answer to the creation was lost
		return Created, nil
	case same:
		return Unchanged, nil
	}
	return Updated, nil
}

func (a *applier) learn(kind, key, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids[recordKey(kind, key)] = id
}

// create returns the new object's id; a dry run makes one up.
func (a *applier) create(ctx context.Context, o *identitystore.PlanObject, values map[string]string) (string, error) {
	endpoint, _, urn := endpointOf(o.Kind)
	values = maps.Clone(values)
	values[pathUserName] = cmp.Or(values[pathUserName], o.Name)
	if a.opt.FillNames {
		fillNames(values)
	}
	body := userBody(values)
	if o.Kind == identitystore.PlanUser {
		if body["active"] == nil {
			body["active"] = true // services differ in what they take its absence for
		}
		if a.c.cfg.Profile == AWS {
			if err := awsUser(body); err != nil {
				return "", err
			}
		}
	} else {
		body = map[string]any{"displayName": o.Name}
		putText(body, map[string]string{"externalId": values[pathExternalID]})
	}
	body["schemas"] = []string{urn}
	var made map[string]any
	if err := a.c.Do(ctx, http.MethodPost, endpoint, body, &made); err != nil {
		return "", err
	}
	if a.c.cfg.DryRun {
		return "new " + o.Kind + " " + o.Name, nil
	}
	if str(made, "id") == "" { // RFC 7644 section 3.3 demands the body; the id is what is needed
		return "", fmt.Errorf("%w: a creation without an id", ErrAnswer)
	}
	return str(made, "id"), nil
}

// userBody is the resource with these values.
func userBody(values map[string]string) map[string]any {
	out, name := map[string]any{}, map[string]any{}
	for path, v := range values {
		part, inName := cutName(path)
		switch {
		case path == pathStatus:
			out["active"] = v != string(identitystore.StatusDisabled)
		case v == "" || !slices.Contains(pushPaths, path):
		case path == pathEmail:
			out["emails"] = emails(v)
		case path == pathExternalID:
			out["externalId"] = v
		case inName:
			name[part] = v
		default:
			out[path] = v
		}
	}
	if len(name) > 0 {
		out["name"] = name
	}
	return out
}

func cutName(path string) (part string, ok bool) { return strings.CutPrefix(path, "name.") }

func emails(v string) []any {
	return []any{map[string]any{"value": v, "type": "work", "primary": true}}
}

// patch sends the values that differ from those that the service has; nil means that all do.
func (a *applier) patch(ctx context.Context, kind, id string, values, have map[string]string) error {
	var ops []any
	for _, path := range pushPaths {
		v, ok := values[path]
		if !ok || have != nil && have[path] == v || kind == identitystore.PlanGroup && path != pathName && path != pathExternalID {
			continue
		}
		op := map[string]any{"op": "replace", "path": path, "value": v}
		switch path {
		case pathStatus:
			op["path"], op["value"] = "active", v != string(identitystore.StatusDisabled)
		case pathEmail:
			op["path"], op["value"] = "emails", emails(v)
		case pathExternalID:
			op["path"] = "externalId"
		}
		if v == "" && path != pathStatus {
			op["op"] = "remove"
			delete(op, "value")
		}
		ops = append(ops, op)
	}
	if len(ops) == 0 {
		return nil
	}
	endpoint, _, _ := endpointOf(kind)
	return a.send(ctx, endpoint, id, ops)
}

func (a *applier) send(ctx context.Context, endpoint, id string, ops []any) error {
	return a.c.Do(ctx, http.MethodPatch, resourcePath(endpoint, id), map[string]any{"schemas": []string{scimpatch.URN}, "Operations": ops}, nil)
}

// remove deletes or deactivates. What is gone already is no failure.
func (a *applier) remove(ctx context.Context, o *identitystore.PlanObject) {
	keep := o.Kind == identitystore.PlanUser && a.opt.Users == KeepUsers || o.Kind == identitystore.PlanGroup && !a.opt.RemoveGroups
	if keep {
		a.note(o.Kind, o.Key, o.Name, Skipped, nil)
		return
	}
	id, err := o.ID, error(nil)
	if !a.known {
		id, err = a.id(ctx, o.Kind, o.Key)
	}
	outcome := Deleted
	endpoint, _, _ := endpointOf(o.Kind)
	switch {
	case err != nil:
	case o.Kind == identitystore.PlanUser && a.opt.Users == DeactivateUsers:
		outcome = Deactivated
		err = a.patch(ctx, o.Kind, id, map[string]string{pathStatus: string(identitystore.StatusDisabled)}, nil)
	default:
		err = a.c.Do(ctx, http.MethodDelete, resourcePath(endpoint, id), nil, nil)
	}
	if errors.Is(err, errMissing) || statusOf(err) == http.StatusNotFound {
		err = nil
	}
	a.note(o.Kind, o.Key, o.Name, outcome, err)
}
