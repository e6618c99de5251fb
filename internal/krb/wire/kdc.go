package wire

import (
	"time"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/messages"

	"github.com/jcmturner/gofork/encoding/asn1"

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
	Till    time.Time
	Nonce   uint32
	ETypes  []int32
	Body    []byte
}

func (r KDCReq) body() messages.KDCReqBody {
	b := messages.KDCReqBody{KDCOptions: flagBits(r.Options), Realm: r.Realm, Till: r.Till.UTC(), Nonce: int(r.Nonce), EType: r.ETypes}
	if r.CName != nil {
		b.CName = r.CName.krb()
	}
	if r.SName != nil {
		b.SName = r.SName.krb()
	}
	return b
}

// EncodeBody returns KDC-REQ-BODY, over which the TGS authenticator's checksum runs.
func (r KDCReq) EncodeBody() []byte {
	b := r.body()
	return must(b.Marshal())
}

// Encode returns the DER form.
func (r KDCReq) Encode() []byte {
	f := messages.KDCReqFields{PVNO: protoVer, MsgType: r.Type, PAData: paKrb(r.PAData), ReqBody: r.body()}
	if r.Type == MsgTGSReq {
		return must((&messages.TGSReq{KDCReqFields: f}).Marshal())
	}
	return must((&messages.ASReq{KDCReqFields: f}).Marshal())
}

// ParseKDCReq reads an AS-REQ or a TGS-REQ, every member in its place; fields that a test KDC has no use for are left out.
func ParseKDCReq(b []byte) (KDCReq, error) {
	r := KDCReq{Type: MsgASReq}
	if len(b) > 0 && b[0] == der.App(MsgTGSReq) {
		r.Type = MsgTGSReq
	}
	s, err := open(b, 0, byte(r.Type)) //nolint:gosec // one of two small numbers
	if err != nil {
		return KDCReq{}, err
	}
	c := new(conv)
	c.fail(s.Field(1).Int() == protoVer)
	c.fail(s.Field(2).Int() == int64(r.Type))
	if f, ok := s.Opt(3); ok {
		r.PAData = c.dPAData(f)
	}
	body := s.Field(4)
	r.Body = body.Rest() // as it stands in the message: a checksum runs over these bytes
	c.reqBody(&r, body.Seq())
	return done(r, s, c)
}

// reqBody reads KDC-REQ-BODY (RFC 4120 5.4.1) up to the encryption types; what follows must be in its place.
func (c *conv) reqBody(r *KDCReq, s der.Dec) {
	r.Options = s.Field(0).Flags()
	if f, ok := s.Opt(1); ok {
		n := c.dName(f)
		r.CName = &n
	}
	r.Realm = c.dRealm(s.Field(2))
	if f, ok := s.Opt(3); ok {
		n := c.dName(f)
		r.SName = &n
	}
	s.Opt(4) // from
	r.Till = c.dTime(s.Field(5))
	s.Opt(6) // rtime
	r.Nonce = c.uint32(s.Field(7).Int())
	for list := s.Field(8).Seq(); list.More() && !c.bad; {
		c.fail(len(r.ETypes) < maxETypes)
		r.ETypes = append(r.ETypes, c.dInt32(list.Next()))
	}
	s.Opt(9)  // addresses
	s.Opt(10) // enc-authorization-data
	if f, ok := s.Opt(11); ok {
		f.Seq() // additional-tickets
	}
	s.End()
}

func (c *conv) dPAData(d der.Dec) []PAData {
	var out []PAData
	for list := d.Seq(); list.More() && !c.bad; {
		c.fail(len(out) < maxPAData)
		s := list.Into(der.TagSeq)
		out = append(out, PAData{c.dInt32(s.Field(1)), s.Field(2).Octets()})
	}
	return out
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
	f := messages.KDCRepFields{PVNO: protoVer, MsgType: r.Type, CRealm: r.CRealm, CName: r.CName.krb(), Ticket: r.Ticket.krb(), EncPart: r.Enc.krb()}
	if len(r.PAData) > 0 {
		f.PAData = paKrb(r.PAData)
	}
	if r.Type == MsgTGSRep {
		return must((&messages.TGSRep{KDCRepFields: f}).Marshal())
	}
	return must((&messages.ASRep{KDCRepFields: f}).Marshal())
}

