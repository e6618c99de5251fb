// Package kerberos authenticates people against Active Directory by password or by ticket, and tells the truth about
// it: a password counts only when the KDC that accepted it has proved itself with a ticket for our own service.
//
// Start with [NewAuthenticator] and [Authenticator.Password] for a sign-in form, with [NewAcceptor] and
// [Acceptor.Accept] for tickets that clients send, with [NewClient] for our own tickets (LDAP binds, outgoing HTTP).
// Package kerberos/spnego joins both sides to net/http. Every result is a verified [Identity] or an error: an
// [AuthError] with a stable [Reason] is a verdict, everything else ([ErrUnavailable], [ErrClockSkew],
// [ErrNoCommonEtype], [ErrServiceUnknown], context errors) says that there is no verdict.
//
// It does not keep sessions, does not retry a password, reads no /etc/krb5.conf and no environment on its own, starts
// no goroutine that outlives a call, and does not speak FAST, PKINIT or user-to-user.
//
// Standards: RFC 4120 (messages), RFC 3961, 3962, 8009, 4757 (encryption), RFC 4121 and 4178 (GSS-API, SPNEGO), RFC
// 6806 (canonicalization, referrals), RFC 3244 (change password), RFC 5929 (channel bindings), MS-KILE, MS-PAC.
//
// Limits: replies of 128 KiB, 3 AS and 4 TGS exchanges and 3 referrals for a login, 32,768 iterations of the key
// derivation, tokens of 64 KiB, keytabs of 1 MiB. They can be raised where a field says so, never switched off.
//
// What may change before version 1: the fields of [NetworkConfig].
package kerberos
