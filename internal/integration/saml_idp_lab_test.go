//go:build lab

package integration_test

import (
	"bytes"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// foreignSP is a service provider of somebody else, as the matrix of flows needs it.
type foreignSP struct {
	name   string
	start  func(t *testing.T, idp *samlSide, env ...string) (base, metadata string)
	login  func(base, idpEntity string) string
	okText string
	signed bool // it can sign its requests
}

func foreignSPs() []foreignSP {
	node := func(lib string) foreignSP {
		return foreignSP{
			name: lib, okText: "NODE-SP-OK", signed: lib == "node-saml",
			start: func(t *testing.T, idp *samlSide, env ...string) (string, string) {
				t.Helper()
				port := freePort(t)
				run := startPeer(t, peerState(t), "node-saml", env, lib, port, idp.metadata)
				return "http://127.0.0.1:" + port, filepath.Join(run, lib+"-metadata.xml")
			},
			login: func(base, _ string) string { return base + "/login" },
		}
	}
	return []foreignSP{
		{
			name: "SimpleSAMLphp", okText: "SSP-SP-OK", signed: true,
			start: func(t *testing.T, idp *samlSide, env ...string) (string, string) {
				t.Helper()
				port := freePort(t)
				run := startPeer(t, peerState(t), "simplesamlphp", env, idp.metadata, port)
				return "http://127.0.0.1:" + port, filepath.Join(run, "sp-metadata.xml")
			},
			login: func(base, idp string) string { return base + "/who.php?idp=" + url.QueryEscape(idp) },
		},
		{
			name: "pysaml2", okText: "PYSAML2-SP-OK", signed: true,
			start: func(t *testing.T, idp *samlSide, env ...string) (string, string) {
				t.Helper()
				port := freePort(t)
				run := startPeer(t, peerState(t), "pysaml2", env, "sp", idp.metadata, port)
				return "http://127.0.0.1:" + port, filepath.Join(run, "sp-metadata.xml")
			},
			login: func(base, idp string) string { return base + "/login?idp=" + url.QueryEscape(idp) },
		},
		node("node-saml"), node("samlify"), node("saml2-js"),
	}
}

// TestForeignServiceProviders holds the matrix "our identity provider, foreign service providers".
func TestForeignServiceProviders(t *testing.T) {
	for _, sp := range foreignSPs() {
		t.Run(sp.name, func(t *testing.T) {
			idp := startSAMLIdP(t)
			entity := idp.url + "/adfs/services/trust"
			base, metadata := sp.start(t, idp)
			rp := idp.trustSP(t, metadata)
			for _, enc := range []saml.EncryptWhen{saml.EncryptNever, saml.EncryptIfKey} {
				if enc == saml.EncryptIfKey && sp.name == "samlify" { // it must be told beforehand
					base, metadata = sp.start(t, idp, "ENC=1")
					rp = idp.trustSP(t, metadata)
				}
				for _, sign := range []saml.SignWhat{saml.SignAssertion, saml.SignBoth} {
					party := *rp
					party.Encrypt, party.Sign = enc, sign
					idp.registry.Put(&party)
					dump := t.TempDir()
					out := requireFlow(t, sp.okText, "--dump", dump, sp.login(base, entity))
					require.Contains(t, out, samlAlice)
					checkDumps(t, idp, dump)
				}
			}
			start := idp.url + "/adfs/ls/IdpInitiatedSignOn.aspx"
			relay := "rs-from-idp"
			if sp.name == "SimpleSAMLphp" { // takes RelayState for the address to go to
				relay = base + "/who.php"
			} else {
				out := requireFlow(t, sp.okText, start+"?"+url.Values{"loginToRp": {rp.EntityID}}.Encode())
				require.Contains(t, out, samlAlice)
			}
			out := requireFlow(t, sp.okText, saml.SignOnURL(start, rp.EntityID, relay))
			require.Contains(t, out, samlAlice)
			if sp.signed {
				signedRequests(t, sp)
			}
		})
	}
}

// signedRequests starts the peer so that it signs its requests, and checks that an altered one is refused by us.
func signedRequests(t *testing.T, sp foreignSP) {
	t.Helper()
	idp := startSAMLIdP(t)
	base, metadata := sp.start(t, idp, "SIGNREQ=1")
	rp := idp.trustSP(t, metadata)
	rp.RequestsSigned = true
	rp.Algorithms.InsecureAllowSHA1 = sp.name == "pysaml2" // signs redirects with rsa-sha1 unless told otherwise
	login := sp.login(base, idp.url+"/adfs/services/trust")
	requireFlow(t, sp.okText, login)
	request := signedRedirect(t, login, idp.url)
	require.Equal(t, http.StatusOK, statusOf(t, request.String()), "control")
	for name, alter := range map[string]func(url.Values){
		"signature removed":    func(q url.Values) { q.Del("Signature"); q.Del("SigAlg") },
		"signature of nothing": func(q url.Values) { q.Set("Signature", "AAAA"+q.Get("Signature")[4:]) },
		"RelayState changed":   func(q url.Values) { q.Set("RelayState", q.Get("RelayState")+"x") },
		"request changed":      func(q url.Values) { q.Set("SAMLRequest", otherRequest(t, q.Get("SAMLRequest"))) },
		"another algorithm":    func(q url.Values) { q.Set("SigAlg", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512") },
	} {
		q := request.Query()
		alter(q)
		// the order of the signed string is fixed, whatever the order of the query
		require.Equal(t, http.StatusBadRequest, statusOf(t, idp.url+"/adfs/ls/?"+q.Encode()), name)
	}
}

// signedRedirect follows a peer until it redirects to our identity provider.
func signedRedirect(t *testing.T, address, idp string) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for range 10 {
		resp, err := c.Get(address)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		to, err := resp.Location()
		require.NoError(t, err)
		if address = to.String(); strings.HasPrefix(address, idp) {
			return to
		}
	}
	t.Fatal("the peer never redirected to us")
	return nil
}

func statusOf(t *testing.T, address string) int {
	t.Helper()
	resp, err := http.Get(address)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// otherRequest is the same request with another ID.
func otherRequest(t *testing.T, value string) string {
	t.Helper()
	m, err := saml.DecodeRedirect("SAMLRequest=" + url.QueryEscape(value))
	require.NoError(t, err)
	u, err := saml.EncodeRedirect(saml.RedirectMessage{Location: "https://x.example.com/", XML: bytes.Replace(m.UnverifiedXML(), []byte(` ID="`), []byte(` ID="x`), 1)})
	require.NoError(t, err)
	parsed, err := url.Parse(u)
	require.NoError(t, err)
	return parsed.Query().Get("SAMLRequest")
}

// TestForeignServiceProvidersRefuse posts altered responses of ours to the peers: what we sign they check.
func TestForeignServiceProvidersRefuse(t *testing.T) {
	for _, sp := range foreignSPs() {
		t.Run(sp.name, func(t *testing.T) {
			idp := startSAMLIdP(t)
			base, metadata := sp.start(t, idp)
			rp := *idp.trustSP(t, metadata)
			rp.Encrypt = saml.EncryptNever
			idp.registry.Put(&rp)
			final := "-"
			if sp.name == "SimpleSAMLphp" {
				final = base + "/who.php"
			}
			script := filepath.Join(labEnv(t, "LAB_PEERS"), "common", "negative.py")
			start := saml.SignOnURL(idp.url+"/adfs/ls/IdpInitiatedSignOn.aspx", rp.EntityID, base+"/who.php")
			b, _ := foreign(t, "python3", script, sp.name, sp.okText, final, start).CombinedOutput()
			out := string(b)
			require.Regexp(t, `good +ACCEPT`, out)
			for _, line := range []string{"tampered NameID", "all signatures removed", "XSW child"} {
				require.Regexp(t, line+` +reject`, out)
			}
			for _, shape := range []string{"before", "after", "object"} { // some peers take the signed identity and look no further
				require.Regexp(t, `XSW `+shape+` +(reject|ACCEPT, identity taken from the signed assertion)`, out)
			}
		})
	}
}

// TestBrowserCrossSite signs in with Chromium where identity provider and service provider are two sites: no Lax cookie comes with
// the response.
func TestBrowserCrossSite(t *testing.T) {
	idp := startSAMLIdPAt(t, "localhost")
	sp := startSAMLSP(t, nil)
	idp.trustSP(t, sp.metadata)
	sp.trustIdP(t, idp.metadata, nil)
	browse(t, visit{Portal: sp.url, IDP: idp.url, Start: sp.url + "/deep", User: "alice", Password: "Correct-Horse-1", Expect: []string{"OUR-SP-OK", samlAlice}})
}

// TestBrowserForeignServiceProvider puts Chromium in front of somebody else's service provider.
func TestBrowserForeignServiceProvider(t *testing.T) {
	idp := startSAMLIdP(t)
	sp := foreignSPs()[1]
	base, metadata := sp.start(t, idp)
	idp.trustSP(t, metadata)
	browse(t, visit{Portal: base, IDP: idp.url, Start: sp.login(base, idp.url+"/adfs/services/trust"), User: "alice", Password: "Correct-Horse-1", Expect: []string{sp.okText, samlAlice}})
}

// checkDumps holds every message that we sent against the schemas, xmlsec1 and the JDK.
func checkDumps(t *testing.T, idp *samlSide, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*-SAMLResponse.xml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	tools := filepath.Join(labEnv(t, "LAB_PEERS"), "xmltools")
	for _, f := range files {
		out, err := foreign(t, "bash", filepath.Join(tools, "xsd.sh"), f).CombinedOutput()
		require.NoError(t, err, string(out))
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		if bytes.Contains(raw, []byte("<ds:Signature ")) {
			out, err = foreign(t, "bash", filepath.Join(tools, "verify.sh"), idp.cert, f).CombinedOutput()
			require.NoError(t, err, string(out))
		}
	}
}
