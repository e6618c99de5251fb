package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// running starts a portal with the embedded domain on free ports; it ends with the test.
func running(t *testing.T, change func(*options)) *app {
	t.Helper()
	opts := options{addr: "127.0.0.1:0", idpAddr: "127.0.0.1:0", ad: "embedded"}
	if change != nil {
		change(&opts)
	}
	a, err := start(t.Context(), opts, io.Discard)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		a.close()
	})
	return a
}

func TestSelftest(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	require.Equal(t, exitOK, run(t.Context(), []string{"-selftest"}, &out, &errs), out.String()+errs.String())
	require.NotContains(t, out.String(), "FAIL")
	require.Equal(t, 15, strings.Count(out.String(), "ok "))
}

// deliver changes the XML of a kept response and posts it.
func deliver(t *testing.T, f *samltest.Form, change func(string) string) *samltest.Page {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(f.Fields.Get("SAMLResponse"))
	require.NoError(t, err)
	changed := change(string(raw))
	f.Fields.Set("SAMLResponse", base64.StdEncoding.EncodeToString([]byte(changed)))
	p, err := samltest.NewBrowser("", "").Send(t.Context(), f)
	require.NoError(t, err)
	return p
}

func requireRefused(t *testing.T, p *samltest.Page, reason string) {
	t.Helper()
	require.GreaterOrEqual(t, p.Status, 400, p.Body)
	require.Contains(t, p.Body, "<code>"+reason+"</code>")
	require.NotContains(t, p.Body, "bob", "nothing of the message may be shown")
	require.NotContains(t, p.Body, "mallory")
}

func TestTamperedResponsesAreRefused(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	for name, c := range map[string]struct {
		change func(string) string
		reason string
	}{
		"name":         {func(s string) string { return strings.Replace(s, "bob@example.com", "mallory@example.com", 1) }, "signature"},
		"audience":     {func(s string) string { return strings.ReplaceAll(s, "/saml/metadata<", "/other<") }, "signature"},
		"no signature": {cutSignature, "unsigned"},
		"doctype":      {func(s string) string { return `<!DOCTYPE x>` + s }, "doctype"},
		"not xml":      {func(string) string { return "no xml" }, "malformed_xml"},
		"second root":  {func(s string) string { return s + "<x/>" }, "malformed_xml"},
		"no assertion": {func(s string) string { return s[:strings.Index(s, "<saml:Assertion")] + "</samlp:Response>" }, "no_assertion"},
		"other address": {func(s string) string {
			return strings.Replace(s, `Destination="`, `Destination="https://other.example.test/`, 1)
		}, "destination"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := a.keepResponse(t.Context(), "bob", "Battery-Staple-2", a.fromIdP())
			require.NoError(t, err)
			requireRefused(t, deliver(t, f, c.change), c.reason)
		})
	}
}

func cutSignature(s string) string {
	before, rest, _ := strings.Cut(s, "<ds:Signature")
	_, after, _ := strings.Cut(rest, "</ds:Signature>")
	return before + after
}

func TestExpiredResponseIsRefused(t *testing.T) {
	t.Parallel()
	a := running(t, func(o *options) { o.portalClock = func() time.Time { return time.Now().Add(10 * time.Minute) } })
	f, err := a.keepResponse(t.Context(), "bob", "Battery-Staple-2", a.fromIdP())
	require.NoError(t, err)
	requireRefused(t, deliver(t, f, func(s string) string { return s }), "expired")
}

// Responses that the identity provider made for somebody else's application: for another address, and for another entity
// that claims the portal's address.
func TestWrongAudienceIsRefused(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	for entity, c := range map[string]struct{ acs, reason string }{
		"urn:elsewhere": {"https://other.example.test/acs", "destination"},
		"urn:other":     {a.portalURL + "/saml/acs", "audience"},
	} {
		rp, err := saml.NewRelyingParty(entity, c.acs)
		require.NoError(t, err)
		a.parties.Put(rp)
		require.NoError(t, a.issuer.add(entity, defaultRules))
		f, err := a.keepResponse(t.Context(), "bob", "Battery-Staple-2", a.idpURL+"/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp="+entity)
		require.NoError(t, err)
		require.Equal(t, c.acs, f.Action)
		f.Action = a.portalURL + "/saml/acs"
		requireRefused(t, deliver(t, f, func(s string) string { return s }), c.reason)
	}
}

// A response that answers one browser's request is brought by another browser: a sign-in must not be forced on somebody.
func TestForeignBrowserIsRefused(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	f, err := a.keepResponse(t.Context(), "bob", "Battery-Staple-2", a.fromPortal())
	require.NoError(t, err)
	requireRefused(t, deliver(t, f, func(s string) string { return s }), "in_response_to")
}

