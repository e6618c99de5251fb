package wire

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/types"

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

func (n Name) krb() types.PrincipalName {
	return types.PrincipalName{NameType: n.Type, NameString: n.Parts}
}

// conv turns the library's values into ours and remembers the first one that is out of bounds.
type conv struct{ bad bool }

func (c *conv) fail(unless bool) {
	c.bad = c.bad || !unless
}

// text allows printable UTF-8 of bounded length.
func (c *conv) text(s string) string {
	c.fail(len(s) <= maxText && der.Printable([]byte(s)))
	return s
}

// realm is a text that is never empty.
func (c *conv) realm(s string) string {
	c.fail(s != "")
	return c.text(s)
}

func (c *conv) name(n types.PrincipalName) Name {
	c.fail(len(n.NameString) >= 1 && len(n.NameString) <= maxNameParts)
	for _, p := range n.NameString {
		c.text(p)
	}
	return Name{n.NameType, n.NameString}
}

// key refuses keys of unknown type or wrong length.
func (c *conv) key(k types.EncryptionKey) *etype.Key {
	defer clear(k.KeyValue)
	out, err := etype.New(k.KeyType, k.KeyValue)
	c.fail(err == nil)
	return out
}

func (c *conv) micro(n int) time.Duration {
	c.fail(n >= 0 && n <= 999999)
	return time.Duration(n) * time.Microsecond
}

// uint32 takes negative 32-bit numbers as their unsigned twins: some peers encode them so.
func (c *conv) uint32(n int64) uint32 {
	c.fail(n >= -1<<31 && n < 1<<32)
	return uint32(n) //nolint:gosec // checked above
}

func (c *conv) flags(b asn1.BitString) uint32 {
	c.fail(len(b.Bytes) <= 8)
	var four [4]byte
	copy(four[:], b.Bytes)
	return binary.BigEndian.Uint32(four[:])
}

func flagBits(v uint32) asn1.BitString {
	return asn1.BitString{Bytes: binary.BigEndian.AppendUint32(nil, v), BitLength: 32}
}

// result returns v, or the zero value and an error.
func result[T any](v T, c *conv) (T, error) {
	if c.bad {
		var zero T
		return zero, der.ErrMalformed
	}
	return v, nil
}

// unmarshal lets the library decode b after our own look at its structure.
func unmarshal(b []byte, pad int, into interface{ Unmarshal([]byte) error }) error {
	if err := der.Check(b, pad); err != nil {
		return err
	}
	if into.Unmarshal(b) != nil {
		return der.ErrMalformed
	}
	return nil
}

// plainPad is how many zero bytes may follow a decrypted value.
const plainPad = 16

// must is for encoding our own values: the library fails only for types that it cannot encode at all.
func must(b []byte, err error) []byte {
	if err != nil {
		panic("wire: encoding a message of our own: " + err.Error())
	}
	return b
}

// app encodes a value below an application tag.
func app(v any, tag int) []byte { return asn1tools.AddASNAppTag(must(asn1.Marshal(v)), tag) }

