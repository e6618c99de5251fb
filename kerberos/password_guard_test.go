package kerberos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

func krbError(code int32, change func(*wire.KRBError)) []byte {
	e := wire.KRBError{STime: time.Now(), Code: code, Realm: corpName, SName: wire.Krbtgt(corpName)}
	if change != nil {
		change(&e)
	}
	return e.Encode()
}

// Client referrals lead over three realms at most, each of them configured, none of them twice.
func TestReferralsEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to    map[string]string // realm to the realm that it refers to; others say that they know nobody
		want  string
		asked int
	}{
		"nobody anywhere": {map[string]string{}, "bad_credentials", 1},
		"three hops":      {map[string]string{"R0": "R1", "R1": "r2", "R2": "R3"}, "bad_credentials", 4},
		"four hops":       {map[string]string{"R0": "R1", "R1": "R2", "R2": "R3", "R3": "R4"}, "kdc_not_trusted", 4},
		"to itself":       {map[string]string{"R0": "R0"}, "kdc_not_trusted", 1},
		"a circle":        {map[string]string{"R0": "R1", "R1": "R0"}, "kdc_not_trusted", 2},
		"away":            {map[string]string{"R0": "EVIL"}, "kdc_not_trusted", 1},
		"by NetBIOS name": {map[string]string{"R0": "NB1"}, "kdc_not_trusted", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var realms []kerberos.Realm
			for i := range 5 {
				realms = append(realms, kerberos.Realm{Name: fmt.Sprintf("R%d", i), NetBIOS: fmt.Sprintf("NB%d", i), KDCs: []string{fmt.Sprintf("R%d:88", i)}})
			}
			asked := 0
			kt, err := kerberos.DeriveKeytab(spn, "R0", "", []byte("x"), 1)
			require.NoError(t, err)
			a, err := kerberos.NewAuthenticator(kerberos.AuthenticatorConfig{
				Realms: realms, Service: kerberos.Service{SPN: spn, Keytab: kt}, DefaultRealm: "NB0",
				Network: kerberos.NetworkConfig{HedgeAfter: time.Minute, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
					asked++
					host, _, _ := net.SplitHostPort(addr)
					reply := krbError(wire.ErrClientUnknown, nil)
					if to := c.to[host]; to != "" {
						reply = krbError(wire.ErrWrongRealm, func(e *wire.KRBError) { e.CRealm = to })
					}
					return scripted(reply)(ctx, network, addr)
				}},
			})
			require.NoError(t, err)
			_, err = a.Password(t.Context(), "somebody@brand.example", []byte("x"))
			require.Equal(t, c.want, reason(err), detail(err))
			require.Equal(t, c.asked, asked)
		})
	}
}

// through signs in over a relay that may change each answer of the KDC.
func through(t *testing.T, k *kerberostest.KDC, user string, change func(n int, reply []byte) []byte, config func(*kerberos.AuthenticatorConfig)) (*kerberos.Identity, error) {
	t.Helper()
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
		c.Network.Dial, c.Network.HedgeAfter = relay(k, change), time.Minute
		if config != nil {
			config(c)
		}
	})
	return a.Password(t.Context(), user, []byte(alicePW))
}

// An account reason is told only when the password was right: what the KDC says before it has seen one is not believed.
func TestStatusBeforeTheProofIsNotTold(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	for name, c := range map[string]struct {
		code   int32
		status uint32
		want   string
	}{
		"disabled": {wire.ErrClientRevoked, 0xC0000072, "not_allowed"}, "expired": {wire.ErrClientRevoked, 0xC0000193, "not_allowed"},
		"locked": {wire.ErrClientRevoked, 0xC0000234, "account_locked"}, "policy": {wire.ErrPolicy, 0xC000006F, "not_allowed"},
		"not yet": {wire.ErrClientNotYet, 0, "not_allowed"}, "unknown status": {wire.ErrClientRevoked, 0xC0000001, "not_allowed"},
		"wrong password": {wire.ErrPreauthFailed, 0, "bad_credentials"}, "wrong key": {wire.ErrBadIntegrity, 0, "bad_credentials"},
		"no type": {wire.ErrEtypeNoSupp, 0, "no_common_etype"}, "what": {wire.ErrModified, 0, "kdc_not_trusted"},
	} {
		_, err := through(t, k, "alice", func(int, []byte) []byte {
			return krbError(c.code, func(e *wire.KRBError) { e.EData = wire.EncodeNTStatus(c.status) })
		}, nil)
		require.Equal(t, c.want, reason(err), "%s: %s", name, detail(err))
	}
	for _, r := range k.Requests() {
		require.Zero(t, r.Preauth, "no proof was sent")
	}
}

