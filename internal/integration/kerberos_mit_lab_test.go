//go:build lab

package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
	"github.com/adfedkit/adfedkit/kerberos/spnego"
)

const mitPassword = "Correct-Horse-1"

// mitRealms starts the two MIT KDCs and returns their realms and the folder of the recipe.
func mitRealms(t *testing.T) (string, []kerberos.Realm) {
	t.Helper()
	port := neighbourPorts(t, 2)
	run := startPeer(t, peerState(t), "krb5-mit", nil, strconv.Itoa(port))
	return run, []kerberos.Realm{
		{Name: "CORP.EXAMPLE.TEST", NetBIOS: "CORP", KDCs: []string{"127.0.0.1:" + strconv.Itoa(port)}},
		{Name: "PARTNER.EXAMPLE.TEST", NetBIOS: "PARTNER", KDCs: []string{"127.0.0.1:" + strconv.Itoa(port+1)}},
	}
}

// TestKerberosMIT is the conformance table against MIT KDCs, then curl, Chromium and mod_auth_gssapi with their tickets.
func TestKerberosMIT(t *testing.T) {
	t.Parallel()
	run, realms := mitRealms(t)
	conf, kt := filepath.Join(run, "krb5.conf"), labKeytab(t, filepath.Join(run, "http.keytab"))
	const host = "web.corp.example.test"

	t.Run("passwords", func(t *testing.T) {
		a, err := kerberos.NewAuthenticator(kerberos.AuthenticatorConfig{Realms: realms, Service: kerberos.Service{SPN: "HTTP/" + host, Keytab: kt}})
		require.NoError(t, err)
		for _, c := range []struct{ user, password, want string }{
			{`CORP\alice`, mitPassword, "accepted"},
			{"bob@corp.example.test", "Battery-Staple-2", "accepted"},
			{`CORP\nopreauth`, mitPassword, "accepted"},
			{`PARTNER\carol`, mitPassword, "accepted"}, // over the trust, without referrals
			{`CORP\alice`, "wrong", "bad_credentials"},
			{`CORP\nopreauth`, "wrong", "bad_credentials"},
			{`CORP\nobody`, mitPassword, "bad_credentials"},
			{`CORP\expired`, mitPassword, "password_expired"},
			{`CORP\expired`, "wrong", "bad_credentials"},
			{`CORP\locked`, mitPassword, "not_allowed"},
		} {
			id, err := a.Password(t.Context(), c.user, []byte(c.password))
			require.Equal(t, c.want, krbReason(err), c.user)
			if id != nil {
				require.True(t, id.KDCVerified)
			}
		}
		other, err := kerberos.NewAuthenticator(kerberos.AuthenticatorConfig{Realms: realms, Service: kerberos.Service{SPN: "HTTP/" + host, Keytab: strangeKeytab(t, host)}})
		require.NoError(t, err)
		_, err = other.Password(t.Context(), `CORP\alice`, []byte(mitPassword))
		require.Equal(t, "kdc_not_trusted", krbReason(err))
	})

	t.Run("curl", func(t *testing.T) {
		srv := negotiateServer(t, kt, nil)
		for _, c := range []struct{ principal, etype, want string }{
			{"alice@CORP.EXAMPLE.TEST", "", "hello alice@CORP.EXAMPLE.TEST"},
			{"alice@CORP.EXAMPLE.TEST", "aes128-cts-hmac-sha1-96", "hello alice"},
			{"alice@CORP.EXAMPLE.TEST", "arcfour-hmac", "status 401"},
			{"carol@PARTNER.EXAMPLE.TEST", "", "hello carol@PARTNER.EXAMPLE.TEST"},
			{"", "", "<form>sign in</form>\nstatus 401"},
		} {
			env := kinit(t, confWith(t, conf, c.etype), c.principal, mitPassword)
			require.Contains(t, curlNegotiate(t, env, srv.URL, host), c.want, "%s %s", c.principal, c.etype)
		}
		rc4 := negotiateServer(t, kt, func(c *kerberos.AcceptorConfig) { c.AllowRC4 = true })
		env := kinit(t, confWith(t, conf, "arcfour-hmac"), "alice@CORP.EXAMPLE.TEST", mitPassword)
		require.Contains(t, curlNegotiate(t, env, rc4.URL, host), "hello alice", "RC4 when it is asked for")
		wrong := negotiateServer(t, strangeKeytab(t, host), nil)
		env = kinit(t, conf, "alice@CORP.EXAMPLE.TEST", mitPassword)
		require.Contains(t, curlNegotiate(t, env, wrong.URL, host), "status 401", "a service with another key")
	})

	t.Run("chromium", func(t *testing.T) {
		srv := negotiateServer(t, kt, nil)
		page := strings.Replace(srv.URL, "127.0.0.1", host, 1)
		env := kinit(t, conf, "alice@CORP.EXAMPLE.TEST", mitPassword)
		for allow, want := range map[string]string{host: "hello alice@CORP.EXAMPLE.TEST", "-": "sign in"} {
			cmd := foreign(t, "node", filepath.Join(labEnv(t, "ADFEDKIT_LAB"), "browser", "negotiate.mjs"), page, allow, want)
			cmd.Env = append(env, "CHROMIUM="+labEnv(t, "CHROMIUM"), "LAB_STATE="+labEnv(t, "LAB_STATE"))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
		}
	})

	t.Run("mod_auth_gssapi", func(t *testing.T) {
		port := freePort(t)
		startPeer(t, peerState(t), "mod-auth-gssapi", nil, port, filepath.Join(run, "http.keytab"), conf)
		cache := func(principal string) *kerberos.CCache {
			env := kinit(t, conf, principal, mitPassword)
			path, err := kerberos.CCachePath(strings.TrimPrefix(env[len(env)-1], "KRB5CCNAME="))
			require.NoError(t, err)
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			cc, err := kerberos.ParseCCache(raw)
			require.NoError(t, err)
			return cc
		}
		for name, cfg := range map[string]kerberos.ClientConfig{
			"alice":                      {Realms: realms, Principal: "alice@CORP.EXAMPLE.TEST", Password: []byte(mitPassword)},
			"carol":                      {Realms: realms, Principal: "carol@PARTNER.EXAMPLE.TEST", Password: []byte(mitPassword)},
			"alice@CORP.EXAMPLE.TEST":    {Realms: realms, Cache: cache("alice@CORP.EXAMPLE.TEST")}, // a person with a ticket needs no password
			"carol@PARTNER.EXAMPLE.TEST": {Realms: realms, Cache: cache("carol@PARTNER.EXAMPLE.TEST")},
		} {
			cl, err := kerberos.NewClient(cfg)
			require.NoError(t, err)
			for _, onDemand := range []bool{false, true} {
				tr, err := spnego.NewTransport(spnego.TransportConfig{
					Client: cl, Allow: func(*url.URL) bool { return true }, AllowPlainHTTP: true, OnDemand: onDemand, SPN: func(*url.URL) string { return "HTTP/" + host },
				})
				require.NoError(t, err)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/", nil)
				require.NoError(t, err)
				resp, err := (&http.Client{Transport: tr}).Do(req)
				require.NoError(t, err, name)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				require.Contains(t, string(body), "GSSAPI-OK "+strings.Split(name, "@")[0], name)
			}
		}
	})
}

