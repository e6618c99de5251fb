package samlhttp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/saml"
)

const (
	defaultRefresh   = 6 * time.Hour
	minRefresh       = 5 * time.Minute
	maxRefresh       = 24 * time.Hour
	retryRefresh     = time.Minute
	metadataTimeout  = 30 * time.Second
	metadataMaxBytes = 16 << 20
)

// MetadataSourceConfig configures a [MetadataSource]. Exactly one of URL and File is required.
type MetadataSourceConfig struct {
	URL  string // https; http with Options.InsecureAllowHTTP
	File string

	Options     saml.MetadataOptions        // trusted keys, RequireValidUntil, MaxValidity, MaxBytes
	RefuseOlder bool                        // refuse a document whose validUntil is earlier than that of the last one: a roll-back
	Partner     func(p *Partner)            // may adjust identity providers, for example AllowUnsolicited
	Party       func(rp *saml.RelyingParty) // may adjust relying parties
	Client      *http.Client                // nil = 30 s, system roots; redirects to http are refused in any case
	Refresh     time.Duration               // between refreshes when the document states no cacheDuration; 0 = 6 h
	Now         func() time.Time
	Logger      *slog.Logger
}

// MetadataSource keeps the metadata of partners fresh: it reads a file or an address, keeps the last good copy until its validUntil
// when a refresh fails, and serves as [PartnerResolver] and [RelyingPartyRegistry].
type MetadataSource struct {
	cfg    MetadataSourceConfig
	client *http.Client

	mu       sync.RWMutex // guards what follows
	entities map[string]*saml.Metadata
	order    []string
	status   MetadataStatus
	etag     string
	modified string
}

// MetadataStatus tells how a source is.
type MetadataStatus struct {
	Fetched    time.Time // last time that the document was read, or found unchanged
	Tried      time.Time
	Err        error     // of the last try; nil after a good one
	ValidUntil time.Time // the earliest of all entities; zero when none states one
	Entities   int
}

// NewMetadataSource checks the configuration; it reads nothing. Call [MetadataSource.Refresh] once, then run [MetadataSource.Run].
func NewMetadataSource(cfg MetadataSourceConfig) (*MetadataSource, error) {
	if (cfg.URL == "") == (cfg.File == "") {
		return nil, errors.New("samlhttp: MetadataSourceConfig needs exactly one of URL and File")
	}
	if cfg.URL != "" {
		u, err := url.Parse(cfg.URL)
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && (u.Scheme != "http" || !cfg.Options.InsecureAllowHTTP)) {
			return nil, fmt.Errorf("samlhttp: MetadataSourceConfig.URL %q must be https", cfg.URL)
		}
	}
	cfg.Now = clock.Or(cfg.Now)
	cfg.Options.Now = cfg.Now
	if cfg.Options.MaxBytes <= 0 {
		cfg.Options.MaxBytes = metadataMaxBytes
	}
	if cfg.Refresh <= 0 {
		cfg.Refresh = defaultRefresh
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &MetadataSource{cfg: cfg, client: metadataClient(cfg)}, nil
}

// metadataClient never follows a redirect away from https.
func metadataClient(cfg MetadataSourceConfig) *http.Client {
	c := http.Client{Timeout: metadataTimeout}
	if cfg.Client != nil {
		c = *cfg.Client
		c.Timeout = cmp.Or(c.Timeout, metadataTimeout)
	}
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 || (r.URL.Scheme != "https" && !cfg.Options.InsecureAllowHTTP) {
			return errors.New("samlhttp: metadata redirect refused")
		}
		return nil
	}
	return &c
}

// Refresh reads the document once. On an error the last good copy stays.
func (s *MetadataSource) Refresh(ctx context.Context) error {
	err := s.refresh(ctx)
	now := s.cfg.Now()
	s.mu.Lock()
	s.status.Tried, s.status.Err = now, err
	if err == nil {
		s.status.Fetched = now
	}
	s.mu.Unlock()
	if err != nil {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "metadata not refreshed", slog.String("error", err.Error()))
	}
	return err
}

var errUnchanged = errors.New("samlhttp: metadata is unchanged")

