package adsync

import (
	"context"
)

// ProgressSource is a [Source] that tells how far a read has come. [NewDirectory] makes one.
type ProgressSource interface {
	Source
	ReadProgress(ctx context.Context, scope Scope, progress func(objects int)) (*Snapshot, error)
}

// readProgress returns what tells the observer of objects read, nil when it does not want to know. What the store holds
// is the best guess of how many there are.
func (e *Engine) readProgress(ctx context.Context, run string) func(int) {
	o, ok := e.cfg.Observer.(ProgressObserver)
	if !ok {
		return nil
	}
	total := 0
	if c, err := e.cfg.Service.Reader().Counts(ctx); err == nil {
		total = c.Users + c.Groups
	}
	return func(n int) { o.Progress(ctx, run, StageRead, n, max(total, n)) }
}

// readSource reads, with progress if the source tells it and somebody wants to know.
func (e *Engine) readSource(ctx context.Context, scope Scope, progress func(int)) (*Snapshot, error) {
	if src, ok := e.cfg.From.(ProgressSource); ok && progress != nil {
		return src.ReadProgress(ctx, scope, progress)
	}
	return e.cfg.From.Read(ctx, scope)
}

// progressEvery is how many changes are written between two reports.
const progressEvery = 500

// writeProgress returns what counts one written object, and tells the observer now and then.
func (e *Engine) writeProgress(ctx context.Context, r *run) func() {
	o, ok := e.cfg.Observer.(ProgressObserver)
	if !ok {
		return func() {}
	}
	n, total := 0, len(r.res.Plan.Objects)
	return func() {
		if n++; n%progressEvery == 0 || n == total {
			o.Progress(ctx, r.res.Run, StageApply, n, total)
		}
	}
}