// A KDC that calls a password expired before it has seen it is asked again, at the service that takes expired ones.
func TestExpiredBeforeTheProof(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user   kerberostest.User
		second []byte // answer to the request for the password change service; nil: the KDC's own
		want   string
	}{
		"right": {kerberostest.User{}, nil, "password_expired"}, "wrong": {kerberostest.User{Password: "Another-1"}, nil, "bad_credentials"},
		"right, without pre-authentication": {kerberostest.User{NoPreauth: true}, nil, "password_expired"},
		"wrong, without pre-authentication": {kerberostest.User{NoPreauth: true, Password: "Another-1"}, nil, "bad_credentials"},
		"wrong by another code":             {kerberostest.User{}, krbError(wire.ErrBadIntegrity, nil), "bad_credentials"},
		"no such user there":                {kerberostest.User{}, krbError(wire.ErrClientUnknown, nil), "bad_credentials"},
		"no answer about the password":      {kerberostest.User{}, krbError(wire.ErrPolicy, nil), "password_expired"},
		"malformed hints":                   {kerberostest.User{}, krbError(wire.ErrPreauthRequired, func(e *wire.KRBError) { e.EData = []byte{0x30, 5} }), "kdc_not_trusted"},
		"no hints":                          {kerberostest.User{}, krbError(wire.ErrPreauthRequired, nil), "kdc_not_trusted"},
		"the KDC breaks down":               {kerberostest.User{}, krbError(wire.ErrSvcUnavailable, nil), "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startCorp(t, nil)
			c.user.Name, c.user.State = "alice", kerberostest.PasswordExpiredMIT
			if c.user.Password == "" {
				c.user.Password = alicePW
			}
			k.AddUser(c.user)
			_, err := through(t, k, "alice", func(n int, reply []byte) []byte {
				if n == 1 && c.second != nil {
					return c.second
				}
				return reply
			}, nil)
			require.Equal(t, c.want, reason(err), detail(err))
		})
	}
}

// An AS-REP that comes without a demand for a proof is judged by what its own hints say.
func TestReplyWithoutPreauthentication(t *testing.T) {
	t.Parallel()
	info := func(et int32, iterations byte) []wire.PAData {
		return []wire.PAData{{Type: wire.PAETypeInfo2, Value: wire.EncodeETypeInfo2([]wire.ETypeInfo2{{EType: et, Salt: corpName + "alice", Params: []byte{0, 0, 0, iterations}}})}}
	}
	for name, c := range map[string]struct {
		iterations int // of the KDC; 0 means the default of the type
		change     func(*wire.KDCRep)
		want       string
		detail     string
	}{
		"as it came":                {iterFast, func(*wire.KDCRep) {}, "accepted", ""},
		"no hints":                  {0, func(r *wire.KDCRep) { r.PAData = nil }, "accepted", ""},
		"other iterations":          {iterFast, func(r *wire.KDCRep) { r.PAData = info(18, 17) }, "bad_credentials", ""},
		"no iterations":             {iterFast, func(r *wire.KDCRep) { r.PAData = info(18, 0) }, "kdc_not_trusted", "key derivation parameters are absurd"},
		"hints of another type":     {iterFast, func(r *wire.KDCRep) { r.PAData = info(17, iterFast) }, "kdc_not_trusted", "ETYPE-INFO2 speaks of another type than the reply"},
		"reply of a forbidden type": {iterFast, func(r *wire.KDCRep) { r.Enc.EType = etype.RC4 }, "kdc_not_trusted", "the reply is encrypted with a type that we do not allow"},
		"reply cut to nothing":      {iterFast, func(r *wire.KDCRep) { r.Enc.Cipher = r.Enc.Cipher[:8] }, "bad_credentials", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startCorp(t, func(cfg *kerberostest.Config) { cfg.Iterations = c.iterations })
			k.AddUser(kerberostest.User{Name: "alice", Password: alicePW, NoPreauth: true})
			_, err := through(t, k, "alice", func(n int, reply []byte) []byte {
				rep, err := wire.ParseKDCRep(reply, wire.MsgASRep)
				if n != 0 || err != nil {
					return reply
				}
				c.change(&rep)
				return rep.Encode()
			}, nil)
			require.Equal(t, c.want, reason(err), detail(err))
			if c.detail != "" {
				require.Contains(t, detail(err), c.detail)
			}
		})
	}
}

