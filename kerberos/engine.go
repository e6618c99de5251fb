package kerberos

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

// Limits of one sign-in.
const (
	maxAS         = 3
	maxTGS        = 4
	maxReferrals  = 3
	defaultSkew   = 5 * time.Minute
	defaultIter   = 32768
	ticketLife    = 10 * time.Hour
	authDataDepth = 4
)

func defaultETypes() []int32 { return []int32{etype.AES256SHA1, etype.AES128SHA1} }

// engine is what the exchanges with KDCs need, for passwords and keytabs alike. It is immutable.
type engine struct {
	realms  *realmTable
	net     *network
	etypes  []int32
	maxIter int
	skew    time.Duration
	now     func() time.Time
	log     *slog.Logger
}

// enginePolicy are the settings that the configurations of this package share.
type enginePolicy struct {
	etypes   []int32
	allowRC4 bool
	maxIter  int
	skew     time.Duration
}

func newEngine(realms []Realm, net NetworkConfig, p enginePolicy, now func() time.Time, log *slog.Logger, obs Observer) (*engine, error) {
	table, err := newRealmTable(realms)
	if err != nil {
		return nil, err
	}
	if p.etypes, err = checkETypes(p.etypes, p.allowRC4); err != nil {
		return nil, err
	}
	if p.maxIter < 0 || p.skew < 0 {
		return nil, errors.New("kerberos: MaxIterations or MaxSkew is negative")
	}
	setDefault(&p.maxIter, defaultIter)
	setDefault(&p.skew, defaultSkew)
	n, err := newNetwork(net, now, log, obs)
	if err != nil {
		return nil, err
	}
	return &engine{realms: table, net: n, etypes: p.etypes, maxIter: p.maxIter, skew: p.skew, now: now, log: log}, nil
}

// checkETypes returns the allow-list; nil means AES with SHA-1. RC4 needs its own switch.
func checkETypes(list []int32, rc4 bool) ([]int32, error) {
	if list == nil {
		list = defaultETypes()
		if rc4 {
			list = append(list, etype.RC4)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("kerberos: EncTypes is empty")
	}
	for _, e := range list {
		if !etype.Supported(e) {
			return nil, fmt.Errorf("kerberos: EncTypes has the unknown type %d", e)
		}
		if etype.Weak(e) && !rc4 {
			return nil, errors.New("kerberos: EncTypes has RC4 but AllowRC4 is off")
		}
	}
	return slices.Clone(list), nil
}

func (e *engine) allows(et int32) bool { return slices.Contains(e.etypes, et) }

func nonce() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:]) >> 1 // 31 bits: some KDCs read it as a signed number
}

// within reports whether two instants differ by no more than the skew.
func within(a, b time.Time, skew time.Duration) bool { return a.Sub(b).Abs() <= skew }

// guard turns a panic while reading a peer's bytes into a refusal. It is the last net below our own bounds checks;
// what it catches is a defect of ours and is logged as one.
func (e *engine) guard(ctx context.Context, reason Reason, err *error) {
	if r := recover(); r != nil {
		logDefect(ctx, e.log)
		*err = refuse(reason, "panic while reading a message", nil)
	}
}

func logDefect(ctx context.Context, log *slog.Logger) {
	log.LogAttrs(ctx, slog.LevelError, "defect: panic while reading a message", slog.String("stack", string(debug.Stack())))
}

// tgt is a ticket-granting ticket with what is known of it.
type tgt struct {
	ticket  wire.Ticket
	session *etype.Key
	realm   *Realm // whose KDC takes it
	crealm  string
	cname   wire.Name
	part    wire.KDCRepPart
	kdc     string // that gave it
	etype   int32  // of the reply key
	// askedType is the name type that was asked for
	askedType int32
}

// known reports a usable Kerberos answer: a reply of the kind, or an error that is not "ask somebody else".
func known(kind int) func([]byte) error {
	return func(b []byte) error {
		if e, err := wire.ParseKRBError(b); err == nil {
			if e.Code == wire.ErrSvcUnavailable || e.Code == wire.ErrGeneric {
				return fmt.Errorf("KDC error %d", e.Code)
			}
			return nil
		}
		if _, err := wire.ParseKDCRep(b, kind); err != nil {
			return fmt.Errorf("%w: %w", errGarbage, err)
		}
		return nil
	}
}

// send asks a realm's KDCs and returns the reply, or the KRB-ERROR as *kdcError.
func (e *engine) send(ctx context.Context, r *Realm, req wire.KDCReq, hedge bool, prefer string) (wire.KDCRep, string, error) {
	addrs, err := e.net.kdcs(ctx, r)
	if err != nil {
		return wire.KDCRep{}, "", err
	}
	kind := wire.MsgASRep
	if req.Type == wire.MsgTGSReq {
		kind = wire.MsgTGSRep
	}
	a, err := e.net.ask(ctx, request{addrs: addrs, msg: req.Encode(), hedge: hedge, prefer: prefer, check: known(kind)})
	if err != nil {
		return wire.KDCRep{}, "", err
	}
	if k, err := wire.ParseKRBError(a.body); err == nil {
		return wire.KDCRep{}, a.addr, &kdcError{k}
	}
	rep, err := wire.ParseKDCRep(a.body, kind)
	if err != nil {
		return wire.KDCRep{}, a.addr, distrust("reply is malformed", err)
	}
	return rep, a.addr, nil
}

