package membership_test

import (
	"fmt"
	"slices"

	"github.com/adfedkit/adfedkit/directory/membership"
)

// Alice is in SRE, SRE is in Platform, Platform is in Engineering.
func Example() {
	b, err := membership.NewBuilder(membership.Config{})
	if err != nil {
		panic(err)
	}
	for _, id := range []string{"engineering", "platform", "sre"} {
		if err := b.Add(membership.Object{ID: id, Kind: membership.KindGroup}); err != nil {
			panic(err)
		}
	}
	if err := b.Add(membership.Object{ID: "alice", Kind: membership.KindUser}); err != nil {
		panic(err)
	}
	for _, e := range [][2]string{{"engineering", "platform"}, {"platform", "sre"}, {"sre", "alice"}} {
		if err := b.Link(e[0], e[1], membership.ViaMember); err != nil {
			panic(err)
		}
	}
	g := b.Build()
	fmt.Println(slices.Collect(g.GroupsOf("alice")))
	for _, hop := range g.Explain("alice", "engineering", 1)[0] {
		fmt.Println(hop.From, "->", hop.To, hop.Via)
	}
	diff, err := g.WhatIf(membership.Delta{Unlink: []membership.Edge{{Parent: "platform", Child: "sre"}}})
	if err != nil {
		panic(err)
	}
	for p := range diff.Lost() {
		fmt.Println("would lose", p.Group)
	}
	// Output:
	// [engineering platform sre]
	// alice -> sre member
	// sre -> platform member
	// platform -> engineering member
	// would lose engineering
	// would lose platform
}
