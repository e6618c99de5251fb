package ssoadmin

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/adfedkit/adfedkit/permissionset"
)

// AttachManagedPolicy implements [permissionset.PolicyAPI].
func (in *Instance) AttachManagedPolicy(ctx context.Context, arn, policyARN string) error {
	return in.with(ctx, "AttachManagedPolicyToPermissionSet", arn, func(e *entry) error {
		if slices.Contains(e.set.ManagedPolicies, policyARN) {
			return refuse("ConflictException", "Managed policy %s is already attached.", policyARN)
		}
		next := e.set
		next.ManagedPolicies = append(slices.Clone(e.set.ManagedPolicies), policyARN)
		return e.replace(next)
	})
}

// DetachManagedPolicy implements [permissionset.PolicyAPI].
func (in *Instance) DetachManagedPolicy(ctx context.Context, arn, policyARN string) error {
	return in.with(ctx, "DetachManagedPolicyFromPermissionSet", arn, func(e *entry) error {
		i := slices.Index(e.set.ManagedPolicies, policyARN)
		if i < 0 {
			return refuse("ResourceNotFoundException", "Managed policy %s is not attached.", policyARN)
		}
		e.set.ManagedPolicies = slices.Delete(slices.Clone(e.set.ManagedPolicies), i, i+1)
		e.changed()
		return nil
	})
}

// ListManagedPolicies implements [permissionset.PolicyAPI].
func (in *Instance) ListManagedPolicies(ctx context.Context, arn string) (out []string, err error) {
	err = in.with(ctx, "ListManagedPoliciesInPermissionSet", arn, func(e *entry) error {
		out = slices.Clone(e.set.ManagedPolicies)
		return nil
	})
	return out, err
}

func sameReference(a, b permissionset.CustomerManagedPolicy) bool {
	return a.Name == b.Name && a.FullPath() == b.FullPath()
}

// AttachCustomerManagedPolicy implements [permissionset.PolicyAPI].
func (in *Instance) AttachCustomerManagedPolicy(ctx context.Context, arn string, p permissionset.CustomerManagedPolicy) error {
	return in.with(ctx, "AttachCustomerManagedPolicyReferenceToPermissionSet", arn, func(e *entry) error {
		if slices.ContainsFunc(e.set.CustomerManagedPolicies, func(q permissionset.CustomerManagedPolicy) bool { return sameReference(p, q) }) {
			return refuse("ConflictException", "Customer managed policy reference is already attached.")
		}
		next := e.set
		next.CustomerManagedPolicies = append(slices.Clone(e.set.CustomerManagedPolicies), p)
		return e.replace(next)
	})
}

// DetachCustomerManagedPolicy implements [permissionset.PolicyAPI].
func (in *Instance) DetachCustomerManagedPolicy(ctx context.Context, arn string, p permissionset.CustomerManagedPolicy) error {
	return in.with(ctx, "DetachCustomerManagedPolicyReferenceFromPermissionSet", arn, func(e *entry) error {
		i := slices.IndexFunc(e.set.CustomerManagedPolicies, func(q permissionset.CustomerManagedPolicy) bool { return sameReference(p, q) })
		if i < 0 {
			return refuse("ResourceNotFoundException", "Customer managed policy reference is not attached.")
		}
		e.set.CustomerManagedPolicies = slices.Delete(slices.Clone(e.set.CustomerManagedPolicies), i, i+1)
		e.changed()
		return nil
	})
}

// ListCustomerManagedPolicies implements [permissionset.PolicyAPI].
func (in *Instance) ListCustomerManagedPolicies(ctx context.Context, arn string) (out []permissionset.CustomerManagedPolicy, err error) {
	err = in.with(ctx, "ListCustomerManagedPolicyReferencesInPermissionSet", arn, func(e *entry) error {
		out = slices.Clone(e.set.CustomerManagedPolicies)
		return nil
	})
	return out, err
}

// PutInlinePolicy implements [permissionset.PolicyAPI].
func (in *Instance) PutInlinePolicy(ctx context.Context, arn, document string) error {
	return in.with(ctx, "PutInlinePolicyToPermissionSet", arn, func(e *entry) error {
		raw, err := json.Marshal(document)
		if err != nil {
			return err
		}
		next := e.set
		next.InlinePolicy = raw
		return e.replace(next)
	})
}

// DeleteInlinePolicy implements [permissionset.PolicyAPI].
func (in *Instance) DeleteInlinePolicy(ctx context.Context, arn string) error {
	return in.with(ctx, "DeleteInlinePolicyFromPermissionSet", arn, func(e *entry) error {
		e.set.InlinePolicy = nil
		e.changed()
		return nil
	})
}

// InlinePolicy implements [permissionset.PolicyAPI].
func (in *Instance) InlinePolicy(ctx context.Context, arn string) (out string, err error) {
	err = in.with(ctx, "GetInlinePolicyForPermissionSet", arn, func(e *entry) error {
		out = string(permissionset.InlinePolicyText(e.set.InlinePolicy))
		return nil
	})
	return out, err
}

// PutPermissionsBoundary implements [permissionset.PolicyAPI].
func (in *Instance) PutPermissionsBoundary(ctx context.Context, arn string, b permissionset.PermissionsBoundary) error {
	return in.with(ctx, "PutPermissionsBoundaryToPermissionSet", arn, func(e *entry) error {
		next := e.set
		next.PermissionsBoundary = &b
		return e.replace(next)
	})
}

// DeletePermissionsBoundary implements [permissionset.PolicyAPI].
func (in *Instance) DeletePermissionsBoundary(ctx context.Context, arn string) error {
	return in.with(ctx, "DeletePermissionsBoundaryFromPermissionSet", arn, func(e *entry) error {
		if e.set.PermissionsBoundary == nil {
			return refuse("ResourceNotFoundException", "PermissionSet has no permissions boundary.")
		}
		e.set.PermissionsBoundary = nil
		e.changed()
		return nil
	})
}

// PermissionsBoundary implements [permissionset.PolicyAPI].
func (in *Instance) PermissionsBoundary(ctx context.Context, arn string) (out *permissionset.PermissionsBoundary, err error) {
	err = in.with(ctx, "GetPermissionsBoundaryForPermissionSet", arn, func(e *entry) error {
		out = e.set.PermissionsBoundary
		return nil
	})
	return out, err
}
