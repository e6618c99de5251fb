package permissionset

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// zeroSuffix stands for the suffix of a role name that nobody can know beforehand.
const zeroSuffix = "0000000000000000"

// Layers are the policies of one permission set in one account.
type Layers struct {
	Policies policy.Policies
	// Unresolved names the documents that are not given or not valid: ARNs of managed policies, and "inline policy".
	Unresolved []string
	// BoundaryUnresolved says that one of them is the permissions boundary, which then is missing from Policies.
	BoundaryUnresolved bool
}

// Documents holds parsed policies by ARN; see [Organization.PolicyDocuments].
type Documents struct {
	byARN    map[string]*policy.Document
	warnings []Problem
}

// ParseDocuments parses the texts of managed policies. Those that are not valid are left out and stand in Warnings.
func ParseDocuments(texts map[string]json.RawMessage) *Documents {
	d := &Documents{byARN: make(map[string]*policy.Document, len(texts))}
	for arn, raw := range texts {
		doc, err := policy.Parse(InlinePolicyText(raw), policy.ParseOptions{Kind: policy.Identity})
		if err != nil {
			d.warnings = append(d.warnings, Problem{Path: pointer("/policyDocuments", arn), Code: "policy", Message: "the policy is not valid and counts as not given: " + err.Error()})
			continue
		}
		d.byARN[arn] = doc
	}
	slices.SortFunc(d.warnings, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return d
}

// Warnings returns the documents that are not valid.
func (d *Documents) Warnings() []Problem { return slices.Clone(d.warnings) }

// IdentityOf builds the layers of a permission set in an account: inline, managed and customer-managed policies together
// are the identity policies, the boundary is the boundary.
func IdentityOf(set *PermissionSet, partition, account string, docs *Documents) Layers {
	var out Layers
	add := func(arn string) *policy.Document {
		doc, ok := docs.byARN[arn]
		if !ok {
			out.Unresolved = append(out.Unresolved, arn)
			return nil
		}
		return doc
	}
	if len(set.InlinePolicy) > 0 {
		doc, err := policy.Parse(InlinePolicyText(set.InlinePolicy), policy.ParseOptions{Kind: policy.Identity})
		if err != nil {
			out.Unresolved = append(out.Unresolved, "inline policy")
		} else {
			out.Policies.Identity = append(out.Policies.Identity, doc)
		}
	}
	for _, arn := range set.ManagedPolicies {
		if doc := add(arn); doc != nil {
			out.Policies.Identity = append(out.Policies.Identity, doc)
		}
	}
	for _, c := range set.CustomerManagedPolicies {
		if doc := add(c.ARN(partition, account)); doc != nil {
			out.Policies.Identity = append(out.Policies.Identity, doc)
		}
	}
	if b := set.PermissionsBoundary; !b.IsZero() {
		arn := b.ManagedPolicyARN
		if arn == "" {
			arn = b.CustomerManagedPolicyReference.ARN(partition, account)
		}
		if doc := add(arn); doc != nil {
			out.Policies.Boundary = []*policy.Document{doc}
		} else {
			out.BoundaryUnresolved = true
		}
	}
	slices.Sort(out.Unresolved)
	out.Unresolved = slices.Compact(out.Unresolved)
	return out
}

// setRequest is the request of a session of the set's role, with the context keys that follow from it.
func setRequest(set, partition, account, user, action, resource string) policy.Request {
	role := Role{Partition: partition, Account: account, PermissionSet: set, Suffix: zeroSuffix}
	return policy.Request{
		Principal: role.SessionARN(user), Action: action, Resource: resource, ResourceAccount: account,
		Context: policy.NewContext(map[string][]string{
			"aws:PrincipalArn":     {role.ARN()},
			"aws:PrincipalAccount": {account},
			"aws:PrincipalType":    {"AssumedRole"},
			"aws:ResourceAccount":  {account},
		}),
	}
}

// placeOf is the JSON pointer of an element of a list.
func placeOf(list string, i int) string { return "/" + list + "/" + strconv.Itoa(i) }
