package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/stretchr/testify/require"
)

const identityStoreID = "d-1234567890"

func storeUser(i int) string  { return fmt.Sprintf("11111111-0000-4000-8000-%012d", i) }
func storeGroup(i int) string { return fmt.Sprintf("22222222-0000-4000-8000-%012d", i) }

// identityStoreEndpoint starts the awsendpoints program over an organization of 205 users: alice (number 1) is in Inner,
// which is in Outer; the others are in Everybody.
func identityStoreEndpoint(tb testing.TB) string {
	tb.Helper()
	users, everybody := []any{map[string]any{"id": storeUser(1), "userName": "alice"}}, []string{}
	for i := 2; i <= 205; i++ {
		users = append(users, map[string]any{"id": storeUser(i), "userName": fmt.Sprintf("user%d", i)})
		everybody = append(everybody, storeUser(i))
	}
	config, err := json.Marshal(map[string]any{"users": users, "groups": []any{
		map[string]any{"id": storeGroup(1), "displayName": "Outer", "groups": []string{storeGroup(2)}},
		map[string]any{"id": storeGroup(2), "displayName": "Inner", "users": []string{storeUser(1)}},
		map[string]any{"id": storeGroup(3), "displayName": "Everybody", "users": everybody},
	}})
	require.NoError(tb, err)
	file := filepath.Join(tb.TempDir(), "endpoints.json")
	require.NoError(tb, os.WriteFile(file, config, 0o600))
	return serveProgram(tb, 1, "awsendpoints", "-config", file).URLs[0]
}

func storeClient(url string) *identitystore.Client {
	return identitystore.New(identitystore.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(url), Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""), RetryMaxAttempts: 1,
	})
}

// TestIdentityStoreSDK drives every operation with the unchanged AWS SDK for Go.
func TestIdentityStoreSDK(t *testing.T) {
	t.Parallel()
	c, ctx := storeClient(identityStoreEndpoint(t)), t.Context()
	store := aws.String(identityStoreID)
	stores, err := c.ListIdentityStores(ctx, &identitystore.ListIdentityStoresInput{})
	require.NoError(t, err)
	require.Equal(t, identityStoreID, aws.ToString(stores.IdentityStores[0].IdentityStoreId))
	one, err := c.DescribeIdentityStore(ctx, &identitystore.DescribeIdentityStoreInput{IdentityStoreId: stores.IdentityStores[0].IdentityStoreArn})
	require.NoError(t, err)
	require.Equal(t, identityStoreID, aws.ToString(one.IdentityStoreId))

	made, err := c.CreateUser(ctx, &identitystore.CreateUserInput{
		IdentityStoreId: store, UserName: aws.String("zoë"), DisplayName: aws.String("Zoë Ä"), Name: &types.Name{GivenName: aws.String("Zoë"), FamilyName: aws.String("Ä")},
		Emails: []types.Email{{Value: aws.String("zoe@example.com"), Type: aws.String("work"), Primary: true}}, Title: aws.String("T"),
		Addresses:  []types.Address{{Locality: aws.String("Berlin"), Primary: true}},
		Extensions: map[string]document.Interface{"aws:identitystore:enterprise": document.NewLazyDocument(map[string]any{"department": "Research"})},
	})
	require.NoError(t, err)
	user, err := c.DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: store, UserId: made.UserArn, Extensions: []string{"aws:identitystore:enterprise"}})
	require.NoError(t, err)
	require.Equal(t, "zoë", aws.ToString(user.UserName))
	require.Equal(t, "Berlin", aws.ToString(user.Addresses[0].Locality))
	require.True(t, user.Emails[0].Primary)
	require.Equal(t, types.UserStatusEnabled, user.UserStatus)
	require.False(t, user.CreatedAt.IsZero())
	require.Equal(t, made.Revision, user.Revision)
	var extension struct {
		Department string `document:"department"`
	}
	require.NoError(t, user.Extensions["aws:identitystore:enterprise"].UnmarshalSmithyDocument(&extension))
	require.Equal(t, "Research", extension.Department)

	changed, err := c.UpdateUser(ctx, &identitystore.UpdateUserInput{
		IdentityStoreId: store, UserId: made.UserId, Revision: made.Revision,
		Operations: []types.AttributeOperation{
			{AttributePath: aws.String("displayName"), AttributeValue: document.NewLazyDocument("New")},
			{AttributePath: aws.String("emails"), AttributeValue: document.NewLazyDocument([]any{map[string]any{"Value": "new@example.com", "Primary": true}})},
			{AttributePath: aws.String("title")},
		},
	})
	require.NoError(t, err)
	require.NotEqual(t, aws.ToString(made.Revision), aws.ToString(changed.Revision))
	user, err = c.DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: store, UserId: made.UserId})
	require.NoError(t, err)
	require.Equal(t, "New", aws.ToString(user.DisplayName))
	require.Equal(t, "new@example.com", aws.ToString(user.Emails[0].Value))
	require.Nil(t, user.Title)
	require.Empty(t, user.Extensions)
	for _, path := range []string{"userName", "emails.value"} {
		id, err := c.GetUserId(ctx, &identitystore.GetUserIdInput{IdentityStoreId: store, AlternateIdentifier: &types.AlternateIdentifierMemberUniqueAttribute{
			Value: types.UniqueAttribute{AttributePath: aws.String(path), AttributeValue: document.NewLazyDocument(map[string]string{"userName": "ZOË", "emails.value": "NEW@example.com"}[path])},
		}})
		require.NoError(t, err, path)
		require.Equal(t, made.UserId, id.UserId)
	}
	storeGroups(t, c, made.UserId)
	_, err = c.DeleteUser(ctx, &identitystore.DeleteUserInput{IdentityStoreId: store, UserId: made.UserId, Revision: changed.Revision})
	require.NoError(t, err)
}

