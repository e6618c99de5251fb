//go:build lab

package integration_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func save(t *testing.T, address, file string) string {
	t.Helper()
	resp, err := http.Get(address)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	return file
}

// TestPortalWithForeignIdP signs in to the portal at SimpleSAMLphp, encrypted, both flows, and out again.
func TestPortalWithForeignIdP(t *testing.T) {
	dir, port, idpPort := t.TempDir(), freePort(t), freePort(t)
	data, portalURL := filepath.Join(dir, "data"), "http://127.0.0.1:"+port
	args := []string{"-addr", "127.0.0.1:" + port, "-idp-addr", "127.0.0.1:" + idpPort, "-data", data}
	var metadata string
	t.Run("metadata", func(t *testing.T) { // ends with the subtest; the keys stay in -data
		serveProgram(t, 2, "portal", args...)
		metadata = save(t, portalURL+"/saml/metadata", filepath.Join(dir, "sp.xml"))
	})
	peerPort := freePort(t)
	run := startPeer(t, peerState(t), "simplesamlphp", []string{"ENC=1"}, metadata, peerPort)
	portal := serveProgram(t, 2, "portal", append(args, "-idp", filepath.Join(run, "idp-metadata.xml"))...)
	defer func() {
		if t.Failed() {
			t.Log(portal.Log())
		}
	}()
	out := requireFlow(t, "log-archive", "--click", "sign.?in", portalURL+"/")
	require.Contains(t, out, "alice")
	start := "http://127.0.0.1:" + peerPort + "/saml2/idp/SSOService.php?" + url.Values{"spentityid": {portalURL + "/saml/metadata"}}.Encode()
	requireFlow(t, "log-archive", start)
}

// TestPortalWithForeignSP lets service providers of others sign in at the portal's identity provider.
func TestPortalWithForeignSP(t *testing.T) {
	for _, sp := range foreignSPs() {
		t.Run(sp.name, func(t *testing.T) {
			dir, port, idpPort := t.TempDir(), freePort(t), freePort(t)
			args := []string{"-addr", "127.0.0.1:" + port, "-idp-addr", "127.0.0.1:" + idpPort, "-data", filepath.Join(dir, "data")}
			idp := &samlSide{url: "http://127.0.0.1:" + idpPort}
			t.Run("metadata", func(t *testing.T) {
				serveProgram(t, 2, "portal", args...)
				idp.metadata = save(t, idp.url+"/FederationMetadata/2007-06/FederationMetadata.xml", filepath.Join(dir, "idp.xml"))
			})
			env := []string{"ENC=1"}
			if sp.signed {
				env = append(env, "SIGNREQ=1")
			}
			base, metadata := sp.start(t, idp, env...)
			portal := serveProgram(t, 2, "portal", append(args, "-rp", metadata)...)
			defer func() {
				if t.Failed() {
					t.Log(portal.Log())
				}
			}()
			out := requireFlow(t, sp.okText, sp.login(base, idp.url+"/adfs/services/trust"))
			require.Contains(t, out, samlAlice)
		})
	}
}
