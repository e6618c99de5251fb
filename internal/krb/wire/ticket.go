package wire

import (
	"bytes"
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/der"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
)

// Ticket is a ticket as everybody sees it. Raw is its encoding as received.
type Ticket struct {
	Realm string
	SName Name
	Enc   Encrypted
	Raw   []byte
}

// Encode returns the DER form, the received one if there is one.
func (t Ticket) Encode() []byte {
	if t.Raw != nil {
		return t.Raw
	}
	return der.TLV(der.App(tagTicket), der.Seq(
		der.Field(0, der.Int(protoVer)), der.Field(1, der.Text(t.Realm)), der.Field(2, t.SName.encode()), der.Field(3, t.Enc.Encode())))
}

// ParseTicket reads one Ticket.
func ParseTicket(b []byte) (Ticket, error) { return parse(b, decodeTicket) }

func decodeTicket(d der.Dec) Ticket {
	raw := d.Raw(der.App(tagTicket))
	d.End()
	app := der.Sub(raw, d)
	s := app.Into(der.App(tagTicket)).Seq()
	version(s.Field(0))
	t := Ticket{Realm: realm(s.Field(1)), SName: decodeName(s.Field(2)), Enc: decodeEncrypted(s.Field(3)), Raw: raw}
	s.End()
	return t
}

