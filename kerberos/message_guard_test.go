package kerberos_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/der"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// contexts are both ends of an established context.
func contexts(t *testing.T, k *kerberostest.KDC, cl *kerberos.Client, change func(*kerberos.AcceptorConfig)) (client, server *kerberos.SecContext) {
	t.Helper()
	in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	acc, err := acceptor(t, k, change).Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.NoError(t, err, detail(err))
	sc, err := in.Finish(acc.Reply)
	require.NoError(t, err)
	return sc, acc.Context
}

// Messages count in their direction, in their order and as a whole; every byte of the header matters.
func TestMessagesMIC(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	cl := client(t, k, nil)
	mine, theirs := contexts(t, k, cl, nil)
	other, _ := contexts(t, k, cl, nil)
	mic, err := mine.MIC([]byte("message"))
	require.NoError(t, err)
	for i := range mic {
		for _, bit := range []byte{1, 2, 4, 0x80} {
			c := bytes.Clone(mic)
			c[i] ^= bit
			require.ErrorIs(t, theirs.VerifyMIC([]byte("message"), c), kerberos.ErrMessage, "byte %d", i)
		}
	}
	for n := range mic {
		require.ErrorIs(t, theirs.VerifyMIC([]byte("message"), mic[:n]), kerberos.ErrMessage)
	}
	foreign, err := other.MIC([]byte("message"))
	require.NoError(t, err)
	require.ErrorIs(t, theirs.VerifyMIC([]byte("message"), foreign), kerberos.ErrMessage, "of another context")
	second, err := mine.MIC([]byte("message"))
	require.NoError(t, err)
	require.ErrorIs(t, theirs.VerifyMIC([]byte("message"), second), kerberos.ErrMessage, "before the first one")
	require.NoError(t, theirs.VerifyMIC([]byte("message"), mic))
	require.ErrorIs(t, theirs.VerifyMIC([]byte("message"), mic), kerberos.ErrMessage, "twice")
	require.NoError(t, theirs.VerifyMIC([]byte("message"), second))
	wrapped, err := mine.Wrap([]byte("message"), false)
	require.NoError(t, err)
	require.ErrorIs(t, theirs.VerifyMIC([]byte("message"), wrapped), kerberos.ErrMessage, "a wrapped message is no signature")
	_, _, err = theirs.Unwrap(second)
	require.ErrorIs(t, err, kerberos.ErrMessage, "a signature is no wrapped message")
}

// A client that asks for no order gets none: numbers may be left out, the rest still counts.
func TestMessagesWithoutOrder(t *testing.T) {
	t.Parallel()
	k, p := token(t)
	p.auth.Checksum.Sum[20] &^= 4 | 8 // replay and sequence
	acc, err := acceptor(t, k, nil).Accept(t.Context(), p.together(t), kerberos.AcceptInput{})
	require.NoError(t, err, detail(err))
	w, err := acc.Context.Wrap([]byte("x"), true)
	require.NoError(t, err)
	_, _, err = acc.Context.Unwrap(w)
	require.ErrorIs(t, err, kerberos.ErrMessage, "our own message")
	in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn, NoMutual: true})
	require.NoError(t, err)
	q := takeApart(t, k, in.Token)
	q.auth.Checksum.Sum[20] &^= 4 | 8
	loose, err := acceptor(t, k, nil).Accept(t.Context(), q.together(t), kerberos.AcceptInput{})
	require.NoError(t, err, detail(err))
	sc, err := in.Finish(nil)
	require.NoError(t, err)
	for range 3 {
		w, err = sc.Wrap([]byte("later"), true)
		require.NoError(t, err)
	}
	got, sealed, err := loose.Context.Unwrap(w)
	require.NoError(t, err, "the first two were lost")
	require.True(t, sealed)
	require.Equal(t, "later", string(got))
}

// Messages are not protected with RC4, whose tokens have another form (RFC 4757 7).
func TestMessagesNotWithRC4(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) { c.ETypes = []int32{23} })
	cl := client(t, k, func(c *kerberos.ClientConfig) { c.AllowRC4, c.EncTypes = true, []int32{23} })
	_, theirs := contexts(t, k, cl, func(c *kerberos.AcceptorConfig) { c.AllowRC4 = true })
	_, err := theirs.Wrap([]byte("x"), true)
	require.ErrorContains(t, err, "RC4")
	_, _, err = theirs.Unwrap(make([]byte, 64))
	require.ErrorContains(t, err, "RC4")
	_, err = theirs.MIC([]byte("x"))
	require.ErrorContains(t, err, "RC4")
	require.ErrorContains(t, theirs.VerifyMIC([]byte("x"), make([]byte, 64)), "RC4")
}

