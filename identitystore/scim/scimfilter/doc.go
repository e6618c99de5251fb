// Package scimfilter parses SCIM filters and attribute paths, and evaluates them over resources.
//
// Start with [Parse] and [Eval]; [Check] holds a filter against a schema first. [ParsePath] reads the paths of PATCH
// requests.
//
// Not done: sorting, and look-ups in indexes; package scim does both.
//
// The grammar is that of RFC 7644 section 3.4.2.2 and figure 1. Text is compared as RFC 7643 section 2.2 says, with NFKC
// and simple case folding where caseExact is false.
//
// Filters have at most 4 KiB, 64 expressions and 64 levels. The AST may gain node types.
package scimfilter
