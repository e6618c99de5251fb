package integration_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// krbTarget is two trusting realms with the people of the table, on whatever software.
type krbTarget struct {
	realms   []kerberos.Realm // CORP with the suffix brand.example, PARTNER
	service  kerberos.Service // of CORP
	password string           // everybody's
}

func (k krbTarget) authenticator(t *testing.T, change func(*kerberos.AuthenticatorConfig)) *kerberos.Authenticator {
	t.Helper()
	cfg := kerberos.AuthenticatorConfig{Realms: append([]kerberos.Realm(nil), k.realms...), Service: k.service}
	if change != nil {
		change(&cfg)
	}
	a, err := kerberos.NewAuthenticator(cfg)
	require.NoError(t, err)
	return a
}

func krbReason(err error) string {
	if ae, ok := errors.AsType[*kerberos.AuthError](err); ok {
		return string(ae.Reason)
	}
	for kind, word := range map[error]string{
		kerberos.ErrClockSkew: "clock_skew", kerberos.ErrUnavailable: "unavailable", kerberos.ErrNoCommonEtype: "no_common_etype", kerberos.ErrServiceUnknown: "service_unknown",
	} {
		if errors.Is(err, kind) {
			return word
		}
	}
	if err == nil {
		return "accepted"
	}
	return err.Error()
}

