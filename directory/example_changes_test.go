package directory_test

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// What happened since a moment: changed objects come whole, deleted ones as what they leave behind.
func ExampleClient_Changes() {
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	dc := srv.Domain("CORP")
	dc.AddUser(directorytest.User{Name: "svc-sync", Password: "Correct-Horse-1"})
	alice, bob := dc.AddUser(directorytest.User{Name: "alice"}), dc.AddUser(directorytest.User{Name: "bob"})
	c, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: "corp.example.test", NetBIOS: "CORP", Servers: []string{dc.URL()}, TLS: srv.ClientTLS(),
		Bind: directory.NewSimpleBind("svc-sync@corp.example.test", []byte("Correct-Horse-1")),
	}}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = c.Close() }()
	ctx := context.Background()

	query := directory.ChangeQuery{Domain: "CORP", Filter: directory.Eq("objectClass", "user"), Attributes: []string{"displayName"}}
	cursor, err := c.Now(ctx, query) // nothing is read
	if err != nil {
		panic(err)
	}
	dc.Set(alice, "displayName", "Alice Adams")
	dc.Delete(bob)

	set, next, err := c.Changes(ctx, query, cursor)
	if err != nil {
		panic(err)
	}
	for _, x := range set.Changed {
		fmt.Println("changed", x.Entry.String("displayName"))
	}
	for _, e := range set.Deleted {
		fmt.Println("deleted", e.GUID == bob.GUID())
	}
	set, _, err = c.Changes(ctx, query, next)
	fmt.Println(len(set.Changed), len(set.Deleted), err)
	// Output:
	// changed Alice Adams
	// deleted true
	// 0 0 <nil>
}
