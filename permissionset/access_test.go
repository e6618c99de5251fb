package permissionset_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/permissionset"
)

func read(tb testing.TB, text string) permissionset.Organization {
	tb.Helper()
	res, err := permissionset.ReadOrganization([]byte(text))
	require.NoError(tb, err)
	require.Empty(tb, res.Errors)
	return res.Organization
}

const demo = `{
 "accounts":[{"id":"444455556666","name":"workloads"},{"id":"111122223333","name":"log-archive","email":"logs@corp.example.test"}],
 "permissionSets":[{"name":"LogsReader","managedPolicies":["arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"]},{"name":"Admin","managedPolicies":["arn:aws:iam::aws:policy/AdministratorAccess"]},{"name":"a"}],
 "users":[{"id":"u1","userName":"Alice"},{"id":"u2","userName":"bob"},{"id":"u4","userName":"dave","status":"DISABLED"}],
 "groups":[{"id":"g1","displayName":"dev","users":["u1","u4"]},{"id":"g2","displayName":"engineering","groups":["g1","g3"]},{"id":"g3","displayName":"loop","groups":["g2"],"users":["u2"]}],
 "assignments":[
  {"principalType":"GROUP","principalId":"g2","targetId":"111122223333","permissionSet":"LogsReader"},
  {"principalType":"USER","principalId":"u1","targetId":"111122223333","permissionSet":"LogsReader","reason":"on call"},
  {"principalType":"GROUP","principalId":"g1","targetId":"444455556666","permissionSet":"a"},
  {"principalType":"GROUP","principalId":"g1","targetId":"444455556666","permissionSet":"Admin"},
  {"principalType":"GROUP","principalId":"g1","targetId":"444455556666","permissionSet":"Admin"},
  {"principalType":"USER","principalId":"nobody","targetId":"111122223333","permissionSet":"Admin"},
  {"principalType":"USER","principalId":"u1","targetId":"999900001111","permissionSet":"Admin"},
  {"principalType":"USER","principalId":"u1","targetId":"111122223333","permissionSet":"Nothing"},
  {"principalType":"USER","principalId":"u2","targetId":"444455556666","permissionSet":"Admin","notAfter":"2026-01-01T00:00:00Z"},
  {"principalType":"USER","principalId":"u2","targetId":"444455556666","permissionSet":"a","notAfter":"soon"}],
 "applications":[{"id":"app2","name":"wiki","startURL":"https://wiki.corp.example.test"},{"id":"app1","name":"crm","samlEntityID":"urn:crm"}],
 "applicationAssignments":[{"principalType":"GROUP","principalId":"g2","application":"app1"},{"principalType":"USER","principalId":"u1","application":"app2"},{"principalType":"USER","principalId":"u1","application":"none"}]}`

func at(s string) func() time.Time {
	return func() time.Time {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return t
	}
}

