package integration_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/sso/types"
	awsadmin "github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/ssoadminsdk"
)

// TestAWSSDK drives the STS and access-portal endpoints with the unchanged AWS SDK for Go.
func TestAWSSDK(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	ctx := t.Context()
	client := sts.New(sts.Options{Region: "eu-west-1", BaseEndpoint: aws.String(w.url)})
	var got *sts.AssumeRoleWithSAMLOutput
	for name, c := range w.awsCases(t) {
		in := &sts.AssumeRoleWithSAMLInput{RoleArn: aws.String(c.role), PrincipalArn: aws.String(awsProvider), SAMLAssertion: aws.String(c.assertion)}
		if c.duration != 0 {
			in.DurationSeconds = aws.Int32(c.duration)
		}
		out, err := client.AssumeRoleWithSAML(ctx, in)
		if c.code == "" {
			require.NoError(t, err, name)
			require.Equal(t, "arn:aws:sts::111122223333:assumed-role/LogsReader/alice", aws.ToString(out.AssumedRoleUser.Arn))
			got = out
			continue
		}
		var api smithy.APIError
		require.ErrorAs(t, err, &api, name)
		require.Equal(t, c.code, api.ErrorCode(), name)
	}
	_, err := client.AssumeRoleWithSAML(ctx, &sts.AssumeRoleWithSAMLInput{RoleArn: aws.String(awsRole), PrincipalArn: aws.String(awsProvider), SAMLAssertion: aws.String("AAAA")})
	var typed *ststypes.InvalidIdentityTokenException
	require.ErrorAs(t, err, &typed, "the SDK's own error type")

	who := func(id, secret, token string) (*sts.GetCallerIdentityOutput, error) {
		c := sts.New(sts.Options{Region: "eu-west-1", BaseEndpoint: aws.String(w.url), Credentials: credentials.NewStaticCredentialsProvider(id, secret, token)})
		return c.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	}
	c := got.Credentials
	me, err := who(aws.ToString(c.AccessKeyId), aws.ToString(c.SecretAccessKey), aws.ToString(c.SessionToken))
	require.NoError(t, err)
	require.Equal(t, "AROAEXAMPLEEXAMPLE01:alice", aws.ToString(me.UserId))
	_, err = who(aws.ToString(c.AccessKeyId), "wrong", aws.ToString(c.SessionToken))
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, "SignatureDoesNotMatch", api.ErrorCode())

	portal := sso.New(sso.Options{Region: "eu-west-1", BaseEndpoint: aws.String(w.url)})
	accounts, err := portal.ListAccounts(ctx, &sso.ListAccountsInput{AccessToken: aws.String(awsToken)})
	require.NoError(t, err)
	require.Len(t, accounts.AccountList, 1)
	require.Equal(t, "Log archive", aws.ToString(accounts.AccountList[0].AccountName))
	roles, err := portal.ListAccountRoles(ctx, &sso.ListAccountRolesInput{AccessToken: aws.String(awsToken), AccountId: aws.String(awsAccount)})
	require.NoError(t, err)
	require.Equal(t, "LogsReader", aws.ToString(roles.RoleList[0].RoleName))
	creds, err := portal.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{AccessToken: aws.String(awsToken), AccountId: aws.String(awsAccount), RoleName: aws.String("LogsReader")})
	require.NoError(t, err)
	r := creds.RoleCredentials
	require.WithinDuration(t, time.Now().Add(2*time.Hour), time.UnixMilli(r.Expiration), time.Minute)
	me, err = who(aws.ToString(r.AccessKeyId), aws.ToString(r.SecretAccessKey), aws.ToString(r.SessionToken))
	require.NoError(t, err)
	require.Regexp(t, `assumed-role/AWSReservedSSO_LogsReader_[0-9a-f]{16}/alice$`, aws.ToString(me.Arn))
	_, err = portal.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{AccessToken: aws.String(awsToken), AccountId: aws.String(awsAccount), RoleName: aws.String("Admin")})
	require.ErrorAs(t, err, &api)
	require.Equal(t, "ForbiddenException", api.ErrorCode())
	_, err = portal.Logout(ctx, &sso.LogoutInput{AccessToken: aws.String(awsToken)})
	require.NoError(t, err)
	_, err = portal.ListAccounts(ctx, &sso.ListAccountsInput{AccessToken: aws.String(awsToken)})
	var unauthorized *ssotypes.UnauthorizedException
	require.ErrorAs(t, err, &unauthorized)
}

// TestAWSSDKApply carries a plan out through the SDK and wants nothing to be left.
func TestAWSSDKApply(t *testing.T) {
	t.Parallel()
	in, url := ssoAdminServer(t)
	api := awsadmin.New(awsadmin.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(url), Credentials: credentials.NewStaticCredentialsProvider("ASIAEXAMPLEEXAMPLE00", "s", "t"),
	})
	_, err := ssoadminsdk.New(nil, in.ARN())
	require.Error(t, err)
	client, err := ssoadminsdk.New(api, in.ARN())
	require.NoError(t, err)
	read, err := permissionset.ReadOrganization([]byte(`{
 "permissionSets":[{"name":"A","description":"d","sessionDuration":"PT2H","relayState":"https://x/","managedPolicies":["arn:aws:iam::aws:policy/ReadOnlyAccess"],"customerManagedPolicies":[{"name":"c","path":"/p/"}],
   "inlinePolicy":{"Version":"2012-10-17","Statement":[]},"permissionsBoundary":{"customerManagedPolicyReference":{"name":"b"}},"tags":{"k":"v"}},{"name":"B","permissionsBoundary":{"managedPolicyArn":"arn:aws:iam::aws:policy/PowerUserAccess"}}],
 "assignments":[{"principalType":"GROUP","principalId":"g","targetId":"111122223333","permissionSet":"A"},{"principalType":"USER","principalId":"u","targetId":"444455556666","permissionSet":"B"}]}`))
	require.NoError(t, err)
	changed, err := permissionset.ReadOrganization([]byte(`{"permissionSets":[{"name":"A","description":"e","relayState":"https://y/","managedPolicies":["arn:aws:iam::aws:policy/SecurityAudit"],"tags":{"l":"m"}}],
 "assignments":[{"principalType":"GROUP","principalId":"g","targetId":"111122223333","permissionSet":"A"}]}`))
	require.NoError(t, err)
	quick := permissionset.ApplyOptions{Poll: time.Millisecond, Quotas: permissionset.Quotas{CallsPerSecond: 1000}}
	for _, want := range []*permissionset.Organization{&read.Organization, &changed.Organization, {}} {
		actual, err := permissionset.ReadActual(t.Context(), client, nil)
		require.NoError(t, err)
		p, err := permissionset.Plan(want, actual, permissionset.PlanOptions{})
		require.NoError(t, err)
		require.NotEmpty(t, p.Steps)
		require.NoError(t, permissionset.Apply(t.Context(), client, p, want, quick))
		actual, err = permissionset.ReadActual(t.Context(), client, nil)
		require.NoError(t, err)
		p, err = permissionset.Plan(want, actual, permissionset.PlanOptions{})
		require.NoError(t, err)
		require.Empty(t, p.Steps)
	}
	require.Equal(t, "ResourceNotFoundException", permissionset.ErrorCode(client.DeletePermissionSet(t.Context(), "arn:aws:sso:::permissionSet/ssoins-0000000000000000/ps-9999999999999999")))
}
