// Package permissionset knows permission sets and who holds them: which accounts a person may enter, with which set, and
// through which nested groups.
//
// An [Organization] holds accounts, permission sets, assignments and, if it comes from a file, users and groups.
// [Validate] checks it against the limits of IAM Identity Center. [NewAccess] indexes it; [Access.Effective] then answers
// what a user reaches and by which paths, [Access.WhoCan] who may do an action on a resource. [Plan] compares a wanted
// state with the actual one, and [Apply] carries the plan out over small interfaces in the shape of the sso-admin API.
// Group memberships come from a [Directory] (the users and groups of an Organization) or from any other source of
// [Membership] values, for example a store in which nested groups are flattened already.
//
// Not done: nothing is fetched. AWS-managed policies are known by name only, unless the caller gives their documents in
// Organization.PolicyDocuments. Cross-account access through resource policies is not reported. The suffix of a role
// name cannot be computed: AWS draws it when it provisions a set ([PrincipalArnPattern] helps).
//
// The model follows the sso-admin service model (2020-07-20), the IAM Identity Center user guide and, for assignments
// that end, applications and the removal guard, rules of our own that are named as such.
//
// Limits are fields of [Quotas]; their defaults are those of AWS. Groups may be nested in cycles.
//
// The codes of [Problem] and the JSON of [Effective], [WhoCanResult] and [Step] are stable; texts are not.
package permissionset
