// Package samltest runs a SAML identity provider and a service provider on loopback, for tests and demonstrations.
//
// [Start] first: it returns a [Lab] with both sides, which trust each other, and [Lab.Browser] signs somebody in. [NewKeyPair] makes
// throw-away keys. Close ends everything.
//
// It is no server for production: keys are made at start, users stand in a map, everything is forgotten at Close.
//
// Standards: those of package samlhttp. Limits: those of package samlhttp.
//
// Fields may be added; the default users stay.
package samltest
