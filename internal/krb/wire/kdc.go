package wire

import (
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/der"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
)

// KDCReq is an AS-REQ or a TGS-REQ. Body is the encoded request body as received.
type KDCReq struct {
	Type    int // MsgASReq or MsgTGSReq
	PAData  []PAData
	Options uint32
	CName   *Name // AS-REQ only
	Realm   string
	SName   *Name
	From    time.Time
	Till    time.Time
	RTime   time.Time
	Nonce   uint32
	ETypes  []int32
	Body    []byte
}

// EncodeBody returns KDC-REQ-BODY, over which the TGS authenticator's checksum runs.
func (r KDCReq) EncodeBody() []byte {
	var cname, sname, from, rtime []byte
	if r.CName != nil {
		cname = der.Field(1, r.CName.encode())
	}
	if r.SName != nil {
		sname = der.Field(3, r.SName.encode())
	}
	if !r.From.IsZero() {
		from = der.Field(4, der.Time(r.From))
	}
	if !r.RTime.IsZero() {
		rtime = der.Field(6, der.Time(r.RTime))
	}
	ets := make([][]byte, len(r.ETypes))
	for i, e := range r.ETypes {
		ets[i] = der.Int(int64(e))
	}
	return der.Seq(der.Field(0, der.Flags(r.Options)), cname, der.Field(2, der.Text(r.Realm)), sname, from,
		der.Field(5, der.Time(r.Till)), rtime, der.Field(7, der.Int(int64(r.Nonce))), der.Field(8, der.Seq(ets...)))
}

// Encode returns the DER form.
func (r KDCReq) Encode() []byte {
	var pa []byte
	if len(r.PAData) > 0 {
		pa = der.Field(3, EncodePAData(r.PAData))
	}
	return der.TLV(der.App(byte(r.Type)), der.Seq(der.Field(1, der.Int(protoVer)), der.Field(2, der.Int(int64(r.Type))), pa, der.Field(4, r.EncodeBody())))
}

// ParseKDCReq reads an AS-REQ or a TGS-REQ; fields that a test KDC has no use for are skipped.
func ParseKDCReq(b []byte) (KDCReq, error) {
	return parse(b, func(d der.Dec) KDCReq {
		r := KDCReq{Type: int(d.Peek() &^ 0x60)}
		if r.Type != MsgASReq && r.Type != MsgTGSReq {
			d.Fail()
			return r
		}
		s := d.Into(der.App(byte(r.Type))).Seq()
		version(s.Field(1))
		if s.Field(2).Int() != int64(r.Type) {
			d.Fail()
		}
		if f, ok := s.Opt(3); ok {
			r.PAData = decodePAData(f)
		}
		body := s.Field(4)
		r.Body = body.Rest()
		r.body(body.Seq())
		s.End()
		return r
	})
}

func (r *KDCReq) body(b der.Dec) {
	r.Options = b.Field(0).Flags()
	if f, ok := b.Opt(1); ok {
		n := decodeName(f)
		r.CName = &n
	}
	r.Realm = realm(b.Field(2))
	if f, ok := b.Opt(3); ok {
		n := decodeName(f)
		r.SName = &n
	}
	if f, ok := b.Opt(4); ok {
		r.From = f.Time()
	}
	r.Till = b.Field(5).Time()
	if f, ok := b.Opt(6); ok {
		r.RTime = f.Time()
	}
	r.Nonce = b.Field(7).Uint32()
	for list := b.Field(8).Seq(); list.More(); {
		one := der.Sub(list.Raw(der.TagInt), b)
		r.ETypes = append(r.ETypes, one.Int32())
		if len(r.ETypes) > maxETypes {
			b.Fail()
		}
	}
	for b.More() { // addresses, encrypted authorization data, additional tickets
		b.Skip()
	}
}

// KDCRep is an AS-REP or a TGS-REP.
type KDCRep struct {
	Type   int
	PAData []PAData
	CRealm string
	CName  Name
	Ticket Ticket
	Enc    Encrypted
}

// Encode returns the DER form.
func (r KDCRep) Encode() []byte {
	var pa []byte
	if len(r.PAData) > 0 {
		pa = der.Field(2, EncodePAData(r.PAData))
	}
	return der.TLV(der.App(byte(r.Type)), der.Seq(der.Field(0, der.Int(protoVer)), der.Field(1, der.Int(int64(r.Type))), pa,
		der.Field(3, der.Text(r.CRealm)), der.Field(4, r.CName.encode()), der.Field(5, r.Ticket.Encode()), der.Field(6, r.Enc.Encode())))
}

// ParseKDCRep reads a reply of the wanted type.
func ParseKDCRep(b []byte, kind int) (KDCRep, error) {
	return parse(b, func(d der.Dec) KDCRep {
		s := message(d, byte(kind))
		r := KDCRep{Type: kind}
		if f, ok := s.Opt(2); ok {
			r.PAData = decodePAData(f)
		}
		r.CRealm, r.CName = realm(s.Field(3)), decodeName(s.Field(4))
		r.Ticket, r.Enc = decodeTicket(s.Field(5)), decodeEncrypted(s.Field(6))
		s.End()
		return r
	})
}

// KDCRepPart is EncKDCRepPart: what the KDC tells the client.
type KDCRepPart struct {
	Tag       int // EncAS or EncTGS, as found
	Key       *etype.Key
	Nonce     uint32
	KeyExp    time.Time
	Flags     uint32
	AuthTime  time.Time
	StartTime time.Time
	EndTime   time.Time
	RenewTill time.Time
	SRealm    string
	SName     Name
	PAData    []PAData
}

