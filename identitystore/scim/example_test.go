package scim_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

func ExampleNewHandler() {
	svc, err := identitystore.Open(context.Background(), identitystore.Config{Store: new(identitystore.Memory)})
	if err != nil {
		fmt.Println(err)
		return
	}
	var tokens scim.Tokens
	tokens.Add(scim.HashToken("the token"), svc)
	h, err := scim.NewHandler(scim.Config{Auth: &tokens, Profile: scim.AWS})
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/Users", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer
}
