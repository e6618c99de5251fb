package kerberos_test

import (
	"context"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/pacenc"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

// The KDC's own signatures count only under a krbtgt key of the realm that issued the ticket.
func TestKDCKeysOfTheIssuer(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	krbtgt := serviceKeyBytes(t, k.Keytab().Marshal(), 18)
	key := func(principal, realm string, bytes []byte) *kerberos.Keytab {
		kt, err := kerberos.NewKeytab(kerberos.KeytabEntry{Principal: principal, Realm: realm, EType: int32(map[int]int{16: 17, 32: 18}[len(bytes)])}, bytes)
		require.NoError(t, err)
		return kt
	}
	wrong := make([]byte, 32)
	for name, c := range map[string]struct {
		keys *kerberos.Keytab
		ok   bool
	}{
		"the KDC's own keytab":        {k.Keytab(), true},
		"the realm's":                 {key("krbtgt/"+corpName, corpName, krbtgt), true},
		"other case":                  {key("krbtgt/"+corpName, "corp.example.test", krbtgt), true},
		"after one that does not fit": {key("krbtgt/"+corpName, corpName, wrong).Merge(key("krbtgt/"+corpName, corpName, krbtgt)), true},
		"before one that does not":    {key("krbtgt/"+corpName, corpName, krbtgt).Merge(key("krbtgt/"+corpName, corpName, wrong)), true},
		"another realm's":             {key("krbtgt/OTHER", "OTHER", krbtgt), false},
		"a service's":                 {key(spn, corpName, krbtgt), false},
		"of another type":             {key("krbtgt/"+corpName, corpName, krbtgt[:16]), false},
		"none":                        {new(kerberos.Keytab), false},
	} {
		_, err := authenticator(t, k, func(cfg *kerberos.AuthenticatorConfig) { cfg.PAC.KDCKeys = c.keys }).Password(t.Context(), "alice", []byte(alicePW))
		require.Equal(t, c.ok, err == nil, "%s: %s", name, detail(err))
	}
	// without a ticket signature the other two are still checked
	k.SetFaults(kerberostest.FaultNoTicketChecksum)
	own := func(cfg *kerberos.AuthenticatorConfig) { cfg.PAC.KDCKeys = k.Keytab() }
	_, err := authenticator(t, k, own).Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err, detail(err))
	k.SetFaults(kerberostest.FaultNoTicketChecksum, kerberostest.FaultPACFullSum)
	_, err = authenticator(t, k, own).Password(t.Context(), "alice", []byte(alicePW))
	require.Equal(t, "kdc_not_trusted", reason(err))
}

func serviceKeyBytes(t *testing.T, raw []byte, et byte) []byte {
	t.Helper()
	for i := range raw {
		if i+4+32 <= len(raw) && raw[i] == 0 && raw[i+1] == et && raw[i+2] == 0 && raw[i+3] == 32 {
			return raw[i+4 : i+36]
		}
	}
	require.Fail(t, "no key of the type")
	return nil
}

// SID filters: what rejects, what drops, and that SID history of the service's own realm needs to be asked for.
func TestSIDFilters(t *testing.T) {
	t.Parallel()
	const domain, history = "S-1-5-21-11-22-33", "S-1-5-21-44-55-66-1104"
	for name, c := range map[string]struct {
		foreign bool
		policy  kerberos.PACPolicy
		extra   bool
		want    string // "kept", "dropped", "refused"
	}{
		"home, history":                 {false, kerberos.PACPolicy{}, true, "dropped"},
		"home, history asked for":       {false, kerberos.PACPolicy{AllowSIDHistory: true}, true, "kept"},
		"home, reject":                  {false, kerberos.PACPolicy{SIDFilter: kerberos.SIDFilterReject}, true, "dropped"},
		"home, off":                     {false, kerberos.PACPolicy{SIDFilter: kerberos.SIDFilterOff}, true, "kept"},
		"foreign":                       {true, kerberos.PACPolicy{}, true, "dropped"},
		"foreign, history asked for":    {true, kerberos.PACPolicy{AllowSIDHistory: true}, true, "dropped"},
		"foreign, reject":               {true, kerberos.PACPolicy{SIDFilter: kerberos.SIDFilterReject}, true, "refused"},
		"foreign, reject, nothing more": {true, kerberos.PACPolicy{SIDFilter: kerberos.SIDFilterReject}, false, "kept"},
		"foreign, off":                  {true, kerberos.PACPolicy{SIDFilter: kerberos.SIDFilterOff}, true, "kept"},
	} {
		k, p := token(t)
		if c.foreign {
			p.tkt.CRealm, p.auth.CRealm = "PARTNER.EXAMPLE.TEST", "PARTNER.EXAMPLE.TEST"
		}
		info := pacenc.Info{Name: "alice", DomainSID: domain, RID: 1105, PrimaryGroup: 513, UserFlags: pac.FlagExtraSIDs}
		if c.extra {
			info.Extra = []pacenc.SID{{SID: history, Attributes: 7}}
		}
		p.resign(t, pacenc.Buffer{Type: pac.TypeClientInfo, Data: pacenc.ClientInfo("alice", p.tkt.AuthTime)}, pacenc.Buffer{Type: pac.TypeLogonInfo, Data: pacenc.LogonInfo(info)})
		got, err := acceptor(t, k, func(cfg *kerberos.AcceptorConfig) {
			cfg.AllowedRealms, cfg.AnyRealm, cfg.PAC = nil, true, c.policy
			cfg.Realms = []kerberos.Realm{{Name: corpName, DomainSIDs: []string{domain}}, {Name: "PARTNER.EXAMPLE.TEST"}}
			if c.foreign {
				cfg.Realms[0].DomainSIDs, cfg.Realms[1].DomainSIDs = nil, []string{domain}
			}
		}).Accept(t.Context(), p.together(t), kerberos.AcceptInput{})
		if c.want == "refused" {
			require.Equal(t, "PAC", rejected(t, got, err), name)
			continue
		}
		require.NoError(t, err, "%s: %s", name, detail(err))
		require.Equal(t, domain+"-1105", got.SID, name)
		require.Equal(t, domain+"-513", got.PrimaryGroupSID, name)
		require.Equal(t, c.want == "kept" && c.extra, len(got.ExtraSIDs) == 1, name)
		require.Equal(t, c.want == "dropped", len(got.FilteredSIDs) == 1, name)
	}
}

