package scim

import (
	"context"
	"errors"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
)

// allMembers plans the memberships of every group of the state.
func (p *comparison) allMembers(ctx context.Context) error {
	p.held.GroupSize = map[string]int{}
	userKeys := map[string]string{} // id at the service -> key
	candidates := []string{}
	for _, w := range p.users {
		if w.have != nil && w.err == nil {
			userKeys[w.have.id] = w.key
			candidates = append(candidates, w.have.id)
		}
	}
	named := len(candidates)
	for _, r := range p.others[identitystore.PlanUser] {
		key := r.key(pathUserName)
		userKeys[r.id] = key
		p.ids[recordKey(identitystore.PlanUser, key)] = r.id
		candidates = append(candidates, r.id)
	}
	if !p.opt.RemoveMembers {
		candidates = candidates[:named]
	}
	var first error
	p.c.each(ctx, len(p.groups), func(i int) {
		if w := p.groups[i]; w.err == nil {
			if err := p.groupMembers(ctx, w, userKeys, candidates); err != nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				if first == nil {
					first = err
				}
			}
		}
	})
	return first
}

func (p *comparison) groupMembers(ctx context.Context, w *wanted, userKeys map[string]string, candidates []string) error {
	in := map[string]bool{}
	if w.have != nil {
		var err error
		if in, err = p.c.members(ctx, w.have.id, candidates); err != nil {
			return err
		}
	}
	changes, skipped, keep := p.additions(w, in)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opt.RemoveMembers {
		for id, sure := range in {
			key := userKeys[id]
			if key == "" && sure { // one whom nobody listed
				key = id
				p.ids[recordKey(identitystore.PlanUser, key)] = id
			}
			if key != "" && !keep[key] {
				changes = append(changes, identitystore.PlanMember{Op: identitystore.PlanRemove, Group: w.key, User: key})
			}
		}
	}
	p.plan.Members = append(p.plan.Members, changes...)
	p.plan.Skipped = append(p.plan.Skipped, skipped...)
	p.held.Memberships += len(in)
	p.held.GroupSize[w.key] = len(in)
	return nil
}

// additions returns who is missing in a group, who cannot be added, and, by key, who belongs there.
func (p *comparison) additions(w *wanted, in map[string]bool) (changes []identitystore.PlanMember, skipped []identitystore.Skipped, keep map[string]bool) {
	keep = map[string]bool{}
	for _, name := range w.members {
		u := p.byName[name]
		switch {
		case u == nil || u.err != nil:
			skipped = append(skipped, identitystore.Skipped{Object: name, Reason: reasonNotThere})
		case keep[u.key]:
		case u.have == nil || !isIn(in, u.have.id):
			changes = append(changes, identitystore.PlanMember{Op: identitystore.PlanAdd, Group: w.key, User: u.key, Direct: true})
			fallthrough
		default:
			keep[u.key] = true
		}
	}
	return changes, skipped, keep
}

func isIn(in map[string]bool, id string) bool {
	_, ok := in[id]
	return ok
}

// reasonNotThere is the reason of members whom the service does not have and the push does not bring.
const reasonNotThere = "not_at_the_service"

// id returns the id of an object at the service.
func (a *applier) id(ctx context.Context, kind, key string) (string, error) {
	a.mu.Lock()
	id := a.ids[recordKey(kind, key)]
	a.mu.Unlock()
	if id != "" {
		return id, nil
	}
	if a.known {
		return "", errMissing
	}
	name := key
	for i := range a.plan.Objects {
		if o := &a.plan.Objects[i]; o.Kind == kind && o.Key == key {
			name = o.Name
		}
	}
	endpoint, attribute, _ := endpointOf(kind)
	have, err := a.c.look(ctx, endpoint, attribute, guidKey(key), name)
	if err != nil {
		return "", err
	}
	if have == nil {
		return "", errMissing
	}
	a.learn(kind, key, have.id)
	return have.id, nil
}

// members adds members to a group, or ends memberships, 100 at a time: IAM Identity Center takes no more.
func (a *applier) members(ctx context.Context, group string, op identitystore.PlanOp, users []string) {
	name := a.nameOf(identitystore.PlanGroup, group)
	id, err := a.id(ctx, identitystore.PlanGroup, group)
	if err != nil {
		a.note(identitystore.PlanGroup, group, name, Failed, err)
		return
	}
	var list []any
	var missing error
	for _, u := range users {
		user, err := a.id(ctx, identitystore.PlanUser, u)
		switch {
		case errors.Is(err, errMissing) && op == identitystore.PlanRemove:
		case errors.Is(err, errMissing):
			missing = errors.New("scim: a member is not at the service")
		case err != nil:
			missing = err
		default:
			list = append(list, map[string]any{"value": user})
		}
	}
	for chunk := range slices.Chunk(list, maxMembersAWS) {
		if err := a.send(ctx, "/Groups", id, []any{map[string]any{"op": string(op), "path": "members", "value": chunk}}); err != nil {
			a.note(identitystore.PlanGroup, group, name, Failed, err)
			return
		}
	}
	outcome := Updated
	if len(list) == 0 {
		outcome = Unchanged
	}
	a.note(identitystore.PlanGroup, group, name, outcome, missing)
}

func (a *applier) nameOf(kind, key string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if rec := a.records[recordKey(kind, key)]; rec != nil {
		return rec.Name
	}
	return key
}
