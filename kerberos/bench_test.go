package kerberos_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
)

type noReplay struct{}

func (noReplay) UseOnce(context.Context, [32]byte, time.Time) error { return nil }

func BenchmarkAccept(b *testing.B) {
	k := startCorp(b, nil)
	in, err := client(b, k, nil).Initiate(b.Context(), kerberos.InitiateConfig{SPN: spn, NoMutual: true})
	require.NoError(b, err)
	a := acceptor(b, k, func(c *kerberos.AcceptorConfig) { c.Replay = noReplay{} })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Accept(b.Context(), in.Token, kerberos.AcceptInput{}); err != nil {
			b.Fatal(err)
		}
	}
}
