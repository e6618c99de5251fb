package addoctor_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/examples/addoctor"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

const (
	spn    = "HTTP/portal.corp.example.test"
	realm  = "CORP.EXAMPLE.TEST"
	secret = "Demo-Sync-Account-5"
)

// world is a domain with everything right, and the AD.json that describes it.
type world struct {
	t      *testing.T
	dir    string
	kdc    *kerberostest.KDC
	srv    *directorytest.Server
	dc     *directorytest.DC
	portal *directorytest.Object // the service's account
	sync   *directorytest.Object
	cfg    map[string]any
	opt    addoctor.Options
	args   string        // path of AD.json if not the usual one
	binds  atomic.Int64  // binds that arrived at the directory
	shift  time.Duration // of the directory's clock
	tells  []addoctor.Check
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	var err error
	w.kdc, err = kerberostest.Start(kerberostest.Config{
		Realm: realm, NetBIOS: "CORP", UPNSuffixes: []string{"example.com"}, Iterations: 16, Services: []kerberostest.Service{{SPN: spn, KVNO: 3}},
		Users: []kerberostest.User{{Name: "svc-sync", Password: secret}, {Name: "alice", UPN: "alice@example.com", Password: "Correct-Horse-1"}},
	})
	require.NoError(t, err)
	t.Cleanup(w.kdc.Close)
	w.srv, err = directorytest.Start(directorytest.Config{
		Now:     func() time.Time { return time.Now().Add(w.shift) },
		Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP", UPNSuffixes: []string{"example.com"}}, {DNS: "other.example.test", NetBIOS: "OTHER"}},
	})
	require.NoError(t, err)
	t.Cleanup(w.srv.Close)
	w.dc = w.srv.Domain("CORP")
	w.sync = w.dc.AddUser(directorytest.User{Name: "svc-sync", Password: secret})
	w.dc.AllowReplication(w.sync)
	w.portal = w.dc.AddUser(directorytest.User{Name: "svc-portal", Attributes: map[string][]string{"servicePrincipalName": {spn}}})
	w.dc.AddMember(w.dc.AddGroup(directorytest.Group{Name: "SRE"}), w.dc.AddUser(directorytest.User{Name: "alice", UPN: "alice@example.com", Password: "Correct-Horse-1"}))
	w.dc.Install(directorytest.Fault{Point: directorytest.AtBind, Do: func() { w.binds.Add(1) }})
	w.file("ca.pem", w.srv.CAPEM())
	w.file("pw", []byte(secret+"\n"))
	w.file("http.keytab", w.kdc.Keytab(spn).Marshal())
	w.cfg = map[string]any{
		"domains": []any{map[string]any{
			"dns": "corp.example.test", "netbios": "CORP", "upnSuffixes": []string{"example.com"}, "kdcs": []string{w.kdc.Addr()}, "ldap": []string{w.dc.URL()}, "caFile": "ca.pem",
		}},
		"bind":    map[string]any{"method": "simple", "user": "svc-sync@corp.example.test", "passwordFile": "pw"},
		"service": map[string]any{"spn": spn, "keytabFile": "http.keytab"},
	}
	w.opt.Patience = 2 * time.Second
	w.opt.Tell = func(c addoctor.Check) { w.tells = append(w.tells, c) }
	return w
}

func (w *world) file(name string, content []byte) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, name), content, 0o600))
}

func (w *world) domain() map[string]any  { return w.cfg["domains"].([]any)[0].(map[string]any) } //nolint:forcetypeassert // made above
func (w *world) bind() map[string]any    { return w.cfg["bind"].(map[string]any) }               //nolint:forcetypeassert // made above
func (w *world) service() map[string]any { return w.cfg["service"].(map[string]any) }            //nolint:forcetypeassert // made above

func (w *world) run() addoctor.Report {
	w.t.Helper()
	raw, err := json.Marshal(w.cfg)
	require.NoError(w.t, err)
	if _, err := os.Stat(filepath.Join(w.dir, "AD.json")); err != nil {
		w.file("AD.json", raw)
	}
	path := w.args
	if path == "" {
		path = filepath.Join(w.dir, "AD.json")
	}
	r := addoctor.Run(w.t.Context(), path, w.opt)
	require.Equal(w.t, r.Checks, w.tells, "each finding is told at once")
	for _, c := range r.Checks {
		require.Contains(w.t, addoctor.Steps(), c.Step)
		require.NotEmpty(w.t, c.Detail)
		require.Regexp(w.t, `^[A-Z"].*\.$`, c.Detail, "a sentence")
		require.Equal(w.t, c.State == addoctor.Failed || c.State == addoctor.Warning, c.Advice != "", "%+v", c)
	}
	all, err := json.Marshal(r)
	require.NoError(w.t, err)
	require.NotContains(w.t, string(all), secret, "no password in a report")
	return r
}

