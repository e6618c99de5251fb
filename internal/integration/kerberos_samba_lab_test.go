//go:build lab

package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/spnego"
)

// sambaRealm describes one forest of the lab; prefix is ADLAB or ADLAB2.
func sambaRealm(t *testing.T, prefix string) kerberos.Realm {
	t.Helper()
	return kerberos.Realm{
		Name: labEnv(t, prefix+"_REALM"), NetBIOS: labEnv(t, prefix+"_NETBIOS"), KDCs: []string{labEnv(t, prefix+"_KDC")},
		KPasswd: []string{labEnv(t, prefix+"_KPASSWD")}, LearnDomainSID: true,
	}
}

func labKeytab(t *testing.T, path string) *kerberos.Keytab {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	kt, err := kerberos.ParseKeytab(raw)
	require.NoError(t, err)
	return kt
}

func sambaAuthenticator(t *testing.T, change func(*kerberos.AuthenticatorConfig)) *kerberos.Authenticator {
	t.Helper()
	corp, partner := sambaRealm(t, "ADLAB"), sambaRealm(t, "ADLAB2")
	corp.UPNSuffixes = []string{"brand.example"}
	cfg := kerberos.AuthenticatorConfig{
		Realms:  []kerberos.Realm{corp, partner},
		Service: kerberos.Service{SPN: labEnv(t, "ADLAB_SPN"), Keytab: labKeytab(t, labEnv(t, "ADLAB_KEYTAB"))},
	}
	if change != nil {
		change(&cfg)
	}
	a, err := kerberos.NewAuthenticator(cfg)
	require.NoError(t, err)
	return a
}

