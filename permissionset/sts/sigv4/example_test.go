package sigv4_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/adfedkit/adfedkit/permissionset/sts/sigv4"
)

// A handler that lets in who has signed with a key that it knows.
func ExampleVerifier_Verify() {
	v, err := sigv4.NewVerifier(sigv4.Config{
		Keys:    sigv4.StaticKeys{"AKIDEXAMPLE": {Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Principal: "alice"}},
		Service: "identitystore", Region: "eu-west-1",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := v.Verify(r)
		if e, ok := errors.AsType[*sigv4.Error](err); ok {
			http.Error(w, e.ErrorCode(), e.HTTPStatusCode())
			return
		}
		_, _ = fmt.Fprintln(w, "hello", id.Principal)
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 400 MissingAuthenticationTokenException
}