func (w *world) keytab(et ...int32) {
	kt, err := kerberos.DeriveKeytab(spn, realm, "", []byte("other"), 3, et...)
	require.NoError(w.t, err)
	w.file("http.keytab", kt.Marshal())
}

// free returns an address on which nothing listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // that is the point
	return l.Addr().String()
}

// leads sends every connection for a host to another address.
func (w *world) leads(host, addr string) {
	w.opt.Dial = func(ctx context.Context, network, to string) (net.Conn, error) {
		if h, _, _ := net.SplitHostPort(to); h == host {
			to = addr
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
}

func TestAllRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opt.User, w.opt.Password = "alice@example.com", []byte("Correct-Horse-1")
	r := w.run()
	require.True(t, r.OK)
	require.Zero(t, r.ExitCode())
	var steps []string
	for _, c := range r.Checks {
		require.Equal(t, addoctor.OK, c.State, "%+v", c)
		if !slices.Contains(steps, c.Step) {
			steps = append(steps, c.Step)
		}
	}
	require.Equal(t, []string{"config", "files", "keytab", "port", "tls", "clock", "base", "kdc", "service", "bind", "names", "spn", "rights", "changes", "trusts", "sign-in"}, steps)
}

// mistake is a change of a good set-up, and what the doctor says to it.
type mistake struct {
	change func(w *world)
	step   string
	state  addoctor.State
	detail string
	advice string
	code   int
}

func (m mistake) check(t *testing.T) {
	t.Helper()
	w := newWorld(t)
	m.change(w)
	r := w.run()
	found := slices.ContainsFunc(r.Checks, func(c addoctor.Check) bool {
		return c.Step == m.step && c.State == m.state && strings.Contains(c.Detail, m.detail) && strings.Contains(c.Advice, m.advice)
	})
	require.True(t, found, "wanted %s %s %q %q in\n%s", m.step, m.state, m.detail, m.advice, text(r))
	require.Equal(t, m.code, r.ExitCode(), text(r))
	require.Equal(t, m.code == 0, r.OK)
}

func text(r addoctor.Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s %s %s: %s -> %s\n", c.Step, c.State, c.Target, c.Detail, c.Advice)
	}
	return b.String()
}

func runMistakes(t *testing.T, list map[string]mistake) {
	t.Helper()
	for name, m := range list {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m.check(t)
		})
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	runMistakes(t, map[string]mistake{
		"no file":            {func(w *world) { w.args = filepath.Join(w.dir, "none.json") }, "config", addoctor.Failed, "does not exist", "-config", 2},
		"no JSON":            {func(w *world) { w.file("AD.json", []byte(`{"domains": [`+"\n"+`{"dns" "x"}]}`)) }, "config", addoctor.Failed, "no JSON at byte 22", "comma", 2},
		"unknown member":     {func(w *world) { w.cfg["bnd"] = 1 }, "config", addoctor.Failed, "bnd", "Correct that member", 2},
		"no domain":          {func(w *world) { w.cfg["domains"] = []any{} }, "config", addoctor.Failed, "at least one", "", 2},
		"bad template":       {func(w *world) { w.cfg["attributes"] = map[string]string{"name": "${dir:"} }, "config", addoctor.Failed, "", "template", 2},
		"no CA file":         {func(w *world) { w.domain()["caFile"] = "none.pem" }, "files", addoctor.Failed, "no such file", "relative to the folder", 2},
		"CA file is no PEM":  {func(w *world) { w.file("ca.pem", []byte{0x30, 0x82}) }, "files", addoctor.Failed, "no PEM certificate", "openssl", 2},
		"no password file":   {func(w *world) { w.bind()["passwordFile"] = "none" }, "files", addoctor.Failed, "no such file", "relative", 2},
		"empty password":     {func(w *world) { w.file("pw", []byte("\n")) }, "files", addoctor.Failed, "empty", "one line", 2},
		"spaces in password": {func(w *world) { w.file("pw", []byte(secret+"\n\n")) }, "files", addoctor.Warning, "more than one line end", "", 1},
		"password for all": {func(w *world) {
			require.NoError(w.t, os.Chmod(filepath.Join(w.dir, "pw"), 0o644))
		}, "files", addoctor.Warning, "mode 0644", "chmod 600", 0},
		"keytab for all": {func(w *world) {
			require.NoError(w.t, os.Chmod(filepath.Join(w.dir, "http.keytab"), 0o640))
		}, "keytab", addoctor.Warning, "mode 0640", "chmod 600", 0},
		"no keytab":      {func(w *world) { w.service()["keytabFile"] = "none" }, "files", addoctor.Failed, "no such file", "relative", 2},
		"keytab garbage": {func(w *world) { w.file("http.keytab", []byte("garbage")) }, "keytab", addoctor.Failed, "malformed", "binary mode", 2},
		"no service":     {func(w *world) { delete(w.cfg, "service") }, "keytab", addoctor.Warning, `"service" is missing`, "SPN", 0},
		"keytab of the account that binds": {func(w *world) {
			kt, err := kerberos.DeriveKeytab("somebody", realm, "", []byte("x"), 1)
			require.NoError(w.t, err)
			w.file("sync.keytab", kt.Marshal())
			w.cfg["bind"] = map[string]any{"method": "gssapi", "user": "svc-sync@" + realm, "keytabFile": "sync.keytab"}
		}, "keytab", addoctor.Failed, "no AES key for svc-sync", "samba-tool", 1},
	})
}

