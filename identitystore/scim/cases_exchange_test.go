package scim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
)

var pathID = regexp.MustCompile(`^/(?:Users|Groups)/([0-9a-f-]{16,})$`)

var memberValue = regexp.MustCompile(`"value": ?"([0-9a-f-]{16,})"|value eq \\"([0-9a-f-]{16,})\\"`)

// before is the resource as it was before a recorded change; cases without an entry change a resource of ours.
var before = map[string]string{
	"entra-conv-update_user": `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"6c75de36-30fa-4d2d-a196-6bdcdb6b6539","userName":"Test_User",
		"name":{"formatted":"givenName familyName","familyName":"familyName","givenName":"givenName"},"active":true,
		"emails":[{"value":"old@testuser.com","type":"work","primary":true}]}`,
	"entra-conv-update_group":     `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"externalId":"60f1bb27-2e1e-402d-bcc4-ec999564a194","displayName":"displayName"}`,
	"okta-conv-update_group_name": `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Old"}`,
	"okta-conv-update_user": `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"test.user@okta.local","displayName":"gone with PUT",
		"name":{"givenName":"Test","familyName":"User"},"active":true}`,
	"okta-conv-update_user_patch": `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"test.user@okta.local","name":{"givenName":"Another","familyName":"User"},"active":true,
		"emails":[{"primary":true,"value":"test.user@okta.local","type":"work","display":"test.user@okta.local"}]}`,
	"entra-external-unquoted": `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"j","externalId":"jyoung"}`,
	"jackson-user-filter":     `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Jackson@boxyhq.com"}`,
	"aws-users-filter-1":      strings.Replace(userBody("with.external.id"), `{`, `{"externalId":"701984",`, 1),
}

// after is what must be true of the answer, or else of the resource afterwards, where no answer was recorded.
var after = map[string]string{
	"entra-create-group":                `{"displayName":"displayName","externalId":"8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159","schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}`,
	"entra-create-user":                 `{"active":true,"userName":"Test_User_00aa00aa-bb11-cc22-dd33-44ee44ee44ee","roles":null}`,
	"entra-disable-flag":                `{"active":false}`,
	"entra-disable":                     `{"active":false}`,
	"entra-external-unquoted":           `{"totalResults":1}`,
	"jackson-user-filter":               `{"totalResults":1,"itemsPerPage":1}`,
	"entra-group-remove-value":          `{"members":[{"value":"KEPT"}]}`,
	"entra-remove-member-flag":          `{"members":[{"value":"KEPT"}]}`,
	"okta-conv-update_group_membership": `{"members":[{"value":"23a35c27-23d3-4c03-b4c5-6443c09e7173"},{"value":"89bb1940-b905-4575-9e7f-6f887cfb368e"}]}`,
	"entra-patch-multi":                 `{"emails":[{"type":"work","value":"updatedEmail@microsoft.com"}],"name":{"familyName":"updatedFamilyName","givenName":"G"}}`,
	"entra-patch-username":              `{"userName":"5b50642d-79fc-4410-9e90-4c077cdd1a59@testuser.com"}`,
	"entra-replace-many-flag": `{"displayName":"Bjfe","name":{"givenName":"Kkom","familyName":"Unua"},"emails":[{"type":"work","value":"TestMhvaes@test.microsoft.com"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"Aklq"}}`,
	"entra-replace-many": `{"displayName":"Pvlo","externalId":"Eqpj","name":{"givenName":"Gtfd","familyName":"Pkqf"},"emails":[{"type":"work","value":"TestBcwqnm@test.microsoft.com"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"Eqpj"}}`,
	"aws-group-100":             `{"displayName":"G","members":[]}`,
	"aws-users-filter-1":        `{"totalResults":1,"startIndex":1,"itemsPerPage":1}`,
	"aws-users-filter-2":        `{"totalResults":0,"Resources":[]}`,
	"aws-users-filter-3":        `{"totalResults":0,"Resources":[]}`,
	"aws-users-cursor-first":    `{"itemsPerPage":2,"totalResults":null,"startIndex":null}`,
	"own-aws-get-group-members": `{"totalResults":1,"Resources":[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"some","members":[]}]}`,
}

