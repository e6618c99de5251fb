package permissionset

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CLIDocument is what one call of the AWS CLI prints, with what the call was about: the output of some calls does not
// say which permission set it belongs to.
type CLIDocument struct {
	Command          string          `json:"command"`                    // for example "sso-admin describe-permission-set"
	PermissionSetARN string          `json:"permissionSetArn,omitempty"` // --permission-set-arn, or --resource-arn of tags
	Output           json.RawMessage `json:"output"`
}

// ErrImport is what errors.Is finds when an import does not fit together.
var ErrImport = errors.New("permissionset: import")

// cliOutput has the members of all outputs that are understood.
type cliOutput struct {
	PermissionSet *struct {
		Name, PermissionSetArn, Description, SessionDuration, RelayState string
	} `json:",omitempty"`
	AttachedManagedPolicies         []struct{ Name, Arn string }                `json:",omitempty"`
	CustomerManagedPolicyReferences []struct{ Name, Path string }               `json:",omitempty"`
	InlinePolicy                    *string                                     `json:",omitempty"`
	PermissionsBoundary             *cliBoundary                                `json:",omitempty"`
	Tags                            []struct{ Key, Value string }               `json:",omitempty"`
	AccountAssignments              []cliAssignment                             `json:",omitempty"`
	Users                           []struct{ UserID, UserName, Status string } `json:",omitempty"`
	Groups                          []struct{ GroupID, DisplayName string }     `json:",omitempty"`
	GroupMemberships                []cliMembership                             `json:",omitempty"`
	Accounts                        []struct{ ID, Name, Email string }          `json:",omitempty"`
}

type cliBoundary struct {
	ManagedPolicyArn               string                       `json:",omitempty"`
	CustomerManagedPolicyReference *struct{ Name, Path string } `json:",omitempty"`
}

type cliAssignment struct{ AccountID, PermissionSetArn, PrincipalType, PrincipalID string }

type cliMembership struct {
	GroupID  string
	MemberID struct{ UserID string }
}

// ImportCLI puts an organization together from outputs of the AWS CLI: sso-admin describe-permission-set,
// list-managed-policies-in-permission-set, list-customer-managed-policy-references-in-permission-set,
// get-inline-policy-for-permission-set, get-permissions-boundary-for-permission-set, list-tags-for-resource and
// list-account-assignments; identitystore list-users, list-groups and list-group-memberships; organizations list-accounts.
// Other documents are refused.
func ImportCLI(docs []CLIDocument) (*Organization, error) {
	im := &importer{o: &Organization{}, sets: map[string]int{}, groups: map[string]int{}}
	// Sets and groups first: the other outputs refer to them.
	for _, pass := range []func(*CLIDocument, *cliOutput) error{im.named, im.rest} {
		for i := range docs {
			var out cliOutput
			if err := json.Unmarshal(docs[i].Output, &out); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrImport, docs[i].Command, err)
			}
			if err := pass(&docs[i], &out); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrImport, docs[i].Command, err)
			}
		}
	}
	return im.o, nil
}

type importer struct {
	o            *Organization
	sets, groups map[string]int
}

func (im *importer) named(_ *CLIDocument, out *cliOutput) error {
	if p := out.PermissionSet; p != nil {
		if _, twice := im.sets[p.PermissionSetArn]; twice {
			return fmt.Errorf("permission set %s occurs twice", p.PermissionSetArn)
		}
		im.sets[p.PermissionSetArn] = len(im.o.PermissionSets)
		im.o.PermissionSets = append(im.o.PermissionSets, PermissionSet{Name: p.Name, Description: p.Description, SessionDuration: p.SessionDuration, RelayState: p.RelayState})
	}
	for _, g := range out.Groups {
		im.groups[g.GroupID] = len(im.o.Groups)
		im.o.Groups = append(im.o.Groups, Group{ID: g.GroupID, DisplayName: g.DisplayName})
	}
	for _, u := range out.Users {
		im.o.Users = append(im.o.Users, User{ID: u.UserID, UserName: u.UserName, Status: UserStatus(u.Status)})
	}
	for _, a := range out.Accounts {
		im.o.Accounts = append(im.o.Accounts, Account{ID: a.ID, Name: a.Name, Email: a.Email})
	}
	return nil
}

func (im *importer) rest(doc *CLIDocument, out *cliOutput) error { //nolint:cyclop // one part for each kind of output
	for _, a := range out.AccountAssignments {
		i, ok := im.sets[a.PermissionSetArn]
		if !ok {
			return fmt.Errorf("assignment of the unknown permission set %s", a.PermissionSetArn)
		}
		im.o.Assignments = append(im.o.Assignments, Assignment{
			PrincipalType: PrincipalType(a.PrincipalType), PrincipalID: a.PrincipalID, TargetID: a.AccountID, PermissionSet: im.o.PermissionSets[i].Name,
		})
	}
	for _, m := range out.GroupMemberships {
		i, ok := im.groups[m.GroupID]
		if !ok {
			return fmt.Errorf("membership of the unknown group %s", m.GroupID)
		}
		im.o.Groups[i].Users = append(im.o.Groups[i].Users, m.MemberID.UserID)
	}
	if len(out.AttachedManagedPolicies)+len(out.CustomerManagedPolicyReferences)+len(out.Tags) == 0 && out.InlinePolicy == nil && out.PermissionsBoundary == nil {
		return nil
	}
	i, ok := im.sets[doc.PermissionSetARN]
	if !ok {
		return fmt.Errorf("output for the unknown permission set %q", doc.PermissionSetARN)
	}
	set := &im.o.PermissionSets[i]
	for _, p := range out.AttachedManagedPolicies {
		set.ManagedPolicies = append(set.ManagedPolicies, p.Arn)
	}
	for _, c := range out.CustomerManagedPolicyReferences {
		set.CustomerManagedPolicies = append(set.CustomerManagedPolicies, CustomerManagedPolicy{Name: c.Name, Path: c.Path})
	}
	if out.InlinePolicy != nil && *out.InlinePolicy != "" {
		set.InlinePolicy = jsonText(*out.InlinePolicy)
	}
	if b := out.PermissionsBoundary; b != nil {
		set.PermissionsBoundary = &PermissionsBoundary{ManagedPolicyARN: b.ManagedPolicyArn}
		if r := b.CustomerManagedPolicyReference; r != nil {
			set.PermissionsBoundary.CustomerManagedPolicyReference = &CustomerManagedPolicy{Name: r.Name, Path: r.Path}
		}
	}
	for _, t := range out.Tags {
		if set.Tags == nil {
			set.Tags = map[string]string{}
		}
		set.Tags[t.Key] = t.Value
	}
	return nil
}

