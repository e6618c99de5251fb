package addoctor_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/addoctor"
)

// TestHostileServers: whatever answers on the directory's port, the examination ends with a finding, and its memory is bounded.
func TestHostileServers(t *testing.T) { //nolint:paralleltest // counts allocated bytes
	for name, answer := range map[string]func(nc net.Conn){
		"silence": func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) },
		"garbage": func(nc net.Conn) { _, _ = nc.Write(bytes.Repeat([]byte("garbage "), 1<<16)) },
		"many small elements": func(nc net.Conn) {
			_, _ = nc.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})
			for {
				if _, err := nc.Write(bytes.Repeat([]byte{0x05, 0x00}, 1<<16)); err != nil {
					return
				}
			}
		},
		"deep nesting": func(nc net.Conn) { _, _ = nc.Write(bytes.Repeat([]byte{0x30, 0x80}, 1<<18)) },
		"huge length":  func(nc net.Conn) { _, _ = nc.Write([]byte{0x04, 0x84, 0x7f, 0xff, 0xff, 0xff}) },
		"closed":       func(net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // counts allocated bytes
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer l.Close() //nolint:errcheck // the test ends
			go func() {
				for {
					nc, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
						answer(nc)
						_ = nc.Close()
					}()
				}
			}()
			for _, scheme := range []string{"ldap://", "ldaps://"} {
				w := newWorld(t)
				w.opt.Patience = 500 * time.Millisecond
				w.domain()["ldap"] = []string{scheme + l.Addr().String()}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				r := w.run()
				runtime.ReadMemStats(&after)
				require.NotZero(t, r.ExitCode(), text(r))
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(128<<20))
				_, err := json.Marshal(r)
				require.NoError(t, err)
				found := false
				for _, c := range r.Checks {
					found = found || c.State == addoctor.Failed && c.Step == "tls"
				}
				require.True(t, found, text(r))
			}
		})
	}
}
