//go:build lab

package integration_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/kerberos"
)

// examined is a report of adlogin -doctor.
type examined struct {
	OK     bool `json:"ok"`
	Checks []struct{ Step, Target, State, Detail, Advice string }
}

// TestSambaDoctor: a good configuration of a real domain passes every step; each broken one is named, with what to do.
func TestSambaDoctor(t *testing.T) {
	t.Parallel()
	l := newSyncLab(t, "doctor")
	account := l.user("doctor-svc")
	l.password(account, "Us3r-Passw0rd")
	l.write("pw", "Us3r-Passw0rd\n")
	l.write("wrong", "Wr0ng-Passw0rd\n")
	dns, realm, spn := labEnv(t, "ADLAB_DOMAIN"), labEnv(t, "ADLAB_REALM"), labEnv(t, "ADLAB_SPN")
	keytab := func(name, principal string, kvno uint32) {
		kt, err := kerberos.DeriveKeytab(principal, realm, "", []byte("another password"), kvno)
		require.NoError(t, err)
		l.write(name, string(kt.Marshal()))
	}
	raw, err := os.ReadFile(labEnv(t, "ADLAB_KEYTAB"))
	require.NoError(t, err)
	l.write("http.keytab", string(raw))
	keytab("otherkey.keytab", spn, 1)
	keytab("oldkey.keytab", spn, 77)
	keytab("none.keytab", "HTTP/none."+dns, 1)
	other, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: dns}}})
	require.NoError(t, err)
	l.write("otherca.pem", string(other.CAPEM()))
	other.Close()

	for name, c := range map[string]struct {
		domain, bind, service map[string]any
		code                  int
		step, state, want     string
	}{
		"all right":      {step: "service", state: "ok", want: "opens with the keytab"},
		"StartTLS":       {domain: map[string]any{"ldap": []string{labEnv(t, "ADLAB_LDAP")}}, step: "bind", state: "ok", want: "signs in"},
		"another CA":     {domain: map[string]any{"caFile": "otherca.pem"}, code: 1, step: "tls", state: "failed", want: "is not in caFile"},
		"another domain": {domain: map[string]any{"ldap": []string{labEnv(t, "ADLAB2_LDAPS")}}, code: 1, step: "base", state: "failed", want: "holds the domain " + labEnv(t, "ADLAB2_DOMAIN")},
		"short name":     {domain: map[string]any{"netbios": "KORP"}, code: 1, step: "names", state: "failed", want: "is CORP, not KORP"},
		"KDC is LDAP":    {domain: map[string]any{"kdcs": []string{strings.TrimPrefix(labEnv(t, "ADLAB_LDAP"), "ldap://")}}, code: 3, step: "kdc", state: "failed", want: "no Kerberos answer"},
		"closed port":    {domain: map[string]any{"kdcs": []string{labEnv(t, "ADLAB_IP") + ":9"}}, code: 3, step: "port", state: "warning", want: "nothing listens"},
		"password":       {bind: map[string]any{"passwordFile": "wrong"}, code: 1, step: "kdc", state: "failed", want: "bad_credentials"},
		"key":            {service: map[string]any{"keytabFile": "otherkey.keytab"}, code: 1, step: "service", state: "failed", want: "another key than the KDC's"},
		"key version":    {service: map[string]any{"keytabFile": "oldkey.keytab"}, code: 1, step: "service", state: "failed", want: "the account's key was changed since"},
		"SPN":            {service: map[string]any{"spn": "HTTP/none." + dns, "keytabFile": "none.keytab"}, code: 1, step: "service", state: "failed", want: "knows no account"},
		"principal":      {service: map[string]any{"keytabFile": "none.keytab"}, code: 1, step: "keytab", state: "failed", want: "no key for " + spn},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // one after the other: a wrong password is among them, and the file is the same
			domain := map[string]any{"dns": dns, "netbios": "CORP", "upnSuffixes": []string{"brand.example"}, "kdcs": []string{labEnv(t, "ADLAB_KDC")}, "ldap": []string{labEnv(t, "ADLAB_LDAPS")}, "caFile": "ca.pem"}
			bind := map[string]any{"method": "simple", "user": "doctor-svc@" + dns, "passwordFile": "pw"}
			service := map[string]any{"spn": spn, "keytabFile": "http.keytab"}
			maps.Copy(domain, c.domain)
			maps.Copy(bind, c.bind)
			maps.Copy(service, c.service)
			text, err := json.Marshal(map[string]any{"domains": []any{domain}, "bind": bind, "service": service})
			require.NoError(t, err)
			l.write("AD.json", string(text))
			r := runProgram(t, "", "adlogin", "-config", filepath.Join(l.dir, "AD.json"), "-doctor")
			var out examined
			require.NoError(t, json.Unmarshal([]byte(r.stdout), &out), r.stderr)
			found := false
			for _, x := range out.Checks {
				found = found || x.Step == c.step && x.State == c.state && strings.Contains(x.Detail, c.want)
				if c.code == 0 {
					require.NotEqual(t, "failed", x.State, x.Detail)
				}
			}
			require.True(t, found, r.stderr)
			require.Equal(t, c.code, r.code, r.stderr)
			require.Equal(t, c.code == 0, out.OK)
			require.NotContains(t, r.stdout+r.stderr, "Passw0rd")
		})
	}
}

// TestSambaDoctorGSSAPI: the same with a bind by Kerberos, sign and seal on ldap://.
func TestSambaDoctorGSSAPI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := json.Marshal(map[string]any{
		"domains": []any{map[string]any{"dns": labEnv(t, "ADLAB_DOMAIN"), "netbios": "CORP", "kdcs": []string{labEnv(t, "ADLAB_KDC")}, "ldap": []string{labEnv(t, "ADLAB_LDAP")}, "caFile": labEnv(t, "ADLAB_CA")}},
		"bind":    map[string]any{"method": "gssapi", "user": "svc-sync@" + labEnv(t, "ADLAB_REALM"), "keytabFile": labEnv(t, "ADLAB_SYNC_KEYTAB")},
		"service": map[string]any{"spn": labEnv(t, "ADLAB_SPN"), "keytabFile": labEnv(t, "ADLAB_KEYTAB")},
	})
	require.NoError(t, err)
	path := filepath.Join(dir, "AD.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	r := runProgram(t, labEnv(t, "ADLAB_USER_PASS")+"\n", "adlogin", "-config", path, "-doctor", `CORP\bob`)
	require.Equal(t, 0, r.code, r.stderr)
	require.Contains(t, r.stderr, "signs in (gssapi)")
	require.Contains(t, r.stderr, "The sign-in works")
}
