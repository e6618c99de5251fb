package permissionset_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
)

// TestStrangePrincipals: an assignment whose principal is of no known type, or has no identifier, grants nothing, also
// when the principals live in another store.
func TestStrangePrincipals(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "user", "ROLE", "Group"} {
		o := read(t, `{"accounts":[{"id":"111122223333"}],"permissionSets":[{"name":"S"}],"applications":[{"id":"a","name":"a","startURL":"https://a.example.test"}],
		 "assignments":[{"principalType":"`+kind+`","principalId":"u1","targetId":"111122223333","permissionSet":"S"}],
		 "applicationAssignments":[{"principalType":"`+kind+`","principalId":"u1","application":"a"}]}`)
		a := permissionset.NewAccess(o, permissionset.AccessConfig{ExternalPrincipals: true})
		eff := a.Effective(permissionset.User{ID: "u1", UserName: "alice"}, []permissionset.Membership{{GroupID: "u1", Path: []string{"g"}}})
		require.Empty(t, eff.Accounts, kind)
		require.Empty(t, eff.Applications, kind)
		require.Len(t, a.Warnings(), 2, kind)
	}
	for _, kind := range []string{"USER", "GROUP"} { // one's identifier is not the other's
		o := read(t, `{"accounts":[{"id":"111122223333"}],"permissionSets":[{"name":"S"}],"users":[{"id":"u1","userName":"alice"}],"groups":[{"id":"g1","displayName":"g","users":["u1"]}],
		 "assignments":[{"principalType":"`+kind+`","principalId":"","targetId":"111122223333","permissionSet":"S"},
		  {"principalType":"`+kind+`","principalId":"`+map[string]string{"USER": "g1", "GROUP": "u1"}[kind]+`","targetId":"111122223333","permissionSet":"S"}],
		 "applications":[{"id":"a","name":"a","startURL":"https://a.example.test"}],"applicationAssignments":[{"principalType":"`+kind+`","principalId":"gone","application":"a"}]}`)
		for _, external := range []bool{false, true} {
			a := permissionset.NewAccess(o, permissionset.AccessConfig{ExternalPrincipals: external})
			eff := a.Effective(permissionset.User{UserName: "nobody"}, []permissionset.Membership{{Path: []string{"g"}}})
			require.Empty(t, eff.Accounts)
			if !external {
				require.Len(t, a.Warnings(), 3)
			}
		}
	}
}

