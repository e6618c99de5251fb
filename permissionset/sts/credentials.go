package sts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// Credentials are temporary credentials. They print without their secrets.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// String shows the access key ID and the expiration only.
func (c Credentials) String() string {
	return "{" + c.AccessKeyID + " [secret] [secret] " + c.Expiration.Format(time.RFC3339) + "}"
}

// Format implements [fmt.Formatter], so that no verb shows the secrets.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue implements [slog.LogValuer].
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON refuses to write the secrets by accident; write the fields one by one where that is meant.
func (c Credentials) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%q", c.String()), nil
}

// Session is who credentials belong to.
type Session struct {
	Credentials Credentials
	Account     string
	ARN         string            // of the session
	UserID      string            // role ID and session name
	Chained     bool              // from another role's credentials: no console session duration may be asked for
	Tags        map[string]string // session tags
}

// ErrNoSession is what a [CredentialStore] returns for an access key that it does not know.
var ErrNoSession = errors.New("sts: unknown access key")

// ErrFull is returned by stores in memory that have no room left.
var ErrFull = errors.New("sts: store is full")

// CredentialStore keeps the sessions that handlers have issued credentials for.
type CredentialStore interface {
	// PutSession keeps a session until its credentials have expired, and for some time after, so that expired credentials
	// can be told from unknown ones.
	PutSession(ctx context.Context, s Session) error
	// Session finds a session by access key ID; an error that matches [ErrNoSession] means that there is none.
	Session(ctx context.Context, accessKeyID string) (Session, error)
}

// MemoryStore is a [CredentialStore] in memory.
type MemoryStore struct {
	now  func() time.Time
	size int

	mu       sync.Mutex // guards what follows
	sessions map[string]Session
}

// NewMemoryStore returns a store for size sessions (0 means 100,000). Expired sessions make room, others never do.
func NewMemoryStore(size int, now func() time.Time) *MemoryStore {
	if size <= 0 {
		size = 100_000
	}
	return &MemoryStore{now: clock.Or(now), size: size, sessions: map[string]Session{}}
}

// PutSession implements [CredentialStore].
func (m *MemoryStore) PutSession(_ context.Context, s Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.sessions) >= m.size {
		now := m.now()
		for k, old := range m.sessions {
			if !now.Before(old.Credentials.Expiration) {
				delete(m.sessions, k)
			}
		}
		if len(m.sessions) >= m.size {
			return ErrFull
		}
	}
	m.sessions[s.Credentials.AccessKeyID] = s
	return nil
}

// Session implements [CredentialStore].
func (m *MemoryStore) Session(_ context.Context, accessKeyID string) (Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[accessKeyID]
	if !ok {
		return Session{}, ErrNoSession
	}
	return s, nil
}

const keyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// newCredentials draws credentials in the forms of AWS.
func newCredentials(until time.Time) Credentials {
	var raw [30]byte
	_, _ = rand.Read(raw[:]) // never fails
	var token [192]byte
	_, _ = rand.Read(token[:])
	return Credentials{
		AccessKeyID: "ASIA" + randomText(keyAlphabet, 16), SecretAccessKey: base64.StdEncoding.EncodeToString(raw[:]),
		SessionToken: base64.StdEncoding.EncodeToString(token[:]), Expiration: until.UTC().Truncate(time.Second),
	}
}

// randomText draws n letters without bias.
func randomText(alphabet string, n int) string {
	out := make([]byte, 0, n)
	limit := 256 - 256%len(alphabet)
	var b [32]byte
	for len(out) < n {
		_, _ = rand.Read(b[:])
		for _, c := range b {
			if int(c) < limit && len(out) < n {
				out = append(out, alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// roleID derives a stable role ID from an ARN: AROA and 16 of A-Z2-7.
func roleID(arn string) string {
	const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	sum := sha256.Sum256([]byte("role " + arn))
	out := []byte("AROA")
	for _, c := range sum[:16] {
		out = append(out, base32[c&31])
	}
	return string(out)
}

func randomSuffix() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func equalSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
