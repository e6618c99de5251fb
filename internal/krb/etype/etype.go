// Package etype wraps the encryption types of gokrb5 that Active Directory uses: AES with SHA-1 (RFC 3962), AES with
// SHA-2 (RFC 8009) and, for old peers only, RC4-HMAC (RFC 4757).
//
// It adds what the library leaves to its callers: lengths are checked before anything is sliced, iteration counts have
// a cap, keys do not print, and the working keys for decrypting are derived once for each key and usage, so that a
// service key costs its derivation once and not once a ticket.
package etype

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/crypto/common"
	krb "github.com/jcmturner/gokrb5/v8/crypto/etype"
	"github.com/jcmturner/gokrb5/v8/crypto/rfc3961"
)

// The encryption types of RFC 3961's registry that this package knows.
const (
	AES128SHA1 int32 = 17
	AES256SHA1 int32 = 18
	AES128SHA2 int32 = 19
	AES256SHA2 int32 = 20
	RC4        int32 = 23
)

// Errors of this package. They carry no detail on purpose.
var (
	ErrIntegrity   = errors.New("decrypt integrity check failed")
	ErrUnsupported = errors.New("encryption type not supported")
	ErrKeyLength   = errors.New("key has the wrong length")
	ErrIterations  = errors.New("iteration count out of range")
)

// Supported reports whether the type is known.
func Supported(et int32) bool { return Size(et) > 0 }

// Weak reports whether the type must be asked for explicitly.
func Weak(et int32) bool { return et < AES128SHA1 || et > AES256SHA2 }

// Size returns the key length of the type in bytes, 0 for an unknown one.
func Size(et int32) int {
	switch et {
	case AES128SHA1, AES128SHA2, RC4:
		return 16
	case AES256SHA1, AES256SHA2:
		return 32
	}
	return 0
}

// macSize is the length of the truncated HMAC at the end of a ciphertext.
func macSize(et int32) int {
	switch et {
	case AES128SHA2:
		return 16
	case AES256SHA2:
		return 24
	}
	return 12
}

// Key is a key with its type. It is safe for concurrent use and never prints its bytes.
type Key struct {
	_   [0]func() // not comparable
	et  int32
	b   []byte
	alg krb.EType

	// mu guards work
	mu   sync.Mutex
	work map[uint32][]byte
}

// New returns a key; b is copied.
func New(et int32, b []byte) (*Key, error) {
	if !Supported(et) {
		return nil, ErrUnsupported
	}
	if len(b) != Size(et) {
		return nil, ErrKeyLength
	}
	alg, err := crypto.GetEtype(et)
	if err != nil {
		return nil, ErrUnsupported
	}
	return &Key{et: et, b: append([]byte(nil), b...), alg: alg}, nil
}

// Random returns a fresh key. The library's own generator makes keys of type 20 eight bytes too short (RFC 8009 5).
func Random(et int32) (*Key, error) {
	b := make([]byte, Size(et))
	_, _ = rand.Read(b) // never fails
	return New(et, b)
}

// Type returns the encryption type.
func (k *Key) Type() int32 { return k.et }

// Reveal returns the key bytes, not a copy.
func (k *Key) Reveal() []byte { return k.b }

// Equal compares type and bytes, in constant time.
func (k *Key) Equal(o *Key) bool {
	return k != nil && o != nil && k.et == o.et && subtle.ConstantTimeCompare(k.b, o.b) == 1
}

// Zero overwrites the key and what was derived from it, as far as Go and the library let us.
func (k *Key) Zero() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.b)
	for _, w := range k.work {
		clear(w)
	}
	k.work = nil
}

