package secondfactor_test

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/examples/secondfactor"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// The factor goes into samlhttp.IdentityProviderConfig.SecondFactor, its handler onto the identity provider's address.
func Example() {
	store := new(identitystore.Memory)
	service, err := identitystore.Open(context.Background(), identitystore.Config{Store: store})
	if err != nil {
		panic(err)
	}
	factor, err := secondfactor.New(secondfactor.Config{
		Store: secondfactor.Documents{Store: store, Tenant: service.Tenant()}, Key: make([]byte, 32), // keep a random one
		Origin:   "https://fs.example.com",
		Identify: func(u samlhttp.User) (string, error) { return "guid-of-" + u.UserName(), nil },
	})
	if err != nil {
		panic(err)
	}
	_ = samlhttp.IdentityProviderConfig{SecondFactor: factor}
	summary, err := factor.Summary(context.Background(), "guid-of-alice")
	fmt.Println("security keys offered:", factor.KeysOffered())
	fmt.Println("alice has set something up:", summary.Any(), err)
	// Output:
	// security keys offered: true
	// alice has set something up: false <nil>
}
