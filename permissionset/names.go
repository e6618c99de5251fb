package permissionset

import (
	"regexp"
	"strings"
)

// ReservedPath is the path of the roles that IAM Identity Center makes.
const ReservedPath = "/aws-reserved/sso.amazonaws.com/"

const reservedPrefix = "AWSReservedSSO_"

// The patterns of the service models. \w is taken as ASCII, as the models' own regular expressions do.
var (
	permissionSetName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]+$`)
	policyName        = permissionSetName //nolint:gochecknoglobals // same pattern
	policyPath        = regexp.MustCompile(`^((/[A-Za-z0-9.,+@=_-]+)*)/$`)
	managedARN        = regexp.MustCompile(`^arn:aws(-[a-z]+)*:iam::aws:policy(/[A-Za-z0-9.,+@=_-]+)+$`)
	permissionSetARN  = regexp.MustCompile(`^arn:aws(-[a-z]+)*:sso:::permissionSet/(sso)?ins-[a-zA-Z0-9.-]{16}/ps-[a-zA-Z0-9./-]{16}$`)
	instanceARN       = regexp.MustCompile(`^arn:aws(-[a-z]+)*:sso:::instance/(sso)?ins-[a-zA-Z0-9.-]{16}$`)
	roleSuffix        = regexp.MustCompile(`^[0-9a-f]{16}$`)
	arnPartition      = regexp.MustCompile(`^aws(-[a-z]+)*$`)
	arnRegion         = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
)

// ValidPermissionSetARN reports whether s is the ARN of a permission set.
func ValidPermissionSetARN(s string) bool { return permissionSetARN.MatchString(s) }

// ValidInstanceARN reports whether s is the ARN of an instance of IAM Identity Center.
func ValidInstanceARN(s string) bool { return instanceARN.MatchString(s) }

// Role is the role that a permission set became in an account.
type Role struct {
	Partition     string // "aws" when it came from a name alone
	Account       string
	Region        string // part of the path; empty when the instance lives in us-east-1
	PermissionSet string
	Suffix        string // 16 hexadecimal digits, drawn by AWS
}

// Name returns the role's name: AWSReservedSSO_<set>_<suffix>.
func (r Role) Name() string { return reservedPrefix + r.PermissionSet + "_" + r.Suffix }

// Path returns the role's path. No region part stands in it when the instance lives in us-east-1.
func (r Role) Path() string {
	if r.Region == "" || r.Region == "us-east-1" {
		return ReservedPath
	}
	return ReservedPath + r.Region + "/"
}

func (r Role) partition() string {
	if r.Partition == "" {
		return "aws"
	}
	return r.Partition
}

// ARN returns the role's ARN.
func (r Role) ARN() string {
	return "arn:" + r.partition() + ":iam::" + r.Account + ":role" + r.Path() + r.Name()
}

// SessionARN returns the ARN of a session of the role; the path does not stand in it.
func (r Role) SessionARN(session string) string {
	return "arn:" + r.partition() + ":sts::" + r.Account + ":assumed-role/" + r.Name() + "/" + session
}

// ParseRoleName reads the name of a role of IAM Identity Center.
func ParseRoleName(name string) (set, suffix string, ok bool) {
	rest, found := strings.CutPrefix(name, reservedPrefix)
	i := strings.LastIndexByte(rest, '_')
	if !found || i < 1 || i > 32 || !roleSuffix.MatchString(rest[i+1:]) || !permissionSetName.MatchString(rest[:i]) {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// ParseRoleARN reads the ARN of a role of IAM Identity Center, or of a session of one.
func ParseRoleARN(arn string) (Role, bool) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" || !arnPartition.MatchString(f[1]) || f[3] != "" || !accountID(f[4]) {
		return Role{}, false
	}
	r := Role{Partition: f[1], Account: f[4]}
	name := ""
	switch f[2] {
	case "iam":
		rest, ok := strings.CutPrefix(f[5], "role"+ReservedPath)
		if !ok {
			return Role{}, false
		}
		if r.Region, name, ok = strings.Cut(rest, "/"); !ok {
			r.Region, name = "", rest
		} else if !arnRegion.MatchString(r.Region) {
			return Role{}, false
		}
	case "sts":
		rest, ok := strings.CutPrefix(f[5], "assumed-role/")
		if !ok {
			return Role{}, false
		}
		name, _, _ = strings.Cut(rest, "/")
	}
	var ok bool
	r.PermissionSet, r.Suffix, ok = ParseRoleName(name)
	if !ok {
		return Role{}, false
	}
	return r, true
}

// PrincipalArnPattern returns a pattern for ArnLike on aws:PrincipalArn that fits the set's role in every account,
// whatever suffix it has: naming the suffix breaks when the role is made anew.
func PrincipalArnPattern(set string) string {
	return "arn:aws:iam::*:role" + ReservedPath + "*" + reservedPrefix + set + "_*"
}

func accountID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
