package kerberos_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// hostileDetails says which check sees a fault, in the AS exchange and in the TGS exchange. Many faults would be seen
// by a later check too: without these texts, the first one could go and no test would fail.
var hostileDetails = map[kerberostest.Fault][2]string{
	kerberostest.FaultAuthTimeAhead:     {"authentication time is not now", "service ticket has another authentication time"},
	kerberostest.FaultAuthTimeOld:       {"authentication time is not now", "service ticket has another authentication time"},
	kerberostest.FaultClientName:        {"the reply names another account", "ticket for another client"},
	kerberostest.FaultClientRealm:       {"client of another realm", "ticket for another client"},
	kerberostest.FaultDESOnly:           {"the KDC offers no encryption type that we allow", ""},
	kerberostest.FaultEmptyInfo2:        {"ETYPE-INFO2 is malformed | malformed DER", ""},
	kerberostest.FaultEnded:             {"ticket has ended", "service ticket has ended"},
	kerberostest.FaultErrorUnknown:      {"unexpected error | KDC error 9999", "unexpected error for the ticket of our service | KDC error 9999"},
	kerberostest.FaultFutureStart:       {"ticket begins in the future", "service ticket begins in the future"},
	kerberostest.FaultGarbage:           {"no KDC sent a Kerberos message | answer is no Kerberos message: malformed DER", "no KDC sent a Kerberos message | answer is no Kerberos message: malformed DER"},
	kerberostest.FaultHugeLength:        {"no KDC sent a Kerberos message | answer is no Kerberos message: length prefix", ""},
	kerberostest.FaultInvalidFlag:       {"ticket flags", "service ticket flags"},
	kerberostest.FaultIterationsHuge:    {"key derivation parameters are absurd | iteration count out of range", ""},
	kerberostest.FaultIterationsMax:     {"key derivation parameters are absurd | iteration count out of range", ""},
	kerberostest.FaultIterationsOver:    {"key derivation parameters are absurd | iteration count out of range", ""},
	kerberostest.FaultIterationsZero:    {"key derivation parameters are absurd | iteration count out of range", ""},
	kerberostest.FaultLongSalt:          {"ETYPE-INFO2 is malformed | malformed DER", ""},
	kerberostest.FaultManyElements:      {"no KDC sent a Kerberos message | answer is no Kerberos message: malformed DER", ""},
	kerberostest.FaultManyInfo2:         {"ETYPE-INFO2 is malformed | malformed DER", ""},
	kerberostest.FaultNested:            {"no KDC sent a Kerberos message | answer is no Kerberos message: length prefix", ""},
	kerberostest.FaultNoInfo2:           {"no ETYPE-INFO2", ""},
	kerberostest.FaultNoInitial:         {"ticket flags", ""},
	kerberostest.FaultNonce:             {"nonce of another request", "nonce of another ticket request"},
	kerberostest.FaultOuterName:         {"outer ticket for another service", "the ticket names another service than the reply"},
	kerberostest.FaultOuterRealm:        {"outer ticket for another service", "ticket of another realm"},
	kerberostest.FaultPACChangedContent: {"", "PAC of the ticket for our service | pac: signature: buffer 6 is wrong"},
	kerberostest.FaultPACClient:         {"", "PAC of the ticket for our service | the PAC is another client's"},
	kerberostest.FaultPACGarbage:        {"", "PAC of the ticket for our service | pac: malformed: count or version"},
	kerberostest.FaultPACNoClient:       {"", "PAC of the ticket for our service | the PAC does not say whose it is"},
	kerberostest.FaultPACNoKDCSum:       {"", "PAC of the ticket for our service | pac: signature: no KDC signature"},
	kerberostest.FaultPACNoServerSum:    {"", "PAC of the ticket for our service | pac: signature: buffer 6 is missing"},
	kerberostest.FaultPACOffset:         {"", "PAC of the ticket for our service | pac: malformed: buffer outside"},
	kerberostest.FaultPACRequestor:      {"", "PAC of the ticket for our service | the PAC was requested by another account"},
	kerberostest.FaultPACServerSum:      {"", "PAC of the ticket for our service | pac: signature: buffer 6 is wrong"},
	kerberostest.FaultPACSumType:        {"", "PAC of the ticket for our service | pac: signature: buffer 6 has another type than the key"},
	kerberostest.FaultPACTime:           {"", "PAC of the ticket for our service | the PAC is of another time"},
	kerberostest.FaultPACTwoSums:        {"", "PAC of the ticket for our service | pac: malformed: two signatures of one type"},
	kerberostest.FaultPACUPNSID:         {"", "PAC of the ticket for our service | the PAC has two user SIDs"},
	kerberostest.FaultParamsShort:       {"key derivation parameters are absurd | iteration count out of range", ""},
	kerberostest.FaultPreauthAgain:      {"unexpected error | KDC error 25", ""},
	kerberostest.FaultReferralAway:      {"client referral to a realm that is not configured, or in a circle | KDC error 68", ""},
	kerberostest.FaultReferralNoName:    {"client referral to a realm that is not configured, or in a circle | KDC error 68", ""},
	kerberostest.FaultReferralLoop:      {"client referral to a realm that is not configured, or in a circle | KDC error 68", ""},
	kerberostest.FaultReplyTag:          {"", "the ticket reply has the wrong tag"},
	kerberostest.FaultServiceAway:       {"", "ticket for another service, or referral to a realm that is not configured"},
	kerberostest.FaultServiceLoop:       {"", "service referral in a circle"},
	kerberostest.FaultServiceName:       {"ticket for another service", "ticket for another service, or referral to a realm that is not configured"},
	kerberostest.FaultServiceRealm:      {"ticket for another service", "ticket of another realm"},
	kerberostest.FaultSessionKey:        {"", "session key in the ticket is another one than in the reply"},
	kerberostest.FaultShortLength:       {"no KDC sent a Kerberos message | answer is no Kerberos message: malformed DER", ""},
	kerberostest.FaultTicketAuthTime:    {"", "ticket for our service is of another sign-in"},
	kerberostest.FaultTicketClient:      {"", "the ticket is another client's"},
	kerberostest.FaultTicketEnded:       {"", "ticket for our service has ended"},
	kerberostest.FaultTicketFuture:      {"", "ticket for our service begins in the future"},
	kerberostest.FaultTicketInvalid:     {"", "ticket for our service is flagged invalid"},
	kerberostest.FaultTicketRealm:       {"", "the ticket is another client's"},
	kerberostest.FaultTransited:         {"", "the ticket went through a realm that is not configured"},
	kerberostest.FaultTruncated:         {"no KDC sent a Kerberos message | answer is no Kerberos message: malformed DER", "no KDC sent a Kerberos message | answer is no Kerberos message: malformed DER"},
	kerberostest.FaultUnknownOnly:       {"the KDC offers no encryption type that we allow", ""},
	kerberostest.FaultWeakOnly:          {"the KDC offers no encryption type that we allow", ""},
	kerberostest.FaultWeakReply:         {"the reply is encrypted with a type that we did not choose", "the ticket reply does not decrypt | encryption type not supported"},
	kerberostest.FaultWeakSession:       {"session key of a type that we do not allow", "service ticket of an encryption type that we do not allow"},
	kerberostest.FaultWeakTicket:        {"", "service ticket of an encryption type that we do not allow"},
	kerberostest.FaultWrongReplyKey:     {"the reply does not decrypt | decrypt integrity check failed", "the ticket reply does not decrypt | decrypt integrity check failed"},
	kerberostest.FaultWrongServiceKey:   {"", "the ticket does not open with our keytab | decrypt integrity check failed"},
	kerberostest.FaultZeroLength:        {"no KDC sent a Kerberos message | answer is no Kerberos message: length prefix", ""},
}

func TestHostileKDCIsSeenByItsCheck(t *testing.T) {
	t.Parallel()
	for fault, wants := range hostileDetails {
		for i, exchange := range []string{"as", "tgs"} {
			if wants[i] == "" {
				continue
			}
			t.Run(string(fault)+" "+exchange, func(t *testing.T) {
				t.Parallel()
				k := startCorp(t, nil)
				k.SetFaultsOn(exchange, fault)
				id, err := authenticator(t, k, nil).Password(t.Context(), "alice", []byte(alicePW))
				require.Nil(t, id)
				ae, ok := errors.AsType[*kerberos.AuthError](err)
				require.True(t, ok, "%v", err)
				got := ae.Detail
				if ae.Err != nil {
					got += " | " + ae.Err.Error()
				}
				require.Equal(t, wants[i], got)
			})
		}
	}
}