// Format implements [fmt.Formatter] so that no verb shows the key.
func (*Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[key]")) }

// String hides the key.
func (*Key) String() string { return "[key]" }

// LogValue hides the key.
func (*Key) LogValue() slog.Value { return slog.StringValue("[key]") }

// MarshalText hides the key.
func (*Key) MarshalText() ([]byte, error) { return []byte("[key]"), nil }

// The kinds of working keys of RFC 3961 5.3.
const (
	kindCksum = 0x99
	kindEnc   = 0xaa
	kindMAC   = 0x55
)

// maxUsage is the highest key usage number of this module.
const maxUsage = 30

// folded are the n-folded usage constants, which do not depend on the key: folding is most of the work of the library's
// DeriveKey, and a service does it for every ticket's session key.
var folded = sync.OnceValue(func() map[[5]byte][]byte { //nolint:gochecknoglobals // constants, computed once
	out := make(map[[5]byte][]byte, 3*maxUsage)
	for n := range uint32(maxUsage + 1) {
		for _, kind := range []byte{kindCksum, kindEnc, kindMAC} {
			c := [5]byte{0, 0, 0, byte(n), kind}
			out[c] = rfc3961.Nfold(c[:], block*8)
		}
	}
	return out
})

// derive is DK of RFC 3961 5.1.
func (k *Key) derive(usage uint32, kind byte) ([]byte, error) {
	if usage > maxUsage {
		return nil, ErrUnsupported
	}
	base, err := aes.NewCipher(k.b)
	if err != nil {
		return nil, err
	}
	in := folded()[[5]byte{0, 0, 0, byte(usage), kind}]
	out := make([]byte, len(k.b))
	for at := 0; at < len(out); at += block {
		base.Encrypt(out[at:], in)
		in = out[at : at+block]
	}
	return out, nil
}

// derived returns the working key for a usage, made once.
func (k *Key) derived(usage uint32, kind byte) ([]byte, error) {
	id := usage<<8 | uint32(kind)
	k.mu.Lock()
	defer k.mu.Unlock()
	if w := k.work[id]; w != nil {
		return w, nil
	}
	w, err := k.derive(usage, kind)
	if err != nil {
		return nil, err
	}
	if k.work == nil {
		k.work = make(map[uint32][]byte, 2)
	}
	k.work[id] = w
	return w, nil
}

func (k *Key) isSHA1() bool { return k.et == AES128SHA1 || k.et == AES256SHA1 }

// Encrypt returns the ciphertext of plain under a key usage number of RFC 4120 7.5.1.
func (k *Key) Encrypt(usage uint32, plain []byte) ([]byte, error) {
	_, out, err := k.alg.EncryptMessage(k.b, plain, usage)
	return out, err
}

// rc4Overhead is the checksum and the confounder of RFC 4757.
const rc4Overhead = 24

const (
	block   = 16
	sha1Tag = 12
)

// Decrypt returns the plaintext, or [ErrIntegrity]. The input is not changed.
func (k *Key) Decrypt(usage uint32, ct []byte) ([]byte, error) {
	switch {
	case k.et == RC4 && len(ct) < rc4Overhead, k.et != RC4 && len(ct) < block+macSize(k.et):
		return nil, ErrIntegrity
	case k.isSHA1():
		return k.decryptSHA1(usage, ct)
	}
	out, err := k.alg.DecryptMessage(k.b, ct, usage)
	if err != nil {
		return nil, ErrIntegrity
	}
	return out, nil
}

// decryptSHA1 does what the library's DecryptMessage does, with the derived keys kept.
func (k *Key) decryptSHA1(usage uint32, ct []byte) ([]byte, error) {
	enc, err := k.derived(usage, kindEnc)
	if err != nil {
		return nil, err
	}
	mac, err := k.derived(usage, kindMAC)
	if err != nil {
		return nil, err
	}
	body, tag := ct[:len(ct)-sha1Tag], ct[len(ct)-sha1Tag:]
	out, err := k.alg.DecryptData(enc, body)
	if err != nil {
		return nil, ErrIntegrity
	}
	h := hmac.New(k.alg.GetHashFunc(), mac)
	h.Write(out)
	if !hmac.Equal(tag, h.Sum(nil)[:sha1Tag]) {
		return nil, ErrIntegrity
	}
	return out[block:], nil
}

// Checksum returns the keyed checksum of data, of the type [Key.ChecksumType].
func (k *Key) Checksum(usage uint32, data []byte) ([]byte, error) {
	if !k.isSHA1() {
		return k.alg.GetChecksumHash(k.b, data, usage)
	}
	kc, err := k.derived(usage, kindCksum)
	if err != nil {
		return nil, err
	}
	h := hmac.New(k.alg.GetHashFunc(), kc)
	h.Write(data)
	return h.Sum(nil)[:sha1Tag], nil
}

// ChecksumType returns the checksum type that belongs to the key's type.
func (k *Key) ChecksumType() int32 { return k.alg.GetHashID() }

// ChecksumSize returns the length of a checksum of the type, 0 when no known key makes it.
func ChecksumSize(cksum int32) int {
	switch cksum {
	case 15, 16:
		return 12
	case 19, -138:
		return 16
	case 20:
		return 24
	}
	return 0
}

// VerifyChecksum compares in constant time.
func (k *Key) VerifyChecksum(usage uint32, data, sum []byte) bool {
	want, err := k.Checksum(usage, data)
	return err == nil && hmac.Equal(want, sum)
}

// DefaultIterations returns the count that is meant when a KDC sends no parameters.
func DefaultIterations(et int32) int {
	if et == AES128SHA2 || et == AES256SHA2 {
		return 32768 // RFC 8009 4
	}
	return 4096 // RFC 3962 4
}

// Iterations reads the s2kparams of an ETYPE-INFO2 entry. The count 0 would mean 2^32 (RFC 3962 4) and is refused, as
// is a count above limit.
func Iterations(et int32, params []byte, limit int) (int, error) {
	if et == RC4 || params == nil {
		return DefaultIterations(et), nil
	}
	if len(params) != 4 {
		return 0, ErrIterations
	}
	n := binary.BigEndian.Uint32(params)
	if n == 0 || uint64(n) > uint64(max(limit, 1)) {
		return 0, ErrIterations
	}
	return int(n), nil
}

// StringToKey derives the key of a password (RFC 3962 4, RFC 8009 4, RFC 4757 2). The caller has capped the count.
func StringToKey(et int32, password, salt []byte, iterations int) (*Key, error) {
	if !Supported(et) {
		return nil, ErrUnsupported
	}
	if iterations < 1 || iterations > 1<<31-1 {
		return nil, ErrIterations
	}
	if et == RC4 && !basicPlane(password) {
		return nil, ErrUnsupported
	}
	alg, err := crypto.GetEtype(et)
	if err != nil {
		return nil, ErrUnsupported
	}
	params := ""
	if et != RC4 {
		params = common.IterationsToS2Kparams(uint32(iterations))
	}
	b, err := alg.StringToKey(string(password), string(salt), params)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return New(et, b)
}

// basicPlane reports whether each character is one UTF-16 unit: the library takes runes for units.
func basicPlane(password []byte) bool {
	for _, r := range string(password) {
		if utf16.RuneLen(r) != 1 {
			return false
		}
	}
	return utf8.Valid(password)
}
