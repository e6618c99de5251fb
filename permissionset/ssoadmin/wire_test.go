package ssoadmin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/ssoadmin"
)

const account = "111122223333"

// wire calls operations as a client does.
type wire struct {
	t  *testing.T
	in *ssoadmin.Instance
	h  http.Handler
}

func newWire(t *testing.T, cfg ssoadmin.Config) *wire {
	t.Helper()
	in := ssoadmin.NewInstance(cfg)
	return &wire{t, in, ssoadmin.NewHandler(in)}
}

// send sends a request as it is.
func (w *wire) send(method, target, body string) *httptest.ResponseRecorder {
	rq := httptest.NewRequest(method, "/", strings.NewReader(body))
	rq.Header.Set("X-Amz-Target", target)
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, rq)
	return rec
}

// call sends an operation with members besides InstanceArn; code is the error that is expected, or "".
func (w *wire) call(operation, members, code string) map[string]any {
	w.t.Helper()
	rec := w.send(http.MethodPost, "SWBExternalService."+operation, `{"InstanceArn":"`+w.in.ARN()+`"`+members+`}`)
	out := map[string]any{}
	require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &out))
	require.Equal(w.t, code, kind(rec), "%s %s: %s", operation, members, rec.Body)
	if code == "" {
		require.Equal(w.t, http.StatusOK, rec.Code)
	} else {
		require.Equal(w.t, []any{http.StatusBadRequest, code}, []any{rec.Code, out["__type"]})
	}
	return out
}

func inner(m map[string]any, key string) map[string]any { o, _ := m[key].(map[string]any); return o }

func text(m map[string]any, key string) string { s, _ := m[key].(string); return s }

// kind returns the error type; the header is spelled as AWS does.
func kind(rec *httptest.ResponseRecorder) string {
	for name, values := range rec.Header() {
		if name == "x-amzn-ErrorType" {
			return strings.Join(values, ",")
		}
	}
	return ""
}

// TestWireSets: what is written over HTTP is what is read, an update changes what it names, and pages end.
func TestWireSets(t *testing.T) {
	t.Parallel()
	w := newWire(t, ssoadmin.Config{PageSize: 1})
	require.Equal(t, []any{}, w.call("ListPermissionSets", "", "")["PermissionSets"])
	made := inner(w.call("CreatePermissionSet", `,"Name":"A","Description":"d","SessionDuration":"PT2H","RelayState":"https://x/","Tags":[{"Key":"k","Value":"v"}]`, ""), "PermissionSet")
	arn := text(made, "PermissionSetArn")
	set := `,"PermissionSetArn":"` + arn + `"`
	full := map[string]any{"Name": "A", "PermissionSetArn": arn, "Description": "d", "SessionDuration": "PT2H", "RelayState": "https://x/"}
	require.Equal(t, full, made)
	get := func() map[string]any { return inner(w.call("DescribePermissionSet", set, ""), "PermissionSet") }
	require.Equal(t, full, get())
	for _, c := range [][2]string{{"Description", "e"}, {"SessionDuration", "PT3H"}, {"RelayState", "https://y/"}} {
		w.call("UpdatePermissionSet", set+`,"`+c[0]+`":"`+c[1]+`"`, "")
		full[c[0]] = c[1]
		require.Equal(t, full, get())
	}
	w.call("UpdatePermissionSet", set+`,"Description":""`, "")
	require.NotContains(t, get(), "Description")
	w.call("UpdatePermissionSet", `,"PermissionSetArn":"x","Description":"e"`, "ResourceNotFoundException")
	w.call("UpdatePermissionSet", set+`,"SessionDuration":"PT13H"`, "ValidationException")

	w.call("CreatePermissionSet", `,"Name":"B"`, "")
	page := w.call("ListPermissionSets", "", "")
	require.Equal(t, []any{arn}, page["PermissionSets"])
	last := w.call("ListPermissionSets", `,"NextToken":"`+text(page, "NextToken")+`"`, "")
	require.Len(t, last["PermissionSets"], 1)
	require.NotContains(t, last, "NextToken")
	w.call("ListPermissionSets", `,"NextToken":"-1"`, "ValidationException")

	other := `,"ResourceArn":"` + last["PermissionSets"].([]any)[0].(string) + `"` //nolint:forcetypeassert // a test
	require.Equal(t, []any{}, w.call("ListTagsForResource", other, "")["Tags"])
	w.call("TagResource", other+`,"Tags":[{"Key":"a","Value":"b"}]`, "")
	require.Equal(t, []any{map[string]any{"Key": "a", "Value": "b"}}, w.call("ListTagsForResource", other, "")["Tags"])
	w.call("TagResource", other+`,"Tags":[{"Key":"`+strings.Repeat("k", 129)+`","Value":"b"}]`, "ValidationException")
	w.call("UntagResource", other+`,"TagKeys":["a"]`, "")
	require.Equal(t, []any{}, w.call("ListTagsForResource", other, "")["Tags"])
	w.call("ListTagsForResource", `,"ResourceArn":"x"`, "ResourceNotFoundException")

	// Tags are found by the resource alone; a resource does not make up for another instance.
	rec := w.send(http.MethodPost, "SWBExternalService.ListTagsForResource", `{"ResourceArn":"`+arn+`"}`)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	for _, body := range []string{`{}`, `{"InstanceArn":"arn:aws:sso:::instance/ssoins-1111111111111111","ResourceArn":"` + arn + `"}`} {
		require.Equal(t, http.StatusBadRequest, w.send(http.MethodPost, "SWBExternalService.ListTagsForResource", body).Code)
	}
	require.Equal(t, http.StatusOK, w.send(http.MethodPost, "SWBExternalService.ListInstances", `{}`).Code)
	require.Equal(t, http.StatusBadRequest, w.send(http.MethodGet, "SWBExternalService.ListInstances", `{}`).Code)
	require.Equal(t, http.StatusBadRequest, w.send(http.MethodPost, "ListInstances", `{}`).Code)
}

