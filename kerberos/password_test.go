package kerberos_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

func TestPasswordNameForms(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	a := authenticator(t, k, nil)
	for _, name := range []string{
		"alice", "ALICE", `CORP\alice`, `corp\Alice`, `corp.example.test\alice`, "alice@corp.example.test", "Alice@CORP.EXAMPLE.TEST",
		"alice@example.com", "ALICE@Example.COM",
	} {
		id, err := a.Password(t.Context(), name, []byte(alicePW))
		require.NoError(t, err, "%s: %s", name, detail(err))
		require.Equal(t, "alice@CORP.EXAMPLE.TEST", id.Principal)
		require.Equal(t, "alice@example.com", id.UPN)
		require.Equal(t, "corp.example.test", id.DNSDomain)
		require.Equal(t, "CORP", id.NetBIOS)
		require.Equal(t, k.UserSID("alice"), id.SID)
		require.Equal(t, []string{k.DomainSID() + "-513", k.DomainSID() + "-1200", k.DomainSID() + "-1201"}, id.GroupSIDs)
		require.Equal(t, k.DomainSID()+"-513", id.PrimaryGroupSID)
		require.Equal(t, []string{"S-1-18-1"}, id.AssertedSIDs)
		require.Empty(t, id.FilteredSIDs)
		require.True(t, id.KDCVerified)
		require.True(t, id.PreAuthenticated)
		require.Equal(t, "Alice Example", id.FullName)
		require.True(t, id.PasswordMustChange.IsZero())
		require.True(t, id.EndTime.After(id.AuthTime))
	}
	id, err := a.Password(t.Context(), "bob", []byte(bobPW))
	require.NoError(t, err)
	require.Equal(t, "bob@corp.example.test", id.UPN)
}

// A UPN that is also name@dns.domain of nobody is tried as an enterprise name.
func TestPasswordUPNAtTheDNSDomain(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) {
		c.Users = append(c.Users, kerberostest.User{Name: "ccl", UPN: "carol.clark@corp.example.test", Password: alicePW, Salt: "other salt"})
	})
	id, err := authenticator(t, k, nil).Password(t.Context(), "Carol.Clark@corp.example.test", []byte(alicePW))
	require.NoError(t, err)
	require.Equal(t, "ccl@CORP.EXAMPLE.TEST", id.Principal)
}

