package adfstrust

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/claims"
)

const policySpace = "http://schemas.datacontract.org/2012/04/ADFS"

type policyXML struct {
	XMLName xml.Name
	Rules   []struct {
		Conditions []conditionXML `xml:"Conditions>Condition"`
	} `xml:"IssuanceAuthorizationRules>Rule"`
}

type conditionXML struct {
	Type      string   `xml:"type,attr"`
	Operator  string   `xml:"Operator"`
	ClaimType string   `xml:"ClaimType"`
	Values    []string `xml:"Values>Value"`
}

// ParsePolicy reads the PolicyMetadata of an access control policy. An unknown condition or operator makes it an error:
// a policy that is half understood would let in whom it should keep out.
func ParsePolicy(name string, data []byte) (*claims.AccessPolicy, error) {
	data = utf8Text(data)
	if len(data) > 1<<20 || bytes.Contains(data, []byte("<!DOCTYPE")) {
		return nil, fmt.Errorf("%w: policy is too long or has a document type declaration", ErrFormat)
	}
	var x policyXML
	if err := xml.Unmarshal(data, &x); err != nil {
		return nil, fmt.Errorf("%w: policy: %w", ErrFormat, err)
	}
	if x.XMLName.Local != "PolicyMetadata" || x.XMLName.Space != policySpace {
		return nil, fmt.Errorf("%w: not a PolicyMetadata", ErrFormat)
	}
	p := &claims.AccessPolicy{Name: name}
	for i, r := range x.Rules {
		rule := claims.AccessRule{}
		if len(r.Conditions) == 0 {
			return nil, fmt.Errorf("%w: rule %d of the policy has no condition", ErrFormat, i+1)
		}
		for _, c := range r.Conditions {
			if err := c.addTo(&rule); err != nil {
				return nil, fmt.Errorf("%w: rule %d of the policy: %w", ErrFormat, i+1, err)
			}
		}
		p.Rules = append(p.Rules, rule)
	}
	return p, nil
}

func (c *conditionXML) addTo(r *claims.AccessRule) error { //nolint:cyclop // one case for each condition
	out := claims.AccessCondition{Values: c.Values}
	switch c.Type {
	case "AlwaysCondition", "MultiFactorAuthenticationCondition":
		if c.Operator != "IsPresent" {
			return fmt.Errorf("operator %q of %s", c.Operator, c.Type)
		}
		r.RequireMFA = r.RequireMFA || c.Type == "MultiFactorAuthenticationCondition"
		return nil
	case "GroupMembershipCondition":
		out.Kind = claims.AccessGroup
	case "LocationCondition":
		out.Kind = claims.AccessLocation
	case "DeviceTrustLevelCondition":
		out.Kind = claims.AccessDevice
		for i, v := range out.Values {
			out.Values[i] = strings.ToLower(v)
		}
	case "SpecificClaimCondition":
		out.Kind, out.Type, out.Match = claims.AccessClaim, c.ClaimType, "equals"
	default:
		return fmt.Errorf("condition %q is not known", c.Type)
	}
	if len(out.Values) == 0 || len(out.Values) == 1 && strings.HasPrefix(out.Values[0], "%") {
		out.Values, out.Parameter = nil, true
	}
	switch c.Operator {
	case "Equals":
		r.Conditions = append(r.Conditions, out)
	case "NotEquals":
		r.Exceptions = append(r.Exceptions, out)
	default:
		return fmt.Errorf("operator %q is not known", c.Operator)
	}
	return nil
}

// KnownPolicy returns a policy that AD FS brings along, by its English name. nil: it must be exported.
func KnownPolicy(name string) *claims.AccessPolicy {
	group := claims.AccessCondition{Kind: claims.AccessGroup, Parameter: true}
	switch strings.ToLower(name) {
	case "permit everyone":
		return claims.PermitEveryone()
	case "permit everyone and require mfa":
		return claims.PermitEveryoneAndRequireMFA()
	case "permit specific group":
		return &claims.AccessPolicy{Name: name, Rules: []claims.AccessRule{{Conditions: []claims.AccessCondition{group}}}}
	case "permit everyone for intranet access":
		return &claims.AccessPolicy{Name: name, Rules: []claims.AccessRule{{Conditions: []claims.AccessCondition{{Kind: claims.AccessLocation, Values: []string{"intranet"}}}}}}
	}
	return nil
}
