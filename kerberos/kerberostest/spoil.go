package kerberostest

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/pacenc"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

// SetFaults replaces the faults.
func (k *KDC) SetFaults(faults ...Fault) { k.SetFaultsOn("", faults...) }

// SetFaultsOn replaces the faults and limits those of replies and connections to one exchange, "as" or "tgs".
func (k *KDC) SetFaultsOn(exchange string, faults ...Fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults, k.only = map[Fault]bool{}, exchange
	for _, f := range faults {
		k.faults[f] = true
	}
}

func (k *KDC) has(f Fault) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.faults[f]
}

// on reports a fault for replies of a kind.
func (k *KDC) on(kind int, f Fault) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := "as"
	if kind == wire.MsgTGSRep || kind == wire.MsgTGSReq {
		name = "tgs"
	}
	return k.faults[f] && (k.only == "" || k.only == name)
}

func (k *KDC) weakOffered() bool { return k.has(FaultWeakOnly) || k.has(FaultWeakFirst) }

// faultyAnswer returns an answer that has nothing to do with the request, nil when the request is to be answered.
func (k *KDC) faultyAnswer(req wire.KDCReq) []byte {
	sname := *req.SName
	switch is := func(f Fault) bool { return k.on(req.Type, f) }; {
	case is(FaultGarbage):
		return []byte("\x30\x82\xff\xff this is no Kerberos message")
	case is(FaultNested):
		return nested(30_000)
	case is(FaultManyElements):
		return manyElements(20_000)
	case is(FaultError29):
		return k.krbError(wire.ErrSvcUnavailable, sname, nil)
	case is(FaultError60):
		return k.krbError(wire.ErrGeneric, sname, nil)
	case is(FaultErrorUnknown):
		return k.krbError(9999, sname, nil)
	case is(FaultClockError):
		e := wire.KRBError{STime: k.now().Add(time.Hour), Code: wire.ErrSkew, Realm: k.cfg.Realm, SName: sname}
		return e.Encode()
	case is(FaultServiceUnknown) && req.Type == wire.MsgTGSReq:
		return k.krbError(wire.ErrServiceUnknown, sname, nil)
	case req.Type != wire.MsgASReq:
		return nil
	case is(FaultReferralLoop):
		return k.referTo(req, k.cfg.Realm)
	case is(FaultReferralAway):
		return k.referTo(req, "EVIL.EXAMPLE.TEST")
	case is(FaultReferralNoName):
		return k.referTo(req, "")
	}
	return nil
}

func (k *KDC) referTo(req wire.KDCReq, realm string) []byte {
	e := wire.KRBError{STime: k.now(), Code: wire.ErrWrongRealm, CRealm: realm, CName: req.CName, Realm: k.cfg.Realm, SName: *req.SName}
	return e.Encode()
}

func nested(depth int) []byte {
	// lengths are written from the inside out; four length bytes each keep the arithmetic plain
	out := make([]byte, 0, depth*6)
	for i := range depth {
		out = append(out, 0x30, 0x84)
		out = binary.BigEndian.AppendUint32(out, uint32((depth-i-1)*6)) //nolint:gosec // positive
	}
	return out
}

func manyElements(n int) []byte {
	body := bytes.Repeat([]byte{2, 1, 0}, n)
	out := append([]byte{0x6b, 0x84}, binary.BigEndian.AppendUint32(nil, uint32(len(body)+6))...) //nolint:gosec // positive
	out = append(out, 0x30, 0x84)
	return append(binary.BigEndian.AppendUint32(out, uint32(len(body))), body...) //nolint:gosec // positive
}

