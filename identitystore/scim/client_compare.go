package scim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/identitystore"
)

// wanted is a user or group of a state.
type wanted struct {
	kind, key, name string
	values          map[string]string
	members         []string // folded user names
	have            *remote
	err             error
}

// comparison finds out what a state changes at a service.
type comparison struct {
	c    *Client
	opt  PushOptions
	plan *identitystore.Plan

	users, groups []*wanted
	byName        map[string]*wanted   // users by folded name
	others        map[string][]*remote // of the service, not in the state, by kind
	held          identitystore.Holdings

	mu      sync.Mutex
	ids     map[string]string // kind, key -> id at the service
	records map[string]*PushRecord
}

func recordKey(kind, key string) string { return kind + "\x00" + key }

func keyOf(externalID, name string) string {
	if externalID != "" {
		return externalID
	}
	return identitystore.FoldName(name)
}

func newComparison(c *Client, s *State, opt PushOptions) *comparison {
	p := &comparison{
		c: c, opt: opt, byName: map[string]*wanted{}, others: map[string][]*remote{}, ids: map[string]string{}, records: map[string]*PushRecord{},
		plan: &identitystore.Plan{Tenant: c.cfg.BaseURL, Source: "scim", Objects: []identitystore.PlanObject{}, Members: []identitystore.PlanMember{}, Skipped: []identitystore.Skipped{}},
	}
	taken := map[string]bool{}
	add := func(list *[]*wanted, w *wanted, externalID string) {
		w.key = keyOf(externalID, w.name)
		for _, k := range []string{"key " + w.key, "name " + identitystore.FoldName(w.name)} {
			if taken[w.kind+k] {
				w.err = errors.New("scim: the state names it twice")
			}
			taken[w.kind+k] = true
		}
		if w.name == "" {
			w.err = errors.New("scim: it has no name")
		}
		if w.err != nil {
			p.note(w, Failed, w.err)
			return
		}
		*list = append(*list, w)
	}
	for i := range s.Users {
		u := &s.Users[i]
		w := &wanted{kind: identitystore.PlanUser, name: u.UserName, values: u.values(c.cfg.Profile)}
		if opt.FillNames {
			fillNames(w.values)
		}
		if add(&p.users, w, u.ExternalID); w.err == nil {
			p.byName[identitystore.FoldName(w.name)] = w
		}
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		w := &wanted{kind: identitystore.PlanGroup, name: g.DisplayName, values: map[string]string{pathName: g.DisplayName}}
		if g.ExternalID != "" {
			w.values[pathExternalID] = g.ExternalID
		}
		for _, m := range g.Members {
			w.members = append(w.members, identitystore.FoldName(m))
		}
		add(&p.groups, w, g.ExternalID)
	}
	return p
}

// fillNames gives a user the names that IAM Identity Center requires.
func fillNames(values map[string]string) {
	if values[pathName] == "" {
		values[pathName] = cmp.Or(strings.TrimSpace(values[pathGiven]+" "+values[pathFamily]), values[pathUserName])
	}
	first, rest, _ := strings.Cut(values[pathName], " ")
	if values[pathGiven] == "" {
		values[pathGiven] = first
	}
	if values[pathFamily] == "" {
		values[pathFamily] = cmp.Or(strings.TrimSpace(rest), first)
	}
}

func (p *comparison) note(w *wanted, o Outcome, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := w.key
	if w.err != nil {
		key = fmt.Sprint("refused ", len(p.records)) // its key belongs to another object
	}
	p.records[recordKey(w.kind, key)] = &PushRecord{Kind: w.kind, Key: w.key, Name: w.name, Outcome: o, Err: err}
}

// run reads the service and fills the plan.
func (p *comparison) run(ctx context.Context) error {
	users, err := p.match(ctx, "/Users", identitystore.PlanUser, pathUserName, p.users)
	if err != nil {
		return err
	}
	groups, err := p.match(ctx, "/Groups", identitystore.PlanGroup, pathName, p.groups)
	if err != nil {
		return err
	}
	p.held.Users, p.held.Groups = users, groups
	for _, w := range slices.Concat(p.users, p.groups) {
		p.object(w)
	}
	if err := p.allMembers(ctx); err != nil {
		return err
	}
	p.unnamed()
	p.plan.Sort()
	return ctx.Err()
}

// match finds the objects of the state at the service: by external id, else by name. It returns how many there are.
func (p *comparison) match(ctx context.Context, endpoint, kind, namePath string, list []*wanted) (int, error) {
	if p.opt.Users == KeepUsers && !p.opt.RemoveGroups {
		// few objects of a big service are looked up, two requests each: its list may have thousands of pages
		if n, err := p.c.total(ctx, endpoint); err != nil || n > 2*pageSize*(len(list)+1) {
			return n, cmp.Or(err, p.lookUp(ctx, endpoint, namePath, list))
		}
	}
	byID, byName, all := map[string]*remote{}, map[string]*remote{}, []*remote{}
	query := url.Values{}
	if kind == identitystore.PlanGroup && p.c.cfg.Profile != AWS {
		query.Set("excludedAttributes", "members")
	}
	complete, err := p.c.list(ctx, endpoint, query, func(doc map[string]any) {
		r := readRemote(doc)
		all = append(all, &r)
		if ext := r.values[pathExternalID]; ext != "" {
			byID[ext] = &r
		}
		byName[identitystore.FoldName(r.values[namePath])] = &r
	})
	if err != nil {
		return 0, err
	}
	if !complete {
		if p.opt.RemoveGroups || p.opt.Users != KeepUsers {
			return 0, fmt.Errorf("%w: it does not list all objects, so those that the state does not name cannot be found", ErrAnswer)
		}
		return len(all), p.lookUp(ctx, endpoint, namePath, list)
	}
	named := namedIn(list)
	claimed, count := map[*remote]bool{}, len(all)
	for _, w := range list {
		if w.have = byID[w.values[pathExternalID]]; w.have == nil {
			w.have = byName[identitystore.FoldName(w.name)]
		}
		p.claim(w, named)
		claimed[w.have] = true
	}
	p.others[kind] = slices.DeleteFunc(all, func(r *remote) bool { return claimed[r] })
	return count, nil
}

