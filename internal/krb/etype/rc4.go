package etype

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jcmturner/gokrb5/v8/crypto"
)

// rc4Overhead is the checksum and the confounder of RFC 4757.
const rc4Overhead = 24

func rc4StringToKey(password []byte) (*Key, error) {
	if !utf8.Valid(password) {
		return nil, ErrUnsupported
	}
	for _, r := range string(password) {
		if len(utf16.Encode([]rune{r})) != 1 { // the library below takes runes for UTF-16 units
			return nil, ErrUnsupported
		}
	}
	b, err := crypto.RC4HMAC{}.StringToKey(string(password), "", "")
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return New(RC4, b)
}

func rc4Encrypt(key []byte, n uint32, plain []byte) ([]byte, error) {
	_, out, err := crypto.RC4HMAC{}.EncryptMessage(key, plain, n)
	return out, err
}

func rc4Decrypt(key []byte, n uint32, ct []byte) ([]byte, error) {
	if len(ct) < rc4Overhead {
		return nil, ErrIntegrity
	}
	out, err := crypto.RC4HMAC{}.DecryptMessage(key, ct, n)
	if err != nil {
		return nil, ErrIntegrity
	}
	return out, nil
}

func rc4Checksum(key []byte, n uint32, data []byte) ([]byte, error) {
	return crypto.RC4HMAC{}.GetChecksumHash(key, data, n)
}
