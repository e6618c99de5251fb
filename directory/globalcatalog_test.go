package directory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// TestGlobalCatalog: names of a forest are found in all its domains; only their place is taken from there.
func TestGlobalCatalog(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{
		{DNS: "corp.example.test", GlobalCatalog: true},
		{DNS: "child.corp.example.test", NetBIOS: "CHILD", Forest: "corp.example.test", GlobalCatalog: true},
		{DNS: "other.corp.example.test", NetBIOS: "OTHER", Forest: "corp.example.test"},
		{DNS: "far.example.test"},
	}})
	child, other, far := srv.Domain("CHILD"), srv.Domain("OTHER"), srv.Domain("far")
	alice := child.AddUser(directorytest.User{Name: "alice", UPN: "alice@old.brand"})
	bob := other.AddUser(directorytest.User{Name: "bob", UPN: "bob@old.brand"})
	far.AddUser(directorytest.User{Name: "carol", UPN: "carol@old.brand"})
	other.AddUser(directorytest.User{Name: "alice"})
	c := connect(t, func(cfg *directory.Config) { // both know the same
		cfg.Domains[0].GlobalCatalogs = []string{corp.GlobalCatalogURL()}
		cfg.Domains[1].GlobalCatalogs = []string{child.GlobalCatalogURL()}
	}, corp, child)

	e, err := c.Resolve(t.Context(), "ALICE@old.brand") // a suffix that no forest announces
	require.NoError(t, err)
	require.Equal(t, alice.GUID(), e.GUID)
	require.Equal(t, "child.corp.example.test", e.Domain)
	require.Equal(t, child.URL(), e.Server, "read in its own domain")
	for _, name := range []string{"bob@old.brand", "carol@old.brand", "nobody@old.brand", "alice@other.corp.example.test"} {
		_, err = c.Resolve(t.Context(), name)
		require.ErrorIs(t, err, directory.ErrUnknownDomain, name)
	}

	for name, want := range map[string][]directory.Location{
		"bob@old.brand":                 {{Domain: "other.corp.example.test", DN: bob.DN(), GUID: bob.GUID(), SID: bob.SID(), Kind: directory.KindUser}},
		bob.SID():                       {{Domain: "other.corp.example.test", DN: bob.DN(), GUID: bob.GUID(), SID: bob.SID(), Kind: directory.KindUser}},
		"alice@child.corp.example.test": {{Domain: "child.corp.example.test", Configured: true, DN: alice.DN(), GUID: alice.GUID(), SID: alice.SID(), Kind: directory.KindUser}},
		alice.GUID():                    {{Domain: "child.corp.example.test", Configured: true, DN: alice.DN(), GUID: alice.GUID(), SID: alice.SID(), Kind: directory.KindUser}},
		"carol@old.brand":               nil,
		"*":                             nil,
		"*)(objectClass=*":              nil,
		`CORP\alice`:                    nil,
		"":                              nil,
		"@x":                            nil,
		"x@":                            nil,
	} {
		got, err := c.Locate(t.Context(), name)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	got, err := c.Locate(t.Context(), "alice") // in two domains
	require.NoError(t, err)
	require.Len(t, got, 2)

	corp.Install(directorytest.Fault{Point: directorytest.AtPage, Code: 1})
	_, err = c.Locate(t.Context(), "alice")
	require.ErrorIs(t, err, directory.ErrIncomplete)
	_, err = c.Resolve(t.Context(), "alice@old.brand")
	require.ErrorIs(t, err, directory.ErrIncomplete)
}

// TestNoGlobalCatalog: an ordinary address is no global catalog, whatever the configuration says.
func TestNoGlobalCatalog(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	c := connect(t, func(cfg *directory.Config) { cfg.Domains[0].GlobalCatalogs = []string{dc.URL()} }, dc)
	_, err := c.Locate(t.Context(), "svc-sync")
	require.True(t, directory.Temporary(err), err)
	c = connect(t, nil, dc)
	got, err := c.Locate(t.Context(), "svc-sync")
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: "corp.example.test", Servers: []string{dc.URL()}, GlobalCatalogs: []string{"gc://dc1"}, Bind: directory.NewSimpleBind("a", []byte("b")),
	}}})
	require.Error(t, err)
}

// TestGlobalCatalogMembers: what a global catalog says of a group is no member list.
func TestGlobalCatalogMembers(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", GlobalCatalog: true}}})
	u := dc.AddUser(directorytest.User{Name: "alice"})
	for _, scope := range []string{"global", "universal"} {
		dc.AddMember(dc.AddGroup(directorytest.Group{Name: scope, Scope: scope}), u)
	}
	c := connect(t, func(cfg *directory.Config) { cfg.Domains[0].GlobalCatalogs = []string{dc.GlobalCatalogURL()} }, dc)
	s, err := c.ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\global`, `CORP\universal`)})
	require.NoError(t, err)
	require.Equal(t, 2, s.EdgeCount(), "scopes are never read there")
	got, err := c.Locate(t.Context(), "global")
	require.NoError(t, err)
	require.Equal(t, directory.KindGroup, got[0].Kind)
}
