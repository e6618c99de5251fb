package wire

import (
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/adfedkit/adfedkit/internal/krb/der"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
)

// Ticket is a ticket as everybody sees it.
type Ticket struct {
	Realm string
	SName Name
	Enc   Encrypted
}

func (t Ticket) krb() messages.Ticket {
	return messages.Ticket{TktVNO: protoVer, Realm: t.Realm, SName: t.SName.krb(), EncPart: t.Enc.krb()}
}

// Encode returns the DER form.
func (t Ticket) Encode() []byte {
	k := t.krb()
	return must(k.Marshal())
}

func (c *conv) ticket(t messages.Ticket) Ticket {
	c.fail(t.TktVNO == protoVer)
	return Ticket{c.realm(t.Realm), c.name(t.SName), c.encrypted(t.EncPart)}
}

func (c *conv) dTicket(s der.Dec) Ticket {
	c.fail(s.Field(0).Int() == protoVer)
	return Ticket{c.dRealm(s.Field(1)), c.dName(s.Field(2)), c.dEncrypted(s.Field(3))}
}

// ParseTicket reads one Ticket.
func ParseTicket(b []byte) (Ticket, error) {
	s, err := open(b, 0, asnAppTag.Ticket)
	if err != nil {
		return Ticket{}, err
	}
	c := new(conv)
	return done(c.dTicket(s), s, c)
}

// TicketPart is EncTicketPart: what the KDC tells the service.
type TicketPart struct {
	Flags     uint32
	Key       *etype.Key
	CRealm    string
	CName     Name
	Transited []byte // contents of TransitedEncoding
	TRType    int32
	AuthTime  time.Time
	StartTime time.Time // AuthTime when absent
	EndTime   time.Time
	RenewTill time.Time
	Addresses []Address
	AuthData  []AuthData
}

func keyKrb(k *etype.Key) types.EncryptionKey {
	return types.EncryptionKey{KeyType: k.Type(), KeyValue: k.Reveal()}
}

// Encode returns the DER form.
func (t TicketPart) Encode() []byte {
	k := messages.EncTicketPart{
		Flags: flagBits(t.Flags), Key: keyKrb(t.Key), CRealm: t.CRealm, CName: t.CName.krb(),
		Transited: messages.TransitedEncoding{TRType: max(t.TRType, 1), Contents: t.Transited},
		AuthTime:  t.AuthTime.UTC(), StartTime: t.StartTime.UTC(), EndTime: t.EndTime.UTC(), RenewTill: t.RenewTill,
		CAddr: addressesKrb(t.Addresses), AuthorizationData: authKrb(t.AuthData),
	}
	return app(k, asnAppTag.EncTicketPart)
}

// ParseTicketPart reads the decrypted part of a ticket.
func ParseTicketPart(b []byte) (TicketPart, error) {
	s, err := open(b, plainPad, asnAppTag.EncTicketPart)
	if err != nil {
		return TicketPart{}, err
	}
	c := new(conv)
	t := TicketPart{Flags: s.Field(0).Flags(), Key: c.dKey(s.Field(1)), CRealm: c.dRealm(s.Field(2)), CName: c.dName(s.Field(3))}
	t.TRType, t.Transited = c.pair(s.Field(4))
	t.AuthTime = c.dTime(s.Field(5))
	t.StartTime = t.AuthTime
	if f, ok := s.Opt(6); ok {
		t.StartTime = c.dTime(f)
	}
	t.EndTime = c.dTime(s.Field(7))
	if f, ok := s.Opt(8); ok {
		t.RenewTill = c.dTime(f)
	}
	if f, ok := s.Opt(9); ok {
		c.pairs(f, maxAddresses, func(kind int32, b []byte) { t.Addresses = append(t.Addresses, Address{kind, b}) })
	}
	if f, ok := s.Opt(10); ok {
		c.pairs(f, maxAuthData, func(kind int32, b []byte) { t.AuthData = append(t.AuthData, AuthData{kind, b}) })
	}
	return done(t, s, c)
}

// Authenticator proves that the sender of an AP-REQ knows the session key.
type Authenticator struct {
	CRealm   string
	CName    Name
	Checksum *Checksum
	CTime    time.Time // with microseconds
	Subkey   *etype.Key
	Seq      uint32 // 0 when absent
}

