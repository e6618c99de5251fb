package kerberostest

// Fault is one way for a KDC to misbehave.
type Fault string

// Faults of the connection.
const (
	FaultCloseAtOnce   Fault = "close-at-once"   // accept and close
	FaultSilence       Fault = "silence"         // read and never answer
	FaultCloseNoAnswer Fault = "close-no-answer" // read and close
	FaultCut           Fault = "cut"             // half an answer, then close
	FaultDrip          Fault = "drip"            // one byte a second
	FaultEndless       Fault = "endless"         // a length that is allowed and a stream that never fills it
	FaultHugeLength    Fault = "huge-length"     // a length prefix of 4 GiB
	FaultShortLength   Fault = "short-length"    // a length prefix below the message's
	FaultZeroLength    Fault = "zero-length"
	FaultNoUDP         Fault = "no-udp" // datagrams get no answer
)

// Faults of whole answers.
const (
	FaultGarbage        Fault = "garbage"         // bytes that are no message
	FaultNested         Fault = "nested"          // 30,000 nested sequences
	FaultManyElements   Fault = "many-elements"   // a sequence of 20,000 integers
	FaultTruncated      Fault = "truncated"       // a message cut in the middle, with the right length prefix
	FaultMutated        Fault = "mutated"         // one byte in the middle changed
	FaultError29        Fault = "error-29"        // service unavailable
	FaultError60        Fault = "error-60"        // generic error
	FaultErrorUnknown   Fault = "error-unknown"   // an error that makes no sense here
	FaultClockError     Fault = "clock-error"     // error 37, with a clock one hour ahead
	FaultReferralLoop   Fault = "referral-loop"   // error 68 back to the same realm
	FaultReferralAway   Fault = "referral-away"   // error 68 to a realm that nobody configured
	FaultReferralNoName Fault = "referral-empty"  // error 68 without a realm
	FaultServiceLoop    Fault = "service-loop"    // a service referral back to the realm itself
	FaultServiceAway    Fault = "service-away"    // a service referral to a realm that nobody configured
	FaultPreauthAgain   Fault = "preauth-again"   // error 25 for ever
	FaultServiceUnknown Fault = "service-unknown" // error 7 for every service
)

// Faults of the hints for pre-authentication.
const (
	FaultNoInfo2        Fault = "no-info2"        // no ETYPE-INFO2
	FaultEmptyInfo2     Fault = "empty-info2"     // a list of no entries
	FaultManyInfo2      Fault = "many-info2"      // 33 entries
	FaultWeakOnly       Fault = "weak-only"       // RC4 alone
	FaultWeakFirst      Fault = "weak-first"      // RC4 before the strong types
	FaultUnknownOnly    Fault = "unknown-only"    // a type that nobody knows
	FaultDESOnly        Fault = "des-only"        // DES alone
	FaultIterationsZero Fault = "iterations-zero" // which means 2^32
	FaultIterationsHuge Fault = "iterations-huge" // 4 million
	FaultIterationsMax  Fault = "iterations-max"  // 2^32-1
	FaultIterationsOver Fault = "iterations-over" // one above the default cap
	FaultParamsShort    Fault = "params-short"    // three bytes
	FaultLongSalt       Fault = "long-salt"       // 513 bytes
)

// Faults of replies, in AS-REP and TGS-REP alike unless SetFaultsOn says otherwise.
const (
	FaultNonce         Fault = "nonce"
	FaultServiceName   Fault = "service-name" // in reply and ticket
	FaultServiceRealm  Fault = "service-realm"
	FaultOuterName     Fault = "outer-name"  // in the ticket only
	FaultOuterRealm    Fault = "outer-realm" // in the ticket only
	FaultClientName    Fault = "client-name"
	FaultClientRealm   Fault = "client-realm"
	FaultAuthTimeOld   Fault = "authtime-old"
	FaultAuthTimeAhead Fault = "authtime-ahead"
	FaultEnded         Fault = "ended"
	FaultFutureStart   Fault = "future-start"
	FaultInvalidFlag   Fault = "invalid-flag"
	FaultNoInitial     Fault = "no-initial" // TGT that claims not to be initial
	FaultWrongReplyKey Fault = "wrong-reply-key"
	FaultWeakReply     Fault = "weak-reply"   // encrypted with RC4
	FaultWeakSession   Fault = "weak-session" // an RC4 session key
	FaultWeakTicket    Fault = "weak-ticket"  // ticket encrypted with RC4
	FaultReplyTag      Fault = "reply-tag"    // the encrypted part of a TGS-REP has the tag of an AS-REP's
)

// Faults of service tickets.
const (
	FaultWrongServiceKey Fault = "wrong-service-key" // the KDC does not know our service's key
	FaultCaptured        Fault = "captured"          // the first service ticket ever issued is served again
	FaultSessionKey      Fault = "session-key"       // another session key in the ticket than in the reply
	FaultTicketClient    Fault = "ticket-client"     // another client inside the ticket
	FaultTicketRealm     Fault = "ticket-realm"      // another client realm inside the ticket
	FaultTicketEnded     Fault = "ticket-ended"
	FaultTicketFuture    Fault = "ticket-future"
	FaultTicketAuthTime  Fault = "ticket-authtime"
	FaultTicketInvalid   Fault = "ticket-invalid"
	FaultTransited       Fault = "transited" // went through a realm that nobody configured
)

// Faults of the PAC in service tickets.
const (
	FaultPACGarbage        Fault = "pac-garbage"
	FaultPACOffset         Fault = "pac-offset" // a buffer outside
	FaultPACServerSum      Fault = "pac-server-sum"
	FaultPACNoServerSum    Fault = "pac-no-server-sum"
	FaultPACNoKDCSum       Fault = "pac-no-kdc-sum"
	FaultPACKDCSum         Fault = "pac-kdc-sum"
	FaultPACFullSum        Fault = "pac-full-sum"
	FaultPACTicketSum      Fault = "pac-ticket-sum"
	FaultPACTwoSums        Fault = "pac-two-sums"
	FaultPACSumType        Fault = "pac-sum-type"
	FaultPACClient         Fault = "pac-client"
	FaultPACTime           Fault = "pac-time"
	FaultPACNoClient       Fault = "pac-no-client"
	FaultPACRequestor      Fault = "pac-requestor"
	FaultPACUPN            Fault = "pac-upn" // another UPN and account name
	FaultPACUPNSID         Fault = "pac-upn-sid"
	FaultPACNoUPN          Fault = "pac-no-upn"
	FaultPACNoLogonInfo    Fault = "pac-no-logon-info"
	FaultNoPAC             Fault = "no-pac"
	FaultNoTicketChecksum  Fault = "no-ticket-checksum"
	FaultPACChangedContent Fault = "pac-changed" // content changed after signing
)
