package directory_test

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

func Example() {
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	dc := srv.Domain("CORP")
	dc.AddUser(directorytest.User{Name: "svc-sync", Password: "Correct-Horse-1"})
	alice := dc.AddUser(directorytest.User{Name: "alice", DisplayName: "Alice Adams", Password: "Battery-Staple-2"})
	engineering, sre := dc.AddGroup(directorytest.Group{Name: "Engineering"}), dc.AddGroup(directorytest.Group{Name: "SRE"})
	dc.AddMember(engineering, sre)
	dc.AddMember(sre, alice)

	c, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: "corp.example.test", NetBIOS: "CORP", Servers: []string{dc.URL()}, TLS: srv.ClientTLS(),
		Bind: directory.NewSimpleBind("svc-sync@corp.example.test", []byte("Correct-Horse-1")),
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }()
	ctx := context.Background()

	e, err := c.Resolve(ctx, `CORP\alice`, "displayName")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.UserName(), e.String("displayName"))

	state, err := c.VerifyPassword(ctx, `CORP\alice`, []byte("wrong"))
	fmt.Println(state, err)

	scope, err := c.ReadScope(ctx, directory.ScopeQuery{Principals: []directory.Principal{{Name: `CORP\Engineering`}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(scope.Groups), "groups,", len(scope.Users), "user,", scope.EdgeCount(), "memberships")
	// Output:
	// alice@corp.example.test Alice Adams
	// bad_credentials directory: bind refused: bad_credentials
	// 2 groups, 1 user, 2 memberships
}

func ExampleMapping() {
	m, err := directory.CompileMapping(map[string]string{"name": "${dir:lastname}, ${dir:firstname}"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Attributes())
	_, err = directory.CompileMapping(map[string]string{"name": "${dir:surname}"})
	fmt.Println(err)
	// Output:
	// [givenName sn]
	// directory: mapping of "name": dirmap: template position 0: unknown attribute name
}

func ExampleEq() {
	fmt.Println(directory.And(directory.Eq("objectClass", "user"), directory.Eq("sAMAccountName", "*)(cn=*")))
	// Output: (&(objectClass=user)(sAMAccountName=\2a\29\28cn=\2a))
}
