// Package testscale gives tests their size: small in CI, big in .ci/long.
package testscale

import "os"

// Long reports whether the long run was asked for (ADFEDKIT_LONG=1, set by .ci/long).
func Long() bool { return os.Getenv("ADFEDKIT_LONG") == "1" } //nolint:forbidigo // read by tests only

// N returns ci, or long in the long run.
func N(ci, long int) int {
	if Long() {
		return long
	}
	return ci
}
