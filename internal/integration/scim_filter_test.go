package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// filtersAgree asks random filters of a server and holds each answer against the filter evaluated over all resources
// one by one: what is found by an index is what a walk finds.
func filtersAgree(t *testing.T, st identitystore.Store, rounds int) {
	t.Helper()
	s := newSCIM(t, st, scim.RFC)
	r := rand.New(rand.NewSource(7))
	pick := func(list []string) string { return list[r.Intn(len(list))] }
	var users, groups []string
	for i := range 24 {
		emails := []string{}
		for range r.Intn(4) {
			emails = append(emails, fmt.Sprintf(`{"value":"E%d@x.test","type":%q}`, r.Intn(6), pick([]string{"work", "home"})))
		}
		more := fmt.Sprintf(`"emails":[%s],"title":%q,"externalId":"x%d","active":%v,`, strings.Join(emails, ","), pick([]string{"", "Chief", "clerk"}), i, r.Intn(3) > 0)
		doc := s.must(t, 201, "POST", "/Users", strings.Replace(scimUser(fmt.Sprint("User", i)), `"displayName"`, more+`"displayName"`, 1))
		users = append(users, doc["id"].(string))
	}
	for i := range 8 {
		var members []string
		for range r.Intn(5) {
			members = append(members, pick(users))
		}
		if i > 4 {
			members = append(members, pick(groups))
		}
		doc := s.must(t, 201, "POST", "/Groups", strings.Replace(scimGroup(fmt.Sprint("Group", i), members...), `"displayName"`, fmt.Sprintf(`"externalId":"g%d","displayName"`, i), 1))
		groups = append(groups, doc["id"].(string))
	}
	atoms := map[string]func() string{
		"Users": func() string {
			return pick([]string{
				fmt.Sprintf(`userName eq "uSER%d"`, r.Intn(26)), fmt.Sprintf(`externalId eq "x%d"`, r.Intn(26)), fmt.Sprintf(`externalId eq "X%d"`, r.Intn(26)), fmt.Sprintf(`id eq %q`, pick(users)), `id eq "none"`,
				fmt.Sprintf(`emails.value eq "e%d@X.test"`, r.Intn(7)), fmt.Sprintf(`emails eq "e%d@x.test"`, r.Intn(7)), fmt.Sprintf(`emails[value eq "e%d@x.test"]`, r.Intn(7)),
				fmt.Sprintf(`emails[type eq "work" and value eq "e%d@x.test"]`, r.Intn(7)), fmt.Sprintf(`emails[value eq "e%d@x.test" or type eq "home"]`, r.Intn(7)), `emails[type eq "home"]`,
				fmt.Sprintf(`emails[value eq "e%d@x.test" or value eq "e%d@x.test"]`, r.Intn(7), r.Intn(7)), fmt.Sprintf(`emails[type eq "work"].value eq "e%d@x.test"`, r.Intn(7)),
				fmt.Sprintf(`groups.value eq %q`, pick(groups)), fmt.Sprintf(`groups eq %q`, pick(groups)), fmt.Sprintf(`groups[value eq %q and type eq "direct"]`, pick(groups)), `groups.value eq "none"`, `groups pr`,
				`title eq "CHIEF"`, `title pr`, `active eq true`, `userName sw "user1"`, `emails pr`, `title ne "clerk"`, `emails.value ne "e1@x.test"`,
				`meta.resourceType eq "User"`, `meta.created gt "2020-01-01T00:00:00Z"`, `meta.lastModified lt "2020-01-01T00:00:00Z"`, `meta.version pr`, `schemas eq "urn:ietf:params:scim:schemas:core:2.0:User"`, `schemas eq "none"`,
			})
		},
		"Groups": func() string {
			return pick([]string{
				fmt.Sprintf(`displayName eq "gROUP%d"`, r.Intn(9)), fmt.Sprintf(`externalId eq "g%d"`, r.Intn(9)), fmt.Sprintf(`id eq %q`, pick(groups)), fmt.Sprintf(`members.value eq %q`, pick(users)),
				fmt.Sprintf(`members eq %q`, pick(groups)), fmt.Sprintf(`members[value eq %q]`, pick(users)), fmt.Sprintf(`members[value eq %q and type eq "User"]`, pick(users)), fmt.Sprintf(`members[value eq %q or value eq %q]`, pick(users), pick(groups)),
				fmt.Sprintf(`members[value eq %q or type eq "Group"]`, pick(users)), `members[type eq "Group"]`, `members pr`, `members.type eq "User"`, `displayName co "3"`, `members.value eq "none"`, fmt.Sprintf(`members.value ne %q`, pick(users)),
			})
		},
	}
	var random func(kind string, depth int) string
	random = func(kind string, depth int) string {
		switch n := r.Intn(6); {
		case depth == 0 || n < 2:
			return atoms[kind]()
		case n == 2:
			return "not (" + random(kind, depth-1) + ")"
		case n < 5:
			return "(" + random(kind, depth-1) + ") and (" + random(kind, depth-1) + ")"
		}
		return "(" + random(kind, depth-1) + ") or (" + random(kind, depth-1) + ")"
	}
	all := map[string][]map[string]any{}
	for _, kind := range []string{"Users", "Groups"} {
		for _, e := range s.must(t, 200, "GET", "/"+kind, "")["Resources"].([]any) {
			all[kind] = append(all[kind], e.(map[string]any))
		}
	}
	schemas := map[string]*scimfilter.Schema{"Users": scim.UserSchema(), "Groups": scim.GroupSchema()}
	for i := range rounds {
		kind := []string{"Users", "Groups"}[i%2]
		filter := random(kind, 3)
		expr, err := scimfilter.ParseTolerant(filter)
		require.NoError(t, err, filter)
		var want, got []string
		for _, doc := range all[kind] {
			if scimfilter.Eval(expr, schemas[kind], doc) {
				want = append(want, doc["id"].(string))
			}
		}
		code, body := s.ask("GET", "/"+kind+"?attributes=id&filter="+url.QueryEscape(filter), "")
		require.Equal(t, 200, code, body)
		var list struct{ Resources []struct{ ID string } }
		require.NoError(t, json.Unmarshal([]byte(body), &list))
		for _, e := range list.Resources {
			got = append(got, e.ID)
		}
		slices.Sort(want)
		require.Equal(t, want, got, "%s", filter)
	}
}

