package kerberos

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/internal/observe"
)

// ChannelBindingPolicy says how strictly channel bindings (RFC 5929) are compared.
type ChannelBindingPolicy int

// The policies. The zero value compares when both sides have a binding.
const (
	ChannelBindingWhenPresent ChannelBindingPolicy = iota
	ChannelBindingRequired
	ChannelBindingIgnored
)

// AcceptorConfig configures an [Acceptor]. Keytab, SPNs, Replay, and AllowedRealms or AnyRealm are required.
type AcceptorConfig struct {
	Keytab        KeytabSource
	SPNs          []string    // service/host, or service/* for every host of a service
	Replay        ReplayCache // remembers authenticators
	AllowedRealms []string    // realms of clients
	AnyRealm      bool        // accept clients of every realm that the KDC has a trust with

	Realms         []Realm // only names, DomainSIDs and LearnDomainSID matter here: which SIDs foreign realms may assert
	EncTypes       []int32 // nil means 18, 17
	AllowRC4       bool
	MaxSkew        time.Duration // 0 means 5 minutes
	MaxTicketAge   time.Duration // since the password was shown; 0 means the ticket's own life
	RequirePreauth bool          // refuse tickets that were got without a password proof
	RequireMutual  bool          // refuse clients that do not want to see our proof
	CheckAddresses bool          // compare AcceptInput.Remote with the ticket's addresses, if it has any
	AllowMachines  bool          // accept name$ accounts
	ChannelBinding ChannelBindingPolicy
	PAC            PACPolicy
	Now            func() time.Time // nil means the system clock
	Logger         *slog.Logger     // nil means no logging
	Observer       Observer         // of "kerberos.accept"; nil means none
	LogPrincipals  bool             // names of clients in the log
}

// Acceptor verifies tickets that clients present. It is safe for concurrent use.
type Acceptor struct {
	cfg    AcceptorConfig
	realms *realmTable // nil when no realm is described
	any    map[string]bool

	learned *learnedDomains
}

// AcceptInput is what the transport knows of a token.
type AcceptInput struct {
	ChannelBinding []byte     // application data, for instance from [TLSServerEndPoint]; nil when there is none
	Remote         netip.Addr // for CheckAddresses
}

// Accepted is an accepted token.
type Accepted struct {
	*Identity
	Reply   []byte      // to send back, nil when there is nothing to say
	Context *SecContext // for signing and sealing messages (RFC 4121)
}

// ContinueError asks the transport to send Token and to call Accept with the client's next token. It is not a refusal.
type ContinueError struct {
	Token []byte
}

func (*ContinueError) Error() string { return "kerberos: negotiation continues" }

// NewAcceptor checks the configuration.
func NewAcceptor(cfg AcceptorConfig) (*Acceptor, error) { //nolint:cyclop // one list of checks
	switch {
	case cfg.Keytab == nil:
		return nil, errors.New("kerberos: AcceptorConfig.Keytab is nil")
	case len(cfg.SPNs) == 0:
		return nil, errors.New("kerberos: AcceptorConfig.SPNs is empty")
	case cfg.Replay == nil:
		return nil, errors.New("kerberos: AcceptorConfig.Replay is nil")
	case len(cfg.AllowedRealms) == 0 && !cfg.AnyRealm:
		return nil, errors.New("kerberos: AcceptorConfig.AllowedRealms is empty and AnyRealm is off")
	case cfg.MaxSkew < 0 || cfg.MaxTicketAge < 0:
		return nil, errors.New("kerberos: AcceptorConfig has a negative duration")
	}
	for _, s := range cfg.SPNs {
		if class, host, ok := strings.Cut(s, "/"); !ok || class == "" || host == "" {
			return nil, errors.New("kerberos: AcceptorConfig.SPNs has an entry that is not service/host")
		}
	}
	var err error
	if cfg.EncTypes, err = checkETypes(cfg.EncTypes, cfg.AllowRC4); err != nil {
		return nil, err
	}
	a := &Acceptor{any: map[string]bool{}, learned: newLearnedDomains()}
	if len(cfg.Realms) > 0 {
		list := make([]Realm, len(cfg.Realms))
		for i, r := range cfg.Realms {
			list[i] = Realm{Name: r.Name, DomainSIDs: r.DomainSIDs, LearnDomainSID: r.LearnDomainSID, Discover: true}
		}
		if a.realms, err = newRealmTable(list); err != nil {
			return nil, err
		}
	}
	for _, r := range cfg.AllowedRealms {
		a.any[fold.Key(r)] = true
	}
	setDefault(&cfg.MaxSkew, defaultSkew)
	cfg.Now, cfg.Logger = clock.Or(cfg.Now), loggerOr(cfg.Logger)
	a.cfg = cfg
	return a, nil
}

