package observe_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/observe"
)

type empty struct{}

func (empty) Start(context.Context, string) (context.Context, func(string)) { return nil, nil } //nolint:nilnil // a careless observer

func TestStart(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]observe.Observer{"none": nil, "careless": empty{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, end := observe.Start(t.Context(), o, "x")
			require.NotNil(t, ctx)
			end(observe.OK)
		})
	}
}

func TestNobodyWatches(t *testing.T) { //nolint:paralleltest // counts allocations
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, end := observe.Start(ctx, nil, "x")
		end(observe.OK)
	}))
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	require.Equal(t, "ok", observe.Outcome(nil))
	require.Equal(t, "canceled", observe.Outcome(fmt.Errorf("x: %w", context.Canceled)))
	require.Equal(t, "canceled", observe.Outcome(context.DeadlineExceeded))
	require.Equal(t, "failed", observe.Outcome(errors.New("x")))
}
