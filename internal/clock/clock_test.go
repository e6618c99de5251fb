package clock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/clock"
)

func TestOr(t *testing.T) {
	t.Parallel()
	fixed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, fixed, clock.Or(func() time.Time { return fixed })())
	before := time.Now()
	require.False(t, clock.Or(nil)().Before(before))
}
