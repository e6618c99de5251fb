//go:build lab

package integration_test

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
				port := freePort(t)
				run := startPeer(t, peerState(t), "simplesamlphp", env, idp.metadata, port)
				return "http://127.0.0.1:" + port, filepath.Join(run, "sp-metadata.xml")
			},
			login: func(base, idp string) string { return base + "/who.php?idp=" + url.QueryEscape(idp) },
		},
		{
			name: "pysaml2", okText: "PYSAML2-SP-OK", signed: true,
			start: func(t *testing.T, idp *samlSide, env ...string) (string, string) {
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
	idp := startSAMLIdP(t)
	base, metadata := sp.start(t, idp, "SIGNREQ=1")
	rp := idp.trustSP(t, metadata)
	rp.RequestsSigned = true
	rp.Algorithms.InsecureAllowSHA1 = sp.name == "pysaml2" // signs redirects with rsa-sha1 unless told otherwise
	requireFlow(t, sp.okText, sp.login(base, idp.url+"/adfs/services/trust"))
}

// checkDumps holds every message that we sent against the schemas, xmlsec1 and the JDK.
func checkDumps(t *testing.T, idp *samlSide, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*-SAMLResponse.xml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	tools := filepath.Join(labEnv(t, "LAB_PEERS"), "xmltools")
	for _, f := range files {
		out, err := exec.CommandContext(t.Context(), "bash", filepath.Join(tools, "xsd.sh"), f).CombinedOutput()
		require.NoError(t, err, string(out))
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		if bytes.Contains(raw, []byte("<ds:Signature ")) {
			out, err = exec.CommandContext(t.Context(), "bash", filepath.Join(tools, "verify.sh"), idp.cert, f).CombinedOutput()
			require.NoError(t, err, string(out))
		}
	}
}
