package kerberostest

import (
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/pacenc"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

const (
	skew = 5 * time.Minute
	life = 10 * time.Hour
)

// handle answers one message to the KDC.
func (k *KDC) handle(b []byte, network string) []byte {
	req, err := wire.ParseKDCReq(b)
	if err != nil || req.SName == nil {
		return k.krbError(wire.ErrGeneric, wire.Krbtgt(k.cfg.Realm), nil)
	}
	if r := k.faultyAnswer(req); r != nil {
		return r
	}
	if req.Type == wire.MsgASReq {
		return k.as(req, network)
	}
	return k.tgs(req, network)
}

func (k *KDC) krbError(code int32, sname wire.Name, edata []byte) []byte {
	e := wire.KRBError{STime: k.now(), Code: code, Realm: k.cfg.Realm, SName: sname, EData: edata}
	return e.Encode()
}

// pick returns the first type of the client's list that the account has.
func pick(want []int32, a *account) int32 {
	for _, et := range want {
		if slices.Contains(a.ETypes, et) {
			return et
		}
	}
	return 0
}

// info returns the hints for pre-authentication.
func (k *KDC) info(a *account, want []int32) []wire.ETypeInfo2 {
	var list []wire.ETypeInfo2
	for _, et := range want {
		if !slices.Contains(a.ETypes, et) {
			continue
		}
		e := wire.ETypeInfo2{EType: et}
		if et != etype.RC4 {
			n := a.iter
			if n == 0 {
				n = etype.DefaultIterations(et)
			}
			e.Salt, e.Params = a.salt, []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} //nolint:gosec // the bytes are meant
		}
		list = append(list, e)
	}
	return k.faultyInfo(list)
}

func (k *KDC) hints(a *account, want []int32) []byte {
	pa := []wire.PAData{{Type: wire.PAEncTS}, {Type: wire.PAETypeInfo2, Value: wire.EncodeETypeInfo2(k.info(a, want))}}
	if k.has(FaultNoInfo2) {
		pa = pa[:1]
	}
	return wire.EncodePAData(pa)
}

// as answers an AS-REQ.
func (k *KDC) as(req wire.KDCReq, network string) []byte { //nolint:cyclop // the order of a KDC's checks
	if req.CName == nil {
		return k.krbError(wire.ErrClientUnknown, *req.SName, nil)
	}
	log := Request{Kind: "as", Client: req.CName.String(), Service: req.SName.String(), ETypes: req.ETypes, Network: network}
	proof, hasProof := wire.FindPA(req.PAData, wire.PAEncTS)
	sealed, _ := wire.ParseEncrypted(proof)
	if hasProof {
		log.Preauth = sealed.EType
	}
	k.record(log)
	a := k.find(*req.CName)
	if a == nil {
		if req.CName.Type == wire.NTEnterprise {
			if peer := k.ownerOfSuffix(req.CName.String()); peer != nil {
				e := wire.KRBError{STime: k.now(), Code: wire.ErrWrongRealm, CRealm: peer.cfg.Realm, CName: req.CName, Realm: k.cfg.Realm, SName: *req.SName}
				return e.Encode()
			}
		}
		return k.krbError(wire.ErrClientUnknown, *req.SName, nil)
	}
	changepw := req.SName.String() == "kadmin/changepw"
	et := pick(req.ETypes, a)
	switch {
	case et == 0 && !k.weakOffered():
		return k.krbError(wire.ErrEtypeNoSupp, *req.SName, nil)
	case a.State == LockedMIT, a.State == PasswordExpiredMIT && !changepw:
		return k.stateError(a, *req.SName)
	case !hasProof && !a.NoPreauth, k.has(FaultPreauthAgain):
		return k.krbError(wire.ErrPreauthRequired, *req.SName, k.hints(a, req.ETypes))
	}
	key := a.key(et)
	if hasProof {
		switch code := k.checkProof(a, sealed); code {
		case 0:
		case wire.ErrClientRevoked:
			return k.stateError(a, *req.SName)
		default:
			return k.krbError(code, *req.SName, k.hints(a, req.ETypes))
		}
		key = a.key(sealed.EType)
	}
	if a.State != Active && (!changepw || a.State == Disabled || a.State == Expired || a.State == Locked) {
		return k.stateError(a, *req.SName)
	}
	return k.asRep(req, a, key, hasProof)
}

// checkProof looks at PA-ENC-TIMESTAMP and returns an error code, 0 when the password is right.
func (k *KDC) checkProof(a *account, sealed wire.Encrypted) int32 {
	if a.State == Locked {
		return wire.ErrClientRevoked
	}
	key := a.key(sealed.EType)
	if key == nil || a.SmartCard {
		return wire.ErrPreauthFailed
	}
	plain, err := sealed.Open(key, wire.UsagePATimestamp)
	if err != nil {
		return wire.ErrPreauthFailed
	}
	t, err := wire.ParseTimestamp(plain)
	if err != nil {
		return wire.ErrPreauthFailed
	}
	if t.Sub(k.now()).Abs() > skew {
		return wire.ErrSkew
	}
	return 0
}

