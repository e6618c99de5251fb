package integration_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// TestImportedUserSignsIn walks the manual way of provisioning: a CSV file into the store, then a sign-in at a foreign
// identity provider under the same name. A file with bad rows changes nothing.
func TestImportedUserSignsIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := "sqlite:" + filepath.Join(dir, "ids.db")
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := "UserName,GivenName,FamilyName,DisplayName,Email\nfrank@example.com,Frank,Foster,Frank Foster,frank@example.com\n"
	bad := good + "grace@example.com,Grace,,,\n,No,Name,,\n"

	r := runProgram(t, "", "idstore", "-db", db, "import", "users", file("bad.csv", bad))
	require.Equal(t, 1, r.code, r.stderr)
	var report struct {
		State  string
		Errors []struct {
			Row          int
			Column, Code string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &report))
	require.Equal(t, "refused", report.State)
	require.NotEmpty(t, report.Errors)
	for _, e := range report.Errors {
		require.Greater(t, e.Row, 2, "the first data row is good")
		require.NotEmpty(t, e.Column)
	}
	r = runProgram(t, "", "idstore", "-db", db, "list", "users")
	require.NotContains(t, r.stdout, "frank", "nothing is half-applied")

	r = runProgram(t, "", "idstore", "-db", db, "import", "users", file("good.csv", good))
	require.Equal(t, 0, r.code, r.stderr+r.stdout)

	lab, err := samltest.Start(samltest.Config{Accounts: map[string]samltest.Account{
		"frank":    {Name: "frank@example.com", Password: "pw"},
		"stranger": {Name: "stranger@example.com", Password: "pw"},
	}})
	require.NoError(t, err)
	t.Cleanup(lab.Close)
	metadata, err := lab.IdP.Core().SignedMetadata()
	require.NoError(t, err)
	p := serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-db", db, "-idp", file("idp.xml", string(metadata)))
	portal, _ := portalURLs(p)
	lab.Registry.Put(relyingPartyAt(t, portal+"/saml/metadata"))

	page, err := samltest.NewBrowser("frank", "pw").Open(t.Context(), portal+"/saml/login")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, page.Body, "frank@example.com")
	page, err = samltest.NewBrowser("stranger", "pw").Open(t.Context(), portal+"/saml/login")
	require.NoError(t, err)
	require.Contains(t, page.Body, "not_provisioned")
}

// relyingPartyAt reads the metadata of a service provider on loopback.
func relyingPartyAt(t *testing.T, url string) *saml.RelyingParty {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	m, err := saml.ParseMetadata(raw, saml.MetadataOptions{InsecureAllowHTTP: true})
	require.NoError(t, err)
	rp, err := m.RelyingParty()
	require.NoError(t, err)
	return rp
}