// TestKerberosSambaTable is the conformance table against two Samba forests with a trust.
func TestKerberosSambaTable(t *testing.T) {
	t.Parallel()
	corp, partner := sambaRealm(t, "ADLAB"), sambaRealm(t, "ADLAB2")
	corp.UPNSuffixes = []string{"brand.example"}
	target := krbTarget{
		realms: []kerberos.Realm{corp, partner}, service: kerberos.Service{SPN: labEnv(t, "ADLAB_SPN"), Keytab: labKeytab(t, labEnv(t, "ADLAB_KEYTAB"))},
		password: labEnv(t, "ADLAB_USER_PASS"),
	}
	conf := "--configfile=" + filepath.Join(labEnv(t, "ADLAB_STATE"), "dc1", "etc", "smb.conf")
	for _, user := range []string{"alice", "dave", "erin", "smartcard", "nopreauth"} { // wrong passwords of earlier runs count
		out, err := foreign(t, "samba-tool", "user", "unlock", user, conf).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	a := target.authenticator(t, nil)
	for range 12 { // until the domain's policy locks the account again
		_, _ = a.Password(t.Context(), `CORP\frank`, []byte("wrong"))
	}
	runKerberosTable(t, target)
}

func TestKerberosSambaEncryptionTypes(t *testing.T) {
	t.Parallel()
	pw := []byte(labEnv(t, "ADLAB_USER_PASS"))
	for _, et := range []int32{17, 18} {
		a := sambaAuthenticator(t, func(c *kerberos.AuthenticatorConfig) { c.EncTypes = []int32{et} })
		_, err := a.Password(t.Context(), `CORP\alice`, pw)
		if et == 18 {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, "kdc_not_trusted", krbReason(err), "the service's ticket has a type that was not allowed")
	}
	wrong := sambaAuthenticator(t, func(c *kerberos.AuthenticatorConfig) {
		kt, err := kerberos.DeriveKeytab(c.Service.SPN, c.Realms[0].Name, "", []byte("not the key"), 2)
		require.NoError(t, err)
		c.Service.Keytab = kt
	})
	_, err := wrong.Password(t.Context(), `CORP\alice`, pw)
	require.Equal(t, "kdc_not_trusted", krbReason(err))
}

// The password of a throw-away account is changed, also when it must be.
func TestKerberosSambaChangePassword(t *testing.T) {
	t.Parallel()
	a := sambaAuthenticator(t, nil)
	user, first, second := "kpw-user", "First-Garden-1", "Second-Garden-2"
	conf := "--configfile=" + filepath.Join(labEnv(t, "ADLAB_STATE"), "dc1", "etc", "smb.conf")
	tool := func(args ...string) ([]byte, error) {
		return foreign(t, "samba-tool", append(append([]string{"user"}, args...), conf)...).CombinedOutput()
	}
	_, _ = tool("delete", user)
	out, err := tool("create", user, first)
	require.NoError(t, err, string(out))
	t.Cleanup(func() { _, _ = tool("delete", user) })
	_, err = a.Password(t.Context(), `CORP\`+user, []byte(first))
	require.NoError(t, err)
	err = a.ChangePassword(t.Context(), `CORP\`+user, []byte("wrong"), []byte(second))
	require.Equal(t, "bad_credentials", krbReason(err))
	err = a.ChangePassword(t.Context(), `CORP\`+user, []byte(first), []byte("x"))
	require.ErrorIs(t, err, kerberos.ErrPasswordRejected)
	out, err = tool("setpassword", user, "--newpassword="+first, "--must-change-at-next-login")
	require.NoError(t, err, string(out))
	_, err = a.Password(t.Context(), `CORP\`+user, []byte(first))
	require.Equal(t, "password_expired", krbReason(err))
	require.NoError(t, a.ChangePassword(t.Context(), `CORP\`+user, []byte(first), []byte(second)))
	_, err = a.Password(t.Context(), `CORP\`+user, []byte(second))
	require.NoError(t, err)

	// an administrator sets it again; the account itself may not set anybody's
	admin := `CORP\administrator`
	require.NoError(t, a.SetPassword(t.Context(), admin, []byte(labEnv(t, "ADLAB_ADMIN_PASS")), user, []byte(first)))
	_, err = a.Password(t.Context(), `CORP\`+user, []byte(first))
	require.NoError(t, err)
	err = a.SetPassword(t.Context(), `CORP\`+user, []byte(first), "alice", []byte(second))
	ce, ok := errors.AsType[*kerberos.ChangeError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 5, ce.Code)
	require.ErrorIs(t, a.SetPassword(t.Context(), admin, []byte(labEnv(t, "ADLAB_ADMIN_PASS")), user, []byte("x")), kerberos.ErrPasswordRejected)
}

// curl with a ticket of each forest passes the middleware; a ticket twice, for another service or none does not.
func TestKerberosSambaCurl(t *testing.T) {
	t.Parallel()
	srv := negotiateServer(t, labKeytab(t, labEnv(t, "ADLAB_KEYTAB")), nil)
	host := "web.corp.example.test"
	for _, c := range []struct{ principal, want string }{
		{"alice@CORP.EXAMPLE.TEST", "hello alice@CORP.EXAMPLE.TEST"}, {"alice@PARTNER.EXAMPLE.TEST", "hello alice@PARTNER.EXAMPLE.TEST"}, {"", "401"},
	} {
		env := kinit(t, labEnv(t, "ADLAB_KRB5_CONF"), c.principal, labEnv(t, "ADLAB_USER_PASS"))
		require.Contains(t, curlNegotiate(t, env, srv.URL, host), c.want, c.principal)
	}
}

// TestAdloginSamba drives the program with LDAP behind it: the kinds of revocation are told apart.
func TestAdloginSamba(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	domain := func(prefix, keytab string) map[string]any {
		return map[string]any{
			"dns": labEnv(t, prefix+"_DOMAIN"), "netbios": labEnv(t, prefix+"_NETBIOS"), "kdcs": []string{labEnv(t, prefix+"_KDC")}, "ldap": []string{labEnv(t, prefix+"_LDAP")},
			"caFile": labEnv(t, "ADLAB_CA"), "bind": map[string]any{"method": "gssapi", "user": "svc-sync@" + labEnv(t, prefix+"_REALM"), "keytabFile": labEnv(t, keytab)},
		}
	}
	cfg := map[string]any{
		"domains": []any{domain("ADLAB", "ADLAB_SYNC_KEYTAB"), domain("ADLAB2", "ADLAB2_SYNC_KEYTAB")},
		"service": map[string]any{"spn": labEnv(t, "ADLAB_SPN"), "keytabFile": labEnv(t, "ADLAB_KEYTAB")},
	}
	raw, err := json.Marshal(cfg)
	require.NoError(t, err)
	path := filepath.Join(dir, "AD.json")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	for user, want := range map[string]string{
		`CORP\dave`: "account_disabled", `CORP\erin`: "password_expired", `CORP\grace`: "password_must_change", `CORP\heidi`: "account_expired",
		`PARTNER\dave`: "account_disabled", "alice": "domain_required", "nobody": "bad_credentials", `CORP\bob`: "",
	} {
		r := runProgram(t, labEnv(t, "ADLAB_USER_PASS")+"\n", "adlogin", "-config", path, user)
		var out struct {
			Authenticated bool   `json:"authenticated"`
			Reason        string `json:"reason"`
		}
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &out), r.stderr)
		require.Equal(t, want, out.Reason, "%s: %s", user, r.stderr)
		require.Equal(t, want == "", out.Authenticated)
	}
}

// negotiateServer is the middleware in front of a page that greets; any HTTP principal of the keytab is ours.
func negotiateServer(t *testing.T, kt *kerberos.Keytab, change func(*kerberos.AcceptorConfig)) *httptest.Server {
	t.Helper()
	cfg := kerberos.AcceptorConfig{Keytab: kt, SPNs: []string{"HTTP/*"}, AnyRealm: true, Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{})}
	if change != nil {
		change(&cfg)
	}
	acc, err := kerberos.NewAcceptor(cfg)
	require.NoError(t, err)
	mw, err := spnego.NewMiddleware(spnego.Config{Acceptor: acc, Fallback: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<form>sign in</form>")
	})})
	require.NoError(t, err)
	srv := httptest.NewServer(mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := spnego.IdentityFrom(r.Context())
		_, _ = fmt.Fprintln(w, "hello", id.Principal)
	})))
	t.Cleanup(srv.Close)
	return srv
}

// kinit gets a ticket into a cache of its own and returns the environment that uses it; "" means no ticket.
func kinit(t *testing.T, conf, principal, password string) []string {
	t.Helper()
	env := append(os.Environ(), "KRB5_CONFIG="+conf, "KRB5CCNAME=FILE:"+filepath.Join(t.TempDir(), "cc"))
	if principal == "" {
		return env
	}
	cmd := foreign(t, "kinit", principal)
	cmd.Env, cmd.Stdin = env, strings.NewReader(password+"\n")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return env
}

// curlNegotiate gets a page with curl's Negotiate and returns it with the status.
func curlNegotiate(t *testing.T, env []string, url, host string) string {
	t.Helper()
	_, port, ok := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	require.True(t, ok)
	cmd := foreign(t, "curl", "-s", "--noproxy", "*", "--negotiate", "-u", ":", "--max-time", "20", "--resolve", host+":"+port+":127.0.0.1",
		"-w", "\nstatus %{http_code}\n", "http://"+host+":"+port+"/")
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}