// Where KDCs make no referrals, the host's name says whose service it is: the configured realm with the longest name.
func TestServiceByTheHostsName(t *testing.T) {
	t.Parallel()
	const remote = "HTTP/web.sub.partner.example.test"
	corp := startCorp(t, nil)
	partner := startRealm(t, kerberostest.Config{Realm: "PARTNER.EXAMPLE.TEST"})
	sub := startRealm(t, kerberostest.Config{Realm: "SUB.PARTNER.EXAMPLE.TEST", Services: []kerberostest.Service{{SPN: remote}}})
	require.NoError(t, kerberostest.Trust(corp, sub))
	noReferral := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr != corp.Addr() {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		return relayRequests(corp, func(req wire.KDCReq, reply []byte) []byte {
			if req.Type == wire.MsgTGSReq && req.SName.String() == remote { // as MIT KDCs without referrals
				return krbError(wire.ErrServiceUnknown, nil)
			}
			return reply
		})(ctx, network, addr)
	}
	for name, c := range map[string]struct {
		realms []kerberos.Realm
		want   string
	}{
		"the longest name":   {[]kerberos.Realm{corp.Realm(), partner.Realm(), sub.Realm()}, "accepted"},
		"in another order":   {[]kerberos.Realm{sub.Realm(), partner.Realm(), corp.Realm()}, "accepted"},
		"only the upper one": {[]kerberos.Realm{corp.Realm(), partner.Realm()}, "service_unknown"}, // no trust with it
		"no realm of a kind": {[]kerberos.Realm{corp.Realm()}, "service_unknown"},
	} {
		a := authenticator(t, corp, func(cfg *kerberos.AuthenticatorConfig) {
			cfg.Realms, cfg.Service = c.realms, kerberos.Service{SPN: remote, Keytab: sub.Keytab(remote)}
			cfg.Network.Dial, cfg.Network.HedgeAfter = noReferral, time.Minute
		})
		id, err := a.Password(t.Context(), `CORP\alice`, []byte(alicePW))
		require.Equal(t, c.want, reason(err), "%s: %s", name, detail(err))
		if id != nil {
			require.Equal(t, corp.UserSID("alice"), id.SID)
		}
	}
}

// relayRequests passes everything through to a KDC and lets a test change answers by their requests.
func relayRequests(k *kerberostest.KDC, change func(req wire.KDCReq, reply []byte) []byte) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		real, err := new(net.Dialer).DialContext(ctx, network, k.Addr())
		if err != nil {
			return nil, err
		}
		here, there := net.Pipe()
		go func() {
			defer there.Close() //nolint:errcheck // the test's end of a pipe
			defer real.Close()  //nolint:errcheck // a test
			raw, err := readFrame(there)
			if err != nil || writeFrame(real, raw) != nil {
				return
			}
			req, err := wire.ParseKDCReq(raw)
			if reply, rerr := readFrame(real); err == nil && rerr == nil {
				_ = writeFrame(there, change(req, reply))
			}
		}()
		return here, nil
	}
}

// Only configured realms are asked, whoever the finder names; an answer for one realm under two names is one answer.
func TestFinderNamesStrangers(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Realms = append(c.Realms, kerberos.Realm{Name: "B.TEST", KDCs: []string{"127.0.0.1:1"}})
		c.Accounts = finder{"alice": {"EVIL.TEST", "CORP", "corp.example.test", ""}, "bob": {"EVIL.TEST"}}
	})
	_, err := a.Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err, detail(err))
	_, err = a.Password(t.Context(), "bob", []byte(bobPW))
	require.Equal(t, "bad_credentials", reason(err))
}

