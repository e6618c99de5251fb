package ssoadmin

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/adfedkit/adfedkit/permissionset"
)

func (in *Instance) start(o *operation) (permissionset.OperationStatus, error) {
	for _, a := range o.accounts {
		if in.busy[a] {
			return permissionset.OperationStatus{}, refuse("ConflictException", "Another operation is in progress in account %s.", a)
		}
	}
	for _, a := range o.accounts {
		in.busy[a] = true
	}
	o.status = permissionset.OperationStatus{RequestID: requestID(), Status: permissionset.InProgress}
	in.ops[o.status.RequestID] = o
	return o.status, nil
}

func accountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func (in *Instance) assign(ctx context.Context, name, kind string, k permissionset.AssignmentKey) (st permissionset.OperationStatus, err error) {
	err = in.with(ctx, name, k.SetARN, func(*entry) error {
		if !accountID(k.Account) || k.PrincipalID == "" || k.PrincipalType != permissionset.UserPrincipal && k.PrincipalType != permissionset.GroupPrincipal {
			return refuse("ValidationException", "account or principal is not valid")
		}
		var err error
		st, err = in.start(&operation{kind: kind, accounts: []string{k.Account}, arn: k.SetARN, key: k})
		return err
	})
	return st, err
}

// CreateAccountAssignment implements [permissionset.AssignmentAPI]. Creating what exists succeeds.
func (in *Instance) CreateAccountAssignment(ctx context.Context, k permissionset.AssignmentKey) (permissionset.OperationStatus, error) {
	return in.assign(ctx, "CreateAccountAssignment", "create", k)
}

// DeleteAccountAssignment implements [permissionset.AssignmentAPI].
func (in *Instance) DeleteAccountAssignment(ctx context.Context, k permissionset.AssignmentKey) (permissionset.OperationStatus, error) {
	return in.assign(ctx, "DeleteAccountAssignment", "delete", k)
}

// ProvisionPermissionSet implements [permissionset.ProvisionAPI].
func (in *Instance) ProvisionPermissionSet(ctx context.Context, arn, account string) (st permissionset.OperationStatus, err error) {
	err = in.with(ctx, "ProvisionPermissionSet", arn, func(e *entry) error {
		accounts := []string{account}
		if account == "" {
			accounts = slices.Sorted(maps.Keys(e.provisioned))
		} else if !accountID(account) {
			return refuse("ValidationException", "TargetId is not valid")
		}
		var err error
		st, err = in.start(&operation{kind: "provision", accounts: accounts, arn: arn})
		return err
	})
	return st, err
}

func (in *Instance) look(ctx context.Context, name, kind, id string) (permissionset.OperationStatus, error) {
	if err := in.begin(ctx, name); err != nil {
		return permissionset.OperationStatus{}, err
	}
	defer in.mu.Unlock()
	o, ok := in.ops[id]
	if !ok || o.kind != kind {
		return permissionset.OperationStatus{}, refuse("ResourceNotFoundException", "Request %s not found", id)
	}
	if o.looks++; o.status.Status == permissionset.InProgress && o.looks >= in.cfg.Looks {
		in.finish(o)
	}
	return o.status, nil
}

// finish does what the operation is about.
func (in *Instance) finish(o *operation) {
	for _, a := range o.accounts {
		delete(in.busy, a)
	}
	e := in.sets[o.arn]
	if e == nil {
		o.status.Status, o.status.FailureReason = permissionset.Failed, "PermissionSet not found"
		return
	}
	o.status.Status = permissionset.Succeeded
	if o.kind == "delete" {
		in.remove(e, o)
		return
	}
	for _, a := range o.accounts {
		if reason := in.missing(e, a); reason != "" {
			o.status.Status, o.status.FailureReason = permissionset.Failed, reason
			return
		}
	}
	for _, a := range o.accounts {
		e.provisioned[a] = true
		if in.roles[roleKey{a, o.arn}] == "" {
			in.roles[roleKey{a, o.arn}] = randomHex(8)
		}
	}
	if o.kind == "create" {
		a := o.accounts[0]
		if e.assignments[a] == nil {
			e.assignments[a] = map[permissionset.AssignmentKey]bool{}
		}
		e.assignments[a][o.key] = true
	}
}

func (in *Instance) remove(e *entry, o *operation) {
	a := o.accounts[0]
	if !e.assignments[a][o.key] {
		o.status.Status, o.status.FailureReason = permissionset.Failed, "Assignment not found"
		return
	}
	delete(e.assignments[a], o.key)
	if len(e.assignments[a]) == 0 { // the role goes, and its suffix with it
		delete(e.assignments, a)
		delete(e.provisioned, a)
		delete(in.roles, roleKey{a, o.arn})
	}
}

// missing says which customer-managed policy an account lacks.
func (in *Instance) missing(e *entry, account string) string {
	if in.cfg.CustomerPolicies == nil {
		return ""
	}
	for _, c := range e.set.CustomerManagedPolicies {
		if !slices.Contains(in.cfg.CustomerPolicies[account], c.FullPath()+c.Name) {
			return "Received a 404 status error: Policy " + c.ARN("aws", account) + " does not exist or is not attachable."
		}
	}
	return ""
}

// DescribeAccountAssignmentCreationStatus implements [permissionset.AssignmentAPI].
func (in *Instance) DescribeAccountAssignmentCreationStatus(ctx context.Context, id string) (permissionset.OperationStatus, error) {
	return in.look(ctx, "DescribeAccountAssignmentCreationStatus", "create", id)
}

// DescribeAccountAssignmentDeletionStatus implements [permissionset.AssignmentAPI].
func (in *Instance) DescribeAccountAssignmentDeletionStatus(ctx context.Context, id string) (permissionset.OperationStatus, error) {
	return in.look(ctx, "DescribeAccountAssignmentDeletionStatus", "delete", id)
}

// DescribePermissionSetProvisioningStatus implements [permissionset.ProvisionAPI].
func (in *Instance) DescribePermissionSetProvisioningStatus(ctx context.Context, id string) (permissionset.OperationStatus, error) {
	return in.look(ctx, "DescribePermissionSetProvisioningStatus", "provision", id)
}

// ListAccountAssignments implements [permissionset.AssignmentAPI].
func (in *Instance) ListAccountAssignments(ctx context.Context, account, arn, token string) (out []permissionset.AssignmentKey, next string, err error) {
	err = in.with(ctx, "ListAccountAssignments", arn, func(e *entry) error {
		keys := slices.SortedFunc(maps.Keys(e.assignments[account]), func(x, y permissionset.AssignmentKey) int {
			return cmp.Or(cmp.Compare(x.PrincipalType, y.PrincipalType), cmp.Compare(x.PrincipalID, y.PrincipalID))
		})
		var err error
		out, next, err = page(in, keys, token)
		return err
	})
	return out, next, err
}

// ListAccountsForProvisionedPermissionSet implements [permissionset.ProvisionAPI].
func (in *Instance) ListAccountsForProvisionedPermissionSet(ctx context.Context, arn, status, token string) (out []string, next string, err error) {
	err = in.with(ctx, "ListAccountsForProvisionedPermissionSet", arn, func(e *entry) error {
		var accounts []string
		for _, a := range slices.Sorted(maps.Keys(e.provisioned)) {
			if status == "" || (status == permissionset.StatusProvisioned) == e.provisioned[a] {
				accounts = append(accounts, a)
			}
		}
		var err error
		out, next, err = page(in, accounts, token)
		return err
	})
	return out, next, err
}
