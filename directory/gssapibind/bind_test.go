package gssapibind_test

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/directory/gssapibind"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// acceptor is the server's side of RFC 4752, for directorytest.
type acceptor struct {
	acc     *kerberos.Acceptor
	offer   byte
	cert    func() *x509.Certificate // the channel binding is demanded when set
	tamper  func(nc net.Conn) net.Conn
	chosen  atomic.Int32
	message []byte // the offer as it is
	// hostile changes the answer to a step, counted from 1
	hostile func(step int, x *exchange, reply []byte, done bool) ([]byte, bool, error)
}

func (a *acceptor) Mechanisms() []string { return []string{"GSSAPI", "GSS-SPNEGO"} }

func (a *acceptor) Start(mechanism string, tls bool) (directorytest.SASLExchange, error) {
	return &exchange{a: a, tls: tls, spnego: mechanism == "GSS-SPNEGO"}, nil
}

type exchange struct {
	a      *acceptor
	tls    bool
	spnego bool
	step   int
	got    *kerberos.Accepted
	layer  byte
	client int
}

func (x *exchange) Step(creds []byte) (reply []byte, name string, done bool, err error) {
	x.step++
	reply, name, done, err = x.answer(creds)
	if err == nil && x.a.hostile != nil {
		reply, done, err = x.a.hostile(x.step, x, reply, done)
		name = x.got.Name
	}
	return reply, name, done, err
}

func (x *exchange) answer(creds []byte) (reply []byte, name string, done bool, err error) {
	switch x.step {
	case 1:
		var in kerberos.AcceptInput
		if x.a.cert != nil && x.tls {
			if in.ChannelBinding, err = kerberos.TLSServerEndPoint(x.a.cert()); err != nil {
				return nil, "", false, err
			}
		}
		if x.got, err = x.a.acc.Accept(context.Background(), creds, in); err != nil {
			return nil, "", false, err
		}
		if x.spnego {
			x.layer, x.client = 1, 1<<24-1
			if sign, seal := x.got.Context.Asked(); seal {
				x.layer = 4
			} else if sign {
				x.layer = 2
			}
			x.a.chosen.Store(int32(x.layer))
		}
		return x.got.Reply, x.got.Name, x.spnego, nil
	case 2:
		msg := []byte{x.a.offer, 0, 0x10, 0} // at most 4096 bytes
		if x.a.message != nil {
			msg = x.a.message
		}
		reply, err = x.got.Context.Wrap(msg, false)
		return reply, "", false, err
	}
	msg, _, err := x.got.Context.Unwrap(creds)
	if err != nil || len(msg) < 4 {
		return nil, "", false, errors.New("malformed answer")
	}
	x.layer = msg[0]
	x.a.chosen.Store(int32(x.layer))
	x.client = int(binary.BigEndian.Uint32(append([]byte{0}, msg[1:4]...)))
	return nil, x.got.Name, true, nil
}

func (x *exchange) Wrap(nc net.Conn) net.Conn {
	if x.layer == 1 {
		return nil
	}
	if x.a.tamper != nil {
		nc = x.a.tamper(nc)
	}
	return gssapibind.Layer(nc, x.got.Context, x.layer == 4, x.client)
}

// world is a KDC and a directory server that know the same account.
func world(t *testing.T, a *acceptor) (*directorytest.DC, *kerberostest.KDC) {
	t.Helper()
	k, err := kerberostest.Start(kerberostest.Config{
		Realm: "CORP.EXAMPLE.TEST", NetBIOS: "CORP", Users: []kerberostest.User{{Name: "svc-sync", Password: "Correct-Horse-1"}},
		Services: []kerberostest.Service{{SPN: "ldap/dc1.corp.example.test"}},
	})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	kt := k.Keytab("ldap/dc1.corp.example.test")
	policy := kerberos.ChannelBindingWhenPresent
	if a.cert != nil {
		policy = kerberos.ChannelBindingRequired
	}
	a.acc, err = kerberos.NewAcceptor(kerberos.AcceptorConfig{
		ChannelBinding: policy, Keytab: kt, SPNs: []string{"ldap/*"}, Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{}), AnyRealm: true, Realms: []kerberos.Realm{k.Realm()},
	})
	require.NoError(t, err)
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}, SASL: a, RequireSigning: a.cert == nil})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	dc := srv.Domain("CORP")
	dc.AddUser(directorytest.User{Name: "svc-sync"})
	users := 300
	if a.hostile != nil || a.message != nil { // nobody gets that far
		users = 0
	}
	for i := range users {
		dc.AddUser(directorytest.User{Name: fmt.Sprintf("u%d", i), Mail: "x@example.com"})
	}
	return dc, k
}

