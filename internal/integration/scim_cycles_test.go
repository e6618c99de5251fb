package integration_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	cycleToken  = "token-of-a-cycle"
	cycleCore   = "urn:ietf:params:scim:schemas:core:2.0:User"
	cyclePatch  = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	cycleOwner  = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	cycleGroups = "urn:ietf:params:scim:schemas:core:2.0:Group"
)

// cycle is a scripted provisioning client that talks to the scimserver program over HTTP.
type cycle struct {
	t      *testing.T
	base   string
	header http.Header
}

type doc = map[string]any

func newCycle(t *testing.T, profile string) *cycle {
	t.Helper()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(token, []byte(cycleToken+"\n"), 0o600))
	s := serveProgram(t, 1, "scimserver", "-db", "sqlite:"+filepath.Join(dir, "store.db"), "-token-file", token, "-profile", profile)
	return &cycle{t, s.URLs[0], http.Header{}}
}

// do sends one request and returns the answer, which must have that status.
func (c *cycle) do(status int, method, path string, body any) doc {
	c.t.Helper()
	var r io.Reader
	text, isText := body.(string)
	if body != nil && !isText {
		raw, err := json.Marshal(body)
		require.NoError(c.t, err)
		text = string(raw)
	}
	if text != "" {
		r = strings.NewReader(text)
	}
	rq, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, r)
	require.NoError(c.t, err)
	rq.Header.Set("Authorization", "Bearer "+cycleToken)
	maps.Copy(rq.Header, c.header)
	if r != nil {
		rq.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	res, err := http.DefaultClient.Do(rq)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, status, res.StatusCode, "%s %s %s: %s", method, path, text, raw)
	if len(raw) == 0 {
		require.Equal(c.t, http.StatusNoContent, status)
		return nil
	}
	require.Contains(c.t, res.Header.Get("Content-Type"), "application/scim+json")
	var out doc
	require.NoError(c.t, json.Unmarshal(raw, &out))
	if status >= http.StatusBadRequest {
		require.Equal(c.t, fmt.Sprint(status), out["status"])
	}
	return out
}

// found looks objects up and returns what was found; more are the other parameters.
func (c *cycle) found(endpoint, filter, more string) []doc {
	c.t.Helper()
	list := c.do(200, "GET", endpoint+"?filter="+url.QueryEscape(filter)+more, nil)
	var out []doc
	elements, _ := list["Resources"].([]any)
	for _, e := range elements {
		out = append(out, e.(doc))
	}
	require.InDelta(c.t, len(out), list["totalResults"], 0)
	return out
}

func (c *cycle) patch(status int, path string, ops ...doc) doc {
	c.t.Helper()
	return c.do(status, "PATCH", path, doc{"schemas": []string{cyclePatch}, "Operations": ops})
}

func text(d doc, key string) string { s, _ := d[key].(string); return s }

// entraUser is a user as Entra ID creates it.
func entraUser(name, id string) doc {
	return doc{
		"schemas": []string{cycleCore, cycleOwner}, "externalId": id, "userName": name, "active": true, "displayName": "Display " + name,
		"meta": doc{"resourceType": "User"}, "name": doc{"formatted": "Given Family", "familyName": "Family", "givenName": "Given"},
		"emails":   []doc{{"primary": true, "type": "work", "value": name}},
		cycleOwner: doc{"employeeNumber": "17", "department": "Research"},
	}
}

func replaceOp(path string, value any) doc {
	return doc{"op": "Replace", "path": path, "value": value}
}

