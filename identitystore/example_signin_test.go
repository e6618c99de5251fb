package identitystore_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Somebody has authenticated for the first time: refused where users are provisioned, created where the directory is the
// source.
func ExampleService_SignIn() {
	ctx := context.Background()
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: new(identitystore.Memory)})
	if err != nil {
		panic(err)
	}
	carol := identitystore.SignIn{Source: "ad", GUID: "0d6c1e1a-6b44-4f3e-9c3a-3f7f3b7f4a10", UserName: "carol@corp.example.test"}
	_, err = svc.SignIn(ctx, carol)
	fmt.Println(errors.Is(err, identitystore.ErrNotProvisioned))

	carol.Create = true
	first, err := svc.SignIn(ctx, carol)
	if err != nil {
		panic(err)
	}
	again, err := svc.SignIn(ctx, carol)
	if err != nil {
		panic(err)
	}
	fmt.Println(first.Created, again.Created, first.User.ID == again.User.ID)
	// Output:
	// true
	// true false true
}
