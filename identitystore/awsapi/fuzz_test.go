package awsapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/awsapi"
)

// FuzzRequest: whatever is asked, the answer is a JSON object: an output, or an exception that blames the request.
func FuzzRequest(f *testing.F) {
	for _, c := range [][2]string{
		{"CreateUser", in(`,"UserName":"a","Name":{"GivenName":"b"},"Emails":[{"Value":"c@d","Primary":true}],"Extensions":{"aws:identitystore:enterprise":{"manager":{"value":"x"}}}`)},
		{"UpdateUser", in(`,"UserId":"x","Operations":[{"AttributePath":"name.givenName","AttributeValue":["y"]}]`)},
		{"GetUserId", in(`,"AlternateIdentifier":{"ExternalId":{"Issuer":"i","Id":"x"}}`)},
		{"ListUsers", in(`,"MaxResults":1e2,"NextToken":"QQ","Filters":[{"AttributePath":"UserName","AttributeValue":"a"}],"Extensions":["aws:identitystore:enterprise"]`)},
		{"IsMemberInGroups", in(`,"MemberId":{"UserId":"u"},"GroupIds":["g",null]`)},
		{"CreateGroupMembership", in(`,"GroupId":"arn:aws:identitystore:::group/","MemberId":{"UserId":"\u0000"}`)},
		{"ListIdentityStores", `{"NextToken":"ZC0xMjM0NTY3ODkw"}`},
	} {
		f.Add(c[0], c[1])
	}
	svc, err := identitystore.Open(f.Context(), identitystore.Config{Store: new(identitystore.Memory), Tenant: storeID, Limits: identitystore.LimitsAWS()})
	require.NoError(f, err)
	h, err := awsapi.NewHandler(awsapi.Config{Stores: []*identitystore.Service{svc}})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, operation, body string) {
		rq := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		rq.Header["X-Amz-Target"] = []string{"AWSIdentityStore." + operation}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, rq)
		var out map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
		kind, _ := out["__type"].(string)
		require.Equal(t, kind, w.Header().Get("X-Amzn-Errortype"))
		require.Equal(t, w.Code == http.StatusOK, kind == "", w.Body)
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, w.Code, w.Body)
	})
}
