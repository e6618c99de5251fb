//go:build lab

package integration_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml/samltest"
)

// awsRules issue what AWS demands, from the claims of an Active Directory user.
const awsRules = `@RuleName = "Session name"
c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"]
 => issue(Type = "https://aws.amazon.com/SAML/Attributes/RoleSessionName", Value = c.Value);

@RuleName = "Name ID"
c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname"]
 => issue(Type = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", Value = c.Value, Properties["http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"] = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");

@RuleName = "Role"
 => issue(Type = "https://aws.amazon.com/SAML/Attributes/Role", Value = "` + awsRole + `,` + awsProvider + `");
`

// TestAWSCLIWithPortal walks the whole way of a person with the AWS CLI: password at the portal's identity provider, claim
// rules, assertion, credentials, accounts and roles.
func TestAWSCLIWithPortal(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "aws.rules")
	require.NoError(t, os.WriteFile(rules, []byte(awsRules), 0o600))
	p := serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-rp", "entity=urn:amazon:webservices,acs="+awsSignin+",name=AWS,rules="+rules)
	_, idp := portalURLs(p)
	endpoints := awsEndpoints(t, fetch(t, idp+"/FederationMetadata/2007-06/FederationMetadata.xml"))

	var form *samltest.Form
	b := samltest.NewBrowser("alice", "Correct-Horse-1")
	b.BeforePost = func(f *samltest.Form) bool {
		if f.Fields.Has("SAMLResponse") {
			form = f
		}
		return form == nil
	}
	_, err := b.Open(t.Context(), idp+"/adfs/ls/IdpInitiatedSignOn.aspx?"+url.Values{"loginToRp": {"urn:amazon:webservices"}}.Encode())
	require.NoError(t, err)
	require.NotNil(t, form)
	require.Equal(t, awsSignin, form.Action)

	file := filepath.Join(t.TempDir(), "response.b64")
	require.NoError(t, os.WriteFile(file, []byte(form.Fields.Get("SAMLResponse")), 0o600))
	out, errs, ok := awsCLI(t, endpoints, nil, "sts", "assume-role-with-saml", "--role-arn", awsRole, "--principal-arn", awsProvider, "--saml-assertion", "file://"+file)
	require.True(t, ok, errs)
	var creds struct {
		Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &creds))
	env := []string{"AWS_ACCESS_KEY_ID=" + creds.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + creds.Credentials.SecretAccessKey, "AWS_SESSION_TOKEN=" + creds.Credentials.SessionToken}
	out, errs, ok = awsCLI(t, endpoints, env, "sts", "get-caller-identity")
	require.True(t, ok, errs)
	require.Contains(t, out, "assumed-role/LogsReader/alice@example.com")
	out, errs, ok = awsCLI(t, endpoints, nil, "sso", "list-accounts", "--access-token", awsToken)
	require.True(t, ok, errs)
	require.Contains(t, out, awsAccount)
	out, errs, ok = awsCLI(t, endpoints, nil, "sso", "list-account-roles", "--access-token", awsToken, "--account-id", awsAccount)
	require.True(t, ok, errs)
	require.Contains(t, out, "LogsReader")
}

func fetch(t *testing.T, address string) []byte {
	t.Helper()
	res, err := http.Get(address)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	return raw
}
