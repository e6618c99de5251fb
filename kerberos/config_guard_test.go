package kerberos_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// Which keys of a keytab may open a ticket: the version that the ticket names, keys of version 0, else the newest two.
func TestKeytabVersions(t *testing.T) {
	t.Parallel()
	type have struct {
		kvno uint32
		real bool
	}
	for name, c := range map[string]struct {
		ticket uint32 // version that the ticket names, 0 for none
		keytab []have
		ok     bool
	}{
		"the exact one":                       {3, []have{{2, false}, {3, true}, {4, false}}, true},
		"exact but wrong, although another":   {3, []have{{2, true}, {3, false}}, false},
		"two of one version":                  {3, []have{{3, false}, {3, true}}, true},
		"not there, the newest":               {9, []have{{2, false}, {4, true}, {3, false}}, true},
		"not there, the second newest":        {9, []have{{2, false}, {4, false}, {3, true}}, true},
		"not there, the third newest":         {9, []have{{2, true}, {4, false}, {3, false}}, false},
		"no version in the ticket":            {0, []have{{1, false}, {2, true}}, true},
		"no version, the third newest":        {0, []have{{1, true}, {2, false}, {3, false}}, false},
		"version 0 matches any":               {9, []have{{0, true}}, true},
		"version 0 beside the exact one":      {9, []have{{9, false}, {0, true}}, true},
		"version 0 before the newest":         {9, []have{{8, true}, {0, false}}, false},
		"version 0 and a ticket without":      {0, []have{{0, true}, {5, false}}, true},
		"a keytab without the service at all": {3, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, p := token(t)
			kt := new(kerberos.Keytab)
			add := func(principal string, kvno uint32, et int32, key []byte) {
				one, err := kerberos.NewKeytab(kerberos.KeytabEntry{Principal: principal, Realm: corpName, KVNO: kvno, EType: et}, key)
				require.NoError(t, err)
				kt = kt.Merge(one)
			}
			add("HTTP/other", c.ticket, 18, p.key.Reveal())
			for _, h := range c.keytab {
				key := bytes.Repeat([]byte{byte(h.kvno + 1)}, 32)
				if h.real {
					key = p.key.Reveal()
				}
				add(spn, h.kvno, 18, key)
				add(spn, h.kvno, 17, key[:16])
			}
			p.req.Ticket.Enc.KVNO = c.ticket
			_, err := acceptor(t, k, func(cfg *kerberos.AcceptorConfig) { cfg.Keytab = kt }).Accept(t.Context(), p.together(t), kerberos.AcceptInput{})
			require.Equal(t, c.ok, err == nil, detail(err))
			if c.keytab == nil {
				require.ErrorIs(t, err, kerberos.ErrNoKey)
				require.ErrorContains(t, err.(*kerberos.AuthError).Err, "principal is not in the keytab") //nolint:errorlint,forcetypeassert // a test
			}
		})
	}
	k, p := token(t)
	only17, err := kerberos.NewKeytab(kerberos.KeytabEntry{Principal: spn, Realm: corpName, EType: 17}, make([]byte, 16))
	require.NoError(t, err)
	_, err = acceptor(t, k, func(cfg *kerberos.AcceptorConfig) { cfg.Keytab = only17 }).Accept(t.Context(), p.together(t), kerberos.AcceptInput{})
	require.Contains(t, detail(err), "no key of encryption type 18")
	_, err = acceptor(t, k, func(cfg *kerberos.AcceptorConfig) { cfg.Keytab = &source{} }).Accept(t.Context(), p.together(t), kerberos.AcceptInput{})
	require.Contains(t, detail(err), "there is no keytab")
	for _, bad := range []string{"", strings.Repeat("a/", 16) + "a", strings.Repeat("a", 1025)} {
		_, err = kerberos.DeriveKeytab(bad, corpName, "", []byte("x"), 1)
		require.Error(t, err)
	}
	for _, bad := range []string{"", strings.Repeat("R", 1025)} {
		_, err = kerberos.DeriveKeytab("x", bad, "", []byte("x"), 1, 23)
		require.Error(t, err)
	}
	_, err = kerberos.DeriveKeytab(strings.Repeat("a", 1024), strings.Repeat("R", 1024), "", []byte("x"), 1, 23)
	require.NoError(t, err)
}

// cachedCred is one credential of a cache as bytes.
func cachedCred(p *parts, client, service []byte, et int32, end time.Time) []byte {
	data := func(b, x []byte) []byte { return append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...) }
	b := append(bytes.Clone(client), service...)
	b = data(binary.BigEndian.AppendUint16(b, uint16(et)), p.tkt.Key.Reveal())
	for _, when := range []time.Time{p.tkt.AuthTime, p.tkt.StartTime, end, time.Unix(0, 0)} {
		b = binary.BigEndian.AppendUint32(b, uint32(when.Unix()))
	}
	b = append(b, 0, 0, 0, 0, 0) // is_skey, flags
	b = append(b, 0, 0, 0, 1, 0, 2, 0, 0, 0, 4, 127, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0)
	return data(data(b, p.req.Ticket.Encode()), nil)
}

