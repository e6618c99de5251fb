package directory_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// brief writes a scope as text with names in place of GUIDs.
func brief(s *directory.Scope) (users, groups, edges, skipped []string) {
	name := map[string]string{}
	for _, u := range s.Users {
		name[u.GUID] = u.String("sAMAccountName")
		users = append(users, name[u.GUID])
	}
	for _, g := range s.Groups {
		name[g.GUID] = g.String("sAMAccountName")
		groups = append(groups, name[g.GUID])
	}
	for e := range s.Edges() {
		edges = append(edges, fmt.Sprintf("%s>%s %s", name[e.Parent], name[e.Child], e.Kind))
	}
	for _, k := range s.Skipped {
		skipped = append(skipped, k.Object+" "+k.Reason)
	}
	return users, groups, edges, skipped
}

func groups(names ...string) []directory.Principal {
	var out []directory.Principal
	for _, n := range names {
		out = append(out, directory.Principal{Name: n, Kind: directory.KindGroup})
	}
	return out
}

func TestReadScope(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{
		{DNS: "corp.example.test", NetBIOS: "CORP"}, {DNS: "partner.example.test", NetBIOS: "PARTNER"}, {DNS: "far.example.test", NetBIOS: "FAR"},
	}})
	partner, far := srv.Domain("partner.example.test"), srv.Domain("FAR")
	alice := corp.AddUser(directorytest.User{Name: "alice", OU: "People"})
	bob := corp.AddUser(directorytest.User{Name: "bob"})
	carol := partner.AddUser(directorytest.User{Name: "carol"})
	corp.AddUser(directorytest.User{Name: "nobody"})
	top, mid, low := corp.AddGroup(directorytest.Group{Name: "top"}), corp.AddGroup(directorytest.Group{Name: "mid"}), corp.AddGroup(directorytest.Group{Name: "low"})
	corp.AddMember(top, mid)
	corp.AddMember(mid, low)
	corp.AddMember(low, top) // a cycle
	corp.AddMember(low, alice)
	corp.SetPrimaryGroup(bob, mid)
	corp.AddMember(mid, carol)
	corp.AddMember(mid, far.AddUser(directorytest.User{Name: "dave"}))
	corp.AddMember(mid, corp.AddUser(directorytest.User{Name: "pc1$", Class: "computer"}))
	corp.AddMember(mid, corp.AddForeign("S-1-5-11"))
	corp.AddMember(top, top)

	c := connect(t, nil, corp, partner)
	s, err := c.ReadScope(context.Background(), directory.ScopeQuery{Principals: append(groups(`CORP\top`, `CORP\none`, `X\y`), directory.Principal{Name: "carol@partner.example.test", Kind: directory.KindUser})})
	require.NoError(t, err)
	users, gs, edges, skipped := brief(s)
	require.ElementsMatch(t, []string{"alice", "bob", "carol"}, users)
	require.ElementsMatch(t, []string{"top", "mid", "low"}, gs)
	require.ElementsMatch(t, []string{
		"top>mid member", "top>top member", "mid>low member", "low>top member", "low>alice member", "mid>bob primary", "mid>carol fsp",
	}, edges)
	require.Len(t, skipped, 3)
	require.Contains(t, skipped, "CN=pc1$,CN=Users,DC=corp,DC=example,DC=test not_a_user")
	require.ErrorIs(t, s.Principals[1].Err, directory.ErrNotFound)
	require.ErrorIs(t, s.Principals[2].Err, directory.ErrUnknownDomain)
	require.Len(t, s.Marks, 2)
	require.False(t, s.Marks[0].Server.IsZero())
}

func TestReadScopeLong(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{})
	big := dc.AddGroup(directorytest.Group{Name: "big"})
	for i := range 3300 {
		dc.AddMember(big, dc.AddUser(directorytest.User{Name: fmt.Sprintf("u%04d", i)}))
	}
	c := connect(t, nil, dc)
	s, err := c.ReadScope(context.Background(), directory.ScopeQuery{Principals: groups("big@corp.example.test")})
	require.NoError(t, err)
	require.Len(t, s.Users, 3300)
	require.Equal(t, 3300, s.EdgeCount())
}
