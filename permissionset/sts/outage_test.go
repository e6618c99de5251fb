package sts_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/policy"
	"github.com/adfedkit/adfedkit/permissionset/sts"
)

// outage fails in the place of what a portal asks, where fails says so, and answers otherwise.
type outage struct {
	tokens, grants bool
	user           string
}

var errOutage = errors.New("the disk of the database is full")

func (o outage) TokenUser(context.Context, string) (string, error) {
	if o.tokens {
		return "", errOutage
	}
	return o.user, nil
}

func (outage) RevokeToken(context.Context, string) error { return errOutage }

func (o outage) EffectiveAccess(context.Context, string) (permissionset.Effective, error) {
	if o.grants {
		return permissionset.Effective{}, errOutage
	}
	return permissionset.Effective{User: o.user, Status: permissionset.Enabled, Accounts: []permissionset.AccountAccess{{ID: account, PermissionSets: []permissionset.SetAccess{{Name: "Admin"}}}}}, nil
}

func (outage) PermissionSet(name string) (permissionset.PermissionSet, bool) {
	return permissionset.PermissionSet{Name: name}, true
}

func (outage) PutSession(context.Context, sts.Session) error { return errOutage }

func (outage) Session(context.Context, string) (sts.Session, error) {
	return sts.Session{}, errOutage
}

// TestOutages: what cannot be asked lets nobody in, is no verdict, and is told to nobody.
func TestOutages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o            outage
		method, path string
		status       int
	}{
		{outage{user: "alice"}, "GET", "/assignment/accounts", 200},
		{outage{tokens: true}, "GET", "/assignment/accounts", 500},
		{outage{grants: true}, "GET", "/assignment/accounts", 500},
		{outage{user: "alice"}, "GET", "/federation/credentials?account_id=" + account + "&role_name=Admin", 500},
		{outage{user: "alice"}, "GET", "/federation/credentials?account_id=" + account + "&role_name=Other", 403},
		{outage{user: "alice"}, "GET", "/federation/credentials?account_id=11112222333x&role_name=Admin", 400},
		{outage{user: "alice"}, "POST", "/logout", 500},
		{outage{user: "alice"}, "GET", "/assignment/accounts?max_result=1x", 400},
	} {
		p, err := sts.NewPortal(sts.PortalConfig{Tokens: c.o, Grants: c.o, Store: c.o, Now: start})
		require.NoError(t, err)
		rq := httptest.NewRequest(c.method, c.path, http.NoBody)
		rq.Header.Set("x-amz-sso_bearer_token", "token")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, rq)
		require.Equal(t, c.status, w.Code, c.path)
		require.NotContains(t, w.Body.String(), "disk")
		if c.status == 200 { // a source that takes the empty token is not asked about it
			rq.Header.Del("x-amz-sso_bearer_token")
			w = httptest.NewRecorder()
			p.ServeHTTP(w, rq)
			require.Equal(t, 401, w.Code)
		}
	}

	w := newWorld(t)
	h, err := sts.NewHandler(sts.Config{Store: outage{}, Now: start, Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:*"`, "")}}})
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, w.signed(t, w.credentials(t), start(), "sts"))
	require.Equal(t, http.StatusInternalServerError, rec.Code)
	require.Contains(t, rec.Body.String(), "<Type>Receiver</Type><Code>InternalFailure</Code>")
	require.NotContains(t, rec.Body.String(), "disk")
	_, err = h.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, good())))
	require.ErrorIs(t, err, errOutage)
}