func version(d der.Dec) {
	if d.Int() != protoVer {
		d.Fail()
	}
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

// Encode returns the DER form.
func (t TicketPart) Encode() []byte {
	var renew, addr, auth []byte
	if !t.RenewTill.IsZero() {
		renew = der.Field(8, der.Time(t.RenewTill))
	}
	if t.Addresses != nil {
		addr = der.Field(9, encodeAddresses(t.Addresses))
	}
	if t.AuthData != nil {
		auth = der.Field(10, EncodeAuthData(t.AuthData))
	}
	trtype := t.TRType
	if trtype == 0 {
		trtype = 1 // DOMAIN-X500-COMPRESS
	}
	return der.TLV(der.App(encTicket), der.Seq(
		der.Field(0, der.Flags(t.Flags)), der.Field(1, encodeKey(t.Key)), der.Field(2, der.Text(t.CRealm)), der.Field(3, t.CName.encode()),
		der.Field(4, der.Seq(der.Field(0, der.Int(int64(trtype))), der.Field(1, der.Octets(t.Transited)))),
		der.Field(5, der.Time(t.AuthTime)), der.Field(6, der.Time(t.StartTime)), der.Field(7, der.Time(t.EndTime)), renew, addr, auth))
}

// ParseTicketPart reads the decrypted part of a ticket.
func ParseTicketPart(b []byte) (TicketPart, error) {
	return parse(b, func(d der.Dec) TicketPart {
		var t TicketPart
		app := d.Into(der.App(encTicket))
		endPadded(d)
		s := app.Seq()
		t.Flags, t.Key = s.Field(0).Flags(), decodeKey(s.Field(1))
		t.CRealm, t.CName = realm(s.Field(2)), decodeName(s.Field(3))
		tr := s.Field(4).Seq()
		t.TRType, t.Transited = tr.Field(0).Int32(), bytes.Clone(tr.Field(1).Octets())
		tr.End()
		t.AuthTime = s.Field(5).Time()
		t.StartTime = t.AuthTime
		if f, ok := s.Opt(6); ok {
			t.StartTime = f.Time()
		}
		t.EndTime = s.Field(7).Time()
		if f, ok := s.Opt(8); ok {
			t.RenewTill = f.Time()
		}
		if f, ok := s.Opt(9); ok {
			t.Addresses = decodeAddresses(f)
		}
		if f, ok := s.Opt(10); ok {
			t.AuthData = decodeAuthData(f)
		}
		s.End()
		return t
	})
}

// endPadded allows zero bytes after a decrypted value: older encryption types pad their plaintext.
func endPadded(d der.Dec) {
	rest := d.Rest()
	if len(rest) > 16 {
		d.Fail()
	}
	for _, c := range rest {
		if c != 0 {
			d.Fail()
		}
	}
}

// Authenticator proves that the sender of an AP-REQ knows the session key.
type Authenticator struct {
	CRealm   string
	CName    Name
	Checksum *Checksum
	CTime    time.Time // with microseconds
	Subkey   *etype.Key
	Seq      uint32
	HasSeq   bool
	AuthData []AuthData
}

// Encode returns the DER form.
func (a Authenticator) Encode() []byte {
	var sum, sub, seq, auth []byte
	if a.Checksum != nil {
		sum = der.Field(3, a.Checksum.encode())
	}
	if a.Subkey != nil {
		sub = der.Field(6, encodeKey(a.Subkey))
	}
	if a.HasSeq {
		seq = der.Field(7, der.Int(int64(a.Seq)))
	}
	if a.AuthData != nil {
		auth = der.Field(8, EncodeAuthData(a.AuthData))
	}
	return der.TLV(der.App(tagAuth), der.Seq(
		der.Field(0, der.Int(protoVer)), der.Field(1, der.Text(a.CRealm)), der.Field(2, a.CName.encode()), sum,
		der.Field(4, der.Int(int64(a.CTime.Nanosecond()/1000))), der.Field(5, der.Time(a.CTime)), sub, seq, auth))
}

// ParseAuthenticator reads a decrypted authenticator.
func ParseAuthenticator(b []byte) (Authenticator, error) {
	return parse(b, func(d der.Dec) Authenticator {
		app := d.Into(der.App(tagAuth))
		endPadded(d)
		s := app.Seq()
		version(s.Field(0))
		a := Authenticator{CRealm: realm(s.Field(1)), CName: decodeName(s.Field(2))}
		if f, ok := s.Opt(3); ok {
			c := decodeChecksum(f)
			a.Checksum = &c
		}
		us := micro(s.Field(4))
		a.CTime = s.Field(5).Time().Add(time.Duration(us) * time.Microsecond)
		if f, ok := s.Opt(6); ok {
			a.Subkey = decodeKey(f)
		}
		if f, ok := s.Opt(7); ok {
			a.Seq, a.HasSeq = f.Uint32(), true
		}
		if f, ok := s.Opt(8); ok {
			a.AuthData = decodeAuthData(f)
		}
		s.End()
		return a
	})
}

// APReq is the message that presents a ticket.
type APReq struct {
	Options uint32
	Ticket  Ticket
	Auth    Encrypted
}

// Encode returns the DER form.
func (a APReq) Encode() []byte {
	return der.TLV(der.App(MsgAPReq), der.Seq(der.Field(0, der.Int(protoVer)), der.Field(1, der.Int(MsgAPReq)),
		der.Field(2, der.Flags(a.Options)), der.Field(3, a.Ticket.Encode()), der.Field(4, a.Auth.Encode())))
}

// ParseAPReq reads an AP-REQ.
func ParseAPReq(b []byte) (APReq, error) {
	return parse(b, func(d der.Dec) APReq {
		s := message(d, MsgAPReq)
		a := APReq{Options: s.Field(2).Flags(), Ticket: decodeTicket(s.Field(3)), Auth: decodeEncrypted(s.Field(4))}
		s.End()
		return a
	})
}

// message reads the application tag, the version and the type that begin most messages.
func message(d der.Dec, kind byte) der.Dec {
	app := d.Into(der.App(kind))
	d.End()
	s := app.Seq()
	version(s.Field(0))
	if s.Field(1).Int() != int64(kind) {
		d.Fail()
	}
	return s
}

// EncodeAPRep returns an AP-REP around its encrypted part.
func EncodeAPRep(e Encrypted) []byte {
	return der.TLV(der.App(MsgAPRep), der.Seq(der.Field(0, der.Int(protoVer)), der.Field(1, der.Int(MsgAPRep)), der.Field(2, e.Encode())))
}

// ParseAPRep reads an AP-REP and returns its encrypted part.
func ParseAPRep(b []byte) (Encrypted, error) {
	return parse(b, func(d der.Dec) Encrypted {
		s := message(d, MsgAPRep)
		e := decodeEncrypted(s.Field(2))
		s.End()
		return e
	})
}

// APRepPart is EncAPRepPart: the service's proof that it could read the ticket.
type APRepPart struct {
	CTime  time.Time
	Subkey *etype.Key
	Seq    uint32
	HasSeq bool
}

// Encode returns the DER form.
func (a APRepPart) Encode() []byte {
	var sub, seq []byte
	if a.Subkey != nil {
		sub = der.Field(2, encodeKey(a.Subkey))
	}
	if a.HasSeq {
		seq = der.Field(3, der.Int(int64(a.Seq)))
	}
	return der.TLV(der.App(encAPRep), der.Seq(der.Field(0, der.Time(a.CTime)), der.Field(1, der.Int(int64(a.CTime.Nanosecond()/1000))), sub, seq))
}

// ParseAPRepPart reads a decrypted EncAPRepPart.
func ParseAPRepPart(b []byte) (APRepPart, error) {
	return parse(b, func(d der.Dec) APRepPart {
		app := d.Into(der.App(encAPRep))
		endPadded(d)
		s := app.Seq()
		t, us := s.Field(0).Time(), micro(s.Field(1))
		a := APRepPart{CTime: t.Add(time.Duration(us) * time.Microsecond)}
		if f, ok := s.Opt(2); ok {
			a.Subkey = decodeKey(f)
		}
		if f, ok := s.Opt(3); ok {
			a.Seq, a.HasSeq = f.Uint32(), true
		}
		s.End()
		return a
	})
}
