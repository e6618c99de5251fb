package permissionset_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/permissionset"
)

func plan(tb testing.TB, desired, actual permissionset.Organization, opt permissionset.PlanOptions) (*permissionset.StepPlan, []string) {
	tb.Helper()
	p, err := permissionset.Plan(&desired, &actual, opt)
	require.NoError(tb, err)
	out := []string{}
	for _, s := range p.Steps {
		out = append(out, strings.TrimSpace(strings.Join([]string{string(s.Op), s.PermissionSet, s.Account, s.PrincipalID, s.Detail, strings.Join(s.Warnings, ",")}, " ")))
	}
	return p, out
}

const planActual = `{
 "permissionSets":[
  {"name":"A","description":"old","sessionDuration":"PT60M","managedPolicies":["arn:aws:iam::aws:policy/Gone","arn:aws:iam::aws:policy/Stays"],"customerManagedPolicies":[{"name":"c1"}],"inlinePolicy":{"Statement":[]},"permissionsBoundary":{"managedPolicyArn":"arn:aws:iam::aws:policy/B"},"tags":{"k":"1","gone":"x"}},
  {"name":"Same","inlinePolicy":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:Get*"],"Resource":"*"}},"managedPolicies":[]},
  {"name":"Old"}],
 "assignments":[
  {"principalType":"USER","principalId":"u1","targetId":"111122223333","permissionSet":"A"},
  {"principalType":"USER","principalId":"u2","targetId":"111122223333","permissionSet":"A"},
  {"principalType":"USER","principalId":"u1","targetId":"444455556666","permissionSet":"Same"},
  {"principalType":"GROUP","principalId":"g","targetId":"111122223333","permissionSet":"Old"}],
 "provisioning":[{"permissionSet":"Same","account":"444455556666","status":"LATEST_PERMISSION_SET_NOT_PROVISIONED"},{"permissionSet":"Same","account":"111122223333","status":"LATEST_PERMISSION_SET_PROVISIONED"}]}`

const planDesired = `{
 "permissionSets":[
  {"name":"Same","inlinePolicy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":\"S3:get*\",\"Effect\":\"Allow\",\"Resource\":[\"*\"]}]}","sessionDuration":"PT1H"},
  {"name":"New","inlinePolicy":{"Statement":[]},"tags":{"a":"b=c"}},
  {"name":"A","description":"new","managedPolicies":["arn:aws:iam::aws:policy/Stays","arn:aws:iam::aws:policy/Comes"],"customerManagedPolicies":[{"name":"c1","path":"/"},{"name":"c2","path":"/x/"}],"permissionsBoundary":{"customerManagedPolicyReference":{"name":"b"}},"tags":{"k":"2"}}],
 "assignments":[
  {"principalType":"USER","principalId":"u2","targetId":"111122223333","permissionSet":"A"},
  {"principalType":"USER","principalId":"u3","targetId":"111122223333","permissionSet":"New"},
  {"principalType":"USER","principalId":"u1","targetId":"444455556666","permissionSet":"Same","notAfter":"2026-01-01T00:00:00Z"}]}`

func TestPlanSteps(t *testing.T) {
	t.Parallel()
	desired, actual := read(t, planDesired), read(t, planActual)
	_, got := plan(t, desired, actual, permissionset.PlanOptions{Now: at("2026-06-01T00:00:00Z")})
	require.Equal(t, []string{
		"UpdateSet A   description",
		"CreateSet New",
		"DetachManaged A   arn:aws:iam::aws:policy/Gone",
		"AttachManaged A   arn:aws:iam::aws:policy/Comes",
		"AttachCustomer A   /x/c2",
		"DeleteInline A",
		"PutBoundary A   /b",
		"Untag A   gone",
		"Tag A   k=2",
		"PutInline New",
		"Provision A",
		"Provision Same 444455556666  LATEST_PERMISSION_SET_NOT_PROVISIONED",
		"CreateAssignment New 111122223333 u3",
		"DeleteAssignment A 111122223333 u1",
		"DeleteAssignment Old 111122223333 g  role_suffix_lost",
		"DeleteAssignment Same 444455556666 u1  role_suffix_lost,expired",
		"DeleteSet Old",
	}, got)
}

