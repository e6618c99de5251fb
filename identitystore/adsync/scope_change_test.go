package adsync_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// TestScenarioS02UnassignedDuringARun: a group is unassigned while the run that read it is about to apply its plan.
func TestScenarioS02UnassignedDuringARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, u, v := w.group("A"), w.group("B"), w.user("u"), w.user("v")
	w.put(a, u)
	w.put(b, v)
	w.assign(a, b)
	first := w.scope
	w.cfg.Scope = func(context.Context) (adsync.Scope, error) { return w.scope, nil }
	w.cfg.Observer = atApply(func() { w.assign(b) })
	res, err := w.engine().Run(t.Context(), first, "")
	require.NoError(t, err)
	require.Equal(t, adsync.StateApplied, res.State)
	require.Nil(t, w.record(u), "what was unassigned before the commit was never there")
	require.Nil(t, w.groupRecord(a))
	require.Equal(t, []string{"B"}, w.groupsOf(v))
	_, _, scope, err := w.engine().LastRun(t.Context())
	require.NoError(t, err)
	require.Equal(t, w.scope.Revision(), scope)
	// the same in an incremental run
	log := newChangeLog(w.forest, 1)
	w.cfg.From, w.cfg.Observer = log, nil
	_, err = w.engine().Run(t.Context(), w.scope, "")
	require.NoError(t, err)
	w.put(b, w.user("n"))
	w.cfg.Observer = atApply(func() { w.assign(a, b) })
	res, err = w.engine().RunChanges(t.Context(), w.scope, "")
	require.NoError(t, err)
	require.Equal(t, adsync.StateApplied, res.State)
	require.Equal(t, []string{"A"}, w.groupsOf(u))
}

func TestScopeThatNeverRests(t *testing.T) {
	t.Parallel()
	w, group, _ := crowd(t, 2)
	w.put(group, w.user("n"))
	seq := w.lastSeq()
	w.cfg.Scope = func(context.Context) (adsync.Scope, error) { return w.scope, nil }
	n := 0
	w.cfg.Observer = atApply(func() { n++; w.assign(group, w.user("another")) })
	res, err := w.engine().Run(t.Context(), w.scope, "")
	require.ErrorIs(t, err, identitystore.ErrScopeChanged)
	require.Equal(t, adsync.StateFailed, res.State)
	require.Equal(t, 4, n, "three new plans, not for ever")
	require.Equal(t, seq, w.lastSeq())
	w.cfg.Scope = func(context.Context) (adsync.Scope, error) { return adsync.Scope{}, errors.New("half written") }
	w.cfg.Observer = nil
	_, err = w.engine().Run(t.Context(), w.scope, "")
	require.ErrorContains(t, err, "half written")
	require.Equal(t, seq, w.lastSeq(), "nobody knows whether it is still wanted")
}
