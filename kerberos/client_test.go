package kerberos_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

func TestClientWithKeytab(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) { c.Iterations = 0 }) // a derived keytab has the default count
	for _, et := range []int32{18, 17} {
		kt, err := kerberos.DeriveKeytab("alice", corpName, "", []byte(alicePW), 1, et)
		require.NoError(t, err)
		cl := client(t, k, func(c *kerberos.ClientConfig) { c.Password, c.Keytab = nil, kt })
		in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
		require.NoError(t, err, "type %d: %s", et, detail(err))
		require.NotEmpty(t, in.Token)
		require.Equal(t, "alice@CORP.EXAMPLE.TEST", cl.Principal())
	}
	bad, err := kerberos.DeriveKeytab("alice", corpName, "", []byte("wrong"), 1)
	require.NoError(t, err)
	_, err = client(t, k, func(c *kerberos.ClientConfig) { c.Password, c.Keytab = nil, bad }).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.Equal(t, "bad_credentials", reason(err))
	other, err := kerberos.DeriveKeytab("bob", corpName, "", []byte("wrong"), 1)
	require.NoError(t, err)
	_, err = client(t, k, func(c *kerberos.ClientConfig) { c.Password, c.Keytab = nil, other }).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.Equal(t, "no_common_etype", reason(err))
}

func TestClientCachesAndSharesFlights(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	now := time.Now()
	cl := client(t, k, func(c *kerberos.ClientConfig) { c.Now = func() time.Time { return now } })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := func(kind string) (n int) {
		for _, r := range k.Requests() {
			if r.Kind == kind {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, count("tgs"))
	require.Equal(t, 2, count("as"), "one without and one with the proof")
	_, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: "HTTP/nobody.corp.example.test"})
	require.ErrorIs(t, err, kerberos.ErrServiceUnknown)
	_, err = cl.Initiate(t.Context(), kerberos.InitiateConfig{})
	require.Error(t, err)
}

func TestClientRefusals(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	for name, c := range map[string]struct {
		state kerberostest.State
		want  string
	}{"expired": {kerberostest.PasswordExpired, "password_expired"}, "disabled": {kerberostest.Disabled, "not_allowed"}} {
		k.SetState("alice", c.state)
		_, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
		require.Equal(t, c.want, reason(err), name)
	}
	k.SetState("alice", kerberostest.Active)
	for _, f := range []kerberostest.Fault{kerberostest.FaultNonce, kerberostest.FaultEmptyInfo2, kerberostest.FaultWeakOnly, kerberostest.FaultServiceAway, kerberostest.FaultMutated} {
		k.SetFaults(f)
		_, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
		require.Equal(t, "kdc_not_trusted", reason(err), f)
	}
	for name, change := range map[string]func(*kerberos.ClientConfig){
		"nothing to show": func(c *kerberos.ClientConfig) { c.Password = nil }, "two secrets": func(c *kerberos.ClientConfig) { c.Keytab = k.Keytab(spn) },
		"no name": func(c *kerberos.ClientConfig) { c.Principal = "@" + corpName }, "negative": func(c *kerberos.ClientConfig) { c.MaxSkew = -1 },
		"no realm": func(c *kerberos.ClientConfig) { c.Principal = "alice" }, "unknown realm": func(c *kerberos.ClientConfig) { c.Principal = "alice@OTHER" },
	} {
		cfg := kerberos.ClientConfig{Realms: []kerberos.Realm{k.Realm()}, Principal: "alice@" + corpName, Password: []byte("x")}
		change(&cfg)
		_, err := kerberos.NewClient(cfg)
		require.Error(t, err, name)
	}
}

