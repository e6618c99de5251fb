package adsync

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// DefaultSource is the name under which a store knows the records of Active Directory.
const DefaultSource = "ad"

// Config configures an [Engine]. The fields above the blank line are required.
type Config struct {
	Service *identitystore.Service // where to
	From    Source                 // where from

	Source     string              // name of the source in the store; "" means [DefaultSource]
	Mapping    *Mapping            // nil means the default mapping
	Guard      identitystore.Guard // zero: 500 removals, or 20 % of what is stored if that is less, never below 10
	DirectOnly bool                // do not count members of nested groups; must be as in the service's configuration
	Owner      string              // name of this writer in the lease; "" means a random one
	LeaseTTL   time.Duration       // how long the lease outlives a writer that died; renewed during a run; 0 means 2 minutes
	// OwnerGone reports whether the writer of that name is known to be dead, so that its lease can be taken over before it
	// expires; nil means that nobody can tell.
	OwnerGone  func(owner string) bool
	MaxReadAge time.Duration // a snapshot older than this is not applied; 0 means one hour
	// DisableUnscopedAfter disables users who left the scope so long ago, as AWS documents for 28 days; 0 means never.
	DisableUnscopedAfter time.Duration
	Observer             Observer     // nil means none
	Logger               *slog.Logger // nil means no logging
}

// State says how a run ended.
type State string

// The states of a [Result].
const (
	StatePlanned   State = "planned"
	StateApplied   State = "applied"
	StateHeld      State = "held" // by the guard: nothing was written
	StateUnchanged State = "unchanged"
	StateFailed    State = "failed" // nothing was written
	StateBusy      State = "busy"   // another writer holds the lease: nothing was read
)

// Result is what a run did, or would do.
type Result struct {
	Run      string
	State    State
	PlanHash string
	Counts   identitystore.PlanCounts
	Findings []identitystore.Finding // of the guard, warnings included
	Plan     *identitystore.Plan     // nil when the read failed
}

// Observer is told what happens, for metrics and progress. Calls come from one goroutine of the run.
type Observer interface {
	// Stage is called when a stage begins; n is its size where that is known, else 0.
	Stage(ctx context.Context, run string, stage Stage, n int)
	// Done is called once at the end of each run, with the error that it returns.
	Done(ctx context.Context, result Result, took time.Duration, err error)
}

// Stage is a step of a run.
type Stage string

// The stages, in order.
const (
	StageRead  Stage = "read"
	StageProof Stage = "proof" // look-ups of objects that were not read
	StagePlan  Stage = "plan"
	StageApply Stage = "apply"
)

// Engine synchronises one source into one tenant. It is safe for concurrent use; of several runs one works, and the
// others end at once with [identitystore.ErrBusy].
type Engine struct{ cfg Config }

const (
	defaultLeaseTTL   = 2 * time.Minute
	defaultMaxReadAge = time.Hour
	maxReplans        = 3
)

