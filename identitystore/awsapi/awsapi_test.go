package awsapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/awsapi"
)

const storeID = "d-1234567890"

func handler(t *testing.T, auth func(*http.Request) error) http.Handler {
	t.Helper()
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory), Tenant: storeID})
	require.NoError(t, err)
	h, err := awsapi.NewHandler(awsapi.Config{Stores: []*identitystore.Service{svc}, Authorize: auth})
	require.NoError(t, err)
	return h
}

// call sends an operation; kind is the exception that is expected, or "".
func call(t *testing.T, h http.Handler, operation, body, kind string) map[string]any {
	t.Helper()
	rq := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	rq.Header.Set("X-Amz-Target", "AWSIdentityStore."+operation)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, rq)
	var out map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	require.Equal(t, kind, w.Header().Get("X-Amzn-Errortype"), "%s %s: %s", operation, body, w.Body)
	if kind == "" {
		require.Equal(t, 200, w.Code)
	} else {
		require.GreaterOrEqual(t, w.Code, 400)
		require.Equal(t, kind, out["__type"])
	}
	return out
}

func in(rest string) string { return `{"IdentityStoreId":"` + storeID + `"` + rest + `}` }

func TestOperations(t *testing.T) {
	t.Parallel()
	h := handler(t, nil)
	text := func(m map[string]any, k string) string { s, _ := m[k].(string); return s }
	u := text(call(t, h, "CreateUser", in(`,"UserName":"alice","Name":{"GivenName":"A","FamilyName":"B"},"DisplayName":"A","Emails":[{"Value":"a@b","Primary":true}],"Extensions":{"aws:identitystore:enterprise":{"department":"D"}}`), ""), "UserId")
	g := text(call(t, h, "CreateGroup", in(`,"DisplayName":"G","Description":"d"`), ""), "GroupId")
	user, group := `,"UserId":"`+u+`"`, `,"GroupId":"`+g+`"`
	member := `,"MemberId":{"UserId":"` + u + `"}`
	m := text(call(t, h, "CreateGroupMembership", in(group+member), ""), "MembershipId")
	call(t, h, "CreateGroupMembership", in(group+member), "ConflictException")
	call(t, h, "CreateUser", in(`,"UserName":"ALICE"`), "ConflictException")
	got := call(t, h, "DescribeUser", in(user+`,"Extensions":["aws:identitystore:enterprise"]`), "")
	require.Equal(t, "alice", got["UserName"])
	require.Equal(t, map[string]any{"GivenName": "A", "FamilyName": "B"}, got["Name"])
	require.IsType(t, 1.5, got["CreatedAt"])
	require.Equal(t, map[string]any{"aws:identitystore:enterprise": map[string]any{"department": "D"}}, got["Extensions"])
	require.NotContains(t, got, "Link")
	call(t, h, "UpdateUser", in(user+`,"Operations":[{"AttributePath":"name.givenName","AttributeValue":"Z"},{"AttributePath":"emails","AttributeValue":[{"Value":"n@b","Primary":true}]}]`), "")
	got = call(t, h, "DescribeUser", in(user), "")
	require.Equal(t, []any{map[string]any{"Value": "n@b", "Primary": true}}, got["Emails"])
	call(t, h, "UpdateGroup", in(group+`,"Operations":[{"AttributePath":"description"}]`), "")
	require.NotContains(t, call(t, h, "DescribeGroup", in(group), ""), "Description")
	require.Equal(t, u, call(t, h, "GetUserId", in(`,"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"Alice"}}`), "")["UserId"])
	require.Equal(t, g, call(t, h, "GetGroupId", in(`,"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"displayName","AttributeValue":"g"}}`), "")["GroupId"])
	require.Equal(t, m, call(t, h, "GetGroupMembershipId", in(group+member), "")["MembershipId"])
	require.Equal(t, u, call(t, h, "DescribeGroupMembership", in(`,"MembershipId":"`+m+`"`), "")["MemberId"].(map[string]any)["UserId"]) //nolint:forcetypeassert // a test
	for _, op := range []string{"ListGroupMemberships", "ListGroupMembershipsForMember"} {
		require.Len(t, call(t, h, op, in(group+member), "")["GroupMemberships"], 1)
	}
	results, _ := call(t, h, "IsMemberInGroups", in(member+`,"GroupIds":["`+g+`","other"]`), "")["Results"].([]any)
	require.Len(t, results, 2)
	require.Len(t, call(t, h, "ListUsers", in(`,"Filters":[{"AttributePath":"UserName","AttributeValue":"ALICE"}]`), "")["Users"], 1)
	require.Empty(t, call(t, h, "ListGroups", in(`,"Filters":[{"AttributePath":"DisplayName","AttributeValue":"none"}]`), "")["Groups"])
	call(t, h, "CreateGroup", in(`,"DisplayName":"G2"`), "")
	next := call(t, h, "ListGroups", in(`,"MaxResults":1`), "")["NextToken"]
	require.NotEmpty(t, next)
	call(t, h, "ListUsers", in(`,"NextToken":"x"`), "ValidationException")
	call(t, h, "DeleteGroupMembership", in(`,"MembershipId":"`+m+`"`), "")
	call(t, h, "DeleteGroup", in(group), "")
	call(t, h, "DeleteUser", in(user), "")
	call(t, h, "DeleteUser", in(user), "")
	call(t, h, "DescribeUser", in(user), "ResourceNotFoundException")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	h := handler(t, nil)
	for _, c := range [][3]string{
		{"ListUsers", `{"IdentityStoreId":"d-0000000000"}`, "ResourceNotFoundException"},
		{"ListUsers", `{}`, "ValidationException"},
		{"ListUsers", `[]`, "SerializationException"},
		{"ListUsers", `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "SerializationException"},
		{"ListUsers", in(`,"MaxResults":101`), "ValidationException"},
		{"ListUsers", in(`,"MaxResults":0`), "ValidationException"},
		{"ListUsers", in(`,"Filters":[{"AttributePath":"Title","AttributeValue":"x"}]`), "ValidationException"},
		{"ListUsers", in(`,"Filters":[{"AttributePath":"UserName","AttributeValue":"x"},{"AttributePath":"UserName","AttributeValue":"x"}]`), "ValidationException"},
		{"CreateUser", in(``), "ValidationException"},
		{"CreateUser", in(`,"UserName":5`), "ValidationException"},
		{"CreateUser", in(`,"UserName":"a b"`), "ValidationException"},
		{"CreateUser", in(`,"UserName":"a","Nope":1`), "ValidationException"},
		{"CreateUser", in(`,"UserName":"a","ExternalIds":[{"Issuer":"i","Id":"x"}]`), "ValidationException"},
		{"CreateUser", in(`,"UserName":"a","Id":"x"`), "ValidationException"},
		{"CreateUser", in(`,"UserName":"a","link":{"origin":"sync"}`), "ValidationException"},
		{"UpdateUser", in(`,"UserId":"none","Operations":[{"AttributePath":"title","AttributeValue":"x"}]`), "ResourceNotFoundException"},
		{"UpdateUser", in(`,"UserId":"none","Operations":[]`), "ValidationException"},
		{"GetUserId", in(`,"AlternateIdentifier":{}`), "ValidationException"},
		{"GetUserId", in(`,"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"title","AttributeValue":"x"}}`), "ValidationException"},
		{"GetUserId", in(`,"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"x"}}`), "ResourceNotFoundException"},
		{"GetGroupId", in(`,"AlternateIdentifier":{"ExternalId":{"Issuer":"i","Id":"x"}}`), "ResourceNotFoundException"},
		{"CreateGroupMembership", in(`,"GroupId":"g"`), "ValidationException"},
		{"IsMemberInGroups", in(`,"MemberId":{"UserId":"u"},"GroupIds":[]`), "ValidationException"},
		{"IsMemberInGroups", in(`,"MemberId":{"GroupId":"u"},"GroupIds":["g"]`), "ValidationException"},
		{"Nope", in(``), "UnknownOperationException"},
		{"CreateUser", in(`,"UserName":"` + strings.Repeat("x", 2<<20) + `"`), "ValidationException"},
	} {
		call(t, h, c[0], c[1], c[2])
	}
	call(t, handler(t, func(*http.Request) error { return errors.New("no") }), "ListUsers", in(""), "AccessDeniedException")
	_, err := awsapi.NewHandler(awsapi.Config{})
	require.Error(t, err)
}

// TestRecorded replays what the AWS CLI sends: each request is understood, though most name records that do not exist.
func TestRecorded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.req")
	require.NoError(t, err)
	require.Len(t, files, 16)
	for _, version := range []string{"v1", "v2"} {
		h := handler(t, nil)
		for _, name := range files {
			if !strings.HasPrefix(filepath.Base(name), version) {
				continue
			}
			raw, err := os.ReadFile(name)
			require.NoError(t, err)
			head, body, _ := bytes.Cut(raw, []byte("\n\n"))
			if before, after, ok := bytes.Cut(raw, []byte("\r\n\r\n")); ok {
				head, body = before, after
			}
			rq, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\r\n\r\n"...))))
			require.NoError(t, err)
			rq.Body = io.NopCloser(bytes.NewReader(body))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, rq)
			kind := w.Header().Get("X-Amzn-Errortype")
			require.Contains(t, []string{"", "ResourceNotFoundException"}, kind, "%s: %s", name, w.Body)
			if strings.Contains(name, "Create") && !strings.Contains(name, "Membership") || strings.Contains(name, "List") && !strings.Contains(name, "ForMember") || strings.Contains(name, "GetUserId") {
				require.Empty(t, kind, "%s: %s", name, w.Body)
			}
		}
	}
}