func TestPlanHash(t *testing.T) {
	t.Parallel()
	opt := permissionset.PlanOptions{Now: at("2026-06-01T00:00:00Z")}
	a, _ := plan(t, read(t, planDesired), read(t, planActual), opt)
	b, _ := plan(t, read(t, planDesired), read(t, planActual), opt)
	require.Equal(t, a.Hash, b.Hash)
	other := read(t, strings.Replace(planDesired, `"description":"new"`, `"description":"newer"`, 1))
	c, _ := plan(t, other, read(t, planActual), opt)
	require.Equal(t, a.Steps, c.Steps)
	require.NotEqual(t, a.Hash, c.Hash, "the texts that are written are approved too")
	broken := read(t, planDesired)
	broken.PermissionSets[1].InlinePolicy = json.RawMessage("{")
	d, _ := plan(t, broken, read(t, planActual), opt)
	require.NotEmpty(t, d.Hash)
}

func TestPlanGuard(t *testing.T) {
	t.Parallel()
	var actual permissionset.Organization
	actual.PermissionSets = []permissionset.PermissionSet{{Name: "A"}}
	for i := range 40 {
		actual.Assignments = append(actual.Assignments, permissionset.Assignment{PrincipalType: "USER", PrincipalID: "u" + string(rune('A'+i)), TargetID: "111122223333", PermissionSet: "A"})
	}
	for _, c := range []struct {
		removed, limit int
		held           bool
	}{{10, 0, false}, {11, 0, true}, {11, 11, false}, {12, 11, true}, {40, 100, false}} {
		desired := actual
		desired.Assignments = actual.Assignments[c.removed:]
		p, _ := plan(t, desired, actual, permissionset.PlanOptions{MaxRemovals: c.limit})
		require.Equal(t, c.held, p.Held, c)
		require.Equal(t, c.held, p.HeldReason != "")
	}
}

func TestPlanRenameAndPreflight(t *testing.T) {
	t.Parallel()
	o := read(t, `{"accounts":[{"id":"111122223333"}],"permissionSets":[{"name":"A","managedPolicies":[`+managedARNs(21)+`],"customerManagedPolicies":[{"name":"x"}],"permissionsBoundary":{"customerManagedPolicyReference":{"name":"b","path":"/p/"}},"inlinePolicy":"`+strings.Repeat("x", 10241)+`"},{"name":"B"}],
	 "assignments":[{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"A"},{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"B"}]}`)
	_, err := permissionset.Plan(&o, &o, permissionset.PlanOptions{Renames: map[string]string{"A": "B"}})
	require.ErrorIs(t, err, permissionset.ErrRename)
	_, err = permissionset.Plan(&o, &o, permissionset.PlanOptions{Renames: map[string]string{"A": "B"}, AllowReplace: true})
	require.NoError(t, err)
	p, _ := plan(t, o, o, permissionset.PlanOptions{CustomerPolicies: map[string][]string{"111122223333": {"/x"}}, Quotas: permissionset.Quotas{SetsPerAccount: 1}})
	var codes []string
	for _, f := range p.Preflight {
		codes = append(codes, f.Path+" "+f.Code)
	}
	require.Equal(t, []string{"/permissionSets/0/inlinePolicy size", "/permissionSets/0/managedPolicies limit", "/permissionSets/0/customerManagedPolicies missing_policy", "/accounts/0 quota"}, codes)
}

