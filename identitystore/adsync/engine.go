package adsync

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
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
	// Scope tells the scope as it is now. It is asked again before a plan is applied: when it names others by then, the run
	// starts over with them. nil means that the scope does not change during a run.
	Scope func(ctx context.Context) (Scope, error)
	// LinkBySIDHistory lets an object with a new objectGUID take over the record of which the SID stands in its sIDHistory,
	// if nobody else was found for that record: the id survives a migration between forests. Whoever can write sIDHistory
	// there takes over identities here; by default such an object is a new one.
	LinkBySIDHistory bool
	Observer         Observer     // nil means none; see also [ProgressObserver]
	Logger           *slog.Logger // nil means no logging
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
	StatePaused    State = "paused" // by [Engine.Pause]: nothing was written
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

// ProgressObserver is an [Observer] that is also told how far a stage has come: objects read, or changes written. total
// is an estimate, 0 where nothing is known.
type ProgressObserver interface {
	Observer
	Progress(ctx context.Context, run string, stage Stage, done, total int)
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
	return e.start(ctx, scope, func(ctx context.Context, r *run) error { return e.full(ctx, r, approve) })
}

// RunChanges is [Engine.Run] at the cost of what changed since the last run. It reads everything, as Run does, when the
// source cannot tell changes, when the scope or the mapping is another one, and whenever it could not come to the same
// end. What Skipped says of members that are no users is as of the last full read.
func (e *Engine) RunChanges(ctx context.Context, scope Scope, approve string) (Result, error) {
	return e.start(ctx, scope, func(ctx context.Context, r *run) error {
		err := e.changes(ctx, r, approve)
		if !errors.Is(err, ErrFullRead) {
			return err
		}
		r.res = &Result{Run: r.res.Run}
		return e.full(ctx, r, approve)
	})
}

// run is one run at work.
type run struct {
	scope Scope
	lease identitystore.Lease
	res   *Result
	next  memory
}

// memory is what the next run shall know of this one, beside the plan.
type memory struct {
	mark    string               // where the source's changes go on
	expires map[string]time.Time // accounts that will expire, by objectGUID
	since   int                  // incremental runs since the last full read
}

// start runs with the lease; again when the scope changed meanwhile.
func (e *Engine) start(ctx context.Context, scope Scope, work func(context.Context, *run) error) (Result, error) {
	res := Result{Run: rand.Text()}
	started := e.cfg.Service.Now()
	lease, err := e.acquire(ctx)
	if err == nil {
		held, release := e.hold(ctx, lease)
		for try := 0; ; try++ {
			r := &run{scope: scope, lease: lease, res: &Result{Run: res.Run}}
			if err = e.notPaused(held, e.cfg.Service.Reader()); err == nil {
				err = work(held, r)
			}
			res = *r.res
			if !errors.Is(err, identitystore.ErrScopeChanged) || try == maxReplans {
				break
			}
			scope = r.scope
		}
		if err != nil && errors.Is(context.Cause(held), identitystore.ErrFenced) {
			err = identitystore.ErrFenced
		}
		release()
	}
	return e.done(ctx, res, started, err)
}

func (e *Engine) full(ctx context.Context, r *run, approve string) error {
	r.next = memory{}
	if src, ok := e.cfg.From.(ChangeSource); ok { // before the read: nothing may happen unseen in between
		var err error
		if r.next.mark, err = src.Mark(ctx); err != nil {
			return err
		}
	}
	snap, err := e.read(ctx, r.scope, r.res.Run)
	if err != nil {
		return err
	}
	r.next.expires = map[string]time.Time{}
	for _, o := range snap.Objects {
		if !o.Expires.IsZero() {
			r.next.expires[o.GUID] = o.Expires
		}
	}
	return e.settle(ctx, r, approve, snap.ReadAt, func() error { return e.PlanSnapshot(ctx, snap, r.res) })
}