func TestTrusts(t *testing.T) {
	t.Parallel()
	corp := startCorp(t, nil)
	partner := startRealm(t, kerberostest.Config{
		Realm: "PARTNER.EXAMPLE.TEST", UPNSuffixes: []string{"partner.example"},
		Users: []kerberostest.User{{Name: "paul", UPN: "paul@partner.example", Password: alicePW, Groups: []uint32{1500}, ExtraSIDs: []string{corp.DomainSID() + "-512", "S-1-5-32-544"}, ResourceGroups: []string{corp.DomainSID() + "-1999"}}},
	})
	far := startRealm(t, kerberostest.Config{Realm: "FAR.EXAMPLE.TEST", Users: []kerberostest.User{{Name: "fay", Password: alicePW}}})
	require.NoError(t, kerberostest.Trust(corp, partner))
	require.NoError(t, kerberostest.Trust(partner, far))
	all := func(c *kerberos.AuthenticatorConfig) {
		c.Realms = append(c.Realms, partner.Realm(), far.Realm())
	}
	a := authenticator(t, corp, all)
	id, err := a.Password(t.Context(), `PARTNER\paul`, []byte(alicePW))
	require.NoError(t, err, detail(err))
	require.Equal(t, "paul@PARTNER.EXAMPLE.TEST", id.Principal)
	require.Equal(t, partner.UserSID("paul"), id.SID)
	require.Equal(t, []string{partner.DomainSID() + "-513", partner.DomainSID() + "-1500"}, id.GroupSIDs)
	require.Empty(t, id.ExtraSIDs)
	require.ElementsMatch(t, []string{corp.DomainSID() + "-512", "S-1-5-32-544", corp.DomainSID() + "-1999"}, id.FilteredSIDs)

	id, err = a.Password(t.Context(), `FAR\fay`, []byte(alicePW)) // over two hops
	require.NoError(t, err, detail(err))
	require.Equal(t, far.UserSID("fay"), id.SID)

	// the same as an enterprise name that CORP refers to PARTNER
	byReferral := authenticator(t, corp, func(c *kerberos.AuthenticatorConfig) {
		all(c)
		c.Realms[1].UPNSuffixes, c.DefaultRealm = nil, corpName
	})
	id, err = byReferral.Password(t.Context(), "Paul@partner.example", []byte(alicePW))
	require.NoError(t, err, detail(err))
	require.Equal(t, "paul@PARTNER.EXAMPLE.TEST", id.Principal)

	for name, c := range map[string]struct {
		change func(*kerberos.AuthenticatorConfig)
		want   string
		sid    string
	}{
		"no SIDs granted":     {func(c *kerberos.AuthenticatorConfig) { c.Realms[1].DomainSIDs = nil }, "accepted", ""},
		"learned":             {func(c *kerberos.AuthenticatorConfig) { c.Realms[1].DomainSIDs, c.Realms[1].LearnDomainSID = nil, true }, "accepted", partner.UserSID("paul")},
		"reject":              {func(c *kerberos.AuthenticatorConfig) { c.PAC.SIDFilter = kerberos.SIDFilterReject }, "kdc_not_trusted", ""},
		"off":                 {func(c *kerberos.AuthenticatorConfig) { c.PAC.SIDFilter = kerberos.SIDFilterOff }, "accepted", partner.UserSID("paul")},
		"partner not known":   {func(c *kerberos.AuthenticatorConfig) { c.Realms = c.Realms[:1] }, "unknown_domain", ""},
		"service's realm not": {func(c *kerberos.AuthenticatorConfig) { c.Realms = c.Realms[1:] }, "kdc_not_trusted", ""},
		"service of the realm": {func(c *kerberos.AuthenticatorConfig) {
			kt := partner.AddService(kerberostest.Service{SPN: "HTTP/portal.partner.example.test"})
			c.Realms[1].Service = &kerberos.Service{SPN: "HTTP/portal.partner.example.test", Keytab: kt}
		}, "accepted", partner.UserSID("paul")},
		"service in the realm that is named":  {func(c *kerberos.AuthenticatorConfig) { c.Service.Realm = "corp.example.test" }, "accepted", partner.UserSID("paul")},
		"service in another realm than named": {func(c *kerberos.AuthenticatorConfig) { c.Service.Realm = "PARTNER.EXAMPLE.TEST" }, "kdc_not_trusted", ""},
	} {
		id, err := authenticator(t, corp, func(cfg *kerberos.AuthenticatorConfig) { all(cfg); c.change(cfg) }).Password(t.Context(), `PARTNER\paul`, []byte(alicePW))
		require.Equal(t, c.want, reason(err), "%s: %s", name, detail(err))
		if id != nil {
			require.Equal(t, c.sid, id.SID, name)
		}
	}
}

