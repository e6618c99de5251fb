package sts

import (
	"crypto/sha1" //nolint:gosec // NameQualifier is defined with SHA-1; nothing is protected by it
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// attributePrefix stands before the names of the attributes that STS reads.
const attributePrefix = "https://aws.amazon.com/SAML/Attributes/"

var (
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7E]+$`)
	providerARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:saml-provider/[A-Za-z0-9._-]{1,128}$`)
	sessionName = regexp.MustCompile(`^[a-zA-Z_0-9+=,.@-]{2,64}$`)
)

// ParseRoleAttribute reads one value of the Role attribute: a role ARN and a provider ARN in either order.
func ParseRoleAttribute(value string) (role, provider string, ok bool) {
	a, b, found := strings.Cut(value, ",")
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	switch {
	case !found:
		return "", "", false
	case roleARN.MatchString(a) && providerARN.MatchString(b):
		return a, b, true
	case roleARN.MatchString(b) && providerARN.MatchString(a):
		return b, a, true
	default:
		return "", "", false
	}
}

// ValidSessionName reports whether s can be the name of a role session.
func ValidSessionName(s string) bool { return sessionName.MatchString(s) }

// NameQualifier returns the value that names an identity provider within an account: the base64 of the SHA-1 of issuer,
// account and "/" with the provider's name (IAM user guide, saml:namequalifier).
func NameQualifier(issuer, account, provider string) string {
	sum := sha1.Sum([]byte(issuer + account + "/" + provider)) //nolint:gosec // as defined
	return base64.StdEncoding.EncodeToString(sum[:])
}

// SubjectType returns the NameID format without the prefix of SAML 2.0; other formats stay whole.
func SubjectType(format string) string {
	return strings.TrimPrefix(format, "urn:oasis:names:tc:SAML:2.0:nameid-format:")
}

// SessionLimits are what bounds the lifetime of credentials. Zero values are absent.
type SessionLimits struct {
	Requested     time.Duration // DurationSeconds
	RoleMaximum   time.Duration // MaxSessionDuration of the role
	Attribute     time.Duration // the SessionDuration attribute: shortens, never lengthens
	UntilNotAfter time.Duration // time to SessionNotOnOrAfter; zero: absent
}

const (
	minDuration     = 900 * time.Second
	maxDuration     = 43200 * time.Second
	defaultDuration = 3600 * time.Second
)

// Credentials returns how long credentials live. A duration above the role's maximum is refused, not cut.
func (l SessionLimits) Credentials() (time.Duration, error) {
	roleMax := l.RoleMaximum
	if roleMax <= 0 {
		roleMax = defaultDuration
	}
	d := l.Requested
	switch {
	case d == 0:
		d = min(defaultDuration, roleMax)
	case d < minDuration || d > maxDuration:
		return 0, durationRange(d)
	case d > roleMax:
		return 0, refuse(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if l.Attribute > 0 {
		d = min(d, l.Attribute)
	}
	if l.UntilNotAfter > 0 {
		d = min(d, l.UntilNotAfter)
	}
	return d, nil
}

func durationRange(d time.Duration) *APIError {
	bound := "greater than or equal to 900"
	if d > maxDuration {
		bound = "less than or equal to 43200"
	}
	return validation(strconv.FormatInt(int64(d/time.Second), 10), "durationSeconds", "Member must have value "+bound)
}

func validation(value, member, constraint string) *APIError {
	if value != "null" {
		value = "'" + value + "'"
	}
	return refuse(400, "ValidationError", "1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s", value, member, constraint)
}
