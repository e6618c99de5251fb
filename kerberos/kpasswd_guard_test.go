package kerberos_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// changer is the password change service with everything in the test's hand.
type changer struct {
	session, sub *etype.Key // of the client's request
	rep          wire.APRepPart
	priv         wire.PrivPart
	repKey       *etype.Key
	privKey      *etype.Key
}

// open reads a client's request and prepares the answer of an honest service.
func (c *changer) open(t *testing.T, k *kerberostest.KDC, req []byte) {
	t.Helper()
	n := int(binary.BigEndian.Uint16(req[4:]))
	ap, err := wire.ParseAPReq(req[6 : 6+n])
	require.NoError(t, err)
	plain, err := ap.Ticket.Enc.Open(serviceKeyOf(t, k, "kadmin/changepw", ap.Ticket.Enc.EType), wire.UsageTicket)
	require.NoError(t, err)
	part, err := wire.ParseTicketPart(plain)
	require.NoError(t, err)
	plain, err = ap.Auth.Open(part.Key, wire.UsageAPReqAuth)
	require.NoError(t, err)
	auth, err := wire.ParseAuthenticator(plain)
	require.NoError(t, err)
	c.session, c.sub = part.Key, auth.Subkey
	c.repKey, c.privKey = part.Key, auth.Subkey
	c.rep = wire.APRepPart{CTime: auth.CTime, Seq: 77}
	c.priv = wire.PrivPart{UserData: []byte{0, 0}, Seq: 77, Sender: wire.Address{Type: 2, Data: []byte{127, 0, 0, 1}}}
}

func (c *changer) encode(t *testing.T) []byte {
	t.Helper()
	rep, err := wire.Seal(c.repKey, wire.UsageAPRep, c.rep.Encode())
	require.NoError(t, err)
	priv, err := wire.Seal(c.privKey, wire.UsagePriv, c.priv.Encode())
	require.NoError(t, err)
	return kpasswdFrame(wire.EncodeAPRep(rep), wire.EncodePriv(priv))
}

func kpasswdFrame(ap, rest []byte) []byte {
	out := binary.BigEndian.AppendUint16(nil, uint16(6+len(ap)+len(rest)))
	out = append(out, 0, 1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(ap)))
	return append(append(out, ap...), rest...)
}

// changeOver changes alice's password at a service that answers with what answer returns.
func changeOver(t *testing.T, answer func(k *kerberostest.KDC, req []byte) []byte) error {
	t.Helper()
	k := startCorp(t, nil)
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Realms[0].KPasswd = []string{"kpasswd:464"}
		c.Network.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != "kpasswd:464" {
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			here, there := net.Pipe()
			go func() {
				defer there.Close() //nolint:errcheck // the test's end of a pipe
				if req, err := readFrame(there); err == nil {
					_ = writeFrame(there, answer(k, req))
				}
			}()
			return here, nil
		}
	})
	return a.ChangePassword(t.Context(), "alice", []byte(alicePW), []byte("Fresh-Garden-7"))
}

