// Package scim serves an identity store over SCIM 2.0, and pushes users and groups to SCIM services of others.
//
// Start with [NewHandler], which needs an [Authenticator] ([Tokens] is one) and is an http.Handler. The other side is
// [NewClient] with [Client.Push], which brings a service to a [State] ([StateOf] reads one from a store), and
// [Client.PushPlan], which carries a plan of synchronisation out there. Packages scimfilter and scimpatch are the engines
// below.
//
// Not done: passwords (never stored, logged or returned), the /Me endpoint, a .search over all types at once, and
// signing people in.
//
// Standards: RFC 7643 (schema), RFC 7644 (protocol), RFC 9865 (cursor paging), RFC 6750 (bearer tokens). Profile [AWS]
// refuses what AWS IAM Identity Center refuses (SCIM profile of the IAM Identity Center developer guide).
//
// Limits, see [Limits]: 4 MiB of body, 64 levels of JSON, 1000 results of a list and 100,000 members in it, 2000
// operations of a bulk or PATCH request; filters as in scimfilter. A client reads 8 MiB of an answer and 1,048,576 objects of a list.
//
// Equalities on names, ids, external ids, e-mail addresses and memberships are looked up, also below and and or; any
// other filter reads all records. Stores of others have the indexes for that if their readers are an
// identitystore.LookupReader.
//
// The tolerance for clients' quirks may grow.
package scim
