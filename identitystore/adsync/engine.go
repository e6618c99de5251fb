package adsync

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// Engine synchronises one source into one tenant. It is safe for concurrent use; of several runs one works, and the
// others end at once with [identitystore.ErrBusy].
type Engine struct {
	cfg     Config
	running *sync.Mutex // the lease is the owner's: of two runs of one engine it stops none
}

// New returns an engine. Nothing is read.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.Service == nil:
		return nil, errors.New("adsync: Config.Service is nil")
	case cfg.From == nil:
		return nil, errors.New("adsync: Config.From is nil")
	case cfg.LeaseTTL < 0 || cfg.MaxReadAge < 0 || cfg.DisableUnscopedAfter < 0 || cfg.FullEvery < 0:
		return nil, errors.New("adsync: Config has a negative duration or FullEvery")
	}
	if cfg.DirectOnly != cfg.Service.DirectOnly() {
		return nil, errors.New("adsync: Config.DirectOnly is not as in the service's configuration")
	}
	if cfg.Mapping == nil {
		m, err := NewMapping(nil)
		if err != nil {
			return nil, err
		}
		cfg.Mapping = m
	}
	cfg.fill()
	return &Engine{cfg, new(sync.Mutex)}, nil
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
// source cannot tell changes, when the scope or the mapping is another one, now and then (see Config.FullEvery), and
// whenever it could not come to the same end. What Skipped says of members that are no users is as of the last full read.
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
	fullAt  time.Time            // of the last full read
}

// expire notes when an account expires, unless a full read is due before.
func (m *memory) expire(guid string, at time.Time) {
	if !at.IsZero() && at.Before(m.fullAt.Add(maxFullAge+time.Hour)) {
		m.expires[guid] = at
	}
}

// start runs with the lease; again when the scope changed meanwhile.
func (e *Engine) start(ctx context.Context, scope Scope, work func(context.Context, *run) error) (Result, error) {
	res := Result{Run: rand.Text()}
	started := e.cfg.Service.Now()
	if !e.running.TryLock() {
		return e.done(ctx, res, started, identitystore.ErrBusy)
	}
	defer e.running.Unlock()
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
	r.next.expires, r.next.fullAt = map[string]time.Time{}, snap.ReadAt
	for _, o := range snap.Objects {
		r.next.expire(o.GUID, o.Expires)
	}
	err = e.settle(ctx, r, approve, snap.ReadAt, func() error { return e.PlanSnapshot(ctx, snap, r.res) })
	if e.cfg.ApplySafePart && errors.Is(err, identitystore.ErrHeld) {
		if serr := e.safePart(ctx, r, snap); serr != nil {
			return errors.Join(err, serr)
		}
	}
	return err
}

// safePart applies a plan that takes nothing away. There is no mark to go on from: the next run reads everything.
func (e *Engine) safePart(ctx context.Context, r *run, snap *Snapshot) error {
	safe := &run{scope: r.scope, lease: r.lease, res: &Result{Run: r.res.Run}}
	err := e.settle(ctx, safe, "", snap.ReadAt, func() error {
		return e.cfg.Service.View(ctx, func(rd identitystore.Reader) error { return e.planSnapshot(ctx, rd, snap, safe.res, true) })
	})
	if errors.Is(err, identitystore.ErrHeld) {
		return nil // for another reason than what it takes away
	}
	return err
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
	r.next = memory{mark: delta.Mark, since: last.Since + 1, fullAt: last.FullAt}
	err = e.settle(ctx, r, approve, readAt, func() error {
		return e.cfg.Service.View(ctx, func(rd identitystore.Reader) error {
			e.cfg.Observer.Stage(ctx, r.res.Run, StagePlan, len(delta.Objects)+len(delta.Members))
			t := e.newTracer(rd, r.scope, last, delta)
			plan, held, err := t.incremental(ctx)
			if err != nil {
				return err
			}
			plan.At = readAt
			t.expires(&r.next)
			e.judge(plan, held, r.res)
			return nil
		})
	})
	if e.cfg.ApplySafePart && errors.Is(err, identitystore.ErrHeld) {
		return ErrFullRead
	}
	return err
}

// startingPoint returns the state of the last run, if changes can be added to it.
func (e *Engine) startingPoint(ctx context.Context, scope Scope) (state, error) {
	var last state
	err := e.cfg.Service.View(ctx, func(r identitystore.Reader) error {
		var err error
		if last, err = e.lastState(ctx, r); err != nil {
			return err
		}
		if last.Mark == "" || last.Trouble || last.Since+1 >= e.cfg.FullEvery || !e.cfg.Service.Now().Before(last.FullAt.Add(maxFullAge)) || last.Scope != scope.Revision() || last.Mapping != e.cfg.Mapping.Version() || e.cfg.DisableUnscopedAfter != 0 {
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
	return e.cfg.Service.View(ctx, func(r identitystore.Reader) error { return e.planSnapshot(ctx, r, snap, res, false) })
}

func (e *Engine) planSnapshot(ctx context.Context, r identitystore.Reader, snap *Snapshot, res *Result, keep bool) error {
	st, err := load(ctx, r, e.cfg.Source)
	if err != nil {
		return err
	}
	var presence map[string]Presence // of what is kept, nobody needs to know whether it is there
	if !keep {
		if presence, err = e.prove(ctx, st, snap, res.Run); err != nil {
			return err
		}
	}
	e.cfg.Observer.Stage(ctx, res.Run, StagePlan, len(snap.Objects))
	p := newPlanner(&e.cfg, st, snap, presence)
	p.keep = keep
	if err := p.make(ctx, r); err != nil {
		return err
	}
	e.judge(p.plan, st.held, res)
	return nil
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
