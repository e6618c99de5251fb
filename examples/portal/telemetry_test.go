package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// fetch asks the portal with a header.
func fetch(t *testing.T, url, name, value string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	if name != "" {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

// TestMetrics: what a sign-in does shows in the figures, and nobody's name does.
func TestMetrics(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	_, err := a.open(t.Context(), samltest.NewBrowser("alice", "Correct-Horse-1"), a.fromPortal())
	require.NoError(t, err)
	_, err = a.open(t.Context(), samltest.NewBrowser("bob", "wrong"), a.fromPortal())
	require.NoError(t, err)
	status, body := fetch(t, a.portalURL+"/metrics", "", "")
	require.Equal(t, http.StatusOK, status)
	for _, line := range []string{
		`adfedkit_operations_total{operation="adsync.run",outcome="applied"} 1`,
		`adfedkit_operations_total{operation="samlhttp.sign_in",outcome="ok"} 1`,
		`adfedkit_operations_total{operation="samlhttp.sign_in",outcome="bad_credentials"} 1`,
		`adfedkit_operations_total{operation="kerberos.password",outcome="bad_credentials"} 1`,
		`adfedkit_operations_total{operation="samlhttp.issue",outcome="ok"} 1`,
		`adfedkit_operations_total{operation="saml.accept",outcome="ok"} 1`,
		`adfedkit_operations_total{operation="directory.read_scope",outcome="ok"} 1`,
		"adfedkit_sync_held 0\n", "adfedkit_store_users 2\n", "adfedkit_store_groups 3\n", "adfedkit_sync_last_success_timestamp_seconds 1",
	} {
		require.Contains(t, body, line)
	}
	for _, name := range []string{"alice", "bob", "example.test", "Engineering", "127.0.0.1", "111122223333"} {
		require.NotContains(t, body, name)
	}
	for name, value := range map[string]string{"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"} {
		status, _ = fetch(t, a.portalURL+"/metrics", name, value)
		require.Equal(t, http.StatusForbidden, status)
	}
}

func TestMetricsToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("a-token-of-enough-length\n"), 0o600))
	a := running(t, func(o *options) { o.metricsToken = file })
	status, _ := fetch(t, a.portalURL+"/metrics", "", "")
	require.Equal(t, http.StatusUnauthorized, status)
	status, _ = fetch(t, a.portalURL+"/metrics", "Authorization", "Bearer a-token-of-enough-lengtH")
	require.Equal(t, http.StatusUnauthorized, status)
	status, body := fetch(t, a.portalURL+"/metrics", "Authorization", "Bearer a-token-of-enough-length")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "adsync.run")
}

func TestTelemetryOptions(t *testing.T) {
	t.Parallel()
	short := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(short, []byte("short\n"), 0o600))
	for name, args := range map[string][]string{
		"no token file":  {"-metrics-token-file", filepath.Join(t.TempDir(), "none")},
		"short token":    {"-metrics-token-file", short},
		"no URL":         {"-otlp", "127.0.0.1:4318"},
		"gRPC":           {"-otlp", "grpc://127.0.0.1:4317"},
		"with a query":   {"-otlp", "http://127.0.0.1:4318/?x=y"},
		"with userinfo":  {"-otlp", "http://u:p@127.0.0.1:4318"},
		"no host at all": {"-otlp", "http:///v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			require.Equal(t, exitUsage, run(t.Context(), append(args, "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0"), &out, &errs), errs.String())
			require.Contains(t, errs.String(), args[0])
			require.Empty(t, out.String())
		})
	}
}

// TestOTLP: a collector gets the spans of a sign-in, put together as it went, and the figures.
func TestOTLP(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	spans, parents, figures, all := map[string]string{}, map[string]string{}, map[string]bool{}, ""
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		var traces tracepb.ExportTraceServiceRequest
		var metrics metricspb.ExportMetricsServiceRequest
		switch {
		case r.URL.Path == "/v1/traces" && proto.Unmarshal(body, &traces) == nil:
			for _, rs := range traces.GetResourceSpans() {
				for _, ss := range rs.GetScopeSpans() {
					for _, s := range ss.GetSpans() {
						spans[string(s.GetSpanId())] = s.GetName()
						parents[s.GetName()] += string(s.GetParentSpanId()) // eight bytes each
					}
				}
			}
			all += traces.String()
		case r.URL.Path == "/v1/metrics" && proto.Unmarshal(body, &metrics) == nil:
			for _, rm := range metrics.GetResourceMetrics() {
				for _, sm := range rm.GetScopeMetrics() {
					for _, m := range sm.GetMetrics() {
						figures[m.GetName()] = true
					}
				}
			}
			all += metrics.String()
		default:
			all += "UNREADABLE " + r.URL.Path
		}
	}))
	t.Cleanup(srv.Close)
	a := running(t, func(o *options) { o.otlp = srv.URL })
	_, err := a.open(t.Context(), samltest.NewBrowser("alice", "Correct-Horse-1"), a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, a.telemetry.export.Flush(t.Context()))
	mu.Lock()
	defer mu.Unlock()
	below := func(child, parent string) {
		for p := parents[child]; len(p) >= 8; p = p[8:] {
			if spans[p[:8]] == parent {
				return
			}
		}
		require.Fail(t, child+" is not below "+parent)
	}
	below("samlhttp.sign_in", "idp.request")
	below("kerberos.password", "samlhttp.sign_in")
	below("kerberos.exchange", "kerberos.password")
	below("identitystore.sign_in", "samlhttp.sign_in")
	below("samlhttp.issue", "idp.request")
	below("saml.check", "portal.request")
	below("saml.accept", "portal.request")
	below("directory.read_scope", "adsync.run")
	require.True(t, figures["adfedkit.operation.duration"])
	require.True(t, figures["adfedkit.operation.active"])
	for _, secret := range []string{"UNREADABLE", "alice", "Correct-Horse-1", "Engineering", "corp.example.test"} {
		require.NotContains(t, all, secret)
	}
}

