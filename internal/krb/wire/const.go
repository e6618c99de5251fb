// Package wire has the messages of Kerberos V5 (RFC 4120) as values, with their DER encodings.
//
// Decoders check shape and size only; whether a message may be believed is the business of their callers. Every
// Parse function returns the zero value together with its error.
package wire

// Message types (RFC 4120 7.5.7).
const (
	MsgASReq  = 10
	MsgASRep  = 11
	MsgTGSReq = 12
	MsgTGSRep = 13
	MsgAPReq  = 14
	MsgAPRep  = 15
	MsgPriv   = 21
	MsgError  = 30
	EncAS     = 25 // application tags of encrypted parts
	EncTGS    = 26
	protoVer  = 5
)

// Name types (RFC 4120 6.2, RFC 6806 5).
const (
	NTPrincipal  = 1
	NTSrvInst    = 2
	NTEnterprise = 10
)

// Key usage numbers (RFC 4120 7.5.1, RFC 4121 2, MS-PAC 2.8).
const (
	UsagePATimestamp   = 1
	UsageTicket        = 2
	UsageASRep         = 3
	UsageTGSReqCksum   = 6
	UsageTGSReqAuth    = 7
	UsageTGSRepSession = 8
	UsageTGSRepSubkey  = 9
	UsageAPReqAuth     = 11
	UsageAPRep         = 12
	UsagePriv          = 13
	UsagePAC           = 17
)

// Pre-authentication data types.
const (
	PATGSReq     = 1
	PAEncTS      = 2
	PAETypeInfo2 = 19
)

// Authorization data types.
const (
	ADIfRelevant = 1
	ADWin2kPAC   = 128
)

// KDC options and ticket flags, bit 0 being the most significant one (RFC 4120 5.2.8).
const (
	OptCanonicalize uint32 = 1 << 16

	FlagForwardable uint32 = 1 << 30
	FlagPostdated   uint32 = 1 << 25
	FlagInvalid     uint32 = 1 << 24
	FlagInitial     uint32 = 1 << 22
	FlagPreAuthent  uint32 = 1 << 21

	APUseSessionKey  uint32 = 1 << 30
	APMutualRequired uint32 = 1 << 29
)

// Error codes (RFC 4120 7.5.9, RFC 6806).
const (
	ErrClientUnknown   = 6
	ErrServiceUnknown  = 7
	ErrPolicy          = 12
	ErrEtypeNoSupp     = 14
	ErrPadataNoSupp    = 16
	ErrClientRevoked   = 18
	ErrTGTRevoked      = 20
	ErrClientNotYet    = 21
	ErrKeyExpired      = 23
	ErrPreauthFailed   = 24
	ErrPreauthRequired = 25
	ErrSvcUnavailable  = 29
	ErrBadIntegrity    = 31
	ErrTktExpired      = 32
	ErrTktNotYet       = 33
	ErrNotUs           = 35
	ErrBadMatch        = 36
	ErrSkew            = 37
	ErrModified        = 41
	ErrBadKeyVer       = 44
	ErrNoKey           = 45
	ErrInappCksum      = 50
	ErrResponseTooBig  = 52
	ErrGeneric         = 60
	ErrWrongRealm      = 68
)

// Bounds of this package. Each is far above what real messages have.
const (
	maxNameParts = 16
	maxText      = 1024
	maxPAData    = 64
	maxAuthData  = 64
	maxAddresses = 64
	maxETypes    = 64
	maxInfo2     = 32
	maxSalt      = 512
)
