package csvimport_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/csvimport"
)

func Example() {
	ctx := context.Background()
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: new(identitystore.Memory)})
	if err != nil {
		panic(err)
	}
	file := "first_name,last_name,email\nAlice,Anders,alice@corp.example.test\nBob,,bob@corp.example.test\n"
	table, err := csvimport.Read(strings.NewReader(file), csvimport.Users, csvimport.Options{PerRow: true})
	if err != nil {
		panic(err)
	}
	im, err := csvimport.Prepare(ctx, svc, table)
	if err != nil {
		panic(err)
	}
	for _, e := range im.Errors {
		fmt.Println("row", e.Row, e.Column, e.Message)
	}
	rep, err := csvimport.Apply(ctx, svc, im, csvimport.Request{})
	if err != nil {
		panic(err)
	}
	fmt.Println(rep.State, rep.Users.Create)
	// Output:
	// row 3 FamilyName is required
	// applied 1
}