// TestEntraCycle is what Entra ID's provisioning service sends from the test of the connection to the hard deletion.
func TestEntraCycle(t *testing.T) {
	t.Parallel()
	c := newCycle(t, "rfc")
	c.header["User-Agent"] = nil // the service sends none
	require.Empty(t, c.found("/Users", `userName eq "AzureAD_Test-9d6a4b1c-5f1c-4a1f-9b8e-1f0f5d2f3a11"`, ""), "the test of the connection")

	// first cycle: look up, create
	ids := map[string]string{}
	for i, name := range []string{"alice@corp.example.test", "bob@corp.example.test", "carol@corp.example.test"} {
		require.Empty(t, c.found("/Users", fmt.Sprintf("userName eq %q", name), ""))
		made := c.do(201, "POST", "/Users", entraUser(name, fmt.Sprint("0000-", i)))
		ids[name] = text(made, "id")
		require.Equal(t, c.base+"/Users/"+ids[name], text(made["meta"].(doc), "location"))
	}
	alice := "/Users/" + ids["alice@corp.example.test"]
	c.do(409, "POST", "/Users", entraUser("ALICE@corp.example.test", "other"))
	require.Len(t, c.found("/Users", "externalId eq 0000-1", ""), 1, "now and then the value has no quotes")
	require.Equal(t, ids["alice@corp.example.test"], text(c.found("/Users", `userName eq "Alice@CORP.example.test"`, "")[0], "id"))

	// changes: capital operations, words for booleans, value paths of what is not there, paths with dots and URNs
	got := c.patch(
		200, alice,
		replaceOp(`emails[type eq "work"].value`, "new@corp.example.test"),
		replaceOp("name.familyName", "Changed"),
		doc{"op": "Add", "path": `phoneNumbers[type eq "mobile"].value`, "value": "+49 30 1"},
		doc{"op": "Add", "path": `addresses[type eq "work"].locality`, "value": "Berlin"},
		doc{"op": "Add", "path": `addresses[type eq "work"].country`, "value": "DE"},
		doc{"op": "Add", "path": cycleOwner + ":manager", "value": ids["bob@corp.example.test"]},
		replaceOp("active", "False"),
	)
	require.Equal(t, false, got["active"])
	require.Equal(t, "Changed", got["name"].(doc)["familyName"])
	require.Equal(t, []any{doc{"type": "work", "locality": "Berlin", "country": "DE"}}, got["addresses"], "one address")
	require.Equal(t, []any{doc{"type": "mobile", "value": "+49 30 1"}}, got["phoneNumbers"])
	require.Equal(t, "new@corp.example.test", got["emails"].([]any)[0].(doc)["value"])
	require.Equal(t, ids["bob@corp.example.test"], got[cycleOwner].(doc)["manager"].(doc)["value"])
	got = c.patch(200, alice, doc{"op": "Replace", "value": doc{"active": "True", "displayName": "Alice A", "name.givenName": "Alice", cycleOwner + ":department": "Sales"}})
	require.Equal(t, true, got["active"])
	require.Equal(t, "Alice", got["name"].(doc)["givenName"])
	require.Equal(t, "Sales", got[cycleOwner].(doc)["department"])
	require.Equal(t, "17", got[cycleOwner].(doc)["employeeNumber"])
	version := got["meta"].(doc)["version"]
	got = c.patch(200, alice, replaceOp("displayName", "Alice A"), replaceOp("active", "True"))
	require.Equal(t, version, got["meta"].(doc)["version"], "nothing changed")
	c.patch(400, alice, doc{"op": "Replace", "path": "nonsense", "value": "x"}, replaceOp("displayName", "never"))
	require.Equal(t, "Alice A", c.do(200, "GET", alice, nil)["displayName"], "all or nothing")

	c.entraGroups(ids)

	// soft deletion, restoring, hard deletion
	c.patch(200, alice, replaceOp("active", "False"))
	require.Equal(t, false, c.found("/Users", `userName eq "alice@corp.example.test"`, "")[0]["active"])
	c.patch(200, alice, replaceOp("active", true))
	c.patch(200, alice, replaceOp("active", "False"))
	c.do(204, "DELETE", alice, nil)
	c.do(404, "GET", alice, nil)
	c.do(404, "DELETE", alice, nil)
	require.Empty(t, c.found("/Users", `userName eq "alice@corp.example.test"`, ""))
	again := c.do(201, "POST", "/Users", entraUser("alice@corp.example.test", "0000-9"))
	require.NotEqual(t, ids["alice@corp.example.test"], again["id"], "a new user is not the old one")
}

