package samltest_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/saml/samltest"
)

func ExampleStart() {
	lab, err := samltest.Start(samltest.Config{})
	if err != nil {
		panic(err)
	}
	defer lab.Close()
	browser := samltest.NewBrowser("alice", "Correct-Horse-1")
	page, err := browser.Open(context.Background(), lab.SPURL+"/reports")
	if err != nil {
		panic(err)
	}
	fmt.Println(page.Status, strings.Contains(page.Body, "signed in as alice@example.com at /reports"))
	// Output: 200 true
}
