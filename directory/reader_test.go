package directory_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// readerReport is what the child process of TestReaderMemory prints when it is done.
type readerReport struct {
	Users, Groups, Edges, Progress int
	PeakKiB                        int
}

// readerShapes are directories of n users below the group "all".
func readerShapes() map[string]func(dc *directorytest.DC, n int) (groups, edges int) {
	user := func(i int) directorytest.User {
		return directorytest.User{
			Name: fmt.Sprintf("user%06d", i), GivenName: "Given", Surname: "Family", DisplayName: fmt.Sprintf("Given Family %d", i),
			Mail: fmt.Sprintf("user%06d@example.com", i),
		}
	}
	nested := func(each int) func(dc *directorytest.DC, n int) (int, int) {
		return func(dc *directorytest.DC, n int) (int, int) {
			all := dc.AddGroup(directorytest.Group{Name: "all"})
			var gs []*directorytest.Object
			for i := range n / 100 {
				g := dc.AddGroup(directorytest.Group{Name: fmt.Sprintf("g%d", i)})
				dc.AddMember(all, g)
				gs = append(gs, g)
			}
			dc.Bulk(gs, user, n, each)
			return n/100 + 1, each*n + n/100
		}
	}
	return map[string]func(dc *directorytest.DC, n int) (int, int){
		"five groups each":   nested(5),
		"twenty groups each": nested(20),
		"one group": func(dc *directorytest.DC, n int) (int, int) { // a single member list of n values, in ranges
			dc.Bulk([]*directorytest.Object{dc.AddGroup(directorytest.Group{Name: "all"})}, user, n, 1)
			return 1, n
		},
		"primary group": func(dc *directorytest.DC, n int) (int, int) { // everybody is in Domain Users, and in no member list
			dc.Bulk(nil, user, n, 0)
			dc.AddMember(dc.AddGroup(directorytest.Group{Name: "all"}), dc.Find("Domain Users"))
			return 2, n + 2 // and svc-sync
		},
	}
}

// TestReaderMemory reads a big scope in a process of its own, so that the server's memory is not counted.
func TestReaderMemory(t *testing.T) {
	if url := os.Getenv("DIRECTORY_READER_URL"); url != "" {
		readerChild(t, url)
		return
	}
	for name, fill := range readerShapes() { // one after the other: the servers are big
		t.Run(name, func(t *testing.T) {
			srv, dc := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
			n := testscale.N(2_000, 100_000)
			groups, edges := fill(dc, n)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReaderMemory$", "-test.v")
			ca := t.TempDir() + "/ca.pem"
			require.NoError(t, os.WriteFile(ca, srv.CAPEM(), 0o600))
			cmd.Env = append(os.Environ(), "DIRECTORY_READER_URL="+dc.URL(), "DIRECTORY_READER_CA="+ca, "GOMEMLIMIT=off", "GOGC=100")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			var r readerReport
			for line := range strings.Lines(string(out)) {
				if rest, ok := strings.CutPrefix(line, "report "); ok {
					require.NoError(t, json.Unmarshal([]byte(rest), &r))
				}
			}
			t.Logf("%+v", r)
			require.Contains(t, []int{n, n + 1}, r.Users)
			require.Equal(t, groups, r.Groups)
			require.Equal(t, edges, r.Edges)
			require.GreaterOrEqual(t, r.Progress, n/1000)
			require.Less(t, r.PeakKiB, 170_000, "KiB, without any limit on the heap")
		})
	}
}

func readerChild(t *testing.T, url string) {
	t.Helper()
	pem, err := os.ReadFile(os.Getenv("DIRECTORY_READER_CA"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	c, err := directory.New(directory.Config{Domains: []directory.Domain{{
		DNS: "corp.example.test", NetBIOS: "CORP", Servers: []string{url}, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		Bind: directory.NewSimpleBind("svc-sync@corp.example.test", []byte(password)),
	}}})
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	var r readerReport
	m, err := directory.CompileMapping(directory.DefaultMapping())
	require.NoError(t, err)
	s, err := c.ReadScope(t.Context(), directory.ScopeQuery{
		Principals: groups(`CORP\all`), Attributes: m.Attributes(), Progress: func(directory.ScopeCounts) { r.Progress++ },
	})
	require.NoError(t, err)
	r.Users, r.Groups, r.Edges = len(s.Users), len(s.Groups), s.EdgeCount()
	r.PeakKiB = peak(t)
	runtime.KeepAlive(s)
	b, err := json.Marshal(r)
	require.NoError(t, err)
	fmt.Printf("\nreport %s\n", b)
}

// peak is the largest resident size of this process so far.
func peak(t *testing.T) int {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib int
		if _, err := fmt.Sscanf(s.Text(), "VmHWM: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
