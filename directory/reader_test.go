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

// TestReaderMemory reads a big scope in a process of its own, so that the server's memory is not counted.
func TestReaderMemory(t *testing.T) {
	if url := os.Getenv("DIRECTORY_READER_URL"); url != "" {
		readerChild(t, url)
		return
	}
	t.Parallel()
	srv, dc := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	n := testscale.N(5_000, 100_000)
	all := dc.AddGroup(directorytest.Group{Name: "all"})
	var gs []*directorytest.Object
	for i := range n / 100 {
		g := dc.AddGroup(directorytest.Group{Name: fmt.Sprintf("g%d", i)})
		dc.AddMember(all, g)
		gs = append(gs, g)
	}
	dc.Bulk(gs, func(i int) directorytest.User {
		return directorytest.User{
			Name: fmt.Sprintf("user%06d", i), GivenName: "Given", Surname: "Family", DisplayName: fmt.Sprintf("Given Family %d", i),
			Mail: fmt.Sprintf("user%06d@example.com", i),
		}
	}, n, 5)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReaderMemory$", "-test.v")
	ca := t.TempDir() + "/ca.pem"
	require.NoError(t, os.WriteFile(ca, srv.CAPEM(), 0o600))
	// about 90 MB are live at the end; without a limit the collector lets the heap grow to twice that before it runs
	cmd.Env = append(os.Environ(), "DIRECTORY_READER_URL="+dc.URL(), "DIRECTORY_READER_CA="+ca, "GOMEMLIMIT=140MiB")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	var r readerReport
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "report "); ok {
			require.NoError(t, json.Unmarshal([]byte(rest), &r))
		}
	}
	t.Logf("%+v", r)
	require.Equal(t, n, r.Users)
	require.Equal(t, n/100+1, r.Groups)
	require.Equal(t, 5*n+n/100, r.Edges)
	require.GreaterOrEqual(t, r.Progress, n/1000)
	require.Less(t, r.PeakKiB, 195_000, "200 MB")
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
	r.Users, r.Groups, r.Edges = len(s.Users), len(s.Groups), len(s.Edges)
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
