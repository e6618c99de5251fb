//go:build lab

package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tour is one job of internal/lab/browser/admin.mjs, which says what the fields mean.
type tour struct {
	Portal        string `json:"portal"`
	User          string `json:"user"`
	Password      string `json:"password"`
	Other         string `json:"other"`
	OtherPassword string `json:"otherPassword"`
	Held          bool   `json:"held"`
	Shots         string `json:"shots"`
}

// walk runs one tour in headless Chromium. Pictures go to the folder that ADFEDKIT_SCREENSHOTS names, if it does.
func walk(t *testing.T, v tour) {
	t.Helper()
	labEnv(t, "LAB_STATE")
	v.Shots = os.Getenv("ADFEDKIT_SCREENSHOTS")
	job, err := json.Marshal(v)
	require.NoError(t, err)
	cmd := foreign(t, "node", filepath.Join(labEnv(t, "ADFEDKIT_LAB"), "browser", "admin.mjs"), string(job))
	cmd.Env = append(os.Environ(), "CHROMIUM="+labEnv(t, "CHROMIUM"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestBrowserAdministration opens every page as an administrator, works with it, signs out, and
// sees that somebody else is kept out; no page may have a serious barrier.
func TestBrowserAdministration(t *testing.T) {
	t.Parallel()
	portal, _ := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0"))
	walk(t, tour{Portal: portal, User: "alice", Password: "Correct-Horse-1", Other: "bob", OtherPassword: "Battery-Staple-2"})
}

// TestBrowserHeldPlan synchronises once, starts again with a scope that names nobody of the first run, and approves the
// plan that the guard has held.
func TestBrowserHeldPlan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"), "-admin-group", "Engineering"}
	t.Run("first run", func(t *testing.T) { serveProgram(t, 2, "portal", args...) }) // ends with the subtest
	assign := filepath.Join(dir, "ASSIGN.json")
	require.NoError(t, os.WriteFile(assign, []byte(`{"accounts": [{"id": "111122223333", "name": "log-archive"}], "assignments": [
		{"principalType": "USER", "principal": "carol@corp.example.test", "targetId": "111122223333", "permissionSet": "LogArchiveReadOnly"}]}`), 0o600))
	portal, _ := portalURLs(serveProgram(t, 2, "portal", append(args, "-assignments", assign)...))
	walk(t, tour{Portal: portal, User: "alice", Password: "Correct-Horse-1", Held: true})
}