func TestSCIMFiltersMemory(t *testing.T) {
	t.Parallel()
	filtersAgree(t, new(identitystore.Memory), testscale.N(2000, 50_000))
}

func TestSCIMFiltersSQLite(t *testing.T) {
	t.Parallel()
	st, _ := sqliteSCIM(t)
	filtersAgree(t, st, testscale.N(300, 5_000))
}

// plainStore offers what a store must, and nothing that it may besides.
type plainStore struct{ identitystore.Store }

type plainReader struct{ identitystore.Reader }

type plainTxn struct{ identitystore.Txn }

func (s plainStore) Reader(ctx context.Context, tenant string) (identitystore.Reader, error) {
	r, err := s.Store.Reader(ctx, tenant)
	return plainReader{r}, err
}

func (s plainStore) View(ctx context.Context, tenant string, f func(identitystore.Reader) error) error {
	return s.Store.View(ctx, tenant, func(r identitystore.Reader) error { return f(plainReader{r}) })
}

func (s plainStore) Update(ctx context.Context, tenant string, f func(identitystore.Txn) error) error {
	return s.Store.Update(ctx, tenant, func(t identitystore.Txn) error { return f(plainTxn{t}) })
}

// TestSCIMPlainStore: a store of somebody else without the optional look-ups gives the same answers.
func TestSCIMPlainStore(t *testing.T) {
	t.Parallel()
	filtersAgree(t, plainStore{new(identitystore.Memory)}, 300)
	sameOnAll(t, func(testing.TB) identitystore.Store { return plainStore{new(identitystore.Memory)} })
}
