package directorytest_test

import (
	"fmt"

	"github.com/adfedkit/adfedkit/directory/directorytest"
)

func ExampleStart() {
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	dc := srv.Domain("CORP")
	alice := dc.AddUser(directorytest.User{Name: "alice", OU: "People"})
	fmt.Println(alice.DN())
	dc.Delete(alice)
	fmt.Println(alice.Value("isDeleted"), alice.Value("msDS-LastKnownRDN"))
	// Output:
	// CN=alice,OU=People,DC=corp,DC=example,DC=test
	// TRUE alice
}