// Encode returns the DER form.
func (p KDCRepPart) Encode() []byte {
	var exp, renew, pa []byte
	if !p.KeyExp.IsZero() {
		exp = der.Field(3, der.Time(p.KeyExp))
	}
	if !p.RenewTill.IsZero() {
		renew = der.Field(8, der.Time(p.RenewTill))
	}
	if len(p.PAData) > 0 {
		pa = der.Field(12, EncodePAData(p.PAData))
	}
	last := der.Seq(der.Seq(der.Field(0, der.Int(0)), der.Field(1, der.Time(p.AuthTime))))
	return der.TLV(der.App(byte(p.Tag)), der.Seq(der.Field(0, encodeKey(p.Key)), der.Field(1, last), der.Field(2, der.Int(int64(p.Nonce))), exp,
		der.Field(4, der.Flags(p.Flags)), der.Field(5, der.Time(p.AuthTime)), der.Field(6, der.Time(p.StartTime)), der.Field(7, der.Time(p.EndTime)), renew,
		der.Field(9, der.Text(p.SRealm)), der.Field(10, p.SName.encode()), pa))
}

// ParseKDCRepPart reads the decrypted part of a reply. RFC 4120 5.4.2 wants clients to accept either tag in an AS-REP.
func ParseKDCRepPart(b []byte) (KDCRepPart, error) {
	return parse(b, func(d der.Dec) KDCRepPart {
		p := KDCRepPart{Tag: EncTGS}
		if d.Peek() == der.App(EncAS) {
			p.Tag = EncAS
		}
		app := d.Into(der.App(byte(p.Tag)))
		endPadded(d)
		s := app.Seq()
		p.Key = decodeKey(s.Field(0))
		s.Field(1) // last-req: nothing in it matters to us
		p.Nonce = s.Field(2).Uint32()
		if f, ok := s.Opt(3); ok {
			p.KeyExp = f.Time()
		}
		p.Flags, p.AuthTime = s.Field(4).Flags(), s.Field(5).Time()
		p.StartTime = p.AuthTime
		if f, ok := s.Opt(6); ok {
			p.StartTime = f.Time()
		}
		p.EndTime = s.Field(7).Time()
		if f, ok := s.Opt(8); ok {
			p.RenewTill = f.Time()
		}
		p.SRealm, p.SName = realm(s.Field(9)), decodeName(s.Field(10))
		if f, ok := s.Opt(11); ok {
			decodeAddresses(f)
		}
		if f, ok := s.Opt(12); ok {
			p.PAData = decodePAData(f)
		}
		s.End()
		return p
	})
}

// KRBError is a KRB-ERROR.
type KRBError struct {
	CTime  time.Time
	STime  time.Time // with microseconds
	Code   int32
	CRealm string
	CName  *Name
	Realm  string
	SName  Name
	EText  string
	EData  []byte
}

// Encode returns the DER form.
func (e KRBError) Encode() []byte {
	var ctime, crealm, cname, etext, edata []byte
	if !e.CTime.IsZero() {
		ctime = der.Field(2, der.Time(e.CTime))
	}
	if e.CRealm != "" {
		crealm = der.Field(7, der.Text(e.CRealm))
	}
	if e.CName != nil {
		cname = der.Field(8, e.CName.encode())
	}
	if e.EText != "" {
		etext = der.Field(11, der.Text(e.EText))
	}
	if e.EData != nil {
		edata = der.Field(12, der.Octets(e.EData))
	}
	return der.TLV(der.App(MsgError), der.Seq(der.Field(0, der.Int(protoVer)), der.Field(1, der.Int(MsgError)), ctime,
		der.Field(4, der.Time(e.STime)), der.Field(5, der.Int(int64(e.STime.Nanosecond()/1000))), der.Field(6, der.Int(int64(e.Code))),
		crealm, cname, der.Field(9, der.Text(e.Realm)), der.Field(10, e.SName.encode()), etext, edata))
}

// ParseKRBError reads a KRB-ERROR. Its texts are the sender's and are kept only where they are UTF-8.
func ParseKRBError(b []byte) (KRBError, error) {
	return parse(b, func(d der.Dec) KRBError {
		var e KRBError
		s := message(d, MsgError)
		if f, ok := s.Opt(2); ok {
			e.CTime = f.Time()
		}
		if f, ok := s.Opt(3); ok {
			micro(f)
		}
		e.STime = s.Field(4).Time()
		e.STime = e.STime.Add(time.Duration(micro(s.Field(5))) * time.Microsecond)
		e.Code = s.Field(6).Int32()
		if f, ok := s.Opt(7); ok {
			e.CRealm = text(f)
		}
		if f, ok := s.Opt(8); ok {
			n := decodeName(f)
			e.CName = &n
		}
		e.Realm, e.SName = text(s.Field(9)), decodeAnyName(s.Field(10))
		if f, ok := s.Opt(11); ok {
			e.EText = lenientText(f)
		}
		if f, ok := s.Opt(12); ok {
			e.EData = f.Octets()
		}
		for s.More() { // a checksum of an old draft (RFC 1510 had none, some KDCs send one)
			s.Skip()
		}
		return e
	})
}

// lenientText reads a GeneralString whose text may be anything (MIT ends it with a NUL).
func lenientText(d der.Dec) string {
	body := d.Into(der.TagGeneralStr)
	d.End()
	if b := body.Rest(); len(b) <= maxText && der.Printable(b) {
		return string(b)
	}
	return ""
}