// Accept verifies a SPNEGO token (RFC 4178) or a bare Kerberos GSS-API token (RFC 4121). The error is an [AuthError]
// with [ReasonTicketRejected], a [ContinueError], or an error of the context.
func (a *Acceptor) Accept(ctx context.Context, token []byte, in AcceptInput) (acc *Accepted, err error) {
	ctx, end := observe.Start(ctx, a.cfg.Observer, "kerberos.accept")
	defer func() { end(outcome(err)) }()
	defer a.finish(ctx, &acc, &err)
	inner, n, err := unwrapToken(token)
	if err != nil {
		return nil, rejectTicket(err.Error(), err)
	}
	id, msg, err := unwrapKrb5(inner)
	if len(inner) == 0 || n.other && err != nil { // no token yet, or an optimistic one of the client's first choice
		return nil, &ContinueError{Token: wrapResp(negIncomplete, n.mech, nil)}
	}
	if err != nil || id != tokAPReq {
		return nil, rejectTicket("no Kerberos request in the token", errToken)
	}
	acc, err = a.request(ctx, msg, in, true)
	if err != nil {
		return nil, err
	}
	if acc.Reply != nil {
		acc.Reply = wrapKrb5(tokAPRep, acc.Reply)
	}
	if n.spnego {
		acc.Reply = wrapResp(negCompleted, n.mech, acc.Reply)
	}
	return acc, nil
}

// AcceptAPReq verifies a raw AP-REQ (RFC 4120 3.2.3) without GSS-API framing. Reply is a raw AP-REP.
func (a *Acceptor) AcceptAPReq(ctx context.Context, msg []byte, in AcceptInput) (acc *Accepted, err error) {
	ctx, end := observe.Start(ctx, a.cfg.Observer, "kerberos.accept")
	defer func() { end(outcome(err)) }()
	defer a.finish(ctx, &acc, &err)
	if len(msg) > maxToken {
		return nil, rejectTicket("too long", nil)
	}
	return a.request(ctx, msg, in, false)
}

func rejectTicket(detail string, err error) *AuthError {
	return refuse(ReasonTicketRejected, detail, err)
}

// finish turns panics into refusals and logs the refusals.
func (a *Acceptor) finish(ctx context.Context, acc **Accepted, err *error) {
	if r := recover(); r != nil {
		logDefect(ctx, a.cfg.Logger)
		*acc, *err = nil, rejectTicket("panic while reading a token", nil)
	}
	if ae, ok := errors.AsType[*AuthError](*err); ok {
		a.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "ticket refused", slog.Any("error", ae))
	}
}

