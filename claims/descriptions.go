package claims

// Types of claims that rules and this package refer to by name.
const (
	TypeNameID                = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
	TypeUPN                   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
	TypeEmail                 = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
	TypeName                  = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
	TypeGivenName             = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"
	TypeSurname               = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"
	TypePPID                  = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/privatepersonalidentifier"
	TypeCommonName            = "http://schemas.xmlsoap.org/claims/CommonName"
	TypeGroup                 = "http://schemas.xmlsoap.org/claims/Group"
	TypeRole                  = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
	TypeWindowsAccountName    = "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname"
	TypeGroupSID              = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid"
	TypePrimarySID            = "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarysid"
	TypePrimaryGroupSID       = "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid"
	TypeAuthenticationMethod  = "http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationmethod"
	TypeAuthenticationInstant = "http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationinstant"
	TypeInsideCorporate       = "http://schemas.microsoft.com/ws/2012/01/insidecorporatenetwork"
	TypeForwardedClientIP     = "http://schemas.microsoft.com/2012/01/requestcontext/claims/x-ms-forwarded-client-ip"
	TypeClientRequestID       = "http://schemas.microsoft.com/2012/01/requestcontext/claims/client-request-id"
	TypeRelyingPartyTrustID   = "http://schemas.microsoft.com/2012/01/requestcontext/claims/relyingpartytrustid"
	TypePermit                = "http://schemas.microsoft.com/authorization/claims/permit"
	TypeDeny                  = "http://schemas.microsoft.com/authorization/claims/deny"
	TypeIsRegisteredUser      = "http://schemas.microsoft.com/2012/01/devicecontext/claims/isregistereduser"
	TypeAWSRole               = "https://aws.amazon.com/SAML/Attributes/Role"
	TypeAWSRoleSessionName    = "https://aws.amazon.com/SAML/Attributes/RoleSessionName"
	TypeAWSSessionDuration    = "https://aws.amazon.com/SAML/Attributes/SessionDuration"

	// MultipleAuthn is the authentication method that asks for a second factor.
	MultipleAuthn = "http://schemas.microsoft.com/claims/multipleauthn"
)

// Properties of claims that shape a SAML name identifier or attribute.
const (
	PropFormat          = "http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"
	PropNameQualifier   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/namequalifier"
	PropSPNameQualifier = "http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/spnamequalifier"
	PropSPProvidedID    = "http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/spprovidedid"
	PropAttributeName   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/attributename"
	PropDisplayName     = "http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/displayname"
)

const (
	soap       = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	ms2008     = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
	xsoap      = "http://schemas.xmlsoap.org/claims/"
	reqContext = "http://schemas.microsoft.com/2012/01/requestcontext/claims/"
	devContext = "http://schemas.microsoft.com/2012/01/devicecontext/claims/"
	microsoft  = "http://schemas.microsoft.com/"
	awsAttrs   = "https://aws.amazon.com/SAML/Attributes/"
)

// A Description is a claim type with the name that people see.
type Description struct{ Name, Type string }

// Descriptions returns the claim types that AD FS describes, and those of AWS, in a fixed order.
func Descriptions() []Description {
	return []Description{
		{"E-Mail Address", TypeEmail},
		{"Given Name", TypeGivenName},
		{"Name", TypeName},
		{"UPN", TypeUPN},
		{"Common Name", TypeCommonName},
		{"AD FS 1.x E-Mail Address", xsoap + "EmailAddress"},
		{"Group", TypeGroup},
		{"AD FS 1.x UPN", xsoap + "UPN"},
		{"Role", TypeRole},
		{"Surname", TypeSurname},
		{"PPID", TypePPID},
		{"Name ID", TypeNameID},
		{"Authentication Instant", TypeAuthenticationInstant},
		{"Authentication Method", TypeAuthenticationMethod},
		{"Deny Only Group SID", soap + "denyonlysid"},
		{"Deny Only Primary SID", ms2008 + "denyonlyprimarysid"},
		{"Deny Only Primary Group SID", ms2008 + "denyonlyprimarygroupsid"},
		{"Group SID", TypeGroupSID},
		{"Primary Group SID", TypePrimaryGroupSID},
		{"Primary SID", TypePrimarySID},
		{"Windows Account Name", TypeWindowsAccountName},
		{"Inside Corporate Network", TypeInsideCorporate},
		{"Forwarded Client IP", TypeForwardedClientIP},
		{"Client Application", reqContext + "x-ms-client-application"},
		{"Client User Agent", reqContext + "x-ms-client-user-agent"},
		{"Proxy", reqContext + "x-ms-proxy"},
		{"Endpoint Path", reqContext + "x-ms-endpoint-absolute-path"},
		{"Client Request ID", TypeClientRequestID},
		{"Relying Party Trust ID", TypeRelyingPartyTrustID},
		{"Is Registered User", TypeIsRegisteredUser},
		{"Device Registration ID", devContext + "registrationid"},
		{"Authentication Methods References", microsoft + "claims/authnmethodsreferences"},
		{"Authentication Methods Providers", microsoft + "claims/authnmethodsproviders"},
		{"Windows Device Group", ms2008 + "windowsdevicegroup"},
		{"Windows User Claim", ms2008 + "windowsuserclaim"},
		{"Windows Device Claim", ms2008 + "windowsdeviceclaim"},
		{"Immutable ID", microsoft + "LiveID/Federation/2008/05/ImmutableID"},
		{"Issuer ID", ms2008 + "issuerid"},
		{"Account Type", microsoft + "ws/2012/01/accounttype"},
		{"On-Premises Object GUID", microsoft + "identity/claims/onpremobjectguid"},
		{"Proxy Trust ID", ms2008 + "proxytrustid"},
		{"Permit", TypePermit},
		{"Deny", TypeDeny},
		{"Actor", "http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor"},
		{"AWS Role", TypeAWSRole},
		{"AWS Role Session Name", TypeAWSRoleSessionName},
		{"AWS Session Duration", TypeAWSSessionDuration},
	}
}