func storeGroups(t *testing.T, c *identitystore.Client, user *string) {
	t.Helper()
	ctx, store := t.Context(), aws.String(identityStoreID)
	group, err := c.CreateGroup(ctx, &identitystore.CreateGroupInput{IdentityStoreId: store, DisplayName: aws.String("New"), Description: aws.String("d")})
	require.NoError(t, err)
	_, err = c.UpdateGroup(ctx, &identitystore.UpdateGroupInput{IdentityStoreId: store, GroupId: group.GroupId, Operations: []types.AttributeOperation{{AttributePath: aws.String("description"), AttributeValue: document.NewLazyDocument("e")}}})
	require.NoError(t, err)
	got, err := c.DescribeGroup(ctx, &identitystore.DescribeGroupInput{IdentityStoreId: store, GroupId: group.GroupArn})
	require.NoError(t, err)
	require.Equal(t, "e", aws.ToString(got.Description))
	id, err := c.GetGroupId(ctx, &identitystore.GetGroupIdInput{IdentityStoreId: store, AlternateIdentifier: &types.AlternateIdentifierMemberUniqueAttribute{
		Value: types.UniqueAttribute{AttributePath: aws.String("displayName"), AttributeValue: document.NewLazyDocument("new")},
	}})
	require.NoError(t, err)
	require.Equal(t, group.GroupId, id.GroupId)
	member := &types.MemberIdMemberUserId{Value: *user}
	joined, err := c.CreateGroupMembership(ctx, &identitystore.CreateGroupMembershipInput{IdentityStoreId: store, GroupId: group.GroupId, MemberId: member})
	require.NoError(t, err)
	same, err := c.GetGroupMembershipId(ctx, &identitystore.GetGroupMembershipIdInput{IdentityStoreId: store, GroupId: group.GroupId, MemberId: member})
	require.NoError(t, err)
	require.Equal(t, joined.MembershipId, same.MembershipId)
	m, err := c.DescribeGroupMembership(ctx, &identitystore.DescribeGroupMembershipInput{IdentityStoreId: store, MembershipId: joined.MembershipArn})
	require.NoError(t, err)
	require.Equal(t, member, m.MemberId)
	answers, err := c.IsMemberInGroups(ctx, &identitystore.IsMemberInGroupsInput{IdentityStoreId: store, MemberId: member, GroupIds: []string{storeGroup(1), *group.GroupId, storeGroup(9)}})
	require.NoError(t, err)
	var is []bool
	for _, r := range answers.Results {
		is = append(is, r.MembershipExists)
	}
	require.Equal(t, []bool{false, true, false}, is)
	_, err = c.DeleteGroupMembership(ctx, &identitystore.DeleteGroupMembershipInput{IdentityStoreId: store, MembershipId: joined.MembershipId})
	require.NoError(t, err)
	_, err = c.DeleteGroup(ctx, &identitystore.DeleteGroupInput{IdentityStoreId: store, GroupId: group.GroupId})
	require.NoError(t, err)
}

