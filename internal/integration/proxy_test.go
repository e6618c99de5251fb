//go:build lab

package integration_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// cutProxy forwards to an address and ends each connection after so many bytes of answers. It returns an ldaps URL.
func cutProxy(t *testing.T, to string, limit int64) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go forward(client, to, limit)
		}
	}()
	return "ldaps://" + ln.Addr().String()
}

func forward(client net.Conn, to string, limit int64) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() { _, _ = io.Copy(server, client) }()
	_, _ = io.CopyN(client, server, limit)
}