func (k *KDC) stateError(a *account, sname wire.Name) []byte {
	code, status := int32(wire.ErrClientRevoked), uint32(0)
	switch a.State {
	case Disabled:
		status = 0xC0000072
	case Locked, LockedMIT:
		status = 0xC0000234
	case Expired:
		status = 0xC0000193
	case PasswordExpired, PasswordExpiredMIT:
		code, status = wire.ErrKeyExpired, 0xC0000071
	case PasswordMustChange:
		code, status = wire.ErrKeyExpired, 0xC0000224
	case NotAllowed:
		code, status = wire.ErrPolicy, 0xC000006F
	case Active:
	}
	if !k.cfg.NTStatus {
		return k.krbError(code, sname, nil)
	}
	return k.krbError(code, sname, wire.EncodeNTStatus(status))
}

func (k *KDC) asRep(req wire.KDCReq, a *account, key *etype.Key, preauth bool) []byte {
	now := k.now().UTC().Truncate(time.Second)
	cname := *req.CName
	if req.Options&wire.OptCanonicalize != 0 {
		cname = wire.Name{Type: wire.NTPrincipal, Parts: []string{a.Name}}
	}
	service, sname := k.krbtgt, wire.Krbtgt(k.cfg.Realm)
	if s := k.service(*req.SName); s != nil {
		service, sname = s, *req.SName
	}
	flags := wire.FlagInitial | wire.FlagForwardable
	if preauth {
		flags |= wire.FlagPreAuthent
	}
	part := wire.TicketPart{Flags: flags, CRealm: k.cfg.Realm, CName: cname, AuthTime: now, StartTime: now, EndTime: now.Add(life)}
	o := issue{kind: wire.MsgASRep, req: req, part: part, service: service, sname: sname, key: key, usage: wire.UsageASRep}
	if key == nil {
		return k.krbError(wire.ErrEtypeNoSupp, sname, nil)
	}
	if !k.cfg.NoPAC {
		o.pac = k.newPAC(a, cname.String(), now)
	}
	o.pa = []wire.PAData{{Type: wire.PAETypeInfo2, Value: wire.EncodeETypeInfo2(k.info(a, []int32{key.Type()}))}}
	return k.issue(o)
}

func (k *KDC) service(n wire.Name) *account {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.services[fold.Key(n.String())]
}

// issue is a ticket about to be made.
type issue struct {
	kind    int
	req     wire.KDCReq
	part    wire.TicketPart
	service *account
	sname   wire.Name
	key     *etype.Key // of the reply
	usage   uint32
	pa      []wire.PAData
	tktKey  *etype.Key // nil: the service's best
	pac     []pacenc.Buffer
}

// issue makes ticket and reply, and lets the faults spoil them.
func (k *KDC) issue(o issue) []byte {
	set := o.req.ETypes
	et := etype.AES256SHA1
	for _, want := range set {
		if want == etype.AES256SHA1 || want == etype.AES128SHA1 || want == etype.AES256SHA2 || want == etype.AES128SHA2 || slices.Contains(k.cfg.ETypes, want) {
			et = want
			break
		}
	}
	session, err := etype.Random(et)
	if err != nil {
		return k.krbError(wire.ErrGeneric, o.sname, nil)
	}
	o.part.Key = session
	enc := wire.KDCRepPart{
		Tag: wire.EncAS, Key: session, Nonce: o.req.Nonce, Flags: o.part.Flags, AuthTime: o.part.AuthTime, StartTime: o.part.StartTime,
		EndTime: o.part.EndTime, SRealm: k.cfg.Realm, SName: o.sname,
	}
	if o.kind == wire.MsgTGSRep {
		enc.Tag = wire.EncTGS
	}
	if o.tktKey == nil {
		o.tktKey = o.service.best()
	}
	rep := wire.KDCRep{Type: o.kind, PAData: o.pa, CRealm: o.part.CRealm, CName: o.part.CName}
	rep.Ticket = wire.Ticket{Realm: k.cfg.Realm, SName: o.sname}
	k.spoil(&o, &enc, &rep)
	k.attachPAC(&o)
	sealed, err := wire.Seal(o.tktKey, wire.UsageTicket, o.part.Encode())
	if err != nil {
		return k.krbError(wire.ErrGeneric, o.sname, nil)
	}
	sealed.KVNO = o.service.kvno
	rep.Ticket.Enc = sealed
	k.capture(&rep, &enc)
	if rep.Enc, err = wire.Seal(o.key, o.usage, enc.Encode()); err != nil {
		return k.krbError(wire.ErrGeneric, o.sname, nil)
	}
	return k.spoilBytes(o.kind, rep)
}

