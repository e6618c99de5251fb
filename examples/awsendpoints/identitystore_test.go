package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
)

func TestIdentityStore(t *testing.T) {
	t.Parallel()
	org := &permissionset.Organization{
		Users: []permissionset.User{{ID: "u-1", UserName: "alice"}, {ID: "u-2", UserName: "bob", Status: permissionset.Disabled}},
		Groups: []permissionset.Group{
			{ID: "g-1", DisplayName: "Outer", Groups: []string{"g-2", "g-none"}}, {ID: "g-2", DisplayName: "Inner", Users: []string{"u-1", "u-none"}},
		},
	}
	h, err := identityStore(org, &endpoints{}, nil, time.Now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ask := func(operation, rest string) string {
		rq := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"IdentityStoreId":"`+defaultStoreID+`"`+rest+`}`))
		rq.Header.Set("X-Amz-Target", "AWSIdentityStore."+operation)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, rq)
		return w.Body.String()
	}
	require.Contains(t, ask("IsMemberInGroups", `,"MemberId":{"UserId":"u-1"},"GroupIds":["g-1"]`), `"MembershipExists":true`)
	require.Contains(t, ask("IsMemberInGroups", `,"MemberId":{"UserId":"u-2"},"GroupIds":["g-1"]`), `"MembershipExists":false`)
	require.Contains(t, ask("DescribeUser", `,"UserId":"u-2"`), `"UserStatus":"DISABLED"`)
	_, err = identityStore(org, &endpoints{StoreID: "not an id"}, nil, time.Now, slog.New(slog.DiscardHandler))
	require.Error(t, err)
	org.Users = append(org.Users, permissionset.User{ID: "u-3", UserName: "ALICE"})
	h, err = identityStore(org, &endpoints{StoreID: "d-0000000042"}, nil, time.Now, slog.New(slog.DiscardHandler))
	require.NoError(t, err) // named twice, there once
	require.Contains(t, ask("ListUsers", ""), "ResourceNotFoundException")
}
