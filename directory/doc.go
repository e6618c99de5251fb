// Package directory reads Active Directory over LDAP, completely or not at all.
//
// Start with [New]: a [Client] for one or several domains. [Client.Search] streams objects, [Client.Resolve] finds one by
// any form of its name, [Client.ReadScope] reads assigned users and groups with everything nested in them,
// [Client.Changes] tells what happened since, [Client.VerifyPassword] tries a password.
//
// The law of the package: an answer is complete, or it is an error. Pages, parts of long attributes, references to other
// servers, limits of the server, a change of the domain controller, a connection that ends: whatever would make an answer
// smaller than the truth is an [*IncompleteError] or another error, and nothing is returned beside it. Streams hand out
// entries as they come; only a stream that ended without error was whole.
//
// Not done: writing, NTLM, GSS-SPNEGO, following references to unknown servers, the global catalogue, finding one's site by a
// CLDAP ping (it is configured), security descriptors, reading passwords or keys of any kind. What a server hides from the
// account without a sign (a whole attribute, a user of whom only primaryGroupID tells) cannot be noticed here. A server that is
// not Active Directory can be searched; it is keyed by entryUUID (RFC 4530) and has no update sequence numbers.
//
// Standards: RFC 4511 to 4515, RFC 2696 (paging), RFC 4513 (binds), MS-ADTS (everything that is Active Directory's own).
//
// Limits are in [Limits]; each can be raised, none switched off. The set of fields of [Scope] and [ChangeSet] may grow.
package directory
