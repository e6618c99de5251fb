package integration_test

import (
	"net"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ports hands out each number once. They lie below the range from which systems take ports for outgoing connections (32768
// and up on Linux), so that between the look here and the start of a server nobody but another server can have taken one;
// another run of these tests starts elsewhere.
var ports = struct {
	sync.Mutex
	next int
}{next: 20000 + os.Getpid()%100*100}

// neighbourPorts returns the first of n free ports in a row, for TCP and UDP at 127.0.0.1.
func neighbourPorts(tb testing.TB, n int) int {
	tb.Helper()
	ports.Lock()
	defer ports.Unlock()
	for first := ports.next; first+n <= 32768; first++ {
		if free := freeFrom(first, n); free == n {
			ports.next = first + n
			return first
		}
	}
	require.FailNow(tb, "no free ports")
	return 0
}

// freeFrom counts the free ports from first on, up to n.
func freeFrom(first, n int) int {
	for i := range n {
		addr := "127.0.0.1:" + strconv.Itoa(first+i)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return i
		}
		_ = l.Close()
		u, err := net.ListenPacket("udp", addr)
		if err != nil {
			return i
		}
		_ = u.Close()
	}
	return n
}

func freePort(tb testing.TB) string {
	tb.Helper()
	return strconv.Itoa(neighbourPorts(tb, 1))
}
