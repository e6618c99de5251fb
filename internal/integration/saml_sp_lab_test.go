//go:build lab

package integration_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// foreignIdP is an identity provider of somebody else.
type foreignIdP struct {
	name, folder string
	args         func(metadata, port string) []string
	initiated    func(base, sp string) string
	file         string
	demand       string // environment that makes it refuse unsigned requests
	tripleDES    bool   // how it encrypts
}

func foreignIdPs() []foreignIdP {
	return []foreignIdP{
		{
			name: "SimpleSAMLphp", folder: "simplesamlphp", file: "idp-metadata.xml", demand: "REQSIGNED=1",
			args: func(md, port string) []string { return []string{md, port} },
			initiated: func(base, sp string) string {
				return base + "/saml2/idp/SSOService.php?" + url.Values{"spentityid": {sp}, "RelayState": {"/deep"}}.Encode()
			},
		},
		{
			name: "pysaml2", folder: "pysaml2", file: "idp-metadata.xml", demand: "SIGNREQ=1", tripleDES: true,
			args: func(md, port string) []string { return []string{"idp", md, port} },
			initiated: func(base, sp string) string {
				return base + "/init?" + url.Values{"sp": {sp}, "rs": {"/deep"}}.Encode()
			},
		},
	}
}

// TestForeignIdentityProviders holds the matrix "our service provider, foreign identity providers".
func TestForeignIdentityProviders(t *testing.T) {
	for _, f := range foreignIdPs() {
		t.Run(f.name, func(t *testing.T) {
			sp := startSAMLSP(t, func(c *samlhttp.ServiceProviderConfig) { c.Encrypted = true })
			state, port := peerState(t), freePort(t)
			base := "http://127.0.0.1:" + port
			run := func(env ...string) string {
				return filepath.Join(startPeer(t, state, f.folder, env, f.args(sp.metadata, port)...), f.file)
			}
			md := run()
			sp.trustIdP(t, md, nil)
			requireFlow(t, "OUR-SP-OK", sp.url+"/deep")
			sp.trustIdP(t, md, func(p *samlhttp.Partner) { // request by POST
				if e, ok := saml.EndpointFor(p.SingleSignOn, saml.BindingHTTPPost); ok {
					p.SingleSignOn = []saml.Endpoint{e}
				}
			})
			requireFlow(t, "OUR-SP-OK", sp.url+"/deep")
			out := requireFlow(t, "unsolicited", f.initiated(base, sp.sp.EntityID())) // the reason on the error page
			require.NotContains(t, out, "OUR-SP-OK")
			sp.trustIdP(t, md, func(p *samlhttp.Partner) { p.Trust.AllowUnsolicited = true })
			requireFlow(t, "OUR-SP-OK", f.initiated(base, sp.sp.EntityID()))

			out = negative(t, f.name, sp.url+"/deep", f.initiated(base, sp.sp.EntityID()))
			require.NotContains(t, out, "UNEXPECTED", out)
			require.NotContains(t, out, "no effect")

			sp.trustIdP(t, run(f.demand), nil)
			requireFlow(t, "OUR-SP-OK", sp.url+"/deep")

			md = run("ENC=1")
			sp.trustIdP(t, md, nil)
			if f.tripleDES {
				out, ok := flow(t, "--expect", "OUR-SP-OK", sp.url+"/deep")
				require.False(t, ok)
				require.Contains(t, out, string(saml.ReasonEncryptionAlgorithm))
				sp.trustIdP(t, md, func(p *samlhttp.Partner) { p.Trust.Algorithms.InsecureAllowTripleDES = true })
			}
			requireFlow(t, "OUR-SP-OK", sp.url+"/deep")
		})
	}
}

// negative posts replayed, tampered and wrapped responses to our service provider.
func negative(t *testing.T, label, final, start string) string {
	t.Helper()
	script := filepath.Join(labEnv(t, "LAB_PEERS"), "common", "negative.py")
	out, _ := foreign(t, "python3", script, label, "OUR-SP-OK", final, start).CombinedOutput()
	return string(out)
}

// TestForeignLogout ends sessions both ways and on both sides.
func TestForeignLogout(t *testing.T) {
	t.Run("SimpleSAMLphp as service provider", func(t *testing.T) {
		idp := startSAMLIdP(t)
		entity := idp.url + "/adfs/services/trust"
		port := freePort(t)
		base := "http://127.0.0.1:" + port
		run := startPeer(t, peerState(t), "simplesamlphp", nil, idp.metadata, port)
		rp := idp.trustSP(t, filepath.Join(run, "sp-metadata.xml"))
		login := base + "/who.php?idp=" + url.QueryEscape(entity)
		requireFlow(t, "SSP-SP-OUT", login, "--then", base+"/who.php?logout=1")
		out := requireFlow(t, "You have signed out.", login, "--then", idp.url+"/adfs/ls/?wa=wsignout1.0")
		require.NotContains(t, out, "Not every application")
		requireFlow(t, "SSP-SP-OUT", login, "--then", idp.url+"/adfs/ls/?wa=wsignout1.0", "--then", base+"/who.php?bye=1")
		_ = rp
	})
	t.Run("pysaml2 as service provider", func(t *testing.T) {
		idp := startSAMLIdP(t)
		port := freePort(t)
		base := "http://127.0.0.1:" + port
		run := startPeer(t, peerState(t), "pysaml2", nil, "sp", idp.metadata, port)
		idp.trustSP(t, filepath.Join(run, "sp-metadata.xml"))
		login := base + "/login?idp=" + url.QueryEscape(idp.url+"/adfs/services/trust")
		requireFlow(t, "PYSAML2-SP-OUT urn:oasis:names:tc:SAML:2.0:status:Success", login, "--then", base+"/logout")
		requireFlow(t, "You have signed out.", login, "--then", idp.url+"/adfs/ls/?wa=wsignout1.0")
	})
	for _, f := range foreignIdPs() {
		t.Run(f.name+" as identity provider", func(t *testing.T) {
			sp := startSAMLSP(t, nil)
			port := freePort(t)
			run := startPeer(t, peerState(t), f.folder, nil, f.args(sp.metadata, port)...)
			sp.trustIdP(t, filepath.Join(run, f.file), nil)
			requireFlow(t, "You have signed out.", sp.url+"/deep", "--then", sp.url+"/bye")
			if f.name == "SimpleSAMLphp" {
				base := "http://127.0.0.1:" + port
				stop := base + "/saml2/idp/SingleLogoutService.php?ReturnTo=" + url.QueryEscape(base+"/who.php?bye=1")
				requireFlow(t, "OUR-SP session: false", sp.url+"/deep", "--then", stop, "--then", sp.url+"/out")
			}
		})
	}
}

// TestSAMLMetadataSchemas holds both our metadata documents against the schemas and the other implementations of XML signatures.
func TestSAMLMetadataSchemas(t *testing.T) {
	idp, sp := startSAMLIdP(t), startSAMLSP(t, func(c *samlhttp.ServiceProviderConfig) { c.Encrypted = true })
	tools := filepath.Join(labEnv(t, "LAB_PEERS"), "xmltools")
	for _, s := range []*samlSide{idp, sp} {
		out, err := foreign(t, "bash", filepath.Join(tools, "xsd.sh"), s.metadata).CombinedOutput()
		require.NoError(t, err, string(out))
		out, err = foreign(t, "bash", filepath.Join(tools, "verify.sh"), s.cert, s.metadata).CombinedOutput()
		require.NoError(t, err, string(out))
		raw, err := os.ReadFile(s.metadata)
		require.NoError(t, err)
		require.NotContains(t, string(raw), "/tmp/")
	}
}