// lookUp asks for each object by itself: for services that do not give their whole list, or have a long one.
func (p *comparison) lookUp(ctx context.Context, endpoint, namePath string, list []*wanted) error {
	var first error
	p.c.each(ctx, len(list), func(i int) {
		w := list[i]
		r, err := p.c.look(ctx, endpoint, namePath, w.values[pathExternalID], w.name)
		p.mu.Lock()
		defer p.mu.Unlock()
		w.have, first = r, cmp.Or(first, err)
	})
	if first != nil {
		return first
	}
	named := namedIn(list)
	for _, w := range list {
		p.claim(w, named)
	}
	return nil
}

// look finds an object by external id, else by name.
func (c *Client) look(ctx context.Context, endpoint, attribute, externalID, name string) (*remote, error) {
	if r, err := c.find(ctx, endpoint, "externalId", externalID); err != nil || r != nil {
		return r, err
	}
	return c.find(ctx, endpoint, attribute, name)
}

// errTaken refuses to take over an object that another source has named.
func errTaken(w, have string) error {
	if w != "" && have != "" && w != have {
		return refuse(http.StatusConflict, "uniqueness", "the name belongs to an object with another externalId")
	}
	return nil
}

// namedIn returns the external ids of a list.
func namedIn(list []*wanted) map[string]bool {
	named := map[string]bool{}
	for _, w := range list {
		named[w.values[pathExternalID]] = true
	}
	return named
}

// claim takes what was found for an object of the state for it, or not.
func (p *comparison) claim(w *wanted, named map[string]bool) {
	if w.have == nil {
		return
	}
	if err := errTaken(w.values[pathExternalID], w.have.values[pathExternalID]); err != nil {
		removes := w.kind == identitystore.PlanUser && p.opt.Users == DeleteUsers || w.kind == identitystore.PlanGroup && p.opt.RemoveGroups
		switch {
		case named[w.have.values[pathExternalID]]: // it is another object of the state, and will have another name
			w.have = nil
		case p.opt.ReplaceRecreated && removes:
			w.have = nil
		default:
			p.note(w, Failed, err)
			w.err = err
		}
		return
	}
	p.ids[recordKey(w.kind, w.key)] = w.have.id
}

// object plans what one object needs.
func (p *comparison) object(w *wanted) {
	if w.err != nil {
		return
	}
	if w.kind == identitystore.PlanUser && p.c.cfg.Profile == AWS {
		values := maps.Clone(w.values)
		if w.have != nil {
			for _, path := range []string{pathName, pathGiven, pathFamily} {
				if values[path] == "" {
					values[path] = w.have.values[path]
				}
			}
		}
		if err := awsUser(userBody(values)); err != nil {
			p.note(w, Skipped, err)
			w.err = err
			return
		}
	}
	o := identitystore.PlanObject{Op: identitystore.PlanCreate, Kind: w.kind, Key: w.key, Name: w.name}
	have := map[string]string{pathStatus: string(identitystore.StatusEnabled)}
	if w.have != nil {
		o.Op, o.ID, have = identitystore.PlanUpdate, w.have.id, w.have.values
	}
	for path, v := range w.values {
		if have[path] != v {
			o.Fields = append(o.Fields, identitystore.FieldChange{Path: path, Old: have[path], New: v})
		}
	}
	if w.have != nil && len(o.Fields) == 0 {
		p.note(w, Unchanged, nil)
		return
	}
	p.plan.Objects = append(p.plan.Objects, o)
}

// unnamed plans what becomes of objects that the state does not name. Those without an external id were not provisioned:
// somebody made them by hand, and they stay.
func (p *comparison) unnamed() {
	gone := 0
	for _, r := range p.others[identitystore.PlanUser] {
		enabled := identitystore.FieldChange{Path: pathStatus, Old: r.values[pathStatus], New: string(identitystore.StatusDisabled)}
		o := identitystore.PlanObject{
			Op: identitystore.PlanRemove, Kind: identitystore.PlanUser, ID: r.id, Name: printable(r.values[pathUserName], ""), Key: r.key(pathUserName),
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
		key := r.key(pathName)
		p.ids[recordKey(identitystore.PlanGroup, key)] = r.id
		p.plan.Objects = append(p.plan.Objects, identitystore.PlanObject{Op: identitystore.PlanRemove, Kind: identitystore.PlanGroup, Key: key, ID: r.id, Name: printable(r.values[pathName], "")})
	}
	p.plan.FoundNone = gone > 0 && len(p.users)+len(p.groups) == 0
}
