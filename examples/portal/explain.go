package main

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// why explains which assignments let a user into accounts, through which groups, and, for an action, which statement
// decides. For a refusal it names the first missing link.
func (a *app) why(ctx context.Context, v whyView) whyView {
	if v.User == "" {
		return v
	}
	u, err := a.store.UserByName(ctx, v.User)
	if err != nil {
		v.Message = "There is no such user in the identity store. Somebody who was never assigned and never signed in is not in it."
		return v
	}
	ms, err := a.memberships(ctx, u)
	if err != nil {
		v.Message = "The memberships could not be read."
		return v
	}
	p := permissionset.Person{User: asUser(u), Memberships: ms}
	if v.Account != "" && v.Action != "" {
		return a.whyAction(ctx, v, p)
	}
	return a.whyAccounts(v, u, a.access.Load().Effective(p.User, ms))
}

func (a *app) whyAccounts(v whyView, u *identitystore.User, eff permissionset.Effective) whyView {
	for _, acc := range eff.Accounts {
		if v.Account != "" && v.Account != acc.ID {
			continue
		}
		for _, s := range acc.PermissionSets {
			v.Grants = append(v.Grants, grantView{Account: acc.Name + " (" + acc.ID + ")", PermissionSet: s.Name, Via: s.Via})
		}
	}
	switch {
	case !u.Enabled():
		v.Message = u.UserName + " is disabled and has no access."
	case len(v.Grants) == 0:
		v.Message = u.UserName + " has no access: no assignment names the user or one of the user's groups."
	default:
		v.Message = u.UserName + " has access through:"
	}
	return v
}

// missingTexts say what is missing, in the order of the chain.
var missingTexts = map[permissionset.Link]string{
	permissionset.LinkNone:       "Yes.",
	permissionset.LinkUser:       "No: the user is disabled.",
	permissionset.LinkAccount:    "No: there is no such account.",
	permissionset.LinkAssignment: "No: no assignment gives the user a permission set in this account.",
	permissionset.LinkStatement:  "No: no permission set that the user holds there has a statement that allows it.",
	permissionset.LinkDeny:       "No: a statement denies it.",
	permissionset.LinkDocument:   "Unknown: the text of a managed policy is not given.",
}

func (a *app) whyAction(ctx context.Context, v whyView, p permissionset.Person) whyView {
	if v.Resource == "" {
		v.Resource = "*"
	}
	why, err := a.access.Load().Why(p, permissionset.WhyQuery{Account: v.Account, Action: v.Action, Resource: v.Resource})
	if err != nil {
		v.Message = "The question cannot be answered: " + err.Error()
		return v
	}
	v.Message = missingTexts[why.Missing]
	for _, s := range why.Sets {
		g := grantView{Account: v.Account, PermissionSet: s.Name, Via: s.Via, Decision: s.Decision.String()}
		for _, st := range s.Statements {
			g.Statements = append(g.Statements, statementText(st))
		}
		v.Grants = append(v.Grants, g)
	}
	for _, n := range why.Nearest {
		v.Nearest = append(v.Nearest, fmt.Sprintf("%s for %s", n.PermissionSet, a.principalName(ctx, n)))
	}
	return v
}

func statementText(st policy.StatementReport) string {
	name := st.Sid
	if name == "" {
		name = fmt.Sprintf("number %d", st.Statement+1)
	}
	return fmt.Sprintf("%s by statement %s of the %s policies", st.Effect, name, st.Layer)
}

func (a *app) principalName(ctx context.Context, g permissionset.WhyGrant) string {
	if g.PrincipalType == permissionset.GroupPrincipal {
		if x, err := a.store.DescribeGroup(ctx, g.PrincipalID); err == nil {
			return "the group " + x.DisplayName
		}
	} else if x, err := a.store.DescribeUser(ctx, g.PrincipalID); err == nil {
		return "the user " + x.UserName
	}
	return g.PrincipalID
}
