package claims

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/adfedkit/adfedkit/internal/secret"
)

// StoreOpaqueID is the name under which AD FS offers its own store for opaque identifiers.
const StoreOpaqueID = "_OpaqueIdStore"

// OpaqueIDConfig configures an [OpaqueIDStore].
type OpaqueIDConfig struct {
	Key          []byte // 32 bytes or more; whoever has it can find out who stands behind an identifier
	RelyingParty string // entity ID: another relying party gets other identifiers for the same user
}

// An OpaqueIDStore makes identifiers that say nothing about the user: the same for every sign-in at one relying party
// (persistent), or new for every sign-in (transient). It answers the query {0};{1};{2} with the params purpose, account
// and original issuer, and with five params, the last of them "useEntropy", for a transient one.
//
// AD FS's own algorithm is not published: these identifiers are not those that AD FS would issue for the same user. They
// are base64 of HMAC-SHA-256 over the length-prefixed relying party and params, with a key derived for this use.
type OpaqueIDStore struct {
	key secret.Bytes
	rp  string
}

// NewOpaqueIDStore checks the configuration.
func NewOpaqueIDStore(cfg OpaqueIDConfig) (*OpaqueIDStore, error) {
	switch {
	case len(cfg.Key) < 32:
		return nil, errors.New("claims: OpaqueIDConfig.Key has less than 32 bytes")
	case cfg.RelyingParty == "":
		return nil, errors.New("claims: OpaqueIDConfig.RelyingParty is empty")
	}
	key, err := hkdf.Key(sha256.New, cfg.Key, nil, "adfedkit opaque id v1", 32)
	if err != nil {
		return nil, err
	}
	return &OpaqueIDStore{key: secret.New(key), rp: cfg.RelyingParty}, nil
}

// Query makes one identifier.
func (s *OpaqueIDStore) Query(_ context.Context, query string, params []string) ([]Row, error) {
	transient := len(params) == 5 && params[4] == "useEntropy"
	switch {
	case !transient && (len(params) != 3 || query != "{0};{1};{2}"):
		return nil, &Error{Code: CodeStore, Message: "query of the opaque id store is not {0};{1};{2} with three params"}
	case params[1] == "":
		return nil, &Error{Code: CodeStore, Message: "opaque id of no account"}
	}
	mac := hmac.New(sha256.New, s.key.Reveal())
	for _, field := range append([]string{s.rp}, params...) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(field)))
		_, _ = mac.Write(size[:])
		_, _ = mac.Write([]byte(field))
	}
	if transient {
		_, _ = mac.Write([]byte(rand.Text()))
	}
	return []Row{{{base64.StdEncoding.EncodeToString(mac.Sum(nil))}}}, nil
}