// entraGroups is the part of the cycle that provisions groups.
func (c *cycle) entraGroups(ids map[string]string) {
	t := c.t
	const without = "&excludedAttributes=members"
	require.Empty(t, c.found("/Groups", `displayName eq "Readers"`, without))
	made := c.do(201, "POST", "/Groups", doc{
		"schemas":    []string{cycleGroups, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"},
		"externalId": "g-1", "displayName": "Readers", "meta": doc{"resourceType": "Group"},
	})
	group := "/Groups/" + text(made, "id")
	c.do(409, "POST", "/Groups", doc{"schemas": []string{cycleGroups}, "displayName": "READERS"})
	require.NotContains(t, c.do(200, "GET", group+"?excludedAttributes=members", nil), "members")

	var all []doc
	for _, id := range ids {
		all = append(all, doc{"value": id})
	}
	alice, bob := ids["alice@corp.example.test"], ids["bob@corp.example.test"]
	require.Nil(t, c.patch(204, group, doc{"op": "Add", "path": "members", "value": all}))
	require.Len(t, c.members(group), 3)
	require.Nil(t, c.patch(204, group, doc{"op": "Add", "path": "members", "value": all[:1]}), "again")
	require.Len(t, c.members(group), 3)
	require.Nil(t, c.patch(204, group, doc{"op": "Remove", "path": "members", "value": []doc{}}), "an empty list empties nothing")
	require.Len(t, c.members(group), 3)
	require.Nil(t, c.patch(204, group, doc{"op": "Remove", "path": "members", "value": []doc{{"value": bob}}}))
	require.NotContains(t, c.members(group), bob)
	require.Nil(t, c.patch(204, group, doc{"op": "Remove", "path": fmt.Sprintf("members[value eq %q]", alice)}))
	require.Equal(t, []string{ids["carol@corp.example.test"]}, c.members(group))
	require.Nil(t, c.patch(204, group, doc{"op": "Add", "path": "members", "value": []doc{{"value": alice}}}))
	require.Nil(t, c.patch(204, group, replaceOp("displayName", "Log Readers")))
	require.Len(t, c.found("/Groups", `displayName eq "log readers"`, without), 1)
	require.Len(t, c.found("/Groups", fmt.Sprintf("id eq %q and members eq %q", text(made, "id"), alice), without), 1)
	require.Empty(t, c.found("/Groups", fmt.Sprintf("id eq %q and members eq %q", text(made, "id"), bob), without))
	c.do(204, "DELETE", group, nil)
	c.do(404, "GET", group, nil)
	require.NotContains(t, c.do(200, "GET", "/Users/"+alice, nil), "groups")
}

func (c *cycle) members(group string) []string {
	c.t.Helper()
	list, _ := c.do(200, "GET", group, nil)["members"].([]any)
	var out []string
	for _, m := range list {
		out = append(out, text(m.(doc), "value"))
	}
	return out
}

// oktaUser is a user as Okta creates and replaces it.
func oktaUser(name, given string, active bool) doc {
	return doc{
		"schemas": []string{cycleCore}, "userName": name, "externalId": "00u" + name, "name": doc{"givenName": given, "familyName": "Family"},
		"emails": []doc{{"primary": true, "value": name, "type": "work"}}, "displayName": given + " Family", "locale": "en-US", "active": active,
	}
}

// TestOktaCycle is what Okta sends: import by pages, full PUT, (de)activation without path, groups by PATCH; users are
// never deleted.
func TestOktaCycle(t *testing.T) {
	t.Parallel()
	c := newCycle(t, "rfc")
	c.header.Set("User-Agent", "Okta SCIM Client 1.0.0")
	const page = "&startIndex=1&count=100"
	require.Empty(t, c.found("/Users", `userName eq "alice@corp.example.test"`, page))
	made := c.do(201, "POST", "/Users", oktaUser("alice@corp.example.test", "Alice", true))
	alice := "/Users/" + text(made, "id")
	require.Len(t, c.found("/Users", `userName eq "alice@corp.example.test"`, page), 1)
	require.Len(t, c.found("/Users", `externalId eq "00ualice@corp.example.test"`, page), 1)

	// profile push: the whole resource comes back, changed, with what the service owns in it
	body := c.do(200, "GET", alice, nil)
	body["name"] = doc{"givenName": "Alicia", "familyName": "Family"}
	body["nickName"], body["groups"], body["password"] = "Ali", []doc{}, "never stored"
	delete(body, "locale")
	got := c.do(200, "PUT", alice, body)
	require.Equal(t, made["id"], got["id"])
	require.Equal(t, "Ali", got["nickName"])
	require.NotContains(t, got, "locale", "what is absent is gone")
	require.NotContains(t, got, "password")
	require.Equal(t, true, got["active"])

	got = c.patch(200, alice, doc{"op": "replace", "value": doc{"active": false}})
	require.Equal(t, false, got["active"])
	require.Equal(t, "Alicia", got["name"].(doc)["givenName"])
	require.Equal(t, true, c.patch(200, alice, doc{"op": "replace", "value": doc{"active": true}})["active"])

	// import: every user once, by pages
	for i := range 249 {
		c.do(201, "POST", "/Users", oktaUser(fmt.Sprintf("user%d@corp.example.test", i), "U", true))
	}
	seen := map[string]bool{}
	for start := 1; start <= 250; start += 100 {
		list := c.do(200, "GET", fmt.Sprintf("/Users?startIndex=%d&count=100", start), nil)
		require.InDelta(t, 250, list["totalResults"], 0)
		require.InDelta(t, start, list["startIndex"], 0)
		for _, e := range list["Resources"].([]any) {
			seen[text(e.(doc), "id")] = true
		}
	}
	require.Len(t, seen, 250)
	require.Empty(t, c.do(200, "GET", "/Users?startIndex=251&count=100", nil)["Resources"])
	c.oktaGroups(text(made, "id"))
	require.Equal(t, false, c.patch(200, alice, doc{"op": "replace", "value": doc{"active": false}})["active"])
	require.Len(t, c.found("/Users", `userName eq "alice@corp.example.test"`, page), 1, "deactivated, not deleted")
}

func (c *cycle) oktaGroups(alice string) {
	t := c.t
	require.InDelta(t, 0, c.do(200, "GET", "/Groups?startIndex=1&count=100", nil)["totalResults"], 0)
	bob := text(c.found("/Users", `userName eq "user0@corp.example.test"`, "")[0], "id")
	made := c.do(201, "POST", "/Groups", doc{"schemas": []string{cycleGroups}, "displayName": "Everyone", "members": []doc{{"value": alice, "display": "alice@corp.example.test"}}})
	group := "/Groups/" + text(made, "id")
	require.Nil(t, c.patch(204, group, doc{"op": "replace", "value": doc{"id": made["id"], "displayName": "Everybody"}}), "a rename brings the id along")
	require.Nil(t, c.patch(204, group, doc{"op": "add", "path": "members", "value": []doc{{"value": bob, "display": "user0@corp.example.test"}}}))
	require.ElementsMatch(t, []string{alice, bob}, c.members(group))
	require.Nil(t, c.patch(
		204, group, doc{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", alice)},
		doc{"op": "add", "path": "members", "value": []doc{{"value": alice}}},
	))
	require.Nil(t, c.patch(204, group, doc{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", bob)}))
	require.Equal(t, []string{alice}, c.members(group))
	require.Nil(t, c.patch(204, group, doc{"op": "replace", "path": "members", "value": []doc{{"value": bob}}}), "push now sends all members")
	require.Equal(t, []string{bob}, c.members(group))
	got := c.do(200, "PUT", group, doc{"schemas": []string{cycleGroups}, "id": made["id"], "displayName": "Everybody", "members": []doc{{"value": alice}, {"value": bob}}})
	require.Len(t, got["members"], 2)
	require.InDelta(t, 1, c.do(200, "GET", "/Groups?startIndex=1&count=100", nil)["totalResults"], 0)
	c.do(400, "PATCH", group, doc{"schemas": []string{cyclePatch}, "Operations": []doc{{"op": "add", "path": "members", "value": []doc{{"value": "nobody"}}}}})
	c.do(204, "DELETE", group, nil)
}

// TestIdentityCenterCycles: what both services send to IAM Identity Center, and what is refused there.
func TestIdentityCenterCycles(t *testing.T) {
	t.Parallel()
	c := newCycle(t, "aws")
	ids := map[string]string{}
	for i, name := range []string{"alice@corp.example.test", "bob@corp.example.test"} {
		require.Empty(t, c.found("/Users", fmt.Sprintf("userName eq %q", name), ""))
		u := entraUser(name, fmt.Sprint("id-", i))
		ids[name] = text(c.do(201, "POST", "/Users", u), "id")
		require.Len(t, c.found("/Users", fmt.Sprintf(`externalId eq "id-%d"`, i), ""), 1)
	}
	alice, bob := ids["alice@corp.example.test"], ids["bob@corp.example.test"]
	for name, change := range map[string]func(u doc){
		"no given name": func(u doc) { u["name"] = doc{"familyName": "F"} }, "no family name": func(u doc) { u["name"] = doc{"givenName": "G"} },
		"no display name": func(u doc) { delete(u, "displayName") }, "two addresses": func(u doc) {
			u["emails"] = []doc{{"value": "a@x", "primary": true}, {"value": "b@x"}}
		}, "password": func(u doc) { u["password"] = "x" }, "space": func(u doc) { u["userName"] = "a b" },
	} {
		u := entraUser("refused@corp.example.test", "r")
		change(u)
		require.NotEmpty(t, c.do(400, "POST", "/Users", u), name)
	}
	// Entra's update and Okta's: by PATCH, by PUT, without path
	got := c.patch(200, "/Users/"+alice, replaceOp(`emails[type eq "work"].value`, "a@corp.example.test"), replaceOp("active", "False"))
	require.Equal(t, false, got["active"])
	require.Equal(t, true, c.patch(200, "/Users/"+alice, doc{"op": "replace", "value": doc{"active": true}})["active"])
	require.Equal(t, "Bobby Family", c.do(200, "PUT", "/Users/"+bob, oktaUser("bob@corp.example.test", "Bobby", true))["displayName"])

	group := text(c.do(201, "POST", "/Groups", doc{"schemas": []string{cycleGroups}, "displayName": "Readers", "externalId": "g"}), "id")
	path := "/Groups/" + group
	is := func(user string) bool {
		return len(c.found("/Groups", fmt.Sprintf("id eq %q and members eq %q", group, user), "")) == 1
	}
	c.patch(204, path, doc{"op": "Add", "path": "members", "value": []doc{{"value": alice}, {"value": bob}}})
	require.True(t, is(alice) && is(bob))
	require.Empty(t, c.members(path), "members are not listed")
	c.patch(204, path, doc{"op": "Remove", "path": "members", "value": []doc{{"value": bob}}})
	require.True(t, is(alice) && !is(bob))
	c.patch(204, path, doc{"op": "replace", "value": doc{"id": group, "displayName": "Log Readers"}})
	c.patch(400, path, doc{"op": "replace", "path": "members", "value": []doc{{"value": bob}}})
	c.patch(400, path, doc{"op": "remove", "path": "members"})
	c.do(405, "PUT", path, doc{"schemas": []string{cycleGroups}, "displayName": "x"})
	require.True(t, is(alice), "nothing of that was written")
	require.Len(t, c.found("/Users", fmt.Sprintf("groups.value eq %q", group), ""), 1)
	c.do(204, "DELETE", "/Users/"+alice, nil)
	require.False(t, is(alice))
	c.do(204, "DELETE", path, nil)
}
