package ssoadmin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/ssoadmin"
)

func desired(tb testing.TB, text string) *permissionset.Organization {
	tb.Helper()
	res, err := permissionset.ReadOrganization([]byte(text))
	require.NoError(tb, err)
	require.Empty(tb, res.Errors)
	return &res.Organization
}

const first = `{"accounts":[{"id":"111122223333"},{"id":"444455556666"}],
 "permissionSets":[{"name":"A","description":"d","sessionDuration":"PT2H","relayState":"https://x/","managedPolicies":["arn:aws:iam::aws:policy/ReadOnlyAccess"],"customerManagedPolicies":[{"name":"c","path":"/p/"}],
   "inlinePolicy":{"Version":"2012-10-17","Statement":[]},"permissionsBoundary":{"managedPolicyArn":"arn:aws:iam::aws:policy/PowerUserAccess"},"tags":{"k":"v=w"}},{"name":"B"}],
 "assignments":[{"principalType":"GROUP","principalId":"g","targetId":"111122223333","permissionSet":"A"},{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"A"},
   {"principalType":"USER","principalId":"u","targetId":"444455556666","permissionSet":"B"}]}`

// converge plans and applies, and wants the next plan to be empty.
func converge(ctx context.Context, tb testing.TB, in permissionset.API, want *permissionset.Organization, opt permissionset.ApplyOptions) *permissionset.StepPlan {
	tb.Helper()
	actual, err := permissionset.ReadActual(ctx, in, nil)
	require.NoError(tb, err)
	p, err := permissionset.Plan(want, actual, permissionset.PlanOptions{})
	require.NoError(tb, err)
	opt.Approve = p.Hash
	require.NoError(tb, permissionset.Apply(ctx, in, p, want, opt))
	actual, err = permissionset.ReadActual(ctx, in, nil)
	require.NoError(tb, err)
	again, err := permissionset.Plan(want, actual, permissionset.PlanOptions{})
	require.NoError(tb, err)
	require.Empty(tb, again.Steps)
	return p
}

func TestApply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := ssoadmin.NewInstance(ssoadmin.Config{Looks: 3, PageSize: 1})
		var seen []permissionset.Progress
		converge(t.Context(), t, in, desired(t, first), permissionset.ApplyOptions{Progress: func(p permissionset.Progress) { seen = append(seen, p) }})
		require.Len(t, seen, seen[len(seen)-1].Total)
		roles := in.Roles()
		require.Len(t, roles["111122223333"], 1)
		require.Regexp(t, `^AWSReservedSSO_A_[0-9a-f]{16}$`, roles["111122223333"][0])

		// An update keeps the role, the last deletion loses it, and a new assignment makes another.
		second := strings.Replace(first, `"description":"d"`, `"description":"e"`, 1)
		second = strings.Replace(second, `arn:aws:iam::aws:policy/ReadOnlyAccess`, `arn:aws:iam::aws:policy/SecurityAudit`, 1)
		second = strings.Replace(second, `"tags":{"k":"v=w"}`, `"tags":{"l":"m"}`, 1)
		second = strings.Replace(second, `"customerManagedPolicies":[{"name":"c","path":"/p/"}],`, ``, 1)
		second = strings.Replace(second, `"permissionsBoundary":{"managedPolicyArn":"arn:aws:iam::aws:policy/PowerUserAccess"},`, ``, 1)
		second = strings.Replace(second, `"inlinePolicy":{"Version":"2012-10-17","Statement":[]},`, ``, 1)
		converge(t.Context(), t, in, desired(t, second), permissionset.ApplyOptions{})
		require.Equal(t, roles["111122223333"], in.Roles()["111122223333"])
		empty := strings.Split(second, `"assignments"`)[0] + `"x":0}`
		converge(t.Context(), t, in, desired(t, empty), permissionset.ApplyOptions{})
		require.Empty(t, in.Roles())
		converge(t.Context(), t, in, desired(t, second), permissionset.ApplyOptions{})
		require.NotEqual(t, roles["111122223333"], in.Roles()["111122223333"])
		converge(t.Context(), t, in, &permissionset.Organization{}, permissionset.ApplyOptions{})
	})
}

