package otlpexport_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/adfedkit/adfedkit/examples/otelhooks"
	"github.com/adfedkit/adfedkit/examples/otlpexport"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// collector takes OTLP/HTTP as a real one does and keeps what came.
type collector struct {
	mu      sync.Mutex
	traces  []*tracepb.ExportTraceServiceRequest
	metrics []*metricspb.ExportMetricsServiceRequest
	bad     []string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.bad = append(c.bad, r.Method+" "+r.Header.Get("Content-Type"))
	}
	switch r.URL.Path {
	case "/base/v1/traces":
		m := new(tracepb.ExportTraceServiceRequest)
		err = proto.Unmarshal(body, m)
		c.traces = append(c.traces, m)
	case "/base/v1/metrics":
		m := new(metricspb.ExportMetricsServiceRequest)
		err = proto.Unmarshal(body, m)
		c.metrics = append(c.metrics, m)
	default:
		err = fmt.Errorf("path %s", r.URL.Path)
	}
	if err != nil {
		c.bad = append(c.bad, err.Error())
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// spans returns "parent > name outcome" of every span, and the whole of what came as text.
func (c *collector) spans(tb testing.TB) (lines []string, all string) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Empty(tb, c.bad)
	names := map[string]string{}
	for pass := range 2 { // names first
		for _, t := range c.traces {
			for _, rs := range t.GetResourceSpans() {
				for _, ss := range rs.GetScopeSpans() {
					require.Equal(tb, otelhooks.ScopeName, ss.GetScope().GetName())
					for _, s := range ss.GetSpans() {
						if pass == 0 {
							names[hex.EncodeToString(s.GetSpanId())] = s.GetName()
							continue
						}
						lines = append(lines, strings.TrimPrefix(names[hex.EncodeToString(s.GetParentSpanId())]+" > ", " > ")+s.GetName()+" "+value(s.GetAttributes(), string(otelhooks.OutcomeKey)))
					}
				}
			}
			all += t.String()
		}
	}
	for _, m := range c.metrics {
		all += m.String()
	}
	return lines, all
}

func value(list []*commonpb.KeyValue, key string) string {
	for _, kv := range list {
		if kv.GetKey() == key {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

// points returns the count of each "metric operation outcome".
func (c *collector) points() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]uint64{}
	for _, m := range c.metrics {
		for _, rm := range m.GetResourceMetrics() {
			for _, sm := range rm.GetScopeMetrics() {
				for _, x := range sm.GetMetrics() {
					for _, p := range x.GetHistogram().GetDataPoints() {
						out[x.GetName()+" "+value(p.GetAttributes(), string(otelhooks.OperationKey))+" "+value(p.GetAttributes(), string(otelhooks.OutcomeKey))] = p.GetCount()
					}
				}
			}
		}
	}
	return out
}

// TestSignIn: the spans and figures of two sign-ins arrive, with nobody's name in them.
func TestSignIn(t *testing.T) {
	t.Parallel()
	c := new(collector)
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	e, err := otlpexport.Open(t.Context(), otlpexport.Config{URL: srv.URL + "/base/", Service: "test"})
	require.NoError(t, err)
	const spn = "HTTP/portal.corp.example.test"
	kdc, err := kerberostest.Start(kerberostest.Config{
		Realm: "CORP.EXAMPLE.TEST", Iterations: 16, Services: []kerberostest.Service{{SPN: spn}}, Users: []kerberostest.User{{Name: "alice", Password: "Correct-Horse-1"}},
	})
	require.NoError(t, err)
	t.Cleanup(kdc.Close)
	a, err := kerberos.NewAuthenticator(kerberos.AuthenticatorConfig{
		Realms: []kerberos.Realm{kdc.Realm()}, Service: kerberos.Service{SPN: spn, Keytab: kdc.Keytab(spn)}, Observer: e,
	})
	require.NoError(t, err)
	ctx, end := e.Start(t.Context(), "samlhttp.sign_in")
	_, err = a.Password(ctx, "alice", []byte("Correct-Horse-1"))
	require.NoError(t, err)
	end("ok")
	_, err = a.Password(t.Context(), "alice", []byte("wrong"))
	require.Error(t, err)
	require.NoError(t, e.Close(t.Context()))

	lines, all := c.spans(t)
	for _, want := range []string{"samlhttp.sign_in ok", "samlhttp.sign_in > kerberos.password ok", "kerberos.password > kerberos.exchange ok", "kerberos.password bad_credentials"} {
		require.Contains(t, lines, want)
	}
	points := c.points()
	require.EqualValues(t, 1, points["adfedkit.operation.duration kerberos.password ok"])
	require.EqualValues(t, 1, points["adfedkit.operation.duration kerberos.password bad_credentials"])
	for _, secret := range []string{"alice", "Correct-Horse-1", "wrong", "CORP", spn, "127.0.0.1"} {
		require.NotContains(t, all, secret)
	}
}

// TestCollectorGone: a collector that does not answer, or refuses, fails no operation.
func TestCollectorGone(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(srv.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, u := range []string{srv.URL, gone.URL} {
		e, err := otlpexport.Open(t.Context(), otlpexport.Config{URL: u, Service: "test"})
		require.NoError(t, err)
		_, end := e.Start(t.Context(), "x")
		end("ok")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, e.Flush(ctx), "who asks is told")
		_ = e.Close(ctx)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "127.0.0.1:4318", "grpc://x", "http://", "http://u:p@x", "http://x/?a", "http://x/#f", "http://a b"} {
		e, err := otlpexport.Open(t.Context(), otlpexport.Config{URL: u, Service: "s"})
		require.ErrorIs(t, err, otlpexport.ErrURL, u)
		require.Nil(t, e)
	}
	_, err := otlpexport.Open(t.Context(), otlpexport.Config{URL: "http://127.0.0.1:1"})
	require.ErrorContains(t, err, "Service")
	_, err = otelhooks.New(otelhooks.Config{})
	require.Error(t, err)
}

// TestBounded: words that are not ours, and too many of them, become "other".
func TestBounded(t *testing.T) {
	t.Parallel()
	c := new(collector)
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	e, err := otlpexport.Open(t.Context(), otlpexport.Config{URL: srv.URL + "/base", Service: "test"})
	require.NoError(t, err)
	for _, evil := range []string{"alice@corp.example.test", "a b", "", strings.Repeat("x", 65)} {
		_, end := e.Start(t.Context(), evil)
		end(evil)
	}
	for i := range 200 {
		_, end := e.Start(t.Context(), fmt.Sprintf("op%d", i))
		end("ok")
	}
	require.NoError(t, e.Close(t.Context()))
	_, all := c.spans(t)
	require.NotContains(t, all, "alice")
	require.Len(t, c.points(), 66, "64 operations, other with two outcomes")
}

func TestLogHandler(t *testing.T) {
	t.Parallel()
	e, err := otlpexport.Open(t.Context(), otlpexport.Config{URL: "http://127.0.0.1:1", Service: "test"})
	require.NoError(t, err)
	var buf bytes.Buffer
	log := slog.New(otelhooks.LogHandler(slog.NewTextHandler(&buf, nil))).With("a", 1).WithGroup("g")
	log.InfoContext(t.Context(), "outside")
	require.NotContains(t, buf.String(), "trace_id")
	ctx, end := e.Start(t.Context(), "x")
	log.InfoContext(ctx, "inside")
	end("ok")
	require.Regexp(t, `trace_id=[0-9a-f]{32} g\.span_id=[0-9a-f]{16}`, buf.String())
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	_ = e.Close(stopped) // the collector of this test does not exist
}