func (s *MetadataSource) refresh(ctx context.Context) error {
	raw, etag, modified, err := s.read(ctx)
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := saml.ParseMetadataSet(raw, s.cfg.Options)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("samlhttp: the document holds no usable entity")
	}
	entities := make(map[string]*saml.Metadata, len(list))
	order := make([]string, 0, len(list))
	var until time.Time
	for _, m := range list {
		entities[m.EntityID] = m
		order = append(order, m.EntityID)
		until = minTime(until, m.ValidUntil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.RefuseOlder && !until.IsZero() && until.Before(s.status.ValidUntil) {
		return errors.New("samlhttp: the document is older than the last one")
	}
	s.entities, s.order, s.etag, s.modified = entities, order, etag, modified
	s.status.ValidUntil, s.status.Entities = until, len(list)
	return nil
}

func (s *MetadataSource) read(ctx context.Context) (raw []byte, etag, modified string, err error) {
	if s.cfg.File != "" {
		f, err := os.Open(s.cfg.File)
		if err != nil {
			return nil, "", "", err
		}
		defer func() { _ = f.Close() }()
		raw, err = readCapped(f, s.cfg.Options.MaxBytes)
		return raw, "", "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.URL, http.NoBody)
	if err != nil {
		return nil, "", "", err
	}
	s.mu.RLock()
	if s.etag != "" {
		req.Header.Set("If-None-Match", s.etag)
	}
	if s.modified != "" {
		req.Header.Set("If-Modified-Since", s.modified)
	}
	s.mu.RUnlock()
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusNotModified:
		return nil, "", "", errUnchanged
	case http.StatusOK:
		raw, err = readCapped(resp.Body, s.cfg.Options.MaxBytes)
		return raw, resp.Header.Get("ETag"), resp.Header.Get("Last-Modified"), err
	}
	return nil, "", "", errors.New("samlhttp: metadata server answered " + resp.Status)
}

func readCapped(r io.Reader, limit int) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(raw) > limit {
		err = errors.New("samlhttp: the document is larger than MaxBytes")
	}
	return raw, err
}

// Run refreshes until ctx ends, at the pace of the shortest cacheDuration and always before validUntil, with jitter so that many
// instances do not ask at once.
func (s *MetadataSource) Run(ctx context.Context) error {
	for {
		timer := time.NewTimer(s.wait())
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			_ = s.Refresh(ctx) // the status keeps the error
		}
	}
}

// wait returns how long to wait until the next refresh.
func (s *MetadataSource) wait() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d := s.cfg.Refresh
	for _, m := range s.entities {
		if m.CacheDuration > 0 {
			d = min(d, m.CacheDuration)
		}
	}
	if until := s.status.ValidUntil; !until.IsZero() {
		d = min(d, until.Sub(s.cfg.Now())/2)
	}
	d = min(max(d, minRefresh), maxRefresh)
	if s.status.Err != nil {
		d = retryRefresh
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d/10)+1))
	if err != nil {
		return d
	}
	return d - time.Duration(n.Int64())
}

// Status returns how the source is.
func (s *MetadataSource) Status() MetadataStatus {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.status
}

// Metadata returns an entity, "" meaning the first one of the document. It is [saml.ErrNotFound] when it is unknown or past its validUntil.
func (s *MetadataSource) Metadata(entityID string) (*saml.Metadata, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if entityID == "" && len(s.order) > 0 {
		entityID = s.order[0]
	}
	m, ok := s.entities[entityID]
	if !ok || (!m.ValidUntil.IsZero() && !s.cfg.Now().Before(m.ValidUntil)) {
		return nil, saml.ErrNotFound
	}
	return m, nil
}

// Partner implements [PartnerResolver] for a service without tenants.
func (s *MetadataSource) Partner(_ context.Context, tenant, entityID string) (Partner, error) {
	if tenant != "" {
		return Partner{}, saml.ErrNotFound
	}
	m, err := s.Metadata(entityID)
	if err != nil {
		return Partner{}, err
	}
	p, err := NewPartner(m)
	if err == nil && s.cfg.Partner != nil {
		s.cfg.Partner(&p)
	}
	return p, err
}

// RelyingParty implements [saml.RelyingPartyResolver].
func (s *MetadataSource) RelyingParty(_ context.Context, entityID string) (*saml.RelyingParty, error) {
	if entityID == "" {
		return nil, saml.ErrNotFound
	}
	m, err := s.Metadata(entityID)
	if err != nil {
		return nil, err
	}
	rp, err := m.RelyingParty()
	if err == nil && s.cfg.Party != nil {
		s.cfg.Party(rp)
	}
	return rp, err
}

// List implements [RelyingPartyRegistry]: all service providers of the document in its order.
func (s *MetadataSource) List(ctx context.Context) ([]*saml.RelyingParty, error) {
	s.mu.RLock()
	order := s.order
	s.mu.RUnlock()
	var out []*saml.RelyingParty
	for _, id := range order {
		if rp, err := s.RelyingParty(ctx, id); err == nil {
			out = append(out, rp)
		}
	}
	return out, nil
}
