package ssoadmin

import (
	"context"
	"strings"

	"github.com/adfedkit/adfedkit/permissionset"
)

func policyOperations(out map[string]handle) { //nolint:funlen // one entry for each operation
	out["AttachManagedPolicyToPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		return done(in.AttachManagedPolicy(ctx, q.PermissionSetArn, q.ManagedPolicyArn))
	}
	out["DetachManagedPolicyFromPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		return done(in.DetachManagedPolicy(ctx, q.PermissionSetArn, q.ManagedPolicyArn))
	}
	out["ListManagedPoliciesInPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		arns, err := in.ListManagedPolicies(ctx, q.PermissionSetArn)
		list := []map[string]string{}
		for _, a := range arns {
			list = append(list, map[string]string{"Arn": a, "Name": a[strings.LastIndexByte(a, '/')+1:]})
		}
		return map[string]any{"AttachedManagedPolicies": list}, err
	}
	out["AttachCustomerManagedPolicyReferenceToPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		return done(in.AttachCustomerManagedPolicy(ctx, q.PermissionSetArn, q.CustomerManagedPolicyReference.model()))
	}
	out["DetachCustomerManagedPolicyReferenceFromPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		return done(in.DetachCustomerManagedPolicy(ctx, q.PermissionSetArn, q.CustomerManagedPolicyReference.model()))
	}
	out["ListCustomerManagedPolicyReferencesInPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		refs, err := in.ListCustomerManagedPolicies(ctx, q.PermissionSetArn)
		list := []reference{}
		for _, c := range refs {
			list = append(list, reference{c.Name, c.FullPath()})
		}
		return map[string]any{"CustomerManagedPolicyReferences": list}, err
	}
	out["PutInlinePolicyToPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		return done(in.PutInlinePolicy(ctx, q.PermissionSetArn, q.InlinePolicy))
	}
	out["DeleteInlinePolicyFromPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		return done(in.DeleteInlinePolicy(ctx, q.PermissionSetArn))
	}
	out["GetInlinePolicyForPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		text, err := in.InlinePolicy(ctx, q.PermissionSetArn)
		return map[string]string{"InlinePolicy": text}, err
	}
	out["PutPermissionsBoundaryToPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		if q.PermissionsBoundary == nil {
			return nil, refuse("ValidationException", "PermissionsBoundary is missing")
		}
		b := permissionset.PermissionsBoundary{ManagedPolicyARN: q.PermissionsBoundary.ManagedPolicyArn}
		if r := q.PermissionsBoundary.CustomerManagedPolicyReference; r != nil {
			m := r.model()
			b.CustomerManagedPolicyReference = &m
		}
		return done(in.PutPermissionsBoundary(ctx, q.PermissionSetArn, b))
	}
	out["DeletePermissionsBoundaryFromPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		return done(in.DeletePermissionsBoundary(ctx, q.PermissionSetArn))
	}
	out["GetPermissionsBoundaryForPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		b, err := in.PermissionsBoundary(ctx, q.PermissionSetArn)
		switch {
		case err != nil:
			return nil, err
		case b.IsZero():
			return nil, refuse("ResourceNotFoundException", "PermissionSet has no permissions boundary.")
		}
		w := boundary{ManagedPolicyArn: b.ManagedPolicyARN}
		if r := b.CustomerManagedPolicyReference; r != nil {
			w.CustomerManagedPolicyReference = &reference{r.Name, r.FullPath()}
		}
		return map[string]any{"PermissionsBoundary": w}, nil
	}
}

func (q *input) key() permissionset.AssignmentKey {
	return permissionset.AssignmentKey{PrincipalType: permissionset.PrincipalType(q.PrincipalType), PrincipalID: q.PrincipalID, Account: q.TargetID, SetARN: q.PermissionSetArn}
}

func statusOf(member string, in *Instance, st permissionset.OperationStatus, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	out := map[string]any{"Status": st.Status, "RequestId": st.RequestID}
	if st.FailureReason != "" {
		out["FailureReason"] = st.FailureReason
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if o := in.ops[st.RequestID]; o != nil {
		out["PermissionSetArn"] = o.arn
		switch {
		case o.kind != "provision":
			out["TargetId"], out["TargetType"], out["PrincipalType"], out["PrincipalId"] = o.key.Account, "AWS_ACCOUNT", o.key.PrincipalType, o.key.PrincipalID
		case len(o.accounts) == 1:
			out["AccountId"] = o.accounts[0]
		}
	}
	return map[string]any{member: out}, nil
}

func assignmentOperations(out map[string]handle) {
	const creation, deletion, provisioning = "AccountAssignmentCreationStatus", "AccountAssignmentDeletionStatus", "PermissionSetProvisioningStatus"
	target := func(q *input) error {
		if q.TargetType != "AWS_ACCOUNT" {
			return refuse("ValidationException", "TargetType must be AWS_ACCOUNT")
		}
		return nil
	}
	out["CreateAccountAssignment"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		if err := target(q); err != nil {
			return nil, err
		}
		st, err := in.CreateAccountAssignment(ctx, q.key())
		return statusOf(creation, in, st, err)
	}
	out["DeleteAccountAssignment"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		if err := target(q); err != nil {
			return nil, err
		}
		st, err := in.DeleteAccountAssignment(ctx, q.key())
		return statusOf(deletion, in, st, err)
	}
	out["DescribeAccountAssignmentCreationStatus"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		st, err := in.DescribeAccountAssignmentCreationStatus(ctx, q.CreationID)
		return statusOf(creation, in, st, err)
	}
	out["DescribeAccountAssignmentDeletionStatus"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		st, err := in.DescribeAccountAssignmentDeletionStatus(ctx, q.DeletionID)
		return statusOf(deletion, in, st, err)
	}
	out["ProvisionPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		switch {
		case q.TargetType == "AWS_ACCOUNT" && q.TargetID != "", q.TargetType == "ALL_PROVISIONED_ACCOUNTS" && q.TargetID == "":
		default:
			return nil, refuse("ValidationException", "TargetType and TargetId do not fit")
		}
		st, err := in.ProvisionPermissionSet(ctx, q.PermissionSetArn, q.TargetID)
		return statusOf(provisioning, in, st, err)
	}
	out["DescribePermissionSetProvisioningStatus"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		st, err := in.DescribePermissionSetProvisioningStatus(ctx, q.ProvisionID)
		return statusOf(provisioning, in, st, err)
	}
	out["ListAccountAssignments"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		keys, next, err := in.ListAccountAssignments(ctx, q.AccountID, q.PermissionSetArn, q.NextToken)
		list := []map[string]string{}
		for _, k := range keys {
			list = append(list, map[string]string{"AccountId": k.Account, "PermissionSetArn": k.SetARN, "PrincipalType": string(k.PrincipalType), "PrincipalId": k.PrincipalID})
		}
		return listed(list, next, err)("AccountAssignments")
	}
	out["ListAccountsForProvisionedPermissionSet"] = func(ctx context.Context, in *Instance, q *input) (any, error) {
		return listed(in.ListAccountsForProvisionedPermissionSet(ctx, q.PermissionSetArn, q.ProvisioningStatus, q.NextToken))("AccountIds")
	}
}
