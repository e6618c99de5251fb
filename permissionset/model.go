package permissionset

import (
	"encoding/json"
	"time"
)

// Organization is everything that decides on access: the document ORG.json, or what a program assembled itself.
type Organization struct {
	Accounts               []Account               `json:"accounts,omitempty"`
	PermissionSets         []PermissionSet         `json:"permissionSets,omitempty"`
	Users                  []User                  `json:"users,omitempty"`
	Groups                 []Group                 `json:"groups,omitempty"`
	Assignments            []Assignment            `json:"assignments,omitempty"`
	Applications           []Application           `json:"applications,omitempty"`
	ApplicationAssignments []ApplicationAssignment `json:"applicationAssignments,omitempty"`
	// PolicyDocuments holds the texts of managed policies by ARN; those of customers as
	// arn:aws:iam::<account>:policy<path><name>.
	PolicyDocuments map[string]json.RawMessage `json:"policyDocuments,omitempty"`
	// AccessControlAttributes are the attributes that become session tags.
	AccessControlAttributes []AccessControlAttribute `json:"accessControlAttributes,omitempty"`
	// Provisioning says where sets are provisioned; part of an actual state.
	Provisioning []ProvisionStatus `json:"provisioning,omitempty"`
}

// Account is an AWS account of the organisation.
type Account struct {
	ID    string            `json:"id"` // 12 digits
	Name  string            `json:"name,omitempty"`
	Email string            `json:"email,omitempty"`
	OU    string            `json:"ou,omitempty"` // path of organisational units, for example "Workloads/Prod"
	Tags  map[string]string `json:"tags,omitempty"`
}

// PermissionSet is a set of permissions that becomes a role in each account where it is assigned.
type PermissionSet struct {
	Name                    string                  `json:"name"`
	Description             string                  `json:"description,omitempty"`
	SessionDuration         string                  `json:"sessionDuration,omitempty"` // ISO 8601; empty means PT1H
	RelayState              string                  `json:"relayState,omitempty"`      // where the console opens
	ManagedPolicies         []string                `json:"managedPolicies,omitempty"` // ARNs of AWS-managed policies
	CustomerManagedPolicies []CustomerManagedPolicy `json:"customerManagedPolicies,omitempty"`
	InlinePolicy            json.RawMessage         `json:"inlinePolicy,omitempty"` // a policy, or a JSON string with its text
	PermissionsBoundary     *PermissionsBoundary    `json:"permissionsBoundary,omitempty"`
	Tags                    map[string]string       `json:"tags,omitempty"`
}

// CustomerManagedPolicy names a policy that must exist in every account where the set is provisioned.
type CustomerManagedPolicy struct {
	Name string `json:"name"`
	Path string `json:"path,omitempty"` // empty means "/"
}

// FullPath returns the path, "/" when it is empty.
func (c CustomerManagedPolicy) FullPath() string {
	if c.Path == "" {
		return "/"
	}
	return c.Path
}

// ARN returns the ARN of the policy in an account.
func (c CustomerManagedPolicy) ARN(partition, account string) string {
	return "arn:" + partition + ":iam::" + account + ":policy" + c.FullPath() + c.Name
}

// PermissionsBoundary limits what the policies of a set can grant. Exactly one field is set.
type PermissionsBoundary struct {
	ManagedPolicyARN               string                 `json:"managedPolicyArn,omitempty"`
	CustomerManagedPolicyReference *CustomerManagedPolicy `json:"customerManagedPolicyReference,omitempty"`
}

// IsZero reports whether there is no boundary.
func (b *PermissionsBoundary) IsZero() bool {
	return b == nil || b.ManagedPolicyARN == "" && b.CustomerManagedPolicyReference == nil
}

// UserStatus says whether a user may sign in.
type UserStatus string

// The statuses of a user.
const (
	Enabled  UserStatus = "ENABLED" // also when empty
	Disabled UserStatus = "DISABLED"
)

// User is a person of the identity store.
type User struct {
	ID       string     `json:"id"`
	UserName string     `json:"userName"`
	Status   UserStatus `json:"status,omitempty"`
}

// Group is a group of the identity store with its direct members, by ID.
type Group struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName"`
	Users       []string `json:"users,omitempty"`
	Groups      []string `json:"groups,omitempty"` // groups nested in this one
}

// PrincipalType says what an assignment names.
type PrincipalType string

// The types of principals.
const (
	UserPrincipal  PrincipalType = "USER"
	GroupPrincipal PrincipalType = "GROUP"
)

// Assignment gives a principal a permission set in an account.
type Assignment struct {
	PrincipalType PrincipalType `json:"principalType"`
	PrincipalID   string        `json:"principalId"`
	TargetID      string        `json:"targetId"` // account
	PermissionSet string        `json:"permissionSet"`
	// NotAfter, RFC 3339, ends the assignment: from that instant it grants nothing. Empty means never. It is ours; AWS
	// knows no such thing.
	NotAfter string `json:"notAfter,omitempty"`
	Reason   string `json:"reason,omitempty"` // why the assignment exists, shown in explanations
}

