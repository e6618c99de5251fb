//go:build lab

package integration_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// gate lets searches pass until it is shut, and again when it is opened.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil: open
}

func (g *gate) pass() {
	g.mu.Lock()
	c := g.shut
	g.mu.Unlock()
	if c != nil {
		<-c
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/hold" {
		g.close()
		return
	}
	g.open()
}

// TestBrowserProgress: a synchronisation that takes long shows how far it is, with scripts in place and without them by
// pages that reload themselves; both end at the result.
func TestBrowserProgress(t *testing.T) {
	t.Parallel()
	labEnv(t, "LAB_STATE")
	const spn = "HTTP/portal.corp.example.test"
	kdc, err := kerberostest.Start(kerberostest.Config{
		Realm: "CORP.EXAMPLE.TEST", NetBIOS: "CORP", DomainSID: "S-1-5-21-1-2-3", Iterations: 16, Services: []kerberostest.Service{{SPN: spn}},
		Users: []kerberostest.User{{Name: "alice", Password: "Correct-Horse-1", RID: 1201}},
	})
	require.NoError(t, err)
	t.Cleanup(kdc.Close)
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP", SID: "S-1-5-21-1-2-3"}}})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	dc, g := srv.Domain("CORP"), &gate{}
	dc.AddUser(directorytest.User{Name: "svc-sync", Password: "Demo-Sync-5"})
	admins := dc.AddGroup(directorytest.Group{Name: "Admins"})
	dc.AddMember(admins, dc.AddUser(directorytest.User{Name: "alice", RID: 1201}))
	dc.Install(directorytest.Fault{Point: directorytest.AtSearch, Do: g.pass})
	control := httptest.NewServer(g)
	t.Cleanup(control.Close)

	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	write("ca.pem", string(srv.CAPEM()))
	write("pw", "Demo-Sync-5\n")
	write("http.keytab", string(kdc.Keytab(spn).Marshal()))
	text, err := json.Marshal(map[string]any{
		"domains": []any{map[string]any{"dns": "corp.example.test", "netbios": "CORP", "kdcs": []string{kdc.Addr()}, "ldap": []string{dc.URL()}, "caFile": "ca.pem"}},
		"bind":    map[string]any{"method": "simple", "user": "svc-sync@corp.example.test", "passwordFile": "pw"},
		"service": map[string]any{"spn": spn, "keytabFile": "http.keytab"},
	})
	require.NoError(t, err)
	ad := write("AD.json", string(text))
	assign := write("ASSIGN.json", `{"accounts":[],"assignments":[{"principalType":"GROUP","principal":"CORP\\Admins"}]}`)
	portal, _ := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-ad", ad, "-assignments", assign, "-admin-group", "Admins"))
	t.Cleanup(g.open) // or the servers wait for ever for what is held
	for name, scripts := range map[string]bool{"with scripts": true, "without": false} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // one after the other: there is one gate
			job, err := json.Marshal(map[string]any{
				"portal": portal, "control": control.URL, "user": "alice", "password": "Correct-Horse-1", "scripts": scripts, "shots": os.Getenv("ADFEDKIT_SCREENSHOTS"),
			})
			require.NoError(t, err)
			cmd := foreign(t, "node", filepath.Join(labEnv(t, "ADFEDKIT_LAB"), "browser", "progress.mjs"), string(job))
			cmd.Env = append(os.Environ(), "CHROMIUM="+labEnv(t, "CHROMIUM"))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
		})
	}
}