// TestIdentityStorePages walks every list with the SDK's paginators.
func TestIdentityStorePages(t *testing.T) {
	t.Parallel()
	c, ctx := storeClient(identityStoreEndpoint(t)), t.Context()
	store := aws.String(identityStoreID)
	seen := map[string]bool{}
	pages := 0
	for p := identitystore.NewListUsersPaginator(c, &identitystore.ListUsersInput{IdentityStoreId: store}, func(o *identitystore.ListUsersPaginatorOptions) { o.Limit = 50 }); p.HasMorePages(); pages++ {
		out, err := p.NextPage(ctx)
		require.NoError(t, err)
		for _, u := range out.Users {
			seen[*u.UserId] = true
		}
	}
	require.Len(t, seen, 205)
	require.Equal(t, 5, pages)
	groups := 0
	for p := identitystore.NewListGroupsPaginator(c, &identitystore.ListGroupsInput{IdentityStoreId: store, MaxResults: aws.Int32(2)}); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		require.NoError(t, err)
		groups += len(out.Groups)
	}
	require.Equal(t, 3, groups)
	members := map[string]bool{}
	for p := identitystore.NewListGroupMembershipsPaginator(c, &identitystore.ListGroupMembershipsInput{IdentityStoreId: store, GroupId: aws.String(storeGroup(3))}); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		require.NoError(t, err)
		for _, m := range out.GroupMemberships {
			u, ok := m.MemberId.(*types.MemberIdMemberUserId)
			require.True(t, ok)
			members[u.Value] = true
		}
	}
	require.Len(t, members, 204)
	var of []string
	for p := identitystore.NewListGroupMembershipsForMemberPaginator(c, &identitystore.ListGroupMembershipsForMemberInput{
		IdentityStoreId: store, MemberId: &types.MemberIdMemberUserId{Value: storeUser(1)}, MaxResults: aws.Int32(1),
	}); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		require.NoError(t, err)
		for _, m := range out.GroupMemberships {
			of = append(of, *m.GroupId)
		}
	}
	require.ElementsMatch(t, []string{storeGroup(1), storeGroup(2)}, of, "nested groups are flattened")
}

// TestIdentityStoreErrors: refusals arrive as the SDK's own types.
func TestIdentityStoreErrors(t *testing.T) {
	t.Parallel()
	c, ctx := storeClient(identityStoreEndpoint(t)), t.Context()
	store := aws.String(identityStoreID)
	_, err := c.DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: store, UserId: aws.String(storeUser(999))})
	var missing *types.ResourceNotFoundException
	require.ErrorAs(t, err, &missing)
	require.Equal(t, types.ResourceTypeUser, missing.ResourceType)
	require.Equal(t, storeUser(999), aws.ToString(missing.ResourceId))
	require.NotEmpty(t, aws.ToString(missing.RequestId))
	require.NotEmpty(t, missing.ErrorMessage())
	_, err = c.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: aws.String("d-0000000000")})
	require.ErrorAs(t, err, &missing)
	require.Equal(t, types.ResourceTypeIdentityStore, missing.ResourceType)
	_, err = c.CreateUser(ctx, &identitystore.CreateUserInput{IdentityStoreId: store, UserName: aws.String("ALICE")})
	var conflict *types.ConflictException
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, types.ConflictExceptionReasonUniquenessConstraintViolation, conflict.Reason)
	_, err = c.UpdateUser(ctx, &identitystore.UpdateUserInput{
		IdentityStoreId: store, UserId: aws.String(storeUser(1)), Revision: aws.String("stale"),
		Operations: []types.AttributeOperation{{AttributePath: aws.String("title"), AttributeValue: document.NewLazyDocument("t")}},
	})
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, types.ConflictExceptionReasonConcurrentModification, conflict.Reason)
	var invalid *types.ValidationException
	_, err = c.CreateUser(ctx, &identitystore.CreateUserInput{IdentityStoreId: store, UserName: aws.String("with space")})
	require.ErrorAs(t, err, &invalid)
	_, err = c.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: store, NextToken: aws.String("altered")})
	require.ErrorAs(t, err, &invalid)
	_, err = c.ListGroups(ctx, &identitystore.ListGroupsInput{IdentityStoreId: store, MaxResults: aws.Int32(101)})
	require.ErrorAs(t, err, &invalid)
	_, err = c.UpdateIdentityStore(ctx, &identitystore.UpdateIdentityStoreInput{IdentityStoreId: store, NetworkConfiguration: &types.NetworkConfiguration{VpceAccessRequired: aws.Bool(true)}})
	require.ErrorAs(t, err, &invalid)
	_, err = c.GetUserId(ctx, &identitystore.GetUserIdInput{IdentityStoreId: store, AlternateIdentifier: &types.AlternateIdentifierMemberExternalId{Value: types.ExternalId{Issuer: aws.String("i"), Id: aws.String("x")}}})
	require.ErrorAs(t, err, &missing)
}