// A realm may not assert the SIDs of another one even when nobody has said which are its own.
func TestLearnedDomainOfAnotherRealm(t *testing.T) {
	t.Parallel()
	corp := startCorp(t, nil)
	evil := startRealm(t, kerberostest.Config{Realm: "EVIL.EXAMPLE.TEST", DomainSID: corp.DomainSID(), Users: []kerberostest.User{{Name: "eve", Password: alicePW, RID: 500}}})
	require.NoError(t, kerberostest.Trust(corp, evil))
	id, err := authenticator(t, corp, func(c *kerberos.AuthenticatorConfig) {
		r := evil.Realm()
		r.DomainSIDs, r.LearnDomainSID = nil, true
		c.Realms = append(c.Realms, r)
	}).Password(t.Context(), `EVIL\eve`, []byte(alicePW))
	require.NoError(t, err, detail(err))
	require.Empty(t, id.SID)
	require.Empty(t, id.GroupSIDs)
	require.NotEmpty(t, id.FilteredSIDs)
}

func TestSIDHistoryInTheHomeRealm(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) {
		c.Users[0].ExtraSIDs, c.Users[0].DenyOnly = []string{"S-1-5-21-1-2-3-1104"}, []uint32{1300}
	})
	id, err := authenticator(t, k, nil).Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err)
	require.Equal(t, []string{"S-1-5-21-1-2-3-1104"}, id.FilteredSIDs)
	require.NotContains(t, id.GroupSIDs, k.DomainSID()+"-1300")
	id, err = authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.PAC.AllowSIDHistory = true }).Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err)
	require.Equal(t, []string{"S-1-5-21-1-2-3-1104"}, id.ExtraSIDs)
}

func TestFailOver(t *testing.T) {
	t.Parallel()
	k, silent := startCorp(t, nil), startCorp(t, nil)
	silent.SetFaults(kerberostest.FaultSilence)
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := closed.Addr().String()
	require.NoError(t, closed.Close())
	begin := time.Now()
	for name, c := range map[string]struct {
		first string
		fault kerberostest.Fault
	}{
		"refused": {refused, ""}, "silent": {silent.Addr(), ""}, "garbage": {"", kerberostest.FaultGarbage}, "error 29": {"", kerberostest.FaultError29}, "error 60": {"", kerberostest.FaultError60}, "cut": {"", kerberostest.FaultCut},
	} {
		first := c.first
		if first == "" {
			bad := startCorp(t, nil)
			bad.SetFaults(c.fault)
			first = bad.Addr()
		}
		a := authenticator(t, k, func(cfg *kerberos.AuthenticatorConfig) {
			cfg.Realms[0].KDCs = []string{first, k.Addr()}
			cfg.Network.HedgeAfter = 30 * time.Millisecond
		})
		for range 2 {
			_, err := a.Password(t.Context(), "alice", []byte(alicePW))
			require.NoError(t, err, "%s: %s", name, detail(err))
		}
	}
	require.Less(t, time.Since(begin), 20*time.Second)
	_, err = authenticator(t, k, func(cfg *kerberos.AuthenticatorConfig) { cfg.Realms[0].KDCs = []string{refused} }).Password(t.Context(), "alice", []byte(alicePW))
	require.ErrorIs(t, err, kerberos.ErrUnavailable)
	require.True(t, kerberos.Temporary(err))
}

// A KDC that failed rests: the next sign-in does not try it first, and after its rest it is asked again.
func TestFailedKDCRests(t *testing.T) {
	t.Parallel()
	k, bad := startCorp(t, nil), startCorp(t, nil)
	bad.SetFaults(kerberostest.FaultCloseNoAnswer)
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Realms[0].KDCs = []string{bad.Addr(), k.Addr()}
		c.Now = clock
	})
	sign := func() {
		_, err := a.Password(t.Context(), "alice", []byte(alicePW))
		require.NoError(t, err, detail(err))
	}
	sign()
	once := len(bad.Requests())
	require.NotZero(t, once)
	sign()
	require.Len(t, bad.Requests(), once, "a resting KDC was asked")
	mu.Lock()
	now = now.Add(31 * time.Second)
	mu.Unlock()
	sign()
	require.Greater(t, len(bad.Requests()), once, "after its rest it is probed")
}

func TestUDP(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	udp := func(c *kerberos.AuthenticatorConfig) { c.Network.UDP = true }
	_, err := authenticator(t, k, udp).Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err, detail(err))
	networks := map[string]bool{}
	for _, r := range k.Requests() {
		networks[r.Network] = true
	}
	require.True(t, networks["udp"])
	k.AddUser(kerberostest.User{Name: "big", Password: alicePW, Groups: make([]uint32, 400)}) // too big for a datagram
	_, err = authenticator(t, k, udp).Password(t.Context(), "big", []byte(alicePW))
	require.NoError(t, err, detail(err))
	k.SetFaults(kerberostest.FaultNoUDP)
	_, err = authenticator(t, k, udp).Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err, detail(err))
}

