package kerberos_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/observetest"
	"github.com/adfedkit/adfedkit/kerberos"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	k, o := startCorp(t, nil), &observetest.Watcher{}
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.Observer = o })
	_, err := a.Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err)
	got := o.Take()
	require.Equal(t, "kerberos.password ok", got[len(got)-1])
	require.Contains(t, got, "kerberos.password > kerberos.exchange ok")
	for user, want := range map[string]string{"alice": "bad_credentials", "nobody": "bad_credentials", "alice@other.test": "unknown_domain"} {
		_, err = a.Password(t.Context(), user, []byte("wrong"))
		require.Error(t, err)
		got = o.Take()
		require.Equal(t, "kerberos.password "+want, got[len(got)-1])
		require.NotContains(t, strings.Join(got, " "), user, "no name in a label")
	}

	in, err := client(t, k, func(c *kerberos.ClientConfig) { c.Observer = o }).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	require.Contains(t, o.Take(), "kerberos.exchange ok")
	acc := acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.Observer = o })
	_, err = acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.NoError(t, err)
	_, err = acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.Error(t, err)
	_, err = acc.AcceptAPReq(t.Context(), []byte("x"), kerberos.AcceptInput{})
	require.Error(t, err)
	require.Equal(t, []string{"kerberos.accept ok", "kerberos.accept ticket_rejected", "kerberos.accept ticket_rejected"}, o.Take())
}

func TestObserverOfDeadKDC(t *testing.T) {
	t.Parallel()
	k, o := startCorp(t, nil), &observetest.Watcher{}
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.Observer = o })
	k.Close()
	_, err := a.Password(t.Context(), "alice", []byte(alicePW))
	require.ErrorIs(t, err, kerberos.ErrUnavailable)
	got := o.Take()
	require.Equal(t, "kerberos.password unavailable", got[len(got)-1])
	require.Equal(t, "kerberos.password > kerberos.exchange failed", got[0])
}

// Every kind of outcome has its own word.
func TestObserverWords(t *testing.T) {
	t.Parallel()
	k, o := startCorp(t, nil), &observetest.Watcher{}
	for want, change := range map[string]func(*kerberos.AuthenticatorConfig){
		"clock_skew":      func(c *kerberos.AuthenticatorConfig) { c.Now = func() time.Time { return time.Now().Add(-time.Hour) } },
		"no_common_etype": func(c *kerberos.AuthenticatorConfig) { c.EncTypes = []int32{20} },
		"service_unknown": func(c *kerberos.AuthenticatorConfig) { c.Service.SPN = "HTTP/nobody.corp.example.test" },
	} {
		_, err := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.Observer = o; change(c) }).Password(t.Context(), "alice", []byte(alicePW))
		require.Error(t, err)
		got := o.Take()
		require.Equal(t, "kerberos.password "+want, got[len(got)-1])
	}
	krb5 := tlv(6, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2})
	ask := tlv(0x60, tlv(6, []byte{0x2b, 6, 1, 5, 5, 2}), tlv(0xa0, tlv(0x30, tlv(0xa0, tlv(0x30, krb5)))))
	_, err := acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.Observer = o }).Accept(t.Context(), ask, kerberos.AcceptInput{})
	require.Error(t, err)
	require.Equal(t, []string{"kerberos.accept continue"}, o.Take())
}
