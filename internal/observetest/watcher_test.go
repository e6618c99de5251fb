package observetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/observetest"
)

// TestWatcher: an inner operation is noted below its outer one, and nothing twice.
func TestWatcher(t *testing.T) {
	t.Parallel()
	var w observetest.Watcher
	ctx, outer := w.Start(t.Context(), "outer")
	_, inner := w.Start(ctx, "inner")
	inner("failed")
	outer("ok")
	require.Equal(t, []string{"outer > inner failed", "outer ok"}, w.Take())
	_, other := w.Start(t.Context(), "other")
	other("ok")
	require.Equal(t, []string{"other ok"}, w.Take())
	require.Empty(t, w.Take())
}
