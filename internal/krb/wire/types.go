package wire

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/der"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
)

// Name is a principal name without its realm.
type Name struct {
	Type  int32
	Parts []string
}

// String joins the components with slashes.
func (n Name) String() string { return strings.Join(n.Parts, "/") }

// Equal compares the components byte by byte; the type is only a hint (RFC 4120 6.2).
func (n Name) Equal(o Name) bool { return slices.Equal(n.Parts, o.Parts) }

// EqualFold compares the components as Active Directory does, without regard to case.
func (n Name) EqualFold(o Name) bool { return slices.EqualFunc(n.Parts, o.Parts, fold.Equal) }

// Krbtgt returns the name of the ticket-granting service for a realm.
func Krbtgt(realm string) Name { return Name{NTSrvInst, []string{"krbtgt", realm}} }

// SPN returns the name of a service principal written service/host[/more].
func SPN(s string) Name { return Name{NTSrvInst, strings.Split(s, "/")} }

func (n Name) encode() []byte {
	parts := make([][]byte, len(n.Parts))
	for i, p := range n.Parts {
		parts[i] = der.Text(p)
	}
	return der.Seq(der.Field(0, der.Int(int64(n.Type))), der.Field(1, der.Seq(parts...)))
}

func decodeName(d der.Dec) Name {
	n := decodeAnyName(d)
	if len(n.Parts) == 0 {
		d.Fail()
	}
	return n
}

// decodeAnyName allows a name without components: Heimdal sends it in errors about unreadable requests.
func decodeAnyName(d der.Dec) Name {
	s := d.Seq()
	n := Name{Type: s.Field(0).Int32()}
	for list := s.Field(1).Seq(); list.More(); {
		// a GeneralString stands alone here, without a context tag
		one := der.Sub(list.Raw(der.TagGeneralStr), d)
		n.Parts = append(n.Parts, text(one))
		if len(n.Parts) > maxNameParts {
			d.Fail()
		}
	}
	s.End()
	return n
}

func text(d der.Dec) string {
	s := d.Text()
	if len(s) > maxText {
		d.Fail()
		return ""
	}
	return s
}

// realm reads a realm name, which is never empty.
func realm(d der.Dec) string {
	s := text(d)
	if s == "" {
		d.Fail()
	}
	return s
}

// Encrypted is EncryptedData of RFC 4120 5.2.9.
type Encrypted struct {
	EType   int32
	KVNO    uint32
	HasKVNO bool
	Cipher  []byte
}

// Seal encrypts plain into an Encrypted without a key version.
func Seal(k *etype.Key, usage uint32, plain []byte) (Encrypted, error) {
	ct, err := k.Encrypt(usage, plain)
	return Encrypted{EType: k.Type(), Cipher: ct}, err
}

// Open decrypts; the type must be the key's.
func (e Encrypted) Open(k *etype.Key, usage uint32) ([]byte, error) {
	if e.EType != k.Type() {
		return nil, etype.ErrUnsupported
	}
	return k.Decrypt(usage, e.Cipher)
}

// Encode returns the DER form.
func (e Encrypted) Encode() []byte {
	var kvno []byte
	if e.HasKVNO {
		kvno = der.Field(1, der.Int(int64(e.KVNO)))
	}
	return der.Seq(der.Field(0, der.Int(int64(e.EType))), kvno, der.Field(2, der.Octets(e.Cipher)))
}

// ParseEncrypted reads one EncryptedData.
func ParseEncrypted(b []byte) (Encrypted, error) { return parse(b, decodeEncrypted) }

func decodeEncrypted(d der.Dec) Encrypted {
	s := d.Seq()
	e := Encrypted{EType: s.Field(0).Int32()}
	if f, ok := s.Opt(1); ok {
		e.KVNO, e.HasKVNO = f.Uint32(), true
	}
	e.Cipher = s.Field(2).Octets()
	s.End()
	return e
}

