package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/adfedkit/adfedkit/examples/adassign"
	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// report is what a run prints.
type report struct {
	PlanHash    string                     `json:"planHash"`
	State       adsync.State               `json:"state"`
	Users       identitystore.ObjectCounts `json:"users"`
	Groups      identitystore.ObjectCounts `json:"groups"`
	Memberships identitystore.MemberCounts `json:"memberships"`
	Skipped     []identitystore.Skipped    `json:"skipped"`
	Watermark   json.RawMessage            `json:"watermark"`
	Plan        *identitystore.Plan        `json:"plan,omitempty"` // with -plan
}

func newReport(res adsync.Result) report {
	r := report{
		PlanHash: res.PlanHash, State: res.State, Users: res.Counts.Users, Groups: res.Counts.Groups, Memberships: res.Counts.Memberships,
		Skipped: []identitystore.Skipped{}, Watermark: json.RawMessage("null"),
	}
	if res.Plan != nil {
		r.Skipped = append(r.Skipped, res.Plan.Skipped...)
		if json.Valid([]byte(res.Plan.Snapshot)) {
			r.Watermark = json.RawMessage(res.Plan.Snapshot)
		}
	}
	return r
}

// synchronise is everything but -dump.
func synchronise(ctx context.Context, o *options, stdout, stderr io.Writer) (int, error) {
	scope, err := readScope(o.assignments)
	if err != nil {
		return exitUsage, err
	}
	mapping, source, closeSource, err := o.source()
	if err != nil {
		return exitUsage, err
	}
	defer closeSource()
	store, code, err := openStore(ctx, o.db, !o.plan && o.why == "")
	if code == exitOutside {
		return o.finish(adsync.Result{State: adsync.StateFailed}, err, " ", stdout, stderr)
	}
	if err != nil {
		return code, err
	}
	defer store.Close() //nolint:errcheck // what was written is committed
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: store, Limits: limits()})
	if err != nil {
		return exitOutside, err
	}
	owner := newOwner()
	cfg := adsync.Config{Service: svc, From: source, Mapping: mapping, Owner: owner, OwnerGone: gone(owner), Guard: identitystore.Guard{MaxRemovals: max(o.maxRemovals, 0), Exact: o.maxRemovals >= 0}}
	cfg.Scope = func(context.Context) (adsync.Scope, error) { return readScope(o.assignments) }
	if o.progress {
		cfg.Observer = newProgress(stderr)
	}
	engine, err := adsync.New(cfg)
	if err != nil {
		return exitUsage, err
	}
	switch {
	case o.why != "":
		return o.explain(ctx, engine, scope, stdout)
	case o.plan:
		return o.planOnce(ctx, engine, scope, stdout, stderr)
	case o.watch:
		return o.watchFor(ctx, engine, stdout, stderr)
	}
	work := engine.Run
	if o.incremental {
		work = engine.RunChanges
	}
	res, err := work(ctx, scope, o.approve)
	if errors.Is(err, adsync.ErrPaused) {
		if p, perr := engine.Paused(ctx); perr == nil {
			err = fmt.Errorf("%w since %s: %s", err, p.Since.Format(time.RFC3339), p.Reason)
		}
	}
	return o.finish(res, err, " ", stdout, stderr)
}

func readScope(name string) (adsync.Scope, error) {
	file, err := adassign.Load(name)
	if err != nil {
		return adsync.Scope{}, err
	}
	var list []adsync.Assignment
	for _, a := range file.Assignments {
		list = append(list, adsync.Assignment{PrincipalType: a.PrincipalType, Principal: a.Principal, Target: a.TargetID, PermissionSet: a.PermissionSet})
	}
	return adsync.ScopeOf(list), nil
}

// source is the directory of AD.json, or a recorded snapshot of it.
func (o *options) source() (*adsync.Mapping, adsync.Source, func(), error) {
	if o.config == "" {
		m, err := adsync.NewMapping(nil)
		if err != nil {
			return nil, nil, nil, err
		}
		s, err := loadRecording(o.snapshot)
		return m, s, func() {}, err
	}
	cfg, err := adconfig.Load(o.config)
	if err != nil {
		return nil, nil, nil, err
	}
	mapping, err := adsync.NewMapping(cfg.Attributes)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: attributes: %w", o.config, err)
	}
	if o.snapshot != "" {
		s, err := loadRecording(o.snapshot)
		return mapping, s, func() {}, err
	}
	s, closeSource, err := openDirectory(cfg, mapping)
	if err == nil && o.record != "" {
		s = recording{s, o.record}
	}
	return mapping, s, closeSource, err
}