// Encode returns the DER form.
func (a Authenticator) Encode() []byte {
	k := types.Authenticator{
		AVNO: protoVer, CRealm: a.CRealm, CName: a.CName.krb(), Cusec: a.CTime.Nanosecond() / 1000, CTime: a.CTime.UTC(), SeqNumber: int64(a.Seq),
	}
	if a.Checksum != nil {
		k.Cksum = types.Checksum{CksumType: a.Checksum.Type, Checksum: a.Checksum.Sum}
	}
	if a.Subkey != nil {
		k.SubKey = keyKrb(a.Subkey)
	}
	return must(k.Marshal())
}

// ParseAuthenticator reads a decrypted authenticator.
func ParseAuthenticator(b []byte) (Authenticator, error) {
	s, err := open(b, plainPad, asnAppTag.Authenticator)
	if err != nil {
		return Authenticator{}, err
	}
	c := new(conv)
	c.fail(s.Field(0).Int() == protoVer)
	a := Authenticator{CRealm: c.dRealm(s.Field(1)), CName: c.dName(s.Field(2))}
	if f, ok := s.Opt(3); ok {
		a.Checksum = new(Checksum)
		a.Checksum.Type, a.Checksum.Sum = c.pair(f)
	}
	micro := c.dMicro(s.Field(4))
	a.CTime = c.dTime(s.Field(5)).Add(micro)
	if f, ok := s.Opt(6); ok {
		a.Subkey = c.dKey(f)
	}
	if f, ok := s.Opt(7); ok {
		a.Seq = c.uint32(f.Int())
	}
	return done(a, s, c)
}

// APReq is the message that presents a ticket.
type APReq struct {
	Options uint32
	Ticket  Ticket
	Auth    Encrypted
}

// Encode returns the DER form.
func (a APReq) Encode() []byte {
	k := messages.APReq{PVNO: protoVer, MsgType: MsgAPReq, APOptions: flagBits(a.Options), Ticket: a.Ticket.krb(), EncryptedAuthenticator: a.Auth.krb()}
	return must(k.Marshal())
}

// ParseAPReq reads an AP-REQ.
func ParseAPReq(b []byte) (APReq, error) {
	s, err := open(b, 0, asnAppTag.APREQ)
	if err != nil {
		return APReq{}, err
	}
	c := new(conv)
	c.fail(s.Field(0).Int() == protoVer)
	c.fail(s.Field(1).Int() == MsgAPReq)
	a := APReq{Options: s.Field(2).Flags()}
	ticket := s.Field(3)
	app := ticket.Into(der.App(asnAppTag.Ticket))
	ticket.End()
	a.Ticket = c.dTicket(app.Seq())
	a.Auth = c.dEncrypted(s.Field(4))
	return done(a, s, c)
}

// EncodeAPRep returns an AP-REP around its encrypted part.
func EncodeAPRep(e Encrypted) []byte {
	return app(messages.APRep{PVNO: protoVer, MsgType: MsgAPRep, EncPart: e.krb()}, asnAppTag.APREP)
}

// ParseAPRep reads an AP-REP and returns its encrypted part.
func ParseAPRep(b []byte) (Encrypted, error) {
	var k messages.APRep
	if err := unmarshal(b, 0, &k); err != nil {
		return Encrypted{}, err
	}
	c := new(conv)
	c.fail(k.PVNO == protoVer)
	return result(c.encrypted(k.EncPart), c)
}

// APRepPart is EncAPRepPart: the service's proof that it could read the ticket.
type APRepPart struct {
	CTime  time.Time
	Subkey *etype.Key
	Seq    uint32 // 0 when absent
}

// Encode returns the DER form.
func (a APRepPart) Encode() []byte {
	k := messages.EncAPRepPart{CTime: a.CTime.UTC(), Cusec: a.CTime.Nanosecond() / 1000, SequenceNumber: int64(a.Seq)}
	if a.Subkey != nil {
		k.Subkey = keyKrb(a.Subkey)
	}
	return app(k, asnAppTag.EncAPRepPart)
}

// ParseAPRepPart reads a decrypted EncAPRepPart.
func ParseAPRepPart(b []byte) (APRepPart, error) {
	var k messages.EncAPRepPart
	if err := unmarshal(b, plainPad, &k); err != nil {
		return APRepPart{}, err
	}
	c := new(conv)
	a := APRepPart{CTime: k.CTime.Add(c.micro(k.Cusec)), Seq: c.uint32(k.SequenceNumber)}
	if k.Subkey.KeyValue != nil {
		a.Subkey = c.key(k.Subkey)
	}
	return result(a, c)
}

