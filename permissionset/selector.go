package permissionset

import (
	"path"
	"slices"
	"strings"
)

// Selector picks accounts. An account is picked when some part names it and Except does not.
type Selector struct {
	IDs    []string          `json:"ids,omitempty"`
	Names  []string          `json:"names,omitempty"` // patterns with * and ?, as path.Match reads them
	OUs    []string          `json:"ous,omitempty"`   // with everything below
	Tags   map[string]string `json:"tags,omitempty"`  // all must be there; "*" stands for any value
	All    bool              `json:"all,omitempty"`
	Except *Selector         `json:"except,omitempty"`
}

// Expand returns the IDs of the accounts that the selector picks, sorted. A pattern that is not valid picks nothing; where
// it stands in Except, nobody can tell what is left, and nothing is picked at all.
func (s Selector) Expand(accounts []Account) []string {
	out := []string{}
	if s.Except != nil && slices.ContainsFunc(s.Except.Names, malformed) {
		return out
	}
	for _, a := range accounts {
		if s.picks(a) && (s.Except == nil || !s.Except.picks(a)) {
			out = append(out, a.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func malformed(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err != nil
}

func (s Selector) picks(a Account) bool {
	switch {
	case s.All, slices.Contains(s.IDs, a.ID):
		return true
	case slices.ContainsFunc(s.Names, func(p string) bool { ok, err := path.Match(p, a.Name); return ok && err == nil }):
		return true
	case slices.ContainsFunc(s.OUs, func(ou string) bool {
		ou = strings.TrimSuffix(ou, "/")
		return ou != "" && (a.OU == ou || strings.HasPrefix(a.OU, ou+"/"))
	}):
		return true
	case len(s.Tags) == 0:
		return false
	}
	for k, v := range s.Tags {
		if have, ok := a.Tags[k]; !ok || v != "*" && have != v {
			return false
		}
	}
	return true
}

// AssignmentRule gives a principal a permission set in the accounts that a selector picks.
type AssignmentRule struct {
	PrincipalType PrincipalType `json:"principalType"`
	PrincipalID   string        `json:"principalId"`
	PermissionSet string        `json:"permissionSet"`
	Accounts      Selector      `json:"accounts"`
	NotAfter      string        `json:"notAfter,omitempty"`
	Reason        string        `json:"reason,omitempty"`
}

// ExpandRules turns rules into assignments, one for each account, in the order of the rules. A plan that is made from
// them shows each account.
func ExpandRules(accounts []Account, rules []AssignmentRule) []Assignment {
	var out []Assignment
	for _, r := range rules {
		for _, id := range r.Accounts.Expand(accounts) {
			out = append(out, Assignment{
				PrincipalType: r.PrincipalType, PrincipalID: r.PrincipalID, TargetID: id, PermissionSet: r.PermissionSet, NotAfter: r.NotAfter, Reason: r.Reason,
			})
		}
	}
	return out
}
