package awsapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/awsapi"
)

// watcher notes what an observer is told.
type watcher struct {
	mu  sync.Mutex
	got []string
}

func (w *watcher) Start(ctx context.Context, op string) (context.Context, func(string)) {
	return ctx, func(outcome string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.got = append(w.got, op+" "+outcome)
	}
}

func TestObserver(t *testing.T) {
	t.Parallel()
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	o := &watcher{}
	h, err := awsapi.NewHandler(awsapi.Config{Stores: []*identitystore.Service{svc}, Observer: o})
	require.NoError(t, err)
	for _, body := range []string{`{"IdentityStoreId":"d-0000000001"}`, `{"IdentityStoreId":"d-ffffffffff"}`, `{`} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "AWSIdentityStore.ListUsers")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.Len(t, o.got, 3)
	require.Equal(t, "awsapi.request ok", o.got[0])
	for _, g := range o.got[1:] {
		require.Regexp(t, `^awsapi\.request [A-Za-z]+Exception$`, g)
	}
}