func TestEffective(t *testing.T) {
	t.Parallel()
	g := permissionset.NewGrants(read(t, demo), permissionset.AccessConfig{Now: at("2026-06-01T00:00:00Z")})
	eff, err := g.EffectiveAccess(context.Background(), "ALICE")
	require.NoError(t, err)
	require.Equal(t, permissionset.Effective{
		User: "Alice", Status: permissionset.Enabled,
		Accounts: []permissionset.AccountAccess{
			{ID: "111122223333", Name: "log-archive", Email: "logs@corp.example.test", PermissionSets: []permissionset.SetAccess{
				{Name: "LogsReader", Via: [][]string{{"user:Alice"}, {"user:Alice", "group:dev", "group:engineering"}}, Assignments: []int{1, 0}},
			}},
			{ID: "444455556666", Name: "workloads", PermissionSets: []permissionset.SetAccess{
				{Name: "Admin", Via: [][]string{{"user:Alice", "group:dev"}}, Assignments: []int{3}},
				{Name: "a", Via: [][]string{{"user:Alice", "group:dev"}}, Assignments: []int{2}},
			}},
		},
		Applications: []permissionset.ApplicationAccess{
			{ID: "app1", Name: "crm", Via: [][]string{{"user:Alice", "group:dev", "group:engineering"}}, Assignments: []int{0}},
			{ID: "app2", Name: "wiki", Via: [][]string{{"user:Alice"}}, Assignments: []int{1}},
		},
	}, eff)

	bob, _ := g.Directory.User("bob")
	eff = g.Access.Effective(bob, g.Directory.Memberships(bob.ID, false))
	require.Len(t, eff.Accounts, 1, "what has ended, or has an end that cannot be read, grants nothing")
	require.Equal(t, [][]string{{"user:bob", "group:loop", "group:engineering"}}, eff.Accounts[0].PermissionSets[0].Via)
	require.Empty(t, g.Access.Effective(bob, g.Directory.Memberships(bob.ID, true)).Accounts)
	early := permissionset.NewGrants(read(t, demo), permissionset.AccessConfig{Now: at("2025-12-31T23:59:59Z")})
	eff, err = early.EffectiveAccess(context.Background(), "bob")
	require.NoError(t, err)
	require.Len(t, eff.Accounts, 2)

	eff, err = g.EffectiveAccess(context.Background(), "dave")
	require.NoError(t, err)
	require.Equal(t, permissionset.Effective{User: "dave", Status: permissionset.Disabled, Accounts: []permissionset.AccountAccess{}}, eff)
	_, err = g.EffectiveAccess(context.Background(), "nobody")
	require.ErrorIs(t, err, permissionset.ErrUnknownUser)

	var lines []string
	for _, w := range g.Access.Warnings() {
		lines = append(lines, w.Path+" "+w.Code)
	}
	require.Equal(t, []string{"/assignments/5 unknown", "/assignments/6 unknown", "/assignments/7 unknown", "/assignments/8 expired", "/assignments/9 pattern", "/applicationAssignments/2 unknown"}, lines)

	app, ok := g.Access.ApplicationByEntityID("urn:crm")
	require.True(t, ok)
	require.True(t, app.AssignmentRequired())
	_, ok = g.Access.ApplicationByEntityID("")
	require.False(t, ok)
	_, ok = g.Access.Account("000000000000")
	require.False(t, ok)
}

func TestExternalPrincipals(t *testing.T) {
	t.Parallel()
	o := read(t, demo)
	o.Users, o.Groups = nil, nil
	a := permissionset.NewAccess(o, permissionset.AccessConfig{ExternalPrincipals: true, Now: at("2026-06-01T00:00:00Z")})
	eff := a.Effective(permissionset.User{ID: "x", UserName: "carol"}, []permissionset.Membership{{GroupID: "g2", Path: []string{"Platform", "Engineering"}}})
	require.Equal(t, [][]string{{"user:carol", "group:Platform", "group:Engineering"}}, eff.Accounts[0].PermissionSets[0].Via)
	require.Empty(t, permissionset.NewAccess(o, permissionset.AccessConfig{}).Effective(permissionset.User{ID: "u1"}, nil).Accounts)
}

