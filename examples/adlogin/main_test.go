package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

const (
	spn = "HTTP/portal.corp.example.test"
	pw  = "Correct-Horse-1"
)

// domain is a test domain with a KDC and, if wanted, an LDAP server that know the same people.
type domain struct {
	kdc *kerberostest.KDC
	dc  *directorytest.DC
}

func startDomain(t *testing.T, dns string, users ...kerberostest.User) *kerberostest.KDC {
	t.Helper()
	k, err := kerberostest.Start(kerberostest.Config{Realm: strings.ToUpper(dns), Iterations: 16, UPNSuffixes: []string{"brand." + dns}, Users: users})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	if strings.HasSuffix(spn, dns) {
		k.AddService(kerberostest.Service{SPN: spn})
	}
	return k
}

// config writes AD.json with its keytab; change may edit it.
func config(t *testing.T, service *kerberostest.KDC, change func(map[string]any), kdcs ...*kerberostest.KDC) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "http.keytab"), service.Keytab(spn).Marshal(), 0o600))
	var domains []any
	for _, k := range kdcs {
		r := k.Realm()
		domains = append(domains, map[string]any{"dns": strings.ToLower(r.Name), "netbios": r.NetBIOS, "upnSuffixes": r.UPNSuffixes, "kdcs": r.KDCs})
	}
	cfg := map[string]any{"domains": domains, "service": map[string]any{"spn": spn, "keytabFile": "http.keytab"}}
	if change != nil {
		change(cfg)
	}
	raw, err := json.Marshal(cfg)
	require.NoError(t, err)
	path := filepath.Join(dir, "AD.json")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	return path
}

type result struct {
	code   int
	out    map[string]any
	stdout string
	stderr string
}

func login(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	r := result{code: run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)}
	r.stdout, r.stderr = stdout.String(), stderr.String()
	if r.stdout != "" {
		require.NoError(t, json.Unmarshal(stdout.Bytes(), &r.out))
	}
	return r
}

