package identitystore_test

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/identitystore"
)

func Example() {
	ctx := context.Background()
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: new(identitystore.Memory)})
	if err != nil {
		panic(err)
	}
	me := identitystore.Author{Actor: "admin"}
	alice, err := svc.CreateUser(ctx, me, &identitystore.User{UserName: "alice", DisplayName: "Alice"})
	if err != nil {
		panic(err)
	}
	var groups []*identitystore.Group
	for _, name := range []string{"engineering", "platform"} {
		g, err := svc.CreateGroup(ctx, me, &identitystore.Group{DisplayName: name})
		if err != nil {
			panic(err)
		}
		groups = append(groups, g)
	}
	err = svc.Update(ctx, me, func(tx *identitystore.Tx) error { // platform stands in engineering, alice in platform
		return tx.Link(ctx,
			identitystore.Edge{Parent: groups[0].Key, Child: groups[1].Key, Via: identitystore.ViaManual, ChildKind: identitystore.KindGroup},
			identitystore.Edge{Parent: groups[1].Key, Child: alice.Key, Via: identitystore.ViaManual, ChildKind: identitystore.KindUser})
	})
	if err != nil {
		panic(err)
	}
	in, err := svc.IsMemberInGroups(ctx, alice.ID, groups[0].ID)
	if err != nil {
		panic(err)
	}
	path, err := svc.Explain(ctx, alice.ID, groups[0].ID)
	if err != nil {
		panic(err)
	}
	fmt.Println(in[0])
	for _, hop := range path {
		fmt.Println(hop.FromName, "is in", hop.ToName)
	}
	// Output:
	// true
	// alice is in platform
	// platform is in engineering
}
