package directory_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

const password = "Correct-Horse-1"

var nothing directorytest.Config

// lab starts a server with one domain and a service account.
func lab(tb testing.TB, cfg directorytest.Config) (*directorytest.Server, *directorytest.DC) {
	tb.Helper()
	if len(cfg.Domains) == 0 {
		cfg.Domains = []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP", UPNSuffixes: []string{"brand.example"}}}
	}
	srv, err := directorytest.Start(cfg)
	require.NoError(tb, err)
	tb.Cleanup(srv.Close)
	for _, d := range cfg.Domains {
		srv.Domain(d.DNS).AddUser(directorytest.User{Name: "svc-sync", Password: password, PasswordNeverEnds: true})
	}
	return srv, srv.Domain(cfg.Domains[0].DNS)
}

// connect makes a client for the domain controllers.
func connect(tb testing.TB, edit func(*directory.Config), dcs ...*directorytest.DC) *directory.Client {
	tb.Helper()
	cfg := directory.Config{Limits: directory.Limits{ReplyTimeout: 5 * time.Second}}
	for _, dc := range dcs {
		cfg.Domains = append(cfg.Domains, directory.Domain{
			DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), Servers: []string{dc.URL()}, TLS: dc.Server().ClientTLS(),
			Bind: directory.NewSimpleBind("svc-sync@"+dc.DNS(), []byte(password)),
		})
	}
	if edit != nil {
		edit(&cfg)
	}
	c, err := directory.New(cfg)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, c.Close()) })
	return c
}

func TestResolveAndSearch(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{})
	alice := dc.AddUser(directorytest.User{Name: "alice", CN: "Adams, Alice", OU: "People", UPN: "alice@brand.example", GivenName: "Alice"})
	c := connect(t, nil, dc)
	ctx := context.Background()
	for _, name := range []string{
		`CORP\alice`, `corp\ALICE`, "alice@corp.example.test", "ALICE@brand.example", alice.SID(), alice.GUID(), "{" + alice.GUID() + "}",
		alice.DN(), "alice",
	} {
		e, err := c.Resolve(ctx, name, "givenName")
		require.NoError(t, err, name)
		require.Equal(t, alice.GUID(), e.GUID)
		require.Equal(t, alice.SID(), e.SID)
		require.Equal(t, `CN=Adams\, Alice,OU=People,DC=corp,DC=example,DC=test`, e.DN)
		require.Equal(t, "Alice", e.String("givenname"))
		require.Equal(t, directory.KindUser, e.Kind)
		require.Equal(t, "alice@brand.example", e.UserName())
	}
}
