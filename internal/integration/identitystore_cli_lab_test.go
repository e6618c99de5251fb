//go:build lab

package integration_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// storeCLI is the unchanged AWS CLI on the identity store of an endpoint.
type storeCLI struct {
	t   *testing.T
	url string
}

func (c *storeCLI) run(operation string, args ...string) (out, errs string, ok bool) {
	c.t.Helper()
	all := []string{"identitystore", operation}
	if !strings.HasSuffix(operation, "identity-stores") {
		all = append(all, "--identity-store-id", identityStoreID)
	}
	return awsCLI(c.t, c.url, []string{"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret"}, append(all, args...)...)
}

// good runs an operation and returns what the CLI made of the answer.
func (c *storeCLI) good(operation string, args ...string) map[string]any {
	c.t.Helper()
	out, errs, ok := c.run(operation, args...)
	require.True(c.t, ok, "%s: %s", operation, errs)
	doc := map[string]any{}
	if strings.TrimSpace(out) != "" {
		require.NoError(c.t, json.Unmarshal([]byte(out), &doc))
	}
	return doc
}

// bad wants an error of that code, with the CLI's usual sentence about it.
func (c *storeCLI) bad(code, operation string, args ...string) {
	c.t.Helper()
	_, errs, ok := c.run(operation, args...)
	require.False(c.t, ok, operation)
	require.Contains(c.t, errs, "An error occurred ("+code+") when calling the ")
}

func names(t *testing.T, doc map[string]any, list, key string) []string {
	t.Helper()
	var out []string
	elements, ok := doc[list].([]any)
	require.True(t, ok, doc)
	for _, e := range elements {
		m, _ := e.(map[string]any)
		out = append(out, text(m, key))
	}
	return out
}

// TestIdentityStoreCLI drives the identity store with the unchanged AWS CLI: look-ups, lists by pages, writes, refusals.
func TestIdentityStoreCLI(t *testing.T) {
	c := &storeCLI{t, identityStoreEndpoint(t)}
	require.Len(t, names(t, c.good("list-users", "--page-size", "60"), "Users", "UserName"), 205, "the CLI walks the pages")
	first := c.good("list-users", "--max-items", "3", "--page-size", "3")
	require.Len(t, first["Users"], 3)
	second := c.good("list-users", "--max-items", "3", "--page-size", "3", "--starting-token", text(first, "NextToken"))
	require.NotEqual(t, first["Users"], second["Users"])
	require.Equal(t, []string{"alice"}, names(t, c.good("list-users", "--filters", "AttributePath=UserName,AttributeValue=ALICE"), "Users", "UserName"))
	require.ElementsMatch(t, []string{"Outer", "Inner", "Everybody"}, names(t, c.good("list-groups"), "Groups", "DisplayName"))
	require.Equal(t, storeUser(1), c.good("get-user-id", "--alternate-identifier", `{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"alice"}}`)["UserId"])
	require.Equal(t, storeGroup(1), c.good("get-group-id", "--alternate-identifier", `{"UniqueAttribute":{"AttributePath":"displayName","AttributeValue":"outer"}}`)["GroupId"])
	alice := []string{"--member-id", "UserId=" + storeUser(1)}
	require.ElementsMatch(t, []string{storeGroup(1), storeGroup(2)}, names(t, c.good("list-group-memberships-for-member", alice...), "GroupMemberships", "GroupId"))
	require.Len(t, c.good("list-group-memberships", "--group-id", storeGroup(3), "--page-size", "100")["GroupMemberships"], 204)
	results, _ := c.good("is-member-in-groups", append(alice, "--group-ids", storeGroup(1), storeGroup(3))...)["Results"].([]any)
	require.Len(t, results, 2)
	require.Equal(t, true, results[0].(map[string]any)["MembershipExists"])
	require.Equal(t, false, results[1].(map[string]any)["MembershipExists"])

	user := text(c.good("create-user", "--user-name", "zoe@example.com", "--display-name", "Zoë", "--name", "GivenName=Zoë,FamilyName=Ä", "--emails", "Value=zoe@example.com,Type=work,Primary=true"), "UserId")
	c.good("update-user", "--user-id", user, "--operations", `[{"AttributePath":"displayName","AttributeValue":"New"},{"AttributePath":"name.givenName","AttributeValue":"Z"}]`)
	got := c.good("describe-user", "--user-id", user)
	require.Equal(t, "New", got["DisplayName"])
	require.Equal(t, map[string]any{"GivenName": "Z", "FamilyName": "Ä"}, got["Name"])
	group := text(c.good("create-group", "--display-name", "Readers"), "GroupId")
	c.good("update-group", "--group-id", group, "--operations", `[{"AttributePath":"description","AttributeValue":"read logs"}]`)
	require.Equal(t, "read logs", c.good("describe-group", "--group-id", group)["Description"])
	member := text(c.good("create-group-membership", "--group-id", group, "--member-id", "UserId="+user), "MembershipId")
	require.Equal(t, member, c.good("get-group-membership-id", "--group-id", group, "--member-id", "UserId="+user)["MembershipId"])
	require.Equal(t, map[string]any{"UserId": user}, c.good("describe-group-membership", "--membership-id", member)["MemberId"])

	c.bad("ConflictException", "create-user", "--user-name", "ZOE@example.com")
	c.bad("ConflictException", "create-group-membership", "--group-id", group, "--member-id", "UserId="+user)
	c.bad("ValidationException", "list-users", "--next-token", "altered", "--no-paginate")
	c.bad("ValidationException", "create-user", "--user-name", "with space")
	c.good("delete-group-membership", "--membership-id", member)
	c.good("delete-group", "--group-id", group)
	c.good("delete-user", "--user-id", user)
	c.bad("ResourceNotFoundException", "describe-user", "--user-id", user)
	c.bad("ResourceNotFoundException", "get-group-id", "--alternate-identifier", `{"UniqueAttribute":{"AttributePath":"displayName","AttributeValue":"Readers"}}`)
}

// TestSignedIdentityStoreCLI: the unchanged AWS CLI where signatures are demanded.
func TestSignedIdentityStoreCLI(t *testing.T) {
	t.Parallel()
	address := signedEndpoints(t)
	for secret, want := range map[string]string{recordedSecret: "", "other": "InvalidSignatureException"} {
		_, errs, ok := awsCLI(t, address, []string{"AWS_ACCESS_KEY_ID=" + recordedKey, "AWS_SECRET_ACCESS_KEY=" + secret}, "identitystore", "list-users", "--identity-store-id", identityStoreID)
		require.Equal(t, want == "", ok, errs)
		require.Contains(t, errs, want)
	}
}
