package kerberostest_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

func Example() {
	kdc, err := kerberostest.Start(kerberostest.Config{Realm: "CORP.EXAMPLE.TEST", Users: []kerberostest.User{{Name: "alice", Password: "secret"}}})
	if err != nil {
		panic(err)
	}
	defer kdc.Close()
	fmt.Println(kdc.Realm().Name, kdc.Realm().NetBIOS, kdc.UserSID("alice") != "")
	// Output: CORP.EXAMPLE.TEST CORP true
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]kerberostest.Config{"no realm": {}, "lower case": {Realm: "corp.test"}, "bad SID": {Realm: "A.TEST", DomainSID: "x"}} {
		k, err := kerberostest.Start(cfg)
		require.Error(t, err, name)
		require.Nil(t, k)
	}
}

func TestFixedIdentifiers(t *testing.T) {
	t.Parallel()
	start := func(cfg kerberostest.Config) *kerberostest.KDC {
		k, err := kerberostest.Start(cfg)
		require.NoError(t, err)
		t.Cleanup(k.Close)
		return k
	}
	a, b := start(kerberostest.Config{Realm: "A.TEST"}), start(kerberostest.Config{Realm: "A.TEST"})
	require.Equal(t, a.DomainSID(), b.DomainSID(), "the same realm has the same SID in every run")
	require.NotEqual(t, a.DomainSID(), start(kerberostest.Config{Realm: "B.TEST"}).DomainSID())
	c := start(kerberostest.Config{Realm: "C.TEST", DomainSID: "S-1-5-21-1-2-3", Users: []kerberostest.User{{Name: "x", RID: 1777}, {Name: "y"}}})
	require.Equal(t, "S-1-5-21-1-2-3-1777", c.UserSID("X"))
	require.Empty(t, c.UserSID("nobody"))
	before := c.UserSID("y")
	c.AddUser(kerberostest.User{Name: "y", Password: "new"})
	require.Equal(t, before, c.UserSID("y"), "a replaced account keeps its SID")
	require.Empty(t, c.Keytab("HTTP/none").Entries())
	require.NotEmpty(t, c.Keytab().Entries(), "the krbtgt's own keys")
}

// Whatever is sent, the KDC answers or hangs up, and goes on.
func TestGarbage(t *testing.T) {
	t.Parallel()
	k, err := kerberostest.Start(kerberostest.Config{Realm: "A.TEST"})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	asReq := messages.ASReq{KDCReqFields: messages.KDCReqFields{PVNO: 5, MsgType: 10, ReqBody: messages.KDCReqBody{
		KDCOptions: types.NewKrbFlags(), Realm: "A.TEST", SName: types.NewPrincipalName(nametype.KRB_NT_SRV_INST, "krbtgt/A.TEST"), Till: time.Now().UTC(), EType: []int32{18},
	}}}
	noClient, err := asReq.Marshal()
	require.NoError(t, err)
	for _, addr := range []string{k.Addr(), k.KPasswdAddr()} {
		for _, msg := range [][]byte{{0, 0, 0, 0}, {0, 0, 0, 1, 0x6a}, {0xff, 0xff, 0xff, 0xff}, append([]byte{0, 0, byte(len(noClient) >> 8), byte(len(noClient))}, noClient...), {0, 0, 0, 6, 0, 6, 0, 1, 0, 9}} {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
			require.NoError(t, err)
			_, err = c.Write(msg)
			require.NoError(t, err)
			require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
			_, _ = c.Read(make([]byte, 100))
			require.NoError(t, c.Close())
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) { //nolint:paralleltest // it counts goroutines of the process
	before := runtime.NumGoroutine()
	for _, f := range []kerberostest.Fault{"", kerberostest.FaultSilence, kerberostest.FaultDrip, kerberostest.FaultEndless} {
		k, err := kerberostest.Start(kerberostest.Config{Realm: "A.TEST", Users: []kerberostest.User{{Name: "x", Password: "y"}}})
		require.NoError(t, err)
		k.SetFaults(f)
		cl, err := kerberos.NewClient(kerberos.ClientConfig{Realms: []kerberos.Realm{k.Realm()}, Principal: "x@A.TEST", Password: []byte("y")})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = cl.Initiate(ctx, kerberos.InitiateConfig{SPN: "HTTP/none"})
		require.Error(t, err)
		cancel()
		k.Close()
	}
	// one goroutine is the one that looks
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, 10*time.Millisecond)
}
