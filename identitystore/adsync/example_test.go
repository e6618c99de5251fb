package adsync_test

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// One group is assigned: it, the group nested in it and their users are synchronised.
func Example() {
	ctx := context.Background()
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}}})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	dc := srv.Domain("corp.example.test")
	dc.AddUser(directorytest.User{Name: "svc-sync", Password: "S3rvice-Pass"})
	admins, nested := dc.AddGroup(directorytest.Group{Name: "AWS-Admins"}), dc.AddGroup(directorytest.Group{Name: "Nested"})
	dc.AddMember(admins, nested)
	dc.AddMember(nested, dc.AddUser(directorytest.User{Name: "alice"}))

	client, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), Servers: []string{dc.URL()}, TLS: srv.ClientTLS(),
		Bind: directory.NewSimpleBind("svc-sync@corp.example.test", []byte("S3rvice-Pass")),
	}}})
	if err != nil {
		panic(err)
	}
	defer client.Close() //nolint:errcheck // nothing is lost with it
	store, err := identitystore.Open(ctx, identitystore.Config{Store: new(identitystore.Memory)})
	if err != nil {
		panic(err)
	}
	from, err := adsync.NewDirectory(adsync.DirectoryConfig{Client: client, Domains: []string{dc.DNS()}})
	if err != nil {
		panic(err)
	}
	engine, err := adsync.New(adsync.Config{Service: store, From: from})
	if err != nil {
		panic(err)
	}

	scope := adsync.ScopeOf([]adsync.Assignment{{PrincipalType: "GROUP", Principal: `CORP\AWS-Admins`}})
	plan, err := engine.Plan(ctx, scope)
	fmt.Println(plan.State, err)
	done, err := engine.Run(ctx, scope, "")
	fmt.Println(done.State, done.Counts.Memberships.Add, "memberships", err)
	again, err := engine.Run(ctx, scope, "")
	fmt.Println(again.State, err)
	dc.RemoveMember(nested, dc.Find("alice"))
	dc.AddMember(admins, dc.AddUser(directorytest.User{Name: "bob"}))
	some, err := engine.RunChanges(ctx, scope, "") // costs what changed
	fmt.Println(some.State, some.Counts.Users.Create, "user", some.Counts.Memberships.Remove, "memberships less", err)
	why, err := engine.Why(ctx, scope, `CORP\alice`)
	fmt.Println(why[0].Outcome, why[0].Reason, err)
	alice, err := store.UserByName(ctx, "alice@corp.example.test")
	fmt.Println(alice.UserName, alice.Link.InScope(), err)
	// Output:
	// planned <nil>
	// applied 2 memberships <nil>
	// unchanged <nil>
	// applied 1 user 2 memberships less <nil>
	// kept out_of_scope <nil>
	// alice@corp.example.test false <nil>
}