// TestExchanges replays the recorded requests of Entra ID, Okta and others, and those that AWS documents, and compares
// status and answer.
func TestExchanges(t *testing.T) {
	t.Parallel()
	cases := sharedCases(t, "exchange")
	require.Len(t, cases, 57)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &replay{sharedCase: c, ids: map[string]string{}, profile: scim.RFC}
			if c.Client == "aws" {
				x.profile = scim.AWS
			}
			x.s = start(t, scim.Config{Profile: x.profile})
			x.prepare()
			x.run(t)
		})
	}
}

type replay struct {
	sharedCase
	s       *server
	profile scim.Profile
	ids     map[string]string // recorded id -> ours
	target  string
	body    string
}

// prepare makes what the request is about.
func (x *replay) prepare() {
	response := map[string]any{}
	if x.Response != nil {
		response = decode(x.s.t, x.Response)
	}
	kept := id(x.s.do(201, "POST", "/Users", userBody("kept")))
	x.ids["KEPT"] = kept
	members := `{"value":"` + kept + `"}`
	x.body = string(x.Request)
	for _, m := range memberValue.FindAllStringSubmatch(x.body, -1) {
		if old := m[1] + m[2]; strings.Contains(x.URL, "Groups") {
			member := x.s.member(old, x.ids)
			x.body = strings.ReplaceAll(x.body, old, member)
			if strings.Contains(strings.ToLower(x.body), "remove") && !strings.Contains(members, member) {
				members += `,{"value":"` + member + `"}`
			}
		}
	}
	for i := range 102 { // members of the AWS cases
		name := fmt.Sprintf(`"value": "u%d"`, i)
		if !strings.Contains(x.body, name) {
			break
		}
		x.body = strings.Replace(x.body, name, `"value":"`+x.s.member(fmt.Sprint("u", i), x.ids)+`"`, 1)
	}
	list, _ := response["Resources"].([]any)
	for _, r := range list {
		m, _ := r.(map[string]any)
		x.s.seed(m, x.ids)
	}
	known := pathID.FindStringSubmatch(x.URL)
	switch {
	case x.Status == 404 || x.Method == "POST":
		return
	case before[x.ID] != "":
		x.target = x.s.seed(decode(x.s.t, json.RawMessage(before[x.ID])), x.ids)
	case known != nil && x.Method == "GET":
		x.target = x.s.seed(response, x.ids)
	case strings.HasPrefix(x.URL, "/Groups"):
		x.target = id(x.s.do(201, "POST", "/Groups", groupBody("some", members)))
	default:
		x.target = id(x.s.do(201, "POST", "/Users", userBody("someone")))
	}
	if known != nil {
		x.URL, x.body = strings.Replace(x.URL, known[1], x.target, 1), strings.ReplaceAll(x.body, known[1], x.target)
	}
	x.URL = strings.NewReplacer("{id}", x.target, "{gid}", x.target, "{uid}", kept).Replace(x.URL)
}

func (x *replay) run(t *testing.T) {
	t.Helper()
	res := x.s.raw(x.Method, strings.NewReplacer(" ", "%20", `"`, "%22").Replace(x.URL), x.body) //nolint:bodyclose // raw does it
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var found []string
	if res.StatusCode != x.Status {
		found = append(found, fmt.Sprint("status=", res.StatusCode))
	}
	got := map[string]any{}
	if len(raw) > 0 {
		got = decode(t, raw)
	} else if x.Method == "PATCH" {
		got = x.s.do(200, "GET", x.URL, "")
	}
	if x.Response != nil {
		found = append(found, compare("", decode(t, x.Response), got, x.ids)...)
	} else if want, ok := after[x.ID]; ok {
		for k, v := range decode(t, json.RawMessage(want)) {
			found = append(found, compare("."+k, v, got[k], x.ids)...)
		}
	} else if x.Status >= 400 {
		require.Equal(t, fmt.Sprint(x.Status), got["status"])
	} else {
		require.Equal(t, "DELETE", x.Method, "%s: nothing is compared", x.ID)
		x.s.do(404, "DELETE", x.URL, "")
	}
	agree(t, x.ID, found)
}
