//go:build !race

// The race detector keeps records of its own for each allocation: what it makes of a message says nothing.

package saml_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGrowth: whatever a message looks like, all that is allocated while it is judged stays below four times the form field that
// brings it. What a stranger can write, beyond copies of sound messages, stays below four times even the bare XML. Not parallel:
// it measures.
func TestGrowth(t *testing.T) { //nolint:paralleltest // it measures
	s := newSetup()
	for name, build := range hostile() {
		for _, n := range []int{60_000, 960_000} {
			xml := build(n)
			for wire, size := range map[bool]int{true: (len(xml) + 2) / 3 * 4, false: len(xml)} {
				_, mem := cost(t, s, xml, wire)
				if wire || !strings.HasPrefix(name, "valid") {
					require.LessOrEqual(t, float64(mem), 4*float64(size)+fixed, "%s, %d bytes, %.2f times", name, size, float64(mem)/float64(size))
				}
			}
		}
	}
}
