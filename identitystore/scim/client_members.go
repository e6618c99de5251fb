package scim

import (
	"context"

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
		key := keyOf(r.values[pathExternalID], r.values[pathUserName])
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
	var changes []identitystore.PlanMember
	var skipped []identitystore.Skipped
	keep := map[string]bool{}
	for _, name := range w.members {
		u := p.byName[name]
		switch {
		case u == nil || u.err != nil:
			skipped = append(skipped, identitystore.Skipped{Object: name, Reason: reasonNotThere})
		case keep[u.key]:
		case u.have == nil || !in[u.have.id]:
			changes = append(changes, identitystore.PlanMember{Op: identitystore.PlanAdd, Group: w.key, User: u.key, Direct: true})
			fallthrough
		default:
			keep[u.key] = true
		}
	}
	if p.opt.RemoveMembers {
		for id := range in {
			if key := userKeys[id]; key != "" && !keep[key] {
				changes = append(changes, identitystore.PlanMember{Op: identitystore.PlanRemove, Group: w.key, User: key})
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan.Members = append(p.plan.Members, changes...)
	p.plan.Skipped = append(p.plan.Skipped, skipped...)
	p.held.Memberships += len(in)
	p.held.GroupSize[w.key] = len(in)
	return nil
}

// reasonNotThere is the reason of members whom the service does not have and the push does not bring.
const reasonNotThere = "not_at_the_service"

// unnamed plans what becomes of objects that the state does not name. Those without an external id were not provisioned:
// somebody made them by hand, and they stay.
func (p *comparison) unnamed() {
	gone := 0
	for _, r := range p.others[identitystore.PlanUser] {
		enabled := identitystore.FieldChange{Path: pathStatus, Old: r.values[pathStatus], New: string(identitystore.StatusDisabled)}
		o := identitystore.PlanObject{
			Op: identitystore.PlanRemove, Kind: identitystore.PlanUser, ID: r.id, Name: r.values[pathUserName],
			Key: keyOf(r.values[pathExternalID], r.values[pathUserName]),
		}
		switch {
		case r.values[pathExternalID] == "" || p.opt.Users == KeepUsers:
			continue
		case p.opt.Users == DeactivateUsers && enabled.Old == enabled.New:
			continue
		case p.opt.Users == DeactivateUsers:
			o.Fields = []identitystore.FieldChange{enabled}
		}
		gone++
		p.plan.Objects = append(p.plan.Objects, o)
	}
	for _, r := range p.others[identitystore.PlanGroup] {
		if r.values[pathExternalID] == "" || !p.opt.RemoveGroups {
			continue
		}
		gone++
		key := keyOf(r.values[pathExternalID], r.values[pathName])
		p.ids[recordKey(identitystore.PlanGroup, key)] = r.id
		p.plan.Objects = append(p.plan.Objects, identitystore.PlanObject{Op: identitystore.PlanRemove, Kind: identitystore.PlanGroup, Key: key, ID: r.id, Name: r.values[pathName]})
	}
	p.plan.FoundNone = gone > 0 && len(p.users)+len(p.groups) == 0
}
