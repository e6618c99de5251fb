package main

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// administrator returns a browser in which alice is signed in.
func administrator(t *testing.T, a *app) *samltest.Browser {
	t.Helper()
	b := samltest.NewBrowser("alice", "Correct-Horse-1")
	p, err := a.open(t.Context(), b, "/admin")
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "Administration"))
	return b
}

func ask(t *testing.T, a *app, b *samltest.Browser, method, path string, values url.Values) string {
	t.Helper()
	p, err := b.Send(t.Context(), &samltest.Form{Action: a.portalURL + path, Method: method, Fields: values})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, p.Status)
	return html.UnescapeString(p.Body)
}

func TestWhyPage(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	b := administrator(t, a)
	for name, c := range map[string]struct {
		user, account, action string
		want                  []string
	}{
		"accounts":     {"alice@example.com", "", "", []string{"has access through", "group:SRE@corp.example.test", "group:Engineering@corp.example.test"}},
		"statement":    {"alice@example.com", "111122223333", "logs:GetLogEvents", []string{"Yes.", "Allow by statement CloudWatchLogsReadOnlyAccess"}},
		"no statement": {"bob@example.com", "111122223333", "ec2:RunInstances", []string{"No: no permission set"}},
		"nobody":       {"nobody", "", "", []string{"no such user"}},
		"no account":   {"bob@example.com", "999999999999", "logs:GetLogEvents", []string{"no such account"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := ask(t, a, b, http.MethodGet, "/admin", url.Values{"user": {c.user}, "account": {c.account}, "do": {c.action}})
			for _, w := range c.want {
				require.Contains(t, body, w)
			}
		})
	}
	// carol exists after her first sign-in only; then the nearest missing link is an assignment.
	_, err := a.open(t.Context(), samltest.NewBrowser("carol", "Blue-Harbour-3"), a.fromPortal())
	require.NoError(t, err)
	body := ask(t, a, b, http.MethodGet, "/admin", url.Values{"user": {"carol@example.com"}, "account": {"111122223333"}, "do": {"logs:GetLogEvents"}})
	require.Contains(t, body, "No: no assignment")
	require.Contains(t, body, "LogArchiveReadOnly for the group Engineering@corp.example.test")
}

func TestRulesPage(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	b := administrator(t, a)
	body := ask(t, a, b, http.MethodPost, "/admin/rules", url.Values{"user": {`CORP\alice`}, "rules": {defaultRules}})
	for _, w := range []string{"alice@example.com", "Engineering", "emailAddress", "Trace"} {
		require.Contains(t, body, w)
	}
	body = ask(t, a, b, http.MethodPost, "/admin/rules", url.Values{"user": {`CORP\alice`}, "rules": {"c:[Type == ] => issue(claim = c);"}})
	require.Contains(t, body, "POLICY0030")
	body = ask(t, a, b, http.MethodPost, "/admin/rules", url.Values{"user": {"nobody"}, "rules": {portalRules}})
	require.Contains(t, body, "cannot be read")
	body = ask(t, a, b, http.MethodPost, "/admin/rules", url.Values{"user": {`CORP\alice`}, "rules": {`=> issue(Type = "urn:x", Value = "<script>alert(1)</script>");`}})
	require.Contains(t, body, "No assertion")
}

func TestSAMLPage(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	b := administrator(t, a)
	f, err := a.keepResponse(t.Context(), "bob", "Battery-Staple-2", a.fromIdP())
	require.NoError(t, err)
	for range 2 { // an inspection uses nothing up
		body := ask(t, a, b, http.MethodPost, "/admin/saml", url.Values{"message": {f.Fields.Get("SAMLResponse")}})
		require.Contains(t, body, "Valid, unless it was used before.")
		require.Contains(t, body, "passed")
	}
	body := ask(t, a, b, http.MethodPost, "/admin/saml", url.Values{"message": {"<x/>"}})
	require.Contains(t, body, "Refused: not_a_response")
}

// The administration is closed to everybody else, on every address and method.
func TestAdministrationIsClosed(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	b := samltest.NewBrowser("bob", "Battery-Staple-2")
	_, err := a.open(t.Context(), b, a.fromPortal())
	require.NoError(t, err)
	for _, path := range []string{"/admin", "/admin/rules", "/admin/saml", "/admin/sync"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			p, err := b.Send(t.Context(), &samltest.Form{Action: a.portalURL + path, Method: method, Fields: url.Values{}})
			require.NoError(t, err)
			require.NotEqual(t, http.StatusOK, p.Status, "%s %s", method, path)
			require.NotContains(t, p.Body, "Synchronise now")
		}
	}
	closed := running(t, func(o *options) { o.adminGroup = "No-Such-Group" })
	p, err := closed.open(t.Context(), samltest.NewBrowser("alice", "Correct-Horse-1"), "/admin")
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, p.Status)
}

// A form of another site cannot act for a signed-in administrator.
func TestCrossSiteRequestsAreRefused(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	b := administrator(t, a)
	before := a.sync.report().at
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example.test"}}} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.portalURL+"/admin/sync", http.NoBody)
		require.NoError(t, err)
		req.Header = header.Clone()
		res, err := b.Client.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusForbidden, res.StatusCode)
	}
	require.Equal(t, before, a.sync.report().at)
}

func TestPagesAreStrict(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	p, err := a.open(t.Context(), samltest.NewBrowser("", ""), "/")
	require.NoError(t, err)
	csp := p.Header.Get("Content-Security-Policy")
	require.Contains(t, csp, "default-src 'none'")
	require.NotContains(t, csp, "unsafe")
	require.Equal(t, "nosniff", p.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", p.Header.Get("Cache-Control"))
}

func TestFindingsAreSentences(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		identitystore.RuleRemovals:  "30 users, groups and memberships would be removed; more than 20 need an approval. For example: alice.",
		identitystore.RuleFoundNone: "The directory shows none of the users and groups of the last run. For example: alice.",
		identitystore.RuleGroupLoss: "One group would lose 30 members, more than half. For example: alice.",
		identitystore.RuleRenames:   "30 users change their names. For example: alice.",
		"of a later version":        "of a later version For example: alice.",
	} {
		require.Equal(t, want, findingText(identitystore.Finding{Rule: rule, Count: 30, Threshold: 20, Examples: []string{"alice"}}))
	}
}