// settle plans and applies; again when a sign-in came between.
func (e *Engine) settle(ctx context.Context, r *run, approve string, readAt time.Time, plan func() error) error {
	for try := 0; ; try++ {
		if err := plan(); err != nil {
			return err
		}
		if r.res.State == StateHeld && approve != r.res.PlanHash {
			return &identitystore.HeldError{PlanHash: r.res.PlanHash, Findings: r.res.Findings}
		}
		if e.cfg.Service.Now().Sub(readAt) > e.cfg.MaxReadAge {
			return identitystore.ErrUnstableRead
		}
		e.cfg.Observer.Stage(ctx, r.res.Run, StageApply, len(r.res.Plan.Objects)+len(r.res.Plan.Members))
		if err := e.sameScope(ctx, r); err != nil {
			return err
		}
		err := e.apply(ctx, r)
		if errors.Is(err, identitystore.ErrPlanStale) && try < maxReplans {
			continue
		}
		if err == nil && r.res.State != StateUnchanged {
			r.res.State = StateApplied
		}
		return err
	}
}

// sameScope asks for the scope again, just before a plan for it is applied.
func (e *Engine) sameScope(ctx context.Context, r *run) error {
	if e.cfg.Scope == nil {
		return nil
	}
	now, err := e.cfg.Scope(ctx)
	if err != nil {
		return err
	}
	if now.Revision() != r.scope.Revision() {
		r.scope = now
		return identitystore.ErrScopeChanged
	}
	return nil
}

// changes is an incremental run; [ErrFullRead] says that it cannot be one.
func (e *Engine) changes(ctx context.Context, r *run, approve string) error {
	src, ok := e.cfg.From.(ChangeSource)
	if !ok {
		return ErrFullRead
	}
	last, err := e.startingPoint(ctx, r.scope)
	if err != nil {
		return err
	}
	readAt := e.cfg.Service.Now()
	e.cfg.Observer.Stage(ctx, r.res.Run, StageRead, 0)
	delta, err := src.Changes(ctx, last.Mark)
	if err != nil {
		return err
	}
	r.next = memory{mark: delta.Mark, since: last.Since + 1}
	return e.settle(ctx, r, approve, readAt, func() error {
		return e.cfg.Service.View(ctx, func(rd identitystore.Reader) error {
			e.cfg.Observer.Stage(ctx, r.res.Run, StagePlan, len(delta.Objects)+len(delta.Members))
			t := e.newTracer(rd, r.scope, last, delta)
			plan, held, err := t.incremental(ctx)
			if err != nil {
				return err
			}
			plan.At, r.next.expires = readAt, t.expires()
			e.judge(plan, held, r.res)
			return nil
		})
	})
}

// startingPoint returns the state of the last run, if changes can be added to it.
func (e *Engine) startingPoint(ctx context.Context, scope Scope) (state, error) {
	var last state
	err := e.cfg.Service.View(ctx, func(r identitystore.Reader) error {
		var err error
		if last, err = e.lastState(ctx, r); err != nil {
			return err
		}
		if last.Format != stateFormat || last.Mark == "" || last.Trouble || last.Scope != scope.Revision() || last.Mapping != e.cfg.Mapping.Version() || e.cfg.DisableUnscopedAfter != 0 {
			return ErrFullRead
		}
		return nil
	})
	if err != nil {
		return last, err
	}
	// those who stood for nobody may stand for somebody now
	open := open(scope, last)
	if len(open.Principals) == 0 {
		return last, nil
	}
	snap, err := e.cfg.From.Read(ctx, open)
	if err == nil && len(snap.Principals) > 0 {
		err = ErrFullRead
	}
	return last, err
}

// open returns the principals that stood for nobody. A group that was deleted is not among them: its name is not bound
// to another one.
func open(scope Scope, last state) Scope {
	missing := map[string]bool{}
	for _, s := range last.Skipped {
		if s.Reason == SkipPrincipalNotFound {
			missing[fold.Key(s.Object)] = true
		}
	}
	var out Scope
	for _, p := range scope.Principals {
		bound := last.Principals[boundKey(p)] != ""
		if missing[fold.Key(p.Text)] && (!bound || p.Kind == KindUser) {
			out.Principals = append(out.Principals, p)
		}
	}
	return out
}

func (e *Engine) read(ctx context.Context, scope Scope, run string) (*Snapshot, error) {
	e.cfg.Observer.Stage(ctx, run, StageRead, 0)
	snap, err := e.readBound(ctx, scope, e.readProgress(ctx, run))
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
	case errors.Is(err, ErrPaused):
		res.State = StatePaused
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
