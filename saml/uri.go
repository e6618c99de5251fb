package saml

// Bindings (saml-bindings-2.0).
const (
	BindingHTTPRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" // section 3.4
	BindingHTTPPost     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"     // section 3.5
	BindingHTTPArtifact = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact" // section 3.6
	BindingSOAP         = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"          // section 3.2
)

// NameID formats (saml-core-2.0 section 8.3).
const (
	NameIDFormatUnspecified     = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	NameIDFormatEmailAddress    = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	NameIDFormatX509SubjectName = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
	NameIDFormatWindowsDomain   = "urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName"
	NameIDFormatKerberos        = "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"
	NameIDFormatEntity          = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	NameIDFormatPersistent      = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	NameIDFormatTransient       = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	NameIDFormatEncrypted       = "urn:oasis:names:tc:SAML:2.0:nameid-format:encrypted" // NameIDPolicy only (section 3.4.1.1)
)

// Attribute name formats (saml-core-2.0 section 8.2).
const (
	AttributeNameFormatUnspecified = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
	AttributeNameFormatURI         = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
	AttributeNameFormatBasic       = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
)

// Status codes (saml-core-2.0 section 3.2.2.2): the first four stand at the top, the others below one of them.
const (
	StatusSuccess         = "urn:oasis:names:tc:SAML:2.0:status:Success"
	StatusRequester       = "urn:oasis:names:tc:SAML:2.0:status:Requester"
	StatusResponder       = "urn:oasis:names:tc:SAML:2.0:status:Responder"
	StatusVersionMismatch = "urn:oasis:names:tc:SAML:2.0:status:VersionMismatch"

	StatusAuthnFailed          = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"
	StatusInvalidNameIDPolicy  = "urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy"
	StatusNoAuthnContext       = "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"
	StatusNoPassive            = "urn:oasis:names:tc:SAML:2.0:status:NoPassive" //nolint:gosec // a name, no secret
	StatusPartialLogout        = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
	StatusRequestDenied        = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied"
	StatusRequestUnsupported   = "urn:oasis:names:tc:SAML:2.0:status:RequestUnsupported"
	StatusUnknownPrincipal     = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"
	StatusUnsupportedBinding   = "urn:oasis:names:tc:SAML:2.0:status:UnsupportedBinding"
	StatusProxyCountExceeded   = "urn:oasis:names:tc:SAML:2.0:status:ProxyCountExceeded"
	StatusNoSupportedIDP       = "urn:oasis:names:tc:SAML:2.0:status:NoSupportedIDP"
	StatusNoAvailableIDP       = "urn:oasis:names:tc:SAML:2.0:status:NoAvailableIDP"
	StatusTooManyResponses     = "urn:oasis:names:tc:SAML:2.0:status:TooManyResponses"
	StatusResourceUnrecognized = "urn:oasis:names:tc:SAML:2.0:status:ResourceNotRecognized"
)

// Authentication context classes (saml-authn-context-2.0 section 3.4) and AD FS's name for an additional factor.
//
//nolint:gosec // names, no secrets
const (
	AuthnContextPassword                   = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
	AuthnContextPasswordProtectedTransport = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
	AuthnContextKerberos                   = "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"
	AuthnContextTimeSyncToken              = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"
	AuthnContextUnspecified                = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	AuthnContextWindows                    = "urn:federation:authentication:windows"
	AuthnContextMultipleAuthn              = "http://schemas.microsoft.com/claims/multipleauthn"
)

const (
	confirmationBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer" //nolint:gosec // a name, no secret
	consentUnspecified = "urn:oasis:names:tc:SAML:2.0:consent:unspecified"
	logoutReasonUser   = "urn:oasis:names:tc:SAML:2.0:logout:user"
)
