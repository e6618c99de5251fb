package sts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/observetest"
	"github.com/adfedkit/adfedkit/permissionset/sts"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	w, o := newWorld(t), &observetest.Watcher{}
	h, err := sts.NewHandler(sts.Config{
		Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:AssumeRoleWithSAML"`, "")}},
		Store: w.store, Now: start, Observer: o,
	})
	require.NoError(t, err)
	_, err = h.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, good())))
	require.NoError(t, err)
	_, err = h.AssumeRoleWithSAML(t.Context(), input("alice"))
	require.Error(t, err)
	in := input(w.idp.build(t, good()))
	in.RoleARN = role("None")
	_, err = h.AssumeRoleWithSAML(t.Context(), in)
	require.Error(t, err)
	require.Equal(t, []string{"sts.assume_role_with_saml ok", "sts.assume_role_with_saml InvalidIdentityToken", "sts.assume_role_with_saml AccessDenied"}, o.Take())
}
