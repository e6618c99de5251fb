package adsync_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// TestScenarioD10Paused: synchronisation rests for 29 days, and nobody is disabled or removed by that.
func TestScenarioD10Paused(t *testing.T) {
	t.Parallel()
	w, group, users := crowd(t, 3)
	require.NoError(t, w.engine().Pause(t.Context(), "migration of the domain"))
	p, err := w.engine().Paused(t.Context())
	require.NoError(t, err)
	require.Equal(t, adsync.Pause{Since: w.now, Reason: "migration of the domain"}, p)
	w.remove(users[0])
	w.take(group, users[1])
	seq := w.lastSeq()
	for range 29 {
		w.now = w.now.Add(24 * time.Hour)
		res, err := w.engine().Run(t.Context(), w.scope, "")
		require.ErrorIs(t, err, adsync.ErrPaused)
		require.Equal(t, adsync.StatePaused, res.State)
		require.Nil(t, res.Plan, "nothing was read")
		res, err = w.engine().RunChanges(t.Context(), w.scope, "")
		require.ErrorIs(t, err, adsync.ErrPaused)
		require.Equal(t, adsync.StatePaused, res.State)
	}
	require.Equal(t, seq, w.lastSeq())
	for _, u := range users {
		require.True(t, w.record(u).Enabled())
		require.Equal(t, []string{"crowd"}, w.groupsOf(u))
	}
	plan, err := w.engine().Plan(t.Context(), w.scope)
	require.NoError(t, err, "what would be done can be asked")
	require.Equal(t, 1, plan.Counts.Users.Remove)
	require.NoError(t, w.engine().Resume(t.Context()))
	require.NoError(t, w.engine().Resume(t.Context()), "twice is once")
	p, err = w.engine().Paused(t.Context())
	require.NoError(t, err)
	require.Zero(t, p)
	w.run(adsync.StateApplied)
	require.Equal(t, identitystore.StateTombstone, w.record(users[0]).Link.State)
	require.True(t, w.record(users[1]).Enabled())
}

func TestPauseStopsARunAtWork(t *testing.T) {
	t.Parallel()
	w, _, users := crowd(t, 2)
	w.objects[users[0]].Disabled = true
	seq := w.lastSeq()
	w.cfg.Observer = atApply(func() { require.NoError(t, w.engine().Pause(t.Context(), "")) })
	res, err := w.engine().Run(t.Context(), w.scope, "")
	require.ErrorIs(t, err, adsync.ErrPaused)
	require.Equal(t, adsync.StatePaused, res.State)
	require.True(t, w.record(users[0]).Enabled())
	require.Equal(t, seq, w.lastSeq())
	// another source is not paused
	w.cfg.Observer, w.cfg.Source = nil, "ad2"
	p, err := w.engine().Paused(t.Context())
	require.NoError(t, err)
	require.Zero(t, p)
}
