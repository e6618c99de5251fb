package kerberos_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// hostile lists every way of misbehaving with the only acceptable outcomes. Where two stand, the second is for the
// exchange that comes after the password was proved.
var hostile = map[kerberostest.Fault]string{
	kerberostest.FaultCloseAtOnce: "unavailable", kerberostest.FaultSilence: "unavailable", kerberostest.FaultCloseNoAnswer: "unavailable",
	kerberostest.FaultCut: "unavailable", kerberostest.FaultDrip: "unavailable", kerberostest.FaultEndless: "unavailable",
	kerberostest.FaultHugeLength: "kdc_not_trusted", kerberostest.FaultShortLength: "kdc_not_trusted", kerberostest.FaultZeroLength: "kdc_not_trusted",

	kerberostest.FaultGarbage: "kdc_not_trusted", kerberostest.FaultNested: "kdc_not_trusted", kerberostest.FaultManyElements: "kdc_not_trusted",
	kerberostest.FaultTruncated: "kdc_not_trusted", kerberostest.FaultMutated: "kdc_not_trusted",
	kerberostest.FaultError29: "unavailable", kerberostest.FaultError60: "unavailable", kerberostest.FaultErrorUnknown: "kdc_not_trusted",
	kerberostest.FaultClockError: "clock_skew", kerberostest.FaultReferralLoop: "kdc_not_trusted", kerberostest.FaultReferralAway: "kdc_not_trusted",
	kerberostest.FaultReferralNoName: "kdc_not_trusted", kerberostest.FaultServiceLoop: "kdc_not_trusted", kerberostest.FaultServiceAway: "kdc_not_trusted",
	kerberostest.FaultPreauthAgain: "kdc_not_trusted", kerberostest.FaultServiceUnknown: "service_unknown",

	kerberostest.FaultNoInfo2: "kdc_not_trusted", kerberostest.FaultEmptyInfo2: "kdc_not_trusted", kerberostest.FaultManyInfo2: "kdc_not_trusted",
	kerberostest.FaultWeakOnly: "kdc_not_trusted", kerberostest.FaultWeakFirst: "accepted", kerberostest.FaultUnknownOnly: "kdc_not_trusted",
	kerberostest.FaultDESOnly: "kdc_not_trusted", kerberostest.FaultIterationsZero: "kdc_not_trusted", kerberostest.FaultIterationsHuge: "kdc_not_trusted",
	kerberostest.FaultIterationsMax: "kdc_not_trusted", kerberostest.FaultIterationsOver: "kdc_not_trusted",
	kerberostest.FaultParamsShort: "kdc_not_trusted", kerberostest.FaultLongSalt: "kdc_not_trusted",

	kerberostest.FaultNonce: "kdc_not_trusted", kerberostest.FaultServiceName: "kdc_not_trusted", kerberostest.FaultServiceRealm: "kdc_not_trusted",
	kerberostest.FaultOuterName: "kdc_not_trusted", kerberostest.FaultOuterRealm: "kdc_not_trusted", kerberostest.FaultClientName: "kdc_not_trusted",
	kerberostest.FaultClientRealm: "kdc_not_trusted", kerberostest.FaultAuthTimeOld: "kdc_not_trusted", kerberostest.FaultAuthTimeAhead: "kdc_not_trusted",
	kerberostest.FaultEnded: "kdc_not_trusted", kerberostest.FaultFutureStart: "kdc_not_trusted", kerberostest.FaultInvalidFlag: "kdc_not_trusted",
	kerberostest.FaultNoInitial: "kdc_not_trusted", kerberostest.FaultWrongReplyKey: "kdc_not_trusted", kerberostest.FaultWeakReply: "kdc_not_trusted",
	kerberostest.FaultWeakSession: "kdc_not_trusted", kerberostest.FaultWeakTicket: "kdc_not_trusted",

	kerberostest.FaultWrongServiceKey: "kdc_not_trusted", kerberostest.FaultSessionKey: "kdc_not_trusted", kerberostest.FaultTicketClient: "kdc_not_trusted",
	kerberostest.FaultTicketRealm: "kdc_not_trusted", kerberostest.FaultTicketEnded: "kdc_not_trusted", kerberostest.FaultTicketFuture: "kdc_not_trusted",
	kerberostest.FaultTicketAuthTime: "kdc_not_trusted", kerberostest.FaultTicketInvalid: "kdc_not_trusted", kerberostest.FaultTransited: "kdc_not_trusted",

	kerberostest.FaultPACGarbage: "kdc_not_trusted", kerberostest.FaultPACOffset: "kdc_not_trusted", kerberostest.FaultPACServerSum: "kdc_not_trusted",
	kerberostest.FaultPACNoServerSum: "kdc_not_trusted", kerberostest.FaultPACNoKDCSum: "kdc_not_trusted", kerberostest.FaultPACTwoSums: "kdc_not_trusted",
	kerberostest.FaultPACSumType: "kdc_not_trusted", kerberostest.FaultPACClient: "kdc_not_trusted", kerberostest.FaultPACTime: "kdc_not_trusted",
	kerberostest.FaultPACNoClient: "kdc_not_trusted", kerberostest.FaultPACRequestor: "kdc_not_trusted", kerberostest.FaultPACUPNSID: "kdc_not_trusted",
	kerberostest.FaultPACChangedContent: "kdc_not_trusted",
	// the KDC's own sums cannot be checked without its key, and a ticket without a PAC still authenticates by default
	kerberostest.FaultPACKDCSum: "accepted", kerberostest.FaultPACFullSum: "accepted", kerberostest.FaultPACTicketSum: "accepted",
	kerberostest.FaultPACUPN: "accepted", kerberostest.FaultPACNoLogonInfo: "accepted", kerberostest.FaultNoPAC: "accepted", kerberostest.FaultNoTicketChecksum: "accepted",
	kerberostest.FaultPACNoUPN: "accepted", kerberostest.FaultReplyTag: "kdc_not_trusted",
	kerberostest.FaultNoUDP: "accepted",
}