// TestPlanOfEqualStates: whatever the order and however absent is written, equal states need nothing.
func TestPlanOfEqualStates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := drawWorld(t)
		other := o
		other.Assignments = append(slices.Clone(o.Assignments), o.Assignments...)
		slices.Reverse(other.Assignments)
		other.PermissionSets = slices.Clone(o.PermissionSets)
		for i := range other.PermissionSets {
			other.PermissionSets[i].ManagedPolicies, other.PermissionSets[i].Tags, other.PermissionSets[i].SessionDuration = []string{}, map[string]string{}, "PT3600S"
		}
		slices.Reverse(other.PermissionSets)
		p, err := permissionset.Plan(&other, &o, permissionset.PlanOptions{})
		if err != nil || len(p.Steps) > 0 {
			t.Fatalf("%v %+v", err, p)
		}
	})
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	accounts := []permissionset.Account{
		{ID: "1", Name: "prod-eu", OU: "Workloads/Prod", Tags: map[string]string{"env": "prod"}},
		{ID: "2", Name: "prod-us", OU: "Workloads/Prod/US"},
		{ID: "3", Name: "dev", OU: "Workloads/Production", Tags: map[string]string{"env": "dev", "x": ""}},
		{ID: "4", Name: "mgmt"},
	}
	for name, c := range map[string]struct {
		s    permissionset.Selector
		want []string
	}{
		"none":     {permissionset.Selector{}, []string{}},
		"ids":      {permissionset.Selector{IDs: []string{"4", "1", "9"}}, []string{"1", "4"}},
		"name":     {permissionset.Selector{Names: []string{"prod-*"}}, []string{"1", "2"}},
		"bad name": {permissionset.Selector{Names: []string{"[", ""}}, []string{}},
		"unit":     {permissionset.Selector{OUs: []string{"Workloads/Prod/"}}, []string{"1", "2"}},
		"no unit":  {permissionset.Selector{OUs: []string{""}}, []string{}},
		"tag":      {permissionset.Selector{Tags: map[string]string{"env": "*"}}, []string{"1", "3"}},
		"tags":     {permissionset.Selector{Tags: map[string]string{"env": "dev", "x": ""}}, []string{"3"}},
		"except":   {permissionset.Selector{All: true, Except: &permissionset.Selector{Names: []string{"prod-*"}, IDs: []string{"4"}}}, []string{"3"}},
	} {
		require.Equal(t, c.want, c.s.Expand(accounts), name)
	}
	got := permissionset.ExpandRules(accounts, []permissionset.AssignmentRule{{PrincipalType: "USER", PrincipalID: "u", PermissionSet: "S", Accounts: permissionset.Selector{OUs: []string{"Workloads/Prod"}}, Reason: "r"}})
	require.Equal(t, []permissionset.Assignment{
		{PrincipalType: "USER", PrincipalID: "u", TargetID: "1", PermissionSet: "S", Reason: "r"}, {PrincipalType: "USER", PrincipalID: "u", TargetID: "2", PermissionSet: "S", Reason: "r"},
	}, got)
}

func TestReview(t *testing.T) {
	t.Parallel()
	o := read(t, strings.Replace(demo, `"userName":"bob"`, `"userName":"=cmd()"`, 1))
	g := permissionset.NewGrants(o, permissionset.AccessConfig{Now: at("2026-06-01T00:00:00Z")})
	rows := g.Access.Review(g.Directory.People(false))
	require.Len(t, rows, 5)
	require.Equal(t, permissionset.ReviewRow{
		User: "Alice", Account: "111122223333", AccountName: "log-archive", PermissionSet: "LogsReader", Via: []string{"user:Alice"},
		Policies: []string{"arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"}, Reason: "on call",
	}, rows[0])
	require.True(t, rows[2].AdminLike)
	var b bytes.Buffer
	require.NoError(t, permissionset.WriteReviewCSV(&b, rows))
	require.Contains(t, b.String(), "\n'=cmd(),111122223333,log-archive,LogsReader,user:=cmd() > group:loop > group:engineering,")
	reach, err := g.Access.Reach(g.Directory.People(false), []string{"s3:GetObject"}, "*", permissionset.WhoCanQuery{}.Options)
	require.NoError(t, err)
	require.Len(t, reach["s3:GetObject"], 3)
}

