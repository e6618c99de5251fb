package secondfactor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"
)

// authenticator is a security key in software, with everything that a test may want to get wrong.
type authenticator struct {
	origin, rpID string
	flags        byte // user present 1, user verified 4
	counter      uint32
	id           []byte
	key          *ecdsa.PrivateKey
}

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &authenticator{origin: origin, rpID: "fs.example.test", flags: 1 | 4, counter: 1, id: []byte(rand.Text()), key: key}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (a *authenticator) authData(extra byte) []byte {
	h := sha256.Sum256([]byte(a.rpID))
	return binary.BigEndian.AppendUint32(append(h[:], a.flags|extra), a.counter)
}

func (a *authenticator) client(kind, challenge string) []byte {
	out, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	if err != nil {
		panic(err)
	}
	return out
}

func (a *authenticator) credential(response map[string]any) string {
	out, err := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response})
	if err != nil {
		panic(err)
	}
	return string(out)
}

// create answers the options of navigator.credentials.create.
func (a *authenticator) create(t *testing.T, options string) string {
	t.Helper()
	var o struct{ Challenge string }
	require.NoError(t, json.Unmarshal([]byte(options), &o))
	point, err := a.key.PublicKey.Bytes()
	require.NoError(t, err)
	public, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	require.NoError(t, err)
	data := append(a.authData(0x40), make([]byte, 16)...)
	data = append(append(binary.BigEndian.AppendUint16(data, uint16(len(a.id))), a.id...), public...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	require.NoError(t, err)
	return a.credential(map[string]any{"clientDataJSON": b64(a.client("webauthn.create", o.Challenge)), "attestationObject": b64(object)})
}

// get answers the options of navigator.credentials.get.
func (a *authenticator) get(t *testing.T, options string) string {
	t.Helper()
	var o struct{ Challenge string }
	require.NoError(t, json.Unmarshal([]byte(options), &o))
	a.counter++
	client, data := a.client("webauthn.get", o.Challenge), a.authData(0)
	h := sha256.Sum256(client)
	sum := sha256.Sum256(append(append([]byte{}, data...), h[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, sum[:])
	require.NoError(t, err)
	return a.credential(map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)})
}
