package directory_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

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

// TestDiscoverCatalogs: global catalogs that DNS names, those of the site first, are upgraded by StartTLS and asked; none at
// all is an error, not a name that nobody has.
func TestDiscoverCatalogs(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP", GlobalCatalog: true}}})
	dc.AddUser(directorytest.User{Name: "alice", UPN: "alice@old.brand"})
	record := func(host string) []*net.SRV { return []*net.SRV{{Target: host + ".corp.example.test.", Port: 3268}} }
	const forest, site = "_gc._tcp.corp.example.test", "_gc._tcp.Berlin-1._sites.corp.example.test"
	for name, tc := range map[string]struct {
		records srvResolver
		edit    func(*directory.Domain)
		want    string // the first that is asked; "" is an error
	}{
		"by the server's forest": {records: srvResolver{forest: record("gc1")}, want: "gc1.corp.example.test:3268"},
		"the site first": {
			records: srvResolver{forest: append(record("gc1"), record("gc2")...), site: record("gc2")},
			edit:    func(d *directory.Domain) { d.Site = "Berlin-1" }, want: "gc2.corp.example.test:3268",
		},
		"site without any": {records: srvResolver{forest: record("gc1")}, edit: func(d *directory.Domain) { d.Site = "Berlin-1" }, want: "gc1.corp.example.test:3268"},
		"by the configured forest": {
			records: srvResolver{"_gc._tcp.root.example.test": record("gc3")},
			edit:    func(d *directory.Domain) { d.Forest = "root.example.test" }, want: "gc3.corp.example.test:3268",
		},
		"configured ones win": {
			records: srvResolver{forest: record("gc1")},
			edit:    func(d *directory.Domain) { d.GlobalCatalogs = []string{"ldap://gc9.corp.example.test"} }, want: "gc9.corp.example.test:3268",
		},
		"no record":     {records: srvResolver{}},
		"an empty name": {records: srvResolver{forest: {{Target: ".", Port: 3268}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var asked []string
			now := time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)
			c := connect(t, func(cfg *directory.Config) {
				cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
				cfg.Resolver = tc.records
				cfg.Domains[0].TLS.ServerName = "dc1.corp.example.test"
				cfg.Domains[0].DiscoverCatalogs = true
				if tc.edit != nil {
					tc.edit(&cfg.Domains[0])
				}
				cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if strings.HasSuffix(addr, ":3268") {
						mu.Lock()
						asked = append(asked, addr)
						mu.Unlock()
						addr = strings.TrimPrefix(dc.PlainGlobalCatalogURL(), "ldap://")
					}
					return (&net.Dialer{}).DialContext(ctx, network, addr)
				}
			}, dc)
			got, err := c.Locate(t.Context(), "alice")
			if tc.want == "" {
				require.True(t, directory.Temporary(err), err)
				require.Nil(t, got)
				_, err = c.Resolve(t.Context(), "alice@old.brand")
				require.True(t, directory.Temporary(err), err)
				return
			}
			require.NoError(t, err)
			require.Len(t, got, 1)
			e, err := c.Resolve(t.Context(), "alice@old.brand")
			require.NoError(t, err)
			require.Equal(t, "alice", e.String("sAMAccountName"))
			clear(tc.records) // what is known stays when DNS fails later
			mu.Lock()
			now = now.Add(time.Hour)
			mu.Unlock()
			_, err = c.Locate(t.Context(), "alice")
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, []string{tc.want}, asked, "one connection, kept")
		})
	}
	_, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: "corp.example.test", Servers: []string{dc.URL()}, Forest: "a b", Bind: directory.NewSimpleBind("a", []byte("b")),
	}}})
	require.ErrorContains(t, err, "Forest")
}
