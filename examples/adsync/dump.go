package main

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
)

// contents is what -dump prints.
type contents struct {
	Users       []dumpedUser   `json:"users"`
	Groups      []dumpedGroup  `json:"groups"`
	Memberships []dumpedMember `json:"memberships"`
}

type dumpedUser struct {
	ID          string `json:"id"`
	SID         string `json:"sid"`
	UserName    string `json:"userName"`
	DisplayName string `json:"displayName"`
	GivenName   string `json:"givenName"`
	FamilyName  string `json:"familyName"`
	Email       string `json:"email"`
	Active      bool   `json:"active"`
	Origin      string `json:"origin"`
	InScope     bool   `json:"inScope"`
}

type dumpedGroup struct {
	ID          string `json:"id"`
	SID         string `json:"sid"`
	DisplayName string `json:"displayName"`
	InScope     bool   `json:"inScope"`
}

type dumpedMember struct {
	GroupSID string `json:"groupSid"`
	UserSID  string `json:"userSid"`
	Direct   bool   `json:"direct"`
}

const dumpBatch = 500

// dump prints the store; one that does not exist yet is empty.
func dump(ctx context.Context, db string, stdout io.Writer) (int, error) {
	store, code, err := openStore(ctx, db, false)
	if err != nil {
		return code, err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: store, Limits: limits()})
	if err != nil {
		return exitOutside, err
	}
	c := contents{[]dumpedUser{}, []dumpedGroup{}, []dumpedMember{}}
	if err := svc.View(ctx, func(r identitystore.Reader) error { return c.read(ctx, r) }); err != nil {
		return exitOutside, err
	}
	return exitDone, printJSON(stdout, c, " ")
}

func (c *contents) read(ctx context.Context, r identitystore.Reader) error {
	groups := map[identitystore.Key]*identitystore.Group{}
	for after := ""; ; {
		page, err := r.ListGroups(ctx, after, dumpBatch)
		if err != nil {
			return err
		}
		for _, g := range page {
			after = g.ID
			groups[g.Key] = g
			c.Groups = append(c.Groups, dumpedGroup{g.ID, g.Link.SID, g.DisplayName, g.Link.InScope()})
		}
		if len(page) < dumpBatch {
			break
		}
	}
	for after := ""; ; {
		page, err := r.ListUsers(ctx, after, dumpBatch)
		if err != nil {
			return err
		}
		for _, u := range page {
			after = u.ID
			c.Users = append(c.Users, dumpedUser{
				u.ID, u.Link.SID, u.UserName, u.DisplayName, u.Name.GivenName, u.Name.FamilyName, u.Email(), u.Enabled(), string(u.Link.Origin), u.Link.InScope(),
			})
		}
		if err := c.members(ctx, r, page, groups); err != nil {
			return err
		}
		if len(page) < dumpBatch {
			break
		}
	}
	c.sort()
	return nil
}

func (c *contents) members(ctx context.Context, r identitystore.Reader, users []*identitystore.User, groups map[identitystore.Key]*identitystore.Group) error {
	sids := map[identitystore.Key]string{}
	keys := make([]identitystore.Key, len(users))
	for i, u := range users {
		keys[i], sids[u.Key] = u.Key, u.Link.SID
	}
	slices.Sort(keys)
	rows, err := r.MembershipsOfUsers(ctx, keys)
	if err != nil {
		return err
	}
	for _, m := range rows {
		if g := groups[m.Group]; g != nil && g.Link.InScope() {
			c.Memberships = append(c.Memberships, dumpedMember{g.Link.SID, sids[m.User], m.Direct})
		}
	}
	return nil
}

// sort puts people and groups in order of their names.
func (c *contents) sort() {
	slices.SortFunc(c.Users, func(a, b dumpedUser) int { return cmp.Or(cmp.Compare(a.UserName, b.UserName), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(c.Groups, func(a, b dumpedGroup) int {
		return cmp.Or(cmp.Compare(a.DisplayName, b.DisplayName), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(c.Memberships, func(a, b dumpedMember) int {
		return cmp.Or(cmp.Compare(a.GroupSID, b.GroupSID), cmp.Compare(a.UserSID, b.UserSID))
	})
}
