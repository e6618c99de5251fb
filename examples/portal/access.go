package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	_ "embed"

	"github.com/adfedkit/adfedkit/examples/adassign"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

//go:embed demo/org.json
var demoOrg []byte

//go:embed demo/assign.json
var demoAssign []byte

// assignments are what the two files say: the organization, and principals as written with what they are assigned.
type assignments struct {
	org  permissionset.Organization
	file *adassign.File
}

// loadAssignments reads ORG.json and ASSIGN.json. The demo's stand in for both only when neither is given.
func loadAssignments(orgFile, assignFile string) (assignments, error) {
	orgText, assignText := demoOrg, demoAssign
	var err error
	if orgFile != "" {
		if orgText, err = os.ReadFile(orgFile); err != nil { //nolint:gosec // the administrator names the file
			return assignments{}, err
		}
		assignText = []byte(`{"assignments":[]}`)
	}
	res, err := permissionset.ReadOrganization(orgText)
	if err != nil {
		return assignments{}, fmt.Errorf("%s: %w", orgFile, err)
	}
	if len(res.Errors) > 0 {
		p := res.Errors[0]
		return assignments{}, fmt.Errorf("%s: %s: %s: %s", orgFile, p.Path, p.Code, p.Message)
	}
	a := assignments{org: res.Organization}
	if assignFile != "" {
		a.file, err = adassign.Load(assignFile)
	} else {
		a.file, err = adassign.Parse(assignText)
	}
	if err != nil {
		return assignments{}, err
	}
	a.addAccounts()
	return a, nil
}

// addAccounts takes over the accounts of ASSIGN.json that ORG.json does not have.
func (a *assignments) addAccounts() {
	known := map[string]bool{}
	for _, acc := range a.org.Accounts {
		known[acc.ID] = true
	}
	for _, acc := range a.file.Accounts {
		if !known[acc.ID] {
			a.org.Accounts = append(a.org.Accounts, permissionset.Account{ID: acc.ID, Name: acc.Name})
		}
	}
}

// principals returns everybody who is assigned something, as the directory is asked for them.
func (a *assignments) principals() []adassign.Assignment {
	out := append([]adassign.Assignment(nil), a.file.Assignments...)
	for _, x := range a.org.Assignments {
		out = append(out, adassign.Assignment{PrincipalType: string(x.PrincipalType), Principal: a.orgPrincipal(x.PrincipalType, x.PrincipalID)})
	}
	for _, x := range a.org.ApplicationAssignments {
		out = append(out, adassign.Assignment{PrincipalType: string(x.PrincipalType), Principal: a.orgPrincipal(x.PrincipalType, x.PrincipalID)})
	}
	return out
}

// orgPrincipal returns the name of a principal of ORG.json: its user or group name, or the ID itself when it has no entry.
func (a *assignments) orgPrincipal(kind permissionset.PrincipalType, id string) string {
	if kind == permissionset.UserPrincipal {
		for _, u := range a.org.Users {
			if u.ID == id {
				return u.UserName
			}
		}
		return id
	}
	for _, g := range a.org.Groups {
		if g.ID == id {
			return g.DisplayName
		}
	}
	return id
}

// bind replaces principals as written by the IDs of the store's records, and returns the access that follows. Those who
// are not in the store grant nothing; the synchronisation reports them.
func (a *assignments) bind(id func(kind permissionset.PrincipalType, text string) string) *permissionset.Access {
	org := a.org
	org.Users, org.Groups, org.Assignments, org.ApplicationAssignments = nil, nil, nil, nil
	for _, x := range a.org.Assignments {
		x.PrincipalID = id(x.PrincipalType, a.orgPrincipal(x.PrincipalType, x.PrincipalID))
		if x.PrincipalID != "" {
			org.Assignments = append(org.Assignments, x)
		}
	}
	for _, x := range a.file.Assignments {
		kind := permissionset.PrincipalType(strings.ToUpper(x.PrincipalType))
		who := id(kind, x.Principal)
		if who == "" || x.TargetID == "" || x.PermissionSet == "" {
			continue
		}
		org.Assignments = append(org.Assignments, permissionset.Assignment{
			PrincipalType: kind, PrincipalID: who, TargetID: x.TargetID, PermissionSet: x.PermissionSet,
		})
	}
	for _, x := range a.org.ApplicationAssignments {
		x.PrincipalID = id(x.PrincipalType, a.orgPrincipal(x.PrincipalType, x.PrincipalID))
		if x.PrincipalID != "" {
			org.ApplicationAssignments = append(org.ApplicationAssignments, x)
		}
	}
	return permissionset.NewAccess(org, permissionset.AccessConfig{ExternalPrincipals: true})
}

// effective returns what a stored user reaches, with the paths.
func (a *app) effective(ctx context.Context, u *identitystore.User) (permissionset.Effective, error) {
	ms, err := a.memberships(ctx, u)
	if err != nil {
		return permissionset.Effective{}, err
	}
	return a.access.Load().Effective(asUser(u), ms), nil
}

func asUser(u *identitystore.User) permissionset.User {
	out := permissionset.User{ID: u.ID, UserName: u.UserName, Status: permissionset.Enabled}
	if !u.Enabled() {
		out.Status = permissionset.Disabled
	}
	return out
}

// memberships returns the user's groups as the synchronisation flattened them, each with its nesting path.
func (a *app) memberships(ctx context.Context, u *identitystore.User) ([]permissionset.Membership, error) {
	var out []permissionset.Membership
	token := ""
	for {
		page, next, err := a.store.ListGroupMembershipsForMember(ctx, u.ID, identitystore.ListRequest{NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			path, err := a.store.Explain(ctx, u.ID, m.GroupID)
			if err != nil {
				return nil, err
			}
			names := make([]string, len(path))
			for i, hop := range path {
				names[i] = hop.ToName
			}
			out = append(out, permissionset.Membership{GroupID: m.GroupID, Path: names})
		}
		if next == "" {
			return out, nil
		}
		token = next
	}
}

// mayOpen refuses a relying party that is an application to which the person is not assigned.
func (a *app) mayOpen(ctx context.Context, p person, entityID string) error {
	appl, ok := a.access.Load().ApplicationByEntityID(entityID)
	if !ok || !appl.AssignmentRequired() {
		return nil
	}
	u, err := a.store.UserByGUID(ctx, source, p.entry.GUID)
	if errors.Is(err, identitystore.ErrNotFound) {
		return samlhttp.ErrNotPermitted
	}
	if err != nil {
		return err
	}
	eff, err := a.effective(ctx, u)
	if err != nil {
		return err
	}
	for _, x := range eff.Applications {
		if x.ID == appl.ID {
			return nil
		}
	}
	return samlhttp.ErrNotPermitted
}