func TestHostileKDC(t *testing.T) {
	t.Parallel()
	for fault, want := range hostile {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			k := startCorp(t, nil)
			k.SetFaults(fault)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
				switch fault {
				case kerberostest.FaultSilence, kerberostest.FaultDrip, kerberostest.FaultEndless:
					c.Network.AnswerTimeout = 300 * time.Millisecond
				}
			})
			id, err := a.Password(ctx, "alice", []byte(alicePW))
			require.NoError(t, ctx.Err(), "no end within the deadline")
			require.Equal(t, want, reason(err), detail(err))
			require.Equal(t, want == "accepted", id != nil)
			for _, r := range k.Requests() {
				require.NotEqual(t, int32(23), r.Preauth, "a proof under a weak type")
				require.NotContains(t, r.ETypes, int32(23))
			}
		})
	}
}

// Faults of replies must be seen in each of the two exchanges by itself.
func TestHostileKDCInOneExchange(t *testing.T) {
	t.Parallel()
	for fault, only := range map[kerberostest.Fault][]string{
		kerberostest.FaultNonce: {"as", "tgs"}, kerberostest.FaultServiceName: {"as", "tgs"}, kerberostest.FaultServiceRealm: {"as", "tgs"},
		kerberostest.FaultOuterName: {"as", "tgs"}, kerberostest.FaultOuterRealm: {"as", "tgs"}, kerberostest.FaultClientName: {"as", "tgs"},
		kerberostest.FaultClientRealm: {"as", "tgs"}, kerberostest.FaultAuthTimeOld: {"as", "tgs"}, kerberostest.FaultAuthTimeAhead: {"as", "tgs"},
		kerberostest.FaultEnded: {"as", "tgs"}, kerberostest.FaultFutureStart: {"as", "tgs"}, kerberostest.FaultInvalidFlag: {"as", "tgs"},
		kerberostest.FaultWrongReplyKey: {"as", "tgs"}, kerberostest.FaultWeakReply: {"as", "tgs"}, kerberostest.FaultWeakSession: {"as", "tgs"},
		kerberostest.FaultNoInitial: {"as"}, kerberostest.FaultTruncated: {"as", "tgs"}, kerberostest.FaultMutated: {"as", "tgs"},
		kerberostest.FaultGarbage: {"as", "tgs"}, kerberostest.FaultErrorUnknown: {"as", "tgs"},
	} {
		for _, exchange := range only {
			t.Run(string(fault)+" "+exchange, func(t *testing.T) {
				t.Parallel()
				k := startCorp(t, nil)
				k.SetFaultsOn(exchange, fault)
				id, err := authenticator(t, k, nil).Password(t.Context(), "alice", []byte(alicePW))
				require.Equal(t, "kdc_not_trusted", reason(err), detail(err))
				require.Nil(t, id)
			})
		}
	}
}

// The attacker's KDC knows a password of the attacker's choice for everybody, but not our service's key.
func TestSpoofedKDC(t *testing.T) {
	t.Parallel()
	real := startCorp(t, nil)
	for _, noPreauth := range []bool{false, true} {
		false1 := startCorp(t, func(c *kerberostest.Config) {
			c.Users = []kerberostest.User{{Name: "alice", UPN: "alice@example.com", Password: "attacker", NoPreauth: noPreauth}}
		})
		a := authenticator(t, false1, func(c *kerberos.AuthenticatorConfig) { c.Service.Keytab = real.Keytab(spn) })
		for _, name := range []string{"alice", "alice@example.com"} {
			id, err := a.Password(t.Context(), name, []byte("attacker"))
			require.Equal(t, "kdc_not_trusted", reason(err), detail(err))
			require.Nil(t, id)
		}
	}
}

