package permissionset_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
)

// report validates ORG.json as the program does and returns "path code" lines.
func report(tb testing.TB, text string) (errs, warnings []string) {
	tb.Helper()
	res, err := permissionset.ReadOrganization([]byte(text))
	require.NoError(tb, err)
	rep := permissionset.Validate(&res.Organization, permissionset.ValidateOptions{})
	line := func(ps []permissionset.Problem) (out []string) {
		for _, p := range ps {
			require.NotEmpty(tb, p.Message)
			out = append(out, p.Path+" "+p.Code)
		}
		return out
	}
	return line(append(res.Errors, rep.Errors...)), line(append(res.Warnings, rep.Warnings...))
}

func set(members string) string { return `{"permissionSets":[{"name":"S"` + members + `}]}` }

func many(n int, f func(i int) string) string {
	var out []string
	for i := range n {
		out = append(out, f(i))
	}
	return strings.Join(out, ",")
}

func managedARNs(n int) string {
	return many(n, func(i int) string { return fmt.Sprintf(`"arn:aws:iam::aws:policy/P%d"`, i) })
}

func TestValidateErrors(t *testing.T) {
	t.Parallel()
	const ps = "/permissionSets/0"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"account without id":      {`{"accounts":[{"name":"x"}]}`, []string{"/accounts/0/id required"}},
		"account id":              {`{"accounts":[{"id":"12345678901"},{"id":"1234567890123"},{"id":"12345678901x"}]}`, []string{"/accounts/0/id pattern", "/accounts/1/id pattern", "/accounts/2/id pattern"}},
		"account twice":           {`{"accounts":[{"id":"111122223333"},{"id":"111122223333"},{"id":"111122223333"}]}`, []string{"/accounts/1/id duplicate", "/accounts/2/id duplicate"}},
		"set without a name":      {`{"permissionSets":[{},{"name":""}]}`, []string{"/permissionSets/0/name required", "/permissionSets/1/name required"}},
		"long name":               {`{"permissionSets":[{"name":"` + strings.Repeat("x", 33) + `"}]}`, []string{ps + "/name length"}},
		"long and bad name":       {`{"permissionSets":[{"name":"` + strings.Repeat(" ", 33) + `"}]}`, []string{ps + "/name length"}},
		"bad name":                {`{"permissionSets":[{"name":"a b"}]}`, []string{ps + "/name pattern"}},
		"names by exact spelling": {`{"permissionSets":[{"name":"a"},{"name":"A"},{"name":"a"}]}`, []string{"/permissionSets/2/name duplicate"}},
		"long description":        {set(`,"description":"` + strings.Repeat("x", 701) + `"`), []string{ps + "/description length"}},
		"description":             {set(`,"description":"\u2028"`), []string{ps + "/description pattern"}},
		"long relay state":        {set(`,"relayState":"` + strings.Repeat("x", 241) + `"`), []string{ps + "/relayState length"}},
		"relay state":             {set(`,"relayState":"https://x/<>"`), []string{ps + "/relayState pattern"}},
		"empty duration":          {set(`,"sessionDuration":""`), []string{ps + "/sessionDuration length"}},
		"long duration":           {set(`,"sessionDuration":"PT` + strings.Repeat("0", 100) + `1H"`), []string{ps + "/sessionDuration length"}},
		"duration":                {set(`,"sessionDuration":"1H"`), []string{ps + "/sessionDuration pattern"}},
		"duration range":          {set(`,"sessionDuration":"PT59M"`), []string{ps + "/sessionDuration range"}},
		"duration in years":       {set(`,"sessionDuration":"P1Y"`), []string{ps + "/sessionDuration range"}},
		"short managed policy":    {set(`,"managedPolicies":["arn:aws:iam"]`), []string{ps + "/managedPolicies/0 length"}},
		"customer managed":        {set(`,"managedPolicies":["arn:aws:iam::111122223333:policy/X"]`), []string{ps + "/managedPolicies/0 pattern"}},
		"managed twice":           {set(`,"managedPolicies":[` + managedARNs(1) + `,` + managedARNs(1) + `]`), []string{ps + "/managedPolicies/1 duplicate"}},
		"too many policies":       {set(`,"managedPolicies":[` + managedARNs(20) + `],"customerManagedPolicies":[{"name":"x"}]`), []string{ps + "/managedPolicies limit"}},
		"customer without a name": {set(`,"customerManagedPolicies":[{}]`), []string{ps + "/customerManagedPolicies/0/name required"}},
		"customer name":           {set(`,"customerManagedPolicies":[{"name":"a b"},{"name":"` + strings.Repeat("x", 129) + `"}]`), []string{ps + "/customerManagedPolicies/0/name pattern", ps + "/customerManagedPolicies/1/name length"}},
		"customer path":           {set(`,"customerManagedPolicies":[{"name":"a","path":"x"},{"name":"a","path":""},{"name":"b","path":"/` + strings.Repeat("x", 512) + `/"}]`), []string{ps + "/customerManagedPolicies/1/path required", ps + "/customerManagedPolicies/0/path pattern", ps + "/customerManagedPolicies/2/path length"}},
		"customer twice":          {set(`,"customerManagedPolicies":[{"name":"a"},{"name":"a","path":"/"}]`), []string{ps + "/customerManagedPolicies/1 duplicate"}},
		"inline policy":           {set(`,"inlinePolicy":{"Statement":[{"Effect":"Allow","Action":"x","Resource":"*"}]}`), []string{ps + "/inlinePolicy/Statement/0/Action action"}},
		"inline text":             {set(`,"inlinePolicy":"{\"Statement\":"`), []string{ps + "/inlinePolicy syntax"}},
		"inline duplicate":        {set(`,"inlinePolicy":{"Statement":[],"Statement":[]}`), []string{ps + "/inlinePolicy duplicate_key"}},
		"inline principal":        {set(`,"inlinePolicy":{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`), []string{ps + "/inlinePolicy/Statement/0/Principal principal_forbidden"}},
		"boundary with both":      {set(`,"permissionsBoundary":{"managedPolicyArn":"arn:aws:iam::aws:policy/X","customerManagedPolicyReference":{"name":"x"}}`), []string{ps + "/permissionsBoundary conflict"}},
		"boundary with neither":   {set(`,"permissionsBoundary":{"other":1}`), []string{ps + "/permissionsBoundary required"}},
		"boundary ARN":            {set(`,"permissionsBoundary":{"managedPolicyArn":"x"}`), []string{ps + "/permissionsBoundary/managedPolicyArn pattern"}},
		"boundary reference":      {set(`,"permissionsBoundary":{"customerManagedPolicyReference":{"path":"x/"}}`), []string{ps + "/permissionsBoundary/customerManagedPolicyReference/name required", ps + "/permissionsBoundary/customerManagedPolicyReference/path pattern"}},
		"too many tags":           {set(`,"tags":{` + many(76, func(i int) string { return fmt.Sprintf(`"k%d":""`, i) }) + `}`), []string{ps + "/tags limit"}},
		"tag keys":                {set(`,"tags":{"":"x","a/b~c!":"","aws:x":"","AWS:y":"","` + strings.Repeat("k", 129) + `":""}`), []string{ps + "/tags/ required", ps + "/tags/AWS:y reserved", ps + "/tags/a~1b~0c! pattern", ps + "/tags/aws:x reserved", ps + "/tags/" + strings.Repeat("k", 129) + " length"}},
		"tag values":              {set(`,"tags":{"a":"` + strings.Repeat("v", 257) + `","b":"<"}`), []string{ps + "/tags/a length", ps + "/tags/b pattern"}},
		"users":                   {`{"users":[{"userName":"a"},{"id":"1"},{"id":"1","userName":"A"},{"id":"2","userName":"` + strings.Repeat("x", 129) + `"},{"id":"3","userName":"s","status":"enabled"}]}`, []string{"/users/0/id required", "/users/1/userName required", "/users/2/id duplicate", "/users/2/userName duplicate", "/users/3/userName length", "/users/4/status pattern"}},
		"groups":                  {`{"groups":[{"displayName":"a"},{"id":"1"},{"id":"1","displayName":"A"},{"id":"2","displayName":"` + strings.Repeat("x", 1025) + `"}]}`, []string{"/groups/0/id required", "/groups/1/displayName required", "/groups/2/id duplicate", "/groups/2/displayName duplicate", "/groups/3/displayName length"}},
		"members":                 {`{"groups":[{"id":"1","displayName":"a","users":["u"],"groups":["1","g"]}]}`, []string{"/groups/0/users/0 unknown", "/groups/0/groups/1 unknown"}},
		"empty assignment":        {`{"assignments":[{}]}`, []string{"/assignments/0/principalType required", "/assignments/0/principalId required", "/assignments/0/targetId required", "/assignments/0/permissionSet required"}},
		"assignment":              {`{"users":[{"id":"u","userName":"u"}],"assignments":[{"principalType":"GROUP","principalId":"u","targetId":"111122223333","permissionSet":"X"},{"principalType":"group","principalId":"zz","targetId":"ou-1","permissionSet":"X"}]}`, []string{"/assignments/0/principalId unknown", "/assignments/0/targetId unknown", "/assignments/0/permissionSet unknown", "/assignments/1/principalType pattern", "/assignments/1/targetId pattern", "/assignments/1/permissionSet unknown"}},
		"assignment end":          {`{"accounts":[{"id":"111122223333"}],"permissionSets":[{"name":"S"}],"users":[{"id":"u","userName":"u"}],"assignments":[{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"S","notAfter":"tomorrow"}]}`, []string{"/assignments/0/notAfter pattern"}},
		"applications":            {`{"applications":[{"id":"a"},{"id":"a","samlEntityID":"x","startURL":"https://x"},{"startURL":"javascript:x"}],"applicationAssignments":[{"principalType":"USER","principalId":"u","application":"z"}]}`, []string{"/applications/0 required", "/applications/1/id duplicate", "/applications/1 conflict", "/applications/2/id required", "/applications/2/startURL pattern", "/applicationAssignments/0/principalId unknown", "/applicationAssignments/0/application unknown"}},
		"attributes":              {`{"accessControlAttributes":[{"source":"${path:title}"},{"key":"a","source":"x"},{"key":"A","source":""},{"key":"b!","source":"` + strings.Repeat("x", 257) + `"}]}`, []string{"/accessControlAttributes/0/key required", "/accessControlAttributes/2/key duplicate", "/accessControlAttributes/2/source required", "/accessControlAttributes/3/key pattern", "/accessControlAttributes/3/source length"}},
		"too many attributes":     {`{"accessControlAttributes":[` + many(51, func(i int) string { return fmt.Sprintf(`{"key":"k%d","source":"x"}`, i) }) + `]}`, []string{"/accessControlAttributes limit"}},
		"wrong types":             {`{"accounts":{},"users":[7],"permissionSets":[{"name":7,"managedPolicies":"x","tags":[],"inlinePolicy":7,"permissionsBoundary":"x"}]}`, []string{"/accounts type", ps + "/inlinePolicy type", ps + "/managedPolicies type", ps + "/name type", ps + "/permissionsBoundary type", ps + "/tags type", "/users/0 type", ps + "/name required", "/users/0/id required", "/users/0/userName required"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs, _ := report(t, c.text)
			require.Equal(t, c.want, errs)
		})
	}
}

