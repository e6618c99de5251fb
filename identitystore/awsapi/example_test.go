package awsapi_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/awsapi"
)

func Example() {
	svc, err := identitystore.Open(context.Background(), identitystore.Config{Store: new(identitystore.Memory)})
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := awsapi.NewHandler(awsapi.Config{Stores: []*identitystore.Service{svc}})
	if err != nil {
		fmt.Println(err)
		return
	}
	rq := httptest.NewRequest("POST", "/", strings.NewReader(`{"IdentityStoreId":"d-0000000001"}`))
	rq.Header.Set("X-Amz-Target", "AWSIdentityStore.ListUsers")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, rq)
	fmt.Println(w.Body)
	// Output: {"Users":[]}
}
