// Package ssoadmin is an instance of IAM Identity Center in memory, with the part of the sso-admin API that keeps
// permission sets and account assignments: for tests of programs that use the API, and for trying plans out.
//
// [NewInstance] makes one; it implements [permissionset.API], so [permissionset.Apply] and [permissionset.ReadActual] work
// on it. [NewHandler] puts it behind the JSON protocol of AWS, for the AWS CLI and SDKs.
//
// Not done: signatures of requests are not checked, users and groups are not looked up, and nothing outside permission
// sets and account assignments is answered. Roles are not made; [Instance.Roles] says which there would be.
//
// The shapes are those of the sso-admin service model (2020-07-20). Assignments and provisioning are asynchronous, as
// there: an operation is in progress until it has been looked at often enough. A role's suffix is drawn when the first
// assignment of a set in an account is made and lost with the last one.
//
// Limits: names, documents and policies are held to the limits of package permissionset; a request has at most 1 MiB.
package ssoadmin