// TestRequestsOfHandler: forms that cannot be read, and what the version may be.
func TestRequestsOfHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ method, target, body, code string }{
		{"GET", "/?Action=%zz", "", "MalformedQueryString"},
		{"POST", "/", "Action=%zz", "MalformedQueryString"},
		{"POST", "/?Action=GetCallerIdentity", "%zz", "MalformedQueryString"},
		{"GET", "/?Action=GetCallerIdentity", "", "MissingAuthenticationToken"}, // a version may be left out
		{"GET", "/?Action=GetCallerIdentity&Version=2010-01-01", "", "InvalidAction"},
		{"PUT", "/?Action=GetCallerIdentity", "", "InvalidAction"},
		{"GET", "/?Action=" + strings.Repeat("x", 5000), "", "InvalidAction"},
	} {
		rq := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
		rq.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rq.Header.Set("X-Amz-Target", "AWSIdentityStore.ListUsers") // nobody else serves it here
		rec := httptest.NewRecorder()
		w.sts.ServeHTTP(rec, rq)
		require.Contains(t, rec.Body.String(), "<Code>"+c.code+"</Code>", c.target[:min(len(c.target), 60)])
		require.Less(t, rec.Body.Len(), 1000)
	}
}

// TestMoreConfigErrors: each required part is missed.
func TestMoreConfigErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	idp := w.idp.trusted()
	nameless, keyless := idp, idp
	nameless.EntityID, keyless.Certificates = "", nil
	identity, err := policy.Parse([]byte(`{"Statement":[]}`), policy.ParseOptions{Kind: policy.Identity})
	require.NoError(t, err)
	for want, cfg := range map[string]sts.Config{
		"MaxAge":                       {Store: w.store, MaxAge: -1},
		"no entity ID or no key":       {Store: w.store, Providers: []sts.Provider{{ARN: provider, IdP: nameless}}},
		"has no entity ID or no key":   {Store: w.store, Providers: []sts.Provider{{ARN: provider, IdP: keyless}}},
		"has no trust policy":          {Store: w.store, Roles: []sts.Role{{ARN: reader, Trust: identity}}},
		"not between 3600 and 43200 s": {Store: w.store, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:*"`, ""), MaxSessionDuration: 12*time.Hour + time.Second}}},
	} {
		_, err := sts.NewHandler(cfg)
		require.ErrorContains(t, err, want)
	}
	o := outage{}
	for want, cfg := range map[string]sts.PortalConfig{
		"Tokens": {Grants: o, Store: o}, "Grants": {Tokens: o, Store: o}, "Store": {Tokens: o, Grants: o}, "Partition": {Tokens: o, Grants: o, Store: o, Partition: "moon"},
	} {
		_, err := sts.NewPortal(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestConsoleDestinations(t *testing.T) {
	t.Parallel()
	for destination, want := range map[string]bool{
		"https://console.aws.amazon.com:443/s3": true, "https://console.aws.amazon.com:444/": false, "https://eu-west-1.console.aws.amazon.com/": true, "https://docs.aws.amazon.com/": true,
		"https://aws.amazon.com.example.test/": false, "https:console.aws.amazon.com": false, "https://console.aws.amazon.com/%zz": false, "//console.aws.amazon.com/": false, "https://u@console.aws.amazon.com/": false, "https://xaws.amazon.com/": false,
	} {
		require.Equal(t, want, sts.PartitionAWS.ConsoleDestination(destination), destination)
	}
	china := sts.Partition("aws-cn")
	require.True(t, china.ConsoleDestination("https://x.console.amazonaws.cn/"))
	require.False(t, china.ConsoleDestination("https://docs.aws.amazon.com/"))
}

// TestFederationForms: a request that cannot be read is not answered in part, and the page links to https alone.
func TestFederationForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := func(query string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		w.fed.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/federation?"+query, http.NoBody))
		require.Equal(t, http.StatusBadRequest, rec.Code)
		return rec
	}
	const login = "Action=login&Destination=https%3A%2F%2Fconsole.aws.amazon.com%2F&SigninToken=x&Issuer="
	require.Contains(t, get(login+"x&%zz").Body.String(), "malformed request")
	require.Contains(t, get(login+"https%3A%2F%2Fportal.corp.example.test%2F").Body.String(), `href="https://portal.corp.example.test/"`)
	for _, issuer := range []string{"", "http%3A%2F%2Fportal.corp.example.test", "https%3A%2F%2F%2Fpath", "https%3Aopaque", "https%3A%2F%2F%5B", "https%3A%2F%2Fu%40portal.corp.example.test", "javascript%3A1"} {
		require.NotContains(t, get(login+issuer).Body.String(), "href", issuer)
	}
}
