package adattributes_test

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/adattributes"
	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// The mail address of an account, read from a directory on loopback.
func Example() {
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	dc := srv.Domain("corp.example.test")
	dc.AddUser(directorytest.User{Name: "svc", Password: password, PasswordNeverEnds: true})
	dc.AddUser(directorytest.User{Name: "alice", Mail: "alice@example.com"})
	client, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: "corp.example.test", NetBIOS: "CORP", Servers: []string{dc.URL()}, TLS: srv.ClientTLS(),
		Bind: directory.NewSimpleBind("svc@corp.example.test", []byte(password)),
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close() //nolint:errcheck // an example
	store, err := adattributes.New(adattributes.Config{Client: client})
	if err != nil {
		fmt.Println(err)
		return
	}
	rule := claims.Generate(claims.TemplateParams{Template: claims.TemplateLDAP, Store: claims.StoreActiveDirectory, Types: []string{claims.TypeEmail}, Attributes: []string{"mail"}})
	program, err := claims.Compile(&claims.RuleSet{Rules: []*claims.Rule{rule}}, claims.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	account := claims.NewFrom(claims.TypeWindowsAccountName, `CORP\alice`, claims.ADAuthority)
	res, err := program.Evaluate(context.Background(), []claims.Claim{account}, claims.Stores{claims.StoreActiveDirectory: store})
	fmt.Println(res.Output[0].Value, err)
	// Output: alice@example.com <nil>
}
