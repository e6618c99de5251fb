package scim

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
	"github.com/adfedkit/adfedkit/internal/clock"
)

// Profile picks limits and refusals.
type Profile uint8

// The profiles.
const (
	RFC Profile = iota
	AWS         // what AWS IAM Identity Center accepts
)

// Mode picks how forgiving the parser is.
type Mode = scimpatch.Mode

// The modes.
const (
	Tolerant = scimpatch.Tolerant
	Strict   = scimpatch.Strict
)

// Error is an answer of the protocol.
type Error = scimfilter.Error

// ErrUnauthorized says that a token is not known.
var ErrUnauthorized = errors.New("scim: unknown token")

// Authenticator finds the tenant that a bearer token opens.
type Authenticator interface {
	// Authenticate returns the tenant, or an error; [ErrUnauthorized] is answered with 401, any other with 500.
	Authenticate(ctx context.Context, token string) (*identitystore.Service, error)
}

// Tokens is an [Authenticator] that keeps the SHA-256 of each token only. The zero value is ready for use.
type Tokens struct {
	mu   sync.RWMutex
	list []tokenEntry
}

type tokenEntry struct {
	hash [sha256.Size]byte
	svc  *identitystore.Service
}

// HashToken returns the form in which [Tokens] keeps a token.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Add lets a token, given by its hash, open the tenant.
func (t *Tokens) Add(hash [sha256.Size]byte, svc *identitystore.Service) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, tokenEntry{hash, svc})
}

// Remove makes a token useless.
func (t *Tokens) Remove(hash [sha256.Size]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := make([]tokenEntry, 0, len(t.list))
	for _, e := range t.list {
		if e.hash != hash {
			kept = append(kept, e)
		}
	}
	t.list = kept
}

// Authenticate implements [Authenticator]. It looks at every entry, each in constant time.
func (t *Tokens) Authenticate(_ context.Context, token string) (*identitystore.Service, error) {
	h := HashToken(token)
	t.mu.RLock()
	defer t.mu.RUnlock()
	var found *identitystore.Service
	for _, e := range t.list {
		if subtle.ConstantTimeCompare(e.hash[:], h[:]) == 1 {
			found = e.svc
		}
	}
	if found == nil || token == "" {
		return nil, ErrUnauthorized
	}
	return found, nil
}

// Limits bounds requests. Zero means the default.
type Limits struct {
	Body       int64 // bytes; 0 means 4 MiB
	Page       int   // largest page; 0 means 1000, profile AWS 100
	Default    int   // page without count; 0 means 100
	BulkOps    int   // operations of a bulk or PATCH request; 0 means 2000
	Members    int   // members of all groups in one list, which ends earlier (its first group is whole); 0 means 100,000
	RatePerSec int   // requests per second and tenant; 0 means no limit
	Burst      int   // requests at once; 0 means RatePerSec
}

// Config configures a handler. The field above the blank line is required.
type Config struct {
	Auth Authenticator

	Profile Profile
	Mode    Mode
	// BaseURL stands before locations: scheme, host and, if there is one, path. Endpoints are served below that path.
	// "" makes locations relative.
	BaseURL string
	Limits  Limits
	Issuer  string // of the external ids that are read and written; "" means "scim"
	// IgnoreUnknownPaths leaves out operations of PATCH on unknown attributes; they are logged.
	IgnoreUnknownPaths bool
	// AllowUnmappedWrites lets clients write attributes of a directory's record that the directory does not own.
	AllowUnmappedWrites bool
	// AWSErrorKeys writes the key "schema" in place of "schemas" in error bodies, as the service was once seen to do.
	AWSErrorKeys bool
	PageKey      []byte // protects cursors; nil means a random key, which ends with the process

	Now    func() time.Time // nil means the system clock
	Logger *slog.Logger     // nil means no logging
	// Observer of "scim.request"; nil means none.
	Observer Observer
}

const (
	defaultBody    = 4 << 20
	defaultPage    = 100
	maxPageRFC     = 1000
	maxPageAWS     = 100
	defaultBulkOps = 2000
	defaultMembers = 100_000
)

// Handler is the server. It is safe for concurrent use.
type Handler struct {
	cfg     Config
	prefix  string // path of BaseURL
	anchors anchors
	rate    limiter
}

// NewHandler returns a handler.
func NewHandler(cfg Config) (*Handler, error) { //nolint:cyclop // one list of checks
	if cfg.Auth == nil {
		return nil, errors.New("scim: Config.Auth is nil")
	}
	l := &cfg.Limits
	if l.Body < 0 || l.Page < 0 || l.Default < 0 || l.BulkOps < 0 || l.Members < 0 || l.RatePerSec < 0 || l.Burst < 0 {
		return nil, errors.New("scim: Config.Limits holds a negative number")
	}
	if l.Body == 0 {
		l.Body = defaultBody
	}
	if l.Page == 0 {
		l.Page = maxPageRFC
		if cfg.Profile == AWS {
			l.Page = maxPageAWS
		}
	}
	if l.Default == 0 {
		l.Default = min(defaultPage, l.Page)
	}
	if l.BulkOps == 0 {
		l.BulkOps = defaultBulkOps
	}
	if l.Members == 0 {
		l.Members = defaultMembers
	}
	if l.Burst == 0 {
		l.Burst = l.RatePerSec
	}
	if cfg.Issuer == "" {
		cfg.Issuer = "scim"
	}
	if cfg.PageKey == nil {
		cfg.PageKey = []byte(rand.Text())
	}
	cfg.Now = clock.Or(cfg.Now)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	h := &Handler{cfg: cfg}
	if _, rest, ok := strings.Cut(cfg.BaseURL, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			h.prefix = rest[i:]
		}
	} else {
		h.prefix = cfg.BaseURL
	}
	return h, nil
}

// limiter is a token bucket for each tenant.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// wait returns how long the caller has to wait; 0 lets the request pass.
func (l *limiter) wait(tenant string, now time.Time, perSec, burst int) time.Duration {
	if perSec == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets == nil {
		l.buckets = map[string]*bucket{}
	}
	b := l.buckets[tenant]
	if b == nil {
		b = &bucket{left: float64(burst), at: now}
		l.buckets[tenant] = b
	}
	b.left = min(float64(burst), b.left+now.Sub(b.at).Seconds()*float64(perSec))
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / float64(perSec) * float64(time.Second))
	}
	b.left--
	return 0
}

func refuse(status int, kind, detail string) error {
	return &Error{Status: status, Type: kind, Detail: detail}
}

func badValue(detail string) error { return refuse(http.StatusBadRequest, "invalidValue", detail) }

func badSyntax(detail string) error { return refuse(http.StatusBadRequest, "invalidSyntax", detail) }

func notFound() error { return refuse(http.StatusNotFound, "", "nothing has this id") }
