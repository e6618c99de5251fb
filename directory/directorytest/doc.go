// Package directorytest runs a directory server with the semantics of Active Directory inside a program, for tests and
// demonstrations.
//
// [Start] opens it on loopback, one domain controller for each domain of the [Config], over ldap:// (with StartTLS) and
// ldaps:// with a certificate authority of its own; [Server.Close] ends it. Objects are made and changed by Go calls on a
// [DC] ([DC.AddUser], [DC.AddGroup], [DC.AddMember], [DC.Delete], [DC.Move] ...), each of which moves update sequence
// numbers as Active Directory does. GUIDs and SIDs are the same in every run. [DC.Install] and [DC.CutAfter] make things go
// wrong at a chosen place.
//
// It enforces what other test servers do not: pages of 1000 entries, parts of 1500 values for long attributes, cookies bound
// to their connection, the data codes of refused binds, lock-out, tombstones, foreign security principals, primary
// groups outside member, references at a domain's root; and, when asked for, answers to LDAP pings and a global catalog. It has no access control beyond "bound or not", no schema checks,
// no replication, and it forgets everything when it is closed.
//
// Standards: RFC 4511, RFC 2696, RFC 4515, MS-ADTS.
//
// The semantics follow Active Directory and change when a difference is found.
package directorytest
