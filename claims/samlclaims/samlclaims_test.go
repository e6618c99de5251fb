package samlclaims_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/samlclaims"
	"github.com/adfedkit/adfedkit/saml"
)

const emailFormat = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"

// issued runs the rule that a partner's portal asks for: UPN to a name identifier in e-mail format.
func issued(t *testing.T, more string) []claims.Claim {
	t.Helper()
	rule := claims.Generate(claims.TemplateParams{Template: claims.TemplateMapAll, Incoming: claims.TypeUPN, Outgoing: claims.TypeNameID, OutgoingFormat: emailFormat})
	p, err := claims.CompileText(claims.FormatRule(rule)+more, claims.Options{})
	require.NoError(t, err)
	res, err := p.Evaluate(t.Context(), []claims.Claim{claims.NewFrom(claims.TypeUPN, "alice@corp.example.test", claims.ADAuthority)}, nil)
	require.NoError(t, err)
	return res.Output
}

func TestSubject(t *testing.T) {
	t.Parallel()
	s, err := samlclaims.Subject(issued(t, `=> issue(Type = "group", Value = "a"); => issue(Type = "group", Value = "b");
		=> issue(Type = "x", Value = "y", Properties["`+claims.PropAttributeName+`"] = "urn:f", Properties["`+claims.PropDisplayName+`"] = "X");
		=> issue(Type = "n", Value = "7", ValueType = "http://www.w3.org/2001/XMLSchema#integer", OriginalIssuer = "urn:first");
		=> issue(Type = "`+claims.TypeAuthenticationMethod+`", Value = "urn:m"); => issue(Type = "`+claims.TypeAuthenticationInstant+`", Value = "2026-03-01T12:00:00Z");`),
		claims.SAMLRequest{Format: emailFormat})
	require.NoError(t, err)
	require.Equal(t, saml.NameID{Value: "alice@corp.example.test", Format: emailFormat}, s.NameID)
	require.Len(t, s.Attributes, 3)
	require.Equal(t, "urn:first", s.Attributes[2].OriginalIssuer)
	require.Equal(t, []saml.AttributeValue{{Value: "7", Type: "http://www.w3.org/2001/XMLSchema#integer"}}, s.Attributes[2].Values)
	require.Empty(t, s.Attributes[0].OriginalIssuer)
	require.Empty(t, s.Attributes[0].Values[0].Type)
	require.Equal(t, "group", s.Attributes[0].Name)
	require.Equal(t, []string{"a", "b"}, s.Attributes[0].Strings())
	require.Equal(t, "urn:f", s.Attributes[1].NameFormat)
	require.Equal(t, "X", s.Attributes[1].FriendlyName)
	require.Equal(t, "urn:m", s.AuthnContextClassRef)
	require.Equal(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), s.AuthnInstant)
}

func TestSubjectRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []claims.Claim
		req  claims.SAMLRequest
		want error
	}{
		"nobody":     {in: nil, want: samlclaims.ErrNoNameID},
		"empty name": {in: []claims.Claim{claims.New(claims.TypeNameID, "")}, want: samlclaims.ErrNoNameID},
		"two names":  {in: issued(t, `=> issue(Type = "`+claims.TypeNameID+`", Value = "x");`), want: claims.ErrTwoNameIDs},
		"format":     {in: issued(t, ""), req: claims.SAMLRequest{Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"}, want: claims.ErrNameIDPolicy},
	} {
		s, err := samlclaims.Subject(c.in, c.req)
		require.ErrorIs(t, err, c.want, name)
		require.Equal(t, saml.SubjectStatement{}, s)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	group := saml.NewAttribute("group", "a", "b")
	group.Values = append(group.Values, saml.AttributeValue{Nil: true})
	group.FriendlyName, group.OriginalIssuer = "G", "urn:first"
	group.Values[1].Type = "http://www.w3.org/2001/XMLSchema#integer"
	got := samlclaims.Claims(&saml.Assertion{
		Issuer: "urn:what-the-token-says", Subject: saml.NameID{Value: "alice", Format: emailFormat},
		Authn: []saml.AuthnStatement{{AuthnInstant: at, ContextClass: "urn:m"}}, Attributes: []saml.Attribute{group},
	}, "urn:partner")
	require.Len(t, got, 5)
	for _, c := range got {
		require.Equal(t, "urn:partner", c.Issuer, "the configured name, never a value of the token")
	}
	require.Equal(t, claims.TypeNameID, got[0].Type)
	require.Equal(t, emailFormat, got[0].Properties[claims.PropFormat])
	require.Equal(t, "b", got[2].Value)
	require.Equal(t, claims.XSString, got[1].ValueType)
	require.Equal(t, "http://www.w3.org/2001/XMLSchema#integer", got[2].ValueType)
	require.Equal(t, "urn:first", got[2].OriginalIssuer, "only as true as the partner")
	require.Equal(t, "G", got[2].Properties[claims.PropDisplayName])
	require.Equal(t, "urn:m", got[3].Value)
	require.Equal(t, "2026-03-01T12:00:00.000Z", got[4].Value)
}
