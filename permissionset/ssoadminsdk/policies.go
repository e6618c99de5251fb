package ssoadminsdk

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/adfedkit/adfedkit/permissionset"
)

// AttachManagedPolicy implements [permissionset.PolicyAPI].
func (c *Client) AttachManagedPolicy(ctx context.Context, arn, policyARN string) error {
	_, err := c.api.AttachManagedPolicyToPermissionSet(ctx, &ssoadmin.AttachManagedPolicyToPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn, ManagedPolicyArn: &policyARN})
	return err
}

// DetachManagedPolicy implements [permissionset.PolicyAPI].
func (c *Client) DetachManagedPolicy(ctx context.Context, arn, policyARN string) error {
	_, err := c.api.DetachManagedPolicyFromPermissionSet(ctx, &ssoadmin.DetachManagedPolicyFromPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn, ManagedPolicyArn: &policyARN})
	return err
}

// ListManagedPolicies implements [permissionset.PolicyAPI].
func (c *Client) ListManagedPolicies(ctx context.Context, arn string) ([]string, error) {
	var list []string
	p := ssoadmin.NewListManagedPoliciesInPermissionSetPaginator(c.api, &ssoadmin.ListManagedPoliciesInPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, m := range out.AttachedManagedPolicies {
			list = append(list, aws.ToString(m.Arn))
		}
	}
	return list, nil
}

func reference(p permissionset.CustomerManagedPolicy) *types.CustomerManagedPolicyReference {
	return &types.CustomerManagedPolicyReference{Name: aws.String(p.Name), Path: aws.String(p.FullPath())}
}

func model(r *types.CustomerManagedPolicyReference) permissionset.CustomerManagedPolicy {
	return permissionset.CustomerManagedPolicy{Name: aws.ToString(r.Name), Path: aws.ToString(r.Path)}
}

// AttachCustomerManagedPolicy implements [permissionset.PolicyAPI].
func (c *Client) AttachCustomerManagedPolicy(ctx context.Context, arn string, p permissionset.CustomerManagedPolicy) error {
	_, err := c.api.AttachCustomerManagedPolicyReferenceToPermissionSet(ctx, &ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetInput{
		InstanceArn: c.instance, PermissionSetArn: &arn, CustomerManagedPolicyReference: reference(p),
	})
	return err
}

// DetachCustomerManagedPolicy implements [permissionset.PolicyAPI].
func (c *Client) DetachCustomerManagedPolicy(ctx context.Context, arn string, p permissionset.CustomerManagedPolicy) error {
	_, err := c.api.DetachCustomerManagedPolicyReferenceFromPermissionSet(ctx, &ssoadmin.DetachCustomerManagedPolicyReferenceFromPermissionSetInput{
		InstanceArn: c.instance, PermissionSetArn: &arn, CustomerManagedPolicyReference: reference(p),
	})
	return err
}

// ListCustomerManagedPolicies implements [permissionset.PolicyAPI].
func (c *Client) ListCustomerManagedPolicies(ctx context.Context, arn string) ([]permissionset.CustomerManagedPolicy, error) {
	var list []permissionset.CustomerManagedPolicy
	p := ssoadmin.NewListCustomerManagedPolicyReferencesInPermissionSetPaginator(c.api, &ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for i := range out.CustomerManagedPolicyReferences {
			list = append(list, model(&out.CustomerManagedPolicyReferences[i]))
		}
	}
	return list, nil
}

// PutInlinePolicy implements [permissionset.PolicyAPI].
func (c *Client) PutInlinePolicy(ctx context.Context, arn, document string) error {
	_, err := c.api.PutInlinePolicyToPermissionSet(ctx, &ssoadmin.PutInlinePolicyToPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn, InlinePolicy: &document})
	return err
}

// DeleteInlinePolicy implements [permissionset.PolicyAPI].
func (c *Client) DeleteInlinePolicy(ctx context.Context, arn string) error {
	_, err := c.api.DeleteInlinePolicyFromPermissionSet(ctx, &ssoadmin.DeleteInlinePolicyFromPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn})
	return err
}

// InlinePolicy implements [permissionset.PolicyAPI].
func (c *Client) InlinePolicy(ctx context.Context, arn string) (string, error) {
	out, err := c.api.GetInlinePolicyForPermissionSet(ctx, &ssoadmin.GetInlinePolicyForPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.InlinePolicy), nil
}

// PutPermissionsBoundary implements [permissionset.PolicyAPI].
func (c *Client) PutPermissionsBoundary(ctx context.Context, arn string, b permissionset.PermissionsBoundary) error {
	w := &types.PermissionsBoundary{ManagedPolicyArn: text(b.ManagedPolicyARN)}
	if b.CustomerManagedPolicyReference != nil {
		w.CustomerManagedPolicyReference = reference(*b.CustomerManagedPolicyReference)
	}
	_, err := c.api.PutPermissionsBoundaryToPermissionSet(ctx, &ssoadmin.PutPermissionsBoundaryToPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn, PermissionsBoundary: w})
	return err
}

// DeletePermissionsBoundary implements [permissionset.PolicyAPI].
func (c *Client) DeletePermissionsBoundary(ctx context.Context, arn string) error {
	_, err := c.api.DeletePermissionsBoundaryFromPermissionSet(ctx, &ssoadmin.DeletePermissionsBoundaryFromPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn})
	return err
}

// PermissionsBoundary implements [permissionset.PolicyAPI]: the service answers ResourceNotFoundException when there is none.
func (c *Client) PermissionsBoundary(ctx context.Context, arn string) (*permissionset.PermissionsBoundary, error) {
	out, err := c.api.GetPermissionsBoundaryForPermissionSet(ctx, &ssoadmin.GetPermissionsBoundaryForPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn})
	var none *types.ResourceNotFoundException
	switch {
	case errors.As(err, &none):
		return nil, nil //nolint:nilnil // no boundary is no error
	case err != nil:
		return nil, err
	case out.PermissionsBoundary == nil:
		return nil, nil //nolint:nilnil // as above
	}
	b := &permissionset.PermissionsBoundary{ManagedPolicyARN: aws.ToString(out.PermissionsBoundary.ManagedPolicyArn)}
	if r := out.PermissionsBoundary.CustomerManagedPolicyReference; r != nil {
		m := model(r)
		b.CustomerManagedPolicyReference = &m
	}
	return b, nil
}
