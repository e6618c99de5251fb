// Package awsapi serves an identity store over the API of the AWS IAM Identity Center identity store, so that programs
// which look users and groups up there run unchanged.
//
// Start with [NewHandler], an http.Handler.
//
// Not done: signatures of requests are checked by [Config.Authorize] only, for which permissionset/sts/sigv4 has the check,
// and everybody who is let in may do everything, as far as that function does not say otherwise. The network
// configuration of a store (UpdateIdentityStore) is refused. Members of a request that an operation does not have are
// refused where a record is written, else ignored.
//
// It follows the Identity Store API Reference (version 2020-06-15) in the AWS JSON 1.1 protocol: one POST for each
// request, the operation in the header X-Amz-Target. All 22 operations of late 2026 are there, with ARNs in place of ids,
// revisions for optimistic locking, and the extension aws:identitystore:enterprise for those who name it.
//
// Requests have at most 1 MiB and 64 levels; what is in them is limited by the store's own limits.
//
// Operations that AWS adds may be added.
package awsapi