// parse runs a decoder over exactly b.
func parse[T any](b []byte, decode func(der.Dec) T) (T, error) {
	d := der.New(b)
	v := decode(d)
	if err := d.Err(); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

func encodeKey(k *etype.Key) []byte {
	return der.Seq(der.Field(0, der.Int(int64(k.Type()))), der.Field(1, der.Octets(k.Reveal())))
}

// decodeKey marks the message as malformed for a key of unknown type or wrong length.
func decodeKey(d der.Dec) *etype.Key {
	s := d.Seq()
	et, b := s.Field(0).Int32(), s.Field(1).Octets()
	s.End()
	k, err := etype.New(et, b)
	if err != nil {
		d.Fail()
		return nil
	}
	return k
}

// PAData is one element of pre-authentication data.
type PAData struct {
	Type  int32
	Value []byte
}

// EncodePAData returns the METHOD-DATA form of a list.
func EncodePAData(list []PAData) []byte {
	parts := make([][]byte, len(list))
	for i, p := range list {
		parts[i] = der.Seq(der.Field(1, der.Int(int64(p.Type))), der.Field(2, der.Octets(p.Value)))
	}
	return der.Seq(parts...)
}

// ParsePAData reads METHOD-DATA.
func ParsePAData(b []byte) ([]PAData, error) { return parse(b, decodePAData) }

func decodePAData(d der.Dec) []PAData {
	var out []PAData
	for list := d.Seq(); list.More(); {
		s := list.Into(der.TagSeq)
		out = append(out, PAData{s.Field(1).Int32(), s.Field(2).Octets()})
		s.End()
		if len(out) > maxPAData {
			d.Fail()
		}
	}
	return out
}

// FindPA returns the value of the first element of a type.
func FindPA(list []PAData, t int32) ([]byte, bool) {
	for _, p := range list {
		if p.Type == t {
			return p.Value, true
		}
	}
	return nil, false
}

// ETypeInfo2 is one entry of PA-ETYPE-INFO2 (RFC 4120 5.2.7.5). Params is nil when absent.
type ETypeInfo2 struct {
	EType   int32
	Salt    string
	HasSalt bool
	Params  []byte
}

// EncodeETypeInfo2 returns the DER form of a list.
func EncodeETypeInfo2(list []ETypeInfo2) []byte {
	parts := make([][]byte, len(list))
	for i, e := range list {
		var salt, params []byte
		if e.HasSalt {
			salt = der.Field(1, der.Text(e.Salt))
		}
		if e.Params != nil {
			params = der.Field(2, der.Octets(e.Params))
		}
		parts[i] = der.Seq(der.Field(0, der.Int(int64(e.EType))), salt, params)
	}
	return der.Seq(parts...)
}

// ParseETypeInfo2 reads 1 to 32 entries.
func ParseETypeInfo2(b []byte) ([]ETypeInfo2, error) {
	return parse(b, func(d der.Dec) []ETypeInfo2 {
		var out []ETypeInfo2
		for list := d.Seq(); list.More(); {
			s := list.Into(der.TagSeq)
			e := ETypeInfo2{EType: s.Field(0).Int32()}
			if f, ok := s.Opt(1); ok {
				e.Salt, e.HasSalt = f.Text(), true
			}
			if f, ok := s.Opt(2); ok {
				e.Params = append([]byte{}, f.Octets()...)
			}
			s.End()
			out = append(out, e)
			if len(out) > maxInfo2 || len(e.Salt) > maxSalt {
				d.Fail()
			}
		}
		if len(out) == 0 {
			d.Fail()
		}
		return out
	})
}

// EncodeTimestamp returns PA-ENC-TS-ENC.
func EncodeTimestamp(t time.Time) []byte {
	return der.Seq(der.Field(0, der.Time(t)), der.Field(1, der.Int(int64(t.Nanosecond()/1000))))
}

// ParseTimestamp reads PA-ENC-TS-ENC.
func ParseTimestamp(b []byte) (time.Time, error) {
	return parse(b, func(d der.Dec) time.Time {
		s := d.Seq()
		t := s.Field(0).Time()
		if f, ok := s.Opt(1); ok {
			t = t.Add(time.Duration(micro(f)) * time.Microsecond)
		}
		s.End()
		return t
	})
}

func micro(d der.Dec) int32 {
	v := d.Int32()
	if v < 0 || v > 999999 {
		d.Fail()
		return 0
	}
	return v
}

// AuthData is one element of AuthorizationData.
type AuthData struct {
	Type int32
	Data []byte
}

// EncodeAuthData returns the DER form of a list.
func EncodeAuthData(list []AuthData) []byte {
	parts := make([][]byte, len(list))
	for i, a := range list {
		parts[i] = der.Seq(der.Field(0, der.Int(int64(a.Type))), der.Field(1, der.Octets(a.Data)))
	}
	return der.Seq(parts...)
}

// ParseAuthData reads a list of at most 64 elements.
func ParseAuthData(b []byte) ([]AuthData, error) { return parse(b, decodeAuthData) }

func decodeAuthData(d der.Dec) []AuthData {
	var out []AuthData
	for list := d.Seq(); list.More(); {
		s := list.Into(der.TagSeq)
		out = append(out, AuthData{s.Field(0).Int32(), bytes.Clone(s.Field(1).Octets())}) // callers clear the plaintext
		s.End()
		if len(out) > maxAuthData {
			d.Fail()
		}
	}
	return out
}

// Checksum is the Checksum type of RFC 4120 5.2.9.
type Checksum struct {
	Type int32
	Sum  []byte
}

func (c Checksum) encode() []byte {
	return der.Seq(der.Field(0, der.Int(int64(c.Type))), der.Field(1, der.Octets(c.Sum)))
}

func decodeChecksum(d der.Dec) Checksum {
	s := d.Seq()
	c := Checksum{s.Field(0).Int32(), s.Field(1).Octets()}
	s.End()
	return c
}

// Address is a HostAddress.
type Address struct {
	Type int32
	Data []byte
}

func encodeAddresses(list []Address) []byte {
	parts := make([][]byte, len(list))
	for i, a := range list {
		parts[i] = der.Seq(der.Field(0, der.Int(int64(a.Type))), der.Field(1, der.Octets(a.Data)))
	}
	return der.Seq(parts...)
}

func decodeAddresses(d der.Dec) []Address {
	var out []Address
	for list := d.Seq(); list.More(); {
		out = append(out, decodeAddress(list.Into(der.TagSeq)))
		if len(out) > maxAddresses {
			d.Fail()
		}
	}
	return out
}

func decodeAddress(s der.Dec) Address {
	a := Address{s.Field(0).Int32(), bytes.Clone(s.Field(1).Octets())}
	s.End()
	return a
}