// TestWirePolicies: the parts of a set.
func TestWirePolicies(t *testing.T) {
	t.Parallel()
	w := newWire(t, ssoadmin.Config{})
	set := `,"PermissionSetArn":"` + text(inner(w.call("CreatePermissionSet", `,"Name":"A"`, ""), "PermissionSet"), "PermissionSetArn") + `"`
	ref := func(name, path string) string {
		return `,"CustomerManagedPolicyReference":{"Name":"` + name + `","Path":"` + path + `"}`
	}
	const attach, detach, list = "AttachCustomerManagedPolicyReferenceToPermissionSet", "DetachCustomerManagedPolicyReferenceFromPermissionSet", "ListCustomerManagedPolicyReferencesInPermissionSet"
	w.call(attach, set, "ValidationException")
	w.call(attach, set+ref("c", "/p/"), "")
	w.call(attach, set+ref("c", "/p/"), "ConflictException")
	w.call(attach, set+ref("c", "/q/"), "")
	w.call(attach, set+ref("d", "/p/"), "")
	w.call(detach, set+ref("d", "/q/"), "ResourceNotFoundException")
	w.call(detach, set+ref("c", "/q/"), "")
	require.Equal(t, []any{map[string]any{"Name": "c", "Path": "/p/"}, map[string]any{"Name": "d", "Path": "/p/"}}, w.call(list, set, "")["CustomerManagedPolicyReferences"])

	const put, get, del = "PutPermissionsBoundaryToPermissionSet", "GetPermissionsBoundaryForPermissionSet", "DeletePermissionsBoundaryFromPermissionSet"
	w.call(get, set, "ResourceNotFoundException")
	w.call(get, `,"PermissionSetArn":"x"`, "ResourceNotFoundException")
	w.call(put, set, "ValidationException")
	w.call(put, set+`,"PermissionsBoundary":{"CustomerManagedPolicyReference":{"Name":"b","Path":"/"}}`, "")
	require.Equal(t, map[string]any{"CustomerManagedPolicyReference": map[string]any{"Name": "b", "Path": "/"}}, w.call(get, set, "")["PermissionsBoundary"])
	w.call(put, set+`,"PermissionsBoundary":{"ManagedPolicyArn":"arn:aws:iam::aws:policy/P"}`, "")
	require.Equal(t, map[string]any{"ManagedPolicyArn": "arn:aws:iam::aws:policy/P"}, w.call(get, set, "")["PermissionsBoundary"])
	w.call(del, set, "")
	w.call(get, set, "ResourceNotFoundException")

	w.call("PutInlinePolicyToPermissionSet", set+`,"InlinePolicy":"{"`, "ValidationException")
	w.call("PutInlinePolicyToPermissionSet", set+`,"InlinePolicy":"{\"Statement\":[]}"`, "")
	require.NotEmpty(t, w.call("GetInlinePolicyForPermissionSet", set, "")["InlinePolicy"])
}

