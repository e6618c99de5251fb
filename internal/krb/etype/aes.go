package etype

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // RFC 3962 fixes it; HMAC-SHA1 is what Active Directory speaks
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
)

func profileOf(et int32) (profile, bool) {
	switch et {
	case AES128SHA1:
		return profile{size: 16, mac: 12, cksum: 15, hash: sha1.New}, true
	case AES256SHA1:
		return profile{size: 32, mac: 12, cksum: 16, hash: sha1.New}, true
	case AES128SHA2:
		return profile{size: 16, mac: 16, cksum: 19, hash: sha256.New, sha2: true}, true
	case AES256SHA2:
		return profile{size: 32, mac: 24, cksum: 20, hash: sha512.New384, sha2: true}, true
	}
	return profile{}, false
}

// deriveSHA1 is DK of RFC 3961 5.1: the folded constant goes through the cipher until there are enough bytes.
func deriveSHA1(base cipher.Block, size int, n uint32, kind byte) []byte {
	var well [5]byte
	binary.BigEndian.PutUint32(well[:], n)
	well[4] = kind
	return derive(base, size, well[:])
}

func derive(base cipher.Block, size int, constant []byte) []byte {
	in := nfold(constant, aes.BlockSize)
	out := make([]byte, 0, size)
	for len(out) < size {
		base.Encrypt(in, in)
		out = append(out, in...)
	}
	return out[:size]
}

// deriveSHA2 is KDF-HMAC-SHA2 of RFC 8009 3.
func deriveSHA2(p profile, key []byte, n uint32, kind byte) []byte {
	var label [5]byte
	binary.BigEndian.PutUint32(label[:], n)
	label[4] = kind
	bits := p.mac * 8 // integrity and checksum keys are as long as the MAC
	if kind == kindEnc {
		bits = p.size * 8
	}
	return kdf(p, key, label[:], bits)
}

func kdf(p profile, key, label []byte, bits int) []byte {
	h := hmac.New(p.hash, key)
	h.Write([]byte{0, 0, 0, 1})
	h.Write(label)
	h.Write([]byte{0, 0, 0, byte(bits >> 8), byte(bits)}) //nolint:gosec // bits is at most 256
	return h.Sum(nil)[:bits/8]
}

// nfold is n-fold of RFC 3961 5.1: the input, each copy rotated right by 13 bits more than the one before, is added up
// in ones' complement in chunks of size bytes.
func nfold(in []byte, size int) []byte {
	a, b := size, len(in)
	for b != 0 {
		a, b = b, a%b
	}
	total := size * len(in) / a
	out := make([]byte, size)
	carry := 0
	for i := total - 1; i >= 0; i-- {
		bits := len(in) * 8
		// the most significant bit of output byte i within its rotated copy of the input
		msbit := (bits - 1 + (bits+13)*(i/len(in)) + (len(in)-i%len(in))*8) % bits
		hi, lo := in[(len(in)-1-msbit>>3+len(in))%len(in)], in[(len(in)-msbit>>3+len(in))%len(in)]
		v := (int(hi)<<8 | int(lo)) >> (msbit&7 + 1) & 0xff
		carry += v + int(out[i%size])
		out[i%size] = byte(carry)
		carry >>= 8
	}
	for i := size - 1; carry != 0 && i >= 0; i-- {
		carry += int(out[i])
		out[i] = byte(carry)
		carry >>= 8
	}
	return out
}

// ctsEncrypt is CBC with ciphertext stealing, variant CS3, zero IV, in place. len(b) is at least one block.
func ctsEncrypt(block cipher.Block, b []byte) {
	const bs = aes.BlockSize
	var iv [bs]byte
	if len(b) == bs {
		block.Encrypt(b, b)
		return
	}
	tail := (len(b)-1)%bs + 1 // bytes of the last block, 1..16
	full := len(b) - tail
	cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(b[:full], b[:full])
	var last, prev [bs]byte
	copy(prev[:], b[full-bs:full])
	copy(last[:], b[full:])
	for i := range last {
		last[i] ^= prev[i]
	}
	block.Encrypt(last[:], last[:])
	copy(b[full-bs:full], last[:])
	copy(b[full:], prev[:tail])
}

func ctsDecrypt(block cipher.Block, b []byte) {
	const bs = aes.BlockSize
	if len(b) == bs {
		block.Decrypt(b, b)
		return
	}
	tail := (len(b)-1)%bs + 1
	full := len(b) - tail
	var iv, plain, prev [bs]byte
	// the block before the last holds the encryption of the padded last one
	block.Decrypt(plain[:], b[full-bs:full])
	copy(prev[:], plain[:])
	copy(prev[:], b[full:])
	for i := range plain {
		plain[i] ^= prev[i]
	}
	copy(b[full-bs:full], prev[:])
	cipher.NewCBCDecrypter(block, iv[:]).CryptBlocks(b[:full], b[:full])
	copy(b[full:], plain[:tail])
}

// ErrIterations is returned for iteration counts outside the caller's cap.
var ErrIterations = errors.New("iteration count out of range")

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

// StringToKey derives the key of a password (RFC 3962 4, RFC 8009 4, RFC 4757 2).
func StringToKey(et int32, password, salt []byte, iterations int) (*Key, error) {
	if et == RC4 {
		return rc4StringToKey(password)
	}
	p, ok := profileOf(et)
	if !ok {
		return nil, ErrUnsupported
	}
	if iterations < 1 {
		return nil, ErrIterations
	}
	if p.sha2 {
		name := "aes128-cts-hmac-sha256-128"
		if et == AES256SHA2 {
			name = "aes256-cts-hmac-sha384-192"
		}
		salt = append(append([]byte(name), 0), salt...)
	}
	tkey, err := pbkdf2.Key(p.hash, string(password), salt, iterations, p.size)
	if err != nil {
		return nil, err
	}
	defer clear(tkey)
	if p.sha2 {
		return New(et, kdf(p, tkey, []byte("kerberos"), p.size*8))
	}
	block, err := aes.NewCipher(tkey)
	if err != nil {
		return nil, err
	}
	out := derive(block, p.size, []byte("kerberos"))
	defer clear(out)
	return New(et, out)
}
