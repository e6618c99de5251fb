package scimpatch_test

import (
	"fmt"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

func Example() {
	ops, err := scimpatch.Parse([]byte(`{"Operations":[{"op":"Replace","path":"active","value":"False"}]}`), scimpatch.Tolerant)
	if err != nil {
		fmt.Println(err)
		return
	}
	next, changed, err := scimpatch.Apply(schema(), map[string]any{"active": true}, ops, scimpatch.Options{})
	fmt.Println(next, changed, err)
	// Output: map[active:false] true <nil>
}
