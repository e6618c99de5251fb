package sts

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// MemoryTokens is a [TokenSource] in memory. It keeps hashes of the tokens only.
type MemoryTokens struct {
	now func() time.Time

	mu     sync.Mutex // guards tokens
	tokens map[[32]byte]bearer
}

type bearer struct {
	user  string
	until time.Time
}

// NewMemoryTokens returns an empty source; nil means the system clock.
func NewMemoryTokens(now func() time.Time) *MemoryTokens {
	return &MemoryTokens{now: clock.Or(now), tokens: map[[32]byte]bearer{}}
}

// Add lets a token stand for a user until a time.
func (m *MemoryTokens) Add(token, userName string, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for k, b := range m.tokens {
		if !now.Before(b.until) {
			delete(m.tokens, k)
		}
	}
	m.tokens[sha256.Sum256([]byte(token))] = bearer{userName, until}
}

// TokenUser implements [TokenSource].
func (m *MemoryTokens) TokenUser(_ context.Context, token string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.tokens[sha256.Sum256([]byte(token))]
	if !ok || !m.now().Before(b.until) {
		return "", ErrNoToken
	}
	return b.user, nil
}

// RevokeToken implements [TokenSource].
func (m *MemoryTokens) RevokeToken(_ context.Context, token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tokens, sha256.Sum256([]byte(token)))
	return nil
}
