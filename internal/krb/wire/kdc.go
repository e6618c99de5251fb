package wire

import (
	"time"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

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

// ParseKDCReq reads an AS-REQ or a TGS-REQ; fields that a test KDC has no use for are left out.
func ParseKDCReq(b []byte) (KDCReq, error) {
	if err := der.Check(b, 0); err != nil {
		return KDCReq{}, err
	}
	var f messages.KDCReqFields
	var err error
	switch b[0] {
	case der.App(MsgASReq):
		var k messages.ASReq
		err = k.Unmarshal(b)
		f = k.KDCReqFields
	case der.App(MsgTGSReq):
		var k messages.TGSReq
		err = k.Unmarshal(b)
		f = k.KDCReqFields
	default:
		err = der.ErrMalformed
	}
	if err != nil {
		return KDCReq{}, der.ErrMalformed
	}
	c := new(conv)
	c.fail(f.PVNO == protoVer && len(f.ReqBody.EType) <= maxETypes)
	r := KDCReq{
		Type: f.MsgType, PAData: c.padata(f.PAData), Options: c.flags(f.ReqBody.KDCOptions), Realm: c.realm(f.ReqBody.Realm),
		Till: f.ReqBody.Till, Nonce: c.uint32(int64(f.ReqBody.Nonce)), ETypes: f.ReqBody.EType, Body: rawBody(b),
	}
	for _, x := range []struct {
		from types.PrincipalName
		to   **Name
	}{{f.ReqBody.CName, &r.CName}, {f.ReqBody.SName, &r.SName}} {
		if x.from.NameString != nil {
			n := c.name(x.from)
			*x.to = &n
		}
	}
	return result(r, c)
}

// rawBody returns KDC-REQ-BODY as it stands in the message: its checksum runs over these bytes.
func rawBody(b []byte) []byte {
	d := der.New(b)
	s := d.Into(d.Peek()).Seq()
	for s.More() && s.Peek() != der.Ctx(4) {
		s.Skip()
	}
	return s.Field(4).Rest()
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
