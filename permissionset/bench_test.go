package permissionset_test

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// bigOrganization has groups nested ten levels deep, as directories have them, and assignments mostly to groups.
func bigOrganization(users, groups, accounts, sets, assignments int) permissionset.Organization {
	r := rand.New(rand.NewSource(42))
	o := permissionset.Organization{PolicyDocuments: map[string]json.RawMessage{}}
	for i := range accounts {
		o.Accounts = append(o.Accounts, permissionset.Account{ID: fmt.Sprintf("%012d", i), Name: "a" + strconv.Itoa(i)})
	}
	for i := range sets {
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","logs:*","ec2:Describe*"],"Resource":"*"},{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::secret-` + strconv.Itoa(i) + `/*"}]}`
		if i%3 > 0 {
			policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`
		}
		o.PermissionSets = append(o.PermissionSets, permissionset.PermissionSet{Name: "S" + strconv.Itoa(i), InlinePolicy: []byte(policy)})
	}
	for i := range users {
		o.Users = append(o.Users, permissionset.User{ID: "u" + strconv.Itoa(i), UserName: "user" + strconv.Itoa(i)})
	}
	for i := range groups {
		g := permissionset.Group{ID: "g" + strconv.Itoa(i), DisplayName: "group" + strconv.Itoa(i)}
		for range 20 {
			g.Users = append(g.Users, "u"+strconv.Itoa(r.Intn(users)))
		}
		if i > 0 {
			parent := &o.Groups[r.Intn(i)]
			parent.Groups = append(parent.Groups, g.ID)
		}
		o.Groups = append(o.Groups, g)
	}
	for i := range assignments {
		a := permissionset.Assignment{PrincipalType: permissionset.GroupPrincipal, PrincipalID: "g" + strconv.Itoa(r.Intn(groups)), TargetID: fmt.Sprintf("%012d", r.Intn(accounts)), PermissionSet: "S" + strconv.Itoa(r.Intn(sets))}
		if i%10 == 0 {
			a.PrincipalType, a.PrincipalID = permissionset.UserPrincipal, "u"+strconv.Itoa(r.Intn(users))
		}
		o.Assignments = append(o.Assignments, a)
	}
	return o
}

// TestManyUsers: everything for everybody, in a size that can be awaited, and the same as a plain loop for some of them.
func TestManyUsers(t *testing.T) {
	t.Parallel()
	n := testscale.N(5000, 100_000)
	o := bigOrganization(n, n/10, max(n/200, 1), max(n/500, 1), n/2)
	start := time.Now()
	g := permissionset.NewGrants(o, permissionset.AccessConfig{})
	total := 0
	for _, u := range g.Directory.Users() {
		for _, a := range g.Effective(u).Accounts {
			total += len(a.PermissionSets)
		}
	}
	took := time.Since(start)
	t.Logf("%d users, %d grants, %v", n, total, took)
	require.Positive(t, total)
	for i := 0; i < n; i += n / 20 {
		u := o.Users[i]
		eff, err := g.EffectiveAccess(t.Context(), u.UserName)
		require.NoError(t, err)
		got := 0
		for _, a := range eff.Accounts {
			got += len(a.PermissionSets)
		}
		require.Equal(t, len(naiveGrants(&o, u.ID)), got, u.ID)
	}
}

// naiveGrants is the plain loop: all groups until nothing changes, then all assignments.
func naiveGrants(o *permissionset.Organization, user string) map[[2]string]bool {
	in := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for _, g := range o.Groups {
			if in[g.ID] {
				continue
			}
			if slices.Contains(g.Users, user) || slices.ContainsFunc(g.Groups, func(c string) bool { return in[c] }) {
				in[g.ID], changed = true, true
			}
		}
	}
	out := map[[2]string]bool{}
	for _, a := range o.Assignments {
		if a.PrincipalType == permissionset.UserPrincipal && a.PrincipalID == user || a.PrincipalType == permissionset.GroupPrincipal && in[a.PrincipalID] {
			out[[2]string{a.TargetID, a.PermissionSet}] = true
		}
	}
	return out
}

// BenchmarkEffectiveAll computes the access of all users; the sizes show how it grows, and ns/grant what one result costs.
func BenchmarkEffectiveAll(b *testing.B) {
	for _, n := range []int{25_000, 50_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			o := bigOrganization(n, n/10, 500, 200, n/2)
			g := permissionset.NewGrants(o, permissionset.AccessConfig{})
			b.ResetTimer()
			total := 0
			for b.Loop() {
				total = 0
				for _, u := range o.Users {
					for _, a := range g.Effective(u).Accounts {
						total += len(a.PermissionSets)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(total, 1)), "ns/grant")
		})
	}
	b.Run("naive, one user of 25000", func(b *testing.B) {
		o := bigOrganization(25_000, 2500, 500, 200, 12_500)
		for i := 0; b.Loop(); i++ {
			naiveGrants(&o, o.Users[i%len(o.Users)].ID)
		}
	})
}

// BenchmarkIndex builds the directory and the access index.
func BenchmarkIndex(b *testing.B) {
	for _, n := range []int{25_000, 50_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			o := bigOrganization(n, n/10, 500, 200, n/2)
			for b.Loop() {
				permissionset.NewGrants(o, permissionset.AccessConfig{})
			}
		})
	}
}

// BenchmarkWhoCan asks who may read one object, over all users.
func BenchmarkWhoCan(b *testing.B) {
	for _, n := range []int{25_000, 50_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			o := bigOrganization(n, n/10, 500, 200, n/2)
			g := permissionset.NewGrants(o, permissionset.AccessConfig{})
			rows := 0
			for b.Loop() {
				res, err := g.WhoCan(permissionset.WhoCanQuery{Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key"})
				if err != nil {
					b.Fatal(err)
				}
				rows = len(res.Results)
			}
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(rows, 1)), "ns/row")
		})
	}
	b.Run("naive, one user of 25000", func(b *testing.B) {
		o := bigOrganization(25_000, 2500, 500, 200, 12_500)
		for i := 0; b.Loop(); i++ {
			naiveWhoCan(b, &o, o.Users[i%len(o.Users)].ID)
		}
	})
}

// naiveWhoCan is the plain loop for one user: all grants, and the policy of each parsed and decided anew.
func naiveWhoCan(b *testing.B, o *permissionset.Organization, user string) (rows int) {
	b.Helper()
	for grant := range naiveGrants(o, user) {
		for _, set := range o.PermissionSets {
			if set.Name != grant[1] {
				continue
			}
			doc, err := policy.Parse(permissionset.InlinePolicyText(set.InlinePolicy), policy.ParseOptions{Kind: policy.Identity})
			if err != nil {
				b.Fatal(err)
			}
			r := policy.Request{
				Principal: "arn:aws:sts::" + grant[0] + ":assumed-role/r/s", Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key", ResourceAccount: grant[0],
			}
			if policy.Decide(policy.Policies{Identity: []*policy.Document{doc}}, r, policy.Options{}).Decision == policy.Allowed {
				rows++
			}
		}
	}
	return rows
}
