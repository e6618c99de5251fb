package directory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// A Client reads one or several Active Directory domains. It is made by [New], is safe for concurrent use and holds
// connections until Close.
type Client struct {
	cfg     Config
	domains []*domain // in the order of the configuration
	brake   brake
	packing *attributes // of all packed entries

	mu       sync.Mutex
	closed   bool
	suffixes *suffixTable // of UPNs; nil before learn
}

// New checks the configuration and returns a client. It does not dial.
func New(cfg Config) (*Client, error) {
	cfg.Domains = slices.Clone(cfg.Domains)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, packing: &attributes{names: &nameTable{}}}
	for _, d := range cfg.Domains {
		dom := &domain{client: c, cfg: d, base: baseDN(d.DNS), sid: d.SID}
		for _, u := range d.Servers {
			ep, err := parseServer(u)
			if err != nil {
				return nil, fmt.Errorf("directory: %w", err)
			}
			dom.servers = append(dom.servers, newServer(dom, ep))
		}
		for _, u := range d.GlobalCatalogs {
			s, err := newCatalog(dom, u)
			if err != nil {
				return nil, fmt.Errorf("directory: %w", err)
			}
			dom.catalogs = append(dom.catalogs, s)
		}
		c.domains = append(c.domains, dom)
	}
	return c, nil
}

// Close closes all idle connections; connections in use are closed when their call returns. Later calls fail with [ErrClosed].
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	for _, d := range c.domains {
		for _, s := range d.all() {
			s.drain()
		}
	}
	return nil
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// DomainNames returns the DNS names of the configured domains in their order.
func (c *Client) DomainNames() []string {
	out := make([]string, 0, len(c.domains))
	for _, d := range c.domains {
		out = append(out, d.cfg.DNS)
	}
	return out
}

// domain finds a configured domain by DNS or NetBIOS name; "" is the only one of a client with one domain.
func (c *Client) domain(name string) (*domain, error) {
	if name == "" && len(c.domains) == 1 {
		return c.domains[0], nil
	}
	key := foldName(name)
	for _, d := range c.domains {
		if key != "" && (foldName(d.cfg.DNS) == key || foldName(d.cfg.NetBIOS) == key) {
			return d, nil
		}
	}
	return nil, ErrUnknownDomain
}

// byDN finds the configured domain that a DN lies in, by its DC= parts: a child domain lies below its parent's name, but
// not in it.
func (c *Client) byDN(dn DN) *domain {
	dns := foldName(dn.DNS())
	for _, d := range c.domains {
		if dns != "" && foldName(d.cfg.DNS) == dns {
			return d
		}
	}
	return nil
}

func foldName(s string) string { return fold.Key(strings.TrimSuffix(s, ".")) }

// baseDN turns corp.example.test into DC=corp,DC=example,DC=test.
func baseDN(dns string) string {
	labels := strings.Split(strings.TrimSuffix(dns, "."), ".")
	for i, l := range labels {
		labels[i] = "DC=" + EscapeDNValue(l)
	}
	return strings.Join(labels, ",")
}

// A domain is one configured domain with its servers.
type domain struct {
	client *Client
	cfg    Domain
	base   string

	mu            sync.Mutex
	servers       []*server
	found         time.Time // when discovery last answered
	catalogs      []*server // of the forest
	foundCatalogs time.Time
	sid           string
	refused       error // the last refusal of our own credentials
	refusedEnd    time.Time
}

func (d *domain) list() []*server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.servers)
}

func (d *domain) all() []*server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Concat(d.servers, d.catalogs)
}

// bindGuard returns the refusal that is still fresh: the same credentials are not tried again, at no server, because each
// attempt counts towards the lock-out of the account.
func (d *domain) bindGuard() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refused != nil && d.client.cfg.Now().Before(d.refusedEnd) {
		return d.refused
	}
	return nil
}

func (d *domain) noteRefusal(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused, d.refusedEnd = err, d.client.cfg.Now().Add(d.client.cfg.Limits.BindRetry)
}

// checkout returns a bound connection to a server of the domain, in the order of preference, skipping servers that rest.
func (d *domain) checkout(ctx context.Context) (*conn, error) {
	servers, err := d.candidates(ctx)
	if err != nil {
		return nil, err
	}
	return d.checkoutOf(ctx, servers)
}

func (d *domain) checkoutOf(ctx context.Context, servers []*server) (*conn, error) {
	var errs []error
	for s := range d.inOrder(servers) {
		c, err := s.checkout(ctx)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrBindRefused) || errors.Is(err, ErrClosed) {
			return nil, err
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("%w: no server is known for %s", errConnection, d.cfg.DNS)
	}
	return nil, errors.Join(errs...)
}

// candidates returns the servers of the domain in the order of preference.
func (d *domain) candidates(ctx context.Context) ([]*server, error) {
	if d.cfg.Discover && len(d.cfg.Servers) == 0 {
		if err := d.discover(ctx); err != nil {
			return nil, err
		}
	}
	return d.list(), nil
}

// inOrder yields the servers to try: those that do not rest first, then those that rest, which are better than nothing. A
// server that has rested long enough is tried by one caller at a time.
func (d *domain) inOrder(servers []*server) iter.Seq[*server] {
	return func(yield func(*server) bool) {
		now := d.client.cfg.Now()
		var resting []*server
		for _, s := range servers {
			switch s.admit(now) {
			case rests:
				resting = append(resting, s)
			case probe:
				more := yield(s)
				s.endProbe()
				if !more {
					return
				}
			default:
				if !yield(s) {
					return
				}
			}
		}
		for _, s := range resting {
			if !yield(s) {
				return
			}
		}
	}
}
