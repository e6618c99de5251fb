package saml

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Names of AWS's attributes; they are case-sensitive.
const (
	AWSAttributePrefix       = "https://aws.amazon.com/SAML/Attributes/"
	AWSAttributeRole         = AWSAttributePrefix + "Role"
	AWSAttributeSessionName  = AWSAttributePrefix + "RoleSessionName"
	AWSAttributeDuration     = AWSAttributePrefix + "SessionDuration"
	AWSAttributeSourceID     = AWSAttributePrefix + "SourceIdentity"
	AWSAttributePrincipalTag = AWSAttributePrefix + "PrincipalTag:" // + key
	AWSAttributeTransitive   = AWSAttributePrefix + "TransitiveTagKeys"

	AWSSignIn   = "https://signin.aws.amazon.com/saml" // assertion consumer service of the console, and Recipient
	AWSAudience = "urn:amazon:webservices"
)

const (
	awsMinDuration = 15 * time.Minute
	awsMaxDuration = 12 * time.Hour
	awsMaxTags     = 50
	awsMaxTagKey   = 128
	awsMaxTagValue = 256
	awsMaxARN      = 2048
)

// AWSRole is a role that may be assumed, and the SAML provider of the account that vouches for it.
type AWSRole struct{ RoleARN, ProviderARN string }

// AWSAttributes is what IAM and STS read from an assertion. AWS limits the packed size of all tags besides; that limit is not
// published and not checked.
type AWSAttributes struct {
	Roles             []AWSRole
	RoleSessionName   string
	SessionDuration   time.Duration // whole seconds, 15 min to 12 h; 0 = not stated
	SourceIdentity    string        // "" = not stated
	PrincipalTags     map[string]string
	TransitiveTagKeys []string // each must name a tag of PrincipalTags
}

// Attributes returns the SAML attributes, or an [*Error] with reason attribute whose Detail names the field that breaks a rule.
func (a AWSAttributes) Attributes() ([]Attribute, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	pairs := make([]string, len(a.Roles))
	for i, r := range a.Roles {
		pairs[i] = r.RoleARN + "," + r.ProviderARN
	}
	out := []Attribute{NewAttribute(AWSAttributeRole, pairs...), NewAttribute(AWSAttributeSessionName, a.RoleSessionName)}
	if a.SessionDuration != 0 {
		out = append(out, NewAttribute(AWSAttributeDuration, strconv.Itoa(int(a.SessionDuration/time.Second))))
	}
	if a.SourceIdentity != "" {
		out = append(out, NewAttribute(AWSAttributeSourceID, a.SourceIdentity))
	}
	for _, k := range slices.Sorted(maps.Keys(a.PrincipalTags)) {
		out = append(out, NewAttribute(AWSAttributePrincipalTag+k, a.PrincipalTags[k]))
	}
	if len(a.TransitiveTagKeys) > 0 {
		out = append(out, NewAttribute(AWSAttributeTransitive, a.TransitiveTagKeys...))
	}
	return out, nil
}

// ParseAWSAttributes reads AWS's attributes from an assertion and holds them against the same rules. Attributes outside AWS's prefix are passed
// over; an unknown name below the prefix is refused, because AWS's names are case-sensitive and a typing error would be silent.
func ParseAWSAttributes(list []Attribute) (AWSAttributes, error) {
	var a AWSAttributes
	seen := map[string]bool{}
	for _, at := range list {
		if !strings.HasPrefix(at.Name, AWSAttributePrefix) {
			continue
		}
		if seen[at.Name] {
			return AWSAttributes{}, awsRefuse(strings.TrimPrefix(awsField(at.Name), "."), "occurs twice")
		}
		seen[at.Name] = true
		if err := a.take(at); err != nil {
			return AWSAttributes{}, err
		}
	}
	if err := a.validate(); err != nil {
		return AWSAttributes{}, err
	}
	return a, nil
}

// awsField names an attribute without what the sender may have put into a tag key.
func awsField(name string) string {
	if strings.HasPrefix(name, AWSAttributePrincipalTag) {
		return "PrincipalTag"
	}
	return strings.TrimPrefix(name, AWSAttributePrefix)
}

