package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMetadataOfTheWrongRole: a file that was swapped with the other side's is named, and what it is.
func TestMetadataOfTheWrongRole(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	save := func(name, address string) string {
		status, body := fetch(t, address, "", "")
		require.Equal(t, http.StatusOK, status)
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(body), 0o600))
		return path
	}
	sp := save("sp.xml", a.portalURL+"/saml/metadata")
	idp := save("idp.xml", a.idpURL+"/FederationMetadata/2007-06/FederationMetadata.xml")
	page := filepath.Join(t.TempDir(), "page.html")
	require.NoError(t, os.WriteFile(page, []byte("<html></html>"), 0o600))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"-idp with that of a service provider":  {[]string{"-idp", sp}, sp + ": entity has no identity provider role for SAML 2.0: this is the metadata of a service provider"},
		"-rp with that of an identity provider": {[]string{"-rp", idp}, idp + ": entity has no service provider role for SAML 2.0: this is the metadata of an identity provider"},
		"-idp with a web page":                  {[]string{"-idp", page}, page + ": root element is neither EntityDescriptor nor EntitiesDescriptor"},
		"-rp with a file that is not there":     {[]string{"-rp", page + ".none"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			require.Equal(t, exitUsage, run(t.Context(), append(c.args, "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0"), &out, &errs))
			require.Contains(t, errs.String(), c.args[0]+": ")
			require.Contains(t, errs.String(), c.want)
			require.Empty(t, out.String())
		})
	}
}
