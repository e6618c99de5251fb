package adsync

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// acquire takes the lease of the source, also from a writer that is known to be dead.
func (e *Engine) acquire(ctx context.Context) (identitystore.Lease, error) {
	svc := e.cfg.Service
	lease, err := svc.Acquire(ctx, e.stateName(), e.cfg.Owner, e.cfg.LeaseTTL)
	if !errors.Is(err, identitystore.ErrBusy) || e.cfg.OwnerGone == nil {
		return lease, err
	}
	held, rerr := svc.Reader().Lease(ctx, e.stateName())
	if rerr != nil || !e.cfg.OwnerGone(held.Owner) {
		return lease, err
	}
	if err := svc.Release(ctx, held); err != nil { // of this very token: a newer holder is left alone
		return lease, err
	}
	return svc.Acquire(ctx, e.stateName(), e.cfg.Owner, e.cfg.LeaseTTL)
}

// hold renews the lease until release is called, and gives it back then. The context ends when the lease is lost: what
// was not applied by then would be fenced off anyway.
func (e *Engine) hold(ctx context.Context, lease identitystore.Lease) (_ context.Context, release func()) {
	held, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(max(e.cfg.LeaseTTL/3, time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
				next, err := e.cfg.Service.Acquire(held, lease.Name, lease.Owner, e.cfg.LeaseTTL)
				if err == nil && next.Token != lease.Token || errors.Is(err, identitystore.ErrBusy) {
					cancel(identitystore.ErrFenced)
				}
			}
		}
	})
	return held, func() {
		cancel(nil)
		wg.Wait()
		last := context.WithoutCancel(ctx)
		if err := e.cfg.Service.Release(last, lease); err != nil {
			e.cfg.Logger.LogAttrs(last, slog.LevelWarn, "adsync: lease not released", slog.Any("error", err))
		}
	}
}