// setARN makes the ARN of a set for exports: stable, and recognisable as made up.
func setARN(instance string, i int) string {
	return strings.Replace(instance, ":instance/", ":permissionSet/", 1) + fmt.Sprintf("/ps-%016d", i+1)
}

// ExportCLI writes an organization as the AWS CLI would print it. Permission sets get made-up ARNs. Importing the result
// gives the organization back, but for what AWS does not know: ends and reasons of assignments, nesting of groups,
// applications, organisational units.
func ExportCLI(o *Organization, instance string) []CLIDocument {
	var out []CLIDocument
	add := func(command, arn string, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			panic("permissionset: an export cannot be written as JSON")
		}
		out = append(out, CLIDocument{Command: command, PermissionSetARN: arn, Output: raw})
	}
	type m = map[string]any
	arns := map[string]string{}
	for i := range o.PermissionSets {
		p := &o.PermissionSets[i]
		arn := setARN(instance, i)
		arns[p.Name] = arn
		d := m{"Name": p.Name, "PermissionSetArn": arn}
		optional(d, "Description", p.Description)
		optional(d, "SessionDuration", p.SessionDuration)
		optional(d, "RelayState", p.RelayState)
		add("sso-admin describe-permission-set", arn, m{"PermissionSet": d})
		exportPolicies(p, arn, add)
	}
	byGroup := []m{}
	users, groups, accounts := []m{}, []m{}, []m{}
	for _, u := range o.Users {
		d := m{"UserId": u.ID, "UserName": u.UserName}
		optional(d, "Status", string(u.Status))
		users = append(users, d)
	}
	for _, g := range o.Groups {
		groups = append(groups, m{"GroupId": g.ID, "DisplayName": g.DisplayName})
		for _, id := range g.Users {
			byGroup = append(byGroup, m{"GroupId": g.ID, "MemberId": m{"UserId": id}})
		}
	}
	for _, a := range o.Accounts {
		accounts = append(accounts, m{"Id": a.ID, "Name": a.Name, "Email": a.Email})
	}
	add("organizations list-accounts", "", m{"Accounts": accounts})
	add("identitystore list-users", "", m{"Users": users})
	add("identitystore list-groups", "", m{"Groups": groups})
	add("identitystore list-group-memberships", "", m{"GroupMemberships": byGroup})
	list := []m{}
	for _, a := range o.Assignments {
		list = append(list, m{"AccountId": a.TargetID, "PermissionSetArn": arns[a.PermissionSet], "PrincipalType": a.PrincipalType, "PrincipalId": a.PrincipalID})
	}
	add("sso-admin list-account-assignments", "", m{"AccountAssignments": list})
	return out
}

func optional(d map[string]any, key, value string) {
	if value != "" {
		d[key] = value
	}
}

func exportPolicies(p *PermissionSet, arn string, add func(command, arn string, v any)) {
	type m = map[string]any
	if len(p.ManagedPolicies) > 0 {
		list := []m{}
		for _, a := range p.ManagedPolicies {
			list = append(list, m{"Name": a[strings.LastIndexByte(a, '/')+1:], "Arn": a})
		}
		add("sso-admin list-managed-policies-in-permission-set", arn, m{"AttachedManagedPolicies": list})
	}
	if len(p.CustomerManagedPolicies) > 0 {
		list := []m{}
		for _, c := range p.CustomerManagedPolicies {
			list = append(list, m{"Name": c.Name, "Path": c.FullPath()})
		}
		add("sso-admin list-customer-managed-policy-references-in-permission-set", arn, m{"CustomerManagedPolicyReferences": list})
	}
	if len(p.InlinePolicy) > 0 {
		add("sso-admin get-inline-policy-for-permission-set", arn, m{"InlinePolicy": string(InlinePolicyText(p.InlinePolicy))})
	}
	if b := p.PermissionsBoundary; !b.IsZero() {
		d := m{}
		optional(d, "ManagedPolicyArn", b.ManagedPolicyARN)
		if r := b.CustomerManagedPolicyReference; r != nil {
			d["CustomerManagedPolicyReference"] = m{"Name": r.Name, "Path": r.FullPath()}
		}
		add("sso-admin get-permissions-boundary-for-permission-set", arn, m{"PermissionsBoundary": d})
	}
	if len(p.Tags) > 0 {
		list := []m{}
		for _, k := range slices.Sorted(maps.Keys(p.Tags)) {
			list = append(list, m{"Key": k, "Value": p.Tags[k]})
		}
		add("sso-admin list-tags-for-resource", arn, m{"Tags": list})
	}
}
