package kerberos_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// scripted answers every connection with the same message.
func scripted(reply []byte) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close() //nolint:errcheck // the test's end of a pipe
			var head [4]byte
			if _, err := io.ReadFull(there, head[:]); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, there, int64(binary.BigEndian.Uint32(head[:]))); err != nil {
				return
			}
			_, _ = there.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(reply))), reply...))
		}()
		return here, nil
	}
}

// recorded are the real replies of one sign-in, in order.
func recorded(tb testing.TB) [][]byte {
	tb.Helper()
	k := startCorp(tb, nil)
	var out [][]byte
	a := authenticator(tb, k, func(c *kerberos.AuthenticatorConfig) {
		c.Network.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &tap{Conn: conn, out: &out}, err
		}
	})
	_, err := a.Password(tb.Context(), "alice", []byte(alicePW))
	require.NoError(tb, err)
	return out
}

// tap keeps what is read after the length prefix.
type tap struct {
	net.Conn
	out  *[][]byte
	head bool
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	if t.head && n > 0 {
		*t.out = append(*t.out, bytes.Clone(b[:n]))
	}
	t.head = true
	return n, err
}

// FuzzKDCReply: whatever a KDC says to the first request, nobody is signed in and nothing breaks.
func FuzzKDCReply(f *testing.F) {
	for _, r := range recorded(f) {
		f.Add(r)
	}
	k := startCorp(f, nil)
	kt := k.Keytab(spn)
	f.Fuzz(func(t *testing.T, reply []byte) {
		if len(reply) == 0 {
			return
		}
		a, err := kerberos.NewAuthenticator(kerberos.AuthenticatorConfig{
			Realms: []kerberos.Realm{{Name: corpName, KDCs: []string{"kdc:88"}}}, Service: kerberos.Service{SPN: spn, Keytab: kt},
			Network: kerberos.NetworkConfig{Dial: scripted(reply), AnswerTimeout: 5 * time.Second}, MaxIterations: 100,
		})
		require.NoError(t, err)
		id, err := a.Password(t.Context(), "alice", []byte(alicePW))
		require.Error(t, err)
		require.Nil(t, id)
		_, isAuth := errors.AsType[*kerberos.AuthError](err)
		_, isOutside := errors.AsType[*kerberos.OutsideError](err)
		require.True(t, isAuth || isOutside, "%v", err)
	})
}

// FuzzAccept: a token that is not a client's own is refused.
func FuzzAccept(f *testing.F) {
	k := startCorp(f, nil)
	cl := client(f, k, nil)
	for _, s := range []bool{false, true} {
		in, err := cl.Initiate(f.Context(), kerberos.InitiateConfig{SPN: spn, SPNEGO: s})
		require.NoError(f, err)
		f.Add(in.Token)
	}
	f.Add([]byte("NTLMSSP\x00\x01"))
	a := acceptor(f, k, nil)
	f.Fuzz(func(t *testing.T, token []byte) {
		acc, err := a.Accept(t.Context(), token, kerberos.AcceptInput{})
		if err == nil {
			require.Equal(t, "alice@CORP.EXAMPLE.TEST", acc.Principal)
			return
		}
		require.Nil(t, acc)
		_, _ = a.AcceptAPReq(t.Context(), token, kerberos.AcceptInput{})
	})
}

// FuzzUnwrap: messages that the peer did not wrap are refused.
func FuzzUnwrap(f *testing.F) {
	k := startCorp(f, nil)
	in, err := client(f, k, nil).Initiate(f.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(f, err)
	acc, err := acceptor(f, k, nil).Accept(f.Context(), in.Token, kerberos.AcceptInput{})
	require.NoError(f, err)
	sc, err := in.Finish(acc.Reply)
	require.NoError(f, err)
	for _, seal := range []bool{true, false} {
		w, err := acc.Context.Wrap([]byte("message"), seal)
		require.NoError(f, err)
		f.Add(w)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if msg, _, err := sc.Unwrap(b); err == nil {
			require.Equal(t, "message", string(msg))
		}
		_ = sc.VerifyMIC([]byte("message"), b)
	})
}

func FuzzParseCCache(f *testing.F) {
	f.Add(ccache())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := kerberos.ParseCCache(b)
		require.Equal(t, err == nil, c != nil)
	})
}

func FuzzParseKrb5Conf(f *testing.F) {
	f.Add([]byte("[libdefaults]\n default_realm = R\n[realms]\n R = {\n kdc = x\n }\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := kerberos.ParseKrb5Conf(b)
		require.Equal(t, err == nil, c != nil)
	})
}

// FuzzKpasswdReply: whatever the password change service answers, nothing is taken for a success that it did not prove.
func FuzzKpasswdReply(f *testing.F) {
	k := startCorp(f, nil)
	f.Add([]byte{0, 6, 0, 1, 0, 0})
	f.Add(wire.KRBError{STime: time.Unix(1, 0), Code: 60, Realm: "R", EData: []byte{0, 3, 'x'}}.Encode())
	f.Add(wire.KRBError{STime: time.Unix(1, 0), Code: 60, Realm: "R", EData: []byte{0, 0}}.Encode()) // an unsigned success
	f.Fuzz(func(t *testing.T, reply []byte) {
		if len(reply) == 0 {
			return
		}
		k.AddUser(kerberostest.User{Name: "alice", Password: alicePW})
		r := k.Realm()
		r.KPasswd = []string{"kpasswd:464"}
		a, err := kerberos.NewAuthenticator(kerberos.AuthenticatorConfig{
			Realms: []kerberos.Realm{r}, Service: kerberos.Service{SPN: spn, Keytab: k.Keytab(spn)},
			Network: kerberos.NetworkConfig{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == "kpasswd:464" {
					return scripted(reply)(ctx, network, addr)
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}},
		})
		require.NoError(t, err)
		require.Error(t, a.ChangePassword(t.Context(), "alice", []byte(alicePW), []byte("Fresh-Garden-7")))
	})
}
