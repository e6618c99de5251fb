//go:build lab

package integration_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// samlSide is our identity provider or service provider on loopback, with its metadata in a file for the peers.
type samlSide struct {
	url, metadata, cert string
	key                 saml.KeyPair
	registry            *samlhttp.Registry
	sp                  *samlhttp.ServiceProvider
	partners            *partnerList
}

// partnerList grows while a test runs: two parties need each other's metadata.
type partnerList struct{ list samlhttp.Partners }

func (p *partnerList) Partner(ctx context.Context, tenant, id string) (samlhttp.Partner, error) {
	return p.list.Partner(ctx, tenant, id)
}

const samlAlice = "alice@example.com"

func startSAMLIdP(t *testing.T) *samlSide {
	t.Helper()
	return startSAMLIdPAt(t, "127.0.0.1")
}

// startSAMLIdPAt uses another name for the same address: localhost and 127.0.0.1 are two sites to a browser.
func startSAMLIdPAt(t *testing.T, host string) *samlSide {
	t.Helper()
	s := newSide(t)
	s.registry = samlhttp.NewRegistry()
	srv := httptest.NewUnstartedServer(nil)
	s.url = "http://" + strings.Replace(srv.Listener.Addr().String(), "127.0.0.1", host, 1)
	accounts := samltest.DefaultAccounts()
	idp, err := samlhttp.NewIdentityProvider(samlhttp.IdentityProviderConfig{
		BaseURL: s.url, Keys: []saml.KeyPair{s.key}, RelyingParties: s.registry,
		NotBeforeSkew: 5 * time.Second, // peers with whole seconds and no tolerance
		Authenticate: func(_ context.Context, l samlhttp.Login) (samlhttp.User, error) {
			if a, ok := accounts[l.UserName]; ok && a.Password == string(l.Password) {
				return a, nil
			}
			return nil, samlhttp.ErrBadCredentials
		},
		Issue: func(_ context.Context, _ samlhttp.IssueInput) (saml.SubjectStatement, error) {
			return saml.SubjectStatement{
				NameID: saml.NameID{Value: samlAlice, Format: saml.NameIDFormatEmailAddress},
				Attributes: []saml.Attribute{
					saml.NewAttribute("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", samlAlice),
					saml.NewAttribute("urn:oid:0.9.2342.19200300.100.1.1", "alice"),
					saml.NewAttribute("displayName", "Alice Ä. <O'Neil> & \"Söhne\""),
					saml.NewAttribute("http://schemas.xmlsoap.org/claims/Group", "Engineering", "Platform", "SRE"),
				},
			}, nil
		},
	})
	require.NoError(t, err)
	doc, err := idp.Core().SignedMetadata()
	require.NoError(t, err)
	s.write(t, doc)
	srv.Config.Handler = idp
	srv.Start()
	t.Cleanup(srv.Close)
	return s
}

func startSAMLSP(t *testing.T, mod func(*samlhttp.ServiceProviderConfig)) *samlSide {
	t.Helper()
	s := newSide(t)
	s.partners = &partnerList{}
	srv := httptest.NewUnstartedServer(nil)
	s.url = "http://" + srv.Listener.Addr().String()
	cfg := samlhttp.ServiceProviderConfig{BaseURL: s.url, Partners: s.partners, Replay: saml.NewMemoryReplayStore(0, nil), Key: &s.key}
	if mod != nil {
		mod(&cfg)
	}
	var err error
	s.sp, err = samlhttp.NewServiceProvider(cfg)
	require.NoError(t, err)
	doc, err := s.sp.Metadata().Sign(s.key)
	require.NoError(t, err)
	s.write(t, doc)
	mux := http.NewServeMux()
	mux.Handle("/saml/", s.sp.Handler())
	mux.HandleFunc("/bye", func(w http.ResponseWriter, r *http.Request) {
		r.Method = http.MethodPost // a link for the form walker
		s.sp.Logout(w, r)
	})
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		_, err := s.sp.Session(r)
		_, _ = fmt.Fprintln(w, "OUR-SP session:", err == nil)
	})
	mux.Handle("/", s.sp.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ses, err := s.sp.Session(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, "OUR-SP-OK %s %v\n", ses.NameID.Value, ses.Attributes)
	})))
	srv.Config.Handler = mux
	srv.Start()
	t.Cleanup(srv.Close)
	return s
}

func newSide(t *testing.T) *samlSide {
	t.Helper()
	key, err := samltest.NewKeyPair("lab")
	require.NoError(t, err)
	return &samlSide{key: key}
}

func (s *samlSide) write(t *testing.T, doc []byte) {
	t.Helper()
	dir := t.TempDir()
	s.metadata, s.cert = filepath.Join(dir, "metadata.xml"), filepath.Join(dir, "cert.pem")
	require.NoError(t, os.WriteFile(s.metadata, doc, 0o600))
	require.NoError(t, os.WriteFile(s.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.key.Certificate.Raw}), 0o600))
}

// trustSP registers a peer's service provider with our identity provider.
func (s *samlSide) trustSP(t *testing.T, file string) *saml.RelyingParty {
	t.Helper()
	rp, err := parsePeer(t, file).RelyingParty()
	require.NoError(t, err)
	s.registry.Put(rp)
	return rp
}

// trustIdP registers a peer's identity provider with our service provider.
func (s *samlSide) trustIdP(t *testing.T, file string, mod func(*samlhttp.Partner)) {
	t.Helper()
	p, err := samlhttp.NewPartner(parsePeer(t, file))
	require.NoError(t, err)
	if mod != nil {
		mod(&p)
	}
	s.partners.list = samlhttp.Partners{p}
}

func parsePeer(t *testing.T, file string) *saml.Metadata {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	m, err := saml.ParseMetadata(raw, saml.MetadataOptions{InsecureAllowHTTP: true})
	require.NoError(t, err)
	return m
}

// peerState is a folder for one peer of one test; the node packages are shared.
func peerState(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer") //nolint:usetesting // Unix sockets below it need a short path, and peers run as other users
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Symlink(filepath.Join(labEnv(t, "LAB_STATE"), "node"), filepath.Join(dir, "node")))
	return dir
}

// startPeer runs a recipe's start.sh and stops the peer with the test. A second call with the same state restarts it.
func startPeer(t *testing.T, state, name string, env []string, args ...string) string {
	t.Helper()
	run := func(script string, a ...string) {
		cmd := foreign(t, "bash", append([]string{filepath.Join(labEnv(t, "LAB_PEERS"), name, script)}, a...)...) // ends with its script
		cmd.Env = append(append(os.Environ(), "LAB_STATE="+state), env...)
		log, err := os.Create(filepath.Join(state, script+".log"))
		require.NoError(t, err)
		defer func() { _ = log.Close() }()
		cmd.Stdout, cmd.Stderr = log, log // files: a pipe would stay open in the peer
		if err := cmd.Run(); err != nil {
			text, _ := os.ReadFile(log.Name())
			require.NoError(t, err, string(text))
		}
	}
	run("stop.sh")
	run("start.sh", args...)
	t.Cleanup(func() { run("stop.sh") })
	return filepath.Join(state, name)
}

// flow walks with the form browser; ok is its verdict on --expect.
func flow(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	cmd := foreign(t, "python3", append([]string{filepath.Join(labEnv(t, "LAB_PEERS"), "common", "flow.py")}, args...)...)
	b, err := cmd.CombinedOutput()
	return string(b), err == nil
}

func requireFlow(t *testing.T, expect string, args ...string) string {
	t.Helper()
	out, ok := flow(t, append([]string{"--expect", expect}, args...)...)
	require.True(t, ok, out)
	return out
}
