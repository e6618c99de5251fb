package main

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml/samltest"
)

// TestKeyRollover walks through the guide's steps: publish, swap, take away. A sign-in works at each of them.
func TestKeyRollover(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	file := func(name string) string { return filepath.Join(dir, name+".pem") }
	read := func(name string) []byte {
		b, err := os.ReadFile(file(name))
		require.NoError(t, err)
		return b
	}
	// published starts the program with the folder as it is, signs somebody in, and returns both metadata documents.
	published := func() (idp, sp string) {
		a := running(t, func(o *options) { o.data = dir })
		p, err := a.open(t.Context(), samltest.NewBrowser("alice", "Correct-Horse-1"), a.fromPortal())
		require.NoError(t, err)
		require.NoError(t, expect(p, http.StatusOK, "log-archive"))
		_, idp = fetch(t, a.idpURL+"/FederationMetadata/2007-06/FederationMetadata.xml", "", "")
		_, sp = fetch(t, a.portalURL+"/saml/metadata", "", "")
		return idp, sp
	}
	idp, _ := published()
	old := map[string][]byte{}
	for _, name := range []string{"idp-signing", "portal"} {
		old[name] = read(name)
		fresh, err := newKeyPair("next")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file(name+"-next"), fresh, 0o600))
		require.NotContains(t, idp, certificateText(t, fresh))
	}
	next := map[string][]byte{"idp-signing": read("idp-signing-next"), "portal": read("portal-next")}

	holds := func(document, name string, pairs ...map[string][]byte) {
		for _, p := range pairs {
			require.Contains(t, document, certificateText(t, p[name]))
		}
	}
	idp, sp := published()
	holds(idp, "idp-signing", old, next)
	holds(sp, "portal", old, next)

	for name := range old { // swap
		require.NoError(t, os.WriteFile(file(name), next[name], 0o600))
		require.NoError(t, os.WriteFile(file(name+"-next"), old[name], 0o600))
	}
	idp, sp = published()
	holds(idp, "idp-signing", old, next)
	holds(sp, "portal", old, next)

	for name := range old {
		require.NoError(t, os.Remove(file(name+"-next")))
	}
	idp, sp = published()
	holds(idp, "idp-signing", next)
	holds(sp, "portal", next)
	require.NotContains(t, idp, certificateText(t, old["idp-signing"]))
	require.NotContains(t, sp, certificateText(t, old["portal"]))

	require.NoError(t, os.WriteFile(file("portal-next"), []byte("garbage"), 0o600))
	_, err := loadKeys(dir)
	require.ErrorContains(t, err, "portal-next.pem")
}

// certificateText returns the base64 of the certificate of a key file, as metadata carries it.
func certificateText(t *testing.T, pemText []byte) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.pem"), bytes.Clone(pemText), 0o600))
	pair, err := keyPair(dir, "x", "")
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(pair.Certificate.Raw)
}
