package samlhttp

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/saml"
)

// Session is somebody signed in. It lives in a sealed cookie.
type Session struct {
	NameID       saml.NameID         `json:"n"`
	Issuer       string              `json:"i"`
	Tenant       string              `json:"t,omitempty"`
	SessionIndex string              `json:"x,omitempty"`
	Attributes   map[string][]string `json:"a,omitempty"` // nil when SignIn chose Values
	Values       map[string]string   `json:"v,omitempty"`
	ContextClass string              `json:"c,omitempty"`
	AuthnInstant time.Time           `json:"at"`
	Started      time.Time           `json:"s"`
	Expires      time.Time           `json:"e"`
}

// Revocations remembers sessions that a logout ended although their cookie lives on. Keys are opaque. Revoked returns when, or
// the zero time.
type Revocations interface {
	Revoke(ctx context.Context, key [32]byte, at, until time.Time) error
	Revoked(ctx context.Context, key [32]byte) (time.Time, error)
}

// MemoryRevocations is a bounded [Revocations] in memory.
type MemoryRevocations struct {
	now func() time.Time
	max int

	mu      sync.RWMutex // guards entries
	entries map[[32]byte]revocation
}

type revocation struct{ at, until time.Time }

const defaultRevocations = 100_000

// NewMemoryRevocations returns an empty store for size entries (0 = 100,000).
func NewMemoryRevocations(size int, now func() time.Time) *MemoryRevocations {
	return &MemoryRevocations{now: clock.Or(now), max: orDefault(size, defaultRevocations), entries: map[[32]byte]revocation{}}
}

// Revoke notes a key. A full store is an error: forgetting an entry would bring a session back.
func (m *MemoryRevocations) Revoke(_ context.Context, key [32]byte, at, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.entries) >= m.max {
		now := m.now()
		for k, e := range m.entries {
			if !now.Before(e.until) {
				delete(m.entries, k)
			}
		}
		if len(m.entries) >= m.max {
			return errors.New("samlhttp: revocation store is full")
		}
	}
	m.entries[key] = revocation{at, until}
	return nil
}

// Revoked returns when the key was revoked.
func (m *MemoryRevocations) Revoked(_ context.Context, key [32]byte) (time.Time, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.entries[key].at, nil
}

// revocationKey hashes the parts with their lengths.
func revocationKey(parts ...string) [32]byte {
	h := sha256.New()
	for _, s := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return [32]byte(h.Sum(nil))
}

func keyOfIndex(issuer, name, index string) [32]byte {
	return revocationKey("index", issuer, name, index)
}

func keyOfName(issuer, name string) [32]byte { return revocationKey("name", issuer, name) }

// begin writes the session cookie.
func (p *ServiceProvider) begin(w http.ResponseWriter, r *http.Request, a *saml.Assertion, values map[string]string) error {
	now := p.cfg.Now()
	s := Session{
		NameID: a.Subject, Issuer: a.Issuer, Tenant: a.Tenant, SessionIndex: a.SessionIndex(), ContextClass: a.ContextClass(),
		AuthnInstant: a.Authn[0].AuthnInstant, Values: values, Started: now,
		Expires: minTime(now.Add(p.cfg.SessionLife), a.SessionNotOnOrAfter()),
	}
	if p.cfg.SignIn == nil {
		s.Attributes = map[string][]string{}
		for i := range a.Attributes {
			at := &a.Attributes[i]
			s.Attributes[at.Name] = append(s.Attributes[at.Name], at.Strings()...)
		}
	}
	sealed, err := p.seal.sealJSON(purposeSession, s.Expires, s)
	if err != nil {
		return err
	}
	if err := p.jar.set(w, r, sessionCookie, sealed, 0); err != nil {
		return &SignInError{Reason: "session_too_large", Public: "Your account has too many attributes for a session here.", Err: err}
	}
	return nil
}

// Session returns the session of a request, or [ErrNoSession]. Another error means that the revocations could not be read: refuse.
func (p *ServiceProvider) Session(r *http.Request) (*Session, error) {
	text := p.jar.get(r, sessionCookie)
	if text == "" {
		return nil, ErrNoSession
	}
	var s Session
	if err := p.seal.openJSON(purposeSession, text, &s); err != nil || s.Tenant != p.cfg.Tenant(r) {
		return nil, ErrNoSession
	}
	for _, key := range [][32]byte{keyOfIndex(s.Issuer, s.NameID.Value, s.SessionIndex), keyOfName(s.Issuer, s.NameID.Value)} {
		at, err := p.cfg.Revocations.Revoked(r.Context(), key)
		if err != nil {
			return nil, err
		}
		if !at.IsZero() && !s.Started.After(at) {
			return nil, ErrNoSession
		}
	}
	return &s, nil
}

// revoke ends the sessions that a logout request means.
func (p *ServiceProvider) revoke(ctx context.Context, issuer, name string, indexes []string) error {
	now := p.cfg.Now()
	until := now.Add(p.cfg.SessionLife)
	if len(indexes) == 0 {
		return p.cfg.Revocations.Revoke(ctx, keyOfName(issuer, name), now, until)
	}
	for _, index := range indexes {
		if err := p.cfg.Revocations.Revoke(ctx, keyOfIndex(issuer, name, index), now, until); err != nil {
			return err
		}
	}
	return nil
}
