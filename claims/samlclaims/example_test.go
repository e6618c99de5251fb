package samlclaims_test

import (
	"fmt"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/samlclaims"
)

func ExampleSubject() {
	s, err := samlclaims.Subject([]claims.Claim{
		claims.New(claims.TypeNameID, "alice@corp.example.test"),
		claims.New(claims.TypeRole, "operators"),
		claims.New(claims.TypeRole, "auditors"),
	}, claims.SAMLRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.NameID.Value, s.Attributes[0].Strings())
	// Output: alice@corp.example.test [operators auditors]
}
