package gssapibind_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/gssapibind"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

var errRefuse = errors.New("refused")

// TestHostileServer: each step of the exchange that a server turns into something else ends the bind.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	at := func(n int, reply func(x *exchange) ([]byte, error), done bool) func(int, *exchange, []byte, bool) ([]byte, bool, error) {
		return func(step int, x *exchange, was []byte, wasDone bool) ([]byte, bool, error) {
			if step != n {
				return was, wasDone, nil
			}
			if reply == nil {
				return was, done, nil
			}
			r, err := reply(x)
			return r, done, err
		}
	}
	refuse := func(*exchange) ([]byte, error) { return nil, errRefuse }
	garbage := func(*exchange) ([]byte, error) { return []byte("not a token"), nil }
	nothing := func(*exchange) ([]byte, error) { return []byte{}, nil }
	for name, tc := range map[string]struct {
		hostile func(int, *exchange, []byte, bool) ([]byte, bool, error)
		message []byte
		spnego  bool
		want    string // "" means a refusal
	}{
		"first step refused":          {hostile: at(1, refuse, false)},
		"no proof":                    {hostile: at(1, garbage, false), want: "did not prove itself"},
		"empty proof":                 {hostile: at(1, nothing, false), want: "did not prove itself"},
		"done after the first step":   {hostile: at(1, nil, true), want: "without a choice of layers"},
		"second step refused":         {hostile: at(2, refuse, false)},
		"done after the second step":  {hostile: at(2, nil, true), want: "without a choice of layers"},
		"offer is garbage":            {hostile: at(2, garbage, false), want: "not genuine"},
		"offer too short":             {message: []byte{7, 0, 16}, want: "not genuine"},
		"offer too long":              {message: []byte{7, 0, 16, 0, 0}, want: "not genuine"},
		"offer of nothing":            {message: []byte{0, 0, 16, 0}, want: "no layer that protects"},
		"offer without room":          {message: []byte{7, 0, 0, 20}, want: "takes no message at all"},
		"third step refused":          {hostile: at(3, refuse, false)},
		"a fourth step":               {hostile: at(3, nil, false), want: "does not end"},
		"SPNEGO refused":              {hostile: at(1, refuse, false), spnego: true},
		"SPNEGO without proof":        {hostile: at(1, garbage, true), spnego: true, want: "did not prove itself"},
		"SPNEGO with an empty answer": {hostile: at(1, nothing, true), spnego: true, want: "did not prove itself"},
		"SPNEGO goes on":              {hostile: at(1, nil, false), spnego: true, want: "does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dc, k := world(t, &acceptor{offer: 7, hostile: tc.hostile, message: tc.message})
			_, err := read(t, dc, k, dc.PlainURL(), gssapibind.Config{SPNEGO: tc.spnego})
			if tc.want == "" {
				require.ErrorIs(t, err, directory.ErrBindRefused)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestEndpoint: a certificate for which no channel binding is defined, and a server that does not say its name, end the bind
// before a ticket is shown.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	_, err := gssapibind.New(gssapibind.Config{})
	require.Error(t, err)
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"dc1.corp.example.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(nil, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)

	_, k := world(t, &acceptor{})
	bind := func(url string, server func(net.Conn)) error {
		cl, err := kerberos.NewClient(kerberos.ClientConfig{Realms: []kerberos.Realm{k.Realm()}, Principal: "svc-sync@CORP.EXAMPLE.TEST", Password: []byte("Correct-Horse-1")})
		require.NoError(t, err)
		defer cl.Close()
		b, err := gssapibind.New(gssapibind.Config{Client: cl})
		require.NoError(t, err)
		c, err := directory.New(directory.Config{
			Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go server(theirs)
				return ours, nil
			},
			Domains: []directory.Domain{{DNS: "corp.example.test", Servers: []string{url}, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Bind: b}},
		})
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		_, err = c.ServerInfo(t.Context(), "")
		return err
	}
	err = bind("ldaps://dc1.corp.example.test", func(nc net.Conn) {
		s := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12})
		_, _ = io.Copy(io.Discard, s)
		_ = s.Close()
	})
	require.ErrorContains(t, err, "gssapibind: channel binding")
	err = bind("ldap://192.0.2.1", func(nc net.Conn) { _ = nc.Close() })
	require.Error(t, err)
	require.True(t, directory.Temporary(err), err)
}

