package claims

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// A SAMLToken is what claims become in a SAML assertion, in plain values: a subject, attributes and how the user signed in.
// claims/samlclaims makes SAML of it.
type SAMLToken struct {
	NameID       *SAMLNameID // nil when no claim names the subject
	Attributes   []SAMLAttribute
	AuthnMethod  string    // AuthnContextClassRef; "" together with a zero AuthnInstant
	AuthnInstant time.Time // when the user signed in
}

// A SAMLNameID is a SAML NameID.
type SAMLNameID struct {
	Value, Format, NameQualifier, SPNameQualifier, SPProvidedID string
}

// A SAMLAttribute is a SAML attribute. Values share one type.
type SAMLAttribute struct {
	Name, NameFormat, FriendlyName string
	ValueType                      string // "" for strings
	OriginalIssuer                 string // "" for LocalAuthority
	Values                         []string
}

// Errors of [ToSAML].
var (
	// ErrTwoNameIDs says that rules issued more than one name identifier (AD FS: ID4139).
	ErrTwoNameIDs = errors.New("claims: more than one name identifier was issued")
	// ErrNameIDPolicy says that the name identifier is not of the kind that the request asked for (AD FS: MSIS7070).
	ErrNameIDPolicy = errors.New("claims: the name identifier is not of the requested format")
	// ErrAuthentication says that authentication method and instant do not both stand in the claims, or cannot be read.
	ErrAuthentication = errors.New("claims: authentication method and instant are issued together or not at all")
	// ErrNameFormat says that the name format of an attribute is no absolute URI.
	ErrNameFormat = errors.New("claims: attribute name format is not an absolute URI")
)

// SAMLRequest is what the relying party asked for. The zero value asks for nothing.
type SAMLRequest struct {
	Format          string // of the NameIDPolicy
	SPNameQualifier string
}

const formatUnspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

// ToSAML maps issued claims: the one name identifier claim to the subject, the first authentication method and instant
// to the authentication statement, all others to attributes. Claims with the same type, value type and original issuer
// become one attribute; the order stays.
func ToSAML(issued []Claim, req SAMLRequest) (*SAMLToken, error) {
	t := &SAMLToken{}
	type key struct{ name, valueType, originalIssuer string }
	where := map[key]int{}
	instant := ""
	for i := range issued {
		c := &issued[i]
		switch {
		case c.Type == TypeNameID:
			if t.NameID != nil {
				return nil, ErrTwoNameIDs
			}
			t.NameID = nameID(c)
			continue
		case c.Type == TypeAuthenticationMethod && t.AuthnMethod == "":
			t.AuthnMethod = c.Value
			continue
		case c.Type == TypeAuthenticationInstant && instant == "":
			instant = c.Value
			continue
		}
		k := key{c.Type, c.ValueType, c.OriginalIssuer}
		n, ok := where[k]
		if !ok {
			a, err := attribute(c)
			if err != nil {
				return nil, err
			}
			n = len(t.Attributes)
			where[k] = n
			t.Attributes = append(t.Attributes, a)
		}
		t.Attributes[n].Values = append(t.Attributes[n].Values, c.Value)
	}
	if (t.AuthnMethod == "") != (instant == "") {
		return nil, ErrAuthentication
	}
	if instant != "" {
		var err error
		if t.AuthnInstant, err = time.Parse(time.RFC3339Nano, instant); err != nil {
			return nil, fmt.Errorf("%w: instant is not a time", ErrAuthentication)
		}
	}
	return t, req.check(t.NameID)
}

// check compares the subject with what was asked for: SAML core 3.4.1.1.
func (r SAMLRequest) check(n *SAMLNameID) error {
	if r.Format == "" && r.SPNameQualifier == "" {
		return nil
	}
	have := SAMLNameID{}
	if n != nil {
		have = *n
	}
	if r.Format != "" && r.Format != formatUnspecified && r.Format != have.Format {
		return ErrNameIDPolicy
	}
	if r.SPNameQualifier != "" && r.SPNameQualifier != have.SPNameQualifier {
		return ErrNameIDPolicy
	}
	return nil
}

func nameID(c *Claim) *SAMLNameID {
	p := c.Properties
	return &SAMLNameID{
		Value: c.Value, Format: p[PropFormat], NameQualifier: p[PropNameQualifier],
		SPNameQualifier: p[PropSPNameQualifier], SPProvidedID: p[PropSPProvidedID],
	}
}

func attribute(c *Claim) (SAMLAttribute, error) {
	a := SAMLAttribute{Name: c.Type, NameFormat: c.Properties[PropAttributeName], FriendlyName: c.Properties[PropDisplayName]}
	if a.NameFormat != "" {
		if u, err := url.Parse(a.NameFormat); err != nil || !u.IsAbs() {
			return a, ErrNameFormat
		}
	}
	if c.ValueType != XSString {
		a.ValueType = c.ValueType
	}
	if c.OriginalIssuer != LocalAuthority {
		a.OriginalIssuer = c.OriginalIssuer
	}
	return a, nil
}

// FromSAML is the receiving side: the claims that a partner's token makes. issuer is the configured name of the
// partner, never a value of the token. The OriginalIssuer of an attribute comes from the token: it is as true as the partner.
func FromSAML(t *SAMLToken, issuer string) []Claim {
	var out []Claim
	add := func(c Claim, props ...string) {
		for i := 0; i < len(props); i += 2 {
			if props[i+1] == "" {
				continue
			}
			if c.Properties == nil {
				c.Properties = map[string]string{}
			}
			c.Properties[props[i]] = props[i+1]
		}
		out = append(out, c)
	}
	if n := t.NameID; n != nil {
		add(NewFrom(TypeNameID, n.Value, issuer), PropFormat, n.Format, PropNameQualifier, n.NameQualifier,
			PropSPNameQualifier, n.SPNameQualifier, PropSPProvidedID, n.SPProvidedID)
	}
	for _, a := range t.Attributes {
		for _, v := range a.Values {
			c := NewFrom(a.Name, v, issuer)
			if a.ValueType != "" {
				c.ValueType = a.ValueType
			}
			if a.OriginalIssuer != "" {
				c.OriginalIssuer = a.OriginalIssuer
			}
			add(c, PropAttributeName, a.NameFormat, PropDisplayName, a.FriendlyName)
		}
	}
	if t.AuthnMethod != "" {
		add(NewFrom(TypeAuthenticationMethod, t.AuthnMethod, issuer))
	}
	if !t.AuthnInstant.IsZero() {
		c := NewFrom(TypeAuthenticationInstant, t.AuthnInstant.UTC().Format("2006-01-02T15:04:05.000Z"), issuer)
		c.ValueType = "http://www.w3.org/2001/XMLSchema#dateTime"
		add(c)
	}
	return out
}