// A cache serves the tickets of its owner alone: those of other people, of other realms and of weak types are passed by.
func TestCredentialCacheOwner(t *testing.T) {
	t.Parallel()
	k, p := token(t)
	alice, service := ccPrincipal("alice"), ccPrincipal("HTTP", "portal.corp.example.test")
	later := p.tkt.EndTime
	realm := func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("CORP.EXAMPLE.TEST"), []byte("EVIL.EXAMPLE.TEST"))
	}
	for name, c := range map[string]struct {
		creds    [][]byte
		services int
		ok       bool
	}{
		"alice's":         {[][]byte{cachedCred(p, alice, service, 18, later)}, 1, true},
		"other case":      {[][]byte{cachedCred(p, ccPrincipal("ALICE"), service, 18, later)}, 1, true},
		"mallory's":       {[][]byte{cachedCred(p, ccPrincipal("mallory"), service, 18, later)}, 1, false},
		"another realm's": {[][]byte{cachedCred(p, realm(alice), service, 18, later)}, 1, false},
		"ended":           {[][]byte{cachedCred(p, alice, service, 18, time.Now().Add(-time.Minute))}, 1, false},
		"a setting":       {[][]byte{cachedCred(p, alice, bytes.ReplaceAll(ccPrincipal("krb5_ccache_conf_data", "x"), append([]byte{0, 0, 0, 17}, corpName...), append([]byte{0, 0, 0, 12}, "X-CACHECONF:"...)), 18, later), cachedCred(p, alice, service, 18, later)}, 1, true},
		"unknown type":    {[][]byte{cachedCred(p, alice, service, 99, later)}, 0, false},
		"nothing":         {nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cc, err := kerberos.ParseCCache(ccache(c.creds...))
			require.NoError(t, err)
			require.Len(t, cc.Services(), c.services)
			cl := client(t, k, func(cfg *kerberos.ClientConfig) { cfg.Principal, cfg.Password, cfg.Cache = "", nil, cc })
			_, err = cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
			if c.ok {
				require.NoError(t, err, detail(err))
				return
			}
			require.Equal(t, "bad_credentials", reason(err))
		})
	}
	aes128 := func(cfg *kerberos.ClientConfig) { cfg.EncTypes = []int32{17} }
	cc, err := kerberos.ParseCCache(ccache(cachedCred(p, alice, service, 18, later)))
	require.NoError(t, err)
	_, err = client(t, k, func(cfg *kerberos.ClientConfig) { aes128(cfg); cfg.Password, cfg.Cache = nil, cc }).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.Equal(t, "bad_credentials", reason(err), "a type that is not allowed")

	one := cachedCred(p, alice, service, 18, later)
	many := make([][]byte, 1025)
	for i := range many {
		many[i] = one
	}
	_, err = kerberos.ParseCCache(ccache(many[:1024]...))
	require.NoError(t, err)
	for name, b := range map[string][]byte{
		"too many": ccache(many...), "version 2": append([]byte{5, 2}, ccache(one)[2:]...), "version 5": append([]byte{5, 5}, ccache(one)[2:]...), "another file": append([]byte{6, 4}, ccache(one)[2:]...),
		"too big": append(ccache(one), make([]byte, 8<<20)...), "17 components": append([]byte{5, 3, 0, 0, 0, 1, 0, 0, 0, 17}, make([]byte, 100)...),
	} {
		_, err := kerberos.ParseCCache(b)
		require.ErrorIs(t, err, kerberos.ErrCCache, name)
	}
	v3 := append([]byte{5, 3}, ccache(one)[16:]...)
	cc, err = kerberos.ParseCCache(v3)
	require.NoError(t, err)
	require.Len(t, cc.Services(), 1)
}

