// Package identitystore keeps users, groups and memberships the way the AWS identity store does, and says who brought
// them in, when, and why somebody is in a group.
//
// Start with [Open] on a [Store]: [Memory], or the store of package sqlstore. [Service] has the verbs (CreateUser,
// ListGroupMemberships, IsMemberInGroups, ...), [Service.SignIn] for people who have just authenticated,
// [Service.Update] for programs that write in bulk (synchronisation, SCIM, CSV), and [Service.Explain],
// [Service.Simulate], [Service.Events], [Service.AsOf], [Service.History] for questions.
//
// Groups may contain groups. Memberships are flattened when they are written: a user is a member of every group that
// it reaches over edges ([Config].DirectOnly counts direct edges only). No password is ever read or stored, nothing
// here opens a network connection, and authorization is not decided here: see package permissionset.
//
// Semantics follow the AWS IAM Identity Center Identity Store API Reference (version 2020-06-15); names are compared
// after NFKC and simple case folding (Unicode Standard Annex 15 and chapter 5.18), so that there is one answer to
// "the same name" in all stores.
//
// Limits are those of [LimitsAWS] unless configured otherwise. One transaction writes to a tenant at a time; readers
// never wait in [Memory].
//
// The interface between Service and Store may grow; package storetest tests implementations of it.
package identitystore