// faultyInfo spoils the hints.
func (k *KDC) faultyInfo(list []wire.ETypeInfo2) []wire.ETypeInfo2 { //nolint:cyclop // one fault each
	iterations := func(v uint32) {
		for i := range list {
			list[i].Params = binary.BigEndian.AppendUint32(nil, v)
		}
	}
	weak := wire.ETypeInfo2{EType: etype.RC4}
	switch {
	case k.has(FaultEmptyInfo2):
		return nil
	case k.has(FaultManyInfo2):
		for len(list) < 33 {
			list = append(list, list[0])
		}
	case k.has(FaultWeakOnly):
		return []wire.ETypeInfo2{weak}
	case k.has(FaultWeakFirst):
		return append([]wire.ETypeInfo2{weak}, list...)
	case k.has(FaultUnknownOnly):
		return []wire.ETypeInfo2{{EType: 4711}}
	case k.has(FaultDESOnly):
		return []wire.ETypeInfo2{{EType: 3}}
	case k.has(FaultIterationsZero):
		iterations(0)
	case k.has(FaultIterationsHuge):
		iterations(4_000_000)
	case k.has(FaultIterationsMax):
		iterations(1<<32 - 1)
	case k.has(FaultIterationsOver):
		iterations(32769)
	case k.has(FaultParamsShort):
		for i := range list {
			list[i].Params = []byte{0, 16, 0}
		}
	case k.has(FaultLongSalt):
		for i := range list {
			list[i].Salt = string(bytes.Repeat([]byte("s"), 513))
		}
	}
	return list
}

// spoil changes ticket and reply before they are encrypted.
func (k *KDC) spoil(o *issue, enc *wire.KDCRepPart, rep *wire.KDCRep) {
	is := func(f Fault) bool { return k.on(o.kind, f) }
	mallory := wire.Name{Type: wire.NTPrincipal, Parts: []string{"mallory"}}
	for _, f := range []struct {
		fault Fault
		do    func()
	}{
		{FaultNonce, func() { enc.Nonce++ }},
		{FaultServiceName, func() { enc.SName = wire.SPN("HTTP/other.example.test"); rep.Ticket.SName = enc.SName }},
		{FaultServiceRealm, func() { enc.SRealm = "OTHER.EXAMPLE.TEST" }},
		{FaultOuterName, func() { rep.Ticket.SName = wire.SPN("HTTP/other.example.test") }},
		{FaultOuterRealm, func() { rep.Ticket.Realm = "OTHER.EXAMPLE.TEST" }},
		{FaultClientName, func() { rep.CName = mallory }},
		{FaultClientRealm, func() { rep.CRealm = "OTHER.EXAMPLE.TEST" }},
		{FaultAuthTimeOld, func() { enc.AuthTime = enc.AuthTime.Add(-time.Hour) }},
		{FaultAuthTimeAhead, func() { enc.AuthTime = enc.AuthTime.Add(time.Hour) }},
		{FaultEnded, func() { enc.EndTime = k.now().Add(-time.Second) }},
		{FaultFutureStart, func() { enc.StartTime = k.now().Add(time.Hour) }},
		{FaultInvalidFlag, func() { enc.Flags |= wire.FlagInvalid }},
		{FaultNoInitial, func() { enc.Flags &^= wire.FlagInitial }},
		{FaultWrongReplyKey, func() { o.key, _ = etype.Random(o.key.Type()) }},
		{FaultWeakReply, func() { o.key, _ = etype.Random(etype.RC4) }},
		{FaultWeakSession, func() { enc.Key, _ = etype.Random(etype.RC4); o.part.Key = enc.Key }},
		{FaultServiceLoop, func() { k.spoilReferral(o, enc, rep, k.cfg.Realm) }},
		{FaultServiceAway, func() { k.spoilReferral(o, enc, rep, "EVIL.EXAMPLE.TEST") }},
		{FaultNoPAC, func() { o.pac = nil }},
		{FaultReplyTag, func() { enc.Tag = wire.EncAS }},
	} {
		if is(f.fault) {
			f.do()
		}
	}
	if o.kind == wire.MsgTGSRep {
		k.spoilTicket(o, enc)
	}
}

