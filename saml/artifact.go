package saml

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the source ID of a type 4 artifact is a SHA-1 by definition (bindings 3.6.4); nothing is protected by it
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

const (
	artifactLife     = time.Minute
	artifactType     = 4
	artifactLength   = 2 + 2 + 20 + 20
	maxArtifacts     = 10_000
	artifactSourceAt = 4
)

// Artifact is a reference of type 0x0004 to a message (bindings 3.6.4).
type Artifact struct {
	EndpointIndex uint16
	SourceID      [20]byte // SHA-1 of the issuer's entity ID
	Handle        [20]byte
}

// ParseArtifact reads the base64 of an artifact and refuses other types and lengths.
func ParseArtifact(text string) (Artifact, error) {
	var a Artifact
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(text) > 128 {
		return a, reject(ReasonMalformedBase64, "artifact", err)
	}
	if len(b) != artifactLength || binary.BigEndian.Uint16(b) != artifactType {
		return a, reject(ReasonUnsupported, "artifact type or length", nil)
	}
	a.EndpointIndex = binary.BigEndian.Uint16(b[2:])
	copy(a.SourceID[:], b[artifactSourceAt:])
	copy(a.Handle[:], b[artifactSourceAt+20:])
	return a, nil
}

// String returns the base64 form.
func (a Artifact) String() string {
	b := make([]byte, 0, artifactLength)
	b = binary.BigEndian.AppendUint16(b, artifactType)
	b = binary.BigEndian.AppendUint16(b, a.EndpointIndex)
	b = append(b, a.SourceID[:]...)
	return base64Text(append(b, a.Handle[:]...))
}

// ArtifactSource returns the source ID of an entity.
func ArtifactSource(entityID string) [20]byte { return sha1.Sum([]byte(entityID)) } //nolint:gosec // see the import

// ArtifactStore keeps messages until they are fetched by their artifact: once, within a minute, by the partner they are for.
// It is in memory and bounded.
type ArtifactStore struct {
	now func() time.Time
	max int

	mu      sync.Mutex // guards entries
	entries map[[20]byte]storedArtifact
}

type storedArtifact struct {
	message  []byte
	audience string
	until    time.Time
}

// NewArtifactStore returns an empty store for size messages (0 = 10,000).
func NewArtifactStore(size int, now func() time.Time) *ArtifactStore {
	if size <= 0 {
		size = maxArtifacts
	}
	return &ArtifactStore{now: clock.Or(now), max: size, entries: map[[20]byte]storedArtifact{}}
}

// Put keeps a message of issuer for audience (entity IDs) and returns the artifact to send.
func (s *ArtifactStore) Put(issuer, audience string, message []byte) (Artifact, error) {
	a := Artifact{SourceID: ArtifactSource(issuer)}
	if _, err := rand.Read(a.Handle[:]); err != nil {
		return a, err
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) >= s.max {
		for k, e := range s.entries {
			if !now.Before(e.until) {
				delete(s.entries, k)
			}
		}
	}
	if len(s.entries) >= s.max {
		return a, reject(ReasonUnavailable, "artifact store is full", nil)
	}
	s.entries[a.Handle] = storedArtifact{message, audience, now.Add(artifactLife)}
	return a, nil
}

// Take returns the message and forgets it. A partner it is not for gets nothing, and uses it up: somebody else holds the artifact.
func (s *ArtifactStore) Take(a Artifact, audience string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[a.Handle]
	delete(s.entries, a.Handle)
	if !ok || e.audience != audience || !s.now().Before(e.until) {
		return nil, false
	}
	return e.message, true
}

// ArtifactRedirect stores a response and returns the address that carries its artifact (bindings 3.6.3).
func (idp *IdentityProvider) ArtifactRedirect(store *ArtifactStore, r *IssuedResponse) (string, error) {
	a, err := store.Put(idp.cfg.EntityID, r.audience, r.XML)
	if err != nil {
		return "", err
	}
	to := r.Consumer.ResponseURL()
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	u := to + sep + string(FieldArtifact) + "=" + url.QueryEscape(a.String())
	if r.hasRelayState {
		u += "&RelayState=" + url.QueryEscape(r.relayState)
	}
	return u, nil
}
