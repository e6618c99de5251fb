package permissionset

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// Verdict says how sure a row of [WhoCanResult] is.
type Verdict string

// The verdicts. Combinations that are denied are left out.
const (
	VerdictAllow       Verdict = "allow"
	VerdictConditional Verdict = "conditional" // hangs on context keys that are not known
	VerdictUnknown     Verdict = "unknown"     // a policy document is not given
)

// WhoCanRow is one user with one permission set in one account.
type WhoCanRow struct {
	User           string     `json:"user"`
	Account        string     `json:"account"`
	PermissionSet  string     `json:"permissionSet"`
	Decision       Verdict    `json:"decision"`
	Via            [][]string `json:"via"`
	MissingContext []string   `json:"missingContext"` // of conditional rows: the unknown keys as written in the policies
	Unresolved     []string   `json:"unresolved"`     // the policy documents that are not given
}

// WhoCanResult answers who may do something.
type WhoCanResult struct {
	Action   string      `json:"action"`
	Resource string      `json:"resource"`
	Results  []WhoCanRow `json:"results"` // by user, account and set
	Warnings []Problem   `json:"warnings"`
}

// WhoCanQuery is one question.
type WhoCanQuery struct {
	Action   string // service:Name
	Resource string // an ARN, or "*"
	// Partition is that of the accounts; empty means that of the ARN, or "aws".
	Partition string
	// Options are the readings of the policy language.
	Options policy.Options
}

// ErrQuery is what errors.Is finds when a question is malformed.
var ErrQuery = errors.New("permissionset: action or resource is empty")

// Person is a user with the groups that hold the user.
type Person struct {
	User        User
	Memberships []Membership
}

// WhoCan returns who may do an action on a resource by the policies of the permission sets. An ARN with an account
// selects that account; without, every account is asked. Context keys that do not follow from the permission set are
// unknown. Cross-account access, which needs a policy of the resource, is not reported.
func (a *Access) WhoCan(people []Person, q WhoCanQuery) (WhoCanResult, error) {
	return a.whoCan(func(keep func(*grant) bool) iter.Seq[Effective] {
		return func(yield func(Effective) bool) {
			for _, p := range people {
				if !yield(a.effective(p.User, a.sources(p.User, sorted(p.Memberships)), keep)) {
					return
				}
			}
		}
	}, q)
}

// whoCan asks for people's access reduced to the grants that matter.
func (a *Access) whoCan(people func(keep func(*grant) bool) iter.Seq[Effective], q WhoCanQuery) (WhoCanResult, error) {
	out := WhoCanResult{Action: q.Action, Resource: q.Resource, Results: []WhoCanRow{}, Warnings: slices.Clone(a.warnings)}
	if q.Action == "" || q.Resource == "" {
		return WhoCanResult{}, ErrQuery
	}
	only := ""
	if f := strings.SplitN(q.Resource, ":", 6); len(f) == 6 && f[0] == "arn" {
		q.Partition = cmp.Or(q.Partition, f[1])
		if accountID(f[4]) {
			only = f[4]
		}
	}
	q.Partition = cmp.Or(q.Partition, "aws")
	docs := ParseDocuments(a.org.PolicyDocuments)
	out.Warnings = append(out.Warnings, docs.warnings...)
	if out.Warnings == nil {
		out.Warnings = []Problem{}
	}
	// The answer is the same for every holder of a set in an account: the session name is all that differs.
	known := map[uint64]*setVerdict{}
	verdict := func(g *grant) *setVerdict {
		key := uint64(g.target)<<32 | uint64(g.set) //nolint:gosec // places in lists
		v, ok := known[key]
		if !ok {
			v = a.judge(a.org.PermissionSets[g.set].Name, a.org.Accounts[g.target].ID, q, docs)
			known[key] = v
		}
		return v
	}
	keep := func(g *grant) bool {
		return (only == "" || a.org.Accounts[g.target].ID == only) && verdict(g).verdict != ""
	}
	for eff := range people(keep) {
		for _, acc := range eff.Accounts {
			for _, set := range acc.PermissionSets {
				v := verdict(&grant{target: a.accounts[acc.ID], set: a.sets[set.Name]})
				out.Results = append(out.Results, WhoCanRow{
					User: eff.User, Account: acc.ID, PermissionSet: set.Name, Decision: v.verdict, Via: set.Via,
					MissingContext: v.missing, Unresolved: v.unresolved,
				})
			}
		}
	}
	order := func(x, y WhoCanRow) int {
		return cmp.Or(strings.Compare(x.User, y.User), strings.Compare(x.Account, y.Account), strings.Compare(x.PermissionSet, y.PermissionSet))
	}
	if !slices.IsSortedFunc(out.Results, order) { // it is when people come by name
		slices.SortStableFunc(out.Results, order)
	}
	return out, nil
}

// setVerdict is the answer for one set in one account; an empty verdict is a refusal.
type setVerdict struct {
	verdict             Verdict
	missing, unresolved []string
}

func (a *Access) judge(name, account string, q WhoCanQuery, docs *Documents) *setVerdict {
	set := &a.org.PermissionSets[a.sets[name]]
	layers := IdentityOf(set, q.Partition, account, docs)
	v := &setVerdict{missing: []string{}, unresolved: []string{}}
	// The session name stands in aws:userid only, which is unknown here.
	res := policy.Partial(layers.Policies, setRequest(name, q.Partition, account, "session", q.Action, q.Resource), q.Options)
	switch {
	case res.Decision == policy.ExplicitDeny:
		return v
	case len(layers.Unresolved) > 0 || res.Err != nil:
		// A document that is not given may allow or deny, and so may one that asks for too much work.
		v.verdict, v.unresolved = VerdictUnknown, layers.Unresolved
	case res.Decision == policy.Allowed:
		v.verdict = VerdictAllow
	case res.Decision == policy.Conditional:
		v.verdict, v.missing = VerdictConditional, res.MissingContext
	}
	return v
}

// People returns all users of an organization with their groups, for [Access.WhoCan].
func (d *Directory) People(directOnly bool) []Person {
	out := make([]Person, len(d.users))
	for i, u := range d.users {
		out[i] = Person{User: u, Memberships: d.Memberships(u.ID, directOnly)}
	}
	return out
}
