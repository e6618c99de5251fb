package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	awsadmin "github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/permissionset/ssoadmin"
	"github.com/adfedkit/adfedkit/permissionset/sts/sigv4"
)

// signedEndpoints is the awsendpoints program, which demands signatures.
func signedEndpoints(tb testing.TB) string {
	tb.Helper()
	config, err := json.Marshal(map[string]any{
		"region": "eu-west-1", "requireSignatures": true, "accessKeys": []any{map[string]any{"accessKeyId": recordedKey, "secretAccessKey": recordedSecret}},
		"portalTokens": []any{map[string]any{"token": awsToken, "user": "alice"}}, "users": []any{map[string]any{"id": storeUser(1), "userName": "alice"}},
		"accounts": []any{map[string]any{"id": awsAccount, "name": "a"}}, "permissionSets": []any{map[string]any{"name": "LogsReader"}},
		"assignments": []any{map[string]any{"principalType": "USER", "principalId": storeUser(1), "targetId": awsAccount, "permissionSet": "LogsReader"}},
	})
	require.NoError(tb, err)
	file := filepath.Join(tb.TempDir(), "endpoints.json")
	require.NoError(tb, os.WriteFile(file, config, 0o600))
	return serveProgram(tb, 1, "awsendpoints", "-config", file).URLs[0]
}

// TestSignedIdentityStore: the unchanged SDK with keys of the configuration and with credentials that the program issued,
// and each kind of refusal in AWS's words.
func TestSignedIdentityStore(t *testing.T) {
	t.Parallel()
	address := signedEndpoints(t)
	ctx := t.Context()
	portal := sso.New(sso.Options{Region: "eu-west-1", BaseEndpoint: aws.String(address)})
	out, err := portal.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{AccessToken: aws.String(awsToken), AccountId: aws.String(awsAccount), RoleName: aws.String("LogsReader")})
	require.NoError(t, err)
	id, secret, token := aws.ToString(out.RoleCredentials.AccessKeyId), aws.ToString(out.RoleCredentials.SecretAccessKey), aws.ToString(out.RoleCredentials.SessionToken)
	for name, c := range map[string]struct {
		region, id, secret, token, code string
	}{
		"key":                 {"eu-west-1", recordedKey, recordedSecret, "", ""},
		"session":             {"eu-west-1", id, secret, token, ""},
		"wrong secret":        {"eu-west-1", recordedKey, "x", "", "InvalidSignatureException"},
		"other region":        {"us-east-1", recordedKey, recordedSecret, "", "InvalidSignatureException"},
		"key that is unknown": {"eu-west-1", "AKIDOTHER", recordedSecret, "", "UnrecognizedClientException"},
		"key with a token":    {"eu-west-1", recordedKey, recordedSecret, token, "UnrecognizedClientException"},
		"session, no token":   {"eu-west-1", id, secret, "", "UnrecognizedClientException"},
		"session, other":      {"eu-west-1", id, secret, token[1:], "UnrecognizedClientException"},
		"session, unknown":    {"eu-west-1", "ASIAEXAMPLEEXAMPLE00", secret, token, "UnrecognizedClientException"},
		"not signed":          {"eu-west-1", "", "", "", "MissingAuthenticationTokenException"},
	} {
		opt := identitystore.Options{Region: c.region, BaseEndpoint: aws.String(address), Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1}
		if c.id != "" {
			opt.Credentials = credentials.NewStaticCredentialsProvider(c.id, c.secret, c.token)
		}
		_, err := identitystore.New(opt).ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: aws.String("d-1234567890")})
		if c.code == "" {
			require.NoError(t, err, name)
			continue
		}
		var api smithy.APIError
		require.ErrorAs(t, err, &api, name)
		require.Equal(t, c.code, api.ErrorCode(), name)
	}
}

// TestSignedSSOAdmin: the sso-admin handler lets in who has signed.
func TestSignedSSOAdmin(t *testing.T) {
	t.Parallel()
	v, err := sigv4.NewVerifier(sigv4.Config{Keys: sigv4.StaticKeys{recordedKey: {Secret: recordedSecret}}, Service: "sso", Region: "eu-west-1"})
	require.NoError(t, err)
	in := ssoadmin.NewInstance(ssoadmin.Config{Authorize: v.Authorize})
	srv := httptest.NewServer(ssoadmin.NewHandler(in))
	defer srv.Close()
	list := func(secret string) error {
		c := awsadmin.New(awsadmin.Options{Region: "eu-west-1", BaseEndpoint: aws.String(srv.URL), Credentials: credentials.NewStaticCredentialsProvider(recordedKey, secret, ""), RetryMaxAttempts: 1})
		_, err := c.ListPermissionSets(t.Context(), &awsadmin.ListPermissionSetsInput{InstanceArn: aws.String(in.ARN())})
		return err
	}
	require.NoError(t, list(recordedSecret))
	var api smithy.APIError
	require.ErrorAs(t, list("x"), &api)
	require.Equal(t, "InvalidSignatureException", api.ErrorCode())
}

