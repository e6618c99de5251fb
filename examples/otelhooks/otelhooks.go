// Package otelhooks turns what the packages of adfedkit tell their observers into OpenTelemetry spans and metrics.
//
// Start with [New] and give its result as Observer to every configuration that has such a field: one value serves all of
// them. [LogHandler] adds the ids of the current span to log records. The caller brings the providers, and with them
// exporters, sampling and resource; see examples/portal for a whole set-up that sends OTLP.
//
// Not done: no exporter, no global providers, no propagation from requests. Names of people, groups and hosts and what
// peers sent never become attributes: a span and a metric carry the operation and the outcome, both fixed words.
//
// The package is a module of its own that needs the API of OpenTelemetry alone, so that nobody else links it.
//
// Limits: 64 operations and 64 outcomes; further ones are counted as "other". What may change: names of further metrics.
package otelhooks

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Names of what is recorded.
const (
	ScopeName      = "github.com/adfedkit/adfedkit"
	DurationMetric = "adfedkit.operation.duration" // histogram, seconds, by operation and outcome
	ActiveMetric   = "adfedkit.operation.active"   // operations that have begun and not ended, by operation
	OperationKey   = attribute.Key("adfedkit.operation")
	OutcomeKey     = attribute.Key("adfedkit.outcome")
)

// maxWords bounds the values of one label.
const maxWords = 64

// Config configures [Hooks]. At least one field is required.
type Config struct {
	TracerProvider trace.TracerProvider // nil makes no spans
	MeterProvider  metric.MeterProvider // nil makes no metrics
}

// Hooks is an observer for every package of adfedkit. It is safe for concurrent use.
type Hooks struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	active   metric.Int64UpDownCounter
	ops      words
	outcomes words
}

// New makes hooks for the providers.
func New(cfg Config) (*Hooks, error) {
	if cfg.TracerProvider == nil && cfg.MeterProvider == nil {
		return nil, errors.New("otelhooks: Config has neither TracerProvider nor MeterProvider")
	}
	h := &Hooks{}
	if cfg.TracerProvider != nil {
		h.tracer = cfg.TracerProvider.Tracer(ScopeName)
	}
	if cfg.MeterProvider == nil {
		return h, nil
	}
	meter := cfg.MeterProvider.Meter(ScopeName)
	var err error
	if h.duration, err = meter.Float64Histogram(DurationMetric, metric.WithUnit("s"), metric.WithDescription("Time that operations took."),
		metric.WithExplicitBucketBoundaries(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120)); err != nil {
		return nil, err
	}
	h.active, err = meter.Int64UpDownCounter(ActiveMetric, metric.WithDescription("Operations that have begun and not ended."))
	return h, err
}

// Start begins a span below the one of ctx and returns its context and what ends it.
func (h *Hooks) Start(ctx context.Context, op string) (context.Context, func(outcome string)) {
	op = h.ops.bound(op)
	began, labels := time.Now(), attribute.NewSet(OperationKey.String(op))
	var span trace.Span
	if h.tracer != nil {
		ctx, span = h.tracer.Start(ctx, op, trace.WithAttributes(OperationKey.String(op)))
	}
	if h.active != nil {
		h.active.Add(ctx, 1, metric.WithAttributeSet(labels))
	}
	return ctx, func(outcome string) {
		outcome = h.outcomes.bound(outcome)
		if span != nil {
			span.SetAttributes(OutcomeKey.String(outcome))
			if unwell(outcome) {
				span.SetStatus(codes.Error, outcome)
			}
			span.End()
		}
		if h.active != nil {
			h.active.Add(ctx, -1, metric.WithAttributeSet(labels))
			h.duration.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(OperationKey.String(op), OutcomeKey.String(outcome)))
		}
	}
}

// unwell tells failures of ours or of a server from refusals, which are the daily work of an authentication system.
func unwell(outcome string) bool {
	switch outcome {
	case "failed", "unavailable", "incomplete", "5xx":
		return true
	}
	return false
}

// words is a bounded set of label values.
type words struct {
	mu   sync.RWMutex
	seen map[string]bool
}

func (w *words) bound(s string) string {
	w.mu.RLock()
	known := w.seen[s]
	w.mu.RUnlock()
	if known {
		return s
	}
	if !isWord(s) {
		return "other"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) >= maxWords && !w.seen[s] {
		return "other"
	}
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	w.seen[s] = true
	return s
}

// isWord accepts what our packages use: letters, digits, dot and underscore.
func isWord(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && c != '.' && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// LogHandler adds trace_id and span_id to the records that next gets, when their context has a span.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h logHandler) WithAttrs(a []slog.Attr) slog.Handler { return logHandler{h.Handler.WithAttrs(a)} }

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
