package permissionset

import (
	"context"
	"errors"
)

// The interfaces below have the methods of the sso-admin API that a plan needs, in simple types. One value usually
// implements all of them, bound to one instance. Their errors carry AWS's code by a method ErrorCode() string, as those of
// the AWS SDK do; ConflictException and ThrottlingException are tried again.

// SetAPI keeps permission sets.
type SetAPI interface {
	// CreatePermissionSet makes a set from name, description, session duration, relay state and tags, and returns its ARN.
	CreatePermissionSet(ctx context.Context, set PermissionSet) (arn string, err error)
	// DescribePermissionSet returns those fields.
	DescribePermissionSet(ctx context.Context, arn string) (PermissionSet, error)
	// UpdatePermissionSet writes description, session duration and relay state.
	UpdatePermissionSet(ctx context.Context, arn string, set PermissionSet) error
	// DeletePermissionSet deletes a set that has no assignments.
	DeletePermissionSet(ctx context.Context, arn string) error
	// ListPermissionSets returns a page of ARNs; an empty token asks for the first, an empty next ends.
	ListPermissionSets(ctx context.Context, token string) (arns []string, next string, err error)
	// ListTags, TagSet and UntagSet keep the tags of a set.
	ListTags(ctx context.Context, arn string) (map[string]string, error)
	TagSet(ctx context.Context, arn string, tags map[string]string) error
	UntagSet(ctx context.Context, arn string, keys []string) error
}

// PolicyAPI keeps the policies of permission sets.
type PolicyAPI interface {
	// AttachManagedPolicy and the other methods change or read one kind of policy of a set.
	AttachManagedPolicy(ctx context.Context, arn, policyARN string) error
	DetachManagedPolicy(ctx context.Context, arn, policyARN string) error
	ListManagedPolicies(ctx context.Context, arn string) ([]string, error)
	AttachCustomerManagedPolicy(ctx context.Context, arn string, p CustomerManagedPolicy) error
	DetachCustomerManagedPolicy(ctx context.Context, arn string, p CustomerManagedPolicy) error
	ListCustomerManagedPolicies(ctx context.Context, arn string) ([]CustomerManagedPolicy, error)
	PutInlinePolicy(ctx context.Context, arn, document string) error
	DeleteInlinePolicy(ctx context.Context, arn string) error
	InlinePolicy(ctx context.Context, arn string) (document string, err error) // "" when there is none
	PutPermissionsBoundary(ctx context.Context, arn string, b PermissionsBoundary) error
	DeletePermissionsBoundary(ctx context.Context, arn string) error
	PermissionsBoundary(ctx context.Context, arn string) (*PermissionsBoundary, error) // nil when there is none
}

// AssignmentKey names an account assignment by the ARN of its set.
type AssignmentKey struct {
	PrincipalType PrincipalType
	PrincipalID   string
	Account       string
	SetARN        string
}

// OperationStatus is the state of an asynchronous operation.
type OperationStatus struct {
	RequestID     string
	Status        string // IN_PROGRESS, SUCCEEDED or FAILED
	FailureReason string
}

// The states of an operation.
const (
	InProgress = "IN_PROGRESS"
	Succeeded  = "SUCCEEDED"
	Failed     = "FAILED"
)

// AssignmentAPI keeps account assignments. Creating and deleting are asynchronous.
type AssignmentAPI interface {
	CreateAccountAssignment(ctx context.Context, k AssignmentKey) (OperationStatus, error)
	DeleteAccountAssignment(ctx context.Context, k AssignmentKey) (OperationStatus, error)
	DescribeAccountAssignmentCreationStatus(ctx context.Context, requestID string) (OperationStatus, error)
	DescribeAccountAssignmentDeletionStatus(ctx context.Context, requestID string) (OperationStatus, error)
	// ListAccountAssignments returns the assignments of one set in one account, by page.
	ListAccountAssignments(ctx context.Context, account, arn, token string) (list []AssignmentKey, next string, err error)
}

