package awsapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/awsapi"
)

type worded struct {
	code   string
	status int
}

func (worded) Error() string         { return "internal words" }
func (e worded) ErrorCode() string   { return e.code }
func (worded) ErrorMessage() string  { return "words for the client" }
func (e worded) HTTPStatusCode() int { return e.status }

// TestAuthorize: who is refused is refused before the operation is looked at, in the words of who refuses.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		code   string
		status int
		text   string
	}{
		{nil, "UnknownOperationException", 400, "not known"},
		{errors.New("internal words"), "AccessDeniedException", 400, "not allowed"},
		{fmt.Errorf("wrapped: %w", worded{"ExpiredTokenException", 403}), "ExpiredTokenException", 403, "words for the client"},
		{worded{"ExpiredTokenException", 0}, "ExpiredTokenException", 400, "words for the client"},
		{worded{"ExpiredTokenException", 200}, "ExpiredTokenException", 400, "words for the client"},
	} {
		h := handler(t, func(*http.Request) error { return c.err })
		rq := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{"))
		rq.Header.Set("X-Amz-Target", "AWSIdentityStore.Nothing")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, rq)
		require.Equal(t, []any{c.status, c.code}, []any{w.Code, w.Header().Get("X-Amzn-Errortype")})
		require.Contains(t, w.Body.String(), c.text)
		require.NotContains(t, w.Body.String(), "internal words")
	}
}

// failingStore is a store whose reads fail.
type failingStore struct {
	identitystore.Store

	err error
}

func (s *failingStore) Reader(ctx context.Context, tenant string) (identitystore.Reader, error) {
	r, err := s.Store.Reader(ctx, tenant)
	return failingReader{r, s}, err
}

func (s *failingStore) View(context.Context, string, func(identitystore.Reader) error) error {
	return s.err
}

type failingReader struct {
	identitystore.Reader

	s *failingStore
}

func (r failingReader) UserByID(context.Context, string) (*identitystore.User, error) {
	return nil, r.s.err
}

func (r failingReader) GroupByID(context.Context, string) (*identitystore.Group, error) {
	return nil, r.s.err
}

func (r failingReader) ListUsers(context.Context, string, int) ([]*identitystore.User, error) {
	return nil, r.s.err
}

func (r failingReader) ListGroups(context.Context, string, int) ([]*identitystore.Group, error) {
	return nil, r.s.err
}

// TestFailures: how an error of the store is told.
func TestFailures(t *testing.T) {
	t.Parallel()
	broken := &failingStore{Store: new(identitystore.Memory)}
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: broken, Tenant: storeID})
	require.NoError(t, err)
	h, err := awsapi.NewHandler(awsapi.Config{Stores: []*identitystore.Service{svc}})
	require.NoError(t, err)
	for _, c := range []struct {
		err  error
		kind string
	}{
		{&identitystore.QuotaExceededError{}, "ServiceQuotaExceededException"},
		{&identitystore.ThrottlingError{RetryAfter: 7 * time.Second}, "ThrottlingException"},
		{identitystore.ErrNotFound, "ResourceNotFoundException"},
		{identitystore.ErrDenied, "AccessDeniedException"},
		{errors.New("the disk is full"), "InternalServerException"},
	} {
		broken.err = c.err
		for operation, rest := range map[string]string{
			"ListUsers": "", "ListGroups": "", "DescribeUser": `,"UserId":"u"`, "DescribeGroup": `,"GroupId":"g"`, "IsMemberInGroups": `,"MemberId":{"UserId":"u"},"GroupIds":["g"]`,
		} {
			out := call(t, h, operation, in(rest), c.kind)
			require.NotContains(t, fmt.Sprint(out), "disk")
			if c.kind == "ThrottlingException" {
				require.EqualValues(t, 7, out["RetryAfterSeconds"])
			}
		}
	}
}

