package identitystore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// Config configures a [Service]. Store is required.
type Config struct {
	Store Store

	Tenant     string // "" means [DefaultTenant]; created when it is missing
	TenantName string // its name when it is created
	Limits     Limits // the zero value means [LimitsAWS]
	DirectOnly bool   // do not count members of nested groups
	// HideDisabled leaves disabled users out of all memberships. Without it they stay members, and only cannot sign in.
	HideDisabled bool
	Tombstones   time.Duration // how long a deleted directory object keeps its id; 0 means 180 days
	History      time.Duration // how far back [Service.AsOf] and the feed reach; 0 means 30 days
	PageKey      []byte        // protects page tokens; nil means a random key, which ends with the process
	// AllowUnmappedWrites lets verbs write attributes of a directory's record that the directory does not own.
	AllowUnmappedWrites bool

	Now      func() time.Time // nil means the system clock
	Logger   *slog.Logger     // nil means no logging
	Observer Observer         // of "identitystore.sign_in" and "identitystore.update", a transaction that writes; nil means none
}

const (
	defaultTombstones = 180 * 24 * time.Hour
	defaultHistory    = 30 * 24 * time.Hour
)

// Service is one tenant with its rules: verbs, sign-ins, transactions, feed and history. It is safe for concurrent use.
type Service struct {
	cfg    Config
	reader Reader
	memory *memReader // reader, when it is that
}

// Open returns the service of a tenant.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Store == nil {
		return nil, errors.New("identitystore: Config.Store is nil")
	}
	if cfg.Tombstones < 0 || cfg.History < 0 {
		return nil, errors.New("identitystore: Config.Tombstones or Config.History is negative")
	}
	if cfg.Limits.isZero() {
		cfg.Limits = LimitsAWS()
	}
	if cfg.Tombstones == 0 {
		cfg.Tombstones = defaultTombstones
	}
	if cfg.History == 0 {
		cfg.History = defaultHistory
	}
	if cfg.Tenant == "" {
		cfg.Tenant = DefaultTenant
	}
	if cfg.PageKey == nil {
		cfg.PageKey = []byte(rand.Text())
	}
	cfg.Now = clock.Or(cfg.Now)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	reader, err := cfg.Store.Reader(ctx, cfg.Tenant)
	if errors.Is(err, ErrNotFound) {
		err = cfg.Store.CreateTenant(ctx, Tenant{ID: cfg.Tenant, Name: cfg.TenantName})
		if err != nil && !errors.Is(err, ErrConflict) { // somebody else may have been faster
			return nil, fmt.Errorf("identitystore: create tenant: %w", err)
		}
		reader, err = cfg.Store.Reader(ctx, cfg.Tenant)
	}
	if err != nil {
		return nil, fmt.Errorf("identitystore: open tenant: %w", err)
	}
	memory, _ := reader.(*memReader)
	return &Service{cfg: cfg, reader: reader, memory: memory}, nil
}

func (l Limits) isZero() bool {
	return l.UserName == 0 && l.Text == 0 && l.Page == 0 && l.Single == 0 && l.Users == 0 && l.Operations == 0
}

// Tenant returns the tenant's id.
func (s *Service) Tenant() string { return s.cfg.Tenant }

// Limits returns the limits in force.
func (s *Service) Limits() Limits { return s.cfg.Limits }

// Store returns the back end.
func (s *Service) Store() Store { return s.cfg.Store }

// Now returns the present time in the store's resolution: UTC, whole microseconds.
func (s *Service) Now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// Reader returns a reader of which every call sees the newest commit.
func (s *Service) Reader() Reader { return s.reader }

// View calls f with a reader that sees one commit.
func (s *Service) View(ctx context.Context, f func(Reader) error) error {
	return s.cfg.Store.View(ctx, s.cfg.Tenant, f)
}

// UserByName returns the user with that name, under the fold of names. Tombstones are not found. The record is shared:
// clone it before changing it.
func (s *Service) UserByName(ctx context.Context, name string) (*User, error) {
	if s.memory != nil { // every sign-in and every request ends up here: no detour by the interface
		names := &s.memory.state().userNames
		if u := names.get(name); u != nil { // it is its own fold: most are
			return u, nil
		}
		if u := names.name(name); u != nil {
			return u, nil
		}
		return nil, ErrNotFound
	}
	return s.reader.UserByName(ctx, fold.Key(name))
}

// GroupByName returns the group with that display name, under the fold of names.
func (s *Service) GroupByName(ctx context.Context, name string) (*Group, error) {
	return s.reader.GroupByName(ctx, fold.Key(name))
}

// FoldName returns the form of a name in which it is unique and found: NFKC, simple case folding, NFKC.
func FoldName(name string) string { return fold.Key(name) }

// UserByGUID returns the user that stands for the directory object, tombstones included.
func (s *Service) UserByGUID(ctx context.Context, source, guid string) (*User, error) {
	return userBy(ctx, s.reader, ByGUID, source, guid)
}

// UserBySID returns the user with that SID.
func (s *Service) UserBySID(ctx context.Context, sid string) (*User, error) {
	return userBy(ctx, s.reader, BySID, "", sid)
}

// DirectOnly reports whether members of nested groups are left out.
func (s *Service) DirectOnly() bool { return s.cfg.DirectOnly }
