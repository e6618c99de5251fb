package opmetrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/opmetrics"
)

func scrape(tb testing.TB, h http.Handler) string {
	tb.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "http://127.0.0.1/metrics", nil))
	require.Equal(tb, http.StatusOK, w.Code)
	require.Equal(tb, opmetrics.ContentType, w.Header().Get("Content-Type"))
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	var m opmetrics.Metrics
	require.Empty(t, scrape(t, &m))
	for _, outcome := range []string{"ok", "ok", "bad_credentials"} {
		_, end := m.Start(t.Context(), "kerberos.password")
		end(outcome)
	}
	ctx, end := m.Start(t.Context(), "adsync.run")
	require.Equal(t, t.Context(), ctx)
	m.Gauge("adfedkit_store_users", "Users in the store.", func(context.Context) (float64, bool) { return 3, true })
	m.Gauge("adfedkit_gone", "Not known now.", func(context.Context) (float64, bool) { return 0, false })
	got := scrape(t, &m)
	for _, line := range []string{
		"# TYPE adfedkit_operations_total counter\n",
		`adfedkit_operations_total{operation="kerberos.password",outcome="ok"} 2` + "\n",
		`adfedkit_operations_total{operation="kerberos.password",outcome="bad_credentials"} 1` + "\n",
		`adfedkit_operations_active{operation="adsync.run"} 1` + "\n",
		`adfedkit_operations_active{operation="kerberos.password"} 0` + "\n",
		`adfedkit_operation_duration_seconds_bucket{operation="kerberos.password",le="+Inf"} 3` + "\n",
		`adfedkit_operation_duration_seconds_count{operation="kerberos.password"} 3` + "\n",
		"# HELP adfedkit_store_users Users in the store.\n# TYPE adfedkit_store_users gauge\nadfedkit_store_users 3\n",
	} {
		require.Contains(t, got, line)
	}
	require.NotContains(t, got, "adfedkit_gone")
	end("ok")
	require.Contains(t, scrape(t, &m), `adfedkit_operations_active{operation="adsync.run"} 0`+"\n")
}

// TestFormat holds every line against the grammar of the text format, and the rules for histograms.
func TestFormat(t *testing.T) {
	t.Parallel()
	var m opmetrics.Metrics
	for i := range 200 {
		_, end := m.Start(t.Context(), fmt.Sprintf("op.%d", i%3))
		end(fmt.Sprintf("word_%d", i%5))
	}
	comment := regexp.MustCompile(`^# (HELP [a-z_]+ [^\\]+|TYPE [a-z_]+ (counter|gauge|histogram))$`)
	sample := regexp.MustCompile(`^([a-z_]+)(\{[a-z]+="[A-Za-z0-9._+-]+"(,[a-z]+="[A-Za-z0-9._+-]+")*\})? [0-9.e+-]+$`)
	typed, last := map[string]bool{}, 0.0
	for line := range strings.Lines(scrape(t, &m)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			require.Regexp(t, comment, line)
			if f := strings.Fields(line); f[1] == "TYPE" {
				require.False(t, typed[f[2]], "one TYPE for each name")
				typed[f[2]] = true
			}
			continue
		}
		require.Regexp(t, sample, line)
		if strings.Contains(line, "_bucket{") {
			var n float64
			_, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n)
			require.NoError(t, err)
			if !strings.Contains(line, `le="0.001"`) {
				require.GreaterOrEqual(t, n, last, "buckets are cumulative")
			}
			last = n
		}
	}
	require.Len(t, typed, 3)
}