// ParseKDCRep reads a reply of the wanted type.
func ParseKDCRep(b []byte, kind int) (KDCRep, error) {
	var f messages.KDCRepFields
	if kind == MsgTGSRep {
		var k messages.TGSRep
		if err := unmarshal(b, 0, &k); err != nil {
			return KDCRep{}, err
		}
		f = k.KDCRepFields
	} else {
		var k messages.ASRep
		if err := unmarshal(b, 0, &k); err != nil {
			return KDCRep{}, err
		}
		f = k.KDCRepFields
	}
	c := new(conv)
	c.fail(f.PVNO == protoVer)
	return result(KDCRep{
		Type: kind, PAData: c.padata(f.PAData), CRealm: c.realm(f.CRealm), CName: c.name(f.CName), Ticket: c.ticket(f.Ticket), Enc: c.encrypted(f.EncPart),
	}, c)
}

// KDCRepPart is EncKDCRepPart: what the KDC tells the client.
type KDCRepPart struct {
	Tag       int // EncAS or EncTGS, as found
	Key       *etype.Key
	Nonce     uint32
	KeyExp    time.Time
	Flags     uint32
	AuthTime  time.Time
	StartTime time.Time // AuthTime when absent
	EndTime   time.Time
	RenewTill time.Time
	SRealm    string
	SName     Name
}

// Encode returns the DER form.
func (p KDCRepPart) Encode() []byte {
	k := messages.EncKDCRepPart{
		Key: keyKrb(p.Key), LastReqs: []messages.LastReq{{LRValue: p.AuthTime.UTC()}}, Nonce: int(p.Nonce), KeyExpiration: p.KeyExp,
		Flags: flagBits(p.Flags), AuthTime: p.AuthTime.UTC(), StartTime: p.StartTime.UTC(), EndTime: p.EndTime.UTC(), RenewTill: p.RenewTill,
		SRealm: p.SRealm, SName: p.SName.krb(),
	}
	if p.Tag == EncTGS { // the library's own Marshal knows the other tag only
		return asn1tools.AddASNAppTag(must(asn1.Marshal(k)), asnAppTag.EncTGSRepPart)
	}
	return must(k.Marshal())
}

// ParseKDCRepPart reads the decrypted part of a reply. RFC 4120 5.4.2 wants clients to accept either tag in an AS-REP.
func ParseKDCRepPart(b []byte) (KDCRepPart, error) {
	var k messages.EncKDCRepPart
	if err := unmarshal(b, plainPad, &k); err != nil {
		return KDCRepPart{}, err
	}
	c := new(conv)
	p := KDCRepPart{
		Tag: int(b[0] & 0x1f), Key: c.key(k.Key), Nonce: c.uint32(int64(k.Nonce)), KeyExp: k.KeyExpiration, Flags: c.flags(k.Flags),
		AuthTime: k.AuthTime, StartTime: k.StartTime, EndTime: k.EndTime, RenewTill: k.RenewTill, SRealm: c.realm(k.SRealm), SName: c.name(k.SName),
	}
	c.padata(k.EncPAData)
	if p.StartTime.IsZero() {
		p.StartTime = p.AuthTime
	}
	return result(p, c)
}

// KRBError is a KRB-ERROR.
type KRBError struct {
	STime  time.Time // with microseconds
	Code   int32
	CRealm string
	CName  *Name
	Realm  string
	SName  Name
	EData  []byte
}

// Encode returns the DER form.
func (e KRBError) Encode() []byte {
	k := messages.KRBError{
		PVNO: protoVer, MsgType: MsgError, STime: e.STime.UTC(), Susec: e.STime.Nanosecond() / 1000, ErrorCode: e.Code, CRealm: e.CRealm,
		Realm: e.Realm, SName: e.SName.krb(), EData: e.EData,
	}
	if e.CName != nil {
		k.CName = e.CName.krb()
	}
	return must(k.Marshal())
}

// ParseKRBError reads a KRB-ERROR. Its text is the sender's and is not kept. Heimdal sends service names without
// components in errors about unreadable requests, so that the name may be empty here.
func ParseKRBError(b []byte) (KRBError, error) {
	var k messages.KRBError
	if err := unmarshal(b, 0, &k); err != nil {
		return KRBError{}, err
	}
	c := new(conv)
	c.fail(k.PVNO == protoVer)
	e := KRBError{STime: k.STime.Add(c.micro(k.Susec)), Code: k.ErrorCode, CRealm: c.text(k.CRealm), Realm: c.text(k.Realm), EData: k.EData}
	if k.CName.NameString != nil {
		n := c.name(k.CName)
		e.CName = &n
	}
	if len(k.SName.NameString) > 0 {
		e.SName = c.name(k.SName)
	}
	return result(e, c)
}
