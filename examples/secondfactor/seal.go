package secondfactor

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// sealer encrypts and authenticates with AES-256-GCM; a purpose is bound into every value, so that a record of one person is none
// of another and no ticket.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (sealer, error) {
	if len(key) != 32 {
		return sealer{}, errors.New("secondfactor: Config.Key must have 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("secondfactor: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealer{}, fmt.Errorf("secondfactor: %w", err)
	}
	return sealer{aead}, nil
}

func (s sealer) seal(purpose string, plain []byte) []byte {
	return s.aead.Seal(nil, nil, plain, []byte(purpose)) //nolint:gosec // the mode draws the nonce itself
}

func (s sealer) open(purpose string, sealed []byte) ([]byte, error) {
	return s.aead.Open(nil, nil, sealed, []byte(purpose))
}

func (s sealer) sealText(purpose string, plain []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.seal(purpose, plain))
}

func (s sealer) openText(purpose, text string) ([]byte, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return s.open(purpose, sealed)
}

func newOnce() string { return rand.Text() }

func onceKey(id, once string) [32]byte {
	return sha256.Sum256([]byte("secondfactor\x00" + id + "\x00" + once))
}
