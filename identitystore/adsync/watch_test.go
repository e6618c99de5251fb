package adsync_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// watched is what a watch did, and when.
type watched struct {
	at     []time.Duration
	states []adsync.State
}

// watch runs a watch for so long on a fake clock.
func watch(t *testing.T, w *world, schedule adsync.Schedule, length time.Duration, scope func(context.Context) (adsync.Scope, error)) watched {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	began := time.Now()
	var out watched
	err := w.engine().Watch(ctx, schedule, scope, func(res adsync.Result, _ error) {
		out.at, out.states = append(out.at, time.Since(began)), append(out.states, res.State)
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	return out
}

func TestWatchSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := crowd(t, 2)
		w.clock = time.Now
		log := newChangeLog(w.forest, 1)
		w.cfg.From = log
		out := watch(t, w, adsync.Schedule{FullEvery: 3}, 7*time.Hour, func(context.Context) (adsync.Scope, error) { return w.scope, nil })
		require.GreaterOrEqual(t, len(out.at), 7)
		require.Zero(t, out.at[0])
		for i, at := range out.at[1:] {
			require.InDelta(t, time.Hour, at-out.at[i], float64(6*time.Minute)+1)
		}
		require.Equal(t, (len(out.at)+2)/3, log.reads, "every third run reads everything")
	})
}

func TestWatchNewScopeStartsARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, group, _ := crowd(t, 2)
		w.clock = time.Now
		late := w.user("late")
		began := time.Now()
		old := w.scope
		w.assign(group, late)
		out := watch(t, w, adsync.Schedule{}, 50*time.Minute, func(context.Context) (adsync.Scope, error) {
			switch d := time.Since(began); {
			case d < 10*time.Minute:
				return old, nil
			case d < 20*time.Minute:
				return adsync.Scope{}, errors.New("half written")
			}
			return w.scope, nil
		})
		require.Equal(t, []adsync.State{adsync.StateUnchanged, adsync.StateApplied}, out.states)
		require.InDelta(t, 21*time.Minute, out.at[1], float64(2*time.Minute), "assigning is what starts synchronising")
		require.True(t, w.record(late).Link.InScope())
	})
}

func TestWatchGoesOnAfterFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := crowd(t, 2)
		w.clock = time.Now
		w.fail = errors.New("outage")
		n := 0
		out := watch(t, w, adsync.Schedule{}, 4*time.Hour, func(context.Context) (adsync.Scope, error) {
			if n++; n == 1 {
				return adsync.Scope{}, errors.New("no scope yet")
			}
			return w.scope, nil
		})
		require.GreaterOrEqual(t, len(out.states), 3)
		for _, s := range out.states {
			require.Equal(t, adsync.StateFailed, s)
		}
		require.Equal(t, 2, w.counts().Memberships)
	})
}

func TestWatchRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scope := func(context.Context) (adsync.Scope, error) { return w.scope, nil }
	for name, s := range map[string]adsync.Schedule{
		"too often": {Interval: time.Second}, "jitter": {Jitter: 51}, "negative jitter": {Jitter: -1}, "full": {FullEvery: -1}, "poll": {Poll: -1},
	} {
		require.Error(t, w.engine().Watch(t.Context(), s, scope, nil), name)
	}
	require.Error(t, w.engine().Watch(t.Context(), adsync.Schedule{}, nil, nil))
	require.Equal(t, identitystore.Counts{}, w.counts())
}