func TestInlineSize(t *testing.T) {
	t.Parallel()
	policyOf := func(n int) string { // n bytes without white space
		const frame = `{"Statement":[{"Effect":"Allow","Action":"*","Resource":["*"]}]}`
		fill := n - len(frame)
		var list []string
		for fill > 0 {
			k := min(fill-3, 4000)
			if rest := fill - 3 - k; rest > 0 && rest < 8 {
				k -= 8
			}
			list = append(list, `"arn:`+strings.Repeat("x", k-4)+`"`)
			fill -= k + 3
		}
		return strings.Replace(frame, `["*"]`, `["*"`+func() string {
			if len(list) == 0 {
				return ""
			}
			return "," + strings.Join(list, ",\n ")
		}()+`]`, 1)
	}
	errs, _ := report(t, set(`,"inlinePolicy":`+policyOf(10240)))
	require.Empty(t, errs)
	res, err := permissionset.ReadOrganization([]byte(set(`,"inlinePolicy":` + policyOf(10405))))
	require.NoError(t, err)
	rep := permissionset.Validate(&res.Organization, permissionset.ValidateOptions{})
	require.Len(t, rep.Errors, 1)
	require.Equal(t, permissionset.Problem{
		Path: "/permissionSets/0/inlinePolicy", Code: "size",
		Message: "Current size of the non-whitespace characters present in the InlinePolicy Document is 10405 bytes which has exceeded the maximum limit of 10240 bytes",
	}, rep.Errors[0])
	text, err := json.Marshal(`{"Statement":[]}` + strings.Repeat(" ", 32768))
	require.NoError(t, err)
	errs, _ = report(t, set(`,"inlinePolicy":`+string(text)))
	require.Equal(t, []string{"/permissionSets/0/inlinePolicy length"}, errs)
	errs, _ = report(t, set(`,"inlinePolicy":{"Statement":[]`+strings.Repeat(" ", 40_000)+`}`))
	require.Empty(t, errs, "white space of the file does not count")
}