// A keytab file that was replaced by one of the same time but another size, or another time but the same size, is new.
func TestFileKeytabNoticesEither(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.keytab")
	write := func(kvno uint32, when time.Time, principals ...string) {
		kt := new(kerberos.Keytab)
		for _, p := range principals {
			one, err := kerberos.DeriveKeytab(p, corpName, "", []byte("x"), kvno, 23)
			require.NoError(t, err)
			kt = kt.Merge(one)
		}
		require.NoError(t, os.WriteFile(path, kt.Marshal(), 0o600))
		require.NoError(t, os.Chtimes(path, when, when))
	}
	now := time.Unix(1_700_000_000, 0)
	write(1, now, "HTTP/a")
	clock := now
	f, err := kerberos.NewFileKeytab(kerberos.FileKeytabConfig{Path: path, Now: func() time.Time { return clock }})
	require.NoError(t, err)
	step := func(want int, kvno uint32) {
		clock = clock.Add(time.Second)
		require.Len(t, f.Current().Entries(), want)
		require.Equal(t, kvno, f.Current().Entries()[0].KVNO)
	}
	write(2, now, "HTTP/a", "HTTP/b")
	step(2, 2)
	write(3, now.Add(time.Minute), "HTTP/a", "HTTP/b")
	step(2, 3)
	write(4, now.Add(time.Minute), "HTTP/a", "HTTP/b")
	step(2, 3) // nothing tells it apart from the file of before
	require.NoError(t, os.WriteFile(path, []byte{5, 2}, 0o600))
	step(2, 3) // a keytab without a key is no keytab
	_, err = kerberos.NewFileKeytab(kerberos.FileKeytabConfig{Path: path})
	require.ErrorContains(t, err, "no usable key")
	_, err = kerberos.TLSServerEndPoint(nil)
	require.Error(t, err)
	_, err = kerberos.TLSServerEndPoint(&x509.Certificate{SignatureAlgorithm: x509.PureEd25519})
	require.Error(t, err)
}

// A client's keytab serves with whatever type the KDC offers and it has, RC4 only when that is allowed; an account that
// needs no proof is judged by the same rules.
func TestClientKeytabTypes(t *testing.T) {
	t.Parallel()
	pw := []byte(alicePW)
	for name, c := range map[string]struct {
		account, keytab, types []int32
		noPreauth, rc4         bool
		want                   string
	}{
		"the second offer":             {[]int32{18, 17}, []int32{17}, nil, false, false, "accepted"},
		"nothing in common":            {[]int32{18}, []int32{17}, nil, false, false, "no_common_etype"},
		"a type that is not allowed":   {[]int32{18, 17}, []int32{17}, []int32{18}, false, false, "no_common_etype"},
		"without proof":                {[]int32{18}, []int32{18}, nil, true, false, "accepted"},
		"without proof, no such key":   {[]int32{18}, []int32{17}, nil, true, false, "no_common_etype"},
		"RC4 account":                  {[]int32{23}, []int32{23}, nil, false, false, "no_common_etype"},
		"RC4 account, allowed":         {[]int32{23}, []int32{23}, nil, false, true, "accepted"},
		"RC4 account without proof":    {[]int32{23}, []int32{23}, nil, true, false, "no_common_etype"},
		"RC4, without proof, allowed":  {[]int32{23}, []int32{23}, nil, true, true, "accepted"},
		"wrong key without proof":      {[]int32{18}, []int32{-18}, nil, true, false, "kdc_not_trusted"},
		"wrong key under a proof":      {[]int32{18}, []int32{-18}, nil, false, false, "bad_credentials"},
		"AES although RC4 may be used": {[]int32{18, 23}, []int32{23, 18}, nil, false, true, "accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startCorp(t, func(cfg *kerberostest.Config) { cfg.Iterations = 0 })
			k.AddUser(kerberostest.User{Name: "alice", Password: alicePW, ETypes: c.account, NoPreauth: c.noPreauth})
			kt := new(kerberos.Keytab)
			for _, et := range c.keytab {
				secret := pw
				if et < 0 {
					et, secret = -et, []byte("another")
				}
				one, err := kerberos.DeriveKeytab("alice", corpName, "", secret, 1, et)
				require.NoError(t, err)
				kt = kt.Merge(one)
			}
			cl := client(t, k, func(cfg *kerberos.ClientConfig) {
				cfg.Password, cfg.Keytab, cfg.EncTypes, cfg.AllowRC4 = nil, kt, c.types, c.rc4
			})
			_, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
			require.Equal(t, c.want, reason(err), detail(err))
		})
	}
}
