// Package integration holds the tests that join several packages or need a database driver. Tests that need a real
// server stand behind the build tag lab; .ci/run starts those servers.
package integration