type resolver map[string][]*net.SRV

func (r resolver) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	list := r["_"+service+"._"+proto+"."+name]
	if list == nil {
		return "", nil, errors.New("no such host")
	}
	return "", list, nil
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	host, portText, err := net.SplitHostPort(k.Addr())
	require.NoError(t, err)
	port, err := net.LookupPort("tcp", portText)
	require.NoError(t, err)
	rec := []*net.SRV{{Target: host + ".", Port: uint16(port)}}
	for name, c := range map[string]struct {
		r    resolver
		want string
	}{
		"tcp":     {resolver{"_kerberos._tcp.corp.example.test": rec}, "accepted"},
		"udp":     {resolver{"_kerberos._udp.corp.example.test": rec}, "accepted"},
		"site":    {resolver{"_kerberos._tcp.here._sites.dc._msdcs.corp.example.test": rec}, "accepted"},
		"nothing": {resolver{}, "unavailable"},
		"a dead site before the realm's": {resolver{
			"_kerberos._tcp.here._sites.dc._msdcs.corp.example.test": {{Target: "127.0.0.1", Port: 1}}, "_kerberos._tcp.corp.example.test": rec,
		}, "accepted"},
		"dot": {resolver{"_kerberos._tcp.corp.example.test": {{Target: ".", Port: 88}}}, "unavailable"},
	} {
		a := authenticator(t, k, func(cfg *kerberos.AuthenticatorConfig) {
			cfg.Realms[0].KDCs, cfg.Realms[0].Discover, cfg.Realms[0].Site = nil, true, "here"
			cfg.Network.Resolver = c.r
		})
		for range 2 {
			_, err = a.Password(t.Context(), "alice", []byte(alicePW))
			require.Equal(t, c.want, reason(err), "%s: %s", name, detail(err))
		}
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	a := authenticator(t, k, nil)
	const fresh = "Fresh-Garden-7"
	require.Equal(t, "bad_credentials", reason(a.ChangePassword(t.Context(), "alice", []byte("wrong"), []byte(fresh))))
	err := a.ChangePassword(t.Context(), "alice", []byte(alicePW), []byte("short"))
	require.ErrorIs(t, err, kerberos.ErrPasswordRejected)
	ce, ok := errors.AsType[*kerberos.ChangeError](err)
	require.True(t, ok)
	require.Contains(t, ce.Text, "at least 7")
	require.NotContains(t, err.Error(), "at least")
	for _, bad := range []string{"", "with\x00NUL-inside"} {
		require.ErrorIs(t, a.ChangePassword(t.Context(), "alice", []byte(alicePW), []byte(bad)), kerberos.ErrPasswordRejected)
	}
	for _, s := range []kerberostest.State{kerberostest.PasswordMustChange, kerberostest.PasswordExpired, kerberostest.PasswordExpiredMIT} {
		k.AddUser(kerberostest.User{Name: "alice", Password: alicePW, State: s})
		require.NoError(t, a.ChangePassword(t.Context(), `CORP\alice`, []byte(alicePW), []byte(fresh)))
		_, err = a.Password(t.Context(), "alice", []byte(fresh))
		require.NoError(t, err, detail(err))
		_, err = a.Password(t.Context(), "alice", []byte(alicePW))
		require.Equal(t, "bad_credentials", reason(err))
	}
	k.SetState("alice", kerberostest.Disabled)
	require.Equal(t, "not_allowed", reason(a.ChangePassword(t.Context(), "alice", []byte(fresh), []byte(alicePW))))
	k.SetState("alice", kerberostest.Active)
	err = a.SetPassword(t.Context(), "alice", []byte(fresh), "bob", []byte("Other-Garden-8"))
	ce, ok = errors.AsType[*kerberos.ChangeError](err)
	require.True(t, ok)
	require.Equal(t, 5, ce.Code, "a set with a target is refused to ordinary users")
	k.SetFaults(kerberostest.FaultNonce)
	require.Equal(t, "kdc_not_trusted", reason(a.ChangePassword(t.Context(), "alice", []byte(fresh), []byte(alicePW))))
}

