// Package otlpexport sends what the packages of adfedkit tell their observers to an OpenTelemetry collector over
// OTLP/HTTP. It shows how package otelhooks is joined to the SDK of OpenTelemetry.
//
// Start with [Open] and end with [Exporter.Close], which sends what is left. Headers, timeouts and certificates are taken
// from the environment variables that OpenTelemetry defines (OTEL_EXPORTER_OTLP_HEADERS and the like). A collector that
// does not answer costs nothing but its data: spans and figures are dropped, and the error is logged at most once a minute.
package otlpexport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/adfedkit/adfedkit/examples/otelhooks"
)

// Config configures an [Exporter]. URL and Service are required.
type Config struct {
	URL     string // base address of the collector, e.g. http://127.0.0.1:4318; /v1/traces and /v1/metrics are added
	Service string // service.name

	Interval time.Duration // between two sendings of figures; 0 means 30 s
	Logger   *slog.Logger  // told of a collector that fails; nil means nobody
}

// Exporter is an observer whose spans and figures go to a collector.
type Exporter struct {
	*otelhooks.Hooks
	traces  *trace.TracerProvider
	metrics *metric.MeterProvider
}

// ErrURL says that the collector's address cannot be used.
var ErrURL = errors.New("otlpexport: the address must be http:// or https:// with a host, and nothing after the path")

// Open prepares the exporters. It does not dial.
func Open(ctx context.Context, cfg Config) (*Exporter, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrURL
	}
	if cfg.Service == "" {
		return nil, errors.New("otlpexport: Config.Service is empty")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = 30 * time.Second
	}
	base := strings.TrimSuffix(u.String(), "/")
	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(base+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("otlpexport: traces: %w", err)
	}
	figures, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(base+"/v1/metrics"))
	if err != nil {
		return nil, fmt.Errorf("otlpexport: metrics: %w", err)
	}
	what := resource.NewSchemaless(attribute.String("service.name", cfg.Service))
	e := &Exporter{
		traces:  trace.NewTracerProvider(trace.WithBatcher(spans), trace.WithResource(what)),
		metrics: metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(figures, metric.WithInterval(cfg.Interval))), metric.WithResource(what)),
	}
	if cfg.Logger != nil {
		otel.SetErrorHandler(&seldom{log: cfg.Logger})
	}
	e.Hooks, err = otelhooks.New(otelhooks.Config{TracerProvider: e.traces, MeterProvider: e.metrics})
	return e, err
}

// Flush sends what has been gathered.
func (e *Exporter) Flush(ctx context.Context) error {
	return errors.Join(e.traces.ForceFlush(ctx), e.metrics.ForceFlush(ctx))
}

// Close sends what is left and ends the exporter.
func (e *Exporter) Close(ctx context.Context) error {
	return errors.Join(e.traces.Shutdown(ctx), e.metrics.Shutdown(ctx))
}

// seldom logs the errors of the SDK, at most one a minute.
type seldom struct {
	log *slog.Logger

	mu   sync.Mutex
	last time.Time
}

// Handle implements [otel.ErrorHandler].
func (s *seldom) Handle(err error) {
	s.mu.Lock()
	quiet := time.Since(s.last) < time.Minute
	if !quiet {
		s.last = time.Now()
	}
	s.mu.Unlock()
	if !quiet {
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "telemetry not sent", slog.String("error", err.Error()))
	}
}
