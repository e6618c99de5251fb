package directory_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// protecting is a binder that says it protects the connection by itself, as GSSAPI with sign and seal does.
type protecting struct{ directory.Binder }

func (protecting) ProtectsConnection() bool { return true }

// Bind puts a layer that changes nothing over the connection, so that the tap can read what goes through it.
func (p protecting) Bind(ctx context.Context, s *directory.BindSession) error {
	if err := s.Wrap(unchanged); err != nil { //nolint:contextcheck // Wrap waits for nothing
		return err
	}
	return p.Binder.Bind(ctx, s)
}

func unchanged(nc net.Conn) net.Conn { return nc }

// wiretap keeps what a client writes to its sockets.
type wiretap struct {
	mu   sync.Mutex
	sent bytes.Buffer
}

type tappedConn struct {
	net.Conn
	tap *wiretap
}

func (c tappedConn) Write(b []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.sent.Write(b)
	c.tap.mu.Unlock()
	return c.Conn.Write(b)
}

func (w *wiretap) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return tappedConn{nc, w}, nil
}

// A password that is tried goes over TLS even where our own bind needs none: what protects that bind does not protect this one.
func TestTriedPasswordIsNeverSentInClear(t *testing.T) {
	t.Parallel()
	const right, wrong = "Right-Password-Canary", "Wrong-Password-Canary"
	_, dc := lab(t, directorytest.Config{})
	dc.AddUser(directorytest.User{Name: "alice", Password: right})
	tap := &wiretap{}
	c := connect(t, func(cfg *directory.Config) {
		cfg.Dial = tap.dial
		cfg.Domains[0].Servers = []string{dc.PlainURL()}
		cfg.Domains[0].Bind = protecting{cfg.Domains[0].Bind}
	}, dc)
	_, err := c.Resolve(t.Context(), `CORP\alice`)
	require.NoError(t, err)
	require.Contains(t, tap.sent.String(), "sAMAccountName", "our own connection is the plain one that the tap can read")
	for _, tried := range []string{wrong, right} {
		tap.sent.Reset()
		_, err = c.VerifyPassword(t.Context(), `CORP\alice`, []byte(tried))
		require.Equal(t, tried == right, err == nil, "%v", err)
		require.NotContains(t, tap.sent.String(), tried)
	}
}
