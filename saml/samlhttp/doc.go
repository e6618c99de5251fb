// Package samlhttp puts the SAML service provider and identity provider of package saml behind net/http handlers.
//
// [NewServiceProvider] first, for an application that lets people sign in elsewhere: mount [ServiceProvider.Handler] and wrap pages
// with [ServiceProvider.Middleware]. [NewIdentityProvider] is the other side, with the addresses of AD FS: sign-in form,
// sign-on page, federation metadata, single logout.
//
// It does not check passwords, look up people or keep accounts: the caller's functions do. It sends no mail and serves no TLS.
// SAML's Enhanced Client profile, attribute queries and HTTP-POST-SimpleSign are refused.
//
// Standards: saml-bindings-2.0 sections 3.2 to 3.6, saml-profiles-2.0 sections 4.1 (Web Browser SSO), 4.4 (Single Logout) and 4.5
// (Artifact Resolution), RFC 6265bis (cookies), Content Security Policy 3.
//
// # Cookies
//
// The response of an identity provider arrives by a cross-site POST, with which no SameSite=Lax cookie comes. The assertion
// consumer service therefore verifies the response, puts the result away and redirects (303) to itself: that GET carries
// the Lax cookies, and only when they show that this browser started the request is the request finished and the assertion
// used up. No SameSite=None cookie is needed. All cookies are sealed with AES-256-GCM; replicas that share
// [ServiceProviderConfig].CookieKey and a replay store can serve any step.
//
// # Limits
//
// Forms 4 MiB, query strings 64 KiB, RelayState 1024 bytes, cookies of one session 12 KiB. Memory stores are bounded.
//
// # What may change
//
// The look of the default pages. Addresses, field names and reason words stay.
package samlhttp