func TestUnprovisionedForeignUserIsRefused(t *testing.T) {
	t.Parallel()
	lab, err := samltest.Start(samltest.Config{Accounts: map[string]samltest.Account{
		"alice":    {Name: "alice@example.com", Password: "pw"}, // synchronised from the domain at start
		"stranger": {Name: "stranger@example.com", Password: "pw"},
	}})
	require.NoError(t, err)
	t.Cleanup(lab.Close)
	file := filepath.Join(t.TempDir(), "idp.xml")
	md, err := lab.IdP.Core().SignedMetadata()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, md, 0o600))
	a := running(t, func(o *options) { o.idpMetadata = file })
	own, err := saml.NewRelyingParty(a.portalURL+"/saml/metadata", a.portalURL+"/saml/acs")
	require.NoError(t, err)
	own.SigningCertificates = []*x509.Certificate{a.keys.portal.Certificate}
	lab.Registry.Put(own)

	p, err := a.open(t.Context(), samltest.NewBrowser("alice", "pw"), a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "alice@example.com", "LogArchiveReadOnly"))

	p, err = a.open(t.Context(), samltest.NewBrowser("stranger", "pw"), a.fromPortal())
	require.NoError(t, err)
	require.Contains(t, p.Body, "<code>not_provisioned</code>")
	require.GreaterOrEqual(t, p.Status, 400)
	_, err = a.store.UserByName(t.Context(), "stranger@example.com")
	require.ErrorIs(t, err, identitystore.ErrNotFound)
}

const orgWithApplication = `{"accounts":[{"id":"111122223333","name":"log-archive"}],"permissionSets":[],
"users":[{"id":"u1","userName":"bob@example.com"}],"groups":[{"id":"g1","displayName":"CORP\\Engineering"}],
"applications":[{"id":"wiki","name":"Wiki","samlEntityID":"urn:wiki"},{"id":"chat","name":"Chat","samlEntityID":"urn:chat"}],
"applicationAssignments":[{"principalType":"GROUP","principalId":"g1","application":"wiki"},{"principalType":"USER","principalId":"u1","application":"chat"}]}`

// Only assigned people get an assertion for an application; the others get no form at all, also when another application
// is assigned to them, as to bob.
func TestUnassignedApplicationIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "org.json")
	require.NoError(t, os.WriteFile(file, []byte(orgWithApplication), 0o600))
	a := running(t, func(o *options) {
		o.org, o.relying = file, []relyingParty{{entity: "urn:wiki", acs: "https://wiki.example.test/acs"}}
	})
	at := a.idpURL + "/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn:wiki"
	_, err := a.keepResponse(t.Context(), "alice", "Correct-Horse-1", at)
	require.NoError(t, err, "alice is in Engineering")
	for user, password := range map[string]string{"bob": "Battery-Staple-2", "carol": "Blue-Harbour-3"} {
		p, err := a.open(t.Context(), samltest.NewBrowser(user, password), at)
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, p.Status)
		require.NotContains(t, p.Body, "SAMLResponse")
	}
	p, err := a.open(t.Context(), samltest.NewBrowser("alice", "Correct-Horse-1"), a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "Wiki"))
}

// A directory that dies in the middle of a synchronisation changes nothing, wherever the connection is cut.
func TestDirectoryDiesDuringSynchronisation(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	before := snapshot(t, a)
	dc := a.domain.test.Domain(demoDNS)
	sre := dc.Find("SRE")
	dc.Delete(dc.Find("bob"))
	dc.RemoveMember(sre, dc.Find("alice"))
	for _, n := range []int{1, 200, 900, 2000, 4000} {
		dc.CutAfter(n, true)
		require.Error(t, a.synchronise(t.Context(), ""), "cut after %d bytes", n)
		require.Equal(t, adsync.StateFailed, a.sync.report().result.State)
		require.Equal(t, before, snapshot(t, a), "cut after %d bytes", n)
	}
	dc.CutNever()
	require.NoError(t, a.synchronise(t.Context(), ""))
	after := snapshot(t, a)
	require.NotContains(t, after, "bob@example.com")
	require.Contains(t, after, "alice@example.com")
	require.Empty(t, after["alice@example.com"])
}

// snapshot returns the users of the store with their groups.
func snapshot(t *testing.T, a *app) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	require.NoError(t, a.eachUser(t.Context(), func(u *identitystore.User) error {
		ms, err := a.memberships(t.Context(), u)
		out[u.UserName] = nil
		for _, m := range ms {
			out[u.UserName] = append(out[u.UserName], m.GroupID)
		}
		return err
	}))
	return out
}

