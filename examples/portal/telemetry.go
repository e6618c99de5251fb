package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/examples/opmetrics"
	"github.com/adfedkit/adfedkit/examples/otelhooks"
	"github.com/adfedkit/adfedkit/examples/otlpexport"
)

// telemetry is the one observer that every package of this program gets: it counts for /metrics and, with -otlp, makes
// spans and figures for a collector.
type telemetry struct {
	counts opmetrics.Metrics
	export *otlpexport.Exporter // nil without -otlp
	token  []byte               // nil: /metrics answers this machine only
}

// Start implements the Observer of every package.
func (t *telemetry) Start(ctx context.Context, op string) (context.Context, func(outcome string)) {
	ctx, count := t.counts.Start(ctx, op)
	if t.export == nil {
		return ctx, count
	}
	ctx, end := t.export.Start(ctx, op)
	return ctx, func(outcome string) { count(outcome); end(outcome) }
}

func (a *app) openTelemetry(ctx context.Context) error {
	a.telemetry = &telemetry{}
	if f := a.opts.metricsToken; f != "" {
		token, err := (&adconfig.Bind{PasswordFile: f}).Password()
		switch {
		case err != nil:
			return fmt.Errorf("-metrics-token-file: %w", err)
		case len(token) < 16:
			return fmt.Errorf("-metrics-token-file: %s: a token of at least 16 characters is needed", f)
		}
		a.telemetry.token = token
	}
	if a.opts.otlp == "" {
		return nil
	}
	var err error
	if a.telemetry.export, err = otlpexport.Open(ctx, otlpexport.Config{URL: a.opts.otlp, Service: "adfedkit-portal", Logger: a.logger}); err != nil {
		return fmt.Errorf("-otlp: %w", err)
	}
	a.logger = slog.New(otelhooks.LogHandler(a.logger.Handler()))
	return nil
}

// close sends what is left; a collector that does not answer is waited for no longer than a second.
func (t *telemetry) close(ctx context.Context) {
	if t.export == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = t.export.Close(ctx) // nobody is left who could do something about it
}

// observed counts the requests of one address by the class of their answers.
func (t *telemetry) observed(op string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, end := t.Start(r.Context(), op)
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { end(strconv.Itoa(sw.status/100) + "xx") }()
		next.ServeHTTP(sw, r.WithContext(ctx))
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, status >= http.StatusOK // 1xx come before the answer
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// gauges adds what is known of the synchronisation. The figures are those of the last run: a scrape asks no database.
func (a *app) gauges() {
	figure := func(name, help string, read func(r syncReport) (float64, bool)) {
		a.telemetry.counts.Gauge(name, help, func(context.Context) (float64, bool) { return read(a.sync.report()) })
	}
	figure("adfedkit_sync_last_success_timestamp_seconds", "When the last synchronisation that changed or confirmed the store ended.", func(r syncReport) (float64, bool) {
		return float64(r.good.Unix()), !r.good.IsZero()
	})
	figure("adfedkit_sync_held", "1 when the guard holds the last plan and somebody has to look at it.", func(r syncReport) (float64, bool) {
		if held(r) {
			return 1, true
		}
		return 0, !r.at.IsZero()
	})
	figure("adfedkit_store_users", "Users in the store after the last synchronisation.", func(r syncReport) (float64, bool) {
		return float64(r.counts.Users), r.counted
	})
	figure("adfedkit_store_groups", "Groups in the store after the last synchronisation.", func(r syncReport) (float64, bool) {
		return float64(r.counts.Groups), r.counted
	})
	figure("adfedkit_store_memberships", "Flattened memberships in the store after the last synchronisation.", func(r syncReport) (float64, bool) {
		return float64(r.counts.Memberships), r.counted
	})
}
