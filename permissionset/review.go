package permissionset

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// ReviewRow is one way in which one user reaches one account: what a reviewer of access approves or not.
type ReviewRow struct {
	User          string   `json:"user"`
	Account       string   `json:"account"`
	AccountName   string   `json:"accountName"`
	PermissionSet string   `json:"permissionSet"`
	Via           []string `json:"via"`
	Policies      []string `json:"policies"` // ARNs, paths of customer-managed policies, "inline"
	AdminLike     bool     `json:"adminLike"`
	NotAfter      string   `json:"notAfter,omitempty"`
	Reason        string   `json:"reason,omitempty"`
}

// Review lists every way of access of every person, in the order of [Access.Effective].
func (a *Access) Review(people []Person) []ReviewRow {
	docs := ParseDocuments(a.org.PolicyDocuments)
	admin := map[[2]string]bool{}
	out := []ReviewRow{}
	for _, p := range people {
		for _, acc := range a.Effective(p.User, p.Memberships).Accounts {
			for _, s := range acc.PermissionSets {
				set := &a.org.PermissionSets[a.sets[s.Name]]
				key := [2]string{s.Name, acc.ID}
				if _, known := admin[key]; !known {
					admin[key] = adminLike(set, acc.ID, docs)
				}
				for i, via := range s.Via {
					as := a.org.Assignments[s.Assignments[i]]
					out = append(out, ReviewRow{
						User: p.User.UserName, Account: acc.ID, AccountName: acc.Name, PermissionSet: s.Name, Via: via,
						Policies: policyNames(set), AdminLike: admin[key], NotAfter: as.NotAfter, Reason: as.Reason,
					})
				}
			}
		}
	}
	return out
}

func policyNames(set *PermissionSet) []string {
	out := append([]string{}, set.ManagedPolicies...)
	for _, c := range set.CustomerManagedPolicies {
		out = append(out, c.FullPath()+c.Name)
	}
	if len(set.InlinePolicy) > 0 {
		out = append(out, "inline")
	}
	return out
}

// adminLike reports whether a set allows everything: by the managed policies that do so, or by a document that says so.
func adminLike(set *PermissionSet, account string, docs *Documents) bool {
	if slices.ContainsFunc(set.ManagedPolicies, func(arn string) bool { return strings.HasSuffix(arn, ":aws:policy/AdministratorAccess") }) {
		return true
	}
	layers := IdentityOf(set, "aws", account, docs)
	req := setRequest(set.Name, "aws", account, "session", "iam:CreateUser", "*")
	for _, action := range []string{"iam:CreateUser", "organizations:LeaveOrganization", "s3:DeleteBucket"} {
		req.Action = action
		if policy.Partial(layers.Policies, req, policy.Options{}).Decision != policy.Allowed {
			return false
		}
	}
	return true
}

// WriteReviewCSV writes rows for a spreadsheet. Cells that a spreadsheet would take for a formula begin with an apostrophe.
func WriteReviewCSV(w io.Writer, rows []ReviewRow) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"user", "account", "accountName", "permissionSet", "via", "policies", "adminLike", "notAfter", "reason"}); err != nil {
		return err
	}
	for _, r := range rows {
		cells := []string{
			r.User, r.Account, r.AccountName, r.PermissionSet, strings.Join(r.Via, " > "), strings.Join(r.Policies, " "), strconv.FormatBool(r.AdminLike), r.NotAfter, r.Reason,
		}
		for i := range cells {
			cells[i] = safeCell(cells[i])
		}
		if err := c.Write(cells); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func safeCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Reach is the matrix of [Access.WhoCan]: for each action the rows of those who may do it.
func (a *Access) Reach(people []Person, actions []string, resource string, opt policy.Options) (map[string][]WhoCanRow, error) {
	out := make(map[string][]WhoCanRow, len(actions))
	for _, action := range actions {
		res, err := a.WhoCan(people, WhoCanQuery{Action: action, Resource: resource, Options: opt})
		if err != nil {
			return nil, err
		}
		out[action] = res.Results
	}
	return out, nil
}