func alice() kerberostest.User {
	return kerberostest.User{Name: "alice", UPN: "alice@brand.corp.example.test", Password: pw, Groups: []uint32{1200}}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	k := startDomain(t, "corp.example.test", alice())
	cfg := config(t, k, nil, k)
	for _, user := range []string{"alice", `corp\ALICE`, "alice@corp.example.test", "alice@brand.corp.example.test"} {
		for _, end := range []string{"", "\n", "\r\n"} {
			r := login(t, pw+end, "-config", cfg, user)
			require.Equal(t, 0, r.code, r.stderr)
			require.Equal(t, map[string]any{
				"authenticated": true, "principal": "alice@CORP.EXAMPLE.TEST", "realm": "CORP.EXAMPLE.TEST", "sid": k.UserSID("alice"),
				"upn": "alice@brand.corp.example.test", "groups": []any{k.DomainSID() + "-513", k.DomainSID() + "-1200"}, "kdcVerified": true,
			}, r.out)
		}
	}
	k.AddUser(kerberostest.User{Name: "odd", Password: " \tspaces and \r inside "})
	require.Equal(t, 0, login(t, " \tspaces and \r inside \n", "-config", cfg, "odd").code, "nothing but the line end is trimmed")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	k := startDomain(t, "corp.example.test", alice())
	cfg := config(t, k, nil, k)
	for name, c := range map[string]struct{ user, password, want string }{
		"wrong": {"alice", "wrong", "bad_credentials"}, "unknown": {"nobody", pw, "bad_credentials"}, "empty": {"alice", "\n", "bad_credentials"},
		"nothing on stdin": {"alice", "", "bad_credentials"}, "trailing blank": {"alice", pw + " \n", "bad_credentials"},
		"domain": {`X\alice`, pw, "unknown_domain"}, "suffix": {"alice@x.test", pw, "unknown_domain"},
	} {
		r := login(t, c.password, "-config", cfg, c.user)
		require.Equal(t, 1, r.code, name)
		require.Equal(t, map[string]any{"authenticated": false, "reason": c.want}, r.out, name)
		require.NotContains(t, r.stdout+r.stderr, pw)
	}
	for state, want := range map[kerberostest.State]string{
		kerberostest.Disabled: "not_allowed", kerberostest.Locked: "not_allowed", kerberostest.PasswordExpired: "password_expired", kerberostest.NotAllowed: "not_allowed",
	} {
		k.SetState("alice", state)
		require.Equal(t, want, login(t, pw, "-config", cfg, "alice").out["reason"])
	}
	k.SetState("alice", kerberostest.Active)
	for fault, want := range map[kerberostest.Fault]string{
		kerberostest.FaultWrongServiceKey: "kdc_not_trusted", kerberostest.FaultServiceUnknown: "kdc_not_trusted", kerberostest.FaultIterationsHuge: "kdc_not_trusted",
		kerberostest.FaultWeakOnly: "kdc_not_trusted", kerberostest.FaultEmptyInfo2: "kdc_not_trusted", kerberostest.FaultHugeLength: "kdc_not_trusted",
	} {
		k.SetFaults(fault)
		r := login(t, pw, "-config", cfg, "alice")
		require.Equal(t, 1, r.code)
		require.Equal(t, want, r.out["reason"], fault)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	k := startDomain(t, "corp.example.test", alice())
	cfg := config(t, k, nil, k)
	broken := filepath.Join(t.TempDir(), "AD.json")
	require.NoError(t, os.WriteFile(broken, []byte(`{"domains":[]}`), 0o600))
	noService := config(t, k, func(m map[string]any) { delete(m, "service") }, k)
	noKeytab := config(t, k, func(m map[string]any) { m["service"] = map[string]any{"spn": spn, "keytabFile": "none"} }, k)
	for name, args := range map[string][]string{
		"nothing": nil, "no user": {"-config", cfg}, "no config": {"alice"}, "two users": {"-config", cfg, "a", "b"}, "user and token": {"-config", cfg, "-spnego", cfg, "a"},
		"unknown flag": {"-x"}, "config missing": {"-config", "/nonexistent", "a"}, "config broken": {"-config", broken, "a"}, "no service": {"-config", noService, "a"},
		"no keytab": {"-config", noKeytab, "a"}, "token missing": {"-config", cfg, "-spnego", "/nonexistent"}, "token without service": {"-config", noService, "-spnego", cfg},
	} {
		r := login(t, pw, args...)
		require.Equal(t, 2, r.code, name)
		require.Empty(t, r.stdout, name)
		require.NotEmpty(t, r.stderr, name)
	}
	r := login(t, "", "-h")
	require.Equal(t, 0, r.code)
	require.Contains(t, r.stderr, "-spnego")
	require.Equal(t, 2, login(t, strings.Repeat("x", 5000), "-config", cfg, "alice").code)
}

func TestOutside(t *testing.T) {
	t.Parallel()
	k := startDomain(t, "corp.example.test", alice())
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := l.Addr().String()
	require.NoError(t, l.Close())
	set := func(kdcs ...any) func(map[string]any) {
		return func(m map[string]any) { m["domains"].([]any)[0].(map[string]any)["kdcs"] = kdcs } //nolint:forcetypeassert // built above
	}
	r := login(t, pw, "-config", config(t, k, set(closed), k), "alice")
	require.Equal(t, 3, r.code)
	require.Empty(t, r.stdout)
	silent := startDomain(t, "corp.example.test")
	silent.SetFaults(kerberostest.FaultSilence)
	for name, first := range map[string]string{"refused": closed, "silent": silent.Addr()} {
		begin := time.Now()
		r := login(t, pw, "-config", config(t, k, set(first, k.Addr()), k), "alice")
		require.Equal(t, 0, r.code, "%s: %s", name, r.stderr)
		require.Less(t, time.Since(begin), 15*time.Second, name)
	}
}

func TestBareNameWithDirectory(t *testing.T) {
	t.Parallel()
	users := map[string]kerberostest.User{"corp.example.test": alice(), "partner.example.test": {Name: "paul", Password: pw}}
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}, {DNS: "partner.example.test", NetBIOS: "PARTNER"}}})
	require.NoError(t, err)
	t.Cleanup(func() { srv.Close() })
	var ds []domain
	for _, dns := range []string{"corp.example.test", "partner.example.test"} {
		ds = append(ds, domain{startDomain(t, dns, users[dns], kerberostest.User{Name: "both", Password: pw}), srv.Domain(dns)})
	}
	require.NoError(t, kerberostest.Trust(ds[0].kdc, ds[1].kdc))
	for i, name := range []string{"alice", "paul"} {
		ds[i].dc.AddUser(directorytest.User{Name: name, Password: pw})
		ds[i].dc.AddUser(directorytest.User{Name: "both", Password: pw})
		ds[i].dc.AddUser(directorytest.User{Name: "reader", Password: "Reader-Pass-1"})
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), srv.CAPEM(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pw"), []byte("Reader-Pass-1\n"), 0o600))
	cfg := config(t, ds[0].kdc, func(m map[string]any) {
		for i, d := range m["domains"].([]any) { //nolint:forcetypeassert // built above
			d := d.(map[string]any) //nolint:forcetypeassert // built above
			d["ldap"], d["caFile"] = []string{ds[i].dc.URL()}, filepath.Join(dir, "ca.pem")
			d["bind"] = map[string]any{"method": "simple", "user": fmt.Sprintf("reader@%s", d["dns"]), "passwordFile": filepath.Join(dir, "pw")}
		}
	}, ds[0].kdc, ds[1].kdc)
	for user, want := range map[string]any{"alice": "alice@CORP.EXAMPLE.TEST", "paul": "paul@PARTNER.EXAMPLE.TEST"} {
		r := login(t, pw, "-config", cfg, user)
		require.Equal(t, want, r.out["principal"], r.stderr)
		require.NotEmpty(t, r.out["sid"])
	}
	require.Equal(t, "domain_required", login(t, pw, "-config", cfg, "both").out["reason"])
	require.Equal(t, "bad_credentials", login(t, pw, "-config", cfg, "nobody").out["reason"])

	ds[0].kdc.SetState("alice", kerberostest.Disabled)
	ds[0].dc.Disable(ds[0].dc.Find("alice"), true)
	require.Equal(t, "account_disabled", login(t, pw, "-config", cfg, `CORP\alice`).out["reason"])
	require.Equal(t, "bad_credentials", login(t, "wrong", "-config", cfg, `CORP\alice`).out["reason"])
}