// The account that an enterprise name led to must be the one that was typed, by UPN or by name and domain.
func TestEnterpriseNamesAreConfirmed(t *testing.T) {
	t.Parallel()
	k := startCorp(t, func(c *kerberostest.Config) {
		c.Users = append(c.Users, kerberostest.User{Name: "ccl", UPN: "carol.clark@corp.example.test", Password: alicePW}, kerberostest.User{Name: "box$", UPN: "box@example.com", Password: alicePW})
	})
	unknownFirst := func(n int, reply []byte) []byte {
		if n == 0 {
			return krbError(wire.ErrClientUnknown, nil)
		}
		return reply
	}
	id, err := through(t, k, "alice@corp.example.test", unknownFirst, nil)
	require.NoError(t, err, "account name at the domain, although the UPN is another: %s", detail(err))
	require.Equal(t, "alice@example.com", id.UPN)
	_, err = through(t, k, "alice", unknownFirst, nil)
	require.Equal(t, "bad_credentials", reason(err), "a bare name has one reading")

	before := len(k.Requests())
	_, err = through(t, k, "alice@corp.example.test", func(int, []byte) []byte { return krbError(wire.ErrPolicy, nil) }, nil)
	require.Equal(t, "not_allowed", reason(err))
	require.Len(t, k.Requests(), before+1, "only an unknown name has a second reading")

	lying := startCorp(t, func(c *kerberostest.Config) {
		c.Users = append(c.Users, kerberostest.User{Name: "ccl", UPN: "carol.clark@corp.example.test", Password: alicePW})
	})
	lying.SetFaults(kerberostest.FaultPACUPN)
	_, err = through(t, lying, "carol.clark@corp.example.test", unknownFirst, nil)
	require.Equal(t, "kdc_not_trusted", reason(err))
	require.Contains(t, detail(err), "the UPN led to another account")

	// a machine hides behind a UPN
	for allow, want := range map[bool]string{false: "bad_credentials", true: "accepted"} {
		for _, user := range []string{"box@example.com", `CORP\box$`} {
			_, err := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.AllowMachines = allow }).Password(t.Context(), user, []byte(alicePW))
			require.Equal(t, want, reason(err), "%s: %s", user, detail(err))
		}
	}
}

// One proof of a password, whatever the KDC answers: a second one only for a wrong password, at a PDC emulator that is
// another server, and only when it is asked for.
func TestProofsAreCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		retry, same, none bool
		state             kerberostest.State
		password          string
		proofs            int
	}{
		"off": {false, false, false, kerberostest.Active, "wrong", 1}, "on": {true, false, false, kerberostest.Active, "wrong", 2},
		"the PDC gave the answer": {true, true, false, kerberostest.Active, "wrong", 1}, "no PDC is known": {true, false, true, kerberostest.Active, "wrong", 1},
		"revoked": {true, false, false, kerberostest.Disabled, alicePW, 1}, "right": {true, false, false, kerberostest.Active, alicePW, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, pdc := startCorp(t, nil), startCorp(t, nil)
			k.SetState("alice", c.state)
			a := authenticator(t, k, func(cfg *kerberos.AuthenticatorConfig) {
				cfg.RetryOnPDC, cfg.Realms[0].PDC = c.retry, pdc.Addr()
				if c.same {
					cfg.Realms[0].PDC = k.Addr()
				}
				if c.none {
					cfg.Realms[0].PDC = ""
				}
			})
			_, _ = a.Password(t.Context(), "alice", []byte(c.password))
			proofs := 0
			for _, r := range append(k.Requests(), pdc.Requests()...) {
				if r.Preauth != 0 {
					proofs++
				}
			}
			require.Equal(t, c.proofs, proofs)
		})
	}
}

func TestPrincipalsInTheLog(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	for _, show := range []bool{false, true} {
		var log bytes.Buffer
		a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
			c.LogPrincipals, c.Logger = show, slog.New(slog.NewTextHandler(&log, nil))
		})
		_, err := a.Password(t.Context(), "nobody-canary", []byte("x"))
		require.Error(t, err)
		require.Contains(t, log.String(), "sign-in refused")
		require.Equal(t, show, bytes.Contains(log.Bytes(), []byte("nobody-canary")))
	}
}

// cancelling ends the caller's context while the directory is asked.
type cancelling struct{ cancel context.CancelFunc }

func (c cancelling) FindAccount(context.Context, string) ([]string, error) {
	c.cancel()
	return nil, errors.New("cut")
}

func (c cancelling) AccountState(context.Context, string, string, []byte) (kerberos.AccountState, error) {
	c.cancel()
	return kerberos.StateUnknown, errors.New("cut")
}

// A call that its caller ended says so, and never that the directory or the account is at fault.
func TestContextEndsInTheDirectory(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	k.SetState("alice", kerberostest.Disabled)
	for _, user := range []string{"alice", `CORP\alice`} {
		ctx, cancel := context.WithCancel(t.Context())
		a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
			c.Realms = append(c.Realms, kerberos.Realm{Name: "B.TEST", KDCs: []string{"127.0.0.1:1"}})
			c.Accounts, c.States = cancelling{cancel}, cancelling{cancel}
		})
		_, err := a.Password(ctx, user, []byte(alicePW))
		require.ErrorIs(t, err, context.Canceled, user)
		require.True(t, kerberos.Temporary(err))
		require.NotErrorIs(t, err, kerberos.ErrRefused)
		cancel()
	}
	_, ok := kerberos.KDCErrorCode(errors.New("no KDC said this"))
	require.False(t, ok)
}
