package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/csvimport"
)

func author() identitystore.Author { return identitystore.Author{Actor: "idstore"} }

// userJSON is a user as the program prints it.
type userJSON struct {
	ID          string      `json:"id"`
	SID         string      `json:"sid,omitempty"`
	UserName    string      `json:"userName"`
	DisplayName string      `json:"displayName"`
	GivenName   string      `json:"givenName"`
	FamilyName  string      `json:"familyName"`
	Email       string      `json:"email"`
	Title       string      `json:"title,omitempty"`
	Active      bool        `json:"active"`
	Origin      string      `json:"origin"`
	InScope     bool        `json:"inScope"`
	Revision    string      `json:"revision"`
	Groups      []groupJSON `json:"groups,omitempty"`
}

// groupJSON is a group, or a user's membership in it.
type groupJSON struct {
	ID          string `json:"id"`
	SID         string `json:"sid,omitempty"`
	DisplayName string `json:"displayName"`
	Description string `json:"description,omitempty"`
	Origin      string `json:"origin,omitempty"`
	InScope     bool   `json:"inScope"`
	Direct      *bool  `json:"direct,omitempty"`
	Depth       int    `json:"depth,omitempty"`
}

func userOf(u *identitystore.User) userJSON {
	return userJSON{
		ID: u.ID, SID: u.Link.SID, UserName: u.UserName, DisplayName: u.DisplayName, GivenName: u.Name.GivenName, FamilyName: u.Name.FamilyName,
		Email: u.Email(), Title: u.Title, Active: u.Enabled(), Origin: string(u.Link.Origin), InScope: u.Link.InScope(), Revision: u.Revision(),
	}
}

func groupOf(g *identitystore.Group) groupJSON {
	return groupJSON{ID: g.ID, SID: g.Link.SID, DisplayName: g.DisplayName, Description: g.Description, Origin: string(g.Link.Origin), InScope: g.Link.InScope()}
}

// user finds a user by name, or else by id.
func (a *app) user(ctx context.Context, name string) (*identitystore.User, error) {
	u, err := a.svc.UserByName(ctx, name)
	if errors.Is(err, identitystore.ErrNotFound) {
		return a.svc.DescribeUser(ctx, name)
	}
	return u, err
}

func (a *app) group(ctx context.Context, name string) (*identitystore.Group, error) {
	g, err := a.svc.GroupByName(ctx, name)
	if errors.Is(err, identitystore.ErrNotFound) {
		return a.svc.DescribeGroup(ctx, name)
	}
	return g, err
}

func (a *app) importFile(ctx context.Context, kind, name string) (int, error) {
	in := a.stdin
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the file that the caller named
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errUsage, err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	f := a.flags
	if f.mode != string(csvimport.Create) && f.mode != string(csvimport.Upsert) && f.mode != string(csvimport.Mirror) {
		return 0, fmt.Errorf("%w: -mode is one of create, upsert, mirror", errUsage)
	}
	table, err := csvimport.Read(in, csvimport.Kind(kind), csvimport.Options{
		Mode: csvimport.Mode(f.mode), PerRow: f.perRow, CreateGroups: f.crs, IgnoreUnknown: f.ignoreUnknown, EmptyClears: f.emptyClears,
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUsage, err)
	}
	im, err := csvimport.Prepare(ctx, a.svc, table)
	if err != nil {
		return 0, err
	}
	rep, err := csvimport.Apply(ctx, a.svc, im, csvimport.Request{PlanOnly: f.plan, Approve: f.approve, Actor: "idstore"})
	if err != nil {
		return 0, err
	}
	for _, e := range im.Errors {
		_, _ = fmt.Fprintf(a.stderr, "%s: row %d: %s\n", name, e.Row, strings.TrimSpace(printable(e.Column)+" "+e.Message))
	}
	for _, finding := range rep.Findings {
		_, _ = fmt.Fprintf(a.stderr, "idstore: guard: %s\n", finding)
	}
	if err := a.writeRetry(im, name); err != nil {
		return 0, fmt.Errorf("%w: %w", errUsage, err)
	}
	if err := a.print(rep); err != nil {
		return 0, err
	}
	if rep.State == csvimport.StateRefused || rep.State == csvimport.StateHeld {
		return exitRefused, nil
	}
	return exitDone, nil
}

