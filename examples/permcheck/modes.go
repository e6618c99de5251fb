package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/adfedkit/adfedkit/permissionset"
)

func validate(o *options, stdout, stderr io.Writer) int {
	text, err := os.ReadFile(o.org)
	if err != nil {
		return fail(stderr, err)
	}
	res, err := permissionset.ReadOrganization(text)
	if err != nil {
		return fail(stderr, fmt.Errorf("%s: %w", o.org, err))
	}
	rep := permissionset.Validate(&res.Organization, permissionset.ValidateOptions{})
	rep.Errors = append(res.Errors, rep.Errors...)
	rep.Warnings = append(res.Warnings, rep.Warnings...)
	if rep.Errors == nil {
		rep.Errors = []permissionset.Problem{}
	}
	if rep.Warnings == nil {
		rep.Warnings = []permissionset.Problem{}
	}
	rep.Valid = len(rep.Errors) == 0
	exit := 0
	if !rep.Valid {
		exit = exitRefused
	}
	return print(stdout, stderr, rep, exit)
}

// setAnswer is one permission set of the answer to -user; the last two members come with -why.
type setAnswer struct {
	Name        string       `json:"name"`
	Via         [][]string   `json:"via"`
	Assignments []int        `json:"assignments,omitempty"` // one place for each element of via
	Policies    *setPolicies `json:"policies,omitempty"`
}

type setPolicies struct {
	Managed         []string                              `json:"managedPolicies"`
	CustomerManaged []permissionset.CustomerManagedPolicy `json:"customerManagedPolicies"`
	Inline          json.RawMessage                       `json:"inlinePolicy"`
	Boundary        *permissionset.PermissionsBoundary    `json:"permissionsBoundary"`
	SessionDuration string                                `json:"sessionDuration"`
}

type accountAnswer struct {
	ID             string      `json:"id"`
	Name           string      `json:"name"`
	Email          string      `json:"email"`
	PermissionSets []setAnswer `json:"permissionSets"`
}

type userAnswer struct {
	User         string                            `json:"user"`
	Status       permissionset.UserStatus          `json:"status"`
	Accounts     []accountAnswer                   `json:"accounts"`
	Applications []permissionset.ApplicationAccess `json:"applications,omitempty"`
	Warnings     []permissionset.Problem           `json:"warnings"`
}

func user(o *options, org *permissionset.Organization, warnings []permissionset.Problem, stdout, stderr io.Writer) int {
	access := permissionset.NewAccess(*org, permissionset.AccessConfig{})
	dir := permissionset.NewDirectory(org.Users, org.Groups)
	u, ok := dir.User(o.user)
	if !ok {
		return unknown(stdout, stderr, "no such user")
	}
	if _, ok := access.Account(o.account); o.account != "" && !ok {
		return unknown(stdout, stderr, "no such account")
	}
	eff := access.Effective(u, dir.Memberships(u.ID, o.directOnly))
	out := userAnswer{
		User: eff.User, Status: eff.Status, Accounts: []accountAnswer{}, Applications: eff.Applications,
		Warnings: append(warnings, access.Warnings()...),
	}
	if out.Warnings == nil {
		out.Warnings = []permissionset.Problem{}
	}
	for _, acc := range eff.Accounts {
		if o.account != "" && acc.ID != o.account {
			continue
		}
		a := accountAnswer{ID: acc.ID, Name: acc.Name, Email: acc.Email}
		for _, set := range acc.PermissionSets {
			a.PermissionSets = append(a.PermissionSets, answerSet(access, set, o.why))
		}
		out.Accounts = append(out.Accounts, a)
	}
	exit := 0
	if o.account != "" && len(out.Accounts) == 0 {
		exit = exitRefused
	}
	return print(stdout, stderr, out, exit)
}

func answerSet(access *permissionset.Access, set permissionset.SetAccess, why bool) setAnswer {
	out := setAnswer{Name: set.Name, Via: set.Via}
	if !why {
		return out
	}
	p, _ := access.PermissionSet(set.Name)
	out.Assignments = set.Assignments
	out.Policies = &setPolicies{
		Managed: append([]string{}, p.ManagedPolicies...), CustomerManaged: append([]permissionset.CustomerManagedPolicy{}, p.CustomerManagedPolicies...),
		Inline: p.InlinePolicy, Boundary: p.PermissionsBoundary, SessionDuration: p.SessionDuration,
	}
	if out.Policies.SessionDuration == "" {
		out.Policies.SessionDuration = "PT1H"
	}
	return out
}

func whoCan(o *options, org *permissionset.Organization, warnings []permissionset.Problem, stdout, stderr io.Writer) int {
	access := permissionset.NewAccess(*org, permissionset.AccessConfig{})
	people := permissionset.NewDirectory(org.Users, org.Groups).People(o.directOnly)
	res, err := access.WhoCan(people, permissionset.WhoCanQuery{Action: o.whoCan, Resource: o.resource})
	if err != nil {
		return fail(stderr, err)
	}
	res.Warnings = append(append([]permissionset.Problem{}, warnings...), res.Warnings...)
	return print(stdout, stderr, res, 0)
}
