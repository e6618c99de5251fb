package kerberos_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

const (
	spn      = "HTTP/portal.corp.example.test"
	alicePW  = "Correct-Horse-1"
	bobPW    = "Battery-Staple-2"
	corpName = "CORP.EXAMPLE.TEST"
	iterFast = 16 // key derivation in tests that are not about it
)

// startCorp runs a KDC with alice and bob until the test ends.
func startCorp(tb testing.TB, change func(*kerberostest.Config)) *kerberostest.KDC {
	tb.Helper()
	cfg := kerberostest.Config{
		Realm: corpName, NetBIOS: "CORP", UPNSuffixes: []string{"example.com"}, Iterations: iterFast,
		Users: []kerberostest.User{
			{Name: "alice", UPN: "alice@example.com", FullName: "Alice Example", Password: alicePW, Groups: []uint32{1200, 1201}},
			{Name: "bob", Password: bobPW},
		},
		Services: []kerberostest.Service{{SPN: spn}},
	}
	if change != nil {
		change(&cfg)
	}
	k, err := kerberostest.Start(cfg)
	require.NoError(tb, err)
	tb.Cleanup(k.Close)
	return k
}

func startRealm(tb testing.TB, cfg kerberostest.Config) *kerberostest.KDC {
	tb.Helper()
	cfg.Iterations = iterFast
	k, err := kerberostest.Start(cfg)
	require.NoError(tb, err)
	tb.Cleanup(k.Close)
	return k
}

func authenticator(tb testing.TB, k *kerberostest.KDC, change func(*kerberos.AuthenticatorConfig)) *kerberos.Authenticator {
	tb.Helper()
	cfg := kerberos.AuthenticatorConfig{
		Realms: []kerberos.Realm{k.Realm()}, Service: kerberos.Service{SPN: spn, Keytab: k.Keytab(spn)},
	}
	if change != nil {
		change(&cfg)
	}
	a, err := kerberos.NewAuthenticator(cfg)
	require.NoError(tb, err)
	return a
}

func client(tb testing.TB, k *kerberostest.KDC, change func(*kerberos.ClientConfig)) *kerberos.Client {
	tb.Helper()
	cfg := kerberos.ClientConfig{Realms: []kerberos.Realm{k.Realm()}, Principal: "alice@" + corpName, Password: []byte(alicePW)}
	if change != nil {
		change(&cfg)
	}
	c, err := kerberos.NewClient(cfg)
	require.NoError(tb, err)
	tb.Cleanup(c.Close)
	return c
}

func acceptor(tb testing.TB, k *kerberostest.KDC, change func(*kerberos.AcceptorConfig)) *kerberos.Acceptor {
	tb.Helper()
	cfg := kerberos.AcceptorConfig{
		Keytab: k.Keytab(spn), SPNs: []string{spn}, AllowedRealms: []string{corpName}, Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{}),
	}
	if change != nil {
		change(&cfg)
	}
	a, err := kerberos.NewAcceptor(cfg)
	require.NoError(tb, err)
	return a
}

// reason returns the reason of a refusal, or what the error is instead.
func reason(err error) string {
	if ae, ok := errors.AsType[*kerberos.AuthError](err); ok {
		return string(ae.Reason)
	}
	switch {
	case err == nil:
		return "accepted"
	case errors.Is(err, kerberos.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, kerberos.ErrClockSkew):
		return "clock_skew"
	case errors.Is(err, kerberos.ErrNoCommonEtype):
		return "no_common_etype"
	case errors.Is(err, kerberos.ErrServiceUnknown):
		return "service_unknown"
	}
	return err.Error()
}

// detail shows what Error hides.
func detail(err error) string {
	if ae, ok := errors.AsType[*kerberos.AuthError](err); ok {
		return fmt.Sprint(ae.Detail, ": ", ae.Err)
	}
	return fmt.Sprint(err)
}