// New returns an engine. Nothing is read.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.Service == nil:
		return nil, errors.New("adsync: Config.Service is nil")
	case cfg.From == nil:
		return nil, errors.New("adsync: Config.From is nil")
	case cfg.LeaseTTL < 0 || cfg.MaxReadAge < 0 || cfg.DisableUnscopedAfter < 0:
		return nil, errors.New("adsync: Config has a negative duration")
	}
	if cfg.DirectOnly != cfg.Service.DirectOnly() {
		return nil, errors.New("adsync: Config.DirectOnly is not as in the service's configuration")
	}
	if cfg.Source == "" {
		cfg.Source = DefaultSource
	}
	if cfg.Mapping == nil {
		m, err := NewMapping(nil)
		if err != nil {
			return nil, err
		}
		cfg.Mapping = m
	}
	if cfg.Owner == "" {
		cfg.Owner = rand.Text()
	}
	if cfg.LeaseTTL == 0 {
		cfg.LeaseTTL = defaultLeaseTTL
	}
	if cfg.MaxReadAge == 0 {
		cfg.MaxReadAge = defaultMaxReadAge
	}
	if cfg.Observer == nil {
		cfg.Observer = noObserver{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{cfg}, nil
}

// Plan reads the scope and says what a run would do now. Nothing is written.
func (e *Engine) Plan(ctx context.Context, scope Scope) (Result, error) {
	res := Result{Run: rand.Text()}
	started := e.cfg.Service.Now()
	err := e.plan(ctx, scope, &res)
	return e.done(ctx, res, started, err)
}

func (e *Engine) plan(ctx context.Context, scope Scope, res *Result) error {
	snap, err := e.read(ctx, scope, res.Run)
	if err != nil {
		return err
	}
	return e.PlanSnapshot(ctx, snap, res)
}

// Run reads the scope, plans, and applies the plan if the guard lets it pass or if approve is its hash. A held plan is
// an [*identitystore.HeldError]; whatever the error, the store is as it was.
func (e *Engine) Run(ctx context.Context, scope Scope, approve string) (Result, error) {
	return e.start(ctx, func(ctx context.Context, lease identitystore.Lease, res *Result) error {
		return e.full(ctx, scope, approve, lease, res)
	})
}

// RunChanges is [Engine.Run] at the cost of what changed since the last run. It reads everything, as Run does, when the
// source cannot tell changes, when the scope or the mapping is another one, and whenever it could not come to the same end.
func (e *Engine) RunChanges(ctx context.Context, scope Scope, approve string) (Result, error) {
	return e.start(ctx, func(ctx context.Context, lease identitystore.Lease, res *Result) error {
		err := e.changes(ctx, scope, approve, lease, res)
		if !errors.Is(err, ErrFullRead) {
			return err
		}
		*res = Result{Run: res.Run}
		return e.full(ctx, scope, approve, lease, res)
	})
}

// start runs with the lease.
func (e *Engine) start(ctx context.Context, run func(context.Context, identitystore.Lease, *Result) error) (Result, error) {
	res := Result{Run: rand.Text()}
	started := e.cfg.Service.Now()
	lease, err := e.acquire(ctx)
	if err == nil {
		held, release := e.hold(ctx, lease)
		err = run(held, lease, &res)
		if err != nil && errors.Is(context.Cause(held), identitystore.ErrFenced) {
			err = identitystore.ErrFenced
		}
		release()
	}
	return e.done(ctx, res, started, err)
}

func (e *Engine) full(ctx context.Context, scope Scope, approve string, lease identitystore.Lease, res *Result) error {
	mark := ""
	if src, ok := e.cfg.From.(ChangeSource); ok { // before the read: nothing may happen unseen in between
		var err error
		if mark, err = src.Mark(ctx); err != nil {
			return err
		}
	}
	snap, err := e.read(ctx, scope, res.Run)
	if err != nil {
		return err
	}
	return e.settle(ctx, approve, lease, res, snap.ReadAt, mark, func() error { return e.PlanSnapshot(ctx, snap, res) })
}

// settle plans and applies; again when a sign-in came between.
func (e *Engine) settle(ctx context.Context, approve string, lease identitystore.Lease, res *Result, readAt time.Time, mark string, plan func() error) error {
	for try := 0; ; try++ {
		if err := plan(); err != nil {
			return err
		}
		if res.State == StateHeld && approve != res.PlanHash {
			return &identitystore.HeldError{PlanHash: res.PlanHash, Findings: res.Findings}
		}
		if e.cfg.Service.Now().Sub(readAt) > e.cfg.MaxReadAge {
			return identitystore.ErrUnstableRead
		}
		e.cfg.Observer.Stage(ctx, res.Run, StageApply, len(res.Plan.Objects)+len(res.Plan.Members))
		err := e.apply(ctx, res.Plan, res.Run, lease, mark)
		if errors.Is(err, identitystore.ErrPlanStale) && try < maxReplans {
			continue
		}
		if err == nil && res.State != StateUnchanged {
			res.State = StateApplied
		}
		return err
	}
}

// changes is an incremental run; [ErrFullRead] says that it cannot be one.
func (e *Engine) changes(ctx context.Context, scope Scope, approve string, lease identitystore.Lease, res *Result) error {
	src, ok := e.cfg.From.(ChangeSource)
	if !ok {
		return ErrFullRead
	}
	last, err := e.startingPoint(ctx, scope)
	if err != nil {
		return err
	}
	readAt := e.cfg.Service.Now()
	e.cfg.Observer.Stage(ctx, res.Run, StageRead, 0)
	delta, err := src.Changes(ctx, last.Mark)
	if err != nil {
		return err
	}
	return e.settle(ctx, approve, lease, res, readAt, delta.Mark, func() error {
		return e.cfg.Service.View(ctx, func(r identitystore.Reader) error {
			e.cfg.Observer.Stage(ctx, res.Run, StagePlan, len(delta.Objects)+len(delta.Members))
			plan, held, err := e.incremental(ctx, r, last, delta)
			if err != nil {
				return err
			}
			plan.At = readAt
			e.judge(plan, held, res)
			return nil
		})
	})
}

// startingPoint returns the state of the last run, if changes can be added to it.
func (e *Engine) startingPoint(ctx context.Context, scope Scope) (state, error) {
	var last state
	var open Scope
	err := e.cfg.Service.View(ctx, func(r identitystore.Reader) error {
		var err error
		if last, err = e.lastState(ctx, r); err != nil {
			return err
		}
		if last.Mark == "" || last.Trouble || last.Scope != scope.Revision() || last.Mapping != e.cfg.Mapping.Version() || e.cfg.DisableUnscopedAfter != 0 {
			return ErrFullRead
		}
		open, err = e.open(ctx, r, scope, last)
		return err
	})
	if err != nil || len(open.Principals) == 0 {
		return last, err
	}
	// those who stood for nobody may stand for somebody now
	snap, err := e.cfg.From.Read(ctx, open)
	if err == nil && len(snap.Principals) > 0 {
		err = ErrFullRead
	}
	return last, err
}

// open returns the principals that no living object is bound to.
func (e *Engine) open(ctx context.Context, r identitystore.Reader, scope Scope, last state) (Scope, error) {
	var out Scope
	for _, p := range scope.Principals {
		guid := last.Principals[boundKey(p)]
		if guid == "" {
			out.Principals = append(out.Principals, p)
			continue
		}
		if p.Kind == KindGroup {
			continue
		}
		ref, err := r.Lookup(ctx, identitystore.ByGUID, e.cfg.Source, guid)
		if err != nil {
			return out, ErrFullRead
		}
		u, err := r.UserByID(ctx, ref.ID)
		if err != nil || u.Link.State == identitystore.StateTombstone {
			out.Principals = append(out.Principals, p)
		}
	}
	return out, nil
}

func (e *Engine) read(ctx context.Context, scope Scope, run string) (*Snapshot, error) {
	e.cfg.Observer.Stage(ctx, run, StageRead, 0)
	snap, err := e.readBound(ctx, scope)
	if err != nil {
		return nil, err
	}
	snap.Scope, snap.Names, snap.Mapping = scope.Revision(), len(scope.Principals), e.cfg.Mapping.Version()
	snap.ReadAt = e.cfg.Service.Now()
	return snap, nil
}

// PlanSnapshot plans against a snapshot that was read, or recorded, earlier, and fills in the result. Nothing is written.
func (e *Engine) PlanSnapshot(ctx context.Context, snap *Snapshot, res *Result) error {
	return e.cfg.Service.View(ctx, func(r identitystore.Reader) error {
		st, err := load(ctx, r, e.cfg.Source)
		if err != nil {
			return err
		}
		presence, err := e.prove(ctx, st, snap, res.Run)
		if err != nil {
			return err
		}
		e.cfg.Observer.Stage(ctx, res.Run, StagePlan, len(snap.Objects))
		plan, err := makePlan(ctx, &e.cfg, r, st, snap, presence)
		if err != nil {
			return err
		}
		e.judge(plan, st.held, res)
		return nil
	})
}

// judge lets the guard look at a plan.
func (e *Engine) judge(plan *identitystore.Plan, held identitystore.Holdings, res *Result) {
	res.Plan, res.PlanHash, res.Counts = plan, plan.Hash(), plan.Counts()
	res.Findings = e.cfg.Guard.Check(plan, held)
	switch {
	case identitystore.Held(res.Findings):
		res.State = StateHeld
	case plan.Empty():
		res.State = StateUnchanged
	default:
		res.State = StatePlanned
	}
}

// prove asks the source for each stored object that the snapshot lacks. No answer is an error: nothing is guessed.
func (e *Engine) prove(ctx context.Context, st *stored, snap *Snapshot, run string) (map[string]Presence, error) {
	read := map[string]bool{}
	for _, o := range snap.Objects {
		read[o.GUID] = true
	}
	var ask []Object
	for _, guid := range st.all() {
		rec, _ := st.record(guid)
		if read[guid] || rec.link.State == identitystore.StateTombstone || rec.link.Origin != identitystore.OriginSync {
			continue
		}
		ask = append(ask, Object{Kind: rec.kind, GUID: guid, SID: rec.link.SID, DN: rec.link.DN, Name: rec.name})
	}
	if len(ask) == 0 {
		return map[string]Presence{}, nil
	}
	e.cfg.Observer.Stage(ctx, run, StageProof, len(ask))
	return e.cfg.From.Exists(ctx, ask)
}

// done completes the result and tells those who want to know.
func (e *Engine) done(ctx context.Context, res Result, started time.Time, err error) (Result, error) {
	switch {
	case err == nil, errors.Is(err, identitystore.ErrHeld):
	case errors.Is(err, identitystore.ErrBusy):
		res.State = StateBusy
	default:
		res.State = StateFailed
	}
	level, held := slog.LevelInfo, res.State == StateHeld
	if err != nil || held {
		level = slog.LevelWarn
	}
	e.cfg.Logger.LogAttrs(ctx, level, "adsync: run ended", slog.String("run", res.Run), slog.String("state", string(res.State)),
		slog.String("planHash", res.PlanHash), slog.Int("removals", res.Counts.Removals()), slog.Any("error", err))
	e.cfg.Observer.Done(ctx, res, e.cfg.Service.Now().Sub(started), err)
	return res, err
}

type noObserver struct{}

func (noObserver) Stage(context.Context, string, Stage, int) {}

func (noObserver) Done(context.Context, Result, time.Duration, error) {}

func ignoreNotFound(err error) error {
	if errors.Is(err, identitystore.ErrNotFound) {
		return nil
	}
	return err
}