// TestWireAssignments: the way of an operation, as it is asked for.
func TestWireAssignments(t *testing.T) {
	t.Parallel()
	w := newWire(t, ssoadmin.Config{Looks: 2, CustomerPolicies: map[string][]string{account: nil}})
	arn := text(inner(w.call("CreatePermissionSet", `,"Name":"A"`, ""), "PermissionSet"), "PermissionSetArn")
	set := `,"PermissionSetArn":"` + arn + `"`
	member := func(target, kind, id string) string {
		return set + `,"TargetType":"AWS_ACCOUNT","TargetId":"` + target + `","PrincipalType":"` + kind + `","PrincipalId":"` + id + `"`
	}
	for name, m := range map[string]string{
		"short account": member("11112222333", "USER", "u"), "no digits": member("11112222333a", "USER", "u"), "low": member("11112222333+", "USER", "u"),
		"no principal": member(account, "USER", ""), "kind": member(account, "ROLE", "u"), "unknown set": `,"PermissionSetArn":"x"` + strings.TrimPrefix(member(account, "USER", "u"), set),
	} {
		code := "ValidationException"
		if name == "unknown set" {
			code = "ResourceNotFoundException"
		}
		w.call("CreateAccountAssignment", m, code)
	}
	const created, deleted = "AccountAssignmentCreationStatus", "AccountAssignmentDeletionStatus"
	st := inner(w.call("CreateAccountAssignment", member(account, "USER", "u"), ""), created)
	require.Equal(t, map[string]any{
		"RequestId": st["RequestId"], "Status": "IN_PROGRESS", "PermissionSetArn": arn, "TargetId": account, "TargetType": "AWS_ACCOUNT", "PrincipalType": "USER", "PrincipalId": "u",
	}, st)
	look := func() any {
		return inner(w.call("DescribeAccountAssignmentCreationStatus", `,"AccountAssignmentCreationRequestId":"`+text(st, "RequestId")+`"`, ""), created)["Status"]
	}
	require.Equal(t, "IN_PROGRESS", look())
	require.Empty(t, w.call("ListAccountAssignments", set+`,"AccountId":"`+account+`"`, "")["AccountAssignments"])
	require.Equal(t, "SUCCEEDED", look())
	require.Equal(t, "SUCCEEDED", look())
	w.call("DescribeAccountAssignmentCreationStatus", `,"AccountAssignmentCreationRequestId":"x"`, "ResourceNotFoundException")
	require.Len(t, w.call("ListAccountAssignments", set+`,"AccountId":"`+account+`"`, "")["AccountAssignments"], 1)

	accounts := func(status string) any {
		return w.call("ListAccountsForProvisionedPermissionSet", set+`,"ProvisioningStatus":"`+status+`"`, "")["AccountIds"]
	}
	require.Equal(t, []any{account}, accounts("LATEST_PERMISSION_SET_PROVISIONED"))
	require.Equal(t, []any{account}, accounts(""))
	w.call("AttachCustomerManagedPolicyReferenceToPermissionSet", set+`,"CustomerManagedPolicyReference":{"Name":"c"}`, "")
	require.Equal(t, []any{}, accounts("LATEST_PERMISSION_SET_PROVISIONED"))

	// The account does not have the policy: provisioning fails, and says why.
	for _, m := range []string{
		`,"TargetType":"AWS_ACCOUNT"`, `,"TargetType":"ALL_PROVISIONED_ACCOUNTS","TargetId":"` + account + `"`, `,"TargetType":"OTHER"`, `,"TargetId":"` + account + `"`,
	} {
		w.call("ProvisionPermissionSet", set+m, "ValidationException")
	}
	pst := inner(w.call("ProvisionPermissionSet", set+`,"TargetType":"AWS_ACCOUNT","TargetId":"`+account+`"`, ""), "PermissionSetProvisioningStatus")
	require.Equal(t, map[string]any{"RequestId": pst["RequestId"], "Status": "IN_PROGRESS", "PermissionSetArn": arn, "AccountId": account}, pst)
	ask := `,"ProvisionPermissionSetRequestId":"` + text(pst, "RequestId") + `"`
	w.call("DescribePermissionSetProvisioningStatus", ask, "")
	pst = inner(w.call("DescribePermissionSetProvisioningStatus", ask, ""), "PermissionSetProvisioningStatus")
	require.Equal(t, "FAILED", pst["Status"])
	require.Contains(t, pst["FailureReason"], "does not exist or is not attachable")

	// Removing what is not there fails as an operation; a set that has gone meanwhile too.
	end := func(user string) map[string]any {
		st := inner(w.call("DeleteAccountAssignment", member(account, "USER", user), ""), deleted)
		ask := `,"AccountAssignmentDeletionRequestId":"` + text(st, "RequestId") + `"`
		w.call("DescribeAccountAssignmentDeletionStatus", ask, "")
		return inner(w.call("DescribeAccountAssignmentDeletionStatus", ask, ""), deleted)
	}
	require.Equal(t, "FAILED", end("nobody")["Status"])
	require.Equal(t, "SUCCEEDED", end("u")["Status"])
	st = inner(w.call("CreateAccountAssignment", member(account, "USER", "u"), ""), created)
	w.call("DeletePermissionSet", set, "")
	look()
	require.Equal(t, "FAILED", look())
}