// TestMalformed: what has the wrong form is refused where it stands, whatever stands beside it.
func TestMalformed(t *testing.T) {
	t.Parallel()
	h := handler(t, nil)
	user := str(call(t, h, "CreateUser", in(`,"UserName":"alice"`), ""), "UserId")
	group := str(call(t, h, "CreateGroup", in(`,"DisplayName":"G"`), ""), "GroupId")
	call(t, h, "CreateGroup", in(`,"DisplayName":"{{{[[[\"\\]]"`), "")                                                     // brackets in a text nest nothing
	call(t, h, "CreateGroup", in(`,"DisplayName":"B","Description":"`+strings.Repeat("[", 100)+`"`), "")                   // nor do many
	call(t, h, "ListUsers", in(`,"x":`+strings.Repeat(`{"a":`, 64)+`1`+strings.Repeat("}", 64)), "SerializationException") // in objects
	call(t, h, "ListUsers", in(`,"x":[`+strings.TrimSuffix(strings.Repeat(`[],{},`, 100), ",")+`]`), "")                   // beside each other
	name := strings.Repeat("x", 1<<20)
	for _, c := range [][3]string{
		{"ListUsers", in(`,"MaxResults":"5"`), "ValidationException"},
		{"ListUsers", in(`,"MaxResults":1.5`), "ValidationException"},
		{"ListUsers", in(`,"MaxResults":null,"NextToken":null`), ""},
		{"ListUsers", in(`,"MaxResults":"x","NextToken":5`), "ValidationException"},
		{"ListUsers", in(`,"NextToken":""`), "ValidationException"},
		{"ListUsers", in(`,"NextToken":5`), "ValidationException"},
		{"ListUsers", in(`,"Filters":{}`), "ValidationException"},
		{"ListUsers", in(`,"Filters":null`), ""},
		{"ListUsers", in(`,"Filters":["x"]`), "ValidationException"},
		{"ListUsers", in(`,"Filters":[{"AttributePath":"","AttributeValue":"x"}]`), "ValidationException"},
		{"ListUsers", in(`,"Filters":[{"AttributePath":"UserName"}]`), "ValidationException"},
		{"ListGroups", in(`,"Filters":[{"AttributePath":"UserName","AttributeValue":"x"}]`), "ValidationException"},
		{"DescribeUser", in(`,"UserId":null`), "ValidationException"},
		{"DescribeUser", in(`,"UserId":"` + user + `","Extensions":[]`), "ValidationException"},
		{"DescribeUser", in(`,"UserId":"` + user + `","Extensions":[5]`), "ValidationException"},
		{"DescribeUser", in(`,"UserId":"` + user + `","Extensions":["aws:identitystore:"]`), "ValidationException"},
		{"DescribeUser", in(`,"UserId":"` + user + `","Extensions":["aws:identitystore:Enterprise"]`), "ValidationException"},
		{"UpdateUser", in(`,"UserId":"` + user + `","Operations":["x"]`), "ValidationException"},
		{"UpdateUser", in(`,"UserId":"` + user + `","Operations":[{"AttributeValue":"x"}]`), "ValidationException"},
		{"UpdateUser", in(`,"UserId":"` + user + `","Operations":[{"AttributePath":"","AttributeValue":"x"}]`), "ValidationException"},
		{"UpdateUser", in(`,"Operations":[{"AttributePath":"title","AttributeValue":"x"}]`), "ValidationException"},
		{"UpdateUser", in(`,"UserId":"` + user + `","Revision":5,"Operations":[{"AttributePath":"title","AttributeValue":"x"}]`), "ValidationException"},
		{"UpdateGroup", in(`,"Operations":[{"AttributePath":"description","AttributeValue":"x"}]`), "ValidationException"},
		{"UpdateGroup", in(`,"GroupId":"` + group + `","Operations":["x"]`), "ValidationException"},
		{"GetUserId", in(``), "ValidationException"},
		{"GetUserId", in(`,"AlternateIdentifier":5`), "ValidationException"},
		{"GetUserId", in(`,"AlternateIdentifier":{"ExternalId":{"Issuer":"i"}}`), "ValidationException"},
		{"GetUserId", in(`,"AlternateIdentifier":{"UniqueAttribute":"x"}`), "ValidationException"},
		{"GetUserId", in(`,"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"","AttributeValue":"x"}}`), "ValidationException"},
		{"IsMemberInGroups", in(`,"MemberId":{"UserId":"u"},"GroupIds":[5]`), "ValidationException"},
		{"IsMemberInGroups", in(`,"MemberId":{"UserId":"u"},"GroupIds":[""]`), "ValidationException"},
		{"IsMemberInGroups", in(`,"MemberId":{"UserId":"` + user + `","GroupId":"g"},"GroupIds":["` + group + `"]`), "ValidationException"},
		{"IsMemberInGroups", in(`,"MemberId":{"UserId":5},"GroupIds":["` + group + `"]`), "ValidationException"},
		{"CreateUser", `{"IdentityStoreId":"` + storeID + `","":1}`, "ValidationException"},
		{"CreateGroup", in(`,"DisplayName":"H","Id":"chosen"`), "ValidationException"},
		{"CreateGroup", in(`,"DisplayName":"H","Link":{"origin":"sync"}`), "ValidationException"},
		{"CreateGroup", in(`,"DisplayName":"H","Nope":1`), "ValidationException"},
		{"CreateGroup", in(`,"DisplayName":"H","Description":5`), "ValidationException"},
		{"CreateUser", `{"IdentityStoreId":5,"UserName":"b"}`, "ValidationException"},
		{"CreateUser", in(`,"UserName":"b","Extensions":5`), "ValidationException"},
		{"CreateUser", in(`,"UserName":"` + name[:1<<20-60] + `"`), "ValidationException"},
		{"ListUsers", in("") + " {}", "SerializationException"},
		{"ListUsers", "null", "SerializationException"},
		{"ListUsers", `{"IdentityStoreId":"` + storeID + `","x":"` + "\xff" + `"}`, "SerializationException"},
		{"ListUsers", `{"IdentityStoreId":"` + storeID + `"`, "SerializationException"},
		{"ListUsers", `{"IdentityStoreId":"x/` + storeID + `"}`, "ResourceNotFoundException"}, // the end of a name is no name
		{"ListUsers", `{"IdentityStoreId":"arn:` + storeID + `"}`, "ResourceNotFoundException"},
		{"ListUsers", `{"IdentityStoreId":"` + strings.Repeat("d", 37) + `"}`, "ValidationException"},
	} {
		call(t, h, c[0], c[1], c[2])
	}
	rq := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(errors.New("the peer went away")))
	rq.Header.Set("X-Amz-Target", "AWSIdentityStore.ListUsers")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, rq)
	require.Equal(t, "ValidationException", w.Header().Get("X-Amzn-Errortype"))
	require.Contains(t, w.Body.String(), "could not be read")
}

