// Package claims reads, checks, formats and runs rules written in the AD FS claim rule language.
//
// Start with [CompileText], which turns a rule text into a [Program], and [Program.Evaluate], which runs it over a set
// of claims; [NewPipeline] joins acceptance, authorization and issuance rules into one sign-in. [Parse], [Format] and
// [Lint] are for tools that show or change rules.
//
// What is not done: the package fetches nothing. Attribute stores come in through the [Store] interface (the bridges
// claims/adattributes and claims/sqlattributes implement it), and SAML tokens are made by claims/samlclaims. The
// _ProxyCredentialStore of AD FS is not supported: a rule that asks it fails with POLICY0018. Regular expressions follow
// .NET with two known limits: Unicode block names (\p{IsGreek}) are refused, and a character beyond U+FFFF counts as one.
//
// Followed are the published descriptions of the AD FS claim rule language and, for [DialectCTA], MS-CTA (Claims
// Transformation Algorithm), sections 2.2.1 and 3.1.5. Where they are silent there is a default and an option: see [Options].
//
// Every input is bounded by [Limits]; exceeding one is an error without any output, as is a regular expression that
// takes too long. An evaluation that fails never yields claims, and a decision that nobody made is no permission.
//
// The codes of [Error] and [Finding] are stable. The text of messages, the JSON of a [Trace] and the set of lints may change.
package claims