func (a *AWSAttributes) take(at Attribute) error { //nolint:cyclop // one case for each attribute
	values := at.Strings()
	single := func() (string, error) {
		if len(values) != 1 {
			return "", awsRefuse(awsField(at.Name), "must have one value")
		}
		return values[0], nil
	}
	var err error
	switch at.Name {
	case AWSAttributeRole:
		for _, v := range values {
			r, err := ParseAWSRole(v)
			if err != nil {
				return err
			}
			a.Roles = append(a.Roles, r)
		}
	case AWSAttributeSessionName:
		a.RoleSessionName, err = single()
	case AWSAttributeSourceID:
		if a.SourceIdentity, err = single(); err == nil && a.SourceIdentity == "" {
			return awsRefuse("SourceIdentity", "is empty")
		}
	case AWSAttributeDuration:
		v, err := single()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil || n == 0 {
			return awsRefuse("SessionDuration", "is no number of seconds")
		}
		a.SessionDuration = time.Duration(n) * time.Second
	case AWSAttributeTransitive:
		a.TransitiveTagKeys = values
	default:
		key, ok := strings.CutPrefix(at.Name, AWSAttributePrincipalTag)
		if !ok {
			return awsRefuse("Name", "is no attribute that AWS knows")
		}
		v, err := single()
		if err != nil {
			return err
		}
		if a.PrincipalTags == nil {
			a.PrincipalTags = map[string]string{}
		}
		a.PrincipalTags[key] = v
	}
	return err
}

// ParseAWSRole reads one value of the Role attribute; AWS takes the two ARNs in either order.
func ParseAWSRole(value string) (AWSRole, error) {
	x, y, ok := strings.Cut(value, ",")
	x, y = strings.TrimSpace(x), strings.TrimSpace(y)
	if ok && strings.Contains(x, ":saml-provider/") {
		x, y = y, x
	}
	r := AWSRole{x, y}
	return r, r.validate()
}

func (r AWSRole) validate() error {
	role := regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/[\x21-\x7e]+$`).FindStringSubmatch(r.RoleARN)
	provider := regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):saml-provider/[A-Za-z0-9._-]{1,128}$`).FindStringSubmatch(r.ProviderARN)
	switch {
	case role == nil || len(r.RoleARN) > awsMaxARN || strings.Contains(r.RoleARN, ","):
		return awsRefuse("Role", "has no role ARN")
	case provider == nil || len(r.ProviderARN) > awsMaxARN:
		return awsRefuse("Role", "has no SAML provider ARN")
	case role[1] != provider[1]:
		return awsRefuse("Role", "names a role and a provider of two accounts")
	}
	return nil
}

func (a AWSAttributes) validate() error { //nolint:cyclop // one list of checks
	name := regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)
	switch {
	case len(a.Roles) == 0:
		return awsRefuse("Role", "is missing")
	case !name.MatchString(a.RoleSessionName):
		return awsRefuse("RoleSessionName", "must be 2 to 64 characters of letters, digits and _+=,.@-")
	case a.SourceIdentity != "" && !name.MatchString(a.SourceIdentity):
		return awsRefuse("SourceIdentity", "must be 2 to 64 characters of letters, digits and _+=,.@-")
	case a.SessionDuration != 0 && (a.SessionDuration < awsMinDuration || a.SessionDuration > awsMaxDuration || a.SessionDuration%time.Second != 0):
		return awsRefuse("SessionDuration", "must be 900 to 43200 whole seconds")
	case len(a.PrincipalTags) > awsMaxTags:
		return awsRefuse("PrincipalTag", "occurs more than 50 times")
	}
	for _, r := range a.Roles {
		if err := r.validate(); err != nil {
			return err
		}
	}
	for k, v := range a.PrincipalTags {
		if k == "" || utf8.RuneCountInString(k) > awsMaxTagKey || utf8.RuneCountInString(v) > awsMaxTagValue {
			return awsRefuse("PrincipalTag", "has an empty or too long key or value")
		}
	}
	for i, k := range a.TransitiveTagKeys {
		if _, ok := a.PrincipalTags[k]; !ok || slices.Contains(a.TransitiveTagKeys[:i], k) {
			return awsRefuse("TransitiveTagKeys", "names a tag that is not there, or one twice")
		}
	}
	return nil
}