// strangeKeytab has a key of the right name that no KDC knows.
func strangeKeytab(t *testing.T, host string) *kerberos.Keytab {
	t.Helper()
	kt, err := kerberos.DeriveKeytab("HTTP/"+host, "CORP.EXAMPLE.TEST", "", []byte("not the key"), 2)
	require.NoError(t, err)
	return kt
}

// confWith returns a krb5.conf that allows one encryption type only.
func confWith(t *testing.T, conf, etype string) string {
	t.Helper()
	if etype == "" {
		return conf
	}
	raw, err := os.ReadFile(conf)
	require.NoError(t, err)
	var out []string
	for line := range strings.SplitSeq(string(raw), "\n") {
		if strings.HasPrefix(line, " permitted_enctypes") {
			line = " permitted_enctypes = " + etype
		}
		out = append(out, line)
	}
	path := filepath.Join(t.TempDir(), "krb5.conf")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(out, "\n")), 0o600))
	return path
}

// TestKerberostestWithMIT lets MIT's clients judge our test KDC: kinit, kvno over a trust, curl.
func TestKerberostestWithMIT(t *testing.T) {
	t.Parallel()
	const host = "web.corp.example.test"
	corp, err := kerberostest.Start(kerberostest.Config{Realm: "CORP.EXAMPLE.TEST", Services: []kerberostest.Service{{SPN: "HTTP/" + host}}, Users: []kerberostest.User{
		{Name: "alice", Password: mitPassword}, {Name: "nopre", Password: mitPassword, NoPreauth: true}, {Name: "gone", Password: mitPassword, State: kerberostest.Disabled},
	}})
	require.NoError(t, err)
	t.Cleanup(corp.Close)
	partner, err := kerberostest.Start(kerberostest.Config{Realm: "PARTNER.EXAMPLE.TEST", Users: []kerberostest.User{{Name: "carol", Password: mitPassword}}})
	require.NoError(t, err)
	t.Cleanup(partner.Close)
	require.NoError(t, kerberostest.Trust(corp, partner))
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `[libdefaults]
 default_realm = CORP.EXAMPLE.TEST
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 CORP.EXAMPLE.TEST = {
  kdc = %s
 }
 PARTNER.EXAMPLE.TEST = {
  kdc = %s
 }
[domain_realm]
 .corp.example.test = CORP.EXAMPLE.TEST
`, corp.Addr(), partner.Addr()), 0o600))
	srv := negotiateServer(t, corp.Keytab("HTTP/"+host), nil)
	for _, principal := range []string{"alice@CORP.EXAMPLE.TEST", "nopre@CORP.EXAMPLE.TEST", "carol@PARTNER.EXAMPLE.TEST"} {
		env := kinit(t, conf, principal, mitPassword)
		cmd := foreign(t, "kvno", "HTTP/"+host+"@CORP.EXAMPLE.TEST")
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "kvno = 1")
		require.Contains(t, curlNegotiate(t, env, srv.URL, host), "hello "+principal)
	}
	for principal, password := range map[string]string{"alice@CORP.EXAMPLE.TEST": "wrong", "nobody@CORP.EXAMPLE.TEST": mitPassword, "gone@CORP.EXAMPLE.TEST": mitPassword} {
		cmd := foreign(t, "kinit", principal)
		cmd.Env, cmd.Stdin = append(os.Environ(), "KRB5_CONFIG="+conf, "KRB5CCNAME=FILE:"+filepath.Join(t.TempDir(), "cc")), strings.NewReader(password+"\n")
		require.Error(t, cmd.Run(), principal)
	}
}