// The answer of the password change service is believed only as a whole (RFC 3244 2).
func TestChangePasswordReplies(t *testing.T) {
	t.Parallel()
	random, err := etype.Random(18)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*changer)
		bytes  func([]byte) []byte
		want   string // detail; "" for success
	}{
		"honest":                          {},
		"a sub-key of the service":        {change: func(c *changer) { c.rep.Subkey, c.privKey = random, random }},
		"a sub-key that is not used":      {change: func(c *changer) { c.rep.Subkey = random }},
		"under the session key":           {change: func(c *changer) { c.privKey = c.session }, want: "KRB-PRIV does not decrypt"},
		"a key of nobody":                 {change: func(c *changer) { c.privKey = random }, want: "KRB-PRIV does not decrypt"},
		"a proof with another key":        {change: func(c *changer) { c.repKey = random }, want: "AP-REP of the password change service does not decrypt"},
		"a proof for another time":        {change: func(c *changer) { c.rep.CTime = c.rep.CTime.Add(time.Second) }, want: "AP-REP of the password change service is not for this request"},
		"another sequence number":         {change: func(c *changer) { c.priv.Seq++ }, want: "KRB-PRIV has another sequence number"},
		"half a result code":              {change: func(c *changer) { c.priv.UserData = []byte{0} }, want: "password change result is malformed"},
		"another length":                  {bytes: func(b []byte) []byte { b[1]++; return b }, want: "password change reply is malformed"},
		"too short for a header":          {bytes: func([]byte) []byte { return []byte{0, 5, 0, 1, 0} }, want: "password change reply is malformed"},
		"no proof":                        {bytes: func([]byte) []byte { return kpasswdFrame(nil, []byte("x")) }, want: "password change reply without a proof"},
		"a proof longer than the message": {bytes: func(b []byte) []byte { b[4] = 0xff; return b }, want: "password change reply without a proof"},
		"a proof that is none":            {bytes: func([]byte) []byte { return kpasswdFrame([]byte("x"), []byte("y")) }, want: "AP-REP of the password change service is malformed"},
		"cut after the proof":             {bytes: func(b []byte) []byte { return kpasswdFrame(b[6:6+int(binary.BigEndian.Uint16(b[4:]))], nil) }, want: "KRB-PRIV is malformed"},
		"an unsigned success":             {bytes: func([]byte) []byte { return krbError(60, func(e *wire.KRBError) { e.EData = []byte{0, 0} }) }, want: "error from the password change service"},
		"an unsigned success, framed": {bytes: func([]byte) []byte {
			return kpasswdFrame(nil, krbError(60, func(e *wire.KRBError) { e.EData = []byte{0, 0} }))
		}, want: "error from the password change service"},
		"an error without a code": {bytes: func([]byte) []byte { return krbError(60, func(e *wire.KRBError) { e.EData = []byte{4} }) }, want: "error from the password change service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := changeOver(t, func(k *kerberostest.KDC, req []byte) []byte {
				var s changer
				s.open(t, k, req)
				if c.change != nil {
					c.change(&s)
				}
				b := s.encode(t)
				if c.bytes != nil {
					b = c.bytes(b)
				}
				return b
			})
			if c.want == "" {
				require.NoError(t, err, detail(err))
				return
			}
			require.Equal(t, "kdc_not_trusted", reason(err))
			ae, _ := errors.AsType[*kerberos.AuthError](err)
			require.Equal(t, c.want, ae.Detail)
		})
	}
}

// What the service says of a refused password is fit to be shown.
func TestChangePasswordTexts(t *testing.T) {
	t.Parallel()
	policy := make([]byte, 30)
	policy[5], policy[9] = 12, 24
	for name, c := range map[string]struct{ text, want string }{
		"a text":           {"too short", "too short"},
		"nothing":          {"", ""},
		"AD's policy":      {string(policy), "the password must have at least 12 characters and must not be one of the last 24"},
		"30 letters":       {strings.Repeat("a", 30), strings.Repeat("a", 30)},
		"30, one zero":     {"\x00" + strings.Repeat("a", 29), strings.Repeat("a", 29)},
		"29 zero bytes":    {string(make([]byte, 29)), ""},
		"control bytes":    {"a\x1b[31mb\r\nc\x00", "a[31mbc"},
		"no UTF-8":         {"a\xffb\ufffdc", "abc"},
		"200 characters":   {strings.Repeat("\u00e9", 200), strings.Repeat("\u00e9", 200)},
		"more than 200":    {strings.Repeat("\u00e9", 201), strings.Repeat("\u00e9", 200)},
		"hidden direction": {"a\u202eb", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, framed := range []bool{false, true} {
				err := changeOver(t, func(*kerberostest.KDC, []byte) []byte {
					e := krbError(60, func(e *wire.KRBError) { e.EData = append([]byte{0, 4}, c.text...) })
					if framed {
						return kpasswdFrame(nil, e)
					}
					return e
				})
				ce, ok := errors.AsType[*kerberos.ChangeError](err)
				require.True(t, ok, detail(err))
				require.Equal(t, 4, ce.Code)
				require.Equal(t, c.want, ce.Text)
				require.ErrorIs(t, err, kerberos.ErrPasswordRejected)
				require.NotErrorIs(t, err, kerberos.ErrRefused)
				require.False(t, ce.Retryable())
			}
		})
	}
}