func awsRefuse(field, what string) error { return reject(ReasonAttribute, field+" "+what, nil) }

// MetadataProblem is one rule of a partner that metadata breaks.
type MetadataProblem struct {
	Code   string // a stable word
	Detail string
}

// String returns code and detail.
func (p MetadataProblem) String() string { return p.Code + ": " + p.Detail }

const identityCenterMaxChars = 75_000

// CheckIdentityCenter reports every rule of IAM Identity Center that this identity provider metadata breaks: 75,000 characters at
// most, an entity ID, a signing certificate, a single sign-on address. Use [Metadata.Minimal] when it is too long.
func (m *Metadata) CheckIdentityCenter() []MetadataProblem {
	out := m.checkProvider()
	if n, err := m.length(); err == nil && n > identityCenterMaxChars {
		out = append(out, MetadataProblem{"too_long", fmt.Sprintf("%d characters, %d are allowed", n, identityCenterMaxChars)})
	}
	return out
}

// CheckIAM reports every rule of an IAM SAML provider that this metadata breaks: UTF-8 without byte order mark, keys of 1024 bits and more, and
// what [Metadata.CheckIdentityCenter] demands besides the length.
func (m *Metadata) CheckIAM() []MetadataProblem {
	out := m.checkProvider()
	if m.byteOrderMark {
		out = append(out, MetadataProblem{"byte_order_mark", "the document begins with a byte order mark"})
	}
	if m.IDP == nil {
		return out
	}
	for _, c := range m.IDP.SigningCertificates() {
		if bits := rsaBits(c); bits != 0 && bits < 1024 {
			out = append(out, MetadataProblem{"weak_key", fmt.Sprintf("RSA key of %d bits", bits)})
		}
	}
	return out
}

func (m *Metadata) checkProvider() []MetadataProblem {
	var out []MetadataProblem
	add := func(bad bool, code, detail string) {
		if bad {
			out = append(out, MetadataProblem{code, detail})
		}
	}
	add(m.EntityID == "", "entity_id", "no entity ID")
	add(m.IDP == nil, "no_identity_provider", "no identity provider role")
	if m.IDP == nil {
		return out
	}
	add(len(m.IDP.SigningCertificates()) == 0, "no_certificate", "no signing certificate")
	add(len(m.IDP.SingleSignOn) == 0, "no_sign_on", "no SingleSignOnService")
	return out
}

func (m *Metadata) length() (int, error) {
	if m.characters > 0 {
		return m.characters, nil
	}
	doc, err := m.Marshal()
	return utf8.RuneCount(doc), err
}

// Minimal returns the least that a partner of this identity provider needs: entity ID, signing keys (each once), sign-on and logout
// addresses, NameID formats. The signature of the document that it came from cannot survive; sign anew with [Metadata.Sign].
func (m *Metadata) Minimal() (*Metadata, error) {
	if m.IDP == nil {
		return nil, errors.New("saml: Minimal needs an identity provider role")
	}
	d := &IDPDescriptor{WantAuthnRequestsSigned: m.IDP.WantAuthnRequestsSigned, SingleSignOn: slices.Clone(m.IDP.SingleSignOn)}
	d.SingleLogout, d.NameIDFormats = slices.Clone(m.IDP.SingleLogout), slices.Clone(m.IDP.NameIDFormats)
	for _, c := range m.IDP.SigningCertificates() {
		d.Keys = append(d.Keys, KeyDescriptor{Use: KeyUseSigning, Certificate: c})
	}
	return &Metadata{EntityID: m.EntityID, ValidUntil: m.ValidUntil, IDP: d}, nil
}
