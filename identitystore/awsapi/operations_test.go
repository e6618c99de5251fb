package awsapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/awsapi"
)

const otherID = "d-00000000aa"

// twoStores is a handler over two tenants of one store, and their services.
func twoStores(t *testing.T) (http.Handler, map[string]*identitystore.Service) {
	t.Helper()
	var list []*identitystore.Service
	byID := map[string]*identitystore.Service{}
	mem := new(identitystore.Memory)
	for _, id := range []string{storeID, otherID} {
		svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: mem, Tenant: id})
		require.NoError(t, err)
		list, byID[id] = append(list, svc), svc
	}
	h, err := awsapi.NewHandler(awsapi.Config{Stores: list, Partition: "aws-us-gov", Account: "111122223333"})
	require.NoError(t, err)
	return h, byID
}

func str(m map[string]any, key string) string { s, _ := m[key].(string); return s }

func elements(m map[string]any, key string) []map[string]any {
	list, _ := m[key].([]any)
	var out []map[string]any
	for _, e := range list {
		o, _ := e.(map[string]any)
		out = append(out, o)
	}
	return out
}

// TestNamesAndRevisions: every answer carries the ARN, which is taken in place of the id, and the revision, which a
// change may demand.
func TestNamesAndRevisions(t *testing.T) {
	t.Parallel()
	h, _ := twoStores(t)
	made := call(t, h, "CreateUser", in(`,"UserName":"alice","DisplayName":"A"`), "")
	user := str(made, "UserId")
	require.Equal(t, "arn:aws-us-gov:identitystore:::user/"+user, made["UserArn"])
	group := call(t, h, "CreateGroup", in(`,"DisplayName":"G"`), "")
	require.Equal(t, "arn:aws-us-gov:identitystore:::group/"+str(group, "GroupId"), group["GroupArn"])
	byARN := fmt.Sprintf(`{"IdentityStoreId":"arn:aws-us-gov:identitystore::111122223333:identitystore/%s","GroupId":%q,"MemberId":{"UserId":%q}}`, storeID, group["GroupArn"], made["UserArn"])
	member := call(t, h, "CreateGroupMembership", byARN, "")
	require.Equal(t, "arn:aws-us-gov:identitystore:::membership/"+str(member, "MembershipId"), member["MembershipArn"])
	got := call(t, h, "DescribeGroupMembership", in(`,"MembershipId":"`+str(member, "MembershipArn")+`"`), "")
	require.Equal(t, user, got["MemberId"].(map[string]any)["UserId"]) //nolint:forcetypeassert // a test
	require.Equal(t, member["MembershipArn"], got["MembershipArn"])
	require.Equal(t, storeID, got["IdentityStoreId"])
	require.Equal(t, member["MembershipArn"], call(t, h, "GetGroupMembershipId", byARN, "")["MembershipArn"])

	u := call(t, h, "DescribeUser", in(`,"UserId":"`+str(made, "UserArn")+`"`), "")
	require.Equal(t, made["UserArn"], u["UserArn"])
	require.Equal(t, "ENABLED", u["UserStatus"])
	require.Equal(t, "identitystore-api", u["CreatedBy"])
	stale := str(u, "Revision")
	require.Equal(t, made["Revision"], u["Revision"])
	change := func(revision, kind string) map[string]any {
		return call(t, h, "UpdateUser", in(`,"UserId":"`+user+`","Revision":"`+revision+`","Operations":[{"AttributePath":"title","AttributeValue":"`+revision+`"}]`), kind)
	}
	now := change(stale, "")
	require.Equal(t, user, now["UserId"])
	require.NotEqual(t, stale, now["Revision"])
	refused := change(stale, "ConflictException")
	require.Equal(t, "CONCURRENT_MODIFICATION", refused["Reason"])
	require.Equal(t, "CONCURRENT_MODIFICATION", call(t, h, "DeleteUser", in(`,"UserId":"`+user+`","Revision":"`+stale+`"`), "ConflictException")["Reason"])
	call(t, h, "DeleteUser", in(`,"UserId":"`+user+`","Revision":"`+str(now, "Revision")+`"`), "")
	g := call(t, h, "UpdateGroup", in(`,"GroupId":"`+str(group, "GroupId")+`","Operations":[{"AttributePath":"description","AttributeValue":"d"}]`), "")
	require.NotEqual(t, group["Revision"], g["Revision"])
	call(t, h, "DeleteGroup", in(`,"GroupId":"`+str(group, "GroupId")+`","Revision":"`+str(group, "Revision")+`"`), "ConflictException")
	require.Equal(t, "UNIQUENESS_CONSTRAINT_VIOLATION", call(t, h, "CreateGroup", in(`,"DisplayName":"g"`), "ConflictException")["Reason"])
	missing := call(t, h, "DescribeUser", in(`,"UserId":"`+user+`"`), "ResourceNotFoundException")
	require.Equal(t, "USER", missing["ResourceType"])
	require.Equal(t, user, missing["ResourceId"])
	require.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", missing["RequestId"])
}

