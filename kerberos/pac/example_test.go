package pac_test

import (
	"errors"
	"fmt"

	"github.com/adfedkit/adfedkit/kerberos/pac"
)

func ExampleDecode() {
	_, err := pac.Decode([]byte("not a PAC"))
	fmt.Println(errors.Is(err, pac.ErrMalformed), err)
	// Output: true pac: malformed: count or version
}