// request verifies an AP-REQ, one check after the other.
func (a *Acceptor) request(ctx context.Context, msg []byte, in AcceptInput, gss bool) (*Accepted, error) { //nolint:cyclop // one list of checks
	now := a.cfg.Now()
	req, err := wire.ParseAPReq(msg)
	if err != nil {
		return nil, rejectTicket("AP-REQ is malformed", err)
	}
	if req.Options&wire.APUseSessionKey != 0 {
		return nil, rejectTicket("user-to-user is not supported", nil)
	}
	spn := req.Ticket.SName.String()
	if !a.ours(spn) {
		return nil, rejectTicket("ticket for another service", nil)
	}
	if !a.allows(req.Ticket.Enc.EType) || !a.allows(req.Auth.EType) {
		return nil, rejectTicket("encryption type is not allowed", nil)
	}
	part, key, err := openTicket(a.cfg.Keytab.Current(), spn, req.Ticket)
	if err != nil {
		return nil, rejectTicket("ticket does not open", err)
	}
	if !a.allows(part.Key.Type()) { // a strong ticket may carry a weak session key
		return nil, rejectTicket("session key of a type that is not allowed", nil)
	}
	if err := a.checkTicket(part, now, in); err != nil {
		return nil, err
	}
	plain, err := req.Auth.Open(part.Key, wire.UsageAPReqAuth)
	if err != nil {
		return nil, rejectTicket("authenticator does not decrypt", err)
	}
	auth, err := wire.ParseAuthenticator(plain)
	if err != nil {
		return nil, rejectTicket("authenticator is malformed", err)
	}
	if !auth.CName.Equal(part.CName) || auth.CRealm != part.CRealm { // RFC 4120 3.2.3: name and realm
		return nil, rejectTicket("authenticator of another client", nil)
	}
	if !within(auth.CTime, now, a.cfg.MaxSkew) {
		return nil, rejectTicket("authenticator is not of now", nil)
	}
	if auth.Subkey != nil && !a.allows(auth.Subkey.Type()) {
		return nil, rejectTicket("sub-key of a type that is not allowed", nil)
	}
	flags, err := a.checkGSS(auth, in, gss)
	if err != nil {
		return nil, err
	}
	mutual := req.Options&wire.APMutualRequired != 0 || flags&gssMutual != 0
	if a.cfg.RequireMutual && !mutual {
		return nil, rejectTicket("client does not ask for mutual authentication", nil)
	}
	until := auth.CTime.Add(2*a.cfg.MaxSkew + time.Second)
	if err := a.cfg.Replay.UseOnce(ctx, sha256.Sum256(req.Auth.Cipher), until); err != nil {
		return nil, rejectTicket("replay", err) // seen before, or the cache failed: both refuse
	}
	id := &Identity{
		Name: part.CName.String(), Realm: part.CRealm, AuthTime: part.AuthTime, EndTime: part.EndTime, Service: spn,
		KDCVerified: true, PreAuthenticated: part.Flags&wire.FlagPreAuthent != 0,
	}
	if err := (pacJudge{a.cfg.PAC, a.realms, a.learned}).judge(id, part, key, req.Ticket.Realm); err != nil {
		return nil, rejectTicket("PAC", err)
	}
	return a.accepted(id, part, auth, mutual, flags)
}

// checkTicket looks at the decrypted ticket (RFC 4120 3.2.3).
func (a *Acceptor) checkTicket(part wire.TicketPart, now time.Time, in AcceptInput) error { //nolint:cyclop // one list of checks
	switch {
	case part.StartTime.After(now.Add(a.cfg.MaxSkew)):
		return rejectTicket("ticket begins in the future", nil)
	case part.EndTime.Before(now.Add(-a.cfg.MaxSkew)):
		return rejectTicket("ticket has ended", nil)
	case part.Flags&wire.FlagInvalid != 0:
		return rejectTicket("ticket is flagged invalid", nil)
	case a.cfg.RequirePreauth && part.Flags&wire.FlagPreAuthent == 0:
		return rejectTicket("ticket was got without pre-authentication", nil)
	case a.cfg.MaxTicketAge > 0 && now.Sub(part.AuthTime) > a.cfg.MaxTicketAge:
		return rejectTicket("password was shown too long ago", nil)
	case !a.cfg.AnyRealm && !a.any[fold.Key(part.CRealm)]:
		return rejectTicket("client's realm is not allowed", nil)
	case strings.HasSuffix(part.CName.String(), "$") && !a.cfg.AllowMachines:
		return rejectTicket("machine account", nil)
	case a.realms != nil && !transitedOK(a.realms, part):
		return rejectTicket("ticket went through a realm that is not configured", nil)
	case a.cfg.CheckAddresses && len(part.Addresses) > 0 && !hasAddress(part.Addresses, in.Remote):
		return rejectTicket("ticket is for another address", nil)
	}
	return nil
}

