package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// A permission set is held in an account: holding it in one opens no other, neither the console nor credentials.
func TestSetOfAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	org := filepath.Join(t.TempDir(), "org.json")
	text := strings.Replace(string(demoOrg), `"accounts": [`, `"accounts": [{"id":"222233334444","name":"sandbox"},`, 1)
	require.NotEqual(t, string(demoOrg), text)
	require.NoError(t, os.WriteFile(org, []byte(text), 0o600))
	assign := filepath.Join(t.TempDir(), "assign.json")
	require.NoError(t, os.WriteFile(assign, demoAssign, 0o600))
	a := running(t, func(o *options) { o.org, o.assignments = org, assign })
	b := samltest.NewBrowser("bob", "Battery-Staple-2")
	p, err := a.open(t.Context(), b, a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "log-archive"))
	require.NotContains(t, p.Body, "sandbox")
	for query, want := range map[string]int{
		"account=111122223333&role=LogArchiveReadOnly": http.StatusOK,
		"account=222233334444&role=LogArchiveReadOnly": http.StatusForbidden,
		"account=111122223333&role=Other":              http.StatusForbidden,
		"":                                             http.StatusForbidden,
	} {
		p, err := a.open(t.Context(), b, "/credentials?"+query)
		require.NoError(t, err)
		require.Equal(t, want, p.Status, query)
		require.Equal(t, want == http.StatusOK, strings.Contains(p.Body, "AWS_SECRET_ACCESS_KEY"), query)
		if want != http.StatusOK {
			p, err = a.open(t.Context(), b, "/start?"+query)
			require.NoError(t, err)
			require.Equal(t, want, p.Status, query)
		}
	}
}

// With a foreign identity provider nobody is created just in time, also not by a sign-in at the built-in one.
func TestNoJustInTimeUsersWithForeignIdentityProvider(t *testing.T) {
	t.Parallel()
	lab, err := samltest.Start(samltest.Config{})
	require.NoError(t, err)
	t.Cleanup(lab.Close)
	file := filepath.Join(t.TempDir(), "idp.xml")
	md, err := lab.IdP.Core().SignedMetadata()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, md, 0o600))
	a := running(t, func(o *options) {
		o.idpMetadata, o.relying = file, []relyingParty{{entity: "urn:wiki", acs: "https://wiki.example.test/acs"}}
	})
	_, err = a.keepResponse(t.Context(), "carol", "Blue-Harbour-3", a.idpURL+"/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn:wiki")
	require.NoError(t, err, "the other relying party is open to her")
	_, err = a.store.UserByName(t.Context(), "carol@example.com")
	require.ErrorIs(t, err, identitystore.ErrNotFound)
}