// An administrator sets the password of somebody else; nobody without the right, and nothing that is not an account.
func TestSetPassword(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) {
		c.Users = append(c.Users, kerberostest.User{Name: "root", Password: alicePW, Admin: true})
	})
	a := authenticator(t, k, nil)
	const fresh = "Other-Garden-8"
	set := func(admin, pw, target, replacement string) error {
		return a.SetPassword(t.Context(), admin, []byte(pw), target, []byte(replacement))
	}
	require.NoError(t, set(`CORP\root`, alicePW, "bob", fresh))
	_, err := a.Password(t.Context(), "bob", []byte(fresh))
	require.NoError(t, err, detail(err))
	_, err = a.Password(t.Context(), "bob", []byte(bobPW))
	require.Equal(t, "bad_credentials", reason(err))
	require.Equal(t, "bad_credentials", reason(set("root", "wrong", "bob", fresh)))
	require.Equal(t, "bad_credentials", reason(set("root", "", "bob", fresh)), "an administrator without a password")
	for name, c := range map[string]struct {
		admin, target, replacement string
		code                       int
	}{
		"no right": {"alice", "bob", fresh, 5}, "no such account": {"root", "nobody", fresh, 2}, "too short": {"root", "bob", "short", 4},
		"nothing new": {"root", "bob", "", 4}, "no target": {"root", "", fresh, 4}, "a target with a line end": {"root", "bob\n", fresh, 4},
	} {
		ce, ok := errors.AsType[*kerberos.ChangeError](set(c.admin, alicePW, c.target, c.replacement))
		require.True(t, ok, name)
		require.Equal(t, c.code, ce.Code, name)
		require.Equal(t, c.code == 4, errors.Is(ce, kerberos.ErrPasswordRejected), name)
	}
	_, err = a.Password(t.Context(), "bob", []byte(fresh))
	require.NoError(t, err, "a refused set changes nothing")
}

func TestManyLoginsLeaveNothing(t *testing.T) { //nolint:paralleltest // it counts goroutines and descriptors of the process
	k := startCorp(t, nil)
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Network.ConnectTimeout, c.Network.AnswerTimeout = 30*time.Second, 30*time.Second // the machine may be busy
	})
	_, err := a.Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 200)
	for range testscale.N(400, 10_000) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if _, err := a.Password(t.Context(), "alice", []byte(alicePW)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+2 && descriptors(t) <= files+2 }, 10*time.Second, 20*time.Millisecond)
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// ccache writes a credential cache of version 4 with nothing but a header, a principal and the given credentials.
func ccache(creds ...[]byte) []byte {
	b := []byte{5, 4, 0, 12, 0, 1, 0, 8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	b = append(b, ccPrincipal("alice")...)
	return append(b, bytes.Join(creds, nil)...)
}

func ccPrincipal(parts ...string) []byte {
	b := binary.BigEndian.AppendUint32(nil, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(parts)))
	for _, s := range append([]string{corpName}, parts...) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

func TestCredentialCache(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	p := takeApart(t, k, in.Token)
	data := func(b, x []byte) []byte { return append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...) }
	cred := append(ccPrincipal("alice"), ccPrincipal("HTTP", "portal.corp.example.test")...)
	cred = binary.BigEndian.AppendUint16(cred, uint16(p.tkt.Key.Type()))
	cred = data(cred, p.tkt.Key.Reveal())
	for _, when := range []time.Time{p.tkt.AuthTime, p.tkt.StartTime, p.tkt.EndTime, time.Unix(0, 0)} {
		cred = binary.BigEndian.AppendUint32(cred, uint32(when.Unix()))
	}
	cred = append(cred, 0, 0, 0, 0, 0)
	cred = append(cred, make([]byte, 8)...)
	cred = data(data(cred, p.req.Ticket.Encode()), nil)
	raw := ccache(cred)
	cc, err := kerberos.ParseCCache(raw)
	require.NoError(t, err)
	require.Equal(t, "alice@CORP.EXAMPLE.TEST", cc.Principal())
	require.Equal(t, []string{spn + "@" + corpName}, cc.Services())
	before := len(k.Requests())
	cl := client(t, k, func(c *kerberos.ClientConfig) { c.Principal, c.Password, c.Cache = "", nil, cc })
	tok, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err, detail(err))
	acc, err := acceptor(t, k, nil).Accept(t.Context(), tok.Token, kerberos.AcceptInput{})
	require.NoError(t, err)
	require.Equal(t, "alice@CORP.EXAMPLE.TEST", acc.Principal)
	require.Len(t, k.Requests(), before, "nothing is asked of the KDC")
	_, err = cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: "HTTP/other"})
	require.Equal(t, "bad_credentials", reason(err), "no ticket-granting ticket in the cache")
	for i := range raw {
		if got, err := kerberos.ParseCCache(raw[:i]); err != nil {
			require.Nil(t, got)
		}
	}
	for _, bad := range []string{"", "\x05\x01", "\x05\x04\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff"} {
		_, err := kerberos.ParseCCache([]byte(bad))
		require.ErrorIs(t, err, kerberos.ErrCCache)
	}
	for in, want := range map[string]string{"FILE:/tmp/x": "/tmp/x", "/tmp/x": "/tmp/x", "/a:b": "/a:b"} {
		got, err := kerberos.CCachePath(in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"KEYRING:x", "DIR:/tmp", "", "FILE:"} {
		_, err := kerberos.CCachePath(bad)
		require.Error(t, err)
	}
}