// A user who is disabled while signed in is out at the next request.
func TestDisabledUserLosesTheSession(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	b := samltest.NewBrowser("bob", "Battery-Staple-2")
	p, err := a.open(t.Context(), b, a.fromPortal())
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "LogArchiveReadOnly"))
	dc := a.domain.test.Domain(demoDNS)
	dc.Disable(dc.Find("bob"), true)
	require.NoError(t, a.synchronise(t.Context(), ""))
	b.User = ""
	p, err = a.open(t.Context(), b, "/")
	require.NoError(t, err)
	require.NoError(t, expect(p, http.StatusOK, "Welcome"))
}

func TestDataFolderKeepsKeysAndPeople(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first := running(t, func(o *options) { o.data = dir })
	certificate := first.keys.signing.Certificate.Raw
	u, err := first.store.UserByName(t.Context(), "alice@example.com")
	require.NoError(t, err)
	second, err := start(t.Context(), options{addr: "127.0.0.1:0", idpAddr: "127.0.0.1:0", ad: "embedded", data: dir}, io.Discard)
	require.NoError(t, err)
	defer second.close()
	require.Equal(t, certificate, second.keys.signing.Certificate.Raw)
	require.NotNil(t, u)
	info, err := os.Stat(filepath.Join(dir, "idp-signing.pem"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestBadUsage(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte(`{"nope":1}`), 0o600))
	for name, args := range map[string][]string{
		"unknown flag":        {"-nope"},
		"argument":            {"x"},
		"missing AD.json":     {"-ad", "does-not-exist.json"},
		"bad AD.json":         {"-ad", bad},
		"bad ASSIGN.json":     {"-assignments", bad},
		"missing ORG.json":    {"-org", "does-not-exist.json"},
		"bad address":         {"-addr", "nonsense"},
		"bad other address":   {"-idp-addr", "127.0.0.1:70000"},
		"bad database":        {"-db", "mysql:x"},
		"bad relying party":   {"-rp", "entity=x"},
		"missing metadata":    {"-idp", "does-not-exist.xml"},
		"missing rp metadata": {"-rp", "does-not-exist.xml"},
		"bad rules":           {"-rp", "entity=urn:x,acs=https://x.example.test/,rules=" + bad},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs strings.Builder
			require.Equal(t, exitUsage, run(t.Context(), append([]string{"-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0"}, args...), &out, &errs))
			require.NotEmpty(t, errs.String())
			require.Empty(t, out.String())
		})
	}
}

// Without a rules file a relying party learns the name and the usual attributes, groups flattened.
func TestDefaultRules(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.txt")
	require.NoError(t, os.WriteFile(rules, []byte(defaultRules+"\n => issue(Type = \""+claims.TypeDeny+"\", Value = \"true\");\n"), 0o600))
	a := running(t, func(o *options) {
		o.relying = []relyingParty{
			{entity: "urn:wiki", acs: "https://wiki.example.test/acs"},
			{entity: "urn:closed", acs: "https://closed.example.test/acs", rules: rules},
		}
	})
	at := a.idpURL + "/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp="
	f, err := a.keepResponse(t.Context(), "alice", "Correct-Horse-1", at+"urn:wiki")
	require.NoError(t, err)
	raw, err := base64.StdEncoding.DecodeString(f.Fields.Get("SAMLResponse"))
	require.NoError(t, err)
	for _, want := range []string{
		`Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"`, ">alice@example.com<", ">Alice Archer<",
		">Engineering<", ">Platform<", ">SRE<", "https://wiki.example.test/acs", "urn:wiki",
	} {
		require.Contains(t, string(raw), want)
	}
	p, err := a.open(t.Context(), samltest.NewBrowser("alice", "Correct-Horse-1"), at+"urn:closed")
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, p.Status, "the rules deny everybody")
	require.NotContains(t, p.Body, "SAMLResponse")
}

// A browser with a ticket needs no form; one whose token is refused gets the form.
func TestIntegratedSignInFallsBackToTheForm(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	for _, header := range []string{"", "Negotiate", "Negotiate !!!", "Negotiate TlRMTVNTUAABAAAA", "Negotiate " + strings.Repeat("A", 200_000)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.idpURL+"/adfs/ls/wia?loginToRp="+a.portalURL+"/saml/metadata", http.NoBody)
		require.NoError(t, err)
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.NotContains(t, string(body), "SAMLResponse")
		require.True(t, res.StatusCode >= 400 || strings.Contains(string(body), `name="Password"`), "%.20s", header)
		if header == "" {
			require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			require.Equal(t, "Negotiate", res.Header.Get("WWW-Authenticate"))
		}
	}
}

// An address that cannot be taken is no mistake of the command line.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	a := running(t, nil)
	var out, errs strings.Builder
	taken := strings.TrimPrefix(a.portalURL, "http://")
	require.Equal(t, exitOutside, run(t.Context(), []string{"-addr", taken, "-idp-addr", "127.0.0.1:0"}, &out, &errs))
	require.Contains(t, errs.String(), "address already in use")
}
