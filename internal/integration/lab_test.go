//go:build lab

package integration_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// labEnv returns a variable that internal/lab/lab.sh sets. A missing one is a failure: nothing is skipped.
func labEnv(tb testing.TB, name string) string {
	tb.Helper()
	v := os.Getenv(name)
	require.NotEmpty(tb, v, name+` is not set: eval "$(internal/lab/lab.sh env)"`)
	return v
}