func (k *KDC) spoilReferral(o *issue, enc *wire.KDCRepPart, rep *wire.KDCRep, realm string) {
	if o.kind == wire.MsgTGSRep {
		enc.SName = wire.Krbtgt(realm)
		rep.Ticket.SName = enc.SName
		o.tktKey = k.krbtgt.best()
	}
}

// spoilTicket changes what stands inside a service ticket, and its PAC.
func (k *KDC) spoilTicket(o *issue, enc *wire.KDCRepPart) {
	for _, f := range []struct {
		fault Fault
		do    func()
	}{
		{FaultWrongServiceKey, func() { o.tktKey, _ = etype.Random(o.tktKey.Type()) }},
		{FaultWeakTicket, func() { o.tktKey, _ = etype.Random(etype.RC4) }},
		{FaultSessionKey, func() { enc.Key, _ = etype.Random(enc.Key.Type()) }},
		{FaultTicketClient, func() { o.part.CName = wire.Name{Type: wire.NTPrincipal, Parts: []string{"mallory"}} }},
		{FaultTicketRealm, func() { o.part.CRealm = "OTHER.EXAMPLE.TEST" }},
		{FaultTicketEnded, func() { o.part.EndTime = k.now().Add(-time.Minute) }},
		{FaultTicketFuture, func() { o.part.StartTime = k.now().Add(time.Hour) }},
		{FaultTicketAuthTime, func() { o.part.AuthTime = o.part.AuthTime.Add(-time.Minute) }},
		{FaultTicketInvalid, func() { o.part.Flags |= wire.FlagInvalid }},
		{FaultTransited, func() { o.part.Transited = []byte("EVIL.EXAMPLE.TEST") }},
		{FaultPACClient, func() { setPAC(o, pac.TypeClientInfo, pacenc.ClientInfo("mallory", o.part.AuthTime)) }},
		{FaultPACTime, func() {
			setPAC(o, pac.TypeClientInfo, pacenc.ClientInfo(o.part.CName.String(), o.part.AuthTime.Add(time.Second)))
		}},
		{FaultPACNoClient, func() { setPAC(o, pac.TypeClientInfo, nil) }},
		{FaultPACRequestor, func() { setPAC(o, pac.TypeRequestor, pacenc.Requestor(k.cfg.DomainSID+"-500")) }},
		{FaultPACUPN, func() {
			setPAC(o, pac.TypeUPNDNSInfo, pacenc.UPNDNSInfo("mallory@evil.example.test", "evil.example.test", "mallory", k.UserSID(o.part.CName.String()), false))
		}},
		{FaultPACUPNSID, func() {
			setPAC(o, pac.TypeUPNDNSInfo, pacenc.UPNDNSInfo("x@y", "y", "x", k.cfg.DomainSID+"-500", false))
		}},
		{FaultPACNoUPN, func() { setPAC(o, pac.TypeUPNDNSInfo, nil) }},
		{FaultPACNoLogonInfo, func() { setPAC(o, pac.TypeLogonInfo, nil) }},
	} {
		if k.has(f.fault) {
			f.do()
		}
	}
}

// setPAC replaces or removes a buffer.
func setPAC(o *issue, kind uint32, data []byte) {
	o.pac = slices.DeleteFunc(slices.Clone(o.pac), func(b pacenc.Buffer) bool { return b.Type == kind })
	if data != nil {
		o.pac = append(o.pac, pacenc.Buffer{Type: kind, Data: data})
	}
}

// spoilSignatures changes the list of signature buffers before they are computed.
func (k *KDC) spoilSignatures(kind int, list []pacenc.Buffer) []pacenc.Buffer {
	if kind != wire.MsgTGSRep {
		return list
	}
	drop := func(t uint32) {
		list = slices.DeleteFunc(list, func(b pacenc.Buffer) bool { return b.Type == t })
	}
	if k.has(FaultPACNoServerSum) {
		drop(pac.TypeServerChecksum)
	}
	if k.has(FaultPACNoKDCSum) {
		drop(pac.TypeKDCChecksum)
	}
	for i, b := range list {
		switch {
		case b.Type == pac.TypeServerChecksum && k.has(FaultPACSumType):
			list[i].Data = append([]byte{15, 0, 0, 0}, b.Data[4:]...)
		case b.Type == pac.TypeServerChecksum && k.has(FaultPACTwoSums):
			list = append(list, pacenc.Buffer{Type: b.Type, Data: append([]byte(nil), b.Data...)})
		case b.Type == pac.TypeTicketChecksum && k.has(FaultPACTicketSum):
			list[i].Data[4] ^= 1
		}
	}
	return list
}

