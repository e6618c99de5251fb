package gssapibind_test

import (
	"fmt"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/gssapibind"
	"github.com/adfedkit/adfedkit/kerberos"
)

func ExampleNew() {
	client, err := kerberos.NewClient(kerberos.ClientConfig{
		Realms:    []kerberos.Realm{{Name: "CORP.EXAMPLE.TEST", KDCs: []string{"dc1.corp.example.test:88"}}},
		Principal: "svc-sync@CORP.EXAMPLE.TEST", Password: []byte("Correct-Horse-1"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	bind, err := gssapibind.New(gssapibind.Config{Client: client})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: "corp.example.test", NetBIOS: "CORP", Servers: []string{"ldap://dc1.corp.example.test"}, Bind: bind,
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }()
	fmt.Println(c.DomainNames())
	// Output: [corp.example.test]
}