// TestFirstMistake: of several the first is told.
func TestFirstMistake(t *testing.T) {
	t.Parallel()
	h := handler(t, nil)
	for _, c := range [][3]string{
		{"ListUsers", in(`,"NextToken":5,"MaxResults":0,"Extensions":[],"Filters":{}`), "NextToken"},
		{"ListUsers", in(`,"MaxResults":0,"Extensions":[5],"Filters":{}`), "MaxResults"},
		{"ListUsers", in(`,"Extensions":[5,5,5,5,5,5,5,5,5,5,5],"Filters":{}`), "something else"},
		{"ListUsers", in(`,"Extensions":[],"Filters":{}`), "Extensions"},
		{"DescribeUser", in(`,"Extensions":[5]`), "UserId"},
		{"CreateGroupMembership", in(``), "GroupId"},
		{"ListGroupMembershipsForMember", in(`,"MaxResults":0,"MemberId":{"UserId":5,"GroupId":5}`), "MaxResults"},
		{"CreateGroupMembership", in(`,"GroupId":"g","MemberId":{"UserId":5,"GroupId":5}`), "UserId"},
		{"CreateGroupMembership", in(`,"GroupId":"g","MemberId":5`), "MemberId is missing or no structure"},
		{"UpdateUser", in(`,"Revision":5,"Operations":5`), "UserId"},
	} {
		require.Contains(t, str(call(t, h, c[0], c[1], "ValidationException"), "message"), c[2], c[1])
	}
}

// TestStoresPages: a token names a store that is there, in one way only.
func TestStoresPages(t *testing.T) {
	t.Parallel()
	h, _ := twoStores(t)
	page := call(t, h, "ListIdentityStores", `{"MaxResults":1}`, "")
	token := str(page, "NextToken")
	require.NotEmpty(t, token)
	require.Len(t, call(t, h, "ListIdentityStores", `{"NextToken":"`+token+`"}`, "")["IdentityStores"], 1)
	raw, err := json.Marshal(base64.StdEncoding.EncodeToString([]byte("d-none")))
	require.NoError(t, err)
	for _, bad := range []string{string(raw), `"` + token + `!"`, `"&"`} {
		call(t, h, "ListIdentityStores", `{"NextToken":`+bad+`}`, "ValidationException")
	}
	call(t, h, "ListIdentityStores", `{"MaxResults":101}`, "ValidationException")
}
