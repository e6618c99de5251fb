package kerberos_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// panicking is a connection that breaks its reader.
type panicking struct{ net.Conn }

func (panicking) Read([]byte) (int, error) { panic("canary-of-the-panic") }

// KDCs are asked in goroutines: what panics there must not end the program, and the next KDC is asked.
func TestPanicInAnExchange(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	k := startCorp(t, nil)
	for _, kdcs := range [][]string{{"127.0.0.1:1"}, {"127.0.0.1:1", k.Addr()}} {
		log.Reset()
		a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
			c.Realms[0].KDCs, c.Logger = kdcs, slog.New(slog.NewTextHandler(&log, nil))
			c.Network.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, k.Addr())
				if addr == "127.0.0.1:1" && err == nil {
					return panicking{conn}, nil
				}
				return conn, err
			}
		})
		_, err := a.Password(t.Context(), "alice", []byte(alicePW))
		if len(kdcs) == 1 {
			require.Equal(t, "kdc_not_trusted", reason(err), detail(err))
		} else {
			require.NoError(t, err, detail(err))
		}
		require.Contains(t, log.String(), "defect: panic")
		require.NotContains(t, log.String(), "canary")
	}
}

// relay passes a sign-in through to a KDC and changes its answers: n counts them from 0.
func relay(k *kerberostest.KDC, change func(n int, reply []byte) []byte) func(context.Context, string, string) (net.Conn, error) {
	n := 0
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		real, err := new(net.Dialer).DialContext(ctx, network, k.Addr())
		if err != nil {
			return nil, err
		}
		here, there := net.Pipe()
		i := n
		n++
		go func() {
			defer there.Close() //nolint:errcheck // the test's end of a pipe
			defer real.Close()  //nolint:errcheck // a test
			req, err := readFrame(there)
			if err != nil || writeFrame(real, req) != nil {
				return
			}
			if reply, err := readFrame(real); err == nil {
				_ = writeFrame(there, change(i, reply))
			}
		}()
		return here, nil
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeFrame(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}