type worded struct {
	code   string
	status int
}

func (worded) Error() string         { return "internal words" }
func (e worded) ErrorCode() string   { return e.code }
func (worded) ErrorMessage() string  { return "words for the client" }
func (e worded) HTTPStatusCode() int { return e.status }

// TestWireAuthorize: who is refused is refused before the operation is looked at, in the words of who refuses.
func TestWireAuthorize(t *testing.T) {
	t.Parallel()
	var answer error
	w := newWire(t, ssoadmin.Config{Authorize: func(*http.Request) error { return answer }})
	for _, c := range []struct {
		err    error
		code   string
		status int
		text   string
	}{
		{nil, "UnknownOperationException", 400, "unknown operation"},
		{errors.New("internal words"), "AccessDeniedException", 400, "not authorized"},
		{worded{"ExpiredTokenException", 403}, "ExpiredTokenException", 403, "words for the client"},
		{worded{"ExpiredTokenException", 0}, "ExpiredTokenException", 400, "words for the client"},
		{worded{"ExpiredTokenException", 200}, "ExpiredTokenException", 400, "words for the client"},
	} {
		answer = c.err
		rec := w.send(http.MethodPost, "SWBExternalService.Nothing", `{`)
		require.Equal(t, c.status, rec.Code)
		require.Equal(t, c.code, kind(rec))
		require.Contains(t, rec.Body.String(), c.text)
		require.NotContains(t, rec.Body.String(), "internal words")
	}
}

// TestWireFault: what is no refusal is told to nobody.
func TestWireFault(t *testing.T) {
	t.Parallel()
	w := newWire(t, ssoadmin.Config{Fault: func(string) error { return errors.New("the disk is full") }})
	for _, operation := range []string{"ListPermissionSets", "CreatePermissionSet", "DeletePermissionSet", "DescribeAccountAssignmentCreationStatus", "DescribePermissionSet"} {
		rec := w.send(http.MethodPost, "SWBExternalService."+operation, `{"InstanceArn":"`+w.in.ARN()+`"}`)
		require.Equal(t, http.StatusInternalServerError, rec.Code)
		require.Equal(t, "InternalServerException", kind(rec))
		require.NotContains(t, rec.Body.String(), "disk")
	}
}

// TestWireLeftovers: an instance must be named; asking again for what has ended does not do it again.
func TestWireLeftovers(t *testing.T) {
	t.Parallel()
	w := newWire(t, ssoadmin.Config{})
	require.Equal(t, "ResourceNotFoundException", kind(w.send(http.MethodPost, "SWBExternalService.ListPermissionSets", `{}`)))
	arn, err := w.in.CreatePermissionSet(t.Context(), permissionset.PermissionSet{Name: "A"}) // without tags
	require.NoError(t, err)
	require.NoError(t, w.in.TagSet(t.Context(), arn, map[string]string{"k": "v"}))

	key := permissionset.AssignmentKey{PrincipalType: "USER", PrincipalID: "u", Account: account, SetARN: arn}
	made, err := w.in.CreateAccountAssignment(t.Context(), key)
	require.NoError(t, err)
	look := func() {
		st, err := w.in.DescribeAccountAssignmentCreationStatus(t.Context(), made.RequestID)
		require.NoError(t, err)
		require.Equal(t, permissionset.Succeeded, st.Status)
	}
	look()
	gone, err := w.in.DeleteAccountAssignment(t.Context(), key)
	require.NoError(t, err)
	_, err = w.in.DescribeAccountAssignmentDeletionStatus(t.Context(), gone.RequestID)
	require.NoError(t, err)
	look()
	require.Empty(t, w.in.Roles())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = w.in.ListPermissionSets(ctx, "")
	require.ErrorIs(t, err, context.Canceled)
}