func (o *options) planOnce(ctx context.Context, e *adsync.Engine, scope adsync.Scope, stdout, stderr io.Writer) (int, error) {
	res, err := e.Plan(ctx, scope)
	if err == nil && res.State == adsync.StateHeld {
		err = &identitystore.HeldError{PlanHash: res.PlanHash, Findings: res.Findings}
	}
	return o.finish(res, err, " ", stdout, stderr)
}

// explain says what becomes of one object.
func (o *options) explain(ctx context.Context, e *adsync.Engine, scope adsync.Scope, stdout io.Writer) (int, error) {
	list, err := e.Why(ctx, scope, o.why)
	if err != nil {
		return exitOutside, err
	}
	code := exitRefused
	for _, w := range list {
		if w.Synchronised {
			code = exitDone
		}
	}
	return code, printJSON(stdout, list, " ")
}

// watchFor runs until it is told to stop, and prints one line for each run.
func (o *options) watchFor(ctx context.Context, e *adsync.Engine, stdout, stderr io.Writer) (int, error) {
	scope := func(context.Context) (adsync.Scope, error) { return readScope(o.assignments) }
	err := e.Watch(ctx, adsync.Schedule{}, scope, func(res adsync.Result, err error) {
		if _, err := o.finish(res, err, "", stdout, stderr); err != nil {
			_, _ = fmt.Fprintln(stderr, "adsync:", err)
		}
	})
	if errors.Is(err, context.Canceled) {
		return exitDone, nil
	}
	return exitUsage, err
}

// finish prints the report and says what it means for the exit code.
func (o *options) finish(res adsync.Result, err error, indent string, stdout, stderr io.Writer) (int, error) {
	r := newReport(res)
	if o.plan {
		r.Plan = res.Plan
	}
	if perr := printJSON(stdout, r, indent); perr != nil {
		return exitOutside, perr
	}
	for _, f := range res.Findings {
		_, _ = fmt.Fprintln(stderr, "adsync: guard:", f)
		for _, x := range f.Examples {
			_, _ = fmt.Fprintln(stderr, "    ", x)
		}
	}
	if res.Plan != nil {
		for _, w := range res.Plan.Warnings {
			_, _ = fmt.Fprintln(stderr, "adsync: warning:", w)
		}
	}
	switch {
	case err == nil:
		return exitDone, nil
	case errors.Is(err, adsync.ErrPaused):
		return exitRefused, err
	case errors.Is(err, identitystore.ErrHeld):
		return exitRefused, fmt.Errorf("%w; nothing was changed; -approve %s applies it", err, res.PlanHash)
	}
	return exitOutside, err
}

// limits are those of the AWS identity store, without its quotas.
func limits() identitystore.Limits {
	l := identitystore.LimitsAWS()
	l.Users, l.Groups = 0, 0
	return l
}

// recording writes each snapshot to a file as it is read.
type recording struct {
	adsync.Source
	file string
}

// Read reads, and writes the file.
func (r recording) Read(ctx context.Context, scope adsync.Scope) (*adsync.Snapshot, error) {
	snap, err := r.Source.Read(ctx, scope)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(snap)
	if err != nil {
		return nil, err
	}
	return snap, os.WriteFile(r.file, raw, 0o600)
}

// recorded is a snapshot in place of a directory: an outage drill, or a question about a customer's data.
type recorded struct{ snap *adsync.Snapshot }

func loadRecording(name string) (adsync.Source, error) {
	raw, err := os.ReadFile(name) //nolint:gosec // the path comes from the operator's command line
	if err != nil {
		return nil, err
	}
	var snap adsync.Snapshot
	if err := json.Unmarshal(raw, &snap); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return recorded{&snap}, nil
}

// Read answers from the recording.
func (r recorded) Read(context.Context, adsync.Scope) (*adsync.Snapshot, error) { return r.snap, nil }

// Exists proves nothing: a recording cannot tell whether an object was deleted.
func (r recorded) Exists(_ context.Context, objects []adsync.Object) (map[string]adsync.Presence, error) {
	out := map[string]adsync.Presence{}
	for _, o := range objects {
		out[o.GUID] = adsync.Live
	}
	return out, nil
}