// pair makes both ends of a security context.
func pair(t *testing.T, a *acceptor, k *kerberostest.KDC) (client, server *kerberos.SecContext) {
	t.Helper()
	cl, err := kerberos.NewClient(kerberos.ClientConfig{Realms: []kerberos.Realm{k.Realm()}, Principal: "svc-sync@CORP.EXAMPLE.TEST", Password: []byte("Correct-Horse-1")})
	require.NoError(t, err)
	defer cl.Close()
	in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: "ldap/dc1.corp.example.test"})
	require.NoError(t, err)
	got, err := a.acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.NoError(t, err)
	client, err = in.Finish(got.Reply)
	require.NoError(t, err)
	return client, got.Context
}

// TestHostileLayer: messages of a peer that keeps the session key and breaks the rules, or loses the connection.
func TestHostileLayer(t *testing.T) {
	t.Parallel()
	a := &acceptor{}
	_, k := world(t, a)
	frame := func(t *testing.T, sc *kerberos.SecContext, text string, seal bool) []byte {
		t.Helper()
		token, err := sc.Wrap([]byte(text), seal)
		require.NoError(t, err)
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)
	}
	for name, tc := range map[string]struct {
		seal bool
		send func(t *testing.T, sc *kerberos.SecContext) []byte
		want string // what can be read
		is   error  // how it ends; nil means any error but io.EOF
	}{
		"whole":  {true, func(t *testing.T, sc *kerberos.SecContext) []byte { t.Helper(); return frame(t, sc, "abc", true) }, "abc", io.EOF},
		"signed": {false, func(t *testing.T, sc *kerberos.SecContext) []byte { t.Helper(); return frame(t, sc, "abc", false) }, "abc", io.EOF},
		"an empty one first": {true, func(t *testing.T, sc *kerberos.SecContext) []byte {
			t.Helper()
			return append(frame(t, sc, "", true), frame(t, sc, "abc", true)...)
		}, "abc", io.EOF},
		"signed, not sealed": {true, func(t *testing.T, sc *kerberos.SecContext) []byte { t.Helper(); return frame(t, sc, "abc", false) }, "", nil},
		"twice": {true, func(t *testing.T, sc *kerberos.SecContext) []byte {
			t.Helper()
			f := frame(t, sc, "abc", true)
			return append(f, f...)
		}, "abc", nil},
		"left out": {true, func(t *testing.T, sc *kerberos.SecContext) []byte {
			t.Helper()
			_ = frame(t, sc, "abc", true)
			return frame(t, sc, "def", true)
		}, "", nil},
		"no token":       {true, func(*testing.T, *kerberos.SecContext) []byte { return make([]byte, 4) }, "", nil},
		"too long":       {true, func(*testing.T, *kerberos.SecContext) []byte { return []byte{1, 0, 0, 0} }, "", nil},
		"cut in a token": {true, func(t *testing.T, sc *kerberos.SecContext) []byte { t.Helper(); return frame(t, sc, "abc", true)[:20] }, "", io.ErrUnexpectedEOF},
		"cut behind a length": {true, func(t *testing.T, sc *kerberos.SecContext) []byte {
			t.Helper()
			return frame(t, sc, "abc", true)[:4]
		}, "", io.ErrUnexpectedEOF},
		"cut in a length": {true, func(t *testing.T, sc *kerberos.SecContext) []byte { t.Helper(); return frame(t, sc, "abc", true)[:2] }, "", io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := pair(t, a, k)
			ours, theirs := net.Pipe()
			bytes := tc.send(t, server)
			go func() {
				_, _ = theirs.Write(bytes)
				_ = theirs.Close()
			}()
			l := gssapibind.Layer(ours, client, tc.seal, 1<<16)
			var got []byte
			buf, err := make([]byte, 2), error(nil)
			for n := 0; err == nil; got = append(got, buf[:n]...) {
				n, err = l.Read(buf)
			}
			require.Equal(t, tc.want, string(got))
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
			} else {
				require.NotErrorIs(t, err, io.EOF)
			}
			_, again := l.Read(buf)
			require.Equal(t, err, again, "an error stays")
		})
	}
	client, _ := pair(t, a, k)
	ours, _ := net.Pipe()
	_, err := gssapibind.Layer(ours, client, true, 10).Write([]byte("x"))
	require.ErrorContains(t, err, "takes no message at all")
}