func TestKeytab(t *testing.T) {
	t.Parallel()
	runMistakes(t, map[string]mistake{
		"another principal": {func(w *world) { w.service()["spn"] = "HTTP/www.corp.example.test" }, "keytab", addoctor.Failed, "no key for HTTP/www.corp.example.test@" + realm + "; it has " + spn, "correct service.spn", 1},
		"RC4 only":          {func(w *world) { w.keytab(23) }, "keytab", addoctor.Failed, "RC4", "AES", 1},
		"other key":         {func(w *world) { w.keytab() }, "service", addoctor.Failed, "another key than the KDC's", "make it anew", 1},
		"older key": {func(w *world) {
			w.kdc.AddService(kerberostest.Service{SPN: spn, KVNO: 4})
			w.dc.Set(w.portal, "msDS-KeyVersionNumber", "4")
		}, "service", addoctor.Failed, "AES256 version 4, and the keytab has", "newest file", 1},
		"older key, seen in the directory": {func(w *world) {
			w.bind()["user"] = w.sync.DN() // which is no Kerberos name
			w.dc.Set(w.portal, "msDS-KeyVersionNumber", "4")
		}, "spn", addoctor.Failed, "key version 4, and the keytab has", "newest file", 1},
		"other type": {func(w *world) {
			w.kdc.AddService(kerberostest.Service{SPN: spn, KVNO: 3, ETypes: []int32{17}})
			w.keytab(18)
		}, "service", addoctor.Failed, "The KDC uses AES128 version 3, and the keytab has AES256 version 3", "encryption type", 1},
		"RC4 tickets": {func(w *world) {
			w.kdc.AddService(kerberostest.Service{SPN: spn, KVNO: 3, ETypes: []int32{23}})
		}, "service", addoctor.Failed, "RC4", "AES", 1},
	})
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	runMistakes(t, map[string]mistake{
		"name unknown": {func(w *world) {
			w.opt.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}
			}
		}, "name", addoctor.Warning, "cannot be resolved", "DNS", 3},
		"KDC port closed": {func(w *world) { w.domain()["kdcs"] = []string{free(w.t)} }, "port", addoctor.Warning, "nothing listens", "88", 3},
		"every KDC down":  {func(w *world) { w.domain()["kdcs"] = []string{free(w.t)} }, "port", addoctor.Failed, "No KDC of the domain can be used", "", 3},
		"one KDC down":    {func(w *world) { w.domain()["kdcs"] = []string{free(w.t), w.kdc.Addr()} }, "port", addoctor.Warning, "nothing listens", "88", 0},
		"no answer": {func(w *world) {
			w.opt.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, context.DeadlineExceeded }
		}, "port", addoctor.Warning, "no answer", "firewall", 3},
		"no KDC":            {func(w *world) { delete(w.domain(), "kdcs") }, "port", addoctor.Failed, "kdcs is empty", "discover", 1},
		"every LDAP down":   {func(w *world) { w.domain()["ldap"] = []string{"ldaps://" + free(w.t)} }, "port", addoctor.Failed, "No directory server", "", 3},
		"no KDC but LDAP":   {func(w *world) { w.domain()["kdcs"] = []string{strings.TrimPrefix(w.dc.PlainURL(), "ldap://")} }, "kdc", addoctor.Failed, "no Kerberos answer", "88", 3},
		"silent KDC":        {func(w *world) { w.opt.Patience = time.Second; w.kdc.SetFaults(kerberostest.FaultSilence) }, "kdc", addoctor.Failed, "no Kerberos answer", "88", 3},
		"garbage":           {func(w *world) { w.kdc.SetFaults(kerberostest.FaultGarbage) }, "kdc", addoctor.Failed, "no honest KDC", "dns", 1},
		"no common type":    {func(w *world) { w.kdc.SetFaults(kerberostest.FaultWeakOnly) }, "kdc", addoctor.Failed, "no encryption type in common", "AES", 1},
		"clock of the KDC":  {func(w *world) { w.kdc.SetFaults(kerberostest.FaultClockError) }, "clock", addoctor.Failed, "ahead of ours", "chrony", 1},
		"clock ahead":       {func(w *world) { w.shift = 10 * time.Minute }, "clock", addoctor.Failed, "ahead of ours", "five minutes", 1},
		"clock behind":      {func(w *world) { w.shift = -10 * time.Minute }, "clock", addoctor.Failed, "behind ours", "five minutes", 1},
		"clock a bit ahead": {func(w *world) { w.shift = 2 * time.Minute }, "clock", addoctor.Warning, "ahead of ours", "one source", 0},
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	other := func(w *world) []byte {
		srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}}})
		require.NoError(w.t, err)
		defer srv.Close()
		return srv.CAPEM()
	}
	const host = "dc9.corp.example.test"
	runMistakes(t, map[string]mistake{
		"CA missing": {func(w *world) { delete(w.domain(), "caFile") }, "tls", addoctor.Failed, "not in the system's certificates", "caFile", 1},
		"another CA": {func(w *world) { w.file("ca.pem", other(w)) }, "tls", addoctor.Failed, "is not in caFile", "certutil", 1},
		"name mismatch": {func(w *world) {
			w.domain()["ldap"] = []string{"ldaps://" + host}
			w.leads(host, strings.TrimPrefix(w.dc.URL(), "ldaps://"))
		}, "tls", addoctor.Failed, "not for dc9.corp.example.test but for", "certificate's names", 1},
		"expired":    {func(w *world) { w.opt.Now = func() time.Time { return time.Unix(4100000000, 0) } }, "tls", addoctor.Failed, "ended on 2096", "Renew", 1},
		"not yet":    {func(w *world) { w.opt.Now = func() time.Time { return time.Unix(1400000000, 0) } }, "tls", addoctor.Failed, "begins on 2017", "clock", 1},
		"soon":       {func(w *world) { w.opt.Now = func() time.Time { return time.Unix(4000000000-86400, 0) } }, "tls", addoctor.Warning, "ends on 2096", "Renew", 1},
		"CA expired": {func(w *world) { w.opt.Now = func() time.Time { return time.Unix(4100000000, 0) } }, "files", addoctor.Failed, "ended on", "present certificate", 1},
		"leaf as CA": {func(w *world) {
			w.file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.srv.Certificate().Raw}))
		}, "files", addoctor.Warning, "not that of a CA", "renewal", 0},
		"plain port": {func(w *world) {
			w.domain()["ldap"] = []string{"ldaps://" + strings.TrimPrefix(w.dc.PlainURL(), "ldap://")}
		}, "tls", addoctor.Failed, "no TLS on that port", "389", 1},
		"a web server":   {func(w *world) { w.domain()["ldap"] = []string{"ldap://" + strings.TrimPrefix(w.kdc.Addr(), "ldap://")} }, "tls", addoctor.Failed, "no StartTLS", "gssapi", 1},
		"dns of another": {func(w *world) { w.domain()["ldap"] = []string{w.srv.Domain("OTHER").URL()} }, "base", addoctor.Failed, "holds the domain other.example.test, not corp.example.test", `Write "other.example.test" as dns`, 1},
	})
}

func TestStartTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.domain()["ldap"] = []string{w.dc.PlainURL()}
	r := w.run()
	require.True(t, r.OK, text(r))
	require.Contains(t, text(r), "tls ok "+w.dc.PlainURL())
}

func TestBind(t *testing.T) {
	t.Parallel()
	runMistakes(t, map[string]mistake{
		"no bind":           {func(w *world) { delete(w.cfg, "bind") }, "bind", addoctor.Failed, `"bind" is missing`, "ordinary account", 1},
		"no bind, no proof": {func(w *world) { delete(w.cfg, "bind") }, "service", addoctor.Skipped, "with an account only", "", 1},
		"no ldap":           {func(w *world) { delete(w.domain(), "ldap") }, "bind", addoctor.Skipped, `"ldap" is missing`, "", 0},
		"wrong password":    {func(w *world) { w.file("pw", []byte("wrong\n")) }, "kdc", addoctor.Failed, "bad_credentials", "not locked", 1},
		"wrong password, by DN": {func(w *world) {
			w.file("pw", []byte("wrong\n"))
			w.bind()["user"] = w.sync.DN()
		}, "bind", addoctor.Failed, "bad_credentials", "not locked", 1},
		"disabled":         {func(w *world) { w.kdc.SetState("svc-sync", kerberostest.Disabled); w.dc.Disable(w.sync, true) }, "bind", addoctor.Failed, "account_disabled", "Enable", 1},
		"disabled, by DN":  {func(w *world) { w.bind()["user"] = w.sync.DN(); w.dc.Disable(w.sync, true) }, "bind", addoctor.Failed, "account_disabled", "Enable", 1},
		"password expired": {func(w *world) { w.kdc.SetState("svc-sync", kerberostest.PasswordExpired) }, "kdc", addoctor.Failed, "password_expired", "never expires", 1},
		"no right to users": {func(w *world) {
			w.dc.Install(directorytest.Fault{Point: directorytest.AtEntry, Hide: "userAccountControl"})
		}, "rights", addoctor.Failed, "userAccountControl", "account restrictions", 1},
		"no DirSync": {func(w *world) {
			second := w.dc.AddUser(directorytest.User{Name: "svc-two", Password: secret})
			w.bind()["user"] = second.DN()
		}, "changes", addoctor.Warning, "may not use DirSync", "Replicating Directory Changes", 0},
	})
}

