package ssoadminsdk

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/adfedkit/adfedkit/permissionset"
)

func operation(s *types.AccountAssignmentOperationStatus, err error) (permissionset.OperationStatus, error) {
	if err != nil || s == nil {
		return permissionset.OperationStatus{}, err
	}
	return permissionset.OperationStatus{RequestID: aws.ToString(s.RequestId), Status: string(s.Status), FailureReason: aws.ToString(s.FailureReason)}, nil
}

// CreateAccountAssignment implements [permissionset.AssignmentAPI].
func (c *Client) CreateAccountAssignment(ctx context.Context, k permissionset.AssignmentKey) (permissionset.OperationStatus, error) {
	out, err := c.api.CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{
		InstanceArn: c.instance, PermissionSetArn: &k.SetARN, PrincipalId: &k.PrincipalID, PrincipalType: types.PrincipalType(k.PrincipalType), TargetId: &k.Account, TargetType: types.TargetTypeAwsAccount,
	})
	if err != nil {
		return permissionset.OperationStatus{}, err
	}
	return operation(out.AccountAssignmentCreationStatus, nil)
}

// DeleteAccountAssignment implements [permissionset.AssignmentAPI].
func (c *Client) DeleteAccountAssignment(ctx context.Context, k permissionset.AssignmentKey) (permissionset.OperationStatus, error) {
	out, err := c.api.DeleteAccountAssignment(ctx, &ssoadmin.DeleteAccountAssignmentInput{
		InstanceArn: c.instance, PermissionSetArn: &k.SetARN, PrincipalId: &k.PrincipalID, PrincipalType: types.PrincipalType(k.PrincipalType), TargetId: &k.Account, TargetType: types.TargetTypeAwsAccount,
	})
	if err != nil {
		return permissionset.OperationStatus{}, err
	}
	return operation(out.AccountAssignmentDeletionStatus, nil)
}

// DescribeAccountAssignmentCreationStatus implements [permissionset.AssignmentAPI].
func (c *Client) DescribeAccountAssignmentCreationStatus(ctx context.Context, requestID string) (permissionset.OperationStatus, error) {
	out, err := c.api.DescribeAccountAssignmentCreationStatus(ctx, &ssoadmin.DescribeAccountAssignmentCreationStatusInput{InstanceArn: c.instance, AccountAssignmentCreationRequestId: &requestID})
	if err != nil {
		return permissionset.OperationStatus{}, err
	}
	return operation(out.AccountAssignmentCreationStatus, nil)
}

// DescribeAccountAssignmentDeletionStatus implements [permissionset.AssignmentAPI].
func (c *Client) DescribeAccountAssignmentDeletionStatus(ctx context.Context, requestID string) (permissionset.OperationStatus, error) {
	out, err := c.api.DescribeAccountAssignmentDeletionStatus(ctx, &ssoadmin.DescribeAccountAssignmentDeletionStatusInput{InstanceArn: c.instance, AccountAssignmentDeletionRequestId: &requestID})
	if err != nil {
		return permissionset.OperationStatus{}, err
	}
	return operation(out.AccountAssignmentDeletionStatus, nil)
}

// ListAccountAssignments implements [permissionset.AssignmentAPI].
func (c *Client) ListAccountAssignments(ctx context.Context, account, arn, token string) ([]permissionset.AssignmentKey, string, error) {
	out, err := c.api.ListAccountAssignments(ctx, &ssoadmin.ListAccountAssignmentsInput{InstanceArn: c.instance, AccountId: &account, PermissionSetArn: &arn, NextToken: text(token)})
	if err != nil {
		return nil, "", err
	}
	var list []permissionset.AssignmentKey
	for _, a := range out.AccountAssignments {
		list = append(list, permissionset.AssignmentKey{
			PrincipalType: permissionset.PrincipalType(a.PrincipalType), PrincipalID: aws.ToString(a.PrincipalId), Account: aws.ToString(a.AccountId), SetARN: aws.ToString(a.PermissionSetArn),
		})
	}
	return list, aws.ToString(out.NextToken), nil
}

func provisioning(s *types.PermissionSetProvisioningStatus) permissionset.OperationStatus {
	if s == nil {
		return permissionset.OperationStatus{}
	}
	return permissionset.OperationStatus{RequestID: aws.ToString(s.RequestId), Status: string(s.Status), FailureReason: aws.ToString(s.FailureReason)}
}

// ProvisionPermissionSet implements [permissionset.ProvisionAPI].
func (c *Client) ProvisionPermissionSet(ctx context.Context, arn, account string) (permissionset.OperationStatus, error) {
	in := &ssoadmin.ProvisionPermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn, TargetType: types.ProvisionTargetTypeAllProvisionedAccounts}
	if account != "" {
		in.TargetType, in.TargetId = types.ProvisionTargetTypeAwsAccount, &account
	}
	out, err := c.api.ProvisionPermissionSet(ctx, in)
	if err != nil {
		return permissionset.OperationStatus{}, err
	}
	return provisioning(out.PermissionSetProvisioningStatus), nil
}

// DescribePermissionSetProvisioningStatus implements [permissionset.ProvisionAPI].
func (c *Client) DescribePermissionSetProvisioningStatus(ctx context.Context, requestID string) (permissionset.OperationStatus, error) {
	out, err := c.api.DescribePermissionSetProvisioningStatus(ctx, &ssoadmin.DescribePermissionSetProvisioningStatusInput{InstanceArn: c.instance, ProvisionPermissionSetRequestId: &requestID})
	if err != nil {
		return permissionset.OperationStatus{}, err
	}
	return provisioning(out.PermissionSetProvisioningStatus), nil
}

// ListAccountsForProvisionedPermissionSet implements [permissionset.ProvisionAPI].
func (c *Client) ListAccountsForProvisionedPermissionSet(ctx context.Context, arn, status, token string) ([]string, string, error) {
	out, err := c.api.ListAccountsForProvisionedPermissionSet(ctx, &ssoadmin.ListAccountsForProvisionedPermissionSetInput{
		InstanceArn: c.instance, PermissionSetArn: &arn, ProvisioningStatus: types.ProvisioningStatus(status), NextToken: text(token),
	})
	if err != nil {
		return nil, "", err
	}
	return out.AccountIds, aws.ToString(out.NextToken), nil
}
