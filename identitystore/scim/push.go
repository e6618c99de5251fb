package scim

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

// PushUser is a user as a service should have it.
type PushUser struct {
	UserName, ExternalID, DisplayName, GivenName, FamilyName, Email string
	Active                                                          bool
}

// PushGroup is a group as a service should have it. Members are user names.
type PushGroup struct {
	DisplayName, ExternalID string
	Members                 []string
}

// State is what a service should hold.
type State struct {
	Users  []PushUser
	Groups []PushGroup
}

// StateOf reads the state from a store: groups with their effective members, external ids from the directory's object
// GUID where there is one.
func StateOf(ctx context.Context, svc *identitystore.Service, issuer string) (State, error) {
	var out State
	err := svc.View(ctx, func(r identitystore.Reader) error {
		out = State{}
		names := map[identitystore.Key]string{}
		for after := ""; ; {
			us, err := r.ListUsers(ctx, after, chunkSize)
			if err != nil {
				return err
			}
			for _, u := range us {
				names[u.Key] = u.UserName
				out.Users = append(out.Users, PushUser{
					UserName: u.UserName, ExternalID: sourceID(u.Link.GUID, u.ExternalIDs, issuer), DisplayName: u.DisplayName,
					GivenName: u.Name.GivenName, FamilyName: u.Name.FamilyName, Email: u.Email(), Active: u.Enabled(),
				})
				after = u.ID
			}
			if len(us) < chunkSize {
				break
			}
		}
		return out.readGroups(ctx, r, names, issuer)
	})
	return out, err
}

func sourceID(guid string, ids []identitystore.ExternalID, issuer string) string {
	if guid != "" {
		return guid
	}
	return externalID(ids, issuer)
}

func (s *State) readGroups(ctx context.Context, r identitystore.Reader, names map[identitystore.Key]string, issuer string) error {
	for after := ""; ; {
		gs, err := r.ListGroups(ctx, after, chunkSize)
		if err != nil {
			return err
		}
		for _, g := range gs {
			pg := PushGroup{DisplayName: g.DisplayName, ExternalID: sourceID(g.Link.GUID, g.ExternalIDs, issuer)}
			for from := identitystore.Key(0); ; {
				ms, err := r.Members(ctx, g.Key, from, chunkSize)
				if err != nil {
					return err
				}
				for _, m := range ms {
					pg.Members = append(pg.Members, names[m.User])
					from = m.User
				}
				if len(ms) < chunkSize {
					break
				}
			}
			s.Groups = append(s.Groups, pg)
			after = g.ID
		}
		if len(gs) < chunkSize {
			return nil
		}
	}
}

// Outcome says what a push did with one object.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged"
	Failed    Outcome = "failed"
)

// PushRecord is the outcome for one object.
type PushRecord struct {
	Kind    string // user or group
	Name    string
	Outcome Outcome
	Err     error // of a failed one
}

// PushOptions varies a push.
type PushOptions struct {
	// RemoveMembers ends memberships that the state does not have, among the users of the state. Set it for a state that
	// has passed the guard against mass removals.
	RemoveMembers bool
}

// Push brings a service to a state. Objects are looked up before they are created and never created anew, so that a push
// can be repeated: it does what is missing. Users and groups that the state does not name are left alone. The error is
// that of the context; failures of objects are in the records.
func (c *Client) Push(ctx context.Context, s State, opt PushOptions) ([]PushRecord, error) {
	p := &pusher{c: c, opt: opt, ids: map[string]string{}}
	for _, u := range s.Users {
		if ctx.Err() != nil {
			return p.records, ctx.Err()
		}
		p.user(ctx, u)
	}
	for _, g := range s.Groups {
		if ctx.Err() != nil {
			return p.records, ctx.Err()
		}
		p.group(ctx, g)
	}
	return p.records, ctx.Err()
}

type pusher struct {
	c       *Client
	opt     PushOptions
	ids     map[string]string // user name -> id at the service
	records []PushRecord
}

