package permissionset

import (
	"cmp"
	"slices"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// WhyQuery asks why a user may, or may not, do an action on a resource in an account.
type WhyQuery struct {
	Account  string // 12 digits
	Action   string // service:Name
	Resource string // an ARN, or "*"
	// Partition is that of the account; empty means "aws".
	Partition string
	Context   map[string][]string // condition keys of the request, beside those that follow from the permission set
	// Options are the readings of the policy language.
	Options policy.Options
}

// Link names the first link of the chain that is missing when access is refused.
type Link string

// The links, in the order of the chain.
const (
	LinkNone       Link = ""           // nothing is missing
	LinkUser       Link = "user"       // the user is disabled
	LinkAccount    Link = "account"    // there is no such account
	LinkAssignment Link = "assignment" // no assignment gives the user a permission set there
	LinkStatement  Link = "statement"  // no held permission set has a statement that allows it
	LinkDeny       Link = "deny"       // a statement denies it
	LinkDocument   Link = "document"   // a policy document is not given, so that nobody can tell
	LinkLimit      Link = "limit"      // the policies ask for more work than policy.Options.MaxWork, so that nobody can tell
)

// Why is the whole chain from a user to a decision: assignment paths, permission sets, deciding statements. On a refusal
// Missing names the first missing link and Nearest what would close it.
type Why struct {
	User     string     `json:"user"`
	Account  string     `json:"account"`
	Action   string     `json:"action"`
	Resource string     `json:"resource"`
	Allowed  bool       `json:"allowed"`
	Missing  Link       `json:"missing,omitempty"`
	Sets     []WhySet   `json:"sets"`              // held in the account, by name
	Nearest  []WhyGrant `json:"nearest,omitempty"` // for LinkAssignment: the assignments of others to sets that would allow it
}

// WhySet is one permission set that the user holds in the account, and what its policies say.
type WhySet struct {
	Name       string                   `json:"name"`
	Via        [][]string               `json:"via"`
	Reasons    []string                 `json:"reasons,omitempty"` // of the assignments, where they have one
	Decision   policy.Decision          `json:"decision"`
	DecidedBy  policy.Layer             `json:"decidedBy"`
	Statements []policy.StatementReport `json:"statements"` // those that matched
	Unresolved []string                 `json:"unresolved,omitempty"`
	Limited    bool                     `json:"limited,omitempty"` // the policies ask for too much work: Decision says nothing
}

// WhyGrant is an assignment that would let the user in if it named the user or one of the user's groups.
type WhyGrant struct {
	PrincipalType PrincipalType `json:"principalType"`
	PrincipalID   string        `json:"principalId"`
	PermissionSet string        `json:"permissionSet"`
}

// Why explains access, or its refusal. A set that denies does not take away what another set allows: each is a role of
// its own. Cross-account access through policies of the resource is not looked at.
func (a *Access) Why(p Person, q WhyQuery) (Why, error) {
	out := Why{User: p.User.UserName, Account: q.Account, Action: q.Action, Resource: q.Resource, Sets: []WhySet{}}
	if q.Action == "" || q.Resource == "" {
		return Why{}, ErrQuery
	}
	q.Partition = cmp.Or(q.Partition, "aws")
	docs := ParseDocuments(a.org.PolicyDocuments)
	eff := a.Effective(p.User, p.Memberships)
	for _, acc := range eff.Accounts {
		if acc.ID == q.Account {
			for _, s := range acc.PermissionSets {
				out.Sets = append(out.Sets, a.whySet(s, p, q, docs))
			}
		}
	}
	out.Missing = a.missing(eff, q, out.Sets)
	out.Allowed = out.Missing == LinkNone
	if out.Missing == LinkAssignment {
		out.Nearest = a.nearest(p, q, docs)
	}
	return out, nil
}

func (a *Access) whySet(s SetAccess, p Person, q WhyQuery, docs *Documents) WhySet {
	e, layers := a.explainSet(s.Name, p.User.UserName, q, docs)
	out := WhySet{Name: s.Name, Via: s.Via, Decision: e.Decision, DecidedBy: e.DecidedBy, Statements: []policy.StatementReport{}, Unresolved: layers.Unresolved, Limited: e.Err != nil}
	for _, st := range e.Statements {
		if st.Matched {
			out.Statements = append(out.Statements, st)
		}
	}
	for _, i := range s.Assignments {
		if r := a.org.Assignments[i].Reason; r != "" && !slices.Contains(out.Reasons, r) {
			out.Reasons = append(out.Reasons, r)
		}
	}
	return out
}

func (a *Access) explainSet(name, user string, q WhyQuery, docs *Documents) (policy.Explanation, Layers) {
	set := &a.org.PermissionSets[a.sets[name]]
	layers := IdentityOf(set, q.Partition, q.Account, docs)
	r := setRequest(name, q.Partition, q.Account, user, q.Action, q.Resource)
	known := r.Context
	r.Context = policy.NewContext(q.Context)
	for _, k := range []string{"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:ResourceAccount"} {
		if v, ok := known.Values(k); ok { // what follows from the set is not the asker's to choose
			r.Context = r.Context.With(k, v...)
		}
	}
	return policy.Explain(layers.Policies, r, q.Options), layers
}

// missing returns the first missing link of the chain.
func (a *Access) missing(eff Effective, q WhyQuery, sets []WhySet) Link {
	_, known := a.accounts[q.Account]
	switch {
	case eff.Status != Enabled:
		return LinkUser
	case !known:
		return LinkAccount
	case len(sets) == 0:
		return LinkAssignment
	}
	link := LinkStatement
	for _, s := range sets {
		switch {
		case s.Decision == policy.ExplicitDeny:
			if link == LinkStatement {
				link = LinkDeny
			}
		case len(s.Unresolved) > 0:
			link = LinkDocument // it may allow, and it may deny
		case s.Limited:
			link = LinkLimit
		case s.Decision == policy.Allowed:
			return LinkNone
		}
	}
	return link
}

// nearest lists the assignments in the account whose permission set would allow the action.
func (a *Access) nearest(p Person, q WhyQuery, docs *Documents) []WhyGrant {
	var out []WhyGrant
	allows := map[string]bool{}
	for _, as := range a.org.Assignments {
		if as.TargetID != q.Account {
			continue
		}
		if _, known := a.sets[as.PermissionSet]; !known {
			continue
		}
		ok, asked := allows[as.PermissionSet]
		if !asked {
			e, layers := a.explainSet(as.PermissionSet, p.User.UserName, q, docs)
			ok = e.Decision == policy.Allowed && len(layers.Unresolved) == 0
			allows[as.PermissionSet] = ok
		}
		if g := (WhyGrant{as.PrincipalType, as.PrincipalID, as.PermissionSet}); ok && !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}
