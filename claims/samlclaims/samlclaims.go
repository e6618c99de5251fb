// Package samlclaims turns claims into the subject and attributes of a SAML assertion, and a verified assertion into claims.
//
// Start with [Subject] on the side that issues and with [Claims] on the side that receives.
//
// What is not done: nothing is signed, verified or sent here, and claims that are no text stay text. A value type that is
// not of XML Schema is not sent: such a value arrives as a string.
//
// Followed are SAML core 2.2.2 (NameID), 2.7.2 (AuthnStatement) and 2.7.3 (Attribute), and the mapping that AD FS
// documents for the claim properties format, namequalifier, spnamequalifier, spprovidedid, attributename and displayname.
//
// The mapping itself, with its limits, is [claims.ToSAML] and [claims.FromSAML]; it may change only where AD FS does.
package samlclaims

import (
	"errors"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/saml"
)

// ErrNoNameID says that no rule issued a name identifier: the assertion would name nobody.
var ErrNoNameID = errors.New("samlclaims: no name identifier was issued")

// Subject maps issued claims to what an assertion says. Exactly one name identifier must have been issued, of the kind
// that the request asks for: see [claims.ErrTwoNameIDs] and [claims.ErrNameIDPolicy].
func Subject(issued []claims.Claim, req claims.SAMLRequest) (saml.SubjectStatement, error) {
	t, err := claims.ToSAML(issued, req)
	if err != nil {
		return saml.SubjectStatement{}, err
	}
	if t.NameID == nil || t.NameID.Value == "" {
		return saml.SubjectStatement{}, ErrNoNameID
	}
	s := saml.SubjectStatement{
		NameID:               saml.NameID(*t.NameID),
		AuthnContextClassRef: t.AuthnMethod,
		AuthnInstant:         t.AuthnInstant,
	}
	for _, a := range t.Attributes {
		out := saml.NewAttribute(a.Name, a.Values...)
		out.NameFormat, out.FriendlyName, out.OriginalIssuer = a.NameFormat, a.FriendlyName, a.OriginalIssuer
		for i := range out.Values {
			out.Values[i].Type = a.ValueType
		}
		s.Attributes = append(s.Attributes, out)
	}
	return s, nil
}

// Claims maps a verified assertion to claims. partner is the configured name of the identity provider; it becomes the
// Issuer of all claims. The OriginalIssuer comes from the assertion and is only as trustworthy as the partner.
func Claims(a *saml.Assertion, partner string) []claims.Claim {
	n := claims.SAMLNameID(a.Subject)
	t := &claims.SAMLToken{NameID: &n}
	if len(a.Authn) > 0 {
		t.AuthnMethod = a.Authn[0].ContextClass
		t.AuthnInstant = a.Authn[0].AuthnInstant
	}
	for _, attr := range a.Attributes {
		for _, v := range attr.Values {
			if v.Nil {
				continue
			}
			t.Attributes = append(t.Attributes, claims.SAMLAttribute{
				Name: attr.Name, NameFormat: attr.NameFormat, FriendlyName: attr.FriendlyName, OriginalIssuer: attr.OriginalIssuer,
				ValueType: v.Type, Values: []string{v.Value},
			})
		}
	}
	return claims.FromSAML(t, partner)
}
