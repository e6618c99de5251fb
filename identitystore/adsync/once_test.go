package adsync_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// TestOneEngineRunsOnce: of two runs of one engine at a time the second ends at once.
func TestOneEngineRunsOnce(t *testing.T) {
	t.Parallel()
	w, group, _ := crowd(t, 3)
	w.put(group, w.user("late"))
	var e *adsync.Engine
	var inner error
	var state adsync.State
	w.cfg.From = pausing{w.forest, func() {
		res, err := e.Run(context.WithoutCancel(t.Context()), w.scope, "")
		inner, state = err, res.State
	}}
	e = w.engine()
	_, err := e.Run(t.Context(), w.scope, "")
	require.ErrorIs(t, inner, identitystore.ErrBusy)
	require.Equal(t, adsync.StateBusy, state)
	require.NoError(t, err)
}