// tgs answers a TGS-REQ.
func (k *KDC) tgs(req wire.KDCReq, network string) []byte {
	raw, _ := wire.FindPA(req.PAData, wire.PATGSReq)
	ap, err := wire.ParseAPReq(raw)
	if err != nil {
		return k.krbError(wire.ErrPadataNoSupp, *req.SName, nil)
	}
	part, key, code := k.openTGT(ap, req)
	if code != 0 {
		return k.krbError(code, *req.SName, nil)
	}
	k.record(Request{Kind: "tgs", Client: part.part.CName.String() + "@" + part.part.CRealm, Service: req.SName.String(), ETypes: req.ETypes, Network: network})
	now := k.now().UTC().Truncate(time.Second)
	out := part.part
	out.Flags &^= wire.FlagInitial
	out.StartTime = now
	o := issue{kind: wire.MsgTGSRep, req: req, part: out, sname: *req.SName, key: key, usage: part.usage}
	if o.service = k.service(*req.SName); o.service == nil {
		t := k.referral(*req.SName)
		if t == nil {
			return k.krbError(wire.ErrServiceUnknown, *req.SName, nil)
		}
		o.service, o.sname, o.tktKey = k.krbtgt, wire.Krbtgt(t.peer.cfg.Realm), t.key
	}
	o.pac = buffersOf(out.AuthData)
	return k.issue(o)
}

// opened is a TGT with what is needed to answer.
type opened struct {
	part  wire.TicketPart
	usage uint32
}

// openTGT checks the ticket and the authenticator of a TGS-REQ (RFC 4120 3.3.2).
func (k *KDC) openTGT(ap wire.APReq, req wire.KDCReq) (opened, *etype.Key, int32) { //nolint:cyclop // one list of checks
	key := k.krbtgt.key(ap.Ticket.Enc.EType)
	if !fold.Equal(ap.Ticket.Realm, k.cfg.Realm) {
		k.mu.Lock()
		t := k.trusts[fold.Key(ap.Ticket.Realm)]
		k.mu.Unlock()
		if t == nil {
			return opened{}, nil, wire.ErrNotUs
		}
		key = t.key
	}
	if key == nil {
		return opened{}, nil, wire.ErrEtypeNoSupp
	}
	plain, err := ap.Ticket.Enc.Open(key, wire.UsageTicket)
	if err != nil {
		return opened{}, nil, wire.ErrBadIntegrity
	}
	part, err := wire.ParseTicketPart(plain)
	if err != nil {
		return opened{}, nil, wire.ErrBadIntegrity
	}
	plain, err = ap.Auth.Open(part.Key, wire.UsageTGSReqAuth)
	if err != nil {
		return opened{}, nil, wire.ErrBadIntegrity
	}
	auth, err := wire.ParseAuthenticator(plain)
	switch {
	case err != nil:
		return opened{}, nil, wire.ErrBadIntegrity
	case !auth.CName.Equal(part.CName) || auth.CRealm != part.CRealm:
		return opened{}, nil, wire.ErrBadMatch
	case auth.CTime.Sub(k.now()).Abs() > skew:
		return opened{}, nil, wire.ErrSkew
	case part.EndTime.Before(k.now()):
		return opened{}, nil, wire.ErrTktExpired
	case auth.Checksum == nil || auth.Checksum.Type != part.Key.ChecksumType():
		return opened{}, nil, wire.ErrInappCksum
	case !part.Key.VerifyChecksum(wire.UsageTGSReqCksum, req.Body, auth.Checksum.Sum):
		return opened{}, nil, wire.ErrModified
	}
	if auth.Subkey != nil {
		return opened{part, wire.UsageTGSRepSubkey}, auth.Subkey, 0
	}
	return opened{part, wire.UsageTGSRepSession}, part.Key, 0
}

// referral finds the trusted realm that has a service, or whose krbtgt is asked for.
func (k *KDC) referral(n wire.Name) *trust {
	k.mu.Lock()
	trusts := make([]*trust, 0, len(k.trusts))
	for _, t := range k.trusts {
		trusts = append(trusts, t)
	}
	k.mu.Unlock()
	for _, t := range trusts {
		if n.EqualFold(wire.Krbtgt(t.peer.cfg.Realm)) || t.peer.reaches(n, k, 4) {
			return t
		}
	}
	return nil
}

// reaches reports whether a realm has a service or knows a realm that has it.
func (k *KDC) reaches(n wire.Name, from *KDC, depth int) bool {
	if k.service(n) != nil {
		return true
	}
	if depth == 0 {
		return false
	}
	k.mu.Lock()
	var peers []*KDC
	for _, t := range k.trusts {
		if t.peer != from {
			peers = append(peers, t.peer)
		}
	}
	k.mu.Unlock()
	return slices.ContainsFunc(peers, func(p *KDC) bool { return p.reaches(n, k, depth-1) })
}
