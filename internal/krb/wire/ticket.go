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

// ParseTicket reads one Ticket.
func ParseTicket(b []byte) (Ticket, error) {
	var t messages.Ticket
	if err := unmarshal(b, 0, &t); err != nil {
		return Ticket{}, err
	}
	c := new(conv)
	return result(c.ticket(t), c)
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
	var k messages.EncTicketPart
	if err := unmarshal(b, plainPad, &k); err != nil {
		return TicketPart{}, err
	}
	c := new(conv)
	t := TicketPart{
		Flags: c.flags(k.Flags), Key: c.key(k.Key), CRealm: c.realm(k.CRealm), CName: c.name(k.CName),
		TRType: k.Transited.TRType, Transited: k.Transited.Contents,
		AuthTime: k.AuthTime, StartTime: k.StartTime, EndTime: k.EndTime, RenewTill: k.RenewTill,
		Addresses: c.addresses(k.CAddr), AuthData: c.authData(k.AuthorizationData),
	}
	if t.StartTime.IsZero() {
		t.StartTime = t.AuthTime
	}
	return result(t, c)
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
	var k types.Authenticator
	if err := unmarshal(b, plainPad, &k); err != nil {
		return Authenticator{}, err
	}
	c := new(conv)
	c.fail(k.AVNO == protoVer)
	a := Authenticator{CRealm: c.realm(k.CRealm), CName: c.name(k.CName), CTime: k.CTime.Add(c.micro(k.Cusec)), Seq: c.uint32(k.SeqNumber)}
	if k.Cksum.Checksum != nil {
		a.Checksum = &Checksum{k.Cksum.CksumType, k.Cksum.Checksum}
	}
	if k.SubKey.KeyValue != nil {
		a.Subkey = c.key(k.SubKey)
	}
	return result(a, c)
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
	var k messages.APReq
	if err := unmarshal(b, 0, &k); err != nil {
		return APReq{}, err
	}
	c := new(conv)
	c.fail(k.PVNO == protoVer)
	return result(APReq{c.flags(k.APOptions), c.ticket(k.Ticket), c.encrypted(k.EncryptedAuthenticator)}, c)
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
