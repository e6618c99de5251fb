package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// maxRows bounds the tables of the administration page.
const maxRows = 200

type adminContent struct {
	Sync        syncView
	Why         whyView
	Who         whoView
	Members     []memberView
	MembersNote string
}

type syncView struct {
	State, Class, At, PlanHash, Detail string
	Users, Groups, Memberships         string
	Held                               bool
	Progress                           progressView
	Findings                           []string
	Skipped                            []identitystore.Skipped
}

type whyView struct {
	User, Account, Action, Resource, Message string

	Grants  []grantView
	Nearest []string
}

type grantView struct {
	Account, PermissionSet, Decision string

	Via        [][]string
	Statements []string
}

type whoView struct {
	Action, Resource, Message string
	Rows                      []whoRow
}

type whoRow struct{ User, Account, PermissionSet, Decision, Missing string }

type memberView struct {
	Group, User string
	Path        []string
}

// isAdmin reports whether the user is in the administrators' group, directly or through nested groups.
func (a *app) isAdmin(ctx context.Context, u *identitystore.User) (bool, error) {
	if a.opts.adminGroup == "" {
		return false, nil
	}
	g, err := a.adminGroup(ctx)
	if err != nil || g == nil {
		return false, err
	}
	in, err := a.store.IsMemberInGroups(ctx, u.ID, g.ID)
	return err == nil && len(in) == 1 && in[0], err
}

// adminGroup finds the group by its full name, or by its short name in the first domain.
func (a *app) adminGroup(ctx context.Context) (*identitystore.Group, error) {
	name := a.opts.adminGroup
	if !strings.Contains(name, "@") {
		name += "@" + a.domain.first
	}
	g, err := a.store.GroupByName(ctx, name)
	return g, ignoreNotFound(err)
}

func (a *app) adminOnly(next userHandler) userHandler {
	return func(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
		ok, err := a.isAdmin(r.Context(), u)
		switch {
		case err != nil:
			a.unavailable(w, r, err)
		case !ok:
			a.render.fail(w, r, samlhttp.ErrorPage{Status: http.StatusForbidden, Reason: "not_an_administrator", Public: "This page is for administrators."})
		default:
			next(w, r, u)
		}
	}
}

func (a *app) admin(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
	ctx, q := r.Context(), r.URL.Query()
	c := adminContent{Sync: a.syncView(ctx)}
	c.Why = a.why(ctx, whyView{User: q.Get("user"), Account: q.Get("account"), Action: q.Get("do"), Resource: q.Get("on")})
	var err error
	if c.Who, err = a.who(ctx, q.Get("action"), q.Get("resource")); err == nil {
		c.Members, c.MembersNote, err = a.memberTable(ctx)
	}
	if err != nil {
		a.unavailable(w, r, err)
		return
	}
	p := page{Title: "Administration", Section: "admin", User: a.viewer(r, u), Content: c}
	if c.Sync.Progress.Running {
		p.Script, p.Refresh = "progress.js", 2
	}
	a.render.show(w, r, http.StatusOK, "admin", p)
}

func (a *app) syncView(ctx context.Context) syncView {
	last := a.sync.report()
	res := last.result
	v := syncView{State: string(res.State), Class: "good", PlanHash: res.PlanHash, Held: held(last), Progress: a.sync.progress.view()}
	if !last.at.IsZero() {
		v.At = last.at.UTC().Format(time.RFC3339)
	}
	if last.err != nil {
		v.Class, v.Detail = "bad", last.err.Error()
	}
	if v.Held {
		v.Class = "warn"
	}
	for _, f := range res.Findings {
		v.Findings = append(v.Findings, findingText(f))
	}
	if res.Plan != nil {
		v.Skipped = res.Plan.Skipped
	}
	n, err := a.store.Reader().Counts(ctx)
	if err == nil {
		v.Users, v.Groups, v.Memberships = fmt.Sprint(n.Users), fmt.Sprint(n.Groups), fmt.Sprint(n.Memberships)
	}
	return v
}

// findingText says in words why the guard stopped a plan.
func findingText(f identitystore.Finding) string {
	text := f.Rule
	switch f.Rule {
	case identitystore.RuleRemovals:
		text = fmt.Sprintf("%d users, groups and memberships would be removed; more than %d need an approval.", f.Count, f.Threshold)
	case identitystore.RuleFoundNone:
		text = "The directory shows none of the users and groups of the last run."
	case identitystore.RuleGroupLoss:
		text = fmt.Sprintf("One group would lose %d members, more than half.", f.Count)
	case identitystore.RuleRenames:
		text = fmt.Sprintf("%d users change their names.", f.Count)
	}
	if len(f.Examples) > 0 {
		text += " For example: " + strings.Join(f.Examples, ", ") + "."
	}
	return text
}

func (a *app) who(ctx context.Context, action, resource string) (whoView, error) {
	v := whoView{Action: action, Resource: resource}
	if action == "" {
		return v, nil
	}
	if resource == "" {
		resource = "*"
	}
	var people []permissionset.Person
	err := a.eachUser(ctx, func(u *identitystore.User) error {
		ms, err := a.memberships(ctx, u)
		people = append(people, permissionset.Person{User: asUser(u), Memberships: ms})
		return err
	})
	if err != nil {
		return v, err
	}
	res, err := a.access.Load().WhoCan(people, permissionset.WhoCanQuery{Action: action, Resource: resource})
	if err != nil {
		v.Message = "The question cannot be answered: " + err.Error()
		return v, nil
	}
	for _, row := range res.Results {
		v.Rows = append(v.Rows, whoRow{row.User, row.Account, row.PermissionSet, string(row.Decision), strings.Join(append(row.MissingContext, row.Unresolved...), ", ")})
	}
	if len(v.Rows) == 0 {
		v.Message = "Nobody can do this."
	}
	return v, nil
}

// eachUser calls f for every user of the store.
func (a *app) eachUser(ctx context.Context, f func(*identitystore.User) error) error {
	after := ""
	for {
		users, err := a.store.Reader().ListUsers(ctx, after, 100)
		if err != nil || len(users) == 0 {
			return err
		}
		for _, u := range users {
			if err := f(u); err != nil {
				return err
			}
		}
		after = users[len(users)-1].ID
	}
}

// memberTable lists effective memberships with a nesting path each, up to maxRows.
func (a *app) memberTable(ctx context.Context) ([]memberView, string, error) {
	var rows []memberView
	note := ""
	err := a.eachUser(ctx, func(u *identitystore.User) error {
		if len(rows) >= maxRows {
			note = fmt.Sprintf("Only the first %d memberships are shown.", maxRows)
			return nil
		}
		ms, err := a.memberships(ctx, u)
		for _, m := range ms {
			rows = append(rows, memberView{Group: m.Path[len(m.Path)-1], User: u.UserName, Path: append([]string{u.UserName}, m.Path...)})
		}
		return err
	})
	return rows[:min(len(rows), maxRows)], note, err
}