func TestTicket(t *testing.T) {
	t.Parallel()
	k := startDomain(t, "corp.example.test", alice())
	k.AddService(kerberostest.Service{SPN: "HTTP/other"})
	cfg := config(t, k, nil, k)
	cl, err := kerberos.NewClient(kerberos.ClientConfig{Realms: []kerberos.Realm{k.Realm()}, Principal: "alice@CORP.EXAMPLE.TEST", Password: []byte(pw)})
	require.NoError(t, err)
	token := func(service string, spnego bool) []byte {
		in, err := cl.Initiate(context.WithoutCancel(t.Context()), kerberos.InitiateConfig{SPN: service, SPNEGO: spnego})
		require.NoError(t, err)
		return in.Token
	}
	good := token(spn, true)
	b64 := base64.StdEncoding.EncodeToString(good)
	tampered := bytes.Clone(good)
	tampered[len(tampered)-20] ^= 1
	for name, c := range map[string]struct {
		content []byte
		code    int
	}{
		"raw": {good, 0}, "base64": {[]byte(b64), 0}, "with the word": {[]byte("Negotiate " + b64 + "\n"), 0}, "other case": {[]byte("negotiate " + b64), 0},
		"folded": {[]byte(b64[:80] + "\n" + b64[80:]), 0}, "bare": {token(spn, false), 0}, "tampered": {tampered, 1}, "other service": {token("HTTP/other", true), 1},
		"NTLM": {[]byte("NTLMSSP\x00\x01\x00\x00\x00"), 1}, "NTLM base64": {[]byte("TlRMTVNTUAABAAAA"), 1}, "garbage": {[]byte("hello"), 1}, "empty": {nil, 1},
	} {
		path := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(path, c.content, 0o600))
		r := login(t, "", "-config", cfg, "-spnego", path)
		require.Equal(t, c.code, r.code, "%s: %s", name, r.stderr)
		if c.code == 0 {
			require.Equal(t, "alice@CORP.EXAMPLE.TEST", r.out["principal"])
			require.Equal(t, k.UserSID("alice"), r.out["sid"])
			require.Equal(t, true, r.out["kdcVerified"])
			continue
		}
		require.Equal(t, map[string]any{"authenticated": false, "reason": "bad_credentials"}, r.out, name)
	}
}

// Only the line's end is cut from the password.
func TestReadPassword(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"pw\n": "pw", "pw\r\n": "pw", "pw": "pw", "pw\r": "pw\r", " p w \n": " p w ", "pw\nrest\n": "pw", "\n": "", "": "", "pw\r\r\n": "pw\r",
	} {
		got, err := readPassword(strings.NewReader(in))
		require.NoError(t, err)
		require.Equal(t, want, string(got), "%q", in)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	k := startDomain(t, "corp.example.test", alice())
	cfg := config(t, k, nil, k)
	r := login(t, pw+"\n", "-config", cfg, "-doctor", "alice")
	require.Equal(t, 0, r.code, r.stderr)
	require.Equal(t, true, r.out["ok"])
	require.Contains(t, r.stderr, "ok       sign-in   alice@CORP.EXAMPLE.TEST: The sign-in works")
	require.NotContains(t, r.stdout+r.stderr, pw)

	r = login(t, "wrong\n", "-config", cfg, "-doctor", "alice")
	require.Equal(t, 1, r.code)
	require.Equal(t, false, r.out["ok"])
	require.Contains(t, r.stderr, "failed   sign-in   alice: The sign-in was refused: bad_credentials.\n         -> ")
	require.Equal(t, 0, login(t, "", "-config", cfg, "-doctor").code, "without a user nothing is read from stdin")
	require.Equal(t, 2, login(t, "", "-config", cfg+".none", "-doctor").code)
	require.Equal(t, 2, login(t, "", "-config", cfg, "-doctor", "alice", "bob").code)
	require.Equal(t, 2, login(t, "", "-config", cfg, "-doctor", "-spnego", "x").code)
	require.Equal(t, 2, login(t, "", "-doctor").code)
	require.Equal(t, 2, login(t, strings.Repeat("x", maxPassword+1), "-config", cfg, "-doctor", "alice").code)
	k.Close()
	require.Equal(t, 3, login(t, "", "-config", cfg, "-doctor").code)
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a b c d e ö", oneLine("a\nb\x1bc\u009bd\u202ee ö"))
}
