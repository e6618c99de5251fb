package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	_ "embed"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/samlclaims"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// acceptanceRules let through what this program says about an Active Directory user, as the default rules of AD FS do.
const acceptanceRules = `@RuleName = "Active Directory claims"
c:[Issuer =~ "^(AD AUTHORITY|SELF AUTHORITY|LOCAL AUTHORITY)$"]
 => issue(claim = c);
`

// defaultRules are those of a relying party without a rules file: NameID = UPN as e-mail address, and the usual attributes.
const defaultRules = `@RuleTemplate = "MapClaims"
@RuleName = "Name ID"
c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"]
 => issue(Type = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = c.Value, ValueType = c.ValueType, Properties["http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"] = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress");

@RuleTemplate = "PassThroughClaims"
@RuleName = "UPN"
c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"]
 => issue(claim = c);

@RuleTemplate = "LdapClaims"
@RuleName = "Attributes"
c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname", Issuer == "AD AUTHORITY"]
 => issue(store = "Active Directory", types = ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "http://schemas.xmlsoap.org/claims/Group"), query = ";mail,displayName,tokenGroups;{0}", param = c.Value);
`

// methodsRule is added to the default rules when there is a second factor: partners may want to know.
const methodsRule = `
@RuleTemplate = "PassThroughClaims"
@RuleName = "Authentication methods"
c:[Type == "` + typeMethodsReferences + `"]
 => issue(claim = c);
`

// typeMethodsReferences lists how somebody proved who he is, one claim for each method.
const typeMethodsReferences = "http://schemas.microsoft.com/claims/authnmethodsreferences"

// portalRules are those of the portal itself: the rule that AD FS needs for IAM Identity Center.
//
//go:embed demo/portal.rules
var portalRules string

// issuer runs the claim rules of each relying party.
type issuer struct {
	acceptance *claims.Program
	pipelines  map[string]*claims.Pipeline // by entity ID
	stores     claims.Stores
	defaults   string // rules of a relying party without a file
}

func newIssuer(stores claims.Stores) (*issuer, error) {
	acceptance, err := claims.CompileText(acceptanceRules, claims.Options{})
	if err != nil {
		return nil, err
	}
	return &issuer{acceptance: acceptance, pipelines: map[string]*claims.Pipeline{}, stores: stores, defaults: defaultRules}, nil
}

// add compiles the rules of a relying party. It is called before serving only.
func (i *issuer) add(entityID, rules string) error {
	program, err := claims.CompileText(rules, claims.Options{AllowComments: true})
	if err != nil {
		return err
	}
	p, err := claims.NewPipeline(claims.PipelineConfig{
		Provider: claims.ADAuthority, Acceptance: i.acceptance, Issuance: program,
		Policy: claims.PermitEveryone(), Stores: i.stores,
	})
	i.pipelines[entityID] = p
	return err
}

// addFile compiles the rules file of a relying party, or the default rules when there is none.
func (i *issuer) addFile(entityID, file string) error {
	if file == "" {
		return i.add(entityID, i.defaults)
	}
	text, err := os.ReadFile(file) //nolint:gosec // the administrator names the file
	if err != nil {
		return err
	}
	if err := i.add(entityID, string(text)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// issue decides what a relying party learns about a person, or that it learns nothing.
func (a *app) issue(ctx context.Context, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
	p, ok := in.User.(person)
	pipeline := a.issuer.pipelines[in.RelyingParty.EntityID]
	if !ok || pipeline == nil {
		return saml.SubjectStatement{}, samlhttp.ErrNotPermitted
	}
	if err := a.mayOpen(ctx, p, in.RelyingParty.EntityID); err != nil {
		return saml.SubjectStatement{}, err
	}
	res, err := pipeline.Run(ctx, claims.PipelineInput{Claims: p.claims(), Context: contextClaims(in)})
	if err != nil {
		return saml.SubjectStatement{}, fmt.Errorf("claim rules: %w", err)
	}
	if !res.Permitted || denied(res.Output) {
		return saml.SubjectStatement{}, samlhttp.ErrNotPermitted
	}
	return subject(res.Output, in)
}

func subject(issued []claims.Claim, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
	var asked claims.SAMLRequest
	if in.Request != nil && in.Request.NameIDPolicy != nil && in.Request.NameIDPolicy.Format != saml.NameIDFormatTransient {
		// A transient identifier is a random value that the identity provider makes itself.
		asked.Format = in.Request.NameIDPolicy.Format
		asked.SPNameQualifier = in.Request.NameIDPolicy.SPNameQualifier
	}
	s, err := samlclaims.Subject(issued, asked)
	switch {
	case errors.Is(err, samlclaims.ErrNoNameID):
		return saml.SubjectStatement{}, fmt.Errorf("%w: %w", samlhttp.ErrNotPermitted, err)
	case errors.Is(err, claims.ErrNameIDPolicy):
		return saml.SubjectStatement{}, fmt.Errorf("%w: %w", saml.ErrNameIDPolicy, err)
	case err != nil:
		return saml.SubjectStatement{}, err
	}
	if s.AuthnContextClassRef == "" {
		s.AuthnContextClassRef = in.ContextClass
	}
	s.AuthnInstant, s.SessionIndex = in.AuthnInstant, in.SessionIndex
	return s, nil
}

// denied reports whether the issuance rules themselves said no: a rules file may hold authorization rules too.
func denied(issued []claims.Claim) bool {
	for _, c := range issued {
		if c.Type == claims.TypeDeny {
			return true
		}
	}
	return false
}

// claims returns what AD FS makes of an Active Directory user.
func (p person) claims() []claims.Claim {
	out := []claims.Claim{
		claims.NewFrom(claims.TypeWindowsAccountName, p.windowsAccount(), claims.ADAuthority),
		claims.NewFrom(claims.TypeName, p.windowsAccount(), claims.ADAuthority),
		claims.NewFrom(claims.TypeUPN, p.UserName(), claims.ADAuthority),
		claims.NewFrom(claims.TypePrimarySID, p.identity.SID, claims.ADAuthority),
	}
	if p.identity.PrimaryGroupSID != "" {
		out = append(out, claims.NewFrom(claims.TypePrimaryGroupSID, p.identity.PrimaryGroupSID, claims.ADAuthority))
	}
	for _, sid := range p.identity.GroupSIDs {
		out = append(out, claims.NewFrom(claims.TypeGroupSID, sid, claims.ADAuthority))
	}
	return out
}

// contextClaims are what the identity provider itself knows about the request.
func contextClaims(in samlhttp.IssueInput) []claims.Claim {
	out := []claims.Claim{
		claims.New(claims.TypeRelyingPartyTrustID, in.RelyingParty.EntityID),
		claims.New(claims.TypeAuthenticationInstant, in.AuthnInstant.UTC().Format(time.RFC3339)),
		claims.New(claims.TypeAuthenticationMethod, in.ContextClass),
	}
	methods := in.Methods
	if len(methods) > 1 {
		methods = append(methods[:len(methods):len(methods)], claims.MultipleAuthn)
	}
	for _, m := range methods {
		out = append(out, claims.New(typeMethodsReferences, m))
	}
	return out
}