func TestKrb5Conf(t *testing.T) {
	t.Parallel()
	c, err := kerberos.ParseKrb5Conf([]byte(`# comment
[libdefaults]
  default_realm = CORP.EXAMPLE.TEST
[realms]
  CORP.EXAMPLE.TEST = {
    kdc = dc1.corp.example.test
    kdc = 10.0.0.1:1088
    kpasswd_server = dc1.corp.example.test
    master_kdc = dc9
    auth_to_local = {
      x = y
    }
  }
  EMPTY = {
  }
  NONE = {}
[domain_realm]
  .corp.example.test = CORP.EXAMPLE.TEST
[other]
  a = b
`))
	require.NoError(t, err)
	require.Equal(t, "CORP.EXAMPLE.TEST", c.DefaultRealm)
	require.Equal(t, []kerberos.Realm{{
		Name: "CORP.EXAMPLE.TEST", KDCs: []string{"dc1.corp.example.test:88", "10.0.0.1:1088"}, KPasswd: []string{"dc1.corp.example.test:464"}, PDC: "dc9:88",
	}}, c.Realms)
	require.Equal(t, map[string]string{".corp.example.test": "CORP.EXAMPLE.TEST"}, c.DomainRealm)
	for _, bad := range []string{"x = y", "[a", "[a]\nb", "[a]\n}", "[a]\nb = {", "[a]\nb = { c", "include /etc/x", "[a]\nb={\n[c]", "[a]\n= x"} {
		_, err := kerberos.ParseKrb5Conf([]byte(bad))
		require.ErrorIs(t, err, kerberos.ErrKrb5Conf, bad)
	}
}

func TestFileKeytabFollowsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.keytab")
	_, err := kerberos.NewFileKeytab(kerberos.FileKeytabConfig{Path: path})
	require.ErrorIs(t, err, os.ErrNotExist)
	write := func(b []byte, when time.Time) {
		require.NoError(t, os.WriteFile(path, b, 0o600))
		require.NoError(t, os.Chtimes(path, when, when))
	}
	one, err := kerberos.DeriveKeytab("HTTP/a", corpName, "", []byte("x"), 1, 18)
	require.NoError(t, err)
	two, err := kerberos.DeriveKeytab("HTTP/a", corpName, "", []byte("y"), 2, 18)
	require.NoError(t, err)
	now := time.Unix(1_700_000_000, 0)
	write(one.Marshal(), now)
	f, err := kerberos.NewFileKeytab(kerberos.FileKeytabConfig{Path: path, Now: func() time.Time { return now }})
	require.NoError(t, err)
	kvno := func() uint32 { return f.Current().Entries()[0].KVNO }
	require.EqualValues(t, 1, kvno())
	write(two.Marshal(), now.Add(time.Hour))
	require.EqualValues(t, 1, kvno(), "looked at once a second only")
	now = now.Add(2 * time.Second)
	require.EqualValues(t, 2, kvno())
	write([]byte("broken"), now.Add(2*time.Hour))
	now = now.Add(2 * time.Second)
	require.EqualValues(t, 2, kvno(), "the old keys stay")
	require.NoError(t, os.Remove(path))
	now = now.Add(2 * time.Second)
	require.EqualValues(t, 2, kvno())
}
