package samlhttp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/saml"
)

// IdentitySession is a sign-in at the identity provider.
type IdentitySession struct {
	User          User
	AuthnInstant  time.Time
	Methods       []string // authentication methods, the first one is the primary
	Expires       time.Time
	Participants  []Participant // relying parties that got an assertion in it
	FactorPending bool          // the primary method is proved, a further one is not: not signed in yet
	RequestID     string        // the request that the sign-in answered: only that one's ForceAuthn is met by it
	Logout        *LogoutRun    // a logout that is going round
}

// Participant is a relying party of a session, as a LogoutRequest has to name it.
type Participant struct {
	EntityID     string
	NameID       saml.NameID
	SessionIndex string
}

// IdentitySessions keeps the sessions of an identity provider. An unknown or expired session is [ErrNoSession].
type IdentitySessions interface {
	Save(ctx context.Context, id string, s IdentitySession) error
	Load(ctx context.Context, id string) (IdentitySession, error)
	FindByIndex(ctx context.Context, entityID, sessionIndex string) (id string, s IdentitySession, err error)
	Delete(ctx context.Context, id string) error
}

const maxSessions = 100_000

// MemorySessions is a bounded [IdentitySessions] in memory.
type MemorySessions struct {
	now func() time.Time
	max int

	mu      sync.Mutex // guards the maps
	byID    map[string]IdentitySession
	byIndex map[[2]string]string
}

// NewMemorySessions returns an empty store for size sessions (0 = 100,000).
func NewMemorySessions(size int, now func() time.Time) *MemorySessions {
	if size <= 0 {
		size = maxSessions
	}
	return &MemorySessions{now: clock.Or(now), max: size, byID: map[string]IdentitySession{}, byIndex: map[[2]string]string{}}
}

var errSessionsFull = errors.New("samlhttp: session store is full")

// Save stores or replaces a session.
func (m *MemorySessions) Save(_ context.Context, id string, s IdentitySession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.byID[id]; !ok && len(m.byID) >= m.max {
		now := m.now()
		for k, old := range m.byID {
			if !now.Before(old.Expires) {
				m.remove(k)
			}
		}
		if len(m.byID) >= m.max {
			return errSessionsFull
		}
	}
	m.remove(id)
	s.Participants = slices.Clone(s.Participants)
	m.byID[id] = s
	for _, p := range s.Participants {
		m.byIndex[[2]string{p.EntityID, p.SessionIndex}] = id
	}
	return nil
}

func (m *MemorySessions) remove(id string) {
	for _, p := range m.byID[id].Participants {
		delete(m.byIndex, [2]string{p.EntityID, p.SessionIndex})
	}
	delete(m.byID, id)
}

// Load returns a session that has not expired.
func (m *MemorySessions) Load(_ context.Context, id string) (IdentitySession, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.load(id)
}

func (m *MemorySessions) load(id string) (IdentitySession, error) {
	s, ok := m.byID[id]
	if !ok || !m.now().Before(s.Expires) {
		return IdentitySession{}, ErrNoSession
	}
	s.Participants = slices.Clone(s.Participants)
	return s, nil
}

// FindByIndex returns the session in which the relying party got that SessionIndex.
func (m *MemorySessions) FindByIndex(_ context.Context, entityID, sessionIndex string) (string, IdentitySession, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.byIndex[[2]string{entityID, sessionIndex}]
	if !ok {
		return "", IdentitySession{}, ErrNoSession
	}
	s, err := m.load(id)
	return id, s, err
}

// Delete ends a session; deleting an unknown one is no error.
func (m *MemorySessions) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(id)
	return nil
}

const sessionCookie = "session"

// session returns the session of the browser, complete or not.
func (p *IdentityProvider) session(r *http.Request) (string, IdentitySession, error) {
	id := p.jar.get(r, sessionCookie)
	if id == "" {
		return "", IdentitySession{}, ErrNoSession
	}
	s, err := p.sessions.Load(r.Context(), id)
	if err == nil && (s.Logout != nil || s.User == nil) { // a round of a logout is nobody's session
		return "", IdentitySession{}, ErrNoSession
	}
	return id, s, err
}