// Application is something outside the accounts that users open from the portal: a relying party of the identity
// provider or a plain address.
type Application struct {
	ID           string `json:"id"`
	Name         string `json:"name,omitempty"`
	Description  string `json:"description,omitempty"`
	SAMLEntityID string `json:"samlEntityID,omitempty"`
	StartURL     string `json:"startURL,omitempty"`
	// RequireAssignment says whether only assigned users get an assertion; nil means true.
	RequireAssignment *bool `json:"requireAssignment,omitempty"`
}

// AssignmentRequired reports whether only assigned users may open the application.
func (a Application) AssignmentRequired() bool {
	return a.RequireAssignment == nil || *a.RequireAssignment
}

// ApplicationAssignment lets a principal open an application.
type ApplicationAssignment struct {
	PrincipalType PrincipalType `json:"principalType"`
	PrincipalID   string        `json:"principalId"`
	Application   string        `json:"application"` // ID
	NotAfter      string        `json:"notAfter,omitempty"`
	Reason        string        `json:"reason,omitempty"`
}

// Problem is one finding with its place and a stable code.
type Problem struct {
	Path    string `json:"path"` // JSON pointer (RFC 6901)
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Quotas are limits that AWS may change or raise. A zero field means the default in its comment.
type Quotas struct {
	PermissionSets        int // 2000 in an instance
	SetsPerAccount        int // 500 provisioned in one account
	PoliciesPerSet        int // 20 managed and customer-managed policies together
	RolePolicies          int // 10: more need a raised quota for IAM roles in each account
	InlinePolicySize      int // 10240 bytes without white space
	OutstandingCalls      int // 10 asynchronous operations at once
	CallsPerSecond        int // 20
	Users                 int // 100000
	Groups                int // 100000
	AccountsAndApps       int // 3000
	AccessControlAttrs    int // 50
	SAMLAssertion         int // 50000 characters
	IdPCertificate        int // 2500 characters
	Tags                  int // 75 in the API
	TagsInCloudFormation  int // 50
	MinSession            time.Duration
	MaxSession            time.Duration
	DefaultSession        time.Duration
	MaxDescription        int // 700 characters
	MaxRelayState         int // 240
	MaxInlinePolicyLength int // 32768 characters
}

// DefaultQuotas returns the quotas of AWS.
func DefaultQuotas() Quotas {
	return Quotas{
		PermissionSets: 2000, SetsPerAccount: 500, PoliciesPerSet: 20, RolePolicies: 10, InlinePolicySize: 10240,
		OutstandingCalls: 10, CallsPerSecond: 20, Users: 100_000, Groups: 100_000, AccountsAndApps: 3000,
		AccessControlAttrs: 50, SAMLAssertion: 50_000, IdPCertificate: 2500, Tags: 75, TagsInCloudFormation: 50,
		MinSession: time.Hour, MaxSession: 12 * time.Hour, DefaultSession: time.Hour,
		MaxDescription: 700, MaxRelayState: 240, MaxInlinePolicyLength: 32768,
	}
}

// orDefault fills in the defaults.
func (q Quotas) orDefault() Quotas {
	d := DefaultQuotas()
	for _, f := range []struct {
		have *int
		def  int
	}{
		{&q.PermissionSets, d.PermissionSets},
		{&q.SetsPerAccount, d.SetsPerAccount},
		{&q.PoliciesPerSet, d.PoliciesPerSet},
		{&q.RolePolicies, d.RolePolicies},
		{&q.InlinePolicySize, d.InlinePolicySize},
		{&q.OutstandingCalls, d.OutstandingCalls},
		{&q.CallsPerSecond, d.CallsPerSecond},
		{&q.Users, d.Users},
		{&q.Groups, d.Groups},
		{&q.AccountsAndApps, d.AccountsAndApps},
		{&q.AccessControlAttrs, d.AccessControlAttrs},
		{&q.SAMLAssertion, d.SAMLAssertion},
		{&q.IdPCertificate, d.IdPCertificate},
		{&q.Tags, d.Tags},
		{&q.TagsInCloudFormation, d.TagsInCloudFormation},
		{&q.MaxDescription, d.MaxDescription},
		{&q.MaxRelayState, d.MaxRelayState},
		{&q.MaxInlinePolicyLength, d.MaxInlinePolicyLength},
	} {
		if *f.have <= 0 {
			*f.have = f.def
		}
	}
	for _, f := range []struct {
		have *time.Duration
		def  time.Duration
	}{{&q.MinSession, d.MinSession}, {&q.MaxSession, d.MaxSession}, {&q.DefaultSession, d.DefaultSession}} {
		if *f.have <= 0 {
			*f.have = f.def
		}
	}
	return q
}
