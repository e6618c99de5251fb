// Package adsync synchronises assigned users and groups of a directory into an identity store, and never loses anyone.
//
// Make a [Scope] from the assignments with [ScopeOf], a [Source] from a directory client with [NewDirectory], and an
// [Engine] with [New]; then call [Engine.Run], or [Engine.Plan] to see what a run would do. [Engine.RunChanges] costs what
// has changed, [Engine.Watch] repeats runs, [Engine.Pause] stops them, [Engine.Why] explains what becomes of one object.
//
// A run reads everything that the scope reaches, completely or not at all; compares it with the store; has the plan
// looked at by a guard; and writes it in one transaction. Users and groups are known by objectGUID, so that renames
// and moves keep their ids. An object is removed only if a look-up by its objectGUID proves that it was deleted; one
// that left the scope stays, without memberships. Nested groups, primary groups and members from other domains count.
// What sign-ins created is adopted, with its id, when it comes into scope. Fields that are not mapped are never touched.
//
// Not done here: runs over a part of the configured domains (one that cannot be read fails the run), plans that are applied
// in several transactions, authentication, reading of passwords or keys, writing to the directory, provisioning to AWS.
//
// Standards: MS-ADTS (objectGUID, member, primaryGroupID, foreign security principals, tombstones, uSNChanged, DirSync); the published
// behaviour of AWS IAM Identity Center's directory synchronisation.
//
// Limits: those of the store's configuration; a bad object is listed and never stops the others. A plan is held in
// memory: about 200 bytes for each changed membership.
//
// The words of reasons and states are stable. The form of the stored watermark may change.
package adsync