// runKerberosTable is the conformance table: name forms, account states, trust paths, encryption types, clocks, fail-over.
// "" stands for everybody's password. Without a directory behind them, some states cannot be told apart.
func runKerberosTable(t *testing.T, k krbTarget) {
	t.Helper()
	a := k.authenticator(t, nil)
	for _, c := range []struct{ user, password, want, principal string }{
		{`CORP\alice`, "", "accepted", "alice@CORP.EXAMPLE.TEST"},
		{`corp\ALICE`, "", "accepted", "alice@CORP.EXAMPLE.TEST"},
		{"Alice@Corp.Example.Test", "", "accepted", "alice@CORP.EXAMPLE.TEST"},
		{"carol.clark@brand.example", "", "accepted", "carol@CORP.EXAMPLE.TEST"},
		{"Carol.Clark@BRAND.example", "", "accepted", "carol@CORP.EXAMPLE.TEST"},
		{`CORP\carol`, "", "accepted", "carol@CORP.EXAMPLE.TEST"},
		{`CORP\josé`, "", "accepted", "josé@CORP.EXAMPLE.TEST"},
		{`CORP\nopreauth`, "", "accepted", "nopreauth@CORP.EXAMPLE.TEST"},
		{`PARTNER\alice`, "", "accepted", "alice@PARTNER.EXAMPLE.TEST"}, // over the trust to CORP's service
		{"bob@partner.example.test", "", "accepted", "bob@PARTNER.EXAMPLE.TEST"},
		{`CORP\alice`, "wrong", "bad_credentials", ""},
		{`PARTNER\alice`, "wrong", "bad_credentials", ""},
		{`CORP\nopreauth`, "wrong", "bad_credentials", ""},
		{`CORP\nobody`, "", "bad_credentials", ""},
		{"nobody@brand.example", "", "bad_credentials", ""},
		{`CORP\dave`, "", "not_allowed", ""}, // disabled
		{`CORP\dave`, "wrong", "bad_credentials", ""},
		{`CORP\erin`, "", "password_expired", ""},
		{`CORP\erin`, "wrong", "bad_credentials", ""},
		{`CORP\frank`, "", "not_allowed", ""}, // locked
		{`CORP\frank`, "wrong", "not_allowed", ""},
		{`CORP\grace`, "", "password_expired", ""}, // must change: the same code
		{`CORP\heidi`, "", "not_allowed", ""},      // account expired
		{`CORP\smartcard`, "", "bad_credentials", ""},
		{`PARTNER\dave`, "", "not_allowed", ""},
		{`PARTNER\alice`, "", "accepted", "alice@PARTNER.EXAMPLE.TEST"}, // the domain forgets the wrong one
		{"alice", "", "domain_required", ""},
		{`NOWHERE\alice`, "", "unknown_domain", ""},
		{"alice@nowhere.example", "", "unknown_domain", ""},
	} {
		password := c.password
		if password == "" {
			password = k.password
		}
		id, err := a.Password(t.Context(), c.user, []byte(password))
		require.Equal(t, c.want, krbReason(err), "%s %v", c.user, errors.Unwrap(err))
		if id == nil {
			continue
		}
		require.Equal(t, c.principal, id.Principal, c.user)
		require.True(t, strings.HasPrefix(id.SID, "S-1-5-21-"), "%s: SID %q, removed %v", c.user, id.SID, id.FilteredSIDs)
		require.Contains(t, id.GroupSIDs, id.PrimaryGroupSID)
		require.True(t, id.KDCVerified)
	}
	for name, c := range map[string]struct {
		change func(*kerberos.AuthenticatorConfig)
		want   string
	}{
		"AES-256 alone":          {func(c *kerberos.AuthenticatorConfig) { c.EncTypes = []int32{18} }, "accepted"},
		"our clock an hour late": {func(c *kerberos.AuthenticatorConfig) { c.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, "clock_skew"},
		"two minutes ahead": {func(c *kerberos.AuthenticatorConfig) {
			c.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
		}, "accepted"},
		"first KDC is down": {func(c *kerberos.AuthenticatorConfig) {
			c.Realms[0].KDCs = append([]string{closedPort(t)}, c.Realms[0].KDCs...)
		}, "accepted"},
		"every KDC is down":   {func(c *kerberos.AuthenticatorConfig) { c.Realms[0].KDCs = []string{closedPort(t)} }, "unavailable"},
		"our service unknown": {func(c *kerberos.AuthenticatorConfig) { c.Service.SPN = "HTTP/none.corp.example.test" }, "service_unknown"},
		"datagrams first":     {func(c *kerberos.AuthenticatorConfig) { c.Network.UDP = true }, "accepted"},
	} {
		_, err := k.authenticator(t, c.change).Password(t.Context(), `CORP\alice`, []byte(k.password))
		require.Equal(t, c.want, krbReason(err), "%s %v", name, errors.Unwrap(err))
	}
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	return addr
}

// TestKerberosTestKDCTable runs the table against the KDC for tests; the lab runs it against Samba.
func TestKerberosTestKDCTable(t *testing.T) {
	t.Parallel()
	const pw, spn = "Us3r-Passw0rd", "HTTP/web.corp.example.test"
	user := func(name string, state kerberostest.State) kerberostest.User {
		return kerberostest.User{Name: name, Password: pw, State: state}
	}
	corp, err := kerberostest.Start(kerberostest.Config{
		Realm: "CORP.EXAMPLE.TEST", NetBIOS: "CORP", UPNSuffixes: []string{"brand.example"}, Services: []kerberostest.Service{{SPN: spn}},
		Users: []kerberostest.User{
			user("alice", kerberostest.Active), user("josé", kerberostest.Active),
			{Name: "carol", UPN: "carol.clark@brand.example", Password: pw},
			{Name: "nopreauth", Password: pw, NoPreauth: true},
			{Name: "smartcard", Password: pw, SmartCard: true},
			user("dave", kerberostest.Disabled), user("erin", kerberostest.PasswordExpired), user("frank", kerberostest.Locked),
			user("grace", kerberostest.PasswordMustChange), user("heidi", kerberostest.Expired),
		},
	})
	require.NoError(t, err)
	t.Cleanup(corp.Close)
	partner, err := kerberostest.Start(kerberostest.Config{
		Realm: "PARTNER.EXAMPLE.TEST", NetBIOS: "PARTNER",
		Users: []kerberostest.User{user("alice", kerberostest.Active), user("bob", kerberostest.Active), user("dave", kerberostest.Disabled)},
	})
	require.NoError(t, err)
	t.Cleanup(partner.Close)
	require.NoError(t, kerberostest.Trust(corp, partner))
	runKerberosTable(t, krbTarget{[]kerberos.Realm{corp.Realm(), partner.Realm()}, kerberos.Service{SPN: spn, Keytab: corp.Keytab(spn)}, pw})
}
