// Package adfedkit is an embeddable SDK that carries a person's Active Directory identity to the cloud accounts that
// they may use, and can say why. This root package holds documentation only; a program imports the package for its job:
//
//   - saml, saml/samlhttp: SAML 2.0 service provider and identity provider, metadata, net/http handlers
//   - claims: the AD FS claim rule language (parse, lint, evaluate, explain); claims/samlclaims joins it to saml
//   - kerberos, kerberos/spnego: password and ticket authentication against Active Directory
//   - directory, directory/membership: complete reads over LDAP, nested groups flattened
//   - identitystore: users, groups and memberships; adsync, csvimport, scim, awsapi and sqlstore stand below it
//   - permissionset, permissionset/policy, permissionset/sts: who may do what where, IAM policy decisions, AssumeRoleWithSAML;
//     permissionset/sts/sigv4 checks AWS signatures
//
// The packages are independent: the six core packages never import each other. Bridges (claims/samlclaims,
// claims/adattributes, claims/sqlattributes, identitystore/adsync, directory/gssapibind) join two of them, and the programs under
// examples join everything.
//
// # What is not done
//
// No password is stored. No database driver, AWS SDK or tracing library is linked by a package that you import.
// ECP/PAOS, attribute queries, NTLM and WS-Federation are not implemented and are refused with a clear error.
//
// # Compatibility
//
// Before v1 an incompatible change is listed first in CHANGELOG.md under "breaking". Reason words, error kinds, JSON shapes
// and exit codes of the example programs are part of the promise.
package adfedkit