// TestApplyConverges: from any state to any other, and then nothing is left to do.
func TestApplyConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		in := ssoadmin.NewInstance(ssoadmin.Config{})
		for range 3 {
			o := &permissionset.Organization{}
			for _, name := range []string{"A", "B"} {
				if rapid.Bool().Draw(rt, "exists") {
					p := permissionset.PermissionSet{Name: name, Description: rapid.SampledFrom([]string{"", "x", "y"}).Draw(rt, "description")}
					p.ManagedPolicies = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"arn:aws:iam::aws:policy/P1", "arn:aws:iam::aws:policy/P2"}), 0, 2, rapid.ID).Draw(rt, "managed")
					if rapid.Bool().Draw(rt, "inline") {
						p.InlinePolicy = []byte(rapid.SampledFrom([]string{`{"Statement":[]}`, `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`}).Draw(rt, "policy"))
					}
					o.PermissionSets = append(o.PermissionSets, p)
					for _, id := range []string{"u", "v"} {
						if rapid.Bool().Draw(rt, "assigned") {
							o.Assignments = append(o.Assignments, permissionset.Assignment{PrincipalType: "USER", PrincipalID: id, TargetID: "111122223333", PermissionSet: name})
						}
					}
				}
			}
			synctest.Test(t, func(t *testing.T) { converge(t.Context(), t, in, o, permissionset.ApplyOptions{}) })
		}
	})
}

func TestApplyRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls, faults := 0, 0
		in := ssoadmin.NewInstance(ssoadmin.Config{Fault: func(op string) error {
			mu.Lock()
			defer mu.Unlock()
			calls++
			if calls%3 == 0 && strings.HasPrefix(op, "Create") {
				faults++
				return &ssoadmin.APIError{Code: "ThrottlingException", Message: "slow down"}
			}
			return nil
		}})
		want := desired(t, first)
		for i := range 20 {
			want.Assignments = append(want.Assignments, permissionset.Assignment{PrincipalType: "USER", PrincipalID: fmt.Sprint("p", i), TargetID: fmt.Sprintf("%012d", i%5), PermissionSet: "B"})
		}
		p, err := permissionset.Plan(want, &permissionset.Organization{}, permissionset.PlanOptions{})
		require.NoError(t, err)
		start := time.Now()
		require.NoError(t, permissionset.Apply(t.Context(), in, p, want, permissionset.ApplyOptions{}))
		require.Positive(t, faults)
		require.GreaterOrEqual(t, time.Since(start), time.Duration(calls-1)*time.Second/20, "at most twenty calls a second")
	})
}

func TestApplyFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := ssoadmin.NewInstance(ssoadmin.Config{CustomerPolicies: map[string][]string{"444455556666": {"/p/c"}}})
		want := desired(t, first)
		p, err := permissionset.Plan(want, &permissionset.Organization{}, permissionset.PlanOptions{})
		require.NoError(t, err)
		err = permissionset.Apply(t.Context(), in, p, want, permissionset.ApplyOptions{})
		var failed *permissionset.OperationError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "111122223333", failed.Step.Account)
		require.Contains(t, failed.FailureReason, "arn:aws:iam::111122223333:policy/p/c")
		// The account without the policy is left, the rest is done: applying the next plan does what is missing.
		actual, err := permissionset.ReadActual(t.Context(), in, nil)
		require.NoError(t, err)
		require.Len(t, actual.Assignments, 1)

		p.Held = true
		require.ErrorIs(t, permissionset.Apply(t.Context(), in, p, want, permissionset.ApplyOptions{Approve: "x"}), permissionset.ErrHeld)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, permissionset.Apply(ctx, in, p, want, permissionset.ApplyOptions{Approve: p.Hash}), context.Canceled)
		fatal := ssoadmin.NewInstance(ssoadmin.Config{Fault: func(string) error { return &ssoadmin.APIError{Code: "AccessDeniedException"} }})
		require.Equal(t, "AccessDeniedException", permissionset.ErrorCode(permissionset.Apply(t.Context(), fatal, p, want, permissionset.ApplyOptions{Approve: p.Hash})))
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	in := ssoadmin.NewInstance(ssoadmin.Config{})
	ctx := t.Context()
	arn, err := in.CreatePermissionSet(ctx, permissionset.PermissionSet{Name: "A"})
	require.NoError(t, err)
	require.True(t, permissionset.ValidPermissionSetARN(arn))
	require.True(t, permissionset.ValidInstanceARN(in.ARN()))
	key := permissionset.AssignmentKey{PrincipalType: "USER", PrincipalID: "u", Account: "111122223333", SetARN: arn}
	st, err := in.CreateAccountAssignment(ctx, key)
	require.NoError(t, err)
	code := func(err error) string {
		var e *ssoadmin.APIError
		require.ErrorAs(t, err, &e)
		return e.Code
	}
	_, err = in.CreateAccountAssignment(ctx, key)
	require.Equal(t, "ConflictException", code(err), "one operation at a time in an account")
	_, err = in.DescribeAccountAssignmentDeletionStatus(ctx, st.RequestID)
	require.Equal(t, "ResourceNotFoundException", code(err))
	st, err = in.DescribeAccountAssignmentCreationStatus(ctx, st.RequestID)
	require.NoError(t, err)
	require.Equal(t, permissionset.Succeeded, st.Status)
	require.Equal(t, "ConflictException", code(in.DeletePermissionSet(ctx, arn)))
	_, err = in.CreatePermissionSet(ctx, permissionset.PermissionSet{Name: "A"})
	require.Equal(t, "ConflictException", code(err))
	_, err = in.CreatePermissionSet(ctx, permissionset.PermissionSet{Name: "a b"})
	require.Equal(t, "ValidationException", code(err))
	require.Equal(t, "ResourceNotFoundException", code(in.DeletePermissionSet(ctx, "x")))
	require.Equal(t, "ValidationException", code(in.PutInlinePolicy(ctx, arn, "{")))
	require.Equal(t, "ResourceNotFoundException", code(in.DetachManagedPolicy(ctx, arn, "x")))
	require.Equal(t, "ResourceNotFoundException", code(in.DeletePermissionsBoundary(ctx, arn)))
	require.NoError(t, in.AttachManagedPolicy(ctx, arn, "arn:aws:iam::aws:policy/P"))
	require.Equal(t, "ConflictException", code(in.AttachManagedPolicy(ctx, arn, "arn:aws:iam::aws:policy/P")))
	require.Equal(t, "ValidationException", code(in.AttachManagedPolicy(ctx, arn, "arn:aws:iam::111122223333:policy/P")))
	_, _, err = in.ListPermissionSets(ctx, "x")
	require.Equal(t, "ValidationException", code(err))
	key.Account = "ou"
	_, err = in.DeleteAccountAssignment(ctx, key)
	require.Equal(t, "ValidationException", code(err))
	_, err = in.ProvisionPermissionSet(ctx, arn, "ou")
	require.Equal(t, "ValidationException", code(err))
}

func TestHandler(t *testing.T) {
	t.Parallel()
	in := ssoadmin.NewInstance(ssoadmin.Config{})
	srv := httptest.NewServer(ssoadmin.NewHandler(in))
	defer srv.Close()
	call := func(target, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("X-Amz-Target", target)
		resp, err := srv.Client().Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		var b strings.Builder
		_, err = fmt.Fprint(&b, resp.Header.Get("x-amzn-ErrorType"))
		require.NoError(t, err)
		return resp.StatusCode, b.String()
	}
	status, _ := call("SWBExternalService.CreatePermissionSet", `{"InstanceArn":"`+in.ARN()+`","Name":"A"}`)
	require.Equal(t, 200, status)
	for name, c := range map[string][3]string{
		"unknown operation": {"SWBExternalService.Nothing", `{}`, "UnknownOperationException"},
		"other service":     {"AWSIdentityStore.ListUsers", `{}`, "UnknownOperationException"},
		"no JSON":           {"SWBExternalService.ListPermissionSets", `{`, "SerializationException"},
		"other instance":    {"SWBExternalService.ListPermissionSets", `{"InstanceArn":"x"}`, "ResourceNotFoundException"},
		"unknown set":       {"SWBExternalService.DescribePermissionSet", `{"InstanceArn":"` + in.ARN() + `","PermissionSetArn":"x"}`, "ResourceNotFoundException"},
		"target type":       {"SWBExternalService.CreateAccountAssignment", `{"InstanceArn":"` + in.ARN() + `","TargetType":"OU"}`, "ValidationException"},
		"too large":         {"SWBExternalService.ListPermissionSets", `"` + strings.Repeat("x", 1<<20) + `"`, "ValidationException"},
	} {
		status, code := call(c[0], c[1])
		require.Equal(t, 400, status, name)
		require.Equal(t, c[2], code, name)
	}
}