// printable quotes a text of the file that a terminal would take for commands.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// writeRetry writes the bad rows, when asked to.
func (a *app) writeRetry(im *csvimport.Import, name string) error {
	to := a.flags.retry
	if to == "" && a.flags.perRow && name != "-" {
		to = name + ".retry"
	}
	if to == "" || len(im.Errors) == 0 || !im.Usable() || a.flags.plan {
		return nil
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // the file that the caller named
	if err != nil {
		return err
	}
	return errors.Join(im.WriteRetry(out), out.Close())
}

func (a *app) export(ctx context.Context, kind string) (int, error) {
	return exitDone, csvimport.Export(ctx, a.svc, csvimport.Kind(kind), a.stdout, csvimport.ExportOptions{})
}

func (a *app) addUser(ctx context.Context, name string) (int, error) {
	f := a.flags
	u := &identitystore.User{UserName: name, DisplayName: f.display, Name: identitystore.Name{GivenName: f.given, FamilyName: f.family}}
	if f.email != "" {
		u.SetEmail(f.email)
	}
	made, err := a.svc.CreateUser(ctx, author(), u)
	if err != nil {
		return 0, err
	}
	return exitDone, a.print(userOf(made))
}

func (a *app) addGroup(ctx context.Context, name string) (int, error) {
	made, err := a.svc.CreateGroup(ctx, author(), &identitystore.Group{DisplayName: name})
	if err != nil {
		return 0, err
	}
	return exitDone, a.print(groupOf(made))
}

// membershipJSON is one membership.
type membershipJSON struct {
	ID    string `json:"id"`
	Group string `json:"group"`
	User  string `json:"user"`
}

func (a *app) addMember(ctx context.Context, group, user string) (int, error) {
	g, err := a.group(ctx, group)
	if err != nil {
		return 0, err
	}
	u, err := a.user(ctx, user)
	if err != nil {
		return 0, err
	}
	m, err := a.svc.CreateGroupMembership(ctx, author(), g.ID, u.ID)
	if err != nil {
		return 0, err
	}
	return exitDone, a.print(membershipJSON{m.ID, g.DisplayName, u.UserName})
}

func (a *app) removeMember(ctx context.Context, group, user string) (int, error) {
	g, err := a.group(ctx, group)
	if err != nil {
		return 0, err
	}
	u, err := a.user(ctx, user)
	if err != nil {
		return 0, err
	}
	id, err := a.svc.GroupMembershipID(ctx, g.ID, u.ID)
	if err != nil {
		return 0, err
	}
	if err := a.svc.DeleteGroupMembership(ctx, author(), id); err != nil {
		return 0, err
	}
	return exitDone, a.print(membershipJSON{id, g.DisplayName, u.UserName})
}

func (a *app) list(ctx context.Context, kind string) (int, error) {
	users, groups := []userJSON{}, []groupJSON{}
	for token := ""; ; {
		var err error
		if kind == "users" {
			var page []*identitystore.User
			page, token, err = a.svc.ListUsers(ctx, identitystore.ListRequest{NextToken: token})
			for _, u := range page {
				users = append(users, userOf(u))
			}
		} else {
			var page []*identitystore.Group
			page, token, err = a.svc.ListGroups(ctx, identitystore.ListRequest{NextToken: token})
			for _, g := range page {
				groups = append(groups, groupOf(g))
			}
		}
		if err != nil {
			return 0, err
		}
		if token == "" {
			break
		}
	}
	if kind == "users" {
		return exitDone, a.print(map[string]any{"users": users})
	}
	return exitDone, a.print(map[string]any{"groups": groups})
}

func (a *app) get(ctx context.Context, name string) (int, error) {
	u, err := a.user(ctx, name)
	if err != nil {
		return 0, err
	}
	out := userOf(u)
	for token := ""; ; {
		var page []identitystore.Membership
		page, token, err = a.svc.ListGroupMembershipsForMember(ctx, u.ID, identitystore.ListRequest{NextToken: token})
		if err != nil {
			return 0, err
		}
		for _, m := range page {
			g, err := a.svc.DescribeGroup(ctx, m.GroupID)
			if err != nil {
				return 0, err
			}
			j := groupOf(g)
			j.Direct, j.Depth = &m.Direct, m.Depth
			out.Groups = append(out.Groups, j)
		}
		if token == "" {
			return exitDone, a.print(out)
		}
	}
}

// hopJSON is one step of the answer to why.
type hopJSON struct {
	From string `json:"from"`
	To   string `json:"to"`
	Via  string `json:"via"`
}

func (a *app) why(ctx context.Context, user, group string) (int, error) {
	u, err := a.user(ctx, user)
	if err != nil {
		return 0, err
	}
	g, err := a.group(ctx, group)
	if err != nil {
		return 0, err
	}
	out := struct {
		User  string    `json:"user"`
		Group string    `json:"group"`
		Path  []string  `json:"path"`
		Hops  []hopJSON `json:"hops"`
	}{u.UserName, g.DisplayName, []string{}, []hopJSON{}}
	path, err := a.svc.Explain(ctx, u.ID, g.ID)
	if errors.Is(err, identitystore.ErrNotFound) {
		_, _ = fmt.Fprintf(a.stderr, "idstore: %s is not a member of %s\n", u.UserName, g.DisplayName)
		return exitRefused, a.print(out)
	}
	if err != nil {
		return 0, err
	}
	out.Path = append(out.Path, "user:"+u.UserName)
	for _, h := range path {
		out.Path = append(out.Path, "group:"+h.ToName)
		out.Hops = append(out.Hops, hopJSON{h.FromName, h.ToName, string(h.Via)})
	}
	return exitDone, a.print(out)
}
