package claims

import (
	"encoding/json"
	"maps"
)

// Values that a claim has when a rule or a document does not say otherwise.
const (
	// XSString is the value type of a claim without one.
	XSString = "http://www.w3.org/2001/XMLSchema#string"
	// LocalAuthority is the issuer of claims that rules make.
	LocalAuthority = "LOCAL AUTHORITY"
	// ADAuthority is the issuer of claims that the local Active Directory made.
	ADAuthority = "AD AUTHORITY"
	// SelfAuthority is the issuer of claims that the federation service makes about itself.
	SelfAuthority = "SELF AUTHORITY"
)

// A Claim is one statement about a subject. All six fields count when two claims are compared.
type Claim struct {
	Type           string            // usually a URI
	Value          string            // always text; there is no conversion
	ValueType      string            // usually an XML Schema type
	Issuer         string            // who vouches for it here; never sent in a token
	OriginalIssuer string            // who vouched first; sent in a token, so only as true as the partner that sent it
	Properties     map[string]string // nil and empty are the same
}

// New returns a string claim issued by [LocalAuthority].
func New(claimType, value string) Claim {
	return Claim{Type: claimType, Value: value, ValueType: XSString, Issuer: LocalAuthority, OriginalIssuer: LocalAuthority}
}

// NewFrom returns a string claim of the given issuer.
func NewFrom(claimType, value, issuer string) Claim {
	return Claim{Type: claimType, Value: value, ValueType: XSString, Issuer: issuer, OriginalIssuer: issuer}
}

// Equal reports whether c and d agree in all six fields.
func (c Claim) Equal(d Claim) bool {
	return c.Type == d.Type && c.Value == d.Value && c.ValueType == d.ValueType && c.Issuer == d.Issuer &&
		c.OriginalIssuer == d.OriginalIssuer && (len(c.Properties) == 0 && len(d.Properties) == 0 || maps.Equal(c.Properties, d.Properties))
}

// size is what the claim counts against [Limits.Bytes].
func (c *Claim) size() int {
	n := len(c.Type) + len(c.Value) + len(c.ValueType) + len(c.Issuer) + len(c.OriginalIssuer)
	if len(c.Properties) == 0 {
		return n
	}
	for k, v := range c.Properties {
		n += len(k) + len(v)
	}
	return n
}

type claimJSON struct {
	Type           string
	Value          string
	ValueType      *string
	Issuer         *string
	OriginalIssuer *string
	Properties     map[string]string
}

// UnmarshalJSON reads {"Type","Value","ValueType","Issuer","OriginalIssuer","Properties"}. A missing ValueType is
// [XSString], a missing Issuer [LocalAuthority], a missing OriginalIssuer the Issuer.
func (c *Claim) UnmarshalJSON(data []byte) error {
	var j claimJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*c = Claim{Type: j.Type, Value: j.Value, ValueType: XSString, Issuer: LocalAuthority, Properties: j.Properties}
	if j.ValueType != nil {
		c.ValueType = *j.ValueType
	}
	if j.Issuer != nil {
		c.Issuer = *j.Issuer
	}
	c.OriginalIssuer = c.Issuer
	if j.OriginalIssuer != nil {
		c.OriginalIssuer = *j.OriginalIssuer
	}
	return nil
}

// MarshalJSON writes the six fields; Properties is never null.
func (c Claim) MarshalJSON() ([]byte, error) {
	type plain Claim
	p := plain(c)
	if p.Properties == nil {
		p.Properties = map[string]string{}
	}
	return json.Marshal(p)
}