func TestDiffAccess(t *testing.T) {
	t.Parallel()
	base := `{"accounts":[{"id":"111122223333"}],"permissionSets":[{"name":"S"},{"name":"T"}],
	 "users":[{"id":"u1","userName":"alice"},{"id":"u2","userName":"bob"},{"id":"u3","userName":"carol"},{"id":"u4","userName":"dave"USTATUS}],
	 "groups":[{"id":"g","displayName":"g","users":[MEMBERS]}],
	 "assignments":[{"principalType":"GROUP","principalId":"g","targetId":"111122223333","permissionSet":"S"},{"principalType":"USER","principalId":"u4","targetId":"111122223333","permissionSet":"S"},
	  {"principalType":"USER","principalId":"u3","targetId":"111122223333","permissionSet":"T","notAfter":"2026-03-01T00:00:00Z"}EXTRA]}`
	build := func(status, members, extra string) permissionset.Organization {
		return read(t, strings.NewReplacer("USTATUS", status, "MEMBERS", members, "EXTRA", extra).Replace(base))
	}
	before := permissionset.Snapshot{Organization: build("", `"u1"`, ""), At: at("2026-01-01T00:00:00Z")()}
	after := permissionset.Snapshot{Organization: build(`,"status":"DISABLED"`, `"u2"`, `,{"principalType":"USER","principalId":"u2","targetId":"111122223333","permissionSet":"T"}`), At: at("2026-06-01T00:00:00Z")()}
	var got []string
	for _, c := range permissionset.DiffAccess(before, after) {
		got = append(got, strings.Join([]string{c.User, c.PermissionSet, string(c.Change), string(c.Cause)}, " "))
	}
	require.Equal(t, []string{"alice S lost membership", "bob S gained membership", "bob T gained assignment", "carol T lost expired", "dave S lost status"}, got)
	changed := before
	changed.Organization = build("", `"u1"`, "")
	changed.Organization.PermissionSets[0].ManagedPolicies = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
	diff := permissionset.DiffAccess(before, changed)
	require.Len(t, diff, 2)
	require.Equal(t, permissionset.CausePolicy, diff[0].Cause)
	require.Empty(t, permissionset.DiffAccess(before, before))
	require.Empty(t, permissionset.DiffAccess(before, permissionset.Snapshot{Organization: before.Organization, At: before.At.Add(time.Hour)}))
}

func TestLint(t *testing.T) {
	t.Parallel()
	o := read(t, `{"accounts":[{"id":"111122223333"}],"permissionSets":[
	  {"name":"A","inlinePolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]},"customerManagedPolicies":[{"name":"c"}]},
	  {"name":"B","inlinePolicy":{"Statement":[{"Effect":"Deny","Action":"s3:x","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_X_0123456789abcdef"}}}]}}],
	 "users":[{"id":"u","userName":"u"}],"groups":[{"id":"g","displayName":"g","users":["u"]},{"id":"h","displayName":"h"}],
	 "assignments":[{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"A"},{"principalType":"GROUP","principalId":"g","targetId":"111122223333","permissionSet":"A"}],
	 "provisioning":[{"permissionSet":"A","account":"111122223333","status":"LATEST_PERMISSION_SET_NOT_PROVISIONED"}]}`)
	var got []string
	for _, p := range permissionset.Lint(&o, permissionset.LintOptions{CustomerPolicies: map[string][]string{}}) {
		got = append(got, p.Path+" "+p.Code)
	}
	require.Equal(t, []string{
		"/permissionSets/0 admin_equivalent", "/permissionSets/0/inlinePolicy/Statement/0 star_admin", "/permissionSets/1 unassigned", "/permissionSets/1/inlinePolicy role_suffix", "/groups/1 empty_group",
		"/assignments/0 redundant_direct", "/provisioning/0 not_provisioned", "/permissionSets/0/customerManagedPolicies missing_policy",
	}, got)
	o.PermissionSets[0].CustomerManagedPolicies = nil
	require.Equal(t, "admin_equivalent", permissionset.Lint(&o, permissionset.LintOptions{})[0].Code)
}

