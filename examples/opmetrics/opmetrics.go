// Package opmetrics counts what the packages of adfedkit tell their observers, and writes the counts in the text format
// of Prometheus (version 0.0.4). It needs the standard library only.
//
// Start with a zero [Metrics]: give it as Observer to the configurations that have such a field, add further figures with
// [Metrics.Gauge], and serve it with [Metrics.ServeHTTP] where only those who may know can ask: see [Guard].
//
// Labels are the operation and the outcome, fixed words of the packages; no name, no group, no address of anybody. There
// are at most 64 of each, and "other".
package opmetrics

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ContentType is that of the text format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// maxWords bounds the values of one label.
const maxWords = 64

// bounds are the upper ends of the buckets, in seconds.
var bounds = [...]float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120}

// Metrics counts operations. The zero value is ready, and it is safe for concurrent use.
type Metrics struct {
	mu       sync.Mutex
	ops      map[string]*operation
	outcomes map[string]bool
	gauges   []gauge
}

type operation struct {
	active  int64
	ended   map[string]uint64 // by outcome
	buckets [len(bounds)]uint64
	count   uint64
	sum     float64
}

type gauge struct {
	name, help string
	read       func(ctx context.Context) (float64, bool)
}

// Start counts an operation; it is the method of every Observer of adfedkit.
func (m *Metrics) Start(ctx context.Context, op string) (context.Context, func(outcome string)) {
	began := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.operation(op)
	o.active++
	return ctx, func(outcome string) { m.end(o, outcome, time.Since(began).Seconds()) }
}

func (m *Metrics) operation(op string) *operation {
	if !isWord(op) || len(m.ops) >= maxWords && m.ops[op] == nil {
		op = "other"
	}
	if m.ops == nil {
		m.ops, m.outcomes = map[string]*operation{}, map[string]bool{}
	}
	if m.ops[op] == nil {
		m.ops[op] = &operation{ended: map[string]uint64{}}
	}
	return m.ops[op]
}

func (m *Metrics) end(o *operation, outcome string, took float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !isWord(outcome) || len(m.outcomes) >= maxWords && !m.outcomes[outcome] {
		outcome = "other"
	}
	m.outcomes[outcome] = true
	o.active--
	o.ended[outcome]++
	o.count++
	o.sum += took
	for i, b := range bounds {
		if took <= b {
			o.buckets[i]++
		}
	}
}

// Gauge adds a figure that is read at each scrape; a read that reports false leaves it out. name is a metric name and
// help one line without a backslash: both are the program's own.
func (m *Metrics) Gauge(name, help string, read func(ctx context.Context) (float64, bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gauges = append(m.gauges, gauge{name, help, read})
}

// isWord accepts what is safe in a label without quoting: letters, digits, dot and underscore.
func isWord(s string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
}

// ServeHTTP writes the figures.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	var b bytes.Buffer
	m.write(r.Context(), &b)
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b.Bytes())
}

func (m *Metrics) write(ctx context.Context, b *bytes.Buffer) {
	m.writeOperations(b)
	m.mu.Lock()
	gauges := slices.Clone(m.gauges)
	m.mu.Unlock()
	for _, g := range gauges { // without the lock: a gauge may ask a store, which tells its observer
		if v, ok := g.read(ctx); ok {
			head(b, g.name, "gauge", g.help)
			fmt.Fprintf(b, "%s %s\n", g.name, number(v))
		}
	}
}

func (m *Metrics) writeOperations(b *bytes.Buffer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := slices.Sorted(maps.Keys(m.ops))
	if len(names) == 0 {
		return
	}
	head(b, "adfedkit_operations_total", "counter", "Operations that have ended, by outcome.")
	for _, n := range names {
		for _, outcome := range slices.Sorted(maps.Keys(m.ops[n].ended)) {
			fmt.Fprintf(b, "adfedkit_operations_total{operation=%q,outcome=%q} %d\n", n, outcome, m.ops[n].ended[outcome])
		}
	}
	head(b, "adfedkit_operations_active", "gauge", "Operations that have begun and not ended.")
	for _, n := range names {
		fmt.Fprintf(b, "adfedkit_operations_active{operation=%q} %d\n", n, m.ops[n].active)
	}
	const hist = "adfedkit_operation_duration_seconds"
	head(b, hist, "histogram", "Time that operations took.")
	for _, n := range names {
		o := m.ops[n]
		for i, upper := range bounds {
			fmt.Fprintf(b, "%s_bucket{operation=%q,le=%q} %d\n", hist, n, number(upper), o.buckets[i])
		}
		fmt.Fprintf(b, "%s_bucket{operation=%q,le=\"+Inf\"} %d\n%s_sum{operation=%q} %s\n%s_count{operation=%q} %d\n", hist, n, o.count, hist, n, number(o.sum), hist, n, o.count)
	}
}

func head(b *bytes.Buffer, name, kind, help string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) } // +Inf, -Inf and NaN are written so too