// A collector that is gone costs a sign-in nothing.
func TestCollectorGone(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	a := running(t, func(o *options) { o.otlp = gone.URL })
	p, err := a.open(t.Context(), samltest.NewBrowser("alice", "Correct-Horse-1"), a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "log-archive"))
}

// TestProgress: a run that takes long shows how far it is, with and without scripts.
func TestProgress(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	b := administrator(t, a)
	state := func() (v progressView) {
		p, err := b.Open(t.Context(), a.portalURL+"/admin/sync/progress")
		require.NoError(t, err)
		require.Equal(t, "application/json", p.Header.Get("Content-Type"))
		require.NoError(t, json.Unmarshal([]byte(p.Body), &v))
		return v
	}
	require.False(t, state().Running)
	p, err := b.Open(t.Context(), a.portalURL+"/admin")
	require.NoError(t, err)
	require.NotContains(t, p.Body, "progress.js")
	require.NotContains(t, p.Header.Get("Content-Security-Policy"), "script-src")

	a.sync.progress.begin()
	require.Equal(t, "Starting", state().Stage)
	for stage, text := range map[adsync.Stage]string{
		adsync.StageRead: "Reading the directory", adsync.StageProof: "Looking for objects", adsync.StagePlan: "Comparing", adsync.StageApply: "Writing",
	} {
		a.sync.progress.Stage(t.Context(), "", stage, 0)
		require.Contains(t, state().Stage, text)
	}
	a.sync.progress.Progress(t.Context(), "", adsync.StageApply, 250, 1000)
	require.Contains(t, state().Detail, "250 of 1000")
	p, err = b.Open(t.Context(), a.portalURL+"/admin")
	require.NoError(t, err)
	for _, w := range []string{`<noscript><meta http-equiv="refresh" content="2"></noscript>`, `<script src="/static/progress.js" defer>`, `max="1000" value="250"`, "Writing to the store"} {
		require.Contains(t, p.Body, w)
	}
	require.Contains(t, p.Header.Get("Content-Security-Policy"), "script-src 'self'")
	require.NotContains(t, p.Header.Get("Content-Security-Policy"), "unsafe")
	status, script := fetch(t, a.portalURL+"/static/progress.js", "", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, script, "use strict")
	a.sync.progress.end()
	require.False(t, state().Running)
}

// TestRunOutlivesRequest: a second press joins the run that goes on, and a browser that leaves does not end it.
func TestRunOutlivesRequest(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	before := a.sync.report().at
	a.sync.run.Lock() // as if a run were going on
	first := a.startRun("")
	require.Equal(t, first, a.startRun(""))
	require.Equal(t, before, a.sync.report().at)
	a.sync.run.Unlock()
	<-first
	require.True(t, a.sync.report().at.After(before))
	require.Equal(t, adsync.StateUnchanged, a.sync.report().result.State)
	require.NotEqual(t, first, a.startRun(""))
}

// TestStopDuringRun: the program ends although a run goes on.
func TestStopDuringRun(t *testing.T) {
	t.Parallel()
	a, err := start(t.Context(), options{addr: "127.0.0.1:0", idpAddr: "127.0.0.1:0", ad: "embedded"}, io.Discard)
	require.NoError(t, err)
	done := a.startRun("")
	a.close()
	select {
	case <-done:
	default:
		require.Fail(t, "close waits for the run")
	}
}

// TestLogHasTrace: with a collector, a line of the log leads to its trace.
func TestLogHasTrace(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	var buf safeBuffer
	a, err := start(t.Context(), options{addr: "127.0.0.1:0", idpAddr: "127.0.0.1:0", ad: "embedded", otlp: srv.URL}, &buf)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.serve(ctx) }()
	_, err = a.open(t.Context(), samltest.NewBrowser("bob", "wrong"), a.fromPortal())
	require.NoError(t, err)
	cancel()
	require.NoError(t, <-done)
	a.close()
	found := false
	for s := bufio.NewScanner(strings.NewReader(buf.String())); s.Scan(); {
		found = found || strings.Contains(s.Text(), "sign-in refused") && strings.Contains(s.Text(), "trace_id=")
	}
	require.True(t, found, buf.String())
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestProgressText(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]*progress{
		"7 of 9, for":               {stage: adsync.StageRead, done: 7, total: 9},
		"7 so far, for":             {stage: adsync.StageRead, done: 7},
		"9 objects and memberships": {stage: adsync.StageRead, total: 9},
		"for ":                      {stage: adsync.StageRead},
	} {
		p.began = time.Now()
		require.True(t, strings.HasPrefix(p.view().Detail, want), p.view().Detail)
	}
}
