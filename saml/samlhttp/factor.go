package samlhttp

import (
	"context"
	"net/http"

	"github.com/adfedkit/adfedkit/saml"
)

// SecondFactor asks for a further proof after the password or ticket: TOTP, WebAuthn, a call to another system.
type SecondFactor interface {
	// Required says whether this user needs it for this relying party. It is also asked for when the relying party demands a
	// context class of several factors.
	Required(ctx context.Context, u User, rp *saml.RelyingParty) (bool, error)
	// Serve shows the step (GET, or a POST that is not its own) and checks its answer. It returns the method that was proved, a
	// URI for the authnmethodsreferences claim, once it is; before that it has written the page itself and returns "".
	// Its form must be posted to step.Action with all of step.Hidden.
	Serve(w http.ResponseWriter, r *http.Request, step FactorStep) (method string, err error)
}

// FactorStep is what a [SecondFactor] needs to build its page.
type FactorStep struct {
	User         User
	RelyingParty *saml.RelyingParty
	Request      *saml.AuthnRequest // nil when nobody asked
	Action       string
	Hidden       []Field // contains a field that tells this step from others
	Message      string
	Answer       bool // the request is this step's own form, and counts as a try; a code in any other request must not be looked at
	// Neutral takes back that this answer counts as a try: call it when the answer held nothing that could be guessed, as a choice
	// between methods. It does nothing for a request that is no answer.
	Neutral func()
}

// Methods of authentication as AD FS names them in the authnmethodsreferences claim.
const (
	MethodPassword   = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport" //nolint:gosec // a name, no secret
	MethodWindows    = "urn:federation:authentication:windows"
	MethodMultiple   = "http://schemas.microsoft.com/claims/multipleauthn"
	factorField      = "AuthMethod"
	factorFieldValue = "AdditionalFactor"
)

// contextClass names what was proved by methods (saml-authn-context 3.4): AD FS's class for several factors, else the class of the
// first method.
func contextClass(methods []string) string {
	switch len(methods) {
	case 0:
		return saml.AuthnContextUnspecified
	case 1:
		return methods[0]
	}
	return saml.AuthnContextMultipleAuthn
}

// strength orders the classes that are known here; 0 is unknown.
func strength(class string) int {
	switch class {
	case saml.AuthnContextUnspecified:
		return 1
	case saml.AuthnContextPassword:
		return 2
	case saml.AuthnContextPasswordProtectedTransport:
		return 3
	case saml.AuthnContextKerberos, saml.AuthnContextWindows:
		return 4
	case saml.AuthnContextMultipleAuthn, refedsMFA, saml.AuthnContextTimeSyncToken:
		return 5
	}
	return 0
}

const (
	refedsMFA       = "https://refeds.org/profile/mfa"
	strengthFactors = 5
)

// classForMethods answers a RequestedAuthnContext (core 3.3.2.2.1): which class to state for the methods that were used, "" when they
// do not meet the request. Who proved two factors has proved the first one too: a request for exactly that class is met.
func classForMethods(req *saml.RequestedAuthnContext, methods []string) string {
	class := classFor(req, contextClass(methods))
	if class == "" && len(methods) > 1 {
		class = classFor(req, methods[0])
	}
	return class
}

// classFor does the same for one class. A class may be stated when what was proved is at least as strong.
func classFor(req *saml.RequestedAuthnContext, proved string) string {
	if req == nil {
		return proved
	}
	have := strength(proved)
	for _, want := range req.ClassRefs {
		level := strength(want)
		if level == 0 {
			continue
		}
		switch req.Comparison {
		case "", "exact":
			if want == proved || sameKind(want, proved) {
				return want
			}
		case "minimum":
			if have >= level {
				return proved
			}
		case "better":
			if have > level {
				return proved
			}
		case "maximum":
			if have <= level {
				return proved
			}
		}
	}
	return ""
}

// sameKind lists the classes of which one proof justifies another: unspecified is met by anything, Password by a protected
// password, the Kerberos names stand for the same, and so do those for several factors.
func sameKind(want, proved string) bool {
	switch want {
	case saml.AuthnContextUnspecified:
		return true
	case saml.AuthnContextPassword, saml.AuthnContextPasswordProtectedTransport:
		return strength(proved) == 2 || strength(proved) == 3
	case saml.AuthnContextKerberos, saml.AuthnContextWindows:
		return strength(proved) == 4
	case saml.AuthnContextMultipleAuthn, refedsMFA:
		return proved == saml.AuthnContextMultipleAuthn
	}
	return false
}

// wantsFactors reports whether only several factors can meet the request.
func wantsFactors(req *saml.RequestedAuthnContext) bool {
	if req == nil {
		return false
	}
	return classFor(req, saml.AuthnContextMultipleAuthn) != "" && classFor(req, saml.AuthnContextPasswordProtectedTransport) == "" &&
		classFor(req, saml.AuthnContextPassword) == "" && classFor(req, saml.AuthnContextWindows) == ""
}
