package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEmptyLists: without rules and claims the members are empty lists, not null.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitDone, run([]string{"-"}, strings.NewReader(""), &stdout, &stderr))
	require.JSONEq(t, `{"output":[],"input":[],"permit":null,"lint":[],"trace":[]}`, stdout.String())
	require.Empty(t, stderr.String())
}