const instanceARN = "arn:aws:sso:::instance/ssoins-1234567890abcdef"

func full(tb testing.TB) permissionset.Organization {
	tb.Helper()
	return read(tb, `{"accounts":[{"id":"111122223333","name":"n","email":"e@corp.example.test"}],"users":[{"id":"u","userName":"alice","status":"DISABLED"}],"groups":[{"id":"g","displayName":"dev","users":["u"]}],
	 "permissionSets":[{"name":"A","description":"d ${x}","sessionDuration":"PT2H","relayState":"https://console.aws.amazon.com/","managedPolicies":["arn:aws:iam::aws:policy/job-function/Billing"],"customerManagedPolicies":[{"name":"c","path":"/p/"}],
	  "inlinePolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}"}]},"permissionsBoundary":{"customerManagedPolicyReference":{"name":"b","path":"/"}},"tags":{"k":"v"}},
	  {"name":"B","permissionsBoundary":{"managedPolicyArn":"arn:aws:iam::aws:policy/X"}}],
	 "assignments":[{"principalType":"GROUP","principalId":"g","targetId":"111122223333","permissionSet":"A"},{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"B"}]}`)
}

func TestImportOfExport(t *testing.T) {
	t.Parallel()
	o := full(t)
	back, err := permissionset.ImportCLI(permissionset.ExportCLI(&o, instanceARN))
	require.NoError(t, err)
	require.JSONEq(t, js(o), js(back))
	for _, d := range permissionset.ExportCLI(&o, instanceARN) {
		if d.PermissionSetARN != "" {
			require.True(t, permissionset.ValidPermissionSetARN(d.PermissionSetARN))
		}
	}
	for name, docs := range map[string]string{
		"no JSON":        `[{"command":"x","output":7}]`,
		"unknown set":    `[{"output":{"AccountAssignments":[{"PermissionSetArn":"x"}]}}]`,
		"no set":         `[{"output":{"InlinePolicy":"{}"}}]`,
		"unknown group":  `[{"output":{"GroupMemberships":[{"GroupId":"x"}]}}]`,
		"one set, twice": `[{"output":{"PermissionSet":{"PermissionSetArn":"x"}}},{"output":{"PermissionSet":{"PermissionSetArn":"x"}}}]`,
	} {
		var list []permissionset.CLIDocument
		require.NoError(t, json.Unmarshal([]byte(docs), &list))
		_, err := permissionset.ImportCLI(list)
		require.ErrorIs(t, err, permissionset.ErrImport, name)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	o := full(t)
	cfn := js(permissionset.CloudFormation(&o, instanceARN))
	require.Contains(t, cfn, `"Fn::GetAtt":["PermissionSet0","PermissionSetArn"]`)
	require.Contains(t, cfn, `"RelayStateType":"https://console.aws.amazon.com/"`)
	require.Contains(t, cfn, `"Type":"AWS::SSO::Assignment"`)
	tf := js(permissionset.Terraform(&o, instanceARN))
	require.Contains(t, tf, `"permission_set_arn":"${aws_ssoadmin_permission_set.set_0.arn}"`)
	require.Contains(t, tf, `$${aws:username}`)
	require.Contains(t, tf, `"description":"d $${x}"`)
	for _, kind := range []string{"aws_ssoadmin_permission_set", "aws_ssoadmin_managed_policy_attachment", "aws_ssoadmin_customer_managed_policy_attachment", "aws_ssoadmin_permission_set_inline_policy", "aws_ssoadmin_permissions_boundary_attachment", "aws_ssoadmin_account_assignment"} {
		require.Contains(t, tf, `"`+kind+`":{`)
	}
	require.Equal(t, "g,GROUP,111122223333,AWS_ACCOUNT,arn,"+instanceARN, permissionset.TerraformID(o.Assignments[0], "arn", instanceARN))
}