// EncodePriv returns a KRB-PRIV around its encrypted part.
func EncodePriv(e Encrypted) []byte {
	k := messages.KRBPriv{PVNO: protoVer, MsgType: MsgPriv, EncPart: e.krb()}
	return must(k.Marshal())
}

// ParsePriv reads a KRB-PRIV and returns its encrypted part.
func ParsePriv(b []byte) (Encrypted, error) {
	var k messages.KRBPriv
	if err := unmarshal(b, 0, &k); err != nil {
		return Encrypted{}, err
	}
	c := new(conv)
	c.fail(k.PVNO == protoVer)
	return result(c.encrypted(k.EncPart), c)
}

// PrivPart is EncKrbPrivPart.
type PrivPart struct {
	UserData []byte
	Seq      uint32 // 0 when absent
	Sender   Address
}

// Encode returns the DER form.
func (p PrivPart) Encode() []byte {
	return app(messages.EncKrbPrivPart{UserData: p.UserData, SequenceNumber: int64(p.Seq), SAddress: p.Sender.krb()}, asnAppTag.EncKrbPrivPart)
}

// ParsePrivPart reads a decrypted EncKrbPrivPart.
func ParsePrivPart(b []byte) (PrivPart, error) {
	var k messages.EncKrbPrivPart
	if err := unmarshal(b, plainPad, &k); err != nil {
		return PrivPart{}, err
	}
	c := new(conv)
	return result(PrivPart{k.UserData, c.uint32(k.SequenceNumber), Address{k.SAddress.AddrType, k.SAddress.Address}}, c)
}

// ChangePassword is ChangePasswdData (RFC 3244 2). A nil Target is a change, any other one a set; the library knows
// only the second, which Active Directory refuses to ordinary users.
type ChangePassword struct {
	New         []byte
	Target      *Name
	TargetRealm string
}

// changePassword has the target optional.
type changePassword struct {
	New    []byte              `asn1:"explicit,tag:0"`
	Target types.PrincipalName `asn1:"optional,explicit,tag:1"`
	Realm  string              `asn1:"generalstring,optional,explicit,tag:2"`
}

// Encode returns the DER form.
func (c ChangePassword) Encode() []byte {
	k := changePassword{New: c.New, Realm: c.TargetRealm}
	if c.Target != nil {
		k.Target = c.Target.krb()
	}
	return must(asn1.Marshal(k))
}

// Unmarshal reads the DER form.
func (k *changePassword) Unmarshal(b []byte) error {
	_, err := asn1.Unmarshal(b, k)
	return err
}

// ParseChangePassword reads ChangePasswdData.
func ParseChangePassword(b []byte) (ChangePassword, error) {
	var k changePassword
	if err := unmarshal(b, 0, &k); err != nil {
		return ChangePassword{}, err
	}
	c := new(conv)
	out := ChangePassword{New: k.New, TargetRealm: c.text(k.Realm)}
	if k.Target.NameString != nil {
		n := c.name(k.Target)
		out.Target = &n
	}
	return result(out, c)
}

// extError is the data type of KERB-EXT-ERROR in KERB-ERROR-DATA (MS-KILE 2.2.2).
const extError = 3

// NTStatus returns the status of a KERB-EXT-ERROR in the e-data of a KRB-ERROR, 0 when there is none.
func NTStatus(edata []byte) uint32 {
	d := der.New(edata)
	s := d.Seq()
	kind := s.Field(1).Int()
	f, ok := s.Opt(2)
	b := f.Octets()
	s.End()
	if d.Err() != nil || !ok || kind != extError || len(b) != 12 { // status, reserved, flags
		return 0
	}
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// EncodeNTStatus returns KERB-ERROR-DATA with a KERB-EXT-ERROR.
func EncodeNTStatus(status uint32) []byte {
	b := make([]byte, 12)
	b[0], b[1], b[2], b[3], b[8] = byte(status), byte(status>>8), byte(status>>16), byte(status>>24), 1 //nolint:gosec // the bytes are meant
	return der.Seq(der.Field(1, der.Int(extError)), der.Field(2, der.Octets(b)))
}
