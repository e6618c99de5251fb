package adsync

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Schedule says when [Engine.Watch] runs. The zero value is the default.
type Schedule struct {
	Interval time.Duration // between the starts of two runs; 0 means one hour, at least one minute
	Jitter   int           // percent by which an interval is varied; 0 means 10
	// Poll is how often the scope is looked at in between: a changed scope starts a run at once. 0 means one minute.
	Poll time.Duration
	// FullEvery is how often a run reads everything: each FullEvery-th one does, the others read what changed. 0 means 24.
	FullEvery int
}

const (
	defaultInterval = time.Hour
	minInterval     = time.Minute
	defaultJitter   = 10
	defaultPoll     = time.Minute
	defaultFull     = 24
)

func (s Schedule) filled() (Schedule, error) {
	if s.Interval == 0 {
		s.Interval = defaultInterval
	}
	if s.Jitter == 0 {
		s.Jitter = defaultJitter
	}
	if s.Poll == 0 {
		s.Poll = defaultPoll
	}
	if s.FullEvery == 0 {
		s.FullEvery = defaultFull
	}
	if s.FullEvery < 0 || s.Interval < minInterval || s.Jitter < 0 || s.Jitter > 50 || s.Poll < 0 {
		return s, errors.New("adsync: Schedule: the interval is at least one minute, the jitter 1 to 50 percent, FullEvery not negative")
	}
	s.Poll = min(s.Poll, s.Interval)
	return s, nil
}

// next returns the pause before the next regular run.
func (s Schedule) next() time.Duration {
	span := int64(s.Interval) * int64(s.Jitter) / 100
	n, err := rand.Int(rand.Reader, big.NewInt(2*span+1))
	if err != nil { // the system's source of randomness does not fail
		return s.Interval
	}
	return s.Interval + time.Duration(n.Int64()-span)
}

// Watch runs now, then on schedule, and at once when the scope has changed, until ctx ends; it returns ctx's error.
// scope is asked before each run; an error of it, or of a run, is reported and the schedule goes on. A held plan
// stays held until it is approved elsewhere or the directory changes. report is called after each run; it may be nil.
func (e *Engine) Watch(ctx context.Context, schedule Schedule, scope func(context.Context) (Scope, error), report func(Result, error)) error {
	schedule, err := schedule.filled()
	if err != nil {
		return err
	}
	if scope == nil {
		return errors.New("adsync: Watch: scope is nil")
	}
	if report == nil {
		report = func(Result, error) {}
	}
	if e.cfg.Scope == nil {
		watching := *e
		watching.cfg.Scope = scope
		e = &watching
	}
	for n := 0; ; n++ {
		ran := e.watchOnce(ctx, scope, report, n%schedule.FullEvery == 0)
		if err := e.pause(ctx, schedule, scope, ran); err != nil {
			return err
		}
	}
}

// watchOnce runs once and returns the revision of the scope that it ran with.
func (e *Engine) watchOnce(ctx context.Context, scope func(context.Context) (Scope, error), report func(Result, error), full bool) string {
	s, err := scope(ctx)
	if err != nil {
		report(Result{State: StateFailed}, err)
		return ""
	}
	if full {
		report(e.Run(ctx, s, ""))
	} else {
		report(e.RunChanges(ctx, s, ""))
	}
	return s.Revision()
}

// pause waits for the next regular run, or until the scope is another than the one that ran.
func (e *Engine) pause(ctx context.Context, schedule Schedule, scope func(context.Context) (Scope, error), ran string) error {
	due := time.NewTimer(schedule.next())
	defer due.Stop()
	poll := time.NewTicker(schedule.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due.C:
			return nil
		case <-poll.C:
			if s, err := scope(ctx); err == nil && s.Revision() != ran {
				return nil
			}
		}
	}
}

// LastRun tells when the store was last brought up to date from the source, by which run and for which scope; the
// zero values before the first run.
func (e *Engine) LastRun(ctx context.Context) (at time.Time, run, scope string, err error) {
	err = e.cfg.Service.View(ctx, func(r identitystore.Reader) error {
		s, err := e.lastState(ctx, r)
		at, run, scope = s.At, s.Run, s.Scope
		return err
	})
	return at, run, scope, err
}