// A genuine ticket for our service, seen on the wire, is served again by somebody who knows the password that was typed.
func TestCapturedTicket(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{"alice", "bob"} {
		k := startCorp(t, nil)
		a := authenticator(t, k, nil)
		pw := map[string]string{"alice": alicePW, "bob": bobPW}[victim]
		_, err := a.Password(t.Context(), victim, []byte(pw)) // the KDC keeps this ticket
		require.NoError(t, err)
		k.SetFaults(kerberostest.FaultCaptured)
		id, err := a.Password(t.Context(), "alice", []byte(alicePW))
		require.Equal(t, "kdc_not_trusted", reason(err), detail(err))
		require.Nil(t, id)
	}
}

func TestKDCSumsWithTheKDCsKey(t *testing.T) {
	t.Parallel()
	for fault, want := range map[kerberostest.Fault]string{
		"": "accepted", kerberostest.FaultPACKDCSum: "kdc_not_trusted", kerberostest.FaultPACFullSum: "kdc_not_trusted",
		kerberostest.FaultPACTicketSum: "kdc_not_trusted", kerberostest.FaultNoTicketChecksum: "kdc_not_trusted",
	} {
		k := startCorp(t, nil)
		k.SetFaults(fault)
		a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) {
			c.PAC.KDCKeys, c.PAC.RequireTicketChecksum = k.Keytab(), true
		})
		_, err := a.Password(t.Context(), "alice", []byte(alicePW))
		require.Equal(t, want, reason(err), "%s: %s", fault, detail(err))
	}
}

func TestPACPolicies(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	for fault, policy := range map[kerberostest.Fault]kerberos.PACPolicy{
		kerberostest.FaultNoPAC: {Require: true}, kerberostest.FaultPACNoLogonInfo: {RequireLogonInfo: true}, kerberostest.FaultNoTicketChecksum: {RequireTicketChecksum: true},
	} {
		if fault != kerberostest.FaultNoPAC { // what a PAC must have is not there when there is none
			k.SetFaults(kerberostest.FaultNoPAC)
			_, err := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.PAC = policy }).Password(t.Context(), "alice", []byte(alicePW))
			require.Equal(t, "kdc_not_trusted", reason(err), fault)
		}
		k.SetFaults(fault)
		_, err := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.PAC = policy }).Password(t.Context(), "alice", []byte(alicePW))
		require.Equal(t, "kdc_not_trusted", reason(err), fault)
		k.SetFaults()
		_, err = authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.PAC = policy }).Password(t.Context(), "alice", []byte(alicePW))
		require.NoError(t, err)
	}
	// an enterprise name needs somebody to confirm whom it led to
	for _, fault := range []kerberostest.Fault{kerberostest.FaultNoPAC, kerberostest.FaultPACUPN, kerberostest.FaultPACNoUPN} {
		k.SetFaults(fault)
		_, err := authenticator(t, k, nil).Password(t.Context(), "alice@example.com", []byte(alicePW))
		require.Equal(t, "kdc_not_trusted", reason(err), fault)
	}
	k.SetFaults(kerberostest.FaultNoPAC)
	id, err := authenticator(t, k, nil).Password(t.Context(), "ALICE", []byte(alicePW))
	require.NoError(t, err)
	require.Equal(t, "alice@CORP.EXAMPLE.TEST", id.Principal)
	require.Equal(t, "alice@corp.example.test", id.UPN)
	require.Empty(t, id.SID)
	require.Nil(t, id.PAC)
}

// Hostile sizes cost no memory: the whole process stays within 16 MiB of what it had.
func TestHostileMemory(t *testing.T) { //nolint:paralleltest // it measures the process
	k := startCorp(t, nil)
	a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.Network.AnswerTimeout = 200 * time.Millisecond })
	for _, f := range []kerberostest.Fault{
		kerberostest.FaultHugeLength, kerberostest.FaultEndless, kerberostest.FaultNested, kerberostest.FaultManyElements, kerberostest.FaultIterationsHuge,
	} {
		k.SetFaults(f)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := a.Password(t.Context(), "alice", []byte(alicePW))
		require.Error(t, err)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), f)
	}
}

func TestContextEndsEverything(t *testing.T) {
	t.Parallel()
	for _, f := range []kerberostest.Fault{kerberostest.FaultSilence, kerberostest.FaultDrip, kerberostest.FaultEndless} {
		k := startCorp(t, nil)
		k.SetFaults(f)
		a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.Network.AnswerTimeout = time.Minute })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begin := time.Now()
		_, err := a.Password(ctx, "alice", []byte(alicePW))
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, f)
		require.Less(t, time.Since(begin), 30*time.Second)
		require.True(t, kerberos.Temporary(err))
	}
}
