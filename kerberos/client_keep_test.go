package kerberos_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

func kinds(k *kerberostest.KDC) map[string]int {
	out := map[string]int{}
	for _, r := range k.Requests() {
		out[r.Kind]++
	}
	return out
}

// A domain with new krbtgt keys refuses the TGT that a client kept: the client gets another one, once.
func TestClientReplacesRefusedTGT(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) {
		c.Services = append(c.Services, kerberostest.Service{SPN: "HTTP/two"}, kerberostest.Service{SPN: "HTTP/three"})
	})
	cl := client(t, k, nil)
	for _, s := range []string{spn, "HTTP/two"} {
		_, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: s})
		require.NoError(t, err, detail(err))
	}
	require.Equal(t, map[string]int{"as": 2, "tgs": 2}, kinds(k), "the TGT serves twice")
	k.RollKrbtgt()
	_, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: "HTTP/three"})
	require.NoError(t, err, detail(err))
	require.Equal(t, 4, kinds(k)["as"], "a new one was got")

	// a service that nobody knows is no reason for a new TGT
	_, err = cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: "HTTP/nobody"})
	require.ErrorIs(t, err, kerberos.ErrServiceUnknown)
	require.Equal(t, 4, kinds(k)["as"])
	// with the password gone there is nothing to replace it with
	k.RollKrbtgt()
	k.SetState("alice", kerberostest.Disabled)
	_, err = cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: "HTTP/four"})
	require.Equal(t, "not_allowed", reason(err))
}

// Tickets are got anew when they have ended, and no number of services makes a client grow without bound.
func TestClientTicketsEndAndAreBounded(t *testing.T) {
	t.Parallel()
	const services = 300
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	k := startCorp(t, func(c *kerberostest.Config) {
		c.Now = clock
		for i := range services {
			c.Services = append(c.Services, kerberostest.Service{SPN: fmt.Sprintf("HTTP/host%d", i), ETypes: []int32{18}})
		}
	})
	cl := client(t, k, func(c *kerberos.ClientConfig) { c.Now = clock })
	get := func(i int) {
		_, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: fmt.Sprintf("HTTP/host%d", i)})
		require.NoError(t, err, detail(err))
	}
	get(0)
	get(0)
	require.Equal(t, map[string]int{"as": 2, "tgs": 1}, kinds(k))
	for i := range services {
		get(i)
	}
	require.Equal(t, services, kinds(k)["tgs"])
	get(services - 1)
	require.Equal(t, services, kinds(k)["tgs"], "the newest are kept")
	get(0)
	require.Equal(t, services+1, kinds(k)["tgs"], "the first have made room")
	ahead.Store(int64(9 * time.Hour))
	get(0)
	require.Equal(t, services+1, kinds(k)["tgs"])
	ahead.Store(int64(10*time.Hour - 30*time.Second))
	get(0)
	require.Equal(t, map[string]int{"as": 4, "tgs": services + 2}, kinds(k), "in their last minute tickets count as ended")
}
