package adfstrust

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Trust is one relying party trust. Rule texts are as exported; "" means that there are none.
type Trust struct {
	Name        string
	Identifiers []string
	Enabled     bool
	Endpoints   []Endpoint

	IssuanceTransformRules         string
	IssuanceAuthorizationRules     string
	DelegationAuthorizationRules   string
	ImpersonationRules             string
	AdditionalAuthenticationRules  string
	AccessControlPolicyName        string
	AccessControlPolicyParameters  []string // groups, as SID or DOMAIN\name
	ClaimsProviderNames            []string // empty: all
	SignedSAMLRequestsRequired     bool
	EncryptClaims                  bool
	SignatureAlgorithm             string
	TokenLifetimeMinutes           int // 0: AD FS's default
	NotBeforeSkewMinutes           int
	AlwaysRequireAuthentication    bool
	SAMLResponseSignature          string
	MetadataURL                    string
	IssueOAuthRefreshTokens        string
	Notes                          string
	ObjectIdentifier               string
	AllowedAuthenticationClassRefs []string
}

// An Endpoint is a SAML endpoint of a relying party.
type Endpoint struct {
	Protocol string // SAMLAssertionConsumer, SAMLLogout, ...
	Binding  string // POST, Redirect, Artifact
	Location string
	Index    int
	Default  bool
}

// A Provider is one claims provider trust.
type Provider struct {
	Name            string
	Identifier      string // becomes the Issuer of its claims
	Enabled         bool
	AcceptanceRules string
}

// ErrFormat says that an export is neither the JSON nor the CLIXML of the cmdlets.
var ErrFormat = errors.New("adfstrust: not an exported trust")

// Parse reads relying party trusts as `Get-AdfsRelyingPartyTrust | ConvertTo-Json` or Export-Clixml writes them, one or
// several, in UTF-8 or UTF-16.
func Parse(data []byte) ([]Trust, error) {
	objects, err := decode(data)
	if err != nil {
		return nil, err
	}
	out := make([]Trust, 0, len(objects))
	for i, o := range objects {
		if !o.has("IssuanceTransformRules") && !o.has("Identifier") {
			return nil, fmt.Errorf("%w: object %d has neither Identifier nor IssuanceTransformRules", ErrFormat, i+1)
		}
		out = append(out, o.trust())
	}
	return out, nil
}

// ParseProviders reads claims provider trusts as `Get-AdfsClaimsProviderTrust` exports them.
func ParseProviders(data []byte) ([]Provider, error) {
	objects, err := decode(data)
	if err != nil {
		return nil, err
	}
	out := make([]Provider, 0, len(objects))
	for i, o := range objects {
		if !o.has("AcceptanceTransformRules") {
			return nil, fmt.Errorf("%w: object %d has no AcceptanceTransformRules", ErrFormat, i+1)
		}
		out = append(out, Provider{
			Name: o.text("Name"), Identifier: o.text("Identifier"), Enabled: o.flag("Enabled"), AcceptanceRules: o.text("AcceptanceTransformRules"),
		})
	}
	return out, nil
}

// object is one exported object: values are string, bool, float64, nil, object or []any.
type object map[string]any

func (o object) has(name string) bool { _, ok := o[name]; return ok }

func (o object) text(name string) string {
	list := texts(o[name])
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func (o object) flag(name string) bool {
	return strings.EqualFold(o.text(name), "true")
}

func (o object) number(name string) int {
	n, err := strconv.Atoi(o.text(name))
	if err != nil {
		return 0
	}
	return n
}

// texts makes a list of whatever PowerShell made of a value: a scalar, an array, {"value": [...], "Count": n}, a URI
// with its parts, or a table of parameters.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, texts(x)...)
		}
		return out
	case object:
		for _, key := range []string{"value", "OriginalString", "AbsoluteUri", "Value", "GroupParameter"} {
			if x, ok := v[key]; ok {
				return texts(x)
			}
		}
	}
	return nil
}

func (o object) trust() Trust {
	t := Trust{
		Name:                           o.text("Name"),
		Identifiers:                    texts(o["Identifier"]),
		Enabled:                        o.flag("Enabled") || !o.has("Enabled"),
		IssuanceTransformRules:         o.text("IssuanceTransformRules"),
		IssuanceAuthorizationRules:     o.text("IssuanceAuthorizationRules"),
		DelegationAuthorizationRules:   o.text("DelegationAuthorizationRules"),
		ImpersonationRules:             o.text("ImpersonationAuthorizationRules"),
		AdditionalAuthenticationRules:  o.text("AdditionalAuthenticationRules"),
		AccessControlPolicyName:        o.text("AccessControlPolicyName"),
		AccessControlPolicyParameters:  texts(o["AccessControlPolicyParameters"]),
		ClaimsProviderNames:            texts(o["ClaimsProviderName"]),
		SignedSAMLRequestsRequired:     o.flag("SignedSamlRequestsRequired"),
		EncryptClaims:                  o.flag("EncryptClaims"),
		SignatureAlgorithm:             o.text("SignatureAlgorithm"),
		TokenLifetimeMinutes:           o.number("TokenLifetime"),
		NotBeforeSkewMinutes:           o.number("NotBeforeSkew"),
		AlwaysRequireAuthentication:    o.flag("AlwaysRequireAuthentication"),
		SAMLResponseSignature:          o.text("SamlResponseSignature"),
		MetadataURL:                    o.text("MetadataUrl"),
		IssueOAuthRefreshTokens:        o.text("IssueOAuthRefreshTokensTo"),
		Notes:                          o.text("Notes"),
		ObjectIdentifier:               o.text("ObjectIdentifier"),
		AllowedAuthenticationClassRefs: texts(o["AllowedAuthenticationClassReferences"]),
	}
	for _, e := range objects(o["SamlEndpoints"]) {
		t.Endpoints = append(t.Endpoints, Endpoint{
			Protocol: e.text("Protocol"), Binding: e.text("Binding"), Location: e.text("Location"), Index: e.number("Index"), Default: e.flag("IsDefault"),
		})
	}
	return t
}

// objects returns the objects in a list, or the single one.
func objects(v any) []object {
	switch v := v.(type) {
	case object:
		if list, ok := v["value"]; ok {
			return objects(list)
		}
		return []object{v}
	case []any:
		var out []object
		for _, x := range v {
			if o, ok := x.(object); ok {
				out = append(out, o)
			}
		}
		return out
	}
	return nil
}
