package permissionset

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// LintOptions says what [Lint] knows besides the organization.
type LintOptions struct {
	// CustomerPolicies are the customer-managed policies that exist, by account, as path and name. nil: not checked.
	CustomerPolicies map[string][]string
	Policy           policy.LintOptions
}

var suffixLiteral = regexp.MustCompile(`AWSReservedSSO_[A-Za-z0-9_+=,.@-]{1,32}_[0-9a-f]{16}`)

// Lint finds what is allowed and probably not meant. Codes: unassigned, empty_group, redundant_direct, admin_equivalent,
// missing_policy, not_provisioned, role_suffix, and those of policy.Lint for inline policies.
func Lint(o *Organization, opt LintOptions) []Problem {
	out := []Problem{}
	add := func(path, code, msg string) { out = append(out, Problem{path, code, msg}) }
	access := NewAccess(*o, AccessConfig{})
	docs := ParseDocuments(o.PolicyDocuments)
	assigned := map[string]bool{}
	for _, a := range o.Assignments {
		assigned[a.PermissionSet] = true
	}
	for i := range o.PermissionSets {
		set := &o.PermissionSets[i]
		path := placeOf("permissionSets", i)
		if !assigned[set.Name] {
			add(path, "unassigned", "is assigned to nobody")
		}
		if adminLike(set, "000000000000", docs) { // any account: what is asked has no account in it
			add(path, "admin_equivalent", "allows everything")
		}
		if len(set.InlinePolicy) == 0 {
			continue
		}
		text := InlinePolicyText(set.InlinePolicy)
		if suffixLiteral.Match(text) {
			add(path+"/inlinePolicy", "role_suffix", "names a role by a suffix that changes when the role is made anew")
		}
		if doc, err := policy.Parse(text, policy.ParseOptions{}); err == nil {
			for _, f := range policy.Lint(doc, opt.Policy) {
				add(path+"/inlinePolicy"+f.Path, f.Code, f.Message)
			}
		}
	}
	for i, g := range o.Groups {
		if len(g.Users)+len(g.Groups) == 0 {
			add(placeOf("groups", i), "empty_group", "has no members")
		}
	}
	out = append(out, redundantDirect(access, NewDirectory(o.Users, o.Groups))...)
	for i, p := range o.Provisioning {
		if p.Status == StatusNotProvisioned {
			add(placeOf("provisioning", i), "not_provisioned", "account "+p.Account+" has an older version of "+p.PermissionSet)
		}
	}
	for _, p := range preflight(o, allKeys(o), PlanOptions{CustomerPolicies: opt.CustomerPolicies}) {
		if p.Code == "missing_policy" {
			out = append(out, p)
		}
	}
	return out
}

func allKeys(o *Organization) map[assignmentKey]bool {
	out := map[assignmentKey]bool{}
	for _, a := range o.Assignments {
		out[assignmentKey{a.PermissionSet, a.TargetID, a.PrincipalType, a.PrincipalID}] = true
	}
	return out
}

// redundantDirect finds assignments to users that a group of theirs has too.
func redundantDirect(access *Access, dir *Directory) []Problem {
	var places []int
	for _, p := range dir.People(false) {
		for _, acc := range access.Effective(p.User, p.Memberships).Accounts {
			for _, set := range acc.PermissionSets {
				if len(set.Via) > 1 && len(set.Via[0]) == 1 && len(set.Via[len(set.Via)-1]) > 1 {
					places = append(places, set.Assignments[0])
				}
			}
		}
	}
	slices.Sort(places)
	out := make([]Problem, 0, len(places))
	for _, i := range places {
		out = append(out, Problem{"/assignments/" + strconv.Itoa(i), "redundant_direct", "a group grants the same to the user"})
	}
	return out
}
