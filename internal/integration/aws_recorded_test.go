package integration_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts"
)

const (
	recordedKey    = "AKIDEXAMPLE"
	recordedSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" // of the AWS documentation
)

// recorded are the requests of the AWS CLI, by version and name.
func recorded(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/awscli/v*/*.req")
	require.NoError(t, err)
	require.Len(t, files, 42)
	out := map[string][]byte{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		out[filepath.Base(filepath.Dir(f))+"/"+filepath.Base(f)] = raw
	}
	return out
}

// parseRecorded reads a request; its lines end as the recorder wrote them.
func parseRecorded(t *testing.T, raw []byte) (*http.Request, []byte) {
	t.Helper()
	head, body, ok := bytes.Cut(raw, []byte("\n\n"))
	if before, after, crlf := bytes.Cut(raw, []byte("\r\n\r\n")); crlf {
		head, body, ok = before, after, true
	}
	require.True(t, ok)
	rq, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\r\n\r\n"...))))
	require.NoError(t, err)
	rq.Body = io.NopCloser(bytes.NewReader(body))
	return rq, body
}

// TestRecordedRequests replays what the AWS CLI sends against the awsendpoints program and the sso-admin handler: each
// request is understood, and the answer, good or bad, is one that the CLI can read.
func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	endpoints := identityStoreEndpoint(t)
	_, admin := ssoAdminServer(t)
	want := map[string]string{ // error code; "" is success
		"01-AssumeRoleWithSAML": "InvalidIdentityToken", "02-GetCallerIdentity": "InvalidClientTokenId", "03-ListUsers": "", "04-ListGroups": "", "05-CreateUser": "",
		"06-CreateGroup": "", "07-CreateGroupMembership": "ResourceNotFoundException", "08-GetUserId": "", "09-IsMemberInGroups": "ResourceNotFoundException",
		"10-ListGroupMembershipsForMember": "ResourceNotFoundException", "18-assignment_accounts": "UnauthorizedException", "19-assignment_roles": "UnauthorizedException",
		"20-federation_credentials": "UnauthorizedException", "21-CreateSAMLProvider": "InvalidAction",
		"11-ListAccountAssignments": "ResourceNotFoundException", "12-CreatePermissionSet": "ResourceNotFoundException", "13-PutInlinePolicyToPermissionSet": "ResourceNotFoundException",
		"14-AttachManagedPolicyToPermissionSet": "ResourceNotFoundException", "15-CreateAccountAssignment": "ResourceNotFoundException",
		"16-DescribeAccountAssignmentCreationStatus": "ResourceNotFoundException", "17-ListInstances": "",
	}
	all := recorded(t)
	for _, version := range []string{"v1", "v2"} {
		url := endpoints
		if version == "v2" {
			url = identityStoreEndpoint(t) // the same creations again
		}
		for _, name := range slices.Sorted(maps.Keys(want)) { // as they were sent: first created, then looked up
			code := want[name]
			rq, body := parseRecorded(t, all[version+"/"+name+".req"])
			base := url
			if strings.HasPrefix(rq.Header.Get("X-Amz-Target"), "SWBExternalService.") {
				base = admin
			}
			out, err := http.NewRequestWithContext(t.Context(), rq.Method, base+rq.URL.RequestURI(), bytes.NewReader(body))
			require.NoError(t, err)
			out.Header = rq.Header
			res, err := http.DefaultClient.Do(out)
			require.NoError(t, err)
			answer, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			_ = res.Body.Close()
			require.Less(t, res.StatusCode, 500, "%s: %s", name, answer)
			require.Equal(t, code == "", res.StatusCode == http.StatusOK, "%s %s: %s", version, name, answer)
			require.Equal(t, code, recordedCode(t, res, answer), "%s %s: %s", version, name, answer)
		}
	}
}

// recordedCode reads the error code as the CLI does: from the header or the body, by the answer's content type.
func recordedCode(t *testing.T, res *http.Response, answer []byte) string {
	t.Helper()
	if strings.Contains(res.Header.Get("Content-Type"), "xml") {
		var doc struct {
			Error struct{ Code string }
		}
		require.NoError(t, xml.Unmarshal(answer, &doc))
		return doc.Error.Code
	}
	var doc struct {
		Type string `json:"__type"`
	}
	require.NoError(t, json.Unmarshal(answer, &doc), string(answer))
	if kind := res.Header.Get("X-Amzn-Errortype"); kind != "" {
		return kind
	}
	return doc.Type[strings.LastIndexByte(doc.Type, '#')+1:]
}

// TestRecordedSignatures: the 34 signed requests carry the signature that the AWS SDK computes for them, so that what was
// recorded is what was signed; ours accepts those that it checks, and no altered one.
func TestRecordedSignatures(t *testing.T) {
	t.Parallel()
	eachSigned(t, func(name string, raw []byte, at time.Time, region, service string) {
		rq, body := parseRecorded(t, raw)
		header := rq.Header.Get("Authorization")
		again, err := http.NewRequestWithContext(t.Context(), rq.Method, "http://"+rq.Host+rq.URL.RequestURI(), bytes.NewReader(body))
		require.NoError(t, err)
		_, list, _ := strings.Cut(header, "SignedHeaders=")
		list, _, _ = strings.Cut(list, ",")
		again.ContentLength = -1 // signed only where the CLI did so
		for h := range strings.SplitSeq(list, ";") {
			if h == "content-length" {
				again.ContentLength = int64(len(body))
			}
			if v := rq.Header.Values(h); len(v) > 0 {
				again.Header[http.CanonicalHeaderKey(h)] = v
			}
		}
		sum := sha256.Sum256(body)
		creds := aws.Credentials{AccessKeyID: recordedKey, SecretAccessKey: recordedSecret, SessionToken: rq.Header.Get("X-Amz-Security-Token")}
		require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), creds, again, hex.EncodeToString(sum[:]), service, region, at))
		require.Equal(t, header, again.Header.Get("Authorization"), name)
		if strings.Contains(name, "GetCallerIdentity") {
			recordedIdentity(t, raw, at)
		}
	})
}

// eachSigned calls f with each recorded request that is signed, the time of its signature, and what it was signed for.
func eachSigned(t *testing.T, f func(name string, raw []byte, at time.Time, region, service string)) {
	t.Helper()
	signed := 0
	for name, raw := range recorded(t) {
		rq, _ := parseRecorded(t, raw)
		header := rq.Header.Get("Authorization")
		if header == "" {
			continue
		}
		signed++
		at, err := time.Parse("20060102T150405Z", rq.Header.Get("X-Amz-Date"))
		require.NoError(t, err)
		scope := strings.Split(header, "/")
		f(name, raw, at, scope[2], scope[3])
	}
	require.Equal(t, 34, signed)
}

// recordedIdentity gives our handler the session whose keys signed a recorded request.
func recordedIdentity(t *testing.T, raw []byte, at time.Time) {
	t.Helper()
	now := func() time.Time { return at }
	store := sts.NewMemoryStore(0, now)
	require.NoError(t, store.PutSession(t.Context(), sts.Session{
		Credentials: sts.Credentials{AccessKeyID: recordedKey, SecretAccessKey: recordedSecret, SessionToken: "tok", Expiration: at.Add(time.Hour)},
		Account:     "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/R/alice", UserID: "AROAEXAMPLE:alice",
	}))
	h, err := sts.NewHandler(sts.Config{Store: store, Now: now})
	require.NoError(t, err)
	for _, change := range []string{"", "2011-06-16", "x-amz-date"} {
		text := string(raw)
		switch change {
		case "2011-06-16":
			text = strings.Replace(text, "Version=2011-06-15", "Version=2011-06-16", 1)
		case "x-amz-date":
			text = strings.Replace(text, at.Format("20060102T150405Z"), at.Add(time.Second).Format("20060102T150405Z"), 1)
		}
		rq, body := parseRecorded(t, []byte(text))
		rq.ContentLength = int64(len(body))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, rq)
		if change == "" {
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Contains(t, w.Body.String(), "assumed-role/R/alice")
			continue
		}
		require.NotEqual(t, http.StatusOK, w.Code, change)
	}
}
