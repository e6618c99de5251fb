// Package directory reads Active Directory over LDAP, completely or not at all.
//
// Start with [New]: a [Client] for one or several domains. [Client.Search] streams objects, [Client.Resolve] finds one by
// any form of its name, [Client.ReadScope] reads assigned users and groups with everything nested in them,
// [Client.Changes] tells what happened since, [Client.VerifyPassword] tries a password, [Client.Rights] tells what the
// account of the client may do.
//
// The law of the package: an answer is complete, or it is an error. Pages, parts of long attributes, references to other
// servers, limits of the server, a change of the domain controller, a connection that ends: whatever would make an answer
// smaller than the truth is an [*IncompleteError] or another error, and nothing is returned beside it. Streams hand out
// entries as they come; only a stream that ended without error was whole.
//
// Errors: [*IncompleteError] says what is missing, [*ResultError] is a result of the server, [*BindError] a refusal of
// credentials with its data code, [*ObjectError] concerns one object alone, [*AmbiguousError] lists candidates; the sentinels
// (ErrNotFound and the like) are matched with errors.Is, and [Temporary] says whether trying again can help.
//
// Servers are tried in their order; one that fails, is busy or goes away rests for 30 seconds, doubling to 5 minutes, and is
// then tried by one caller first. A read starts again on a fresh connection at most twice, and never mixes two servers.
// Servers can be discovered by DNS, near ones by the configured site or by an LDAP ping ([Client.Ping]). A global catalog,
// when one is configured or discovered, is asked for names only ([Client.Locate]).
//
// Not done: writing, NTLM, following references to unknown servers, audit entries and conditions of security descriptors,
// reading passwords or keys of any kind. What a server hides from the account without a sign (a whole attribute, a user of whom
// only primaryGroupID tells) cannot be noticed here. A server that is not Active Directory can be searched; it is keyed by
// entryUUID (RFC 4530) and has no update sequence numbers.
//
// Standards: RFC 4511 to 4515, RFC 2696 (paging), RFC 4513 (binds), MS-ADTS (everything that is Active Directory's own).
//
// Limits are in [Limits] with their defaults; each can be raised, none switched off. Fixed are: 500,000 elements of one message,
// 256 MiB and twice the page size plus 1,000 entries of one answer (500,000 with DirSync), a filter of 1 MiB and depth 100, a
// security descriptor of 1 MiB, a name of 4096 bytes, 32 servers from DNS, 2 seconds and 3 servers for an LDAP ping, 4096 names
// of a forest trust, 100,000 rounds of one DirSync read, a cursor of 256 KiB that is 60 days old ([ChangeQuery].MaxAge).
// Suffixes that forests and trusts announce, and servers from DNS, are looked up again after 10 minutes.
//
// The set of fields of [Scope] and [ChangeSet] may grow.
package directory
