package awsapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/awsapi"
	"github.com/adfedkit/adfedkit/internal/observetest"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	o := &observetest.Watcher{}
	h, err := awsapi.NewHandler(awsapi.Config{Stores: []*identitystore.Service{svc}, Observer: o})
	require.NoError(t, err)
	for _, body := range []string{`{"IdentityStoreId":"d-0000000001"}`, `{"IdentityStoreId":"d-ffffffffff"}`, `{`} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "AWSIdentityStore.ListUsers")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	got := o.Take()
	require.Len(t, got, 3)
	require.Equal(t, "awsapi.request ok", got[0])
	for _, g := range got[1:] {
		require.Regexp(t, `^awsapi\.request [A-Za-z]+Exception$`, g)
	}
}