// spoilPAC changes a signed PAC.
func (k *KDC) spoilPAC(kind int, b []byte) []byte {
	if kind != wire.MsgTGSRep {
		return b
	}
	at := func(t uint32) int {
		for i := range int(binary.LittleEndian.Uint32(b)) {
			if e := b[8+16*i:]; binary.LittleEndian.Uint32(e) == t {
				return int(binary.LittleEndian.Uint64(e[8:])) //nolint:gosec // our own offset
			}
		}
		return 0
	}
	switch {
	case k.has(FaultPACGarbage):
		return []byte("this is no PAC at all")
	case k.has(FaultPACOffset):
		binary.LittleEndian.PutUint64(b[16:], 1<<40)
	case k.has(FaultPACServerSum):
		b[at(pac.TypeServerChecksum)+4] ^= 1
	case k.has(FaultPACKDCSum):
		b[at(pac.TypeKDCChecksum)+4] ^= 1
	case k.has(FaultPACChangedContent):
		b[at(pac.TypeLogonInfo)+30] ^= 1
	}
	return b
}

// capture keeps the first service ticket and, with the fault, serves it again under a fresh reply.
func (k *KDC) capture(rep *wire.KDCRep, enc *wire.KDCRepPart) {
	if rep.Type != wire.MsgTGSRep {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.captured == nil {
		c := *rep
		k.captured, k.capPart = &c, *enc
		return
	}
	if k.faults[FaultCaptured] {
		rep.Ticket = k.captured.Ticket
	}
}

// spoilBytes changes a finished reply.
func (k *KDC) spoilBytes(kind int, rep wire.KDCRep) []byte {
	b := rep.Encode()
	switch {
	case k.on(kind, FaultTruncated):
		return b[:len(b)/2]
	case k.on(kind, FaultMutated):
		b[len(b)/2] ^= 0x55
	}
	return b
}

// send writes an answer to a TCP connection.
func (k *KDC) send(c net.Conn, reply []byte) {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(reply))) //nolint:gosec // short
	switch {
	case k.has(FaultSilence):
		<-k.ctx.Done()
		return
	case k.has(FaultCloseNoAnswer):
		return
	case k.has(FaultHugeLength):
		head = []byte{0xff, 0xff, 0xff, 0xff}
	case k.has(FaultShortLength):
		head = binary.BigEndian.AppendUint32(nil, uint32(len(reply)/2)) //nolint:gosec // short
	case k.has(FaultZeroLength):
		head, reply = []byte{0, 0, 0, 0}, nil
	case k.has(FaultCut):
		reply = reply[:len(reply)/2]
	case k.has(FaultDrip):
		k.drip(c, append(head, reply...))
		return
	case k.has(FaultEndless):
		k.endless(c)
		return
	}
	_, _ = c.Write(append(head, reply...))
}

func (k *KDC) drip(c net.Conn, b []byte) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for _, x := range b {
		if _, err := c.Write([]byte{x}); err != nil {
			return
		}
		select {
		case <-t.C:
		case <-k.ctx.Done():
			return
		}
	}
}

// endless announces the largest usual reply and sends all of it but the last bytes, then holds the line.
func (k *KDC) endless(c net.Conn) {
	if _, err := c.Write(append([]byte{0, 2, 0, 0}, bytes.Repeat([]byte{0x30}, 100<<10)...)); err != nil {
		return
	}
	<-k.ctx.Done()
}