// kdcError is a KRB-ERROR on its way to a verdict.
type kdcError struct{ wire.KRBError }

func (k *kdcError) Error() string { return fmt.Sprintf("KDC error %d", k.Code) }

// KDCErrorCode returns the error code of the KDC (RFC 4120 7.5.9) behind an error of this package.
func KDCErrorCode(err error) (int32, bool) {
	if k, ok := errors.AsType[*kdcError](err); ok {
		return k.Code, true
	}
	return 0, false
}

// asReq describes one AS exchange.
type asReq struct {
	realm   *Realm
	name    wire.Name
	service wire.Name // zero: krbtgt/REALM
	prefer  string
}

func (e *engine) newASReq(a asReq) wire.KDCReq {
	sname := a.service
	if sname.Parts == nil {
		sname = wire.Krbtgt(a.realm.Name)
	}
	return wire.KDCReq{
		Type: wire.MsgASReq, Options: wire.OptCanonicalize, CName: &a.name, Realm: a.realm.Name, SName: &sname,
		Till: e.now().Add(ticketLife), Nonce: nonce(), ETypes: e.etypes,
	}
}

// pickInfo chooses the key parameters: the first entry whose type we allow (RFC 4120 5.2.7.5), within our caps.
func (e *engine) pickInfo(pa []wire.PAData) (et int32, salt []byte, iterations int, err error) {
	raw, ok := wire.FindPA(pa, wire.PAETypeInfo2)
	if !ok {
		return 0, nil, 0, distrust("no ETYPE-INFO2", nil)
	}
	list, err := wire.ParseETypeInfo2(raw)
	if err != nil {
		return 0, nil, 0, distrust("ETYPE-INFO2 is malformed", err)
	}
	for _, i := range list {
		if !e.allows(i.EType) {
			continue
		}
		n, err := etype.Iterations(i.EType, i.Params, e.maxIter)
		if err != nil {
			return 0, nil, 0, distrust("key derivation parameters are absurd", err)
		}
		return i.EType, []byte(i.Salt), n, nil
	}
	return 0, nil, 0, distrust("the KDC offers no encryption type that we allow", nil)
}

// checkASRep checks an AS-REP whose key is at hand, in the order of RFC 4120 3.1.5.
func (e *engine) checkASRep(req wire.KDCReq, rep wire.KDCRep, key *etype.Key, r *Realm, addr string) (*tgt, error) { //nolint:cyclop // one list of checks
	if !e.allows(rep.Enc.EType) { // that it is the key's own type is Open's business
		return nil, distrust("the reply is encrypted with a type that we did not choose", nil)
	}
	plain, err := rep.Enc.Open(key, wire.UsageASRep)
	if err != nil {
		return nil, distrust("the reply does not decrypt", err)
	}
	defer clear(plain)
	part, err := wire.ParseKDCRepPart(plain)
	if err != nil {
		return nil, distrust("the reply's encrypted part is malformed", err)
	}
	now := e.now()
	switch {
	case part.Nonce != req.Nonce:
		err = distrust("nonce of another request", nil)
	case !part.SName.EqualFold(*req.SName) || part.SRealm != r.Name:
		err = distrust("ticket for another service", nil)
	case !rep.Ticket.SName.EqualFold(*req.SName) || rep.Ticket.Realm != r.Name:
		err = distrust("outer ticket for another service", nil)
	case rep.CRealm != r.Name:
		err = distrust("client of another realm", nil)
	case !within(part.AuthTime, now, e.skew):
		err = distrust("authentication time is not now", nil)
	case !part.EndTime.After(now):
		err = distrust("ticket has ended", nil)
	case part.StartTime.After(now.Add(e.skew)):
		err = distrust("ticket begins in the future", nil)
	case part.Flags&(wire.FlagInvalid|wire.FlagPostdated) != 0 || part.Flags&wire.FlagInitial == 0:
		err = distrust("ticket flags", nil)
	case !e.allows(part.Key.Type()):
		err = distrust("session key of a type that we do not allow", nil)
	}
	if err == nil {
		err = checkReplyName(*req.CName, rep.CName)
	}
	if err != nil {
		part.Key.Zero()
		return nil, err
	}
	return &tgt{ticket: rep.Ticket, session: part.Key, realm: r, crealm: rep.CRealm, cname: rep.CName, part: part, kdc: addr, etype: key.Type()}, nil
}

// checkReplyName: a plain name may change its case only; an enterprise name becomes any single name, which the PAC
// confirms later.
func checkReplyName(asked, got wire.Name) error {
	if asked.Type == wire.NTEnterprise {
		if len(got.Parts) != 1 {
			return distrust("the reply names no account", nil)
		}
		return nil
	}
	if !asked.EqualFold(got) {
		return distrust("the reply names another account", nil)
	}
	return nil
}
