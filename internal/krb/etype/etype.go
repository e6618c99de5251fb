// Package etype has the encryption types of Kerberos V5 that Active Directory uses: AES with SHA-1 (RFC 3962), AES
// with SHA-2 (RFC 8009) and, for old peers only, RC4-HMAC (RFC 4757).
//
// A [Key] derives its working keys once for each usage and keeps them; service keys therefore cost their derivation
// once, not once a ticket.
package etype

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"sync"
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
)

// Supported reports whether the type is known.
func Supported(et int32) bool { _, ok := profileOf(et); return ok || et == RC4 }

// Weak reports whether the type must be asked for explicitly.
func Weak(et int32) bool {
	return et != AES128SHA1 && et != AES256SHA1 && et != AES128SHA2 && et != AES256SHA2
}

// Size returns the key length of the type in bytes, 0 for an unknown one.
func Size(et int32) int {
	if et == RC4 {
		return 16
	}
	p, _ := profileOf(et)
	return p.size
}

// profile describes one of the AES types.
type profile struct {
	size  int // key bytes
	mac   int // bytes of the truncated HMAC
	cksum int32
	hash  func() hash.Hash
	sha2  bool
}

// Key is a key with its type. It is safe for concurrent use and never prints its bytes.
type Key struct {
	_    [0]func() // not comparable
	et   int32
	b    []byte
	base cipher.Block // nil for RC4

	mu   sync.Mutex
	work map[usage]*working
}

type usage struct {
	n    uint32
	kind byte
}

// working is a derived key, ready for use.
type working struct {
	raw   []byte
	block cipher.Block // for encryption usages only
}

// New returns a key; b is copied.
func New(et int32, b []byte) (*Key, error) {
	if !Supported(et) {
		return nil, ErrUnsupported
	}
	if len(b) != Size(et) {
		return nil, ErrKeyLength
	}
	k := &Key{et: et, b: append([]byte(nil), b...)}
	if et != RC4 {
		block, err := aes.NewCipher(k.b)
		if err != nil {
			return nil, err
		}
		k.base = block
	}
	return k, nil
}

// Random returns a fresh key.
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

// Zero overwrites the key and everything derived from it, as far as Go lets us.
func (k *Key) Zero() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.b)
	for _, w := range k.work {
		clear(w.raw)
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

const (
	kindEnc   = 0xaa
	kindInt   = 0x55
	kindCksum = 0x99
)

// derived returns the working key for a usage.
func (k *Key) derived(n uint32, kind byte) *working {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := usage{n, kind}
	if w := k.work[id]; w != nil {
		return w
	}
	p, _ := profileOf(k.et)
	w := new(working)
	if p.sha2 {
		w.raw = deriveSHA2(p, k.b, n, kind)
	} else {
		w.raw = deriveSHA1(k.base, p.size, n, kind)
	}
	if kind == kindEnc {
		w.block, _ = aes.NewCipher(w.raw) // the length is right by construction
	}
	if k.work == nil {
		k.work = make(map[usage]*working, 2)
	}
	k.work[id] = w
	return w
}

// Encrypt returns the ciphertext of plain under a key usage number of RFC 4120 7.5.1.
func (k *Key) Encrypt(n uint32, plain []byte) ([]byte, error) {
	if k.et == RC4 {
		return rc4Encrypt(k.b, n, plain)
	}
	p, _ := profileOf(k.et)
	ke, ki := k.derived(n, kindEnc), k.derived(n, kindInt)
	in := make([]byte, aes.BlockSize+len(plain), aes.BlockSize+len(plain)+p.mac)
	_, _ = rand.Read(in[:aes.BlockSize])
	copy(in[aes.BlockSize:], plain)
	if p.sha2 {
		ctsEncrypt(ke.block, in)
		return append(in, mac(p, ki.raw, make([]byte, aes.BlockSize), in)...), nil
	}
	tag := mac(p, ki.raw, nil, in)
	ctsEncrypt(ke.block, in)
	return append(in, tag...), nil
}

// Decrypt returns the plaintext, or [ErrIntegrity]. The input is not changed.
func (k *Key) Decrypt(n uint32, ct []byte) ([]byte, error) {
	if k.et == RC4 {
		return rc4Decrypt(k.b, n, ct)
	}
	p, _ := profileOf(k.et)
	if len(ct) < aes.BlockSize+p.mac {
		return nil, ErrIntegrity
	}
	ke, ki := k.derived(n, kindEnc), k.derived(n, kindInt)
	body, tag := ct[:len(ct)-p.mac], ct[len(ct)-p.mac:]
	if p.sha2 && !hmac.Equal(tag, mac(p, ki.raw, make([]byte, aes.BlockSize), body)) {
		return nil, ErrIntegrity
	}
	out := append(make([]byte, 0, len(body)), body...)
	ctsDecrypt(ke.block, out)
	if !p.sha2 && !hmac.Equal(tag, mac(p, ki.raw, nil, out)) {
		return nil, ErrIntegrity
	}
	return out[aes.BlockSize:], nil
}

// Checksum returns the keyed checksum of data, of the type [Key.ChecksumType].
func (k *Key) Checksum(n uint32, data []byte) ([]byte, error) {
	if k.et == RC4 {
		return rc4Checksum(k.b, n, data)
	}
	p, _ := profileOf(k.et)
	return mac(p, k.derived(n, kindCksum).raw, nil, data), nil
}

// ChecksumType returns the checksum type that belongs to the key's type.
func (k *Key) ChecksumType() int32 {
	if k.et == RC4 {
		return -138
	}
	p, _ := profileOf(k.et)
	return p.cksum
}

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
func (k *Key) VerifyChecksum(n uint32, data, sum []byte) bool {
	want, err := k.Checksum(n, data)
	return err == nil && hmac.Equal(want, sum)
}

func mac(p profile, key, pre, data []byte) []byte {
	h := hmac.New(p.hash, key)
	h.Write(pre)
	h.Write(data)
	return h.Sum(nil)[:p.mac]
}