// TestRefusedOnce: a wrong password is shown once, however many servers there are: three may lock the account.
func TestRefusedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("pw", []byte("wrong\n"))
	w.domain()["ldap"] = []string{w.dc.URL(), w.dc.PlainURL()}
	w.domain()["kdcs"] = []string{w.kdc.Addr(), strings.Replace(w.kdc.Addr(), "127.0.0.1", "localhost", 1)}
	r := w.run()
	shown := 0
	for _, q := range w.kdc.Requests() {
		if q.Preauth != 0 {
			shown++
		}
	}
	require.Equal(t, 1, shown)
	require.Zero(t, w.binds.Load(), "after the KDC's refusal no server of the directory is tried")
	require.Equal(t, 2, strings.Count(text(r), "Not tried"))

	w = newWorld(t)
	w.file("pw", []byte("wrong\n"))
	w.bind()["user"] = w.sync.DN()
	w.domain()["ldap"] = []string{w.dc.URL(), w.dc.PlainURL()}
	w.run()
	require.EqualValues(t, 1, w.binds.Load())
}

func TestNamesAndServices(t *testing.T) {
	t.Parallel()
	runMistakes(t, map[string]mistake{
		"short name missing": {func(w *world) { delete(w.domain(), "netbios") }, "names", addoctor.Warning, "netbios is missing", `"CORP"`, 0},
		"other short name":   {func(w *world) { w.domain()["netbios"] = "KORP" }, "names", addoctor.Failed, "is CORP, not KORP", `"CORP"`, 1},
		"suffix too many":    {func(w *world) { w.domain()["upnSuffixes"] = []string{"example.com", "example.org"} }, "names", addoctor.Warning, "does not list the UPN suffix example.org", "", 0},
		"suffix too few":     {func(w *world) { delete(w.domain(), "upnSuffixes") }, "names", addoctor.Warning, "has the UPN suffix example.com", "Add", 0},
		"no SPN": {func(w *world) {
			w.dc.Set(w.portal, "servicePrincipalName")
			w.kdc.SetFaultsOn("tgs", kerberostest.FaultServiceUnknown)
		}, "spn", addoctor.Failed, "No account of the domain", "setspn -S", 1},
		"no SPN at the KDC": {func(w *world) { w.kdc.SetFaultsOn("tgs", kerberostest.FaultServiceUnknown) }, "service", addoctor.Failed, "knows no account", "setspn -S", 1},
		"SPN twice": {func(w *world) {
			w.dc.AddUser(directorytest.User{Name: "svc-old", Attributes: map[string][]string{"servicePrincipalName": {spn}}})
		}, "spn", addoctor.Failed, "CN=svc-old", "setspn -D", 1},
		"service disabled":     {func(w *world) { w.dc.Disable(w.portal, true) }, "spn", addoctor.Failed, "svc-portal is disabled", "Enable", 1},
		"service has no AES":   {func(w *world) { w.dc.Set(w.portal, "msDS-SupportedEncryptionTypes", "4") }, "spn", addoctor.Failed, "supports no AES", "AES 256", 1},
		"trust not configured": {func(w *world) { w.dc.Trust(w.srv.Domain("OTHER"), 3, 8) }, "trusts", addoctor.Warning, "other.example.test is trusted, and not configured", "Add an entry", 0},
	})
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	user := func(name, password string) func(w *world) {
		return func(w *world) { w.opt.User, w.opt.Password = name, []byte(password) }
	}
	runMistakes(t, map[string]mistake{
		"wrong password": {user("alice", "wrong"), "sign-in", addoctor.Failed, "bad_credentials", "password", 1},
		"unknown domain": {user("alice@nowhere.test", "x"), "sign-in", addoctor.Failed, "unknown_domain", "upnSuffixes", 1},
		"disabled": {func(w *world) {
			user("alice", "Correct-Horse-1")(w)
			w.kdc.SetState("alice", kerberostest.Disabled)
		}, "sign-in", addoctor.Failed, "refused", "account", 1},
		"wrong keytab": {func(w *world) { user("alice", "Correct-Horse-1")(w); w.keytab() }, "sign-in", addoctor.Failed, "kdc_not_trusted", "keytab", 1},
		"no service":   {func(w *world) { user("alice", "Correct-Horse-1")(w); delete(w.cfg, "service") }, "sign-in", addoctor.Failed, "Service is required", "need service", 2},
		"KDC down":     {func(w *world) { user("alice", "Correct-Horse-1")(w); w.domain()["kdcs"] = []string{free(w.t)} }, "sign-in", addoctor.Failed, "could be asked", "ports", 3},
	})
}