func TestValidateWarnings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":           {`{}`, nil},
		"unknown members":   {`{"foo":1,"accounts":[{"id":"111122223333","x/y":1}]}`, []string{"/accounts/0/x~1y unknown_member", "/foo unknown_member"}},
		"no policy":         {set(``), []string{"/permissionSets/0 no_policy", "/permissionSets/0 unassigned"}},
		"empty policy":      {set(`,"inlinePolicy":{ },"permissionsBoundary":{}`), []string{"/permissionSets/0 no_policy", "/permissionSets/0 unassigned"}},
		"empty policy text": {set(`,"inlinePolicy":"","permissionsBoundary":null`), []string{"/permissionSets/0 no_policy", "/permissionSets/0 unassigned"}},
		"role quota":        {set(`,"managedPolicies":[` + managedARNs(11) + `]`), []string{"/permissionSets/0/managedPolicies role_quota", "/permissionSets/0 unassigned"}},
		"many tags":         {set(`,"managedPolicies":[` + managedARNs(1) + `],"tags":{` + many(51, func(i int) string { return fmt.Sprintf(`"k%d":""`, i) }) + `}`), []string{"/permissionSets/0/tags cloudformation_limit", "/permissionSets/0 unassigned"}},
		"cycles":            {`{"groups":[{"id":"1","displayName":"a","groups":["2"]},{"id":"2","displayName":"b","groups":["3","4"]},{"id":"3","displayName":"c","groups":["1"]},{"id":"4","displayName":"d"},{"id":"5","displayName":"e","groups":["5","1"]}]}`, []string{"/groups/0 cycle", "/groups/1 cycle", "/groups/2 cycle", "/groups/4 cycle"}},
		"assignment twice":  {`{"accounts":[{"id":"111122223333"}],"permissionSets":[{"name":"S","managedPolicies":[` + managedARNs(1) + `]}],"users":[{"id":"u","userName":"u"}],"assignments":[{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"S"},{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"S","reason":"again"}]}`, []string{"/assignments/1 duplicate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs, warnings := report(t, c.text)
			require.Empty(t, errs)
			require.Equal(t, c.want, warnings)
		})
	}
}

