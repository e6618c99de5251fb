//go:build lab

package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// visit is one job of internal/lab/browser/signin.mjs, which says what the fields mean.
type visit struct {
	Portal   string   `json:"portal"`
	IDP      string   `json:"idp"`
	Start    string   `json:"start"`
	User     string   `json:"user"`
	Password string   `json:"password"`
	Expect   []string `json:"expect,omitempty"`
	Absent   []string `json:"absent,omitempty"`
	Console  bool     `json:"console,omitempty"`
	Refused  bool     `json:"refused,omitempty"`
}

// browse runs one visit in headless Chromium.
func browse(t *testing.T, v visit) {
	t.Helper()
	labEnv(t, "LAB_STATE")
	job, err := json.Marshal(v)
	require.NoError(t, err)
	cmd := foreign(t, "node", filepath.Join(labEnv(t, "ADFEDKIT_LAB"), "browser", "signin.mjs"), string(job))
	cmd.Env = append(os.Environ(), "CHROMIUM="+labEnv(t, "CHROMIUM"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestBrowserPortal signs the demo users in, in both directions, with a real browser.
func TestBrowserPortal(t *testing.T) {
	t.Parallel()
	p := serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0")
	portal, idp := portalURLs(p)
	for _, start := range []string{"portal", "idp"} {
		for name, v := range map[string]visit{
			"alice": {User: "alice", Password: "Correct-Horse-1", Expect: []string{"alice", "log-archive", "111122223333", "LogArchiveReadOnly"}, Console: true},
			"bob":   {User: `CORP\bob`, Password: "Battery-Staple-2", Expect: []string{"bob", "log-archive", "LogArchiveReadOnly"}, Console: true},
			"carol": {User: "carol@example.com", Password: "Blue-Harbour-3", Expect: []string{"carol"}, Absent: []string{"111122223333"}},
			"dave":  {User: "dave", Password: "Quiet-River-4", Refused: true},
			"wrong": {User: "alice", Password: "not-the-password", Refused: true},
		} {
			t.Run(start+"/"+name, func(t *testing.T) {
				v.Portal, v.IDP, v.Start = portal, idp, start
				browse(t, v)
			})
		}
	}
}