// read binds with GSSAPI and reads all users.
func read(t *testing.T, dc *directorytest.DC, k *kerberostest.KDC, url string, cfg gssapibind.Config) (int, error) {
	t.Helper()
	cl, err := kerberos.NewClient(kerberos.ClientConfig{Realms: []kerberos.Realm{k.Realm()}, Principal: "svc-sync@CORP.EXAMPLE.TEST", Password: []byte("Correct-Horse-1")})
	require.NoError(t, err)
	defer cl.Close()
	cfg.Client = cl
	b, err := gssapibind.New(cfg)
	require.NoError(t, err)
	c, err := directory.New(directory.Config{
		Limits:  directory.Limits{ReplyTimeout: 2 * time.Second},
		Domains: []directory.Domain{{DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), Servers: []string{url}, TLS: dc.Server().ClientTLS(), Bind: b}},
	})
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	es, err := c.SearchAll(t.Context(), directory.Query{Filter: directory.Eq("objectClass", "user"), Attributes: []string{"mail"}})
	return len(es), err
}

func TestLayers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		offer byte
		cfg   gssapibind.Config
		tls   bool
		want  int32 // the layer; 0 for a refusal
	}{
		"seal":                        {offer: 7, want: 4},
		"sign when asked":             {offer: 7, cfg: gssapibind.Config{SignOnly: true}, want: 2},
		"sign when nothing better":    {offer: 3, want: 2},
		"no layer without TLS":        {offer: 1},
		"layer over TLS when asked":   {offer: 6, tls: true, cfg: gssapibind.Config{LayerOverTLS: true}, want: 4},
		"layer over TLS when not":     {offer: 6, tls: true},
		"an SPN that nobody has":      {offer: 7, cfg: gssapibind.Config{SPN: "ldap/other.corp.example.test"}},
		"no layer, server demands it": {offer: 7, tls: true},
		"SPNEGO, seal":                {cfg: gssapibind.Config{SPNEGO: true}, want: 4},
		"SPNEGO, sign":                {cfg: gssapibind.Config{SPNEGO: true, SignOnly: true}, want: 2},
		"SPNEGO, over TLS when asked": {tls: true, cfg: gssapibind.Config{SPNEGO: true, LayerOverTLS: true}, want: 4},
		"SPNEGO, server demands it":   {tls: true, cfg: gssapibind.Config{SPNEGO: true}},
		"SPNEGO, SPN that nobody has": {cfg: gssapibind.Config{SPNEGO: true, SPN: "ldap/other.corp.example.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &acceptor{offer: tc.offer}
			dc, k := world(t, a)
			url := dc.PlainURL()
			if tc.tls {
				url = dc.URL()
			}
			n, err := read(t, dc, k, url, tc.cfg)
			if tc.want == 0 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 301, n)
			require.Equal(t, tc.want, a.chosen.Load())
		})
	}
}

func TestChannelBinding(t *testing.T) {
	t.Parallel()
	for name, spnego := range map[string]bool{"GSSAPI": false, "GSS-SPNEGO": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &acceptor{offer: 1}
			var srv *directorytest.Server
			a.cert = func() *x509.Certificate { return srv.Certificate() }
			dc, k := world(t, a)
			srv = dc.Server()
			n, err := read(t, dc, k, dc.URL(), gssapibind.Config{SPNEGO: spnego})
			require.NoError(t, err)
			require.Equal(t, 301, n)
			require.EqualValues(t, 1, a.chosen.Load())
			_, err = read(t, dc, k, dc.URL(), gssapibind.Config{SPNEGO: spnego, NoChannelBind: true})
			require.ErrorIs(t, err, directory.ErrBindRefused, "left out, and the server wants it")
			other, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}}})
			require.NoError(t, err)
			defer other.Close()
			a.cert = other.Certificate // somebody in the middle has another certificate
			_, err = read(t, dc, k, dc.URL(), gssapibind.Config{SPNEGO: spnego})
			require.ErrorIs(t, err, directory.ErrBindRefused)
		})
	}
}

// flip changes one bit of the n-th byte that is written.
type flip struct {
	net.Conn
	left *atomic.Int64
}

func (f flip) Write(p []byte) (int, error) {
	n := f.left.Add(-int64(len(p)))
	if at := n + int64(len(p)); n < 0 && at >= 0 {
		p = append([]byte(nil), p...)
		p[at] ^= 1
	}
	return f.Conn.Write(p)
}

// TestTampered: one bit anywhere behind the bind ends the read; nothing of it is taken for an answer.
func TestTampered(t *testing.T) {
	t.Parallel()
	for name, sign := range map[string]bool{"seal": false, "sign": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var left atomic.Int64
			a := &acceptor{offer: 7, tamper: func(nc net.Conn) net.Conn { return flip{nc, &left} }}
			dc, k := world(t, a)
			left.Store(1 << 40)
			n, err := read(t, dc, k, dc.PlainURL(), gssapibind.Config{SignOnly: sign})
			require.NoError(t, err)
			require.Equal(t, 301, n)
			for at := int64(0); at < 3000; at += 101 {
				left.Store(at)
				n, err := read(t, dc, k, dc.PlainURL(), gssapibind.Config{SignOnly: sign})
				if err == nil { // the restart on a fresh connection was whole
					require.Equal(t, 301, n)
				}
			}
		})
	}
}