// A TGT in a cache gets service tickets; of several the one that ends last is used, and an ended one is none.
func TestCredentialCacheTGT(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) { c.Services = append(c.Services, kerberostest.Service{SPN: "HTTP/two"}) })
	var first []byte
	_, err := through(t, k, "alice", func(n int, reply []byte) []byte {
		if n == 1 {
			first = bytes.Clone(reply)
		}
		return reply
	}, nil)
	require.NoError(t, err)
	rep, err := wire.ParseKDCRep(first, wire.MsgASRep)
	require.NoError(t, err)
	key, err := etype.StringToKey(18, []byte(alicePW), []byte(corpName+"alice"), iterFast)
	require.NoError(t, err)
	plain, err := rep.Enc.Open(key, wire.UsageASRep)
	require.NoError(t, err)
	part, err := wire.ParseKDCRepPart(plain)
	require.NoError(t, err)
	good := &parts{req: wire.APReq{Ticket: rep.Ticket}, tkt: wire.TicketPart{Key: part.Key, AuthTime: part.AuthTime, StartTime: part.StartTime}}
	stale := *good
	stale.tkt.Key, err = etype.Random(18)
	require.NoError(t, err)
	alice, krbtgt := ccPrincipal("alice"), ccPrincipal("krbtgt", corpName)
	soon := part.EndTime.Add(-time.Hour)
	for name, c := range map[string]struct {
		creds [][]byte
		ok    bool
	}{
		"one": {[][]byte{cachedCred(good, alice, krbtgt, 18, part.EndTime)}, true}, "the later one": {[][]byte{cachedCred(&stale, alice, krbtgt, 18, soon), cachedCred(good, alice, krbtgt, 18, part.EndTime)}, true},
		"the later one first": {[][]byte{cachedCred(good, alice, krbtgt, 18, part.EndTime), cachedCred(&stale, alice, krbtgt, 18, soon)}, true},
		"ended":               {[][]byte{cachedCred(good, alice, krbtgt, 18, time.Now())}, false},
		"another realm's":     {[][]byte{cachedCred(good, alice, ccPrincipal("krbtgt", "EVIL.EXAMPLE.TEST"), 18, part.EndTime)}, false},
	} {
		cc, err := kerberos.ParseCCache(ccache(c.creds...))
		require.NoError(t, err)
		cl := client(t, k, func(cfg *kerberos.ClientConfig) { cfg.Principal, cfg.Password, cfg.Cache = "", nil, cc })
		_, err = cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: "HTTP/two"})
		require.Equal(t, c.ok, err == nil, "%s: %s", name, detail(err))
		cl.Close()
	}
}

// DNS answers are taken in order, without repetitions, at most 32 of them, and for a while.
func TestDiscoveryLimits(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	var records []*net.SRV
	for i := range 40 {
		for range 2 {
			records = append(records, &net.SRV{Target: fmt.Sprintf("dc%d.corp.example.test.", i), Port: 88})
		}
	}
	records = append([]*net.SRV{{Target: "dead.corp.example.test.", Port: 0}, {Target: "", Port: 88}}, records...)
	var lookups int
	var asked []string
	now := time.Now()
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Realms[0].KDCs, c.Realms[0].Discover = nil, true
		c.Now, c.Network.HedgeAfter = func() time.Time { return now }, time.Minute
		c.Network.Resolver = counting{resolver{"_kerberos._tcp.corp.example.test": records}, &lookups}
		c.Network.Dial = func(_ context.Context, _, addr string) (net.Conn, error) {
			asked = append(asked, addr)
			return nil, fmt.Errorf("refused")
		}
	})
	sign := func() {
		_, err := a.Password(t.Context(), "alice", []byte(alicePW))
		require.ErrorIs(t, err, kerberos.ErrUnavailable)
	}
	sign()
	require.Len(t, asked, 32)
	require.Equal(t, "dc0.corp.example.test:88", asked[0])
	require.Equal(t, "dc31.corp.example.test:88", asked[31])
	require.Equal(t, 1, lookups, "without a site nothing is asked of one")
	sign()
	require.Equal(t, 1, lookups, "the answer is kept")
	now = now.Add(5 * time.Minute)
	sign()
	require.Equal(t, 2, lookups, "and looked up again after its time")
}

type counting struct {
	resolver
	n *int
}

func (c counting) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	*c.n++
	return c.resolver.LookupSRV(ctx, service, proto, name)
}

func TestKrb5ConfLines(t *testing.T) {
	t.Parallel()
	c, err := kerberos.ParseKrb5Conf([]byte("; a comment\n\n[libdefaults]\nother = x\ndefault_realm = A\ndefault_realm = B\nsub = {\ndefault_realm = C\n}\n[realms]\nA = {\nkdc = a\nsub = {\nkdc = b\n}\n}\nkdc = c\n[domain_realm]\nHost.A = A\nsub = {\nx = B\n}\n"))
	require.NoError(t, err)
	require.Equal(t, "A", c.DefaultRealm, "the first one, of the section itself")
	require.Equal(t, []kerberos.Realm{{Name: "A", KDCs: []string{"a:88"}}}, c.Realms)
	require.Equal(t, map[string]string{"host.a": "A"}, c.DomainRealm)
	deep := "[a]\n" + strings.Repeat("x = {\n", 8) + strings.Repeat("}\n", 8)
	_, err = kerberos.ParseKrb5Conf([]byte(deep))
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"too deep": "[a]\n" + strings.Repeat("x = {\n", 9) + strings.Repeat("}\n", 9), "too many lines": strings.Repeat("\n", 20001) + "[a]\n", "too big": "#" + strings.Repeat(" \n", 1<<19),
		"a long line": "[a]\nx = " + strings.Repeat("y", 1<<17), "a folder": "includedir /etc", "a module": "module /usr/lib/x.so:y", "a file": "include x",
	} {
		_, err := kerberos.ParseKrb5Conf([]byte(bad))
		require.ErrorIs(t, err, kerberos.ErrKrb5Conf, name)
	}
}