// TestBoundedLabels: whoever can make up words cannot make the set of series grow, nor break out of a line.
func TestBoundedLabels(t *testing.T) {
	t.Parallel()
	var m opmetrics.Metrics
	for i := range 1000 {
		_, end := m.Start(t.Context(), fmt.Sprintf("made.up.%d", i))
		end(fmt.Sprintf("made_up_%d", i))
	}
	for _, evil := range []string{"", "a b", "alice@corp.example.test", "x\"} 1\n# evil", "é", strings.Repeat("x", 65)} {
		_, end := m.Start(t.Context(), evil)
		end(evil)
	}
	got := scrape(t, &m)
	require.LessOrEqual(t, strings.Count(got, "adfedkit_operations_active{"), 65)
	require.LessOrEqual(t, strings.Count(got, "adfedkit_operations_total{"), 130)
	require.Contains(t, got, `operation="other",outcome="other"`)
	for _, s := range []string{"alice", "evil", "é"} {
		require.NotContains(t, got, s)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	var m opmetrics.Metrics
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				_, end := m.Start(t.Context(), "x")
				end("ok")
				scrape(t, &m)
			}
		})
	}
	wg.Wait()
	require.Contains(t, scrape(t, &m), `adfedkit_operations_total{operation="x",outcome="ok"} 800`)
}

func TestMethods(t *testing.T) {
	t.Parallel()
	var m opmetrics.Metrics
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/metrics", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token, remote, host, header, value string
		want                               int
	}{
		"this machine":              {remote: "127.0.0.1:1", host: "127.0.0.1:8080", want: 200},
		"this machine, v6":          {remote: "[::1]:1", host: "[::1]:8080", want: 200},
		"this machine, mapped":      {remote: "[::ffff:127.0.0.1]:1", host: "localhost", want: 200},
		"another machine":           {remote: "192.0.2.1:1", host: "127.0.0.1:8080", want: 403},
		"no address":                {remote: "@", host: "127.0.0.1:8080", want: 403},
		"a proxy here":              {remote: "127.0.0.1:1", host: "127.0.0.1:8080", header: "X-Forwarded-For", value: "192.0.2.1", want: 403},
		"a proxy here, RFC 7239":    {remote: "127.0.0.1:1", host: "127.0.0.1:8080", header: "Forwarded", value: "for=192.0.2.1", want: 403},
		"a proxy here, Via":         {remote: "127.0.0.1:1", host: "127.0.0.1:8080", header: "Via", value: "1.1 x", want: 403},
		"a name that leads here":    {remote: "127.0.0.1:1", host: "rebound.example.com:8080", want: 403},
		"token":                     {token: "t0ken", remote: "192.0.2.1:1", host: "portal.example.com", header: "Authorization", value: "Bearer t0ken", want: 200},
		"token, scheme in any case": {token: "t0ken", remote: "192.0.2.1:1", host: "x", header: "Authorization", value: "bearer t0ken", want: 200},
		"wrong token":               {token: "t0ken", remote: "192.0.2.1:1", host: "x", header: "Authorization", value: "Bearer t0keN", want: 401},
		"no token, though local":    {token: "t0ken", remote: "127.0.0.1:1", host: "127.0.0.1:8080", want: 401},
		"longer token":              {token: "t0ken", remote: "127.0.0.1:1", host: "x", header: "Authorization", value: "Bearer t0ken ", want: 401},
		"basic":                     {token: "t0ken", remote: "127.0.0.1:1", host: "x", header: "Authorization", value: "Basic t0ken", want: 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var token []byte
			if c.token != "" {
				token = []byte(c.token)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
			r.RemoteAddr, r.Host = c.remote, c.host
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			w := httptest.NewRecorder()
			opmetrics.Guard(token, new(opmetrics.Metrics)).ServeHTTP(w, r)
			require.Equal(t, c.want, w.Code)
		})
	}
}

// An empty token file must not let everybody in.
func TestGuardEmptyToken(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer ")
	w := httptest.NewRecorder()
	opmetrics.Guard([]byte{}, new(opmetrics.Metrics)).ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
}

func ExampleMetrics() {
	var m opmetrics.Metrics // as Observer in the configurations of kerberos, directory, saml ...
	_, end := m.Start(context.Background(), "kerberos.password")
	end("ok")
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "adfedkit_operations_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// adfedkit_operations_total{operation="kerberos.password",outcome="ok"} 1
}
