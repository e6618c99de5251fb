package integration_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/ssoadmin"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

const (
	awsAccount  = "111122223333"
	awsProvider = "arn:aws:iam::111122223333:saml-provider/ADFS"
	awsRole     = "arn:aws:iam::111122223333:role/LogsReader"
	awsOther    = "arn:aws:iam::111122223333:role/Other"
	awsEntity   = "http://adfs.corp.example.test/adfs/services/trust"
	awsSignin   = "https://signin.aws.amazon.com/saml"
	awsToken    = "token-of-the-test"
)

// awsWorld is the awsendpoints program with an identity provider that it trusts.
type awsWorld struct {
	url string
	key saml.KeyPair
}

func newAWSWorld(tb testing.TB) *awsWorld {
	tb.Helper()
	key, err := samltest.NewKeyPair("signing key of a test")
	require.NoError(tb, err)
	w := &awsWorld{key: key}
	meta, err := w.idp(tb, "urn:amazon:webservices", awsSignin, time.Now).Metadata().Marshal()
	require.NoError(tb, err)
	w.url = awsEndpoints(tb, meta)
	return w
}

// awsEndpoints starts the awsendpoints program, which trusts the identity provider of that metadata.
func awsEndpoints(tb testing.TB, meta []byte) string {
	tb.Helper()
	dir := tb.TempDir()
	require.NoError(tb, os.WriteFile(filepath.Join(dir, "idp.xml"), meta, 0o600))
	trust := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Federated": awsProvider}, "Action": "sts:AssumeRoleWithSAML",
		"Condition": map[string]any{"StringEquals": map[string]any{"SAML:aud": awsSignin}},
	}}}
	config, err := json.Marshal(map[string]any{
		"region":        "eu-west-1",
		"samlProviders": []any{map[string]any{"arn": awsProvider, "metadataFile": "idp.xml"}},
		"roles":         []any{map[string]any{"arn": awsRole, "roleId": "AROAEXAMPLEEXAMPLE01", "trustPolicy": trust}, map[string]any{"arn": awsOther, "trustPolicy": trust}},
		"portalTokens":  []any{map[string]any{"token": awsToken, "user": "alice"}},
		"accounts":      []any{map[string]any{"id": awsAccount, "name": "Log archive", "email": "log@corp.example.test"}, map[string]any{"id": "444455556666", "name": "other"}},
		"users":         []any{map[string]any{"id": "u1", "userName": "alice"}},
		"groups":        []any{map[string]any{"id": "g1", "displayName": "dev", "users": []string{"u1"}}},
		"permissionSets": []any{map[string]any{
			"name": "LogsReader", "sessionDuration": "PT2H", "managedPolicies": []string{"arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"},
		}, map[string]any{"name": "Admin"}},
		"assignments": []any{map[string]any{"principalType": "GROUP", "principalId": "g1", "targetId": awsAccount, "permissionSet": "LogsReader"}},
	})
	require.NoError(tb, err)
	file := filepath.Join(dir, "endpoints.json")
	require.NoError(tb, os.WriteFile(file, config, 0o600))
	return serveProgram(tb, 1, "awsendpoints", "-config", file).URLs[0]
}

func (w *awsWorld) idp(tb testing.TB, entity, acs string, now func() time.Time) *saml.IdentityProvider {
	tb.Helper()
	rp, err := saml.NewRelyingParty(entity, acs)
	require.NoError(tb, err)
	idp, err := saml.NewIdentityProvider(saml.IdentityProviderConfig{
		EntityID: awsEntity, Keys: []saml.KeyPair{w.key}, SingleSignOn: "https://adfs.corp.example.test/adfs/ls/", RelyingParties: saml.StaticRelyingParties{rp}, Now: now,
	})
	require.NoError(tb, err)
	return idp
}

// response issues an assertion for AWS and returns the form field.
func (w *awsWorld) response(tb testing.TB, entity, acs, role string, now func() time.Time) string {
	tb.Helper()
	idp := w.idp(tb, entity, acs, now)
	req, err := idp.Unsolicited(context.Background(), entity, "")
	require.NoError(tb, err)
	const prefix = "https://aws.amazon.com/SAML/Attributes/"
	out, err := idp.Issue(req, saml.SubjectStatement{
		NameID:     saml.NameID{Value: "alice@corp.example.test", Format: saml.NameIDFormatPersistent},
		Attributes: []saml.Attribute{saml.NewAttribute(prefix+"Role", role+","+awsProvider), saml.NewAttribute(prefix+"RoleSessionName", "alice")},
	})
	require.NoError(tb, err)
	return base64.StdEncoding.EncodeToString(out.XML)
}

// awsCase is one attempt to trade an assertion.
type awsCase struct {
	assertion string
	role      string
	duration  int32
	code      string // empty: accepted
}

// awsCases are the attempts that real clients make: good ones and one for each kind of refusal.
func (w *awsWorld) awsCases(tb testing.TB) map[string]awsCase {
	tb.Helper()
	const aud = "urn:amazon:webservices"
	good := w.response(tb, aud, awsSignin, awsRole, time.Now)
	raw, err := base64.StdEncoding.DecodeString(good)
	require.NoError(tb, err)
	tampered := base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(raw), ">alice<", ">mallory<", 1)))
	require.NotEqual(tb, good, tampered)
	hourAgo := func() time.Time { return time.Now().Add(-time.Hour) }
	return map[string]awsCase{
		"good":            {good, awsRole, 0, ""},
		"good, 15 min":    {good, awsRole, 900, ""},
		"tampered":        {tampered, awsRole, 0, "InvalidIdentityToken"},
		"expired":         {w.response(tb, aud, awsSignin, awsRole, hourAgo), awsRole, 0, "ExpiredTokenException"},
		"wrong audience":  {w.response(tb, "urn:somebody:else", awsSignin, awsRole, time.Now), awsRole, 0, "InvalidIdentityToken"},
		"wrong recipient": {w.response(tb, aud, "https://portal.corp.example.test/saml/acs", awsRole, time.Now), awsRole, 0, "InvalidIdentityToken"},
		"wrong role":      {good, awsOther, 0, "AccessDenied"},
		"too long":        {good, awsRole, 7200, "ValidationError"},
		"no base64":       {"&&&&", awsRole, 0, "InvalidIdentityToken"},
	}
}

// ssoAdminServer is an instance of IAM Identity Center in memory, over HTTP.
func ssoAdminServer(tb testing.TB) (*ssoadmin.Instance, string) {
	tb.Helper()
	in := ssoadmin.NewInstance(ssoadmin.Config{})
	srv := httptest.NewServer(ssoadmin.NewHandler(in))
	tb.Cleanup(srv.Close)
	return in, srv.URL
}
