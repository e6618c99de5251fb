// Package scimpatch applies PATCH requests of SCIM to resources in memory.
//
// Start with [Parse] and [Apply]. [Steps] and [ApplySteps] are the two halves of Apply, for servers that keep a part of
// the resource elsewhere (the members of a group). [Normalize] brings a resource into canonical form.
//
// Not done: storing, versions, and who may write what.
//
// Standards: RFC 7644 section 3.5.2, RFC 7643 sections 2.3 to 2.5. [Tolerant] accepts what Entra ID and Okta send
// besides: capital operations, "True" for booleans, removal by a list of values, dotted and URN keys without a path.
//
// Paths have the limits of package scimfilter. Clients' quirks that become known may be added to Tolerant.
package scimpatch
