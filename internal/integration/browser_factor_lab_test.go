//go:build lab

package integration_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// stroll runs a script of internal/lab/browser, which says what it does, in headless Chromium. Pictures go to the folder that
// ADFEDKIT_SCREENSHOTS names, if it does.
func stroll(t *testing.T, script, portal string) {
	t.Helper()
	labEnv(t, "LAB_STATE")
	job, err := json.Marshal(map[string]string{"portal": portal, "user": "alice", "password": "Correct-Horse-1", "shots": os.Getenv("ADFEDKIT_SCREENSHOTS")})
	require.NoError(t, err)
	cmd := foreign(t, "node", filepath.Join(labEnv(t, "ADFEDKIT_LAB"), "browser", script), string(job))
	cmd.Env = append(os.Environ(), "CHROMIUM="+labEnv(t, "CHROMIUM"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestBrowserSecondFactor sets second factors up and signs in with each of them. Security keys need a host name: localhost.
func TestBrowserSecondFactor(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	portal, _ := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:"+port, "-idp-url", "http://localhost:"+port, "-second-factor", "required"))
	stroll(t, "factor.mjs", portal)
}

// TestBrowserSessionExpires lets a session end by its time.
func TestBrowserSessionExpires(t *testing.T) {
	t.Parallel()
	portal, _ := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-session-life", "8s"))
	stroll(t, "expiry.mjs", portal)
}