func (p *pusher) note(kind, name string, o Outcome, err error) {
	if err != nil {
		o = Failed
	}
	p.records = append(p.records, PushRecord{kind, name, o, err})
}

// find returns the one resource that an equality finds, or nil.
func (p *pusher) find(ctx context.Context, endpoint, attribute, value string) (map[string]any, error) {
	if value == "" {
		return nil, nil //nolint:nilnil // nothing to look for
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var list struct{ Resources []map[string]any }
	err = p.c.Do(ctx, http.MethodGet, endpoint+"?filter="+url.QueryEscape(attribute+" eq "+string(quoted)), nil, &list)
	if err != nil || len(list.Resources) != 1 {
		return nil, err
	}
	return list.Resources[0], nil
}

// ensure finds an object by its external id or its name, or creates it. After a conflict, or an answer that was lost, it
// looks again.
func (p *pusher) ensure(ctx context.Context, endpoint, nameAttr, name, externalID string, body map[string]any) (doc map[string]any, created bool, err error) {
	look := func() (map[string]any, error) {
		if doc, err := p.find(ctx, endpoint, "externalId", externalID); err != nil || doc != nil {
			return doc, err
		}
		return p.find(ctx, endpoint, nameAttr, name)
	}
	for range 3 {
		if doc, err = look(); err != nil || doc != nil {
			break
		}
		var made map[string]any
		if err = p.c.Do(ctx, http.MethodPost, endpoint, body, &made); err == nil {
			return made, true, nil
		}
		var e *Error
		if errors.As(err, &e) && e.Status != http.StatusConflict && e.Status < http.StatusInternalServerError {
			return nil, false, err
		}
	}
	if err == nil && doc != nil && externalID != "" && str(doc, "externalId") != "" && str(doc, "externalId") != externalID {
		return nil, false, refuse(http.StatusConflict, "uniqueness", "the name belongs to an object with another externalId")
	}
	return doc, false, err
}

func (p *pusher) user(ctx context.Context, u PushUser) {
	want := map[string]any{"userName": u.UserName, "active": u.Active}
	putText(want, map[string]string{"externalId": u.ExternalID, "displayName": u.DisplayName})
	name := map[string]any{}
	putText(name, map[string]string{"givenName": u.GivenName, "familyName": u.FamilyName})
	if len(name) > 0 {
		want["name"] = name
	}
	if u.Email != "" {
		want["emails"] = []any{map[string]any{"value": u.Email, "type": "work", "primary": true}}
	}
	if p.c.cfg.Profile == AWS {
		if err := awsUser(want); err != nil {
			p.note("user", u.UserName, Failed, err)
			return
		}
	}
	body := map[string]any{"schemas": []string{urnUser}}
	maps.Copy(body, want)
	doc, created, err := p.ensure(ctx, "/Users", "userName", u.UserName, u.ExternalID, body)
	if err != nil || created {
		p.ids[u.UserName] = str(doc, "id")
		p.note("user", u.UserName, Created, err)
		return
	}
	p.ids[u.UserName] = str(doc, "id")
	changed, err := p.update(ctx, "/Users/"+str(doc, "id"), doc, want)
	p.note("user", u.UserName, changed, err)
}

// update sends what differs. An e-mail address is compared by its value.
func (p *pusher) update(ctx context.Context, path string, have, want map[string]any) (Outcome, error) {
	var ops []any
	for _, name := range []string{"userName", "displayName", "externalId", "active"} {
		if v, ok := want[name]; ok && have[name] != v {
			ops = append(ops, map[string]any{"op": "replace", "path": name, "value": v})
		}
	}
	for _, part := range []string{"givenName", "familyName"} {
		if v := str(object(want, "name"), part); v != "" && str(object(have, "name"), part) != v {
			ops = append(ops, map[string]any{"op": "replace", "path": "name." + part, "value": v})
		}
	}
	if list := readList(want["emails"]); len(list) > 0 {
		old := readList(have["emails"])
		if !slices.ContainsFunc(old, func(e identitystore.MultiValue) bool { return e.Value == list[0].Value && e.Primary }) {
			ops = append(ops, map[string]any{"op": "replace", "path": "emails", "value": want["emails"]})
		}
	}
	if len(ops) == 0 {
		return Unchanged, nil
	}
	return Updated, p.patch(ctx, path, ops)
}

func (p *pusher) patch(ctx context.Context, path string, ops []any) error {
	return p.c.Do(ctx, http.MethodPatch, path, map[string]any{"schemas": []string{scimpatch.URN}, "Operations": ops}, nil)
}

func (p *pusher) group(ctx context.Context, g PushGroup) {
	want := map[string]any{"displayName": g.DisplayName}
	putText(want, map[string]string{"externalId": g.ExternalID})
	body := map[string]any{"schemas": []string{urnGroup}}
	maps.Copy(body, want)
	doc, created, err := p.ensure(ctx, "/Groups", "displayName", g.DisplayName, g.ExternalID, body)
	if err != nil {
		p.note("group", g.DisplayName, Failed, err)
		return
	}
	outcome := Created
	path := "/Groups/" + str(doc, "id")
	if !created {
		if outcome, err = p.update(ctx, path, doc, want); err != nil {
			p.note("group", g.DisplayName, Failed, err)
			return
		}
	}
	changed, err := p.members(ctx, path, str(doc, "id"), g, created)
	if changed && outcome == Unchanged {
		outcome = Updated
	}
	p.note("group", g.DisplayName, outcome, err)
}

// members adds what is missing and, if asked, removes what is too much, 100 at a time.
func (p *pusher) members(ctx context.Context, path, id string, g PushGroup, created bool) (bool, error) { //nolint:cyclop // one list of checks
	have, err := p.memberTest(ctx, path, id, created)
	if err != nil {
		return false, err
	}
	wanted := map[string]bool{}
	var add, remove []any
	var missing error
	for _, name := range g.Members {
		user := p.ids[name]
		if user == "" {
			missing = errors.New("scim: a member is not at the service")
			continue
		}
		wanted[user] = true
		if in, err := have(user); err != nil {
			return false, err
		} else if !in {
			add = append(add, map[string]any{"value": user})
		}
	}
	if p.opt.RemoveMembers && !created {
		for _, user := range p.ids {
			if wanted[user] || user == "" {
				continue
			}
			if in, err := have(user); err != nil {
				return false, err
			} else if in {
				remove = append(remove, map[string]any{"value": user})
			}
		}
	}
	for _, change := range []struct {
		op   string
		list []any
	}{{"add", add}, {"remove", remove}} {
		for chunk := range slices.Chunk(change.list, maxMembersAWS) {
			if err := p.patch(ctx, path, []any{map[string]any{"op": change.op, "path": "members", "value": chunk}}); err != nil {
				return true, err
			}
		}
	}
	return len(add)+len(remove) > 0, missing
}

// memberTest returns how to ask whether a user is a member: AWS lists no members and answers a filter.
func (p *pusher) memberTest(ctx context.Context, path, id string, created bool) (func(user string) (bool, error), error) {
	if created {
		return func(string) (bool, error) { return false, nil }, nil
	}
	if p.c.cfg.Profile == AWS {
		return func(user string) (bool, error) {
			var list struct{ TotalResults int }
			filter := `id eq "` + id + `" and members eq "` + user + `"`
			err := p.c.Do(ctx, http.MethodGet, "/Groups?filter="+url.QueryEscape(filter), nil, &list)
			return list.TotalResults > 0, err
		}, nil
	}
	var doc map[string]any
	if err := p.c.Do(ctx, http.MethodGet, path, nil, &doc); err != nil {
		return nil, err
	}
	in := map[string]bool{}
	for _, m := range readList(doc["members"]) {
		in[m.Value] = true
	}
	return func(user string) (bool, error) { return in[user], nil }, nil
}
