package scimfilter_test

import (
	"fmt"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

func Example() {
	e, err := scimfilter.Parse(`USERNAME eq "alice" And (active eq true)`)
	fmt.Println(e, err)
	// Output: USERNAME eq "alice" and active eq true <nil>
}
