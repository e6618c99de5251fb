// Package ssoadminsdk carries plans of package permissionset out with the AWS SDK for Go.
//
// [New] binds a client of the sso-admin service to one instance; the result is a [permissionset.API], so
// [permissionset.ReadActual] and [permissionset.Apply] take it. The module is apart from the rest, so that nobody else
// needs the SDK.
//
// Not done: credentials, regions and retries are those of the client that the caller made; the SDK's own retries and
// those of Apply add up.
//
// The operations are those of the sso-admin service model (2020-07-20).
package ssoadminsdk

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/adfedkit/adfedkit/permissionset"
)

// Client is a [permissionset.API] over the AWS SDK.
type Client struct {
	api      *ssoadmin.Client
	instance *string
}

var _ permissionset.API = (*Client)(nil)

// New binds an SDK client to the instance with the ARN.
func New(api *ssoadmin.Client, instanceARN string) (*Client, error) {
	if api == nil || !permissionset.ValidInstanceARN(instanceARN) {
		return nil, errors.New("ssoadminsdk: no client, or no ARN of an instance")
	}
	return &Client{api: api, instance: &instanceARN}, nil
}

// text returns nil for an empty text: the service refuses empty members.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func tagsOf(m map[string]string) []types.Tag {
	var out []types.Tag
	for k, v := range m {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	return out
}

// CreatePermissionSet implements [permissionset.SetAPI].
func (c *Client) CreatePermissionSet(ctx context.Context, set permissionset.PermissionSet) (string, error) {
	out, err := c.api.CreatePermissionSet(ctx, &ssoadmin.CreatePermissionSetInput{
		InstanceArn: c.instance, Name: &set.Name, Description: text(set.Description), SessionDuration: text(set.SessionDuration), RelayState: text(set.RelayState), Tags: tagsOf(set.Tags),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.PermissionSet.PermissionSetArn), nil
}

// DescribePermissionSet implements [permissionset.SetAPI].
func (c *Client) DescribePermissionSet(ctx context.Context, arn string) (permissionset.PermissionSet, error) {
	out, err := c.api.DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn})
	if err != nil {
		return permissionset.PermissionSet{}, err
	}
	p := out.PermissionSet
	return permissionset.PermissionSet{Name: aws.ToString(p.Name), Description: aws.ToString(p.Description), SessionDuration: aws.ToString(p.SessionDuration), RelayState: aws.ToString(p.RelayState)}, nil
}

// UpdatePermissionSet implements [permissionset.SetAPI]. The service keeps a description or relay state that is
// not sent; removing one is not possible there.
func (c *Client) UpdatePermissionSet(ctx context.Context, arn string, set permissionset.PermissionSet) error {
	duration := set.SessionDuration
	if duration == "" {
		duration = "PT1H"
	}
	_, err := c.api.UpdatePermissionSet(ctx, &ssoadmin.UpdatePermissionSetInput{
		InstanceArn: c.instance, PermissionSetArn: &arn, Description: text(set.Description), SessionDuration: &duration, RelayState: text(set.RelayState),
	})
	return err
}

// DeletePermissionSet implements [permissionset.SetAPI].
func (c *Client) DeletePermissionSet(ctx context.Context, arn string) error {
	_, err := c.api.DeletePermissionSet(ctx, &ssoadmin.DeletePermissionSetInput{InstanceArn: c.instance, PermissionSetArn: &arn})
	return err
}

// ListPermissionSets implements [permissionset.SetAPI].
func (c *Client) ListPermissionSets(ctx context.Context, token string) ([]string, string, error) {
	out, err := c.api.ListPermissionSets(ctx, &ssoadmin.ListPermissionSetsInput{InstanceArn: c.instance, NextToken: text(token)})
	if err != nil {
		return nil, "", err
	}
	return out.PermissionSets, aws.ToString(out.NextToken), nil
}

// ListTags implements [permissionset.SetAPI].
func (c *Client) ListTags(ctx context.Context, arn string) (map[string]string, error) {
	tags := map[string]string{}
	p := ssoadmin.NewListTagsForResourcePaginator(c.api, &ssoadmin.ListTagsForResourceInput{InstanceArn: c.instance, ResourceArn: &arn})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range out.Tags {
			tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	return tags, nil
}

// TagSet implements [permissionset.SetAPI].
func (c *Client) TagSet(ctx context.Context, arn string, tags map[string]string) error {
	_, err := c.api.TagResource(ctx, &ssoadmin.TagResourceInput{InstanceArn: c.instance, ResourceArn: &arn, Tags: tagsOf(tags)})
	return err
}

// UntagSet implements [permissionset.SetAPI].
func (c *Client) UntagSet(ctx context.Context, arn string, keys []string) error {
	_, err := c.api.UntagResource(ctx, &ssoadmin.UntagResourceInput{InstanceArn: c.instance, ResourceArn: &arn, TagKeys: keys})
	return err
}