// hasAddress knows IPv4 (2) and IPv6 (24) addresses (RFC 4120 7.5.3).
func hasAddress(list []wire.Address, remote netip.Addr) bool {
	remote = remote.Unmap()
	for _, x := range list {
		ip, ok := netip.AddrFromSlice(x.Data)
		if ok && (x.Type == 2 || x.Type == 24) && ip.Unmap() == remote {
			return true
		}
	}
	return false
}

// checkGSS checks the checksum that carries flags and channel bindings (RFC 4121 4.1.1).
func (a *Acceptor) checkGSS(auth wire.Authenticator, in AcceptInput, gss bool) (flags uint32, err error) {
	if !gss {
		if a.cfg.ChannelBinding == ChannelBindingRequired {
			return 0, rejectTicket("a raw request has no channel binding", nil)
		}
		return 0, nil
	}
	if auth.Checksum == nil || auth.Checksum.Type != cksumGSS {
		return 0, rejectTicket("no GSS-API checksum", nil)
	}
	sum, err := parseGSSChecksum(auth.Checksum.Sum)
	if err != nil {
		return 0, rejectTicket("GSS-API checksum is malformed", err)
	}
	var none [16]byte
	ours := bindingHash(in.ChannelBinding)
	same := subtle.ConstantTimeCompare(ours[:], sum.binding[:]) == 1
	switch a.cfg.ChannelBinding {
	case ChannelBindingRequired:
		if len(in.ChannelBinding) == 0 || !same {
			return 0, rejectTicket("channel binding is missing or wrong", nil)
		}
	case ChannelBindingWhenPresent:
		if len(in.ChannelBinding) > 0 && sum.binding != none && !same {
			return 0, rejectTicket("channel binding is wrong", nil)
		}
	case ChannelBindingIgnored:
	}
	return sum.flags, nil
}

// accepted makes the answer: a proof of our own when the client wants it (RFC 4120 3.2.4).
func (a *Acceptor) accepted(id *Identity, part wire.TicketPart, auth wire.Authenticator, mutual bool, flags uint32) (*Accepted, error) {
	acc := &Accepted{Identity: id}
	// without mutual authentication there is no number of our own to announce: the client's counts for both directions
	sc := &SecContext{key: part.Key, seq: uint64(auth.Seq), peerSeq: uint64(auth.Seq), flags: flags, strict: flags&(gssSequence|gssReplay) != 0}
	if auth.Subkey != nil {
		sc.key = auth.Subkey
	}
	if mutual {
		sub, err := etype.Random(sc.key.Type())
		if err != nil {
			return nil, err
		}
		seq := nonce()
		rep := wire.APRepPart{CTime: auth.CTime, Subkey: sub, Seq: seq}
		sealed, err := wire.Seal(part.Key, wire.UsageAPRep, rep.Encode())
		if err != nil {
			return nil, err
		}
		acc.Reply = wire.EncodeAPRep(sealed)
		sc.key, sc.acceptorKey, sc.seq = sub, true, uint64(seq)
	}
	acc.Context = sc
	return acc, nil
}

func (a *Acceptor) allows(et int32) bool {
	return slices.Contains(a.cfg.EncTypes, et)
}

// ours reports whether a principal is one of the configured services.
func (a *Acceptor) ours(spn string) bool {
	class, host, ok := strings.Cut(spn, "/")
	if !ok || host == "" {
		return false
	}
	for _, s := range a.cfg.SPNs {
		c, h, _ := strings.Cut(s, "/")
		if fold.Equal(c, class) && (h == "*" || fold.Equal(h, host)) {
			return true
		}
	}
	return false
}
