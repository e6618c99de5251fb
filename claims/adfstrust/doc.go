// Package adfstrust reads exported AD FS trusts, runs them for a given user and says what a move to IAM Identity Center needs.
//
// Start with [Parse] for the output of Get-AdfsRelyingPartyTrust as JSON or CLIXML, then [NewSimulator] and
// [Simulator.Run] to see what the partner would receive, or [PlanMigration] for the move.
//
// What is not done: nothing is read from a server, certificates are ignored, and of an access control policy only the
// conditions that are documented are understood; a policy with another one is refused as a whole.
//
// Followed are the published names of the cmdlets' properties, the serialisation formats of PowerShell (MS-PSRP section
// 2.2.5 for CLIXML) and the XML of access control policies as it is exported.
//
// An export may have 64 MiB, 64 levels and 10,000 trusts. What the migration suggests may change with Identity Center.
package adfstrust
