package main

import (
	"context"
	"errors"
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

	run  sync.Mutex // one run at a time
	mu   sync.Mutex // guards last
	last syncReport
}

// syncReport is the outcome of one run.
type syncReport struct {
	at     time.Time
	result adsync.Result
	err    error
}

func newSyncer(store *identitystore.Service, dir *directory.Client, mapping *adsync.Mapping, who []adassign.Assignment) (*syncer, error) {
	from, err := adsync.NewDirectory(adsync.DirectoryConfig{Client: dir, Domains: dir.DomainNames(), Mapping: mapping})
	if err != nil {
		return nil, err
	}
	engine, err := adsync.New(adsync.Config{Service: store, From: from, Source: source, Mapping: mapping})
	if err != nil {
		return nil, err
	}
	in := make([]adsync.Assignment, len(who))
	for i, a := range who {
		in[i] = adsync.Assignment{PrincipalType: a.PrincipalType, Principal: a.Principal, Target: a.TargetID, PermissionSet: a.PermissionSet}
	}
	return &syncer{engine: engine, scope: adsync.ScopeOf(in)}, nil
}

// synchronise runs once, then binds the assignments to the records that the store has now. A run that fails or is held
// leaves the store as it was, and the portal goes on with that.
func (a *app) synchronise(ctx context.Context, approve string) error {
	a.sync.run.Lock()
	defer a.sync.run.Unlock()
	res, err := a.sync.engine.Run(ctx, a.sync.scope, approve)
	a.sync.mu.Lock()
	a.sync.last = syncReport{at: time.Now(), result: res, err: err}
	a.sync.mu.Unlock()
	if bindErr := a.bind(ctx, res.Plan); bindErr != nil {
		return errors.Join(err, bindErr)
	}
	return err
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