// TestNothingIsChanged: an examination writes nothing, neither here nor there.
func TestNothingIsChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	usn := w.dc.USN()
	before, err := os.ReadDir(w.dir)
	require.NoError(t, err)
	w.run()
	require.Equal(t, usn, w.dc.USN())
	after, err := os.ReadDir(w.dir)
	require.NoError(t, err)
	require.Len(t, after, len(before)+1, "AD.json of this test")
}

func TestEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	raw, err := json.Marshal(w.cfg)
	require.NoError(t, err)
	w.file("AD.json", raw)
	r := addoctor.Run(ctx, filepath.Join(w.dir, "AD.json"), addoctor.Options{})
	require.False(t, r.OK)
	require.Equal(t, 3, r.ExitCode(), text(r))
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	require.Zero(t, addoctor.Report{}.ExitCode())
	require.Equal(t, 1, addoctor.Report{Checks: []addoctor.Check{{State: addoctor.Failed}}}.ExitCode())
	require.Zero(t, addoctor.Report{Checks: []addoctor.Check{{State: addoctor.Warning}, {State: addoctor.Skipped}}}.ExitCode())
}

func ExampleRun() {
	r := addoctor.Run(context.Background(), "no-such-file.json", addoctor.Options{})
	for _, c := range r.Checks {
		fmt.Println(c.State, c.Step, c.Target, c.Detail)
		fmt.Println(c.Advice)
	}
	fmt.Println(r.ExitCode())
	// Output:
	// failed config no-such-file.json The file does not exist.
	// Give the path of AD.json with -config; doc/guides/active-directory.md shows one.
	// 2
}