func TestPasswordNothingSent(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	a := authenticator(t, k, nil)
	for name, c := range map[string]struct{ user, password, want string }{
		"empty password":       {"alice", "", "bad_credentials"},
		"empty name":           {"", "x", "bad_credentials"},
		"NUL":                  {"alice\x00", "x", "bad_credentials"},
		"control character":    {"al\nice", "x", "bad_credentials"},
		"long":                 {strings.Repeat("a", 257), "x", "bad_credentials"},
		"not UTF-8":            {"\xff", "x", "bad_credentials"},
		"service name":         {"HTTP/portal", "x", "bad_credentials"},
		"machine":              {"dc1$", "x", "bad_credentials"},
		"no name":              {`CORP\`, "x", "bad_credentials"},
		"no name in a UPN":     {"@example.com", "x", "bad_credentials"},
		"no suffix in a UPN":   {"alice@", "x", "bad_credentials"},
		"slash after a domain": {`CORP\al/ice`, "x", "bad_credentials"},
		"UPN after a domain":   {`CORP\alice@example.com`, "x", "bad_credentials"},
		"domain in a domain":   {`CORP\CORP\alice`, "x", "bad_credentials"},
		"two at signs":         {"alice@x@corp.example.test", "x", "unknown_domain"},
		"service at a domain":  {"HTTP/x@corp.example.test", "x", "unknown_domain"},
		"unknown NetBIOS name": {`OTHER\alice`, "x", "unknown_domain"},
		"unknown suffix":       {"alice@other.example", "x", "unknown_domain"},
		"empty domain":         {`\alice`, "x", "unknown_domain"},
	} {
		id, err := a.Password(t.Context(), c.user, []byte(c.password))
		require.Nil(t, id, name)
		require.Equal(t, c.want, reason(err), name)
	}
	require.Empty(t, k.Requests())
}

func TestPasswordAccountStates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state        kerberostest.State
		told         kerberos.AccountState // by the directory
		right, wrong string
		alone        string // without a directory, right password
		status       string // with NTSTATUS in the error, right password
	}{
		"active":         {kerberostest.Active, kerberos.StateActive, "accepted", "bad_credentials", "accepted", "accepted"},
		"disabled":       {kerberostest.Disabled, kerberos.StateDisabled, "account_disabled", "bad_credentials", "not_allowed", "account_disabled"},
		"locked":         {kerberostest.Locked, kerberos.StateLocked, "account_locked", "account_locked", "not_allowed", "account_locked"},
		"expired":        {kerberostest.Expired, kerberos.StateExpired, "account_expired", "bad_credentials", "not_allowed", "account_expired"},
		"password old":   {kerberostest.PasswordExpired, kerberos.StatePasswordExpired, "password_expired", "bad_credentials", "password_expired", "password_expired"},
		"must change":    {kerberostest.PasswordMustChange, kerberos.StatePasswordMustChange, "password_must_change", "bad_credentials", "password_expired", "password_must_change"},
		"hours":          {kerberostest.NotAllowed, kerberos.StateNotAllowed, "not_allowed", "bad_credentials", "not_allowed", "not_allowed"},
		"MIT: expired":   {kerberostest.PasswordExpiredMIT, kerberos.StateUnknown, "password_expired", "bad_credentials", "password_expired", "password_expired"},
		"MIT: locked":    {kerberostest.LockedMIT, kerberos.StateUnknown, "not_allowed", "not_allowed", "not_allowed", "account_locked"},
		"secret is not":  {kerberostest.Disabled, kerberos.StateBadPassword, "bad_credentials", "bad_credentials", "not_allowed", "account_disabled"},
		"kind not known": {kerberostest.Disabled, kerberos.StateUnknown, "not_allowed", "bad_credentials", "not_allowed", "account_disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startCorp(t, nil)
			k.SetState("alice", c.state)
			dir := &states{answer: c.told}
			a := authenticator(t, k, func(cfg *kerberos.AuthenticatorConfig) { cfg.States = dir })
			_, err := a.Password(t.Context(), "alice", []byte(alicePW))
			require.Equal(t, c.right, reason(err), detail(err))
			_, err = a.Password(t.Context(), "alice", []byte("wrong"))
			require.Equal(t, c.wrong, reason(err), detail(err))
			require.LessOrEqual(t, dir.calls, 2)

			_, err = authenticator(t, k, nil).Password(t.Context(), "alice", []byte(alicePW))
			require.Equal(t, c.alone, reason(err), detail(err))
			if c.right != "accepted" {
				_, err = authenticator(t, k, func(cfg *kerberos.AuthenticatorConfig) { cfg.HideAccountState = true }).Password(t.Context(), "alice", []byte(alicePW))
				require.Equal(t, "bad_credentials", reason(err))
			}
			win := startCorp(t, func(cfg *kerberostest.Config) { cfg.NTStatus = true })
			win.SetState("alice", c.state)
			_, err = authenticator(t, win, nil).Password(t.Context(), "alice", []byte(alicePW))
			require.Equal(t, c.status, reason(err), detail(err))
		})
	}
}

type states struct {
	answer kerberos.AccountState
	err    error
	calls  int
}

func (s *states) AccountState(context.Context, string, string, []byte) (kerberos.AccountState, error) {
	s.calls++
	return s.answer, s.err
}

func TestPasswordStaterFails(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	k.SetState("alice", kerberostest.Disabled)
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.States = &states{err: errors.New("ldap is down")} })
	_, err := a.Password(t.Context(), "alice", []byte(alicePW))
	require.Equal(t, "not_allowed", reason(err))
}

func TestPasswordUnknownUserLooksLikeWrongPassword(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	a := authenticator(t, k, nil)
	_, e1 := a.Password(t.Context(), "alice", []byte("wrong"))
	_, e2 := a.Password(t.Context(), "nobody", []byte("wrong"))
	require.Equal(t, "bad_credentials", reason(e1))
	require.Equal(t, e1.Error(), e2.Error())
	code, ok := kerberos.KDCErrorCode(e2)
	require.True(t, ok)
	require.EqualValues(t, 6, code)
	require.ErrorIs(t, e1, kerberos.ErrRefused)
	require.False(t, kerberos.Temporary(e1))
}

func TestPasswordSmartCardNoPreauthSalt(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) {
		c.Users = append(c.Users, kerberostest.User{Name: "card", Password: alicePW, SmartCard: true},
			kerberostest.User{Name: "nopre", Password: alicePW, NoPreauth: true}, kerberostest.User{Name: "salty", Password: alicePW, Salt: "x"},
			kerberostest.User{Name: "aes128", Password: alicePW, ETypes: []int32{17}}, kerberostest.User{Name: "sha2", Password: alicePW, ETypes: []int32{20, 19}},
			kerberostest.User{Name: "old", Password: alicePW, ETypes: []int32{23}})
	})
	a := authenticator(t, k, nil)
	for user, want := range map[string]string{
		"card": "bad_credentials", "nopre": "accepted", "salty": "accepted", "aes128": "accepted", "sha2": "no_common_etype", "old": "no_common_etype",
	} {
		_, err := a.Password(t.Context(), user, []byte(alicePW))
		require.Equal(t, want, reason(err), "%s: %s", user, detail(err))
	}
	_, err := a.Password(t.Context(), "nopre", []byte("wrong"))
	require.Equal(t, "bad_credentials", reason(err))
	for _, r := range k.Requests() {
		require.NotContains(t, r.ETypes, int32(23), "never sent weaker than configured")
	}
	sha2 := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.EncTypes = []int32{20, 19, 18} })
	_, err = sha2.Password(t.Context(), "sha2", []byte(alicePW))
	require.NoError(t, err, detail(err))
	rc4 := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.AllowRC4 = true })
	_, err = rc4.Password(t.Context(), "old", []byte(alicePW))
	require.NoError(t, err, detail(err))
}

func TestPasswordPreauthRequired(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) {
		c.Users = append(c.Users, kerberostest.User{Name: "nopre", Password: alicePW, NoPreauth: true})
	})
	cl := client(t, k, func(c *kerberos.ClientConfig) { c.Principal = "nopre@" + corpName })
	in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	_, err = acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.RequirePreauth = true }).Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.Equal(t, "ticket_rejected", reason(err))
	acc, err := acceptor(t, k, nil).Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.NoError(t, err)
	require.False(t, acc.PreAuthenticated)
}

type finder map[string][]string

func (f finder) FindAccount(_ context.Context, name string) ([]string, error) {
	if name == "broken" {
		return nil, errors.New("ldap is down")
	}
	return f[name], nil
}

func TestBareNamesInSeveralDomains(t *testing.T) {
	t.Parallel()
	corp := startCorp(t, nil)
	partner := startRealm(t, kerberostest.Config{Realm: "PARTNER.EXAMPLE.TEST", Users: []kerberostest.User{{Name: "paul", Password: alicePW}}})
	require.NoError(t, kerberostest.Trust(corp, partner))
	two := func(c *kerberos.AuthenticatorConfig) {
		c.Realms = append(c.Realms, partner.Realm())
		c.Accounts = finder{"alice": {"corp.example.test"}, "paul": {"PARTNER"}, "both": {"CORP", "PARTNER.EXAMPLE.TEST"}, "same": {"CORP", "corp.example.test"}}
	}
	a := authenticator(t, corp, two)
	for user, want := range map[string]string{
		"alice": "accepted", "paul": "accepted", "both": "domain_required", "nobody": "bad_credentials", "broken": "unavailable", "same": "bad_credentials",
	} {
		_, err := a.Password(t.Context(), user, []byte(alicePW))
		require.Equal(t, want, reason(err), "%s: %s", user, detail(err))
	}
	require.False(t, asked(partner, "alice"), "a password must never be tried in two domains")
	require.False(t, asked(corp, "paul"))

	_, err := authenticator(t, corp, func(c *kerberos.AuthenticatorConfig) { two(c); c.Accounts = nil }).Password(t.Context(), "alice", []byte(alicePW))
	require.Equal(t, "domain_required", reason(err))
	four := func(c *kerberos.AuthenticatorConfig) {
		two(c)
		for _, n := range []string{"C.EXAMPLE.TEST", "D.EXAMPLE.TEST"} {
			c.Realms = append(c.Realms, kerberos.Realm{Name: n, KDCs: []string{"127.0.0.1:1"}})
		}
	}
	_, err = authenticator(t, corp, four).Password(t.Context(), "alice", []byte(alicePW))
	require.Equal(t, "domain_required", reason(err))
	_, err = authenticator(t, corp, four).Password(t.Context(), "alice@example.com", []byte(alicePW))
	require.Equal(t, "accepted", reason(err))
	strict := authenticator(t, corp, func(c *kerberos.AuthenticatorConfig) { four(c); c.StrictAWSNames = true })
	_, err = strict.Password(t.Context(), "alice@example.com", []byte(alicePW))
	require.Equal(t, "domain_required", reason(err))
	_, err = strict.Password(t.Context(), `CORP\alice`, []byte(alicePW))
	require.Equal(t, "accepted", reason(err))
}

func asked(k *kerberostest.KDC, client string) bool {
	for _, r := range k.Requests() {
		if r.Kind == "as" && r.Client == client {
			return true
		}
	}
	return false
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	late := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	})
	_, err := late.Password(t.Context(), "alice", []byte(alicePW))
	require.Equal(t, "clock_skew", reason(err), detail(err))
	o, ok := errors.AsType[*kerberos.OutsideError](err)
	require.True(t, ok)
	require.InDelta(t, time.Hour.Seconds(), o.Offset.Seconds(), 5)
	near := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Now = func() time.Time { return time.Now().Add(-2 * time.Minute) }
	})
	_, err = near.Password(t.Context(), "alice", []byte(alicePW))
	require.NoError(t, err, detail(err))
}

func TestRetryOnPDC(t *testing.T) {
	t.Parallel()
	stale, pdc := startCorp(t, nil), startCorp(t, nil)
	pdc.AddUser(kerberostest.User{Name: "alice", Password: "New-Password-9"})
	a := authenticator(t, stale, func(c *kerberos.AuthenticatorConfig) {
		c.Realms[0].PDC = pdc.Addr()
		c.RetryOnPDC = true
		c.Service.Keytab = stale.Keytab(spn).Merge(pdc.Keytab(spn))
		c.InsecureSkipKDCVerification = true // the two KDCs of this test do not share their krbtgt key
	})
	id, err := a.Password(t.Context(), "alice", []byte("New-Password-9"))
	require.NoError(t, err, detail(err))
	require.False(t, id.KDCVerified)
	_, err = a.Password(t.Context(), "alice", []byte("wrong"))
	require.Equal(t, "bad_credentials", reason(err))
}

func TestAtMostOneAttempt(t *testing.T) {
	t.Parallel()
	k1, k2 := startCorp(t, nil), startCorp(t, nil)
	a := authenticator(t, k1, func(c *kerberos.AuthenticatorConfig) { c.Realms[0].KDCs = append(c.Realms[0].KDCs, k2.Addr()) })
	_, err := a.Password(t.Context(), "alice", []byte("wrong"))
	require.Equal(t, "bad_credentials", reason(err))
	proofs := 0
	for _, r := range append(k1.Requests(), k2.Requests()...) {
		if r.Preauth != 0 {
			proofs++
		}
	}
	require.Equal(t, 1, proofs)
}

func TestAuthenticatorConfig(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	for name, change := range map[string]func(*kerberos.AuthenticatorConfig){
		"no realms":        func(c *kerberos.AuthenticatorConfig) { c.Realms = nil },
		"no KDCs":          func(c *kerberos.AuthenticatorConfig) { c.Realms[0].KDCs = nil },
		"KDC without port": func(c *kerberos.AuthenticatorConfig) { c.Realms[0].KDCs = []string{"dc1"} },
		"realm twice":      func(c *kerberos.AuthenticatorConfig) { c.Realms = append(c.Realms, c.Realms[0]) },
		"realm twice, other form": func(c *kerberos.AuthenticatorConfig) {
			c.Realms = append(c.Realms, kerberos.Realm{Name: "corp.example.test.", Discover: true})
		},
		"malformed SID":     func(c *kerberos.AuthenticatorConfig) { c.Realms[0].DomainSIDs = []string{"S-1-x"} },
		"no service":        func(c *kerberos.AuthenticatorConfig) { c.Service = kerberos.Service{} },
		"no keytab":         func(c *kerberos.AuthenticatorConfig) { c.Service.Keytab = nil },
		"SPN without host":  func(c *kerberos.AuthenticatorConfig) { c.Service.SPN = "HTTP" },
		"realm's service":   func(c *kerberos.AuthenticatorConfig) { c.Realms[0].Service = &kerberos.Service{SPN: "HTTP/x"} },
		"default realm":     func(c *kerberos.AuthenticatorConfig) { c.DefaultRealm = "OTHER" },
		"RC4 without leave": func(c *kerberos.AuthenticatorConfig) { c.EncTypes = []int32{18, 23} },
		"unknown type":      func(c *kerberos.AuthenticatorConfig) { c.EncTypes = []int32{3} },
		"DES as RC4":        func(c *kerberos.AuthenticatorConfig) { c.EncTypes, c.AllowRC4 = []int32{18, 3}, true },
		"empty types":       func(c *kerberos.AuthenticatorConfig) { c.EncTypes = []int32{} },
		"iterations":        func(c *kerberos.AuthenticatorConfig) { c.MaxIterations = -1 },
		"huge replies":      func(c *kerberos.AuthenticatorConfig) { c.Network.MaxReply = 2 << 20 },
		"negative timeout":  func(c *kerberos.AuthenticatorConfig) { c.Network.HedgeAfter = -1 },
		"negative connect":  func(c *kerberos.AuthenticatorConfig) { c.Network.ConnectTimeout = -1 },
		"negative answer":   func(c *kerberos.AuthenticatorConfig) { c.Network.AnswerTimeout = -1 },
		"negative size":     func(c *kerberos.AuthenticatorConfig) { c.Network.MaxReply = -1 },
		"negative skew":     func(c *kerberos.AuthenticatorConfig) { c.MaxSkew = -1 },
		"no realm's name":   func(c *kerberos.AuthenticatorConfig) { c.Realms[0].Name = "CORP@X" },
		"SPN, empty host":   func(c *kerberos.AuthenticatorConfig) { c.Service.SPN = "HTTP/" },
		"SPN, empty class":  func(c *kerberos.AuthenticatorConfig) { c.Service.SPN = "/host" },
		"NetBIOS twice": func(c *kerberos.AuthenticatorConfig) {
			c.Realms = append(c.Realms, kerberos.Realm{Name: "B", NetBIOS: "corp", Discover: true})
		},
		"too many realms": func(c *kerberos.AuthenticatorConfig) {
			for i := range 256 {
				c.Realms = append(c.Realms, kerberos.Realm{Name: fmt.Sprintf("R%d", i), Discover: true})
			}
		},
	} {
		cfg := kerberos.AuthenticatorConfig{Realms: []kerberos.Realm{k.Realm()}, Service: kerberos.Service{SPN: spn, Keytab: k.Keytab(spn)}}
		change(&cfg)
		a, err := kerberos.NewAuthenticator(cfg)
		require.Error(t, err, name)
		require.Nil(t, a, name)
	}
	same := kerberos.AuthenticatorConfig{Realms: []kerberos.Realm{k.Realm()}, Service: kerberos.Service{SPN: spn, Keytab: k.Keytab(spn)}}
	same.Realms[0].UPNSuffixes = []string{"example.com", "EXAMPLE.com"}
	_, err := kerberos.NewAuthenticator(same)
	require.NoError(t, err, "a suffix may be there twice in one realm")
	own := kerberos.AuthenticatorConfig{Realms: []kerberos.Realm{k.Realm()}}
	own.Realms[0].Service = &kerberos.Service{SPN: spn, Keytab: k.Keytab(spn)}
	_, err = kerberos.NewAuthenticator(own)
	require.NoError(t, err, "where every realm has a service, nobody needs another one")
	two := kerberos.AuthenticatorConfig{Realms: []kerberos.Realm{k.Realm(), {Name: "B.TEST", KDCs: []string{"127.0.0.1:1"}, UPNSuffixes: []string{"EXAMPLE.com"}}}, Service: kerberos.Service{SPN: spn, Keytab: k.Keytab(spn)}}
	_, err = kerberos.NewAuthenticator(two)
	require.ErrorContains(t, err, "suffix")
}
