package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/examples/adassign"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/permissionset"
)

// syncer runs the synchronisation and keeps what the last run said, for the administration page.
type syncer struct {
	engine *adsync.Engine
	scope  adsync.Scope

	progress *progress

	life       context.Context //nolint:containedctx // of runs that outlive the request that started them
	stop       context.CancelFunc
	background sync.WaitGroup

	run     sync.Mutex // one run at a time
	mu      sync.Mutex // guards what follows
	last    syncReport
	running chan struct{} // closed when the run that a button started has ended; nil when there is none
}

// close ends a run that goes on and waits for it: the store is as it was before that run.
func (s *syncer) close() {
	if s != nil {
		s.stop()
		s.background.Wait()
	}
}

// syncReport is the outcome of one run.
type syncReport struct {
	at     time.Time
	result adsync.Result
	err    error

	good    time.Time // end of the last run that changed or confirmed the store
	counts  identitystore.Counts
	counted bool
}

// held reports whether a plan waits for somebody's approval.
func held(r syncReport) bool { return r.result.State == adsync.StateHeld }

func newSyncer(store *identitystore.Service, dir *directory.Client, mapping *adsync.Mapping, who []adassign.Assignment, logger *slog.Logger) (*syncer, error) {
	s := &syncer{progress: &progress{}}
	s.life, s.stop = context.WithCancel(context.Background())
	from, err := adsync.NewDirectory(adsync.DirectoryConfig{Client: dir, Domains: dir.DomainNames(), Mapping: mapping})
	if err != nil {
		return nil, err
	}
	engine, err := adsync.New(adsync.Config{Service: store, From: from, Source: source, Mapping: mapping, Observer: s.progress, Logger: logger})
	if err != nil {
		return nil, err
	}
	in := make([]adsync.Assignment, len(who))
	for i, a := range who {
		in[i] = adsync.Assignment{PrincipalType: a.PrincipalType, Principal: a.Principal, Target: a.TargetID, PermissionSet: a.PermissionSet}
	}
	s.engine, s.scope = engine, adsync.ScopeOf(in)
	return s, nil
}

// synchronise runs once, then binds the assignments to the records that the store has now. A run that fails or is held
// leaves the store as it was, and the portal goes on with that.
func (a *app) synchronise(ctx context.Context, approve string) error {
	a.sync.run.Lock()
	defer a.sync.run.Unlock()
	a.sync.progress.begin()
	defer a.sync.progress.end()
	runCtx, end := a.telemetry.Start(ctx, "adsync.run")
	res, err := a.sync.engine.Run(runCtx, a.sync.scope, approve)
	end(string(res.State))
	a.record(ctx, res, err)
	if bindErr := a.bind(ctx, res.Plan); bindErr != nil {
		return errors.Join(err, bindErr)
	}
	return err
}

func (a *app) record(ctx context.Context, res adsync.Result, err error) {
	n, countErr := a.store.Reader().Counts(ctx)
	a.sync.mu.Lock()
	defer a.sync.mu.Unlock()
	r := syncReport{at: time.Now(), result: res, err: err, good: a.sync.last.good, counts: a.sync.last.counts, counted: a.sync.last.counted}
	if err == nil {
		r.good = r.at
	}
	if countErr == nil {
		r.counts, r.counted = n, true
	}
	a.sync.last = r
}

func (s *syncer) report() syncReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// bind finds the record of each assigned principal by objectGUID, the key that survives renames. The plan knows the
// objects; without one the directory is asked. A principal that cannot be resolved grants nothing; a directory that does
// not answer is an error, and the access of before stays.
func (a *app) bind(ctx context.Context, plan *identitystore.Plan) error {
	ids := map[string]string{}
	for _, p := range a.assigned.principals() {
		guid, err := "", error(nil)
		if plan != nil {
			guid = plan.Principal(strings.ToLower(p.PrincipalType), p.Principal)
		} else {
			guid, err = a.principalGUID(ctx, p.Principal)
		}
		if err != nil {
			return err
		}
		if ids[p.PrincipalType+" "+p.Principal], err = a.recordID(ctx, p.PrincipalType, guid); err != nil {
			return err
		}
	}
	a.access.Store(a.assigned.bind(func(kind permissionset.PrincipalType, text string) string { return ids[string(kind)+" "+text] }))
	return nil
}

func (a *app) principalGUID(ctx context.Context, name string) (string, error) {
	e, err := a.domain.dir.Resolve(ctx, name)
	switch {
	case errors.Is(err, directory.ErrNotFound), errors.Is(err, directory.ErrAmbiguous), errors.Is(err, directory.ErrUnknownDomain):
		return "", nil
	case err != nil:
		return "", err
	}
	return e.GUID, nil
}

// recordID returns the ID of the stored object, "" when there is none of that kind.
func (a *app) recordID(ctx context.Context, kind, guid string) (string, error) {
	if guid == "" {
		return "", nil
	}
	ref, err := a.store.Reader().Lookup(ctx, identitystore.ByGUID, source, guid)
	want := identitystore.KindUser
	if permissionset.PrincipalType(kind) == permissionset.GroupPrincipal {
		want = identitystore.KindGroup
	}
	if err != nil || ref.Kind != want {
		return "", ignoreNotFound(err)
	}
	return ref.ID, nil
}
