package main

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
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

// The administration is closed to everybody else: every address, to who is signed in, to who is not, and to a form of another
// site that acts for an administrator.
func TestAdministrationIsClosed(t *testing.T) {
	t.Parallel()
	a := running(t, func(o *options) { o.secondFactor = factorOptional })
	pages := a.adminPages()
	require.Len(t, pages, 9)
	bob, stranger, admin := samltest.NewBrowser("bob", "Battery-Staple-2"), samltest.NewBrowser("", ""), administrator(t, a)
	_, err := a.open(t.Context(), bob, a.fromPortal())
	require.NoError(t, err)
	before := a.sync.report().at
	for pattern := range pages {
		method, path, _ := strings.Cut(pattern, " ")
		fields := url.Values{"user": {"alice@example.com"}}
		status, body := sendAs(t, bob, method, a.portalURL+path, fields, nil)
		require.Equal(t, http.StatusForbidden, status, pattern)
		require.Contains(t, body, "This page is for administrators.", pattern)
		status, body = sendAs(t, stranger, method, a.portalURL+path, fields, nil)
		if method == http.MethodGet {
			require.Equal(t, http.StatusSeeOther, status, pattern)
			continue
		}
		require.Equal(t, http.StatusUnauthorized, status, pattern)
		require.Contains(t, body, "Your session has ended.", pattern)
		for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example.test"}}} {
			status, _ := sendAs(t, admin, method, a.portalURL+path, fields, header)
			require.Equal(t, http.StatusForbidden, status, pattern)
		}
	}
	require.Equal(t, before, a.sync.report().at, "nothing was started")
	closed := running(t, func(o *options) { o.adminGroup = "No-Such-Group" })
	p, err := closed.open(t.Context(), samltest.NewBrowser("alice", "Correct-Horse-1"), "/admin")
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, p.Status)
}

// sendAs sends one request with the cookies of a browser and follows no redirect.
func sendAs(t *testing.T, b *samltest.Browser, method, address string, fields url.Values, header http.Header) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(fields.Encode()))
	require.NoError(t, err)
	req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	maps.Copy(req.Header, header)
	client := *b.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(raw)
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
	for _, path := range []string{"/static/style.css", "/static/progress.js", "/static/icon.svg", "/healthz"} {
		p, err := a.open(t.Context(), samltest.NewBrowser("", ""), path)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, p.Status)
		require.Equal(t, "nosniff", p.Header.Get("X-Content-Type-Options"), path)
	}
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
