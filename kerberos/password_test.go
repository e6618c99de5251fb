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
	corpName = "CORP.EXAMPLE.TEST"
)

func startCorp(t *testing.T, change func(*kerberostest.Config)) *kerberostest.KDC {
	t.Helper()
	cfg := kerberostest.Config{
		Realm: corpName, NetBIOS: "CORP", UPNSuffixes: []string{"example.com"},
		Users: []kerberostest.User{
			{Name: "alice", UPN: "alice@example.com", FullName: "Alice Example", Password: alicePW, Groups: []uint32{1200, 1201}},
			{Name: "bob", Password: "Battery-Staple-2"},
		},
		Services: []kerberostest.Service{{SPN: spn}},
	}
	if change != nil {
		change(&cfg)
	}
	k, err := kerberostest.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k
}

func authenticator(t *testing.T, k *kerberostest.KDC, change func(*kerberos.AuthenticatorConfig)) *kerberos.Authenticator {
	t.Helper()
	cfg := kerberos.AuthenticatorConfig{Realms: []kerberos.Realm{k.Realm()}, Service: kerberos.Service{SPN: spn, Keytab: k.Keytab(spn)}}
	if change != nil {
		change(&cfg)
	}
	a, err := kerberos.NewAuthenticator(cfg)
	require.NoError(t, err)
	return a
}

func TestPasswordAccepted(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	a := authenticator(t, k, nil)
	for _, name := range []string{"alice", "ALICE", `CORP\alice`, `corp\Alice`, `corp.example.test\alice`, "alice@corp.example.test", "Alice@CORP.EXAMPLE.TEST", "alice@example.com", "ALICE@Example.COM"} {
		id, err := a.Password(t.Context(), name, []byte(alicePW))
		require.NoError(t, err, "%s %+v", name, detail(err))
		require.Equal(t, "alice@CORP.EXAMPLE.TEST", id.Principal)
		require.Equal(t, "alice@example.com", id.UPN)
		require.Equal(t, k.UserSID("alice"), id.SID)
		require.Equal(t, []string{k.DomainSID() + "-513", k.DomainSID() + "-1200", k.DomainSID() + "-1201"}, id.GroupSIDs)
		require.True(t, id.KDCVerified)
		require.Equal(t, "Alice Example", id.FullName)
	}
	id, err := a.Password(t.Context(), "bob", []byte("Battery-Staple-2"))
	require.NoError(t, err)
	require.Equal(t, "bob@corp.example.test", id.UPN)
	for _, name := range []string{"alice", "nobody"} {
		_, err = a.Password(t.Context(), name, []byte("wrong"))
		ae := new(kerberos.AuthError)
		require.ErrorAs(t, err, &ae)
		require.Equal(t, kerberos.ReasonBadCredentials, ae.Reason)
	}
}

// detail shows what Error hides.
func detail(err error) string {
	if ae, ok := errors.AsType[*kerberos.AuthError](err); ok {
		return fmt.Sprint(ae.Detail, ": ", ae.Err)
	}
	return fmt.Sprint(err)
}