// TestExtensions: extensions are shown to those who name them.
func TestExtensions(t *testing.T) {
	t.Parallel()
	h, byID := twoStores(t)
	id := str(call(t, h, "CreateUser", in(`,"UserName":"a","Extensions":{"aws:identitystore:enterprise":{"costCenter":"7"}}`), ""), "UserId")
	stored, err := byID[storeID].DescribeUser(t.Context(), id)
	require.NoError(t, err)
	require.JSONEq(t, `{"costCenter":"7"}`, string(stored.Extensions["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]), "the name that SCIM and CSV use")
	ask := func(names, kind string) map[string]any {
		return call(t, h, "DescribeUser", in(`,"UserId":"`+id+`"`+names), kind)
	}
	require.NotContains(t, ask("", ""), "Extensions")
	require.NotContains(t, ask(`,"Extensions":["aws:identitystore:other"]`, ""), "Extensions")
	want := map[string]any{"aws:identitystore:enterprise": map[string]any{"costCenter": "7"}}
	require.Equal(t, want, ask(`,"Extensions":["aws:identitystore:enterprise"]`, "")["Extensions"])
	require.Equal(t, want, elements(call(t, h, "ListUsers", in(`,"Extensions":["aws:identitystore:enterprise"]`), ""), "Users")[0]["Extensions"])
	require.NotContains(t, elements(call(t, h, "ListUsers", in(""), ""), "Users")[0], "Extensions")
	for _, bad := range []string{`[]`, `["x"]`, `[""]`, `["aws:identitystore:"]`, `["aws:identitystore:A"]`, `["aws:identitystore:` + strings.Repeat("a", 21) + `"]`, `[7]`, `"aws:identitystore:enterprise"`, `[` + strings.Repeat(`"aws:identitystore:a",`, 10) + `"aws:identitystore:a"]`} {
		ask(`,"Extensions":`+bad, "ValidationException")
		call(t, h, "ListUsers", in(`,"Extensions":`+bad), "ValidationException")
	}
	call(t, h, "UpdateUser", in(`,"UserId":"`+id+`","Operations":[{"AttributePath":"aws:identitystore:enterprise.costCenter","AttributeValue":"8"}]`), "")
	require.Equal(t, map[string]any{"costCenter": "8"}, ask(`,"Extensions":["aws:identitystore:enterprise"]`, "")["Extensions"].(map[string]any)["aws:identitystore:enterprise"]) //nolint:forcetypeassert // a test
}

// TestStores: identity stores themselves.
func TestStores(t *testing.T) {
	t.Parallel()
	h, _ := twoStores(t)
	want := map[string]any{"IdentityStoreId": otherID, "IdentityStoreArn": "arn:aws-us-gov:identitystore::111122223333:identitystore/" + otherID}
	require.Equal(t, want, call(t, h, "DescribeIdentityStore", `{"IdentityStoreId":"`+otherID+`"}`, ""))
	all := elements(call(t, h, "ListIdentityStores", `{}`, ""), "IdentityStores")
	require.Len(t, all, 2)
	require.Equal(t, want, all[0])
	page := call(t, h, "ListIdentityStores", `{"MaxResults":1}`, "")
	require.Equal(t, all[:1], elements(page, "IdentityStores"))
	last := call(t, h, "ListIdentityStores", `{"MaxResults":1,"NextToken":"`+str(page, "NextToken")+`"}`, "")
	require.Equal(t, all[1:], elements(last, "IdentityStores"))
	require.NotContains(t, last, "NextToken")
	for _, bad := range []string{`{"MaxResults":0}`, `{"MaxResults":101}`, `{"MaxResults":"1"}`, `{"NextToken":"x"}`, `{"NextToken":""}`, `{"NextToken":7}`} {
		call(t, h, "ListIdentityStores", bad, "ValidationException")
	}
	call(t, h, "UpdateIdentityStore", in(`,"NetworkConfiguration":{"VpceAccessRequired":true}`), "ValidationException")
	call(t, h, "DescribeIdentityStore", `{"IdentityStoreId":"`+strings.Repeat("x", 37)+`"}`, "ValidationException")
	call(t, h, "DescribeIdentityStore", `{"IdentityStoreId":""}`, "ValidationException")
	call(t, h, "DescribeIdentityStore", `{"IdentityStoreId":7}`, "ValidationException")
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	for _, cfg := range []awsapi.Config{
		{Stores: []*identitystore.Service{svc, svc}},
		{Stores: []*identitystore.Service{nil}},
		{Stores: []*identitystore.Service{svc}, Account: "1"},
		{Stores: []*identitystore.Service{svc}, Account: "11112222333x"},
	} {
		_, err := awsapi.NewHandler(cfg)
		require.Error(t, err)
	}
}

// TestPages walks every list by pages and tampers with every token.
func TestPages(t *testing.T) {
	t.Parallel()
	h, _ := twoStores(t)
	user := str(call(t, h, "CreateUser", in(`,"UserName":"u"`), ""), "UserId")
	var groups []string
	for i := range 7 {
		g := str(call(t, h, "CreateGroup", in(fmt.Sprintf(`,"DisplayName":"g%d"`, i)), ""), "GroupId")
		groups = append(groups, g)
		call(t, h, "CreateGroupMembership", in(`,"GroupId":"`+g+`","MemberId":{"UserId":"`+user+`"}`), "")
		other := str(call(t, h, "CreateUser", in(fmt.Sprintf(`,"UserName":"u%d"`, i)), ""), "UserId")
		call(t, h, "CreateGroupMembership", in(`,"GroupId":"`+groups[0]+`","MemberId":{"UserId":"`+other+`"}`), "")
	}
	lists := map[string]struct {
		operation, rest, key, id string
		n                        int
	}{
		"users":       {"ListUsers", "", "Users", "UserId", 8},
		"groups":      {"ListGroups", "", "Groups", "GroupId", 7},
		"memberships": {"ListGroupMemberships", `,"GroupId":"` + groups[0] + `"`, "GroupMemberships", "MembershipId", 8},
		"of member":   {"ListGroupMembershipsForMember", `,"MemberId":{"UserId":"` + user + `"}`, "GroupMemberships", "MembershipId", 7},
	}
	tokens := map[string]string{}
	for name, l := range lists {
		var seen []string
		next := ""
		for {
			page := call(t, h, l.operation, in(l.rest+`,"MaxResults":3`+next), "")
			require.LessOrEqual(t, len(elements(page, l.key)), 3)
			for _, e := range elements(page, l.key) {
				seen = append(seen, str(e, l.id))
			}
			token := str(page, "NextToken")
			if token == "" {
				break
			}
			require.Regexp(t, "^[-a-zA-Z0-9+=/:]+$", token, "what the API promises about a token")
			tokens[name], next = token, `,"NextToken":"`+token+`"`
		}
		require.Len(t, seen, l.n, name)
		slices.Sort(seen)
		require.Len(t, slices.Compact(seen), l.n, name)
	}
	for name, l := range lists {
		for from, token := range tokens {
			if from != name {
				call(t, h, l.operation, in(l.rest+`,"NextToken":"`+token+`"`), "ValidationException")
			}
		}
		token := tokens[name]
		for i := range token {
			altered := []byte(token)
			if altered[i]++; altered[i] == '+'+1 || altered[i] == '9'+1 || altered[i] == 'Z'+1 || altered[i] == 'z'+1 {
				altered[i] = 'A'
			}
			call(t, h, l.operation, in(l.rest+`,"NextToken":"`+string(altered)+`"`), "ValidationException")
		}
		call(t, h, l.operation, strings.Replace(in(l.rest+`,"NextToken":"`+token+`"`), storeID, otherID, 1), map[bool]string{true: "ValidationException", false: "ResourceNotFoundException"}[l.rest == ""])
	}
	call(t, h, "ListGroupMemberships", in(`,"GroupId":"`+groups[1]+`","NextToken":"`+tokens["memberships"]+`"`), "ValidationException")
	call(t, h, "ListUsers", in(`,"NextToken":"`+strings.Repeat("A", 65_536)+`"`), "ValidationException")
	call(t, h, "ListUsers", in(`,"NextToken":""`), "ValidationException")
}

// TestTenants: no id of one store is known in another.
func TestTenants(t *testing.T) {
	t.Parallel()
	h, _ := twoStores(t)
	user := str(call(t, h, "CreateUser", in(`,"UserName":"u"`), ""), "UserId")
	group := str(call(t, h, "CreateGroup", in(`,"DisplayName":"g"`), ""), "GroupId")
	member := str(call(t, h, "CreateGroupMembership", in(`,"GroupId":"`+group+`","MemberId":{"UserId":"`+user+`"}`), ""), "MembershipId")
	there := func(rest string) string { return strings.Replace(in(rest), storeID, otherID, 1) }
	u, g := `,"UserId":"`+user+`"`, `,"GroupId":"`+group+`"`
	m := `,"MemberId":{"UserId":"` + user + `"}`
	op := `,"Operations":[{"AttributePath":"displayName","AttributeValue":"x"}]`
	for operation, rest := range map[string]string{
		"DescribeUser": u, "UpdateUser": u + op, "DescribeGroup": g, "UpdateGroup": g + op, "CreateGroupMembership": g + m, "GetGroupMembershipId": g + m, "ListGroupMemberships": g,
		"ListGroupMembershipsForMember": m, "IsMemberInGroups": m + `,"GroupIds":["` + group + `"]`, "DescribeGroupMembership": `,"MembershipId":"` + member + `"`,
		"GetUserId": `,"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"u"}}`, "GetGroupId": `,"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"displayName","AttributeValue":"g"}}`,
	} {
		call(t, h, operation, there(rest), "ResourceNotFoundException")
	}
	for operation, rest := range map[string]string{"DeleteUser": u, "DeleteGroup": g, "DeleteGroupMembership": `,"MembershipId":"` + member + `"`} {
		require.Equal(t, map[string]any{}, call(t, h, operation, there(rest), ""), "an object without members, not null")
	}
	call(t, h, "DescribeGroupMembership", in(`,"MembershipId":"`+member+`"`), "")
}

// TestLimits tries each limit of the API at its edge and beyond.
func TestLimits(t *testing.T) {
	t.Parallel()
	h, byID := twoStores(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	user := str(call(t, h, "CreateUser", in(`,"UserName":"`+long(128)+`"`), ""), "UserId")
	id := `,"UserId":"` + user + `"`
	ops := func(n int) string {
		return `,"Operations":[` + strings.TrimSuffix(strings.Repeat(`{"AttributePath":"title","AttributeValue":"t"},`, n), ",") + `]`
	}
	groups := func(n int) string { return `,"GroupIds":[` + strings.TrimSuffix(strings.Repeat(`"g",`, n), ",") + `]` }
	member := `,"MemberId":{"UserId":"` + user + `"}`
	for _, c := range []struct{ operation, good, bad string }{
		{"CreateUser", `,"UserName":"short"`, `,"UserName":"` + long(129) + `"`},
		{"CreateUser", `,"UserName":"a","DisplayName":"` + long(1024) + `"`, `,"UserName":"b","DisplayName":"` + long(1025) + `"`},
		{"CreateUser", `,"UserName":"c","Emails":[{"Value":"a@b"}]`, `,"UserName":"d","Emails":[{"Value":"c@d"},{"Value":"e@f"}]`},
		{"CreateUser", `,"UserName":"e","Photos":[{"Value":"1"},{"Value":"2"},{"Value":"3"}]`, `,"UserName":"f","Photos":[{"Value":"1"},{"Value":"2"},{"Value":"3"},{"Value":"4"}]`},
		{"CreateUser", `,"UserName":"i","DisplayName":"x"`, `,"UserName":"AdMinistrator"`},
		{"CreateUser", `,"UserName":"j"`, `,"UserName":"k\u0000"`},
		{"CreateGroup", `,"DisplayName":"` + long(1024) + `"`, `,"DisplayName":"` + long(1025) + `"`},
		{"CreateGroup", `,"DisplayName":"d","Description":"` + long(1024) + `"`, `,"DisplayName":"e","Description":"` + long(1025) + `"`},
		{"UpdateUser", id + ops(100), id + ops(101)},
		{"UpdateUser", id + ops(1), id + ops(0)},
		{"UpdateUser", id + `,"Operations":[{"AttributePath":"title"}]`, id + `,"Operations":[{"AttributePath":"userName"}]`},
		{"IsMemberInGroups", member + groups(100), member + groups(101)},
		{"IsMemberInGroups", member + groups(1), `,"MemberId":{"UserId":"` + user + `","GroupId":"g"}` + groups(1)},
		{"ListUsers", `,"MaxResults":100`, `,"MaxResults":101`},
		{"ListGroups", `,"MaxResults":1`, `,"MaxResults":-1`},
		{"ListGroups", `,"MaxResults":null`, `,"MaxResults":1.5`},
		{"ListGroups", `,"Filters":[]`, `,"Filters":[7]`},
		{"ListGroups", `,"Filters":null`, `,"Filters":{}`},
	} {
		call(t, h, c.operation, in(c.good), "")
		call(t, h, c.operation, in(c.bad), "ValidationException")
	}
	// what the directory owns
	svc := byID[storeID]
	require.NoError(t, svc.Update(t.Context(), identitystore.Author{Actor: "sync"}, func(tx *identitystore.Tx) error {
		link := identitystore.Link{Origin: identitystore.OriginSync, Source: "ad", GUID: "00000000-0000-4000-8000-000000000001", Owned: []string{"displayName"}}
		u, err := tx.CreateUser(t.Context(), &identitystore.User{UserName: "synced", Link: link})
		if err != nil {
			return err
		}
		user = u.ID
		link.GUID = "00000000-0000-4000-8000-000000000002"
		g, err := tx.CreateGroup(t.Context(), &identitystore.Group{DisplayName: "synced", Link: link})
		if err != nil {
			return err
		}
		id = g.ID
		return nil
	}))
	call(t, h, "UpdateUser", in(`,"UserId":"`+user+`","Operations":[{"AttributePath":"displayName","AttributeValue":"x"}]`), "AccessDeniedException")
	call(t, h, "DeleteUser", in(`,"UserId":"`+user+`"`), "AccessDeniedException")
	call(t, h, "DeleteGroup", in(`,"GroupId":"`+id+`"`), "AccessDeniedException")
	call(t, h, "CreateGroupMembership", in(`,"GroupId":"`+id+`","MemberId":{"UserId":"`+user+`"}`), "AccessDeniedException")
}

// TestProtocol: what is no request of the API.
func TestProtocol(t *testing.T) {
	t.Parallel()
	h, _ := twoStores(t)
	brackets := strings.Repeat("[", 100)
	call(t, h, "CreateGroup", in(`,"DisplayName":"a\"`+brackets+`"`), "") // no structure, but a name
	call(t, h, "CreateGroup", in(`,"DisplayName":"b\\","x":`+brackets), "SerializationException")
	for _, c := range []struct{ method, target, body, kind string }{
		{http.MethodGet, "AWSIdentityStore.ListUsers", in(""), "UnknownOperationException"},
		{http.MethodPost, "", in(""), "UnknownOperationException"},
		{http.MethodPost, "ListUsers", in(""), "UnknownOperationException"},
		{http.MethodPost, "SWBExternalService.ListUsers", in(""), "UnknownOperationException"},
		{http.MethodPost, "AWSIdentityStore.", in(""), "UnknownOperationException"},
		{http.MethodPost, "AWSIdentityStore.listusers", in(""), "UnknownOperationException"},
		{http.MethodPost, "AWSIdentityStore.ListUsers", "", "SerializationException"},
		{http.MethodPost, "AWSIdentityStore.ListUsers", "null", "SerializationException"},
		{http.MethodPost, "AWSIdentityStore.ListUsers", in("") + "{}", "SerializationException"},
		{http.MethodPost, "AWSIdentityStore.ListUsers", "{\"IdentityStoreId\":\"\xff\"}", "SerializationException"},
	} {
		rq := httptest.NewRequest(c.method, "/", strings.NewReader(c.body))
		rq.Header.Set("X-Amz-Target", c.target)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, rq)
		require.Equal(t, http.StatusBadRequest, w.Code, c.target)
		require.Equal(t, "application/x-amz-json-1.1", w.Header().Get("Content-Type"))
		var out map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
		require.Equal(t, c.kind, out["__type"], c.target+" "+c.body)
		require.Equal(t, w.Header().Get("X-Amzn-Requestid"), out["RequestId"])
	}
}

// TestRequired takes each member that an operation needs away, or gives it another type.
func TestRequired(t *testing.T) {
	t.Parallel()
	h, _ := twoStores(t)
	user := str(call(t, h, "CreateUser", in(`,"UserName":"u"`), ""), "UserId")
	group := str(call(t, h, "CreateGroup", in(`,"DisplayName":"g"`), ""), "GroupId")
	member := str(call(t, h, "CreateGroupMembership", in(`,"GroupId":"`+group+`","MemberId":{"UserId":"`+user+`"}`), ""), "MembershipId")
	values := map[string]any{
		"UserId": user, "GroupId": group, "MembershipId": member, "MemberId": map[string]any{"UserId": user}, "GroupIds": []any{group},
		"Operations":          []any{map[string]any{"AttributePath": "displayName", "AttributeValue": "x"}},
		"AlternateIdentifier": map[string]any{"UniqueAttribute": map[string]any{"AttributePath": "userName", "AttributeValue": "u"}},
	}
	send := func(operation string, members map[string]any, kind string) {
		t.Helper()
		members["IdentityStoreId"] = storeID
		raw, err := json.Marshal(members)
		require.NoError(t, err)
		call(t, h, operation, string(raw), kind)
	}
	for operation, needed := range map[string][]string{
		"DescribeUser": {"UserId"}, "UpdateUser": {"UserId", "Operations"}, "DeleteUser": {"UserId"}, "GetUserId": {"AlternateIdentifier"}, "GetGroupId": {"AlternateIdentifier"},
		"DescribeGroup": {"GroupId"}, "UpdateGroup": {"GroupId", "Operations"}, "DeleteGroup": {"GroupId"}, "CreateGroupMembership": {"GroupId", "MemberId"},
		"DescribeGroupMembership": {"MembershipId"}, "DeleteGroupMembership": {"MembershipId"}, "GetGroupMembershipId": {"GroupId", "MemberId"},
		"ListGroupMemberships": {"GroupId"}, "ListGroupMembershipsForMember": {"MemberId"}, "IsMemberInGroups": {"MemberId", "GroupIds"},
	} {
		for _, name := range needed {
			for _, wrong := range []any{nil, "", 7, []any{}, map[string]any{}, []any{nil}, []any{""}, []any{7}, map[string]any{"UserId": 7}} {
				members := map[string]any{}
				for _, n := range needed {
					members[n] = values[n]
				}
				members[name] = wrong
				send(operation, members, "ValidationException")
			}
			members := map[string]any{}
			for _, n := range needed {
				if n != name {
					members[n] = values[n]
				}
			}
			send(operation, members, "ValidationException")
		}
	}
	external := map[string]any{"Issuer": "i", "Id": "x"}
	unique := map[string]any{"AttributePath": "userName", "AttributeValue": "u"}
	for _, alt := range []map[string]any{
		{"ExternalId": external, "UniqueAttribute": unique},
		{"ExternalId": map[string]any{"Issuer": "i"}},
		{"ExternalId": map[string]any{"Id": "x"}},
		{"ExternalId": "x"},
		{"UniqueAttribute": map[string]any{"AttributePath": "userName"}},
		{"UniqueAttribute": map[string]any{"AttributeValue": "u"}},
		{"UniqueAttribute": map[string]any{"AttributePath": "userName", "AttributeValue": 7}},
		{"Other": unique},
	} {
		send("GetUserId", map[string]any{"AlternateIdentifier": alt}, "ValidationException")
	}
	for _, op := range []any{7, nil, map[string]any{"AttributeValue": "x"}, map[string]any{"AttributePath": 7}, map[string]any{"AttributePath": "link.origin", "AttributeValue": "sync"}, map[string]any{"AttributePath": "userStatus", "AttributeValue": "DISABLED"}} {
		send("UpdateUser", map[string]any{"UserId": user, "Operations": []any{op}}, "ValidationException")
	}
	for _, f := range []any{map[string]any{"AttributePath": "UserName"}, map[string]any{"AttributeValue": "u"}, map[string]any{"AttributePath": "UserName", "AttributeValue": 7}} {
		send("ListUsers", map[string]any{"Filters": []any{f}}, "ValidationException")
	}
	for _, operation := range []string{"UpdateUser", "DeleteUser"} {
		send(operation, map[string]any{"UserId": user, "Operations": values["Operations"], "Revision": 7}, "ValidationException")
	}
	for _, operation := range []string{"UpdateGroup", "DeleteGroup"} {
		send(operation, map[string]any{"GroupId": group, "Operations": values["Operations"], "Revision": 7}, "ValidationException")
	}
	call(t, h, "DescribeGroupMembership", in(`,"MembershipId":"`+member+`"`), "") // nothing of that was done
}