// TestExceptBroken: a pattern that cannot be read must not turn "all but these" into "all".
func TestExceptBroken(t *testing.T) {
	t.Parallel()
	accounts := []permissionset.Account{{ID: "1", Name: "prod"}, {ID: "2", Name: "dev"}}
	for _, bad := range []string{"[prod", "prod[", `prod\`, "[]a]"} {
		require.Empty(t, permissionset.Selector{All: true, Except: &permissionset.Selector{Names: []string{"x", bad}}}.Expand(accounts), bad)
	}
	require.Equal(t, []string{"2"}, permissionset.Selector{All: true, Except: &permissionset.Selector{Names: []string{"prod"}}}.Expand(accounts))
	require.Empty(t, permissionset.Selector{Tags: map[string]string{"env": "*"}}.Expand(accounts), "a tag that is not there")
	tagged := []permissionset.Account{{ID: "1", Tags: map[string]string{"env": "prod"}}, {ID: "2", Tags: map[string]string{"env": ""}}}
	require.Equal(t, []string{"2"}, permissionset.Selector{Tags: map[string]string{"env": ""}}.Expand(tagged))
}

// TestDiffCauses: an assignment that ends later is no cause, one that cannot be read has ended, and a set that only one
// state has did not change.
func TestDiffCauses(t *testing.T) {
	t.Parallel()
	build := func(notAfter, members, sets string) permissionset.Organization {
		return read(t, `{"accounts":[{"id":"111122223333"}],"permissionSets":[`+sets+`],"users":[{"id":"u1","userName":"alice"}],
		 "groups":[{"id":"g","displayName":"g","users":[`+members+`]}],
		 "assignments":[{"principalType":"GROUP","principalId":"g","targetId":"111122223333","permissionSet":"S"`+notAfter+`}]}`)
	}
	day := func(o permissionset.Organization, when string) permissionset.Snapshot {
		return permissionset.Snapshot{Organization: o, At: at(when)()}
	}
	const set = `{"name":"S"}`
	for name, c := range map[string]struct {
		before, after permissionset.Organization
		want          []string
	}{
		"ends later, member gone":   {build(`,"notAfter":"2030-01-01T00:00:00Z"`, `"u1"`, set), build(`,"notAfter":"2030-01-01T00:00:00Z"`, ``, set), []string{"lost membership"}},
		"has ended":                 {build(`,"notAfter":"2026-03-01T00:00:00Z"`, `"u1"`, set), build(`,"notAfter":"2026-03-01T00:00:00Z"`, `"u1"`, set), []string{"lost expired"}},
		"cannot be read":            {build(``, `"u1"`, set), build(`,"notAfter":"soon"`, `"u1"`, set), []string{"lost expired"}},
		"longer sessions":           {build(``, `"u1"`, set), build(``, `"u1"`, `{"name":"S","sessionDuration":"PT8H"}`), []string{"changed policy"}},
		"same sessions":             {build(``, `"u1"`, set), build(``, `"u1"`, `{"name":"S","sessionDuration":"PT60M"}`), nil},
		"a duration that is broken": {build(``, `"u1"`, `{"name":"S","sessionDuration":"x"}`), build(``, `"u1"`, `{"name":"S","sessionDuration":"y"}`), []string{"changed policy"}},
		"broken in the same way":    {build(``, `"u1"`, `{"name":"S","sessionDuration":"x"}`), build(``, `"u1"`, `{"name":"S","sessionDuration":"x"}`), nil},
		"the set is gone":           {build(``, `"u1"`, set), build(``, `"u1"`, `{"name":"T"}`), []string{"lost membership"}},
	} {
		var got []string
		for _, x := range permissionset.DiffAccess(day(c.before, "2026-01-01T00:00:00Z"), day(c.after, "2026-06-01T00:00:00Z")) {
			got = append(got, string(x.Change)+" "+string(x.Cause))
		}
		require.Equal(t, c.want, got, name)
	}
}

// TestApplicationsValidated: what a tile may point at, and whom it may name.
func TestApplicationsValidated(t *testing.T) {
	t.Parallel()
	app := func(members string) string { return `{"applications":[{"id":"a","name":"a"` + members + `}]}` }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"https":         {app(`,"startURL":"https://a.example.test"`), nil},
		"http":          {app(`,"startURL":"http://a.example.test"`), nil},
		"entity":        {app(`,"samlEntityID":"urn:a"`), nil},
		"script":        {app(`,"startURL":"javascript:alert(1)"`), []string{"/applications/0/startURL pattern"}},
		"no scheme":     {app(`,"startURL":"//a.example.test"`), []string{"/applications/0/startURL pattern"}},
		"both":          {app(`,"samlEntityID":"urn:a","startURL":"https://a.example.test"`), []string{"/applications/0 conflict"}},
		"neither":       {app(``), []string{"/applications/0 required"}},
		"unknown":       {`{"users":[{"id":"u","userName":"u"}],"applicationAssignments":[{"principalType":"USER","principalId":"u","application":"b"}]}`, []string{"/applicationAssignments/0/application unknown"}},
		"no app":        {`{"users":[{"id":"u","userName":"u"}],"applicationAssignments":[{"principalType":"USER","principalId":"u"}]}`, []string{"/applicationAssignments/0/application required"}},
		"entity twice":  {`{"applications":[{"id":"a","name":"a","samlEntityID":"urn:a"},{"id":"b","name":"b","samlEntityID":"urn:a"}]}`, []string{"/applications/1/samlEntityID duplicate"}},
		"without twice": {`{"applications":[{"id":"a","name":"a","startURL":"https://a.example.test"},{"id":"b","name":"b","startURL":"https://b.example.test"}]}`, nil},
		"user status":   {`{"users":[{"id":"u","userName":"u","status":"ENABLED"},{"id":"v","userName":"v","status":"DISABLED"},{"id":"w","userName":"w","status":"disabled"}]}`, []string{"/users/2/status pattern"}},
		"policy path":   {set(`,"customerManagedPolicies":[{"name":"","path":"x"}]`), []string{"/permissionSets/0/customerManagedPolicies/0/name required", "/permissionSets/0/customerManagedPolicies/0/path pattern"}},
	} {
		res, err := permissionset.ReadOrganization([]byte(c.text))
		require.NoError(t, err, name)
		var got []string
		for _, p := range permissionset.Validate(&res.Organization, permissionset.ValidateOptions{}).Errors {
			got = append(got, p.Path+" "+p.Code)
		}
		require.Equal(t, c.want, got, name)
	}
}

// TestInlinePolicyText: only a JSON string is unwrapped.
func TestInlinePolicyText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{`"a\nb"`: "a\nb", `{"a":1}`: `{"a":1}`, `null`: `null`, ``: ``, `"broken`: `"broken`, `7`: `7`} {
		require.Equal(t, want, string(permissionset.InlinePolicyText(json.RawMessage(in))), in)
	}
}

// TestPlanDrift: what makes a set differ, and what does not.
func TestPlanDrift(t *testing.T) {
	t.Parallel()
	build := func(members string) *permissionset.Organization {
		o := read(t, `{"accounts":[{"id":"111122223333"}],"permissionSets":[{"name":"S"`+members+`}]}`)
		return &o
	}
	const doc = `,"inlinePolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*"],"Resource":"*"}]}`
	for name, c := range map[string]struct {
		want, have string
		steps      []string
	}{
		"relay state":          {`,"relayState":"https://a.example.test"`, ``, []string{"UpdateSet relayState"}},
		"duration":             {`,"sessionDuration":"PT2H"`, ``, []string{"UpdateSet sessionDuration"}},
		"broken durations":     {`,"sessionDuration":"x"`, `,"sessionDuration":"y"`, []string{"UpdateSet sessionDuration"}},
		"one broken duration":  {`,"sessionDuration":"x"`, `,"sessionDuration":"PT2H"`, []string{"UpdateSet sessionDuration"}},
		"same broken duration": {`,"sessionDuration":"x"`, `,"sessionDuration":"x"`, nil},
		"same policy":          {doc, strings.Replace(doc, `["s3:Get*"]`, `"s3:Get*"`, 1), nil},
		"other policy":         {doc, strings.Replace(doc, `Get`, `Put`, 1), []string{"PutInline "}},
		"one is no policy":     {doc, `,"inlinePolicy":{"x":1}`, []string{"PutInline "}},
		"same, no policies":    {`,"inlinePolicy":{"x": 1}`, `,"inlinePolicy":{"x":1}`, nil},
		"other, no policies":   {`,"inlinePolicy":{"x":2}`, `,"inlinePolicy":{"x":1}`, []string{"PutInline "}},
		"no JSON":              {`,"inlinePolicy":"x"`, `,"inlinePolicy":"y"`, []string{"PutInline "}},
		"same, no JSON":        {`,"inlinePolicy":"x"`, `,"inlinePolicy":"x"`, nil},
		"an empty tag":         {`,"tags":{"a":""}`, ``, []string{"Tag a="}},
		"another tag":          {`,"tags":{"a":"b"}`, `,"tags":{"a":"c"}`, []string{"Tag a=b"}},
	} {
		p, err := permissionset.Plan(build(c.want), build(c.have), permissionset.PlanOptions{})
		require.NoError(t, err, name)
		var got []string
		for _, s := range p.Steps {
			got = append(got, string(s.Op)+" "+s.Detail)
		}
		require.Equal(t, c.steps, got, name)
	}
	_, err := permissionset.Plan(build(``), build(``), permissionset.PlanOptions{Renames: map[string]string{"S": "S"}})
	require.NoError(t, err, "the same name is no rename")
}

// TestWhoCanAccount: only the account of a whole ARN limits the search.
func TestWhoCanAccount(t *testing.T) {
	t.Parallel()
	o := read(t, `{"accounts":[{"id":"111122223333"},{"id":"222233334444"}],"permissionSets":[{"name":"S","inlinePolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}}],
	 "users":[{"id":"u1","userName":"alice"}],"assignments":[{"principalType":"USER","principalId":"u1","targetId":"111122223333","permissionSet":"S"},{"principalType":"USER","principalId":"u1","targetId":"222233334444","permissionSet":"S"}]}`)
	a := permissionset.NewAccess(o, permissionset.AccessConfig{})
	people := permissionset.NewDirectory(o.Users, o.Groups).People(false)
	for resource, want := range map[string]int{
		"*": 2, "arn:aws:s3:::b/k": 2, "arn:aws:sqs:eu-west-1:111122223333:q": 1, "arn:aws:sqs:eu-west-1:999999999999:q": 0, "arn:aws:sqs:eu-west-1:1111:q": 2,
		"arn:aws:iam::222233334444:role/a:b:c": 1,
	} {
		res, err := a.WhoCan(people, permissionset.WhoCanQuery{Action: "sqs:SendMessage", Resource: resource})
		require.NoError(t, err)
		require.Len(t, res.Results, want, resource)
	}
	for _, q := range []permissionset.WhoCanQuery{{Action: "a:b"}, {Resource: "*"}, {}} {
		_, err := a.WhoCan(people, q)
		require.ErrorIs(t, err, permissionset.ErrQuery)
		_, err = a.Why(people[0], permissionset.WhyQuery{Account: "111122223333", Action: q.Action, Resource: q.Resource})
		require.ErrorIs(t, err, permissionset.ErrQuery)
	}
}