// TestRecordedRequestsVerify: what the AWS CLI signed verifies, and nothing of it may be another.
func TestRecordedRequestsVerify(t *testing.T) {
	t.Parallel()
	eachSigned(t, func(name string, raw []byte, at time.Time, region, service string) {
		rq, body := parseRecorded(t, raw)
		v, err := sigv4.NewVerifier(sigv4.Config{
			Keys:    sigv4.StaticKeys{recordedKey: {Secret: recordedSecret, SessionToken: rq.Header.Get("X-Amz-Security-Token")}},
			Service: service, Region: region, Now: func() time.Time { return at },
		})
		require.NoError(t, err)
		rq.ContentLength = int64(len(body))
		require.NoError(t, v.Authorize(rq), name)
		for _, change := range []func(*http.Request){
			func(r *http.Request) { r.Host += "x" },
			func(r *http.Request) { r.Method = http.MethodPut },
			func(r *http.Request) { r.URL.Path += "x" },
			func(r *http.Request) { r.URL.RawQuery += "x" },
			func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
			func(r *http.Request) { r.Header.Set("X-Amz-Target", "Other.Operation") },
		} {
			again, _ := parseRecorded(t, raw)
			again.ContentLength = rq.ContentLength
			change(again)
			require.ErrorIs(t, v.Authorize(again), sigv4.ErrRefused, name)
		}
		again, _ := parseRecorded(t, append(bytes.Clone(raw), 'x'))
		again.ContentLength = rq.ContentLength
		require.ErrorIs(t, v.Authorize(again), sigv4.ErrRefused, name)
	})
}

// TestSignerOfTheSDK: whatever the SDK's signer signs verifies after it went over the wire, and with one part changed it
// does not.
func TestSignerOfTheSDK(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	v, err := sigv4.NewVerifier(sigv4.Config{
		Keys: sigv4.StaticKeys{recordedKey: {Secret: recordedSecret, SessionToken: "token"}}, Service: "identitystore", Region: "eu-west-1", Now: func() time.Time { return at },
	})
	require.NoError(t, err)
	words := rapid.SampledFrom([]string{"a", "A", "a-b", "a_b~c", "a b", "ä", "日本", "%", "+", "&=", "a/b", ":", "@", ",", "*", "'", "(x)", "é\u0301", "!$"})
	rapid.Check(t, func(rt *rapid.T) {
		path, query := "", url.Values{}
		for _, s := range rapid.SliceOfN(words, 0, 3).Draw(rt, "path") {
			path += "/" + url.PathEscape(s)
		}
		for _, k := range rapid.SliceOfN(words, 0, 4).Draw(rt, "names") {
			query.Add(k, words.Draw(rt, "value"))
		}
		body := []byte(rapid.SampledFrom([]string{"", "{}", "Action=x", "\x00\xff"}).Draw(rt, "body"))
		rq, err := http.NewRequestWithContext(context.Background(), rapid.SampledFrom([]string{"GET", "POST", "PUT"}).Draw(rt, "method"),
			"http://identitystore.eu-west-1.example.test"+path+"?"+query.Encode(), bytes.NewReader(body))
		require.NoError(rt, err)
		rq.Header.Set("X-Amz-Target", "AWSIdentityStore."+rapid.StringMatching(`[A-Za-z]{1,8}`).Draw(rt, "operation"))
		rq.Header["Accept-Language"] = rapid.SliceOfN(rapid.SampledFrom([]string{"x", " y  z ", "de,en"}), 0, 3).Draw(rt, "headers")
		if len(rq.Header["Accept-Language"]) == 0 {
			rq.Header.Del("Accept-Language")
		}
		sum := sha256.Sum256(body)
		require.NoError(rt, v4.NewSigner().SignHTTP(rt.Context(), aws.Credentials{AccessKeyID: recordedKey, SecretAccessKey: recordedSecret, SessionToken: "token"},
			rq, hex.EncodeToString(sum[:]), "identitystore", "eu-west-1", at))
		var wire bytes.Buffer
		require.NoError(rt, rq.Write(&wire))
		read := func() *http.Request {
			got, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire.Bytes())))
			require.NoError(rt, err)
			return got
		}
		require.NoError(rt, v.Authorize(read()), wire.String())
		got := read()
		change := rapid.SampledFrom([]string{"method", "path", "query", "host", "header", "target", "date", "body"}).Draw(rt, "change")
		switch change {
		case "method":
			got.Method = "DELETE"
		case "path":
			got.URL.Path, got.URL.RawPath = got.URL.Path+"/x", ""
		case "query":
			got.URL.RawQuery += "&added=1"
		case "host":
			got.Host = "other.example.test"
		case "header":
			got.Header.Set("X-Amz-Security-Token", "tokens")
		case "target":
			got.Header.Set("X-Amz-Target", "x")
		case "date":
			got.Header.Set("X-Amz-Date", at.Add(time.Second).Format("20060102T150405Z"))
		case "body":
			got.Body = io.NopCloser(strings.NewReader(string(body) + "x"))
		}
		require.ErrorIs(rt, v.Authorize(got), sigv4.ErrRefused, change)
	})
}
