//go:build lab

package integration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// awsCLI runs the AWS CLI against an address and returns stdout, stderr and whether it succeeded.
func awsCLI(tb testing.TB, url string, env []string, args ...string) (stdout, stderr string, ok bool) {
	tb.Helper()
	cmd := foreign(tb, labEnv(tb, "AWS_CLI"), append(args, "--endpoint-url", url, "--output", "json")...)
	home := tb.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_DEFAULT_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER="}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String(), errs.String(), err == nil
}

// TestAWSCLI drives the endpoints with the unchanged AWS CLI.
func TestAWSCLI(t *testing.T) {
	w := newAWSWorld(t)
	var creds struct {
		Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	}
	for name, c := range w.awsCases(t) {
		file := filepath.Join(t.TempDir(), "response.b64")
		require.NoError(t, os.WriteFile(file, []byte(c.assertion), 0o600))
		args := []string{"sts", "assume-role-with-saml", "--role-arn", c.role, "--principal-arn", awsProvider, "--saml-assertion", "file://" + file}
		if c.duration != 0 {
			args = append(args, "--duration-seconds", strconv.Itoa(int(c.duration)))
		}
		out, errs, ok := awsCLI(t, w.url, nil, args...)
		if c.code != "" {
			require.False(t, ok, name)
			require.Contains(t, errs, "An error occurred ("+c.code+") when calling the AssumeRoleWithSAML operation", name)
			continue
		}
		require.True(t, ok, "%s: %s", name, errs)
		require.NoError(t, json.Unmarshal([]byte(out), &creds))
	}
	env := []string{"AWS_ACCESS_KEY_ID=" + creds.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + creds.Credentials.SecretAccessKey, "AWS_SESSION_TOKEN=" + creds.Credentials.SessionToken}
	out, errs, ok := awsCLI(t, w.url, env, "sts", "get-caller-identity")
	require.True(t, ok, errs)
	require.Contains(t, out, "arn:aws:sts::111122223333:assumed-role/LogsReader/alice")
	out, errs, ok = awsCLI(t, w.url, nil, "sso", "list-accounts", "--access-token", awsToken)
	require.True(t, ok, errs)
	require.Contains(t, out, "Log archive")
	out, errs, ok = awsCLI(t, w.url, nil, "sso", "list-account-roles", "--access-token", awsToken, "--account-id", awsAccount)
	require.True(t, ok, errs)
	require.Contains(t, out, "LogsReader")
	out, errs, ok = awsCLI(t, w.url, nil, "sso", "get-role-credentials", "--access-token", awsToken, "--account-id", awsAccount, "--role-name", "LogsReader")
	require.True(t, ok, errs)
	require.Contains(t, out, "ASIA")
	_, errs, ok = awsCLI(t, w.url, nil, "sso", "get-role-credentials", "--access-token", awsToken, "--account-id", awsAccount, "--role-name", "Admin")
	require.False(t, ok)
	require.Contains(t, errs, "ForbiddenException")
	_, errs, ok = awsCLI(t, w.url, nil, "sso", "list-accounts", "--access-token", "wrong")
	require.False(t, ok)
	require.Contains(t, errs, "UnauthorizedException")
}

// TestAWSCLIAdmin drives the sso-admin instance with the AWS CLI.
func TestAWSCLIAdmin(t *testing.T) {
	in, url := ssoAdminServer(t)
	env := []string{"AWS_ACCESS_KEY_ID=ASIAEXAMPLEEXAMPLE00", "AWS_SECRET_ACCESS_KEY=s"}
	call := func(op string, args ...string) map[string]any {
		args = append([]string{"sso-admin", op, "--instance-arn", in.ARN()}, args...)
		out, errs, ok := awsCLI(t, url, env, args...)
		require.True(t, ok, "%s: %s", op, errs)
		doc := map[string]any{}
		if strings.TrimSpace(out) != "" {
			require.NoError(t, json.Unmarshal([]byte(out), &doc))
		}
		return doc
	}
	arn := call("create-permission-set", "--name", "LogsReader", "--session-duration", "PT2H", "--tags", "Key=k,Value=v")["PermissionSet"].(map[string]any)["PermissionSetArn"].(string)
	set := []string{"--permission-set-arn", arn}
	with := func(args ...string) []string { return append(append([]string{}, set...), args...) }
	require.Equal(t, "LogsReader", call("describe-permission-set", set...)["PermissionSet"].(map[string]any)["Name"])
	call("update-permission-set", with("--description", "reads logs")...)
	call("attach-managed-policy-to-permission-set", with("--managed-policy-arn", "arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess")...)
	require.Len(t, call("list-managed-policies-in-permission-set", set...)["AttachedManagedPolicies"], 1)
	call("attach-customer-managed-policy-reference-to-permission-set", with("--customer-managed-policy-reference", "Name=c,Path=/p/")...)
	require.Len(t, call("list-customer-managed-policy-references-in-permission-set", set...)["CustomerManagedPolicyReferences"], 1)
	call("put-inline-policy-to-permission-set", with("--inline-policy", `{"Version":"2012-10-17","Statement":[]}`)...)
	require.NotEmpty(t, call("get-inline-policy-for-permission-set", set...)["InlinePolicy"])
	call("put-permissions-boundary-to-permission-set", with("--permissions-boundary", "ManagedPolicyArn=arn:aws:iam::aws:policy/PowerUserAccess")...)
	require.NotEmpty(t, call("get-permissions-boundary-for-permission-set", set...)["PermissionsBoundary"])
	target := []string{"--target-id", awsAccount, "--target-type", "AWS_ACCOUNT", "--principal-type", "USER", "--principal-id", "11111111-2222-3333-4444-555555555555"}
	id := call("create-account-assignment", with(target...)...)["AccountAssignmentCreationStatus"].(map[string]any)["RequestId"].(string)
	st := call("describe-account-assignment-creation-status", "--account-assignment-creation-request-id", id)["AccountAssignmentCreationStatus"].(map[string]any)
	require.Equal(t, "SUCCEEDED", st["Status"])
	require.Len(t, call("list-account-assignments", with("--account-id", awsAccount)...)["AccountAssignments"], 1)
	require.Equal(t, []any{awsAccount}, call("list-accounts-for-provisioned-permission-set", set...)["AccountIds"])
	call("detach-managed-policy-from-permission-set", with("--managed-policy-arn", "arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess")...)
	id = call("provision-permission-set", with("--target-type", "ALL_PROVISIONED_ACCOUNTS")...)["PermissionSetProvisioningStatus"].(map[string]any)["RequestId"].(string)
	call("describe-permission-set-provisioning-status", "--provision-permission-set-request-id", id)
	id = call("delete-account-assignment", with(target...)...)["AccountAssignmentDeletionStatus"].(map[string]any)["RequestId"].(string)
	call("describe-account-assignment-deletion-status", "--account-assignment-deletion-request-id", id)
	call("delete-permission-set", set...)
	require.Empty(t, call("list-permission-sets")["PermissionSets"])
	_, errs, ok := awsCLI(t, url, env, "sso-admin", "describe-permission-set", "--instance-arn", in.ARN(), "--permission-set-arn", arn)
	require.False(t, ok)
	require.Contains(t, errs, "ResourceNotFoundException")
}
