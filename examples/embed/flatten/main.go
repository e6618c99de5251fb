// Command flatten shows group flattening alone: who is in a group through nested groups, and by which path. Nothing is
// read from a directory; ids are whatever you use.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/adfedkit/adfedkit/directory/membership"
)

func main() {
	b, err := membership.NewBuilder(membership.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var errs []error
	for _, group := range []string{"Engineering", "Platform", "SRE"} {
		errs = append(errs, b.Add(membership.Object{ID: group, Kind: membership.KindGroup}))
	}
	errs = append(errs, b.Add(membership.Object{ID: "alice", Kind: membership.KindUser}))
	for parent, child := range map[string]string{"Engineering": "Platform", "Platform": "SRE", "SRE": "alice"} {
		errs = append(errs, b.Link(parent, child, membership.ViaMember))
	}
	errs = append(errs, b.Link("SRE", "Engineering", membership.ViaMember)) // cycles are fine
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	g := b.Build()
	fmt.Println("alice is in Engineering:", g.IsMember("alice", "Engineering"))
	for _, path := range g.Explain("alice", "Engineering", 1) {
		for _, hop := range path {
			fmt.Println(" ", hop.From, "is in", hop.To)
		}
	}
}
