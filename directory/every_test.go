package directory_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// TestRefusalInEveryCall: whatever is asked, and whichever of the searches behind it a server refuses: the call fails. Nothing
// is taken for absent, unlocked or unknown because it could not be read.
func TestRefusalInEveryCall(t *testing.T) {
	t.Parallel()
	const none = "11111111-2222-4333-8444-555555555555"
	at := directory.ChangeQuery{Domain: "CORP", Filter: classes, Attributes: []string{"member"}}
	sync := directory.ChangeQuery{Domain: "CORP", Mode: directory.DirSync, Filter: classes, Attributes: []string{"member"}}
	one := func(_ any, err error) error { return err }
	for name, call := range map[string]func(ctx context.Context, c *directory.Client, dc *directorytest.DC) error{
		"Resolve": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.Resolve(ctx, `CORP\alice`))
		},
		"Resolve by suffix": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.Resolve(ctx, "alice@old.brand"))
		},
		"Resolve by SID": func(ctx context.Context, c *directory.Client, dc *directorytest.DC) error {
			return one(c.Resolve(ctx, dc.Find("alice").SID()))
		},
		"Resolve by GUID": func(ctx context.Context, c *directory.Client, dc *directorytest.DC) error {
			return one(c.Resolve(ctx, dc.Find("alice").GUID()))
		},
		"Resolve by DN": func(ctx context.Context, c *directory.Client, dc *directorytest.DC) error {
			return one(c.Resolve(ctx, dc.Find("alice").DN()))
		},
		"ResolveAll": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.ResolveAll(ctx, []string{`CORP\alice`, `CORP\nobody`, "alice@old.brand"}))
		},
		"FindAccount": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.FindAccount(ctx, "alice"))
		},
		"Locate": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.Locate(ctx, "alice"))
		},
		"AlternateLogin": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.AlternateLogin(ctx, "mail", "alice@example.com"))
		},
		"AccountState": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.AccountState(ctx, `CORP\alice`))
		},
		"VerifyPassword": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.VerifyPassword(ctx, `CORP\alice`, []byte(password)))
		},
		"TokenGroups": func(ctx context.Context, c *directory.Client, dc *directorytest.DC) error {
			return one(c.TokenGroups(ctx, "CORP", dc.Find("alice").GUID()))
		},
		"Exists": func(ctx context.Context, c *directory.Client, dc *directorytest.DC) error {
			return one(c.Exists(ctx, "CORP", dc.Find("alice").GUID()))
		},
		"Exists not": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.Exists(ctx, "CORP", none))
		},
		"Rights": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.Rights(ctx, "CORP"))
		},
		"ServerInfo": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.ServerInfo(ctx, "CORP"))
		},
		"Trusts": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.Trusts(ctx, "CORP"))
		},
		"Now": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error { return one(c.Now(ctx, at)) },
		"Now DirSync": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			return one(c.Now(ctx, sync))
		},
		"Changes": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			set, next, err := c.Changes(ctx, at, directory.Cursor{})
			if err != nil && (set != nil || !next.IsZero()) {
				return nil
			}
			return err
		},
		"Changes DirSync": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			set, next, err := c.Changes(ctx, sync, directory.Cursor{})
			if err != nil && (set != nil || !next.IsZero()) {
				return nil
			}
			return err
		},
		"Domains": func(ctx context.Context, c *directory.Client, _ *directorytest.DC) error {
			ds, err := c.Domains(ctx)
			for _, d := range ds {
				if d.Err != nil {
					return d.Err
				}
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, corp := lab(t, directorytest.Config{MaxValRange: 3, Domains: []directorytest.Domain{
				{DNS: "corp.example.test", GlobalCatalog: true}, {DNS: "partner.example.test", UPNSuffixes: []string{"partner.brand"}},
			}})
			partner := srv.Domain("partner")
			corp.Trust(partner, 3, 8)
			corp.AllowReplication(corp.Find("svc-sync"))
			alice := corp.AddUser(directorytest.User{Name: "alice", UPN: "alice@old.brand", Mail: "alice@example.com", Password: password})
			for _, g := range []string{"a", "b", "c", "d"} {
				corp.AddMember(corp.AddGroup(directorytest.Group{Name: g}), alice)
			}
			for where, dc := range []*directorytest.DC{corp, partner} {
				struck := true
				for n := 0; struck; n++ {
					c := connect(t, func(cfg *directory.Config) { cfg.Domains[0].GlobalCatalogs = []string{corp.GlobalCatalogURL()} }, corp, partner)
					struck = false
					remove := dc.Install(directorytest.Fault{Point: directorytest.AtSearch, After: n, Times: 1, Code: 1, Do: func() { struck = true }})
					err := call(t.Context(), c, corp)
					remove()
					require.Equal(t, struck, err != nil, "domain %d, search %d: %v", where, n, err)
					require.True(t, !struck || directory.Temporary(err), "domain %d, search %d: %v", where, n, err)
				}
			}
		})
	}
}