// world is a random organization.
func drawWorld(t *rapid.T) permissionset.Organization {
	var o permissionset.Organization
	n := rapid.IntRange(1, 5).Draw(t, "users")
	m := rapid.IntRange(0, 7).Draw(t, "groups")
	for i := range n {
		o.Users = append(o.Users, permissionset.User{ID: fmt.Sprint("u", i), UserName: fmt.Sprint("n", i)})
	}
	names := rapid.Permutation([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "names")
	for i := range m {
		g := permissionset.Group{ID: fmt.Sprint("g", i), DisplayName: names[i]}
		for j := range n {
			if rapid.IntRange(0, 3).Draw(t, "in") == 0 {
				g.Users = append(g.Users, fmt.Sprint("u", j))
			}
		}
		for j := range m {
			if rapid.IntRange(0, 3).Draw(t, "nested") == 0 {
				g.Groups = append(g.Groups, fmt.Sprint("g", j))
			}
		}
		o.Groups = append(o.Groups, g)
	}
	o.Accounts = []permissionset.Account{{ID: "111122223333"}, {ID: "444455556666"}}
	o.PermissionSets = []permissionset.PermissionSet{{Name: "S"}, {Name: "T"}}
	for range rapid.IntRange(0, 8).Draw(t, "assignments") {
		o.Assignments = append(o.Assignments, drawAssignment(t))
	}
	return o
}

func drawAssignment(t *rapid.T) permissionset.Assignment {
	kind := rapid.SampledFrom([]permissionset.PrincipalType{"USER", "GROUP"}).Draw(t, "kind")
	return permissionset.Assignment{
		PrincipalType: kind, PrincipalID: fmt.Sprint(strings.ToLower(string(kind[:1])), rapid.IntRange(0, 7).Draw(t, "id")),
		TargetID: rapid.SampledFrom([]string{"111122223333", "444455556666"}).Draw(t, "account"), PermissionSet: rapid.SampledFrom([]string{"S", "T"}).Draw(t, "set"),
	}
}

// naivePaths lists all simple paths from a user to every group and picks the shortest and smallest.
func naivePaths(o *permissionset.Organization, user string) map[string][]string {
	best := map[string][]string{}
	var climb func(id string, path []string, seen map[string]bool)
	climb = func(id string, path []string, seen map[string]bool) {
		for _, g := range o.Groups {
			if g.ID != id || seen[id] {
				continue
			}
			path := append(slices.Clone(path), g.DisplayName)
			if old, ok := best[id]; !ok || cmp.Or(cmp.Compare(len(path), len(old)), slices.Compare(path, old)) < 0 {
				best[id] = path
			}
			seen[id] = true
			for _, p := range o.Groups {
				if slices.Contains(p.Groups, id) {
					climb(p.ID, path, seen)
				}
			}
			seen[id] = false
		}
	}
	for _, g := range o.Groups {
		if slices.Contains(g.Users, user) {
			climb(g.ID, nil, map[string]bool{})
		}
	}
	return best
}

func TestMembershipsAgainstAllPaths(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := drawWorld(t)
		d := permissionset.NewDirectory(o.Users, o.Groups)
		for _, u := range o.Users {
			want := naivePaths(&o, u.ID)
			got := d.Memberships(u.ID, false)
			if len(got) != len(want) {
				t.Fatalf("%v: %v, want %v", u.ID, got, want)
			}
			for _, m := range got {
				if !slices.Equal(m.Path, want[m.GroupID]) {
					t.Fatalf("%v in %v: %v, want %v", u.ID, m.GroupID, m.Path, want[m.GroupID])
				}
			}
			g := permissionset.NewGrants(o, permissionset.AccessConfig{})
			if a, b := js(g.Effective(u)), js(g.Access.Effective(u, got)); a != b {
				t.Fatalf("the two ways differ:\n%s\n%s", a, b)
			}
			turned := slices.Clone(got)
			slices.Reverse(turned)
			if a, b := js(g.Effective(u)), js(g.Access.Effective(u, turned)); a != b {
				t.Fatalf("the order of memberships counts:\n%s\n%s", a, b)
			}
			for _, m := range d.Memberships(u.ID, true) {
				if len(m.Path) != 1 {
					t.Fatalf("direct only: %v", m)
				}
			}
		}
	})
}

// TestEffectiveProperties: order of the lists means nothing, and one assignment more never takes anything away.
func TestEffectiveProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := drawWorld(t)
		turned := o
		turned.Groups = slices.Clone(o.Groups)
		slices.Reverse(turned.Groups)
		turned.Users = slices.Clone(o.Users)
		slices.Reverse(turned.Users)
		more := o
		more.Assignments = append(slices.Clone(o.Assignments), drawAssignment(t))
		g, h, k := permissionset.NewGrants(o, permissionset.AccessConfig{}), permissionset.NewGrants(turned, permissionset.AccessConfig{}), permissionset.NewGrants(more, permissionset.AccessConfig{})
		for _, u := range o.Users {
			a, _ := g.EffectiveAccess(t.Context(), u.UserName)
			b, _ := h.EffectiveAccess(t.Context(), u.UserName)
			c, _ := k.EffectiveAccess(t.Context(), u.UserName)
			if x, y := js(a), js(b); x != y {
				t.Fatalf("order: %s\n%s", x, y)
			}
			for line := range lines(a) {
				if !lines(c)[line] {
					t.Fatalf("lost %s", line)
				}
			}
		}
	})
}

