// Package sts trades a SAML assertion for temporary credentials and a console sign-in, on both sides of the wire.
//
// As a client: [NewClient], then [Client.AssumeRoleWithSAML] and [Client.SigninURL]. As a server, for tests, labs and
// private portals: [NewHandler] answers AssumeRoleWithSAML and GetCallerIdentity, [NewFederation] getSigninToken and login,
// [NewPortal] the access-portal API; each is an [net/http.Handler] that can be mounted alone. They share a
// [CredentialStore], so that credentials of one work with the others.
//
// Not done: the credentials that the handlers issue are made up here. Real AWS does not accept them, and nothing is ever
// sent to it by a handler. Other operations of STS are answered as unknown.
//
// The shapes are those of the AWS STS API (version 2011-06-15, query protocol), AWS Signature Version 4, "Enabling custom
// identity broker access to the AWS console" of the IAM user guide, and the IAM Identity Center portal API (2019-06-10).
// Assertions are validated by package saml; trust policies and session policies by package policy.
//
// Limits: a request body has at most 1 MiB; parameters have the lengths of the service model. The stores in memory are
// bounded and refuse when they are full.
//
// Error codes are those of AWS and stable; messages follow AWS where its text is known and may change.
package sts