// Encrypted is EncryptedData of RFC 4120 5.2.9.
type Encrypted struct {
	EType  int32
	KVNO   uint32 // 0 when absent
	Cipher []byte
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

func (e Encrypted) krb() types.EncryptedData {
	return types.EncryptedData{EType: e.EType, KVNO: int(e.KVNO), Cipher: e.Cipher}
}

// Encode returns the DER form.
func (e Encrypted) Encode() []byte {
	k := e.krb()
	return must(k.Marshal())
}

func (c *conv) encrypted(e types.EncryptedData) Encrypted {
	return Encrypted{e.EType, c.uint32(int64(e.KVNO)), e.Cipher}
}

// ParseEncrypted reads one EncryptedData.
func ParseEncrypted(b []byte) (Encrypted, error) {
	var e types.EncryptedData
	if err := unmarshal(b, 0, &e); err != nil {
		return Encrypted{}, err
	}
	c := new(conv)
	return result(c.encrypted(e), c)
}

// PAData is one element of pre-authentication data.
type PAData struct {
	Type  int32
	Value []byte
}

func paKrb(list []PAData) types.PADataSequence {
	out := make(types.PADataSequence, len(list))
	for i, p := range list {
		out[i] = types.PAData{PADataType: p.Type, PADataValue: p.Value}
	}
	return out
}

// EncodePAData returns the METHOD-DATA form of a list.
func EncodePAData(list []PAData) []byte { return must(asn1.Marshal(paKrb(list))) }

// ParsePAData reads METHOD-DATA of at most 64 elements.
func ParsePAData(b []byte) ([]PAData, error) {
	var list types.PADataSequence
	if err := unmarshal(b, 0, &list); err != nil {
		return nil, err
	}
	c := new(conv)
	return result(c.padata(list), c)
}

func (c *conv) padata(list types.PADataSequence) []PAData {
	c.fail(len(list) <= maxPAData)
	var out []PAData
	for _, p := range list {
		out = append(out, PAData{p.PADataType, p.PADataValue})
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
	EType  int32
	Salt   string
	Params []byte
}

// EncodeETypeInfo2 returns the DER form of a list.
func EncodeETypeInfo2(list []ETypeInfo2) []byte {
	out := make(types.ETypeInfo2, len(list))
	for i, e := range list {
		out[i] = types.ETypeInfo2Entry{EType: e.EType, Salt: e.Salt, S2KParams: e.Params}
	}
	return must(asn1.Marshal(out))
}

// ParseETypeInfo2 reads 1 to 32 entries.
func ParseETypeInfo2(b []byte) ([]ETypeInfo2, error) {
	var list types.ETypeInfo2
	if err := unmarshal(b, 0, &list); err != nil {
		return nil, err
	}
	c := new(conv)
	c.fail(len(list) >= 1 && len(list) <= maxInfo2)
	var out []ETypeInfo2
	for _, e := range list {
		c.fail(len(e.Salt) <= maxSalt)
		out = append(out, ETypeInfo2{e.EType, c.text(e.Salt), e.S2KParams})
	}
	return result(out, c)
}

// EncodeTimestamp returns PA-ENC-TS-ENC.
func EncodeTimestamp(t time.Time) []byte {
	return must(asn1.Marshal(types.PAEncTSEnc{PATimestamp: t.UTC(), PAUSec: t.Nanosecond() / 1000}))
}

// ParseTimestamp reads PA-ENC-TS-ENC.
func ParseTimestamp(b []byte) (time.Time, error) {
	var p types.PAEncTSEnc
	if err := unmarshal(b, plainPad, &p); err != nil {
		return time.Time{}, err
	}
	c := new(conv)
	return result(p.PATimestamp.Add(c.micro(p.PAUSec)), c)
}

// AuthData is one element of AuthorizationData.
type AuthData struct {
	Type int32
	Data []byte
}

func authKrb(list []AuthData) types.AuthorizationData {
	var out types.AuthorizationData
	for _, a := range list {
		out = append(out, types.AuthorizationDataEntry{ADType: a.Type, ADData: a.Data})
	}
	return out
}

// EncodeAuthData returns the DER form of a list.
func EncodeAuthData(list []AuthData) []byte { return must(asn1.Marshal(authKrb(list))) }

// ParseAuthData reads a list of at most 64 elements.
func ParseAuthData(b []byte) ([]AuthData, error) {
	var list types.AuthorizationData
	if err := unmarshal(b, 0, &list); err != nil {
		return nil, err
	}
	c := new(conv)
	return result(c.authData(list), c)
}

func (c *conv) authData(list types.AuthorizationData) []AuthData {
	c.fail(len(list) <= maxAuthData)
	var out []AuthData
	for _, a := range list {
		out = append(out, AuthData{a.ADType, a.ADData})
	}
	return out
}

// Checksum is the Checksum type of RFC 4120 5.2.9.
type Checksum struct {
	Type int32
	Sum  []byte
}

// Address is a HostAddress.
type Address struct {
	Type int32
	Data []byte
}

func addressesKrb(list []Address) types.HostAddresses {
	var out types.HostAddresses
	for _, a := range list {
		out = append(out, a.krb())
	}
	return out
}

func (a Address) krb() types.HostAddress {
	return types.HostAddress{AddrType: a.Type, Address: a.Data}
}