func js(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func lines(e permissionset.Effective) map[string]bool {
	out := map[string]bool{}
	for _, a := range e.Accounts {
		for _, s := range a.PermissionSets {
			for _, v := range s.Via {
				out[a.ID+" "+s.Name+" "+strings.Join(v, ">")] = true
			}
		}
	}
	return out
}

func TestWhoCan(t *testing.T) {
	t.Parallel()
	o := read(t, `{
 "accounts":[{"id":"111122223333"},{"id":"444455556666"}],
 "permissionSets":[
  {"name":"Admin","managedPolicies":["arn:aws:iam::aws:policy/AdministratorAccess"]},
  {"name":"Bounded","managedPolicies":["arn:aws:iam::aws:policy/AdministratorAccess"],"permissionsBoundary":{"customerManagedPolicyReference":{"name":"B","path":"/x/"}}},
  {"name":"Cond","inlinePolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"AWS:RequestedRegion":"eu-west-1"}}}]}},
  {"name":"Denied","managedPolicies":["arn:aws:iam::aws:policy/Unknown"],"inlinePolicy":"{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}"},
  {"name":"Known","inlinePolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Known_*"},"StringEquals":{"aws:PrincipalAccount":"111122223333","aws:ResourceAccount":"111122223333","aws:PrincipalType":"AssumedRole"}}}]}},
  {"name":"Nothing"},
  {"name":"Partly","managedPolicies":["arn:aws:iam::aws:policy/Unknown"]}],
 "users":[{"id":"u","userName":"alice"},{"id":"v","userName":"dave","status":"DISABLED"}],
 "assignments":[`+many(7, func(i int) string {
		name := []string{"Admin", "Bounded", "Cond", "Denied", "Known", "Nothing", "Partly"}[i]
		return fmt.Sprintf(`{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"%s"},{"principalType":"USER","principalId":"v","targetId":"111122223333","permissionSet":"%s"}`, name, name)
	})+`,{"principalType":"USER","principalId":"u","targetId":"444455556666","permissionSet":"Admin"}],
 "policyDocuments":{
  "arn:aws:iam::aws:policy/AdministratorAccess":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]},
  "arn:aws:iam::111122223333:policy/x/B":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]},
  "arn:aws:iam::aws:policy/Broken":{}}}`)
	g := permissionset.NewGrants(o, permissionset.AccessConfig{})
	ask := func(action, resource string) []string {
		res, err := g.Access.WhoCan(g.Directory.People(false), permissionset.WhoCanQuery{Action: action, Resource: resource})
		require.NoError(t, err)
		require.Len(t, res.Warnings, 1)
		require.Equal(t, "/policyDocuments/arn:aws:iam::aws:policy~1Broken", res.Warnings[0].Path)
		var out []string
		for _, r := range res.Results {
			require.Equal(t, [][]string{{"user:alice"}}, r.Via)
			out = append(out, strings.Join([]string{r.User, r.Account[:4], r.PermissionSet, string(r.Decision), strings.Join(r.MissingContext, "+"), strings.Join(r.Unresolved, "+")}, " "))
		}
		return out
	}
	require.Equal(t, []string{
		"alice 1111 Admin allow  ", "alice 1111 Bounded allow  ", "alice 1111 Cond conditional AWS:RequestedRegion ",
		"alice 1111 Known allow  ", "alice 1111 Partly unknown  arn:aws:iam::aws:policy/Unknown", "alice 4444 Admin allow  ",
	}, ask("s3:GetObject", "arn:aws:s3:::bucket/key"))
	require.Equal(t, []string{
		"alice 1111 Admin allow  ", "alice 1111 Cond conditional AWS:RequestedRegion ", "alice 1111 Known allow  ",
		"alice 1111 Partly unknown  arn:aws:iam::aws:policy/Unknown", "alice 4444 Admin allow  ",
	}, ask("s3:PutObject", "*"))
	require.Equal(t, []string{"alice 4444 Admin allow  "}, ask("logs:Get", "arn:aws:logs:eu-west-1:444455556666:log-group:x"))
	require.Empty(t, ask("logs:Get", "arn:aws:logs:eu-west-1:777788889999:log-group:x"))
	_, err := g.Access.WhoCan(nil, permissionset.WhoCanQuery{Action: "s3:x"})
	require.ErrorIs(t, err, permissionset.ErrQuery)
}