// What a service may answer to a SPNEGO token: its proof, in a completed negotiation.
func TestFinishNegotiation(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	cl, acc := client(t, k, nil), acceptor(t, k, nil)
	krb5 := der.TLV(der.TagOID, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2})
	tlv := der.TLV
	resp := func(state byte, rep []byte) []byte {
		return tlv(0xa1, tlv(0x30, tlv(0xa0, []byte{0x0a, 1, state}), tlv(0xa1, krb5), tlv(0xa2, tlv(4, rep)), tlv(0xa3, tlv(4, []byte("mic")))))
	}
	for name, c := range map[string]struct {
		noMutual bool
		change   func(bare []byte) []byte
		ok       bool
	}{
		"completed":                    {false, func(b []byte) []byte { return resp(0, b) }, true},
		"without a state":              {false, func(b []byte) []byte { return tlv(0xa1, tlv(0x30, tlv(0xa2, tlv(4, b)))) }, true},
		"incomplete":                   {false, func(b []byte) []byte { return resp(1, b) }, false},
		"rejected, with a right proof": {false, func(b []byte) []byte { return resp(2, b) }, false},
		"bytes after it":               {false, func(b []byte) []byte { return append(resp(0, b), 0) }, false},
		"no proof":                     {false, func([]byte) []byte { return tlv(0xa1, tlv(0x30, tlv(0xa0, []byte{0x0a, 1, 0}))) }, false},
		"nothing":                      {false, func([]byte) []byte { return nil }, false},
		"not asked for, nothing":       {true, func([]byte) []byte { return nil }, true},
		"not asked for, completed":     {true, func([]byte) []byte { return tlv(0xa1, tlv(0x30, tlv(0xa0, []byte{0x0a, 1, 0}))) }, true},
		"not asked for, rejected":      {true, func([]byte) []byte { return tlv(0xa1, tlv(0x30, tlv(0xa0, []byte{0x0a, 1, 2}))) }, false},
		"not asked for, garbage":       {true, func([]byte) []byte { return []byte("x") }, false},
		"an error in place of it": {false, func(b []byte) []byte {
			c := bytes.Clone(b)
			c[bytes.Index(c, []byte{2, 0, 0x6f})] = 3
			return resp(0, c)
		}, false},
	} {
		in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn, SPNEGO: true, NoMutual: c.noMutual})
		require.NoError(t, err)
		got, err := acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
		require.NoError(t, err)
		var bare []byte
		seq := der.New(got.Reply)
		seq = seq.Field(1)
		seq = seq.Seq()
		seq.Opt(0)
		seq.Opt(1)
		if proof, ok := seq.Opt(2); ok {
			bare = proof.Octets()
		}
		_, err = in.Finish(c.change(bare))
		require.Equal(t, c.ok, err == nil, name)
		if err != nil {
			require.ErrorIs(t, err, kerberos.ErrMutual, name)
		}
	}
}

// A proof without a sub-key of the service leaves the client's in use; a proof for another instant is none.
func TestFinishProof(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	cl := client(t, k, nil)
	random, err := etype.Random(18)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*wire.APRepPart)
		key    *etype.Key // nil: the session key
		ok     bool
	}{
		"no sub-key": {func(*wire.APRepPart) {}, nil, true}, "another time": {func(p *wire.APRepPart) { p.CTime = p.CTime.Add(time.Microsecond) }, nil, false},
		"another key": {func(*wire.APRepPart) {}, random, false},
	} {
		in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
		require.NoError(t, err)
		p := takeApart(t, k, in.Token)
		part := wire.APRepPart{CTime: p.auth.CTime, Seq: 5}
		c.change(&part)
		key := c.key
		if key == nil {
			key = p.tkt.Key
		}
		sealed, err := wire.Seal(key, wire.UsageAPRep, part.Encode())
		require.NoError(t, err)
		oid := der.TLV(der.TagOID, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2})
		_, err = in.Finish(der.TLV(der.App(0), oid, []byte{2, 0}, wire.EncodeAPRep(sealed)))
		require.Equal(t, c.ok, err == nil, name)
	}
}

// proofs watches the connections that carry a proof of a password.
type proofs struct {
	mu         sync.Mutex
	sent, open int
	atOnce     bool
}

type watched struct {
	net.Conn
	p      *proofs
	silent bool
	done   chan struct{}
	once   *sync.Once
}

// Write swallows the first proof.
func (w *watched) Write(b []byte) (int, error) {
	req, err := wire.ParseKDCReq(b[4:])
	if _, has := wire.FindPA(req.PAData, wire.PAEncTS); err != nil || !has {
		return w.Conn.Write(b)
	}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.p.atOnce = w.p.atOnce || w.p.open > 0
	w.p.sent++
	if w.p.sent > 1 {
		return w.Conn.Write(b)
	}
	w.p.open++
	w.silent = true
	return len(b), nil
}

func (w *watched) Read(b []byte) (int, error) {
	if w.silent {
		<-w.done
		return 0, net.ErrClosed
	}
	return w.Conn.Read(b)
}

func (w *watched) Close() error {
	w.once.Do(func() {
		w.p.mu.Lock()
		defer w.p.mu.Unlock()
		if w.silent {
			w.p.open--
		}
		close(w.done)
	})
	return w.Conn.Close()
}

// A proof of the password is never on its way to two KDCs at once: the next one gets it when the first has not answered.
func TestProofIsNotHedged(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	p := new(proofs)
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Realms[0].KDCs = []string{"one:88", "two:88"}
		c.Network.HedgeAfter, c.Network.AnswerTimeout = 10*time.Millisecond, 500*time.Millisecond
		c.Network.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, k.Addr())
			return &watched{Conn: conn, p: p, done: make(chan struct{}), once: new(sync.Once)}, err
		}
	})
	_, _ = a.Password(t.Context(), "alice", []byte(alicePW)) // on a machine that stands still the second KDC may be late, too
	p.mu.Lock()
	defer p.mu.Unlock()
	require.False(t, p.atOnce)
	require.LessOrEqual(t, p.sent, 2)
}

// A sign-in stays with the KDC that answered: what it replicates last is what it knows best.
func TestSignInStaysWithItsKDC(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	var mu sync.Mutex
	var asked []string
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Realms[0].KDCs = []string{"silent:88", "two:88"}
		c.Network.HedgeAfter = 10 * time.Millisecond
		c.Network.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			asked = append(asked, addr)
			mu.Unlock()
			if addr == "silent:88" {
				here, there := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, there) }()
				return here, nil
			}
			return new(net.Dialer).DialContext(ctx, network, k.Addr())
		}
	})
	_, err := a.Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err, detail(err))
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"silent:88", "two:88", "two:88"}, asked[:3], "the proof goes where the first answer came from")
}