func TestQuotaWarnings(t *testing.T) {
	t.Parallel()
	o := &permissionset.Organization{
		Accounts: []permissionset.Account{{ID: "111122223333"}, {ID: "444455556666"}}, PermissionSets: []permissionset.PermissionSet{{Name: "A"}, {Name: "B"}},
		Users: []permissionset.User{{ID: "u", UserName: "u"}, {ID: "v", UserName: "v"}}, Groups: []permissionset.Group{{ID: "g", DisplayName: "g"}, {ID: "h", DisplayName: "h"}},
	}
	for _, s := range []string{"A", "B"} {
		o.Assignments = append(o.Assignments, permissionset.Assignment{PrincipalType: "USER", PrincipalID: "u", TargetID: "111122223333", PermissionSet: s})
	}
	rep := permissionset.Validate(o, permissionset.ValidateOptions{Quotas: permissionset.Quotas{PermissionSets: 1, Users: 1, Groups: 1, AccountsAndApps: 1, SetsPerAccount: 1}})
	require.True(t, rep.Valid)
	var paths []string
	for _, w := range rep.Warnings {
		if w.Code == "quota" {
			paths = append(paths, w.Path)
		}
	}
	require.Equal(t, []string{"/permissionSets", "/users", "/groups", "/accounts", "/accounts/0"}, paths)
}

func TestNoOrganization(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "[]", `"x"`, "null", `{"a":1} x`} {
		_, err := permissionset.ReadOrganization([]byte(text))
		require.ErrorIs(t, err, permissionset.ErrNotOrganization, text)
	}
}

func FuzzReadOrganization(f *testing.F) {
	f.Add([]byte(`{"accounts":[{"id":"111122223333"}],"permissionSets":[{"name":"x","inlinePolicy":{"Statement":[]},"permissionsBoundary":{}}],"groups":[{"id":"1","groups":["1"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		res, err := permissionset.ReadOrganization(text)
		if err != nil {
			return
		}
		rep := permissionset.Validate(&res.Organization, permissionset.ValidateOptions{})
		if rep.Valid != (len(rep.Errors) == 0) {
			t.Fatal("valid and errors contradict each other")
		}
		g := permissionset.NewGrants(res.Organization, permissionset.AccessConfig{})
		for _, u := range g.Directory.Users() {
			g.Access.Effective(u, g.Directory.Memberships(u.ID, false))
		}
	})
}

func TestSessionTags(t *testing.T) {
	t.Parallel()
	store, assertion := map[string]string{"CostCenter": "store", "Team": "red"}, map[string]string{"costcenter": "assertion", "Extra": "x"}
	got, err := permissionset.SessionTags(store, assertion, permissionset.ConfiguredStoreWins)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"CostCenter": "store", "Team": "red", "Extra": "x"}, got)
	got, err = permissionset.SessionTags(store, assertion, permissionset.AssertionWins)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"costcenter": "assertion", "Team": "red", "Extra": "x"}, got)
	tooMany := map[string]string{}
	for i := range 51 {
		tooMany[fmt.Sprint("k", i)] = ""
	}
	for name, m := range map[string]map[string]string{"empty key": {"": "x"}, "long key": {strings.Repeat("k", 129): ""}, "long value": {"k": strings.Repeat("v", 257)}, "twice": {"a": "", "A": ""}, "many": tooMany} {
		_, err := permissionset.SessionTags(m, nil, permissionset.ConfiguredStoreWins)
		require.ErrorIs(t, err, permissionset.ErrTags, name)
	}
}
