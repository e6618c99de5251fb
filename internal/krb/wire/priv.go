package wire

import (
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/der"
)

// EncodePriv returns a KRB-PRIV around its encrypted part.
func EncodePriv(e Encrypted) []byte {
	return der.TLV(der.App(MsgPriv), der.Seq(der.Field(0, der.Int(protoVer)), der.Field(1, der.Int(MsgPriv)), der.Field(3, e.Encode())))
}

// ParsePriv reads a KRB-PRIV and returns its encrypted part.
func ParsePriv(b []byte) (Encrypted, error) {
	return parse(b, func(d der.Dec) Encrypted {
		s := message(d, MsgPriv)
		e := decodeEncrypted(s.Field(3))
		s.End()
		return e
	})
}

// PrivPart is EncKrbPrivPart.
type PrivPart struct {
	UserData []byte
	Time     time.Time
	Seq      uint32
	HasSeq   bool
	Sender   Address
}

// Encode returns the DER form.
func (p PrivPart) Encode() []byte {
	var ts, us, seq []byte
	if !p.Time.IsZero() {
		ts, us = der.Field(1, der.Time(p.Time)), der.Field(2, der.Int(int64(p.Time.Nanosecond()/1000)))
	}
	if p.HasSeq {
		seq = der.Field(3, der.Int(int64(p.Seq)))
	}
	addr := der.Seq(der.Field(0, der.Int(int64(p.Sender.Type))), der.Field(1, der.Octets(p.Sender.Data)))
	return der.TLV(der.App(encPriv), der.Seq(der.Field(0, der.Octets(p.UserData)), ts, us, seq, der.Field(4, addr)))
}

// ParsePrivPart reads a decrypted EncKrbPrivPart.
func ParsePrivPart(b []byte) (PrivPart, error) {
	return parse(b, func(d der.Dec) PrivPart {
		app := d.Into(der.App(encPriv))
		endPadded(d)
		s := app.Seq()
		p := PrivPart{UserData: s.Field(0).Octets()}
		if f, ok := s.Opt(1); ok {
			p.Time = f.Time()
		}
		if f, ok := s.Opt(2); ok {
			p.Time = p.Time.Add(time.Duration(micro(f)) * time.Microsecond)
		}
		if f, ok := s.Opt(3); ok {
			p.Seq, p.HasSeq = f.Uint32(), true
		}
		p.Sender = decodeAddress(s.Field(4).Seq())
		if f, ok := s.Opt(5); ok {
			decodeAddress(f.Seq())
		}
		s.End()
		return p
	})
}

// ChangePassword is ChangePasswdData (RFC 3244 2). A nil Target is a change, any other one a set.
type ChangePassword struct {
	New         []byte
	Target      *Name
	TargetRealm string
}

// Encode returns the DER form.
func (c ChangePassword) Encode() []byte {
	var name, rlm []byte
	if c.Target != nil {
		name = der.Field(1, c.Target.encode())
		rlm = der.Field(2, der.Text(c.TargetRealm))
	}
	return der.Seq(der.Field(0, der.Octets(c.New)), name, rlm)
}

// ParseChangePassword reads ChangePasswdData.
func ParseChangePassword(b []byte) (ChangePassword, error) {
	return parse(b, func(d der.Dec) ChangePassword {
		s := d.Seq()
		c := ChangePassword{New: s.Field(0).Octets()}
		if f, ok := s.Opt(1); ok {
			n := decodeName(f)
			c.Target = &n
		}
		if f, ok := s.Opt(2); ok {
			c.TargetRealm = realm(f)
		}
		s.End()
		return c
	})
}

// extError is the data type of KERB-EXT-ERROR in KERB-ERROR-DATA (MS-KILE 2.2.2).
const extError = 3

// NTStatus returns the status of a KERB-EXT-ERROR in the e-data of a KRB-ERROR, 0 when there is none.
func NTStatus(edata []byte) uint32 {
	v, err := parse(edata, func(d der.Dec) uint32 {
		s := d.Seq()
		if s.Field(1).Int() != extError {
			d.Fail()
			return 0
		}
		f, ok := s.Opt(2)
		b := f.Octets()
		s.End()
		if !ok || len(b) != 12 { // status, reserved, flags
			d.Fail()
			return 0
		}
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	})
	if err != nil {
		return 0
	}
	return v
}

// EncodeNTStatus returns KERB-ERROR-DATA with a KERB-EXT-ERROR.
func EncodeNTStatus(status uint32) []byte {
	b := make([]byte, 12)
	b[0], b[1], b[2], b[3], b[8] = byte(status), byte(status>>8), byte(status>>16), byte(status>>24), 1
	return der.Seq(der.Field(1, der.Int(extError)), der.Field(2, der.Octets(b)))
}
