package kerberos_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
)

// TestAsked: the service learns which protection the client wants; saying less takes nothing away from the context.
func TestAsked(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	cl, acc := client(t, k, nil), acceptor(t, k, nil)
	for name, cfg := range map[string]kerberos.InitiateConfig{
		"both": {}, "sign": {NoSeal: true}, "seal": {NoSign: true}, "none": {NoSeal: true, NoSign: true}, "SPNEGO": {NoSeal: true, SPNEGO: true},
	} {
		cfg.SPN = spn
		in, err := cl.Initiate(t.Context(), cfg)
		require.NoError(t, err, name)
		got, err := acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
		require.NoError(t, err, name)
		sign, seal := got.Context.Asked()
		require.Equal(t, !cfg.NoSign, sign, name)
		require.Equal(t, !cfg.NoSeal, seal, name)
		ctx, err := in.Finish(got.Reply)
		require.NoError(t, err, name)
		roundTrips(t, ctx, got.Context)
	}
}