// A request that has left is never sent to a second server; one that found nobody is.
func TestChangePasswordIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first   func(net.Conn) // nil: nobody takes the connection
		changed bool
	}{
		"refused":         {nil, true},
		"cut":             {func(conn net.Conn) { _, _ = readFrame(conn) }, false},
		"an empty answer": {func(conn net.Conn) { _, _ = readFrame(conn); _ = writeFrame(conn, nil) }, false},
		"a huge answer":   {func(conn net.Conn) { _, _ = readFrame(conn); _, _ = conn.Write([]byte{0, 1, 0, 1}) }, false},
		"half an answer":  {func(conn net.Conn) { _, _ = readFrame(conn); _, _ = conn.Write([]byte{0, 0, 0, 9, 1}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startCorp(t, nil)
			var second atomic.Int32
			a := authenticator(t, k, func(cfg *kerberos.AuthenticatorConfig) {
				cfg.Realms[0].KPasswd = []string{"first:464", k.KPasswdAddr()}
				cfg.Network.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					switch {
					case addr == k.KPasswdAddr():
						second.Add(1)
					case addr == "first:464" && c.first == nil:
						return nil, errors.New("refused")
					case addr == "first:464":
						here, there := net.Pipe()
						go func() { defer there.Close(); c.first(there) }() //nolint:errcheck // a test's end
						return here, nil
					}
					return new(net.Dialer).DialContext(ctx, network, addr)
				}
			})
			err := a.ChangePassword(t.Context(), "alice", []byte(alicePW), []byte("Fresh-Garden-7"))
			if c.changed {
				require.NoError(t, err, detail(err))
				require.EqualValues(t, 1, second.Load())
				return
			}
			require.ErrorIs(t, err, kerberos.ErrUnavailable)
			require.Zero(t, second.Load(), "the password may have been changed already")
		})
	}
}

// Without servers of their own password changes go to port 464 of the KDCs, or where DNS says.
func TestChangePasswordServers(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	host, port, err := net.SplitHostPort(k.KPasswdAddr())
	require.NoError(t, err)
	number, err := net.LookupPort("tcp", port)
	require.NoError(t, err)
	kdc, err := net.LookupPort("tcp", k.Addr()[strings.LastIndexByte(k.Addr(), ':')+1:])
	require.NoError(t, err)
	for name, change := range map[string]func(*kerberos.Realm){
		"KDCs": func(r *kerberos.Realm) { r.KPasswd = nil },
		"DNS":  func(r *kerberos.Realm) { r.KPasswd, r.KDCs, r.Discover, r.Site = nil, nil, true, "here" },
	} {
		var asked []string
		a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
			change(&c.Realms[0])
			c.Network.Resolver = resolver{
				"_kpasswd._tcp.corp.example.test": {{Target: host, Port: uint16(number)}}, "_kerberos._tcp.corp.example.test": {{Target: host, Port: uint16(kdc)}},
			}
			c.Network.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				asked = append(asked, addr)
				if addr == host+":464" {
					addr = k.KPasswdAddr()
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
		})
		k.AddUser(kerberostest.User{Name: "alice", Password: alicePW})
		require.NoError(t, a.ChangePassword(t.Context(), "alice", []byte(alicePW), []byte("Fresh-Garden-7")), name)
		require.Equal(t, map[string]string{"KDCs": host + ":464", "DNS": k.KPasswdAddr()}[name], asked[len(asked)-1])
	}
}

// What cannot be a password or an account costs no request: above all, the old password is not shown for nothing.
func TestChangePasswordNothingSent(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	a := authenticator(t, k, nil)
	old, fresh := []byte(alicePW), []byte("Fresh-Garden-7")
	for name, err := range map[string]error{
		"change, empty": a.ChangePassword(t.Context(), "alice", old, nil), "change, NUL": a.ChangePassword(t.Context(), "alice", old, []byte("Fresh\x00Garden-7")),
		"set, empty": a.SetPassword(t.Context(), "alice", old, "bob", nil), "set, nobody": a.SetPassword(t.Context(), "alice", old, "", fresh),
		"set, control character": a.SetPassword(t.Context(), "alice", old, "b\nob", fresh),
	} {
		require.ErrorIs(t, err, kerberos.ErrPasswordRejected, name)
	}
	require.Equal(t, "bad_credentials", reason(a.ChangePassword(t.Context(), "alice", nil, fresh)))
	require.Equal(t, "unknown_domain", reason(a.ChangePassword(t.Context(), `OTHER\alice`, old, fresh)))
	require.Empty(t, k.Requests())
}
