// Package membership flattens nested groups: who is in a group, directly or through other groups, and why.
//
// Fill a [Builder] with objects and edges in any order, call [Builder.Build], then ask the [Graph]:
// [Graph.GroupsOf], [Graph.MembersOf], [Graph.IsMember], [Graph.Explain]. A Graph never changes; [Graph.Apply]
// returns another one that shares nearly everything with the first.
//
// The package reads no directory, knows no names and no permissions, and keeps no list of user x group. Objects that
// are neither users nor groups are reported ([Graph.Skipped]), never counted as members.
//
// The meaning of membership follows Active Directory: the member attribute, the primary group (MS-ADTS 3.1.1.2,
// attribute primaryGroupID, which the member attribute does not repeat) and foreign security principals that the
// caller has resolved. Cycles and groups that contain themselves are allowed there and here.
//
// Incompleteness spreads upwards: a group whose member list could not be read whole taints every group above it
// ([Graph.Incomplete]), and a [Diff] reports no loss through a tainted group.
//
// Limits: 2^30 objects. The lists of ancestors are capped ([Config].MaxClosure); beyond the cap each question is
// answered by a breadth-first search, so that a chain of thousands of groups costs time in proportion to its length.
// Nothing recurses. The order of nodes and the layout of the graph may change; ids, answers and their order by id
// do not.
package membership