// ProvisionAPI writes sets into accounts. It is asynchronous.
type ProvisionAPI interface {
	// ProvisionPermissionSet provisions a set in one account, or in all where it is provisioned when account is empty.
	ProvisionPermissionSet(ctx context.Context, arn, account string) (OperationStatus, error)
	DescribePermissionSetProvisioningStatus(ctx context.Context, requestID string) (OperationStatus, error)
	// ListAccountsForProvisionedPermissionSet returns accounts by page; status is one of [StatusProvisioned] and
	// [StatusNotProvisioned], or empty for all.
	ListAccountsForProvisionedPermissionSet(ctx context.Context, arn, status, token string) (accounts []string, next string, err error)
}

// API is everything that [Apply] and [ReadActual] need.
type API interface {
	SetAPI
	PolicyAPI
	AssignmentAPI
	ProvisionAPI
}

// ErrorCode returns AWS's code in the chain of an error, or "".
func ErrorCode(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return coded.ErrorCode()
	}
	return ""
}

// retryable reports whether AWS asks to try again.
func retryable(err error) bool {
	switch ErrorCode(err) {
	case "ConflictException", "ThrottlingException", "TooManyRequestsException", "InternalServerException":
		return true
	default:
		return false
	}
}

// ReadActual reads the state of an instance: sets with their policies, assignments and where sets are provisioned. It
// costs one ListAccountAssignments for each set and account, since no call lists everything. progress may be nil.
func ReadActual(ctx context.Context, api API, progress func(setsDone, sets int)) (*Organization, error) {
	out := &Organization{}
	arns, err := pages(func(token string) ([]string, string, error) { return api.ListPermissionSets(ctx, token) })
	if err != nil {
		return nil, err
	}
	accounts := map[string]bool{}
	for i, arn := range arns {
		set, err := readSet(ctx, api, arn)
		if err != nil {
			return nil, err
		}
		out.PermissionSets = append(out.PermissionSets, *set)
		if err := readAssignments(ctx, api, arn, set.Name, out, accounts); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(i+1, len(arns))
		}
	}
	return out, nil
}

func pages[T any](page func(token string) ([]T, string, error)) ([]T, error) {
	var out []T
	for token := ""; ; {
		list, next, err := page(token)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
		if next == "" {
			return out, nil
		}
		if next == token {
			return nil, errors.New("permissionset: a list answers with the token that it was asked with")
		}
		token = next
	}
}

func readSet(ctx context.Context, api API, arn string) (*PermissionSet, error) {
	set, err := api.DescribePermissionSet(ctx, arn)
	if err != nil {
		return nil, err
	}
	if set.ManagedPolicies, err = api.ListManagedPolicies(ctx, arn); err != nil {
		return nil, err
	}
	if set.CustomerManagedPolicies, err = api.ListCustomerManagedPolicies(ctx, arn); err != nil {
		return nil, err
	}
	inline, err := api.InlinePolicy(ctx, arn)
	if err != nil {
		return nil, err
	}
	if inline != "" {
		set.InlinePolicy = jsonText(inline)
	}
	if set.PermissionsBoundary, err = api.PermissionsBoundary(ctx, arn); err != nil {
		return nil, err
	}
	set.Tags, err = api.ListTags(ctx, arn)
	return &set, err
}

func readAssignments(ctx context.Context, api API, arn, name string, out *Organization, accounts map[string]bool) error {
	for _, status := range []string{StatusProvisioned, StatusNotProvisioned} {
		list, err := pages(func(token string) ([]string, string, error) {
			return api.ListAccountsForProvisionedPermissionSet(ctx, arn, status, token)
		})
		if err != nil {
			return err
		}
		for _, account := range list {
			out.Provisioning = append(out.Provisioning, ProvisionStatus{PermissionSet: name, Account: account, Status: status})
			if !accounts[account] {
				accounts[account] = true
				out.Accounts = append(out.Accounts, Account{ID: account})
			}
			keys, err := pages(func(token string) ([]AssignmentKey, string, error) {
				return api.ListAccountAssignments(ctx, account, arn, token)
			})
			if err != nil {
				return err
			}
			for _, k := range keys {
				out.Assignments = append(out.Assignments, Assignment{PrincipalType: k.PrincipalType, PrincipalID: k.PrincipalID, TargetID: account, PermissionSet: name})
			}
		}
	}
	return nil
}
